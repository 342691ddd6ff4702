"""Where bars come from. A feed is anything that iterates over :class:`~peaktrade_core.trading.market.Bar` in time order.

The contract (one test suite for all of them): times rise strictly by whole timeframes, every bar is possible, only
closed bars appear, and a bar that is missing is left out, never invented. A feed never sleeps: where it must wait it
yields a :class:`Pause`, so that the session can obey a stop or a halt meanwhile; what it must tell is a :class:`Notice`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from peaktrade_core.trading.market import Bar


class Pause(NamedTuple):
    """Nothing to do for so long [s]; what was journalled belongs on the disk meanwhile."""

    seconds: float


class Notice(NamedTuple):
    """Something worth journalling that is no bar: a failed call that is made again, a clock that is off, a bad bar."""

    code: str
    message: str
    value: float | None = None


Item = Bar | Pause | Notice


class Feed(Protocol):
    """A source of closed bars.

    Attributes:
        name: ``synthetic``, ``replay`` or ``exchange``.
        data_sha256: digest of the bars where they are known beforehand.
        simulated: whether time is the bars' own; a live feed runs on the wall clock.
        skew_s: by how much its clock is ahead of ours [s]; 0 where time is the bars' own.
    """

    name: str
    data_sha256: str | None
    simulated: bool
    skew_s: float

    def __iter__(self) -> Iterator[Item]:
        """Yield bars in time order, and pauses and notices between them."""

    def __len__(self) -> int:
        """Return how many bars there are; 0 when that is not known."""
