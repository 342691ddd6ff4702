"""Notebooks in kernels that are forked from a warm process, beside the same in ordinary kernels.

Start to first figure and private memory of a kernel; a notebook of four cells and our runbooks through plain papermill
and through ours; a Voila page with a kernel until its last byte. Medians; compiled bytecode is used, as installed.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
from jupyter_client import KernelManager

from peaktrade_core.base.resources import share_dir
from peaktrade_core.runbooks.notebooks.execute import execute
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.warm.owner import Nursery, warm_kernels
from peaktrade_core.warm.provisioner import kernel_spec
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME, Workspace

FIGURE = "import pandas as pd, plotly.graph_objects as go; go.Figure(go.Scatter(y=list(range(2000))))"
FOUR = (
    "import pandas as pd, plotly.graph_objects as go",
    "frame = pd.DataFrame({'a': range(2000)}); frame.head()",
    "go.Figure(go.Scatter(y=frame.a))",
    "frame.describe()",
)
RUNBOOKS = (
    "runbooks/pre_session_check",
    "runbooks/session_run",
    "runbooks/post_session_check",
    "runbooks/monitoring_round",
    "reports/session_report",
)
SERVER = """
import sys
from pathlib import Path
from peaktrade_core.warm.owner import Nursery
from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.workspace.workspace import Workspace
from peaktrade_core.dashboard.server import serve
def refuse(*_):
    raise EnvironmentFault("this is the baseline")
if sys.argv[3] == "ordinary":
    Nursery.fork = refuse
serve(Workspace(sys.argv[1]), port=0, pages=Path(sys.argv[2]))
"""


class _Manager(KernelManager):  # type: ignore[misc]
    nursery: Nursery | None = None

    @property
    def kernel_spec(self) -> Any:
        return kernel_spec(self.nursery)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--all", action="store_true", help="every committed notebook instead, once each way")
    runs, everything = vars(options.parse_args()).values()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    logging.disable()
    print(f"{'':<44} {'warm':>9} {'ordinary':>9} {'ratio':>6}")
    if everything:
        all_notebooks()
        return
    with tempfile.TemporaryDirectory(prefix="pt") as folder:
        home = Path(folder) / "home"
        prepare(home)
        os.environ[HOME] = str(home)
        kernels(runs)
        notebooks(home, runs)
        pages(home, runs)


def prepare(home: Path) -> None:
    """Make a workspace with one session."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((share_dir() / "config" / "config.toml").read_bytes())
    workspace = Workspace(home)
    run_session(plan_session(workspace, seed=1, steps=300), Desk.of(workspace))


def kernels(runs: int) -> None:
    """Measure from the start of a kernel to its first figure, and what it takes for itself."""
    with Nursery(("peaktrade_core",)) as nursery:
        first_figure(nursery)  # until the nursery is there
        warm = [first_figure(nursery) for _ in range(runs)]
    plain = [first_figure(None) for _ in range(runs + 1)][1:]
    for index, (what, unit) in enumerate((("start to first figure", "s"), ("private memory of a kernel", "MB"))):
        line(what, statistics.median(w[index] for w in warm), statistics.median(p[index] for p in plain), unit)


def first_figure(nursery: Nursery | None) -> tuple[float, float]:
    """Return how long a kernel takes to its first figure [s] and its unique set size [MB]."""
    with tempfile.TemporaryDirectory(prefix="pt") as folder:
        manager = _Manager(connection_file=f"{folder}/k.json", transport="ipc")
        manager.nursery = nursery
        begin = time.perf_counter()
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute_interactive(FIGURE, output_hook=lambda _: None)
        took = time.perf_counter() - begin
        private = psutil.Process(manager.provisioner.pid).memory_full_info().uss / 1e6
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return took, private


def notebooks(home: Path, runs: int) -> None:
    """Run notebooks through plain papermill and through ours."""
    four = four_cells(home)
    shipped = [share_dir() / "notebooks" / f"{name}.ipynb" for name in RUNBOOKS]
    for path in [four, *(path for path in shipped if path.exists())]:
        with warm_kernels():
            warm = median(runs, lambda path=path: ours(path, home), spare=1)
        plain = median(runs, lambda path=path: papermills(path, home))
        line("notebook of four cells" if path is four else path.stem, warm, plain, "s")


def four_cells(folder: Path) -> Path:
    """Write a notebook with a table and a figure and return its path."""
    path = folder / "four.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in FOUR]), path)
    return path


def all_notebooks() -> None:
    """Run every committed notebook in the workspace that it is committed with, a fresh one for each way and time."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.notebooks.regenerate import NOW, committed, environment, prepared

    def once(path: Path, run: Callable[[Path, Path], None]) -> float:
        with tempfile.TemporaryDirectory(prefix="pt") as folder:
            home = Path(folder) / "home"
            with prepared(home, path.stem), environment({FIXED_CLOCK: NOW, HOME: str(home)}):
                return median(1, lambda: run(path, home))

    totals = [0.0, 0.0]
    with warm_kernels(), tempfile.TemporaryDirectory() as folder:
        ours(four_cells(Path(folder)), Path(folder))  # until the nursery is there
        for path in committed():
            took = once(path, ours), once(path, papermills)
            totals = [total + one for total, one in zip(totals, took, strict=True)]
            line(path.stem, took[0], took[1], "s")
    line("all of them", totals[0], totals[1], "s")


def ours(path: Path, home: Path) -> None:
    done = execute(path, {}, home=home)
    if done.fault:
        raise SystemExit(f"{path.name}: {done.fault}")


def papermills(path: Path, home: Path) -> None:
    papermill.execute_notebook(
        str(path), str(home / "out.ipynb"), cwd=str(home), kernel_name="python3", progress_bar=False, log_output=False
    )


def pages(home: Path, runs: int) -> None:
    """Open a page that needs a kernel until its last byte, from a server with and one without warm kernels."""
    folder = home / "pages"
    folder.mkdir()
    cell = nbformat.v4.new_code_cell(FIGURE)
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"peaktrade": {"kind": "view"}, "title": "Page"})
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "live_track.ipynb")
    took = [page(home, folder, how, runs) for how in ("warm", "ordinary")]
    line("Voila page with a figure, whole", *took, "s")


def page(home: Path, folder: Path, how: str, runs: int) -> float:
    """Return the median time to the page's last byte, after a first request that is not counted [s]."""
    command = [sys.executable, "-c", SERVER, str(home), str(folder), how]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        found = re.search(r"http://\S+", server.stdout.readline())
        if found is None:
            raise SystemExit("the dashboard did not start")
        return median(runs, lambda: urllib.request.urlopen(found[0], timeout=60).read(), spare=1)
    finally:
        server.terminate()
        server.wait()


def median(runs: int, run: Callable[[], object], spare: int = 0) -> float:
    """Return the median time of some runs [s], after ``spare`` that are not counted."""
    times = []
    for _ in range(runs + spare):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[spare:])


def line(what: str, warm: float, plain: float, unit: str) -> None:
    """Print a line of the table."""
    digits = 2 if unit == "s" else 0
    print(f"{f'{what} [{unit}]':<44} {warm:>9.{digits}f} {plain:>9.{digits}f} {plain / warm:>6.1f}", flush=True)


if __name__ == "__main__":
    main()
