// The form of a question. A click sends in one message what the form shows, so no change of a field can be overtaken.
// JupyterLab takes keys that no text field wants for commands of its own (an arrow moves to another cell, D twice deletes
// one); inside the form they belong to the form, which is in focus when it appears and hands on to the next cell.

function node(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function field(label, value = "") {
  const made = node("input", { type: "text", value, placeholder: label });
  made.setAttribute("aria-label", label);
  return made;
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
  const second = field("Name of the second person", question.second);
  const button = node("button", { type: "button", textContent: "Record the answer", className: "jupyter-button mod-primary" });
  const said = node("p", { className: "pt-said" });
  said.setAttribute("role", "alert");
  button.onclick = () => {
    const key = choices.find(radio => radio.checked)?.value ?? "";
    button.disabled = true;
    model.send({ key, reason: reason.value, second: second.value });
  };
  model.on("msg:custom", message => {
    said.textContent = message.said;
    button.disabled = false;
  });
  const title = node("p", { className: "pt-question", textContent: question.text });
  el.replaceChildren(title, group, reason, ...(question.two ? [second] : []), button, said);
  el.querySelectorAll("input, button").forEach(one => one.setAttribute("data-lm-suppress-shortcuts", "true"));
  whenShown(el, () => choices[0].focus());
}

function whenShown(el, act, tries = 100) {
  if (el.isConnected) act();
  else if (tries) setTimeout(whenShown, 50, el, act, tries - 1);
}

function show(model, el) {
  el.innerHTML = model.get("answered"); // a table of our own, whose words are escaped
}

function render({ model, el }) {
  el.classList.add("pt-form", "jp-RenderedHTMLCommon");
  if (model.get("answered")) show(model, el);
  else ask(model, el);
  model.on("change:answered", () => {
    show(model, el);
    const cell = el.closest(".jp-Cell");
    (cell?.nextElementSibling ?? cell)?.focus();
  });
}

export default { render };
