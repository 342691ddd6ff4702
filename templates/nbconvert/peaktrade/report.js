// Draws the figures of the page from the JSON beside them, in the colours of the page: light, dark or paper.
"use strict";
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--muted").trim();
    const line = style.getPropertyValue("--line").trim();
    const axis = (name) => ({ [`${name}.gridcolor`]: line, [`${name}.linecolor`]: line, [`${name}.tickfont.color`]: ink });
    return { "font.color": ink, "title.font.color": style.getPropertyValue("--ink").trim(), ...axis("xaxis"), ...axis("yaxis") };
  }

  const canvases = Array.from(document.querySelectorAll("figure.plot"), (figure) => {
    const canvas = figure.querySelector(".canvas");
    const { data, layout, config } = JSON.parse(figure.querySelector("script").textContent);
    layout.autosize = true;
    Plotly.newPlot(canvas, data, layout, { ...config, responsive: true, displaylogo: false, showSendToCloud: false });
    return canvas;
  });

  const paint = () => canvases.forEach((canvas) => Plotly.relayout(canvas, colours()));
  paint();
  dark.addEventListener("change", paint);
  window.addEventListener("beforeprint", () => { paint(); canvases.forEach((canvas) => Plotly.Plots.resize(canvas)); });
  window.addEventListener("afterprint", paint);
})();
