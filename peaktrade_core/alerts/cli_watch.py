"""``peaktrade watch``: the process that looks after everything, and how others see that it runs."""

from __future__ import annotations

import signal
from types import FrameType

import click

from peaktrade_core.alerts.watcher import open_watcher, watch_of
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.show import wording
from peaktrade_core.show.table import Table
from peaktrade_core.show.terminal import say
from peaktrade_core.trading.market import parse_duration
from peaktrade_core.workspace.command import Answer, command
from peaktrade_core.workspace.workspace import Workspace

INTERVAL_S = 2.0


@click.command()
@click.option("--once", is_flag=True, help="Make one turn, deliver what is due, and end.")
@click.option("--interval", default="2s", show_default=True, metavar="TIME", help="Between two turns: 2s, 1m.")
@click.option("--no-jobs", is_flag=True, help="Leave the scheduler's jobs to `peaktrade schedule run`, or to cron.")
@click.option("--status", is_flag=True, help="Only say whether a watcher runs; exit code 1 when none does.")
@command
def watch(workspace: Workspace, once: bool, interval: str, no_jobs: bool, status: bool) -> Answer | None:
    """Look after everything: recover dead runs, ask the alert rules, act and tell, restart runs, do the scheduler's jobs.

    One watcher runs on a workspace. It may be killed at any moment; the next one goes on where it was.
    """
    if status:
        return _status(workspace)
    seconds = float(parse_duration(interval))
    if seconds > 60.0:
        raise ConfigError(f"interval {interval!r} is too long: alerts come within seconds; give at most 1m")
    watcher = open_watcher(workspace, seconds, once=once, jobs=not (once or no_jobs))

    def end(_: int, __: FrameType | None) -> None:
        watcher.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if not once:
        say(f"watching {workspace.home} every {seconds:g} s; Ctrl+C ends it", err=True)
    watcher.run(once=once)
    return None


def _status(workspace: Workspace) -> Answer:
    """Return whether a watcher runs, and what it saw."""
    found = watch_of(workspace)
    pairs: dict[str, object] = {"watcher": found.status}
    if (state := found.state) is not None:
        pairs |= {
            "last turn (UTC)": wording.moment(state.at),
            "since (UTC)": wording.moment(state.started_at),
            "process": state.pid,
            "turns": state.turns,
            "open alerts": state.open_alerts,
            "due deliveries": state.due,
            "scheduled jobs": "done by it" if state.jobs else "left to `peaktrade schedule run`",
            "faults": "; ".join(f"{name}: {fault}" for name, fault in state.faults.items()) or "none",
        }
    start = ["start one: peaktrade watch"] if found.status == "off" else []
    return Answer(found, [Table.pairs(pairs), *start], code=int(found.status != "running"))
