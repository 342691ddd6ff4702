"""``peaktrade fleet``: many runs, one process each - start, stop, replace, look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import click

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import Check
from peaktrade_core.changes.questions import before_a_start
from peaktrade_core.fleet.ending import EndedRun
from peaktrade_core.fleet.fleet import Fleet, StartedRun
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.columns import RUNNING, RUNS, heard_of, remarks
from peaktrade_core.runs.run import Run, feed_of, item_of, verdict_of
from peaktrade_core.runs.views import Views
from peaktrade_core.session.options import decision_options, parse_params
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import CHECKS
from peaktrade_core.show.table import Table
from peaktrade_core.show.terminal import say
from peaktrade_core.workspace.command import CommandResult, Figure, command, tell
from peaktrade_core.workspace.workspace import Workspace

FOLLOW_S = 0.5  # between two looks [s]


@click.group()
def fleet() -> None:
    """Start, stop and replace runs; each is a process of its own that outlives this terminal."""


def run_id_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the run's id to a command, as an argument or as ``--run-id``."""
    function = click.option("--run-id", "named", metavar="ID", help="The same as the argument.")(function)
    return click.argument("run_id", required=False)(function)


def the_run(workspace: Workspace, run_id: str | None, named: str | None) -> Run:
    """Return the run that was named.

    Raises:
        ConfigError: none was, or two.
        SessionNotFoundError: there is no such run.
    """
    if bool(run_id) == bool(named):
        raise ConfigError("name one run, for example by --run-id; `peaktrade fleet status` lists them")
    views = Views.of(workspace)
    return views.run(views.meant(run_id or named or ""))


def _start_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a start may say to a command."""
    for option in reversed(
        (
            click.option("--duration", metavar="TIME", help="Instead of steps: 30 (minutes), 90s, 1h of market time."),
            click.option("--pace", metavar="X", help="Market seconds per second: 1 = real time (default), 60, max."),
            click.option(
                "--env", metavar="NAME", help="The venue to ask, for example binance; else the configured one."
            ),
            click.option("--notes", help="Free text, kept in the record."),
            click.option("--restart", type=click.Choice(("never", "on-failure")), help="If it fails or dies."),
            click.option("--allow-duplicate", is_flag=True, help="Even if the same is running already."),
            click.option("--by", help="Who you are; else your login name."),
        )
    ):
        function = option(function)
    return decision_options(function)


@fleet.command("start-shadow")
@_start_options
@command
def start_shadow(workspace: Workspace, **options: Any) -> CommandResult:
    """Start a shadow run: simulated fills, no venue."""
    return _start(workspace, mode="shadow", **options)


@fleet.command("start-testnet")
@_start_options
@command
def start_testnet(workspace: Workspace, **options: Any) -> CommandResult:
    """Start a testnet run: every order is also put to a venue that cannot trade it live."""
    return _start(workspace, mode="testnet", **options)


@fleet.command("start")
@click.option("--profile", required=True, metavar="NAME", help="One of [fleet.profiles] in the configuration.")
@click.option("--mode", help="shadow or testnet; else the profile's.")
@click.option("--use-dummy", is_flag=True, help="Offline: embedded market, simulated fills, whatever the profile says.")
@click.option("--verbose", is_flag=True, help="Also show what was asked before it was started.")
@_start_options
@command
def start(workspace: Workspace, use_dummy: bool, **options: Any) -> CommandResult:
    """Start a run by the name of its profile; options go before what the profile says."""
    if use_dummy and (options["mode"] or options["feed"] or options["candles"]):
        raise ConfigError("--use-dummy is a shadow run on the embedded market: leave --mode, --feed and --candles out")
    dummy = {"mode": "shadow", "feed": "synthetic"} if use_dummy else {}
    return _start(workspace, **{**options, **dummy})


def _start(
    workspace: Workspace,
    *,
    by: str | None,
    allow_duplicate: bool,
    params: tuple[str, ...],
    strategy_module: str | None,
    profile: str | None = None,
    verbose: bool = False,
    **given: Any,
) -> CommandResult:
    """Start a run."""
    from peaktrade_core.fleet.orders import order_of

    order = order_of(
        workspace, given, profile=profile, params=params, parsed=parse_params(params), strategy_module=strategy_module
    )
    asked = Fleet.of(workspace).checks(order) if verbose else []
    _warn(workspace)
    return _started(Fleet.of(workspace).start(order, by=by or login(), allow_duplicate=allow_duplicate), asked)


def _warn(workspace: Workspace) -> None:
    """Say where something is not as it was approved."""
    if told := before_a_start(workspace):
        say(told, err=True)


def _started(run: StartedRun, asked: Sequence[Check] = ()) -> CommandResult:
    """Return a run that has begun, and what was asked before, if that is wanted."""
    pairs = {"Strategy": run.strategy, "Symbol": run.symbol, "Timeframe": run.timeframe, "Process": run.pid}
    if run.restart_of:
        pairs["Replaces"] = run.restart_of + (f" ({run.left})" if run.left else "")
    shown = Table.pairs(pairs, f"✅ {run.mode.capitalize()} run started: {run.run_id}")
    before = [CHECKS.table("", asked)] if asked else []
    return CommandResult(run, [*before, shown, f"Next     peaktrade monitor follow {run.run_id}"])


@fleet.command()
@run_id_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many, active first.")
@command
def status(workspace: Workspace, run_id: str | None, named: str | None, limit: int) -> CommandResult:
    """Show the runs, active ones first, as they are on the disk; changes nothing."""
    if run_id or named:
        row = the_run(workspace, run_id, named)
        return CommandResult(item_of(row), lambda: Table.pairs(_described(row)))
    runs = Views.of(workspace).runs(limit)
    if not runs:
        return CommandResult(runs, "No runs yet. Start the first with `peaktrade fleet start --profile quick_smoke`.")
    return CommandResult([item_of(run) for run in runs], lambda: [RUNS.table("", runs, RUNNING), *remarks(runs)])


def _described(run: Run) -> dict[str, Any]:
    """Return one run as the seeds print it, and what is odd about it."""
    return {
        "Run-ID": run.run_id,
        "Mode": run.mode,
        "Strategy": run.strategy or wording.NOTHING,
        "Symbol": run.symbol or wording.NOTHING,
        "Timeframe": run.timeframe or wording.NOTHING,
        "Feed": feed_of(run) or wording.NOTHING,
        "State": run.state,
        "Status": " ".join(filter(None, (str(verdict_of(run)), verdict_of(run).why))),
        "Started": run.started_at.isoformat(timespec="seconds") if run.started_at else wording.NOTHING,
        "Last event": heard_of(run),
        "Equity": wording.money(run.equity, run.currency),
        wording.TOTAL: wording.signed(run.total_pnl, run.currency),
        wording.REALIZED: wording.signed(run.realized_pnl, run.currency),
        "Trading state": run.trading_state or wording.NOTHING,
        "Notes": run.notes or wording.NOTHING,
    }


@fleet.command()
@run_id_option
@click.option("--all", "everything", is_flag=True, help="All runs that are active.")
@click.option("--reason", default="stopped by hand", show_default=True, help="Why; kept in the record.")
@click.option("--by", help="Who you are; else your login name.")
@click.option(
    "--deadline",
    type=Figure(min=0),
    metavar="S",
    help="Kill what has not ended by then; [fleet] has the default.",
)
@click.option("--force", is_flag=True, help="Kill at once (runbook 5.3); journal and record stay whole.")
@click.option(
    "--close", is_flag=True, help="Then close what is open (simulated and demo positions), also of an ended run."
)
@command
def stop(
    workspace: Workspace,
    run_id: str | None,
    named: str | None,
    everything: bool,
    reason: str,
    by: str | None,
    deadline: float | None,
    force: bool,
    close: bool,
) -> CommandResult:
    """End a run, or all: ask, wait, and kill only what does not obey within the deadline.

    With --close one reducing order closes the position that each leaves, at its last price; 1 means that one is still open.
    """
    from peaktrade_core.fleet.closing import close_each
    from peaktrade_core.fleet.stopping import fleet_to_stop

    fleet_ = fleet_to_stop(workspace)
    if everything and (run_id or named):
        raise ConfigError("give a run or --all, not both")
    rows = fleet_.active() if everything else [the_run(workspace, run_id, named)]
    done = []
    by = by or login()
    results = fleet_.stop(rows, by=by, reason=reason, deadline_s=deadline, force=force)
    for result in close_each(workspace, results, by=by) if close else results:
        done.append(result)
        tell(_stopped(result))
    told = f"{sum(r.outcome in ('stopped', 'killed') for r in done)} of {len(rows)} run(s) stopped"
    return CommandResult(
        done,
        told if everything else (),
        code=int(any(result.outcome == "running" or result.left_open for result in done)),
    )


def _stopped(result: EndedRun) -> str:
    """Return what became of a run that was to end."""
    signs = {
        "stopped": "✅ Run stopped",
        "killed": "▲ Run KILLED",
        "ended": "Nothing ran",
        "running": "✕ STILL RUNNING",
    }
    took = wording.duration(result.seconds)
    closed = f"; {result.closed}" if result.closed else ""
    return f"{signs[result.outcome]}: {result.run_id} ({result.message}; {took}; record: {result.status}){closed}"


@fleet.command()
@run_id_option
@click.option("--reason", default="restarted by hand", show_default=True, help="Why; kept in the old run's record.")
@click.option("--by", help="Who you are; else your login name.")
@command
def restart(workspace: Workspace, run_id: str | None, named: str | None, reason: str, by: str | None) -> CommandResult:
    """End a run if it still runs, and start another like it."""
    row = the_run(workspace, run_id, named)
    _warn(workspace)
    return _started(Fleet.of(workspace).restart(row, by=by or login(), reason=reason))


@fleet.command()
@run_id_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many events.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until the run ends.")
@command
def tail(workspace: Workspace, run_id: str | None, named: str | None, limit: int, follow: bool) -> CommandResult:
    """Show the last events of a run; with --follow --json one event a line."""
    from peaktrade_core.fleet.monitor import Follower, line_of

    row = the_run(workspace, run_id, named)
    folder = RunFolder(workspace.runs, row.run_id)
    follower = Follower(folder.journal)
    events = Views.of(workspace).tail_events(row.run_id, limit) if folder.journal.exists() else []
    title = f"Last {wording.many(len(events), 'event')} of run {row.run_id}\n{'-' * 72}"
    if not follow:
        return CommandResult(events, [title, *map(line_of, events)])

    def coming() -> Iterator[Any]:
        yield from events
        last = events[-1].seq if events else -1
        while True:
            alive = folder.alive()  # before the look, so that its last words are not missed
            for event in follower.new():
                if event.seq > last:
                    last = event.seq
                    yield event
            if not alive:
                return
            time.sleep(FOLLOW_S)

    return CommandResult(coming(), chain([title], map(line_of, coming())))
