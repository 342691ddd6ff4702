"""Orders on the futures side: sendorder, cancelorder, what rests, what was filled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.testing.kraken.futures_account import PERPETUAL_LOT, FuturesAccount, FuturesFill
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import ZERO, RestingOrder, decimal, find
from peaktrade_core.testing.wire import VenueRequest

KINDS = ("mkt", "lmt", "post", "ioc")
FILLS = 100  # at most in an answer
STATUS = {"open": "ENTERED_BOOK", "closed": "FULLY_EXECUTED", "canceled": "CANCELLED"}


class FuturesOrders:
    """The calls about orders of one account."""

    def __init__(self, markets: dict[str, MarketSource], account: FuturesAccount) -> None:
        self._markets, self._account = markets, account

    def send(self, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        """Take an order, or say in ``sendStatus`` why not."""
        params, now = request.params, moment.now
        order = _order(params, self._account.next_id(), now)
        status = _fault(params, order, self._markets) or ("" if moment.takes(order) else "marketSuspended")
        if not status and order.client_id and find(self._account.orders.values(), client_id=order.client_id):
            status = "clientOrderIdAlreadyExist"
        status = status or self._account.place(order, now)
        sent: dict[str, Any] = {"status": status, "receivedTime": iso_ms(now), "orderEvents": []}
        if status == "placed":
            filled = self._account.fills[-1] if order.status == "closed" else None
            sent["order_id"] = order.id
            sent["orderEvents"] = [_execution(filled) if filled else {"type": "PLACE", "order": _described(order)}]
        return {"sendStatus": sent}

    def cancel(self, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        """Cancel one resting order by either name."""
        params = request.params
        name, client_id = params.get("order_id", ""), params.get("cliOrdId", "")
        orders = self._account.orders.values()
        known = [order for order in orders if order.id == name or (client_id and order.client_id == client_id)]
        if not known or known[0].status == "canceled":
            return {"cancelStatus": {"status": "notFound", "receivedTime": iso_ms(moment.now), "orderEvents": []}}
        if known[0].status == "closed":
            return {"cancelStatus": {"status": "filled", "order_id": known[0].id, "receivedTime": iso_ms(moment.now)}}
        return {"cancelStatus": _cancelled(known[:1], moment.now) | {"order_id": known[0].id}}

    def cancel_all(self, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        """Cancel all resting orders, or those of one contract."""
        name = request.params.get("symbol", "").upper()
        chosen = [order for order in self._account.open_orders() if name in ("", order.symbol)]
        told = _cancelled(chosen, moment.now)
        ids = [{"order_id": order.id, "cliOrdId": order.client_id or None} for order in chosen]
        return {"cancelStatus": told | {"cancelOnly": name or "all", "cancelledOrders": ids}}

    def resting(self, _: VenueRequest, __: Moment) -> dict[str, Any]:
        """Return the open orders."""
        rows = [
            {
                "order_id": order.id,
                "cliOrdId": order.client_id or None,
                "symbol": order.symbol,
                "side": order.side_word,
                "orderType": "lmt",
                "limitPrice": float(order.price),
                "unfilledSize": float(order.volume),
                "filledSize": 0.0,
                "receivedTime": iso_ms(order.opened),
                "lastUpdateTime": iso_ms(order.opened),
                "status": "untouched",
                "reduceOnly": order.reduce_only,
            }
            for order in self._account.open_orders()
        ]
        return {"openOrders": rows}

    def status(self, request: VenueRequest, _: Moment) -> dict[str, Any]:
        """Return what became of the named orders; unknown ones are left out."""
        names = {*request.values("orderIds"), *request.values("cliOrdIds")}
        known = [order for order in self._account.orders.values() if {order.id, order.client_id} & names]
        rows = [
            {
                "order": {"type": "ORDER", **_described(order, filled=order.filled)},
                "status": STATUS[order.status],
                "updateReason": None,
                "error": None,
            }
            for order in known
        ]
        return {"orders": rows}

    def fills(self, request: VenueRequest, _: Moment) -> dict[str, Any]:
        """Return the last fills, newest first; before ``lastFillTime`` if that is given."""
        before = request.params.get("lastFillTime", "9")
        rows = [_fill(fill) for fill in reversed(self._account.fills) if iso_ms(fill.ts) < before]
        return {"fills": rows[:FILLS]}


def _order(params: dict[str, str], name: str, now: float) -> RestingOrder:
    """Return the order that ``params`` describe, sound or not."""
    kind = params.get("orderType", "")
    return RestingOrder(
        id=name,
        symbol=params.get("symbol", "").upper(),
        side=-1 if params.get("side") == "sell" else 1,
        kind="market" if kind == "mkt" else "limit",
        volume=decimal(params.get("size", "")),
        price=decimal(params.get("limitPrice", "")),
        opened=now,
        client_id=params.get("cliOrdId", ""),
        post_only=kind == "post",
        reduce_only=params.get("reduceOnly", "").lower() == "true",
        immediate=kind == "ioc",
    )


def _fault(params: dict[str, str], order: RestingOrder, markets: dict[str, MarketSource]) -> str:
    """Return the venue's word for what is wrong with an order, an empty string if nothing is."""
    if order.symbol not in markets:
        return "marketInactive"
    if params.get("orderType") not in KINDS:
        return "invalidOrderType"
    if params.get("side") not in ("buy", "sell"):
        return "invalidSide"
    if order.volume < PERPETUAL_LOT or order.volume % PERPETUAL_LOT:
        return "invalidSize"
    if order.kind == "limit" and (order.price <= 0 or order.price % markets[order.symbol].pair.tick):
        return "invalidPrice"
    return ""


def _described(order: RestingOrder, filled: Decimal = ZERO) -> dict[str, Any]:
    """Return an order as it is shown inside events."""
    market = order.kind == "market"
    return {
        "orderId": order.id,
        "cliOrdId": order.client_id or None,
        "type": "ioc" if market or order.immediate else "post" if order.post_only else "lmt",
        "symbol": order.symbol,
        "side": order.side_word,
        "quantity": float(order.volume),
        "filled": float(filled),
        "limitPrice": float(order.average if market else order.price),
        "reduceOnly": order.reduce_only,
        "timestamp": iso_ms(order.opened),
        "lastUpdateTimestamp": iso_ms(order.closed or order.opened),
    }


def _execution(fill: FuturesFill) -> dict[str, Any]:
    return {
        "type": "EXECUTION",
        "executionId": fill.id,
        "price": float(fill.price),
        "amount": float(fill.size),
        "orderPriorEdit": None,
        "orderPriorExecution": _described(fill.order),
        "takerReducedQuantity": None,
    }


def _fill(fill: FuturesFill) -> dict[str, Any]:
    return {
        "fill_id": fill.id,
        "order_id": fill.order.id,
        "cliOrdId": fill.order.client_id or None,
        "symbol": fill.order.symbol,
        "side": fill.order.side_word,
        "size": float(fill.size),
        "price": float(fill.price),
        "fillTime": iso_ms(fill.ts),
        "fillType": "maker" if fill.order.maker else "taker",
    }


def _cancelled(orders: list[RestingOrder], now: float) -> dict[str, Any]:
    for order in orders:
        order.end("canceled", now)
    events = [{"type": "CANCEL", "uid": order.id, "order": _described(order)} for order in orders]
    status = "cancelled" if orders else "noOrdersToCancel"
    return {"status": status, "receivedTime": iso_ms(now), "orderEvents": events}


def iso_ms(ts: float) -> str:
    """Return ``ts`` [s since epoch] as Kraken's futures write times: ``2026-01-01T00:00:00.000Z``."""
    return from_seconds(ts).isoformat(timespec="milliseconds").replace("+00:00", "Z")
