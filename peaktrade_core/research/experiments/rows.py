"""One row for every experiment, of whatever kind: what was asked, of which strategy and market, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from peaktrade_core.base.errors import ArtefactError, UnknownNameError
from peaktrade_core.base.question import FAIL, Check, worst
from peaktrade_core.base.text import meant
from peaktrade_core.research.experiments.notes import ExperimentNote, ExperimentNotes
from peaktrade_core.research.findings.run import FindingStore
from peaktrade_core.research.forward.scan import ScanStore
from peaktrade_core.research.portfolio.record import PortfolioRecord, PortfolioStore
from peaktrade_core.research.trials.recorded import BacktestStore
from peaktrade_core.research.trials.sweep import SweepStore
from peaktrade_core.research.trials.table import best_trials, trials_of
from peaktrade_core.research.trials.trial import Trial
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

BACKTEST, SWEEP, PORTFOLIO, SCAN, FINDING = "backtest", "sweep", "portfolio", "scan", "finding"
RUN_TYPES = (BACKTEST, SWEEP, PORTFOLIO, SCAN, FINDING)
SINGLE = (BACKTEST, PORTFOLIO)  # they are one try each, with figures of their own


class ExperimentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as lists show it.

    Attributes:
        id: of its content; run_type: one of :data:`RUN_TYPES`; at: when it began, or ran last, aware UTC; by: who.
        strategy, symbol, timeframe, name, question: what was asked; empty where it has none.
        trials: how many tries it made; best: number of the best one, null where there is none.
        verdict: what speaks against it, in a sentence, empty where it is not judged; against: whether anything does.
        sharpe: daily, total_return, max_drawdown: [fraction], trades: of the best trial or of the only one.
        decision_id: of that; tags, notes: what people wrote.
        fault: why its file cannot be read, empty where it can.
    """

    id: str
    run_type: str
    at: datetime | None = None
    by: str = ""
    strategy: str = ""
    symbol: str = ""
    timeframe: str = ""
    name: str = ""
    question: str = ""
    trials: int = 1
    best: int | None = None
    verdict: str = ""
    against: bool | None = None
    sharpe: float | None = None
    total_return: float | None = None
    max_drawdown: float | None = None
    trades: int | None = None
    decision_id: str = ""
    tags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    fault: str = ""


class ExperimentQuery(NamedTuple):
    """Which experiments to return, newest first; None means any, and filters apply before the limit.

    Attributes:
        sweep_name: of sweeps alone; limit: at most so many.
    """

    run_type: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    tag: str | None = None
    sweep_name: str | None = None
    limit: int | None = None


EVERYTHING = ExperimentQuery()


class RankedTrial(NamedTuple):
    """A trial, backtest or portfolio in a ranking: its name (``SWEEP#NUMBER``, or its id), the experiment, the figures."""

    name: str
    row: ExperimentRow
    trial: Trial


class Experiments:
    """The experiments of a workspace; nothing is written, and what cannot be read is a row that says so."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.sweeps, self.backtests = SweepStore(workspace), BacktestStore(workspace)
        self.portfolios = PortfolioStore(workspace)
        self.scans, self.findings = ScanStore(workspace), FindingStore(workspace)

    def rows(self, query: ExperimentQuery = EVERYTHING) -> list[ExperimentRow]:
        """Return the experiments that match, newest first.

        Raises:
            UnknownNameError: no such run type.
        """
        if query.run_type not in (None, *RUN_TYPES):
            raise UnknownNameError("run type", str(query.run_type), RUN_TYPES)
        found = self._noted(self._all(query.run_type), ExperimentNotes(self.workspace).by_id())
        kept = [row for row in found if _matches(row, query)]
        kept.sort(key=lambda row: (row.at is None, row.at.timestamp() if row.at else 0.0, row.id), reverse=True)
        return kept[: query.limit]

    def row(self, experiment_id: str) -> ExperimentRow:
        """Return one experiment; ``latest`` is the newest, the beginning of an id is enough where it is one's only.

        Raises:
            UnknownNameError: there is none, or several begin so.
        """
        rows = self.rows()
        by_id = {row.id: row for row in rows}
        found = meant(
            "experiment", experiment_id, list(by_id), "peaktrade experiments list", "peaktrade backtest --help"
        )
        return by_id[found]

    def known(self, experiment_id: str) -> ExperimentRow:
        """Return one experiment by its whole id, reading no other; raises as :meth:`row`, whose short forms it takes, too."""
        kind = next((kind for kind, (ids, _) in self._kinds().items() if experiment_id in ids()), None)
        if kind is None:
            return self.row(experiment_id)
        found = self._read(kind, experiment_id)
        return self._noted([found], ExperimentNotes(self.workspace).by_id())[0]

    def top(self, query: ExperimentQuery, metric: str, limit: int, *, least_trades: int = 0) -> list[RankedTrial]:
        """Return the best trials, backtests and portfolios of the experiments that match; those over held-back bars never count.

        Args:
            query: which experiments; metric: ``sharpe``, ``return`` or ``drawdown``; limit: at most so many.
            least_trades: round trips that one must have.

        Raises:
            UnknownNameError: no such metric; ArtefactError: the trials of a sweep cannot be read.
        """
        rows = {row.id: row for row in self.rows(query._replace(limit=None)) if not row.fault}
        folders = [self.sweeps.folder / row.id for row in rows.values() if row.run_type == SWEEP]
        ranked = [
            RankedTrial(f"{sweep_id}#{trial.number}", rows[sweep_id], trial)
            for sweep_id, trial in best_trials(folders, metric, limit, least_trades=least_trades)
        ]
        for row in rows.values():
            if row.run_type in SINGLE and (row.trades or 0) >= least_trades and _value(row, metric) is not None:
                ranked.append(self.single(row))
        ranked.sort(key=lambda one: (-(_value(one.trial, metric) or 0.0), one.name))
        return ranked[:limit]

    def single(self, row: ExperimentRow) -> RankedTrial:
        """Return the figures of a backtest or a portfolio.

        Raises:
            ArtefactError: it cannot be read.
        """
        if row.run_type == BACKTEST:
            return RankedTrial(row.id, row, self.backtests.load(row.id).figures)
        return RankedTrial(row.id, row, _as_trial(self.portfolios.load(row.id)))

    def of_decision(self, decision_id: str | None) -> list[str]:
        """Return the names of backtests and trials that decided like this: ids, and ``SWEEP#NUMBER``; none for None.

        Raises:
            ArtefactError: the trials of a sweep cannot be read.
        """
        if not decision_id:
            return []
        backtests = [row.id for row in self._all(BACKTEST) if row.decision_id == decision_id]
        return backtests + trials_of([self.sweeps.folder / one for one in self.sweeps.ids()], decision_id)

    def _kinds(self) -> dict[str, tuple[Callable[[], list[str]], Callable[[str], ExperimentRow]]]:
        """Return who tells the ids of each kind, and who reads one."""
        return {
            BACKTEST: (self.backtests.ids, self._backtest),
            SWEEP: (self.sweeps.ids, self._sweep),
            PORTFOLIO: (self.portfolios.ids, self._portfolio),
            SCAN: (self.scans.ids, self._scan),
            FINDING: (self.findings.ids, self._finding),
        }

    def _all(self, run_type: str | None) -> Iterator[ExperimentRow]:
        for kind, (ids, _) in self._kinds().items():
            for one in ids() if run_type in (None, kind) else []:
                yield self._read(kind, one)

    def _read(self, kind: str, experiment_id: str) -> ExperimentRow:
        try:
            return self._kinds()[kind][1](experiment_id)
        except ArtefactError as error:
            return ExperimentRow(id=experiment_id, run_type=kind, fault=str(error))

    def _noted(self, rows: Iterable[ExperimentRow], notes: dict[str, list[ExperimentNote]]) -> list[ExperimentRow]:
        """Return experiments with what people wrote about them."""
        found = []
        for row in rows:
            own = notes.get(row.id, [])
            tags = tuple(dict.fromkeys(tag for note in own for tag in note.tags))
            texts = tuple(note.text for note in own if note.text)
            found.append(msgspec.structs.replace(row, tags=tags, notes=texts))
        return found

    def _backtest(self, backtest_id: str) -> ExperimentRow:
        record = self.backtests.load(backtest_id)
        config, figures = record.config, record.figures
        return ExperimentRow(
            id=record.backtest_id, run_type=BACKTEST, at=record.at, by=record.by, strategy=config.strategy_name,
            symbol=config.symbol, timeframe=config.timeframe, name=f"{config.strategy_name} {wording.settings(config.params)}",
            question=config.notes, sharpe=figures.sharpe, total_return=figures.total_return,
            max_drawdown=figures.max_drawdown, trades=figures.trades, decision_id=record.decision_id,
            verdict=told(record.verdict) if record.verdict else "", against=_against(record.verdict),
        )  # fmt: skip

    def _sweep(self, sweep_id: str) -> ExperimentRow:
        record = self.sweeps.load(sweep_id)
        best, asked = record.figures, record.asked
        row = ExperimentRow(
            id=sweep_id, run_type=SWEEP, at=record.began_at, by=record.by, strategy=record.sweep.strategy,
            symbol=asked.symbol or "", timeframe=asked.timeframe or "",
            name=record.sweep.name, question=record.sweep.question, trials=record.trials, best=record.best,
            verdict=told(record.verdict) if record.ended_at else "not finished", against=_against(record.verdict),
        )  # fmt: skip
        if best is None:
            return row
        return msgspec.structs.replace(
            row, sharpe=best.sharpe, total_return=best.total_return, max_drawdown=best.max_drawdown,
            trades=best.trades, decision_id=best.decision_id,
        )  # fmt: skip

    def _portfolio(self, portfolio_id: str) -> ExperimentRow:
        record = self.portfolios.load(portfolio_id)
        sleeves, figures = record.figures.sleeves, record.figures
        return ExperimentRow(
            id=portfolio_id, run_type=PORTFOLIO, at=record.at, by=record.by, name=record.portfolio.name,
            strategy=_each(one.strategy for one in sleeves), symbol=_each(one.symbol for one in sleeves),
            timeframe=_each(one.timeframe for one in sleeves), question=record.portfolio.summary,
            verdict=told(record.verdict), against=_against(record.verdict), sharpe=figures.sharpe,
            total_return=figures.total_return, max_drawdown=figures.max_drawdown, trades=figures.trades,
        )  # fmt: skip

    def _scan(self, scan_id: str) -> ExperimentRow:
        record = self.scans.load(scan_id)
        judged = [row.verdict for row in record.rows if row.verdict]
        stand = sum(not _against(verdict) for verdict in judged)
        return ExperimentRow(
            id=scan_id, run_type=SCAN, at=record.at, by=record.by, strategy=record.strategy, timeframe=record.timeframe,
            symbol=_each(row.symbol for row in record.rows), name=f"{record.mode} {wording.settings(record.params)}",
            trials=len(record.rows), against=not stand if judged else None,
            verdict=_of_scan(len(judged) - stand, len(judged)) if judged else "signals only",
        )  # fmt: skip

    def _finding(self, finding_id: str) -> ExperimentRow:
        record = self.findings.load(finding_id)
        markets = record.finding.market
        return ExperimentRow(
            id=finding_id, run_type=FINDING, at=record.at, by=record.by, name=record.finding.name,
            strategy=record.finding.states.strategy, symbol=_each(one.symbol for one in markets),
            timeframe=_each(one.timeframe for one in markets), question=record.finding.question,
            trials=len(record.rows), verdict=told(record.verdict), against=_against(record.verdict),
        )  # fmt: skip


def _of_scan(against: int, judged: int) -> str:
    return f"Something speaks against {against} of {judged}" if against else f"Nothing speaks against any of {judged}"


def _matches(row: ExperimentRow, query: ExperimentQuery) -> bool:
    return (
        (query.strategy is None or query.strategy in row.strategy.split(", "))
        and (query.symbol is None or query.symbol in row.symbol.split(", "))
        and (query.tag is None or query.tag in row.tags)
        and (query.sweep_name is None or (row.run_type == SWEEP and row.name == query.sweep_name))
    )


def _as_trial(record: PortfolioRecord) -> Trial:
    """Return the figures of a portfolio in the terms of a trial."""
    own = record.figures
    return Trial(
        number=0, params={"risk": record.portfolio.risk, "sleeves": len(own.sleeves)}, equity=own.equity,
        total_return=own.total_return, sharpe=own.sharpe, max_drawdown=own.max_drawdown, days=own.days,
        trades=own.trades, fills=own.fills, fees=own.fees, exposure=own.exposure, denied=own.refused,
    )  # fmt: skip


def _each(names: Iterable[str]) -> str:
    """Return names once each, in their order."""
    return ", ".join(dict.fromkeys(names))


def _value(one: Trial | ExperimentRow, metric: str) -> float | None:
    if metric == "drawdown":
        return None if one.max_drawdown is None else -one.max_drawdown
    return one.sharpe if metric == "sharpe" else one.total_return


def _against(verdict: tuple[Check, ...]) -> bool | None:
    return worst(verdict) == FAIL if verdict else None
