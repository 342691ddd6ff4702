"""The snapshot as files: what whoever watches hands on, under the same names every time.

Source: watch-only runbook 5.
"""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runs.views import Views
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

FOLDER = Path("out") / "operator_dashboard"
FILES = {
    "status_snapshot.json": "how everything stands, for programs",
    "status_snapshot.html": "the same as a page that needs no server",
    "live_sessions.json": "the newest sessions",
    "runs.json": "the runs",
    "run_snapshot.json": "one run",
    "run_tail.json": "its last bars",
    "run_alerts.json": "its alerts",
}
_OF_A_RUN = "run_"


def export_snapshot(runbook: Runbook, run_id: str = "") -> Table:
    """Write the snapshot's files, and return which there are; done anew each time the runbook is begun.

    Args:
        runbook: that asks for it; run_id: whose ``run_*.json`` are written, empty for the first of the list.

    Raises:
        SessionNotFoundError: there is no such run.
        EnvironmentFault: the folder cannot be written.
    """
    runbook.act("export", "Export the snapshot", lambda: _export(runbook.workspace, run_id))
    rows = [((FOLDER / path.name).as_posix(), FILES[path.name]) for path in exported_files(runbook.workspace)]
    return Table("The snapshot, as files", ("File", "What"), rows, note="Copy them to a dated folder to keep them.")


def _export(workspace: Workspace, run_id: str) -> str:
    from peaktrade_core.dashboard.export import export_dashboard

    files = export_dashboard(workspace, workspace.home / FOLDER, run_id or None)
    return f"{len(files)} files in {FOLDER.as_posix()}"


def exported_files(workspace: Workspace) -> list[Path]:
    """Return the files that an export must have left; those about a run where there is one."""
    runs = bool(Views.of(workspace).runs(1))
    return [workspace.home / FOLDER / name for name in FILES if runs or not name.startswith(_OF_A_RUN)]
