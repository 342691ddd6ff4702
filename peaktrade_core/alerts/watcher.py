"""The watcher: one process a workspace that looks after everything, again and again.

It recovers dead runs, evaluates the alert rules, acts and delivers, tends the fleet, and has the scheduler's jobs done.
Its memory is on the disk: it may be killed at any moment, and the next one goes on. It shows that it lives by a file that
it replaces at each turn; whatever shows alerts says so when that file is old.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.alerts.alerts import CRITICAL
from peaktrade_core.alerts.delivery import Deliveries
from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.alerts.rules.gather import label
from peaktrade_core.base.clock import Clock, iso
from peaktrade_core.base.errors import EnvironmentFault, why
from peaktrade_core.base.files import as_json, read_plain, write_atomic
from peaktrade_core.base.log import append_line
from peaktrade_core.base.processes import is_locked, this_process
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.schedule.schedule import WATCH, JobResult
from peaktrade_core.schedule.scheduler import Scheduler, start_job
from peaktrade_core.schedule.service import tell_manager
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.logs import event
from peaktrade_core.show.terminal import say
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

STATE, LOCK = "watcher.json", "watcher.lock"
LATE_TURNS, LATE_S = 3, 10.0  # a watcher is silent when its file is older than so many turns and seconds
JOBS_AGAIN_S = 30.0  # until jobs are tried again that could not be begun
JOBS_END_S = 5.0  # how long their thread may take to end
Step = Callable[[], object]


class WatcherState(msgspec.Struct, frozen=True, kw_only=True):
    """What a watcher says of itself.

    Attributes:
        at: end of its last turn; interval_s: time between two turns [s]; turns: how many it made.
        pid: its process; started_at: when it began.
        faults: steps that failed in the last turn, with why.
        open_alerts: open now; due: deliveries that are not through yet.
        jobs: whether it has the scheduler's jobs done.
    """

    at: datetime
    started_at: datetime
    pid: int
    interval_s: float
    turns: int
    faults: dict[str, str]
    open_alerts: int
    due: int
    jobs: bool = False


class Watch(msgspec.Struct, frozen=True):
    """Whether a watcher runs: ``running``, ``silent`` (it lives but does not turn), ``off``; and what it last said."""

    status: str
    state: WatcherState | None


def read_watch(folder: Path, now: datetime) -> Watch:
    """Return whether a watcher runs; ``folder`` is ``reports/live``."""
    try:
        state = msgspec.json.decode(read_plain(folder / STATE), type=WatcherState)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        state = None
    if not is_locked(folder / LOCK):
        return Watch("off", state)
    if state is None:
        return Watch("running", None)  # it has just begun
    late = abs((now - state.at).total_seconds()) > LATE_TURNS * state.interval_s + LATE_S
    return Watch("silent" if late else "running", state)


class Watcher:
    """Makes one turn after another.

    Args (of the constructor):
        steps: by name, in order, each made once a turn; what one raises is noted and holds up no other.
        chores: the same, in a thread of their own because they may take long.
        deliveries: what delivers.
        folder: ``reports/live``, for lock and state; operations: the operations log.
        interval_s: time between two turns [s].
        jobs: makes what has the scheduler's jobs done, in a thread of its own; None leaves them to others, as does one turn.
    """

    def __init__(
        self,
        steps: Mapping[str, Step],
        chores: Mapping[str, Step],
        deliveries: Deliveries,
        folder: Path,
        operations: Path,
        clock: Clock,
        interval_s: float,
        jobs: Callable[[], Scheduler] | None = None,
    ) -> None:
        self._steps, self._chores, self._deliveries = dict(steps), dict(chores), deliveries
        self._folder, self._operations, self._clock, self._interval_s = folder, operations, clock, interval_s
        self._lock = FileLock(folder / LOCK)
        self._faults: dict[str, str] = {}
        self._turns = 0
        self._started_at = clock.now()
        self._stop = threading.Event()
        self._open_jobs = jobs
        self._jobs: Scheduler | None = None

    def run(self, *, once: bool = False, patience_s: float = 5.0) -> None:
        """Watch until :meth:`stop`, or for one turn and until what that has to deliver is through.

        A folder that cannot be written keeps no one from being told: then it watches without a lock.

        Args:
            once: make one turn; patience_s: how long it waits for its deliveries [s].

        Raises:
            EnvironmentFault: another watcher runs on this workspace; or, at the end, something that was told could not be
                recorded, or one turn could not do all of its work.
        """
        self._enter()
        self._say("started" if not once else "one turn")
        try:
            if once:
                self._make(self._chores)
                self.turn()
                self._deliveries.wait(patience_s)
                self._beat()
            else:
                self._keep_on()
        finally:
            unrecorded = self._deliveries.close()
            self._say("ended")
            self._lock.release()
        if unrecorded:
            self._faults["evaluate"] = f"alerts are told, but not recorded: {unrecorded}"
        if self._faults and (once or unrecorded):
            told = "; ".join(f"{name}: {fault}" for name, fault in self._faults.items())
            raise EnvironmentFault(
                f"the watcher could not do all of its work: {told}. Mend that, then `peaktrade watch`"
            )

    def _enter(self) -> None:
        """Be the one watcher of the workspace."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0.5)  # who asks whether a watcher runs is in its way for microseconds
        except Timeout:
            raise EnvironmentFault(
                "a watcher runs on this workspace already; `peaktrade watch --status` shows it"
            ) from None
        except OSError as error:
            if is_locked(self._folder / LOCK):
                raise EnvironmentFault(f"a watcher of another user runs on this workspace: {why(error)}") from None
            self._faults["lock"] = f"cannot lock {self._folder / LOCK}: {why(error)}"
            self._say(self._faults["lock"])

    def stop(self) -> None:
        """End after the turn it is at; a job that is being done goes on by itself."""
        self._stop.set()
        if self._jobs is not None:
            self._jobs.stop()

    def turn(self) -> None:
        """Make every step, hand over what is due, and show that the watcher lives."""
        self._make(self._steps)
        self._make({"deliver": self._deliveries.offer})
        self._turns += 1
        self._beat()
        tell_manager("WATCHDOG=1" if self._turns > 1 else "READY=1")

    def _keep_on(self) -> None:
        chores = threading.Thread(target=self._do_chores, name="chores", daemon=True)
        jobs = threading.Thread(target=self._do_jobs, name="jobs", daemon=True)
        if self._chores:
            chores.start()
        if self._open_jobs:
            jobs.start()
        while not self._stop.is_set():
            self.turn()
            self._stop.wait(self._interval_s)
        if self._open_jobs:
            jobs.join(JOBS_END_S)

    def _do_chores(self) -> None:
        while not self._stop.is_set():
            self._make(self._chores)
            self._stop.wait(self._interval_s)

    def _do_jobs(self) -> None:
        """Have the jobs done; what keeps them from it is said once, and tried again."""
        said = ""
        while self._open_jobs and not self._stop.is_set():
            try:
                self._jobs = self._open_jobs()
                self._faults.pop("jobs", None)
                if not self._stop.is_set():  # else it came before there was anything to stop
                    self._jobs.run()
            except Exception as error:  # a wrong jobs.toml must not blind the rules
                self._faults["jobs"] = label(error)
                if said != self._faults["jobs"]:
                    said = self._faults["jobs"]
                    self._say(f"jobs failed: {said}")
            self._stop.wait(JOBS_AGAIN_S)

    def _make(self, steps: Mapping[str, Step]) -> None:
        """Make some steps; a fault is said once, and again only when it changes."""
        for name, step in steps.items():
            try:
                step()
            except Exception as error:  # whatever one step meets, the others go on
                fault = label(error)
                if self._faults.get(name) != fault:
                    self._faults[name] = fault
                    self._say(f"{name} failed: {fault}")
            else:
                if self._faults.pop(name, None):
                    self._say(f"{name} works again")

    def _beat(self) -> None:
        """Replace the state file; where that fails, its age tells."""
        book = self._deliveries.book()
        state = WatcherState(
            at=self._clock.now(),
            started_at=self._started_at,
            pid=this_process().pid,
            interval_s=self._interval_s,
            turns=self._turns,
            faults=dict(self._faults),
            open_alerts=sum(row.open for row in book.alerts.values()),
            due=len(book.due),
            jobs=self._jobs is not None,
        )
        try:
            write_atomic(self._folder / STATE, as_json(state))
        except EnvironmentFault:
            return

    def _say(self, what: str) -> None:
        """Note something in the operations log, if that can be written, and in the service's own."""
        event(what, "warning" if " failed: " in what else "info")
        try:
            append_line(self._operations, f"{iso(self._clock.now())} watch by watcher: {what}")
        except EnvironmentFault:
            return


def watch_of(workspace: Workspace) -> Watch:
    """Return whether a watcher runs in a workspace, and what it last said."""
    return read_watch(workspace.reports / "live", workspace.clock.now())


def open_watcher(workspace: Workspace, interval_s: float = 2.0, *, once: bool = False, jobs: bool = False) -> Watcher:
    """Return a watcher that is ready to run.

    Args:
        workspace: after what it looks; interval_s: time between two turns [s].
        once: whether it makes one turn only; jobs: whether it has the scheduler's jobs done, too.

    Raises:
        ConfigError: ``config/alerts.toml`` or ``config/config.toml`` is not sound.
    """
    engine = AlertEngine(workspace, Alerts.of(workspace).log)
    if once:
        engine.only_once()
    aside, apart = workspace.again(), workspace.again()  # chores and jobs have a thread and a registry of their own
    return Watcher(
        {"recover": partial(recover, workspace), "evaluate": engine.evaluate},
        {
            "fleet": lambda: Fleet.of(aside).tend(),
            "ledger": lambda: Ledger.of(aside).append(at=aside.clock.now()),
        },
        Deliveries(engine, workspace.home / "logs" / "alerts.log", workspace.clock),
        workspace.reports / "live",
        workspace.operations_log,
        workspace.clock,
        interval_s,
        partial(_open_jobs, apart) if jobs else None,
    )


def _open_jobs(workspace: Workspace) -> Scheduler:
    """Return what has the jobs of a workspace done."""
    return Scheduler(open_schedule(workspace), partial(start_job, workspace), _tell, called=WATCH)


def _tell(line: str) -> None:
    """Say on the console what becomes of a job, if there still is one."""
    say(line, err=True)


def check_job(workspace: Workspace, _: Period) -> JobResult:
    """Evaluate the rules once and deliver what is due: the scheduler's job, left to the watcher where one runs."""
    if watch_of(workspace).status != "off":
        return JobResult(True, "left to the watcher, which runs")
    open_watcher(workspace, once=True).run(once=True)
    rows = Alerts.of(workspace).rows(OPEN)
    critical = sum(row.severity == CRITICAL for row in rows)
    return JobResult(True, f"{many(len(rows), 'alert')} open, {critical} of them critical")
