"""A spot account at the venue: balances, holds and orders.

Without ``validate`` an order is really taken here, so that a test can prove that none was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from peaktrade_core.testing.kraken.pairs import MAKER_PCT, TAKER_PCT, asset
from peaktrade_core.testing.kraken.spot import RefusalError
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import ZERO, RestingOrder, market_met, spot_id, taking_price

TAKER_RATE = Decimal(str(TAKER_PCT[0])) / 100
MAKER_RATE = Decimal(str(MAKER_PCT[0])) / 100


class SpotAccount:
    """Balances by Kraken's asset id, and all orders by id in the order they came."""

    def __init__(self, markets: dict[str, MarketSource], balances: Mapping[str, float]) -> None:
        """Open the account with ``balances`` by the field's codes: ``{"EUR": 10_000.0}``."""
        self._markets = markets
        self.balances = {asset(code).id: Decimal(str(amount)) for code, amount in balances.items()}
        self.orders: dict[str, RestingOrder] = {}

    def next_id(self) -> str:
        """Return the id of the next order."""
        return spot_id(len(self.orders) + 1)

    def open_orders(self) -> list[RestingOrder]:
        """Return the resting orders, newest first."""
        return [order for order in reversed(self.orders.values()) if order.status == "open"]

    def holds(self) -> dict[str, Decimal]:
        """Return what resting orders keep back, by asset id."""
        held: dict[str, Decimal] = {}
        for order in self.open_orders():
            name, amount = self._needs(order, order.price)
            held[name] = held.get(name, ZERO) + amount
        return held

    def place(self, order: RestingOrder, now: float) -> None:
        """Take an order: fill it, let it rest, or end it.

        Raises:
            RefusalError: the funds do not suffice, or a post-only order would take.
        """
        market = self._markets[order.symbol]
        price = taking_price(order, market, now)
        if order.post_only and price is not None:
            raise RefusalError("EOrder:Post only order")
        name, amount = self._needs(order, price or order.price)
        fee = amount * TAKER_RATE if order.side > 0 else ZERO
        if self.balances.get(name, ZERO) - self.holds().get(name, ZERO) < amount + fee:
            raise RefusalError("EOrder:Insufficient funds")
        self.orders[order.id] = order
        if price is not None:
            self._execute(order, price, TAKER_RATE, now, maker=False)
        elif order.immediate:
            order.end("canceled", now, "IOC order not filled")

    def match(self, now: float) -> None:
        """Fill and expire resting orders as far as the market and the clock have come."""
        for order in self.open_orders():
            until = min(now, order.expires) if order.expires else now
            if market_met(order, self._markets[order.symbol], until):
                self._execute(order, order.price, MAKER_RATE, until, maker=True)
            elif order.expires and now >= order.expires:
                order.end("expired", order.expires)

    def _needs(self, order: RestingOrder, price: Decimal) -> tuple[str, Decimal]:
        """Return which asset an order spends, and how much."""
        pair = self._markets[order.symbol].pair
        return (pair.quote.id, order.volume * price) if order.side > 0 else (pair.base.id, order.volume)

    def _execute(self, order: RestingOrder, price: Decimal, rate: Decimal, now: float, *, maker: bool) -> None:
        """Fill an order and book it."""
        order.fill(price, rate, now, maker=maker)
        pair = self._markets[order.symbol].pair
        base, quote = pair.base.id, pair.quote.id
        self.balances[base] = self.balances.get(base, ZERO) + order.side * order.volume
        self.balances[quote] = self.balances.get(quote, ZERO) - order.side * order.volume * price - order.fee
