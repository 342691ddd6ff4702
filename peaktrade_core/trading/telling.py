"""From the rows of the decision code to events: the one translation that session and backtest share."""

from __future__ import annotations

from datetime import datetime

from peaktrade_core.trading import engine
from peaktrade_core.trading.events import AnyEvent, Denial, Fill, Halt, Order, Severity
from peaktrade_core.trading.risk import DENY_CODES, SEVERITIES

PURPOSES = ("close", "open")


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

    def withdraw(self, order: Order) -> None:
        """Forget an order that the venue refused."""
        self._on_way.pop(order.purpose, None)

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
