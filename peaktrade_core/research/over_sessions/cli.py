"""``peaktrade session costs`` and ``risk sweep``; what ``session diff --all`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.show import wording
from peaktrade_core.show.table import Column, Columns
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.research.over_sessions.rest import Rests

DAYS = click.option(
    "--days", type=float, default=7.0, show_default=True, help="Sessions that began within so many days."
)


def diff_all(workspace: Workspace, days: float) -> CommandResult:
    """Compare every session of the last days with its backtest; exit code 1 where one has a rest."""
    from peaktrade_core.research.over_sessions.rest import rests

    found = rests(workspace, days)
    return CommandResult(found, lambda: _rests(found), code=int(bool(found.with_rest)))


def _rests(found: Rests) -> list[Part]:
    if not found.sessions:
        return ["No session of these days has ended."]
    told: list[Part] = [found.table()]
    for one in found.with_rest:
        told.append(
            f"{one.session_id} has a rest of {wording.figure(one.bps['rest'], 2, plus=True)} bps. {one.first}".rstrip()
        )
        told.append(f"  `peaktrade session diff {one.session_id}`, then `peaktrade session replay {one.session_id}`")
    told += [f"{one.session_id} could not be compared: {one.fault}" for one in found.sessions if one.fault]
    unknown = [one for one in found.sessions if one.unknown]
    if unknown:
        told.append(
            f"{wording.many(len(unknown), 'session')} without a second source of its bars: data or logic is unknown."
        )
    return told


@click.command("costs")
@DAYS
@click.option("--mode", help="Only this mode: shadow, testnet.")
@click.option("--strategy", metavar="NAME", help="Only this strategy.")
@click.option("--symbol", metavar="SYMBOL", help="Only this symbol.")
@command
def costs(workspace: Workspace, days: float, **filters: str | None) -> CommandResult:
    """Measure what executions cost, in basis points, by strategy, symbol and hour, beside what is configured."""
    from peaktrade_core.research.over_sessions.costs import session_costs

    found = session_costs(workspace, days, **filters)
    empty = [f"No fill in {wording.many(found.sessions, 'session')} of these days."]
    told = [
        COSTS.table("Costs of executions, in bps of the notional; positive is worse for us", found.rows),
        SETTINGS.table("Settings beside what was measured", found.proposals),
    ]
    faults = [f"{name} could not be read: {why}" for name, why in found.faults.items()]
    return CommandResult(found, lambda: [*(told if found.rows else empty), *faults])


@click.command("sweep")
@click.option("--set", "given", multiple=True, metavar="NAME=V1,V2,...", help="Values of one limit; repeatable.")
@DAYS
@click.option("--session", "sessions", multiple=True, metavar="ID", help="Only this session; repeatable.")
@command
def sweep(workspace: Workspace, given: tuple[str, ...], days: float, sessions: tuple[str, ...]) -> CommandResult:
    """Run recorded sessions under every combination of limits: what would have been blocked, and what that would have cost."""
    from peaktrade_core.research.over_sessions.limits import sweep_limits

    found = sweep_limits(workspace, dict(map(_values, given)), days, sessions)
    faults = [f"{name} could not be run again: {why}" for name, why in found.faults.items()]
    none = ["No session of these days has ended."]
    return CommandResult(
        found, lambda: [*([SWEPT.table("Limits over sessions", found.rows)] if found.rows else none), *faults]
    )


def _values(text: str) -> tuple[str, list[float]]:
    """Return a limit and its values, typed as ``name=v1,v2``.

    Raises:
        ConfigError: it is none.
    """
    name, _, values = text.partition("=")
    try:
        return name.strip(), [float(value) for value in values.split(",")]
    except ValueError:
        raise ConfigError(f"--set {text!r} must be NAME=NUMBER,NUMBER,...") from None


def _bps(value: float | None) -> str:
    return wording.figure(value, 2, plus=True)


COSTS = Columns[Any](
    by=Column("Split by"),
    name=Column("Value", lambda row: row.name or wording.NOTHING),
    fills=Column("Fills", lambda row: wording.count(row.fills), "number"),
    notional=Column("Notional", lambda row: wording.money(row.notional, row.currency), "number", priority=2),
    delay=Column("Arrival", lambda row: _bps(row.delay), "number"),
    slippage=Column("Fill", lambda row: _bps(row.slippage), "number"),
    fee=Column("Fee", lambda row: _bps(row.fee), "number"),
    venue=Column("Venue", lambda row: _bps(row.venue), "number"),
)
SETTINGS = Columns[Any](
    setting=Column("Setting"),
    configured=Column("Configured", lambda row: f"{row.configured:g}", "number"),
    measured=Column("Measured", lambda row: _bps(row.measured), "number"),
    proposed=Column("Proposed", lambda row: wording.NOTHING if row.proposed is None else f"{row.proposed:g}", "number"),
    why=Column("Why", None, "words"),
)
SWEPT = Columns[Any](
    limits=Column("Limits", lambda row: ", ".join(f"{name} {value:g}" for name, value in row.limits.items()), "words"),
    sessions=Column("Changed", lambda row: f"{row.changed} of {row.sessions}", "number"),
    blocked=Column("Blocked", lambda row: wording.count(row.blocked), "number"),
    allowed=Column("Allowed", lambda row: wording.count(row.allowed), "number", priority=2),
    pnl=Column("PnL", lambda row: wording.signed(row.pnl, row.currency), "number"),
    pnl_with=Column("With them", lambda row: wording.signed(row.pnl_with, row.currency), "number"),
    drawdown=Column("Max DD", lambda row: wording.drawdown(row.drawdown), "number"),
    drawdown_with=Column("With", lambda row: wording.drawdown(row.drawdown_with), "number"),
    first=Column("First difference", lambda row: row.first or "none", "words", priority=1),
)
