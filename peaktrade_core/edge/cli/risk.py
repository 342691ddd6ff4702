"""``peaktrade risk``: the trading state, and the only way out of a halt."""

from __future__ import annotations

import click

from peaktrade_core.domain.errors import ConfigError
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.cli import workspace_options
from peaktrade_core.edge.cli.output import print_json, print_pairs, print_table
from peaktrade_core.services import wording


@click.group()
def risk() -> None:
    """Show the trading state, halt and resume trading."""


@risk.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def status(home: str | None, config: str | None, as_json: bool) -> None:
    """Show what may be traded, who halted what and why, and the limits."""
    workspace = Workspace(home, config)
    states = workspace.states.everything()
    limits = workspace.config.limits._asdict()
    if as_json:
        print_json({"states": states, "limits": limits})
        return
    print_table(
        ("SCOPE", "STATE", "SINCE (UTC)", "BY", "REASON"),
        (
            (s.scope, (s.state, "green" if s.state == "ACTIVE" else "red"), wording.moment(s.since), s.by, s.reason)
            for s in states
        ),
    )
    click.echo("\nLimits ([live_risk])")
    print_pairs({name: f"{value:g}" for name, value in limits.items()})


@risk.command()
@click.option("--scope", default="global", show_default=True, help="`global`, or one that `risk status` shows.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@click.option("--state", type=click.Choice(("REDUCING", "HALTED", "NO_ORDERS")), default="HALTED", show_default=True)
@workspace_options
def halt(home: str | None, config: str | None, scope: str, by: str, reason: str, state: str) -> None:
    """Halt trading: running sessions obey within a second, later ones start halted."""
    workspace = Workspace(home, config)
    after = workspace.states.set(scope, state, by=by, reason=reason, now=workspace.clock.now())
    click.echo(f"{after.scope} is {after.state}: {after.reason} ({after.by})")


@risk.command()
@click.option("--scope", default="global", show_default=True, help="`global`, or one that `risk status` shows.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why it is safe again; kept in the audit log.")
@workspace_options
def resume(home: str | None, config: str | None, scope: str, by: str, reason: str) -> None:
    """Let a halted scope trade again; takes a named person and a reason."""
    workspace = Workspace(home, config)
    before = workspace.states.read(scope)
    if before.state == "ACTIVE":
        raise ConfigError(f"{scope} is not halted; `peaktrade risk status` lists what is")
    after = workspace.states.set(scope, "ACTIVE", by=by, reason=reason, now=workspace.clock.now())
    click.echo(f"{after.scope} is ACTIVE again (was {before.state}: {before.reason})")
