"""Following a journal that grows: each look reads only what is new since the last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.base.files import open_plain
from peaktrade_core.trading.events import AnyEvent

MOST = 16 << 20  # of a long journal, only its end is read at the first look [bytes]


class News(NamedTuple):
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

    def look(self) -> News:
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
            return News([], 0)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        try:
            return News(self._decode.decode_lines(whole), 0)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._one_by_one(whole)

    def _one_by_one(self, whole: bytes) -> News:
        """Return the events of lines of which at least one is broken."""
        events: list[AnyEvent] = []
        broken = 0
        for line in whole.splitlines():
            try:
                events.append(self._decode.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                broken += 1
        return News(events, broken)
