"""The end of a monitoring round: what the escalation path asks for, who decided, and the pause that follows from it.

Source: operator workflow 6.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.fleet.during_session import (
    GO_ON,
    INVESTIGATE,
    PAUSE,
    REVIEW,
    Escalation,
    Watched,
    during_checks,
    escalation,
)
from peaktrade_core.halts.states import STATES, TradingStates
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.views import Views
from peaktrade_core.show.table import Table

STEP = "escalation"
_TEXT = "What does the escalation path ask for?"
_LABELS = {
    GO_ON: ("Go on", "the next round in 15 to 30 minutes", "routine"),
    INVESTIGATE: ("Investigate", "one failed: its runbook is incident_failed_session; the others go on", "routine"),
    REVIEW: ("Risk review", "drawdown above 5 %: the risk officer looks at it before the next session", "routine"),
    PAUSE: ("Pause now", "two failed in a row, or drawdown above 10 %: halt it, tell the owner", "pause"),
}


def monitoring_checks(watched: Sequence[Watched]) -> list[Check]:
    """Return the answered checklist of a monitoring round."""
    return during_checks(watched)


def path_checks(runbook: Runbook, watched: Sequence[Watched]) -> list[Check]:
    """Return whether the escalation path asks for more than going on."""
    found = escalation(Views.of(runbook.workspace), watched)
    label, meaning, _ = _LABELS[found.level]
    step = f"{label}: {meaning}."
    question = "Does nothing call for an escalation?"
    return [check("path", question, found.level == GO_ON, "; ".join(found.why), step, otherwise=WARN)]


def ask_escalation(runbook: Runbook, watched: Sequence[Watched]) -> Prompt | Table:
    """Ask what is to be done, unless there is nothing to decide; the evidence says which answer it supports."""
    found = escalation(Views.of(runbook.workspace), watched)
    if found.level == GO_ON:
        return runbook.spare(STEP, _TEXT, "Nothing to ask: no failed session and no deep drawdown.")
    options = [
        Option(
            key=key,
            label=label,
            meaning=meaning,
            status="pass" if key == GO_ON else WARN,
            supported=key == found.level,
            authority=authority,
        )
        for key, (label, meaning, authority) in _LABELS.items()
    ]
    return runbook.ask(STEP, _TEXT, options, reason=True)


def carry_out(runbook: Runbook, watched: Sequence[Watched]) -> Table:
    """Halt what the escalation is about if a pause was decided; sessions obey within a second, also after a restart.

    Raises:
        StepOpenError: a person steps through and has not decided yet.
    """
    runbook.round.require_answers()
    if not runbook.chose(STEP, PAUSE):
        return Table("Pause", (), [], empty="No pause was decided; nothing was changed.")
    found = escalation(Views.of(runbook.workspace), watched)
    return runbook.act("pause", "Pause", lambda: _pause(runbook, found))


def _pause(runbook: Runbook, found: Escalation) -> str:
    """Halt the scopes of an escalation and return what was done; what is stricter already stays so."""
    states, record = TradingStates.of(runbook.workspace), runbook.round.record
    done = []
    for scope in found.scopes:
        before = states.read(scope)
        if STATES.index(before.state) >= STATES.index("HALTED"):
            done.append(f"{scope} was {before.state} already")
            continue
        reason = f"{record.evidence_id}: {'; '.join(found.why)}"
        states.set(scope, "HALTED", by=record.operator, reason=reason, now=runbook.workspace.clock.now())
        done.append(f"{scope} is HALTED; `peaktrade risk resume --scope {scope}` once the cause is found")
    return "; ".join(done) or "there is no scope to halt"
