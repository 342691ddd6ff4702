"""One experiment as a page and programs get it: the verdict first, the curve up to what is held back, the map of a sweep."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.question import Check
from peaktrade_core.records.registry import Query
from peaktrade_core.research.experiments.rows import (
    BACKTEST,
    FINDING,
    PORTFOLIO,
    SCAN,
    SWEEP,
    ExperimentRow,
    Experiments,
)
from peaktrade_core.research.experiments.surface import Surface
from peaktrade_core.research.findings.tables import FOUND
from peaktrade_core.research.forward.tables import scan_table
from peaktrade_core.research.portfolio.record import PortfolioStore
from peaktrade_core.research.portfolio.tables import portfolio_sleeves
from peaktrade_core.research.trials.ranking import leading
from peaktrade_core.research.trials.trial import DAY_S, NO_MARKS, DailyEquity, Trial
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Line, Shade
from peaktrade_core.show.table import Table
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.workspace.workspace import Workspace

MOST_SHOWN = 20_000  # trials of a sweep that a page still reads
WIDEST = 40  # values of a parameter that a map still shows
SESSIONS = 10
EQUITY = "Equity"
COURSE = "{name}: from {first} to {last} {unit}, between {low} and {high}"


class HeldBars(msgspec.Struct, frozen=True):
    """What is held back behind a curve: from when to when, aware UTC, and how many bars."""

    since: datetime
    until: datetime
    bars: int


class HeatMap(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep over two of its parameters; of the others the best value.

    Attributes:
        figure: ``sharpe`` or ``total_return``; across, up: names of the parameters, ``up`` empty where only one was varied.
        columns, rows: their values; cells: (rows, columns), null where no trial has the figure.
        best: row and column of the best trial, null where none qualifies; more: parameters that are not shown.
    """

    figure: str
    across: str
    up: str
    columns: tuple[Any, ...]
    rows: tuple[Any, ...]
    cells: tuple[tuple[float | None, ...], ...]
    best: tuple[int, int] | None
    more: tuple[str, ...]

    def said(self, value: float) -> str:
        """Return the value of a cell as it is written: a return in percent with two decimals, a Sharpe ratio with three."""
        return wording.minus(f"{100.0 * value:+.2f}" if self.figure == "total_return" else f"{value:+.3f}")


class ShownExperiment(NamedTuple):
    """One experiment.

    Attributes:
        row: as in the list; checks: its verdict; marks: equity at each UTC day's end, of the best trial or the only one.
        held: what is held back behind it; heat, trials: of a sweep, the trials of :func:`.leading`; of one with more than
            20,000 only the best one. ranked: whether they could be.
        tables: what else there is; sessions: newest sessions of the same decision.
        counted: tries that were ever begun on its market; bars: that were looked at.
    """

    row: ExperimentRow
    checks: tuple[Check, ...] = ()
    marks: DailyEquity = NO_MARKS
    held: HeldBars | None = None
    heat: HeatMap | None = None
    trials: tuple[Trial, ...] = ()
    tables: tuple[Table, ...] = ()
    sessions: tuple[Run, ...] = ()
    counted: int = 0
    bars: int = 0
    ranked: bool = True


def shown(workspace: Workspace, experiment_id: str) -> ShownExperiment:
    """Return one experiment by its id, the beginning of it, or ``latest``.

    Raises:
        UnknownNameError: there is none; ArtefactError: a part of it cannot be read.
    """
    store = Experiments(workspace)
    row = store.known(experiment_id)
    if row.fault:
        return ShownExperiment(row)
    made = {BACKTEST: _backtest, SWEEP: _sweep, SCAN: _scan, FINDING: _finding}
    found = made[row.run_type](store, row) if row.run_type in made else ShownExperiment(row)
    if row.run_type == PORTFOLIO:
        found = _portfolio(workspace, row)
    sessions = Views.of(workspace).rows(Query(decision_id=row.decision_id, limit=SESSIONS)) if row.decision_id else []
    return found._replace(sessions=tuple(sessions))


def _backtest(store: Experiments, row: ExperimentRow) -> ShownExperiment:
    record = store.backtests.load(row.id)
    held = _held(record.since, record.held, row.timeframe)
    return ShownExperiment(
        row, record.verdict, store.backtests.marks(row.id), held, counted=record.counted, bars=record.bars
    )


def _sweep(store: Experiments, row: ExperimentRow) -> ShownExperiment:
    record = store.sweeps.load(row.id)
    held = _held(record.since, record.held, row.timeframe)
    if record.trials > MOST_SHOWN:
        best = () if record.best is None else (store.sweeps.trial(f"{row.id}#{record.best}"),)
        return ShownExperiment(row, record.verdict, held=held, trials=best, counted=record.counted, bars=record.bars)
    trials = list(store.sweeps.trials(row.id))
    few, order = leading(trials, record.sweep.judge)
    marks = NO_MARKS
    if record.best is not None:
        ran = [one.number for one in trials if not one.error]
        days, equity = store.sweeps.marks(row.id)
        if record.best in ran and equity.shape[1] == len(ran):
            marks = DailyEquity(days, equity[:, ran.index(record.best)])
    heat = heat_map(Surface(record.sweep, trials))
    return ShownExperiment(
        row, record.verdict, marks, held, heat, tuple(few), counted=record.counted, bars=record.bars, ranked=order
    )


def _scan(store: Experiments, row: ExperimentRow) -> ShownExperiment:
    return ShownExperiment(row, tables=(scan_table(store.scans.load(row.id)),))


def _finding(store: Experiments, row: ExperimentRow) -> ShownExperiment:
    record = store.findings.load(row.id)
    return ShownExperiment(row, record.verdict, tables=(FOUND.table("", record.rows),), counted=record.tests)


def _portfolio(workspace: Workspace, row: ExperimentRow) -> ShownExperiment:
    record = PortfolioStore(workspace).load(row.id)
    marks = DailyEquity(np.array(record.figures.marks.day, np.int64), np.array(record.figures.marks.equity))
    held = HeldBars(record.since, record.until, record.held) if record.since and record.until else None
    return ShownExperiment(
        row, record.verdict, marks, held, tables=(portfolio_sleeves(record),), counted=record.counted
    )


def _held(since: datetime | None, bars: int, timeframe: str) -> HeldBars | None:
    if since is None or not bars:
        return None
    length = timeframe_seconds(timeframe) if timeframe else DAY_S
    return HeldBars(since, from_seconds(since.timestamp() + bars * length), bars)


def curve(found: ShownExperiment, title: str = EQUITY, about: str = COURSE) -> Chart | None:
    """Return the equity of an experiment at the end of each UTC day, what is held back shaded; None where there is none.

    Args:
        title, about: words of a page, the latter with ``{name}``, ``{first}``, ``{last}``, ``{low}``, ``{high}``, ``{unit}``.
    """
    marks, held = found.marks, found.held
    if not len(marks.day):
        return None
    ends = [from_seconds(float(day + 1) * DAY_S) for day in marks.day]
    unit = wording.quote_currency(found.row.symbol.partition(",")[0]) or ""
    values = [float(one) for one in marks.equity]
    figures = {"first": values[0], "last": values[-1], "low": min(values), "high": max(values)}
    label = about.format(name=title, unit=unit, **{name: f"{value:,.2f}" for name, value in figures.items()})
    return Chart(
        name="research", title=title, unit=unit, label=label, lines=[Line(title, ends, values)],
        spans=[Shade(held.since, held.until, "purple", 0.18)] if held else [], ends=[held.until] if held else (),
    )  # fmt: skip


def heat_map(surface: Surface) -> HeatMap | None:
    """Return what a sweep is judged by over its two longest parameters; None where nothing was varied, or too much."""
    figure = "sharpe" if surface.sweep.judge.metric == "sharpe" else "total_return"
    names = sorted(surface.axes, key=lambda name: -len(surface.axes[name]))
    if not names or len(surface.axes[names[0]]) > WIDEST:
        return None
    across, up, summit = names[0], names[1] if len(names) > 1 else "", surface.summit
    columns = surface.axes[across]
    if up:
        rows: list[Any] = surface.axes[up]
        table = surface.plane(across, up, figure, None)
    else:
        rows, table = [""], np.array([surface.along(across, figure, {})])
    best = None
    if summit:
        best = (rows.index(summit.params[up]) if up else 0, columns.index(summit.params[across]))
    cells = tuple(tuple(None if np.isnan(value) else float(value) for value in line) for line in table)
    return HeatMap(
        figure=figure, across=across, up=up, columns=tuple(columns), rows=tuple(rows), cells=cells, best=best,
        more=tuple(names[2:]),
    )  # fmt: skip
