// Turns one tree into another by changing only what differs, so that focus, selection, scroll and open details stay.
const KEPT = new Set(["open", "data-as-of", "data-done"]); // what the reader or the page did, not the server
const isOwn = (node) => node.dataset?.own !== undefined; // made by a script of the page
const keyOf = (node) => (node.nodeType === 1 ? node.dataset.key || node.id : "");

export function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType !== 1) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !KEPT.has(name)) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const keyed = new Map(); // by key, the children that have it: two of one key are both kept
  for (const child of [...old.children].filter(keyOf)) keyed.set(keyOf(child), [...(keyed.get(keyOf(child)) ?? []), child]);
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    if (isOwn(next)) { // the server made its place: what a script filled there stays
      const there = [...old.children].some((child) => isOwn(child) && child.nodeName === next.nodeName && child.className === next.className);
      if (!there) old.insertBefore(next, at);
      continue;
    }
    while (at && isOwn(at)) at = at.nextSibling;
    const key = keyOf(next);
    const match = key ? keyed.get(key)?.shift() : at && !keyOf(at) && at.nodeName === next.nodeName ? at : null;
    if (!match) {
      old.insertBefore(next, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    morph(match, next);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    if (!isOwn(gone)) gone.remove();
  }
}
