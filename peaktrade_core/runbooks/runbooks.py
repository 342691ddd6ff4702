"""Runbooks as a service: which notebooks there are, what they take, and running one without a person.

A run is validated against the parameters that the notebook declares, executed in a fresh kernel, and leaves two files
beside each other, the executed notebook and its HTML. They get their names only when they are whole. A failed run
leaves them under a name that ends in ``_failed``, with the error on top. A folder ``.<run>.staging`` that stays behind
is a run whose process died.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.clock import iso
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import EnvironmentFault, NotebookError, UnknownNameError, why
from peaktrade_core.base.files import read_plain, write_atomic
from peaktrade_core.base.log import append_line
from peaktrade_core.base.resources import share_dir
from peaktrade_core.runbooks.notebooks.parameters import Parameter, declared, resolve
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

COMPLETED, FAILED = "completed", "failed"
SKIPPED = ("dashboards",)  # pages of the server, not to be run
TIMEOUT_S = 3600.0
EVIDENCE_MIME = "application/vnd.peaktrade.evidence+json"  # how a notebook says which evidence it left


class RunbookInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A notebook that can be run.

    Attributes:
        name: its file's name without the suffix; kind: the folder it is in (runbooks, reports ...).
        title, purpose: its first heading and the sentence below it.
        parameters: what it takes.
        side_effects: whether it changes anything but its own report (starts a session, halts ...).
        output: folder below the workspace that its report goes to.
        timeout_s: time limit for the whole [s].
    """

    name: str
    path: Path
    kind: str
    title: str
    purpose: str
    parameters: tuple[Parameter, ...]
    side_effects: bool
    output: str
    timeout_s: float


class RunOutcome(msgspec.Struct, frozen=True):
    """How a run ended.

    Attributes:
        status: ``completed`` or ``failed``; error: in a sentence, None when completed.
        notebook, html: the files it left.
        seconds: how long it took [s].
        parameters: every value that it ran with.
        evidence_id, outcome: of the evidence record it left, if it keeps one (see :mod:`evidence`).
    """

    name: str
    status: str
    notebook: Path
    html: Path
    seconds: float
    error: str | None
    parameters: dict[str, Any]
    evidence_id: str | None = None
    outcome: str | None = None


def list_runbooks(folder: Path | None = None) -> list[RunbookInfo]:
    """Return the notebooks that can be run: runbooks first, then the other kinds, each in its own order.

    Args:
        folder: the ``notebooks`` folder; None for the one that comes with the package.

    Raises:
        NotebookError: a notebook cannot be read, or its parameters cell breaks the rules.
    """
    found = [(_order(raw), path, raw) for path in _paths(folder) for raw in [_read(path)]]
    found.sort(key=lambda item: (item[1].parent.name != "runbooks", item[1].parent.name, item[0], item[1].stem))
    return [_describe(path, raw) for _, path, raw in found]


def find_runbook(name: str, folder: Path | None = None) -> RunbookInfo:
    """Return one of the notebooks that can be run.

    Raises:
        UnknownNameError: there is none of that name; lists those that are.
    """
    path = next((path for path in _paths(folder) if path.stem == name), None)
    if path is None:
        raise UnknownNameError("runbook", name, [info.name for info in list_runbooks(folder)], "peaktrade runbook list")
    return _describe(path, _read(path))


def parameters_cell(path: Path) -> str:
    """Return the text of a notebook's parameters cell, empty where it has none.

    Raises:
        NotebookError: it cannot be read.
    """
    cells = _read(path)["cells"]
    return next((_source(cell) for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])), "")


def _paths(folder: Path | None) -> list[Path]:
    """Return the files of the notebooks that can be run."""
    folder = folder or share_dir() / "notebooks"
    return [path for path in folder.glob("*/*.ipynb") if path.parent.name not in SKIPPED]


def run_runbook(
    name: str,
    params: Mapping[str, object],
    workspace: Workspace,
    *,
    progress: Callable[[int, int], None] = lambda _, __: None,
    timeout: float | None = None,
    folder: Path | None = None,
) -> RunOutcome:
    """Run a notebook with the given parameters and keep its report; a cell that fails is an outcome, no exception.

    Args:
        name: as :func:`list_runbooks` says.
        params: values for some of its parameters; text is converted to what they declare.
        workspace: where it works and where its report goes.
        progress: called before each code cell with its number and how many there are.
        timeout: time limit for the whole [s]; None takes the notebook's own.
        folder: as for :func:`list_runbooks`.

    Raises:
        UnknownNameError: no such notebook, or no such parameter.
        ConfigError: a value of the wrong type or out of range.
        NotebookError: the notebook cannot be read.
        EnvironmentFault: the report cannot be written.
    """
    info = find_runbook(name, folder)
    values = resolve(info.parameters, params)
    from peaktrade_core.runbooks.notebooks.execute import (  # papermill: only a run pays for its import
        execute,
        mark_failed,
    )

    began, clock_began = workspace.clock.now(), time.monotonic()
    reports = workspace.home / info.output
    stem, staging = _stage(reports, f"{info.name}_{began:%Y%m%dT%H%M%S}")
    try:
        notebook, fault = execute(
            info.path,
            values,
            home=workspace.home,
            autosave=staging / f"{stem}.ipynb",
            timeout_s=timeout or info.timeout_s,
            watch=progress,
        )
        seconds = time.monotonic() - clock_began
        status = FAILED if fault else COMPLETED
        heads = chain_heads(workspace.home)
        _sign(notebook, info, values=values, began=began, seconds=seconds, status=status, fault=fault, heads=heads)
        if fault:
            mark_failed(notebook, fault)
        files = _keep(notebook, reports / (f"{stem}_failed" if fault else stem))
        enter_papers(workspace, *files)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    operation = f"{iso(began)} runbook {info.name} {status} by {login()}: {files[0].name}"
    append_line(workspace.home / "logs" / "operations.log", operation)
    left = _evidence_of(notebook)
    return RunOutcome(
        info.name, status, files[0], files[1], seconds, fault, values, left.get("evidence_id"), left.get("outcome")
    )


def run_runbooks(
    names: Sequence[str],
    params: Mapping[str, object],
    workspace: Workspace,
    *,
    progress: Callable[[str, int, int], None] = lambda _, __, ___: None,
    timeout: float | None = None,
    folder: Path | None = None,
) -> Iterator[RunOutcome]:
    """Run notebooks one after the other, several of them in kernels that start at once, and yield how each ended.

    Nothing runs before every name and value was found to be right. One that fails does not keep the next from running.

    Args:
        names: which, in this order.
        params: values; each notebook gets those that it declares.
        workspace, timeout, folder: as for :func:`run_runbook`; the time limit is for each.
        progress: called before each code cell with the notebook's name, its number and how many there are.

    Raises:
        UnknownNameError: no such notebook, or a parameter that none of them declares.
        ConfigError: a value of the wrong type or out of range.
        NotebookError, EnvironmentFault: as for :func:`run_runbook`.
    """
    from peaktrade_core.warm.owner import warm_kernels

    infos = [find_runbook(name, folder) for name in names]
    declared_by = {info.name: {parameter.name for parameter in info.parameters} for info in infos}
    known = sorted(set().union(*declared_by.values()))
    for name in params:
        if name not in known:
            raise UnknownNameError("parameter", name, known, "peaktrade runbook list")
    given = [{name: value for name, value in params.items() if name in declared_by[info.name]} for info in infos]
    for info, values in zip(infos, given, strict=True):
        resolve(info.parameters, values)
    with warm_kernels() if len(infos) > 1 else nullcontext():
        for info, values in zip(infos, given, strict=True):
            told = partial(progress, info.name)
            yield run_runbook(info.name, values, workspace, progress=told, timeout=timeout, folder=folder)


def _evidence_of(notebook: Any) -> dict[str, str]:
    """Return what a notebook's last cell says of the evidence it left, empty when it keeps none."""
    found: dict[str, str] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found = output.get("data", {}).get(EVIDENCE_MIME, found)
    return found


def _read(path: Path) -> dict[str, Any]:
    """Return a notebook as plain JSON, which is far quicker than through nbformat."""
    try:
        raw = msgspec.json.decode(read_plain(path))
        if isinstance(raw, dict) and isinstance(raw["cells"], list):
            return raw
    except (OSError, KeyError, msgspec.DecodeError) as error:
        raise NotebookError(f"{path}: cannot be read as a notebook: {why(error)}") from None
    raise NotebookError(f"{path}: cannot be read as a notebook: it has no cells")


def _settings(raw: dict[str, Any]) -> dict[str, Any]:
    """Return what a notebook's metadata says to peaktrade."""
    found = raw.get("metadata", {}).get("peaktrade", {})
    return found if isinstance(found, dict) else {}


def _order(raw: dict[str, Any]) -> int:
    """Return the place of a notebook among those of its kind."""
    return int(_settings(raw).get("order", 1000))


def _describe(path: Path, raw: dict[str, Any]) -> RunbookInfo:
    """Return what a notebook says of itself."""
    lines = [line.strip() for line in _source(raw["cells"][0]).splitlines()] if raw["cells"] else []
    titles = [line.lstrip("# ") for line in lines if line.startswith("# ")]
    prose = [line for line in lines if line and not line.startswith(("#", "|"))]
    cells = [cell for cell in raw["cells"] if "parameters" in cell.get("metadata", {}).get("tags", [])]
    settings = _settings(raw)
    return RunbookInfo(
        name=path.stem,
        path=path,
        kind=path.parent.name,
        title=titles[0] if titles else path.stem,
        purpose=prose[0] if prose else "",
        parameters=tuple(declared(_source(cells[0]), path.name)) if cells else (),
        side_effects=bool(settings.get("side_effects", False)),
        output=str(settings.get("output", "reports/runbooks")),
        timeout_s=float(settings.get("timeout_s", TIMEOUT_S)),
    )


def _source(cell: dict[str, Any]) -> str:
    """Return the text of a cell, which files keep as one string or as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _stage(reports: Path, wanted: str) -> tuple[str, Path]:
    """Make a staging folder beside the final files, on the same disk, and return the run's name and the folder.

    The folder is also the claim to the name: of two runs in the same second the later one gets a number.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    for number in range(1, 1000):
        stem = wanted if number == 1 else f"{wanted}_{number}"
        staging = reports / f".{stem}.staging"
        try:
            reports.mkdir(parents=True, exist_ok=True)
            staging.mkdir()
        except FileExistsError:
            if reports.is_dir():
                continue
            raise EnvironmentFault(f"{reports} is in the way: it must be a folder; move it and try again") from None
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write the report to {reports}: {why(error)}; check the folder's permissions"
            ) from error
        if not list(reports.glob(f"{stem}.*")) and not list(reports.glob(f"{stem}_failed.*")):
            return stem, staging
        staging.rmdir()
    raise EnvironmentFault(f"{reports} holds a thousand runs of this second; clear it")


def _sign(
    notebook: Any,
    info: RunbookInfo,
    *,
    values: dict[str, Any],
    began: datetime,
    seconds: float,
    status: str,
    fault: str | None,
    heads: dict[str, str],
) -> None:
    """Write the run's own record into the notebook's metadata, and take this machine's paths out of it."""
    for name in ("input_path", "output_path"):
        notebook.metadata.papermill.pop(name, None)
    run = {
        "runbook": info.name,
        "status": status,
        "error": fault,
        "began": iso(began),
        "seconds": round(seconds, 1),
        "by": login(),
        "parameters": values,
        "chains": heads,
    }
    notebook.metadata.setdefault("peaktrade", {})["run"] = run


def _keep(notebook: Any, stem: Path) -> tuple[Path, Path]:
    """Write the notebook and its HTML under their final names and return both."""
    import nbformat

    from peaktrade_core.runbooks.notebooks.html import to_html

    files = stem.with_name(f"{stem.name}.ipynb"), stem.with_name(f"{stem.name}.html")
    write_atomic(files[0], (nbformat.writes(notebook) + "\n").encode())
    write_atomic(files[1], to_html(notebook).encode())
    return files
