"""Trades from fills, and the figures against pandas."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.trading.events import Fill
from peaktrade_core.trading.exact import ExactAccount
from peaktrade_core.trading.statistics import LEAST_S, round_trips, statistics, trades

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
HOUR_S = 3600.0
BARS_A_YEAR = 365 * 24


def fills(*done: tuple[float, float], fee: float = 0.0) -> list[Fill]:
    return [
        Fill(n, BEGIN + timedelta(hours=n), f"o{n}", "open", float(qty), float(price), fee, float(price))
        for n, (qty, price) in enumerate(done)
    ]


def at(n: int) -> datetime:
    return BEGIN + timedelta(hours=n)


@pytest.mark.parametrize(
    ("name", "done", "expected"),
    [
        ("a long", [(2, 100), (-2, 110)], [(1, 2, 0, 1, 100, 110, 20)]),
        ("a short covered lower is a gain", [(-1, 100), (1, 50)], [(-1, 1, 0, 1, 100, 50, 50)]),
        ("in twice, out twice", [(1, 100), (3, 120), (-2, 130), (-2, 140)], [(1, 4, 0, 3, 115, 135, 80)]),
        (
            "a reversal ends one and begins the next",
            [(2, 100), (-5, 110), (3, 90)],
            [(1, 2, 0, 1, 100, 110, 20), (-1, 3, 1, 2, 110, 90, 60)],
        ),
        ("what is still open is left out", [(1, 100), (-1, 101), (4, 100)], [(1, 1, 0, 1, 100, 101, 1)]),
        ("a rest of rounding is flat", [(0.3, 10), (-0.1, 10), (-0.2, 10), (1, 10)], [(1, 0.3, 0, 2, 10, 10, 0)]),
        ("nothing", [], []),
    ],
)  # fmt: skip
def test_round_trips(name, done, expected):
    found = trades(fills(*done))
    assert len(found) == len(expected)
    for trade, (side, qty, entered, left, entry, out, pnl) in zip(found, expected, strict=True):
        assert (trade.side, trade.entry_ts, trade.exit_ts) == (side, at(entered), at(left))
        assert (trade.qty, trade.entry_price, trade.exit_price) == pytest.approx((qty, entry, out))
        assert trade.pnl == pytest.approx(pnl)


def test_the_fee_of_a_reversal_is_shared_by_quantity():
    first, second = trades(fills((1, 100), (-4, 100), (3, 100), fee=8.0))
    assert (first.fees, second.fees) == (8.0 + 2.0, 6.0 + 8.0)
    assert (first.pnl, second.pnl) == (-10.0, -14.0)


@given(st.lists(st.tuples(st.integers(-5, 5).filter(bool), st.integers(1, 500)), max_size=40))
def test_trades_are_counted_as_by_the_exact_ledger_and_add_up_to_its_profit(done):
    ledger, held = ExactAccount(1000.0), 0
    for qty, price in done:
        ledger.apply(float(qty), float(price), 0.5)
        held += qty
    done_flat = [*done, (-held, 77)] if held else done
    if held:
        ledger.apply(float(-held), 77.0, 0.5)
    found = trades(fills(*done_flat, fee=0.5))
    assert len(found) == ledger.trades
    assert sum(trade.pnl for trade in found) == pytest.approx(float(ledger.realized_pnl), abs=1e-6)


lots = st.integers(-500, 500).filter(bool).map(lambda n: n / 1000)
cents = st.integers(100, 10_000_000).map(lambda n: n / 100)
costs = st.integers(0, 5000).map(lambda n: n / 1000)


@given(st.lists(st.tuples(lots, cents, costs), max_size=40), cents)
def test_all_round_trips_together_are_the_exact_ledger_to_the_cent(done, close):
    """The last one may be open, partly left, or entered again: what it realized so far counts as well."""
    ledger = ExactAccount(1000.0)
    executed = []
    for n, (qty, price, fee) in enumerate(done):
        ledger.apply(qty, price, fee)
        executed.append(Fill(n, at(n), f"o{n}", "open", qty, price, fee, price))
    trips = round_trips(executed)
    assert sum(trip.realized for trip in trips) == pytest.approx(float(ledger.realized_pnl), abs=0.004)
    assert sum(trip.unrealized(close) for trip in trips) == pytest.approx(
        float(ledger.unrealized_pnl(close)), abs=0.004
    )
    assert sum(trip.fees for trip in trips) == pytest.approx(float(ledger.fees))
    assert sum(trip.side * trip.held for trip in trips) == pytest.approx(float(ledger.qty), abs=1e-9)
    assert [trip.held == 0.0 for trip in trips].count(True) == ledger.trades
    assert all(trip.held == 0.0 for trip in trips[:-1])


@given(lots, lots, cents, cents, costs)
def test_a_fill_that_turns_the_position_is_split_at_flat(held, more, entry, turn, fee):
    qty = -held - math.copysign(abs(more), held)
    first, second = round_trips(
        [Fill(0, at(0), "o0", "open", held, entry, 0.0, entry), Fill(1, at(1), "o1", "open", qty, turn, fee, turn)]
    )
    assert (first.left, first.held, second.side) == (abs(held), 0.0, -first.side)
    assert second.entered == pytest.approx(abs(more))
    assert first.fees + second.fees == pytest.approx(fee)
    assert first.fees == pytest.approx(fee * abs(held) / abs(qty))
    assert second.first is first.last


def test_what_is_open_is_counted_at_average_cost():
    """Bought 1 at 100 and 1 at 200, sold 1 at 180, bought 1 at 130: 30 realized, 2 held at 140 each."""
    (trip,) = round_trips(fills((1, 100), (1, 200), (-1, 180), (1, 130), fee=2.0))
    assert (trip.gross, trip.fees, trip.realized, trip.held, trip.basis) == (30.0, 8.0, 22.0, 2.0, 280.0)
    assert trip.unrealized(150.0) == 20.0


def test_holding_the_market_stands_beside_and_the_mean_time_in_a_trade():
    ours = figures([1000.0, 1010.0], done=[(1, 100), (-1, 130), (1, 100), (-1, 90)], close=[50.0, 75.0])
    assert (ours["buy_and_hold"], ours["average_duration"]) == (0.5, HOUR_S)
    assert "buy_and_hold" not in figures([1000.0])
    assert figures([1000.0])["average_duration"] is None


def figures(equity, position=None, done=(), ts=None, **given) -> dict[str, float | None]:
    held = np.zeros(len(equity)) if position is None else position
    ts = HOUR_S * np.arange(len(equity)) if ts is None else ts
    found = statistics(ts, equity, held, trades(fills(*done)), start_balance=1000.0, bar_s=HOUR_S, **given)
    return {figure.name: figure.value for figure in found}


@pytest.mark.parametrize("risk_free", [0.0, 0.04])
def test_figures_of_returns_are_those_of_pandas(risk_free):
    equity = pd.Series(1000.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(1e-5, 0.002, 9000))))
    returns = pd.concat([pd.Series([1000.0]), equity]).pct_change().dropna()
    excess = returns - risk_free / BARS_A_YEAR
    curve = pd.concat([pd.Series([1000.0]), equity], ignore_index=True)
    below = curve < curve.cummax()
    ours = figures(equity.tolist(), risk_free=risk_free)
    expected = {
        "total_return": equity.iloc[-1] / 1000.0 - 1,
        "annualised_return": (equity.iloc[-1] / 1000.0) ** (BARS_A_YEAR / 9000) - 1,
        "volatility": returns.std(ddof=1) * BARS_A_YEAR**0.5,
        "sharpe": excess.mean() / returns.std(ddof=1) * BARS_A_YEAR**0.5,
        "sortino": excess.mean() / (excess.clip(upper=0) ** 2).mean() ** 0.5 * BARS_A_YEAR**0.5,
        "max_drawdown": (1 - curve / curve.cummax()).max(),
        "max_drawdown_length": below.groupby((~below).cumsum()).sum().max(),
    }
    assert {name: ours[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_missing_bars_count_as_time_that_passed():
    """The same curve over more than twice the time: each annual figure shrinks as time does, no other changes."""
    times = 1800  # the same five hours, over and over, so that there is enough to annualise
    equity = [1000.0, 1003.0, 1001.0, 1007.0, 1010.0] * times
    ts = HOUR_S * (12.0 * np.arange(times)[:, None] + np.array([0.0, 1.0, 2.0, 9.0, 11.0])).ravel()
    whole, ragged = figures(equity), figures(equity, ts=ts)
    slower = (5 / 12) ** 0.5
    for name in ("volatility", "sharpe", "sortino"):
        assert ragged[name] == pytest.approx(whole[name] * slower)
    assert ragged["annualised_return"] == pytest.approx(1.01 ** (365 * 24 / (12 * times)) - 1)
    assert {ragged[name] == whole[name] for name in ("total_return", "max_drawdown", "exposure_time")} == {True}


def test_figures_of_trades_are_net_of_fees():
    done = [(1, 100), (-1, 130), (1, 100), (-1, 90), (-1, 100), (1, 80), (1, 100), (-1, 100)]
    ours = figures([1000.0, 1040.0], done=done)
    assert (ours["trades"], ours["win_rate"]) == (4, 0.5)
    assert ours["profit_factor"] == pytest.approx(50 / 10)
    assert ours["average_trade"] == pytest.approx(10.0)
    assert ours["expectancy"] == pytest.approx((0.5 * 25 - 0.25 * 10) / 10)


def test_without_losses_there_is_no_profit_factor_and_it_is_not_zero():
    ours = figures([1000.0, 1001.0], done=[(1, 100), (-1, 101)])
    assert (ours["profit_factor"], ours["win_rate"], ours["expectancy"]) == (None, 1.0, None)


def test_exposure_time_counts_bars_with_a_position_of_either_side():
    assert figures([1000.0] * 4, position=[0.0, 1.0, -2.0, 0.0])["exposure_time"] == 0.5


RETURNS = {"total_return", "annualised_return", "volatility", "sharpe", "sortino", "max_drawdown"}
UNDEFINED = {
    "no bars": ([], {*RETURNS, "exposure_time"}),
    "one bar": ([1010.0], {"volatility", "sharpe", "sortino"}),
    "no variance": ([1000.0] * 50, {"sharpe", "sortino"}),
    "the same gain each bar": ([1000.0 * 1.001**n for n in range(1, 50)], {"sharpe", "sortino"}),
    "ruin": ([500.0, -20.0, 30.0], {"annualised_return", "volatility", "sharpe", "sortino"}),
    "a growth beyond measure": ([1e9], {"annualised_return", "volatility", "sharpe", "sortino"}),
    "no number": ([1000.0, float("nan")], RETURNS),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDEFINED)
def test_what_is_not_defined_is_none_and_never_an_exception(name):
    equity, missing = UNDEFINED[name]
    ours = figures(equity)
    assert {key for key in missing if ours[key] is not None} == set()
    assert {ours[key] for key in ("profit_factor", "win_rate", "expectancy", "average_trade")} == {None}
    assert all(value is None or np.isfinite(value) for value in ours.values())


def test_each_figure_prints_what_it_is_measured_with():
    found = {
        f.name: f
        for f in statistics(
            [0.0, 60.0, 120.0], [1001.0] * 3, [0.0] * 3, [], start_balance=1000.0, bar_s=60.0, risk_free=0.02
        )
    }
    for part in ("ddof = 1", "525600 bars a year (365 days)", "risk-free rate 0.02 a year", "3 returns of 1m bars"):
        assert part in found["sharpe"].definition
    assert "ddof = 0" in found["sortino"].definition
    assert all(figure.unit and figure.definition for figure in found.values())


@pytest.mark.parametrize(("days", "given"), [(1 / 24, set()), (59, set()), (60, {"volatility", "sharpe", "sortino"}),
                                            (364, {"volatility", "sharpe", "sortino"}),
                                            (365, {"volatility", "sharpe", "sortino", "annualised_return"})])  # fmt: skip
def test_no_figure_is_annualised_from_less_than_it_needs(days, given):
    equity = 1000.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 0.002, round(days * 24))))
    found = statistics(
        HOUR_S * np.arange(len(equity)), equity, np.zeros(len(equity)), [], start_balance=1000.0, bar_s=HOUR_S
    )
    annual = {one.name: one for one in found if one.unit == "fraction a year" or "annualised" in one.definition}
    assert set(annual) == set(LEAST_S)
    assert {name for name, one in annual.items() if one.value is not None} == given
    assert all("held back" in one.held for name, one in annual.items() if name not in given)
