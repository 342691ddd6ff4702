// A lab: puts Voila's shell where the page's content is, and says so when its kernel has ended.
const words = JSON.parse(document.body.dataset.words);
const content = document.getElementById("content");
// Plotly's script keeps the browser busy for a while: it runs once what the server drew is on the screen.
requestAnimationFrame(() => setTimeout(() => import(document.querySelector("link[rel=modulepreload]").href)));

new MutationObserver((_, observer) => {
  const shell = document.querySelector("body > #main");
  if (!shell) return;
  observer.disconnect();
  content.querySelector(".waiting")?.remove();
  content.append(shell);
  new ResizeObserver(() => dispatchEvent(new Event("resize"))).observe(shell); // figures fit into their cards
}).observe(document.body, { childList: true });

// What the server drew of a card stands until its widget is there with all its figures.
new MutationObserver((_, observer) => {
  const stills = document.querySelectorAll(".cell > .still"); // Voila takes the cells out of the content for a moment
  for (const still of stills) {
    const card = still.parentElement.querySelector(".lab-card:not(.still)");
    if (card && card.querySelectorAll(".js-plotly-plot .subplot").length >= still.querySelectorAll(".still-figure").length) still.remove();
  }
  if (!stills.length && document.readyState === "complete") observer.disconnect();
}).observe(document.body, { childList: true, subtree: true });

// Where the controls stand goes into the address, so that a view can be shared and outlives a reload.
let told = null;
new MutationObserver(() => {
  const now = content.querySelector(".lab-card:not(.still) [data-address]")?.dataset.address;
  if (now === undefined || now === told) return;
  if (told !== null) history.replaceState(null, "", now ? `?${now}` : location.pathname);
  told = now;
}).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-address"] });

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
