"""The venue's clock: it stands still until it is moved, or runs as fast as wanted. Market data follow it alone."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from peaktrade_core.base.clock import as_utc, from_seconds
from peaktrade_core.base.errors import ConfigError


class VenueClock:
    """A clock that tests move through hours in seconds; it can stand in for the session's clock as well.

    Attributes:
        skew_s: by how much the times that the venue *states* (Time, serverTime, Date) run ahead of its market [s].
    """

    def __init__(self, start: float, speed: float = 0.0, skew_s: float = 0.0) -> None:
        """Start the clock.

        Args:
            start: first time [s since epoch].
            speed: venue seconds for each real second; 0.0 stands still until :meth:`advance` or :meth:`set`.
            skew_s: see above [s].

        Raises:
            ConfigError: a negative speed.
        """
        _check_speed(speed)
        self._lock = threading.Lock()
        self._base, self._since, self._speed = start, time.monotonic(), speed
        self.skew_s = skew_s

    @classmethod
    def system(cls) -> VenueClock:
        """Return a clock that shows the machine's time."""
        return cls(time.time(), speed=1.0)

    @property
    def speed(self) -> float:
        """Return how many venue seconds pass in a real one; assignable while it runs."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        _check_speed(speed)
        with self._lock:
            self._rebase(self._read())
            self._speed = speed

    def seconds(self) -> float:
        """Return the time [s since epoch]."""
        with self._lock:
            return self._read()

    def stated(self) -> float:
        """Return the time that the venue claims [s since epoch]."""
        return self.seconds() + self.skew_s

    def now(self) -> datetime:
        """Return the time, aware UTC; makes this a :class:`~peaktrade_core.base.clock.Clock`."""
        return from_seconds(self.seconds())

    def set(self, moment: float | datetime) -> None:
        """Jump to ``moment`` [s since epoch, or a datetime]."""
        ts = as_utc(moment).timestamp() if isinstance(moment, datetime) else float(moment)
        with self._lock:
            self._rebase(ts)

    def advance(self, seconds: float) -> float:
        """Move on by ``seconds`` and return the new time [s since epoch]."""
        with self._lock:
            self._rebase(self._read() + seconds)
            return self._base

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` of venue time pass: at once when the clock stands still, else by waiting for them."""
        if self._speed == 0.0:
            self.advance(max(0.0, seconds))
        elif seconds > 0.0:
            time.sleep(seconds / self._speed)

    def _read(self) -> float:
        return self._base + (time.monotonic() - self._since) * self._speed

    def _rebase(self, ts: float) -> None:
        self._base, self._since = ts, time.monotonic()


def _check_speed(speed: float) -> None:
    if not 0.0 <= speed < 1e9:
        raise ConfigError(f"speed = {speed} of the venue's clock must be 0 (manual) or positive")
