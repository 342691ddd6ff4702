"""One call to a venue on a thread of its own, so that whoever waits can look elsewhere and give up at a deadline.

A call that was given up can still be on its way inside ccxt (waiting for its turn, loading markets); it then must not
send anything any more. :func:`given_up` tells it so. When the calls of all sessions of a workspace may leave, so that
together they keep to what the venue allows one address and one key, says :class:`SharedPace`.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FARTHEST_S = 600.0  # no queue is longer: a turn further ahead was written before the machine started anew [s]


class Call:
    """A call that runs."""

    def __init__(self, name: str, work: Callable[[], Any], deadline_s: float) -> None:
        """Start ``work``; it is given up ``deadline_s`` from now [s]."""
        self.name, self.deadline_s = name, deadline_s
        self._until = time.monotonic() + deadline_s
        self._answer: Any = None
        self._fault: BaseException | None = None
        self._thread = _Worker(self._run, work, name)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for at most ``seconds``; return whether the call is over or its deadline has passed."""
        self._thread.join(max(0.0, min(seconds, self._until - time.monotonic())))
        return not self._thread.is_alive() or time.monotonic() >= self._until

    def outcome(self) -> tuple[Any, BaseException | None]:
        """Wait for the end and return the answer and what was raised, one of them None.

        Raises:
            TimeoutError: the deadline has passed; the call sends nothing from now on.
        """
        self.wait(self.deadline_s)
        if self._thread.is_alive():
            self._thread.given_up = True
            raise TimeoutError(f"{self.name}: no answer within {self.deadline_s:g} s")
        return self._answer, self._fault

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            self._answer = work()
        except BaseException as raised:  # carried over to the thread that waits
            self._fault = raised


class _Worker(threading.Thread):
    """The thread of one call."""

    def __init__(self, run: Callable[[Callable[[], Any]], None], work: Callable[[], Any], name: str) -> None:
        super().__init__(target=run, args=(work,), name=name, daemon=True)
        self.given_up = False


def given_up() -> bool:
    """Return whether the call that this thread makes was given up."""
    return getattr(threading.current_thread(), "given_up", False)


class SharedPace:
    """Turns at one venue that processes share by a file: the next one begins where the last one ends.

    The file holds one time of the machine's monotonic clock, and is locked while a turn is taken. Where it cannot be used
    a process keeps to its own turns: an order must not depend on a cache.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        """Share turns by ``path``, which is made when it is needed; ``now``: the machine's monotonic clock [s]."""
        self._path, self._now, self._own = path, now, 0.0

    def take(self, seconds: float) -> float:
        """Take the next turn, which lasts for ``seconds``, and return how long to wait for it [s]."""
        now = self._now()
        try:
            begins = self._shared(now, seconds)
        except OSError:
            begins = max(now, self._own)
        self._own = begins + seconds
        return begins - now

    def _shared(self, now: float, seconds: float) -> float:
        """Return when the turn begins, after those of others and our own, and write when it ends.

        Raises:
            OSError: the file cannot be used.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            begins = max(now, self._own, _time_of(os.pread(fd, 64, 0), now))
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{begins + seconds!r}\n".encode(), 0)
            return begins
        finally:
            os.close(fd)


def _time_of(data: bytes, now: float) -> float:
    """Return the time that a file of turns holds, 0 for what is none."""
    try:
        found = float(data.decode())
    except ValueError:
        return 0.0
    return found if found <= now + FARTHEST_S else 0.0
