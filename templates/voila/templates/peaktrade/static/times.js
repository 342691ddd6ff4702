// Times: the server writes UTC; who reads may want the time of their own clock. Never a mixture on one page.
import { recall, remember } from "./memory.js";

const words = JSON.parse(document.body.dataset.words);
let local = recall("zone") === "local";

const two = (n) => String(n).padStart(2, "0");

export function zone() {
  return local ? words.js_local : "UTC";
}

// form: "minute", "second", "clock", "short" (hours and minutes), "day" (month and day), "month" (with the year)
export function write(moment, form = "minute") {
  const at = local ? new Date(moment.getTime() - moment.getTimezoneOffset() * 60000) : moment;
  const date = `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  const short = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  const clock = `${short}:${two(at.getUTCSeconds())}`;
  return { minute: `${date} ${short}`, second: `${date} ${clock}`, clock, short, day: date.slice(5), month: moment.toISOString().slice(0, 7) }[form];
}

export function localize(root) {
  for (const element of root.querySelectorAll("time[datetime], [data-at]")) {
    const moment = new Date(element.getAttribute("datetime") ?? element.dataset.at);
    if (!Number.isNaN(moment.getTime())) element.textContent = write(moment, element.dataset.form);
  }
  for (const element of root.querySelectorAll("[data-zone]")) element.textContent = zone();
}

export function switchZone() {
  local = !local;
  remember("zone", local ? "local" : "utc");
}
