"""What is open at the venue: asked with our key where there is one, else said not to be known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError, ExchangeAuthenticationError, ExchangeError
from peaktrade_core.venue.client import open_venue
from peaktrade_core.workspace.workspace import Workspace


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is open at the venue; qty: what is left [base units]; price: None for a market order."""

    order_id: str
    symbol: str
    side: str
    qty: float
    price: float | None
    at: datetime | None


class VenueOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says; ``told``: in a sentence, also why nothing is known; failed: it was asked and did not answer."""

    venue: str
    told: str
    orders: list[VenueOrder] = []
    failed: bool = False


def venue_orders(workspace: Workspace) -> VenueOrders:
    """Return the open orders at the configured venue; without credentials nobody is asked."""
    name = workspace.config.exchange.venue
    try:
        client = open_venue(workspace, credentials=True)
    except (ConfigError, ExchangeAuthenticationError) as fault:
        return VenueOrders(venue=name, told=f"not asked: {fault}")
    try:
        orders = [_order(raw) for raw in client.ask("fetch_open_orders")]
    except ExchangeError as fault:
        return VenueOrders(venue=name, told=f"{type(fault).__name__}: {fault}", failed=True)
    finally:
        client.close()
    told = f"{len(orders)} open" if orders else "no order is open there"
    if name == "kraken" and orders:
        told += "; none is ours, as our orders there are only validated: look who placed them"
    return VenueOrders(venue=name, told=told, orders=orders)


def _order(raw: Mapping[str, Any]) -> VenueOrder:
    """Return an order as the venue tells it."""
    stamp = raw.get("timestamp")
    return VenueOrder(
        order_id=str(raw.get("id")),
        symbol=str(raw.get("symbol")),
        side=str(raw.get("side")),
        qty=float(raw.get("remaining") or raw.get("amount") or 0.0),
        price=float(raw["price"]) if raw.get("price") else None,
        at=from_seconds(stamp / 1000.0) if isinstance(stamp, (int, float)) else None,
    )
