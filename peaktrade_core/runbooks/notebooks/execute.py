"""Executing a notebook through papermill, so that the outcome is true however the run ends.

papermill alone marks cells as completed after the kernel died, takes ``sys.exit(0)`` for success and has no time limit
for the whole. The engine here notes every end - an error, a dead kernel, the time limit, Ctrl-C - as the failure of the
cell it happened in, says it in a sentence and stops. The kernel is this interpreter, whatever kernels are installed.
"""

from __future__ import annotations

import html
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from inspect import unwrap
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from peaktrade_core.base.errors import NotebookError
from peaktrade_core.base.files import write_plain
from peaktrade_core.base.processes import termination_interrupts
from peaktrade_core.runbooks.notebooks.parameters import check_injected
from peaktrade_core.show.language import spoken, spoken_paragraphs
from peaktrade_core.warm.owner import present_nursery
from peaktrade_core.warm.provisioner import WarmClient, kernel_spec

ENGINE = "peaktrade"
START_S = 60.0  # a kernel that does not answer by then does not start [s]


class Executed(NamedTuple):
    """A notebook after its run; ``fault`` says in a sentence why it stopped, None when every cell ran."""

    notebook: Any
    fault: str | None


class _Limits(NamedTuple):
    """What a run must keep to, as the engine needs it."""

    home: Path
    autosave: Path | None
    timeout_s: float
    deadline: float
    watch: Callable[[int, int], None]


class _OwnKernel(AsyncKernelManager):  # type: ignore[misc]
    """A kernel of this very interpreter, over Unix sockets where there are any.

    Jupyter's manager pauses 10 ms after each start and each end, so that its tests see a state in between; ours does not.
    """

    start_kernel = unwrap(AsyncKernelManager.start_kernel)
    shutdown_kernel = unwrap(AsyncKernelManager.shutdown_kernel)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel to start, forked inside a ``warm_kernels`` block; no installed specification is looked at."""
        return kernel_spec(present_nursery())


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, except that whatever ends a cell too early is noted as its failure."""

    def papermill_execute_cells(self) -> None:
        """Execute the cells in order; the first that does not end well ends the run."""
        total = sum(cell.cell_type == "code" for cell in self.nb.cells)
        done = 0
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type == "code":
                done += 1
                self.watch(done, total)
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except BaseException as fault:
                self.nb_man.cell_exception(cell, cell_index=index, exception=fault)
                fault.cell_number = done  # type: ignore[attr-defined]
                if isinstance(fault, (KeyboardInterrupt, CellTimeoutError)):
                    self._interrupt()
                raise
            finally:
                self.nb_man.cell_complete(cell, cell_index=index)

    def _interrupt(self) -> None:
        """Let what runs in the kernel end by itself: a session then writes its record as aborted."""
        with suppress(Exception):  # the kernel may be gone; shutting it down follows in any case
            run_sync(self.km.interrupt_kernel)()

    watch: Callable[[int, int], None] = staticmethod(lambda _, __: None)


class _Engine(Engine):  # type: ignore[misc]
    """The engine that papermill calls; it never raises, it notes."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, limits: _Limits, **_: Any) -> None:
        """Execute the notebook and note a fault in its metadata."""
        nb_man.save = partial(_save, nb_man, limits.autosave)
        for cell in nb_man.nb.cells:
            if cell.cell_type == "markdown":
                cell.source = spoken_paragraphs(cell.source)
        folder = tempfile.mkdtemp(prefix="pt")  # short: the path of a Unix socket has little room
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=START_S,
            timeout_func=lambda _: max(0.05, limits.deadline - time.monotonic()),
            store_widget_state=False,
        )
        client.watch = limits.watch
        connection = os.path.join(folder, "k.json")
        client.km = _OwnKernel(connection_file=connection, transport=_transport(), client_factory=WarmClient)
        client.owns_km = True
        try:
            with termination_interrupts():
                client.execute(env=_environment(limits.home), cwd=str(limits.home))
        except BaseException as fault:  # also Ctrl-C and whatever else: the notebook must say how it ended
            _note(nb_man.nb, _sentence(fault, limits.timeout_s), fault)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


papermill_engines.register(ENGINE, _Engine)


def _save(nb_man: Any, path: Path | None, **_: object) -> None:
    """Keep the unfinished notebook. papermill would copy and format all of it twice a cell, a third of a short run."""
    if path is not None:
        write_plain(path, msgspec.json.encode(nb_man.nb))
        nb_man.last_save_time = nb_man.now()


def execute(
    path: Path,
    parameters: Mapping[str, object],
    *,
    home: Path,
    autosave: Path | None = None,
    timeout_s: float = 3600.0,
    watch: Callable[[int, int], None] = lambda _, __: None,
) -> Executed:
    """Execute a notebook in a fresh kernel; the process's own directory and environment stay as they are.

    Args:
        path: the notebook; it is not changed.
        parameters: values to inject, already checked; empty to run the notebook as it stands.
        home: the workspace; the kernel finds it in ``PEAKTRADE_HOME`` and starts in it.
        autosave: where the unfinished notebook is kept up to date, cell by cell; None for nowhere.
        timeout_s: time limit for the whole run [s].
        watch: called before each code cell with its number and how many there are.

    Returns:
        The executed notebook with the fault that stopped it; every failure of the run itself is such a fault.

    Raises:
        NotebookError: the notebook cannot be read, or papermill injected something else than was asked for.
    """
    notebook = _load(path)
    if parameters:
        notebook = parameterize_notebook(notebook, dict(parameters), engine_name=ENGINE)
        injected = next(c for c in notebook.cells if "injected-parameters" in c.metadata.get("tags", []))
        check_injected(injected.source, parameters, path.name)
    limits = _Limits(home, autosave, timeout_s, time.monotonic() + timeout_s, watch)
    done = papermill_engines.execute_notebook_with_engine(
        ENGINE, notebook, "python3", output_path=None, progress_bar=False, limits=limits
    )
    fault = done.metadata.pop("peaktrade_fault", None) or _unrun(done)
    return Executed(done, fault)


def _load(path: Path) -> Any:
    """Return the notebook in a file."""
    try:
        return load_notebook_node(str(path))
    except Exception as error:  # papermill and nbformat raise what they like
        raise NotebookError(f"{path}: cannot be read as a notebook: {error}") from error


def _environment(home: Path) -> dict[str, str]:
    """Return the kernel's environment: this process's, and where the workspace is."""
    return {**os.environ, "PEAKTRADE_HOME": str(home), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def _transport() -> str:
    """Return how to talk to the kernel: Unix sockets, which nobody else can reach, where there are any."""
    return "tcp" if sys.platform == "win32" else "ipc"


def _sentence(fault: BaseException, timeout_s: float) -> str:
    """Say how a run ended, for a person."""
    at = getattr(fault, "cell_number", None)
    cell = f"cell {at}" if at else "before the first cell"
    if isinstance(fault, CellExecutionError):
        if fault.ename == "SystemExit":
            return f"{cell} ended the notebook with sys.exit({fault.evalue}); the cells after it did not run"
        return f"{cell} failed: {fault.ename}: {fault.evalue}"
    if isinstance(fault, DeadKernelError):
        return f"the kernel died in {cell}: it was killed, or the machine ran out of memory"
    if isinstance(fault, CellTimeoutError):
        return f"{cell} was still running when the time limit of {timeout_s:g} s for the whole notebook was up"
    if isinstance(fault, KeyboardInterrupt):
        return f"stopped by the operator (Ctrl-C or SIGTERM) in {cell}"
    return f"the kernel could not be used ({cell}): {type(fault).__name__}: {fault}"


def _note(notebook: Any, sentence: str, fault: BaseException) -> None:
    """Write a fault into the notebook: into its metadata and, unless an error is there already, below its cell."""
    notebook.metadata["peaktrade_fault"] = sentence
    notebook.metadata.papermill["exception"] = True
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code:
        return
    cell = code[max(0, getattr(fault, "cell_number", 1) - 1)]
    cell.metadata.papermill.update(exception=True, status="failed")
    if not any(output.output_type == "error" for output in cell.outputs):
        error = {"ename": type(fault).__name__, "evalue": sentence, "traceback": [sentence]}
        cell.outputs.append(nbformat.v4.new_output("error", **error))
    later = notebook.cells[notebook.cells.index(cell) + 1 :]
    for other in later:
        other.metadata.papermill["status"] = "pending"


def _unrun(notebook: Any) -> str | None:
    """Return a fault when a cell has an error or never ran although nobody noticed."""
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                return f"cell {number} failed: {output.ename}: {output.evalue}"
        if cell.execution_count is None and cell.source.strip():
            return f"cell {number} never ran"
    return None


def mark_failed(notebook: Any, fault: str) -> None:
    """Put what went wrong above the first cell, as text that cannot become markup."""
    head, after = spoken("✕ This run failed"), spoken("The cells after it did not run.")
    text = f"<pre><strong>{head}</strong>\n{html.escape(fault)}\n{after}</pre>"
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text, metadata={"tags": ["failure"]}))
