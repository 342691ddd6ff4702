"""``peaktrade export``: what the dashboard shows, as files, without a server."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def export() -> None:
    """Write what the dashboard shows as files; no server is needed."""


@export.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder; else out/operator_dashboard.")
@click.option("--run-id", help="The run of run_*.json; else the first of the list.")
@workspace_options
def dashboard(home: str | None, config: str | None, out: Path | None, run_id: str | None) -> None:
    """Write status, sessions, runs and one run. File names hold no time: copy them away to keep them."""
    from peaktrade_core.dashboard.export import export_dashboard

    workspace = Workspace(home, config)
    for path in export_dashboard(workspace, out or workspace.home / "out" / "operator_dashboard", run_id):
        click.echo(path)


@export.command()
@click.argument("name")
@click.option("--query", default="", help="The page's query string, as in its URL: mode=shadow&status=failed.")
@click.option("--id", "subject", help="The session or run of a page about one: session, run.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File; else out/operator_dashboard/NAME.html."
)
@workspace_options
def page(home: str | None, config: str | None, name: str, query: str, subject: str | None, out: Path | None) -> None:
    """Write page NAME as one HTML file that needs no server, script or other file."""
    from peaktrade_core.dashboard.export import export_page

    workspace = Workspace(home, config)
    click.echo(export_page(workspace, name, query.lstrip("?"), subject, out))
