"""The control center: layers, gates, routine and new evidence in one value, and the short status text for the shift log.

Source: workflow overview, minimal daily status and operator output: time window, layers L0 to L6, gate snapshot, new
evidence yes or no; for each deviation symptom, cause and next step, and a decision.
"""

from __future__ import annotations

import msgspec

from peaktrade_core.base.question import FAIL, PASS, WARN, Check
from peaktrade_core.base.clock import iso, local
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.control.gates import UNKNOWN, GateResult, gate_results
from peaktrade_core.control.layers import ORDER, Finding, layers
from peaktrade_core.control.routine import TOLD, evidence_today, routine
from peaktrade_core.runbooks.index import EvidenceRow
from peaktrade_core.workspace.workspace import Workspace

WORDS = {PASS: "OK", WARN: "WARN", FAIL: "FAIL", UNKNOWN: "UNKNOWN"}
GATE_WORDS = {PASS: "PASS", FAIL: "FAIL", UNKNOWN: "UNKNOWN"}
MONITOR, FIX, ESCALATE = "monitor", "fix required", "escalate to the owner"
GOVERNANCE = "L4"  # a failure there is no matter of the shift alone


class LayerState(msgspec.Struct, frozen=True, kw_only=True):
    """A layer as programs read it."""

    code: str
    name: str
    status: str
    findings: tuple[Finding, ...]


class ControlCenter(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands.

    Attributes:
        as_of, as_of_local: UTC and Europe/Berlin; since: begin of the time window, 00:00 UTC.
        status: the worst of layers and gates, ``unknown`` before ``pass``; decision: what follows from it.
        evidence: records of the window, newest first; fault: why they cannot be read.
    """

    as_of: str
    as_of_local: str
    since: str
    status: str
    decision: str
    layers: list[LayerState]
    gates: list[GateResult]
    routine: list[Check]
    evidence: list[EvidenceRow]
    fault: str = ""


def control_center(workspace: Workspace) -> ControlCenter:
    """Look at everything and return how it stands; what cannot be looked at says so, none raises."""
    now = workspace.clock.now()
    states = [
        LayerState(code=one.code, name=one.name, status=one.status, findings=one.findings) for one in layers(workspace)
    ]
    gates = gate_results(workspace)
    evidence, fault = list[EvidenceRow](), ""
    try:
        evidence = evidence_today(workspace)
    except PeaktradeError as error:
        fault = str(error)
    return ControlCenter(
        as_of=iso(now),
        as_of_local=local(now),
        since=iso(now.replace(hour=0, minute=0, second=0, microsecond=0)),
        status=_status([*(one.status for one in states), *(one.status for one in gates)]),
        decision=_decision(states, gates),
        layers=states,
        gates=gates,
        routine=routine(workspace),
        evidence=evidence,
        fault=fault,
    )


def _status(found: list[str]) -> str:
    """Return the worst; where nothing is wrong but something unknown, that is not good either."""
    worst = max(found, key=ORDER.index)
    return UNKNOWN if worst == PASS and UNKNOWN in found else worst


def _decision(states: list[LayerState], gates: list[GateResult]) -> str:
    """Return what follows: a failure is mended, one of governance is escalated, all else is watched."""
    if any(one.code == GOVERNANCE and one.status == FAIL for one in states):
        return ESCALATE
    if any(one.gate == "no-live" and one.status == FAIL for one in gates):
        return ESCALATE
    failed = FAIL in {*(one.status for one in states), *(one.status for one in gates)}
    return FIX if failed else MONITOR


def operator_output(found: ControlCenter) -> str:
    """Return the short status text: what an operator reads, signs and pastes into the shift log."""
    new = f"yes, {len(found.evidence)}: {', '.join(row.evidence_id for row in found.evidence[:3])}"
    due = [f"{one.question} {TOLD[one.status]}: {one.next_step}" for one in found.routine if one.status != PASS]
    lines = [
        f"Operator output {found.as_of} ({found.as_of_local} in Berlin)",
        f"Time window  {found.since} until now",
        f"Status       {WORDS[found.status]}; decision: {found.decision}",
        "Layers       " + " · ".join(f"{one.code} {WORDS[one.status]}" for one in found.layers),
        "Gates        " + " · ".join(f"{one.gate} {GATE_WORDS[one.status]}" for one in found.gates),
        "New evidence " + (found.fault or (new if found.evidence else "no")),
        "Routine      " + (f"{len(due)} of {len(found.routine)} open" if due else "all done"),
        *(f"  - {line}" for line in due),
        *_deviations(found),
    ]
    return "\n".join(lines)


def _deviations(found: ControlCenter) -> list[str]:
    """Return symptom, cause and next step of everything that failed; the cause is for a person to write."""
    failed = [
        (f"{one.code} {one.name}", each.text, each.next_step)
        for one in found.layers
        for each in one.findings
        if each.status == FAIL
    ]
    failed += [(f"gate {one.gate}", one.text, one.next_step) for one in found.gates if one.status == FAIL]
    lines = []
    for where, symptom, step in failed:
        lines += [f"{where}", f"  symptom:   {symptom}", "  cause:     ", f"  next step: {step or 'to be decided'}"]
    return lines
