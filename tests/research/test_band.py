"""A trial passes bars over and is its backtest to the last bit all the same: any bars, costs, limits, halts, denials."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loops import FINE, PERP, SPOT, decision
from test_one_decision_code import FILES, SHORT, Momentum, limit_sets, made, momentum_with, moves, sound

from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.trials.trial import Tries, day_marks
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.indicators import Slots, mean_slots
from peaktrade_core.trading.market import Bars, timeframe_seconds
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import register, scratch_registry


class Level(NamedTuple):
    """The close above which it is long."""

    level: float = 100.0


def wild(p: Level, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Say things that are no signal now and then, and turn around from one bar to the next."""
    s[0] += 1.0
    if s[0] % 17.0 == 0.0:
        return 0.5
    if s[0] % 29.0 == 0.0:
        return c / 0.5 * math.nan
    return 1.0 if c > p.level else (-1.0 if s[0] % 5.0 < 3.0 else 0.0)


@pytest.fixture(autouse=True)
def _user_strategies():
    with scratch_registry():
        register("momentum", Momentum, slots=lambda p: mean_slots(p.lookback), warmup=lambda p: p.lookback)(
            momentum_with(0.0005)
        )
        register("wild", Level, slots=lambda _: 1, warmup=lambda _: 0)(wild)
        yield


def assert_the_same(decided: Decision, bars: Bars, warmup: int, cache: Path) -> float:
    """Hold a trial against its backtest and return the share of bars at which it asked the decision code."""
    result = run_backtest(decided, bars, warmup, cache)
    tries, asked = Tries(decided, bars, warmup, cache), []
    figures = tries._figures
    tries._figures = lambda *given: asked.append(figures(*given))  # type: ignore[assignment]
    signal = tries.signals(decided)
    totals, marks = tries.run(decided, signal)
    assert totals == result.totals
    assert totals.held == np.count_nonzero(result.position)
    expected = day_marks(result)
    np.testing.assert_array_equal(marks.day, expected.day)
    np.testing.assert_array_equal(marks.equity, expected.equity)
    again, _ = tries.run(decided, signal)
    assert again == totals
    return asked[0] / max(1, len(result))


TIGHT = st.builds(
    Limits,
    max_order_notional=st.sampled_from([400.0, 501.0, 620.0, 1e9]),
    max_symbol_exposure_notional=st.sampled_from([505.0, 520.0, 640.0, 1e9]),
    max_total_exposure_notional=st.sampled_from([510.0, 1e9]),
    max_open_positions=st.sampled_from([0, 5]),
    max_daily_loss_abs=st.sampled_from([1.0, 4.0, 20.0, 1e9]),
    max_daily_loss_pct=st.sampled_from([0.02, 0.2, 90.0]),
    warning_threshold_factor=st.sampled_from([0.2, 0.8, 1.0]),
    max_drawdown_halt_pct=st.sampled_from([0.05, 0.5, 3.0, 90.0]),
    max_orders_per_minute=st.sampled_from([0.3, 1.0, 10.0]),
    max_entries_per_day=st.sampled_from([1.0, 4.0, 500.0]),
    duplicate_window_s=st.sampled_from([0.0, 600.0]),
    price_collar_pct=st.sampled_from([0.1, 5.0]),
    max_price_age_s=st.sampled_from([60.0, 1e9]),
)
MARKETS = st.builds(
    lambda market, fee, slippage, fraction, least: market._replace(
        fee_rate=fee, slippage=slippage, position_fraction=fraction, min_notional=least
    ),
    st.sampled_from([SPOT, PERP, FINE, FINE._replace(lot_den=1.0)]),
    st.sampled_from([0.0, 0.0001, 0.0026, 0.05]),
    st.sampled_from([0.0, 0.0005, 0.02]),
    st.sampled_from([1e-6, 0.05, 0.5, 1.0]),
    st.sampled_from([0.0, 480.0]),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([*sorted(set(SHORT) - {"cell"}), "wild"]),
    MARKETS,
    limit_sets | TIGHT,
    st.sampled_from([1e-7, 0.02, 31.0, 4_200.0, 9e8]),
    st.integers(0, 12),
    st.lists(moves, min_size=13, max_size=200),
    st.sampled_from([1, 7, 60, 1440]),
)
def test_any_bars(cache, strategy, market, limits, price, warmup, steps, minutes):
    bars = made(price, steps)
    bars = Bars(bars.ts * minutes, bars.ohlcv)
    params: dict[str, Any] = {"level": price} if strategy == "wild" else SHORT[strategy]
    decided = decision(strategy, market, limits, 60 * minutes, **params)
    assert_the_same(decided, bars, warmup, cache)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), MARKETS, limit_sets | TIGHT, st.sampled_from([0.0001, 0.001, 0.01]))
def test_a_long_walk_held_through_every_level(cache, seed, market, limits, scale):
    rng = np.random.default_rng(seed)
    n = 4000
    close = 1000.0 * np.exp(np.cumsum(rng.normal(0.0, scale, n)))
    open_ = np.concatenate([[1000.0], close[:-1]])
    ohlcv = np.column_stack([open_, np.maximum(open_, close), np.minimum(open_, close), close, np.ones(n)])
    bars = Bars(1_504_483_200.0 + 300.0 * np.cumsum(rng.choice([1, 1, 1, 1, 1, 1, 9], n)), ohlcv)
    params = {"fast": int(rng.integers(2, 50)), "slow": int(rng.integers(60, 400))}
    assert_the_same(decision("ma_crossover", market, limits, 300, **params), bars, 400, cache)
    assert_the_same(decision("donchian_breakout", market, limits, 300, window=params["slow"]), bars, 0, cache)


@pytest.mark.parametrize("strategy", ["ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout"])
def test_real_candles_are_mostly_passed_over(candles, cache, strategy):
    shares = []
    for file in FILES:
        bar_s = timeframe_seconds(file.split("_")[2])
        bars = sound(candles(file))
        market = PERP if bars.ohlcv[0, 3] > 1.0 else FINE
        for limits in (
            Limits(max_price_age_s=3.0 * bar_s),
            Limits(max_drawdown_halt_pct=0.2, max_order_notional=505.0),
        ):
            share = assert_the_same(decision(strategy, market, limits, bar_s), bars, 60, cache)
            if bar_s == 60 and len(bars) > 1000:
                shares.append(share)
    assert np.mean(shares) < 0.4


def test_a_halted_account_waits_without_being_asked(cache):
    rng = np.random.default_rng(5)
    close = 1000.0 * np.exp(np.cumsum(rng.normal(-0.0002, 0.003, 20_000)))
    ohlcv = np.column_stack([close, close, close, close, np.ones(len(close))])
    bars = Bars(1_504_483_200.0 + 60.0 * np.arange(len(close)), ohlcv)
    decided = decision("ma_crossover", SPOT, Limits(max_drawdown_halt_pct=0.5), fast=20, slow=60)
    result = run_backtest(decided, bars, 60, cache)
    assert result.metrics.trading_state == "HALTED"
    assert result.metrics.deny_codes["HALTED"] > 100
    assert assert_the_same(decided, bars, 60, cache) < 0.1
