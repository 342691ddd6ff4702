"""One call to a venue on a thread of its own, so that whoever waits can look elsewhere and give up at a deadline.

A call that was given up can still be on its way inside ccxt (waiting for its turn, loading markets); it then must not
send anything any more. :func:`given_up` tells it so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


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
