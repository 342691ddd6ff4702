"""The bound of the server's memory: past a limit no kernel is started, past twice the limit the server ends itself.

A limit of the operating system on the address space (``RLIMIT_AS``) was not taken: kernels would inherit it, and
numerical libraries map far more than they use. What a client can send is bounded where it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psutil

LIMIT_BYTES = 1 << 30
INTERVAL_S = 2.0


class Watchdog:
    """Watches the memory of this process.

    Args (of the constructor):
        limit: resident memory from which no kernel is started [bytes].
        used: returns the resident memory [bytes].
    """

    def __init__(self, limit: int = LIMIT_BYTES, used: Callable[[], int] | None = None) -> None:
        self._limit = limit
        self._used = used or _resident

    def refusal(self) -> str:
        """Return why no kernel may be started, empty when one may."""
        used = self._used()
        if used <= self._limit:
            return ""
        return (
            f"The server uses {used >> 20:,} MB, more than the {self._limit >> 20:,} MB after which it starts no further "
            "kernel. Pages without one still open; restart `peaktrade dashboard`."
        )

    async def exhausted(self) -> str:
        """Return once the server uses twice its limit: why it ends."""
        while (used := self._used()) <= 2 * self._limit:
            await asyncio.sleep(INTERVAL_S)
        return f"the dashboard used {used >> 20:,} MB and ended itself before the machine had none left; start it again"


def _resident() -> int:
    """Return the resident memory of this process [bytes]."""
    return int(psutil.Process().memory_info().rss)
