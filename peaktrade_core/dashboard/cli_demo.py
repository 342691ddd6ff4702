"""``peaktrade demo``."""

from __future__ import annotations

from functools import partial

import click

from peaktrade_core.runs.columns import RUNS, SESSIONS
from peaktrade_core.runs.run import verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.columns import print_columns
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@click.option("--no-serve", is_flag=True, help="Return at the end instead of serving the dashboard.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@workspace_options
def demo(home: str | None, config: str | None, no_serve: bool, port: int) -> int:
    """Run three sessions (fine, failing, blocked by risk), check and report them, and serve the dashboard."""
    from peaktrade_core.desk.demo import run_demo
    from peaktrade_core.runbooks.runbooks import run_runbooks

    workspace = Workspace(home, config)
    recover(workspace)
    click.echo("1. Three shadow sessions on the embedded market (no network, no keys)")
    outcomes = run_demo(partial(plan_session, workspace), Desk.of(workspace))
    print_columns(RUNS.table("Sessions", [run_of(o.record) for o in outcomes], SESSIONS))
    click.echo()
    for one in outcomes:
        verdict = verdict_of(run_of(one.record))
        click.echo(f"{verdict}  {one.title}" + (f": {verdict.why}" if verdict.why else ""))
    ended_as_meant = [o.record.status for o in outcomes] == ["completed", "failed", "completed"]
    first = outcomes[0].record.session_id
    click.echo("\n2. The post-session check and the report of the first, as notebooks without a person")
    for outcome in run_runbooks(("post_session_check", "session_report"), {"session_id": first}, workspace):
        click.echo(f"   {outcome.name}: {outcome.status} → {outcome.html}")
        ended_as_meant = ended_as_meant and outcome.status == "completed"
    click.echo(f"\n3. Look closer: peaktrade session show {first}")
    if not ended_as_meant:
        click.echo("error: the demo did not end as it should; the lines above say where", err=True)
        return 1
    if no_serve:
        click.echo("   then: peaktrade dashboard")
        return 0
    from peaktrade_core.dashboard.server import serve

    click.echo(f"   Dashboard: http://127.0.0.1:{port}/ (Ctrl-C ends it)")
    serve(workspace, host="127.0.0.1", port=port)
    return 0
