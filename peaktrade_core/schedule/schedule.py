"""The schedule as a service: which jobs there are, what is due, what ran, and working one period off.

A job is a named thing that peaktrade knows; the file only says when. The kinds of jobs are given by whoever calls.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from peaktrade_core.base.clock import Clock, as_utc, iso
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, ExchangeError, UnknownNameError
from peaktrade_core.base.files import read_toml
from peaktrade_core.base.log import append_line
from peaktrade_core.base.typed import Checked, read
from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_log import RunLog, next_time, times_between, trigger
from peaktrade_core.schedule.periods import span_named

JOBS_FILE = Path("config") / "jobs.toml"
CRASHED = "the process of the run ended without a word"
WATCH, ALONE = "watch", "schedule-run"
RUNNERS = {WATCH: "peaktrade watch", ALONE: "peaktrade schedule run"}
"""What runs jobs, by the lock that it holds while it does: no job has such a name."""
LOOK_BACK = timedelta(days=8)  # of a job that makes up only the latest period


class JobResult(NamedTuple):
    """What a job did: whether it went well, and one sentence."""

    ok: bool
    message: str


class JobKind(NamedTuple):
    """A job that peaktrade knows.

    Attributes:
        purpose: one sentence; period: what one run stands for, ``day``, ``week`` or ``time``.
        work: does it for one period.
    """

    purpose: str
    period: str
    work: Callable[[jb.Period], JobResult]


class JobsFile(Checked, frozen=True):
    """``config/jobs.toml``."""

    time_zone: str = "Europe/Berlin"
    jobs: dict[str, jb.Job] = msgspec.field(default_factory=dict)


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """How a job stands, for lists and alert rules.

    Attributes:
        status: of the last run: completed, failed, timed_out, crashed, running, or ``never``.
        last_period, last_at, last_message, last_seconds: of that run.
        done_at: end of the last run that went well; next_at: when it is due next, None when disabled.
        missing: periods that are due and not done, oldest first; overdue: whether one waits longer than a run may take.
    """

    job: str
    purpose: str
    enabled: bool
    cron: str
    status: str
    last_period: str | None
    last_at: datetime | None
    last_message: str
    last_seconds: float | None
    done_at: datetime | None
    next_at: datetime | None
    missing: tuple[str, ...]
    overdue: bool


def read_jobs(path: Path, kinds: Mapping[str, JobKind]) -> JobsFile:
    """Read the jobs.

    Raises:
        ConfigError: the file is missing, no TOML, or holds a wrong key, value or schedule; names file and key.
        UnknownNameError: a job that peaktrade does not know.
    """
    if not path.exists():
        raise ConfigError(f"{path} does not exist; `peaktrade init` writes one into a new workspace")
    raw = read_toml(path)
    try:
        found = read(raw, JobsFile)
        zone = ZoneInfo(found.time_zone)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"{path}: time_zone must be a name such as Europe/Berlin or UTC") from None
    for name, job in found.jobs.items():
        if name not in kinds:
            raise UnknownNameError("job", name, list(kinds), f"{path} names it; peaktrade schedule list")
        try:
            trigger(job.cron, zone)
        except ConfigError as error:
            raise ConfigError(f"{path}: jobs.{name}: {error}") from None
    return found


class Schedule:
    """The schedule of one workspace.

    Attributes:
        jobs: the enabled and disabled jobs of the file; log: of their runs.
    """

    def __init__(self, home: Path, path: Path, kinds: Mapping[str, JobKind], clock: Clock) -> None:
        """Read the jobs; raises as :func:`read_jobs`."""
        read = read_jobs(path, kinds)
        self.jobs, self.kinds = read.jobs, kinds
        self.zone = ZoneInfo(read.time_zone)
        self.log = RunLog(home / "reports" / "schedule", clock)
        self._operations = home / "logs" / "operations.log"
        self._clock = clock

    def now(self) -> datetime:
        """Return the time."""
        return self._clock.now()

    @contextmanager
    def run_by(self, called: str) -> Iterator[None]:
        """Have others see inside the block that one of :data:`RUNNERS` runs the jobs; an empty name shows nothing."""
        with self.log.lock(called, 0.2) if called else nullcontext():
            yield

    def runner(self) -> str:
        """Return the command that runs the jobs at this moment, empty when none does."""
        return next((command for called, command in RUNNERS.items() if self.log.busy(called)), "")

    def job(self, name: str) -> jb.Job:
        """Return a job of the file.

        Raises:
            UnknownNameError: it is not there.
        """
        if name not in self.jobs:
            raise UnknownNameError("job", name, list(self.jobs), "peaktrade schedule list")
        return self.jobs[name]

    def meet(self) -> None:
        """Note the jobs that the log does not know yet: from now on their periods count."""
        history, now = self.log.history(), self._clock.now()
        for name, job in self.jobs.items():
            if job.enabled and name not in history.known:
                self.log.append(jb.JobKnown(job=name, at=now))

    def due(self, name: str, history: jb.History | None = None) -> list[jb.Period]:
        """Return the periods that a job has to work off now, oldest first; none for one that was never met."""
        job, now = self.job(name), self._clock.now()
        history = history or self.log.history()
        known = history.known.get(name)
        if known is None or not job.enabled:
            return []
        since = max(known, now - (timedelta(days=job.catch_up_days) if job.catch_up_days else LOOK_BACK))
        times = times_between(trigger(job.cron, self.zone), since, now)
        periods = jb.due_periods(job, self.kinds[name].period, times)
        return [one for one in periods if (at := self._due_at(name, one, history, now)) is not None and at <= now]

    def retry_at(self, name: str, periods: Iterable[jb.Period]) -> datetime | None:
        """Return when the first of some periods that failed is to be tried again, None when none is."""
        history, now = self.log.history(), self._clock.now()
        waiting = (
            self._due_at(name, period, history, now) for period in periods if history.attempts(name, period.label)
        )
        return min((at for at in waiting if at), default=None)

    def _due_at(self, name: str, period: jb.Period, history: jb.History, now: datetime) -> datetime | None:
        """Return when a period is to be worked off, None when nothing is left to do for it."""
        job, since = self.job(name), self._counts_from(name, period)
        if history.settled(name, job, period.label, since):
            return None
        return history.retry_at(name, job, period.label, since, now)

    def _counts_from(self, name: str, period: jb.Period) -> datetime:
        """Return from when on a run can stand for a period."""
        due_at = as_utc(period.due_at)
        return jb.counts_from(
            self.kinds[name].period, due_at, next_time(trigger(self.job(name).cron, self.zone), due_at)
        )

    def coming(self, limit: int) -> list[tuple[str, datetime]]:
        """Return which enabled jobs are due next and when, earliest first."""
        now = self.now()
        until = now + timedelta(days=366)
        upcoming = (
            [(name, at) for at in islice(times_between(trigger(job.cron, self.zone), now, until), limit)]
            for name, job in self.jobs.items()
            if job.enabled
        )
        return sorted((one for times in upcoming for one in times), key=lambda one: one[1])[:limit]

    def period_now(self, name: str) -> jb.Period:
        """Return the period that a job would work off if it were due at this moment."""
        self.job(name)
        now, kind = self._clock.now(), self.kinds[name].period
        return jb.Period(now.isoformat(timespec="milliseconds") if kind == jb.TIME else jb.label_of(kind, now), now)

    def period_named(self, name: str, label: str) -> jb.Period:
        """Return the day or week of that name, for a job that stands for one.

        Raises:
            UnknownNameError: there is no such job.
            ConfigError: the job stands for a moment, or there is no such day or week.
        """
        self.job(name)
        kind = self.kinds[name].period
        if kind == jb.TIME:
            raise ConfigError(f"{name} stands for the moment at which it runs; leave the period out")
        return jb.Period(span_named(kind, label, self.now()).label, self.now())

    def states(self) -> list[JobState]:
        """Return how each job stands."""
        history = self.log.history()
        return [self._state(name, job, history) for name, job in self.jobs.items()]

    def _state(self, name: str, job: jb.Job, history: jb.History) -> JobState:
        runs, now = history.runs(name), self._clock.now()
        last = runs[-1] if runs else None
        status = last.status if last else "never"
        if status == jb.RUNNING and not self.log.busy(name):
            status = jb.CRASHED
        done = [run.end.at for run in runs if run.end and run.end.status == jb.COMPLETED]
        missing = self.due(name, history)
        patience = timedelta(seconds=(job.timeout_s + job.retry_after_s) * (job.retries + 1))
        return JobState(
            job=name,
            purpose=self.kinds[name].purpose,
            enabled=job.enabled,
            cron=job.cron,
            status=status,
            last_period=last.start.period if last else None,
            last_at=last.start.at if last else None,
            last_message=(last.end.message if last.end else "" if status == jb.RUNNING else CRASHED) if last else "",
            last_seconds=last.end.seconds if last and last.end else None,
            done_at=done[-1] if done else None,
            next_at=next_time(trigger(job.cron, self.zone), now) if job.enabled else None,
            missing=tuple(period.label for period in missing),
            overdue=any(now - period.due_at > patience for period in missing),
        )

    def work(self, name: str, period: jb.Period, by: str, *, again: bool = False) -> jb.JobEnded | None:
        """Work one period off in this process and return how it ended.

        Args:
            name: the job.
            period: for which to run it.
            by: ``schedule``, or who asked.
            again: also when the period was done already.

        Returns:
            The end, or None when another process is at it or was faster.
        """
        job = self.job(name)
        with self.log.lock(name) as mine:
            if not mine:
                return None
            self.bury(name, jb.CRASHED, CRASHED)
            history = self.log.history()
            if not again and history.settled(name, job, period.label, self._counts_from(name, period)):
                return None
            start = self._begin(name, period, len(history.attempts(name, period.label)) + 1, by)
            began = time.monotonic()
            try:
                done, transient = self.kinds[name].work(period), False
            except Exception as fault:  # whatever a job does, its record says so
                done, transient = JobResult(False, f"{type(fault).__name__}: {fault}"), _passes(fault)
            status = jb.COMPLETED if done.ok else jb.FAILED
            return self._end(start, status, done.message, transient=transient, seconds=time.monotonic() - began)

    def bury(self, name: str, status: str, message: str) -> None:
        """End the runs of a job that have no end; its lock must be held, so that they cannot be running."""
        for run in self.log.history().open(name):
            self._end(run.start, status, message, transient=True, seconds=None)

    def _begin(self, name: str, period: jb.Period, attempt: int, by: str) -> jb.JobStarted:
        now = self._clock.now()
        start = jb.JobStarted(
            job=name,
            at=now,
            run_id=f"{name}_{period.label}_{attempt}_{now:%Y%m%dT%H%M%S%f}",
            period=period.label,
            due_at=period.due_at,
            attempt=attempt,
            by=by,
            pid=os.getpid(),
            host=socket.gethostname(),
        )
        self.log.append(start)
        return start

    def _end(
        self, start: jb.JobStarted, status: str, message: str, *, transient: bool, seconds: float | None
    ) -> jb.JobEnded:
        now = self._clock.now()
        end = jb.JobEnded(
            job=start.job,
            at=now,
            run_id=start.run_id,
            status=status,
            message=message,
            transient=transient,
            seconds=None if seconds is None else round(seconds, 3),
        )
        self.log.append(end)
        if status != jb.COMPLETED or self.kinds[start.job].period != jb.TIME:  # every few minutes would be noise
            words = f"{iso(now)} schedule {start.job} {status} for {start.period} by {start.by}: {message}"
            append_line(self._operations, words)
        return end


def _passes(fault: Exception) -> bool:
    """Return whether a fault may pass by itself: the machine's or the network's, not a wrong setting."""
    if isinstance(fault, ExchangeError):
        return fault.retryable
    return isinstance(fault, (EnvironmentFault, OSError))
