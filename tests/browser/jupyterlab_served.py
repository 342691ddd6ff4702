"""JupyterLab as `peaktrade lab` starts it, for tests and pictures: serve a notebook, open it, wait for its form."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, Page

from peaktrade_core.runbooks.notebooks.lab import lab_command, lab_environment
from peaktrade_core.workspace.workspace import Workspace

WAIT_MS = 90_000
FORM = ".pt-form:has(.pt-fields)"
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"


@contextmanager
def served_lab(path: Path, workspace: Workspace) -> Iterator[str]:
    """Serve a notebook of a workspace in a JupyterLab with settings of its own; give its address, at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (f"--port={port}", "--no-browser", "--allow-root", "--IdentityProvider.token=")
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = lab_environment(workspace) | {name: str(workspace.home / ".jupyter" / name) for name in own}
    with (workspace.home / "lab.log").open("wb") as log:
        server = subprocess.Popen(lab_command(path, workspace, options), env=environment, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(60)


def go(page: Page, address: str) -> None:
    """Open an address as soon as the server answers."""
    for _ in range(120):
        try:
            page.goto(address, timeout=WAIT_MS)
            return
        except Error:  # the server is not up yet
            page.wait_for_timeout(250)
    raise AssertionError(f"{address}: no answer")


def reach(page: Page, address: str) -> None:
    """Open a notebook, wait for its kernel, and go to its first cell."""
    go(page, address)
    page.get_by_role("button", name="| Idle").wait_for(timeout=WAIT_MS)
    page.locator(".jp-InputPrompt").first.click()


def open_form(page: Page, address: str) -> None:
    """Open a clean copy and wait for the form, which comes by itself."""
    go(page, address)
    page.locator(FORM).first.wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="| Idle").wait_for(timeout=WAIT_MS)
