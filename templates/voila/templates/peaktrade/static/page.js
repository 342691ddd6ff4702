// Keeps a page true: brings the panels anew, says how old they are, and says so loudly when the server is gone.
import { enhance } from "./chart.js";
import { listen } from "./keys.js";
import { remember } from "./memory.js";
import { morph } from "./morph.js";
import { choose, count } from "./choose.js";
import { localize, switchZone, write, zone } from "./times.js";

const words = JSON.parse(document.body.dataset.words);
const every = Number(document.body.dataset.refresh);
const byId = (id) => document.getElementById(id);
const age = byId("age");
const banner = byId("banner");
const say = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
const panels = () => [...document.querySelectorAll("[data-panel]")];
const moving = () => panels().filter((panel) => panel.dataset.final === undefined); // the others never change again
let asOf = new Date(); // the server's time of what is shown
let at = Date.now(); // when it came, by this machine's clock
let busy = false;
const whole = byId("whole");
const title = document.title;
const icon = document.querySelector('link[rel="icon"]');

// The worst that there is: in the header, and for who has the page in another tab sign in its title, shape and colour in its icon.
function tell(status, why = "") {
  const sign = { fail: "◆ ", warn: "▲ ", unknown: "? " }[status] ?? "";
  if (whole) {
    whole.hidden = false;
    whole.className = `whole badge ${{ pass: "ok", warn: "abort", fail: "fail" }[status] ?? "other"}`;
    whole.textContent = `${sign || "✓ "}${words[`check_${status}`]}`;
    whole.title = why;
    whole.setAttribute("aria-label", `${whole.dataset.name}: ${words[`check_${status}`]}`);
  }
  document.title = sign + title;
  const href = `/static/favicon${sign ? `_${status}` : ""}.svg`;
  if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}

function ago(seconds) {
  if (seconds < 60) return say(words.ago_s, { n: seconds });
  if (seconds < 3600) return say(words.ago_m, { n: Math.floor(seconds / 60) });
  return say(words.ago_h, { n: Math.floor(seconds / 3600) });
}

function showAge() {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  const stale = seconds > 3 * every + 5;
  const values = { time: write(asOf, "clock"), zone: zone(), age: ago(seconds), every };
  age.textContent = say(document.hidden ? words.paused : words.as_of, values);
  age.title = say(words.as_of_about, { every });
  age.classList.toggle("stale", stale);
  document.body.classList.toggle("is-stale", stale);
}

// Each panel says of when it is, because one may fail while the others go on.
function stamp(panel) {
  const head = panel.querySelector(".card-head");
  if (!head) return;
  const shown = head.querySelector(".of") ?? head.appendChild(Object.assign(document.createElement("time"), { className: "of" }));
  shown.dataset.own = "";
  shown.dataset.form = "clock";
  shown.dateTime = panel.dataset.asOf;
  shown.title = say(words.js_panel_as_of, { time: write(asOf, "second"), zone: zone() });
  shown.textContent = write(new Date(panel.dataset.asOf), "clock");
}

function warn(first, second) {
  const lines = [say(first, { time: write(asOf, "clock"), zone: zone() }), second].filter(Boolean);
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
  localize(holder.content);
  morph(old, holder.content.firstElementChild);
}

async function ask(url) {
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  return { ok: answer.ok, body: await answer.json(), sent: new Date(answer.headers.get("Date")) };
}

async function bring(shown) {
  const asked = location.search; // an answer that another choice has overtaken is not shown
  const query = new URLSearchParams(shown.map((panel) => ["panel", panel.dataset.panel]));
  if (shown.length) query.set("query", location.search.slice(1)); // of a lab it may be long, and no panel asks
  if (document.body.dataset.subject) query.set("subject", document.body.dataset.subject);
  const { ok, body, sent } = await ask(`/api/panels?${query}`);
  if (!ok) return warn(say(words.faulty, { message: body.message }));
  tell(body.status, body.why);
  asOf = body.as_of ? new Date(body.as_of) : sent;
  at = Date.now();
  for (const panel of location.search === asked ? shown : []) {
    const html = body.panels[panel.dataset.panel];
    if (!html) continue;
    swap(panel, html);
    panel.dataset.asOf = body.as_of;
    stamp(panel);
  }
  count();
  calm();
}

async function refresh() {
  await bring(moving());
  enhance(document);
}

// A range that was chosen on a chart: kept in the address, and brought at full detail. The newest choice wins.
let range = null;
let bringing = false;

async function bringRange() {
  if (bringing) return;
  bringing = true;
  while (range) {
    const { target, detail: { view, arrived } } = range;
    range = null;
    const url = new URL(location);
    const edges = view && [Math.floor(view[0] * 1000), Math.ceil(view[1] * 1000)].map((ms) => new Date(ms).toISOString());
    for (const [i, name] of ["since", "until"].entries()) edges ? url.searchParams.set(name, edges[i]) : url.searchParams.delete(name);
    history.replaceState(null, "", url);
    try {
      await bring([target.closest("[data-panel]")]);
    } catch {
      warn(words.down, words.down_next);
    }
    if (range) continue;
    arrived();
    enhance(document);
  }
  bringing = false;
}

async function tick() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    await refresh();
  } catch {
    warn(words.down, words.down_next);
    tell("unknown");
  } finally {
    busy = false;
    showAge();
  }
}

function showZone() {
  localize(document);
  panels().filter((panel) => panel.dataset.asOf).forEach(stamp);
  enhance(document, true);
  showAge();
  const button = byId("zone");
  if (button) button.textContent = zone();
}

function switchTheme() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  remember("theme", root.dataset.theme);
}

const does = {
  refresh: tick,
  theme: switchTheme,
  zone: () => { switchZone(); showZone(); },
  menu: () => byId("menu").setAttribute("aria-expanded", byId("menu").getAttribute("aria-expanded") !== "true"),
  help: () => (byId("keys").open ? byId("keys").close() : byId("keys").showModal()),
};
for (const name of ["zone", "theme", "help", "menu"]) {
  const button = byId(name);
  if (button) button.hidden = false;
  button?.addEventListener("click", does[name]);
}
document.body.classList.add("scripted");
document.addEventListener("range", (event) => { range = event; bringRange(); });
document.addEventListener("visibilitychange", () => { showAge(); tick(); });
listen(does);
choose();
showZone();
tick();
setInterval(showAge, 1000);
setInterval(tick, every * 1000);
