// The forms of a notebook: of a question, and of its parameters.
//
// The form of a question. A click sends in one message what the form shows, so no change of a field can be overtaken.
// JupyterLab takes keys that no text field wants for commands of its own (an arrow moves to another cell, D twice deletes
// one); inside the form they belong to the form, which is in focus when it appears and hands on to the next cell.

function node(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A text, with the words between backticks as code.
function rich(text) {
  return text.split("`").map((part, at) => (at % 2 ? node("code", { textContent: part }) : part));
}

function field(label, value = "") {
  const made = node("input", { type: "text", value, placeholder: label });
  made.setAttribute("aria-label", label);
  return made;
}

// A text of this script in the language of the workspace.
function word(model, text) {
  return model.get("words")?.[text] ?? text;
}

function ask(model, el) {
  const question = model.get("question");
  const name = `answer-${Math.random()}`;
  const choices = question.options.map(option => node("input", { type: "radio", name, value: option.key }));
  const labels = choices.map((radio, at) => node("label", {}, radio, node("span", { textContent: question.options[at].label })));
  const group = node("div", { className: "pt-choices" }, ...labels);
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", question.text);
  const reason = field(question.reason);
  const second = field(word(model, "Name of the second person"), question.second);
  const button = node("button", { type: "button", textContent: word(model, "Record the answer"), className: "jupyter-button mod-primary" });
  const said = node("p", { className: "pt-said" });
  said.setAttribute("role", "alert");
  const signing = signButton(model, () => request);
  let request = "";
  let unheard = null;
  const record = () => {
    const key = choices.find(radio => radio.checked)?.value ?? "";
    button.disabled = true;
    unheard = setTimeout(() => {
      said.textContent = word(model, "The kernel does not answer. It is busy, or it was stopped: then choose Kernel, Restart Kernel in the menu.");
      button.disabled = false;
    }, 10000);
    model.send({ key, reason: reason.value, second: second.value });
  };
  button.onclick = record;
  model.on("msg:custom", message => {
    if ("signed" in message) return;
    clearTimeout(unheard);
    request = message.waits ?? "";
    signing.hidden = !request;
    said.textContent = message.said;
    said.classList.toggle("pt-waits", Boolean(message.waits));
    el.querySelectorAll("input").forEach(one => (one.disabled = Boolean(message.waits)));
    button.disabled = Boolean(message.waits);
    if (message.waits) whileShown(el, record); // it is recorded as soon as both have signed
  });
  const title = node("p", { className: "pt-question" }, ...rich(question.text));
  signing.hidden = true;
  el.replaceChildren(title, group, reason, ...(question.two ? [second] : []), button, said, signing);
  el.querySelectorAll("input, button").forEach(one => one.setAttribute("data-lm-suppress-shortcuts", "true"));
  whenShown(el, () => choices[0].focus());
}

function whenShown(el, act, tries = 100) {
  if (el.isConnected) act();
  else if (tries) setTimeout(whenShown, 50, el, act, tries - 1);
}

const LONG = 12000; // tries: a cell that is scrolled out of sight is shown some time

// A button that signs with the key of the login that the kernel runs under, and what came of it.
function signButton(model, request) {
  const button = node("button", { type: "button", className: "jupyter-button", textContent: word(model, "Sign with the key of this login") });
  const told = node("span", { className: "pt-about" });
  told.setAttribute("role", "status");
  button.onclick = () => {
    button.disabled = true;
    model.send({ sign: request() });
  };
  model.on("msg:custom", message => {
    if (!("signed" in message)) return;
    button.disabled = false;
    told.textContent = ` ${message.signed}`;
  });
  return node("p", {}, button, told);
}

// Asks again in a while, as long as somebody could see the answer.
function whileShown(el, act) {
  el.dataset.waited = "yes";
  setTimeout(() => el.isConnected && act(), 1000);
}

// What waits for signatures: it asks every second whether they are there, and then is what came of it.
function wait(model, el) {
  const said = node("p", { className: "pt-said pt-waits", textContent: model.get("waits") });
  said.setAttribute("role", "status");
  el.replaceChildren(said, signButton(model, () => ""));
  model.on("change:waits", () => (said.textContent = model.get("waits")));
  const look = () => {
    if (model.get("answered")) return;
    model.send({ look: true });
    whileShown(el, look);
  };
  whenShown(el, () => whileShown(el, look));
}

// What was answered, a table of our own whose words are escaped. In JupyterLab it becomes an output of its own, which a copy
// that is saved and opened again still shows; a widget does not outlive its kernel.
function show(model, el) {
  const told = model.get("answered");
  const cell = cellOf(el);
  if (!cell) return void (el.innerHTML = told);
  const at = [...cell.node.querySelectorAll(".jp-OutputArea-child")].findIndex(one => one.contains(el));
  const kept = cell.model.outputs.toJSON();
  el.replaceChildren(runButton(model));
  if (at < 0 || kept[at - 1]?.data?.["text/html"] === told) return;
  kept.splice(at, 0, { output_type: "display_data", data: { "text/html": told, "text/plain": "" }, metadata: {} });
  setOutputs(cell, kept);
}

// The form of a notebook's parameters. Each change goes to the kernel by itself, at once, and comes back checked: as an
// error beside the field, or as the text of the parameters cell, which then says the same.

// Returns the field of a parameter: a list where it has choices, or where a picker suggests some.
function control(model, given) {
  const option = one => node("option", { value: one.value, textContent: one.label || one.value });
  const truth = [{ value: "true", label: word(model, "yes") }, { value: "false", label: word(model, "no") }];
  const value = String(given.value);
  if (given.closed || given.type === "bool") {
    const made = node("select", {}, ...(given.closed ? given.choices : truth).map(option));
    made.value = value;
    return made;
  }
  if (given.choices.length) return picker(model, given, value, option);
  return typed(given, value);
}

// A field to type in; of a day or a week it is the browser's own calendar, which says it as the parameters cell does.
function typed(given, value) {
  const made = node("input", { type: { day: "date", week: "week" }[given.time] ?? "text", value });
  if (given.type === "int" || given.type === "float") made.inputMode = "decimal";
  return made;
}

// A slider beside a number that lies between two others: the field is what counts, the slider moves it, and follows it.
function slider(given, made) {
  if (!given.slide.length) return [];
  const [min, max, step] = given.slide;
  const bar = node("input", { type: "range", min, max, step, value: given.value, tabIndex: -1 });
  bar.setAttribute("aria-hidden", "true"); // the field says the same
  bar.addEventListener("input", event => {
    event.stopPropagation();
    made.value = bar.value;
    made.dispatchEvent(new Event("input"));
  });
  made.addEventListener("input", () => (bar.value = made.value));
  return [bar];
}

// A list of what is suggested; its last entry opens a field for what is not in it.
const OTHER = "\u0000";
function picker(model, given, value, option) {
  const known = given.choices.map(one => ({ value: one.value, label: one.label ? `${one.value}  ·  ${one.label}` : one.value }));
  for (const one of given.time ? [value] : [value, ""]) if (!known.some(({ value }) => value === one)) known.unshift({ value: one, label: one || "–" });
  const made = node("select", {}, ...known.map(option), option({ value: OTHER, label: word(model, { day: "another day …", week: "another week …" }[given.time] ?? "something else …") }));
  made.value = value;
  const whole = () => (made.title = made.selectedOptions[0]?.textContent ?? ""); // where a list is too narrow for it
  whole();
  made.addEventListener("change", () => {
    whole();
    if (made.value !== OTHER) return;
    const free = typed(given, "");
    free.setAttribute("aria-label", given.name);
    free.setAttribute("data-lm-suppress-shortcuts", "true");
    free.addEventListener("input", () => model.send({ name: given.name, value: free.value }));
    made.replaceWith(free);
    free.focus();
  });
  return made;
}

function rowOf(model, given, errors) {
  const made = control(model, given);
  const said = node("span", { className: "pt-said" });
  said.setAttribute("role", "alert");
  errors[given.name] = text => {
    said.textContent = text;
    row.querySelector("input, select").setAttribute("aria-invalid", text ? "true" : "false");
  };
  made.setAttribute("aria-label", given.name);
  made.addEventListener("input", () => made.value !== OTHER && model.send({ name: given.name, value: made.value }));
  const field = node("span", { className: "pt-field" }, made, ...slider(given, made));
  const row = node("label", {}, node("code", { textContent: given.name }), field, node("span", { className: "pt-about" }, ...rich(given.comment)), said);
  return row;
}

function urgentPart(model) {
  const urgent = model.get("urgent");
  if (!urgent.label) return [];
  const reason = field(word(model, "Why, in a word or two"));
  const button = node("button", { type: "button", className: "pt-red", textContent: urgent.label });
  const said = node("p", { className: "pt-said", textContent: "" });
  said.setAttribute("role", "alert");
  let armed = null;
  const disarm = () => {
    clearTimeout(armed);
    armed = null;
    button.textContent = urgent.label;
  };
  button.onclick = () => {
    if (!armed) {
      button.textContent = `${urgent.label}: ${word(model, "click again to confirm")}`;
      armed = setTimeout(disarm, 8000);
      return;
    }
    disarm();
    button.disabled = true;
    model.send({ urgent: reason.value });
  };
  model.on("msg:custom", message => {
    if (!("urgent" in message)) return;
    button.disabled = message.urgent;
    said.textContent = message.said;
    said.classList.toggle("pt-done", message.urgent);
  });
  return [node("div", { className: "pt-urgent" }, button, reason, node("span", { className: "pt-about", textContent: urgent.meaning }), said)];
}

function fill(model, el) {
  const errors = {};
  const rows = model.get("fields").map(given => [given, rowOf(model, given, errors)]);
  const rare = rows.filter(([given]) => given.rare).map(([, row]) => row);
  const often = rows.filter(([given]) => !given.rare).map(([, row]) => row);
  model.on("msg:custom", message => {
    if (!("name" in message)) return;
    errors[message.name](message.said);
    if ("value" in message) setField(rows.find(([given]) => given.name === message.name)[1], String(message.value));
  });
  const line = node("p", { className: "pt-execution" });
  line.setAttribute("role", "status");
  const parts = [...urgentPart(model), line, node("div", { className: "pt-fields" }, ...often)];
  if (rare.length) parts.push(node("details", {}, node("summary", { textContent: word(model, "Rarely needed") }), node("div", { className: "pt-fields" }, ...rare)));
  if (window.jupyterapp) parts.push(node("p", { className: "pt-run" }, runButton(model)));
  el.replaceChildren(...parts);
  el.querySelectorAll("input, button, select, summary").forEach(one => one.setAttribute("data-lm-suppress-shortcuts", "true"));
  model.on("change:source", () => keepInCell(el, model.get("source")));
  const told = () => tellExecution(model, el, rows);
  model.on("change:execution", told);
  told();
  whenShown(el, () => {
    told();
    openedAgain(model, el);
  });
}

// What was begun from these parameters. When it is finished, nothing here is changed any more.
function tellExecution(model, el, rows) {
  const { id, said, finished, again } = model.get("execution");
  const line = el.querySelector(".pt-execution");
  line.replaceChildren(said ?? "");
  if (finished && window.jupyterapp) {
    const link = node("a", { href: again, target: "_blank", textContent: word(model, "Begin anew in a clean copy") });
    line.append(" ", link);
  }
  rows.forEach(([given, row]) => {
    if (given.name === "resume") setField(row, id ?? "");
    row.querySelectorAll("input, select").forEach(one => (one.disabled = Boolean(finished)));
  });
  panelOf(el)?.node.classList.toggle("pt-finished", Boolean(finished)); // no button runs on
}

function setField(row, value) {
  const made = row.querySelector("input, select");
  const bar = row.querySelector("input[type=range]");
  if (bar) bar.value = value;
  if (made.options && ![...made.options].some(one => one.value === value)) made.append(node("option", { value, textContent: value }));
  made.value = value;
}

// What needs JupyterLab itself, which `peaktrade lab` lets its pages reach.

function panelOf(el) {
  const panels = [...(window.jupyterapp?.shell.widgets("main") ?? [])];
  return panels.find(one => one.content?.widgets && one.node.contains(el));
}

function keepInCell(el, source) {
  const tagged = one => one.model.getMetadata("tags")?.includes("parameters");
  panelOf(el)?.content.widgets.find(tagged)?.model.sharedModel.setSource(source);
}

function cellOf(el) {
  return panelOf(el)?.content.widgets.find(one => one.node.contains(el));
}

function setOutputs(cell, outputs) {
  cell.model.outputs.clear();
  outputs.forEach(one => cell.model.outputs.add(one));
}

// A copy that was opened again, in a kernel that knows nothing of it (opened.js): what stands below the form is of an earlier
// sitting. An execution that goes on shows nothing of it, as it is asked anew; one that is finished keeps it, as evidence.
function openedAgain(model, el) {
  const cell = cellOf(el);
  if (cell?.node.dataset.opened !== "again") return;
  delete cell.node.dataset.opened;
  const { id, finished } = model.get("execution");
  const cells = panelOf(el).content.widgets;
  const below = cells.slice(cells.indexOf(cell) + 1).filter(one => one.model.type === "code");
  for (const one of below) {
    if (id && !finished) one.model.clearExecution();
    else setOutputs(one, one.model.outputs.toJSON().filter(({ data }) => !data?.["application/vnd.jupyter.widget-view+json"]));
  }
  if (finished) cells.forEach(one => one.model.setMetadata("editable", false));
  if (!id && below.some(one => one.model.outputs.length))
    el.querySelector(".pt-execution").textContent = word(model, "What stands below is of an earlier sitting. Run it again to renew it.");
}

function save(panel) {
  if (panel?.context.model.dirty) panel.context.save();
}

function runButton(model) {
  const button = node("button", { type: "button", className: "jupyter-button mod-primary", textContent: word(model, "Run to the next question") });
  button.onclick = async () => {
    button.disabled = true;
    try {
      await runOn(panelOf(button), button.closest(".jp-Cell"));
    } finally {
      button.disabled = false;
    }
  };
  return button;
}

// Runs the cells below one by one, and stops at a question that waits or an error, which it brings into view.
async function runOn(panel, from) {
  const notebook = panel.content;
  const first = notebook.widgets.findIndex(one => one.node === from) + 1;
  try {
    await runFrom(notebook, first);
  } finally {
    save(panel); // as far as it came, it can be gone on with
  }
}

// Keeps what grows in sight, as the figure of a session that runs, until a person scrolls; returns how to leave off.
function follow(node) {
  const grown = new ResizeObserver(() => node.scrollIntoView({ block: "nearest" }));
  const leave = () => grown.disconnect();
  grown.observe(node);
  node.closest(".jp-Notebook")?.addEventListener("wheel", leave, { once: true, passive: true });
  return leave;
}

async function runFrom(notebook, first) {
  for (let at = first; at < notebook.widgets.length; at++) {
    const cell = notebook.widgets[at];
    notebook.activeCellIndex = at;
    notebook.deselectAll();
    if (cell.model.type !== "code") continue;
    const leave = follow(cell.node);
    await window.jupyterapp.commands.execute("notebook:run-cell").finally(leave);
    await new Promise(done => setTimeout(done, 50)); // its outputs are drawn
    if (cell.node.querySelector(".pt-choices, .pt-waits, .jp-mod-error, [data-mime-type='application/vnd.jupyter.stderr']")) {
      cell.node.scrollIntoView({ block: "nearest" });
      return;
    }
  }
}

function render({ model, el }) {
  el.classList.add("pt-form", "jp-RenderedHTMLCommon");
  el.addEventListener("keydown", event => {
    if (!(event.ctrlKey || event.metaKey) || event.key !== "s" || !window.jupyterapp) return;
    event.preventDefault(); // saving is the one command that is meant for the notebook
    window.jupyterapp.commands.execute("docmanager:save");
  });
  if (model.get("fields")) return fill(model, el);
  if (model.get("answered")) whenShown(el, () => show(model, el), LONG);
  else if (model.get("waits")) wait(model, el);
  else ask(model, el);
  model.on("change:answered", () => {
    const panel = panelOf(el);
    const cell = el.closest(".jp-Cell");
    const { waited } = el.dataset;
    show(model, el);
    if (panel && waited) return runOn(panel, cell);
    save(panel);
    (cell?.nextElementSibling ?? cell)?.focus();
  });
}

export default { render };
