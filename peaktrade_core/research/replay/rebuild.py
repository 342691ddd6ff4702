"""From a record, its journal and what its folder keeps to a plan that can run once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from peaktrade_core.base.errors import ArtefactError, ConfigError, DataError
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.kept import UNFINISHED_BAR, WARMUP_KEPT, kept_bars
from peaktrade_core.research.divergence import bar_of, read_recorded
from peaktrade_core.research.divergence_session import feed_again, source_of
from peaktrade_core.research.recorded_bars import refuse_imported
from peaktrade_core.research.replay.script import Script, ScriptedBroker, ScriptedFeed
from peaktrade_core.research.replay_limits import recorded_limits, recorded_market
from peaktrade_core.session.plan import Plan, coarse_tick
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bar, timeframe_seconds
from peaktrade_core.trading.ports import Feed, SimulatedBroker
from peaktrade_core.trading.records import REHEARSAL, SessionConfig, SessionRecord, settings_of
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace


class ReplayBars(NamedTuple):
    """Where the bars of a replay come from: the warm-up, those after it, and what a person should know of them."""

    first: list[Bar]
    then: Iterator[Bar]
    notes: tuple[str, ...]


def rebuild(workspace: Workspace, record: SessionRecord, folder: RunFolder, script: Script) -> tuple[Plan, ReplayBars]:
    """Return the plan of a recorded session, with everything outside it played from its record.

    Raises:
        ArtefactError: its configuration cannot be used, or its warm-up cannot be had any more.
        ConfigError: its strategy is not registered here.
    """
    started = next((event for event in script.events if isinstance(event, ev.Start)), None)
    config = _config(record, started)
    refuse_imported(record.session_id, config)
    strategy = get_strategy(config.strategy_name)
    decision = Decision(
        strategy,
        strategy.parameters(config.params),
        recorded_market(config),
        recorded_limits(config),
        float(timeframe_seconds(config.timeframe)),
        config.start_balance,
    )
    bars = _bars(workspace, config, folder, script.events)
    done = [event for event in script.events if isinstance(event, (ev.Submission, ev.VenueAnswer))]
    asks = record.mode == "testnet" or bool(done)
    simulated = config.feed != "exchange" or _was_past(config, script.events)
    plan = Plan(
        config,
        decision,
        record.mode,
        record.env_name or config.feed,
        ScriptedFeed(script, config.feed, simulated=simulated, first=bars.first, then=bars.then),
        ScriptedBroker(script, asks_venue=True) if asks else SimulatedBroker(),
        tier=record.strategy_tier or "core",
        session_id=record.session_id,
        rehearsal=record.run_type == REHEARSAL,
    )
    return plan, bars


def _config(record: SessionRecord, started: ev.Start | None) -> SessionConfig:
    """Return the configuration that the session's journal begins with, or else its record's.

    Raises:
        ArtefactError: neither can be used.
    """
    config = settings_of(record.session_id, started.config if started else record.config)
    limits = {name: value for name, value in recorded_limits(config)._asdict().items() if name in config.risk_limits}
    return msgspec.structs.replace(config, risk_limits=limits)  # whole numbers stay whole


def _was_past(config: SessionConfig, events: Sequence[ev.AnyEvent]) -> bool:
    """Return whether a venue's bars were all past ones, as in a rehearsal: then an odd tick is not told of."""
    bar = next((event for event in events if isinstance(event, ev.BarDone)), None)
    told = any(isinstance(event, ev.Notice) and event.code == "COARSE_TICK" for event in events)
    try:
        return bar is not None and not told and bool(coarse_tick(config, bar.low))
    except ConfigError:
        return False


def _bars(workspace: Workspace, config: SessionConfig, folder: RunFolder, events: Sequence[ev.AnyEvent]) -> ReplayBars:
    """Return the bars of a session: the traded ones from its journal, what that lacks from where it had them.

    Raises:
        ArtefactError: bars of the warm-up are needed and nobody has them.
    """
    traded = [bar_of(event) for event in events if isinstance(event, ev.BarDone)]
    part = [event.message for event in events if isinstance(event, ev.Notice) and event.code == UNFINISHED_BAR]
    warmed = next((event for event in events if isinstance(event, ev.WarmedUp)), None)
    if config.feed == "exchange":
        unfinished = [msgspec.json.decode(text, type=Bar) for text in part]
        first, notes = _venue_warmup(workspace, config, folder, warmed, events)
        return ReplayBars(first, chain(traded, unfinished), notes)
    try:
        feed = feed_again(workspace, config)
    except (ConfigError, DataError) as error:
        feed, fault = None, str(error)
    else:
        fault = f"a session on the feed {config.feed!r} names no seed and no candles"
    if feed is None:
        if config.warmup_candles:
            raise ArtefactError(f"the bars of its warm-up are not in the journal and cannot be had again: {fault}")
        return ReplayBars([], iter(traded), (f"Bars from the journal alone: {fault}",))
    source = (item for item in feed if isinstance(item, Bar))
    first = list(islice(source, config.warmup_candles))
    return ReplayBars(first, _and_after(traded, source), _digest_note(config, feed))


def _and_after(traded: Sequence[Bar], source: Iterator[Bar]) -> Iterator[Bar]:
    """Yield the bars of the journal, then those of the source that come after them."""
    yield from traded
    yield from (bar for bar in source if not traded or bar.ts > traded[-1].ts)


def _digest_note(config: SessionConfig, feed: Feed) -> tuple[str, ...]:
    if config.data_sha256 in (None, feed.data_sha256):
        return ()
    return ("The source of its bars is not what it was: its digest is another, so the warm-up may be, too.",)


def _venue_warmup(
    workspace: Workspace,
    config: SessionConfig,
    folder: RunFolder,
    warmed: ev.WarmedUp | None,
    events: Sequence[ev.AnyEvent],
) -> tuple[list[Bar], tuple[str, ...]]:
    """Return the warm-up of a session on a venue's bars, as it was kept, or from the store for one that kept none.

    Raises:
        ArtefactError: nobody has it.
    """
    kept = [event.message for event in events if isinstance(event, ev.Notice) and event.code == WARMUP_KEPT]
    if warmed is not None and warmed.sha256 is not None:
        kept.append(warmed.sha256)
    if kept:
        return kept_bars(folder.warmup, kept[-1]), ()
    if warmed is None or not warmed.bars:
        return [], ()
    source = source_of(workspace, read_recorded(folder.run_id, config, events), "")
    if source.warmup is None:
        raise ArtefactError(
            f"{folder.run_id} did not keep the bars of its warm-up, as sessions do now. {' '.join(source.notes)}"
        )
    return source.warmup, source.notes
