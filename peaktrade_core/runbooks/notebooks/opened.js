// What a copy does when JupyterLab opens it: it runs its cells down to the form, so that the form is there without a key.
// `element` is this output. The form's cell writes it again, above the form, so that a saved copy does the same when it is
// opened in a kernel that knows nothing of it; a kernel that has drawn the form is left alone.
(async () => {
  const drawn = async (kernel, cell) => {
    const name = cell.model.sharedModel.getSource().match(/form\("(\w+)"\)/)?.[1] ?? "";
    const user_expressions = { drawn: `"${name}" in globals().get("_drawn_forms", ())` };
    const reply = await kernel.requestExecute({ code: "", silent: true, store_history: false, user_expressions }).done;
    return reply.content.user_expressions?.drawn?.data?.["text/plain"] === "True";
  };
  const pause = ms => new Promise(done => setTimeout(done, ms));
  const app = window.jupyterapp;
  const mine = () => [...(app?.shell.widgets("main") ?? [])].find(one => one.content?.widgets && one.node.contains(element));
  for (let tries = 0; tries < 100 && !mine(); tries++) await pause(100);
  const panel = mine();
  element.closest(".jp-OutputArea-child")?.style.setProperty("display", "none"); // a script shows nothing
  if (!panel) return;
  await panel.context.ready;
  await panel.sessionContext.ready;
  const notebook = panel.content;
  const form = notebook.widgets.find(one => one.node.contains(element));
  if (!form || (await drawn(panel.sessionContext.session.kernel, form))) return;
  form.node.dataset.opened = form.model.executionCount ? "again" : "new";
  for (const cell of notebook.widgets.slice(0, notebook.widgets.indexOf(form) + 1)) {
    if (cell.model.type !== "code") continue;
    notebook.activeCellIndex = notebook.widgets.indexOf(cell);
    await app.commands.execute("notebook:run-cell");
  }
})();
