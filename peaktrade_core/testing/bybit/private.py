"""Bybit's private calls: orders of both categories, the account, positions, what the key may do.

Source: Bybit V5 API documentation (trade, position, account).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import Any

from peaktrade_core.testing.binance.side import LOT
from peaktrade_core.testing.bybit.public import BybitPublic, Params
from peaktrade_core.testing.bybit.refusals import refused
from peaktrade_core.testing.kraken.futures_account import MOST_LEVERAGE, PERPETUAL_LOT, FuturesAccount
from peaktrade_core.testing.kraken.signing import LoopbackKey
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.kraken.spot_account import SpotAccount
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import ZERO, RestingOrder, decimal, touch, uuid_of
from peaktrade_core.testing.wire import VenueRequest

STATES = {"open": "New", "closed": "Filled", "canceled": "Cancelled", "expired": "Deactivated"}


class BybitPrivate:
    """What the holder of the key may do."""

    def __init__(self, public: BybitPublic, spot: SpotAccount, futures: FuturesAccount, key: LoopbackKey) -> None:
        self._public, self._spot, self._futures, self._key = public, spot, futures, key
        self.calls: dict[tuple[str, str], Callable[[Params, Moment], Any]] = {
            ("GET", "user/query-api"): lambda *_: {"id": "1", "readOnly": 0, "unified": 0, "uta": 1},
            ("GET", "account/info"): lambda *_: {"marginMode": "ISOLATED_MARGIN", "unifiedMarginStatus": 5},
            ("GET", "asset/coin/query-info"): lambda *_: {
                "rows": [{"coin": c, "name": c, "chains": []} for c in self._coins()]
            },
            ("GET", "account/wallet-balance"): self._balances,
            ("GET", "position/list"): self._positions,
            ("POST", "position/set-leverage"): self._leverage,
            ("POST", "order/create"): self._place,
            ("POST", "order/cancel"): self._cancel,
            ("GET", "order/realtime"): lambda params, _: self._orders(params, {"open"}),
            ("GET", "order/history"): lambda params, _: self._orders(params, {"closed", "canceled", "expired"}),
            ("GET", "execution/list"): self._fills,
        }

    def require_signed(self, request: VenueRequest) -> None:
        """Check key and signature: HMAC-SHA256 of time, key, window and query or body, in hexadecimal digits."""
        given = {
            name: request.headers.get(f"x-bapi-{name}", "") for name in ("api-key", "timestamp", "recv-window", "sign")
        }
        if given["api-key"] != self._key.key:
            raise refused("EAPI:Invalid key")
        sent = request.body if request.method == "POST" else request.query
        text = f"{given['timestamp']}{self._key.key}{given['recv-window']}{sent}"
        expected = hmac.new(self._key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, given["sign"]):
            raise refused("EAPI:Invalid signature")

    def match(self, now: float) -> None:
        """Let both accounts come to a time [s since epoch]."""
        self._spot.match(now)
        self._futures.match(now)

    def _account(self, params: Params) -> SpotAccount | FuturesAccount:
        return self._spot if params.get("category") == "spot" else self._futures

    def _coins(self) -> dict[str, str]:
        """Return the coins by code, and what the spot account calls each."""
        pairs = [market.pair for market in self._public.markets["spot"].values()]
        return {part.code: part.id for pair in pairs for part in (pair.base, pair.quote)}

    def _balances(self, _: Params, moment: Moment) -> Any:
        codes = {id_: code for code, id_ in self._coins().items()}
        holds = self._spot.holds()
        coins = [
            {
                "coin": codes.get(name, name),
                "walletBalance": f"{amount:.8f}",
                "equity": f"{amount:.8f}",
                "locked": f"{holds.get(name, ZERO):.8f}",
                "free": f"{amount - holds.get(name, ZERO):.8f}",
            }
            for name, amount in self._spot.balances.items()
        ]
        equity = self._futures.collateral + self._futures.unrealized(moment.now)
        return {"list": [{"accountType": "UNIFIED", "totalEquity": f"{equity:.8f}", "coin": coins}]}

    def _positions(self, params: Params, moment: Moment) -> Any:
        if params.get("category") != "linear":
            raise refused("EGeneral:Invalid arguments")
        names = {market.pair.futures_id: name for name, market in self._public.listed(params).items()}
        rows = [
            {
                "symbol": names[key],
                "side": "Buy" if held.size > 0 else "Sell",
                "size": f"{abs(held.size)}",
                "avgPrice": f"{held.entry:.8f}",
                "leverage": f"{self._futures.leverage.get(key, MOST_LEVERAGE)}",
                "positionIdx": 0,
                "unrealisedPnl": f"{(touch(self._futures.markets[key], moment.now)[0] - held.entry) * held.size:.8f}",
            }
            for key, held in self._futures.holdings.items()
            if params.get("symbol") in (None, names[key])
        ]
        return {"category": "linear", "list": rows, "nextPageCursor": ""}

    def _leverage(self, params: Params, _: Moment) -> Any:
        name, wanted = self._public.market(params).pair.futures_id, _decimal(params, "buyLeverage")
        if self._futures.leverage.get(name) == wanted:
            raise refused("leverageNotModified")
        if not self._futures.lever(name, wanted):
            raise refused("EGeneral:Invalid arguments")
        return {}

    def _place(self, params: Params, moment: Moment) -> Any:
        order = self._checked(params, moment)
        if isinstance(account := self._account(params), FuturesAccount):
            if (told := account.place(order, moment.now)) != "placed":
                raise refused(told)
        else:
            account.place(order, moment.now)
        return {"orderId": order.id, "orderLinkId": order.client_id}

    def _cancel(self, params: Params, moment: Moment) -> Any:
        self._public.market(params)
        for order in self._account(params).orders.values():
            if params.get("orderId") == order.id or (order.client_id and params.get("orderLinkId") == order.client_id):
                if order.status != "open":
                    break
                order.end("canceled", moment.now, "User requested")
                return {"orderId": order.id, "orderLinkId": order.client_id}
        raise refused("EOrder:Unknown order")

    def _orders(self, params: Params, states: set[str]) -> Any:
        category, wanted = params.get("category", ""), params.get("symbol")
        names = {self._key_of(category, market): name for name, market in self._public.listed(params).items()}
        status = params.get("orderStatus")
        rows = [
            _described(order, names[order.symbol])
            for order in reversed(self._account(params).orders.values())
            if order.status in states
            and wanted in (None, names[order.symbol])
            and status in (None, STATES[order.status])
        ]
        return {"category": category, "list": rows, "nextPageCursor": ""}

    def _fills(self, params: Params, _: Moment) -> Any:
        market = self._public.market(params)
        key = self._key_of(params["category"], market)
        rows = [
            {
                "symbol": params["symbol"],
                "orderId": order.id,
                "orderLinkId": order.client_id,
                "side": order.side_word.capitalize(),
                "execId": uuid_of("execution", number),
                "execPrice": f"{order.average:.8f}",
                "execQty": f"{order.filled:.8f}",
                "execFee": f"{order.fee:.8f}",
                "feeCurrency": market.pair.quote.code,
                "execTime": f"{order.closed * 1000:.0f}",
                "execType": "Trade",
                "isMaker": order.maker,
            }
            for number, order in enumerate(self._account(params).orders.values())
            if order.symbol == key and order.filled
        ]
        return {"category": params["category"], "list": rows[::-1], "nextPageCursor": ""}

    def _checked(self, params: Params, moment: Moment) -> RestingOrder:
        """Return the order that ``params`` describe, or refuse it."""
        market, kind = self._public.market(params), params.get("orderType", "").lower()
        pair, spot = market.pair, params["category"] == "spot"
        side = {"Buy": 1, "Sell": -1}.get(params.get("side", ""), 0)
        if not side or kind not in ("market", "limit"):
            raise refused("EGeneral:Invalid arguments")
        volume, price = _decimal(params, "qty"), _decimal(params, "price") if kind == "limit" else ZERO
        if spot and kind == "market" and params.get("marketUnit", "quoteCoin" if side > 0 else "") == "quoteCoin":
            volume = (volume / touch(market, moment.now)[side > 0]).quantize(LOT, ROUND_DOWN)
        if volume < (pair.min_qty if spot else PERPETUAL_LOT) or volume % (LOT if spot else PERPETUAL_LOT):
            raise refused("EOrder:Order minimum not met")
        if price % pair.tick or volume * (price or touch(market, moment.now)[side > 0]) < pair.min_cost:
            raise refused("EOrder:Order minimum not met")
        account, client_id = self._account(params), params.get("orderLinkId", "")
        if client_id and any(order.client_id == client_id for order in account.orders.values()):
            raise refused("EGeneral:Invalid arguments")
        order = RestingOrder(
            id=account.next_id(),
            symbol=self._key_of(params["category"], market),
            side=side,
            kind=kind,
            volume=volume,
            price=price,
            opened=moment.now,
            client_id=client_id,
            immediate=params.get("timeInForce") == "IOC" and kind == "limit",
            post_only=params.get("timeInForce") == "PostOnly",
            reduce_only=params.get("reduceOnly", "").lower() == "true",
        )
        if not moment.takes(order):
            raise refused("EService:Market in cancel_only mode")
        return order

    def _key_of(self, category: str, market: MarketSource) -> str:
        return market.pair.symbol if category == "spot" else market.pair.futures_id


def _described(order: RestingOrder, name: str) -> dict[str, Any]:
    """Return an order as Bybit reports it."""
    return {
        "symbol": name,
        "orderId": order.id,
        "orderLinkId": order.client_id,
        "side": order.side_word.capitalize(),
        "orderType": order.kind.capitalize(),
        "price": f"{order.price:.8f}",
        "qty": f"{order.volume:.8f}",
        "avgPrice": f"{order.average:.8f}" if order.filled else "",
        "cumExecQty": f"{order.filled:.8f}",
        "cumExecValue": f"{order.filled * order.average:.8f}",
        "cumExecFee": f"{order.fee:.8f}",
        "leavesQty": f"{order.volume - order.filled:.8f}",
        "orderStatus": STATES[order.status],
        "timeInForce": "IOC" if order.kind == "market" or order.immediate else "GTC",
        "reduceOnly": order.reduce_only,
        "createdTime": f"{order.opened * 1000:.0f}",
        "updatedTime": f"{(order.closed or order.opened) * 1000:.0f}",
    }


def _decimal(params: Params, name: str) -> Decimal:
    """Return a positive decimal, or refuse."""
    value = decimal(params.get(name, ""))
    if value <= 0:
        raise refused("EGeneral:Invalid arguments")
    return value
