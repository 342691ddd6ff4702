"""What is shown of experiments: the columns of their lists, of rankings, of comparisons and of what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peaktrade_core.research.experiments.analysis import ALLOW, BLOCK, Spread, StrategyAnalysis
from peaktrade_core.research.experiments.rows import ExperimentRow, RankedTrial
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns, Table

LISTED = "id type began strategy market trials verdict sharpe total tags question"


def verdict_cell(row: ExperimentRow) -> Cell:
    """Return what speaks against an experiment as a cell; the only look at a single backtest is that it is one try."""
    if row.fault:
        return Cell(f"unreadable: {row.fault}", BAD)
    if row.against is None:
        return Cell(row.verdict or "not judged: one try", "")
    return Cell(row.verdict, BAD if row.against else GOOD)


def ratio(value: float | None) -> str | None:
    """Return a daily Sharpe ratio with three digits."""
    return None if value is None else f"{value:.3f}"


def asked(row: ExperimentRow) -> str:
    """Return what an experiment asks in a few words: strategy with parameters, name of a sweep, portfolio or finding."""
    own = not row.strategy or row.strategy in row.name or ", " in row.strategy
    return row.name if own else f"{row.strategy}: {row.name}"


EXPERIMENTS = Columns[ExperimentRow](
    id=Column("Id", lambda row: row.id),
    asked=Column("Experiment", asked, "words"),
    ran=Column("Ran (UTC)", lambda row: row.at, priority=3),
    type=Column("Type", lambda row: row.run_type, priority=2),
    began=Column("Ran (UTC)", lambda row: wording.minute(row.at), priority=4),
    strategy=Column("Strategy", lambda row: row.strategy or row.name, priority=1),
    name=Column("Name", lambda row: row.name),
    market=Column("Market", lambda row: f"{row.symbol} {row.timeframe}".strip(), priority=2),
    trials=Column("Trials", lambda row: f"{row.trials:,}", "number", 3),
    verdict=Column("Verdict", verdict_cell, "words"),
    sharpe=Column("Sharpe", lambda row: ratio(row.sharpe), "number"),
    total=Column("Return", lambda row: wording.gained(row.total_return), "number"),
    gained=Column("Return", lambda row: wording.gained(row.total_return), "number"),
    drawdown=Column("Max DD", lambda row: wording.drawdown(row.max_drawdown), "number", 4),
    trades=Column("Trades", lambda row: f"{row.trades:,}" if row.trades is not None else None, "number", 4),
    by=Column("By", lambda row: row.by, priority=5),
    tags=Column("Tags", lambda row: ", ".join(row.tags), "words", 5),
    question=Column("Question", lambda row: row.question, "words", 6),
)

RANKED = Columns[RankedTrial](
    name=Column("Trial", lambda one: one.name),
    verdict=Column("Verdict of its experiment", lambda one: verdict_cell(one.row), "words"),
    strategy=Column("Strategy", lambda one: one.row.strategy, priority=1),
    market=Column("Market", lambda one: f"{one.row.symbol} {one.row.timeframe}".strip(), priority=3),
    parameters=Column("Parameters", lambda one: wording.settings(one.trial.params), priority=2),
    sharpe=Column("Sharpe", lambda one: ratio(one.trial.sharpe), "number"),
    total=Column("Return", lambda one: wording.gained(one.trial.total_return), "number"),
    drawdown=Column("Max DD", lambda one: wording.drawdown(one.trial.max_drawdown), "number", 4),
    trades=Column("Trades", lambda one: f"{one.trial.trades:,}", "number", 4),
)


def compared(ranked: Sequence[RankedTrial]) -> Table:
    """Return experiments beside each other: what differs in what was asked, then verdict and figures."""
    names = sorted({name for one in ranked for name in one.trial.params})
    lines: list[tuple[str, list[Any]]] = [
        ("Strategy", [one.row.strategy for one in ranked]),
        ("Market", [f"{one.row.symbol} {one.row.timeframe}".strip() for one in ranked]),
        *((name, [one.trial.params.get(name, "") for one in ranked]) for name in names),
    ]
    lines = [line for line in lines if len(set(map(str, line[1]))) > 1]
    lines += [
        ("Verdict", [verdict_cell(one.row) for one in ranked]),
        ("Tries in it", [f"{one.row.trials:,}" for one in ranked]),
        ("Daily Sharpe", [ratio(one.trial.sharpe) for one in ranked]),
        ("Return", [wording.gained(one.trial.total_return) for one in ranked]),
        ("Max drawdown", [wording.drawdown(one.trial.max_drawdown) for one in ranked]),
        ("Round trips", [f"{one.trial.trades:,}" for one in ranked]),
        ("Fees", [f"{one.trial.fees:,.2f}" for one in ranked]),
    ]
    columns = [Column[Any](""), *(Column[Any](one.name, form="words") for one in ranked)]
    return Table("", columns, [(name, *values) for name, values in lines])


def _spread(found: Spread) -> str:
    if found.median is None or found.mean is None or found.low is None or found.high is None:
        return ""
    median, low, high, mean = (
        wording.figure(100 * one, 1, plus=True) for one in (found.median, found.low, found.high, found.mean)
    )
    return f"{median} % ({low} to {high}), mean {mean}"


def _word(one: StrategyAnalysis) -> Cell:
    return Cell(
        f"{ {ALLOW: '✓', BLOCK: '✕'}.get(one.word, '▲') } {one.word}", {ALLOW: GOOD, BLOCK: BAD}.get(one.word, MID)
    )


ANALYSES = Columns[StrategyAnalysis](
    name=Column("Strategy", lambda one: one.name),
    word=Column("Judged", _word),
    why=Column("Why", lambda one: "; ".join(one.why) or "no threshold is crossed", "words"),
    runs=Column("Runs", lambda one: f"{one.runs:,}", "number", 1),
    trials=Column("Tries", lambda one: f"{one.trials:,}", "number", 3),
    gained=Column("Gained", lambda one: wording.percent(one.gained), "number", 2),
    total=Column("Return: median (10 % to 90 %)", lambda one: _spread(one.total_return), "words"),
    drawdown=Column("Worst DD", lambda one: wording.drawdown(one.max_drawdown.worst), "number", 1),
)
