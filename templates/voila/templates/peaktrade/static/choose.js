// What a list does beside its links: copies an id, counts what is chosen for a comparison, closes a menu that was left.
const words = JSON.parse(document.body.dataset.words);

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed here, as over http from another machine: then it is selected, to be copied by hand
    getSelection().selectAllChildren(button.previousElementSibling);
    return;
  }
  button.dataset.done = `✓ ${words.js_copied}`;
  setTimeout(() => { delete button.dataset.done; }, 1200);
}

export function count() {
  for (const form of document.querySelectorAll("form:has([data-least])")) {
    const button = form.querySelector("[data-least]");
    const n = [...form.elements].filter((one) => one.checked).length;
    button.disabled = n < Number(button.dataset.least);
    button.toggleAttribute("data-chosen", n > 0); // then it stays in sight, however long the list
    button.querySelector("[data-count]").textContent = n ? `(${n})` : "";
  }
}

function leave(within) {
  for (const menu of document.querySelectorAll("details.pick[open]")) {
    if (!menu.contains(within)) menu.open = false;
  }
}

export function choose() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
    leave(event.target);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") leave(null); });
  document.addEventListener("change", count);
  count();
}
