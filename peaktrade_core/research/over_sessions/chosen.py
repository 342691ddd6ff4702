"""Which sessions a question over many of them is about."""

from __future__ import annotations

from datetime import datetime

from peaktrade_core.base.clock import moved
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import IMPORTED
from peaktrade_core.workspace.workspace import Workspace


def ended_sessions(workspace: Workspace, days: float, **filters: str | None) -> list[Run]:
    """Return the sessions that began within the last ``days`` and have ended, oldest first; practice is left out.

    Args:
        workspace: whose; days: how far back; filters: ``mode``, ``strategy``, ``symbol``, None for all.

    Raises:
        ConfigError: the days are not a time.
    """
    if not 0.0 < days < 100_000.0:
        raise ConfigError(f"--days {days:g} must be a positive number of days")
    return sessions_between(workspace, moved(workspace.clock.now(), seconds=-86_400.0 * days), None, **filters)


def sessions_between(
    workspace: Workspace, since: datetime, until: datetime | None = None, **filters: str | None
) -> list[Run]:
    """Return the sessions that began from one time to before another and have ended, oldest first.

    Practice is left out, and what was imported, unless that mode is asked for.
    """
    last = None if until is None else moved(until, microseconds=-1)  # a query's end belongs to it
    rows = Views.of(workspace).rows(Query(since=since, until=last, **filters))  # type: ignore[arg-type] # Query's names
    wanted = filters.get("mode") == IMPORTED
    return [row for row in reversed(rows) if row.final and (row.counted or (wanted and not row.rehearsal))]
