"""The control center beside its layers: the decision, the seven gates, today's routine and the evidence."""

from __future__ import annotations

from typing import Any

from peaktrade_core.base.question import FAIL, ORDER, PASS, UNKNOWN
from peaktrade_core.control.control import ControlCenter, control_center, operator_output
from peaktrade_core.control.gates import gate_results
from peaktrade_core.control.routine import routine
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import SEALED, UNFINISHED, evidence_rows
from peaktrade_core.workspace.workspace import Workspace

DAYS, MOST = 7, 20  # of evidence that the page shows: days, records


def _center(workspace: Workspace, asked: Visit) -> ControlCenter:
    """Return how everything stands and what was decided, found out when the page's first panel asks."""
    if "center" not in asked.seen:
        asked.seen["center"] = control_center(workspace, asked.stands(workspace))
    found: ControlCenter = asked.seen["center"]
    return found


@panel("control_status")
def _status(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what is decided, and what goes into the shift log?"""
    found = _center(workspace, asked)
    open_ = sum(duty.status != PASS for duty in found.routine)
    return {
        "center": found,
        "decision": found.decision.partition(" ")[0],
        "new": len(found.evidence),
        "open": open_,
        "text": operator_output(found),
    }


@panel("layers")
def _layers(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: how does each layer of the suite stand, how is that known, and what was decided about it today?"""
    center = _center(workspace, asked)
    found = center.whole.layers
    return {
        "layers": [(one, [said for said in center.decided if said.code == one.code]) for one in found],
        "counts": {status: sum(layer.status == status for layer in found) for status in ORDER},
    }


@panel("gates")
def _gates(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: which of the seven gates are known to pass?"""
    found = gate_results(workspace)
    counts = {status: sum(gate.status == status for gate in found) for status in (FAIL, UNKNOWN, PASS)}
    return {"gates": found, "counts": counts}


@panel("routine")
def _routine(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: what is due today, and what of it is done?"""
    found = routine(workspace)
    return {
        "duties": sorted(found, key=lambda duty: ORDER.index(duty.status), reverse=True),
        "done": sum(duty.status == PASS for duty in found),
    }


@panel("evidence")
def _evidence(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: what did runbooks leave lately, and is it as it was sealed?"""
    rows = evidence_rows(EvidenceBook.of(workspace), days=DAYS)
    return {
        "rows": rows[:MOST],
        "n": len(rows),
        "days": DAYS,
        "any": bool(rows) or bool(EvidenceBook.of(workspace).ids()),
        "bad": sum(row.state not in (SEALED, UNFINISHED) for row in rows),
        "is_session": lambda subject: subject.startswith(("shadow_", "testnet_")),
    }
