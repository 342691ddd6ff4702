"""Every runbook as `peaktrade lab` opens it: the form comes by itself, nothing is cut, no error, nobody else asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import Watched
from jupyterlab_served import FORM, THEME, WAIT_MS, open_form, served_lab
from serving import make_history, new_workspace

from peaktrade_core.runbooks.notebooks.lab import copy_of
from peaktrade_core.runbooks.runbooks import find_runbook, list_runbooks

pytestmark = pytest.mark.browser
NAMES = sorted(one.name for one in list_runbooks() if one.kind == "runbooks" and one.parameters)
WIDTHS = (1280, 1920)
DARK = "JupyterLab Dark"
# What reaches past the edge of the notebook, and a field whose words are as dark as what is behind them.
CUT = """() => { const edge = document.querySelector('.jp-Notebook').getBoundingClientRect().right + 1, found = [];
  for (const e of document.querySelectorAll('.pt-form *')) {
    if (!e.offsetParent) continue;
    if (e.getBoundingClientRect().right > edge) found.push('cut: ' + (e.innerText || e.value || e.className).slice(0, 60));
  }
  const shade = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number); return (r * 299 + g * 587 + b * 114) / 1000; };
  const ground = shade(getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor);
  for (const e of document.querySelectorAll('.pt-form select, .pt-form input, .pt-about'))
    if (e.offsetParent && Math.abs(shade(getComputedStyle(e).color) - ground) < 60)
      found.push('pale: ' + (e.innerText || e.value));
  return found.slice(0, 5); }"""


# Opens a copy in place of the one that is open, in the kernel that runs: 24 kernels less to start. Nothing is saved.
OPEN = """async path => { const app = window.jupyterapp, old = app.shell.currentWidget;
  const kernel = old.sessionContext.session.kernel.model;
  const opened = await app.commands.execute('docmanager:open', { path, factory: 'Notebook', kernel });
  await opened.context.ready; old.dispose(); }"""


def test_every_runbook_opens_with_its_form(watched: Watched, tmp_path: Path) -> None:
    workspace, page = new_workspace(tmp_path / "home"), watched.page
    make_history(workspace)
    copies = {name: f"runbooks/{copy_of(name, {}, workspace).name}" for name in NAMES}
    found: list[str] = []
    with served_lab(workspace.home / copies[NAMES[0]], workspace) as address:
        open_form(page, address)
        for name in NAMES:
            if name != NAMES[0]:
                page.evaluate(OPEN, copies[name])
            fields = page.locator(FORM)
            fields.get_by_label(last_of(name), exact=True).wait_for(state="attached", timeout=WAIT_MS)
            page.get_by_role("button", name="Run to the next question").wait_for()
            if name == NAMES[len(NAMES) // 2]:  # the other half in the dark
                page.evaluate(THEME, DARK)
                page.locator(f"body[data-jp-theme-name='{DARK}']").wait_for(state="attached")
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 1000})
                found += [f"{name}, {width} px: {one}" for one in page.evaluate(CUT)]
        found += [text for text in watched.complaints if text.startswith("error") and "debugger" not in text]
        found += [url for url in watched.requests if not url.startswith((address, "data:", "blob:"))]
    assert found == []


def last_of(name: str) -> str:
    """Return the last parameter of a runbook."""
    return find_runbook(name).parameters[-1].name
