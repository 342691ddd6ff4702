"""A runbook's question in JupyterLab, answered without a mouse: no key of it reaches JupyterLab's own commands."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from browsing import Watched
from playwright.sync_api import Page, expect

from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.workspace.workspace import HOME, Workspace

CELLS = (
    "from peaktrade_core import begin",
    "runbook = begin('safe_stop', operator='Ada')\nrunbook.ask('way', 'Which way?')",
    "print('went on with', runbook.round.record.step('way').answer.reason)",
)
ACTIVE = "[...document.querySelectorAll('.jp-Cell')].findIndex(cell => cell.classList.contains('jp-mod-active'))"


@pytest.fixture
def lab(home: Path) -> Iterator[str]:
    """Return the address of a notebook with a question, in a JupyterLab of its own."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, home / "question.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        f"--port={port}",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.root_dir={home}",
        "--IdentityProvider.token=",
    ]
    own = {name: str(home / ".jupyter" / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    command = [sys.executable, "-m", "jupyterlab", *options]
    news = Path(
        own["JUPYTER_CONFIG_DIR"], "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    )
    news.parent.mkdir(parents=True)
    news.write_text('{"checkForUpdates": false, "fetchNews": "false"}')  # it asks nobody, nor us
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **own, HOME: str(home)}, stdout=log, stderr=log)
    yield f"http://127.0.0.1:{port}/doc/tree/question.ipynb"
    server.terminate()
    server.wait(30)


def reach(page: Page, address: str) -> None:
    """Open the notebook as soon as the server answers, and go to its first cell."""
    for _ in range(120):
        try:
            page.goto(address)
            break
        except Exception:  # the server is not up yet; playwright's own error has no narrower type
            page.wait_for_timeout(250)
    expect(page.get_by_role("button", name="| Idle")).to_be_visible(timeout=60_000)
    page.locator(".jp-InputPrompt").first.click()


@pytest.mark.browser
def test_a_question_is_answered_by_keyboard_alone(watched: Watched, lab: str, home: Path) -> None:
    page = watched.page
    reach(page, lab)
    for number in (1, 2):
        page.keyboard.press("Shift+Enter")
        expect(page.locator(".jp-InputPrompt").nth(number - 1)).to_have_text(f"[{number}]:", timeout=60_000)
    radios = page.get_by_role("radiogroup", name="Which way?").get_by_role("radio")
    expect(radios.first).to_be_focused(timeout=30_000)
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "d", "d", "x"):  # the letters delete and cut a cell elsewhere
        page.keyboard.press(key)
    expect(radios.nth(1)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("seen by Ada")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".pt-form")).to_contain_text("Answered no by Ada", timeout=30_000)
    page.wait_for_function(f"{ACTIVE} === 2")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea")).to_contain_text(["went on with seen by Ada"], timeout=30_000)
    assert page.locator(".jp-Cell").count() == len(CELLS) + 1  # JupyterLab adds one at the end, and lost none
    (newest, *_) = EvidenceBook.of(Workspace(home)).ids()
    step = EvidenceBook.of(Workspace(home)).load(newest).step("way")
    assert step is not None
    assert step.answer is not None
    assert (step.answer.key, step.answer.reason) == ("no", "seen by Ada")
