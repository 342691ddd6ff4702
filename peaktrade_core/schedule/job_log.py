"""The scheduler's files: the run log, one a month and only ever appended to, the lock of each job, and cron's times.

A job's lock is held by the process that works, so it ends with it: whoever holds it may say that an earlier run without
an end has crashed. The times of a schedule are APScheduler's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.base.clock import Clock, as_utc
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.files import found_in
from peaktrade_core.base.log import append_record, whole_lines
from peaktrade_core.base.processes import is_locked
from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.schedule.jobs import AnyEntry, History

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

FILES = 2  # newest months that are looked at
FIELDS = "minute, hour, day, month, day of the week (by name: mon-fri)"
MOST_TIMES = 20_000  # of a schedule that are looked at


class RunLog:
    """The run log in ``reports/schedule``; ``clock`` tells which of its entries lie ahead."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder, self._clock = folder, clock or SystemClock()
        self._kept: tuple[list[tuple[Path, int, int]], History] | None = None

    def append(self, entry: AnyEntry) -> None:
        """Add an entry.

        Raises:
            EnvironmentFault: the log cannot be written.
        """
        path = self.folder / f"runs-{as_utc(entry.at):%Y-%m}.jsonl"
        append_record(path, msgspec.json.encode(entry))

    def history(self) -> History:
        """Return what the newest months tell, read again only when it grew; an unreadable line is passed over.

        Raises:
            EnvironmentFault: a file cannot be read.
        """
        now = self._clock.now()
        this_month = f"runs-{as_utc(now):%Y-%m}.jsonl"
        past = [path for path in self.files() if path.name <= this_month]
        versions = [_version(path) for path in (*past[-FILES:], *self.files()[len(past) :])]
        if self._kept is None or self._kept[0] != versions:
            self._kept = versions, History((entry for path, _, _ in versions for entry in _entries(path)), now)
        return self._kept[1]

    def files(self) -> list[Path]:
        """Return the files of the log, oldest first."""
        return found_in(self.folder, "runs-????-??.jsonl")

    @contextmanager
    def lock(self, job: str, wait_s: float = 1.0) -> Iterator[bool]:
        """Hold a job's lock inside the block; yields False when another process works on it.

        Args:
            job: its name.
            wait_s: how long to try [s]; whoever only asks is in its way for less.

        Raises:
            EnvironmentFault: the lock cannot be made.
        """
        lock = self._lock(job)
        try:
            lock.acquire(timeout=wait_s)
        except Timeout:
            yield False
            return
        except OSError as error:
            raise EnvironmentFault(f"cannot lock {lock.lock_file}: {why(error)}") from error
        try:
            yield True
        finally:
            lock.release()

    def busy(self, job: str) -> bool:
        """Return whether a process works on the job."""
        return is_locked(self._lock_file(job))

    def _lock_file(self, job: str) -> Path:
        return self.folder / f".{job}.lock"

    def _lock(self, job: str) -> FileLock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"cannot write {self.folder}: {why(error)}") from error
        return FileLock(self._lock_file(job))


def _version(path: Path) -> tuple[Path, int, int]:
    """Return a file with its size and the time of its last change, which tell whether it is as it was [bytes, ns]."""
    try:
        about = path.stat()
    except OSError as error:
        raise EnvironmentFault(f"cannot read the run log {path}: {why(error)}") from error
    return path, about.st_size, about.st_mtime_ns


def _entries(path: Path) -> Iterator[AnyEntry]:
    """Yield the entries of one file."""
    decoder = msgspec.json.Decoder(AnyEntry)
    for line in whole_lines(path, "the run log "):
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


class Cron(NamedTuple):
    """When a job is due, told by the clock on the wall.

    Attributes:
        wall: yields the times on the wall, as if they were UTC; wake: what the scheduler is woken by, in the zone.
        zone: where the wall is; hourly: whether it is due in every hour, so also in one that comes twice.
    """

    wall: CronTrigger
    wake: CronTrigger
    zone: tzinfo
    hourly: bool

    def moments(self, wall: datetime) -> set[datetime]:
        """Return the moments of a time on the wall, aware UTC.

        A time that comes twice counts the first time, for an hourly job both times. One that is left out is told by the
        clock as it went before, so that it lies behind the change.
        """
        first, second = (as_utc(wall.replace(tzinfo=self.zone, fold=fold)) for fold in (0, 1))
        return {first, second} if self.hourly and first < second else {first}


def trigger(cron: str, zone: tzinfo) -> Cron:
    """Return a schedule.

    Raises:
        ConfigError: it is no schedule, counts the days of the week by number (of which there are two habits), or is
            never due.
    """
    from apscheduler.triggers.cron import CronTrigger

    fields = cron.split()
    if len(fields) != 5:
        raise ConfigError(f"cron = {cron!r} has {len(fields)} fields and needs five: {FIELDS}")
    if re.search(r"\d", fields[4]):
        raise ConfigError(f"cron = {cron!r} numbers the days of the week; write their names: mon, tue-thu, sat,sun")
    try:
        wall, wake = (CronTrigger.from_crontab(cron, timezone=one) for one in (UTC, zone))
    except ValueError as error:
        raise ConfigError(f"cron = {cron!r}: {error}; the fields are {FIELDS}") from None
    if wall.get_next_fire_time(None, datetime(2026, 1, 1, tzinfo=UTC)) is None:
        raise ConfigError(f"cron = {cron!r} is never due; there is no such day")
    return Cron(wall, wake, zone, fields[1] in ("*", "*/1"))


def times_between(schedule: Cron, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the times of a schedule in (after, until], aware UTC and rising, each time on the wall once."""
    last = as_utc(after)
    at = last.astimezone(schedule.zone).replace(tzinfo=UTC) - timedelta(days=1)
    waiting: set[datetime] = set()  # of a day on which the clocks change, whose times may come in another order
    for _ in range(MOST_TIMES):
        found = schedule.wall.get_next_fire_time(None, at + timedelta(microseconds=1))
        if found is None or found.date() != at.date() or not _changes(found, schedule.zone):
            for moment in sorted(waiting):
                if last < moment <= until:
                    last = moment
                    yield moment
            waiting = set()
        if found is None or min(schedule.moments(found)) > until:
            break
        at = found
        waiting |= schedule.moments(found)
    yield from sorted(moment for moment in waiting if last < moment <= until)


def _changes(wall: datetime, zone: tzinfo) -> bool:
    """Return whether the clocks of a zone change on the day of a time on the wall, or the night after."""
    begin = wall.replace(hour=0, minute=0, tzinfo=zone)
    return begin.utcoffset() != (begin + timedelta(days=1, hours=3)).utcoffset()


def next_time(schedule: Cron, now: datetime) -> datetime:
    """Return when a schedule is due next, aware UTC."""
    return next(times_between(schedule, now, now + timedelta(days=366 * 9)))
