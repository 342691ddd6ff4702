"""Where bars come from. A feed is anything that iterates over :class:`~peaktrade_core.domain.market.Bar` in time order.

The contract (one test suite for all of them): times rise strictly by whole timeframes, every bar is possible, only
closed bars appear, and a bar that is missing is left out, never invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from peaktrade_core.domain.market import Bar


class Feed(Protocol):
    """A source of closed bars.

    Attributes:
        name: ``synthetic``, ``replay`` or ``exchange``.
        data_sha256: digest of the bars where they are known beforehand.
        simulated: whether time is the bars' own; a live feed runs on the wall clock.
    """

    name: str
    data_sha256: str | None
    simulated: bool

    def __iter__(self) -> Iterator[Bar]:
        """Yield bars in time order."""

    def __len__(self) -> int:
        """Return how many bars there are; 0 when that is not known."""
