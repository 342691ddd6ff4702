"""The smoke test: one small real run through everything, in a workspace of its own that is removed afterwards.

Config, feed, strategy, risk, order, journal, registry, check - with the workspace's settings and limits, and peaktrade's
own strategy, which is certain to trade. With a venue, its half of testnet as well.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import FAIL, WARN, Check, check, worst
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.questions import smoke_checks, venue_checks
from peaktrade_core.session.session import run_session
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

STRATEGY, SEED, STEPS, WARMUP = "donchian_breakout", 7, 400, 60
SWITCH_STEPS = 120
TESTNET_STEPS = 40
TAG = "smoke"
AT_ONCE_S = 60.0  # a smoke test that takes longer is no smoke test [s]


def smoke(workspace: Workspace, stage: str = "shadow") -> list[Check]:
    """Run the smoke test and return the result of each part; a part that fails ends it.

    Args:
        workspace: whose settings are used; nothing is written into it.
        stage: ``shadow``, or ``testnet``, where the venue takes part.
    """
    checks: list[Check] = []
    began = time.monotonic()
    try:
        workspace.config  # noqa: B018  (reading it is the check)
        checks.append(check("config", "Config: is it sound?", True, str(workspace.config_path), ""))
        with _apart(workspace) as apart:
            for one in chain(_shadow(apart), _testnet(workspace, apart, stage), _switch(apart)):
                checks.append(one)
                if one.status == FAIL:
                    return checks
    except PeaktradeError as error:
        question = "Did every part get to its end?"
        told = f"{type(error).__name__}: {error}"
        return [*checks, check("end", question, False, told, "Mend what the message says, then try again.")]
    seconds = time.monotonic() - began
    step = "The machine is busy or slow: sessions will lag behind the market."
    return [
        *checks,
        check("time", "Did it take seconds?", seconds < AT_ONCE_S, f"{seconds:.1f} s", step, otherwise=WARN),
    ]


@contextmanager
def _apart(workspace: Workspace) -> Iterator[Workspace]:
    """Return a workspace with the same settings in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="peaktrade-smoke-") as folder:
        apart = Workspace(folder, workspace.config_path, Path(folder) / "live_runs")
        apart.config = workspace.config  # read already; its strategy modules are found from the workspace's folder
        yield apart


def _shadow(apart: Workspace) -> Iterator[Check]:
    """Run a shadow session and look at what each part left."""
    plan = plan_session(
        apart,
        mode="shadow",
        strategy=STRATEGY,
        params={},
        feed="synthetic",
        seed=SEED,
        steps=STEPS,
        warmup_candles=WARMUP,
        tags=(TAG,),
    )
    record = run_session(plan, Desk.of(apart))
    events = Views.of(apart).events(record.session_id)
    yield _ended("session", "Session: did it run to its end?", record)
    bars = sum(type(event) is ev.BarDone for event in events)
    yield check("feed", "Feed: did every bar come?", bars == STEPS, f"{bars} of {STEPS}", "Look at the feed's notices.")
    signals = sum(isinstance(event, ev.Signal) for event in events)
    yield check(
        "strategy", "Strategy: does it give signals?", signals > 0, f"{signals} changes", "Look at its parameters."
    )
    orders = [event for event in events if isinstance(event, ev.Order)]
    denials = [event for event in events if isinstance(event, ev.Denial)]
    fills = sum(isinstance(event, ev.Fill) for event in events)
    told = f"{len(orders)} orders let through, {len(denials)} denied"
    step = f"Your limits deny every order ({denials[0].code}); see docs/risk.md." if denials else "No order was tried."
    yield check("risk", "Risk: do your limits let an order through?", bool(orders), told, step)
    yield check(
        "orders", "Order: are orders filled?", fills > 0, f"{fills} fills", "Orders must fill at the next open."
    )
    numbered = [event.seq for event in events] == list(range(len(events)))
    told = f"{len(events)} events, from start to end"
    yield check("journal", "Journal: is it whole?", numbered and isinstance(events[-1], ev.End), told, "It has holes.")
    row = Views.of(apart).row(record.session_id)
    told = f"1 record, {row.status}, PnL {row.realized_pnl:+.2f}" if row.realized_pnl is not None else "no PnL"
    yield check(
        "registry", "Registry: does it know the session?", row.status == "completed", told, "Look at the record."
    )
    found = [one for one in post_session_checks(Views.of(apart), record.session_id) if one.status == FAIL]
    told = "; ".join(f"{one.id}: {one.evidence}" for one in found) or "ledger, record and journal agree"
    yield check("check", "Check: does the post-session check pass?", not found, told, "Stop trading on this version.")


def _switch(apart: Workspace) -> Iterator[Check]:
    """Engage the kill switch of the temporary workspace and see that not one order gets through."""
    KillSwitch.of(apart).engage("smoke test", "must stop every order")
    plan = plan_session(
        apart, strategy=STRATEGY, params={}, feed="synthetic", seed=SEED, steps=SWITCH_STEPS, warmup_candles=WARMUP
    )
    record = run_session(plan, Desk.of(apart))
    orders = record.metric("num_orders") or 0.0
    told = f"{orders:.0f} orders in {SWITCH_STEPS} bars, {record.metric('orders_blocked_risk') or 0:.0f} denied"
    step = "It does not stop orders: stop everything and use another version."
    yield check("kill_switch", "Kill switch: does it stop every order?", orders == 0, told, step)


def _testnet(workspace: Workspace, apart: Workspace, stage: str) -> Iterator[Check]:
    """Ask the venue everything, and run a short testnet session whose orders it validates."""
    if stage != "testnet":
        return
    symbol = workspace.config.session.symbol
    checks = venue_checks(workspace, symbol)
    yield from checks
    if worst(checks) == FAIL:
        return
    yield from smoke_checks(workspace, symbol)
    plan = plan_session(
        apart,
        mode="testnet",
        strategy=STRATEGY,
        params={},
        feed="synthetic",
        seed=SEED,
        steps=TESTNET_STEPS,
        warmup_candles=WARMUP,
    )
    record = run_session(plan, Desk.of(apart))
    yield _ended("testnet", "Testnet: did a session run to its end?", record)
    answers = [event for event in Views.of(apart).events(record.session_id) if isinstance(event, ev.VenueAnswer)]
    refused = [answer for answer in answers if not answer.accepted]
    told = f"{len(answers)} answers, {len(refused)} refused" + (f": {refused[0].message}" if refused else "")
    step = "Read the venue's words; runbook 7 treats each class of error."
    yield check("answers", "Testnet: did the venue take our orders?", bool(answers) and not refused, told, step)


def _ended(id: str, question: str, record: SessionRecord) -> Check:
    told = f"{record.status} after {record.metric('steps') or 0:.0f} bars" + (
        f", {record.error}" if record.error else ""
    )
    return check(id, question, record.status == "completed", told, "Read the error; it says what to mend.")
