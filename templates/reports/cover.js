// Reads the chart of a cover out where the pointer is, or with the arrow keys: a hair line, a dot on each line, the values.
"use strict";
for (const box of document.querySelectorAll(".pt-read[data-read]")) {
  const chart = JSON.parse(box.dataset.read);
  const plane = box.querySelector("svg.plane"), says = box.querySelector("output");
  const times = [...new Set(chart.lines.flatMap((line) => line.t))].sort((a, b) => a - b);
  const svg = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const hair = svg("svg", { class: "pt-hair", overflow: "visible", "aria-hidden": "true" });
  const across = svg("line", { y1: 0, y2: "100%" });
  const dots = chart.lines.map(() => svg("circle", { r: 3.5 }));
  hair.append(across, ...dots);
  hair.style.display = "none";
  plane.append(hair);
  let at = times.length - 1;

  const last = (line, t) => {
    let low = 0, high = line.t.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (line.t[mid] <= t) low = mid; else high = mid - 1;
    }
    return line.t[low] <= t ? low : -1;
  };
  const write = (value) => value.toLocaleString("en-US", { minimumFractionDigits: chart.digits, maximumFractionDigits: chart.digits }).replace("-", "−");
  const show = () => {
    const t = times[at], x = `${((t - chart.first) / (chart.last - chart.first || 1)) * 100}%`;
    across.setAttribute("x1", x);
    across.setAttribute("x2", x);
    const told = chart.lines.map((line, n) => {
      const point = last(line, t);
      const silent = point < 0 || (line.says && line.t[point] !== t);
      dots[n].style.display = silent ? "none" : "";
      if (silent) return "";
      dots[n].setAttribute("cx", x);
      dots[n].setAttribute("cy", `${line.p[point]}%`);
      if (line.says) return `${line.name}: ${line.says[point]}`;
      return `${chart.lines.length > 1 ? `${line.name} ` : ""}${write(line.y[point])}`;
    });
    hair.style.display = "";
    says.textContent = `${new Date(t * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC · ${told.filter(Boolean).join(" · ")} ${chart.unit}`.trim();
  };
  box.addEventListener("pointermove", (event) => {
    const place = plane.getBoundingClientRect();
    const wanted = chart.first + ((event.clientX - place.left) / place.width) * (chart.last - chart.first);
    let low = 0, high = times.length - 1;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (times[mid] < wanted) low = mid + 1; else high = mid;
    }
    at = low > 0 && wanted - times[low - 1] < times[low] - wanted ? low - 1 : low;
    show();
  });
  box.addEventListener("pointerleave", () => { hair.style.display = "none"; says.textContent = ""; });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -times.length, End: times.length }[event.key];
    if (!step) return;
    event.preventDefault();
    at = Math.min(times.length - 1, Math.max(0, at + step));
    show();
  });
}
