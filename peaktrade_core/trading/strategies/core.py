"""The strategies that may run: proven ones, each after its source."""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.trading.indicators import Slots, extreme_slots, mean_slots, rolling_max, rolling_mean, wilder
from peaktrade_core.trading.strategies.registry import register

TIE = 1e-12  # relative difference below which a price and an average, or two of them, are equal: neither side is above


class MaCrossover(NamedTuple):
    """Windows of the two simple averages [bars]."""

    fast: int = 20
    slow: int = 50


@register(
    "ma_crossover",
    MaCrossover,
    slots=lambda p: mean_slots(p.fast) + mean_slots(p.slow),
    warmup=lambda p: p.slow,
    check=lambda p: "" if 1 <= p.fast < p.slow else f"fast = {p.fast}, slow = {p.slow}; need 1 <= fast < slow",
    tier="core",
)
def ma_crossover(p: MaCrossover, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Long while the fast simple average is above the slow one, flat otherwise."""
    fast = rolling_mean(s, 0, p.fast, c)
    slow = rolling_mean(s, p.fast + 2, p.slow, c)
    return 1.0 if fast > slow * (1.0 + TIE) else 0.0


class RsiReversion(NamedTuple):
    """RSI period [bars], entry and exit levels [0-100], window of the trend filter [bars, 0 = off]."""

    period: int = 14
    lower: float = 30.0
    upper: float = 70.0
    exit: float = 50.0
    trend: int = 0


def _check_rsi(p: RsiReversion) -> str:
    if p.period < 2 or p.trend < 0:
        return f"period = {p.period}, trend = {p.trend}; need period >= 2 and trend >= 0"
    if not 0.0 < p.lower < p.exit < p.upper < 100.0:
        return f"lower = {p.lower}, exit = {p.exit}, upper = {p.upper}; need 0 < lower < exit < upper < 100"
    return ""


@register(
    "rsi_reversion",
    RsiReversion,
    slots=lambda p: 6 + mean_slots(max(p.trend, 1)),
    warmup=lambda p: max(p.period + 1, p.trend),
    check=_check_rsi,
    tier="core",
)
def rsi_reversion(p: RsiReversion, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Long after Wilder's RSI fell to the lower level, short after it rose to the upper one, out at the exit level.

    Source: Wilder (1978); a market without any move has RSI 50.
    """
    held = s[0]
    last = s[1]
    s[1] = c
    mean = rolling_mean(s, 6, p.trend, c) if p.trend > 0 else 0.0
    if last == 0.0:
        return 0.0
    up = wilder(s, 2, p.period, c - last if c > last else 0.0)
    down = wilder(s, 4, p.period, last - c if c < last else 0.0)
    moved = up + down
    if not moved >= 0.0:
        return 0.0
    rsi = 100.0 * up / moved if moved > 0.0 else 50.0
    if (held > 0.0 and rsi >= p.exit) or (held < 0.0 and rsi <= p.exit):
        held = 0.0
    if held == 0.0:
        if rsi <= p.lower and (p.trend == 0 or c > mean * (1.0 + TIE)):
            held = 1.0
        elif rsi >= p.upper and (p.trend == 0 or c < mean * (1.0 - TIE)):
            held = -1.0
    s[0] = held
    return held


class TrendFollowing(NamedTuple):
    """ADX period [bars], entry and exit level of the ADX [0-100], window of the trend average [bars]."""

    period: int = 14
    enter: float = 25.0
    exit: float = 20.0
    trend: int = 50


def _check_trend(p: TrendFollowing) -> str:
    if p.period < 2 or p.trend < 1:
        return f"period = {p.period}, trend = {p.trend}; need period >= 2 and trend >= 1"
    if not 0.0 < p.exit <= p.enter < 100.0:
        return f"exit = {p.exit}, enter = {p.enter}; need 0 < exit <= enter < 100"
    return ""


@register(
    "trend_following",
    TrendFollowing,
    slots=lambda p: 12 + mean_slots(p.trend),
    warmup=lambda p: max(2 * p.period, p.trend),
    check=_check_trend,
    tier="core",
)
def trend_following(p: TrendFollowing, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Long in a strong upward trend: ADX above the entry level, +DI above -DI, close above its average.

    Source: Wilder (1978), directional movement; ADX is the Wilder average of DX.
    """
    held, last_h, last_l, last_c = s[0], s[1], s[2], s[3]
    s[1], s[2], s[3] = h, l, c
    mean = rolling_mean(s, 12, p.trend, c)
    if last_c == 0.0:
        return 0.0
    rise = h - last_h
    fall = last_l - l
    true_range = max(h, last_c) - min(l, last_c)
    span = wilder(s, 4, p.period, true_range)
    plus = wilder(s, 6, p.period, rise if rise > fall and rise > 0.0 else 0.0)
    minus = wilder(s, 8, p.period, fall if fall > rise and fall > 0.0 else 0.0)
    if not span >= 0.0:
        return 0.0
    both = plus + minus
    adx = wilder(s, 10, p.period, 100.0 * abs(plus - minus) / both if both > 0.0 else 0.0)
    if held > 0.0:
        held = 0.0 if adx < p.exit or minus > plus else 1.0
    elif adx > p.enter and plus > minus and c > mean * (1.0 + TIE):
        held = 1.0
    s[0] = held
    return held


class DonchianBreakout(NamedTuple):
    """Width of the channel [bars]."""

    window: int = 20


@register(
    "donchian_breakout",
    DonchianBreakout,
    slots=lambda p: 3 + 2 * extreme_slots(p.window),
    warmup=lambda p: p.window + 1,
    check=lambda p: "" if p.window >= 1 else f"window = {p.window}; need window >= 1",
    tier="core",
)
def donchian_breakout(p: DonchianBreakout, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Long after a close above the previous channel's high, short after one below its low, held until the other side.

    Source: R. Donchian's channel of the highest high and lowest low, this bar not included.
    """
    held, high, low = s[0], s[1], s[2]
    if high != 0.0 and c > high:
        held = 1.0
    elif low != 0.0 and c < low:
        held = -1.0
    top = rolling_max(s, 3, p.window, h)
    bottom = -rolling_max(s, 3 + 2 * p.window + 3, p.window, -l)
    s[0] = held
    s[1] = top if top > 0.0 else 0.0
    s[2] = bottom if bottom > 0.0 else 0.0
    return held
