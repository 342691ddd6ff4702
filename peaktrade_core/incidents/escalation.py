"""The end of a monitoring round: what the escalation path asks for, who decided, and the pause that follows from it.

The path is that of the alert rules: what they find about the runs that are watched, and what failed lately.

Source: operator workflow 6.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from peaktrade_core.alerts.alerts import CRITICAL
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.facts import Finding
from peaktrade_core.alerts.rules import AnyRule, Drawdown, FailedInRow, FailedSession
from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.fleet.during_session import Watched, during_checks
from peaktrade_core.halts.scope import STATES
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

GO_ON, INVESTIGATE, REVIEW, PAUSE = "go_on", "investigate", "review", "pause"
LEVELS = (GO_ON, INVESTIGATE, REVIEW, PAUSE)
STEP = "escalation"
_TEXT = "What does the escalation path ask for?"
_LABELS = {
    GO_ON: ("Go on", "the next round in 15 to 30 minutes", "routine"),
    INVESTIGATE: ("Investigate", "one failed: its runbook is incident_failed_session; the others go on", "routine"),
    REVIEW: ("Risk review", "a deep drawdown: the risk officer looks at it before the next session", "routine"),
    PAUSE: ("Pause now", "several failed in a row, or a drawdown that is critical: halt it, tell the owner", "pause"),
}


class Escalation(NamedTuple):
    """What the escalation path asks for: one of :data:`LEVELS`, why, and the trading scopes that it is about."""

    level: str
    why: tuple[str, ...]
    scopes: tuple[str, ...] = ()


def escalation(workspace: Workspace, watched: Sequence[Watched]) -> Escalation:
    """Return what the workspace's alert rules about failed sessions and drawdowns ask for now.

    One failed: investigate; several in a row of a mode, strategy and symbol: pause; a drawdown that is a warning: risk
    review; one that is critical: pause at once.

    Raises:
        ConfigError: the rules are not sound.

    Source: operator workflow 6.3.
    """
    alerts = Alerts.of(workspace)
    asked = alerts.ask(FailedSession, FailedInRow) + alerts.ask(Drawdown, rows=[one.row for one in watched])
    found = [(_level(rule, finding), finding) for rule, finding in asked]
    level = max((level for level, _ in found), key=LEVELS.index, default=GO_ON)
    why = tuple(dict.fromkeys(f"{one.run_id}: {one.message}" for _, one in found))
    scopes = dict.fromkeys(scope for its, one in found if its == level for scope in one.scopes)
    return Escalation(level, why or ("no failed session in 24 hours, no deep drawdown",), tuple(scopes))


def _level(rule: AnyRule, finding: Finding) -> str:
    match rule:
        case FailedSession():
            return INVESTIGATE
        case Drawdown():
            return PAUSE if finding.severity == CRITICAL else REVIEW
    return PAUSE


def monitoring_checks(watched: Sequence[Watched]) -> list[Check]:
    """Return the answered checklist of a monitoring round."""
    return during_checks(watched)


def path_checks(runbook: Runbook, watched: Sequence[Watched]) -> list[Check]:
    """Return whether the escalation path asks for more than going on."""
    found = escalation(runbook.workspace, watched)
    label, meaning, _ = _LABELS[found.level]
    step = f"{label}: {meaning}."
    question = "Does nothing call for an escalation?"
    return [check("path", question, found.level == GO_ON, "; ".join(found.why), step, otherwise=WARN)]


def ask_escalation(runbook: Runbook, watched: Sequence[Watched]) -> Prompt | Table:
    """Ask what is to be done, unless there is nothing to decide; the evidence says which answer it supports."""
    found = escalation(runbook.workspace, watched)
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
    found = escalation(runbook.workspace, watched)
    return runbook.act("pause", "Pause", lambda: _pause(runbook, found))


def _pause(runbook: Runbook, found: Escalation) -> str:
    """Halt the scopes of an escalation and return what was done; what is stricter already stays so."""
    states, record = TradingStates.of(runbook.workspace), runbook.round.record
    done = []
    for scope in found.scopes:
        before = states.read(scope)
        if before.level >= STATES.index("HALTED"):
            done.append(f"{scope} was {before.state} already")
            continue
        reason = f"{record.evidence_id}: {'; '.join(found.why)}"
        states.set(scope, "HALTED", by=record.operator, reason=reason, now=runbook.workspace.clock.now())
        done.append(f"{scope} is HALTED; `peaktrade risk resume --scope {scope}` once the cause is found")
    return "; ".join(done) or "there is no scope to halt"
