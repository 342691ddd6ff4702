"""Run folders under ``live_runs/``: one a session, with its journal, its meta data and the lock of the process in it.

The lock is the operating system's: it ends with the process that holds it, however that ends, and a recycled process
number can never be mistaken for it. A folder comes into being whole: locked and described before it has its name, so
that nobody who looks can be in the way of its owner.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import as_json, read_plain, sha256_of, write_atomic, write_plain
from peaktrade_core.base.processes import Identity, exists, is_locked, this_host
from peaktrade_core.base.text import said
from peaktrade_core.records.bar_table import TABLE
from peaktrade_core.records.journal import JOURNAL
from peaktrade_core.records.kept import CODE, WARMUP
from peaktrade_core.trading.records import SessionRecord

QUIET_S = 60.0  # a run that goes on has replaced its heartbeat since then [s]
ENDED = "ended"  # the phase of a run that is over
STARTING = ".starting"  # ends the hidden name of a folder that has no name yet
LAUNCH = "launch.json"  # how the fleet started it
CONSOLE = "console.log"  # what the process of a fleet run prints
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_LOCK_TRIES = 20  # whoever looks at a lock lets go of it within microseconds


def stamp_of_id(run_id: str) -> str:
    """Return the part of a run's id that tells when it began, so that ids of all modes sort by time."""
    return run_id.partition("_")[2] or run_id


def is_id(text: str) -> bool:
    """Return whether ``text`` may name a run: no separators, no leading dot."""
    return bool(_ID.fullmatch(text))


def meta_of(record: SessionRecord) -> dict[str, Any]:
    """Return what ``meta.json`` says of a run, under the names its readers know."""
    return {
        "run_id": record.run_id,
        "mode": record.mode,
        "strategy_name": record.setting("strategy_name"),
        "symbol": record.symbol,
        "timeframe": record.setting("timeframe"),
        "started_at": record.started_at,
        "ended_at": record.finished_at,
        "status": record.status,
        "notes": record.setting("notes"),
        "host": record.host,
        "config": record.config,
    }


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is right now: a picture, replaced about once a second; the journal stays the truth.

    Attributes:
        at: when it was taken, wall clock; bar_ts: close of the last bar, None before the first.
        pid: process number; started: when that process began [s since epoch], which a recycled number does not share.
        step: bars traded; events: how many are in the journal.
        price: last close; exposure: |position| at it; equity and PnL [quote ccy].
        position: signed [base units]; max_drawdown: [fraction].
        orders_blocked: denied so far; rejects: refused by the venue in a row.
        phase: ``starting``, ``warm-up``, ``running`` or ``ended``; last_error: the last fault or feed notice.
    """

    at: datetime
    pid: int
    started: float
    step: int = 0
    bar_ts: datetime | None = None
    price: float | None = None
    position: float = 0.0
    exposure: float = 0.0
    equity: float = 0.0
    realized_pnl: float = 0.0
    unrealized_pnl: float = 0.0
    max_drawdown: float = 0.0
    orders_blocked: int = 0
    rejects: int = 0
    trading_state: str = "ACTIVE"
    phase: str = "starting"
    events: int = 0
    last_error: str | None = None


class StopRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants a run to end: who, why and since when."""

    by: str
    reason: str
    at: datetime | None = None


class RunFolder:
    """The folder of one run.

    Attributes:
        run_id: the session's id, which names the folder.
        path, journal, table, meta, console: the folder and its files; warmup, code: what a replay needs beside the journal.
        staged: the folder before it has its name.
    """

    def __init__(self, base: Path, run_id: str) -> None:
        """Describe the folder; nothing is touched.

        Raises:
            ArtefactError: the id could escape the base folder.
        """
        if not is_id(run_id):
            raise ArtefactError(f"{run_id!r} cannot be a run id")
        self.run_id = run_id
        self.path = base / run_id
        self.staged = base / f".{run_id}{STARTING}"
        self.journal = self.path / JOURNAL
        self.table = self.path / TABLE
        self.meta = self.path / "meta.json"
        self.console = self.path / CONSOLE
        self.warmup, self.code = self.path / WARMUP, self.path / CODE
        self._beat = self.path / "heartbeat.json"
        self._stop = self.path / "stop.json"
        self._lock = FileLock(self.path / "lock")

    def stage(self) -> Path:
        """Make the nameless folder that :meth:`create` takes over, and return it.

        Raises:
            EnvironmentFault: it cannot be made.
        """
        try:
            self.staged.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"cannot create {self.path}: {why(error)}") from error
        return self.staged

    def unstage(self) -> None:
        """Remove what a run that never began has left."""
        shutil.rmtree(self.staged, ignore_errors=True)

    def create(self, meta: dict[str, Any], more: Mapping[str, bytes] | None = None) -> None:
        """Make the folder, locked by this process, with its ``meta.json`` and ``more`` files by name.

        Raises:
            FileExistsError: a run of that id exists, or is just being made.
            EnvironmentFault: the folder cannot be written.
        """
        lock = FileLock(self.stage() / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise FileExistsError(f"run {self.run_id} is just being made") from None
        except OSError as error:
            raise EnvironmentFault(f"cannot create {self.path}: {why(error)}") from error
        try:
            for name, data in (more or {}).items():
                write_plain(self.staged / name, data)
            write_atomic(self.staged / self.meta.name, as_json(meta))
            if self.path.exists():
                raise FileExistsError(f"run {self.run_id} exists")
            self._name()
        except BaseException:
            lock.release()
            self.unstage()
            raise
        self._lock = lock

    def _name(self) -> None:
        """Give the staged folder its name."""
        try:
            os.rename(self.staged, self.path)
        except OSError as error:
            if self.path.exists():
                raise FileExistsError(f"run {self.run_id} exists") from None
            raise EnvironmentFault(f"cannot create {self.path}: {why(error)}") from error

    def write_meta(self, meta: dict[str, Any]) -> None:
        """Replace ``meta.json``."""
        write_atomic(self.meta, as_json(meta))

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each file that does not change any more once it has ended, by name; a missing one is left out."""
        files = (self.journal, self.table, self.warmup, self.code, self.meta, self.path / LAUNCH)
        return {path.name: sha256_of(path) for path in files if path.exists()}

    def tidy(self) -> None:
        """Remove what the process of a run that is over left half done."""
        for path in self.path.glob(".*.tmp"):
            with suppress(OSError):
                path.unlink()

    def read_meta(self) -> dict[str, Any]:
        """Return ``meta.json``, empty when there is none that can be read."""
        try:
            meta = msgspec.json.decode(read_plain(self.meta))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return meta if isinstance(meta, dict) else {}

    def beat(self, beat: Heartbeat) -> None:
        """Replace the heartbeat, whole but not forced to the disk: the next one comes in a second.

        Raises:
            OSError: it cannot be written.
        """
        new = self.path / ".heartbeat.tmp"
        new.write_bytes(msgspec.json.encode(beat))
        os.replace(new, self._beat)

    def heartbeat(self) -> Heartbeat | None:
        """Return the last heartbeat, None when there is none that can be read."""
        try:
            return msgspec.json.decode(read_plain(self._beat), type=Heartbeat)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def ask_to_stop(self, by: str, reason: str, at: datetime) -> None:
        """Ask the run to end after the bar it is at; it obeys within half a second.

        Raises:
            EnvironmentFault: the request cannot be written.
        """
        write_atomic(self._stop, as_json(StopRequest(by=said(by), reason=said(reason), at=at)))

    def stop_request(self) -> StopRequest | None:
        """Return who asked the run to end; a request that cannot be read is one, too."""
        try:
            data = read_plain(self._stop)
        except FileNotFoundError:
            return None
        except OSError as error:
            return StopRequest(by="somebody", reason=f"stop.json cannot be read: {why(error)}")
        try:
            return msgspec.json.decode(data, type=StopRequest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return StopRequest(by="somebody", reason="stop.json is damaged")

    def alive(self) -> bool:
        """Return whether a process holds the run's lock; asking is never in its way."""
        return is_locked(self.path / "lock") or self._unlocked_but_alive()

    def owner(self) -> Identity | None:
        """Return the process that the run says is its own, None when it does not say."""
        try:
            return msgspec.convert(self.read_meta().get("process"), Identity)
        except msgspec.ValidationError:
            beat = self.heartbeat()
            return Identity(beat.pid, beat.started) if beat else None

    def _unlocked_but_alive(self) -> bool:
        """Return whether a run goes on though nobody holds its lock: a person, or a program that tidies up, removed it."""
        meta, beat = self.read_meta(), self.heartbeat()
        if meta.get("ended_at") is not None or meta.get("host") != this_host() or (beat and beat.phase == ENDED):
            return False
        try:
            told = (self._beat if beat else self.meta).stat().st_mtime
        except OSError:
            return False
        owner = self.owner() if abs(time.time() - told) < QUIET_S else None
        return owner is not None and exists(owner)

    def acquire(self) -> bool:
        """Take the run's lock; False when its process is alive (or the folder cannot be written)."""
        if not self._lock.is_locked and self._unlocked_but_alive():
            return False
        for _ in range(_LOCK_TRIES):
            with suppress(Timeout, OSError):
                self._lock.acquire(timeout=0)
                return True
            if self.alive():
                return False
            time.sleep(0.001)
        return False

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()
