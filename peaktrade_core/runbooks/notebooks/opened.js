// What a clean copy does when JupyterLab opens it: it runs its cells down to the form, so that the form is there without a key.
// `element` is this output; it is gone as soon as the form stands in its place.
(async () => {
  const pause = ms => new Promise(done => setTimeout(done, ms));
  const app = window.jupyterapp;
  const mine = () => [...(app?.shell.widgets("main") ?? [])].find(one => one.content?.widgets && one.node.contains(element));
  for (let tries = 0; tries < 100 && !mine(); tries++) await pause(100);
  const panel = mine();
  if (!panel) return;
  await panel.context.ready;
  await panel.sessionContext.ready;
  const notebook = panel.content;
  const form = notebook.widgets.find(one => one.node.contains(element));
  if (!form || form.model.executionCount) return;
  for (const cell of notebook.widgets.slice(0, notebook.widgets.indexOf(form) + 1)) {
    if (cell.model.type !== "code") continue;
    notebook.activeCellIndex = notebook.widgets.indexOf(cell);
    await app.commands.execute("notebook:run-cell");
  }
})();
