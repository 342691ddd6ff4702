"""``peaktrade dashboard``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.records.registry import Registry
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

TOKEN = "PEAKTRADE_DASHBOARD_TOKEN"  # noqa: S105  (the variable's name)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Any but loopback needs a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one.")
@click.option("--base-runs-dir", metavar="DIR", help="Run folders; else live_runs of the workspace.")
@click.option("--auto-refresh-seconds", type=click.IntRange(1, 3600), default=5, show_default=True)
@click.option(
    "--token", metavar="TOKEN", help=f"What viewers must show; others on this machine see it, so rather {TOKEN} or:"
)
@click.option("--token-file", metavar="FILE", type=click.Path(path_type=Path), help="File that holds the token.")
@click.option(
    "--allow-host", metavar="NAME", multiple=True, help="Further name of this server, of a proxy; repeatable."
)
@click.option(
    "--kernels", type=click.IntRange(1, 200), help="Pages with code of their own at a time; else by free memory."
)
@workspace_options
def dashboard(
    home: str | None,
    config: str | None,
    host: str,
    port: int,
    base_runs_dir: str | None,
    auto_refresh_seconds: int,
    token: str | None,
    token_file: Path | None,
    allow_host: tuple[str, ...],
    kernels: int | None,
) -> None:
    """Serve the read-only dashboard until Ctrl-C."""
    shown = find_token(token, token_file)
    forget_secrets()
    if base_runs_dir and not Path(base_runs_dir).is_dir():
        raise ConfigError(
            f"--base-runs-dir {base_runs_dir}: no such folder; leave it out for the workspace's live_runs"
        )
    from peaktrade_core.dashboard.server import serve

    workspace = Workspace(home, config, base_runs_dir)
    if not Registry.of(workspace).folder.is_dir() and not workspace.runs.is_dir():
        click.echo(
            f"nothing to show yet in {workspace.home}: `peaktrade session run` or `peaktrade demo` makes sessions"
        )
    serve(
        workspace,
        host=host,
        port=port,
        auto_refresh_seconds=auto_refresh_seconds,
        token=shown,
        allow_hosts=allow_host,
        kernels=kernels,
    )


def find_token(given: str | None, file: Path | None) -> str | None:
    """Return the token from the option, the file or the environment; None when there is none.

    Raises:
        ConfigError: two of them were given, the file cannot be read, or it is readable by everybody.
    """
    if given is not None and file is not None:
        raise ConfigError("give --token or --token-file, not both")
    if file is None:
        return os.environ.get(TOKEN) if given is None else given
    try:
        text = file.read_text(encoding="utf-8").strip()
        others = file.stat().st_mode & 0o077 if os.name == "posix" else 0
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file {file}: {error}") from None
    if others:
        raise ConfigError(f"--token-file {file} can be read by others; make it yours: chmod 600 {file}")
    return text


def forget_secrets() -> None:
    """Take out of this process's environment what a process that only reads never needs."""
    for name in list(os.environ):
        if name == TOKEN or name.upper().endswith(("_KEY", "_SECRET", "_TOKEN", "_PASSWORD")):
            del os.environ[name]
