"""``peaktrade watch``: the process that looks after everything, and how others see that it runs."""

from __future__ import annotations

import signal
from types import FrameType

import click

from peaktrade_core.alerts.watcher import open_watcher, watch_of
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs
from peaktrade_core.trading.market import parse_duration
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

INTERVAL_S = 2.0


@click.command()
@click.option("--once", is_flag=True, help="Make one turn, deliver what is due, and end.")
@click.option("--interval", default="2s", show_default=True, metavar="TIME", help="Between two turns: 2s, 1m.")
@click.option("--no-jobs", is_flag=True, help="Leave the scheduler's jobs to `peaktrade schedule run`, or to cron.")
@click.option("--status", is_flag=True, help="Only say whether a watcher runs; exit code 1 when none does.")
@click.option("--json", "as_json", is_flag=True, help="With --status: print JSON.")
@workspace_options
def watch(
    home: str | None, config: str | None, once: bool, interval: str, no_jobs: bool, status: bool, as_json: bool
) -> int:
    """Look after everything: recover dead runs, ask the alert rules, act and tell, restart runs, do the scheduler's jobs.

    One watcher runs on a workspace. It may be killed at any moment; the next one goes on where it was.
    """
    workspace = Workspace(home, config)
    if status:
        return _show(workspace, as_json)
    seconds = float(parse_duration(interval))
    if seconds > 60.0:
        raise ConfigError(f"interval {interval!r} is too long: alerts come within seconds; give at most 1m")
    watcher = open_watcher(workspace, seconds, jobs=not (once or no_jobs))

    def end(_: int, __: FrameType | None) -> None:
        watcher.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if not once:
        click.echo(f"watching {workspace.home} every {seconds:g} s; Ctrl+C ends it", err=True)
    watcher.run(once=once)
    return 0


def _show(workspace: Workspace, as_json: bool) -> int:
    found = watch_of(workspace)
    if as_json:
        print_json(found)
    elif found.state is None:
        click.echo(f"watcher: {found.status}")
    else:
        state = found.state
        print_pairs(
            {
                "watcher": found.status,
                "last turn (UTC)": wording.moment(state.at),
                "since (UTC)": wording.moment(state.started_at),
                "process": state.pid,
                "turns": state.turns,
                "open alerts": state.open_alerts,
                "due deliveries": state.due,
                "scheduled jobs": "done by it" if state.jobs else "left to `peaktrade schedule run`",
                "faults": "; ".join(f"{name}: {fault}" for name, fault in state.faults.items()) or "none",
            }
        )
    if found.status == "off":
        click.echo("start one: peaktrade watch")
    return 0 if found.status == "running" else 1
