"""The end of files that only grow: the last lines of a journal or a log, without reading what stands before them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from peaktrade_core.base.errors import ArtefactError

BLOCK, MOST = 64 << 10, 32 << 20  # bytes read first, and at most


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
        ArtefactError: there is no such file, it is no plain file or cannot be read, or ``most`` bytes were not enough.
    """
    try:
        with open(path, "rb", buffering=0, opener=_open) as file:
            if not S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ArtefactError(f"cannot read {path}: it is no plain file")
            yield from (line for line in backwards(file, path, most) if line.text.strip())
    except OSError as error:
        raise ArtefactError(f"cannot read {path}: {error.strerror or error}") from error


def _open(path: str, flags: int) -> int:
    """Open a file without waiting for it, should it be a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


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
