"""``peaktrade dashboard``, ``export``, what it shows as files, and ``demo``."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from peaktrade_core.base.errors import ConfigError, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.records.registry import Registry
from peaktrade_core.show.logs import speak_as_service
from peaktrade_core.show.terminal import print_table, say
from peaktrade_core.workspace.command import CommandResult, command, with_workspace
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
@with_workspace
def dashboard(
    workspace: Workspace,
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
    speak_as_service("dashboard", (shown, token))
    forget_secrets()
    if base_runs_dir:
        if not Path(base_runs_dir).is_dir():
            raise ConfigError(
                f"--base-runs-dir {base_runs_dir}: no such folder; leave it out for the workspace's live_runs"
            )
        workspace = Workspace(workspace.home, workspace.config_path, base_runs_dir)
    from peaktrade_core.dashboard.server import serve

    if not Registry.of(workspace).folder.is_dir() and not workspace.runs.is_dir():
        say(f"nothing to show yet in {workspace.home}: `peaktrade session run` or `peaktrade demo` makes sessions")
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
        text = read_plain(file).decode().strip()
        others = file.stat().st_mode & 0o077 if os.name == "posix" else 0
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--token-file {file}: {why(error)}") from None
    if others:
        raise ConfigError(f"--token-file {file} can be read by others; make it yours: chmod 600 {file}")
    return text


def forget_secrets() -> None:
    """Take out of this process's environment what a process that only reads never needs."""
    for name in list(os.environ):
        if name == TOKEN or name.upper().endswith(("_KEY", "_SECRET", "_TOKEN", "_PASSWORD")):
            del os.environ[name]


@click.group()
def export() -> None:
    """Write what the dashboard shows as files; no server is needed."""


@export.command("dashboard")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder; else out/operator_dashboard.")
@click.option("--run-id", help="The run of run_*.json; else the first of the list.")
@command
def export_all(workspace: Workspace, out: Path | None, run_id: str | None) -> CommandResult:
    """Write status, sessions, runs and one run. File names hold no time: copy them away to keep them."""
    from peaktrade_core.dashboard.export import export_dashboard

    folder = out or workspace.home / "out" / "operator_dashboard"
    paths = [str(path) for path in export_dashboard(workspace, folder, run_id)]
    return CommandResult({"files": paths}, paths)


@export.command("page")
@click.argument("name")
@click.option("--query", default="", help="The page's query string, as in its URL: mode=shadow&status=failed.")
@click.option("--id", "subject", help="The session or run of a page about one: session, run.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="File; else out/operator_dashboard/NAME.html."
)
@command
def export_one(workspace: Workspace, name: str, query: str, subject: str | None, out: Path | None) -> CommandResult:
    """Write page NAME as one HTML file that needs no server, script or other file."""
    from peaktrade_core.dashboard.export import export_page

    path = str(export_page(workspace, name, query.lstrip("?"), subject, out))
    return CommandResult({"files": [path]}, path)


@click.command()
@click.option("--no-serve", is_flag=True, help="Return at the end instead of serving the dashboard.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@with_workspace
def demo(workspace: Workspace, no_serve: bool, port: int) -> int:
    """Run three sessions (fine, failing, blocked by risk), check and report them, and serve the dashboard."""
    from peaktrade_core.desk.demo import run_demo
    from peaktrade_core.runbooks.runbooks import run_runbooks
    from peaktrade_core.runs.columns import RUNS, SESSIONS
    from peaktrade_core.runs.run import verdict_of
    from peaktrade_core.runs.standing import run_of
    from peaktrade_core.session.plan import Desk
    from peaktrade_core.session.planning import plan_session
    from peaktrade_core.session.recovery import recover

    recover(workspace)
    say("1. Three shadow sessions on the embedded market (no network, no keys)")
    outcomes = run_demo(partial(plan_session, workspace), Desk.of(workspace))
    print_table(RUNS.table("", [run_of(o.record) for o in outcomes], SESSIONS))
    say("")
    for one in outcomes:
        verdict = verdict_of(run_of(one.record))
        say(f"{verdict}  {one.title}" + (f": {verdict.why}" if verdict.why else ""))
    ended_as_meant = [o.record.status for o in outcomes] == ["completed", "failed", "completed"]
    first = outcomes[0].record.session_id
    say("\n2. The post-session check and the report of the first, as notebooks without a person")
    for outcome in run_runbooks(("post_session_check", "session_report"), {"session_id": first}, workspace):
        say(f"   {outcome.name}: {outcome.status} → {outcome.html}")
        ended_as_meant = ended_as_meant and outcome.status == "completed"
    say(f"\n3. Look closer: peaktrade session show {first}")
    if not ended_as_meant:
        say("error: the demo did not end as it should; the lines above say where", err=True)
        return 1
    if no_serve:
        say("   then: peaktrade dashboard")
        return 0
    from peaktrade_core.dashboard.server import serve

    say(f"   Dashboard: http://127.0.0.1:{port}/ (Ctrl-C ends it)")
    serve(workspace, host="127.0.0.1", port=port)
    return 0
