"""What each venue that can be configured has, as far as ccxt and we know without asking it."""

from __future__ import annotations

from functools import cache

import msgspec

from peaktrade_core.show.table import Column, Columns
from peaktrade_core.venue.dialects import dialect_of
from peaktrade_core.venue.places import SANDBOXES, no_sandbox
from peaktrade_core.venue.strict import page_of
from peaktrade_core.workspace.venues import VENUES

OFFLINE, LOOPBACK = "offline", "loopback"


class VenueOffer(msgspec.Struct, frozen=True, kw_only=True):
    """One venue.

    Attributes:
        candles: whether shadow sessions can have its candles; why_not: where not, the reason.
        websocket: whether ccxt takes candles from its websocket.
        orders: ``validated`` (checked, never placed), ``sandbox`` or ``none``; sandbox: its hosts, the only ones that an
            order can leave for; no_sandbox: where there are none, why.
        page: bars in an answer at most; pace_s: shortest time between two calls [s]; timeframes: lengths of bars.
        tried: ``loopback``: sessions and orders from end to end against a venue on this machine that speaks as it does;
            ``offline``: its addresses, limits, odd answers and the lock. No venue was ever asked by a test.
    """

    venue: str
    candles: bool
    why_not: str
    websocket: bool
    orders: str
    sandbox: list[str]
    no_sandbox: str
    page: int
    pace_s: float
    timeframes: list[str]
    tried: str


OFFERS = Columns[VenueOffer](
    venue=Column("Venue"),
    candles=Column("Candles", lambda o: "yes" if o.candles else "no"),
    websocket=Column("Websocket", lambda o: "yes" if o.websocket else "no"),
    page=Column("Bars a call", form="number"),
    orders=Column("Orders"),
    tried=Column("Tried"),
)


@cache
def venue_offers() -> tuple[VenueOffer, ...]:
    """Return what each venue has, by name; nobody is asked."""
    return tuple(map(_offer, VENUES))


def _offer(name: str) -> VenueOffer:
    import ccxt
    import ccxt.pro

    exchange, dialect = getattr(ccxt, name)(), dialect_of(name)
    streams = name in ccxt.pro.exchanges and bool(getattr(ccxt.pro, name)().has.get("watchOHLCV"))
    validated = name == "kraken"
    return VenueOffer(
        venue=name,
        candles=not dialect.no_candles,
        why_not=dialect.no_candles,
        websocket=streams,
        orders="validated" if validated else "sandbox" if name in SANDBOXES else "none",
        sandbox=list(SANDBOXES.get(name, ())),
        no_sandbox="" if validated else no_sandbox(name),
        page=dialect.page or page_of(exchange.features),
        pace_s=float(exchange.rateLimit) / 1000.0,
        timeframes=list(exchange.timeframes or ()),
        tried=LOOPBACK if dialect.spoken else OFFLINE,
    )
