"""Live-Track: what runs, how the last session ended, where it all leads, and all sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from typing import Any

from peaktrade_core.control.status import whole
from peaktrade_core.dashboard.panels.base import Asked, panel
from peaktrade_core.dashboard.panels.charts import Curve, draw
from peaktrade_core.dashboard.panels.filters import LATEST, Filters, read_filters
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.run import ENDED, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

TREND_DAYS = 30
DAYS = (1, 7, 30, 90)
CHOICES = 30  # strategies or symbols in a list
FACETS = ("mode", "status", "strategy", "symbol")


class Facets:
    """How many sessions there are for each choice of a filter, under the other filters.

    Args (of the constructor):
        combinations: each combination of mode, status, strategy and symbol with how often it occurs.
        chosen: the filters.
    """

    def __init__(self, combinations: Sequence[tuple[Any, ...]], chosen: Filters) -> None:
        self._combinations = combinations
        self._wanted = tuple(getattr(chosen, name) for name in FACETS)
        self.total = sum(self._count(None).values())

    def of(self, name: str) -> dict[str, int]:
        """Return the counts of one filter's choices."""
        return self._count(FACETS.index(name))

    def commonest(self, name: str) -> list[tuple[str, int]]:
        """Return the commonest choices of one filter."""
        return sorted(self.of(name).items(), key=lambda item: (-item[1], item[0]))[:CHOICES]

    def _count(self, free: int | None) -> dict[str, int]:
        """Return the counts by the filter at place ``free``, which is left open; one count for None."""
        counts: dict[str, int] = {}
        for *values, n in self._combinations:
            fits = all(i == free or wanted in (None, values[i]) for i, wanted in enumerate(self._wanted))
            key = "" if free is None else values[free]
            if fits and key is not None:
                counts[key] = counts.get(key, 0) + n
        return counts


@panel("status")
def status(workspace: Workspace, _: Asked) -> dict[str, Any]:
    """Answer: is all well, may anything trade, what runs, what did today bring?"""
    views = Views.of(workspace)
    rows = views.rows(Query(since=views.now().replace(hour=0, minute=0, second=0, microsecond=0)))
    earned: dict[str, float] = {}
    for row in rows:
        if row.total_pnl is not None and row.status in ENDED and not row.rehearsal:
            earned[row.currency] = earned.get(row.currency, 0.0) + row.total_pnl
    return {
        "whole": whole(workspace),
        "unreadable": views.count(Query(status=UNREADABLE)),
        "earned": sorted(earned.items()),
    }


@panel("snapshot")
def _snapshot(workspace: Workspace, _: Asked) -> dict[str, Any]:
    """Answer: how did the latest finished session end?"""
    found = [row for status in ENDED for row in Views.of(workspace).rows(Query(status=status, limit=1))]
    return {"row": max(found, key=_ended, default=None)}


def _ended(row: Run) -> float:
    """Return when a session ended, or at least began [s since epoch]."""
    moment = row.ended_at or row.started_at
    return moment.timestamp() if moment else 0.0


@panel("trend")
def _trend(workspace: Workspace, _: Asked) -> dict[str, Any]:
    """Answer: where do the finished sessions of the last 30 days lead, day by day, in the commonest currency?"""
    now = Views.of(workspace).now()
    every = Views.of(workspace).daily(now - timedelta(days=TREND_DAYS))
    counts: dict[str, int] = {}
    for day in every:
        counts[day.currency] = counts.get(day.currency, 0) + day.sessions
    currency = max(counts, key=lambda name: counts[name], default="")
    days = [day for day in every if day.currency == currency]
    sums = list(accumulate((day.total_pnl for day in days), initial=0.0))
    begins = [datetime.combine(day.day, time(), UTC) for day in days]
    moments = [
        *begins[:1],
        *(min(begin + timedelta(days=1), now) for begin in begins),
    ]  # from nothing to each day's end
    falls = [0.0, *(-100.0 * (day.max_drawdown or 0.0) for day in days)]
    curves = [
        Curve("total_pnl", sums, currency, filled=True),
        Curve("worst_drawdown", falls, "%", tone="red", filled=True),
    ]
    charts = draw(moments, curves) if days else []
    return {
        "n": sum(day.sessions for day in days),
        "others": sum(counts.values()) - counts.get(currency, 0),
        "currency": currency,
        "charts": charts,
        "total": sums[-1],
        "best": max(days, key=lambda day: day.total_pnl, default=None),
        "worst": min(days, key=lambda day: day.total_pnl, default=None),
    }


@panel("sessions")
def _sessions(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: which sessions are there, under the filters of the URL?"""
    chosen = read_filters(asked.query)
    views = Views.of(workspace)
    query = chosen.query(views.now())
    rows = views.rows(query)
    facets = Facets(Registry.of(workspace).combinations(Query(since=query.since)), chosen)
    total = facets.total
    return {
        "rows": rows,
        "total": total,
        "chosen": chosen,
        "latest": LATEST,
        "modes": facets.of("mode"),
        "statuses": facets.of("status"),
        "strategies": facets.commonest("strategy"),
        "symbols": facets.commonest("symbol"),
        "days": DAYS,
        "any": bool(rows or views.rows(Query(limit=1))),
        "newer": None if chosen.offset == 0 else chosen.link(offset=max(0, chosen.offset - chosen.limit)),
        "older": chosen.link(offset=chosen.offset + chosen.limit) if chosen.offset + len(rows) < total else None,
        "whole": Filters().link(),
    }
