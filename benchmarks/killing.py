"""Killing a process at one of the points where it asks the system for something that changes the disk.

A warm parent forks a child for each round. The child counts its points: files opened for writing, written, forced to the
disk, renamed and removed, folders made and removed, locks taken, processes started. At the point that it was given it
sends itself SIGKILL; a write dies with half of it done. What it acknowledged before that came through a pipe.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from peaktrade_core.base import log

Say = Callable[..., None]
Work = Callable[[Say], object]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.utime", "fcntl.flock", "sqlite3.connect"}
FAILED = 70  # exit code of a child whose work raised
PATIENCE_S = 120  # a child that takes longer is stuck [s]


class Ended(NamedTuple):
    """How a child ended.

    Attributes:
        killed: whether it died at its point; points: how many it passed, of one that came to its end.
        said: what it acknowledged; error: the traceback of one whose work raised.
    """

    killed: bool
    points: int
    said: list[Any]
    error: str


class Points:
    """Counts the points of this process and ends it at one of them."""

    def __init__(self, at: int) -> None:
        """Count from now on; ``at`` 0 for a process that shall live."""
        self.count, self._at, self._owner = 0, at, os.getpid()
        self._write, self._fsync, self._put = os.write, os.fsync, log._put
        os.write, os.fsync = self._half, self._forced
        log._put = self._half_put
        sys.addaudithook(self._event)

    def _due(self) -> bool:
        if os.getpid() != self._owner:  # of a process that this one started
            return False
        self.count += 1
        return self.count == self._at

    def _pass(self) -> None:
        if self._due():
            os.kill(os.getpid(), signal.SIGKILL)

    def _event(self, name: str, args: tuple[Any, ...]) -> None:
        if name in EVENTS or (name == "open" and isinstance(args[2], int) and args[2] & WRITES):
            self._pass()

    def _forced(self, fd: int) -> None:
        self._pass()
        self._fsync(fd)

    def _half(self, fd: int, data: Any) -> int:
        if self._due():
            self._write(fd, bytes(data)[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return self._write(fd, data)

    def _half_put(self, file: io.FileIO, data: bytes, at: int) -> None:
        if self._due():
            file.seek(at)
            file.write(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        self._put(file, data, at)


def in_child(work: Work, at: int = 0) -> Ended:
    """Do something in a child, which dies at its point ``at``; 0 for one that comes to its end."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read_end)
        _be_child(work, at, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        lines = pipe.read().split(b"\n")[:-1]  # what follows the last newline was not said whole
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    said = [json.loads(line) for line in lines]
    ends = [one for one in said if isinstance(one, dict) and one.keys() == {"points", "error"}]
    end = ends[-1] if ends else {"points": 0, "error": "" if killed else f"ended with status {status}"}
    return Ended(killed, end["points"], [one for one in said if one not in ends], end["error"])


def _be_child(work: Work, at: int, pipe: int) -> None:
    """Do the work, say how it ended, and be gone."""
    tell, error = os.write, ""

    def say(*what: Any) -> None:
        tell(pipe, json.dumps(what[0] if len(what) == 1 else what).encode() + b"\n")

    signal.alarm(PATIENCE_S)
    points = Points(at)
    try:
        work(say)
    except BaseException:
        error = traceback.format_exc()
    count, points._at = points.count, 0
    say({"points": count, "error": error})
    os._exit(FAILED if error else 0)


def spread(rng: random.Random, most: int) -> Iterator[int]:
    """Yield points to die at, from 1 to ``most``: each once, in random order, then random ones."""
    yield from rng.sample(range(1, most + 1), most)
    while True:
        yield rng.randint(1, most)
