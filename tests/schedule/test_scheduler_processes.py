"""Schedulers and workers as real processes: two at once, killed ones, jobs that hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from jobs_of_a_test import jobs_file, open_it

from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_log import RunLog
from tests.conftest import until

HELPER = Path(__file__).with_name("jobs_of_a_test.py")
REPO = Path(__file__).resolve().parent.parent.parent
Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a scheduler which works off what is due."""
    started: list[subprocess.Popen[str]] = []

    def run() -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(REPO)}
        command = [sys.executable, str(HELPER), str(tmp_path), "run"]
        started.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def prepare(home: Path, job: str, **settings: float) -> None:
    """Write the jobs file and let the log know the job since two days ago, so that one day is missing."""
    jobs_file(home, job, **settings)
    RunLog(home / "reports" / "schedule").append(jb.JobKnown(job=job, at=datetime.now(UTC) - timedelta(days=2)))


def did(home: Path) -> list[str]:
    path = home / "did.txt"
    return path.read_text().splitlines() if path.exists() else []


def runs(home: Path, job: str) -> list[jb.JobRun]:
    return open_it(home).log.history().runs(job)


def test_two_schedulers_at_once_do_a_period_once(tmp_path: Path, scheduler: Start) -> None:
    prepare(tmp_path, "slow")
    both = [scheduler(), scheduler()]
    assert [process.wait(60) for process in both] == [0, 0]
    until(lambda: "end" in did(tmp_path))
    assert [line.split()[0] for line in did(tmp_path)] == ["begin", "end"]
    assert [run.status for run in runs(tmp_path, "slow")] == ["completed"]


def test_a_killed_scheduler_loses_nothing_and_nothing_runs_twice(tmp_path: Path, scheduler: Start) -> None:
    prepare(tmp_path, "slow")
    first = scheduler()
    until(lambda: did(tmp_path))
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = scheduler()
    assert "another process is at it" in second.communicate(timeout=60)[0]
    until(lambda: "end" in did(tmp_path) and runs(tmp_path, "slow")[0].end)
    assert scheduler().wait(60) == 0
    assert [line.split()[0] for line in did(tmp_path)] == ["begin", "end"]


def test_a_killed_worker_is_told_as_crashed_and_its_period_is_done_again(tmp_path: Path, scheduler: Start) -> None:
    prepare(tmp_path, "slow", retries=1)
    first = scheduler()
    until(lambda: did(tmp_path))
    first.send_signal(signal.SIGKILL)
    first.wait()
    os.kill(int(did(tmp_path)[0].split()[1]), signal.SIGKILL)
    until(lambda: open_it(tmp_path).states()[0].status == "crashed")
    assert scheduler().wait(60) == 0
    assert [run.status for run in runs(tmp_path, "slow")] == ["crashed", "completed"]
    assert [run.start.attempt for run in runs(tmp_path, "slow")] == [1, 2]


def test_a_job_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, scheduler: Start) -> None:
    prepare(tmp_path, "hang", timeout=1.0)
    process = scheduler()
    assert process.wait(60) == 1
    [run] = runs(tmp_path, "hang")
    assert run.status == "timed_out"
    child = int(did(tmp_path)[0].split()[1])
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert "timed_out" in (tmp_path / "logs" / "operations.log").read_text()
    [state] = open_it(tmp_path).states()
    assert (state.status, state.missing) == ("timed_out", ())  # it has failed for good: retries = 0
