"""The control center, table by table, as its notebook shows it."""

from __future__ import annotations

import html

from peaktrade_core.domain.checks import FAIL, PASS, WARN
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.control import GATE_WORDS, WORDS, ControlCenter, control_center, operator_output
from peaktrade_core.edge.gates import UNKNOWN
from peaktrade_core.edge.live_lock import lock_checks
from peaktrade_core.edge.notebook_tables import check_table
from peaktrade_core.edge.routine import TOLD
from peaktrade_core.edge.tables import BAD, GOOD, MID, Cell, Table
from peaktrade_core.services import wording
from peaktrade_core.services.audit import audit_checks
from peaktrade_core.services.evidence_index import SEALED, evidence_rows
from peaktrade_core.services.evidence_index import TOLD as RECORD_TOLD

_SIGNS = {PASS: "✓", WARN: "▲", FAIL: "✕", UNKNOWN: "?"}
_TONES = {PASS: GOOD, WARN: MID, FAIL: BAD}
_OUTCOMES = {"passed": GOOD, "warned": MID, "failed": BAD, "stopped": MID, "incomplete": MID}


class Text:
    """A text that is copied as it stands."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return f'<pre class="pt-text">{html.escape(self.text)}</pre>'

    def __repr__(self) -> str:
        return self.text


def open_control_center(workspace: Workspace) -> ControlCenter:
    """Look at everything once; the tables below show what was seen then."""
    return control_center(workspace)


def operator_text(center: ControlCenter) -> Text:
    """Return the operator output, to be copied into the shift log."""
    return Text(operator_output(center))


def layer_table(center: ControlCenter) -> Table:
    """Return the layers L0 to L6, finding by finding."""
    rows = [
        (
            f"{layer.code} {layer.name}" if not number else "",
            _mark(layer.status, WORDS) if not number else "",
            Cell(f"{_SIGNS[finding.status]} {finding.text}", code=True),
            Cell(finding.next_step, code=True),
        )
        for layer in center.layers
        for number, finding in enumerate(layer.findings)
    ]
    note = "A layer is as good as its worst finding. Unknown means that nothing is known, not that all is well."
    return Table("Layers L0 to L6", ("Layer", "Status", "Finding", "What to do"), rows, note=note)


def gate_table(center: ControlCenter) -> Table:
    """Return the seven required gates."""
    rows = [
        (gate.gate, _mark(gate.status, GATE_WORDS), gate.question, gate.text, Cell(gate.next_step, code=True))
        for gate in center.gates
    ]
    return Table("The seven gates", ("Gate", "Status", "Question", "Known from", "What to do"), rows)


def routine_table(center: ControlCenter) -> Table:
    """Return what is due today, and what of it was done."""
    rows = [
        (duty.question, _mark(duty.status, TOLD), duty.evidence, Cell(duty.next_step, code=True))
        for duty in center.routine
    ]
    return Table("Today's routine", ("Duty", "Status", "Known from", "What to do"), rows)


def evidence_index_table(workspace: Workspace, days: int = 7) -> Table:
    """Return the evidence of the last days, newest first."""
    rows = [
        (
            row.evidence_id,
            Cell(row.outcome or wording.NOTHING, _OUTCOMES.get(row.outcome, "")),
            f"{row.operator} ({row.role})" if row.operator else wording.NOTHING,
            row.subject or wording.NOTHING,
            Cell(("rehearsal, " if row.rehearsal else "") + RECORD_TOLD[row.state], "" if row.state == SEALED else MID),
        )
        for row in evidence_rows(workspace.evidence, days=days)
    ]
    empty = f"No runbook has left evidence in the last {days} days."
    return Table("Evidence", ("Id", "Outcome", "By", "About", "Record"), rows, empty=empty)


def audit_table(workspace: Workspace) -> Table:
    """Return whether the registry, the evidence, the kill switch and the incidents are as they were written."""
    return check_table(audit_checks(workspace), "Is everything as it was written?")


def lock_table(workspace: Workspace) -> Table:
    """Return each way to a live order, tried."""
    return check_table(lock_checks(workspace), "Does live stay locked?")


def _mark(status: str, words: dict[str, str]) -> Cell:
    return Cell(f"{_SIGNS[status]} {words[status]}", _TONES.get(status, ""))
