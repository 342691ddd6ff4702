"""The status snapshot: the status of the whole and what is behind it, in panels sorted by id; the same state, the same bytes.

Nothing in it depends on the time of asking but ``generated_at``: a running session has a start, no duration. A panel
that cannot be made says so and leaves the others alone.
"""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import Any

import msgspec

from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.base.question import WORDS, Status, known
from peaktrade_core.control.status import Whole, whole
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.questions import registry
from peaktrade_core.runs.run import Run, item_of, timeless
from peaktrade_core.runs.views import Views
from peaktrade_core.show.wording import many
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

SCHEMA = "peaktrade.status_snapshot.v1"
OK, WARN, FAIL, UNKNOWN, EMPTY = "ok", "warn", "fail", "unknown", "empty"
OF: dict[Status, str] = {"pass": OK, "unknown": UNKNOWN, "warn": WARN, "fail": FAIL}
MOST_ROWS = 20
GOING_ON = ("running", "silent", "died")


class SnapshotPanel(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its answer.

    Attributes:
        status: ``ok``, ``warn``, ``fail``, ``unknown``, or ``empty`` when there is nothing to tell yet.
        summary: the answer in a sentence.
        rows: its figures, all with the same names.
    """

    id: str
    title: str
    status: str
    summary: str
    rows: list[dict[str, Any]] = []


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands; ``status`` and ``why`` are those of the whole, which every other place shows, too."""

    schema: str
    generated_at: datetime
    status: str
    why: str
    panels: list[SnapshotPanel]


def take(workspace: Workspace) -> Snapshot:
    """Return the snapshot of this moment."""
    found = whole(workspace)
    panels = [
        _status(found),
        _alerts(workspace, found),
        _runs(workspace, found),
        _sessions(workspace),
        _system(workspace),
        _trading(workspace, found),
    ]
    return Snapshot(
        schema=SCHEMA,
        generated_at=found.as_of,
        status=OF[found.status],
        why=found.why,
        panels=sorted(panels, key=lambda panel: panel.id),
    )


def _status(found: Whole) -> SnapshotPanel:
    """Tell how the whole, its parts and the layers stand."""
    rows = [{"part": "whole", "status": found.status, "word": found.word, "why": found.why}]
    rows += [{"part": one.name, "status": one.status, "word": one.word, "why": one.why} for one in found.parts]
    rows += [
        {"part": one.code, "status": one.status, "word": WORDS[one.status], "why": one.name} for one in found.layers
    ]
    return SnapshotPanel(id="status", title="Status", status=OF[found.status], summary=found.why, rows=rows)


def _sessions(workspace: Workspace) -> SnapshotPanel:
    """Tell how the latest sessions ended, and whether any file cannot be read."""
    found = known(lambda: (Views.of(workspace).stats(), Views.of(workspace).rows(Query(limit=MOST_ROWS))))
    if found is None:
        told = f"cannot be read: {registry(workspace).evidence}"
        return SnapshotPanel(id="sessions", title="Sessions", status=FAIL, summary=told)
    stats, rows = found
    broken = stats.by_status.get(UNREADABLE, 0)
    counts = ", ".join(f"{n} {status}" for status, n in sorted(stats.by_status.items()))
    status = EMPTY if not rows else WARN if broken or rows[0].status == "failed" else OK
    return SnapshotPanel(
        id="sessions",
        title="Sessions",
        status=status,
        summary=f"{many(stats.total_sessions, 'session')}: {counts}"
        if rows
        else "no session yet: `peaktrade session run`",
        rows=[_item(row) for row in rows],
    )


def _runs(workspace: Workspace, found: Whole) -> SnapshotPanel:
    """Tell what runs, what should but does not, and what failed."""
    rows = [row for row in known(lambda: Views.of(workspace).runs(500)) or () if row.state in GOING_ON]
    return SnapshotPanel(
        id="runs",
        title="Runs",
        status=OF[found.runs.status],
        summary=found.runs.word,
        rows=[_item(row) for row in rows],
    )


def _item(run: Run) -> dict[str, Any]:
    """Return a run's figures without those that depend on the time of asking."""
    return dict(msgspec.json.decode(msgspec.json.encode(timeless(item_of(run)))))  # as it is read again


def _alerts(workspace: Workspace, found: Whole) -> SnapshotPanel:
    """Tell which alerts are open."""
    rows = known(lambda: Alerts.of(workspace).rows(OPEN)) or ()
    return SnapshotPanel(
        id="alerts",
        title="Alerts",
        status=OF[found.alerts.status],
        summary=found.alerts.word,
        rows=[dict(msgspec.to_builtins(row)) for row in rows[:MOST_ROWS]],
    )


def _trading(workspace: Workspace, found: Whole) -> SnapshotPanel:
    """Tell what may be traded, scope by scope."""
    states = known(TradingStates.of(workspace).everything) or found.trading.halts
    return SnapshotPanel(
        id="trading_state",
        title="Trading state",
        status=OF[found.trading.status],
        summary=f"{found.trading.word}: {found.trading.why}",
        rows=[dict(msgspec.to_builtins(state)) for state in states],
    )


def _system(workspace: Workspace) -> SnapshotPanel:
    """Tell which peaktrade looks at which workspace, and that live stays locked."""
    facts = {
        "version": version("peaktrade"),
        "workspace": workspace.home.name,
        "environment": known(lambda: workspace.config.environment.name) or "unknown",
        "live": "locked by design",
    }
    return SnapshotPanel(
        id="system",
        title="System",
        status=OK,
        summary=f"peaktrade {facts['version']}; live trading is locked by design",
        rows=[facts],
    )
