"""The status snapshot: how everything stands, in panels sorted by id. The same state gives the same bytes.

Nothing in it depends on the time of asking but ``generated_at``: a running session has a start, no duration. A panel
that cannot be made says so and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from typing import Any

import msgspec

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.run import Run, item_of, timeless
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

SCHEMA = "peaktrade.status_snapshot.v1"
OK, WARN, FAIL, EMPTY = "ok", "warn", "fail", "empty"
MOST_ROWS = 20
GOING_ON = ("running", "silent", "died")


class SnapshotPanel(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its answer.

    Attributes:
        status: ``ok``, ``warn``, ``fail``, or ``empty`` when there is nothing to tell yet.
        summary: the answer in a sentence.
        rows: its figures, all with the same names.
    """

    id: str
    title: str
    status: str
    summary: str
    rows: list[dict[str, Any]] = []


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands; ``status`` is the worst of the panels."""

    schema: str
    generated_at: datetime
    status: str
    panels: list[SnapshotPanel]


Maker = Callable[[Workspace], SnapshotPanel]


def take(workspace: Workspace) -> Snapshot:
    """Return the snapshot of this moment."""
    panels = sorted((_made(name, title, make, workspace) for name, title, make in MAKERS), key=lambda panel: panel.id)
    worst = max((panel.status for panel in panels), key=(EMPTY, OK, WARN, FAIL).index)
    return Snapshot(schema=SCHEMA, generated_at=Views.of(workspace).now(), status=worst, panels=panels)


def _made(name: str, title: str, make: Maker, workspace: Workspace) -> SnapshotPanel:
    """Return a panel; its failure becomes its content."""
    try:
        return make(workspace)
    except (PeaktradeError, OSError, ValueError) as error:
        return SnapshotPanel(id=name, title=title, status=FAIL, summary=f"cannot be read: {error}")


def _sessions(workspace: Workspace) -> SnapshotPanel:
    """Tell how the latest sessions ended, and whether any file cannot be read."""
    stats, rows = Views.of(workspace).stats(), Views.of(workspace).rows(Query(limit=MOST_ROWS))
    broken = stats.by_status.get(UNREADABLE, 0)
    counts = ", ".join(f"{n} {status}" for status, n in sorted(stats.by_status.items()))
    status = EMPTY if not rows else WARN if broken or rows[0].status == "failed" else OK
    return SnapshotPanel(
        id="sessions",
        title="Sessions",
        status=status,
        summary=f"{stats.total_sessions} sessions: {counts}" if rows else "no session yet: `peaktrade session run`",
        rows=[_item(row) for row in rows],
    )


def _runs(workspace: Workspace) -> SnapshotPanel:
    """Tell what runs, and what should but does not."""
    rows = [row for row in Views.of(workspace).runs(500) if row.state in GOING_ON]
    counts = {state: sum(row.state == state for row in rows) for state in GOING_ON}
    status = FAIL if counts["died"] else WARN if counts["silent"] else OK if rows else EMPTY
    return SnapshotPanel(
        id="runs",
        title="Runs",
        status=status,
        summary=", ".join(f"{n} {state}" for state, n in counts.items() if n) or "nothing runs",
        rows=[_item(row) for row in rows],
    )


def _item(run: Run) -> dict[str, Any]:
    """Return a run's figures without those that depend on the time of asking."""
    return dict(msgspec.to_builtins(timeless(item_of(run))))


def _alerts(workspace: Workspace) -> SnapshotPanel:
    """Tell which alerts are open."""
    rows = Alerts.of(workspace).rows(state="raised")
    critical = sum(row.severity == "critical" for row in rows)
    return SnapshotPanel(
        id="alerts",
        title="Alerts",
        status=FAIL if critical else WARN if rows else OK,
        summary=f"{len(rows)} open, {critical} of them critical" if rows else "none is open",
        rows=[dict(msgspec.to_builtins(row)) for row in rows[:MOST_ROWS]],
    )


def _trading(workspace: Workspace) -> SnapshotPanel:
    """Tell what may be traded."""
    states = TradingStates.of(workspace)
    worst = states.worst()
    why = f": {worst.reason} ({worst.scope}, by {worst.by})" if worst.reason else ""
    return SnapshotPanel(
        id="trading_state",
        title="Trading state",
        status=OK if worst.state == "ACTIVE" else FAIL if worst.state == "NO_ORDERS" else WARN,
        summary=f"{worst.state}{why}",
        rows=[dict(msgspec.to_builtins(state)) for state in states.everything()],
    )


def _system(workspace: Workspace) -> SnapshotPanel:
    """Tell which peaktrade looks at which workspace, and that live stays locked."""
    facts = {
        "version": version("peaktrade"),
        "workspace": workspace.home.name,
        "environment": workspace.config.environment.name,
        "live": "locked by design",
    }
    return SnapshotPanel(
        id="system",
        title="System",
        status=OK,
        summary=f"peaktrade {facts['version']}; live trading is locked by design",
        rows=[facts],
    )


MAKERS: tuple[tuple[str, str, Maker], ...] = (
    ("alerts", "Alerts", _alerts),
    ("runs", "Runs", _runs),
    ("sessions", "Sessions", _sessions),
    ("system", "System", _system),
    ("trading_state", "Trading state", _trading),
)
