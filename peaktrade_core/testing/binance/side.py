"""What Binance's spot and futures interfaces share: keys, signatures, markets by name, candles, and how orders are described.

Source: Binance Spot and USD-M Futures API documentation (general information, market data, error codes).
"""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from peaktrade_core.testing.binance.refusals import BinanceRefusalError, refusal_of
from peaktrade_core.testing.kraken.pairs import Pair
from peaktrade_core.testing.kraken.signing import LoopbackKey
from peaktrade_core.testing.kraken.spot import Moment, RefusalError
from peaktrade_core.testing.market import MarketSource, trades, typical
from peaktrade_core.testing.orders import ZERO, RestingOrder, decimal, touch
from peaktrade_core.testing.wire import Reply, VenueRequest, json_reply
from peaktrade_core.trading.market import Bar

PAGE = 500  # candles of an answer, unless asked for
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
INTERVALS = {
    name: int(name[:-1]) * _UNIT_S[name[-1]]
    for name in ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
}
LOT = Decimal("0.00000001")
STATES = {"open": "NEW", "closed": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED"}
Params = dict[str, str]
Call = Callable[[Params, Moment], Any]


class BinanceSide(ABC):
    """One of Binance's interfaces: what anyone may ask, and what takes a key."""

    most = 1000  # candles of an answer at most

    def __init__(self, markets: Iterable[MarketSource], key: LoopbackKey) -> None:
        self.markets = {name_of(market.pair): market for market in markets}
        self._key = key
        self.public: dict[str, Call] = {
            "ping": lambda *_: {},
            "time": lambda _, moment: {"serverTime": int(moment.stated * 1000)},
            "exchangeInfo": self._info,
            "klines": self._candles,
        }
        self.private: dict[tuple[str, str], Call] = {}

    @abstractmethod
    def described(self, pair: Pair) -> dict[str, Any]:
        """Return a market as ``exchangeInfo`` shows it."""

    @abstractmethod
    def orders(self) -> Iterable[RestingOrder]:
        """Return all orders of the account, oldest first."""

    @abstractmethod
    def match(self, now: float) -> None:
        """Let the account come to a time [s since epoch]."""

    @abstractmethod
    def key_of(self, market: MarketSource) -> str:
        """Return what the account calls a market."""

    @abstractmethod
    def report(self, order: RestingOrder, pair: Pair) -> dict[str, Any]:
        """Return an order as Binance reports it."""

    def answer(self, request: VenueRequest, moment: Moment) -> Reply:
        """Return the answer to a request."""
        call = request.path.split("/", 3)[3]
        try:
            if moment.state == "maintenance" and call not in ("ping", "time"):
                raise RefusalError("EService:Unavailable")
            if request.method == "GET" and (public := self.public.get(call)):
                return json_reply(public(request.params, moment))
            if private := self.private.get((request.method, call)):
                self._require_signed(request)
                self.match(moment.now)
                return json_reply(private(request.params, moment))
            raise BinanceRefusalError(404, -1000, "Not found.")
        except BinanceRefusalError as refusal:
            return refusal.reply
        except RefusalError as refusal:
            return refusal_of(str(refusal))

    def market(self, params: Params) -> MarketSource:
        """Return the market that is named, or refuse."""
        market = self.markets.get(params.get("symbol", ""))
        if market is None:
            raise RefusalError("EQuery:Unknown asset pair" if params.get("symbol") else "EGeneral:Invalid arguments")
        return market

    def named(self, params: Params) -> tuple[RestingOrder, MarketSource]:
        """Return the order that is named by number or by the client's name, and its market, or refuse."""
        market = self.market(params)
        for order in self.orders():
            by_number = params.get("orderId") == str(self.number_of(order))
            if by_number or (order.client_id and params.get("origClientOrderId") == order.client_id):
                return order, market
        raise BinanceRefusalError(400, -2013, "Order does not exist.")

    def number_of(self, order: RestingOrder) -> int:
        """Return the number of an order."""
        return 1 + [one.id for one in self.orders()].index(order.id)

    def listed(self, params: Params, _: Moment) -> list[dict[str, Any]]:
        """Return all orders, or those of one market."""
        pairs = {self.key_of(market): market.pair for market in self.markets.values()}
        wanted = self.key_of(self.market(params)) if params.get("symbol") else None
        return [self.report(order, pairs[order.symbol]) for order in self.orders() if wanted in (None, order.symbol)]

    def open(self, params: Params, moment: Moment) -> list[dict[str, Any]]:
        """Return the orders that rest."""
        return [one for one in self.listed(params, moment) if one["status"] == "NEW"]

    def shown(self, params: Params, _: Moment) -> dict[str, Any]:
        """Return one order."""
        order, market = self.named(params)
        return self.report(order, market.pair)

    def cancel(self, params: Params, moment: Moment) -> dict[str, Any]:
        """Cancel one order."""
        order, market = self.named(params)
        if order.status != "open":
            raise BinanceRefusalError(400, -2011, "Unknown order sent.")
        order.end("canceled", moment.now, "User requested")
        return self.report(order, market.pair)

    def asked(self, params: Params, id_: str, moment: Moment, least: Decimal, lot: Decimal) -> RestingOrder:
        """Return the order that ``params`` describe, of at least ``least`` and in steps of ``lot``, or refuse it."""
        market = self.market(params)
        pair, kind = market.pair, params.get("type", "").lower()
        if params.get("side") not in ("BUY", "SELL") or kind not in ("market", "limit"):
            raise RefusalError("EGeneral:Invalid arguments")
        volume = positive(params, "quantity")
        price = positive(params, "price") if kind == "limit" else ZERO
        if volume < least or volume % lot:
            raise RefusalError("EOrder:Order minimum not met")
        if price % pair.tick:
            raise BinanceRefusalError(400, -1013, "Filter failure: PRICE_FILTER")
        if volume * (price or touch(market, moment.now)[params["side"] == "BUY"]) < pair.min_cost:
            raise BinanceRefusalError(400, -1013, "Filter failure: NOTIONAL")
        client_id = params.get("newClientOrderId", "")
        if client_id and any(one.client_id == client_id and one.status == "open" for one in self.orders()):
            raise BinanceRefusalError(400, -2010, "Duplicate order sent.")
        order = RestingOrder(
            id=id_,
            symbol=self.key_of(market),
            side=1 if params["side"] == "BUY" else -1,
            kind=kind,
            volume=volume,
            price=price,
            opened=moment.now,
            client_id=client_id,
            immediate=params.get("timeInForce") == "IOC",
            reduce_only=params.get("reduceOnly", "").lower() == "true",
        )
        if not moment.takes(order):
            raise RefusalError("EService:Market in cancel_only mode")
        return order

    def _require_signed(self, request: VenueRequest) -> None:
        """Check key and signature: HMAC-SHA256 of query and body, in hexadecimal digits."""
        if request.headers.get("x-mbx-apikey") != self._key.key:
            raise RefusalError("EAPI:Invalid key")
        text, _, given = f"{request.query}{request.body}".rpartition("&signature=")
        expected = hmac.new(self._key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, given):
            raise RefusalError("EAPI:Invalid signature")
        if not request.params.get("timestamp", "").isdigit():
            raise RefusalError("EGeneral:Invalid arguments")

    def _info(self, _: Params, moment: Moment) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": int(moment.stated * 1000),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [self.described(market.pair) for market in self.markets.values()],
        }

    def _candles(self, params: Params, moment: Moment) -> Any:
        market = self.market(params)
        interval_s = INTERVALS.get(params.get("interval", ""))
        if interval_s is None or interval_s % market.bar_s:
            raise BinanceRefusalError(400, -1120, "Invalid interval.")
        limit = min(self.most, int(number(params, "limit") or PAGE))
        start, end = number(params, "startTime"), number(params, "endTime")
        bars = moment.bars(market, interval_s, 1_000_000, flat=True)
        chosen = [bar for bar in bars if (start or 0) <= bar.ts * 1000 <= (end or float("inf"))]
        chosen = chosen[:limit] if start is not None else chosen[-limit:]
        return [row_of(market, bar, interval_s) for bar in chosen]


def name_of(pair: Pair) -> str:
    """Return Binance's and Bybit's name of a market: ``BTCEUR``."""
    return pair.base.code + pair.quote.code


def row_of(market: MarketSource, bar: Bar, interval_s: int) -> list[Any]:
    """Return a candle as Binance writes it."""
    prices = [market.pair.price(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    opened, turnover = int(bar.ts * 1000), f"{bar.volume * typical(bar):.8f}"
    volume = f"{bar.volume:.8f}"
    return [opened, *prices, volume, opened + interval_s * 1000 - 1, turnover, trades(bar), volume, turnover, "0"]


def filters(pair: Pair, least: Decimal, lot: Decimal) -> list[dict[str, Any]]:
    """Return what orders of a market must fit."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{pair.tick:.8f}",
            "maxPrice": "1000000",
            "tickSize": f"{pair.tick:.8f}",
        },
        {"filterType": "LOT_SIZE", "minQty": f"{least:.8f}", "maxQty": "9000", "stepSize": f"{lot:.8f}"},
    ]


def number(params: Params, name: str) -> float | None:
    """Return a number, None without one, or refuse."""
    if not params.get(name):
        return None
    try:
        return float(params[name])
    except ValueError:
        raise BinanceRefusalError(400, -1100, f"Illegal characters found in parameter '{name}'.") from None


def positive(params: Params, name: str) -> Decimal:
    """Return a positive decimal, or refuse."""
    value = decimal(params.get(name, ""))
    if value <= 0:
        raise RefusalError("EGeneral:Invalid arguments")
    return value
