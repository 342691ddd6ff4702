"""Answers about files, each kept as long as its file stays as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Kept(Generic[Answer]):
    """The newest answers; several threads may ask.

    Args (of the constructor):
        most: how many are kept.
    """

    def __init__(self, most: int = 32) -> None:
        self._kept: OrderedDict[Hashable, tuple[tuple[int, int, int], Answer]] = OrderedDict()
        self._most, self._lock = most, Lock()

    def get(self, path: Path, question: Hashable, answer: Callable[[], Answer]) -> Answer:
        """Return the answer to a question about a file, asked anew only when the file has changed.

        Raises:
            OSError: the file is not there; and what ``answer`` raises.
        """
        stat = path.stat()
        state, key = (stat.st_ino, stat.st_mtime_ns, stat.st_size), (path, question)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or kept[0] != state:
            kept = (state, answer())
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return kept[1]
