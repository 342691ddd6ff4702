"""From what somebody asks for to a session that can start: settings, strategy, market, feed and broker, all checked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from peaktrade_core.base.errors import ConfigError, LiveModeNotAllowedError, UnknownNameError
from peaktrade_core.base.text import said
from peaktrade_core.records.folder import is_id
from peaktrade_core.session.markets import configured, instrument_of
from peaktrade_core.session.plan import Plan
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.trading.costs import market_of
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import DAY_S, Instrument, timeframe_seconds
from peaktrade_core.trading.ports import Broker, Feed, SimulatedBroker
from peaktrade_core.trading.records import SessionConfig
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.trading.tally import UNKNOWN
from peaktrade_core.workspace.config import FEEDS, Config, SessionDefaults
from peaktrade_core.workspace.venues import VENUES
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.venue.client import VenueClient
    from peaktrade_core.venue.stream import CandleStream

MODES = ("shadow", "testnet")
ENVIRONMENTS = {  # other names of a venue; none of them is live
    "kraken_testnet": "kraken",
    "kraken_futures_demo": "krakenfutures",
    "kraken_futures_testnet": "krakenfutures",
}
TESTNET_OFF = (
    'testnet is switched off: [environment] mode = "shadow" in config/config.toml; write mode = "testnet" there to let '
    "testnet sessions start"
)


class Wishes(NamedTuple):
    """What a session is asked to be; None takes the configuration's.

    Attributes:
        mode: ``shadow``, or ``testnet``, where every order is also put to a venue that cannot trade it live.
        params: parameters over the configuration's and the strategy's own.
        candles: file of candles; implies the replay feed; dialect: what is told of it, ``PART=VALUE``.
        steps: bars after the warm-up; None means all of a file, or the configured number.
        env: the venue that is asked, where one is, by ccxt's name or one of ``ENVIRONMENTS``.
        pace: seconds of the market per second of the wall clock, None for as fast as possible.
        session_id: given by whoever starts the run, so that both know it; None for one of its own.
        rehearsal: practice, in shadow alone: any tier may, and it is never counted.
    """

    mode: str = "shadow"
    strategy: str | None = None
    params: Mapping[str, object] | None = None
    symbol: str | None = None
    timeframe: str | None = None
    feed: str | None = None
    candles: str | Path | None = None
    dialect: tuple[str, ...] = ()
    seed: int | None = None
    steps: int | None = None
    warmup_candles: int | None = None
    position_fraction: float | None = None
    start_balance: float | None = None
    env: str | None = None
    pace: float | None = None
    notes: str = ""
    tags: tuple[str, ...] = ()
    cli_args: tuple[str, ...] = ()
    session_id: str | None = None
    rehearsal: bool = False


def plan_session(workspace: Workspace, **wanted: Any) -> Plan:
    """Check everything a session needs and return it ready to start; nothing is written.

    A venue is asked only for the steps of an instrument that has none of its own.

    Args:
        workspace: in which; wanted: the fields of :class:`Wishes`.

    Raises:
        LiveModeNotAllowedError: mode ``live``.
        ConfigError: any other setting is wrong, or testnet is not switched on; names it and what is allowed.
        DataError: the candles cannot be used.
        ExchangeAuthenticationError: a testnet session without credentials.
    """
    wishes = Wishes(**wanted)
    _check_mode(wishes.mode)
    config = workspace.config
    if wishes.mode == "testnet" and config.environment.mode != "testnet":
        raise ConfigError(TESTNET_OFF)
    if wishes.rehearsal and wishes.mode != "shadow":
        raise ConfigError(f"a rehearsal asks no venue: --rehearsal goes with --mode shadow, not {wishes.mode}")
    chosen = _settings(config.session, wishes)
    venue = venue_of(config, wishes.env)
    if wishes.pace is not None and not 0.0 < wishes.pace < 1e9:
        raise ConfigError(f"pace = {wishes.pace!r} must be a positive number, or max")
    strategy = get_strategy(chosen.strategy)
    params = strategy.parameters({**config.strategy.get(chosen.strategy, {}), **(wishes.params or {})})
    bar_s = timeframe_seconds(chosen.timeframe)
    feed = _feed(workspace, chosen, wishes, bar_s, venue)
    steps = chosen.steps if wishes.steps is not None or not len(feed) else None
    _check_length(feed, chosen.warmup_candles, steps)
    testnet = wishes.mode == "testnet"
    asked = venue if testnet or feed.name == "exchange" else None
    instrument, remarks = instrument_of(workspace, chosen.symbol, feed, asked, sandbox=testnet)
    feed = _funded(feed, instrument, bar_s)
    market = market_of(
        instrument,
        fee_bps=chosen.fee_bps,
        slippage_bps=chosen.slippage_bps,
        position_fraction=chosen.position_fraction,
    )
    decision = Decision(strategy, params, market, config.limits, float(bar_s), chosen.start_balance)
    return Plan(
        _described(decision, chosen, wishes, feed, steps, instrument),
        decision,
        wishes.mode,
        f"{asked} (loopback)" if asked and config.exchange.base_url else asked or feed.name,
        _paced(feed, wishes.pace, chosen),
        venue_broker(workspace, instrument, chosen.symbol, venue) if testnet else SimulatedBroker(),
        wishes.cli_args,
        Promotions(workspace).tier(strategy),
        _given_id(wishes.session_id, wishes.mode),
        remarks,
        wishes.rehearsal,
    )


def venue_of(config: Config, env: str | None) -> str:
    """Return the venue that is asked: the one that ``env`` names, or the configured one.

    Raises:
        UnknownNameError: no venue has that name; the message lists those there are.
    """
    if env is None:
        return config.exchange.venue
    name = ENVIRONMENTS.get(env, env)
    if name not in VENUES:
        near = get_close_matches(env, VENUES, 5, 0.6) or ["kraken", "krakenfutures", *ENVIRONMENTS]
        raise UnknownNameError("environment", env, near, "peaktrade exchange venues")
    return name


def _described(
    decision: Decision,
    chosen: SessionDefaults,
    wishes: Wishes,
    feed: Feed,
    steps: int | None,
    instrument: Instrument,
) -> SessionConfig:
    """Return everything that a session is made of, as its record will tell it."""
    return SessionConfig(
        strategy_name=decision.strategy.name,
        params=decision.params._asdict(),
        symbol=chosen.symbol,
        timeframe=chosen.timeframe,
        feed=feed.name,
        seed=chosen.seed if feed.name == "synthetic" else None,
        data_sha256=feed.data_sha256,
        candles=str(wishes.candles) if wishes.candles else None,
        dialect=tuple(wishes.dialect),
        warmup_candles=chosen.warmup_candles,
        steps=steps,
        position_fraction=chosen.position_fraction,
        start_balance=chosen.start_balance,
        fee_bps=chosen.fee_bps,
        slippage_bps=chosen.slippage_bps,
        risk_limits=decision.limits._asdict(),
        instrument=instrument.described(),
        notes=said(wishes.notes),
        tags=tuple(map(said, wishes.tags)),
    )


def _given_id(session_id: str | None, mode: str) -> str | None:
    """Let an id pass that says its mode and can name a folder."""
    if session_id is not None and not (is_id(session_id) and session_id.startswith(f"{mode}_")):
        raise ConfigError(f"session id {session_id!r} must begin with {mode}_ and hold only letters, digits, . _ -")
    return session_id


def _check_mode(mode: str) -> None:
    """Let only modes pass that can do no harm, whatever the configuration says, or however broken it is."""
    if mode == "live":
        raise LiveModeNotAllowedError
    if mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)


def _settings(defaults: SessionDefaults, wishes: Wishes) -> SessionDefaults:
    """Return the session's settings with what was asked for over the configuration's.

    Raises:
        ConfigError: a value is out of range.
    """
    feed = feed_of(defaults, wishes.mode, wishes.feed, wishes.candles)
    if feed not in FEEDS:
        raise UnknownNameError("feed", feed, FEEDS)
    if wishes.timeframe is not None:
        timeframe_seconds(wishes.timeframe)
    asked = {name: value for name, value in wishes._asdict().items() if name in defaults.__struct_fields__}
    asked["feed"] = feed
    return msgspec.structs.replace(defaults, **{name: value for name, value in asked.items() if value is not None})


def feed_of(defaults: SessionDefaults, mode: str, feed: str | None, candles: object) -> str:
    """Return the name of the feed: what was asked for, replay of a file, in testnet the venue's, else the configured one."""
    return feed or ("replay" if candles else "exchange" if mode == "testnet" else defaults.feed)


def _feed(workspace: Workspace, chosen: SessionDefaults, wishes: Wishes, bar_s: int, venue: str) -> Feed:
    """Return the feed that was chosen."""
    candles = wishes.candles
    if wishes.dialect and not candles:
        raise ConfigError("--dialect tells how a file is read; it goes with --candles")
    if candles and chosen.feed != "replay":
        raise ConfigError("--candles goes with --feed replay")
    if chosen.feed == "synthetic":
        from peaktrade_core.session.synthetic import SyntheticFeed

        market = workspace.config.synthetic
        return SyntheticFeed(chosen.seed, bar_s, price=market.price, volatility=market.volatility)
    if chosen.feed == "exchange":
        if bar_s > DAY_S:
            raise ConfigError(f"--feed exchange takes timeframes of up to a day, not {chosen.timeframe}")
        from peaktrade_core.venue.client import open_venue
        from peaktrade_core.venue.feed import ExchangeFeed, PastFeed

        client = open_venue(workspace, venue=venue, sandbox=wishes.mode == "testnet")
        symbol = configured(workspace.config, chosen.symbol, venue).venue_symbol or chosen.symbol
        if workspace.rehearsal:
            return PastFeed(client, symbol, chosen.timeframe, chosen.warmup_candles + chosen.steps)
        return ExchangeFeed(
            client,
            symbol,
            chosen.timeframe,
            bar_s,
            history=chosen.warmup_candles,
            clock=workspace.clock,
            patience_s=workspace.config.exchange.patience_s,
            stream=_stream(workspace, client, symbol, chosen.timeframe, bar_s),
        )
    if candles is None:
        raise ConfigError("--feed replay needs --candles FILE, a parquet or CSV file")
    from peaktrade_core.candles.files.dialect import Dialect
    from peaktrade_core.candles.replay import ReplayFeed

    return ReplayFeed(Path(candles).expanduser(), bar_s, chosen.symbol, Dialect.of(wishes.dialect))


def _stream(workspace: Workspace, client: VenueClient, symbol: str, timeframe: str, bar_s: int) -> CandleStream | None:
    """Return the venue's websocket of candles, None where it is not wanted."""
    if not workspace.config.exchange.websocket:
        return None
    from peaktrade_core.venue.stream import CandleStream

    return CandleStream(client, symbol, timeframe, bar_s)


def _funded(feed: Feed, instrument: Instrument, bar_s: int) -> Feed:
    """Return the feed of a perpetual contract, which tells its funding where it can be had."""
    if not instrument.contract or instrument.funding == UNKNOWN:
        return feed
    if feed.simulated:
        from peaktrade_core.candles.replay import FundedFeed

        return FundedFeed(feed, Path(instrument.funding).expanduser(), bar_s)
    from peaktrade_core.venue.feed import ExchangeFeed

    if isinstance(feed, ExchangeFeed):
        feed.pays_funding = True
    return feed


def _paced(feed: Feed, pace: float | None, chosen: SessionDefaults) -> Feed:
    """Return the feed at the pace of the wall clock, where one was asked for."""
    if pace is None:
        return feed
    if not feed.simulated:
        raise ConfigError("--pace goes with recorded or synthetic bars; an exchange has its own")
    from peaktrade_core.session.synthetic import PacedFeed

    return PacedFeed(feed, pace, chosen.warmup_candles)


def venue_broker(workspace: Workspace, instrument: Instrument, symbol: str, venue: str | None = None) -> Broker:
    """Return the broker of a venue, the configured one by default, which only validates orders or knows only a sandbox.

    Raises:
        ExchangeAuthenticationError: there are no credentials.
    """
    from peaktrade_core.venue.brokers import DemoBroker, ValidatingBroker
    from peaktrade_core.venue.client import open_venue

    client = open_venue(workspace, credentials=True, venue=venue)
    venue_symbol = instrument.venue_symbol or symbol
    if client.name == "kraken":
        return ValidatingBroker(client, venue_symbol)
    leverage = instrument.leverage if instrument.contract else None
    return DemoBroker(client, venue_symbol, secrets.token_hex(5), leverage)


def _check_length(feed: Feed, warmup: int, steps: int | None) -> None:
    """Refuse a session that its candles cannot fill."""
    bars = len(feed)
    needed = warmup + (steps or 1)
    if bars and bars < needed:
        raise ConfigError(
            f"the candles hold {bars} bars, but {warmup} for the warm-up and {steps or 1} steps need {needed}; "
            "lower --warmup-candles or --steps"
        )
