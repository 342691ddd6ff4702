"""The account: money in, money out, and what the exact ledger says of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.trading import book as bk
from peaktrade_core.trading.exact import ExactAccount


def after(*fills: tuple[float, float], fee: float = 0.0, mark: float | None = None) -> list[float]:
    book = bk.new_book(10_000.0)
    for qty, price in fills:
        bk.apply_fill(book, qty, price, fee)
    bk.mark(book, mark if mark is not None else fills[-1][1])
    return book


@pytest.mark.parametrize(
    ("name", "fills", "mark", "qty", "avg", "realized", "unrealized"),
    [
        ("a long that is held", [(2, 100)], 110, 2, 100, 0, 20),
        ("a short that is held", [(-2, 100)], 110, -2, 100, 0, -20),
        ("cover a short from 100 at 50", [(-1, 100), (1, 50)], 50, 0, 0, 50, 0),
        ("close a long lower", [(3, 100), (-3, 90)], 90, 0, 0, -30, 0),
        ("add to a long", [(1, 100), (3, 120)], 130, 4, 115, 0, 60),
        ("add to a short", [(-1, 100), (-1, 80)], 70, -2, 90, 0, 40),
        ("close a part", [(4, 100), (-1, 110)], 110, 3, 100, 10, 30),
        ("cover a part", [(-4, 100), (3, 90)], 80, -1, 100, 30, 20),
        ("turn a long into a short", [(2, 100), (-5, 110)], 100, -3, 110, 20, 30),
        ("turn a short into a long", [(-2, 100), (3, 90)], 95, 1, 90, 20, 5),
    ],
)
def test_average_cost_accounting(name, fills, mark, qty, avg, realized, unrealized):
    book = after(*fills, mark=mark)
    assert (book[bk.QTY], book[bk.AVG]) == (qty, avg)
    assert (book[bk.REALIZED], book[bk.UNREALIZED]) == (realized, unrealized)
    assert book[bk.EQUITY] == 10_000 + realized + unrealized
    assert book[bk.CASH] + qty * mark == book[bk.EQUITY]


def test_fees_lower_the_realized_pnl_from_the_first_fill_on():
    book = after((1.0, 100.0), fee=2.5, mark=100.0)
    assert (book[bk.FEES], book[bk.REALIZED], book[bk.EQUITY], book[bk.CASH]) == (2.5, -2.5, 9997.5, 9897.5)


def test_what_rounding_leaves_of_a_closed_position_is_no_position():
    book = after((0.3, 100.0), (-0.1, 100.0), (-0.2, 100.0))
    assert 0.3 - 0.1 - 0.2 != 0.0
    assert (book[bk.QTY], book[bk.AVG], book[bk.UNREALIZED]) == (0.0, 0.0, 0.0)


def test_the_drawdown_is_measured_from_the_highest_equity():
    book = bk.new_book(1000.0)
    bk.apply_fill(book, 10.0, 100.0, 0.0)
    for close, now, largest in [(110, 0.0, 0.0), (99, 0.1, 0.1), (104.5, 0.05, 0.1), (120, 0.0, 0.1), (90, 0.25, 0.25)]:
        bk.mark(book, close)
        assert book[bk.DRAWDOWN] == pytest.approx(now)
        assert book[bk.MAX_DRAWDOWN] == pytest.approx(largest)


quantities = st.integers(-500_000, 500_000).filter(bool).map(lambda lots: lots / 1e4)
prices = st.integers(1, 10_000_000).map(lambda ticks: ticks / 100)


@given(st.lists(st.tuples(quantities, prices, prices, st.integers(0, 100)), min_size=1, max_size=40))
def test_the_exact_ledger_agrees_and_equity_is_the_sum_of_its_parts(steps):
    book, ledger = bk.new_book(1e6), ExactAccount(1e6)
    turnover = 1e6
    for qty, price, close, fee_bps in steps:
        fee = abs(qty * price) * fee_bps / 1e4
        bk.apply_fill(book, qty, price, fee)
        bk.mark(book, close)
        ledger.apply(qty, price, fee)
        turnover += abs(qty) * price + (abs(book[bk.QTY]) + abs(qty)) * close
        assert book[bk.EQUITY] == book[bk.START] + book[bk.REALIZED] + book[bk.UNREALIZED]
        near = pytest.approx(0.0, abs=max(1e-6, 1e-13 * turnover))
        assert book[bk.EQUITY] - float(ledger.equity(close)) == near
        assert book[bk.REALIZED] - float(ledger.realized_pnl) == near
        assert book[bk.UNREALIZED] - float(ledger.unrealized_pnl(close)) == near
        assert book[bk.CASH] + book[bk.QTY] * close - book[bk.EQUITY] == near
        assert book[bk.QTY] == pytest.approx(float(ledger.qty), abs=1e-8)
        assert (book[bk.QTY] == 0.0) == (ledger.qty == 0)
        assert book[bk.FEES] >= 0.0
        assert math.isfinite(book[bk.AVG])


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(1, 1000)), min_size=1, max_size=20), st.integers(1, 1000))
def test_a_short_loses_what_a_long_gains(entries, out):
    total = float(sum(qty for qty, _ in entries))
    long = after(*[(float(q), float(p)) for q, p in entries], (-total, float(out)))
    short = after(*[(float(-q), float(p)) for q, p in entries], (total, float(out)))
    assert long[bk.QTY] == short[bk.QTY] == 0.0
    assert long[bk.REALIZED] == pytest.approx(-short[bk.REALIZED], abs=1e-6)
