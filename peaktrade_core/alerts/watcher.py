"""The watcher: one process a workspace that looks after everything, again and again.

It recovers dead runs, evaluates the alert rules, delivers, and tends the fleet. Its memory is on the disk: it may be
killed at any moment, and the next one goes on. It shows that it lives by a file that it replaces at each turn; whoever
looks at alerts says so when that file is old.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.alerts.alerts import RAISED, AnyChange, Delivery
from peaktrade_core.alerts.channels import open_channel
from peaktrade_core.alerts.delivery import Dispatcher, Result
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.alerts.gather import label
from peaktrade_core.alerts.log import AlertLog
from peaktrade_core.alerts.settings import AlertSettings
from peaktrade_core.alerts.triggers import TriggerDesk
from peaktrade_core.base.clock import Clock, iso
from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.log import append_line
from peaktrade_core.base.processes import this_process
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.schedule.schedule import Done
from peaktrade_core.session.recovery import recover
from peaktrade_core.workspace.workspace import Workspace

STATE, LOCK = "watcher.json", "watcher.lock"
LATE_TURNS, LATE_S = 3, 10.0  # a watcher is silent when its file is older than so many turns and seconds
Step = Callable[[], object]


class WatcherState(msgspec.Struct, frozen=True, kw_only=True):
    """What a watcher says of itself.

    Attributes:
        at: end of its last turn; interval_s: time between two turns [s]; turns: how many it made.
        pid: its process; started_at: when it began.
        faults: steps that failed in the last turn, with why.
        open_alerts: raised now; due: deliveries that are not through yet.
    """

    at: datetime
    started_at: datetime
    pid: int
    interval_s: float
    turns: int
    faults: dict[str, str]
    open_alerts: int
    due: int


class Watch(msgspec.Struct, frozen=True):
    """Whether a watcher runs: ``running``, ``silent`` (it lives but does not turn), ``off``; and what it last said."""

    status: str
    state: WatcherState | None


def read_watch(folder: Path, now: datetime) -> Watch:
    """Return whether a watcher runs; ``folder`` is ``reports/live``."""
    try:
        state = msgspec.json.decode((folder / STATE).read_bytes(), type=WatcherState)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        state = None
    if not _held(folder / LOCK):
        return Watch("off", state)
    if state is None:
        return Watch("running", None)  # it has just begun
    late = (now - state.at).total_seconds() > LATE_TURNS * state.interval_s + LATE_S
    return Watch("silent" if late else "running", state)


def _held(path: Path) -> bool:
    """Return whether a process holds the lock."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


class Deliveries:
    """Hands what is due in the alert log to the channels, and writes down how each delivery went."""

    def __init__(self, settings: AlertSettings, log: AlertLog, log_file: Path, clock: Clock) -> None:
        """Start no thread yet; ``log_file`` is that of channels of the kind ``log``."""
        self._log, self._clock = log, clock
        self._mine = AlertLog(log.path)  # the channels' threads write through an instance of their own
        self._guard = threading.Lock()
        self._dispatcher = Dispatcher(
            settings.channels, lambda channel: open_channel(channel, log_file), self._done, clock
        )

    def offer(self) -> int:
        """Hand over what is due and return how much that is."""
        due = dict(self._log.refresh().due)
        self._dispatcher.offer(due)
        return len(due)

    def wait(self, seconds: float) -> int:
        """Wait until everything is delivered, no longer than ``seconds``; return what is still due."""
        until = threading.Event()
        for _ in range(max(1, int(seconds / 0.05))):
            if self._dispatcher.idle():
                break
            until.wait(0.05)
        return len(self._log.refresh().due)

    def close(self) -> None:
        """End the channels' threads; what is not delivered stays due."""
        self._dispatcher.close()

    def _done(self, results: list[Result]) -> None:
        now = self._clock.now()
        changes: list[AnyChange] = [
            Delivery(
                at=now,
                notification=r.notification,
                channel=r.channel,
                outcome=r.outcome,
                reason=r.reason,
                attempts=r.attempts,
            )
            for r in results
        ]
        with self._guard:
            self._mine.append(lambda _: changes)


class Watcher:
    """Makes one turn after another.

    Args (of the constructor):
        steps: by name, in order, each made once a turn; what one raises is noted and holds up no other.
        chores: the same, in a thread of their own because they may take long.
        deliveries: what delivers; log: the alert log.
        folder: ``reports/live``, for lock and state; operations: the operations log.
        interval_s: time between two turns [s].
    """

    def __init__(
        self,
        steps: Mapping[str, Step],
        chores: Mapping[str, Step],
        deliveries: Deliveries,
        log: AlertLog,
        folder: Path,
        operations: Path,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._steps, self._chores, self._deliveries, self._log = dict(steps), dict(chores), deliveries, log
        self._folder, self._operations, self._clock, self._interval_s = folder, operations, clock, interval_s
        self._lock = FileLock(folder / LOCK)
        self._faults: dict[str, str] = {}
        self._turns = 0
        self._started_at = clock.now()
        self._stop = threading.Event()

    def run(self, *, once: bool = False, patience_s: float = 5.0) -> None:
        """Watch until :meth:`stop`, or for one turn and until what that has to deliver is through.

        Args:
            once: make one turn; patience_s: how long it waits for its deliveries [s].

        Raises:
            EnvironmentFault: another watcher runs on this workspace.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0.5)  # who asks whether a watcher runs holds it for microseconds
        except Timeout:
            raise EnvironmentFault(
                "a watcher runs on this workspace already; `peaktrade watch --status` shows it"
            ) from None
        except OSError as error:
            raise EnvironmentFault(f"cannot lock {self._folder / LOCK}: {error.strerror or error}") from error
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
            self._deliveries.close()
            self._say("ended")
            self._lock.release()

    def stop(self) -> None:
        """End after the turn it is at."""
        self._stop.set()

    def turn(self) -> None:
        """Make every step, hand over what is due, and show that the watcher lives."""
        self._make(self._steps)
        self._make({"deliver": self._deliveries.offer})
        self._turns += 1
        self._beat()

    def _keep_on(self) -> None:
        chores = threading.Thread(target=self._do_chores, name="chores", daemon=True)
        if self._chores:
            chores.start()
        while not self._stop.is_set():
            self.turn()
            self._stop.wait(self._interval_s)

    def _do_chores(self) -> None:
        while not self._stop.is_set():
            self._make(self._chores)
            self._stop.wait(self._interval_s)

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
        book = self._log.book
        state = WatcherState(
            at=self._clock.now(),
            started_at=self._started_at,
            pid=this_process().pid,
            interval_s=self._interval_s,
            turns=self._turns,
            faults=dict(self._faults),
            open_alerts=sum(row.state == RAISED for row in list(book.alerts.values())),
            due=len(book.due),
        )
        try:
            write_atomic(self._folder / STATE, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
        except EnvironmentFault:
            return

    def _say(self, what: str) -> None:
        """Note something in the operations log, if that can be written."""
        try:
            append_line(self._operations, f"{iso(self._clock.now())} watch by watcher: {what}")
        except EnvironmentFault:
            return


def watch_of(workspace: Workspace) -> Watch:
    """Return whether a watcher runs in a workspace, and what it last said."""
    return read_watch(workspace.reports / "live", workspace.clock.now())


def open_watcher(workspace: Workspace, interval_s: float = 2.0) -> Watcher:
    """Return a watcher that is ready to run.

    Raises:
        ConfigError: ``config/alerts.toml`` is not sound.
    """
    log = Alerts.of(workspace).log
    engine = AlertEngine.of(workspace, log)
    aside = workspace.again()  # the chores have a thread and a registry of their own
    steps: dict[str, Callable[[], object]] = {
        "recover": partial(recover, workspace),
        "evaluate": engine.evaluate,
        "triggers": TriggerDesk.of(workspace).apply,
    }
    return Watcher(
        steps,
        {"fleet": lambda: Fleet.of(aside).tend()},
        Deliveries(engine.settings, log, workspace.home / "logs" / "alerts.log", workspace.clock),
        log,
        workspace.reports / "live",
        workspace.operations_log,
        workspace.clock,
        interval_s,
    )


def check_job(workspace: Workspace, _: Period) -> Done:
    """Evaluate the rules once and deliver what is due: the scheduler's job, left to the watcher where one runs."""
    if watch_of(workspace).status != "off":
        return Done(True, "left to the watcher, which runs")
    open_watcher(workspace).run(once=True)
    raised = Alerts.of(workspace).rows("raised")
    critical = sum(row.severity == "critical" for row in raised)
    return Done(True, f"{len(raised)} alerts are raised, {critical} critical")
