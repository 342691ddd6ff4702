// What the keyboard does, beside the browser's own: single keys, never while somebody types or holds a modifier.
const rows = () => [...document.querySelectorAll("a.row-link")].filter((link) => link.offsetParent);

function step(by) {
  const links = rows();
  const now = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, now < 0 ? 0 : now + by))]?.focus();
}

export function listen(does) {
  const single = {
    r: does.refresh,
    t: does.theme,
    z: does.zone,
    "?": does.help,
    "/": () => document.querySelector("main input[type=search], .filters a, .filters summary")?.focus(),
    j: () => step(1),
    k: () => step(-1),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !document.getElementById("keys")) return;
    const page = /^[1-9]$/.test(event.key) ? document.querySelectorAll("#pages a")[Number(event.key) - 1] : null;
    if (!page && !single[event.key]) return;
    event.preventDefault();
    if (page) page.click();
    else single[event.key]();
  });
}
