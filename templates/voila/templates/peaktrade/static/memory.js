// What a reader chose is remembered by the browser, where it lets us.
export function recall(name) {
  try { return localStorage.getItem(`peaktrade-${name}`); } catch { return null; }
}

export function remember(name, value) {
  try { localStorage.setItem(`peaktrade-${name}`, value); } catch { /* not remembered then */ }
}
