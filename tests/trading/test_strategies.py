"""The shipped strategies against textbook versions in pandas, on synthetic and on real candles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.strategies import get_strategy, register, scratch_registry

COLUMNS = ["ts", "open", "high", "low", "close", "volume"]


@pytest.fixture(params=["synthetic", "coinbase_BTC-USD_1m_20161007-20161009", "kraken_XTZ-BTC_1h_20200614-20200714"])
def frame(request, candles) -> pd.DataFrame:
    if request.param == "synthetic":
        return pd.DataFrame(list(SyntheticFeed(5, 60, bars=4000)), columns=COLUMNS)
    return pd.read_parquet(candles(request.param))


def signals(name: str, frame: pd.DataFrame, **given) -> np.ndarray:
    strategy = get_strategy(name)
    params = strategy.parameters(given)
    state = [0.0] * strategy.slots(params)
    return np.array([strategy.update(params, state, *bar) for bar in frame[COLUMNS[1:]].to_numpy().tolist()])


def wilder_average(series: pd.Series, period: int) -> pd.Series:
    """Wilder's smoothing of the values from the first that is there, seeded with their simple mean."""
    known = series.dropna()
    seeded = pd.concat(
        [pd.Series([known.iloc[:period].mean()], index=known.index[period - 1 : period]), known[period:]]
    )
    return seeded.ewm(alpha=1 / period, adjust=False).mean().reindex(series.index)


def test_ma_crossover_is_long_while_the_fast_average_is_above_the_slow(frame):
    fast, slow = frame.close.rolling(20).mean(), frame.close.rolling(50).mean()
    ours = signals("ma_crossover", frame)
    clear = (fast / slow - 1).abs() > 1e-9  # nearer than that the averages are equal but for rounding
    assert 0.2 < ours.mean() < 0.8
    assert clear.sum() > 0.9 * len(frame) - 100
    np.testing.assert_array_equal(ours[clear], (fast > slow)[clear].astype(float))
    assert not ours[:49].any()


def textbook_rsi(frame: pd.DataFrame, trend: int) -> np.ndarray:
    change = frame.close.diff()
    up, down = wilder_average(change.clip(lower=0), 14), wilder_average((-change).clip(lower=0), 14)
    rsi = (100 - 100 / (1 + up / down)).where(down > 0, 100.0).where((up > 0) | (down > 0), 50.0).where(up.notna())
    mean = frame.close.rolling(trend).mean() if trend else None
    held, out = 0.0, []
    for i, value in enumerate(rsi):
        if (held > 0 and value >= 50) or (held < 0 and value <= 50):
            held = 0.0
        if held == 0:
            if value <= 30 and (not trend or frame.close[i] > mean[i]):
                held = 1.0
            elif value >= 70 and (not trend or frame.close[i] < mean[i]):
                held = -1.0
        out.append(held)
    return np.array(out)


@pytest.mark.parametrize("trend", [0, 100])
def test_rsi_reversion_follows_wilders_rsi(frame, trend):
    ours = signals("rsi_reversion", frame, trend=trend)
    assert (ours != 0).any() or (trend and len(frame) < 1000)  # the filter lets few entries pass
    np.testing.assert_array_equal(ours, textbook_rsi(frame, trend))


def textbook_trend(frame: pd.DataFrame) -> np.ndarray:
    rise, fall = frame.high.diff(), -frame.low.diff()
    before = frame.close.shift()
    span = pd.concat([frame.high - frame.low, (frame.high - before).abs(), (frame.low - before).abs()], axis=1).max(
        axis=1
    )
    span[0] = np.nan  # the first bar has no close before it
    plus = rise.where((rise > fall) & (rise > 0), 0.0).where(rise.notna())
    minus = fall.where((fall > rise) & (fall > 0), 0.0).where(fall.notna())
    atr = wilder_average(span, 14)
    plus_di, minus_di = 100 * wilder_average(plus, 14) / atr, 100 * wilder_average(minus, 14) / atr
    total = plus_di + minus_di
    dx = (100 * (plus_di - minus_di).abs() / total).where(~(total == 0), 0.0)
    adx, mean = wilder_average(dx, 14), frame.close.rolling(50).mean()
    held, out = 0.0, []
    for i in range(len(frame)):
        if held:
            held = 0.0 if adx[i] < 20 or minus_di[i] > plus_di[i] else 1.0
        elif adx[i] > 25 and plus_di[i] > minus_di[i] and frame.close[i] > mean[i]:
            held = 1.0
        out.append(held)
    return np.array(out)


def test_trend_following_follows_wilders_directional_movement(frame):
    ours = signals("trend_following", frame)
    assert 0 < ours.mean() < 1
    np.testing.assert_array_equal(ours, textbook_trend(frame))


def test_donchian_breakout_follows_the_channel_of_the_bars_before(frame):
    top, bottom = frame.high.rolling(20).max().shift(), frame.low.rolling(20).min().shift()
    broke = pd.Series(np.where(frame.close > top, 1.0, np.where(frame.close < bottom, -1.0, np.nan)))
    ours = signals("donchian_breakout", frame)
    assert {1.0, -1.0} <= set(ours)
    np.testing.assert_array_equal(ours, broke.ffill().fillna(0.0))


@pytest.mark.parametrize("name", ["ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout"])
def test_a_market_without_any_move_gives_no_signal(name):
    flat = pd.DataFrame([[0.0, 5.0, 5.0, 5.0, 5.0, 1.0]] * 300, columns=COLUMNS)
    assert not signals(name, flat).any()


@pytest.mark.parametrize("name", ["ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout"])
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_signals_do_not_depend_on_the_currency(name, scale):
    frame = pd.DataFrame(list(SyntheticFeed(8, 60, bars=1500)), columns=COLUMNS)
    scaled = frame.copy()
    scaled[COLUMNS[1:5]] *= 2.0 ** round(np.log2(scale))  # a power of two changes no digit
    np.testing.assert_array_equal(signals(name, frame), signals(name, scaled))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fast": 50, "slow": 20}, "need 1 <= fast < slow"),
        ({"fast": 2.5}, "fast = 2.5 must be a finite int"),
        ({"fast": True}, "fast = True must be a finite int"),
        ({"quick": 3}, "has no parameter 'quick'; it has: fast, slow"),
    ],
)
def test_wrong_parameters_are_refused_by_name(given, said):
    with pytest.raises(ConfigError, match=said):
        get_strategy("ma_crossover").parameters(given)


def test_an_unknown_strategy_is_refused_with_those_that_exist():
    with pytest.raises(
        UnknownNameError, match="unknown strategy 'ma_cross'; known: armstrong_cycle, donchian_breakout"
    ):
        get_strategy("ma_cross")


class Nothing(NamedTuple):
    """No parameters."""


def test_a_scratch_registry_forgets_what_was_registered_in_it():
    with scratch_registry():
        register("of_a_moment", Nothing, slots=lambda _: 1, warmup=lambda _: 0)(lambda p, s, o, h, l, c, v: 0.0)
        assert get_strategy("of_a_moment").tier == "r_and_d"
    with pytest.raises(UnknownNameError):
        get_strategy("of_a_moment")


def test_a_close_on_its_average_is_no_news_whichever_way_rounding_falls():
    """Closes that alternate around 0.1 with a last one on the mean of the window: floats put it a bit above or below."""
    for scale in (0.1, 0.3, 0.7, 1.1, 3.3):
        for name, given in (("trend_following", {"trend": 4}), ("rsi_reversion", {"trend": 4, "period": 2})):
            rows = []
            for n in range(400):  # a staircase: three bars down, then one back onto the mean of the four
                base = scale * (1.0 + 0.01 * (n // 4 % 7))
                closes = [base - 3 * scale * 0.01, base + scale * 0.01, base + 2 * scale * 0.01, base]
                c = closes[n % 4]
                rows.append([0.0, c, c * 1.001, c * 0.999, c, 1.0])
            frame = pd.DataFrame(rows, columns=COLUMNS)
            mean = frame.close.rolling(4).mean()
            on_it = ((frame.close / mean - 1).abs() < 1e-12).to_numpy()
            ours = signals(name, frame, **given)
            entered = (ours != 0) & (np.concatenate([[0.0], ours[:-1]]) == 0)
            assert on_it.sum() > 50
            assert not (entered & on_it).any()
