"""The checks of those who watch: is the desk watched over, is there something to see, is what was handed on of now?

Source: operator workflow 3.3, watch-only runbook 2 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.alerts.questions import alerts, watcher
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import WARN, Check, Found, answers, question
from peaktrade_core.dashboard.snapshot import Snapshot, take
from peaktrade_core.dashboard.watching.probe import Seen, look_at_dashboard
from peaktrade_core.halts.questions import account, halts, kill_switch
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runs.questions import runs
from peaktrade_core.runs.views import Views
from peaktrade_core.session.questions import live
from peaktrade_core.workspace.workspace import Workspace

DESK = (runs, watcher, alerts, kill_switch, halts, account, live)  # what changes while sessions run
SNAPSHOT = "status_snapshot.json"
_FIRST = "Nothing is shown before something ran: `peaktrade session run` starts the first session."


def watching_checks(workspace: Workspace) -> list[Check]:
    """Return whether the desk is watched: runs, watcher, alerts, kill switch, halts, account, and that live stays locked."""
    return workspace.ask(DESK)


class DashboardRunbook(Runbook):
    """A runbook that looks at the dashboard from outside, over HTTP, as its viewers do."""

    @cached_property
    def seen(self) -> Seen:
        """What was seen of the dashboard, and of the page of the session that the runbook is about; it is asked once."""
        return look_at_dashboard(self.workspace, self.given.dashboard, self.round.record.subject)


def recent_evidence(workspace: Workspace, runbook: str = "", limit: int = 200) -> list[Evidence]:
    """Return the newest evidence records, of one runbook or of all; one that cannot be read is passed over.

    That it cannot be read is told by :meth:`EvidenceBook.verify`.
    """
    tag = f"-{runbook.upper().replace('_', '-')}-" if runbook else ""
    found = []
    for name in [name for name in EvidenceBook.of(workspace).ids() if tag in name][:limit]:
        with suppress(PeaktradeError):
            found.append(EvidenceBook.of(workspace).load(name))
    return found


@question("sessions", "Are there sessions in the registry?", _FIRST, otherwise=WARN)
def sessions(workspace: Workspace) -> Found:
    """Count the records."""
    total = Views.of(workspace).stats().total_sessions
    return total > 0, f"{total} records in reports/experiments/live_sessions"


@question("run_folders", "Are there run folders?", _FIRST, otherwise=WARN)
def run_folders(workspace: Workspace) -> Found:
    """Count the runs."""
    found = Views.of(workspace).runs(200)
    return bool(found), f"{len(found)} runs"


@question(
    "readable",
    "Can every record and every run folder be read?",
    "`peaktrade session list --status unreadable` names the files; restore them from a backup.",
    otherwise=WARN,
)
def readable(workspace: Workspace) -> Found:
    """Look for records and run folders that cannot be read."""
    broken = Views.of(workspace).stats().by_status.get("unreadable", 0)
    odd = [row.run_id for row in Views.of(workspace).runs(200) if row.state == "unreadable"]
    told = f"{broken} records and {len(odd)} run folders unreadable" if broken or odd else "all"
    return not broken and not odd, told


def source_checks(workspace: Workspace) -> list[Check]:
    """Return whether there is anything to watch: records, run folders, and that all can be read."""
    return workspace.ask((sessions, run_folders, readable))


def newest_session(workspace: Workspace, session_id: str = "latest") -> str:
    """Return the id of a session, empty for the latest where there is none yet.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    if session_id in ("", "latest") and not Views.of(workspace).stats().total_sessions:
        return ""
    return Views.of(workspace).resolve(session_id or "latest")


class Export(NamedTuple):
    """The files of an export, and what they should show."""

    workspace: Workspace
    files: Sequence[Path]

    @property
    def torn(self) -> bool:
        """Whether the snapshot is there and cannot be read."""
        return self.written is None and any(path.name == SNAPSHOT and path.is_file() for path in self.files)

    @property
    def written(self) -> Snapshot | None:
        """The snapshot as it was written, None where it is gone or cannot be read."""
        with suppress(OSError, msgspec.DecodeError):
            for path in self.files:
                if path.name == SNAPSHOT:
                    return msgspec.json.decode(path.read_bytes(), type=Snapshot)
        return None


def export_checks(workspace: Workspace, files: Sequence[Path]) -> list[Check]:
    """Return whether an export is whole, and says what is true now."""
    return answers((exported, fresh), Export(workspace, files))


@question(
    "exported",
    "Is every file of the snapshot there?",
    "Check free space and rights of out/operator_dashboard, then export again.",
)
def exported(export: Export) -> Found:
    """Look for each file."""
    missing = [path.name for path in export.files if not path.is_file()]
    missing += ["status_snapshot.json, which cannot be read"] if export.torn else []
    well = bool(export.files) and not missing
    return well, f"{len(export.files)} files" if well else f"missing: {', '.join(missing) or 'all'}"


@question(
    "fresh",
    "Does the snapshot say what is true now?",
    "Something changed since, or the files are of another day: export again with this runbook.",
    otherwise=WARN,
)
def fresh(export: Export) -> Found:
    """Compare with a snapshot of this moment."""
    written, now = export.written, take(export.workspace)
    if written is None or msgspec.structs.replace(written, generated_at=now.generated_at) != now:
        return False, "it is stale"
    return True, f"written {iso(written.generated_at)}, nothing changed since"
