"""Binance's spot REST interface below ``/api/v3``: time, markets and candles, orders and the account.

The account and its orders are those of the venue's spot side, whichever dialect placed them. Timestamps of signed requests
are not compared with the venue's clock, which need not be the machine's.

Source: Binance Spot API documentation (REST API, error codes, filters).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from peaktrade_core.testing.binance.refusals import API, ELSEWHERE, BinanceRefusalError, refusal_of
from peaktrade_core.testing.kraken.pairs import Pair
from peaktrade_core.testing.kraken.signing import LoopbackKey
from peaktrade_core.testing.kraken.spot import Moment, RefusalError
from peaktrade_core.testing.kraken.spot_account import SpotAccount
from peaktrade_core.testing.market import MarketSource, trades, typical
from peaktrade_core.testing.orders import ZERO, RestingOrder, find
from peaktrade_core.testing.wire import Reply, VenueRequest, json_reply
from peaktrade_core.trading.market import Bar

PAGE, MOST = 500, 1000  # candles of an answer, unless asked for and at most
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
INTERVALS = {
    name: int(name[:-1]) * _UNIT_S[name[-1]]
    for name in ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w")
}
LOT = Decimal("0.00000001")


class BinanceSpot:
    """The public and the private half."""

    def __init__(self, markets: dict[str, MarketSource], account: SpotAccount, key: LoopbackKey) -> None:
        self._markets = {name_of(market.pair): market for market in markets.values()}
        self._account, self._key = account, key
        self._public: dict[str, Callable[[dict[str, str], Moment], Any]] = {
            "ping": lambda *_: {},
            "time": lambda _, moment: {"serverTime": int(moment.stated * 1000)},
            "exchangeInfo": self._info,
            "klines": self._candles,
        }
        self._private: dict[tuple[str, str], Callable[[dict[str, str], Moment], Any]] = {
            ("GET", "account"): self._balances,
            ("POST", "order"): self._place,
            ("POST", "order/test"): self._test,
            ("GET", "order"): self._order,
            ("DELETE", "order"): self._cancel,
            ("GET", "openOrders"): self._open,
            ("GET", "allOrders"): self._all,
            ("GET", "myTrades"): self._fills,
        }

    def answer(self, request: VenueRequest, moment: Moment) -> Reply:
        """Return the answer to a request."""
        if request.path.startswith(ELSEWHERE):
            return json_reply({"symbols": []})
        call = request.path.removeprefix(API)
        try:
            if moment.state == "maintenance" and call not in ("ping", "time"):
                raise RefusalError("EService:Unavailable")
            if public := self._public.get(call):
                return json_reply(public(request.params, moment))
            if private := self._private.get((request.method, call)):
                self._require_signed(request)
                self._account.match(moment.now)
                return json_reply(private(request.params, moment))
            raise BinanceRefusalError(404, -1000, "Not found.")
        except BinanceRefusalError as refusal:
            return refusal.reply
        except RefusalError as refusal:
            return refusal_of(str(refusal))

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

    def _info(self, _: dict[str, str], moment: Moment) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": int(moment.stated * 1000),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [_described(market.pair) for market in self._markets.values()],
        }

    def _candles(self, params: dict[str, str], moment: Moment) -> Any:
        market = self._market(params)
        interval_s = INTERVALS.get(params.get("interval", ""))
        if interval_s is None or interval_s % market.bar_s:
            raise BinanceRefusalError(400, -1120, "Invalid interval.")
        limit = min(MOST, int(_number(params, "limit") or PAGE))
        start, end = _number(params, "startTime"), _number(params, "endTime")
        bars = moment.bars(market, interval_s, 1_000_000, flat=True)
        chosen = [bar for bar in bars if (start or 0) <= bar.ts * 1000 <= (end or float("inf"))]
        chosen = chosen[:limit] if start is not None else chosen[-limit:]
        return [row_of(market, bar, interval_s) for bar in chosen]

    def _balances(self, _: dict[str, str], __: Moment) -> Any:
        codes = {
            part.id: part.code for market in self._markets.values() for part in (market.pair.base, market.pair.quote)
        }
        holds = self._account.holds()
        return {
            "canTrade": True,
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": codes.get(name, name),
                    "free": f"{amount - holds.get(name, ZERO):.8f}",
                    "locked": f"{holds.get(name, ZERO):.8f}",
                }
                for name, amount in self._account.balances.items()
            ],
        }

    def _test(self, params: dict[str, str], moment: Moment) -> Any:
        self._checked(params, moment.now)
        return {}

    def _place(self, params: dict[str, str], moment: Moment) -> Any:
        order, market = self._checked(params, moment.now)
        self._account.place(order, moment.now)
        report = self._report(order, market.pair) | {"transactTime": int(moment.now * 1000)}
        filled = {"price": f"{order.average:.8f}", "qty": f"{order.filled:.8f}", "commission": f"{order.fee:.8f}"}
        fills = [filled | {"commissionAsset": market.pair.quote.code, "tradeId": self._number_of(order)}]
        return report | {"fills": fills if order.filled else []}

    def _order(self, params: dict[str, str], _: Moment) -> Any:
        order, market = self._named(params)
        return self._report(order, market.pair)

    def _cancel(self, params: dict[str, str], moment: Moment) -> Any:
        order, market = self._named(params)
        if order.status != "open":
            raise BinanceRefusalError(400, -2011, "Unknown order sent.")
        order.end("canceled", moment.now, "User requested")
        return self._report(order, market.pair)

    def _open(self, params: dict[str, str], _: Moment) -> Any:
        return [one for one in self._all(params, _) if one["status"] == "NEW"]

    def _all(self, params: dict[str, str], _: Moment) -> Any:
        wanted = self._market(params).pair if params.get("symbol") else None
        pairs = {market.pair.symbol: market.pair for market in self._markets.values()}
        chosen = [order for order in self._account.orders.values() if wanted is None or order.symbol == wanted.symbol]
        return [self._report(order, pairs[order.symbol]) for order in chosen]

    def _fills(self, params: dict[str, str], _: Moment) -> Any:
        pair = self._market(params).pair
        return [
            {
                "symbol": name_of(pair),
                "id": self._number_of(order),
                "orderId": self._number_of(order),
                "price": f"{order.average:.8f}",
                "qty": f"{order.filled:.8f}",
                "quoteQty": f"{order.filled * order.average:.8f}",
                "commission": f"{order.fee:.8f}",
                "commissionAsset": pair.quote.code,
                "time": int(order.closed * 1000),
                "isBuyer": order.side > 0,
                "isMaker": order.maker,
            }
            for order in self._account.orders.values()
            if order.symbol == pair.symbol and order.filled
        ]

    def _checked(self, params: dict[str, str], now: float) -> tuple[RestingOrder, MarketSource]:
        """Return the order that ``params`` describe and its market, or refuse it."""
        market = self._market(params)
        pair, kind = market.pair, params.get("type", "").lower()
        if params.get("side") not in ("BUY", "SELL") or kind not in ("market", "limit"):
            raise RefusalError("EGeneral:Invalid arguments")
        volume = _decimal(params, "quantity")
        price = _decimal(params, "price") if kind == "limit" else ZERO
        if volume < pair.min_qty or volume % LOT:
            raise RefusalError("EOrder:Order minimum not met")
        if price % pair.tick:
            raise BinanceRefusalError(400, -1013, "Filter failure: PRICE_FILTER")
        if price and price * volume < pair.min_cost:
            raise BinanceRefusalError(400, -1013, "Filter failure: NOTIONAL")
        client_id = params.get("newClientOrderId", "")
        if client_id and find(self._account.open_orders(), client_id=client_id):
            raise BinanceRefusalError(400, -2010, "Duplicate order sent.")
        order = RestingOrder(
            id=self._account.next_id(),
            symbol=pair.symbol,
            side=1 if params["side"] == "BUY" else -1,
            kind=kind,
            volume=volume,
            price=price,
            opened=now,
            client_id=client_id,
            immediate=params.get("timeInForce") == "IOC",
        )
        return order, market

    def _named(self, params: dict[str, str]) -> tuple[RestingOrder, MarketSource]:
        """Return the order that is named by number or by the client's name."""
        market = self._market(params)
        for order in self._account.orders.values():
            by_number = params.get("orderId") == str(self._number_of(order))
            if by_number or (order.client_id and params.get("origClientOrderId") == order.client_id):
                return order, market
        raise BinanceRefusalError(400, -2013, "Order does not exist.")

    def _market(self, params: dict[str, str]) -> MarketSource:
        market = self._markets.get(params.get("symbol", ""))
        if market is None:
            raise RefusalError("EQuery:Unknown asset pair" if params.get("symbol") else "EGeneral:Invalid arguments")
        return market

    def _number_of(self, order: RestingOrder) -> int:
        return 1 + list(self._account.orders).index(order.id)

    def _report(self, order: RestingOrder, pair: Pair) -> dict[str, Any]:
        """Return an order as Binance reports it."""
        states = {"open": "NEW", "closed": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED"}
        return {
            "symbol": name_of(pair),
            "orderId": self._number_of(order),
            "orderListId": -1,
            "clientOrderId": order.client_id,
            "price": f"{order.price:.8f}",
            "origQty": f"{order.volume:.8f}",
            "executedQty": f"{order.filled:.8f}",
            "cummulativeQuoteQty": f"{order.filled * order.average:.8f}",
            "status": states[order.status],
            "timeInForce": "IOC" if order.immediate else "GTC",
            "type": order.kind.upper(),
            "side": order.side_word.upper(),
            "time": int(order.opened * 1000),
            "updateTime": int((order.closed or order.opened) * 1000),
        }


def name_of(pair: Pair) -> str:
    """Return Binance's name of a market: ``BTCEUR``."""
    return pair.base.code + pair.quote.code


def row_of(market: MarketSource, bar: Bar, interval_s: int) -> list[Any]:
    """Return a candle as Binance writes it."""
    prices = [market.pair.price(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    opened, turnover = int(bar.ts * 1000), f"{bar.volume * typical(bar):.8f}"
    volume = f"{bar.volume:.8f}"
    return [opened, *prices, volume, opened + interval_s * 1000 - 1, turnover, trades(bar), volume, turnover, "0"]


def _described(pair: Pair) -> dict[str, Any]:
    """Return a market as ``exchangeInfo`` shows it."""
    return {
        "symbol": name_of(pair),
        "status": "TRADING",
        "baseAsset": pair.base.code,
        "baseAssetPrecision": 8,
        "quoteAsset": pair.quote.code,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": f"{pair.tick:.8f}",
                "maxPrice": "1000000",
                "tickSize": f"{pair.tick:.8f}",
            },
            {"filterType": "LOT_SIZE", "minQty": f"{pair.min_qty:.8f}", "maxQty": "9000", "stepSize": f"{LOT:.8f}"},
            {"filterType": "NOTIONAL", "minNotional": f"{pair.min_cost:.8f}", "applyMinToMarket": True},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _number(params: dict[str, str], name: str) -> float | None:
    """Return a number, None without one, or refuse."""
    if not params.get(name):
        return None
    try:
        return float(params[name])
    except ValueError:
        raise BinanceRefusalError(400, -1100, f"Illegal characters found in parameter '{name}'.") from None


def _decimal(params: dict[str, str], name: str) -> Decimal:
    """Return a positive decimal, or refuse."""
    try:
        value = Decimal(params.get(name, ""))
    except InvalidOperation:
        value = ZERO
    if not value.is_finite() or value <= 0:
        raise RefusalError("EGeneral:Invalid arguments")
    return value
