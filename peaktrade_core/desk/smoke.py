"""The smoke test: one small real run through everything, in a workspace of its own that is removed afterwards.

Config, feed, strategy, risk, order, journal, registry, check - with the workspace's settings and limits, and peaktrade's
own strategy, which is certain to trade. With a venue, its half of testnet as well.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import FAIL, WARN, Check, Found, Question, check, question, worst
from peaktrade_core.desk.doctor import config
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.questions import smoke_checks, venue_checks
from peaktrade_core.session.session import run_session
from peaktrade_core.show import wording
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

STRATEGY, SEED, STEPS, WARMUP = "donchian_breakout", 7, 400, 60
SWITCH_STEPS = 120
TESTNET_STEPS = 40
TAG = "smoke"
AT_ONCE_S = 60.0  # a smoke test that takes longer is no smoke test [s]


class SmokeSession:
    """A session of the smoke test: its record, its events, and the workspace that it ran in."""

    def __init__(self, apart: Workspace, **wishes: Any) -> None:
        self.apart = apart
        plan = plan_session(
            apart, strategy=STRATEGY, params={}, feed="synthetic", seed=SEED, warmup_candles=WARMUP, **wishes
        )
        self.record: SessionRecord = run_session(plan, Desk.of(apart))

    @cached_property
    def events(self) -> list[ev.AnyEvent]:
        """What its journal holds."""
        return Views.of(self.apart).events(self.record.session_id)

    def count(self, kind: type[Any]) -> int:
        """Return how many events of a kind there are."""
        return sum(isinstance(event, kind) for event in self.events)

    def ended(self) -> Found:
        """Tell how it ended."""
        told = f"{self.record.status} after {wording.many(int(self.record.metric('steps') or 0), 'bar')}"
        return self.record.status == "completed", told + (f", {self.record.error}" if self.record.error else "")


_ERROR = "Read the error; it says what to mend."


@question("session", "Session: did it run to its end?", _ERROR)
def session(tried: SmokeSession) -> Found:
    """Look at its end."""
    return tried.ended()


@question("feed", "Feed: did every bar come?", "Look at the feed's notices.")
def feed(tried: SmokeSession) -> Found:
    """Count the bars."""
    return tried.count(ev.BarDone) == STEPS, f"{tried.count(ev.BarDone)} of {STEPS}"


@question("strategy", "Strategy: does it give signals?", "Look at its parameters.")
def strategy(tried: SmokeSession) -> Found:
    """Count the signals."""
    return tried.count(ev.Signal) > 0, wording.many(tried.count(ev.Signal), "change")


@question("risk", "Risk: do your limits let an order through?", "No order was tried.")
def risk(tried: SmokeSession) -> Found:
    """Count orders and denials."""
    denials = [event for event in tried.events if isinstance(event, ev.Denial)]
    told = f"{tried.count(ev.Order)} orders let through, {len(denials)} denied"
    step = f"Your limits deny every order ({denials[0].code}); see docs/risk.md." if denials else risk.step
    return tried.count(ev.Order) > 0, told, step


@question("orders", "Order: are orders filled?", "Orders must fill at the next open.")
def orders(tried: SmokeSession) -> Found:
    """Count the fills."""
    return tried.count(ev.Fill) > 0, wording.many(tried.count(ev.Fill), "fill")


@question("journal", "Journal: is it whole?", "It has holes.")
def journal(tried: SmokeSession) -> Found:
    """Look for holes."""
    numbered = [event.seq for event in tried.events] == list(range(len(tried.events)))
    return numbered and isinstance(
        tried.events[-1], ev.End
    ), f"{wording.many(len(tried.events), 'event')}, from start to end"


@question("registry", "Registry: does it know the session?", "Look at the record.")
def registry(tried: SmokeSession) -> Found:
    """Look it up."""
    row = Views.of(tried.apart).run(tried.record.session_id)
    told = (
        f"1 record, {row.status}, total PnL {wording.signed(row.total_pnl, row.currency)}"
        if row.total_pnl is not None
        else "no PnL"
    )
    return row.status == "completed", told


@question("check", "Check: does the post-session check pass?", "Stop trading on this version.")
def checked(tried: SmokeSession) -> Found:
    """Do the post-session check."""
    found = [
        one for one in post_session_checks(Views.of(tried.apart).look(tried.record.session_id)) if one.status == FAIL
    ]
    told = "; ".join(f"{one.id}: {one.evidence}" for one in found) or "ledger, record and journal agree"
    return not found, told


@question("testnet", "Testnet: did a session run to its end?", _ERROR)
def testnet(tried: SmokeSession) -> Found:
    """Look at its end."""
    return tried.ended()


@question(
    "answers",
    "Testnet: did the venue take our orders?",
    "Read the venue's words; runbook 7 treats each class of error.",
)
def taken(tried: SmokeSession) -> Found:
    """Look at what the venue said to each order."""
    answers = [event for event in tried.events if isinstance(event, ev.VenueAnswer)]
    refused = [answer for answer in answers if not answer.accepted]
    told = f"{wording.many(len(answers), 'answer')}, {len(refused)} refused" + (
        f": {refused[0].message}" if refused else ""
    )
    return bool(answers) and not refused, told


@question(
    "kill_switch",
    "Kill switch: does it stop every order?",
    "It does not stop orders: stop everything and use another version.",
)
def obeyed(tried: SmokeSession) -> Found:
    """Look for an order under the engaged switch."""
    sent = tried.record.metric("num_orders") or 0.0
    denied = tried.record.metric("orders_blocked_risk") or 0
    return sent == 0, f"{wording.many(int(sent), 'order')} in {SWITCH_STEPS} bars, {denied:.0f} denied"


@question(
    "time",
    "Did it take seconds?",
    "The machine is busy or slow: sessions will lag behind the market.",
    otherwise=WARN,
    differs="figures",
)
def in_time(seconds: float) -> Found:
    """Compare with what a smoke test may take."""
    return seconds < AT_ONCE_S, f"{seconds:.1f} s"


SHADOW: tuple[Question[SmokeSession], ...] = (session, feed, strategy, risk, orders, journal, registry, checked)


def smoke(workspace: Workspace, stage: str = "shadow") -> list[Check]:
    """Run the smoke test and return the result of each part; a part that fails ends it.

    Args:
        workspace: whose settings are used; nothing is written into it.
        stage: ``shadow``, or ``testnet``, where the venue takes part.
    """
    checks: list[Check] = []
    began = time.monotonic()
    try:
        for one in _parts(workspace, stage):
            checks.append(one)
            if one.status == FAIL:
                return checks
    except PeaktradeError as error:  # a session that could not even be planned
        told = f"{type(error).__name__}: {error}"
        text, step = "Did every part get to its end?", "Mend what the message says, then try again."
        return [*checks, check("end", text, False, told, step)]
    seconds = time.monotonic() - began
    return [*checks, in_time.rehearse(seconds) if workspace.rehearsal else in_time(seconds)]


def _parts(workspace: Workspace, stage: str) -> Iterator[Check]:
    """Yield the answers of each part, trying it when it is asked for."""
    yield config(workspace)
    with _apart(workspace) as apart:
        tried = SmokeSession(apart, mode="shadow", steps=STEPS, tags=(TAG,))
        yield from (one(tried) for one in SHADOW)
        if stage == "testnet":
            checks = venue_checks(workspace)
            yield from checks
            if worst(checks) == FAIL:
                return
            yield from smoke_checks(workspace)
            tried = SmokeSession(apart, mode="testnet", steps=TESTNET_STEPS)
            yield from (one(tried) for one in (testnet, taken))
        KillSwitch.of(apart).engage("smoke test", "must stop every order")
        yield obeyed(SmokeSession(apart, steps=SWITCH_STEPS))


@contextmanager
def _apart(workspace: Workspace) -> Iterator[Workspace]:
    """Return a workspace with the same settings in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="peaktrade-smoke-") as folder:
        apart = Workspace(folder, workspace.config_path, Path(folder) / "live_runs")
        apart.config = workspace.config  # read already; its strategy modules are found from the workspace's folder
        apart.once(Ledger, lambda: Ledger(apart.home, remembered=False))
        apart.once(TradingStates, lambda: TradingStates(apart.reports / "live", apart.operations_log))  # soon forgotten
        yield apart
