"""What goes into the decision code, in one value, and the events that come out of it; session and backtest share both."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import StrategyError
from peaktrade_core.trading import engine
from peaktrade_core.trading.book import new_book, withdraw_order
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.events import AnyEvent, Denial, Fill, Halt, Order, Severity
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.risk import DENY_CODES, SEVERITIES, Limits
from peaktrade_core.trading.strategies import Strategy

PURPOSES = ("close", "open")


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

    def new_book(self) -> list[float]:
        """Return the account of a session that has not traded."""
        return new_book(self.start_balance, self.market.inverse, self.market.least_distance)

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
            return self.strategy.signal(self.params, state, bar, self.bar_s)
        except Exception as fault:  # a strategy is a stranger's code, and raises what it likes
            raise StrategyError(
                f"strategy {self.strategy.name!r} failed on the bar at {utc(from_seconds(bar.ts))}: "
                f"{type(fault).__name__}: {fault}"
            ) from fault


class Teller:
    """Gives orders their ids, ``o1``, ``o2`` ..., and fills and denials the id of the order they end."""

    def __init__(self) -> None:
        self._orders = 0
        self._on_way: dict[str, str] = {}

    def tell(self, out: list[float], rows: int, seq: int, now: datetime) -> list[AnyEvent]:
        """Return the events of one bar.

        Args:
            out: row buffer that :func:`engine.step` filled.
            rows: how many rows it wrote.
            seq: number of the first event.
            now: time of the events.
        """
        return [self._event(out, at * engine.WIDTH, seq + at, now) for at in range(rows)]

    def withdraw(self, order: Order, book: Slots) -> None:
        """Forget an order that the venue refused, here and in the book."""
        self._on_way.pop(order.purpose, None)
        withdraw_order(book, order.purpose == "open")

    def _event(self, out: list[float], at: int, seq: int, now: datetime) -> AnyEvent:
        """Return the event of the row that begins at ``at``."""
        kind, code, qty, price, value, limit = out[at : at + engine.WIDTH]
        if kind == engine.FILL:
            purpose = PURPOSES[code == 1.0]
            return Fill(seq, now, self._on_way.pop(purpose), purpose, qty, price, value, limit)
        if kind == engine.ORDER:
            purpose = PURPOSES[code == 1.0]
            self._orders += 1
            self._on_way[purpose] = f"o{self._orders}"
            return Order(seq, now, self._on_way[purpose], purpose, qty, price, value)
        if kind == engine.DENIAL:  # an opening order still on its way is what was denied
            return Denial(seq, now, DENY_CODES[int(code)], qty, price, value, limit, self._on_way.pop("open", None))
        if kind == engine.HALT:
            return Halt(seq, now, DENY_CODES[int(code)], value, limit)
        return Severity(seq, now, SEVERITIES[int(code)])
