"""Ticks, lots, fees and sizes."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.trading.costs import Market, affordable, fee, fill_price, position_size, round_qty
from peaktrade_core.trading.market import decimal_step


def market(tick: str = "0.01", lot: str = "0.00000001", **changed: float) -> Market:
    tick_num, tick_den = decimal_step("tick", tick)
    lot_num, lot_den = decimal_step("lot", lot)
    plain = Market(tick_num, tick_den, lot_num, lot_den, 0.0, 0.0, 0.0, 0.0026, 0.0005, 0.05)
    return plain._replace(**changed)


@pytest.mark.parametrize(
    ("tick", "price", "bought", "sold"),
    [
        ("0.01", 0.1 + 0.2, 0.3, 0.3),
        ("0.01", 100.005, 100.01, 100.0),
        ("0.5", 100.26, 100.5, 100.0),
        ("0.05", 1.12, 1.15, 1.1),
        ("5", 1002.4, 1005.0, 1000.0),
        ("0.01", 0.001, 0.01, 0.01),
        ("0.00000001", 0.000281239, 0.00028124, 0.00028123),
        ("0.1", 1e12 + 0.26, 1e12 + 0.3, 1e12 + 0.2),
    ],
)
def test_fills_lie_on_the_tick_rounded_against_the_trader(tick, price, bought, sold):
    plain = market(tick, slippage=0.0)
    assert (fill_price(plain, price, 1.0), fill_price(plain, price, -1.0)) == (bought, sold)


TICKS = st.sampled_from(["0.00000001", "0.000001", "0.01", "0.05", "0.1", "0.5", "1", "25"])


@given(TICKS, st.integers(1, 10**8), st.sampled_from([0, 1, 5, 10, 26, 250]), st.sampled_from([1, -1]))
def test_slippage_is_never_rounded_away_and_never_worth_more_than_one_tick(tick, ticks, bps, side):
    """Against exact arithmetic: the fill is the first tick at or beyond the price with its slippage."""
    step, opened = Decimal(tick), ticks * Decimal(tick)
    exact = opened * (1 + side * Decimal(bps) / 10_000)
    whole = (exact / step).to_integral_value(ROUND_CEILING if side > 0 else ROUND_FLOOR)
    filled = fill_price(market(tick, slippage=bps / 1e4), float(opened), float(side))
    assert filled == float(max(whole, Decimal(1)) * step)


@given(st.floats(0.01, 1e6), st.floats(0.0, 1e5), st.floats(1e-4, 1e5), st.sampled_from(["0.00000001", "0.001", "1"]))
def test_a_purchase_never_costs_more_than_the_cash(cash, qty, price, lot):
    here = market(lot=lot)
    paid = affordable(here, cash, round_qty(here, qty), price)
    assert 0.0 <= paid <= round_qty(here, qty)
    assert paid * price + fee(here, paid, price) <= cash
    if paid < round_qty(here, qty):  # and no more than a lot was left out
        more = paid + 1.001 * float(lot)
        assert more * price * 1.0026 > cash * (1.0 - 1e-9)


@given(st.sampled_from(["0.00000001", "0.0001", "0.001", "1", "25"]), st.integers(0, 10**9))
def test_a_whole_number_of_lots_stays_as_it_is(lot, n):
    qty = float(n * Decimal(lot))
    assert round_qty(market(lot=lot), qty) == qty


@given(st.sampled_from(["0.00000001", "0.0001", "0.5", "10"]), st.floats(0.0, 1e6))
def test_quantities_are_rounded_down_to_the_lot(lot, qty):
    rounded, step = round_qty(market(lot=lot), qty), float(lot)
    noise = 2e-15 * qty + 2e-9 * step  # the last digits of doubles, and what counts as a whole lot
    assert qty - step - noise <= rounded <= qty + noise
    assert float(round(Decimal(rounded) / Decimal(lot)) * Decimal(lot)) == rounded
    assert round_qty(market(lot=lot), rounded) == rounded


def test_a_buy_fills_above_the_open_and_a_sell_below():
    assert fill_price(market(), 1000.0, 1.0) == 1000.5
    assert fill_price(market(), 1000.0, -1.0) == 999.5


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_a_fee_is_never_negative(qty, price):
    assert fee(market(), qty, price) == pytest.approx(abs(qty) * price * 0.0026)
    assert fee(market(), qty, price) >= 0.0


def test_a_size_is_a_share_of_equity_and_nothing_without_equity():
    assert position_size(market(lot="0.001"), 10_000.0, 333.0) == 1.501
    assert position_size(market(), 0.0, 333.0) == 0.0
    assert position_size(market(), -50.0, 333.0) == 0.0


def test_a_size_of_more_lots_than_a_whole_number_holds_is_no_accident():
    assert position_size(market(), 1e9, 1e-8) == pytest.approx(5e15)
