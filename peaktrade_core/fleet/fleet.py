"""The fleet: one process a run, and everything that is known of them on the disk.

A command starts a run, waits until it has begun and goes away; any other command, in any terminal and after any
restart, finds it again. Nothing is remembered anywhere else, so nothing can be forgotten.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import disk_usage
from signal import SIGKILL
from typing import NamedTuple

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.base.log import append_line
from peaktrade_core.base.processes import spawn
from peaktrade_core.base.question import FAIL, Check, check
from peaktrade_core.fleet.ending import EndedRun, end_runs
from peaktrade_core.fleet.launches import Launch, LaunchOrder, read_launch, starting, write_launch
from peaktrade_core.fleet.restarts import Past, due_restarts
from peaktrade_core.halts.scope import Scope
from peaktrade_core.records.folder import CONSOLE, RunFolder
from peaktrade_core.runs.run import ACTIVE, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import RELEASE_IT, Desk
from peaktrade_core.session.recovery import recover_sessions, write_off
from peaktrade_core.workspace.settings import FleetSettings
from peaktrade_core.workspace.workspace import Workspace

__all__ = ["EndedRun", "Fleet", "FleetHome", "LaunchOrder", "StartedRun"]

LOOK_BACK = 200  # newest runs among which restarts are looked for
_LEFT_S = 3600.0  # what never began and is older is swept away [s]
_TRY_AGAIN_S = 60.0  # after a restart that was not possible [s]
_LOCK_S = 20.0  # two starts at once wait for each other for so long [s]


class FleetHome(NamedTuple):
    """Where the fleet lives.

    Attributes:
        home: the workspace; runs: its run folders; log: the operations log.
        program: the command line that runs one session, without what that session is.
    """

    home: Path
    runs: Path
    log: Path
    program: tuple[str, ...]


class StartedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has begun.

    Attributes:
        restart_of: the run that it replaces; left: how that ended, with the position that it left open.
    """

    run_id: str
    mode: str
    strategy: str
    symbol: str
    timeframe: str
    pid: int
    restart_of: str | None = None
    left: str = ""


class Fleet:
    """Starts, stops and replaces the runs of one workspace."""

    def __init__(self, site: FleetHome, desk: Desk, views: Views, settings: FleetSettings) -> None:
        self._site, self._desk, self._views, self.settings = site, desk, views, settings
        self._not_before: dict[str, float] = {}  # when a restart that was not possible is tried again [s, monotonic]

    @classmethod
    def of(cls, workspace: Workspace) -> Fleet:
        """Return the fleet of a workspace, opened once."""
        session = ("session", "run", "--home", str(workspace.home), "--config", str(workspace.config_path.resolve()))
        program = (sys.executable, "-m", "peaktrade_core", *session)
        site = FleetHome(workspace.home, workspace.runs, workspace.operations_log, program)
        return workspace.once(cls, lambda: cls(site, Desk.of(workspace), Views.of(workspace), workspace.config.fleet))

    def checks(self, order: LaunchOrder, *, allow_duplicate: bool = False) -> list[Check]:
        """Return whether a run could start now: trading state, duplicates, number of runs, disk."""
        state = self._desk.states.in_force(Scope.of(order.mode, order.strategy, order.symbol))
        what = (order.mode, order.strategy, order.symbol)
        running = [(row.run_id, (row.mode, row.strategy, row.symbol)) for row in self.active()]
        running += [(run.run_id, (run.order.mode, run.order.strategy, run.order.symbol)) for run in self._starting()]
        same = [run_id for run_id, its in running if its == what]
        free_mb = disk_usage(self._site.home).free / 1e6
        limit = self.settings.max_runs
        return [
            check(
                "state",
                "May it trade?",
                state.state == "ACTIVE",
                state.told,
                RELEASE_IT,
            ),
            check(
                "duplicate",
                "Runs of the same strategy, symbol and mode",
                not same or allow_duplicate,
                f"{', '.join(same) or 'no run'} trades {order.strategy} on {order.symbol} in {order.mode}",
                "stop it first, or start a second one with --allow-duplicate",
            ),
            check(
                "max_runs",
                "Is there room for one more run?",
                len(running) < limit,
                f"{len(running)} of at most {limit} runs",
                "stop one, or raise max_runs in [fleet]",
            ),
            check(
                "disk",
                "Is there room on the disk?",
                free_mb >= self.settings.min_free_disk_mb,
                f"{free_mb:,.0f} MB free, {self.settings.min_free_disk_mb:,.0f} MB wanted",
                "free some, or lower min_free_disk_mb in [fleet]",
            ),
        ]

    def start(self, order: LaunchOrder, *, by: str, allow_duplicate: bool = False) -> StartedRun:
        """Start a run as a process of its own and return once it has begun.

        Raises:
            ConfigError: a check says no; all that do are named.
            EnvironmentFault: it cannot be started, or died at once; says why from what it printed.
        """
        self.recover()
        return self._begin(self._launch(order, by), allow_duplicate=allow_duplicate)

    def stop(
        self, rows: Iterable[Run], *, by: str, reason: str, deadline_s: float | None = None, force: bool = False
    ) -> Iterator[EndedRun]:
        """End runs and yield what became of each; journal and record are whole in each case.

        Args:
            rows: the runs.
            by, reason: who ends them and why; both stand in the records.
            deadline_s: how long each may take before its process is killed [s]; the configured one by default.
            force: kill at once.
        """
        folders = [self._desk.runs(row.run_id) for row in rows]
        deadline_s = self.settings.stop_deadline_s if deadline_s is None else deadline_s
        at = self._desk.clock.now()
        for result in end_runs(folders, by=by, reason=reason, at=at, deadline_s=deadline_s, force=force):
            self.recover()
            self._log(f"stop {result.run_id} by {by}: {reason} ({result.outcome}, {result.message})")
            status = self._views.run(result.run_id).state
            yield msgspec.structs.replace(result, status=status)

    def restart(self, row: Run, *, by: str, reason: str) -> StartedRun:
        """End a run if it still runs and start one like it.

        Raises:
            ConfigError: the fleet did not start it, or a check says no.
            EnvironmentFault: it cannot be ended or started.
        """
        launch = read_launch(self._desk.runs(row.run_id).path)
        if launch is None:
            raise ConfigError(
                f"{row.run_id} was not started by the fleet; start one like it with `peaktrade fleet start-shadow`"
            )
        for result in self.stop([row], by=by, reason=reason) if row.alive else ():
            if result.outcome == "running":
                raise EnvironmentFault(f"{row.run_id} could not be ended: {result.message}")
        return self._begin(self._launch(launch.order, by, restart_of=row.run_id))

    def tend(self) -> list[StartedRun]:
        """Recover what died and replace what the restart policy wants replaced; the watcher calls it all the time."""
        self.recover()
        done = []
        for old in self.due():
            if time.monotonic() < self._not_before.get(old.run_id, 0.0):
                continue
            new = self._launch(old.order, "restart policy", restart_of=old.run_id, attempt=old.attempt + 1)
            try:
                done.append(self._begin(new))
            except (ConfigError, EnvironmentFault) as fault:
                self._not_before[old.run_id] = time.monotonic() + _TRY_AGAIN_S
                self._log(f"restart {old.run_id}: not possible now, {fault}")
        return done

    def due(self) -> list[Launch]:
        """Return the launches that the restart policy wants made again now."""
        rows = self._views.runs(LOOK_BACK)
        launches = {row.run_id: read_launch(self._desk.runs(row.run_id).path) for row in rows if row.status is not None}
        replaced = {found.restart_of for found in (*launches.values(), *self._starting()) if found and found.restart_of}
        ended = [row for row in rows if row.state in ("failed", "aborted")]
        past = [self._past(row, launch) for row in ended if (launch := launches.get(row.run_id))]
        return due_restarts(past, replaced, self._desk.clock.now())

    def active(self) -> list[Run]:
        """Return the runs whose process lives."""
        return [row for row in self._views.runs(LOOK_BACK) if row.state in ACTIVE]

    def recover(self) -> list[str]:
        """End what has no process any more and return its ids."""
        ended = [record.session_id for record in recover_sessions(self._desk.registry, self._desk.runs)]
        return ended + write_off(self._desk.registry, self._site.runs, self._desk.clock)

    def _launch(self, order: LaunchOrder, by: str, *, restart_of: str | None = None, attempt: int = 0) -> Launch:
        """Return a launch of now, with an id of its own."""
        now = self._desk.clock.now()
        run_id = f"{order.mode}_{now:%Y%m%d_%H%M%S}_{self._desk.suffix(f'{now.isoformat()}{order}')}"
        return Launch(run_id=run_id, order=order, by=by, at=now, restart_of=restart_of, attempt=attempt)

    def _begin(self, launch: Launch, *, allow_duplicate: bool = False) -> StartedRun:
        """Check, note the launch on the disk, start the process and wait until the run has begun."""
        folder, order = self._desk.runs(launch.run_id), launch.order
        with self._one_at_a_time():
            self._sweep()
            wrong = [c for c in self.checks(order, allow_duplicate=allow_duplicate) if c.status == FAIL]
            if wrong:
                raise ConfigError("not started: " + "; ".join(f"{c.evidence} - {c.next_step}" for c in wrong))
            if launch.attempt and launch.restart_of not in {old.run_id for old in self.due()}:
                raise ConfigError(f"not started: {launch.restart_of} was replaced or resolved meanwhile")
            write_launch(folder, launch)
        tags = ("--tag", f"restart_of:{launch.restart_of}") if launch.restart_of else ()
        command = (*self._site.program, *order.arguments, *tags, "--session-id", launch.run_id)
        try:
            process = spawn(command, folder=self._site.home, console=folder.staged / CONSOLE)
            self._wait(folder, process)
        except EnvironmentFault as fault:
            self._log(f"start {launch.run_id} by {launch.by}: failed, {fault}")
            folder.unstage()
            raise
        left = self._error_of(launch.restart_of) if launch.restart_of else ""
        after = f", after {launch.restart_of}{f' ({left})' if left else ''}" if launch.restart_of else ""
        self._log(f"start {launch.run_id} by {launch.by}: {order.strategy} on {order.symbol} {order.timeframe}{after}")
        return StartedRun(
            run_id=launch.run_id,
            mode=order.mode,
            strategy=order.strategy,
            symbol=order.symbol,
            timeframe=order.timeframe,
            pid=process.pid,
            restart_of=launch.restart_of,
            left=left,
        )

    def _error_of(self, run_id: str) -> str:
        """Return the error in a run's record, empty where there is none."""
        entry = self._desk.registry.find(run_id)
        return (entry.record.error if entry and entry.record else None) or ""

    def _wait(self, folder: RunFolder, process: subprocess.Popen[bytes]) -> None:
        """Wait until a run has its record and its first heartbeat.

        Raises:
            EnvironmentFault: its process ended before, or it takes too long.
        """
        until = time.monotonic() + self.settings.start_deadline_s
        while folder.heartbeat() is None:
            if (code := process.poll()) is not None:
                if self._desk.registry.find(folder.run_id):
                    return  # it began and has ended already
                raise EnvironmentFault(f"{folder.run_id} did not start (exit code {code}): {_last_words(folder)}")
            if time.monotonic() > until:
                process.send_signal(SIGKILL)
                process.wait()
                raise EnvironmentFault(
                    f"{folder.run_id} had not begun after {self.settings.start_deadline_s:g} s and was killed: "
                    f"{_last_words(folder)}; start_deadline_s in [fleet] says how long it may take"
                )
            time.sleep(0.02)

    def _past(self, row: Run, launch: Launch) -> Past:
        """Return what the restart policy must know of a run that ended."""
        asked = self._desk.runs(row.run_id).stop_request() is not None
        asked = asked or self._error_of(row.run_id).startswith("Stopped:")
        order = launch.order
        state = self._desk.states.in_force(Scope.of(order.mode, order.strategy, order.symbol))
        return Past(launch, row.state, row.ended_at or launch.at, asked, state.state != "ACTIVE")

    def _starting(self) -> list[Launch]:
        """Return the launches that may still become runs."""
        now = self._desk.clock.now()
        limit = self.settings.start_deadline_s
        return [run for run in starting(self._site.runs) if abs((now - run.at).total_seconds()) <= limit]

    def _sweep(self) -> None:
        """Remove what was to start, never did, and lost its starter on the way."""
        for launch in starting(self._site.runs):
            if (self._desk.clock.now() - launch.at).total_seconds() > _LEFT_S:
                self._desk.runs(launch.run_id).unstage()

    def _one_at_a_time(self) -> FileLock:
        """Return the lock under which a start is decided, held.

        Raises:
            EnvironmentFault: another start holds it for too long, or it cannot be written.
        """
        lock = FileLock(self._site.runs / ".fleet.lock", timeout=_LOCK_S)
        try:
            self._site.runs.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except (Timeout, OSError) as error:
            raise EnvironmentFault(f"cannot lock {lock.lock_file}: {why(error)}; is another start hanging?") from error
        return lock

    def _log(self, what: str) -> None:
        """Note an operation in the operations log."""
        append_line(self._site.log, f"{iso(self._desk.clock.now())} fleet {what}")


def _last_words(folder: RunFolder) -> str:
    """Return the last thing that a run's process printed."""
    for path in (folder.staged / CONSOLE, folder.console):
        try:
            lines = read_plain(path).decode(errors="replace").split("\n")
        except OSError:
            continue
        said = [line.strip() for line in lines if line.strip()]
        if said:
            return said[-1]
    return "it printed nothing"
