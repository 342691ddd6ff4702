"""One process looks after everything: the watcher has the jobs done, and others see that it does."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended, until

Start = Callable[..., "subprocess.Popen[str]"]
Command = Callable[..., Ended]


@pytest.fixture
def due(home: Path) -> None:
    """Let a job of the workspace be due since some minutes."""
    jobs = '[jobs.recovery]\ncron = "* * * * *"\ntimeout_s = 60.0\n'
    (home / "config" / "jobs.toml").write_text('time_zone = "UTC"\n' + jobs)
    workspace = Workspace(home)
    known = jb.JobKnown(job="recovery", at=workspace.clock.now() - timedelta(minutes=5))
    open_schedule(workspace).log.append(known)


def done(home: Path) -> list[jb.JobRun]:
    runs = open_schedule(Workspace(home)).log.history().runs("recovery")
    return [run for run in runs if run.status == jb.COMPLETED]


def test_the_watcher_has_the_jobs_done_each_in_a_process_of_its_own(
    home: Path, due: None, start: Start, peaktrade: Command
) -> None:
    before = peaktrade("schedule", "status")
    assert "nothing runs the jobs now: start `peaktrade watch`" in before.stdout
    watcher = start("watch", "--interval", "1s")
    (run, *_) = until(lambda: done(home))
    assert run.start.pid != watcher.pid
    until(lambda: json.loads(peaktrade("watch", "--status", "--json").stdout)["state"]["jobs"])  # said once a turn
    assert "`peaktrade watch` runs the jobs" in peaktrade("schedule", "status").stdout
    beside = peaktrade("schedule", "run", "--once")
    assert beside.code == 0
    assert "`peaktrade watch` runs the jobs of this workspace already" in beside.stdout
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(60) == 0
    assert open_schedule(Workspace(home)).runner() == ""


def test_a_scheduler_alone_is_seen_and_a_watcher_may_leave_the_jobs_to_it(
    home: Path, due: None, start: Start, peaktrade: Command
) -> None:
    watcher = start("watch", "--interval", "1s", "--no-jobs")
    until(lambda: watch_of(Workspace(home)).state)
    state = watch_of(Workspace(home)).state
    assert state is not None
    assert not state.jobs
    assert done(home) == []
    start("schedule", "run")
    until(lambda: open_schedule(Workspace(home)).runner() == "peaktrade schedule run")
    until(lambda: done(home))
    assert "left to `peaktrade schedule run`" in peaktrade("watch", "--status").stdout
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(60) == 0


def test_a_wrong_jobs_file_is_said_and_blinds_no_rule(home: Path, start: Start, peaktrade: Command) -> None:
    (home / "config" / "jobs.toml").write_text('[jobs.recovery]\ncron = "never"\n')
    start("watch", "--interval", "1s")

    def told() -> bool:
        state = watch_of(Workspace(home)).state
        return state is not None and "cron = 'never'" in state.faults.get("jobs", "") and state.turns > 1

    until(told)
    assert "evaluate" not in peaktrade("watch", "--status").stdout
