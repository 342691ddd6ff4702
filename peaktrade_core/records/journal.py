"""The journal of a run: an append-only file of events, written before they are acted on.

Lines are collected and committed in groups (one write, one fsync). What :attr:`Journal.committed` counts survives the
death of the process; a reader tolerates a torn last line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import open_plain
from peaktrade_core.base.log import newest_lines
from peaktrade_core.trading.events import SCHEMA, AnyEvent, BarDone, Start
from peaktrade_core.trading.records import finite
from peaktrade_core.workspace.settings import GroupCommit

JOURNAL = "events.jsonl"
MOST = 16 << 20  # of a long journal, a follower reads only the end at its first look [bytes]
_CHUNK = 4 << 20  # bytes read at once
LONGEST_LINE = 64 << 20  # bytes; an event has some hundred
_BAR = b'{"type":"bar",'  # how our line of a bar begins
_FAULTS = 20  # broken lines that are told of, at most


class Journal:
    """Writer of one run's journal; one process, one writer."""

    def __init__(
        self,
        path: Path,
        policy: GroupCommit | None = None,
        safe: Callable[[Sequence[AnyEvent]], None] = lambda _: None,
    ) -> None:
        """Create the file.

        Args:
            path, policy: where, and how many events may wait for the disk.
            safe: told of the events of each commit, once they are on the disk.

        Raises:
            EnvironmentFault: it exists already or cannot be created.
        """
        self.path = path
        self.policy = policy or GroupCommit()
        self._safe = safe
        self.next_seq = 0
        self.committed = 0
        self._pending: list[AnyEvent] = []
        self._encode = msgspec.json.Encoder().encode_lines
        self._last = time.monotonic()
        self._size = 0
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise EnvironmentFault(f"cannot create the journal {path}: {why(error)}") from error

    def append(self, event: AnyEvent) -> None:
        """Add an event; its ``seq`` must be :attr:`next_seq`. It is durable only after the next commit."""
        self._pending.append(event)
        self.next_seq += 1

    def settle(self) -> None:
        """Commit if the policy says it is time."""
        if self._pending and (
            len(self._pending) >= self.policy.events or time.monotonic() - self._last >= self.policy.seconds
        ):
            self.commit()

    def commit(self) -> None:
        """Write what is pending in one go and force it to the disk.

        Raises:
            EnvironmentFault: the disk is full or gone; the file then ends with the last whole commit.
        """
        self._last = time.monotonic()
        if not self._pending:
            return
        data = memoryview(self._encode(self._pending))
        try:
            written = 0
            while written < len(data):
                written += os.write(self._fd, data[written:])
            if self.policy.fsync:
                os.fsync(self._fd)
        except OSError as error:
            self._pending.clear()
            self.next_seq = self.committed
            os.ftruncate(self._fd, self._size)
            raise EnvironmentFault(
                f"cannot write the journal {self.path}: {why(error)}; free space on that disk. "
                f"{self.committed} events are safe"
            ) from error
        self._size += len(data)
        self.committed = self.next_seq
        events, self._pending = self._pending, []
        self._safe(events)

    def close(self) -> None:
        """Commit and close the file."""
        try:
            self.commit()
        finally:
            os.close(self._fd)


def read_journal(path: Path) -> Iterator[AnyEvent]:
    """Yield the events of a journal, in order; a torn last line is passed over.

    Raises:
        ArtefactError: the file is missing, a line in the middle is broken, numbers are missing, the start names no start
            balance, or a newer schema.
    """
    for event in _events(path):
        if isinstance(event, Start) and finite(event.config.get("start_balance")) is None:
            raise ArtefactError(
                f"{path}, line {event.seq + 1}: the start names no start_balance, so nothing can be added up"
            )
        yield event


def _events(path: Path) -> Iterator[AnyEvent]:
    """Yield the events of a journal; raises as :func:`read_journal`, but takes a start without a balance."""
    expected = 0
    for block, torn in _blocks(path):
        for event, fault in _decoded(block):
            if event is None:
                if torn:
                    return
                raise ArtefactError(f"{path}, line {expected + 1}: {fault}; the events before it are whole")
            if event.seq != expected:
                raise ArtefactError(f"{path}, line {expected + 1}: event {event.seq} stands where {expected} should")
            if isinstance(event, Start) and event.schema > SCHEMA:
                raise ArtefactError(
                    f"{path}: journal schema {event.schema} is newer than this peaktrade reads ({SCHEMA})"
                )
            expected += 1
            yield event


def _decoded(block: bytes) -> Iterator[tuple[AnyEvent | None, str]]:
    """Yield the events of whole lines; at the first broken line, None and what is wrong with it."""
    decoder = msgspec.json.Decoder(AnyEvent)
    try:
        for event in decoder.decode_lines(block):
            yield event, ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        for line in block.splitlines():
            try:
                yield decoder.decode(line), ""
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield None, why(error)
                return


def _blocks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield the file in blocks of whole lines, and whether a block is the end that lacks its newline."""
    try:
        with open_plain(path) as file:
            rest = b""
            while chunk := file.read(_CHUNK):
                head, newline, tail = chunk.rpartition(b"\n")
                if newline:
                    yield rest + head + newline, False
                    rest = tail
                else:
                    rest += chunk
                    if len(rest) > LONGEST_LINE:
                        raise ArtefactError(
                            f"the journal {path} is damaged: {len(rest):,} bytes without the end of a line"
                        )
            if rest:
                yield rest, True
    except OSError as error:
        raise ArtefactError(f"cannot read the journal {path}: {why(error)}") from error


class Tail(NamedTuple):
    """The end of a journal.

    Attributes:
        events: oldest first; faults: what could not be read, in sentences, newest first.
    """

    events: list[AnyEvent]
    faults: tuple[str, ...]


def read_tail(path: Path, limit: int, kind: type[AnyEvent] | None = None) -> Tail:
    """Return the last ``limit`` events of a journal, or of one kind of them, reading only its end.

    Lines in between that are broken are passed over and said; a last line that is still being written is not a fault.

    Raises:
        ArtefactError: the file is missing or cannot be read.
    """
    decode = msgspec.json.Decoder(AnyEvent).decode
    found: list[AnyEvent] = []
    faults: list[str] = []
    lines = newest_lines(path)
    while len(found) < limit:
        try:
            line = next(lines, None)
            if line is None:
                break
            event = decode(line.text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if line and line.whole and len(faults) < _FAULTS:
                faults.append(f"{path.name}: a broken line was passed over: {why(error)}")
        except ArtefactError as error:
            if not found and not faults:
                raise
            faults.append(why(error))
            break
        else:
            if kind is None or type(event) is kind:
                found.append(event)
    return Tail(found[::-1], tuple(faults))


def read_beside_bars(path: Path) -> Tail:
    """Return all events of a journal but the bars' own, which of a long one are nearly all of it and are not decoded.

    Lines that are broken are passed over and said; a last line that is still being written is not a fault.

    Raises:
        ArtefactError: the file is missing or cannot be read.
    """
    decode = msgspec.json.Decoder(AnyEvent).decode
    found: list[AnyEvent] = []
    faults: list[str] = []
    for block, torn in _blocks(path):
        for line in block.split(b"\n"):
            if not line or line.startswith(_BAR):
                continue
            try:
                event = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if not torn and len(faults) < _FAULTS:
                    faults.append(f"{path.name}: a broken line was passed over: {why(error)}")
            else:
                if type(event) is not BarDone:
                    found.append(event)
    return Tail(found, tuple(faults))


def whole_events(path: Path) -> Iterator[AnyEvent]:
    """Yield the events of a journal up to the first broken line, for recovery, which takes what is there."""
    try:
        yield from _events(path)
    except ArtefactError:
        return


class NewEvents(NamedTuple):
    """Events that came since the last look, and how many whole lines could not be read."""

    events: list[AnyEvent]
    broken: int


class JournalFollower:
    """Reads one journal piece by piece; a line that is still being written waits for the next look.

    Args (of the constructor):
        path: the journal, which need not exist yet.
        most: of what is there at the first look, only so many bytes from the end are read.
    """

    def __init__(self, path: Path, most: int = MOST) -> None:
        self._path, self._most = path, most
        self._offset = -1
        self._decode = msgspec.json.Decoder(AnyEvent)

    def look(self) -> NewEvents:
        """Return what is new; nothing where the file is missing or cannot be read just now."""
        try:
            with open_plain(self._path) as file:
                size = os.fstat(file.fileno()).st_size
                if self._offset < 0 or size < self._offset:
                    self._offset = max(0, size - self._most)
                    file.seek(self._offset)
                    if self._offset:
                        self._offset += len(file.readline())  # most likely the end of a line
                file.seek(self._offset)
                data = file.read() or b""
        except OSError:
            return NewEvents([], 0)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        try:
            return NewEvents(self._decode.decode_lines(whole), 0)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._one_by_one(whole)

    def _one_by_one(self, whole: bytes) -> NewEvents:
        """Return the events of lines of which at least one is broken."""
        events: list[AnyEvent] = []
        broken = 0
        for line in whole.splitlines():
            try:
                events.append(self._decode.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                broken += 1
        return NewEvents(events, broken)
