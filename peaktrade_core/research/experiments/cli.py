"""``peaktrade experiments``: everything that was tried, ranked, compared, summed up, noted and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.records.registry import Query
from peaktrade_core.research.experiments.analysis import BLOCK, analyse
from peaktrade_core.research.experiments.notes import ExperimentNotes
from peaktrade_core.research.experiments.rows import (
    FINDING,
    PORTFOLIO,
    RUN_TYPES,
    SCAN,
    SINGLE,
    SWEEP,
    ExperimentQuery,
    ExperimentRow,
    Experiments,
    RankedTrial,
)
from peaktrade_core.research.experiments.tables import (
    ANALYSES,
    EXPERIMENTS,
    LISTED,
    RANKED,
    compared,
    ratio,
    verdict_cell,
)
from peaktrade_core.research.findings.tables import finding_parts
from peaktrade_core.research.forward.tables import scan_table
from peaktrade_core.research.portfolio.tables import portfolio_parts
from peaktrade_core.research.portfolio.verdict import speaks_against
from peaktrade_core.research.trials.cli import exit_code, sweep_told
from peaktrade_core.research.trials.table import METRICS
from peaktrade_core.research.trials.trial import Trial
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.workspace import Workspace

NONE = "No experiment yet: `peaktrade backtest --help`, `peaktrade sweep run --help`."


@click.group()
def experiments() -> None:
    """Everything that was tried: list, rank, compare, sum up, note, export."""


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters over experiments to a command."""
    for option in (
        click.option("--sweep-name", metavar="NAME", help="Only sweeps of this name."),
        click.option("--tag", metavar="TAG", help="Only with this tag."),
        click.option("--symbol", metavar="SYMBOL", help="Only of this symbol."),
        click.option("--strategy", metavar="NAME", help="Only of this strategy."),
        click.option("--run-type", type=click.Choice(RUN_TYPES), help="Only of this kind."),
    ):
        function = option(function)
    return function


def _limit(default: int) -> Callable[..., Any]:
    return click.option(
        "--limit", type=click.IntRange(min=1), default=default, show_default=True, help="At most so many."
    )


@experiments.command("list")
@_filters
@_limit(30)
@command
def list_experiments(workspace: Workspace, **filters: Any) -> CommandResult:
    """List what was tried, newest first, each with its verdict."""
    rows = Experiments(workspace).rows(ExperimentQuery(**filters))
    return CommandResult(rows, EXPERIMENTS.table("", rows, LISTED, empty=_empty(filters)))


@experiments.command()
@_filters
@_limit(30)
@command
def sweeps(workspace: Workspace, **filters: Any) -> CommandResult:
    """List the sweeps, newest first, each with its verdict."""
    rows = Experiments(workspace).rows(ExperimentQuery(**{**filters, "run_type": SWEEP}))
    shown = "id began name market trials verdict sharpe total tags question"
    empty = _empty(filters, "No sweep was run yet: `peaktrade sweep run` makes one.")
    return CommandResult(rows, EXPERIMENTS.table("", rows, shown, empty=empty))


@experiments.command()
@_filters
@click.option("--metric", type=click.Choice(list(METRICS)), default="sharpe", show_default=True, help="What ranks.")
@click.option("--least-trades", type=click.IntRange(min=0), default=0, show_default=True, help="Round trips at least.")
@_limit(10)
@command
def top(workspace: Workspace, metric: str, least_trades: int, limit: int, **filters: Any) -> CommandResult:
    """Rank all trials, backtests and portfolios. The best of many is lucky: look at the verdict before the figure."""
    store, asked = Experiments(workspace), ExperimentQuery(**filters)
    found = store.top(asked, metric, limit, least_trades=least_trades)
    value = [{"name": one.name, "experiment": one.row, "trial": one.trial} for one in found]
    unranked = not found and bool(store.rows(asked))
    empty = f"No experiment can be ranked by {metric}: too few days or trades." if unranked else _empty(filters)
    return CommandResult(value, RANKED.table("", found, empty=empty))


@experiments.command()
@click.argument("experiment", default="latest")
@command
def details(workspace: Workspace, experiment: str) -> CommandResult:
    """Show one experiment (the newest by default): the verdict first, then what it brought, notes, sessions."""
    store = Experiments(workspace)
    row = store.row(experiment.partition("#")[0])
    if row.fault:
        return CommandResult(row, row.fault, code=4)
    said = _notes(row)
    if row.run_type == SWEEP:
        record = store.sweeps.load(row.id)
        return CommandResult(
            record, lambda: [*sweep_told(record, list(store.sweeps.trials(row.id))), *said], code=exit_code(record)
        )
    if row.run_type == PORTFOLIO:
        portfolio = store.portfolios.load(row.id)
        return CommandResult(
            portfolio, lambda: [*portfolio_parts(portfolio), *said], code=int(speaks_against(portfolio.verdict))
        )
    if row.run_type == SCAN:
        scan = store.scans.load(row.id)
        return CommandResult(scan, lambda: [scan_table(scan), *said])
    if row.run_type == FINDING:
        finding = store.findings.load(row.id)
        return CommandResult(finding, lambda: [*finding_parts(finding), *said])
    backtest = store.backtests.load(row.id)
    judged = [check_table(backtest.verdict, f"Verdict: {row.verdict}")] if backtest.verdict else []
    pairs = {
        **({} if judged else {"Verdict": verdict_cell(row)}),
        "Tries on this market": f"{backtest.counted:,}" if backtest.counted else "not counted: a made-up market",
        "Strategy": row.name,
        "Market": f"{row.symbol} {row.timeframe}, {wording.many(backtest.bars, 'bar')} to {wording.moment(backtest.end)} UTC",
        "Daily Sharpe": ratio(row.sharpe) or "not told under 60 days",
        "Return": wording.gained(row.total_return),
        "Max drawdown": wording.drawdown(row.max_drawdown),
        "Round trips": f"{row.trades or 0:,}",
        "Decision": row.decision_id,
        "Sessions that decide so": _sessions(workspace, row.decision_id),
    }
    return CommandResult(backtest, [*judged, Table.pairs(pairs, f"{row.id}: backtest by {row.by}"), *said])


def _sessions(workspace: Workspace, decision_id: str) -> str:
    """Return the newest sessions of a decision, each with what it gained."""
    rows = Views.of(workspace).rows(Query(decision_id=decision_id, limit=5))
    return "; ".join(f"{row.run_id} {wording.signed(row.total_pnl, row.currency)}" for row in rows) or "none"


def _notes(row: ExperimentRow) -> list[Part]:
    tags = [f"Tags: {', '.join(row.tags)}"] if row.tags else []
    return [*tags, *(f"Note: {note}" for note in row.notes)]


@experiments.command("sweep-summary")
@click.argument("sweep_id", default="latest")
@command
def sweep_summary(workspace: Workspace, sweep_id: str) -> CommandResult:
    """Show how the trials of a sweep spread over each value of each parameter: a plateau, or one lucky point."""
    store = Experiments(workspace).sweeps
    record = store.load(sweep_id)
    trials = [one for one in store.trials(record.sweep_id) if not one.error]
    metric = record.sweep.judge.metric
    groups: dict[tuple[str, str], list[Trial]] = {}
    for one in trials:
        for name in record.sweep.parameters:
            groups.setdefault((name, str(one.params[name])), []).append(one)
    order = list(record.sweep.parameters)
    ordered = sorted(groups.items(), key=lambda pair: order.index(pair[0][0]))
    lines = [_spread(name, value, some, metric) for (name, value), some in ordered]
    columns = Columns[dict[str, Any]](
        parameter=Column("Parameter", lambda line: line["parameter"]),
        value=Column("Value", lambda line: line["value"], "number"),
        trials=Column("Trials", lambda line: line["trials"], "number"),
        median=Column(f"Median {metric}", lambda line: _figure(line["median"], metric), "number"),
        worst=Column("Worst", lambda line: _figure(line["worst"], metric), "number"),
        best=Column("Best", lambda line: _figure(line["best"], metric), "number"),
    )
    title = f"{record.sweep_id} {record.sweep.name}: {wording.many(record.trials, 'trial')}"
    return CommandResult(
        {"sweep_id": record.sweep_id, "metric": metric, "values": lines},
        columns.table(title, lines, empty="No trial ran."),
    )


def _spread(name: str, value: str, trials: list[Trial], metric: str) -> dict[str, Any]:
    import numpy as np

    known = [x for one in trials if (x := one.sharpe if metric == "sharpe" else one.total_return) is not None]
    told = {"median": float(np.median(known)), "worst": min(known), "best": max(known)} if known else {}
    nothing = dict.fromkeys(("median", "worst", "best"))
    return {"parameter": name, "value": value, "trials": len(trials), **nothing, **told}


def _figure(value: float | None, metric: str) -> str | None:
    return ratio(value) if metric == "sharpe" else wording.gained(value)


@experiments.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID ID...")
@command
def compare(workspace: Workspace, ids: tuple[str, ...]) -> CommandResult:
    """Put experiments beside each other: backtests, portfolios, sweeps (their best trial), or trials as SWEEP#NUMBER."""
    if len(ids) < 2:
        raise ConfigError("give at least two experiments to compare")
    store = Experiments(workspace)
    found = [named(store, one) for one in ids]
    value = [{"name": one.name, "experiment": one.row, "trial": one.trial} for one in found]
    return CommandResult(value, compared(found))


def named(store: Experiments, name: str) -> RankedTrial:
    """Return a backtest, a portfolio, a trial ``SWEEP#NUMBER``, or the best trial of a sweep, by its name.

    Raises:
        UnknownNameError: there is none; ConfigError: the sweep has no such trial, or none that qualifies.
    """
    row = store.row(name.partition("#")[0])
    if row.fault:
        raise ArtefactError(row.fault)
    if row.run_type in SINGLE:
        return store.single(row)
    if row.run_type != SWEEP:
        raise ConfigError(
            f"{row.id} is a {row.run_type}: it has no trial with figures; name a backtest, portfolio or sweep"
        )
    if "#" not in name and row.best is None:
        raise ConfigError(f"{row.id} has no best trial: name one, as {row.id}#0")
    full = f"{row.id}#{name.partition('#')[2] or row.best}"
    return RankedTrial(full, row, store.sweeps.trial(full))


@experiments.command()
@_filters
@command
def analyze(workspace: Workspace, **filters: Any) -> CommandResult:
    """Say what the runs of each strategy say together, and whether that allows, warns or blocks; exit code 1: blocked.

    The thresholds are [research.analysis] of the configuration.
    """
    rows = Experiments(workspace).rows(ExperimentQuery(**filters))
    found = analyse(rows, workspace.config.research.analysis)
    note = "A sweep counts once, with its best trial. What allows is no verdict: it only says that nothing blocks."
    empty = "No experiment has a return to look at: no trial had enough days or trades." if rows else _empty(filters)
    shown = ANALYSES.table("", found, note=note if found else "", empty=empty)
    return CommandResult(found, shown, code=int(any(one.word == BLOCK for one in found)))


@experiments.command()
@click.argument("experiment")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="A .csv or .parquet file.")
@command
def export(workspace: Workspace, experiment: str, out: Path) -> CommandResult:
    """Write the trials of a sweep, or the figures of a backtest or portfolio, as a table, one row a trial."""
    import pandas as pd

    if out.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"--out {out}: the name must end in .csv or .parquet")
    store = Experiments(workspace)
    row = store.row(experiment)
    trials = list(store.sweeps.trials(row.id)) if row.run_type == SWEEP else [named(store, row.id).trial]
    table = pd.DataFrame([_row(trial) for trial in trials])
    table.to_csv(out, index=False) if out.suffix == ".csv" else table.to_parquet(out, index=False)
    return CommandResult({"rows": len(trials), "file": out}, f"{wording.many(len(trials), 'trial')}: {out}")


def _row(trial: Trial) -> dict[str, Any]:
    """Return a trial as a flat row: parameters as ``p_NAME``, denials as ``denied_CODE``."""
    plain: dict[str, Any] = msgspec.to_builtins(trial)
    params, denied = plain.pop("params"), plain.pop("denied")
    return plain | {f"p_{k}": v for k, v in params.items()} | {f"denied_{k}": v for k, v in denied.items()}


@experiments.command()
@click.argument("experiment")
@click.option("--note", default="", help="What you think of it.")
@click.option("--tag", "tags", multiple=True, help="A word to find it by; repeatable.")
@command
def note(workspace: Workspace, experiment: str, note: str, tags: tuple[str, ...]) -> CommandResult:
    """Write a note or tags to an experiment; they are kept beside it, with who wrote them and when."""
    row = Experiments(workspace).row(experiment)
    made = ExperimentNotes(workspace).add(row.id, note, tags)
    return CommandResult(made, f"noted on {row.id}")


def _empty(filters: dict[str, Any], none: str = NONE) -> str:
    asked = any(value for name, value in filters.items() if name != "limit")
    return "No experiment matches these filters." if asked else none


experiments.add_command(details, "show")  # as it was called before
