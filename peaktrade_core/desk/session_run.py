"""The runbooks of one session: decide, run it once, look at what came out; or look at one that has ended.

Where none was started, each step says so.

Without a person, a session starts when every answer before it is good, or when the parameter ``answers`` says so: silence
is never consent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check, worst
from peaktrade_core.desk.readiness import desk_checks, ready_checks, session_ready
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.figures import course_figure
from peaktrade_core.runbooks.notebook import Session, open_session, run_planned_session
from peaktrade_core.runbooks.notebook_tables import (
    answers_table,
    evidence_table,
    links,
    plan_table,
    session_checks,
    session_files,
    session_summary,
)
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.session.plan import Plan
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.questions import smoke_checks
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import Table
from peaktrade_core.show.wording import many
from peaktrade_core.trading import events as jn
from peaktrade_core.trading.records import finite

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
    supported = True if status == FAIL else None  # a ▲ speaks for nothing: it is a person's decision
    stay = Option(
        key="no", label="Do not start", meaning="nothing runs; mend it first", stops=True, supported=supported
    )
    if status == FAIL:
        return runbook.ask(_START, f"{odd} of {len(found)} answers are not ✓, and a ✕ forbids the start.", (stay,))
    go = Option(key="yes", label="Start it", meaning="say why in the reason", status=WARN)
    return runbook.ask(_START, f"{odd} of {len(found)} answers are ▲. Start it all the same?", (go, stay), reason=True)


class OneSession(Runbook):
    """What runbooks of one session share: what came out of it.

    Attributes:
        session: the one; None where none was started.
    """

    session: Session | None = None

    def summary(self) -> Table:
        """Return the session's figures."""
        return session_summary(self.session) if self.session else _nothing("What came out")

    def figure(self) -> Chart | Table:
        """Return equity over time with fills, denied orders and halts."""
        return course_figure(self.session) if self.session else _nothing("Equity and fills")

    def order(self) -> Table:
        """Record the post-session checklist."""
        title = "Is it in order?"
        return self.check("order", title, session_checks(self.session)) if self.session else _nothing(title)

    def left(self) -> Table:
        """Return the files that it left."""
        return evidence_table(self.session) if self.session else _nothing("Evidence")

    def files(self) -> Sequence[Path]:
        """Return the files that it left."""
        return session_files(self.session) if self.session else ()

    def links(self, *names: str) -> Table:
        """Return where to go on."""
        return links(*names, session=self.session)


class SessionRunbook(OneSession):
    """Run a shadow session."""

    checked: tuple[str, ...] = ("ready",)
    """Steps of checks that are looked at before it starts."""
    _planned: Plan | None = None

    def ready(self) -> Table:
        """Record whether everything is ready."""
        return self.check("ready", "Is everything ready?", session_ready(self.workspace, self.given.strategy))

    def wanted(self) -> dict[str, Any]:
        """Return what the parameters ask for, as :func:`plan_session` takes it."""
        names = ("strategy", "symbol", "timeframe", "feed", "seed", "steps", "warmup_candles", "notes")
        size = {name: getattr(self.given, name) for name in ("position_fraction", "start_balance")}
        return {name: getattr(self.given, name) for name in names} | size | {"candles": self.given.candles or None}

    def plan(self) -> Table:
        """Check everything that a session needs and return what would run; nothing is started."""
        self._planned = plan_session(self.workspace, **self.wanted())
        return plan_table(self._planned)

    def start(self) -> Prompt | Table:
        """Ask whether to start, unless every answer so far is good."""
        return ask_to_start(self, *self.checked)

    def run(self) -> SessionRunbook:
        """Run the planned session as a step, once; a runbook that is taken up again shows the session that it has run.

        Raises:
            StepOpenError: a person steps through and has not decided yet.
        """
        self.round.require_answers(_RUN)
        if self.spared(_START) or self.chose(_START, "yes"):
            plan = self._planned or plan_session(self.workspace, **self.wanted())

            def run() -> str:
                session = run_planned_session(self.workspace, plan)
                return f"{session.id} {session.record.status}"

            step = self.round.act(_RUN, "Run the session", run)
            self.session = open_session(self.workspace, step.result.split()[0])
        return self

    def __repr__(self) -> str:
        return repr(self.session) if self.session else "not started"

    def expected(self) -> Table:
        """Record whether the session did what a session does: began, signalled, was held to its limits, was answered."""
        title = "Did it do what it should?"
        return self.check("expected", title, expected_checks(self.session)) if self.session else _nothing(title)


class TestnetRunbook(SessionRunbook):
    """Run a testnet session: fills are simulated, each order is put to the venue too."""

    __test__ = False  # it is no test, whatever its name begins with
    checked = ("ready", "desk", "smoke")
    before_a_stage = True

    def ready(self) -> Table:
        """Record whether we are ready, and the venue can trade nothing live."""
        return self.check("ready", "Are we ready?", ready_checks(self.workspace, "testnet", self.given.symbol))

    def desk(self) -> Table:
        """Record whether the desk is in order."""
        return self.check("desk", "Is the desk in order?", desk_checks(self.workspace))

    def smoke(self) -> Table:
        """Record whether the venue takes our smallest order."""
        return self.check(
            "smoke", "Does the venue take our smallest order?", smoke_checks(self.workspace, self.given.symbol)
        )

    def wanted(self) -> dict[str, Any]:
        """Return what the parameters ask for, as :func:`plan_session` takes it."""
        names = ("strategy", "symbol", "timeframe", "feed", "seed", "steps", "warmup_candles", "notes")
        return {"mode": "testnet"} | {name: getattr(self.given, name) for name in names}

    def venue_said(self) -> Table:
        """Return what the venue said to each order."""
        return answers_table(self.session) if self.session else _nothing("The venue's answers")


def expected_checks(session: Session) -> list[Check]:
    """Return whether a session did what a session does.

    Source: operational runbooks 2.3 (expected behaviour of a testnet run).
    """
    events = session.events
    signals = sum(isinstance(event, jn.Signal) for event in events)
    orders = sum(isinstance(event, jn.Order) for event in events)
    checks = [
        check(
            "began",
            "Did it begin, and trade bars, without an error?",
            bool(session.bars) and not session.record.error,
            session.record.error or session.fault or many(len(session.bars), "bar"),
            "The error names its runbook in the checklist below.",
        ),
        check(
            "signals",
            "Are signals and orders in the journal?",
            signals > 0,
            f"{signals} changes of the signal, {many(orders, 'order')}",
            "Few bars, or a strategy that waits: look at the price. None over a long session is a bug or a dead market.",
            otherwise=WARN,
        ),
        _held(session),
    ]
    return [*checks, _validated(session, orders)] if session.record.mode == "testnet" else checks


def _held(session: Session) -> Check:
    """Look whether each order that opens a position kept to the largest order of the record's limits."""
    limits = session.record.setting("risk_limits")
    most = finite(limits.get("max_order_notional")) if isinstance(limits, dict) else None
    opened = [event for event in session.events if isinstance(event, jn.Order) and event.purpose == "open"]
    above = [event for event in opened if most is not None and abs(event.notional) > most]
    told = f"{len(opened)} opening orders, none above {most:,.0f}" if most is not None else "the record names no limit"
    if above:
        told = f"{len(above)} of {len(opened)} opening orders above {most:,.0f}, the first no. {above[0].seq}"
    return check(
        "limits",
        "Was every order held to the risk limits?",
        most is not None and not above,
        f"{told}; {len(session.denials)} denied",
        "Stop: a session must not trade without limits, or above them.",
    )


def _validated(session: Session, orders: int) -> Check:
    """Look whether the venue answered each order that was put to it."""
    answers = [event for event in session.events if isinstance(event, jn.VenueAnswer)]
    refused = [answer.message for answer in answers if not answer.accepted]
    told = f"{many(orders, 'order')}, {many(len(answers), 'answer')}, {len(refused)} refused" + (
        f": {refused[0]}" if refused else ""
    )
    step = "Read the venue's words; runbook 7 treats each class of error."
    return check(
        "validated",
        "Did the venue take every order, and trade none?",
        len(answers) == orders and not refused,
        told,
        step,
    )


def _answers(runbook: Runbook, steps: Sequence[str]) -> list[Check]:
    """Return the checks of some steps."""
    found = [runbook.round.record.step(step) for step in steps]
    return [one for step in found if step for one in step.checks]


def _nothing(title: str) -> Table:
    return Table(title, (), [], empty=NOT_STARTED)
