// Runs before the first paint, so that a remembered theme does not flash.
(() => {
  let kept = null;
  try { kept = localStorage.getItem("peaktrade-theme"); } catch { /* storage is switched off: follow the system */ }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
