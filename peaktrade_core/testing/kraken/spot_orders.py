"""Kraken's private spot REST interface below ``/0/private``: balances and orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from peaktrade_core.testing.kraken.pairs import LOT_DECIMALS, Pair
from peaktrade_core.testing.kraken.signing import Doorkeeper
from peaktrade_core.testing.kraken.spot import Moment, RefusalError, market_of
from peaktrade_core.testing.kraken.spot_account import SpotAccount
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import ZERO, RestingOrder, decimal, find
from peaktrade_core.testing.wire import VenueRequest

KINDS = ("market", "limit", "stop-loss", "take-profit", "stop-loss-limit", "take-profit-limit")
MATCHED = ("market", "limit")  # what this venue can fill; the others it only validates
CLIENT_ID_LENGTH = 36
PAGE = 50  # closed orders in an answer


class SpotPrivate:
    """Balance, orders, AddOrder and CancelOrder of one account."""

    def __init__(self, markets: dict[str, MarketSource], account: SpotAccount, doorkeeper: Doorkeeper) -> None:
        self._markets, self._account, self._doorkeeper = markets, account, doorkeeper
        self._calls: dict[str, Callable[[dict[str, str], Moment], Any]] = {
            "Balance": self._balance,
            "BalanceEx": self._balance_ex,
            "OpenOrders": self._open_orders,
            "ClosedOrders": self._closed_orders,
            "QueryOrders": self._query_orders,
            "AddOrder": self._add_order,
            "CancelOrder": self._cancel_order,
            "CancelAll": self._cancel_all,
        }

    def answer(self, request: VenueRequest, moment: Moment) -> Any:
        """Return the ``result`` of a private call.

        Raises:
            RefusalError: in Kraken's words.
        """
        call = self._calls.get(request.endpoint)
        if call is None:
            raise RefusalError("EGeneral:Unknown method")
        if request.method != "POST":
            raise RefusalError("EGeneral:Invalid arguments")
        if fault := self._doorkeeper.spot(request):
            raise RefusalError(fault)
        if moment.state == "maintenance":
            raise RefusalError("EService:Unavailable")
        self._account.match(moment.now)
        return call(request.params, moment)

    def _balance(self, _: dict[str, str], __: Moment) -> Any:
        return {name: _amount(amount) for name, amount in self._account.balances.items()}

    def _balance_ex(self, _: dict[str, str], __: Moment) -> Any:
        holds = self._account.holds()
        return {
            name: {"balance": _amount(amount), "hold_trade": _amount(holds.get(name, ZERO))}
            for name, amount in self._account.balances.items()
        }

    def _open_orders(self, params: dict[str, str], _: Moment) -> Any:
        return {"open": self._report(_chosen(self._account.open_orders(), params))}

    def _closed_orders(self, params: dict[str, str], _: Moment) -> Any:
        start, end = _number(params, "start", 0.0), _number(params, "end", float("inf"))
        ended = [order for order in self._account.orders.values() if order.status != "open"]
        ended = [order for order in reversed(_chosen(ended, params)) if start < order.closed <= end]
        first = int(_number(params, "ofs", 0.0))
        return {"closed": self._report(ended[first : first + PAGE]), "count": len(ended)}

    def _query_orders(self, params: dict[str, str], _: Moment) -> Any:
        names = [name for name in params.get("txid", "").split(",") if name]
        if not names and not params.get("cl_ord_id"):
            raise RefusalError("EGeneral:Invalid arguments")
        if any(name not in self._account.orders for name in names):
            raise RefusalError("EOrder:Invalid order")
        orders = [self._account.orders[name] for name in names] or list(self._account.orders.values())
        return self._report(_chosen(orders, params))

    def _add_order(self, params: dict[str, str], moment: Moment) -> Any:
        market = market_of(self._markets, params.get("pair", ""))
        order = self._checked(params, market.pair, moment.now)
        result: dict[str, Any] = {"descr": {"order": _sentence(order, params, market.pair)}}
        if not moment.takes(order):
            raise RefusalError(f"EService:Market in {moment.state} mode")
        if "validate" in params:
            return result
        if order.kind not in MATCHED:
            raise RefusalError("EGeneral:Invalid arguments:ordertype")
        self._account.place(order, moment.now)
        return result | {"txid": [order.id]}

    def _cancel_order(self, params: dict[str, str], moment: Moment) -> Any:
        name, client_id = params.get("txid", ""), params.get("cl_ord_id", "")
        if not name and not client_id:
            raise RefusalError("EGeneral:Invalid arguments")
        userref = int(name) if name.isdigit() else 0
        resting = self._account.open_orders()
        if client_id or userref:
            chosen = find(resting, client_id=client_id, userref=userref)
        else:
            chosen = [order for order in resting if order.id == name]
        if not chosen:
            raise RefusalError("EOrder:Unknown order")
        return _cancelled(chosen, moment.now)

    def _cancel_all(self, _: dict[str, str], moment: Moment) -> Any:
        return _cancelled(self._account.open_orders(), moment.now)

    def _checked(self, params: dict[str, str], pair: Pair, now: float) -> RestingOrder:
        """Return the order that ``params`` describe, or refuse it as Kraken does."""
        for name, known in (("type", ("buy", "sell")), ("ordertype", KINDS)):
            if params.get(name) not in known:
                raise RefusalError(
                    f"EGeneral:Invalid arguments:{name}" if params.get(name) else "EGeneral:Invalid arguments"
                )
        kind = params["ordertype"]
        volume = _decimal(params, "volume")
        price = ZERO if kind == "market" else _decimal(params, "price")
        client_id, userref = params.get("cl_ord_id", ""), params.get("userref", "")
        if (client_id and userref) or len(client_id) > CLIENT_ID_LENGTH:
            raise RefusalError("EGeneral:Invalid arguments:cl_ord_id")
        if client_id and find(self._account.open_orders(), client_id=client_id):
            raise RefusalError("EOrder:Duplicate cl_ord_id")
        if price % pair.tick:
            raise RefusalError(
                f"EOrder:Invalid price:{pair.wsname} price can only be specified up to {pair.decimals} decimals."
            )
        if volume < pair.min_qty:
            raise RefusalError("EOrder:Order minimum not met")
        if price and volume * price < pair.min_cost:
            raise RefusalError("EOrder:Cost minimum not met")
        return RestingOrder(
            id=self._account.next_id(),
            symbol=pair.symbol,
            side=1 if params["type"] == "buy" else -1,
            kind=kind,
            volume=volume,
            price=price,
            opened=now,
            client_id=client_id,
            userref=int(_number(params, "userref", 0.0)),
            post_only="post" in params.get("oflags", "").split(","),
            immediate=params.get("timeinforce", "").upper() == "IOC",
            expires=_moment(params.get("expiretm", "0"), now),
        )

    def _report(self, orders: Iterable[RestingOrder]) -> dict[str, Any]:
        return {order.id: _described(order, self._markets[order.symbol].pair) for order in orders}


def _described(order: RestingOrder, pair: Pair) -> dict[str, Any]:
    """Return an order as Kraken reports it."""
    named: dict[str, Any] = {"refid": None, "userref": order.userref, "status": order.status}
    if order.client_id:
        named["cl_ord_id"] = order.client_id
    if order.status != "open":
        named |= {"reason": order.reason or None, "closetm": round(order.closed, 4)}
    return named | {
        "opentm": round(order.opened, 4),
        "starttm": 0,
        "expiretm": int(order.expires),
        "descr": {
            "pair": pair.altname,
            "type": order.side_word,
            "ordertype": order.kind,
            "price": pair.price(order.price) if order.price else "0",
            "price2": "0",
            "leverage": "none",
            "order": _sentence(order, {}, pair),
            "close": "",
        },
        "vol": _amount(order.volume),
        "vol_exec": _amount(order.filled),
        "cost": pair.money(order.filled * order.average),
        "fee": pair.money(order.fee),
        "price": pair.money(order.average),
        "stopprice": pair.money(ZERO),
        "limitprice": pair.money(ZERO),
        "misc": "",
        "oflags": "fciq,post" if order.post_only else "fciq",
    }


def _sentence(order: RestingOrder, params: dict[str, str], pair: Pair) -> str:
    """Return an order in Kraken's words: ``buy 0.01000000 XBTEUR @ limit 1234.0``."""
    words = f"{order.side_word} {_amount(order.volume)} {pair.altname} @ {order.kind.removesuffix('-limit')}"
    words = words.replace("-", " ")
    if order.kind != "market":
        words += f" {pair.price(order.price)}"
    if order.kind.endswith("-limit") and "price2" in params:
        words += f" -> limit {pair.price(_decimal(params, 'price2'))}"
    return words


def _chosen(orders: list[RestingOrder], params: dict[str, str]) -> list[RestingOrder]:
    userref = int(_number(params, "userref", 0.0))
    return find(orders, client_id=params.get("cl_ord_id", ""), userref=userref)


def _cancelled(orders: list[RestingOrder], now: float) -> dict[str, int]:
    for order in orders:
        order.end("canceled", now, "User requested")
    return {"count": len(orders)}


def _amount(value: Decimal) -> str:
    return f"{value:.{LOT_DECIMALS}f}"


def _decimal(params: dict[str, str], name: str) -> Decimal:
    """Return a positive decimal, or refuse as Kraken does."""
    value = decimal(params.get(name, ""))
    if value <= 0:
        raise RefusalError(f"EGeneral:Invalid arguments:{name}")
    return value


def _number(params: dict[str, str], name: str, default: float) -> float:
    """Return a number, or refuse as Kraken does."""
    try:
        return float(params[name]) if params.get(name) else default
    except ValueError:
        raise RefusalError(f"EGeneral:Invalid arguments:{name}") from None


def _moment(text: str, now: float) -> float:
    """Return the time an order expires: ``+15`` is relative, ``0`` never [s since epoch]."""
    try:
        return now + float(text) if text.startswith("+") else float(text)
    except ValueError:
        raise RefusalError("EGeneral:Invalid arguments:expiretm") from None
