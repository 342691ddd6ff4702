"""The checks of those who watch: is the desk watched over, is there something to see, is what was handed on of now?

Source: operator workflow 3.3, watch-only runbook 2 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.dashboard.snapshot import Snapshot, take
from peaktrade_core.desk.health import health
from peaktrade_core.desk.readiness import pre_session_checks
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

DESK = ("runs", "watcher", "alerts", "kill_switch", "account")  # of the health checks, those that change while it runs
LONGEST_GAP = timedelta(minutes=30)  # between two rounds
_ROUND = "monitoring_round"


def watching_checks(workspace: Workspace) -> list[Check]:
    """Return whether somebody watches: runs, watcher, alerts, kill switch, account, and that live stays locked."""
    live = [one for one in pre_session_checks(workspace) if one.id == "live"]
    return [one for one in health(workspace) if one.id in DESK] + live


def round_checks(workspace: Workspace, evidence_id: str) -> list[Check]:
    """Return whether the round before this one was at most half an hour ago, while something has been running.

    Args:
        workspace: whose evidence tells; evidence_id: of this round, which does not count.
    """
    now = Views.of(workspace).now()
    running = [run.started_at for run in Fleet.of(workspace).active() if run.started_at]
    earlier = [one for one in recent_evidence(workspace, _ROUND) if one.evidence_id != evidence_id]
    last = max((one.began_at for one in earlier), default=None)
    since = max((at for at in (last, min(running, default=None)) if at), default=None)
    late = bool(running) and since is not None and now - since > LONGEST_GAP
    told = f"last round {iso(last)}" if last else "no round before this one"
    step = "Look every 15 to 30 minutes while something runs; write down why the gap was longer."
    question = "Was the last round at most 30 minutes ago, while something runs?"
    return [check("cadence", question, not late, told if running else f"{told}; nothing runs", step, otherwise=WARN)]


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


def source_checks(workspace: Workspace) -> list[Check]:
    """Return whether there is anything to watch: records, run folders, and that all can be read."""
    stats, runs = Views.of(workspace).stats(), Views.of(workspace).runs(200)
    broken = stats.by_status.get("unreadable", 0)
    odd = [row.run_id for row in runs if row.state == "unreadable"]
    start = "Nothing is shown before something ran: `peaktrade session run` starts the first session."
    return [
        check(
            "sessions",
            "Are there sessions in the registry?",
            stats.total_sessions > 0,
            f"{stats.total_sessions} records in reports/experiments/live_sessions",
            start,
            otherwise=WARN,
        ),
        check("run_folders", "Are there run folders?", bool(runs), f"{len(runs)} runs", start, otherwise=WARN),
        check(
            "readable",
            "Can every record and every run folder be read?",
            not broken and not odd,
            f"{broken} records and {len(odd)} run folders unreadable" if broken or odd else "all",
            "`peaktrade session list --status unreadable` names the files; restore them from a backup.",
            otherwise=WARN,
        ),
    ]


def newest_session(workspace: Workspace, session_id: str = "latest") -> str:
    """Return the id of a session, empty for the latest where there is none yet.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    if session_id in ("", "latest") and not Views.of(workspace).stats().total_sessions:
        return ""
    return Views.of(workspace).resolve(session_id or "latest")


def export_checks(workspace: Workspace, files: Sequence[Path]) -> list[Check]:
    """Return whether an export is whole, and says what is true now."""
    missing = [path.name for path in files if not path.is_file()]
    there = [path for path in files if path.name == "status_snapshot.json" and path.is_file()]
    try:
        written = msgspec.json.decode(there[0].read_bytes(), type=Snapshot) if there else None
    except (OSError, msgspec.DecodeError) as error:
        written, missing = None, [*missing, f"status_snapshot.json ({error})"]
    now = take(workspace)
    stale = written is None or msgspec.structs.replace(written, generated_at=now.generated_at) != now
    again = "Something changed since, or the files are of another day: export again with this runbook."
    return [
        check(
            "exported",
            "Is every file of the snapshot there?",
            bool(files) and not missing,
            f"{len(files)} files" if files and not missing else f"missing: {', '.join(missing) or 'all'}",
            "Check free space and rights of out/operator_dashboard, then export again.",
        ),
        check(
            "fresh",
            "Does the snapshot say what is true now?",
            not stale,
            f"written {iso(written.generated_at)}, nothing changed since" if written and not stale else "it is stale",
            again,
            otherwise=WARN,
        ),
    ]
