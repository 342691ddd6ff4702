"""The strategies and their registry: a name, parameters with defaults, a tier, and one function of a bar.

A strategy is a plain function ``update(params, state, open, high, low, close, volume) -> signal`` that is called once
a bar, keeps what it must remember in ``state`` (a small array of floats) and returns -1.0, 0.0 or 1.0. The signal is a
*state* (what to hold now), not an event. The session calls the function as it is; a backtest compiles the same source.
Anyone can add one, in a module or a notebook cell::

    class Momentum(NamedTuple):
        lookback: int = 30

    @register("momentum", Momentum, slots=lambda p: mean_slots(p.lookback), warmup=lambda p: p.lookback)
    def momentum(p: Momentum, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
        return 1.0 if c > rolling_mean(s, 0, p.lookback, c) else 0.0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.trading.indicators import Slots, extreme_slots, mean_slots, rolling_max, rolling_mean, wilder

Update = Callable[[Any, Slots, float, float, float, float, float], float]
TIERS = ("core", "aux", "legacy", "r_and_d")
TIE = 1e-12  # relative difference below which a price and an average, or two of them, are equal: neither side is above


@dataclass(frozen=True)
class Strategy:
    """A registered strategy.

    Attributes:
        name: how configuration and command line call it.
        update: the decision function.
        params: NamedTuple class with a default for each parameter.
        slots: length of the state array for given parameters.
        warmup: bars before the first meaningful signal, for given parameters [bars].
        check: what is wrong with given parameters, or an empty string.
        tier: ``core``, ``aux``, ``legacy`` or ``r_and_d``.
        summary: one sentence for people.
    """

    name: str
    update: Update
    params: type[Any]
    slots: Callable[[Any], int]
    warmup: Callable[[Any], int]
    check: Callable[[Any], str]
    tier: str
    summary: str

    def parameters(self, given: Mapping[str, object]) -> Any:
        """Return the parameters with ``given`` over the defaults.

        Raises:
            ConfigError: an unknown name, a wrong type or a value out of range.
        """
        defaults: dict[str, Any] = self.params._field_defaults
        unknown = sorted(set(given) - set(defaults))
        if unknown:
            raise ConfigError(
                f"strategy {self.name!r} has no parameter {unknown[0]!r}; it has: {', '.join(defaults) or 'none'}"
            )
        values = {name: _typed(self.name, name, given.get(name, value), value) for name, value in defaults.items()}
        params = self.params(**values)
        wrong = self.check(params)
        if wrong:
            raise ConfigError(f"strategy {self.name!r}: {wrong}")
        return params


def _typed(strategy: str, name: str, value: object, default: object) -> object:
    """Return ``value`` as the type of ``default``, which is what the compiled code is specialised for."""
    kind = type(default)
    fits = isinstance(value, kind) and isinstance(value, bool) == isinstance(default, bool)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value, fits = float(value), True
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise ConfigError(f"strategy {strategy!r}: {name} = {value!r} must be a finite {kind.__name__}")
    return value


_REGISTRY: dict[str, Strategy] = {}


def register(
    name: str,
    params: type[Any],
    *,
    slots: Callable[[Any], int],
    warmup: Callable[[Any], int],
    check: Callable[[Any], str] = lambda _: "",
    tier: str = "r_and_d",
) -> Callable[[Update], Update]:
    """Return a decorator that registers a strategy function under ``name``; the same name again replaces it.

    Args:
        name: how configuration and command line call it.
        params: NamedTuple class of its parameters, each with a default (int, float or bool).
        slots: length of the state array for given parameters.
        warmup: bars before the first meaningful signal, for given parameters [bars].
        check: returns what is wrong with given parameters, or an empty string.
        tier: ``core``, ``aux``, ``legacy`` or ``r_and_d``.

    Raises:
        ConfigError: the tier is unknown, or the parameters are no NamedTuple with a default for each field.
    """
    if tier not in TIERS:
        raise ConfigError(f"tier {tier!r} is unknown; choose from: {', '.join(TIERS)}")
    if set(getattr(params, "_field_defaults", ())) != set(getattr(params, "_fields", (None,))):
        raise ConfigError(f"strategy {name!r}: its parameters must be a NamedTuple whose fields all have defaults")

    def add(update: Update) -> Update:
        summary = (update.__doc__ or "").strip().partition("\n")[0]
        _REGISTRY[name] = Strategy(name, update, params, slots, warmup, check, tier, summary)
        return update

    return add


def get_strategy(name: str) -> Strategy:
    """Return the strategy called ``name``.

    Raises:
        UnknownNameError: no such strategy; the message lists those that exist.
    """
    if name not in _REGISTRY:
        raise UnknownNameError("strategy", name, sorted(_REGISTRY), "peaktrade strategies")
    return _REGISTRY[name]


def all_strategies() -> list[Strategy]:
    """Return every registered strategy, sorted by name."""
    return [_REGISTRY[name] for name in sorted(_REGISTRY)]


@contextmanager
def scratch_registry() -> Iterator[None]:
    """Undo, at the end of the block, whatever was registered inside it (for tests and notebooks)."""
    before = dict(_REGISTRY)
    try:
        yield
    finally:
        _REGISTRY.clear()
        _REGISTRY.update(before)


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
