"""The exact ledger and the fold of a journal: the identity holds whatever happened, and wherever the journal ends."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.exact import ExactAccount
from peaktrade_core.trading.tally import fold

START = 10_000.0
quantities = st.integers(-500, 500).filter(bool).map(lambda n: n / 1000)
prices = st.integers(1, 10_000_000).map(lambda n: n / 100)
fills = st.lists(st.tuples(quantities, prices, st.integers(0, 5000).map(lambda n: n / 1000)), max_size=25)


def exact(value: float) -> Fraction:
    return Fraction(Decimal(repr(value)))


@given(fills, prices)
def test_cash_and_equity_are_what_was_paid_and_what_is_held(
    trades: list[tuple[float, float, float]], close: float
) -> None:
    ledger = ExactAccount(START)
    cash, held = exact(START), Fraction(0)
    for qty, price, fee in trades:
        ledger.apply(qty, price, fee)
        cash -= exact(qty) * exact(price) + exact(fee)
        held += exact(qty)
    assert Fraction(ledger.cash) == cash
    assert Fraction(ledger.qty) == held
    assert abs(Fraction(ledger.equity(close)) - cash - held * exact(close)) < Fraction(1, 10**30)
    parts = Decimal(repr(START)) + ledger.realized_pnl + ledger.unrealized_pnl(close)
    assert abs(ledger.equity(close) - parts) < Decimal("1e-20")


@pytest.mark.parametrize(
    ("trades", "realized", "trips"),
    [
        ([(1.0, 100.0, 0.0), (-1.0, 150.0, 0.0)], 50, 1),
        ([(-1.0, 100.0, 0.0), (1.0, 50.0, 0.0)], 50, 1),  # a short covered lower is a gain
        ([(-1.0, 100.0, 0.0), (1.0, 150.0, 0.0)], -50, 1),
        ([(1.0, 100.0, 1.0), (-1.0, 100.0, 1.0)], -2, 1),
        ([(1.0, 100.0, 0.0), (1.0, 200.0, 0.0), (-1.0, 200.0, 0.0)], 50, 0),
        ([(1.0, 100.0, 0.0), (-2.0, 110.0, 0.0), (1.0, 100.0, 0.0)], 20, 2),  # a reversal closes one and opens another
        ([(1.0, 100.0, 0.3)], "-0.3", 0),
    ],
)
def test_realized_pnl_and_round_trips(
    trades: list[tuple[float, float, float]], realized: int | str, trips: int
) -> None:
    ledger = ExactAccount(START)
    for trade in trades:
        ledger.apply(*trade)
    assert (ledger.realized_pnl, ledger.trades) == (Decimal(realized), trips)


def bar(seq: int, step: int, close: float, ledger: ExactAccount) -> ev.BarDone:
    """Return a bar that shows the account as the ledger has it."""
    realized, unrealized = float(ledger.realized_pnl), float(ledger.unrealized_pnl(close))
    account = (float(ledger.qty), float(ledger.cash), START + realized + unrealized, realized, unrealized)
    counts = (0, False, 0, 0, 0, 0, True, ())
    return ev.BarDone(seq, EPOCH, step, EPOCH, close, close, close, close, 1.0, *account, *counts)


def journal(trades: list[tuple[float, float, float]]) -> Iterator[ev.AnyEvent]:
    """Yield a journal in which each bar fills an order of the bar before."""
    ledger, seq = ExactAccount(START), 1
    yield ev.Start(0, EPOCH, ev.SCHEMA, {"start_balance": START})
    for step, (qty, price, fee) in enumerate(trades):
        yield ev.Order(seq, EPOCH, f"o{step}", "open", qty, price, abs(qty) * price)
        yield ev.Fill(seq + 1, EPOCH, f"o{step}", "open", qty, price, fee, price)
        ledger.apply(qty, price, fee)
        yield bar(seq + 2, step, price, ledger)
        seq += 3


@given(fills)
def test_the_identity_holds_wherever_the_journal_ends(trades: list[tuple[float, float, float]]) -> None:
    events = list(journal(trades))
    for end in range(len(events) + 1):
        metrics = fold(events[:end], START).metrics()
        assert abs(metrics.equity_end - START - metrics.realized_pnl - metrics.unrealized_pnl) < 1e-6
        assert metrics.orders_generated == metrics.orders_executed + metrics.orders_open
        assert metrics.max_drawdown >= 0.0
        assert metrics.fees >= 0.0


def test_a_journal_without_a_single_event_has_the_start_balance() -> None:
    metrics = fold([], START).metrics()
    assert (metrics.equity_end, metrics.realized_pnl, metrics.steps, metrics.fill_rate) == (START, 0.0, 0, None)


def test_a_fill_after_the_last_whole_bar_counts() -> None:
    events = list(journal([(1.0, 100.0, 2.0), (-1.0, 130.0, 3.0)]))
    torn = fold(events[:-1]).metrics()
    assert (torn.realized_pnl, torn.unrealized_pnl, torn.fees, torn.num_trades, torn.steps) == (25.0, 0.0, 5.0, 1, 1)


def test_drawdown_is_the_deepest_from_any_peak_including_the_start() -> None:
    ledger = ExactAccount(START)
    ledger.apply(100.0, 100.0, 0.0)
    closes = [95.0, 120.0, 108.0, 130.0, 97.5, 140.0]
    events = [
        ev.Start(0, EPOCH, 1, {"start_balance": START}),
        *(bar(n + 1, n, c, ledger) for n, c in enumerate(closes)),
    ]
    assert fold(events).metrics().max_drawdown == pytest.approx(1 - 97.5 / 130)
    assert fold(events[:2]).metrics().max_drawdown == pytest.approx(0.05)


def test_counts_of_denials_rejections_gaps_and_the_worst_level() -> None:
    events: list[ev.AnyEvent] = [
        ev.Start(0, EPOCH, 1, {"start_balance": START}),
        ev.Order(1, EPOCH, "o1", "open", 1.0, 100.0, 100.0),
        ev.VenueAnswer(2, EPOCH, "o1", False, "no"),
        ev.Order(3, EPOCH, "o2", "open", 1.0, 100.0, 100.0),
        ev.Denial(4, EPOCH, "PRICE_COLLAR", 1.0, 100.0, 9.0, 5.0, "o2"),
        ev.Denial(5, EPOCH, "MAX_ORDER_NOTIONAL", 1.0, 100.0, 500.0, 100.0),
        ev.Gap(6, EPOCH, EPOCH, EPOCH, 432),
        ev.Gap(7, EPOCH, EPOCH, EPOCH, 1),
        ev.Severity(8, EPOCH, "yellow"),
        ev.Severity(9, EPOCH, "green"),
        ev.Order(10, EPOCH, "o3", "open", 1.0, 100.0, 100.0),
    ]
    m = fold(events).metrics()
    assert (m.orders_generated, m.orders_rejected, m.orders_blocked_risk, m.orders_open) == (4, 1, 2, 1)
    assert m.deny_codes == {"MAX_ORDER_NOTIONAL": 1, "PRICE_COLLAR": 1}
    assert (m.gaps, m.bars_missing, m.risk_status) == (2, 433, "red")


@given(
    st.builds(
        ev.Fill,
        st.integers(0),
        st.datetimes(timezones=st.just(EPOCH.tzinfo)),
        st.text(),
        st.text(),
        *([st.floats(allow_nan=False, allow_infinity=False)] * 4),
    )
)
def test_an_event_is_read_as_it_was_written(fill: ev.Fill) -> None:
    line = msgspec.json.encode(fill)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=ev.AnyEvent) == fill
    assert line.startswith(b'{"type":"fill","seq":')
