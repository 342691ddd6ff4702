"""Time as the domain sees it: a clock that can be asked, and the two forms in which times are written.

Everything inside is aware UTC. ``Europe/Berlin`` appears only beside UTC, in evidence and reports.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


class Clock(Protocol):
    """Where a service gets the time from."""

    def now(self) -> datetime:
        """Return the current time, aware UTC."""


class FixedClock:
    """A clock for reproducible runs: starts at a given time and moves on by ``tick`` at each question."""

    def __init__(self, start: datetime, tick: timedelta = timedelta(seconds=1)) -> None:
        self._next = as_utc(start)
        self._tick = tick

    def now(self) -> datetime:
        """Return the next time of the fixed sequence, aware UTC."""
        now, self._next = self._next, self._next + self._tick
        return now


def as_utc(moment: datetime) -> datetime:
    """Return ``moment`` in UTC; a naive time, as older writers left them, means UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def from_seconds(ts: float) -> datetime:
    """Return the UTC time ``ts`` [s since epoch]."""
    return EPOCH + timedelta(seconds=ts)


def moved(moment: datetime, **by: float) -> datetime:
    """Return a time so much later, or with negative figures earlier; the calendar's first or last where it ends before.

    Args:
        moment: aware; by: as of :class:`datetime.timedelta`: ``days``, ``hours``, ``seconds``; not NaN.
    """
    earlier = any(figure < 0 for figure in by.values())
    try:
        return moment + timedelta(**by)
    except OverflowError:
        return (datetime.min if earlier else datetime.max).replace(tzinfo=UTC)


def iso(moment: datetime) -> str:
    """Return ``moment`` as ISO 8601 UTC with offset, to the second: ``2026-01-05T08:00:00+00:00``."""
    return as_utc(moment).isoformat(timespec="seconds")


def utc(moment: datetime) -> str:
    """Return ``moment`` as people read it, to the second: ``2026-01-05 08:00:00 UTC``."""
    return f"{as_utc(moment):%Y-%m-%d %H:%M:%S} UTC"


def both(moment: datetime) -> str:
    """Return ``moment`` as people on shift read it: ``2026-01-05 08:00:00 UTC (09:00 in Berlin)``."""
    return f"{utc(moment)} ({moment.astimezone(BERLIN):%H:%M} in Berlin)"


def local(moment: datetime) -> str:
    """Return ``moment`` in Europe/Berlin with its offset, to the second, as evidence shows it beside UTC."""
    return moment.astimezone(BERLIN).isoformat(timespec="seconds")
