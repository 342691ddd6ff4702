"""Alerts: what is open and who has it, what silences hold, and what was."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from peaktrade_core.alerts.causes import causes
from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.incidents.book import UNCLOSED, IncidentBook
from peaktrade_core.workspace.workspace import Workspace

SEVERITIES = ("critical", "warning", "info")
HISTORY = 100
SHOWN = 4  # alerts of a cause that are not folded away


def _severity(query: str) -> str | None:
    """Return the severity that a query string asks for.

    Raises:
        UnknownNameError: there is no such severity.
    """
    given = parse_qs(query).get("severity", [None])[-1]
    if given is not None and given not in SEVERITIES:
        raise UnknownNameError("severity", given, SEVERITIES)
    return given


@panel("alerts_open")
def _open(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what is wrong now, by cause and the worst first, and who takes care of it?"""
    severity = _severity(asked.query)
    every = Alerts.of(workspace).rows(state=OPEN)
    counts = {name: sum(row.severity == name for row in every) for name in SEVERITIES}
    free = sum(row.free for row in every)
    incidents = IncidentBook.of(workspace).rows(status=UNCLOSED, drills=False)
    return {
        "causes": causes(workspace, [row for row in every if severity in (None, row.severity)]),
        "counts": counts,
        "severity": severity,
        "n": len(every),
        "free": free,
        "watcher": watch_of(workspace).status,
        "incidents": incidents,
        "incident_of": {about: row.incident_id for row in incidents for about in (row.subject, *row.alerts) if about},
        "shown": SHOWN,
    }


@panel("alerts_history")
def _history(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: which alerts were there, and how long did each last?"""
    severity = _severity(asked.query)
    rows = [row for row in Alerts.of(workspace).rows(state="cleared") if severity in (None, row.severity)]
    return {"rows": rows[:HISTORY], "n": len(rows), "silences": Alerts.of(workspace).silences()}
