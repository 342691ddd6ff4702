"""``peaktrade smoke``: does everything work together, here and now?"""

from __future__ import annotations

import click

from peaktrade_core.desk.cli_readiness import show_checks
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@click.option(
    "--stage", type=click.Choice(("shadow", "testnet", "auto")), default="auto", show_default=True,
    help="testnet lets the venue take part; auto does so when there are credentials.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def smoke(home: str | None, config: str | None, stage: str, as_json: bool) -> int:
    """Run one small real session through everything, in a temporary workspace; exit code 1 when a part fails."""
    from peaktrade_core.base.errors import ExchangeAuthenticationError
    from peaktrade_core.desk.smoke import smoke as run_smoke
    from peaktrade_core.venue.credentials import find_credentials

    workspace = Workspace(home, config)
    missing = ""
    if stage == "auto":
        try:
            find_credentials(workspace.config.exchange.venue)
            stage = "testnet"
        except ExchangeAuthenticationError as fault:
            stage, missing = "shadow", str(fault)
    code = show_checks(run_smoke(workspace, stage), f"Smoke-Test ({stage})", as_json)
    if missing and not as_json:
        click.echo(f"The venue took no part: {missing}")
    return code
