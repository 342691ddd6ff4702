"""The first page: what runs now and how close it is to its limits, what waits for a person, and what today brought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from peaktrade_core.control.todo import what_needs_doing
from peaktrade_core.dashboard.panels.base import Visit, halts_of, panel
from peaktrade_core.dashboard.panels.charts import Curve, draw
from peaktrade_core.dashboard.panels.live_track import earning_today
from peaktrade_core.runs.card import card_of
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

CARDS, TODOS = 12, 6


@panel("now")
def _now(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what runs now, how does it stand, how close is it to a limit, and what died?"""
    views = Views.of(workspace)
    runs = [run for run in views.runs(limit=200) if not run.final]
    shown = [run for run in runs if run.active] + [run for run in runs if not run.active]
    cards = [(card_of(views, run), halts_of(workspace, asked, run)) for run in shown[:CARDS]]
    return {"cards": cards, "more": max(0, len(shown) - CARDS)}


@panel("todo")
def _todo(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: what waits for a person now, the worst first, and what is the next step?"""
    found = what_needs_doing(workspace)
    return {"rows": found[:TODOS], "more": max(0, len(found) - TODOS)}


@panel("today")
def _today(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: how did the PnL of today's sessions add up, in the commonest currency, and what goes on?"""
    now, rows = Views.of(workspace).now(), earning_today(workspace)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.currency] = counts.get(row.currency, 0) + 1
    currency = max(counts, key=lambda name: counts[name], default="")
    steps = sorted((row.ended_at or now, row.total_pnl or 0.0) for row in rows if row.currency == currency)
    return {
        "charts": _steps(min((row.started_at for row in rows if row.started_at), default=now), steps, now, currency),
        "currency": currency,
        "total": sum(pnl for _, pnl in steps),
        "n": len(steps),
        "going": sum(row.active for row in rows),
        "others": len(rows) - len(steps),
    }


def _steps(first: datetime, steps: Sequence[tuple[datetime, float]], now: datetime, currency: str) -> list[Any]:
    """Return the chart of a sum that grows at each session's end, from the first start until now; none without a session."""
    if not steps:
        return []
    moments, sums = [first], [0.0]
    for at, pnl in steps:
        moments.append(max(at, moments[-1]))
        sums.append(sums[-1] + pnl)
    if now > moments[-1]:
        moments, sums = [*moments, now], [*sums, sums[-1]]
    return draw(moments, [Curve("today", sums, currency, step=True, filled=True)])
