"""Watching only: the proof that the dashboard can only read, and the snapshot as files, under the same names every time.

Source: watch-only runbook 4 and 5.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import iso
from peaktrade_core.base.files import read_plain
from peaktrade_core.base.question import WARN, Found, answers, question
from peaktrade_core.dashboard.snapshot import Snapshot, take
from peaktrade_core.dashboard.watching.pages import READ_ONLY
from peaktrade_core.dashboard.watching.watch import DESK, DashboardRunbook
from peaktrade_core.runs.views import Views
from peaktrade_core.show.table import Table
from peaktrade_core.show.wording import many

SNAPSHOT = "status_snapshot.json"
FOLDER = Path("out") / "operator_dashboard"
FILES = {
    SNAPSHOT: "how everything stands, for programs",
    "status_snapshot.html": "the same as a page that needs no server",
    "live_sessions.json": "the newest sessions",
    "runs.json": "the runs",
    "run_snapshot.json": "one run",
    "run_tail.json": "its last bars",
    "run_alerts.json": "its alerts",
}
_OF_A_RUN = "run_"


class WatchOnlyRunbook(DashboardRunbook):
    """Prove that the dashboard can only read, see that it shows what is true, and hand on a snapshot as files."""

    def read_only(self) -> Table:
        """Record the proof that the dashboard can only read; all of it fails when it could not be looked at."""
        return self.check("read_only", "Can it only read?", answers(READ_ONLY, self.seen))

    def health(self) -> Table:
        """Record whether all is well that the dashboard shows, and live locked."""
        return self.check("health", "Is all well?", self.workspace.ask(DESK))

    def export(self) -> Table:
        """Write the snapshot's files, once, and return which there are.

        Raises:
            SessionNotFoundError: there is no such run.
            EnvironmentFault: the folder cannot be written.
        """
        self.act("export", "Export the snapshot", self._export)
        rows = [((FOLDER / path.name).as_posix(), FILES[path.name]) for path in self.files()]
        return Table("The snapshot, as files", ("File", "What"), rows, note="Copy them to a dated folder to keep them.")

    def snapshot(self) -> Table:
        """Record whether the export is whole, and says what is true now."""
        return self.check("snapshot", "Is the snapshot of now?", answers((exported, fresh), self))

    def files(self) -> list[Path]:
        """Return the files that an export must have left; those about a run where there is one."""
        runs = bool(Views.of(self.workspace).runs(1))
        return [self.workspace.home / FOLDER / name for name in FILES if runs or not name.startswith(_OF_A_RUN)]

    def written(self) -> Snapshot | None:
        """Return the snapshot as it was written, None where it is gone or cannot be read."""
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(read_plain(self.workspace.home / FOLDER / SNAPSHOT), type=Snapshot)
        return None

    def _export(self) -> str:
        from peaktrade_core.dashboard.export import export_dashboard

        files = export_dashboard(self.workspace, self.workspace.home / FOLDER, self.given.run_id or None)
        return f"{len(files)} files in {FOLDER.as_posix()}"


@question(
    "exported",
    "Is every file of the snapshot there?",
    "Check free space and rights of out/operator_dashboard, then export again.",
)
def exported(this: WatchOnlyRunbook) -> Found:
    """Look for each file."""
    files = this.files()
    missing = [path.name for path in files if not path.is_file()]
    if SNAPSHOT not in missing and this.written() is None:
        missing.append(f"{SNAPSHOT}, which cannot be read")
    return not missing, f"missing: {', '.join(missing)}" if missing else many(len(files), "file")


@question(
    "fresh",
    "Does the snapshot say what is true now?",
    "Something changed since, or the files are of another day: export again with this runbook.",
    otherwise=WARN,
)
def fresh(this: WatchOnlyRunbook) -> Found:
    """Compare with a snapshot of this moment."""
    written, now = this.written(), take(this.workspace)
    if written is None or msgspec.structs.replace(written, generated_at=now.generated_at) != now:
        return False, "it is stale"
    return True, f"written {iso(written.generated_at)}, nothing changed since"
