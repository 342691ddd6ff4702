"""The control center: the status of the whole, gates, routine and new evidence, and the short text for the shift log.

Source: workflow overview, minimal daily status and operator output: time window, layers L0 to L6, gate snapshot, new
evidence yes or no; for each deviation symptom, cause and next step, and a decision.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import both, iso, local, utc
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import FAIL, PASS, WORDS, Check
from peaktrade_core.control.gates import GATE_WORDS, GateResult, gate_results
from peaktrade_core.control.layers import ESCALATE, FIX, LAYERS, MONITOR
from peaktrade_core.control.routine import TOLD, evidence_today, routine
from peaktrade_core.control.status import Whole, entry, status_lines, whole
from peaktrade_core.reports.activity import Activity, ActivityFeed
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import BY_HAND, countersignatures
from peaktrade_core.runbooks.index import SEALED, EvidenceRow
from peaktrade_core.show import wording
from peaktrade_core.show.language import spoken
from peaktrade_core.workspace.operations import NOTE
from peaktrade_core.workspace.workspace import Workspace

MOST_WRITTEN = 200  # notes and incidents of a day


class Deviation(NamedTuple):
    """Something that failed: the layer or gate, the symptom, what to do, and what is decided about it."""

    code: str
    name: str
    symptom: str
    next_step: str
    decision: str


class LayerDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What a named person decided about a layer today, as evidence by hand: ``peaktrade evidence add --about L4 …``.

    Attributes:
        code: of the layer; by, role: who; text: what; evidence_id: the record; countersigned: by whom else, in words.
    """

    code: str
    by: str
    role: str
    text: str
    evidence_id: str
    countersigned: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """It in a line."""
        seconds = f"countersigned by {', '.join(self.countersigned)}" if self.countersigned else "not countersigned"
        return f"{self.code} by {self.by} ({self.role}): {self.text} ({self.evidence_id}, {seconds})"


class ControlCenter(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands, and what is to be done today.

    Attributes:
        whole: the status; decision: what follows from it; since: begin of the time window, 00:00 UTC.
        evidence: records of the window, newest first; fault: why they cannot be read.
        written: notes and incidents of the window, newest first; decided: what people decided about layers in it.
    """

    whole: Whole
    since: str
    decision: str
    gates: list[GateResult]
    routine: list[Check]
    evidence: list[EvidenceRow]
    written: list[Activity] = []
    decided: list[LayerDecision] = []
    fault: str = ""

    @property
    def deviations(self) -> list[Deviation]:
        """What failed, layer by layer and gate by gate."""
        layers = [
            Deviation(one.code, one.name, found.told, found.next_step, one.decision)
            for one in self.whole.layers
            for found in one.findings
            if found.status == FAIL
        ]
        gates = [Deviation(one.gate, "gate", one.text, one.next_step, FIX) for one in self.gates if one.status == FAIL]
        return layers + gates

    @property
    def unwritten(self) -> list[str]:
        """The layers and gates that failed and that no note, incident or decision of the window names."""
        told = " ".join([*(one.text for one in self.written), *(one.code for one in self.decided)])
        codes = dict.fromkeys(one.code for one in self.deviations)
        return [code for code in codes if not re.search(rf"\b{re.escape(code)}\b", told)]


def control_center(workspace: Workspace, stands: Whole | None = None) -> ControlCenter:
    """Look at everything and return how it stands; what cannot be looked at says so, none raises.

    Args:
        stands: what :func:`whole` found just now, where it was asked already.
    """
    found, gates = stands or whole(workspace), gate_results(workspace)
    evidence, decided, fault = list[EvidenceRow](), list[LayerDecision](), ""
    try:
        evidence = evidence_today(workspace)
        decided = _decided(workspace, evidence)
    except PeaktradeError as error:
        fault = str(error)
    midnight = found.as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    return ControlCenter(
        whole=found,
        since=iso(midnight),
        written=ActivityFeed.of(workspace)(MOST_WRITTEN, (NOTE, "incident"), midnight),
        decision=_decision(found, gates),
        gates=gates,
        routine=routine(workspace),
        evidence=evidence,
        decided=decided,
        fault=fault,
    )


def _decided(workspace: Workspace, evidence: list[EvidenceRow]) -> list[LayerDecision]:
    """Return what was decided last about each layer, by its code."""
    book, found = EvidenceBook.of(workspace), dict[str, LayerDecision]()
    codes = {f"L{number}" for number in range(len(LAYERS))}
    for row in evidence:
        if row.runbook == BY_HAND and row.state == SEALED and row.subject in codes - set(found):
            seconds = tuple(one.told for one in countersignatures(book, row.evidence_id))
            found[row.subject] = LayerDecision(
                code=row.subject, by=row.operator, role=row.role, text=row.title, evidence_id=row.evidence_id,
                countersigned=seconds,
            )  # fmt: skip
    return [found[code] for code in sorted(found)]


def _decision(found: Whole, gates: list[GateResult]) -> str:
    """Return what follows: a failure is mended, one of governance is escalated, all else is watched."""
    if any(one.decision == ESCALATE for one in found.layers):
        return ESCALATE
    if any(one.gate == "no-live" and one.status == FAIL for one in gates):
        return ESCALATE
    return FIX if found.status == FAIL else MONITOR


def document(found: ControlCenter) -> dict[str, Any]:
    """Return the control center for programs; ``text`` of a finding is what older readers know."""
    told: dict[str, Any] = msgspec.to_builtins(found)
    status = told.pop("whole")
    for layer in status["layers"]:
        for one in layer["findings"]:
            one["text"] = msgspec.convert(one, Check).told
    times = {"as_of": iso(found.whole.as_of), "as_of_local": local(found.whole.as_of)}
    return {**status, **times, **told}


def operator_output(found: ControlCenter) -> str:
    """Return the short status text: what an operator reads, signs and pastes into the shift log."""
    status = found.whole
    first, *lines = status_lines(status)
    new = f"yes, {wording.counted([row.evidence_id for row in found.evidence], '')}"
    due = [
        f"{spoken(one.question)} {spoken(TOLD[one.status])}: {spoken(one.next_step)}"
        for one in found.routine
        if one.status != PASS
    ]
    told = [
        f"Operator output {both(status.as_of)}",
        entry("Time window", f"{utc(datetime.fromisoformat(found.since))} until now"),
        f"{first}; decision: {found.decision}",
        *lines,
        entry("Layers", " · ".join(f"{one.code} {WORDS[one.status]}" for one in status.layers)),
        *(f"  - {one.code} {one.name}: {one.decision}" for one in status.layers if one.decision != MONITOR),
        *(entry("Decided", one.told) for one in found.decided),
        entry("Gates", " · ".join(f"{one.gate} {GATE_WORDS[one.status]}" for one in found.gates)),
        entry("New evidence", found.fault or (new if found.evidence else "no")),
        entry("Routine", f"{len(due)} of {len(found.routine)} open" if due else "all done"),
        *(f"  - {line}" for line in due),
        *(line for one in found.deviations for line in _lines(one)),
        *([f"Written down {', '.join(found.unwritten)}: not yet; `peaktrade ops note`"] if found.unwritten else []),
        *(entry("Note", f"{utc(one.at)} {spoken(one.text)}") for one in found.written),
    ]
    return "\n".join(told)


def _lines(one: Deviation) -> list[str]:
    """Return symptom, cause, next step and decision of something that failed; the cause is for a person to write."""
    step = one.next_step or "to be decided"
    head = f"{one.code} {one.name}" if one.name != "gate" else f"gate {one.code}"
    return [
        head,
        f"  symptom:   {one.symptom}",
        "  cause:     ",
        f"  next step: {step}",
        f"  decision:  {one.decision}",
    ]
