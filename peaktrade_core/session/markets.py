"""The market of a session, with everything that decides about its orders: from the configuration, the venue, the candles."""

from __future__ import annotations

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.trading.market import Instrument, candle_steps, settled_in
from peaktrade_core.trading.ports import Feed
from peaktrade_core.trading.tally import UNKNOWN
from peaktrade_core.workspace.config import Config
from peaktrade_core.workspace.workspace import Workspace

SAMPLE = 1000  # bars of the synthetic market by which its steps are found


def instrument_of(
    workspace: Workspace, symbol: str, feed: Feed, venue: str | None, *, sandbox: bool
) -> tuple[Instrument, tuple[str, ...]]:
    """Return the instrument with all its steps, and what a person should know of them.

    What the configuration does not say comes from the venue where one is asked, else from the candles.

    Args:
        workspace, symbol: which; feed: of the session; venue: that is asked, None for none; sandbox: its sandbox.

    Raises:
        ConfigError: the symbol is not configured, its tick does not fit the candles, or the venue does not trade it.
        ExchangeError: the venue does not answer.
    """
    instrument = configured(workspace.config, symbol, venue)
    if not instrument.contract and settled_in(symbol):
        kind = "inverse" if settled_in(symbol) == symbol.partition("/")[0] else "linear"
        instrument = msgspec.structs.replace(instrument, contract=kind)
    known, source, bars = instrument, "", None
    if venue and (not instrument.complete or instrument.contract or instrument.kind == "derivatives"):
        from peaktrade_core.venue.client import open_venue
        from peaktrade_core.venue.facts import at_venue

        known = at_venue(open_venue(workspace, venue=venue, sandbox=sandbox), symbol, instrument)
        source = "" if instrument.complete else venue
    elif feed.name == "replay" or not instrument.complete:
        from peaktrade_core.candles.replay import bars_of

        bars = bars_of(feed, None if feed.name == "replay" else SAMPLE)
        if not instrument.complete:
            tick, lot = candle_steps(bars)
            known, source = instrument.completed(tick=tick, lot=lot), "the candles"
    told = f"{symbol}: tick {known.tick} and lot {known.lot}, after {source}" if source else ""
    lowest = float(bars.ohlcv[:, 2].min()) if bars else workspace.config.synthetic.price
    odd = known.fit(symbol, lowest) if feed.name != "exchange" else ""  # there it is asked at the first bar
    if known.contract:
        source = known.funding if feed.simulated and known.funding else feed.funding
        known = msgspec.structs.replace(known, funding=source)
    return known, tuple(filter(None, (told, odd, *_of_contract(symbol, known))))


def configured(config: Config, symbol: str, venue: str | None) -> Instrument:
    """Return what the configuration says of a market: its steps are those of the configured venue, another one has its own.

    Raises:
        UnknownNameError: the symbol is not configured.
    """
    known = config.instrument(symbol)
    if venue in (None, config.exchange.venue):
        return known
    return msgspec.structs.replace(known, tick="", lot="", min_qty=0.0, min_notional=0.0)


def _of_contract(symbol: str, known: Instrument) -> tuple[str, ...]:
    """Return what a person should know of a perpetual contract.

    Raises:
        ConfigError: its name says that its money is another than it is.
    """
    if not known.contract:
        return ()
    base, _, rest = symbol.partition("/")
    settled = settled_in(symbol) or rest.partition("-")[0]
    if (settled == base) != (known.contract == "inverse"):
        example = "BTC/USD:BTC" if settled != base else "BTC/USD:USD"
        raise ConfigError(
            f"{symbol} is not paid in the currency of its name: name it as its venue does, with that currency after a colon, for "
            f"example {example}"
        )
    margin = (
        f"{symbol}: the venue does not state the maintenance margin, so no position is opened; write maintenance_margin_pct in "
        f"[instruments.{symbol!r}]"
        if known.maintenance_margin_pct is None
        else ""
    )
    funding = f"{symbol}: the feed tells no funding; none will be in the figures" if known.funding == UNKNOWN else ""
    return margin, funding
