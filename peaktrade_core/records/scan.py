"""Looking at the registry's folder: which files there are, which changed, and what the changed ones hold."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISFIFO, S_ISLNK, S_ISREG
from typing import NamedTuple

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.records.rows import FileState, RegistryLine, fault_of, line_of
from peaktrade_core.trading.records import SessionRecord, read_record

SLICE = 400  # files looked at between two pauses
LARGEST_RECORD = 16 << 20  # bytes; a record has some thousand
_INODE = (1 << 63) - 1  # the index's integers are signed


class FolderDiff(NamedTuple):
    """What is different in a folder: paths that are new or changed, and names that are gone."""

    changed: dict[str, os.DirEntry[str]]
    gone: list[str]
    seconds: float


def changes(folder: Path, known: Mapping[str, FileState], *, every_file: bool, pause: Callable[[], None]) -> FolderDiff:
    """Return how a folder differs from what is known of it.

    Args:
        folder: of the records; a missing one is an empty one.
        known: the files by name.
        every_file: ask the system for the time and size of each; else only names and inodes are compared, which
            misses a file that was edited in place (records are replaced by renaming).
        pause: called now and then, to let others work.

    Raises:
        EnvironmentFault: the folder cannot be read.
    """
    began = time.perf_counter()
    changed: dict[str, os.DirEntry[str]] = {}
    gone = set(known)
    for number, item in enumerate(_items(folder), 1):
        name = _shown(item)
        gone.discard(name)
        before = known.get(name)
        if before is None or item.inode() & _INODE != before.inode:
            changed[name] = item
        elif every_file:
            with suppress(OSError):
                stat = _stat(item)
                if (stat.st_mtime_ns, stat.st_size) != (before.mtime_ns, before.size):
                    changed[name] = item
        if number % SLICE == 0:
            pause()
    return FolderDiff(dict(sorted(changed.items(), reverse=True)), sorted(gone), time.perf_counter() - began)


def _items(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the registry's files.

    Raises:
        EnvironmentFault: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as items:
            for item in items:
                if item.name.endswith(".json") and not item.name.startswith("."):
                    yield item
    except FileNotFoundError:
        return
    except OSError as error:
        raise EnvironmentFault(f"cannot read the registry {folder}: {why(error)}") from error


def folder_ns(folder: Path) -> int:
    """Return when a folder last changed [ns since epoch], 0 when there is none."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def read_line(name: str, item: os.DirEntry[str]) -> tuple[RegistryLine, FileState] | None:
    """Read one file, None when it has vanished; what cannot be read is a line that says so."""
    try:
        stat = _stat(item)  # before its content, so that what changes meanwhile is read again
        state = state_of(stat)._replace(inode=item.inode() & _INODE)  # a link's own, as listings say it
        return line_of(name, _record_in(item.path, stat)), state
    except FileNotFoundError as error:
        return (fault_of(name, why(error)), state) if item.is_symlink() else None
    except (OSError, ArtefactError) as error:
        return fault_of(name, why(error)), state


def state_of(stat: os.stat_result) -> FileState:
    """Return by what the index tells whether a file changed."""
    return FileState(stat.st_ino & _INODE, stat.st_mtime_ns, stat.st_size)


def read_file(path: Path) -> SessionRecord:
    """Return the record in a file.

    Raises:
        OSError: it cannot be read.
        ArtefactError: it is no record.
    """
    return _record_in(str(path), path.stat())


def _record_in(path: str, stat: os.stat_result) -> SessionRecord:
    """Return the record in a file of which the system says ``stat``."""
    if S_ISFIFO(stat.st_mode):
        raise ArtefactError("is a pipe, not a file")
    if not S_ISREG(stat.st_mode) and not S_ISDIR(stat.st_mode) and not S_ISLNK(stat.st_mode):
        raise ArtefactError("is a device, not a file")
    with open(path, "rb") as file:
        data = file.read(min(stat.st_size, LARGEST_RECORD) + 1)
        if len(data) > stat.st_size:  # it grows, or its size is not known beforehand
            data += file.read(LARGEST_RECORD + 1 - len(data))
    if len(data) > LARGEST_RECORD:
        raise ArtefactError(f"is larger than {LARGEST_RECORD:,} bytes, which no record is")
    return read_record(data)


def _stat(item: os.DirEntry[str]) -> os.stat_result:
    """Return what the system says of a file, or of the link itself when that leads nowhere."""
    try:
        return item.stat()
    except OSError:
        return item.stat(follow_symlinks=False)


def _shown(item: os.DirEntry[str]) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return os.fsencode(item.name).decode("utf-8", "replace")
