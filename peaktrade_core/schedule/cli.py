"""``peaktrade schedule``: daily and weekly reports, alert checks, retention and what else runs by the clock."""

from __future__ import annotations

import getpass
import signal
from datetime import UTC, datetime
from functools import partial

import click

from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

STYLES = {
    jb.COMPLETED: "green",
    jb.RUNNING: "blue",
    "never": "",
    jb.FAILED: "red",
    jb.TIMED_OUT: "red",
    jb.CRASHED: "red",
}
ALARM_S = 60  # a worker whose scheduler is gone ends this long after its time limit [s]


@click.group()
def schedule() -> None:
    """Run what runs by the clock; say what ran, what failed and what is due."""


@schedule.command()
@click.option("--once", is_flag=True, help="Work off what is due now and return; for cron or a systemd timer.")
@workspace_options
def run(home: str | None, config: str | None, once: bool) -> int:
    """Do only the jobs, which `peaktrade watch` does, too: what was missed, then whatever becomes due, until Ctrl-C.

    Exit code 1 when a job failed.
    """
    from peaktrade_core.schedule.schedule import ALONE
    from peaktrade_core.schedule.scheduler import Scheduler, start_job

    workspace = Workspace(home, config)
    plan = open_schedule(workspace)
    if running := plan.runner():
        _tell(f"`{running}` runs the jobs of this workspace already; each period is done once all the same")
    scheduler = Scheduler(plan, partial(start_job, workspace), _tell, called="" if once else ALONE)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: scheduler.stop())
    if not once:
        enabled = sum(job.enabled for job in plan.jobs.values())
        _tell(f"{enabled} jobs, times in {plan.zone.key}; Ctrl-C ends the scheduler, not what it has started")
    scheduler.run(once=once)
    return 1 if scheduler.failed else 0


@schedule.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def list_jobs(home: str | None, config: str | None, as_json: bool) -> None:
    """List the jobs: what each does, when it is due, how it ran last."""
    states = open_schedule(Workspace(home, config)).states()
    if as_json:
        print_json(states)
        return
    print_table(
        ("JOB", "WHEN", "NEXT (UTC)", "LAST", "FOR", "WHAT IT DOES"),
        (
            (
                s.job,
                s.cron if s.enabled else f"{s.cron} (disabled)",
                wording.minute(s.next_at),
                (s.status, STYLES[s.status]),
                s.last_period or wording.NOTHING,
                s.purpose,
            )
            for s in states
        ),
    )


@schedule.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def status(home: str | None, config: str | None, as_json: bool) -> int:
    """Show the last run of each job and what is missing; exit code 1 when one failed or is overdue."""
    plan = open_schedule(Workspace(home, config))
    states = [state for state in plan.states() if state.enabled]
    bad = [s for s in states if s.overdue or s.status in (jb.FAILED, jb.TIMED_OUT, jb.CRASHED)]
    if as_json:
        print_json(states)
        return 1 if bad else 0
    print_table(
        ("JOB", "LAST", "FOR", "STARTED (UTC)", "TOOK", "LAST GOOD (UTC)", "NOT DONE YET", "MESSAGE"),
        (
            (
                s.job,
                (s.status, STYLES[s.status]),
                s.last_period or wording.NOTHING,
                wording.moment(s.last_at),
                wording.duration(s.last_seconds),
                wording.moment(s.done_at),
                (", ".join(s.missing) + (" overdue" if s.overdue else ""), "red" if s.overdue else ""),
                s.last_message,
            )
            for s in states
        ),
        right=("TOOK",),
    )
    running = plan.runner()
    click.echo(f"`{running}` runs the jobs" if running else "nothing runs the jobs now: start `peaktrade watch`")
    if any(s.missing for s in states):
        click.echo("`peaktrade schedule run --once` works off what is not done")
    return 1 if bad else 0


@schedule.command("next")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def next_runs(home: str | None, config: str | None, limit: int, as_json: bool) -> None:
    """Show what is due next, and when: in UTC and in the schedule's own time zone."""
    plan = open_schedule(Workspace(home, config))
    coming = plan.coming(limit)
    if as_json:
        print_json([{"job": name, "at": at} for name, at in coming])
        return
    print_table(
        ("AT (UTC)", f"AT ({plan.zone.key})", "JOB"),
        ((wording.minute(at), f"{at.astimezone(plan.zone):%a %Y-%m-%d %H:%M}", name) for name, at in coming),
    )


@schedule.command("run-now")
@click.argument("job")
@click.option("--period", help="A day or week, 2026-01-04 or 2026-W01, instead of the one that is due.")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who you are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def run_now(home: str | None, config: str | None, job: str, period: str | None, by: str, as_json: bool) -> int:
    """Run JOB now, for the period that is due at this moment, also when that was done already."""
    plan = open_schedule(Workspace(home, config))
    end = plan.work(job, plan.period_named(job, period) if period else plan.period_now(job), by, again=True)
    if end is None:
        click.echo(f"{job} is running already; `peaktrade schedule status` shows it", err=True)
        return 1
    if as_json:
        print_json(end)
    else:
        click.echo(f"{job}: {end.status}, {end.message}")
    return 0 if end.status == jb.COMPLETED else 1


@schedule.command(hidden=True)
@click.argument("job")
@click.argument("label")
@click.argument("due_at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]))
@workspace_options
def work(home: str | None, config: str | None, job: str, label: str, due_at: datetime) -> int:
    """Work off one period of a job; what the scheduler starts."""
    from peaktrade_core.schedule.scheduler import BUSY

    plan = open_schedule(Workspace(home, config))
    if hasattr(signal, "SIGALRM"):  # should our scheduler be killed, nobody else ends us
        signal.alarm(int(plan.job(job).timeout_s) + ALARM_S)
    end = plan.work(job, jb.Period(label, due_at), "schedule")
    if end is None:
        return BUSY
    click.echo(f"{job} {label}: {end.status}, {end.message}")
    return 0 if end.status == jb.COMPLETED else 1


def _tell(line: str) -> None:
    """Say what happens, with the time."""
    click.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}")
