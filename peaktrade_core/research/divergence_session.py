"""What a session is compared with: the backtest of its bars, taken from where its bars came from, or another session."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.candles.files.dialect import Dialect, UndecidedError
from peaktrade_core.candles.replay import ReplayFeed
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.research.divergence import (
    FROM_POSITIONS,
    Divergence,
    Expectation,
    Recorded,
    Signals,
    diverge,
    from_positions,
    read_recorded,
)
from peaktrade_core.runs.views import Views
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.show.wording import many
from peaktrade_core.trading.market import Bar, timeframe_seconds
from peaktrade_core.trading.ports import Feed
from peaktrade_core.trading.records import IMPORTED, SessionConfig
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace


class Source(NamedTuple):
    """Where the bars of a session can be had again.

    Attributes:
        warmup: bars before its first; bars: over its time; None where nobody has them.
        notes: what was found about it.
    """

    warmup: list[Bar] | None
    bars: list[Bar] | None
    notes: tuple[str, ...] = ()


def compare_session(
    workspace: Workspace,
    session_id: str,
    other: str | None = None,
    *,
    candles: str = "",
    fee_bps: float | None = None,
    slippage_bps: float | None = None,
) -> Divergence:
    """Compare a session with the backtest of its bars, or with another session.

    Args:
        workspace, session_id: which; ``latest`` is the one that started last.
        other: another session, None for the backtest.
        candles: a file or folder of candles that is right, instead of where the session had them from.
        fee_bps, slippage_bps: the backtest's costs; None takes the configuration's, which a backtest would use today.

    Raises:
        SessionNotFoundError: no such session.
        ArtefactError: a journal or its settings cannot be used.
        ConfigError: candles or costs were given for another session, which has its own.
        DataError: the candles cannot be read.
    """
    session = load_recorded(workspace, session_id)
    return diverge(session, expectation(workspace, session, other, candles, fee_bps, slippage_bps))


def expectation(
    workspace: Workspace,
    session: Recorded,
    other: str | None = None,
    candles: str = "",
    fee_bps: float | None = None,
    slippage_bps: float | None = None,
) -> Expectation:
    """Return what a session is compared with; arguments and errors are those of :func:`compare_session`."""
    if other is None:
        found = _backtest(workspace, session, candles, fee_bps, slippage_bps)
    elif candles or fee_bps is not None or slippage_bps is not None:
        raise ConfigError("--candles, --fee-bps and --slippage-bps are the backtest's; another session has its own")
    else:
        found = _session(workspace, load_recorded(workspace, other))
    return found._replace(notes=(FROM_POSITIONS, *found.notes)) if session.config.feed == IMPORTED else found


def load_recorded(workspace: Workspace, session_id: str) -> Recorded:
    """Return a session with its journal; raises as :func:`compare_session`."""
    record = Views.of(workspace).record(Views.of(workspace).resolve(session_id))
    session = read_recorded(record.session_id, record.settings, Views.of(workspace).events(record.session_id))
    return from_positions(session) if session.config.feed == IMPORTED else session


def _backtest(
    workspace: Workspace, session: Recorded, candles: str, fee_bps: float | None, slippage_bps: float | None
) -> Expectation:
    """Return what a backtest of the session's bars gives."""
    defaults = workspace.config.session
    config = msgspec.structs.replace(
        session.config,
        fee_bps=_cost("fee_bps", fee_bps, defaults.fee_bps),
        slippage_bps=_cost("slippage_bps", slippage_bps, defaults.slippage_bps),
    )
    source = source_of(workspace, session, candles)
    signals, notes = _signals(session.config, source.warmup)
    return Expectation("the backtest of its bars", config, source.bars, signals, notes=(*source.notes, *notes))


def _session(workspace: Workspace, other: Recorded) -> Expectation:
    """Return what another session did, its logic run again where its warm-up can be had."""
    source = source_of(workspace, other, "")
    signals, notes = _signals(other.config, source.warmup)
    if signals is not None and signals(other.candles) != [bar.signal for bar in other.bars]:
        signals, notes = None, (f"{other.session_id} cannot be repeated: its strategy or bars are others today",)
    pnl = other.bars[-1].done.equity - other.config.start_balance
    recorded = other.candles
    return Expectation(other.session_id, other.config, recorded, signals, other.controls, pnl, notes)


def _cost(name: str, given: float | None, default: float) -> float:
    value = default if given is None else given
    if not 0.0 <= value <= 10_000.0:
        raise ConfigError(f"{name} = {value!r} must be a number from 0 to 10000 basis points")
    return value


def _signals(config: SessionConfig, warmup: Sequence[Bar] | None) -> tuple[Signals | None, tuple[str, ...]]:
    """Return the strategy of a session as a function of bars, with its warm-up behind it, or why there is none."""
    if warmup is None:
        return None, ("The bars of the warm-up are not known, so the strategy could not be run again.",)
    try:
        strategy = get_strategy(config.strategy_name)
        params = strategy.parameters(config.params)
    except ConfigError as error:
        return None, (f"The strategy could not be run again: {error}",)

    bar_s = timeframe_seconds(config.timeframe)

    def run(bars: Sequence[Bar]) -> list[float]:
        state = [0.0] * strategy.slots(params)
        for bar in warmup:
            strategy.signal(params, state, bar, bar_s)
        return [strategy.signal(params, state, bar, bar_s) for bar in bars]

    return run, ()


def source_of(workspace: Workspace, session: Recorded, candles: str) -> Source:
    """Return the bars of a session from where it had them, or from a file that somebody says is right."""
    config, notes = session.config, []
    bar_s = timeframe_seconds(config.timeframe)
    feed: Feed | None
    if candles:
        path = Path(candles).expanduser()
        feed = ReplayFeed(path if path.is_absolute() else workspace.home / path, bar_s, config.symbol)
    else:
        try:
            feed = feed_again(workspace, config)
        except (DataError, UndecidedError) as error:
            return Source(None, None, (f"Its candles cannot be had again: {error}",))
        if feed is None:
            return _stored(workspace, session, bar_s)
    if not candles and config.data_sha256 not in (None, feed.data_sha256):
        notes.append("Its candles are not what they were when it ran: the digest is another.")
    first, last = session.candles[0].ts, session.candles[-1].ts
    most = None if len(feed) else config.warmup_candles + round((last - first) / bar_s) + 1
    return _cut([bar for bar in islice(iter(feed), most) if isinstance(bar, Bar)], session, notes)


def feed_again(workspace: Workspace, config: SessionConfig) -> Feed | None:
    """Return the feed of a session as it would be made today; None for a venue's, which gives its bars once.

    Raises:
        DataError: its candles are gone or cannot be read; UndecidedError: they can be read in two ways.
    """
    bar_s = timeframe_seconds(config.timeframe)
    if config.feed == "synthetic" and config.seed is not None:
        market = workspace.config.synthetic
        return SyntheticFeed(config.seed, bar_s, price=market.price, volatility=market.volatility)
    if config.feed == "replay" and config.candles:
        path = Path(config.candles).expanduser()
        whole = path if path.is_absolute() else workspace.home / path
        return ReplayFeed(whole, bar_s, config.symbol, Dialect.of(config.dialect))
    return None


def _stored(workspace: Workspace, session: Recorded, bar_s: int) -> Source:
    """Return the bars of a session on a venue's feed from the store of candles."""
    config, first, last = session.config, session.candles[0].ts, session.candles[-1].ts
    store = CandleStore.of_workspace(workspace.home)
    held = [s for s in store.series() if (s.symbol, s.timeframe) == (config.symbol, config.timeframe)]
    begin = first - config.warmup_candles * bar_s
    for series in held:
        if {first, last} <= store.times(series, begin, last + bar_s):
            bars = store.read(series)
            rows = [bars[row] for row in range(len(bars)) if begin <= bars.ts[row] <= last]
            return _cut(rows, session, [f"Bars from the store: {series}."])
    wanted = Series(workspace.config.exchange.venue, config.symbol, config.timeframe)
    return Source(
        None,
        None,
        (f"No second source of its bars: `peaktrade exchange fetch` stores {wanted}, or give candles.",),
    )


def _cut(bars: list[Bar], session: Recorded, notes: Sequence[str]) -> Source:
    """Divide bars into the warm-up and the time of the session."""
    first, last = session.candles[0].ts, session.candles[-1].ts
    before = [bar for bar in bars if bar.ts < first]
    during = [bar for bar in bars if first <= bar.ts <= last]
    if not during:
        return Source(None, None, (*notes, "Those candles do not cover the time of the session."))
    wanted = session.config.warmup_candles
    if len(before) < wanted:
        return Source(
            None, during, (*notes, f"They begin {many(wanted - len(before), 'bar')} too late for the warm-up.")
        )
    return Source(before[len(before) - wanted :], during, tuple(notes))
