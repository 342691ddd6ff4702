"""Brokers that talk to a venue and cannot trade live: one only validates, the other only knows a sandbox.

That is a property of each class, not of a setting: :class:`ValidatingBroker` puts ``validate`` into every order at the
only place that sends one, :class:`DemoBroker` refuses to be built for any host but a sandbox's or this machine. The guard
of :mod:`.hosts` asks the same of each request once more, where it leaves.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    ForbiddenRequestError,
    OrderOutcomeUnknownError,
)
from peaktrade_core.trading.events import Order
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.hosts import LOOPBACK
from peaktrade_core.venue.places import SANDBOXES

RECONCILE_ATTEMPTS = 3
_ENDS = (ExchangeAuthenticationError, ForbiddenRequestError)  # no refusal of one order: the session ends


class ValidatingBroker:
    """Kraken spot: the venue checks each order and never takes it.

    Kraken has no sandbox for spot; ``validate`` makes AddOrder check the parameters only. Any value given for it
    validates, so it is always the same one.
    """

    asks_venue = True

    def __init__(self, client: VenueClient, symbol: str) -> None:
        """Take a client of Kraken spot.

        Raises:
            ConfigError: another venue.
        """
        if client.name != "kraken":
            raise ConfigError(f"{client.name} is not validated but traded in its demo; use DemoBroker")
        self._client, self._symbol = client, symbol

    def submit(self, order: Order) -> OrderAnswer:
        """Have one order validated; nothing is ever placed.

        Raises:
            ExchangeAuthenticationError: the venue refuses our key.
            ForbiddenRequestError: the order would have gone elsewhere, or been more than it may be.
            OrderOutcomeUnknownError: the venue placed it, against all promises.
        """
        side = "buy" if order.qty > 0.0 else "sell"
        try:
            raw = self._client.order(
                "create_order", self._symbol, "market", side, abs(order.qty), None, {"validate": "true"}
            )
        except _ENDS:
            raise
        except ExchangeError as fault:
            return _refused(fault)
        placed = raw.get("id") if isinstance(raw, dict) else None
        if placed:
            raise OrderOutcomeUnknownError(
                f"the venue placed order {placed} although it was to be validated only; look at the account there"
            )
        told = _kept(raw)
        if not told or not told.get("descr"):
            return OrderAnswer(accepted=False, message="not validated: the answer describes no order", raw=told)
        return OrderAnswer(accepted=True, message="validated", raw=told)


class DemoBroker:
    """A venue's sandbox: orders are placed there with play money."""

    asks_venue = True

    def __init__(self, client: VenueClient, symbol: str, prefix: str, leverage: float | None = None) -> None:
        """Take a client of the sandbox.

        Args:
            client: of a venue with a sandbox, or on this machine.
            symbol: the venue's symbol.
            prefix: begins the client order ids, by which an order is found again; another one for each session.
            leverage: of a perpetual contract, which the venue is told before the first order that opens something; None for
                any other market.

        Raises:
            ConfigError: the client can reach any other host.
        """
        sandbox = SANDBOXES.get(client.name, ())
        foreign = client.order_hosts - set(sandbox) - set(LOOPBACK)
        if client.name == "kraken" or not client.order_hosts or foreign:
            raise ConfigError(
                f"orders go to a sandbox only, {', '.join(sandbox) or 'which this venue has not'}; this client of "
                f"{client.name} reaches {', '.join(sorted(foreign or client.hosts))}"
            )
        self._client, self._symbol, self._prefix = client, symbol, prefix
        self._leverage = leverage  # None once the venue has been told

    def submit(self, order: Order) -> OrderAnswer:
        """Place one market order in the demo; an unknown outcome is reconciled, never sent again.

        Raises:
            ExchangeAuthenticationError: the venue refuses our key.
            ForbiddenRequestError: the order would have gone elsewhere, or been more than it may be.
            OrderOutcomeUnknownError: it stays unknown.
        """
        client_id = f"{self._prefix}-{order.order_id}"
        side = "buy" if order.qty > 0.0 else "sell"
        try:
            amount, derivative = self._amount(abs(order.qty))
            told = self._lever(self._leverage) if order.purpose == "open" and self._leverage else ""
            params: dict[str, Any] = {self._client.dialect.client_id: client_id}
            if derivative:
                params["reduceOnly"] = order.purpose == "close"
            price = order.price if self._client.wants_price and not derivative else None
            raw = self._client.order("create_order", self._symbol, "market", side, amount, price, params)
        except _ENDS:
            raise
        except OrderOutcomeUnknownError as fault:
            return self._reconcile(client_id, fault)
        except ExchangeError as fault:
            return _refused(fault)
        placed = raw.get("id") if isinstance(raw, dict) else None
        if not placed:
            return self._reconcile(client_id, OrderOutcomeUnknownError("the answer names no order"))
        return OrderAnswer(accepted=True, message=f"placed {placed}{told}", raw=_kept(raw))

    def _amount(self, qty: float) -> tuple[float, bool]:
        """Return a quantity [base units; inverse: quote ccy] in what the venue counts, and whether those are contracts.

        What is finer than the venue's step is cut off by ccxt: a close is never refused for it, and `market` of the
        checklist before a session tells of a lot that is finer than the venue's.

        Raises:
            ExchangeOrderError: the venue does not trade it, or the contract is a quanto one.
            ExchangeError: the venue did not say what it trades.
        """
        market = self._client.ask("load_markets").get(self._symbol)
        if market is None:
            raise ExchangeOrderError(f"{self._client.name} does not trade {self._symbol}")
        if not market.get("contract"):
            return qty, False
        size = market.get("contractSize")
        if not (market.get("linear") or market.get("inverse")) or not size:
            raise ExchangeOrderError(f"{self._symbol} is a quanto contract; only linear and inverse ones are traded")
        return float(Decimal(str(qty)) / Decimal(str(size))), True

    def _lever(self, leverage: float) -> str:
        """Have the venue hold our margin at the leverage with which the distance to liquidation is reckoned.

        Returns:
            What is to be said of it: that ccxt cannot ask this venue for it.

        Raises:
            ExchangeOrderError: the venue did not take it.
        """
        if self._client.has.get("setLeverage") is not True:
            self._leverage = None
            return f"; the leverage there is {self._client.name}'s own, which ccxt cannot set"
        whole = int(leverage) if leverage.is_integer() else leverage  # some venues read no decimal point
        try:
            self._client.ask("set_leverage", whole, self._symbol)
        except _ENDS:
            raise
        except ExchangeError as fault:
            stands = self._client.dialect.leverage_stands
            if not (stands and re.search(stands, str(fault))):
                told = f"nothing is opened: the leverage {leverage:g} of {self._symbol} could not be set"
                raise ExchangeOrderError(f"{told}: {fault}") from fault
        self._leverage = None
        return ""

    def _reconcile(self, client_id: str, fault: OrderOutcomeUnknownError) -> OrderAnswer:
        """Find out what became of an order whose acknowledgement was lost.

        It can still be on its way, so it never arrived only when all looks but one, which may have failed, miss it.
        """
        last: ExchangeError = fault
        missed, has = 0, self._client.has
        known = self._client.name == "krakenfutures"
        asks = ("fetch_open_orders", "fetch_my_trades") if known else _lists_of_orders(has)
        for attempt in range(RECONCILE_ATTEMPTS):
            if attempt:
                self._client.sleep(self._client.policy.backoff_s)
            try:
                found = [item for ask in asks for item in self._client.ask(ask, self._symbol)]
            except _ENDS:
                raise
            except ExchangeError as error:
                last = error
                continue
            for item in found:
                if client_id in (item.get("clientOrderId"), (item.get("info") or {}).get("cliOrdId")):
                    return OrderAnswer(
                        accepted=True, message=f"acknowledgement lost, found again by {client_id}", raw=_kept(item)
                    )
            missed += 1
        if asks and missed >= RECONCILE_ATTEMPTS - 1:
            return OrderAnswer(accepted=False, message=f"never arrived: {fault}")
        raise OrderOutcomeUnknownError(
            f"order {client_id}: the outcome is unknown ({fault}) and could not be reconciled ({last}); "
            "look at the venue before the next session"
        )


def _lists_of_orders(has: dict[str, Any]) -> tuple[str, ...]:
    """Return the calls that together list every order of ours, filled ones too; none where a venue has no such list."""
    if has.get("fetchOrders") is True:
        return ("fetch_orders",)
    both = has.get("fetchOpenOrders") is True and has.get("fetchClosedOrders") is True
    return ("fetch_open_orders", "fetch_closed_orders") if both else ()


def _refused(fault: ExchangeError) -> OrderAnswer:
    """Return the venue's refusal; rate limits and lost connections count as one, too, as nothing was validated."""
    kind = type(fault).__name__
    told = "not validated" if isinstance(fault, (ExchangeNetworkError, ExchangeRateLimitError)) else "refused"
    return OrderAnswer(accepted=False, message=f"{told}: {kind}: {fault}")


def _kept(raw: Any) -> dict[str, Any] | None:
    """Return what is worth keeping of a venue's answer: its own words, not ccxt's."""
    info = raw.get("info") if isinstance(raw, dict) else None
    return info if isinstance(info, dict) else None
