"""Counterfactual limits: the same limits repeat a session exactly, others show what they would have changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.halts.account import Seat
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.research.replay_limits import Counterfactual, recorded_limits, replay_limits
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.events import Denial, Fill, Order
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.trading.records import SessionConfig, SessionRecord
from peaktrade_core.trading.risk import MAX_TOTAL_EXPOSURE, OK, Limits, RiskVerdict
from peaktrade_core.trading.tally import figures
from peaktrade_core.workspace.workspace import Workspace

LIVELY: dict[str, Any] = {"params": {"fast": 2, "slow": 5}, "seed": 4, "steps": 600}
PERP: dict[str, Any] = {  # it reverses often: two orders in one bar
    "symbol": "BTC/EUR-PERP",
    "strategy": "donchian_breakout",
    "params": {"window": 3},
    "seed": 4,
    "steps": 600,
}


class Venue:
    """Refuses every third order."""

    asks_venue = True

    def __init__(self, every: int) -> None:
        self.every, self.asked = every, 0

    def submit(self, order: Order) -> OrderAnswer:
        self.asked += 1
        return OrderAnswer(self.asked % self.every != 0, "no")


def replay(workspace: Workspace, record: SessionRecord, **limits: float) -> Counterfactual:
    config = msgspec.convert(record.config, SessionConfig)
    given = recorded_limits(config)._replace(**limits)
    return replay_limits(record.session_id, config, Views.of(workspace).events(record.session_id), given)


def assert_exact(workspace: Workspace, record: SessionRecord) -> None:
    found = replay(workspace, record)
    assert found.first is None, found.first
    assert (found.changed, found.blocked, found.allowed, found.pnl_difference) == ({}, (), 0, 0.0)
    assert found.bars == record.metrics["steps"]
    assert figures(found.replayed) == record.metrics


@pytest.mark.parametrize(
    "options", [LIVELY, PERP, {"steps": 2000}, {**LIVELY, "strategy": "donchian_breakout", "params": {}}]
)
def test_its_own_limits_repeat_a_session_exactly(workspace: Workspace, options: dict[str, Any]) -> None:
    assert_exact(workspace, run_session(plan_session(workspace, **options), Desk.of(workspace)))


@pytest.mark.parametrize("every", [2, 3, 7])
def test_what_the_venue_refused_is_refused_again(workspace: Workspace, every: int) -> None:
    plan = plan_session(workspace, **PERP)._replace(broker=Venue(every))
    record = run_session(plan, Desk.of(workspace))
    assert record.metrics["orders_rejected"] > 3
    assert_exact(workspace, record)


@pytest.mark.parametrize(
    "limit", ["max_drawdown_halt_pct = 10.0", "max_entries_per_day = 500.0", "max_orders_per_minute = 10.0"]
)
def test_a_session_under_tight_limits_is_repeated_with_its_denials(
    workspace: Workspace, configure: Callable[[str, str], None], limit: str
) -> None:
    name = limit.partition(" ")[0]
    configure(limit, f"{name} = {1.0 if name != 'max_drawdown_halt_pct' else 0.3}")
    record = run_session(plan_session(workspace, **PERP), Desk.of(workspace))
    assert record.metrics["orders_blocked_risk"] > 0
    assert_exact(workspace, record)


def test_what_the_account_refused_is_refused_again_and_passes_under_a_wider_limit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def reserve(*_: Any) -> RiskVerdict:
        asked.append(1)
        return RiskVerdict(MAX_TOTAL_EXPOSURE, 5200.0, 5000.0) if len(asked) % 3 == 0 else RiskVerdict(OK, 0.0, 0.0)

    monkeypatch.setattr(Seat, "reserve", reserve)
    record = run_session(plan_session(workspace, **PERP), Desk.of(workspace))
    denied = [e for e in Views.of(workspace).events(record.session_id) if type(e) is Denial]
    assert len(denied) > 5
    assert_exact(workspace, record)
    wider = replay(workspace, record, max_total_exposure_notional=6000.0)
    assert wider.allowed > 0
    assert wider.first is not None
    assert type(wider.first.recorded) is Denial


def test_an_order_the_switch_kept_back_is_kept_back_again(workspace: Workspace) -> None:
    class Slow(Venue):
        def submit(self, order: Order) -> OrderAnswer:
            if order.purpose == "close":
                KillSwitch.of(workspace).engage("Ada", "while it was sent", "HALTED")
            return OrderAnswer(True)

    record = run_session(plan_session(workspace, **PERP)._replace(broker=Slow(1)), Desk.of(workspace))
    events = list(Views.of(workspace).events(record.session_id))
    placed = {event.order_id: event.ts for event in events if type(event) is Order}
    assert [e for e in events if type(e) is Denial and e.order_id and placed[e.order_id] == e.ts]
    assert_exact(workspace, record)


def test_a_tighter_limit_blocks_orders_and_says_which_and_what_it_costs(workspace: Workspace) -> None:
    record = run_session(plan_session(workspace, **LIVELY), Desk.of(workspace))
    first = next(e for e in Views.of(workspace).events(record.session_id) if type(e) is Order)
    found = replay(workspace, record, max_order_notional=first.notional - 1.0)
    assert found.changed == {"max_order_notional": (1000.0, first.notional - 1.0)}
    assert found.first is not None
    assert (found.first.seq, found.first.recorded) == (first.seq, first)
    assert type(found.first.replayed) is Denial
    assert "MAX_ORDER_NOTIONAL" in found.first.why
    assert found.blocked[0].order_id == first.order_id
    assert found.pnl_difference == pytest.approx(found.replayed.equity_end - record.metrics["equity_end"])


def test_all_orders_blocked_keeps_the_start_balance(workspace: Workspace) -> None:
    record = run_session(plan_session(workspace, **LIVELY), Desk.of(workspace))
    found = replay(workspace, record, max_order_notional=1.0)
    assert (found.replayed.num_orders, found.replayed.equity_end) == (0, 10_000.0)
    assert found.pnl_difference == pytest.approx(10_000.0 - record.metrics["equity_end"])


def test_a_replay_is_what_a_session_under_those_limits_was(
    workspace: Workspace, configure: Callable[[str, str], None]
) -> None:
    wide = run_session(plan_session(workspace, **PERP), Desk.of(workspace))
    configure("max_entries_per_day = 500.0", "max_entries_per_day = 3.0")
    tight = run_session(plan_session(Workspace(workspace.home), **PERP), Desk.of(workspace))
    found = replay(workspace, wide, max_entries_per_day=3.0)
    assert figures(found.replayed) == tight.metrics
    assert found.blocked


def test_the_command(workspace: Workspace, home: Path, peaktrade: Callable[..., Any]) -> None:
    record = run_session(plan_session(workspace, **LIVELY), Desk.of(workspace))
    same = peaktrade("risk", "replay", record.session_id)
    assert (same.code, "Every event is the same." in same.stdout) == (0, True)
    limits = home / "tight.toml"
    limits.write_text("[live_risk]\nmax_order_notional = 400.0\n")
    tight = peaktrade("risk", "replay", record.session_id, "--limits", limits)
    assert (tight.code, "First difference at" in tight.stdout, "MAX_ORDER_NOTIONAL" in tight.stdout) == (0, True, True)
    as_json = json.loads(
        peaktrade("risk", "replay", record.session_id, "--set", "max_order_notional=400", "--json").stdout
    )
    assert as_json["first"]["replayed"]["code"] == "MAX_ORDER_NOTIONAL"
    assert set(as_json["changed"]) == {"max_order_notional"}
    for bad in (("--set", "no_such=1"), ("--set", "max_order_notional=x"), ("--limits", home / "none.toml")):
        assert peaktrade("risk", "replay", record.session_id, *bad).code == 2
    limits.write_text("max_order_notional = -1.0\n")
    assert peaktrade("risk", "replay", record.session_id, "--limits", limits).code == 2
    assert peaktrade("risk", "replay", "no_such_session").code == 4


def test_limits_of_an_older_record_have_their_defaults() -> None:
    config = msgspec.convert(
        {"strategy_name": "x", "params": {}, "symbol": "BTC/EUR", "timeframe": "1m", "feed": "synthetic", "seed": 1}
        | {"data_sha256": None, "warmup_candles": 0, "steps": 1, "position_fraction": 0.1, "start_balance": 1.0}
        | {"fee_bps": 0.0, "slippage_bps": 0.0, "risk_limits": {"max_order_notional": 7, "gone": 1}, "instrument": {}},
        SessionConfig,
    )
    assert recorded_limits(config) == Limits(max_order_notional=7.0)


def test_what_would_have_been_denied_when_it_filled_counts_as_blocked(workspace: Workspace) -> None:
    record = run_session(plan_session(workspace, **LIVELY), Desk.of(workspace))
    found = replay(workspace, record, price_collar_pct=0.04)  # less than the slippage
    fills = [e for e in Views.of(workspace).events(record.session_id) if isinstance(e, Fill) and e.purpose == "open"]
    late = [one for one in found.blocked if one.code == "PRICE_COLLAR"]
    assert late
    assert {one.order_id for one in late} <= {fill.order_id for fill in fills}
    assert found.replayed.deny_codes["PRICE_COLLAR"] >= len(late)
    lost = [
        fill for fill in fills if abs(100 * (fill.price / closes_before(workspace, record)[fill.order_id] - 1)) > 0.04
    ]
    assert {fill.order_id for fill in lost} <= {one.order_id for one in found.blocked}


def closes_before(workspace: Workspace, record: SessionRecord) -> dict[str, float]:
    orders = (e for e in Views.of(workspace).events(record.session_id) if isinstance(e, Order))
    return {order.order_id: order.price for order in orders}


def test_an_order_that_was_denied_when_it_filled_is_allowed_by_wider_limits(workspace: Workspace) -> None:
    plan = plan_session(workspace, **LIVELY)
    tight = plan._replace(decision=plan.decision._replace(limits=plan.decision.limits._replace(price_collar_pct=0.04)))
    limits = {**plan.config.risk_limits, "price_collar_pct": 0.04}
    record = run_session(
        tight._replace(config=msgspec.structs.replace(plan.config, risk_limits=limits)), Desk.of(workspace)
    )
    assert record.metrics["deny_codes"]["PRICE_COLLAR"] > 0
    assert_exact(workspace, record)
    assert replay(workspace, record, price_collar_pct=5.0).allowed > 0
