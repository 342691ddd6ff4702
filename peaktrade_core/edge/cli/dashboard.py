"""``peaktrade dashboard``."""

from __future__ import annotations

import click

from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.cli import workspace_options


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback addresses only.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--auto-refresh-seconds", type=click.IntRange(1, 3600), default=5, show_default=True)
@workspace_options
def dashboard(home: str | None, config: str | None, host: str, port: int, auto_refresh_seconds: int) -> None:
    """Serve the read-only dashboard until Ctrl-C."""
    from peaktrade_core.edge.dashboard.server import serve

    workspace = Workspace(home, config)
    workspace.recover()
    serve(workspace, host=host, port=port, auto_refresh_seconds=auto_refresh_seconds)
