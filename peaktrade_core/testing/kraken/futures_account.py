"""A futures account at the venue: collateral in USD, one net position a contract, orders and fills."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from peaktrade_core.testing.kraken.pairs import FUTURES_LOT_DECIMALS
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import ZERO, RestingOrder, market_met, taking_price, touch, uuid_of

TAKER_RATE, MAKER_RATE = Decimal("0.0005"), Decimal("0.0002")
PERPETUAL_LOT = Decimal(1).scaleb(-FUTURES_LOT_DECIMALS)  # [base units]
MAINTENANCE = Decimal("0.01")  # margin of the lowest tier [fraction of the notional]
LARGEST = 1_000_000  # notional of that tier [quote ccy]
MOST_LEVERAGE = 50  # that the venue allows, whatever we do; and what holds until it is told another


class FuturesFill(msgspec.Struct, frozen=True):
    """One execution; price in quote currency, size in contracts of one base unit."""

    id: str
    ts: float
    order: RestingOrder
    price: Decimal
    size: Decimal


class FuturesPosition(msgspec.Struct):
    """A net position: signed size [base units], average entry [quote ccy], time of the last fill [s since epoch]."""

    size: Decimal = ZERO
    entry: Decimal = ZERO
    ts: float = 0.0

    def book(self, change: Decimal, price: Decimal, ts: float) -> Decimal:
        """Change the position by a signed fill and return the realized PnL [quote ccy]."""
        closing = min(abs(self.size), abs(change)) if self.size * change < 0 else ZERO
        realized = closing * (price - self.entry) * (1 if self.size > 0 else -1)
        after = self.size + change
        if not closing:
            self.entry = (self.entry * abs(self.size) + price * abs(change)) / abs(after)
        elif after * self.size <= 0:
            self.entry = price if after else ZERO
        self.size, self.ts = after, ts
        return realized


class FuturesAccount:
    """Collateral, holdings by futures id, orders by id, fills in time order."""

    def __init__(self, markets: dict[str, MarketSource], collateral: float) -> None:
        """Open the account with ``collateral`` [USD]; ``markets`` are keyed by futures id."""
        self.markets = markets
        self.collateral = Decimal(str(collateral))
        self.orders: dict[str, RestingOrder] = {}
        self.holdings: dict[str, FuturesPosition] = {}
        self.fills: list[FuturesFill] = []
        self.leverage: dict[str, Decimal] = {}  # that was asked for, by futures id
        self._paid = 0.0  # until when funding is booked [s since epoch]

    def next_id(self) -> str:
        """Return the id of the next order."""
        return uuid_of("order", len(self.orders) + 1)

    def open_orders(self) -> list[RestingOrder]:
        """Return the resting orders, newest first."""
        return [order for order in reversed(self.orders.values()) if order.status == "open"]

    def unrealized(self, now: float) -> Decimal:
        """Return the PnL of all positions at the last prices [USD]."""
        held = self.holdings.items()
        return sum(((touch(self.markets[name], now)[0] - one.entry) * one.size for name, one in held), ZERO)

    def margin(self, now: float) -> Decimal:
        """Return the margin that positions need [USD]."""
        return sum((worth * self._share(name) for name, worth in self._notionals(now)), ZERO)

    def maintenance(self, now: float) -> Decimal:
        """Return the margin below which positions are liquidated, whatever the leverage [USD]."""
        return sum((worth * MAINTENANCE for _, worth in self._notionals(now)), ZERO)

    def _notionals(self, now: float) -> list[tuple[str, Decimal]]:
        """Return the positions at the last prices [USD], by futures id."""
        return [(name, abs(one.size) * touch(self.markets[name], now)[0]) for name, one in self.holdings.items()]

    def available(self, now: float) -> Decimal:
        """Return what is free for new positions [USD]."""
        return self.collateral + self.unrealized(now) - self.margin(now)

    def lever(self, name: str, wanted: Decimal) -> bool:
        """Hold a contract's margin at a leverage from now on; return whether the venue allows it."""
        if allowed := 1 <= wanted <= MOST_LEVERAGE:
            self.leverage[name] = wanted
        return allowed

    def _share(self, name: str) -> Decimal:
        """Return a contract's initial margin [fraction of the notional]."""
        return 1 / self.leverage.get(name, Decimal(MOST_LEVERAGE))

    def place(self, order: RestingOrder, now: float) -> str:
        """Take an order: fill it, or let it rest; return the venue's word for what became of it."""
        self.pay_funding(now)
        price = taking_price(order, self.markets[order.symbol], now)
        held = self.holdings.get(order.symbol, FuturesPosition()).size
        grows = held * order.side >= 0 or order.volume > abs(held)
        if order.reduce_only and grows:
            return "wouldNotReducePosition"
        if order.post_only and price is not None:
            return "postWouldExecute"
        if order.immediate and price is None:
            return "iocWouldNotExecute"
        if grows and order.volume * (price or order.price) * (self._share(order.symbol) + TAKER_RATE) > self.available(
            now
        ):
            return "insufficientAvailableFunds"
        self.orders[order.id] = order
        if price is not None:
            self._execute(order, price, TAKER_RATE, now, maker=False)
        return "placed"

    def match(self, now: float) -> None:
        """Pay the funding that fell due, then fill resting orders as far as the market has come."""
        self.pay_funding(now)
        for order in reversed(self.open_orders()):
            if market_met(order, self.markets[order.symbol], now):
                self._execute(order, order.price, MAKER_RATE, now, maker=True)

    def pay_funding(self, now: float) -> None:
        """Book the funding that fell due on what is held since it was booked last [USD]."""
        since, self._paid = self._paid or now, now
        for name, holding in self.holdings.items():
            for ts, rate in self.markets[name].rates(since, now):
                self.collateral -= holding.size * touch(self.markets[name], ts)[0] * rate

    def _execute(self, order: RestingOrder, price: Decimal, rate: Decimal, now: float, *, maker: bool) -> None:
        """Fill an order and book it."""
        order.fill(price, rate, now, maker=maker)
        holding = self.holdings.setdefault(order.symbol, FuturesPosition())
        self.collateral += holding.book(order.side * order.volume, price, now) - order.fee
        if not holding.size:
            del self.holdings[order.symbol]
        self.fills.append(FuturesFill(uuid_of("fill", len(self.fills) + 1), now, order, price, order.volume))
