"""What a venue is and offers, from its public answers: state, time, fees, limits, markets. Needs no key."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.show.table import Column, Columns
from peaktrade_core.show.wording import percent
from peaktrade_core.trading.market import Instrument

if TYPE_CHECKING:
    from peaktrade_core.venue.client import VenueClient

OFFERS = {  # ccxt's word: ours
    "fetchOHLCV": "candles",
    "fetchTicker": "ticker",
    "fetchOrderBook": "order book",
    "fetchTrades": "trades",
    "fetchTime": "time",
    "fetchStatus": "status",
    "fetchBalance": "balance",
    "createOrder": "orders",
    "cancelOrder": "cancel",
    "sandbox": "demo",
}


class VenueFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One venue at one moment.

    Attributes:
        hosts: where it is asked; loopback: whether that is this machine.
        status: ``ok``, ``maintenance`` or another word of ccxt's, null where the venue tells none.
        time: the venue's, null where it tells none; skew_s: by how much it is ahead of ours, to about a second [s].
        round_trip_s: of that question [s].
        maker, taker: fees of the lowest tier [fraction]; null where it tells none.
        pace_s: shortest time between two calls [s]; page: bars in an answer at most.
        timeframes: lengths of bars; markets, active: how many there are, and are open.
        offers: what it can be asked.
    """

    venue: str
    hosts: list[str]
    loopback: bool
    status: str | None
    time: datetime | None
    skew_s: float | None
    round_trip_s: float | None
    maker: float | None
    taker: float | None
    pace_s: float
    page: int
    timeframes: list[str]
    markets: int
    active: int
    offers: list[str]


class MarketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One market of a venue; null is what the venue does not tell.

    Attributes:
        kind: ``spot``, ``swap``, ``future`` ...; active: whether it is open.
        contract: ``linear`` (counted in its base), ``inverse`` (in its quote), ``quanto``, null of what is no contract;
            contract_size: of one [base units; of an inverse one quote ccy].
        tick, lot: steps of price and quantity, as decimals; min_qty [base units], min_notional [quote ccy].
        maker, taker: fees [fraction].
    """

    symbol: str
    kind: str
    active: bool | None
    tick: str | None
    lot: str | None
    min_qty: float | None
    min_notional: float | None
    maker: float | None
    taker: float | None
    contract: str | None = None
    contract_size: float | None = None


MARKETS = Columns[MarketFacts](
    symbol=Column("Symbol"),
    kind=Column("Kind", lambda m: f"{m.kind}, {m.contract}" if m.contract else m.kind),
    open=Column("Open", lambda m: m.active),
    tick=Column("Tick", form="number"),
    lot=Column("Lot", form="number"),
    smallest=Column("Smallest order", lambda m: m.min_qty and f"{m.min_qty:.10f}".rstrip("0").rstrip("."), "number"),
    maker=Column("Maker", lambda m: percent(m.maker), "number", 1),
    taker=Column("Taker", lambda m: percent(m.taker), "number", 1),
)


def inspect_venue(client: VenueClient, clock: Clock) -> VenueFacts:
    """Ask a venue how it is and what it offers.

    Raises:
        ExchangeError: it does not answer.
    """
    described, has = client.ask("describe"), client.has
    status = client.ask("fetch_status").get("status") if has.get("fetchStatus") else None
    before = clock.now()
    time = client.now()
    after = clock.now()
    skew = (time - before - (after - before) / 2).total_seconds() if time else None
    markets = list_markets(client)
    fees = described.get("fees", {}).get("trading", {})
    return VenueFacts(
        venue=client.name,
        hosts=sorted(client.hosts),
        loopback=client.loopback,
        status=status,
        time=time,
        skew_s=skew,
        round_trip_s=(after - before).total_seconds() if time else None,
        maker=fees.get("maker"),
        taker=fees.get("taker"),
        pace_s=float(described["rateLimit"]) / 1000.0,
        page=client.page,
        timeframes=list(described["timeframes"]),
        markets=len(markets),
        active=sum(bool(market.active) for market in markets),
        offers=[ours for theirs, ours in OFFERS.items() if has.get(theirs)],
    )


def list_markets(client: VenueClient, quote: str | None = None) -> list[MarketFacts]:
    """Return the markets of a venue by symbol, those that are quoted in ``quote`` (``EUR``) or all.

    Raises:
        ExchangeError: it does not answer.
    """
    found = client.ask("load_markets").values()
    wanted = [one for one in found if quote is None or str(one.get("quote")).upper() == quote.upper()]
    return sorted((_market(one, client.whole_steps) for one in wanted), key=lambda market: market.symbol)


def at_venue(client: VenueClient, symbol: str, instrument: Instrument) -> Instrument:
    """Return an instrument with the venue's steps and smallest order where it has none of its own.

    Raises:
        ConfigError: the venue does not trade it, or tells no steps.
        ExchangeError: it does not answer.
    """
    wanted = instrument.venue_symbol or symbol
    found = next((one for one in list_markets(client) if one.symbol == wanted), None)
    if found is not None and (found.contract == "quanto" or found.kind not in ("spot", "swap")):
        raise ConfigError(
            f"{wanted} at {client.name} is a contract of another kind ({found.kind}, {found.contract}): sessions know perpetual "
            "contracts, linear and inverse ones, and none that expires"
        )
    if found is None or found.tick is None or found.lot is None:
        raise ConfigError(
            f"{client.name} {'states no tick and lot for' if found else 'does not trade'} {wanted}; "
            f"set tick and lot in [instruments.{symbol!r}], or its venue_symbol"
        )
    from peaktrade_core.venue.funding import maintenance_of

    return instrument.completed(
        tick=found.tick,
        lot=found.lot,
        min_qty=found.min_qty or 0.0,
        min_notional=found.min_notional or 0.0,
        contract=found.contract or "",
        contract_size=found.contract_size or 0.0,
        maintenance_margin_pct=maintenance_of(client, wanted) if found.contract else None,
    )


def _market(raw: dict[str, Any], whole_steps: bool) -> MarketFacts:
    """Return ccxt's description of a market as ours; contracts are counted in base units, inverse ones in quote currency.

    A venue that states digits instead of steps states none.
    """
    precision, limits = (raw.get("precision") or {}) if whole_steps else {}, raw.get("limits") or {}
    contract, size = None, None
    if raw.get("contract"):
        contract = "linear" if raw.get("linear") else "inverse" if raw.get("inverse") else "quanto"
        size = raw.get("contractSize")
    scale = size if contract in ("linear", "inverse") and size else 1.0
    smallest = (limits.get("amount") or {}).get("min")
    return MarketFacts(
        symbol=raw["symbol"],
        kind=raw.get("type") or "spot",
        active=raw.get("active"),
        tick=_decimal(precision.get("price")),
        lot=_decimal(precision.get("amount"), scale),
        min_qty=smallest if smallest is None else float(Decimal(str(smallest)) * Decimal(str(scale))),
        min_notional=(limits.get("cost") or {}).get("min"),
        maker=raw.get("maker"),
        taker=raw.get("taker"),
        contract=contract,
        contract_size=size,
    )


def _decimal(step: float | None, scale: float = 1.0) -> str | None:
    """Return a step of ``scale`` units as a decimal without an exponent; None for one that is no step."""
    if not step or not step > 0.0:
        return None
    return f"{(Decimal(str(step)) * Decimal(str(scale))).normalize():f}"
