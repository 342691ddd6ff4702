"""Scheduled jobs as values: what a job is, which period a run stands for, and what the run log tells of it.

The run log is the truth: a start without an end is a run that still goes on, or one whose process died.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.typed import Checked
from peaktrade_core.schedule.periods import DAY, WEEK, span_of

LONG_AGO = datetime.min.replace(tzinfo=UTC)
SKEW = timedelta(minutes=1)  # what lies further ahead was written by a clock that was wrong
TIME = "time"  # what one run of a job stands for, if not a day or a week
MOMENT = "T"  # in the label of a moment, and of no day or week
COMPLETED, FAILED, TIMED_OUT, CRASHED, RUNNING = "completed", "failed", "timed_out", "crashed", "running"


class Period(msgspec.Struct, frozen=True):
    """What a run stands for, once: a day, an ISO week or a moment.

    Attributes:
        label: ``2026-01-04``, ``2026-W01`` or the moment itself; the same label is never worked off twice.
        due_at: when the schedule asked for it, aware UTC.
    """

    label: str
    due_at: datetime


class Job(Checked, frozen=True, kw_only=True):
    """One job of ``config/jobs.toml``.

    Attributes:
        cron: minute, hour, day, month, day of the week (by name), in the file's time zone.
        enabled: whether the scheduler looks at it.
        catch_up_days: missed periods of so many days are made up; 0: only the latest.
        timeout_s: a run is ended after this [s].
        retries: further attempts after a fault that can pass; retry_after_s: the wait before each [s].
    """

    cron: str
    enabled: bool = True
    catch_up_days: Annotated[int, Meta(ge=0, le=365)] = 0
    timeout_s: Annotated[float, Meta(ge=1.0, le=86_400.0)] = 600.0
    retries: Annotated[int, Meta(ge=0, le=20)] = 1
    retry_after_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 60.0


class JobLogEntry(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """A line of the run log: about which job, and when."""

    job: str
    at: datetime


class JobKnown(JobLogEntry, frozen=True, kw_only=True, tag="known"):
    """The scheduler met the job for the first time; nothing from before is made up."""


class JobStarted(JobLogEntry, frozen=True, kw_only=True, tag="started"):
    """A run began.

    Attributes:
        due_at: when it should have; attempt: 1 for the first; by: ``schedule`` or the person who asked.
    """

    run_id: str
    period: str
    due_at: datetime
    attempt: int
    by: str
    pid: int
    host: str


class JobEnded(JobLogEntry, frozen=True, kw_only=True, tag="ended"):
    """A run ended.

    Attributes:
        transient: whether another attempt can help; seconds: how long it took [s].
    """

    run_id: str
    status: str
    message: str
    transient: bool = False
    seconds: float | None = None


AnyEntry = JobKnown | JobStarted | JobEnded


class JobRun(msgspec.Struct, frozen=True):
    """A run of a job: its start, and its end where there is one.

    Attributes:
        by_then: it had begun by then, whatever the clock said: no later than what was written after it.
    """

    start: JobStarted
    end: JobEnded | None
    by_then: datetime

    @property
    def status(self) -> str:
        """How it ended; ``running`` without an end, which whoever knows the lock may correct to ``crashed``."""
        return self.end.status if self.end else RUNNING


class History:
    """What the log tells: the runs of each job, oldest first, and since when each is known.

    A clock may have been ahead when entries were written. Those that lie ahead of now are older than all others; one that
    stands before an entry of an earlier time was written no later than that.
    """

    def __init__(self, entries: Iterable[AnyEntry], now: datetime) -> None:
        """Read entries in the order in which they were written; ``now`` is aware UTC."""
        self.known: dict[str, datetime] = {}
        ends: dict[str, JobEnded] = {}
        written = list(entries)
        self._runs: dict[str, list[JobRun]] = {entry.job: [] for entry in written}
        latest = now
        for entry in reversed(written):
            latest = min(latest, entry.at)
            if entry.at <= now + SKEW:
                self.known[entry.job] = min(self.known.get(entry.job, entry.at), entry.at)
            if isinstance(entry, JobEnded):
                ends[entry.run_id] = entry
            elif isinstance(entry, JobStarted):
                self._runs[entry.job].append(JobRun(entry, ends.get(entry.run_id), latest))
        for runs in self._runs.values():
            runs.reverse()
            runs.sort(key=lambda run: run.start.at > now + SKEW, reverse=True)

    @property
    def jobs(self) -> list[str]:
        """The names of all jobs that the log tells of."""
        return list(self._runs)

    def undone(self, job: str, *, busy: bool) -> list[JobRun]:
        """Return the last run for each period that did not go well, oldest first; of moments only the newest counts.

        Args:
            job: its name; busy: whether a process works on it, so that a run without an end goes on. Else it crashed.
        """
        last: dict[str, JobRun] = {}
        for run in self.runs(job):
            if run.end or not busy:
                period = "" if MOMENT in run.start.period else run.start.period
                last.pop(period, None)  # tried again, it is the newest
                last[period] = run
        return [run for run in last.values() if run.status != COMPLETED]

    def runs(self, job: str) -> list[JobRun]:
        """Return the runs of a job, oldest first."""
        return list(self._runs.get(job, ()))

    def open(self, job: str) -> list[JobRun]:
        """Return the runs of a job that have no end."""
        return [run for run in self.runs(job) if run.end is None]

    def attempts(self, job: str, label: str, since: datetime = LONG_AGO) -> list[JobRun]:
        """Return the attempts at one period, without those before its time, made by a clock that was ahead.

        Args:
            job: its name; label: of the period; since: from when on a run can stand for it, aware UTC.
        """
        return [run for run in self.runs(job) if run.start.period == label and run.by_then >= since]

    def settled(self, name: str, job: Job, label: str, since: datetime) -> bool:
        """Return whether nothing is left to do for a period: it was done, or has failed for good."""
        attempts = self.attempts(name, label, since)
        if any(run.status == COMPLETED for run in attempts):
            return True
        ended = [run.end for run in attempts if run.end]
        return bool(ended) and (not ended[-1].transient or len(ended) > job.retries)

    def retry_at(self, name: str, job: Job, label: str, since: datetime, now: datetime) -> datetime:
        """Return when a period may be tried again: ``now`` when it was not tried yet, or ended ahead of now."""
        ended = [run.end.at for run in self.attempts(name, label, since) if run.end]
        if not ended or ended[-1] > now:
            return now
        return ended[-1] + timedelta(seconds=job.retry_after_s)


def label_of(kind: str, due_at: datetime) -> str:
    """Return what a run that is due at a moment stands for: the UTC day or ISO week before it, or the moment itself."""
    if kind in (DAY, WEEK):
        return span_of(kind, as_utc(due_at)).before.label
    return as_utc(due_at).isoformat(timespec="minutes")


def counts_from(kind: str, due_at: datetime, next_at: datetime) -> datetime:
    """Return from when on a run can stand for what is due at a moment, aware UTC.

    A day's or week's from its end on. A moment's from half-way before it on: less tells a clock that was set back a little
    after the run, for which it is not done again, from one that was ahead when it ran.
    """
    return (span_of(kind, due_at).since if kind in (DAY, WEEK) else due_at - (next_at - due_at) / 2) - SKEW


def due_periods(job: Job, kind: str, times: Iterable[datetime]) -> list[Period]:
    """Return the periods for which a job was asked, oldest first: all of them, or the latest where none is made up.

    Args:
        job: its settings; kind: what one run stands for.
        times: when its schedule asked for it since it is known, aware UTC, rising, none ahead of now.
    """
    wanted: dict[str, Period] = {}
    for at in times:
        label = label_of(kind, at)
        wanted.setdefault(label, Period(label, at))
    periods = list(wanted.values())
    return periods if job.catch_up_days else periods[-1:]
