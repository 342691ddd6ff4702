"""Orders at the venue and how the market meets them; shared by the spot and the futures side.

A taker pays one tick of spread; a resting limit order fills completely, at its price, once the market has met it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import msgspec

from peaktrade_core.testing.market import MarketSource

ZERO = Decimal(0)


class RestingOrder(msgspec.Struct):
    """An order that the venue took.

    Attributes:
        id: the venue's name for it.
        symbol: key of its market.
        side: 1 to buy, -1 to sell.
        kind: ``market`` or ``limit``.
        volume: [base units].
        price: limit [quote ccy]; 0 for a market order.
        opened: [s since epoch].
        client_id: the client's name for it (``cl_ord_id``, ``cliOrdId``), empty without one.
        userref: the client's number for it, 0 without one.
        matched: until when the market has been compared with it [s since epoch].
        status: ``open``, ``closed`` (filled), ``canceled`` or ``expired``.
        average: price of the fill [quote ccy].
        fee: [quote ccy].
    """

    id: str
    symbol: str
    side: int
    kind: str
    volume: Decimal
    price: Decimal
    opened: float
    client_id: str = ""
    userref: int = 0
    post_only: bool = False
    reduce_only: bool = False
    immediate: bool = False
    expires: float = 0.0
    matched: float = 0.0
    status: str = "open"
    reason: str = ""
    filled: Decimal = ZERO
    average: Decimal = ZERO
    fee: Decimal = ZERO
    closed: float = 0.0
    maker: bool = False

    @property
    def side_word(self) -> str:
        """Return ``buy`` or ``sell``."""
        return "buy" if self.side > 0 else "sell"

    def end(self, status: str, now: float, reason: str = "") -> None:
        """Close the order without (further) fills."""
        self.status, self.closed, self.reason = status, now, reason

    def fill(self, price: Decimal, fee_rate: Decimal, now: float, *, maker: bool) -> None:
        """Execute the order completely at ``price`` [quote ccy]; ``fee_rate`` is a fraction of the notional."""
        self.filled, self.average, self.maker = self.volume, price, maker
        self.fee = self.volume * price * fee_rate
        self.end("closed", now)


def touch(market: MarketSource, now: float) -> tuple[Decimal, Decimal]:
    """Return bid and ask [quote ccy]: the last price, and one tick above it."""
    last = Decimal(market.pair.price(market.price(now)))
    return last, last + market.pair.tick


def taking_price(order: RestingOrder, market: MarketSource, now: float) -> Decimal | None:
    """Return at which price the order executes at once, None if it would rest [quote ccy]."""
    bid, ask = touch(market, now)
    best = ask if order.side > 0 else bid
    return best if order.kind == "market" or order.side * (order.price - best) >= 0 else None


def market_met(order: RestingOrder, market: MarketSource, now: float) -> bool:
    """Return whether the market has reached a resting order since it was last asked."""
    low, high = market.extremes(order.matched or order.opened, now)
    order.matched = now
    extreme = low if order.side > 0 else high
    return order.side * (order.price - Decimal(market.pair.price(extreme))) >= 0


def decimal(text: str) -> Decimal:
    """Return a finite decimal, zero for anything else."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return ZERO
    return value if value.is_finite() else ZERO


def find(orders: Iterable[RestingOrder], *, client_id: str = "", userref: int = 0) -> list[RestingOrder]:
    """Return the orders that carry the client's name or number; all of them without either."""
    return [
        order
        for order in orders
        if (not client_id or order.client_id == client_id) and (not userref or order.userref == userref)
    ]


def spot_id(number: int) -> str:
    """Return the ``number``-th order id in Kraken's form: ``O6FH4F-QKEVM-GUZB3I``."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    text = "".join(digits[byte % 32] for byte in hashlib.sha256(f"order {number}".encode()).digest())
    return f"O{text[:5]}-{text[5:10]}-{text[10:16]}"


def uuid_of(kind: str, number: int) -> str:
    """Return the ``number``-th id of a kind in the form of a UUID."""
    text = hashlib.sha256(f"{kind} {number}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"
