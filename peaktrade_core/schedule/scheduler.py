"""The scheduler: wakes when a job is due, has each period worked off in a process of its own, and ends what hangs.

It runs inside ``peaktrade watch``, or alone as ``peaktrade schedule run``. Several may run at once, on one machine; the
jobs' locks and the run log see to it that a period is done once. Being killed costs nothing: a worker ends by itself, and
the next scheduler sees what is missing.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from peaktrade_core.base.processes import spawn
from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_log import trigger
from peaktrade_core.schedule.schedule import Schedule
from peaktrade_core.workspace.workspace import Workspace

BUSY = 75  # exit code of a worker that found somebody else at it, or nothing left to do
GRACE_S = 10.0  # between asking a worker to end and ending it with all that it started [s]
LOOK_S = 300  # how often missed periods and dead workers are looked for besides [s]
POLL_S = 0.1

Start = Callable[[str, jb.Period], "subprocess.Popen[bytes]"]
Tell = Callable[[str], None]


class Scheduler:
    """Works off what is due.

    Attributes:
        failed: how many runs did not go well.
    """

    def __init__(
        self, schedule: Schedule, start: Start, tell: Tell, *, called: str = "", grace_s: float = GRACE_S
    ) -> None:
        """Nothing is started.

        Args:
            schedule: the jobs.
            start: starts a worker process for a job's period.
            tell: takes a line for those who look on.
            called: one of :data:`~peaktrade_core.schedule.schedule.RUNNERS`; others then see that it runs.
            grace_s: between asking a worker that hangs to end and ending it [s].
        """
        self._schedule, self._start, self._tell, self._grace_s = schedule, start, tell, grace_s
        self._called = called
        self._stop = threading.Event()
        self.failed = 0

    def run(self, *, once: bool = False) -> None:
        """Work off what was missed, then whatever becomes due until :meth:`stop`; with ``once`` return after the first."""
        with self._schedule.run_by(self._called):
            self._schedule.meet()
            for name in self._schedule.jobs:
                self.work_off(name)
            if not once and not self._stop.is_set():
                self._wait()

    def stop(self) -> None:
        """End; what is being worked on goes on by itself and says so in the log. Safe in a signal handler."""
        self._stop.set()

    def _wait(self) -> None:
        """Let APScheduler wake us, until somebody stops it."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        clock = BackgroundScheduler(timezone=self._schedule.zone, executors={"default": ThreadPoolExecutor(4)})
        forgiving = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        for name, job in self._schedule.jobs.items():
            if job.enabled:
                work = partial(self.work_off, name)
                clock.add_job(work, trigger(job.cron, self._schedule.zone).wake, id=name, **forgiving)
                clock.add_job(work, "interval", seconds=LOOK_S, id=f"{name} look", **forgiving)
        clock.start()
        try:
            while not self._stop.wait(1.0):
                pass
        finally:
            clock.shutdown(wait=True)

    def work_off(self, name: str) -> None:
        """Work off every period of a job that is due, and its retries when their time has come."""
        job = self._schedule.job(name)
        while not self._stop.is_set():
            periods = self._schedule.due(name)
            for period in periods:
                if self._stop.is_set() or not self._supervise(name, job, period):
                    return
            retry_at = self._schedule.retry_at(name, periods)
            if retry_at is None:
                return
            self._stop.wait(max(0.0, (retry_at - self._schedule.now()).total_seconds()))

    def _supervise(self, name: str, job: jb.Job, period: jb.Period) -> bool:
        """Have one period worked off; False when somebody else is at this job, or when we are to stop."""
        self._tell(f"{name} {period.label}: started")
        worker = self._start(name, period)
        in_time = self._await(worker, job.timeout_s)
        if self._stop.is_set() and worker.poll() is None:
            self._tell(f"{name} {period.label}: goes on by itself")
            return False
        if not in_time:
            _end_tree(worker, self._grace_s)
        if worker.returncode == BUSY:
            self._tell(f"{name} {period.label}: another process is at it")
            return False
        if not in_time or worker.returncode == -getattr(signal, "SIGALRM", 0):
            self._bury(name, jb.TIMED_OUT, f"ended after its time limit of {job.timeout_s:g} s")
        else:
            self._bury(name, jb.CRASHED, f"its process ended with code {worker.returncode}, without a word")
        last = self._schedule.log.history().attempts(name, period.label)
        if not last or last[-1].end is None:
            self._tell(f"{name} {period.label}: could not be started; logs/jobs.log says why")
            self.failed += 1
            return False
        end = last[-1].end
        self.failed += end.status != jb.COMPLETED
        self._tell(f"{name} {period.label}: {end.status}, {end.message}")
        return True

    def _await(self, worker: subprocess.Popen[bytes], seconds: float) -> bool:
        """Wait for a worker, no longer than until we are to stop; False when its time is up."""
        deadline = time.monotonic() + seconds
        while worker.poll() is None and not self._stop.wait(POLL_S):
            if time.monotonic() > deadline:
                return False
        return True

    def _bury(self, name: str, status: str, message: str) -> None:
        """End what the dead worker has left open, unless somebody else works on the job by now."""
        with self._schedule.log.lock(name) as mine:
            if mine:
                self._schedule.bury(name, status, message)


def start_job(workspace: Workspace, name: str, period: jb.Period) -> subprocess.Popen[bytes]:
    """Start a worker for a job's period that outlives us; what it prints goes to ``logs/jobs.log``.

    Raises:
        EnvironmentFault: the log cannot be written or the process cannot be started.
    """
    log = workspace.home / "logs" / "jobs.log"
    words = ["schedule", "work", name, period.label, f"{period.due_at:%Y-%m-%dT%H:%M:%S%z}"]
    options = ["--home", str(workspace.home), "--config", str(workspace.config_path.resolve())]
    return spawn([sys.executable, "-m", "peaktrade_core", *words, *options], folder=workspace.home, console=log)


def _end_tree(worker: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask a worker to end, then end it with everything that it has started."""
    import psutil

    children: list[psutil.Process] = []
    with suppress(psutil.Error):
        children = psutil.Process(worker.pid).children(recursive=True)
    worker.terminate()
    with suppress(subprocess.TimeoutExpired):
        worker.wait(grace_s)
    for child in children:
        with suppress(psutil.Error):
            child.kill()
    worker.kill()
    worker.wait()
