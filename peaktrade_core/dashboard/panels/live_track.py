"""Live-Track: what runs, how the last session ended, where it all leads, and all sessions."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from typing import Any

from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.dashboard.panels.charts import Curve, draw
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.run import ENDED, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

TREND_DAYS = 30


@panel("status")
def status(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: is all well, may anything trade, what runs, what did today bring?"""
    earned: dict[str, float] = {}
    for row in earning_today(workspace):
        earned[row.currency] = earned.get(row.currency, 0.0) + (row.total_pnl or 0.0)
    return {
        "whole": asked.stands(workspace),
        "unreadable": Views.of(workspace).count(Query(status=UNREADABLE)),
        "earned": sorted(earned.items()),
    }


def earning_today(workspace: Workspace) -> list[Run]:
    """Return the sessions that began today (UTC) and have a PnL, newest first; those that go on count as they stand."""
    views = Views.of(workspace)
    midnight = views.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return [row for row in views.rows(Query(since=midnight)) if row.total_pnl is not None and not row.rehearsal]


@panel("snapshot")
def _snapshot(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: how did the latest finished session end?"""
    found = [row for status in ENDED for row in Views.of(workspace).rows(Query(status=status, limit=1))]
    return {"row": max(found, key=_ended, default=None)}


def _ended(row: Run) -> float:
    """Return when a session ended, or at least began [s since epoch]."""
    moment = row.ended_at or row.started_at
    return moment.timestamp() if moment else 0.0


@panel("trend")
def _trend(workspace: Workspace, _: Visit) -> dict[str, Any]:
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
