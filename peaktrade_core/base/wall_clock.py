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
