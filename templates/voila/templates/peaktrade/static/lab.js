// A lab: puts Voila's shell where the page's content is, and says so when its kernel has ended.
const words = JSON.parse(document.body.dataset.words);
const content = document.getElementById("content");
import(document.querySelector("link[rel=modulepreload]").href); // run while the kernel works, not when the first figure comes

new MutationObserver((_, observer) => {
  const shell = document.querySelector("body > #main");
  if (!shell) return;
  observer.disconnect();
  content.querySelector(".waiting")?.remove();
  content.append(shell);
  new ResizeObserver(() => dispatchEvent(new Event("resize"))).observe(shell); // figures fit into their cards
}).observe(document.body, { childList: true });

async function look() {
  const config = document.getElementById("jupyter-config-data");
  if (document.hidden || !config) return;
  const answer = await fetch(`/api/kernels/${JSON.parse(config.textContent).kernelId}`, { cache: "no-store" });
  if (answer.status !== 404) return;
  clearInterval(looking);
  const note = Object.assign(document.createElement("div"), { className: "banner-note", role: "alert" });
  note.append(...[words.lab_ended, words.lab_ended_next].map((text) => Object.assign(document.createElement("p"), { textContent: text })));
  content.before(note);
  document.body.classList.add("ended");
}
const looking = setInterval(() => look().catch(() => {}), 3000); // a server that is gone is told by the page itself
