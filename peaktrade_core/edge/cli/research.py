"""``peaktrade strategies`` and ``peaktrade backtest``."""

from __future__ import annotations

import click

from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.cli import workspace_options
from peaktrade_core.edge.cli.output import print_json, print_table
from peaktrade_core.policy.strategies import all_strategies


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
