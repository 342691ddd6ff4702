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

A strategy of tier ``r_and_d`` (the default) or ``legacy`` may be researched, drilled and rehearsed; sessions, fleet and
forward signals refuse it (:mod:`peaktrade_core.session.tiers`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import Bar

Update = Callable[[Any, Slots, float, float, float, float, float], float]
CORE, AUX, LEGACY, R_AND_D = "core", "aux", "legacy", "r_and_d"
TIERS = (CORE, AUX, LEGACY, R_AND_D)
MAY_RUN = (CORE, AUX)  # tiers that have come through research


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
        tier: ``core``, ``aux``, ``legacy`` or ``r_and_d``, as registered.
        summary: one sentence for people.
        clock: whether slot 0 is the end of the bar [s since epoch], written before each call.
    """

    name: str
    update: Update
    params: type[Any]
    slots: Callable[[Any], int]
    warmup: Callable[[Any], int]
    check: Callable[[Any], str]
    tier: str
    summary: str
    clock: bool = False

    def signal(self, params: Any, state: Slots, bar: Bar, bar_s: float) -> float:
        """Return what it wants to hold at the close of a bar, as the compiled loop asks it; its state is changed in place.

        Args:
            params, state: of the strategy; bar: the newest; bar_s: length of a bar [s].
        """
        if self.clock:
            state[0] = bar.ts + bar_s
        return float(self.update(params, state, *bar[1:]))

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
    tier: str = R_AND_D,
    clock: bool = False,
) -> Callable[[Update], Update]:
    """Return a decorator that registers a strategy function under ``name``; the same name again replaces it.

    Args:
        name: how configuration and command line call it.
        params: NamedTuple class of its parameters, each with a default (int, float or bool).
        slots: length of the state array for given parameters.
        warmup: bars before the first meaningful signal, for given parameters [bars].
        check: returns what is wrong with given parameters, or an empty string.
        tier: ``core``, ``aux``, ``legacy`` or ``r_and_d``.
        clock: write the end of each bar [s since epoch] to slot 0 before the call; that slot is the loop's.

    Raises:
        ConfigError: the tier is unknown, or the parameters are no NamedTuple with a default for each field.
    """
    if tier not in TIERS:
        raise ConfigError(f"tier {tier!r} is unknown; choose from: {', '.join(TIERS)}")
    if set(getattr(params, "_field_defaults", ())) != set(getattr(params, "_fields", (None,))):
        raise ConfigError(f"strategy {name!r}: its parameters must be a NamedTuple whose fields all have defaults")

    def add(update: Update) -> Update:
        summary = (update.__doc__ or "").strip().partition("\n")[0]
        _REGISTRY[name] = Strategy(name, update, params, slots, warmup, check, tier, summary, clock)
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
