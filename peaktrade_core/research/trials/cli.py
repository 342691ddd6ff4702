"""``peaktrade sweep`` and ``holdout``: try many parameters, look at what is held back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.research.trials.crew import Threads
from peaktrade_core.research.trials.holdout import HeldBack, HoldOut
from peaktrade_core.research.trials.opening import look
from peaktrade_core.research.trials.ranking import UNRANKED, leading
from peaktrade_core.research.trials.spec import Null, Search, Sweep, WalkForward, grid_of, read_sweep
from peaktrade_core.research.trials.sweep import Prepared, SweepRecord, SweepStore, Watch, prepare, run_sweep
from peaktrade_core.research.trials.trial import Trial, Tries
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import BAD, GOOD, Cell, Column, Columns
from peaktrade_core.show.terminal import console
from peaktrade_core.workspace.command import CommandResult, Part, command, quiet
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

if TYPE_CHECKING:
    from rich.progress import TaskID

    from peaktrade_core.research.trials.cluster import Cluster

OPTUNA = ("tpe", "cmaes")
ASKED_S = 0.02  # that Optuna takes for a point [s]
TRIALS = Columns[Trial](
    trial=Column("Trial", lambda one: f"#{one.number}"),
    parameters=Column("Parameters", lambda one: wording.settings(one.params)),
    sharpe=Column("Daily Sharpe", lambda one: None if one.sharpe is None else f"{one.sharpe:.3f}", "number"),
    total=Column("Return", lambda one: wording.gained(one.total_return), "number"),
    drawdown=Column("Drawdown", lambda one: wording.drawdown(one.max_drawdown), "number"),
    trades=Column("Trades", lambda one: f"{one.trades:,}", "number"),
    fees=Column("Fees", lambda one: f"{one.fees:,.2f}", "number", priority=1),
    remark=Column(
        "Remark", lambda one: one.error or (f"halted {one.halted_at:%Y-%m-%d}" if one.halted_at else ""), "words"
    ),
)


@click.group()
def sweep() -> None:
    """Try many parameters over the same candles; every try is counted before it begins."""


@sweep.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--strategy", metavar="NAME", help="Instead of FILE, with --candles, --grid and --question.")
@click.option("--symbol", metavar="SYMBOL", help="One of [instruments] in the configuration.")
@click.option("--timeframe", metavar="TF", help="Of the candles.")
@click.option("--candles", metavar="FILE", help="Parquet or CSV file, or a folder of stored candles.")
@click.option("--grid", metavar="TEXT", help="NAME=FROM:TO:STEP or NAME=A,B,C; several with blanks between.")
@click.option("--question", metavar="TEXT", help="What it is to answer; kept with every trial.")
@click.option("--trials", type=click.IntRange(min=1), help="So many points of the grid at random, instead of all.")
@click.option("--windows", type=click.IntRange(0, 100), help="Of the walk-forward; 0 for none.")
@click.option("--shuffles", type=click.IntRange(0, 1000), help="Shuffled markets; 0 for none.")
@click.option("--threads", type=click.IntRange(1, 256), help="Trials at a time; one a core by default.")
@click.option("--dask", metavar="ADDRESS", help="Workers of the dask cluster with this scheduler, instead of threads.")
@click.option("--strategy-module", type=click.Path(path_type=Path), metavar="FILE", help="Python file with strategies.")
@click.option("--dry-run", is_flag=True, help="Say how many trials it means and how long it may take; count nothing.")
@command
def run(
    workspace: Workspace,
    file: Path | None,
    threads: int | None,
    dask: str | None,
    strategy_module: Path | None,
    dry_run: bool,
    **options: Any,
) -> CommandResult:
    """Run a sweep, or go on with a killed one; the verdict comes first.

    Exit code 1 when something speaks against the best trial.
    """
    if dask and threads:
        raise ConfigError("give --threads or --dask, not both: a cluster has its own")
    if strategy_module:
        load_strategy_module(strategy_module)
    ready = prepare(workspace, _asked(file, options))
    if dry_run:
        return _foretold(ready, threads or 0)
    with _progress() as watch, _crew(threads or 0, dask) as crew:
        record = run_sweep(workspace, ready, crew=crew, watch=watch)
    found = list(SweepStore(workspace).trials(record.sweep_id))
    return CommandResult(record, lambda: sweep_told(record, found), code=exit_code(record))


def _crew(threads: int, dask: str | None) -> Threads | Cluster:
    """Return who runs the trials."""
    if dask is None:
        return Threads(threads)
    from peaktrade_core.research.trials.cluster import Cluster

    return Cluster(dask)


@contextmanager
def _progress() -> Iterator[Watch]:
    """Show how far a sweep is and how long it may still take: a bar in a terminal, nothing elsewhere."""
    from rich.progress import Progress, TimeRemainingColumn

    screen = console(stderr=True)
    if quiet() or not screen.is_terminal:
        yield lambda *_: None
        return
    with Progress(*Progress.get_default_columns()[:-1], TimeRemainingColumn(), console=screen, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def watch(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        yield watch


def _asked(file: Path | None, options: dict[str, Any]) -> Sweep:
    """Return the sweep of a file or of the options.

    Raises:
        ConfigError: neither or both, or one is wrong.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if file is not None:
        if given:
            raise ConfigError(
                f"--{next(iter(given))}: with a file everything stands there; leave it out or change the file"
            )
        return read_sweep(file)
    if missing := [name for name in ("strategy", "candles", "grid", "question") if name not in given]:
        raise ConfigError(f"give a file, or --{' --'.join(missing)}")
    search = Search(sampler="random", trials=given["trials"]) if "trials" in given else Search()
    windows = WalkForward(windows=given["windows"]) if "windows" in given else WalkForward()
    null = Null(shuffles=given["shuffles"]) if "shuffles" in given else Null()
    own = {name: given[name] for name in ("strategy", "candles", "question", "symbol", "timeframe") if name in given}
    parameters = grid_of(given["grid"])
    return Sweep(
        name=f"{given['strategy']}_{'_'.join(parameters)}",
        parameters=parameters,
        search=search,
        walk_forward=windows,
        null=null,
        **own,
    )


def _foretold(ready: Prepared, threads: int) -> CommandResult:
    """Return what a sweep would take, from one trial that is run and not kept."""
    tries, sample = Tries(*ready.over(ready.bars)), [(0, ready.plan.sample())]
    tries.some(sample)  # compiled now
    begin = time.perf_counter()
    tries.some(sample)
    one = time.perf_counter() - begin
    trials, bars = ready.plan.trials, len(ready.bars)
    runs = trials * (1 + ready.sweep.null.shuffles + bool(ready.sweep.walk_forward.windows))
    workers = threads or os.cpu_count() or 1
    seconds = runs * (one / workers + (ASKED_S if ready.sweep.search.sampler in OPTUNA else 0.0))
    value = {
        "sweep_id": ready.sweep_id, "trials": trials, "bars": bars, "held": ready.held,
        "seconds": round(seconds, 1), "megabytes": round((workers * 8 + 2 * 56) * bars / 1e6 + trials * 0.01, 1),
    }  # fmt: skip
    size = f"{wording.many(trials, 'trial')} over {wording.many(bars, 'bar')} ({ready.held:,} are held back)"
    more = wording.many(runs, "run")
    cost = f"{more} with shuffled markets and windows: about {value['seconds']:,} s, {value['megabytes']:,} MB"
    said = f"{ready.sweep_id}: {size}, {cost}. Nothing was counted."
    return CommandResult(value, said)


def sweep_told(record: SweepRecord, trials: list[Trial]) -> list[Part]:
    """Return a sweep: the verdict first, then the best trials."""
    judge = record.sweep.judge
    few, ranked = leading(trials, judge)
    held = f"; {record.held:,} bars since {wording.moment(record.since)} UTC are held back" if record.since else ""
    names = (
        f"trial parameters {'sharpe total' if judge.metric == 'sharpe' else 'total sharpe'} drawdown trades fees remark"
    )
    best = "no trial qualifies" if record.best is None else f"best is #{record.best}"
    return [
        f"{record.sweep_id} {record.sweep.name}: {record.sweep.question}",
        f"{wording.many(record.trials, 'trial')} over {wording.many(record.bars, 'bar')}{held}; "
        f"{record.counted:,} were ever begun on this market; {best}",
        "",
        check_table(record.verdict, "Verdict: " + told(record.verdict)),
        TRIALS.table("" if ranked or not few else UNRANKED, few, names, empty="No trial ran."),
    ]


def exit_code(record: SweepRecord) -> int:
    """Return 1 where something speaks against the best trial of a sweep, else 0."""
    return int(any(one.status == "fail" for one in record.verdict))


@click.group()
def holdout() -> None:
    """Show what research cannot read, and open it for one trial."""


def _opened(held: HeldBack) -> Cell:
    n = len(held.openings)
    said = "; ".join(f"{one.trial} by {one.by}: {one.reason}" for one in held.openings)
    return Cell(f"{n} time{'s' * (n != 1)}: {said}", BAD if n > 1 else "") if n else Cell("never", GOOD)


HELD = Columns[HeldBack](
    market=Column("Market", lambda one: f"{one.symbol} {one.timeframe}"),
    since=Column("Held back since (UTC)", lambda one: wording.moment(one.since)),
    opened=Column("Opened", _opened, "words"),
)


@holdout.command()
@command
def status(workspace: Workspace) -> CommandResult:
    """Show what is held back of each market, and who looked at it."""
    found = HoldOut(workspace).status()
    return CommandResult(found, HELD.table("", found, empty="Nothing is held back: no research has read candles yet."))


@holdout.command("open")
@click.argument("trial", metavar="SWEEP#TRIAL")
@click.option("--by", required=True, help="Who looks.")
@click.option("--reason", required=True, help="Why; kept for ever.")
@command
def open_(workspace: Workspace, trial: str, by: str, reason: str) -> CommandResult:
    """Run one trial on the bars that were held back. It is written down before, and cannot be taken back.

    Where people have keys, two of them sign it first (`peaktrade approve`); then call it again.
    """
    store = SweepStore(workspace)
    picked = store.trial(trial)
    record = store.load(trial.partition("#")[0])
    if picked.error:
        raise ConfigError(f"{trial}: {picked.error}")
    held, found = look(workspace, record, picked, by=by, reason=reason)
    n = len(held.openings)
    warning = (
        f"It was opened {n} times: what it shows is no longer unseen." if n > 1 else "It was opened for the first time."
    )
    shown = TRIALS.table(
        "On the bars that were held back", [found], "trial parameters sharpe total drawdown trades fees remark"
    )
    return CommandResult({"opening": held, "trial": found, "times": n}, [shown, warning])
