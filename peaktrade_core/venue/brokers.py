"""Brokers that talk to a venue and cannot trade live: one only validates, the other only knows a demo venue.

That is a property of each class, not of a setting: :class:`ValidatingBroker` puts ``validate`` into every order at the
only place that sends one, :class:`DemoBroker` refuses to be built for any host but the demo's or this machine. The guard
of :mod:`.hosts` asks the same of each request once more, where it leaves.
"""

from __future__ import annotations

from typing import Any

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeRateLimitError,
    ForbiddenRequestError,
    OrderOutcomeUnknownError,
)
from peaktrade_core.trading.events import Order
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.hosts import DEMO_HOSTS, LOOPBACK

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
    """krakenfutures' demo venue: orders are placed there with play money."""

    asks_venue = True

    def __init__(self, client: VenueClient, symbol: str, prefix: str) -> None:
        """Take a client of the demo venue.

        Args:
            client: krakenfutures, demo.
            symbol: the venue's symbol.
            prefix: begins the client order ids, by which an order is found again; another one for each session.

        Raises:
            ConfigError: the client can reach any other host.
        """
        foreign = sorted(client.hosts - set(DEMO_HOSTS) - set(LOOPBACK))
        if client.name != "krakenfutures" or foreign:
            raise ConfigError(
                f"orders go to krakenfutures' demo only; this client of {client.name} reaches {', '.join(foreign) or 'no demo'}"
            )
        self._client, self._symbol, self._prefix = client, symbol, prefix

    def submit(self, order: Order) -> OrderAnswer:
        """Place one market order in the demo; an unknown outcome is reconciled, never sent again.

        Raises:
            ExchangeAuthenticationError: the venue refuses our key.
            ForbiddenRequestError: the order would have gone elsewhere, or been more than it may be.
            OrderOutcomeUnknownError: it stays unknown.
        """
        client_id = f"{self._prefix}-{order.order_id}"
        side = "buy" if order.qty > 0.0 else "sell"
        params = {"cliOrdId": client_id, "reduceOnly": order.purpose == "close"}
        try:
            raw = self._client.order("create_order", self._symbol, "market", side, abs(order.qty), None, params)
        except _ENDS:
            raise
        except OrderOutcomeUnknownError as fault:
            return self._reconcile(client_id, fault)
        except ExchangeError as fault:
            return _refused(fault)
        placed = raw.get("id") if isinstance(raw, dict) else None
        if not placed:
            return self._reconcile(client_id, OrderOutcomeUnknownError("the answer names no order"))
        return OrderAnswer(accepted=True, message=f"placed {placed}", raw=_kept(raw))

    def _reconcile(self, client_id: str, fault: OrderOutcomeUnknownError) -> OrderAnswer:
        """Find out what became of an order whose acknowledgement was lost.

        It can still be on its way, so it never arrived only when all looks but one, which may have failed, miss it.
        """
        last: ExchangeError = fault
        missed = 0
        for attempt in range(RECONCILE_ATTEMPTS):
            if attempt:
                self._client.sleep(self._client.policy.backoff_s)
            try:
                found = [
                    *self._client.ask("fetch_open_orders", self._symbol),
                    *self._client.ask("fetch_my_trades", self._symbol),
                ]
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
        if missed >= RECONCILE_ATTEMPTS - 1:
            return OrderAnswer(accepted=False, message=f"never arrived: {fault}")
        raise OrderOutcomeUnknownError(
            f"order {client_id}: the outcome is unknown ({fault}) and could not be reconciled ({last}); "
            "look at the venue before the next session"
        )


def _refused(fault: ExchangeError) -> OrderAnswer:
    """Return the venue's refusal; rate limits and lost connections count as one, too, as nothing was validated."""
    kind = type(fault).__name__
    told = "not validated" if isinstance(fault, (ExchangeNetworkError, ExchangeRateLimitError)) else "refused"
    return OrderAnswer(accepted=False, message=f"{told}: {kind}: {fault}")


def _kept(raw: Any) -> dict[str, Any] | None:
    """Return what is worth keeping of a venue's answer: its own words, not ccxt's."""
    info = raw.get("info") if isinstance(raw, dict) else None
    return info if isinstance(info, dict) else None
