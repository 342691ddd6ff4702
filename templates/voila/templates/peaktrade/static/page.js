// Keeps a page true: brings the panels anew, says how old they are, and says so loudly when the server is gone.
(() => {
  "use strict";
  const words = JSON.parse(document.body.dataset.words);
  const every = Number(document.body.dataset.refresh);
  const age = document.getElementById("age");
  const banner = document.getElementById("banner");
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  let shown = { time: new Date().toISOString().slice(11, 19), at: Date.now() };
  let busy = false;
  let healthy = true;

  function ago(seconds) {
    if (seconds < 60) return say(words.ago_s, { n: seconds });
    if (seconds < 3600) return say(words.ago_m, { n: Math.floor(seconds / 60) });
    return say(words.ago_h, { n: Math.floor(seconds / 3600) });
  }

  function showAge() {
    const seconds = Math.max(0, Math.round((Date.now() - shown.at) / 1000));
    const text = document.hidden ? words.paused : words.as_of;
    age.textContent = say(text, { time: shown.time, age: ago(seconds), every });
    age.classList.toggle("stale", seconds > 3 * every + 5);
  }

  function warn(first, second) {
    const lines = [say(first, { time: shown.time }), second].filter(Boolean);
    if (banner.dataset.text === lines.join("\n")) return;
    banner.dataset.text = lines.join("\n");
    banner.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    banner.hidden = false;
  }

  function calm() {
    banner.hidden = true;
    delete banner.dataset.text;
  }

  function swap(old, html) {
    const holder = document.createElement("template");
    holder.innerHTML = html.trim();
    const fresh = holder.content.firstElementChild;
    if (fresh.isEqualNode(old)) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const scrolled = old.querySelector(".scroll")?.scrollLeft ?? 0;
    old.replaceWith(fresh);
    if (fresh.querySelector(".scroll")) fresh.querySelector(".scroll").scrollLeft = scrolled;
    if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  async function ask(url) {
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    return { ok: answer.ok, body: await answer.json() };
  }

  async function refresh() {
    const panels = [...document.querySelectorAll("[data-panel]")];
    if (!panels.length) return ask("/api/health").then(calm);
    const query = new URLSearchParams(panels.map((panel) => ["panel", panel.dataset.panel]));
    query.set("query", location.search.slice(1));
    const { ok, body } = await ask(`/api/panels?${query}`);
    if (!ok) return warn(say(words.faulty, { message: body.message, time: "{time}" }));
    panels.forEach((panel) => body.panels[panel.dataset.panel] && swap(panel, body.panels[panel.dataset.panel]));
    shown = { time: body.as_of.slice(11, 19), at: Date.now() };
    calm();
  }

  async function tick() {
    if (busy || document.hidden) return;
    busy = true;
    try {
      if (!healthy) await ask("/api/health");
      healthy = true;
      await refresh();
    } catch {
      healthy = false;
      warn(words.down, words.down_next);
    } finally {
      busy = false;
      showAge();
    }
  }

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    try { localStorage.setItem("peaktrade-theme", root.dataset.theme); } catch { /* not remembered then */ }
  });
  document.addEventListener("visibilitychange", () => { showAge(); tick(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "r" && !event.ctrlKey && !event.metaKey && !event.altKey) tick();
  });
  tick();
  setInterval(showAge, 1000);
  setInterval(tick, every * 1000);
})();
