"""The control center as its notebook shows it: the status text, tables, and checks that go into the evidence."""

from __future__ import annotations

import html
from importlib import metadata

from peaktrade_core.base.checkout import git_commit, git_tag
from peaktrade_core.base.question import FAIL, PASS, WARN, WORDS, Check, Status, check, worst
from peaktrade_core.base.resources import share_dir
from peaktrade_core.control.audit.checks import audit_checks
from peaktrade_core.control.control import ControlCenter, control_center, operator_output
from peaktrade_core.control.gates import GATE_WORDS, commits, gate_results
from peaktrade_core.control.layers import FIX, MONITOR
from peaktrade_core.control.live_lock import lock_checks
from peaktrade_core.control.status import SIGNS, whole
from peaktrade_core.control.status_report import status_cover
from peaktrade_core.control.todo import NOTHING_WAITS, TODO, what_needs_doing
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import EVIDENCE, evidence_rows
from peaktrade_core.runs.run import verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.views import Views
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.show import wording
from peaktrade_core.show.cover import Cover
from peaktrade_core.show.table import TONE_OF, Cell, Table
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.workspace import Workspace


class CopiedText:
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


def status_at_a_glance(workspace: Workspace, center: ControlCenter) -> Cover:
    """Return the cover of the status: the status of the whole, today's course, and what needs a person."""
    return status_cover(workspace, center.whole)


def operator_text(center: ControlCenter) -> CopiedText:
    """Return the operator output, to be copied into the shift log."""
    return CopiedText(operator_output(center))


def layer_table(center: ControlCenter) -> Table:
    """Return the layers L0 to L6, answer by answer."""
    rows = [
        (
            f"{layer.code} {layer.name}" if not number else "",
            Cell(f"{SIGNS[layer.status]} {WORDS[layer.status]}", TONE_OF[layer.status]) if not number else "",
            Cell(f"{SIGNS[one.status]} {one.told}", code=True),
            Cell(one.next_step, code=True),
            layer.decision if not number else "",
        )
        for layer in center.whole.layers
        for number, one in enumerate(layer.findings)
    ]
    note = "A layer is as good as its worst finding. Unknown means that nothing is known, not that all is well."
    return Table("Layers L0 to L6", ("Layer", "Status", "Finding", "What to do", "Decision"), rows, note=note)


def evidence_index_table(workspace: Workspace, days: int = 7) -> Table:
    """Return the evidence of the last days, newest first."""
    empty = f"No runbook has left evidence in the last {days} days."
    rows = evidence_rows(EvidenceBook.of(workspace), days=days)
    return EVIDENCE.table("Evidence", rows, "id outcome by about record", empty=empty)


_STANDS = {  # by part of the whole
    "trading": "How does trading stand?",
    "risk": "How does the risk stand?",
    "alerts": "How do the alerts stand?",
    "runs": "How do the runs stand?",
}


def status_answers(center: ControlCenter) -> list[Check]:
    """Return what is decided, how the parts of the whole stand, and whether there is new evidence."""
    decided: Status = PASS if center.decision == MONITOR else WARN if center.decision == FIX else FAIL
    new = f"yes: {', '.join(row.evidence_id for row in center.evidence[:5])}" if center.evidence else "no"
    steps = {PASS: "", WARN: "Mend it before the next session.", FAIL: "Tell the owner now."}
    parts = [
        Check(
            id=part.name,
            question=_STANDS[part.name],
            status=part.status,
            evidence=f"{part.word}: {part.why}",
            next_step=part.next_step,
        )
        for part in center.whole.parts
    ]
    return [
        Check(
            id="decision",
            question="What is decided?",
            status=decided,
            evidence=center.decision,
            next_step=steps[decided],
        ),
        *parts,
        check(
            "noted",
            "Is each layer and gate that failed written down today, with its time?",
            not center.unwritten,
            f"not named in a note or incident: {', '.join(center.unwritten)}"
            if center.unwritten
            else f"{wording.many(len(center.written), 'note')} and incidents; whether they say enough is for a person to read"
            if center.deviations
            else "nothing failed",
            "`peaktrade ops note 'L4: symptom, cause, next step' --by NAME`, or open an incident.",
            otherwise=WARN,
        ),
        check("new_evidence", "Is there new evidence today?", not center.fault, center.fault or new, "Run the audit."),
    ]


def layer_answers(center: ControlCenter) -> list[Check]:
    """Return the layer matrix as checks: all in one line, then each."""
    layers = center.whole.layers
    every = " · ".join(f"{layer.code} {WORDS[layer.status]}" for layer in layers)
    found = [
        Check(
            id=layer.code,
            question=f"Does {layer.code} stand: {layer.name}?",
            status=layer.status,
            evidence="; ".join(one.told for one in layer.findings if one.status == layer.status),
            next_step=next((one.next_step for one in layer.findings if one.status == layer.status), ""),
        )
        for layer in layers
    ]
    return [_summary("matrix", "Do the layers L0 to L6 stand?", every, found), *found]


def gate_answers(center: ControlCenter) -> list[Check]:
    """Return the seven gates as checks: all in one line, then each."""
    every = " · ".join(f"{gate.gate} {GATE_WORDS[gate.status]}" for gate in center.gates)
    found = [
        Check(
            id=gate.gate,
            question=f"{gate.gate}: {gate.question}",
            status=gate.status,
            evidence=f"{GATE_WORDS[gate.status]}: {gate.text}",
            next_step=gate.next_step,
        )
        for gate in center.gates
    ]
    return [_summary("snapshot", "Is every required gate known to pass?", every, found), commits(center.gates), *found]


def _summary(id: str, question: str, told: str, found: list[Check]) -> Check:
    """Return one check over others."""
    status = worst(found)
    step = "" if status == PASS else "See below."
    return Check(id=id, question=question, status=status, evidence=told, next_step=step)


def routine_answers(center: ControlCenter) -> list[Check]:
    """Return what is due today, and what of it was done."""
    return center.routine


def audit_answers(workspace: Workspace) -> list[Check]:
    """Return whether the registry, the evidence, the kill switch and the incidents are as they were written."""
    return audit_checks(workspace)


def lock_answers(workspace: Workspace) -> list[Check]:
    """Return each way to a live order, tried."""
    return lock_checks(workspace)


def workspace_state(workspace: Workspace) -> Table:
    """Return how things stand: the status of the whole, the sessions, what is configured."""
    found, views, session = whole(workspace), Views.of(workspace), workspace.config.session
    stats, latest = views.stats(), views.latest()
    counted = ", ".join(f"{n} {status}" for status, n in stats.by_status.items())
    newest = (
        f"{latest.session_id} {verdict_of(run_of(latest))}" if latest else "none: the runbook session_run starts one"
    )
    rows = [
        ("Status", Cell(f"{SIGNS[found.status]} {found.word}: {found.why}", TONE_OF[found.status])),
        *(
            (part.name.capitalize(), Cell(f"{SIGNS[part.status]} {part.word}: {part.why}", TONE_OF[part.status]))
            for part in found.parts
        ),
        ("Sessions", f"{stats.total_sessions}" + (f" ({counted})" if counted else ", none yet")),
        ("Latest", newest),
        *_version(workspace),
        ("Live", Cell("✓ locked by design", TONE_OF["ACTIVE"])),
        ("Default session", f"{session.strategy} on {session.symbol} {session.timeframe}, feed {session.feed}"),
    ]
    return Table("This workspace", ("", ""), rows)


def todo_table(workspace: Workspace) -> Table:
    """Return what waits for a person now, the worst first, each with a link that opens its runbook filled in."""
    found = what_needs_doing(workspace)
    note = f"As of {wording.moment(workspace.clock.now())} UTC. Run this cell again to look again." if found else ""
    return TODO.table("What needs doing", found, "status kind age what runbook step", note=note, empty=NOTHING_WAITS)


def _version(workspace: Workspace) -> list[tuple[str, str]]:
    """Return version and tag, how the gates stand, and which strategies are of which tier."""
    tiers, log = dict[str, list[str]](), Promotions(workspace)
    for one in all_strategies():
        tiers.setdefault(log.tier(one), []).append(one.name)
    told = "; ".join(f"{tier}: {', '.join(sorted(names))}" for tier, names in sorted(tiers.items()))
    version, ci = metadata.version("peaktrade"), "not looked at: this is a rehearsal"
    if not workspace.rehearsal:  # in a rehearsal the same on every machine and commit
        commit, tag = git_commit(share_dir()), git_tag(share_dir())
        version += f", commit {commit[:10]}, {f'tag {tag}' if tag else 'no tag'}" if commit else ", no checkout"
        ci = " · ".join(f"{one.gate} {GATE_WORDS[one.status]}" for one in gate_results(workspace))
    return [("Version", version), ("Gates (CI)", ci), ("Strategy tiers", told)]
