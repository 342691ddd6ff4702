"""``peaktrade ops``: orders, positions and health of everything that runs; and what is old enough to go."""

from __future__ import annotations

import getpass

import click

from peaktrade_core.halts.account import Account
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def ops() -> None:
    """Orders, positions and health over all sessions; retention."""


@ops.command()
@click.option("--open", "only_open", is_flag=True, help="Only what was sent and is not filled.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@AS_JSON
@workspace_options
def orders(home: str | None, config: str | None, only_open: bool, limit: int, as_json: bool) -> None:
    """Show the last orders of running sessions and of those of the last 24 hours."""
    from peaktrade_core.fleet.cli_orders import show_orders

    show_orders(Workspace(home, config), only_open=only_open, limit=limit, as_json=as_json)


@ops.command()
@AS_JSON
@workspace_options
def portfolio(home: str | None, config: str | None, as_json: bool) -> None:
    """Show what running sessions hold and earn, by symbol, and how much of the account's limits that is."""
    from peaktrade_core.fleet.ops import portfolio as holdings

    workspace = Workspace(home, config)
    positions, uses = holdings(Views.of(workspace).runs()), Account.of(workspace).uses()
    if as_json:
        print_json({"as_of": workspace.clock.now(), "positions": positions, "accounts": uses})
        return
    if not positions:
        click.echo("No session runs, so nothing is held. `peaktrade fleet start-shadow` starts one.")
    else:
        print_table(
            ("MODE", "SYMBOL", "SESSIONS", "POSITION", "PRICE", "EXPOSURE", "REALIZED", "UNREALIZED", ""),
            (
                (
                    (p.mode, p.mode),
                    p.symbol or wording.NOTHING,
                    p.sessions,
                    f"{p.position:g}",
                    wording.money(p.price, p.currency),
                    wording.money(p.exposure, p.currency),
                    wording.signed(p.realized_pnl, p.currency),
                    wording.signed(p.unrealized_pnl, p.currency),
                    (f"{p.unknown} unknown", "red") if p.unknown else "",
                )
                for p in positions
            ),
            right=("SESSIONS", "POSITION", "PRICE", "EXPOSURE", "REALIZED", "UNREALIZED"),
        )
    click.echo()
    print_table(
        ("ACCOUNT", "LEVEL", "SESSIONS", "POSITIONS", "EXPOSURE", "LOSS TODAY"),
        (
            (
                f"{use.mode} {use.currency}",
                (use.level, use.level),
                use.sessions,
                use.open_positions,
                wording.money(use.exposure, use.currency),
                wording.money(use.daily_loss, use.currency),
            )
            for use in uses
        ),
        right=("SESSIONS", "POSITIONS", "EXPOSURE", "LOSS TODAY"),
    )


@ops.command()
@click.option("--venue", is_flag=True, help="Ask the venue, too.")
@AS_JSON
@workspace_options
def health(home: str | None, config: str | None, venue: bool, as_json: bool) -> int:
    """Show machine, workspace, runs, watcher, scheduler and switch in one view; exit code 1 when a check fails."""
    from peaktrade_core.desk.cli_readiness import show_checks
    from peaktrade_core.desk.readiness import health_checks

    return show_checks(health_checks(Workspace(home, config), venue=venue), "Health-Check", as_json)


@ops.command()
@click.option("--apply", "apply_", is_flag=True, help="Do it; without this nothing is changed.")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who you are.")
@AS_JSON
@workspace_options
def retention(home: str | None, config: str | None, apply_: bool, by: str, as_json: bool) -> None:
    """Show what is old enough to leave the working folders; with --apply archive or delete it."""
    from peaktrade_core.schedule.retention import KEEP, survey, sweep, told

    workspace = Workspace(home, config)
    settings = workspace.config.retention
    items = sweep(workspace, settings, by) if apply_ else survey(workspace, settings)
    if as_json:
        print_json({"applied": apply_, "items": items})
        return
    if items:
        print_table(
            ("KIND", "NAME", "AGE (DAYS)", "SIZE (KB)", "ACTION", "WHY"),
            (
                (
                    i.kind,
                    i.name,
                    f"{i.age_days:.0f}",
                    f"{i.size / 1e3:,.0f}",
                    (i.action, "yellow" if i.action == KEEP else ""),
                    i.reason,
                )
                for i in items
            ),
            right=("AGE (DAYS)", "SIZE (KB)"),
        )
    going = any(item.action != KEEP for item in items)
    click.echo(told(items) if apply_ or not going else f"would go: {told(items)}; --apply does it")
