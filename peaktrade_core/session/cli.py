"""``peaktrade session run`` and ``list``, and ``peaktrade strategies``."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from peaktrade_core.base.clock import moved
from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.changes.questions import before_a_start
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.columns import RUNS, SESSIONS, facts_of, figures_of, remarks
from peaktrade_core.runs.repeat import command_line
from peaktrade_core.runs.run import HALTED, item_of, verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.views import Views
from peaktrade_core.session.options import decision_options, moment_given, planned
from peaktrade_core.session.plan import Desk, refuse_halted
from peaktrade_core.session.progress import show_progress
from peaktrade_core.session.recovery import recover
from peaktrade_core.session.tiers import Promotions, refuse_tier
from peaktrade_core.show import wording
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.show.terminal import say
from peaktrade_core.trading.limit_use import limits_told
from peaktrade_core.trading.market import parse_duration, timeframe_seconds
from peaktrade_core.trading.records import ASKED_STATUSES, SessionRecord
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.command import CommandResult, Part, command, quiet
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

if TYPE_CHECKING:
    from peaktrade_core.session.session import Plan

ABORTED = 130  # exit code


@click.command()
@click.option("--mode", default="shadow", show_default=True, help="shadow, or testnet; live is refused, always.")
@decision_options
@click.option("--duration", metavar="TIME", help="Instead of steps: 30 (minutes), 90s, 1h - of market time.")
@click.option("--env", metavar="NAME", help="The venue to ask, for example binance; else the configured one.")
@click.option(
    "--pace", default="max", show_default=True, metavar="X", help="Market seconds per second: 1 = real time, 60, max."
)
@click.option("--notes", default="", help="Free text, kept in the record.")
@click.option("--tag", "tags", multiple=True, help="A word to find the session by; repeatable.")
@click.option(
    "--although-halted", is_flag=True, help="Also where a halt forbids orders, to observe; it then ends with 1."
)
@click.option(
    "--rehearsal", is_flag=True, help="Practice: a strategy of any tier, in shadow; no sum over sessions counts it."
)
@click.option("--dry-run", is_flag=True, help="Check everything and show what would run; write nothing.")
@click.option("--list-strategies", is_flag=True, help="The same as `peaktrade strategies`.")
@click.option("--session-id", hidden=True, help="Given by the fleet, which then knows what it started.")
@command
def run(
    workspace: Workspace,
    duration: str | None,
    pace: str,
    although_halted: bool,
    dry_run: bool,
    list_strategies: bool,
    **options: Any,
) -> CommandResult:
    """Run one session: strategy, signal, risk, order, fill - journalled, recorded, summed up.

    Where a halt or the kill switch forbids its orders it is refused.
    """
    if list_strategies:
        if options["strategy_module"]:
            load_strategy_module(Path(options["strategy_module"]))
        return _strategies(workspace)
    if duration is not None:
        options["steps"] = _steps_of(
            duration, options["steps"], options["timeframe"] or workspace.config.session.timeframe
        )
    plan = planned(workspace, pace=_pace(pace), cli_args=command_line(), **options)
    refuse_tier(plan.config.strategy_name, plan.tier, rehearsal=plan.rehearsal, told=workspace)
    if not although_halted:
        refuse_halted(TradingStates.of(workspace), plan)
    governed = "" if plan.rehearsal else before_a_start(workspace)
    plan = plan._replace(remarks=(*plan.remarks, *([governed] if governed else [])))
    if dry_run:
        described = {
            "mode": plan.mode,
            "env_name": plan.env_name,
            "config": msgspec.to_builtins(plan.config),
            "remarks": plan.remarks,
        }
        return CommandResult(described, lambda: _plan(plan))
    for remark in plan.remarks:
        say(remark, err=True)
    for old in recover(workspace):
        say(f"recovered {old.session_id}: {old.status}{f', {old.error}' if old.error else ''}", err=True)
    from peaktrade_core.session.session import run_session

    with show_progress(wording.quote_currency(plan.config.symbol), quiet=quiet()) as watch:
        record = run_session(plan, Desk.of(workspace), watch=watch)
    code = {"completed": 0, "aborted": ABORTED}.get(record.status, 1)
    code = code or int(verdict_of(run_of(record)).word == HALTED)
    return CommandResult(record, lambda: ["", *summary(workspace, record)], code=code)


def _steps_of(duration: str, steps: int | None, timeframe: str) -> int:
    """Return a duration as bars of the session."""
    if steps is not None:
        raise ConfigError("give --steps or --duration, not both")
    return max(1, math.ceil(parse_duration(duration) / timeframe_seconds(timeframe)))


def _pace(text: str) -> float | None:
    """Return the pace as a number, None for as fast as possible."""
    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"pace {text!r} must be a positive number (1 = real time) or max") from None


def _plan(plan: Plan) -> Table:
    """Return what would run."""
    config = plan.config
    balance = wording.money(config.start_balance, wording.quote_currency(config.symbol))
    pairs = {
        "mode": plan.mode,
        "environment": plan.env_name,
        "strategy": f"{config.strategy_name} {wording.settings(config.params)}",
        "market": f"{config.symbol} {config.timeframe} ({config.instrument['kind']})",
        "feed": config.feed + (f" seed {config.seed}" if config.seed is not None else f" {config.candles or ''}"),
        "bars": f"{config.warmup_candles:,} warm-up, then {wording.count(config.steps) if config.steps else 'all'}",
        "position": f"{wording.percent(config.position_fraction)} of equity, start balance {balance}",
        "costs": f"fee {config.fee_bps:g} bps, slippage {config.slippage_bps:g} bps",
        **({"mind": "; ".join(plan.remarks)} if plan.remarks else {}),
        "limits": limits_told(config.risk_limits, config.symbol),
    }
    return Table.pairs(pairs, "Dry run: everything is in order, nothing was written.")


def summary(workspace: Workspace, record: SessionRecord) -> list[Part]:
    """Return the figures that an operator writes down, and what comes next."""
    try:
        run = Views.of(workspace).run(record.session_id)
    except PeaktradeError:  # its record could not be kept, or not be read back
        run = run_of(record)
    pairs = facts_of(run)
    if not run.active:
        told = {name: pairs[name] for name in ("What", "Mode", "Status")}
        spans = {
            "Market time": wording.duration(run.market_seconds),
            "Run time": wording.duration(run.duration_seconds),
        }
        pairs = told | spans | ({"Error": record.error} if record.error else {}) | dict(figures_of(record))
    entry = Registry.of(workspace).find(record.session_id)
    onward = [f"Record   {relative_path(entry.path if entry else Registry.of(workspace).path_of(record))}"]
    if is_id(record.session_id):  # a foreign id may be no name of a folder
        onward.append(f"Journal  {relative_path(RunFolder(workspace.runs, record.session_id).journal)}")
    named = shlex.quote(record.session_id)
    check = f"peaktrade runbook run post_session_check -p session_id={named}"
    onward.append(f"Next     {f'peaktrade monitor follow {named}' if run.active else check}")
    return [Table.pairs(pairs, f"Session {record.session_id}: {verdict_of(run)}"), *onward]


def relative_path(path: Path) -> str:
    """Return a path as seen from here, where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters over the registry to a command."""
    for option in (
        click.option("--mode", help="Only this mode: shadow, testnet, paper, live."),
        click.option("--status", type=click.Choice(ASKED_STATUSES), help="Only this status."),
        click.option("--run-type", metavar="TYPE", help="Only this run type, for example live_session_shadow."),
        click.option("--symbol", metavar="SYMBOL", help="Only this symbol."),
        click.option("--strategy", metavar="NAME", help="Only this strategy."),
        click.option("--until", metavar="DATE", help="Only those that began before this UTC day or time."),
        click.option("--since", metavar="DATE", help="Only those that began on this UTC day or time, or later."),
        click.option("--week", metavar="WEEK", help="Only those that began in this week, for example 2026-W05."),
    ):
        command = option(command)
    return command


def query_of(*, week: str | None = None, since: str | None = None, until: str | None = None, **filters: Any) -> Query:
    """Return the query that the options of :func:`filter_options` ask for.

    Raises:
        ConfigError: something is not a week, day or time, or a week is given beside the others.
    """
    if week is None:
        return Query(since=moment_given("--since", since), until=_before(moment_given("--until", until)), **filters)
    if since or until:
        raise ConfigError("give --week, or --since and --until, not both")
    try:
        year, number = week.upper().split("-W")
        monday = datetime.fromisocalendar(int(year), int(number), 1).replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"--week {week!r} is not a week; write it like 2026-W05") from None
    return Query(since=monday, until=_before(moved(monday, days=7)), **filters)


def _before(at: datetime | None) -> datetime | None:
    """Return the last moment before a time: a query's end belongs to it."""
    return None if at is None else moved(at, microseconds=-1)


@click.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@filter_options
@command
def list_sessions(workspace: Workspace, **filters: Any) -> CommandResult:
    """List sessions, newest first."""
    recover(workspace)
    rows = Views.of(workspace).rows(query_of(**filters))
    if not rows:
        total = Views.of(workspace).stats().total_sessions
        none = f"No session matches these filters ({total} in the registry)."
        return CommandResult(rows, none if total else "No sessions yet. Run the first with `peaktrade session run`.")
    return CommandResult([item_of(row) for row in rows], lambda: [RUNS.table("", rows, SESSIONS), *remarks(rows)])


@click.command()
@command
def strategies(workspace: Workspace) -> CommandResult:
    """List the strategies and their parameters."""
    return _strategies(workspace)


def _strategies(workspace: Workspace) -> CommandResult:
    """Return every registered strategy with its configured parameters."""
    configured, log = workspace.config.strategy, Promotions(workspace)
    found = [
        {
            "name": s.name,
            "tier": log.tier(s),
            "parameters": s.parameters(configured.get(s.name, {}))._asdict(),
            "summary": s.summary,
        }
        for s in all_strategies()
    ]
    return CommandResult(found, STRATEGIES.table("", found))


STRATEGIES = Columns[dict[str, Any]](
    strategy=Column("Strategy", lambda s: s["name"]),
    tier=Column("Tier", lambda s: s["tier"], priority=1),
    parameters=Column("Parameters", lambda s: ", ".join(f"{k}={v}" for k, v in s["parameters"].items()), "words"),
    summary=Column("What it does", lambda s: s["summary"], "words"),
)
