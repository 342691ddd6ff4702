"""The wall screen: few figures, large enough to be read from across the room."""

from __future__ import annotations

from typing import Any

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.dashboard.panels.alerts import urgency
from peaktrade_core.dashboard.panels.base import Asked, panel
from peaktrade_core.dashboard.panels.live_track import status
from peaktrade_core.runs.run import ACTIVE, ENDED
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

RUNS, ALERTS, LATEST = 8, 4, 6


@panel("wall")
def _wall(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer, from four metres away: is all well, what runs, what did today bring?"""
    runs = Views.of(workspace).runs(limit=200)
    active = [row for row in runs if row.state in ACTIVE]
    alerts = sorted(Alerts.of(workspace).rows(state="raised"), key=urgency)
    return {
        **status(workspace, asked),
        "latest": [row for row in runs if row.state in ENDED][:LATEST],
        "runs": active[:RUNS],
        "open_alerts": alerts[:ALERTS],
        "more_runs": max(0, len(active) - RUNS),
        "more_alerts": max(0, len(alerts) - ALERTS),
    }
