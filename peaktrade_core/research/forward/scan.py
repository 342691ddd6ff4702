"""A scan: one decision on many markets, what it wants now, or a short backtest of each with what speaks against it.

Each market is a try and is counted before any of them runs. A market that cannot be read is a row that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError, DataError, StrategyError
from peaktrade_core.base.question import Check
from peaktrade_core.research.forward.now import OnMarket, Source, closed, on_market, standing
from peaktrade_core.research.portfolio.preset import Component
from peaktrade_core.research.store import RecordKind, Store
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger
from peaktrade_core.research.trials.spec import Judge
from peaktrade_core.research.trials.trial import NO_MARKS, DailyEquity, Trial, try_out
from peaktrade_core.research.trials.verdict import chance, deflated, enough
from peaktrade_core.session.identity import bars_digest, content_id
from peaktrade_core.session.tiers import Promotions, refuse_tier
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mode = Literal["forward", "backtest-lite"]
FORWARD = "forward"
MODES = get_args(Mode)


class ScanRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan found on one market.

    Attributes:
        symbol, timeframe, decision_id: which; error: why it could not be scanned, empty where it could.
        bars: that were looked at; held: held back from a backtest; counted: tries of the strategy on it so far.
        closed_at, close: of the last bar that was looked at, aware UTC and [quote ccy].
        signal, before, since: what it wants now, see :class:`.forward.now.WantedPosition`; of ``forward``.
        trial: its figures; verdict: what speaks against it; of ``backtest-lite``.
    """

    symbol: str
    timeframe: str
    decision_id: str = ""
    error: str = ""
    bars: int = 0
    held: int = 0
    counted: int = 0
    closed_at: datetime | None = None
    close: float | None = None
    signal: int | None = None
    before: int | None = None
    since: datetime | None = None
    trial: Trial | None = None
    verdict: tuple[Check, ...] = ()


class ScanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A scan.

    Attributes:
        scan_id: of its content, empty over a made-up market, which is not kept.
        strategy, params, timeframe, mode: what was asked; by, at: who asked and when, aware UTC.
        rows: one a market, in the order in which they were asked for.
    """

    scan_id: str
    strategy: str
    params: dict[str, Any]
    timeframe: str
    mode: Mode
    by: str
    at: datetime
    rows: tuple[ScanRow, ...]


class ScanWish(NamedTuple):
    """What is to be scanned: a strategy with its parameters on symbols; None takes the configuration's."""

    strategy: str
    symbols: Sequence[str]
    mode: Mode = "forward"
    params: Mapping[str, object] = MappingProxyType({})
    timeframe: str | None = None
    warmup_candles: int | None = None
    source: Source = "stored"


class ScanStore(Store[ScanRecord]):
    """The scans of a workspace: a file each, ``reports/experiments/scans/<id>.json``."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, RecordKind("scan", "sc"), ScanRecord)


def run_scan(workspace: Workspace, wish: ScanWish) -> ScanRecord:
    """Ask one decision on many markets; counted before, and kept.

    Raises:
        ConfigError, UnknownNameError: strategy, parameters or mode are wrong.
        TierNotAllowedError: the strategy may not run, so that nobody is to see what it wants now.
        DataError: not one of the markets can be read.
        ArtefactError, EnvironmentFault: hold-out or ledger cannot be used: nothing is tried.
    """
    strategy = get_strategy(wish.strategy)
    given = {**workspace.config.strategy.get(wish.strategy, {}), **wish.params}
    params = strategy.parameters(given)._asdict()
    if wish.mode == FORWARD:
        refuse_tier(strategy.name, Promotions(workspace).tier(strategy), told=workspace)
    timeframe, now = wish.timeframe or workspace.config.session.timeframe, workspace.clock.now()
    found = [_market(workspace, wish, symbol, timeframe, place) for place, symbol in enumerate(wish.symbols)]
    ready = {at: one for at, one in enumerate(found) if isinstance(one, OnMarket)}
    if not ready:
        raise DataError("; ".join(dict.fromkeys(str(one) for one in found)))
    bars, held = {}, {}
    for at, one in ready.items():
        bars[at], held[at] = _readable(workspace, one, wish.mode, now)
    ids = {at: _try_id(one, wish.mode, bars[at]) for at, one in ready.items()}
    counted = {at: _count(workspace, one, ids[at], wish.mode) for at, one in ready.items()}
    rows = [
        ScanRow(symbol=symbol, timeframe=timeframe, error="" if at in ready else str(found[at]))
        for at, symbol in enumerate(wish.symbols)
    ]
    asked_now = wish.mode == FORWARD
    for at, row in (_now(workspace, ready) if asked_now else _lite(workspace, ready, bars, counted)).items():
        rows[at] = msgspec.structs.replace(
            row, symbol=wish.symbols[at], timeframe=timeframe, bars=len(bars[at]), held=held[at], counted=counted[at],
            decision_id=ready[at].decision_id,
        )  # fmt: skip
    made_up = wish.source != "stored"
    asked = (wish.mode, params, [(row.symbol, row.timeframe, row.error, ids.get(at)) for at, row in enumerate(rows)])
    digests = [bars_digest(one) for one in bars.values()]
    record = ScanRecord(
        scan_id="" if made_up else content_id("sc", wish.strategy, asked, digests), strategy=wish.strategy, params=params,
        timeframe=timeframe, mode=wish.mode, by=login(), at=now, rows=tuple(rows),
    )  # fmt: skip
    if record.scan_id:
        ScanStore(workspace).save(record)
    return record


def _market(workspace: Workspace, wish: ScanWish, symbol: str, timeframe: str, place: int) -> OnMarket | str:
    """Return a decision on a market, or why that cannot be read."""
    asked = Component(
        strategy=wish.strategy, symbol=symbol, timeframe=timeframe,  # type: ignore[arg-type]  # checked by the plan
        params=dict(wish.params), warmup_candles=wish.warmup_candles,
    )  # fmt: skip
    try:
        return on_market(workspace, asked, wish.source, place)
    except (ConfigError, DataError) as error:
        return str(error)


def _readable(workspace: Workspace, one: OnMarket, mode: Mode, now: datetime) -> tuple[Bars, int]:
    """Return the bars that a scan may look at and how many it may not: a backtest not at what is held back.

    What a decision wants now is seen of the last bar; what became of it is not looked at, so nothing is held back.
    """
    if mode == FORWARD or one.made_up:
        return closed(one, now), 0
    found = HoldOut(workspace).readable(one.bars, one.market.symbol, one.market.timeframe)
    return found.readable, found.held


def _try_id(one: OnMarket, mode: Mode, bars: Bars) -> str:
    """Return what is counted: for a backtest the id that ``peaktrade backtest`` gives it, so that both count once."""
    if mode == FORWARD:
        return one.asked_id
    return content_id("bt", one.decision_id, bars_digest(bars), one.plan.config.warmup_candles)


def _count(workspace: Workspace, one: OnMarket, try_id: str, mode: Mode) -> int:
    if one.made_up:
        return 0
    ledger = TrialLedger(workspace)
    ledger.begin(try_id, one.market, 1, by=login(), question=f"scan, {mode}")
    return ledger.count(one.market)


def _now(workspace: Workspace, ready: dict[int, OnMarket]) -> dict[int, ScanRow]:
    """Return what the decision wants on each market."""
    rows = {}
    for at, one in ready.items():
        try:
            found = standing(workspace, one, workspace.clock.now())
        except (DataError, StrategyError) as error:
            rows[at] = ScanRow(symbol="", timeframe="", error=str(error))
            continue
        rows[at] = ScanRow(
            symbol="", timeframe="", closed_at=found.closed_at, close=found.close, signal=found.signal,
            before=found.before, since=found.since,
        )  # fmt: skip
    return rows


def _lite(
    workspace: Workspace, ready: dict[int, OnMarket], bars: dict[int, Bars], counted: dict[int, int]
) -> dict[int, ScanRow]:
    """Return the figures of each market, and what speaks against each: the best of many markets is lucky, too."""
    cache, judge = workspace.compiled, Judge()
    tried: dict[int, tuple[Trial, DailyEquity]] = {}
    for at, one in ready.items():
        try:
            base, warmup = one.plan.decision, one.plan.config.warmup_candles
            tried[at] = try_out(at, base, base.params._asdict(), bars[at], warmup, cache)
        except DataError as error:
            tried[at] = (Trial(number=at, params={}, error=str(error)), NO_MARKS)
    ran = {at: pair for at, pair in tried.items() if not pair[0].error}
    start = {at: one.plan.decision.start_balance for at, one in ready.items()}
    share, variance = chance([pair[0] for pair in ran.values()], _together(ran, start))
    rows = {}
    for at, (trial, marks) in tried.items():
        last = bars[at]
        row = ScanRow(symbol="", timeframe="", error=trial.error)
        if not trial.error:
            own, raw = marks.returns(start[at]), max(1, counted[at]) + len(ran) - 1
            row = ScanRow(
                symbol="", timeframe="", trial=trial, close=float(last.ohlcv[-1, 3]),
                closed_at=from_seconds(float(last.ts[-1]) + ready[at].plan.decision.bar_s),
                verdict=(enough(trial.trades, own, judge), deflated(own, raw, share, variance, judge)),
            )  # fmt: skip
        rows[at] = row
    return rows


def _together(ran: dict[int, tuple[Trial, DailyEquity]], start: dict[int, float]) -> NDArray[np.float64]:
    """Return the returns of the days that all markets have, (days, markets)."""
    every = list(ran.items())
    if not every:
        return np.empty((0, 0))
    days = every[0][1][1].day
    for _, (_, marks) in every[1:]:
        days = np.intersect1d(days, marks.day)
    columns = [marks.returns(start[at])[np.isin(marks.day, days)] for at, (_, marks) in every]
    return np.column_stack(columns)
