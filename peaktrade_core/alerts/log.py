"""The alert log: one append-only file of alert changes, shared by the watcher and every command.

A change is decided and written under one file lock, with everything that others wrote read first, so that two
processes never raise the same alert twice. It is on the disk before anybody acts on it. What a dying process left of
a line is written over by the next writer and passed over by readers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from peaktrade_core.alerts.alerts import DELIVERED, AnyChange, Changed, Cleared, Delivery, Notification, Raised
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import EnvironmentFault, why
from peaktrade_core.base.files import open_plain
from peaktrade_core.base.log import Ending, append, append_record, unfinished, whole_lines

LOG = "alerts.jsonl"
TESTS = "channel_tests.jsonl"


class AlertLog:
    """The file, and the fold of it that this process has read so far; threads may share it.

    Attributes:
        path: ``reports/alerts/alerts.jsonl``.
        book: the fold as it was read last; with news :meth:`refresh` puts another in its place, so that it never changes under
            who reads it.
        faults: whole lines that could not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = AlertBook()
        self.faults = 0
        self._offset = 0
        self._guard = threading.Lock()
        self._decode = msgspec.json.Decoder(AnyChange).decode

    def refresh(self) -> AlertBook:
        """Read what was appended since the last time and return the fold.

        Raises:
            EnvironmentFault: the file is there but cannot be read.
        """
        with self._guard:
            self._take(self._news())
            return self.book

    def _news(self) -> bytes:
        """Return the whole lines behind those that were read; where another file lies there, all of it."""
        try:
            with open_plain(self.path) as file:
                if os.fstat(file.fileno()).st_size < self._offset:  # replaced by a shorter one: begin again
                    self.book, self._offset, self.faults = AlertBook(), 0, 0
                file.seek(self._offset)
                data = file.read() or b""
        except FileNotFoundError:
            if self._offset:
                self.book, self._offset, self.faults = AlertBook(), 0, 0
            return b""
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {why(error)}") from error
        return data[: data.rfind(b"\n") + 1]

    def _take(self, lines: bytes) -> None:
        """Take lines into the fold, in a copy of it."""
        changes = []
        for line in lines.split(b"\n")[:-1]:
            try:
                changes.append(self._decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.faults += 1
        self.book = self.book.after(changes) if changes else self.book
        self._offset += len(lines)

    def changes(self) -> list[AnyChange]:
        """Return every change that can be read, in order; raises as :meth:`refresh`."""
        found = []
        for line in whole_lines(self.path):
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
        changes: list[AnyChange] = []

        def lines(_: Ending) -> list[bytes]:
            book = self.refresh()
            changes.extend(
                msgspec.structs.replace(change, seq=book.next_seq + n) for n, change in enumerate(decide(book))
            )
            return [msgspec.json.encode(change) for change in changes]

        append(self.path, lines, self.refresh)
        return changes


class AlertRecord:
    """Writes to the alert log; what cannot be written is kept, counts for all who ask, and is written as soon as it can be.

    Notifications that are kept have numbers below -1 until they are written. Threads may share it.
    """

    def __init__(self, path: Path) -> None:
        self._log = AlertLog(path)
        self._guard = threading.RLock()
        self._kept: list[AnyChange] = []
        self._numbers: dict[int, int] = {}  # of notifications, by those that they had before they were written
        self._firsts: dict[int, int] = {}
        self._next = -1

    @property
    def waiting(self) -> bool:
        """Whether something could not be written yet."""
        return bool(self._kept)

    def first_number(self, seq: int) -> int:
        """Return the number that a notification had before it was written, under which it may be under way."""
        return self._firsts.get(seq, seq)

    def book(self) -> AlertBook:
        """Return the newest state, with what could not be written yet; what cannot be read is as it was last read."""
        with self._guard:
            with suppress(EnvironmentFault):
                self._log.refresh()
            return self._log.book.after(self._kept)

    def write(self, decide: Callable[[AlertBook], Sequence[AnyChange]]) -> str:
        """Write what is decided over the newest state, after what waits, and return why that fails, if it does.

        Args:
            decide: gets the newest state; it is called once.
        """
        with self._guard:
            decided: list[AnyChange] | None = None
            numbers: dict[int, int] = {}

            def everything(book: AlertBook) -> list[AnyChange]:
                nonlocal decided
                numbers.update(
                    {c.seq: book.next_seq + n for n, c in enumerate(self._kept) if isinstance(c, Notification)}
                )
                first = [
                    msgspec.structs.replace(_numbered(c, numbers), seq=book.next_seq + n)
                    for n, c in enumerate(self._kept)
                ]
                decided = [_numbered(c, self._numbers | numbers) for c in decide(book.after(first))]
                return [*first, *decided]

            try:
                self._log.append(everything)
            except EnvironmentFault as fault:
                if decided is None:
                    decided = list(decide(self._log.book.after(self._kept)))
                self._kept += map(self._provisional, decided)
                return str(fault)
            self._numbers |= numbers
            self._firsts |= {new: old for old, new in numbers.items()}
            self._kept = []
            return ""

    def keep(self, change: AnyChange) -> None:
        """Have a change count at once, and written with the next."""
        with self._guard:
            self._kept.append(self._provisional(change))

    def _provisional(self, change: AnyChange) -> AnyChange:
        if isinstance(change, Notification):
            self._next -= 1
            return msgspec.structs.replace(change, seq=self._next)
        return change


def _numbered(change: AnyChange, numbers: Mapping[int, int]) -> AnyChange:
    """Return a change that names a notification by the number under which that is written."""
    if isinstance(change, Delivery) and change.notification in numbers:
        return msgspec.structs.replace(change, notification=numbers[change.notification])
    return change


def short_hash(*parts: str) -> str:
    """Return eight hex digits that follow from ``parts``: an id that a person can type."""
    return sha256("\x1f".join(parts).encode()).hexdigest()[:8]


_KINDS = {"failed_in_a_row": "failed_in_row", "rejects_in_a_row": "rejects_in_row"}


class _Triggered(msgspec.Struct, frozen=True):
    """A line of ``reports/live/triggers.jsonl``, where actions were written down before they were in the alert log."""

    trigger: str
    cause: str
    outcome: str


def acted_before(path: Path) -> frozenset[tuple[str, str]]:
    """Return for which (kind of rule, cause) something was stopped, as a file of older versions tells.

    A line that cannot be read is left out, so its cause may be acted upon once more.
    """
    found = set()
    with suppress(EnvironmentFault):
        for line in whole_lines(path):
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                one = msgspec.json.decode(line, type=_Triggered)
                if one.outcome == "done":
                    found.add((_KINDS.get(one.trigger, one.trigger), one.cause))
    return frozenset(found)


class ChannelTest(msgspec.Struct, frozen=True, kw_only=True):
    """One test of a channel: when, and whether the test notification was taken."""

    at: datetime
    channel: str
    delivered: bool
    reason: str = ""


def note_test(folder: Path, test: ChannelTest) -> None:
    """Note a test of a channel beside the alert log (``folder``: ``reports/alerts``).

    Raises:
        EnvironmentFault: it cannot be written.
    """
    append_record(folder / TESTS, msgspec.json.encode(test))


def last_delivered(folder: Path) -> dict[str, datetime]:
    """Return when each channel last delivered something, a test or an alert; a channel that never did is left out.

    Raises:
        EnvironmentFault: the alert log or the tests cannot be read.
    """
    found: dict[str, datetime] = {}
    for change in AlertLog(folder / LOG).changes():
        if isinstance(change, Delivery) and change.outcome == DELIVERED:
            found[change.channel] = max(change.at, found.get(change.channel, change.at))
    for line in whole_lines(folder / TESTS):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            test = msgspec.json.decode(line, type=ChannelTest)
            if test.delivered:
                found[test.channel] = max(test.at, found.get(test.channel, test.at))
    return found


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
    for line in run_lines(changes, book):
        if (where := folder(line.run_id)) is not None:
            _append_once(where / LOG, line)


def run_lines(changes: Iterable[AnyChange], book: AlertBook) -> Iterator[RunLine]:
    """Yield the lines that belong into ``alerts.jsonl`` of runs, as for :func:`note_in_runs`."""
    for change in changes:
        if not isinstance(change, (Raised, Changed, Cleared)):
            continue
        row = book.alerts.get(change.alert_id)
        if row is None or not row.run_id:
            continue
        yield RunLine(
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


def _append_once(path: Path, line: RunLine) -> None:
    """Append a line unless its number is in the file."""
    mark = f'"seq":{line.seq},'.encode()
    append(path, lambda end: [] if _holds(path, mark) else [*unfinished(end), msgspec.json.encode(line)])


def _holds(path: Path, mark: bytes) -> bool:
    """Return whether a whole line of a file holds a mark."""
    return any(mark in line for line in whole_lines(path))
