"""A session, its backtest and the plain loop decide the same to the last bit: fills, denials, account, metrics."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loops import FINE, PERP, SPOT, assert_all_agree, decision, of_backtest

from peaktrade_core.base.errors import DataError
from peaktrade_core.research import backtest
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.exact import ExactAccount
from peaktrade_core.trading.indicators import Slots, mean_slots, rolling_mean
from peaktrade_core.trading.market import Bars, timeframe_seconds
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import register, scratch_registry

CORE = ("ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout")
R_AND_D = {
    "armstrong_cycle": {"reference": 15_000.0, "length": 0.25, "enter": 0.2, "leave": 0.7},  # six hours a cycle
    "el_karoui_vol_model": {"window": 5, "lookback": 40, "high": 0.5},
}
SHORT = {
    "ma_crossover": {"fast": 2, "slow": 5},
    "rsi_reversion": {"period": 3, "trend": 4},
    "trend_following": {"period": 2, "trend": 3},
    "donchian_breakout": {"window": 3},
    "momentum": {"lookback": 4},
    "cell": {"level": 0.25},
}
FILES = [
    "binance_BTC-BUSD_1m_20221213-20221213", "binancefut_BTCUSD-PERP_1m_20221213-20221213",
    "bitfinex_BTC-USD_1h_20131001-20131031", "bybit_BTC-USDT_1m_20221213-20221213",
    "coinbase_BTC-EUR_1m_20180404-20180406", "coinbase_BTC-USD_1m_20161007-20161009",
    "coinbase_BTC-USD_1m_20170903-20170904", "coinbase_BTC-USD_1m_20171217-20171217",
    "coinbase_BTC-USD_1m_20180404-20180406", "coinbase_ETH-USD_1m_20170903-20170904",
    "coinbase_ETH-USD_1m_20180404-20180405", "coinbase_LTC-USD_1m_20180404-20180406",
    "kraken_BTC-EUR_1d_20180727-20200714", "kraken_BTC-EUR_1h_20200614-20200714",
    "kraken_BTC-EUR_1m_20200127-20200127", "kraken_BTC-EUR_1m_20200206-20200207",
    "kraken_ETH-CAD_1d_20180727-20200714", "kraken_ETH-CAD_1h_20200614-20200714",
    "kraken_XTZ-BTC_1d_20180928-20200714", "kraken_XTZ-BTC_1h_20200614-20200714",
]  # fmt: skip


class Momentum(NamedTuple):
    """Bars of the average."""

    lookback: int = 30


STEPS = (0.0, 1.0, -1.0)


def band(mean: float, width: float) -> tuple[float, float]:
    return mean * (1.0 - width), mean * (1.0 + width)


def momentum_with(width: float):
    def momentum(p: Momentum, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
        """Long above a band around the average, short below it; a helper, a constant and a free variable."""
        low, high = band(rolling_mean(s, 0, p.lookback, c), width)
        return STEPS[1] if c > high else (STEPS[2] if c < low else STEPS[0])

    return momentum


CELL = '''
from typing import NamedTuple
from math import sqrt
from peaktrade_core.trading.strategies import register

class Cell(NamedTuple):
    level: float = 0.25

SMOOTH = 0.3

def score(h, l, c):
    return (c - l) / (h - l) if h > l else 0.5

@register("cell", Cell, slots=lambda p: 1, warmup=lambda p: 1)
def cell(p, s, o, h, l, c, v):
    """Long when closes sit near their highs."""
    s[0] += SMOOTH * (score(h, l, c) - s[0])
    return 1 if sqrt(s[0]) > 0.5 + p.level else (-1 if sqrt(s[0]) < 0.5 else 0)
'''


@pytest.fixture(autouse=True)
def _user_strategies():
    with scratch_registry():
        register("momentum", Momentum, slots=lambda p: mean_slots(p.lookback), warmup=lambda p: p.lookback)(
            momentum_with(0.0005)
        )
        exec(compile(CELL, "<ipython-input-7>", "exec"), {"__name__": "__main__"})
        yield


def sound(path: Path) -> Bars:
    """Return the candles of a file; the feed refuses bars without a price, here they count as missing."""
    table = pd.read_parquet(path)
    table = table[table.low > 0]
    seconds = table.ts.astype("datetime64[us, UTC]").astype("int64") / 1e6
    return Bars(seconds.to_numpy(), table[["open", "high", "low", "close", "volume"]].to_numpy())


@pytest.mark.parametrize("strategy", CORE)
@pytest.mark.parametrize("file", FILES)
def test_real_candles(tmp_path, candles, cache, file, strategy):
    bar_s = timeframe_seconds(file.split("_")[2])
    bars = sound(candles(file))
    spot, perp = (SPOT, PERP) if bars.ohlcv[0, 3] > 1.0 else (FINE._replace(shorts=0.0), FINE)
    limits = Limits(max_price_age_s=3.0 * bar_s)
    for name, market in (("spot", spot), ("derivatives", perp)):
        decided = decision(strategy, market, limits, bar_s)
        result = run_backtest(decided, bars, 60, cache)
        assert_all_agree(tmp_path / name, decided, bars, 60, result)
        assert len(result.orders) > 0 or strategy == "rsi_reversion" or "1d" in file


@pytest.mark.parametrize("strategy", ["momentum", "cell"])
def test_a_strategy_from_a_module_and_one_from_a_notebook_cell(tmp_path, cache, strategy):
    rows = np.array(list(SyntheticFeed(3, 60, bars=2500)))
    bars = Bars(rows[:, 0], rows[:, 1:])
    decided = decision(strategy, PERP, Limits())
    result = run_backtest(decided, bars, 100, cache)
    assert result.metrics.num_trades > 20
    assert {1.0, -1.0} <= set(result.signal.tolist())
    assert_all_agree(tmp_path / "home", decided, bars, 100, result)


@pytest.mark.parametrize("strategy", R_AND_D)
def test_examples_of_research(tmp_path, candles, cache, strategy):
    bars = sound(candles("coinbase_BTC-USD_1m_20180404-20180406"))
    decided = decision(strategy, PERP, Limits(max_price_age_s=180.0), 60.0, **R_AND_D[strategy])
    result = run_backtest(decided, bars, 60, cache)
    assert {0.0, 1.0} == set(result.signal.tolist())
    assert_all_agree(tmp_path / "home", decided, bars, 60, result)


def test_a_clock_is_the_end_of_the_bar_and_its_phase_is_by_the_calendar(cache):
    ts = np.arange(4000) * 86_400.0 + 1_262_304_000.0  # 2010-01-01
    bars = Bars(ts, np.full((4000, 5), 100.0))
    result = run_backtest(decision("armstrong_cycle", PERP, Limits(), 86_400.0), bars, 0, cache)
    days = (ts + 86_400.0) / 86_400.0
    expected = ((days - 16_709.0) % 3_141.0) / 3_141.0 >= 0.5
    assert result.signal.tolist() == expected.astype(float).tolist()
    turned = np.flatnonzero(np.diff(result.signal))
    assert [str(np.datetime64(int(days[at + 1]), "D")) for at in turned] == ["2011-06-14", "2015-10-01", "2020-01-19"]


moves = st.tuples(
    st.integers(-250, 250) | st.sampled_from([-4000, 900, 1500]),
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([1] * 25 + [2, 9]),
)
limit_sets = st.sampled_from([
    Limits(),
    Limits(max_orders_per_minute=1.0, max_open_orders=1.0, duplicate_window_s=600.0, price_collar_pct=0.5),
    Limits(max_daily_loss_abs=15.0, max_drawdown_halt_pct=0.3, max_entries_per_day=4.0),
    Limits(max_order_notional=499.0),
    Limits(max_drawdown_halt_pct=50.0, max_daily_loss_pct=90.0, max_daily_loss_abs=1e9, max_price_age_s=1e9),
])  # fmt: skip


def made(price: float, steps: list[tuple[int, int, int, int]]) -> Bars:
    """Return bars whose closes move by hundredths of a percent; the last figure of a step is how many bars later."""
    ts, close, rows = 1_504_483_200.0 - 60.0 * 40, price, []
    for move, up, down, later in steps:
        ts += 60.0 * later
        open_, close = close, close * (1.0 + move / 1e4)
        rows.append((ts, open_, max(open_, close) * (1 + up / 1e4), min(open_, close) * (1 - down / 1e4), close, 1.0))
    table = np.array(rows)
    return Bars(table[:, 0], table[:, 1:])


fresh = itertools.count()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(SHORT)),
    st.sampled_from([SPOT, PERP, FINE, FINE._replace(lot_den=1.0, fee_rate=0.0)]),
    limit_sets,
    st.sampled_from([1e-7, 0.02, 31.0, 4_200.0, 9e8]),
    st.integers(0, 12),
    st.lists(moves, min_size=13, max_size=150),
)
def test_any_bars(tmp_path, cache, strategy, market, limits, price, warmup, steps):
    bars = made(price, steps)
    decided = decision(strategy, market, limits, **SHORT[strategy])
    result = run_backtest(decided, bars, warmup, cache)
    events = assert_all_agree(tmp_path / str(next(fresh)), decided, bars, warmup, result)
    ledger = ExactAccount(10_000.0)
    for event in events:
        if isinstance(event, ev.Fill):
            ledger.apply(event.qty, event.price, event.fee)
        elif isinstance(event, ev.BarDone):
            assert event.equity == 10_000.0 + event.realized_pnl + event.unrealized_pnl
            assert float(ledger.equity(event.close)) == pytest.approx(event.equity, abs=1e-6)
    assert len(result.trades) == result.metrics.num_trades


@pytest.mark.parametrize("strategy", sorted(SHORT))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(moves, min_size=60, max_size=120), cut=st.integers(20, 50), other=st.integers(-300, 300))
def test_the_future_never_changes_the_past(cache, strategy, steps, cut, other):
    changed = steps[:cut] + [(other, up, down, later) for _, up, down, later in steps[cut:]]
    decided = decision(strategy, PERP, Limits(), **SHORT[strategy])
    one, two = (of_backtest(run_backtest(decided, made(100.0, given), 5, cache)) for given in (steps, changed))
    assert one.account[: cut - 5] == two.account[: cut - 5]
    known = made(100.0, steps[:cut])
    alone = of_backtest(run_backtest(decided, known, 5, cache))
    for trace in (one, two):
        assert trace.events[: len(alone.events)] == alone.events


def test_a_run_in_chunks_is_the_same_run(cache, monkeypatch):
    rows = np.array(list(SyntheticFeed(11, 60, bars=3000)))
    bars = Bars(rows[:, 0], rows[:, 1:])
    decided = decision("donchian_breakout", PERP, Limits())
    whole = of_backtest(run_backtest(decided, bars, 300, cache))
    monkeypatch.setattr(backtest, "CHUNK", 128)
    assert of_backtest(run_backtest(decided, bars, 300, cache)) == whole


def test_missing_bars_are_counted_as_in_a_session(tmp_path, cache):
    bars = made(100.0, [(50, 5, 5, 4 if n in (3, 40, 41) else 1) for n in range(80)])
    decided = decision("ma_crossover", SPOT, Limits(), **SHORT["ma_crossover"])
    result = run_backtest(decided, bars, 10, cache)
    assert (result.metrics.gaps, result.metrics.bars_missing) == (2, 6)  # one lies in the warm-up, like its bars
    assert_all_agree(tmp_path / "home", decided, bars, 10, result)


def test_bars_off_the_grid_are_refused_with_their_time(cache):
    bars = made(100.0, [(1, 1, 1, 1)] * 30)
    bars.ts[20:] += 30.0
    with pytest.raises(DataError, match=r"came where .* or later was expected; is --timeframe right"):
        run_backtest(decision("ma_crossover", SPOT, Limits()), bars, 0, cache)


def test_too_few_bars_are_refused(cache):
    with pytest.raises(DataError, match="there are 30 bars, the warm-up needs 31"):
        run_backtest(decision("ma_crossover", SPOT, Limits()), made(1.0, [(1, 1, 1, 1)] * 30), 31, cache)


def test_a_run_of_warm_up_only_has_no_figures_and_no_error(cache):
    result = run_backtest(decision("ma_crossover", SPOT, Limits()), made(1.0, [(1, 1, 1, 1)] * 30), 30, cache)
    assert (len(result), result.metrics.steps, result.metrics.equity_end, result.trades) == (0, 0, 10_000.0, [])
    assert {f.value for f in result.statistics() if f.name in ("sharpe", "total_return")} == {None}


def test_the_statistics_of_a_backtest_are_finite_or_none(cache):
    result = run_backtest(
        decision("donchian_breakout", PERP, Limits()), made(50.0, [(7, 3, 3, 1), (-9, 3, 3, 1)] * 90), 30, cache
    )
    values = {figure.name: figure.value for figure in result.statistics()}
    assert values["max_drawdown"] == result.metrics.max_drawdown
    assert values["trades"] == result.metrics.num_trades
    assert all(value is None or math.isfinite(value) for value in values.values())


def test_every_candle_file_is_covered(candles):
    folder = Path(candles(FILES[0])).parent
    assert sorted(path.stem for path in folder.glob("*.parquet")) == FILES
