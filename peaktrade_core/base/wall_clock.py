"""The wall clock, and identities that follow from it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, aware UTC."""
        return datetime.now(UTC)


def random_suffix(_: str) -> str:
    """Return six random hex digits for a new session id."""
    return secrets.token_hex(3)


def by_day(day: str) -> tuple[bool, str]:
    """Return what a day ``YYYYMMDD`` in an id is sorted by, the newest last.

    A day that has not come was written while the clock was ahead; how old it is cannot be told, so it goes before all.
    """
    return day <= f"{datetime.now(UTC):%Y%m%d}", day
