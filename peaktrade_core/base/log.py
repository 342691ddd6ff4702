"""Files that only grow and that several processes share: whole lines or nothing, and on the disk.

The end of such a file is read without what stands before it. A writer holds a lock that ends with its process. What an
earlier one left unfinished at the end was never acknowledged: readers pass over it, and the next writer writes over it.
A write that fails, wherever, leaves the file as it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import ENOSPC
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import open_plain, read_plain, sync_folder

BLOCK, MOST = 64 << 10, 32 << 20  # bytes of a file's end read first, and at most
LOCK_S = 10.0  # a writer holds the lock for milliseconds; longer than this is a fault [s]
UNFINISHED = b" [unfinished]"  # ends a line of a plain log that its writer left without an end; it is then no JSON
_POLL_S = 0.005
LARGEST_LOG = 512 << 20  # bytes of a log that is read as a whole


class LastLine(NamedTuple):
    """A line near the end of a file; ``whole`` is False for a last line that lacks its newline."""

    text: bytes
    whole: bool


def newest_lines(path: Path, most: int = MOST) -> Iterator[LastLine]:
    """Yield the lines of a file that are not blank, the last one first, reading only what is asked for.

    Args:
        path: a file that others may be writing to; what they add meanwhile is not seen.
        most: give up after so many bytes, whatever the lines are.

    Raises:
        ArtefactError: there is no such file, it is not a plain file or cannot be read, or ``most`` bytes were not enough.
    """
    try:
        with open_plain(path) as file:
            yield from (line for line in backwards(file, path, most) if line.text.strip())
    except OSError as error:
        raise ArtefactError(f"cannot read {path}: {why(error)}") from error


def backwards(file: FileIO, path: Path, most: int = MOST) -> Iterator[LastLine]:
    """Yield the lines of an open file from its end; blocks double, so that a long line is not copied often.

    The first is what stands after the last newline, mostly nothing. An empty file has no lines.

    Args:
        file: read without a buffer; path: its name, for messages; most: as for :func:`newest_lines`.

    Raises:
        ArtefactError: ``most`` bytes were not enough; OSError: it cannot be read.
    """
    end = at = file.seek(0, os.SEEK_END)
    rest, size, whole = b"", BLOCK, False
    while at > 0:
        if end - at >= most:
            raise ArtefactError(f"{path}: only its last {end - at:,} bytes were read")
        begin = max(0, at - size)
        file.seek(begin)
        head, *lines = ((file.read(at - begin) or b"") + rest).split(b"\n")
        for line in reversed(lines):
            yield LastLine(line, whole)
            whole = True
        at, rest, size = begin, head, min(2 * size, 4 << 20)
    if end:
        yield LastLine(rest, whole)


class Ending(NamedTuple):
    """The end of a log.

    Attributes:
        last: the last whole line, without its newline; None when there is none.
        torn: what stands after it, which a dead writer left, or one that is still writing; empty as a rule.
        size: of the whole lines [bytes].
    """

    last: bytes | None
    torn: bytes
    size: int


def ending(path: Path) -> Ending:
    """Return the end of a log, reading only that; a missing file is empty.

    Raises:
        EnvironmentFault: the file cannot be read, or its end is too long to be a line.
    """
    try:
        return _ending(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot read {path}: {why(error)}") from error


def whole_lines(path: Path, called: str = "") -> list[bytes]:
    """Return the whole lines of a log, without newlines; a missing file has none, an unfinished last line is left out.

    Args:
        path: the file; called: what it is, for a message, with a space after it.

    Raises:
        EnvironmentFault: the file cannot be read.
    """
    try:
        return read_plain(path, LARGEST_LOG).split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvironmentFault(f"cannot read {called}{path}: {why(error)}") from error


def append(path: Path, lines: Callable[[Ending], Sequence[bytes]], then: Callable[[], object] = lambda: None) -> None:
    """Add lines to a log; they are on the disk when it returns.

    Args:
        path: the file; it and its folder are made where they are missing.
        lines: returns the lines, without newlines, for the end that it is given; nobody else writes while it thinks.
            They take the place of the end's unfinished line. With no lines the file stays as it is.
        then: called when they are on the disk, before anybody else may write.

    Raises:
        EnvironmentFault: the file cannot be written, or another process holds its lock for long; nothing was added,
            unless it says so.
    """
    with locked(path):
        if extend(path, lines):
            then()


def extend(path: Path, lines: Callable[[Ending], Sequence[bytes]]) -> bool:
    """Add lines as :func:`append` does, in a block that holds the log's lock, and return whether there were any.

    Raises:
        EnvironmentFault: the file cannot be written; nothing was added, unless it says so.
    """
    try:
        found = _ending(path)
    except OSError as error:
        raise EnvironmentFault(_told(path, error)) from error
    data = b"".join(line + b"\n" for line in lines(found))
    if data:
        _write(path, found, data)
    return bool(data)


def append_record(path: Path, line: bytes) -> None:
    """Add one line of JSON to a plain log; raises as :func:`append`. An unfinished line before it is marked as that."""
    append(path, lambda end: [*unfinished(end), line])


def append_line(path: Path, text: str) -> None:
    """Add one line of text to a plain log; raises as :func:`append`. Whatever breaks lines in it becomes a space."""
    append_record(path, " ".join(text.splitlines()).encode())


def unfinished(end: Ending) -> list[bytes]:
    """Return the unfinished line of a plain log as a line that says so, none where there is none."""
    return [end.torn + UNFINISHED] if end.torn else []


def _ending(path: Path) -> Ending:
    """Return the end of a log; raises as :func:`ending`, but OSError where the file cannot be read."""
    try:
        with open_plain(path) as file:
            size = file.seek(0, os.SEEK_END)
            found = [line.text for line in islice(backwards(file, path), 2)] or [b""]
    except FileNotFoundError:
        return Ending(None, b"", 0)
    except ArtefactError as error:
        raise EnvironmentFault(f"{error}, and hold no line; move the file aside and keep it") from None
    return Ending(found[1] if len(found) > 1 else None, found[0], size - len(found[0]))


@contextmanager
def locked(path: Path, wait_s: float = LOCK_S) -> Iterator[None]:
    """Hold the lock under which a log is written; it ends with its process.

    Args:
        path: the log; its folder is made where it is missing.
        wait_s: how long to try [s].

    Raises:
        EnvironmentFault: another process holds it for long, or it cannot be had at all.
    """
    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait_s, poll_interval=_POLL_S)
    except Timeout:
        raise EnvironmentFault(
            f"cannot append to {path}: another process holds {lock.lock_file} for more than {wait_s:g} s; "
            "end it, then try again"
        ) from None
    except (OSError, RuntimeError) as error:  # a disk that is read-only or knows no locks, a fork
        raise EnvironmentFault(_told(path, error)) from error
    try:
        yield
    finally:
        lock.release()


def _write(path: Path, end: Ending, data: bytes) -> None:
    """Write whole lines over the unfinished end, force them to the disk, or put back what was there.

    The unfinished end is not cut off first, so that there is no moment at which a reader sees neither it nor what heals it.
    """
    try:
        with open(path, "r+b", buffering=0, opener=_open) as file:
            try:
                _put(file, data, end.size)
                os.fsync(file.fileno())
                if not end.size:
                    sync_folder(path.parent)
            except BaseException as error:
                try:
                    _put(file, end.torn, end.size)
                except OSError as second:
                    raise EnvironmentFault(
                        f"{_told(path, error)}; what was half written could not be taken back "
                        f"({second.strerror or second}): the next entry heals it"
                    ) from error
                raise
    except OSError as error:
        raise EnvironmentFault(f"{_told(path, error)}; nothing was added") from error


def _put(file: FileIO, data: bytes, at: int) -> None:
    """Write all of ``data`` at an offset and end the file there."""
    file.seek(at)
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if not written:
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        rest = rest[written:]
    file.truncate(at + len(data))


def _open(path: str, flags: int) -> int:
    """Open a file for reading and writing, made where it is missing."""
    return os.open(path, flags | os.O_CREAT, 0o644)


def _told(path: Path, error: BaseException) -> str:
    """Return what cannot be done, why, and what to look at."""
    said = why(error) or type(error).__name__
    return f"cannot append to {path}: {said}; check the permissions and the free space of {path.parent}"
