"""Single backtests as research: over bars that may be read, counted before they run, and kept by their content."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ArtefactError, DataError, why
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import Check
from peaktrade_core.candles.replay import ReplayFeed, bars_of
from peaktrade_core.research.backtest import BacktestResult, run_backtest
from peaktrade_core.research.store import RecordKind, Store
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.research.trials.spec import Judge
from peaktrade_core.research.trials.trial import DailyEquity, Trial, day_marks, figures_of
from peaktrade_core.research.trials.verdict import (
    answer,
    costlier,
    deflated,
    enough,
    left_running,
    stands_costs,
    variance_of,
)
from peaktrade_core.session.identity import bars_digest, content_id, decision_id
from peaktrade_core.show import wording
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.records import Metrics, SessionConfig
from peaktrade_core.trading.statistics import Statistic
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from peaktrade_core.session.plan import Plan


class Counted(NamedTuple):
    """A backtest that may begin.

    Attributes:
        backtest_id, decision_id: of its content.
        data_sha256: of its bars; held: bars of the market that are held back; since: the first of those, None for none.
        counted: tries of the strategy on the market so far; 0 over a made-up market, which is no research.
        remarks: what a person should know of the bars and the count.
    """

    backtest_id: str
    decision_id: str
    data_sha256: str
    held: int = 0
    since: datetime | None = None
    counted: int = 0
    remarks: tuple[str, ...] = ()


class BacktestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a backtest; its equity at each day's end is in a file beside it.

    Attributes:
        backtest_id, decision_id: of its content; by, at: who ran it last and when, aware UTC.
        config: as of a session; bars: with the warm-up; begin, end: of the first and last bar, aware UTC.
        data_sha256, held, since, counted: as of :class:`Counted`.
        figures: as of a trial; metrics: as of a session; statistics: with their definitions.
        verdict: what speaks against it; empty in older records.
    """

    backtest_id: str
    decision_id: str
    by: str
    at: datetime
    config: SessionConfig
    bars: int
    begin: datetime
    end: datetime
    data_sha256: str
    held: int
    since: datetime | None
    counted: int
    figures: Trial
    metrics: Metrics
    statistics: list[Statistic]
    verdict: tuple[Check, ...] = ()


def begin_backtest(
    workspace: Workspace, plan: Plan, *, begin: datetime | None = None, end: datetime | None = None
) -> tuple[Bars, Counted]:
    """Return the bars of a backtest, and count it before it runs.

    Args:
        workspace, plan: what to run; begin, end: first bar that trades, and up to where (not included), aware UTC.

    Raises:
        DataError: there are no bars, or all of them are held back.
        ArtefactError, EnvironmentFault: hold-out or ledger are damaged or cannot be written: nothing is tried.
    """
    config = plan.config
    wanted = None if config.steps is None else config.warmup_candles + config.steps
    decided = decision_id(plan.decision)
    if not isinstance(plan.feed, ReplayFeed):
        bars = _between(bars_of(plan.feed, wanted), config.warmup_candles, begin, end, None)
        digest = bars_digest(bars)
        backtest_id = content_id("bt", decided, digest, config.warmup_candles)
        return bars, Counted(
            backtest_id, decided, digest, remarks=(f"{backtest_id}; not counted: a made-up market is no research",)
        )
    split = HoldOut(workspace).readable(bars_of(plan.feed), config.symbol, config.timeframe)
    bars = _between(split.readable, config.warmup_candles, begin, end, wanted)
    digest = bars_digest(bars)
    backtest_id = content_id("bt", decided, digest, config.warmup_candles)
    market, ledger = TrialMarket(config.strategy_name, config.symbol, config.timeframe), TrialLedger(workspace)
    ledger.begin(backtest_id, market, 1, by=login(), question=config.notes)
    counted = ledger.count(market)
    said = [f"{backtest_id}; {wording.many(counted, 'try', 'tries')} of {market.strategy} on this market so far"]
    if split.since is not None:
        said.append(
            f"{split.held:,} bars since {wording.moment(split.since)} UTC are held back (peaktrade holdout status)"
        )
    return bars, Counted(backtest_id, decided, digest, split.held, split.since, counted, tuple(said))


def _between(bars: Bars, warmup: int, begin: datetime | None, end: datetime | None, most: int | None) -> Bars:
    """Return the bars from the warm-up before ``begin`` to before ``end``, at most so many.

    Raises:
        DataError: none of them trades.
    """
    first = 0 if begin is None else max(0, int(np.searchsorted(bars.ts, begin.timestamp())) - warmup)
    last = len(bars) if end is None else int(np.searchsorted(bars.ts, end.timestamp()))
    last = min(last, len(bars) if most is None else first + most)
    if (begin or end) and last - first <= warmup:
        raise DataError(
            f"between --from and --to there are {max(0, last - first):,} bars that may be read, the warm-up takes {warmup}"
        )
    return bars.part(first, last)


class KeptBacktest(NamedTuple):
    """A backtest that ran: what is kept of it, all that it gave, what was counted, and how long it took [s]."""

    record: BacktestRecord
    result: BacktestResult
    counted: Counted
    seconds: float


def backtest_and_keep(
    workspace: Workspace, plan: Plan, *, begin: datetime | None = None, end: datetime | None = None
) -> KeptBacktest:
    """Count a backtest, run it, judge it and keep it; arguments and errors as of :func:`begin_backtest`.

    Raises:
        StrategyError: the strategy cannot be compiled, or raises.
    """
    bars, counted = begin_backtest(workspace, plan, begin=begin, end=end)
    started = time.perf_counter()
    result = run_backtest(plan.decision, bars, plan.config.warmup_candles, workspace.compiled)
    seconds = time.perf_counter() - started
    return KeptBacktest(BacktestStore(workspace).keep(plan, bars, counted, result), result, counted, seconds)


class BacktestStore(Store[BacktestRecord]):
    """The backtests of a workspace: ``reports/experiments/backtests/<id>.json`` and their equity by day."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, RecordKind("backtest", "bt"), BacktestRecord)
        self._workspace = workspace

    def keep(self, plan: Plan, bars: Bars, counted: Counted, result: BacktestResult) -> BacktestRecord:
        """Keep what a backtest gave, under its id, and return it.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        marks, params = day_marks(result), result.decision.params._asdict()
        figures = figures_of(0, params, result.decision, result.totals, marks, len(result))
        record = BacktestRecord(
            backtest_id=counted.backtest_id, decision_id=counted.decision_id, by=login(),
            at=self._workspace.clock.now(), config=plan.config, bars=len(bars), begin=from_seconds(float(bars.ts[0])),
            end=from_seconds(float(bars.ts[-1])), data_sha256=counted.data_sha256, held=counted.held,
            since=counted.since, counted=counted.counted, figures=figures,
            metrics=result.metrics, statistics=result.statistics(),
            verdict=self._judged(plan, bars, counted.counted, figures, marks),
        )  # fmt: skip
        pair = (marks.day.tobytes(), marks.equity.tobytes())
        write_atomic(self.folder / f"{record.backtest_id}.marks", msgspec.msgpack.encode(pair))
        return self.save(record)

    def _judged(self, plan: Plan, bars: Bars, counted: int, own: Trial, marks: DailyEquity) -> tuple[Check, ...]:
        """Return what speaks against a single backtest: one of as many tries as were ever begun on its market."""
        judge, cache = Judge(), self._workspace.compiled
        returns = marks.returns(plan.decision.start_balance)

        def gains(times: float) -> bool:  # by the loop that is compiled already
            again = run_backtest(costlier(plan.decision, times), bars, plan.config.warmup_candles, cache)
            return len(again) > 0 and float(again.equity[-1]) > plan.decision.start_balance

        return (
            enough(own.trades, returns, judge), self._deflated(plan.config, counted, own, returns, judge),
            stands_costs(gains, judge.break_even, exact=False), left_running(own),
        )  # fmt: skip

    def _deflated(
        self, config: SessionConfig, counted: int, own: Trial, returns: NDArray[np.float64], judge: Judge
    ) -> Check:
        """Answer whether it is better than chance after so many tries; not where most of them are not known."""
        if counted <= 1:
            return deflated(returns, 1, 1.0, 0.0, judge)
        kept = [found for one in self.ids() if (found := self._readable(one)) is not None]
        market = (config.strategy_name, config.symbol, config.timeframe)
        others = {
            one.decision_id: one.figures for one in kept
            if (one.config.strategy_name, one.config.symbol, one.config.timeframe) == market
        }  # fmt: skip
        known = [*({**others, own.decision_id: own}).values()]
        if 2 * len(known) < counted:
            said = f"{len(known)} of {counted:,} tries are kept as backtests: how they spread is not known"
            step = "`peaktrade sweep run` tries them together."
            return answer("deflated", "Is it better than the best of so many tries by chance?", None, said, step)
        return deflated(returns, counted, 1.0, variance_of(known), judge)

    def _readable(self, backtest_id: str) -> BacktestRecord | None:
        try:
            return self.load(backtest_id)
        except ArtefactError:
            return None

    def marks(self, backtest_id: str) -> DailyEquity:
        """Return the equity of a backtest at each day's end; raises as :meth:`load`."""
        path = self.path(self.find(backtest_id)).with_suffix(".marks")
        try:
            day, equity = msgspec.msgpack.decode(path.read_bytes(), type=tuple[bytes, bytes])
            return DailyEquity(np.frombuffer(day, np.int64), np.frombuffer(equity))
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise ArtefactError(f"{path}: not the equity of a backtest: {why(error)}") from None
