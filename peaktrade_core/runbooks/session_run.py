"""A session as steps of a runbook: decide, run it once, look at what came out. Where it was not started, each step says so.

Without a person, a session starts when every answer before it is good, or when the parameter ``answers`` says so: silence
is never consent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check, worst
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.notebook import Session, open_session, run_planned_session
from peaktrade_core.runbooks.notebook_tables import (
    answers_table,
    evidence_table,
    links,
    session_checks,
    session_files,
    session_summary,
)
from peaktrade_core.runbooks.steps import Finished, Prompt, Runbook
from peaktrade_core.session.session import Plan
from peaktrade_core.show.table import Table
from peaktrade_core.trading import events as jn

NOT_STARTED = "No session was started, so there is nothing to see here."
_START, _RUN = "start", "run"


def ask_to_start(runbook: Runbook, *steps: str) -> Prompt | Table:
    """Ask whether to start, unless every answer of the named steps is good.

    Args:
        runbook: which; steps: ids of its steps of checks.
    """
    found = _answers(runbook, steps)
    status = worst(found)
    if status == PASS and found:
        return runbook.spare(_START, "Start it?", f"Nothing to decide: all {len(found)} answers are good.")
    odd = sum(one.status != PASS for one in found)
    stay = Option(
        key="no", label="Do not start", meaning="nothing runs; mend it first", stops=True, supported=status == FAIL
    )
    if status == FAIL:
        return runbook.ask(_START, f"{odd} of {len(found)} answers are not ✓, and a ✕ forbids the start.", (stay,))
    go = Option(key="yes", label="Start it", meaning="say why in the reason", status=WARN, supported=True)
    return runbook.ask(_START, f"{odd} of {len(found)} answers are ▲. Start it all the same?", (go, stay), reason=True)


class SessionStep:
    """A session that a runbook has run, or has not because nobody decided to.

    Attributes:
        runbook: of which it is a step; session: None where none was started.
    """

    def __init__(self, runbook: Runbook, session: Session | None) -> None:
        self.runbook, self.session = runbook, session

    def __repr__(self) -> str:
        return repr(self.session) if self.session else "not started"

    def summary(self) -> Table:
        """Return the session's figures."""
        return session_summary(self.session) if self.session else _nothing("What came out")

    def answers(self) -> Table:
        """Return what the venue said to each order."""
        return answers_table(self.session) if self.session else _nothing("The venue's answers")

    def check_expected(self) -> Table:
        """Record whether the session did what a session does: began, signalled, was held to its limits, was answered."""
        if self.session is None:
            return _nothing("Did it do what it should?")
        return self.runbook.check("expected", "Did it do what it should?", expected_checks(self.session))

    def check_order(self) -> Table:
        """Record the post-session checklist."""
        if self.session is None:
            return _nothing("Is it in order?")
        return self.runbook.check("order", "Is it in order?", session_checks(self.session))

    def files(self) -> Table:
        """Return the files that it left."""
        return evidence_table(self.session) if self.session else _nothing("Evidence")

    def finish(self, *more: Path) -> Finished:
        """End the runbook with the session's files as its artefacts."""
        return self.runbook.finish(*(session_files(self.session) if self.session else ()), *more)

    def links(self, *names: str) -> Table:
        """Return where to go on."""
        return links(*names, session=self.session)


def run_session_step(runbook: Runbook, plan: Plan) -> SessionStep:
    """Run a planned session as a step, once; a runbook that is taken up again shows the session that it has run.

    Raises:
        StepOpenError: a person steps through and has not decided yet.
    """
    runbook.round.require_answers(_RUN)
    if not _may_start(runbook):
        return SessionStep(runbook, None)

    def run() -> str:
        session = run_planned_session(runbook.workspace, plan)
        return f"{session.id} {session.record.status}"

    step = runbook.round.act(_RUN, "Run the session", run)
    return SessionStep(runbook, open_session(runbook.workspace, step.result.split()[0]))


def expected_checks(session: Session) -> list[Check]:
    """Return whether a session did what a session does.

    Source: operational runbooks 2.3 (expected behaviour of a testnet run).
    """
    events = session.events
    signals = sum(isinstance(event, jn.Signal) for event in events)
    orders = sum(isinstance(event, jn.Order) for event in events)
    limits = session.record.setting("risk_limits")
    checks = [
        check(
            "began",
            "Did it begin, and trade bars, without an error?",
            bool(session.bars) and not session.record.error,
            session.record.error or session.fault or f"{len(session.bars):,} bars",
            "The error names its runbook in the checklist below.",
        ),
        check(
            "signals",
            "Are signals and orders in the journal?",
            signals > 0,
            f"{signals} changes of the signal, {orders} orders",
            "Few bars, or a strategy that waits: look at the price. None over a long session is a bug or a dead market.",
            otherwise=WARN,
        ),
        check(
            "limits",
            "Was every order held to the risk limits?",
            isinstance(limits, dict) and bool(limits),
            f"{len(limits)} limits in force, {len(session.denials)} orders denied"
            if isinstance(limits, dict)
            else "the record names none",
            "Stop: a session without limits must not run.",
        ),
    ]
    return [*checks, _validated(session, orders)] if session.record.mode == "testnet" else checks


def _validated(session: Session, orders: int) -> Check:
    """Look whether the venue answered each order that was put to it."""
    answers = [event for event in session.events if isinstance(event, jn.VenueAnswer)]
    refused = [answer.message for answer in answers if not answer.accepted]
    told = f"{orders} orders, {len(answers)} answers, {len(refused)} refused" + (f": {refused[0]}" if refused else "")
    step = "Read the venue's words; runbook 7 treats each class of error."
    return check(
        "validated",
        "Did the venue take every order, and trade none?",
        len(answers) == orders and not refused,
        told,
        step,
    )


def _may_start(runbook: Runbook) -> bool:
    """Return whether somebody decided to start, or nothing needed a decision."""
    return runbook.spared(_START) or runbook.chose(_START, "yes")


def _answers(runbook: Runbook, steps: Sequence[str]) -> list[Check]:
    """Return the checks of some steps."""
    found = [runbook.round.record.step(step) for step in steps]
    return [one for step in found if step for one in step.checks]


def _nothing(title: str) -> Table:
    return Table(title, (), [], empty=NOT_STARTED)
