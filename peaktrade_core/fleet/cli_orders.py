"""``peaktrade orders``: what is open, here and at the venue, and what a strategy would order now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from peaktrade_core.halts.account import Account
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.session.options import decision_options, parse_params
from peaktrade_core.session.planning import plan_session
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

STATES = {"open": "started", "filled": "completed", "denied": "failed", "rejected": "failed"}


@click.group()
def orders() -> None:
    """Show open orders, here and at the venue; preview what a strategy would order now."""


@orders.command("open")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def open_orders(home: str | None, config: str | None, as_json: bool) -> int:
    """Show what was sent and is not filled, in our journals and, with credentials, at the venue."""
    from peaktrade_core.fleet.ops import orders as last_orders
    from peaktrade_core.venue.orders import venue_orders

    workspace = Workspace(home, config)
    ours, theirs = last_orders(Views.of(workspace), only_open=True), venue_orders(workspace)
    if as_json:
        print_json({"as_of": workspace.clock.now(), "ours": ours, "venue": theirs})
    else:
        _show(ours.lines, "No order of ours is open.")
        for fault in ours.faults:
            click.echo(f"cannot be read: {fault}", err=True)
        click.echo(f"\nVenue ({theirs.venue}): {theirs.told}")
        if theirs.orders:
            print_table(
                ("ORDER", "SYMBOL", "SIDE", "QUANTITY", "PRICE", "SINCE (UTC)"),
                (
                    (o.order_id, o.symbol, o.side, f"{o.qty:g}", wording.money(o.price), wording.moment(o.at))
                    for o in theirs.orders
                ),
                right=("QUANTITY", "PRICE"),
            )
    return 1 if theirs.failed or ours.faults else 0


def show_orders(workspace: Workspace, *, only_open: bool, limit: int, as_json: bool) -> None:
    """Print the last orders."""
    from peaktrade_core.fleet.ops import orders as last_orders

    found = last_orders(Views.of(workspace), only_open=only_open)
    if as_json:
        print_json({"as_of": workspace.clock.now(), "orders": found.lines[:limit], "faults": found.faults})
        return
    _show(
        found.lines[:limit], "No order is open." if only_open else "No session of the last 24 hours ordered anything."
    )
    for fault in found.faults:
        click.echo(f"cannot be read: {fault}", err=True)


def _show(lines: list[Any], empty: str) -> None:
    """Print orders, or that there are none."""
    if not lines:
        click.echo(empty)
        return
    print_table(
        ("AT (SESSION'S UTC)", "SESSION", "RUNS", "ORDER", "SYMBOL", "PURPOSE", "QUANTITY", "PRICE", "STATE", "TOLD"),
        (
            (
                wording.moment(line.at),
                line.run_id,
                "yes" if line.running else "no",
                line.order_id or wording.NOTHING,
                line.symbol or wording.NOTHING,
                line.purpose,
                f"{line.qty:+.8g}",
                wording.money(line.price),
                (line.state, STATES[line.state]),
                line.told,
            )
            for line in lines
        ),
        right=("QUANTITY", "PRICE"),
    )


@orders.command()
@click.option("--mode", default="shadow", show_default=True, help="shadow or testnet; nothing is sent in either.")
@decision_options
@click.option("--dry-run", is_flag=True, help="Nothing is ever sent by this command; for habit's sake.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def preview(
    home: str | None,
    config: str | None,
    strategy_module: str | None,
    params: tuple[str, ...],
    dry_run: bool,  # noqa: ARG001
    as_json: bool,
    **options: Any,
) -> None:
    """Show what a session would order if it began now, with the verdict of the risk checks; nothing is sent."""
    from peaktrade_core.halts.scope import Scope
    from peaktrade_core.research.preview import preview as look

    workspace = Workspace(home, config)
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    plan = plan_session(workspace, params=parse_params(params), **options)
    scope = Scope.of(plan.mode, plan.config.strategy_name, plan.config.symbol)
    found = look(plan, TradingStates.of(workspace).in_force(scope), Account.of(workspace).check)
    if as_json:
        print_json(found)
        return
    currency = wording.quote_currency(found.symbol)
    denied = f"{found.code}" + (
        f" value={found.value:.6g} limit={found.limit:.6g}"
        if found.limit is not None and found.value is not None
        else ""
    )
    verdicts = {"nothing": "nothing to order", "allowed": "allowed", "denied": f"denied: {denied}"}
    print_pairs(
        {
            "Session": f"{found.mode}, {found.strategy} on {found.symbol}",
            "Decides": f"{wording.moment(found.ts)} UTC, close {wording.money(found.price, currency)}, {found.bars:,} bars seen",
            "Signal": {1.0: "+1 long", -1.0: "−1 short (flat on a spot market)", 0.0: "0 flat"}.get(
                found.signal, str(found.signal)
            ),
            "Order": wording.NOTHING
            if found.qty is None
            else f"{'buy' if found.qty > 0 else 'sell'} {abs(found.qty):.8g}, {wording.money(found.notional, currency)}",
            "Risk": verdicts[found.verdict],
            "State": found.state,
        }
    )
    click.echo("\nNothing was sent, nothing was written.")
