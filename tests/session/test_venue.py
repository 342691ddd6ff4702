"""Orders to a venue: on the disk before it is asked, withdrawn when it refuses, halted when it always does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from peaktrade_core.halts.scope import Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.journal import read_journal
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.events import BarDone, Fill, Halt, Order, Submission, VenueAnswer
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.limit_use import limits_used
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.strategies import register, scratch_registry
from peaktrade_core.trading.tally import fold
from peaktrade_core.workspace.workspace import Workspace


class Venue:
    """Answers as it is told, and remembers what it was asked and what the journal held at that moment."""

    asks_venue = True

    def __init__(self, workspace: Workspace, answer: Callable[[int, Order], bool]) -> None:
        self.workspace, self.answer = workspace, answer
        self.asked: list[Order] = []
        self.seen: list[list[Any]] = []

    def submit(self, order: Order) -> OrderAnswer:
        (folder,) = self.workspace.runs.iterdir()
        self.seen.append(list(read_journal(folder / "events.jsonl"))[-2:])
        self.asked.append(order)
        accepted = self.answer(len(self.asked), order)
        return OrderAnswer(accepted, "" if accepted else "EOrder:Insufficient funds", {"nonce": len(self.asked)})


Trade = Callable[..., tuple[SessionRecord, Venue]]


@pytest.fixture
def trade(workspace: Workspace) -> Trade:
    """Return a function that runs a lively session against a venue that answers as given."""

    def run(answer: Callable[[int, Order], bool], **options: Any) -> tuple[SessionRecord, Venue]:
        venue = Venue(workspace, answer)
        settings: dict[str, Any] = {"steps": 400, "seed": 4, "params": {"fast": 2, "slow": 5}, **options}
        return run_session(plan_session(workspace, **settings)._replace(broker=venue), Desk.of(workspace)), venue

    return run


def events(workspace: Workspace, record: SessionRecord, *kinds: type) -> list[Any]:
    return [event for event in Views.of(workspace).events(record.session_id) if type(event) in kinds]


def test_every_order_is_on_the_disk_before_the_venue_is_asked(trade: Trade) -> None:
    _, venue = trade(lambda *_: True)
    assert len(venue.asked) > 10
    for order, (before, last) in zip(venue.asked, venue.seen, strict=True):
        assert last == Submission(last.seq, last.ts, order.order_id)
        assert type(before) in (Order, VenueAnswer)


def test_a_venue_that_accepts_everything_changes_no_figure(
    trade: Trade, run_shadow: Callable[..., SessionRecord]
) -> None:
    record, _ = trade(lambda *_: True)
    assert record.metrics == run_shadow(steps=400, seed=4, params={"fast": 2, "slow": 5}).metrics


def test_refused_orders_are_withdrawn_and_counted(workspace: Workspace, trade: Trade) -> None:
    record, venue = trade(lambda n, _: n % 3 != 0)
    refused = {answer.order_id for answer in events(workspace, record, VenueAnswer) if not answer.accepted}
    filled = {fill.order_id for fill in events(workspace, record, Fill)}
    metrics = record.metrics
    assert len(refused) == metrics["orders_rejected"] == len(venue.asked) // 3 > 3
    assert not refused & filled
    assert metrics["orders_generated"] == sum(
        metrics[name] for name in ("orders_executed", "orders_blocked_risk", "orders_rejected", "orders_open")
    )
    assert {check.id: check.status for check in post_session_checks(Views.of(workspace).look(record.session_id))}[
        "ledger"
    ] == "pass"


def test_a_refused_close_leaves_the_position_and_is_tried_again(workspace: Workspace, trade: Trade) -> None:
    refused: list[str] = []

    def answer(_: int, order: Order) -> bool:
        if order.purpose == "close" and not refused:
            refused.append(order.order_id)
            return False
        return True

    record, venue = trade(answer)
    closes = [order for order in venue.asked if order.purpose == "close"]
    assert closes[0].order_id == refused[0]
    assert closes[1].qty == closes[0].qty
    assert events(workspace, record, BarDone)[-1].position_size == pytest.approx(
        sum(fill.qty for fill in events(workspace, record, Fill))
    )


class Flip(NamedTuple):
    """How long each side is held [bars]."""

    bars: int = 20


def flip(p: Flip, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Long and short in turn."""
    s[0] += 1.0
    return 1.0 if s[0] % (2 * p.bars) < p.bars else -1.0


def test_a_reversal_whose_close_is_refused_does_not_open(workspace: Workspace, trade: Trade) -> None:
    refusals = iter([False] * 4 + [True] * 3)

    def answer(_: int, order: Order) -> bool:
        return order.purpose == "open" or not next(refusals, False)

    with scratch_registry():
        register("flip", Flip, slots=lambda _: 1, warmup=lambda _: 0, tier="core")(flip)
        record, venue = trade(answer, strategy="flip", params={}, symbol="BTC/EUR-PERP")
    unsent = [a for a in events(workspace, record, VenueAnswer) if a.message.startswith("not sent")]
    assert len(unsent) >= 1
    assert {answer.order_id for answer in unsent}.isdisjoint(order.order_id for order in venue.asked)
    assert record.metrics["orders_rejected"] == 3 + len(unsent)
    sides = [bar.position_size > 0 for bar in events(workspace, record, BarDone) if bar.position_size]
    assert set(sides) == {True, False}
    sizes = {abs(bar.position_size) * bar.close for bar in events(workspace, record, BarDone)}
    assert max(sizes) < 1000.0  # never both sides at once, never a position on top of another


def test_five_refusals_in_a_row_halt_the_session_and_the_next(
    workspace: Workspace, trade: Trade, run_shadow: Callable[..., SessionRecord]
) -> None:
    record, venue = trade(lambda *_: False)
    (halt,) = events(workspace, record, Halt)
    assert (halt.code, halt.value, halt.limit) == ("CONSECUTIVE_REJECTS", 5.0, 5.0)
    assert (record.status, record.metrics["risk_status"]) == ("failed", "red")
    assert record.error.startswith(
        "ExchangeOrderError: 5 orders in a row were refused, so the session halted; the last: "
    )
    used = {
        one.name: one
        for one in limits_used(Views.of(workspace).events(record.session_id), record.config["risk_limits"])
    }
    assert (used["max_consecutive_rejects"].used, used["max_consecutive_rejects"].level) == (5.0, "red")
    assert len(venue.asked) == record.metrics["orders_rejected"] == 5
    state = TradingStates.of(workspace).read(Scope.of("shadow", "ma_crossover", "BTC/EUR"))
    assert (state.state, state.reason) == ("HALTED", "CONSECUTIVE_REJECTS: 5 against 5")
    assert record.metrics["deny_codes"].keys() == {"HALTED"}
    after = run_shadow(steps=200, seed=4, params={"fast": 2, "slow": 5})
    assert (after.metrics["num_orders"], after.metrics["deny_codes"].keys()) == (0, {"HALTED"})


def test_an_accepted_order_ends_the_row_of_refusals(workspace: Workspace, trade: Trade) -> None:
    record, _ = trade(lambda n, order: order.purpose == "close" or n % 5 == 0)
    assert record.metrics["orders_rejected"] > 5
    assert events(workspace, record, Halt) == []


def test_a_broker_that_raises_ends_the_session_as_failed_with_its_submission_kept(
    workspace: Workspace, trade: Trade
) -> None:
    def answer(n: int, _: Order) -> bool:
        if n == 3:
            raise ConnectionError("the line is dead")
        return True

    record, _ = trade(answer)
    assert (record.status, record.error) == ("failed", "ConnectionError: the line is dead")
    tally = fold(Views.of(workspace).events(record.session_id))
    assert events(workspace, record, Submission)[-1].order_id == "o3"
    assert tally.metrics().orders_open >= 1
    assert record.metrics["equity_end"] == pytest.approx(
        10_000 + record.metrics["realized_pnl"] + record.metrics["unrealized_pnl"]
    )
