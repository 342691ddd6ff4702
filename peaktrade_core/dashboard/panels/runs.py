"""One run as it goes."""

from __future__ import annotations

from typing import Any

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.dashboard.panels.base import Visit, halts_of, panel
from peaktrade_core.dashboard.panels.charts import Curve, draw
from peaktrade_core.runs.telling import tell
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.events import BarDone
from peaktrade_core.workspace.workspace import Workspace

CHART_BARS, TABLE_BARS, EVENTS, ALERTS = 500, 15, 20, 20
LOOKED_AT = 1000  # of the last events, most of which are bars


@panel("run")
def _run(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: how does this run stand right now?"""
    run = asked.look(workspace).run
    return {"row": run, "base": (run.symbol or "").partition("/")[0], "halts": halts_of(workspace, asked, run)}


@panel("run_tail")
def _tail(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what did the last bars bring?"""
    run = asked.look(workspace).run
    context = {"final": run.final, "faults": (), "currency": run.currency}
    try:
        bars = Views.of(workspace).tail(run.run_id, CHART_BARS)
    except ArtefactError as error:
        return {**context, "faults": (str(error),), "bars": [], "charts": []}
    charts = draw(
        [bar.ts_bar for bar in bars],
        [
            Curve("equity", [bar.equity for bar in bars], run.currency),
            Curve("close", [bar.close for bar in bars], run.currency, tone="ink"),
        ],
    )
    return {**context, "bars": bars[::-1][:TABLE_BARS], "n": len(bars), "charts": charts}


@panel("run_events")
def _run_events(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what happened last in this run, beside its bars?"""
    run = asked.look(workspace).run
    context = {"panel": "run_events", "final": run.final, "faults": ()}
    try:
        last = Views.of(workspace).tail_events(run.run_id, LOOKED_AT)
        return {**context, "events": tell([event for event in last if type(event) is not BarDone][-EVENTS:])}
    except ArtefactError as error:
        return {**context, "faults": (str(error),), "events": []}


@panel("run_alerts")
def _run_alerts(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: which alerts did this run raise?"""
    return {"alerts": Views.of(workspace).run_alerts(asked.look(workspace).run_id, ALERTS)}
