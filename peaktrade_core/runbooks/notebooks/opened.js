// What a copy does when JupyterLab opens it, and when its kernel was restarted: it runs its cells down to the form, so that
// the form is there without a key. `element` is this output. The form's cell writes it again, above the form, so that a saved
// copy does the same when it is opened in a kernel that knows nothing of it; a kernel that has drawn the form is left alone.
(async () => {
  const pause = ms => new Promise(done => setTimeout(done, ms));
  const source = cell => cell.model.sharedModel.getSource();
  const isForm = cell => cell.model.type === "code" && /\bform\("\w+"\)/.test(source(cell));
  const drawn = async (kernel, cell) => {
    const name = source(cell).match(/\bform\("(\w+)"\)/)[1];
    const user_expressions = { drawn: `"${name}" in globals().get("_drawn_forms", ())` };
    for (;;) {
      const { content } = await kernel.requestExecute({ code: "", silent: true, store_history: false, user_expressions }).done;
      if (content.status === "ok") return content.user_expressions.drawn?.data?.["text/plain"] === "True";
      await pause(200); // a cell before it failed, as one below an open question does when all are run
    }
  };
  const app = window.jupyterapp;
  const mine = () => [...(app?.shell.widgets("main") ?? [])].find(one => one.content?.widgets && one.node.contains(element));
  for (let tries = 0; tries < 100 && !mine(); tries++) await pause(100);
  const panel = mine();
  element.closest(".jp-OutputArea-child")?.style.setProperty("display", "none"); // a script shows nothing
  if (!panel) return;
  await panel.context.ready;
  await panel.sessionContext.ready;
  const notebook = panel.content;
  const bring = async () => {
    const form = notebook.widgets.find(isForm);
    if (!form || (await drawn(panel.sessionContext.session.kernel, form))) return;
    form.node.dataset.opened = form.model.executionCount ? "again" : "new";
    for (const cell of notebook.widgets.slice(0, notebook.widgets.indexOf(form) + 1)) {
      if (cell.model.type !== "code") continue;
      notebook.activeCellIndex = notebook.widgets.indexOf(cell);
      await app.commands.execute("notebook:run-cell");
    }
    form.node.scrollIntoView({ block: "nearest" });
  };
  if (!panel.node.dataset.followed) {
    panel.node.dataset.followed = "yes"; // a restart is seen once, however often this output is drawn
    let restarted = false;
    panel.sessionContext.statusChanged.connect(async (_, status) => {
      if (status === "restarting" || status === "autorestarting" || status === "dead") restarted = true;
      if (!restarted || status !== "idle") return;
      restarted = false;
      await pause(500); // "restart and run all" draws the form by itself
      await bring();
    });
  }
  await bring();
})();
