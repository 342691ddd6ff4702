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
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.base.log import append_record, whole_lines
from peaktrade_core.schedule.jobs import AnyEntry, History

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

FILES = 2  # newest months that are looked at
FIELDS = "minute, hour, day, month, day of the week (by name: mon-fri)"
MOST_TIMES = 20_000  # of a schedule that are looked at


class RunLog:
    """The run log in ``reports/schedule``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        files, this_month = self.files(), f"runs-{datetime.now(UTC):%Y-%m}.jsonl"
        ahead = [path for path in files if path.name > this_month]  # of a clock that was set right since
        now = [_version(path) for path in files[: len(files) - len(ahead)][-FILES:] + ahead]
        if self._kept is None or self._kept[0] != now:
            self._kept = now, History(entry for path, _, _ in now for entry in _entries(path))
        return self._kept[1]

    def files(self) -> list[Path]:
        """Return the files of the log, oldest first."""
        return sorted(self.folder.glob("runs-????-??.jsonl"))

    @contextmanager
    def lock(self, job: str, wait_s: float = 1.0) -> Iterator[bool]:
        """Hold a job's lock inside the block; yields False when another process works on it.

        Args:
            job: its name.
            wait_s: how long to try [s]; whoever only asks holds it for less.

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
            raise EnvironmentFault(f"cannot lock {lock.lock_file}: {error.strerror or error}") from error
        try:
            yield True
        finally:
            lock.release()

    def busy(self, job: str) -> bool:
        """Return whether a process works on the job."""
        if not Path(self._lock(job).lock_file).exists():
            return False
        with self.lock(job, 0.0) as mine:
            return not mine

    def _lock(self, job: str) -> FileLock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"cannot write {self.folder}: {error.strerror or error}") from error
        return FileLock(self.folder / f".{job}.lock")


def _version(path: Path) -> tuple[Path, int, int]:
    """Return a file with its size and the time of its last change, which tell whether it is as it was [bytes, ns]."""
    try:
        about = path.stat()
    except OSError as error:
        raise EnvironmentFault(f"cannot read the run log {path}: {error.strerror or error}") from error
    return path, about.st_size, about.st_mtime_ns


def _entries(path: Path) -> Iterator[AnyEntry]:
    """Yield the entries of one file."""
    decoder = msgspec.json.Decoder(AnyEntry)
    for line in whole_lines(path, "the run log "):
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def trigger(cron: str, zone: tzinfo) -> CronTrigger:
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
        found = CronTrigger.from_crontab(cron, timezone=zone)
    except ValueError as error:
        raise ConfigError(f"cron = {cron!r}: {error}; the fields are {FIELDS}") from None
    if found.get_next_fire_time(None, datetime(2026, 1, 1, tzinfo=zone)) is None:
        raise ConfigError(f"cron = {cron!r} is never due; there is no such day")
    return found


def times_between(schedule: CronTrigger, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the times of a schedule in (after, until], aware UTC and rising; an hour told twice yields twice."""
    at = as_utc(after)
    for _ in range(MOST_TIMES):
        found = schedule.get_next_fire_time(None, at + timedelta(microseconds=1))
        if found is None or as_utc(found) > until:
            return
        at = as_utc(found)
        yield at


def next_time(schedule: CronTrigger, now: datetime) -> datetime:
    """Return when a schedule is due next, aware UTC."""
    return next(times_between(schedule, now, now + timedelta(days=366 * 9)))
