"""``peaktrade session run``, ``list`` and ``show``, and ``peaktrade strategies``."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.columns import RUNS, SESSIONS, figures_of, remarks
from peaktrade_core.runs.run import item_of, verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.views import Views
from peaktrade_core.session.options import decision_options, parse_params
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.progress import show_progress
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.columns import print_columns
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.trading.market import parse_duration, timeframe_seconds
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

if TYPE_CHECKING:
    from peaktrade_core.records.registry import Query
    from peaktrade_core.session.session import Plan

ABORTED = 130  # exit code
STATUSES = ("started", "completed", "failed", "aborted", "unreadable")


@click.command()
@click.option("--mode", default="shadow", show_default=True, help="shadow, or testnet; live is refused, always.")
@decision_options
@click.option("--duration", metavar="TIME", help="Instead of steps: 30 (minutes), 90s, 1h - of market time.")
@click.option("--env", metavar="NAME", help="The venue that the session stands for.")
@click.option(
    "--pace", default="max", show_default=True, metavar="X", help="Market seconds per second: 1 = real time, 60, max."
)
@click.option("--notes", default="", help="Free text, kept in the record.")
@click.option("--tag", "tags", multiple=True, help="A word to find the session by; repeatable.")
@click.option("--dry-run", is_flag=True, help="Check everything and show what would run; write nothing.")
@click.option("--list-strategies", is_flag=True, help="The same as `peaktrade strategies`.")
@click.option("--session-id", hidden=True, help="Given by the fleet, which then knows what it started.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON, nothing else.")
@workspace_options
def run(
    home: str | None,
    config: str | None,
    strategy_module: str | None,
    params: tuple[str, ...],
    duration: str | None,
    pace: str,
    dry_run: bool,
    list_strategies: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Run one session: strategy, signal, risk, order, fill - journalled, recorded, summed up."""
    workspace = Workspace(home, config)
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    if list_strategies:
        print_strategies(workspace, as_json)
        return 0
    if duration is not None:
        options["steps"] = _steps_of(
            duration, options["steps"], options["timeframe"] or workspace.config.session.timeframe
        )
    plan = plan_session(workspace, params=parse_params(params), pace=_pace(pace), cli_args=_command_line(), **options)
    if dry_run:
        _show_plan(plan, as_json)
        return 0
    for old in recover(workspace):
        click.echo(f"recovered {old.session_id}: {old.status}", err=True)
    from peaktrade_core.session.session import run_session

    with show_progress(quiet=as_json) as watch:
        record = run_session(plan, Desk.of(workspace), watch=watch)
    if as_json:
        print_json(record)
    else:
        show_summary(workspace, record)
    return {"completed": 0, "aborted": ABORTED}.get(record.status, 1)


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


def _command_line() -> tuple[str, ...]:
    """Return how this process was called, to be found again in the record."""
    return ("peaktrade", *sys.argv[1:])


def _show_plan(plan: Plan, as_json: bool) -> None:
    """Print what would run."""
    described = {"mode": plan.mode, "env_name": plan.env_name, "config": msgspec.to_builtins(plan.config)}
    if as_json:
        print_json(described)
        return
    config = plan.config
    click.echo("Dry run: everything is in order, nothing was written.")
    print_pairs(
        {
            "mode": plan.mode,
            "environment": plan.env_name,
            "strategy": f"{config.strategy_name} {config.params}",
            "market": f"{config.symbol} {config.timeframe} ({config.instrument['kind']})",
            "feed": config.feed + (f" seed {config.seed}" if config.seed is not None else f" {config.candles or ''}"),
            "bars": f"{config.warmup_candles} warm-up, then {config.steps or 'all'}",
            "position": f"{config.position_fraction:.1%} of equity, start balance {config.start_balance:,.2f}",
            "costs": f"fee {config.fee_bps:g} bps, slippage {config.slippage_bps:g} bps",
            "limits": ", ".join(f"{name} {value:g}" for name, value in list(config.risk_limits.items())[:6]),
        }
    )


def show_summary(workspace: Workspace, record: SessionRecord) -> None:
    """Print the figures that an operator writes down, and what comes next."""
    from peaktrade_core.records.folder import is_id

    def known(name: str) -> str:
        return str(record.setting(name) or wording.NOTHING)

    click.echo(f"\nSession {record.session_id}: {verdict_of(run_of(record))}")
    if record.error:
        click.echo(f"  {record.error}")
    print_pairs(
        {
            "Mode": f"{record.mode} · {record.env_name or wording.NOTHING}",
            "Strategy": f"{known('strategy_name')} on {record.symbol or wording.NOTHING} {known('timeframe')}",
            "Duration": wording.duration(record.duration_seconds),
            **dict(figures_of(record)),
        }
    )
    entry = Registry.of(workspace).find(record.session_id)
    click.echo(f"\nRecord   {relative_path(entry.path if entry else Registry.of(workspace).path_of(record))}")
    if is_id(record.session_id):  # a foreign id may be no name of a folder
        click.echo(f"Journal  {relative_path(RunFolder(workspace.runs, record.session_id).journal)}")
    click.echo(f"Next     peaktrade runbook run post_session_check -p session_id={shlex.quote(record.session_id)}")


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
        click.option("--status", type=click.Choice(STATUSES), help="Only this status."),
        click.option("--run-type", metavar="TYPE", help="Only this run type, for example live_session_shadow."),
        click.option("--symbol", metavar="SYMBOL", help="Only this symbol."),
        click.option("--strategy", metavar="NAME", help="Only this strategy."),
    ):
        command = option(command)
    return command


@click.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@filter_options
@workspace_options
def list_sessions(home: str | None, config: str | None, as_json: bool, **filters: Any) -> None:
    """List sessions, newest first."""
    workspace = Workspace(home, config)
    recover(workspace)
    query = query_of(filters)
    rows = Views.of(workspace).rows(query)
    if as_json:
        print_json([item_of(row) for row in rows])
        return
    if not rows:
        total = Views.of(workspace).stats().total_sessions
        click.echo(
            f"No session matches these filters ({total} in the registry)."
            if total
            else "No sessions yet. Run the first with `peaktrade session run`."
        )
        return
    print_columns(RUNS.table("Sessions", rows, SESSIONS))
    for line in remarks(rows):
        click.echo(line)


def query_of(filters: dict[str, Any]) -> Query:
    """Return the filters of a command as a question to the registry."""
    from peaktrade_core.records.registry import Query

    return Query(**filters)


def print_strategies(workspace: Workspace, as_json: bool) -> None:
    """Print every registered strategy with its configured parameters."""
    configured = workspace.config.strategy
    found = [
        {
            "name": s.name,
            "tier": s.tier,
            "parameters": s.parameters(configured.get(s.name, {}))._asdict(),
            "summary": s.summary,
        }
        for s in all_strategies()
    ]
    if as_json:
        print_json(found)
        return
    print_table(
        ("STRATEGY", "TIER", "PARAMETERS", "WHAT IT DOES"),
        (
            (s["name"], s["tier"], ", ".join(f"{k}={v}" for k, v in s["parameters"].items()), s["summary"])
            for s in found
        ),
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def strategies(home: str | None, config: str | None, as_json: bool) -> None:
    """List the strategies and their parameters."""
    print_strategies(Workspace(home, config), as_json)
