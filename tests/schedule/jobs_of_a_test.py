"""Jobs of the tests, and a scheduler and its workers as real processes: ``python jobs_of_a_test.py HOME run|work ...``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.schedule.jobs import TIME, Period
from peaktrade_core.schedule.periods import DAY
from peaktrade_core.schedule.schedule import JobKind, JobResult, Schedule
from peaktrade_core.schedule.scheduler import BUSY, Scheduler

DAILY = '[jobs.{job}]\ncron = "0 0 * * *"\ncatch_up_days = 1\ntimeout_s = {timeout}\nretries = {retries}\nretry_after_s = 0.0\n'


def jobs_file(home: Path, job: str, *, timeout: float = 60.0, retries: int = 0) -> None:
    """Write a jobs file with one job that was due at midnight UTC, and make the log know it for two days."""
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "jobs.toml").write_text(
        'time_zone = "UTC"\n' + DAILY.format(job=job, timeout=timeout, retries=retries)
    )


def kinds(home: Path) -> dict[str, JobKind]:
    """Return the jobs that the tests know."""

    def note(word: str) -> None:
        with (home / "did.txt").open("a") as file:
            file.write(f"{word}\n")

    def quick(period: Period) -> JobResult:
        note(period.label)
        return JobResult(True, "done")

    def slow(period: Period) -> JobResult:
        note(f"begin {os.getpid()}")
        time.sleep(1.0)
        note("end")
        return JobResult(True, "done slowly")

    def hang(period: Period) -> JobResult:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        note(f"child {child.pid}")
        time.sleep(600)
        return JobResult(True, "never")

    def full(period: Period) -> JobResult:
        note("tried")
        raise OSError(28, "No space left on device")

    def broken(period: Period) -> JobResult:
        note("tried")
        raise ValueError("a bug")

    work = {"quick": quick, "slow": slow, "hang": hang, "full": full, "broken": broken}
    return {name: JobKind(name, DAY, do) for name, do in work.items()} | {"often": JobKind("often", TIME, quick)}


def open_it(home: Path) -> Schedule:
    """Return the schedule of a test."""
    return Schedule(home, home / "config" / "jobs.toml", kinds(home), SystemClock())


def main(home: Path, what: str, *args: str) -> int:
    """Be a worker, or a scheduler that works off what is due."""
    schedule = open_it(home)
    if what == "work":
        end = schedule.work(args[0], Period(args[1], datetime.now(UTC)), "schedule")
        return BUSY if end is None else int(end.status != "completed")

    def start(name: str, period: Period) -> subprocess.Popen[bytes]:
        command = [sys.executable, __file__, str(home), "work", name, period.label]
        return subprocess.Popen(command, start_new_session=True)

    scheduler = Scheduler(schedule, start, lambda line: print(line, flush=True), grace_s=0.5)
    scheduler.run(once=True)
    return int(scheduler.failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
