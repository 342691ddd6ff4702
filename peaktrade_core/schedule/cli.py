"""``peaktrade schedule``: daily and weekly reports, alert checks, retention and what else runs by the clock."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from functools import partial

import click

from peaktrade_core.base.environment import login
from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.schedule.schedule import JobState
from peaktrade_core.show import wording
from peaktrade_core.show.logs import in_json, speak_as_service
from peaktrade_core.show.table import BAD, GOOD, Cell, Column, Columns
from peaktrade_core.show.terminal import say
from peaktrade_core.workspace.command import CommandResult, Part, command, with_workspace
from peaktrade_core.workspace.workspace import Workspace

ALARM_S = 60  # a worker whose scheduler is gone ends this long after its time limit [s]


@click.group()
def schedule() -> None:
    """Run what runs by the clock; say what ran, what failed and what is due."""


@schedule.command()
@click.option("--once", is_flag=True, help="Work off what is due now and return; for cron or a systemd timer.")
@with_workspace
def run(workspace: Workspace, once: bool) -> int:
    """Do only the jobs, which `peaktrade watch` does, too: what was missed, then whatever becomes due, until Ctrl-C.

    Exit code 1 when a job failed.
    """
    from peaktrade_core.schedule.schedule import ALONE

    speak_as_service("schedule")
    from peaktrade_core.schedule.scheduler import Scheduler, start_job

    plan = open_schedule(workspace)
    if running := plan.runner():
        _tell(f"`{running}` runs the jobs of this workspace already; each period is done once all the same")
    scheduler = Scheduler(plan, partial(start_job, workspace), _tell, called="" if once else ALONE)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: scheduler.stop())
    if not once:
        enabled = sum(job.enabled for job in plan.jobs.values())
        _tell(
            f"{wording.many(enabled, 'job')}, times in {plan.zone.key}; Ctrl-C ends the scheduler, not what it has started"
        )
    scheduler.run(once=once)
    return 1 if scheduler.failed else 0


@schedule.command("list")
@command
def list_jobs(workspace: Workspace) -> CommandResult:
    """List the jobs: what each does, when it is due, how it ran last."""
    states = open_schedule(workspace).states()
    return CommandResult(states, JOBS.table("", states, "job when next last period purpose"))


@schedule.command()
@command
def status(workspace: Workspace) -> CommandResult:
    """Show the last run of each job and what is missing; exit code 1 when one failed or is overdue."""
    plan = open_schedule(workspace)
    states = [state for state in plan.states() if state.enabled]
    bad = any(s.overdue or s.status in BAD_ENDS for s in states)
    shown: list[Part] = [JOBS.table("", states, "job last period started took good missing message")]
    running = plan.runner()
    shown.append(f"`{running}` runs the jobs" if running else "nothing runs the jobs now: start `peaktrade watch`")
    if any(s.missing for s in states):
        shown.append("`peaktrade schedule run --once` works off what is not done")
    return CommandResult(states, shown, code=int(bad))


def _missing(state: JobState) -> Cell:
    """Return the periods that are due and not done."""
    return Cell(", ".join(state.missing) + " overdue" * state.overdue, BAD if state.overdue else "")


BAD_ENDS = (jb.FAILED, jb.TIMED_OUT, jb.CRASHED)
JOBS = Columns[JobState](
    job=Column("Job"),
    when=Column("When", lambda s: s.cron if s.enabled else f"{s.cron} (disabled)", priority=1),
    next=Column("Next (UTC)", lambda s: wording.minute(s.next_at)),
    last=Column("Last", lambda s: Cell(s.status, BAD if s.status in BAD_ENDS else GOOD * (s.status == jb.COMPLETED))),
    period=Column("For", lambda s: s.last_period, priority=1),
    started=Column("Started (UTC)", lambda s: s.last_at, priority=2),
    took=Column("Took", lambda s: wording.duration(s.last_seconds), "number", 2),
    good=Column("Last good (UTC)", lambda s: s.done_at, priority=1),
    missing=Column("Not done yet", _missing, "words"),
    message=Column("Message", lambda s: Cell(s.last_message), "words"),
    purpose=Column("What it does", form="words"),
)


@schedule.command("next")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@command
def next_runs(workspace: Workspace, limit: int) -> CommandResult:
    """Show what is due next, and when: in UTC and in the schedule's own time zone."""
    plan = open_schedule(workspace)
    columns = Columns[tuple[str, datetime]](
        at=Column("At (UTC)", lambda one: wording.minute(one[1])),
        local=Column(f"At ({plan.zone.key})", lambda one: f"{one[1].astimezone(plan.zone):%a %Y-%m-%d %H:%M}"),
        job=Column("Job", lambda one: one[0]),
    )
    coming = plan.coming(limit)
    return CommandResult([{"job": name, "at": at} for name, at in coming], columns.table("", coming))


@schedule.command("run-now")
@click.argument("job")
@click.option("--period", help="A day or week, 2026-01-04 or 2026-W01, instead of the one that is due.")
@click.option("--by", default=login, show_default="your login", help="Who you are.")
@command
def run_now(workspace: Workspace, job: str, period: str | None, by: str) -> CommandResult:
    """Run JOB now, for the period that is due at this moment, also when that was done already."""
    plan = open_schedule(workspace)
    end = plan.work(job, plan.period_named(job, period) if period else plan.period_now(job), by, again=True)
    if end is None:
        running = f"{job} is running already; `peaktrade schedule status` shows it"
        return CommandResult(None, code=1, notes=[running])
    return CommandResult(end, f"{job}: {end.status}, {end.message}", code=int(end.status != jb.COMPLETED))


@schedule.command(hidden=True)
@click.argument("job")
@click.argument("label")
@click.argument("due_at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]))
@with_workspace
def work(workspace: Workspace, job: str, label: str, due_at: datetime) -> int:
    """Work off one period of a job; what the scheduler starts."""
    from peaktrade_core.schedule.scheduler import BUSY

    plan = open_schedule(workspace)
    if hasattr(signal, "SIGALRM"):  # should our scheduler be killed, nobody else ends us
        signal.alarm(int(plan.job(job).timeout_s) + ALARM_S)
    end = plan.work(job, jb.Period(label, due_at), "schedule")
    if end is None:
        return BUSY
    say(f"{job} {label}: {end.status}, {end.message}")
    return 0 if end.status == jb.COMPLETED else 1


def _tell(line: str) -> None:
    """Say what happens, with the time, which a line of JSON has anyway."""
    say(line if in_json() else f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}")
