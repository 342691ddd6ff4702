"""All that decides in a session, in one value: the strategy with its parameters, the market, the limits, the bar."""

from __future__ import annotations

from typing import Any, NamedTuple

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.errors import StrategyError
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import Strategy


class Decision(NamedTuple):
    """Input of the decision code.

    Attributes:
        strategy, params: the strategy and its parameters (an instance of ``strategy.params``).
        market: instrument and costs.
        limits: risk limits.
        bar_s: length of a bar [s].
        start_balance: [quote ccy].
    """

    strategy: Strategy
    params: Any
    market: Market
    limits: Limits
    bar_s: float
    start_balance: float

    def new_state(self) -> list[float]:
        """Return the empty memory of the strategy."""
        return [0.0] * self.strategy.slots(self.params)

    def signal(self, bar: Bar, state: list[float]) -> float:
        """Ask the strategy what it wants to hold at the close of ``bar``.

        Args:
            bar: the newest; state: the memory of :meth:`new_state`, changed in place.

        Raises:
            StrategyError: it raised, or returned something that is no number.
        """
        try:
            return float(self.strategy.update(self.params, state, *bar[1:]))
        except Exception as fault:  # a strategy is a stranger's code, and raises what it likes
            raise StrategyError(
                f"strategy {self.strategy.name!r} failed on the bar at {iso(from_seconds(bar.ts))}: "
                f"{type(fault).__name__}: {fault}"
            ) from fault
