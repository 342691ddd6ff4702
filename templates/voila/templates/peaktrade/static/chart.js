// Makes the server's charts answer: a crosshair that reads values, zoom and pan; the charts of a group move together.
// A group with data-ends shows a part of longer curves: each choice of a range is told as the event "range", so that the
// page brings that range at full detail.
import { write, zone } from "./times.js";

const WIDTH = 1000, HEIGHT = 200, PAD = 8; // as the server draws
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000];
const MONTHS = [3, 6, 12, 24, 60, 120], MONTH = 2629800; // of longer charts, which say the year
const APART = 16; // between two marks of a kind [px]
const groups = new WeakMap();
const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const numbers = (text) => text.split(",").map((item) => (item === "" ? NaN : Number(item)));

export function enhance(root, again = false) {
  for (const box of root.querySelectorAll("[data-ts]")) {
    if (!groups.has(box)) groups.set(box, new Group(box));
    groups.get(box).take(again);
  }
}

function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const sizes = [1, 2, 5, 10].map((n) => n * power);
  const place = sizes.findIndex((size) => size >= rough);
  const single = Math.floor(high / sizes[place] + 1e-9) <= Math.ceil(low / sizes[place] - 1e-9); // says no distance
  const step = sizes[single && place ? place - 1 : place];
  const first = Math.ceil(low / step - 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const values = Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  return values.map((value) => [value, value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−")]);
}

function moments(from, to) { // where the labels below are [s], and how each is written
  const span = to - from || 1, size = STEPS.find((step) => span / step <= 6), found = [];
  if (size) {
    for (let t = Math.ceil(from / size) * size; t <= to; t += size) found.push([t, size >= 86400 || t % 86400 === 0 ? "day" : size < 60 ? "clock" : "short"]);
    return found;
  }
  const step = MONTHS.find((n) => span / (n * MONTH) <= 6) ?? MONTHS[MONTHS.length - 1], begin = new Date(from * 1000);
  for (let month = Math.floor((begin.getUTCFullYear() * 12 + begin.getUTCMonth()) / step) * step; ; month += step) {
    const t = Date.UTC(1970, month - 23640) / 1000;
    if (t > to) return found;
    if (t >= from) found.push([t, "month"]);
  }
}

class Group {
  constructor(box) {
    this.box = box;
    this.view = null; // [from, to] in seconds; null is all
    this.drag = null;
    this.at = null; // the point that is read
    this.moment = 0; // when that is [s]
    this.waits = false; // for the range that was chosen
    this.later = []; // steps of keys that wait for it, too
    this.fingers = new Map(); // on a screen: where each is [px]
    this.pinch = null; // the times that two of them hold [s]
    const on = (name, does) => box.addEventListener(name, does);
    on("pointermove", (event) => this.moved(event));
    on("pointerleave", (event) => event.pointerType === "touch" || this.point(null)); // a finger leaves what it read
    on("pointerdown", (event) => this.pressed(event));
    on("pointerup", (event) => this.released(event));
    on("pointercancel", (event) => this.lifted(event));
    new ResizeObserver(() => this.gather()).observe(box);
    on("dblclick", () => this.show(null));
    on("keydown", (event) => this.key(event));
    on("click", (event) => event.target.closest(".reset") && this.show(null));
    on("change", (event) => event.target.closest(".range") && this.chose());
  }

  take(again) {
    const raw = this.box.dataset.ts, fresh = raw !== this.raw;
    if (fresh) {
      this.raw = raw;
      let sum = 0;
      this.ts = numbers(raw).map((n) => (sum += n));
      this.ends = this.box.dataset.ends ? numbers(this.box.dataset.ends) : null;
      if (this.ends && !this.waits) this.view = this.box.dataset.zoomed === undefined ? null : this.loaded;
    }
    this.plots = [...this.box.querySelectorAll("[data-y]")].map((element) => {
      const y = element.dataset.y;
      const plane = element.querySelector(".plane");
      if (!plane.querySelector(".cross")) {
        const cross = svg("svg", { class: "cross", "data-own": "", "aria-hidden": "true" });
        cross.append(svg("rect", { class: "chosen", y: 0, height: "100%", width: 0 }), svg("line", { y1: 0, y2: "100%" }), svg("circle", { r: 4 }));
        plane.append(cross);
      }
      return { element, plane, y: numbers(y), step: element.dataset.kind === "step", kept: numbers(element.dataset.kept).filter(Number.isFinite) };
    });
    this.x = null; // what was drawn before knew other plots
    this.box.classList.toggle("zoomed", this.view !== null); // a refresh takes both away
    this.box.classList.toggle("read", this.at !== null);
    if (this.view || again) this.draw();
    else this.gather();
    if (fresh && this.at !== null && !this.drag) this.point(this.nearest(this.moment)); // the same time, not the same place
    if (!this.waits) this.later.splice(0).forEach((step) => step());
  }

  get loaded() { return [this.ts[0], this.ts[this.ts.length - 1]]; }
  get whole() { return this.ends ?? this.loaded; }
  get least() { // of a range [s]: two bars where more can be brought, else what still looks like a curve
    const [first, last] = this.whole;
    if (!this.ends) return Math.max((last - first) / 400, 1e-9);
    return 2 * this.ts.reduce((bar, t, i) => (i ? Math.min(bar, t - this.ts[i - 1]) : bar), last - first);
  }

  chose() {
    const [from, to] = [...this.box.querySelectorAll(".range input")].map((input) => Date.parse(`${input.value}Z`) / 1000);
    if (to > from) this.show([from, to]);
  }

  show(view) {
    const [first, last] = this.whole;
    const before = String(this.view);
    this.view = view && view[1] - view[0] >= this.least ? [Math.max(first, view[0]), Math.min(last, view[1])] : null;
    if (this.view && this.view[1] - this.view[0] >= last - first) this.view = null;
    this.box.classList.toggle("zoomed", this.view !== null);
    this.point(null);
    this.draw();
    if (!this.ends || String(this.view) === before) return;
    this.waits = true;
    const arrived = () => { this.waits = false; };
    this.box.dispatchEvent(new CustomEvent("range", { bubbles: true, detail: { view: this.view, arrived } }));
  }

  draw() {
    const [from, to] = this.view ?? this.whole;
    const span = to - from || 1;
    const begin = Math.max(0, this.ts.findLastIndex((t) => t <= from));
    const found = this.ts.findIndex((t) => t >= to);
    const end = found < 0 ? this.ts.length - 1 : found;
    this.x = (t) => ((t - from) / span) * WIDTH;
    for (const plot of this.plots) this.drawPlot(plot, begin, end);
    this.gather();
    for (const group of this.box.querySelectorAll(".x-axis")) {
      const labels = [];
      for (const [t, form] of moments(from, to)) {
        const x = this.x(t) / 10;
        const text = svg("text", { x: `${x.toFixed(2)}%`, y: "100%", dy: 13, "text-anchor": x < 4 ? "start" : x > 96 ? "end" : "middle" });
        text.textContent = write(new Date(t * 1000), form);
        labels.push(text);
      }
      group.replaceChildren(...labels);
    }
  }

  drawPlot(plot, begin, end) {
    const seen = plot.y.slice(begin, end + 1).filter(Number.isFinite);
    if (!seen.length) return;
    const marks = [...plot.element.querySelectorAll(".marks [data-t]")];
    const inside = (t) => t >= this.ts[begin] && t <= this.ts[end];
    seen.push(...plot.kept, ...marks.filter((mark) => inside(Number(mark.dataset.t))).map((mark) => Number(mark.dataset.v)));
    let low = seen.reduce((a, b) => Math.min(a, b)), high = seen.reduce((a, b) => Math.max(a, b));
    const room = low === high ? Math.abs(low) * 0.001 || 0.9 : 0;
    [low, high] = [low - room, high + room];
    plot.place = (value) => PAD + ((high - value) / (high - low)) * (HEIGHT - 2 * PAD);
    const place = (value) => plot.place(value).toFixed(2);
    let path = "", last = null, first = null;
    for (let i = begin; i <= end; i++) {
      if (!Number.isFinite(plot.y[i])) continue;
      const x = this.x(this.ts[i]).toFixed(2), y = place(plot.y[i]);
      path += last === null ? `M${x} ${y}` : plot.step ? `H${x}V${y}` : `L${x} ${y}`;
      first ??= x;
      last = x;
    }
    const base = place(Math.min(Math.max(0, low), high));
    plot.element.querySelector(".line")?.setAttribute("d", path);
    plot.element.querySelector(".area")?.setAttribute("d", `${path}V${base}H${first}Z`);
    const axis = plot.element.querySelector(".y-axis");
    axis.replaceChildren(...ticks(low, high).flatMap(([value, label]) => {
      const y = `${(plot.place(value) / 2).toFixed(2)}%`;
      const text = svg("text", { x: 2, y, dy: plot.place(value) < 24 ? 11 : -3 });
      text.textContent = label;
      return [svg("line", { x1: 0, x2: "100%", y1: y, y2: y }), text];
    }));
    for (const mark of marks) {
      const x = this.x(Number(mark.dataset.t)) / 10;
      mark.setAttribute("x", `${x.toFixed(2)}%`);
      mark.setAttribute("y", `${(plot.place(Number(mark.dataset.v)) / 2).toFixed(2)}%`);
      mark.classList.toggle("outside", x < 0 || x > 100);
    }
  }

  gather() { // marks of a kind that would cover each other are one with their number; each is read all the same
    this.thin();
    for (const { element, plane } of this.plots) {
      for (const kind of element.querySelectorAll(".marks")) {
        let head = null, at = -Infinity, sum = 0;
        for (const mark of kind.children) {
          const x = (parseFloat(mark.getAttribute("x")) / 100) * plane.clientWidth;
          const near = x - at < Math.max(APART, 8 + 7 * String(sum).length), hidden = mark.classList.contains("outside");
          mark.classList.toggle("covered", near && !hidden);
          if (hidden) continue;
          if (near) sum += Number(mark.dataset.n);
          else [head, at, sum] = [mark, x, Number(mark.dataset.n)];
          head.querySelector(".n").textContent = sum > 1 ? sum : "";
        }
      }
    }
  }

  thin() { // of times that would stand in each other, the first
    for (const axis of this.box.querySelectorAll(".x-axis")) {
      let end = -Infinity;
      for (const text of axis.children) {
        const { left, right } = text.getBoundingClientRect();
        text.classList.toggle("covered", left < end + 4);
        if (left >= end + 4) end = right;
      }
    }
  }

  share(x) { // of the axis, 0 to 1, at a place on the screen [px]
    const box = this.plots[0].plane.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - box.left) / box.width));
  }

  time(event) {
    const [from, to] = this.view ?? this.whole;
    return from + this.share(event.clientX) * (to - from);
  }

  touched(event) {
    this.fingers.set(event.pointerId, event.clientX);
    const [from, to] = this.view ?? this.whole;
    this.pinch = this.fingers.size === 2 ? [...this.fingers.values()].map((x) => from + this.share(x) * (to - from)) : null;
    if (!this.pinch) this.moved(event);
  }

  pinched() { // the times that two fingers hold stay under them
    const [[a, b], [t, u]] = [[...this.fingers.values()].map((x) => this.share(x)), this.pinch];
    const span = (u - t) / (b - a);
    if (span > 0 && Number.isFinite(span)) this.show([t - a * span, t + (1 - a) * span]);
  }

  lifted(event) {
    this.fingers.delete(event.pointerId);
    this.pinch = null;
  }

  moved(event) {
    if (this.fingers.has(event.pointerId)) this.fingers.set(event.pointerId, event.clientX);
    if (this.pinch) return this.pinched();
    const t = this.time(event);
    if (this.drag?.shift) {
      const by = this.drag.t - t;
      this.show(this.drag.view.map((edge) => edge + by));
      this.drag = { ...this.drag, view: this.view ?? this.whole, t: this.time(event) };
      return;
    }
    if (!this.drag && !event.target.closest(".plane")) return this.point(null);
    this.point(this.nearest(t), this.drag ? [this.drag.t, t].sort((a, b) => a - b) : null);
    this.moment = t;
  }

  nearest(t) {
    const after = this.ts.findIndex((moment) => moment >= t);
    if (after <= 0) return after < 0 ? this.ts.length - 1 : 0;
    return t - this.ts[after - 1] < this.ts[after] - t ? after - 1 : after;
  }

  pressed(event) {
    if (event.button || !event.target.closest(".plane")) return;
    if (event.pointerType === "touch") return this.touched(event);
    this.drag = { t: this.time(event), shift: event.shiftKey, view: this.view ?? this.whole };
    this.box.setPointerCapture(event.pointerId);
  }

  released(event) {
    this.lifted(event);
    const drag = this.drag;
    this.drag = null;
    if (!drag || drag.shift) return;
    const box = this.plots[0].plane.getBoundingClientRect();
    const [from, to] = this.view ?? this.whole;
    const chosen = [drag.t, this.time(event)].sort((a, b) => a - b);
    if (((chosen[1] - chosen[0]) / (to - from)) * box.width > 6) this.show(chosen);
    else this.point(this.at);
  }

  key(event) {
    if (!event.target.closest(".plot")) return;
    const [from, to] = this.view ?? this.whole;
    const middle = this.at === null ? (from + to) / 2 : this.ts[this.at];
    const edge = (by) => (by > 0 ? this.ts.findIndex((t) => t >= (this.view ?? this.whole)[0]) : this.ts.findLastIndex((t) => t <= (this.view ?? this.whole)[1]));
    const step = (by) => this.point(this.at === null ? edge(by) : Math.min(this.ts.length - 1, Math.max(0, this.at + by)));
    const move = (by) => (this.waits ? this.later.push(() => step(by)) : step(by)); // else of the range that goes
    const scale = (by) => this.show([middle - (middle - from) * by, middle + (to - middle) * by]);
    const shift = (by) => this.view && this.show([from + by * (to - from), to + by * (to - from)]);
    const acts = {
      ArrowLeft: () => (event.shiftKey ? shift(-0.2) : move(-1)),
      ArrowRight: () => (event.shiftKey ? shift(0.2) : move(1)),
      "+": () => scale(0.5), "-": () => scale(2), 0: () => this.show(null), Escape: () => this.show(null),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  point(index, chosen = null) {
    if (!this.x) this.draw();
    this.at = index;
    if (index !== null) this.moment = this.ts[index];
    this.box.classList.toggle("read", index !== null);
    for (const plot of this.plots) {
      const [area, line, dot] = plot.plane.querySelector(".cross").children;
      area.setAttribute("width", chosen ? `${((this.x(chosen[1]) - this.x(chosen[0])) / 10).toFixed(2)}%` : 0);
      if (chosen) area.setAttribute("x", `${(this.x(chosen[0]) / 10).toFixed(2)}%`);
      const reading = plot.element.querySelector(".reading");
      const value = index === null ? NaN : plot.y[index];
      if (index === null) { reading.textContent = ""; continue; }
      const x = `${(this.x(this.ts[index]) / 10).toFixed(2)}%`;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", Number.isFinite(value) ? `${(plot.place(value) / 2).toFixed(2)}%` : "-10%");
      const digits = Number(plot.element.dataset.digits);
      const figure = Number.isFinite(value) ? value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−") : "–";
      reading.textContent = `${write(new Date(this.ts[index] * 1000), "second")} ${zone()} · ${figure} ${plot.element.dataset.unit}`.trimEnd();
      const near = [...plot.element.querySelectorAll(".marks [data-t]")].filter((mark) => Math.abs(this.x(Number(mark.dataset.t)) - this.x(this.ts[index])) < 4);
      for (const mark of near) reading.textContent += ` · ${mark.querySelector("title")?.textContent ?? ""}`;
    }
  }
}
