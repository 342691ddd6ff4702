"""What executions cost: from the price at the decision to the price on arrival, to the fill, to the fee, to the venue.

A session decides at a bar's close, its order arrives at the next open, and the fill is that open made worse by the
slippage. On a venue that trades (its demo), the answer to the order names what it filled at.

Source: implementation shortfall (Perold 1988), delay and slippage kept apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.trading import events as ev
from peaktrade_core.trading.market import is_inverse
from peaktrade_core.trading.records import finite


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One fill with the prices on its way; a cost is positive when it is worse for us.

    Attributes:
        qty: signed [base units].
        decision: close at which it was decided; arrival: open at which it filled, before slippage [quote ccy].
        fill: price of the fill; fee: of it [quote ccy].
        venue: price at which the venue filled the order, None where it filled none or did not say [quote ccy].
        told: whether the price at the decision is known; else it is taken for that of the fill, as if it cost nothing.
        inverse: of an inverse contract, whose quantity is in quote currency and whose money is in what it is settled in.
    """

    at: datetime
    order_id: str
    purpose: str
    qty: float
    decision: float
    arrival: float
    fill: float
    fee: float
    venue: float | None = None
    told: bool = True
    inverse: bool = False

    @property
    def notional(self) -> float:
        """Size of the fill [quote ccy]."""
        return abs(self.qty) / self.fill if self.inverse else abs(self.qty) * self.fill

    @property
    def delay(self) -> float:
        """What the market moved against us between decision and arrival [quote ccy]."""
        return self._worse(self.decision, self.arrival)

    @property
    def slippage(self) -> float:
        """How much worse than on arrival it filled [quote ccy]."""
        return self._worse(self.arrival, self.fill)

    @property
    def venue_extra(self) -> float | None:
        """How much worse than recorded the venue filled [quote ccy], None where nobody knows."""
        return None if self.venue is None else self._worse(self.fill, self.venue)

    def _worse(self, before: float, after: float) -> float:
        return self.qty * (1.0 / before - 1.0 / after) if self.inverse else self.qty * (after - before)


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What all executions cost together [quote ccy]; ``venue_extra`` is None where the venue told no fill.

    ``told``: of how many the price at the decision is known; delay and slippage are of those.
    """

    fills: int
    notional: float
    delay: float
    slippage: float
    fee: float
    venue_fills: int
    venue_extra: float | None
    told: int

    def bps(self, cost: float | None) -> float | None:
        """Return a cost in basis points of the traded notional, None where there is neither."""
        return None if cost is None or not self.notional else 1e4 * cost / self.notional


def executions(events: Iterable[ev.AnyEvent]) -> list[Execution]:
    """Return the fills of a journal, each with its way from the decision to the venue."""
    orders: dict[str, ev.Order] = {}
    venue: dict[str, float] = {}
    found: list[Execution] = []
    inverse = False
    for event in events:
        if isinstance(event, ev.Start):
            inverse = is_inverse(str(event.config.get("symbol")))
        elif isinstance(event, ev.Order):
            orders[event.order_id] = event
        elif isinstance(event, ev.VenueAnswer) and (price := venue_price(event.raw)) is not None:
            venue[event.order_id] = price
        elif isinstance(event, ev.Fill):
            order = orders.get(event.order_id)
            found.append(
                Execution(
                    at=event.ts,
                    order_id=event.order_id,
                    purpose=event.purpose,
                    qty=event.qty,
                    decision=order.price if order else event.reference,
                    arrival=event.reference,
                    fill=event.price,
                    fee=event.fee,
                    venue=venue.get(event.order_id),
                    told=order is not None,
                    inverse=inverse,
                )
            )
    return found


def costs_of(found: Iterable[Execution]) -> Costs:
    """Return the sums over executions."""
    listed = list(found)
    extras = [one.venue_extra for one in listed if one.venue_extra is not None]
    return Costs(
        fills=len(listed),
        notional=sum(one.notional for one in listed),
        delay=sum(one.delay for one in listed),
        slippage=sum(one.slippage for one in listed),
        fee=sum(one.fee for one in listed),
        venue_fills=len(extras),
        venue_extra=sum(extras) if extras else None,
        told=sum(one.told for one in listed),
    )


def venue_price(raw: dict[str, Any] | None) -> float | None:
    """Return the average price in a venue's answer to an order [quote ccy], None where it names no fill.

    Source: krakenfutures ``sendorder`` (``orderEvents`` of type EXECUTION) and ``fills``.
    """
    told = raw or {}
    parts = told.get("orderEvents")
    rows = parts if isinstance(parts, list) else [{**told, "type": "EXECUTION", "amount": told.get("size")}]
    value = size = 0.0
    for row in rows:
        if not isinstance(row, dict) or row.get("type") != "EXECUTION":
            continue
        price, amount = finite(row.get("price")), finite(row.get("amount"))
        if price is not None and amount is not None and amount > 0.0:
            value, size = value + price * amount, size + amount
    return value / size if size else None
