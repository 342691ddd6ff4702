"""What a session stands between: the feed that its bars come from, and the broker that its orders go to.

A feed is anything that iterates over :class:`~peaktrade_core.trading.market.Bar` in time order. The contract (one test
suite for all of them): times rise strictly by whole timeframes, every bar is possible, only closed bars appear, and a
bar that is missing is left out, never invented. A feed never sleeps: where it must wait it yields a :class:`Pause`, so
that the session can obey a stop or a halt meanwhile; what it must tell is a :class:`FeedNotice`.

Every broker here is unable to send a live order; the simulated one sends nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from peaktrade_core.trading.events import Order
from peaktrade_core.trading.market import Bar


class Pause(NamedTuple):
    """Nothing to do for so long [s]; what was journalled belongs on the disk meanwhile."""

    seconds: float


class FeedNotice(NamedTuple):
    """Something worth journalling that is no bar: a failed call that is made again, a clock that is off, a bad bar."""

    code: str
    message: str
    value: float | None = None


class FundingRate(NamedTuple):
    """The funding that was due at ``ts`` [s since epoch]: what those who are long pay, of the notional [fraction]."""

    ts: float
    rate: float


Item = Bar | Pause | FeedNotice | FundingRate


class Feed(Protocol):
    """A source of closed bars.

    Attributes:
        name: ``synthetic``, ``replay`` or ``exchange``.
        data_sha256: digest of the bars where they are known beforehand.
        simulated: whether time is the bars' own; a live feed runs on the wall clock.
        skew_s: by how much its clock is ahead of ours [s]; 0 where time is the bars' own.
        funding: where it has the funding of a perpetual contract from: ``venue``, a file, or ``unknown``.
    """

    name: str
    data_sha256: str | None
    simulated: bool
    skew_s: float
    funding: str

    def __iter__(self) -> Iterator[Item]:
        """Yield bars in time order, and pauses and notices between them."""

    def __len__(self) -> int:
        """Return how many bars there are; 0 when that is not known."""


class OrderAnswer(NamedTuple):
    """What a venue said to an order."""

    accepted: bool
    message: str = ""
    raw: dict[str, Any] | None = None


class Broker(Protocol):
    """A place that takes orders.

    Attributes:
        asks_venue: whether :meth:`submit` talks to anyone; the order is then journalled and synced before, and the
            answer after.
    """

    asks_venue: bool

    def submit(self, order: Order) -> OrderAnswer:
        """Hand over one order and return the answer."""


class SimulatedBroker:
    """Accepts every order; the decision code fills it at the next bar's open."""

    asks_venue = False

    def submit(self, order: Order) -> OrderAnswer:
        """Accept the order."""
        return OrderAnswer(accepted=True)
