"""Runs: which live, which fell silent, which died; and one of them as it goes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.dashboard.panels.base import Asked, panel
from peaktrade_core.dashboard.panels.charts import Curve, draw
from peaktrade_core.dashboard.panels.session import subject
from peaktrade_core.dashboard.panels.telling import tell
from peaktrade_core.runs.run_views import ACTIVE, DIED, ENDED
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

MOST_RUNS, MOST_ENDED, CHART_BARS, TABLE_BARS, EVENTS, ALERTS = 200, 30, 500, 15, 20, 20


@panel("runs")
def _runs(workspace: Workspace, _: Asked) -> dict[str, Any]:
    """Answer: which runs are there, the active ones first?"""
    rows = Views.of(workspace).runs(limit=MOST_RUNS)
    ended = [row for row in rows if row.state in ENDED]
    return {
        "active": [row for row in rows if row.state in ACTIVE],
        "died": [row for row in rows if row.state not in (*ACTIVE, *ENDED)],
        "ended": ended[:MOST_ENDED],
        "states": Counter(row.state for row in rows),
        "capped": len(ended) > MOST_ENDED,
    }


@panel("run")
def _run(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: how does this run stand right now?"""
    row = Views.of(workspace).run(subject(asked))
    return {
        "row": row,
        "final": row.state in ENDED,
        "died": row.state == DIED,
        "currency": wording.quote_currency(row.symbol),
        "base": (row.symbol or "").partition("/")[0],
    }


@panel("run_tail")
def _tail(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what did the last bars bring?"""
    row = Views.of(workspace).run(subject(asked))
    currency = wording.quote_currency(row.symbol)
    context = {"final": row.state in ENDED, "faults": (), "currency": currency}
    try:
        bars = Views.of(workspace).tail(row.run_id, CHART_BARS)
    except ArtefactError as error:
        return {**context, "faults": (str(error),), "bars": [], "charts": []}
    charts = draw(
        [bar.ts_bar for bar in bars],
        [
            Curve("equity", [bar.equity for bar in bars], currency),
            Curve("close", [bar.close for bar in bars], currency, tone="ink"),
        ],
    )
    return {**context, "bars": bars[::-1][:TABLE_BARS], "n": len(bars), "charts": charts}


@panel("run_events")
def _run_events(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what happened last in this run?"""
    run_id = subject(asked)
    context = {"panel": "run_events", "final": Views.of(workspace).run(run_id).state in ENDED, "faults": ()}
    try:
        return {**context, "events": tell(Views.of(workspace).tail_events(run_id, EVENTS))}
    except ArtefactError as error:
        return {**context, "faults": (str(error),), "events": []}


@panel("run_alerts")
def _run_alerts(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: which alerts did this run raise?"""
    return {"alerts": Views.of(workspace).run_alerts(subject(asked), ALERTS)}
