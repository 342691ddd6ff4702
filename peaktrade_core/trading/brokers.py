"""Where orders go. Every broker here is unable to send a live order; the simulated one sends nothing at all."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from peaktrade_core.trading.events import Order


class Answer(NamedTuple):
    """What a venue said to an order."""

    accepted: bool
    message: str = ""
    raw: dict[str, Any] | None = None


class Broker(Protocol):
    """A place that takes orders.

    Attributes:
        asks_venue: whether :meth:`submit` talks to anyone; the order is then journalled and synced before, and the
            answer after.
    """

    asks_venue: bool

    def submit(self, order: Order) -> Answer:
        """Hand over one order and return the answer."""


class SimulatedBroker:
    """Accepts every order; the decision code fills it at the next bar's open."""

    asks_venue = False

    def submit(self, order: Order) -> Answer:
        """Accept the order."""
        return Answer(accepted=True)
