"""JupyterLab for an operator: a clean copy of a notebook in the workspace, opened with its parameters as a form.

The notebooks of the package carry the outputs of a sample run, for readers and for nbval. A person works in a copy
without outputs, ``runbooks/<date>_<name>.ipynb`` of the workspace, so that no answer of somebody else is ever on screen.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from peaktrade_core.base.errors import EnvironmentFault, NotebookError, UnknownNameError, why
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.processes import termination_interrupts
from peaktrade_core.base.resources import share_dir
from peaktrade_core.runbooks.notebooks.parameters import with_values
from peaktrade_core.runbooks.runbooks import find_runbook
from peaktrade_core.show.language import spoken, spoken_paragraphs
from peaktrade_core.workspace.workspace import HOME, Workspace, speak_as_set

START = "00_start_here"
FOLDER = "runbooks"
IN_LAB = "PEAKTRADE_LAB"  # set in a JupyterLab that `peaktrade lab` started, and so in its kernels
OPEN = "peaktrade/open"  # below the address of that JupyterLab: makes a copy and opens it (:mod:`opener`)
OPENER = "peaktrade_core.runbooks.notebooks.opener"
_TAG = "parameters"
_LINK = re.compile(r"\]\((?:\.\./)?(?:[a-z]+/)?(\w+)\.ipynb\)")  # of a text to another notebook
OPENED = (Path(__file__).parent / "opened.js").read_text()  # runs the cells down to the form when the copy is opened
_STEP = "Run this cell and the one above (Shift+Enter): the form appears here."
START_S = 60.0  # the start page's copy may take so long to be filled in [s]


def copy_of(name: str, values: Mapping[str, object], workspace: Workspace) -> Path:
    """Write a clean copy of a notebook into the workspace and return its path.

    Args:
        name: of the notebook; :data:`START` is the start page.
        values: for some of its parameters; text is converted to what they declare.
        workspace: where the copy goes; its clock gives the date.

    Raises:
        UnknownNameError: no such notebook or parameter.
        ConfigError: a value of the wrong type or out of range.
        NotebookError: the notebook cannot be read.
        EnvironmentFault: the copy cannot be written.
    """
    import nbformat

    speak_as_set(workspace)  # also where the server of a JupyterLab makes it, from a link
    path = share_dir() / "notebooks" / f"{START}.ipynb" if name == START else find_runbook(name).path
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise NotebookError(f"{path}: cannot be read as a notebook: {why(error)}") from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.setdefault("jupyter", {})["source_hidden"] = True
        else:
            cell.source = _LINK.sub(rf"](/{OPEN}/\1)", spoken_paragraphs(cell.source))
    at = next((i for i, cell in enumerate(notebook.cells) if _TAG in cell.metadata.get("tags", ())), None)
    if at is not None:
        notebook.cells[at].source = with_values(notebook.cells[at].source, values, path.name)
        shown = nbformat.v4.new_code_cell(f"from peaktrade_core import form\n\nform({name!r})".replace("'", '"'))
        shown.metadata["jupyter"] = {"source_hidden": True}
        shown.outputs = [
            nbformat.v4.new_output("display_data", {"text/plain": spoken(_STEP), "application/javascript": OPENED})
        ]
        notebook.cells.insert(at + 1, shown)
    return _write(notebook, workspace.home / FOLDER, f"{workspace.clock.now():%Y-%m-%d}_{name}", trusted=at is not None)


def fill_in(path: Path, workspace: Workspace) -> None:
    """Run the start page's copy once, so that it says how things stand as soon as it is opened.

    A cell that fails leaves the copy as it was: run by hand it says what is wrong.

    Raises:
        EnvironmentFault: the copy cannot be written.
    """
    import nbformat
    from nbformat.sign import NotebookNotary

    from peaktrade_core.base.environment import environment
    from peaktrade_core.runbooks.notebooks.execute import execute

    with environment({IN_LAB: "1"}):
        done = execute(path, {}, home=workspace.home, timeout_s=START_S)
    if done.fault:
        return
    notebook = nbformat.read(path, as_version=4)
    for cell, ran in zip(notebook.cells, done.notebook.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    write_atomic(path, (nbformat.writes(notebook) + "\n").encode())
    NotebookNotary().sign(notebook)


def notebook_link(name: str, given: Mapping[str, str] | None = None, *, root: str = "../") -> str:
    """Return the address of a notebook as an output links it.

    In a JupyterLab that ``peaktrade lab`` started it opens a clean copy, filled in; elsewhere the committed notebook.

    Args:
        name: of the notebook; given: for some of its parameters.
        root: the way from where the link stands to the folder of all notebooks.
    """
    if os.environ.get(IN_LAB):
        return f"/{OPEN}/{name}" + (f"?{urlencode(given)}" if given else "")
    return f"{root}{find_runbook(name).kind}/{name}.ipynb"


def open_command(name: str, given: Mapping[str, str] | None = None) -> str:
    """Return the command that opens a clean copy of a notebook, with values for some of its parameters; none without a name."""
    pairs = [f"-p {shlex.quote(f'{key}={value}')}" for key, value in (given or {}).items()]
    return " ".join(["peaktrade lab", name, *pairs]) if name else ""


@cache
def takes(runbook: str) -> frozenset[str]:
    """Return the names of a runbook's parameters; none where there is no such runbook."""
    try:
        found = find_runbook(runbook)
    except UnknownNameError:
        return frozenset()
    return frozenset(one.name for one in found.parameters if found.kind == "runbooks")


def _write(notebook: Any, folder: Path, stem: str, *, trusted: bool) -> Path:
    """Write a notebook under a name that is not taken and return its path; a trusted one may run the script it opens with."""
    import nbformat
    from nbformat.sign import NotebookNotary

    text = nbformat.writes(notebook) + "\n"
    for number in range(1, 1000):
        path = folder / (f"{stem}.ipynb" if number == 1 else f"{stem}_{number}.ipynb")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            if folder.is_dir():
                continue
            raise EnvironmentFault(f"{folder} is in the way: it must be a folder; move it and try again") from None
        except OSError as error:
            path.unlink(missing_ok=True)
            raise EnvironmentFault(f"cannot write {path}: {why(error)}") from error
        if trusted:
            NotebookNotary().sign(notebook)
        return path
    raise EnvironmentFault(f"{folder} holds a thousand copies of this notebook and day; move the old ones away")


def open_lab(path: Path, workspace: Workspace, options: Sequence[str] = ()) -> int:
    """Open a copy in the JupyterLab that runs for this workspace, or start one, and return the exit code.

    One that is started here ends with this process: Ctrl-C and SIGTERM end it, and its kernels, before they end us.

    Args:
        path: of the copy; workspace: the one it is in.
        options: further ones for JupyterLab itself.
    """
    where = path.relative_to(workspace.home).as_posix()
    for server in running_labs(workspace.home):
        token = f"?token={server['token']}" if server.get("token") else ""
        webbrowser.open(f"{server['url']}doc/tree/{where}{token}")
        return 0
    command = lab_command(path, workspace, options)
    with termination_interrupts(), subprocess.Popen(command, env=lab_environment(workspace)) as lab:  # noqa: S603  (ours, no shell)
        try:
            return lab.wait()
        except KeyboardInterrupt:
            lab.terminate()
            try:
                lab.wait()  # it ends its kernels first
            finally:
                lab.kill()  # one that was asked twice
            raise


def lab_command(path: Path, workspace: Workspace, options: Sequence[str] = ()) -> list[str]:
    """Return the command that starts JupyterLab with a copy; it asks nobody outside for news or versions."""
    return [
        sys.executable, "-m", "jupyterlab", str(path), f"--ServerApp.root_dir={workspace.home}",
        f"--LabApp.default_url=/doc/tree/{path.relative_to(workspace.home).as_posix()}",
        "--LabApp.expose_app_in_browser=True",  # so that the form can keep its values in the parameters cell
        f"--ServerApp.jpserver_extensions={OPENER}=True",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        *options,
    ]  # fmt: skip


def lab_environment(workspace: Workspace) -> dict[str, str]:
    """Return the environment of a JupyterLab: the workspace, and our defaults for settings that a user has not made."""
    ours, theirs = str(share_dir() / "templates" / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH", "")
    path = os.pathsep.join(filter(None, (ours, theirs)))
    return {**os.environ, HOME: str(workspace.home), IN_LAB: "1", "JUPYTER_CONFIG_PATH": path}


def running_labs(home: Path) -> Iterator[dict[str, Any]]:
    """Yield what Jupyter knows of the servers of this user that serve this workspace."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        if Path(server.get("root_dir", "")).resolve() == home.resolve():
            yield server
