"""The alert log: one append-only file of alert changes, shared by the watcher and every command.

A change is decided and written under one file lock, with everything that others wrote read first, so that two
processes never raise the same alert twice. It is on the disk before anybody acts on it. What a dying process left of
a line is cut off by the next writer and passed over by readers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.domain.alerts import AlertBook, AnyChange, Changed, Cleared, Raised
from peaktrade_core.domain.clock import iso
from peaktrade_core.domain.errors import EnvironmentFault

LOG = "alerts.jsonl"
LOCK_S = 10.0  # a writer holds the lock for milliseconds; longer than this is a fault [s]


class AlertLog:
    """The file, and the fold of it that this process has read so far.

    Attributes:
        path: ``reports/alerts/alerts.jsonl``.
        book: the fold; :meth:`refresh` brings it up to date.
        faults: whole lines that could not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = AlertBook()
        self.faults = 0
        self._offset = 0
        self._decode = msgspec.json.Decoder(AnyChange).decode
        self._lock = FileLock(path.with_suffix(".lock"))

    def refresh(self) -> AlertBook:
        """Read what was appended since the last time and return the fold.

        Raises:
            EnvironmentFault: the file is there but cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:  # replaced by a shorter one: begin again
                    self.book, self._offset, self.faults = AlertBook(), 0, 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            if self._offset:
                self.book, self._offset, self.faults = AlertBook(), 0, 0
            return self.book
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {error.strerror or error}") from error
        whole, newline, _ = data.rpartition(b"\n")
        for line in whole.splitlines():
            try:
                change = self._decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.faults += 1
            else:
                self.book.apply(change)
        self._offset += len(whole) + len(newline)
        return self.book

    def changes(self) -> list[AnyChange]:
        """Return every change that can be read, in order; raises as :meth:`refresh`."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {error.strerror or error}") from error
        found = []
        for line in lines:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                found.append(self._decode(line))
        return found

    def append(self, decide: Callable[[AlertBook], Iterable[AnyChange]]) -> list[AnyChange]:
        """Ask ``decide`` for changes to the newest state, write them durably and return them with their numbers.

        Args:
            decide: gets the fold of everything written so far; nobody writes while it thinks. It must not block.

        Raises:
            EnvironmentFault: the file cannot be written, or another process holds its lock for too long.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock.acquire(timeout=LOCK_S):
                book = self.refresh()
                changes = [
                    msgspec.structs.replace(change, seq=book.next_seq + n) for n, change in enumerate(decide(book))
                ]
                if changes:
                    self._write(changes)
                    self.refresh()
                return changes
        except Timeout:
            raise EnvironmentFault(
                f"another process holds {self._lock.lock_file} for more than {LOCK_S:g} s; end it, then try again"
            ) from None
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write {self.path}: {error.strerror or error}; check the permissions and the free space there"
            ) from error

    def _write(self, changes: list[AnyChange]) -> None:
        """Append whole lines and force them to the disk; a write that fails leaves nothing behind."""
        data = memoryview(msgspec.json.Encoder().encode_lines(changes))
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            if os.fstat(fd).st_size > self._offset:  # the torn line of a process that died
                os.ftruncate(fd, self._offset)
            try:
                written = 0
                while written < len(data):
                    written += os.write(fd, data[written:])
                os.fsync(fd)
            except OSError:
                os.ftruncate(fd, self._offset)
                raise
        finally:
            os.close(fd)


def short_hash(*parts: str) -> str:
    """Return eight hex digits that follow from ``parts``: an id that a person can type."""
    return sha256("\x1f".join(parts).encode()).hexdigest()[:8]


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a run's ``alerts.jsonl``: the contract's fields, then what tells repeats apart."""

    rule_id: str
    severity: str
    message: str
    run_id: str
    timestamp: str
    alert_id: str
    state: str
    seq: int
    runbook: str = ""


def note_in_runs(changes: Iterable[AnyChange], book: AlertBook, folder: Callable[[str], Path | None]) -> None:
    """Append what became of alerts to ``alerts.jsonl`` of the runs they are about; a line that is there stays single.

    Args:
        changes: from the log, with their numbers.
        book: the fold that knows their alerts.
        folder: finds the folder of a run, None where there is none.
    """
    for change in changes:
        if not isinstance(change, (Raised, Changed, Cleared)):
            continue
        row = book.alerts.get(change.alert_id)
        where = folder(row.run_id) if row and row.run_id else None
        if row is None or where is None or row.run_id is None:
            continue
        line = RunLine(
            rule_id=row.rule_id,
            severity=row.severity if isinstance(change, Cleared) else change.severity,
            message=change.message,
            run_id=row.run_id,
            timestamp=iso(change.at),
            alert_id=row.alert_id,
            state="cleared" if isinstance(change, Cleared) else "raised",
            seq=change.seq,
            runbook=row.runbook,
        )
        _append_once(where / LOG, line)


def _append_once(path: Path, line: RunLine) -> None:
    """Append a line unless its number is in the file; the torn end of an earlier one gets its newline first."""
    try:
        before = path.read_bytes() if path.exists() else b""
        if f'"seq":{line.seq},'.encode() in before:
            return
        start = b"" if not before or before.endswith(b"\n") else b"\n"
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(fd, start + msgspec.json.encode(line) + b"\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror or error}") from error
