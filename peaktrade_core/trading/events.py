"""The journal's events: what happened in a run, one JSON object a line, with ``seq``, ``ts`` and ``type``.

Times are the session's clock: bar time in a replay, so that the same data, config, code and seed give the same bytes.
Quantities are signed (buys positive, base units), prices and money in quote currency.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec


class Event(msgspec.Struct, tag_field="type", gc=False):
    """What every event has: its number in the run, from 0 without gaps, and its time."""

    seq: int
    ts: datetime


class Start(Event, tag="start"):
    """The run begins: with which configuration, over which data."""

    schema: int
    config: dict[str, Any]


class WarmedUp(Event, tag="warmup", omit_defaults=True):
    """The strategy has seen its history; from here on bars trade. ``sha256``: of those bars, where they were kept."""

    bars: int
    first: datetime | None
    last: datetime | None
    sha256: str | None = None


class BarDone(Event, tag="bar"):
    """A bar was worked off: its prices, the account at its close, and what it led to."""

    step: int
    ts_bar: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    position_size: float
    cash: float
    equity: float
    realized_pnl: float
    unrealized_pnl: float
    signal: int
    signal_changed: bool
    orders_generated: int
    orders_filled: int
    orders_rejected: int
    orders_blocked: int
    risk_allowed: bool
    risk_reasons: tuple[str, ...]


class Gap(Event, tag="gap"):
    """Bars are missing: the first and the last that should have come, and how many."""

    first: datetime
    last: datetime
    missing: int


class Signal(Event, tag="signal"):
    """The strategy wants to hold something else than before."""

    signal: float | None
    before: int


class Order(Event, tag="order"):
    """An instruction that passed the risk checks; it fills at the next bar's open."""

    order_id: str
    purpose: str
    qty: float
    price: float
    notional: float


class Denial(Event, tag="denial"):
    """An order that we refused: the code, the figure that was measured, its limit. ``order_id`` if it existed already."""

    code: str
    qty: float
    price: float
    value: float | None
    limit: float | None
    order_id: str | None = None


class Submission(Event, tag="submission"):
    """An order is about to be sent to the venue; written and synced before it is."""

    order_id: str


class VenueAnswer(Event, tag="venue_answer"):
    """What the venue said to a submission."""

    order_id: str
    accepted: bool
    message: str = ""
    raw: dict[str, Any] | None = None


class Fill(Event, tag="fill"):
    """One execution; ``reference`` is the open before slippage."""

    order_id: str
    purpose: str
    qty: float
    price: float
    fee: float
    reference: float


class Funding(Event, tag="funding"):
    """Funding of a perpetual contract: when it was due, its rate (those who are long pay a positive one) and what it came to.

    ``qty``: held then; ``price``: at which that was valued, the last close; ``amount``: received, negative where paid.
    """

    at: datetime
    rate: float
    qty: float
    price: float
    amount: float


class Severity(Event, tag="severity"):
    """The account moved to another level of its limits: green, yellow or red."""

    level: str


class State(Event, tag="state"):
    """The trading state changed: ACTIVE, REDUCING or HALTED; by whom and why."""

    state: str
    source: str
    reason: str


class Halt(Event, tag="halt"):
    """The session halted itself: a limit with its figures, or an error that must not be met twice."""

    code: str
    value: float | None = None
    limit: float | None = None


class Notice(Event, tag="notice"):
    """The feed has something to tell: a failed call that is made again, a clock that is off, a bar that cannot be true."""

    code: str
    message: str
    value: float | None = None


class Failure(Event, tag="error"):
    """Something went wrong: ``Type: message``."""

    error: str


class End(Event, tag="end"):
    """The run ended: completed, failed or aborted."""

    status: str
    error: str | None = None


AnyEvent = (
    Start
    | WarmedUp
    | BarDone
    | Gap
    | Signal
    | Order
    | Denial
    | Submission
    | VenueAnswer
    | Fill
    | Funding
    | Severity
    | State
    | Halt
    | Notice
    | Failure
    | End
)


class Sorted:
    """Something that has events, and gives those of a kind."""

    @cached_property
    def events(self) -> list[AnyEvent]:
        """All of them, in order."""
        raise NotImplementedError

    @cached_property
    def orders(self) -> list[Order]:
        """The orders that passed the risk checks."""
        return [event for event in self.events if isinstance(event, Order)]

    @cached_property
    def fills(self) -> list[Fill]:
        """What was executed."""
        return [event for event in self.events if isinstance(event, Fill)]

    @cached_property
    def denials(self) -> list[Denial]:
        """What was denied."""
        return [event for event in self.events if isinstance(event, Denial)]


SCHEMA = 1  # of the journal; a reader refuses a newer one
