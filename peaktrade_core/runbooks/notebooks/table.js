// A long table sorts by its headings and filters by what is typed: all words must stand in a row. Without this it is a plain table.
(function (box) {
  "use strict";
  const table = box.querySelector("table"), body = table && table.tBodies[0];
  if (!body || box.dataset.works) return;
  box.dataset.works = "yes";
  const rows = Array.from(body.rows), units = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };

  function value(text) {
    const spans = text.match(/^(?:\d+(?:\.\d+)? (?:ms|s|m|h|d)(?: ago)?(?: |$))+$/) && text.match(/[\d.]+ [a-z]+/g);
    if (spans) return spans.reduce((sum, one) => sum + parseFloat(one) * (units[one.split(" ")[1]] || 0), 0);
    const plain = text.replace(/\u2212/g, "-").replace(/,/g, "");
    return /^[-+]?\d/.test(plain) && !/^\d{4}-\d\d/.test(plain) ? parseFloat(plain) : NaN;
  }

  function compare(a, b) {  // numbers by size, then texts; what is empty or a dash comes last either way
    const x = value(a), y = value(b);
    if (!isNaN(x) && !isNaN(y)) return x - y;
    return a.localeCompare(b, undefined, { numeric: true });
  }

  function sort(head, at) {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const told = (row) => (row.cells[at] ? row.cells[at].textContent.trim() : ""), none = (text) => !text || text === "\u2013";
    const order = rows.slice().sort((r, s) => {
      const a = told(r), b = told(s);
      return none(a) - none(b) || (down ? -1 : 1) * compare(a, b);
    });
    body.append(...order);
  }

  Array.from(table.tHead.rows[0].cells).forEach((head, at) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    button.title = "Sort by this column";
    button.addEventListener("click", () => sort(head, at));
    head.append(button);
  });

  const words = box.querySelector("input"), count = box.querySelector("output"), all = count.value;
  words.addEventListener("keydown", (event) => event.stopPropagation());  // keys are the notebook's commands elsewhere
  words.addEventListener("input", () => {
    const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !asked.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.value = asked.length ? `${shown} / ${rows.length}` : all;
  });
  box.querySelector(".pt-find").hidden = false;
})
