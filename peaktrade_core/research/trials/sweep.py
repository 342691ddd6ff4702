"""Running a sweep: count its trials, try them on all cores or a cluster, keep them in parts as they finish, judge the best.

A sweep's id is its content. The same sweep asked for again goes on where a killed one stopped, or gives what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ArtefactError, ConfigError, DataError, why
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import Check
from peaktrade_core.candles.replay import bars_of
from peaktrade_core.changes.code import code_digest
from peaktrade_core.research.store import RecordKind, Store
from peaktrade_core.research.trials.crew import Crew, Threads, Work
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.research.trials.search import TrialPlan, require
from peaktrade_core.research.trials.spec import Sweep, axes_of, points, size_of
from peaktrade_core.research.trials.table import write_table
from peaktrade_core.research.trials.trial import DailyEquity, Trial, require_possible
from peaktrade_core.session.identity import bars_digest, content_id, described
from peaktrade_core.session.planning import plan_session
from peaktrade_core.show.wording import many
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

Watch = Callable[[str, int, int], None]  # what is done, how much of it, of how much


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a sweep beside its trials.

    Attributes:
        sweep_id: of its content; by: who asked first; began_at, ended_at: aware UTC, the latter None while it runs.
        trials: how many it means; counted: how many were ever begun on its strategy and market, these included.
        bars: readable ones; held: held back; since: the first of those. data_sha256: of the readable bars.
        verdict: answers to what may speak against the best trial; best, figures: its number and what it brought, None where
            no trial qualifies.
        symbol, timeframe: of the market, empty in older records.
    """

    sweep_id: str
    sweep: Sweep
    by: str
    began_at: datetime
    trials: int
    bars: int
    held: int
    since: datetime | None
    data_sha256: str
    ended_at: datetime | None = None
    counted: int = 0
    best: int | None = None
    figures: Trial | None = None
    verdict: tuple[Check, ...] = ()
    symbol: str = ""
    timeframe: str = ""

    @property
    def asked(self) -> Sweep:
        """The sweep with the market that it ran on, whatever the configuration says since; None where an old record is silent."""
        symbol, timeframe = self.symbol or self.sweep.symbol, self.timeframe or self.sweep.timeframe
        return msgspec.structs.replace(self.sweep, symbol=symbol, timeframe=timeframe)


class Prepared(NamedTuple):
    """A sweep that is ready to run: nothing is counted and nothing is written yet, but for the hold-out's beginning.

    Attributes:
        base: the decision whose parameters vary; plan: the trials; bars: what research may read of the candles.
        warmup: first bars, which only warm up; cache: folder for compiled code.
    """

    sweep: Sweep
    sweep_id: str
    market: TrialMarket
    base: Decision
    plan: TrialPlan
    bars: Bars
    held: int
    since: datetime | None
    digest: str
    warmup: int
    cache: Path

    def over(self, bars: Bars) -> Work:
        """Return the work of running trials of it over bars."""
        return Work(self.base, bars, self.warmup, self.cache)


def prepare(workspace: Workspace, sweep: Sweep) -> Prepared:
    """Check everything that a sweep needs.

    Raises:
        ConfigError, UnknownNameError: a setting is wrong, or a value can run with no others.
        EnvironmentFault: the search is not installed.
        DataError: the candles cannot be used, are all held back, or are too few for the warm-up.
    """
    require(sweep.search)
    plan = plan_session(workspace, **sweep.wishes())
    known, config = axes_of(sweep, plan.decision.strategy), plan.config
    require_possible(plan.decision, known, sweep.fixed)
    tried = TrialPlan(sweep.search, known, sweep.fixed, points(sweep, known), size_of(known, sweep.search))
    split = HoldOut(workspace).readable(bars_of(plan.feed), config.symbol, config.timeframe)
    if len(split.readable) <= config.warmup_candles:
        raise DataError(
            f"{many(len(split.readable), 'bar')} of {config.symbol} {config.timeframe} "
            f"may be read and {split.held:,} are held back; the warm-up takes {config.warmup_candles:,}: give more candles, "
            "or lower warmup_candles"
        )
    digest = bars_digest(split.readable)
    asked = msgspec.to_builtins(sweep)
    asked.pop("candles")  # where they lie changes nothing
    code = code_digest(plan.decision.strategy)
    sweep_id = content_id("sw", asked, described(plan.decision), digest, code, config.warmup_candles)
    market = TrialMarket(sweep.strategy, config.symbol, config.timeframe)
    cache = workspace.compiled
    return Prepared(
        sweep, sweep_id, market, plan.decision, tried, split.readable, split.held, split.since, digest,
        config.warmup_candles, cache,
    )  # fmt: skip


class SweepStore(Store[SweepRecord]):
    """The sweeps of a workspace: a folder each, ``reports/experiments/sweeps/<id>``."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, RecordKind("sweep", "sw", "sweep.json"), SweepRecord)

    def keep(self, sweep_id: str, part: int, found: Sequence[tuple[Trial, DailyEquity]]) -> None:
        """Write a part: its trials, a line each, and their marks, a column each."""
        days = np.unique(np.concatenate([marks.day for _, marks in found]))
        table = np.full((len(days), len(found)), np.nan)
        for column, (_, marks) in enumerate(found):
            table[np.searchsorted(days, marks.day), column] = marks.equity
        folder = self.folder / sweep_id / "parts"
        rows = b"".join(msgspec.json.encode(trial) + b"\n" for trial, _ in found)
        write_atomic(folder / f"{part:05d}.marks", msgspec.msgpack.encode((days.tobytes(), table.tobytes())))
        write_atomic(folder / f"{part:05d}.jsonl", rows)  # last: a part that has it is whole

    def parts(self, sweep_id: str) -> set[int]:
        """Return which parts are there."""
        return {int(path.stem) for path in (self.folder / sweep_id / "parts").glob("*.jsonl")}

    def trials(self, sweep_id: str) -> Iterator[Trial]:
        """Yield the trials that are there, in their order.

        Raises:
            ArtefactError: a part cannot be read.
        """
        for part in sorted(self.parts(sweep_id)):
            yield from self.part(sweep_id, part)

    def part(self, sweep_id: str, part: int) -> list[Trial]:
        """Return the trials of a part.

        Raises:
            ArtefactError: it cannot be read.
        """
        path = self.folder / sweep_id / "parts" / f"{part:05d}.jsonl"
        try:
            return msgspec.json.decode(b"[" + b",".join(path.read_bytes().splitlines()) + b"]", type=list[Trial])
        except (OSError, msgspec.DecodeError) as error:
            raise ArtefactError(f"{path}: not the trials of a sweep: {why(error)}") from None

    def trial(self, name: str) -> Trial:
        """Return the trial called ``SWEEP#NUMBER``.

        Raises:
            ConfigError: it is not written like that, or the sweep has no such trial.
            UnknownNameError: there is no such sweep; ArtefactError: its part cannot be read.
        """
        sweep_id, sign, number = name.partition("#")
        if not (sign and sweep_id and number.isdecimal()):
            raise ConfigError(f"{name!r} must be SWEEP#TRIAL, as sw_0123456789ab#37")
        record = self.load(sweep_id)
        found = next((one for one in self.trials(record.sweep_id) if one.number == int(number)), None)
        if found is None:
            raise ConfigError(f"{name}: the sweep has {many(record.trials, 'trial')}, from #0")
        return found

    def marks(self, sweep_id: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the marks of a sweep.

        Returns:
            (days,) int64, days since 1970, and (days, trials) float64, the equity at the end of each [quote ccy], a column
            for each trial that ran, in their order.

        Raises:
            ArtefactError: a part cannot be read.
        """
        columns, days = [], np.empty(0, dtype=np.int64)
        for part in sorted(self.parts(sweep_id)):
            path = self.folder / sweep_id / "parts" / f"{part:05d}.marks"
            try:
                raw, table = msgspec.msgpack.decode(path.read_bytes(), type=tuple[bytes, bytes])
                if not raw:  # a part of trials that could not run
                    continue
                days = np.frombuffer(raw, dtype=np.int64)
                equity = np.frombuffer(table).reshape(len(days), -1)
            except (OSError, ValueError, msgspec.DecodeError) as error:
                raise ArtefactError(f"{path}: not the marks of a sweep: {why(error)}") from None
            columns.append(equity[:, ~np.isnan(equity).any(axis=0)])
        return days, np.concatenate(columns, axis=1) if columns else np.empty((0, 0))

    def returns(self, sweep_id: str, start_balance: float) -> NDArray[np.float64]:
        """Return the return of each UTC day of each trial that ran: (days, trials) float64 [fraction].

        Raises:
            ArtefactError: a part cannot be read.
        """
        _, equity = self.marks(sweep_id)
        before = np.concatenate([np.full((1, equity.shape[1]), start_balance), equity[:-1]])
        returns: NDArray[np.float64] = equity / before - 1.0
        return returns


def run_sweep(
    workspace: Workspace, ready: Prepared, *, threads: int = 0, crew: Crew | None = None, watch: Watch = lambda *_: None
) -> SweepRecord:
    """Count the trials of a sweep, run those that are not there yet, judge it, and return its record.

    Args:
        threads: how many at a time, 0 for one a core; crew: who runs the trials instead; watch: is told how far it is.

    Raises:
        EnvironmentFault: the ledger or a part cannot be written: what is on disk stays, and asked again it goes on.
        ArtefactError: ledger, hold-out or a part is damaged.
    """
    if crew is None:
        with Threads(threads) as own:
            return run_sweep(workspace, ready, crew=own, watch=watch)
    from peaktrade_core.research.trials.ranking import metric
    from peaktrade_core.research.trials.verdict import judged

    ledger, store, trials = TrialLedger(workspace), SweepStore(workspace), ready.plan.trials
    new = ledger.begin(ready.sweep_id, ready.market, trials, by=login(), question=ready.sweep.question)
    known = None if new or not store.has(ready.sweep_id) else store.load(ready.sweep_id)
    if known is not None and known.ended_at is not None:
        return known
    record = known or store.save(
        SweepRecord(
            sweep_id=ready.sweep_id, sweep=ready.sweep, by=login(), began_at=workspace.clock.now(),
            trials=trials, bars=len(ready.bars), held=ready.held, since=ready.since, data_sha256=ready.digest,
            symbol=ready.market.symbol, timeframe=ready.market.timeframe,
        )
    )  # fmt: skip
    there = store.parts(ready.sweep_id)
    done = sum(len(store.part(ready.sweep_id, part)) for part in there)
    watch("trials", done, trials)
    parts = ready.plan.explored(
        crew,
        ready.over(ready.bars),
        lambda one: metric(one, ready.sweep.judge),
        lambda part: store.part(ready.sweep_id, part) if part in there else [],
    )
    for part, found in parts:
        store.keep(ready.sweep_id, part, found)
        done += len(found)
        watch("trials", done, trials)
    write_table(store.folder / ready.sweep_id)
    best, verdict = judged(ready, store, ledger.count(ready.market), crew, watch)
    counted, now = ledger.count(ready.market), workspace.clock.now()
    return store.save(
        msgspec.structs.replace(
            record, ended_at=now, counted=counted, best=None if best is None else best.number, figures=best,
            verdict=tuple(verdict),
        )
    )  # fmt: skip
