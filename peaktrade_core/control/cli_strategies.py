"""``peaktrade strategies show`` and ``promote``: of which tier a strategy is, what it needs for the next, and the step."""

from __future__ import annotations

import click

from peaktrade_core.control.promotion import NEEDED, next_tier, promote, promotion_checks
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import Table
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@click.argument("name")
@command
def show(workspace: Workspace, name: str) -> CommandResult:
    """Show one strategy: its tier and how it came to it, its parameters, and what the next tier needs."""
    strategy, log = get_strategy(name), Promotions(workspace)
    tier, made = log.tier(strategy), [one for one in log.all() if one.strategy == name]
    params = strategy.parameters(workspace.config.strategy.get(name, {}))._asdict()
    to = next_tier(tier)
    checks = promotion_checks(workspace, name, to) if to else []
    value = {
        "name": name, "tier": tier, "registered": strategy.tier, "parameters": params, "summary": strategy.summary,
        "promotions": made, "next": to, "checks": checks,
    }  # fmt: skip
    pairs = {
        "Tier": tier if tier == strategy.tier else f"{tier} (registered as {strategy.tier})",
        "Parameters": ", ".join(f"{key} {given:g}" for key, given in params.items()) or "none",
        "Promoted": "; ".join(
            f"{one.before} to {one.to} on {wording.minute(one.at)} UTC by {one.people} ({one.trial})" for one in made
        )
        or "never",
    }
    shown: list[Part] = [strategy.summary, Table.pairs(pairs, name)]
    return CommandResult(value, [*shown, check_table(checks, f"To be promoted to {to}")] if to else shown)


@click.command("promote")
@click.argument("name")
@click.option("--to", type=click.Choice(list(NEEDED)), required=True, help="The tier after the one it has.")
@click.option("--by", required=True, help="Who does it; without keys one of the two of the go/no-go document.")
@command
def promote_(workspace: Workspace, name: str, to: str, by: str) -> CommandResult:
    """Raise the tier of a strategy, where it has all that takes; exit code 1 where something is missing.

    A verdict with nothing against it, a hold-out opened once, a go/no-go document of two people; for core also shadow
    sessions that did what their backtests say. It holds for the code as it is now. Where people have keys, two sign it
    (`peaktrade approve`) in the place of the countersignature; then call it again.
    """
    checks, made = promote(workspace, name, to, by=by)
    said = f"{name} is {to} now." if made else f"{name} stays what it is."
    return CommandResult({"checks": checks, "promotion": made}, [check_table(checks), said], code=int(made is None))
