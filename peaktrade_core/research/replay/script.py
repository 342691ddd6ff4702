"""The world outside a recorded session, as its journal tells it: bars, notices, states, the account, the venue, a stop.

Each part looks at the one event of the record that comes next. What the session decides is not taken from there: it is
decided again. Where the session says something else than the record, the script is over and nothing more is fed back.
"""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.base import errors
from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.halts.account import Seat
from peaktrade_core.halts.gate import HaltGate, rearm
from peaktrade_core.halts.scope import STATES, TradingState
from peaktrade_core.records.kept import UNFINISHED_BAR, WARMUP_KEPT
from peaktrade_core.session.plan import Stop
from peaktrade_core.session.session import IN_A_ROW, STOPPED
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import events as ev
from peaktrade_core.trading import risk
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.ports import FeedNotice, FundingRate, Item, OrderAnswer, Pause
from peaktrade_core.trading.risk import DENY_CODES, HALTED, OK, STALE_PRICE, STATE_HALTED, RiskVerdict, check_sending

ACCOUNT = "ACCOUNT"  # the notice that the account cannot be used
_BY_ACCOUNT = {DENY_CODES[code] for code in (
    risk.ACCOUNT_UNAVAILABLE, risk.NOT_FINITE, risk.MAX_DAILY_LOSS_ABS, risk.MAX_DAILY_LOSS_PCT, risk.MAX_OPEN_POSITIONS,
    risk.MAX_SYMBOL_EXPOSURE, risk.MAX_TOTAL_EXPOSURE,
)}  # fmt: skip
_KEPT = (UNFINISHED_BAR, WARMUP_KEPT)  # notices of what the session itself keeps when it ends
_TRIES = 3  # times that the session is given to take in what comes next between two bars


class Script:
    """What the record says comes next.

    Args (of the constructor):
        events: of the record, in order; lines: the same as they stand in its journal.

    Attributes:
        at: returns the number of the event that the session writes next.
        now: returns the session's time; book: its account.
        over: whether the session has said something else than the record; stuck: whether a bar is needed that nobody has.
        fed: how often each kind of thing was fed back.
    """

    def __init__(self, events: Sequence[ev.AnyEvent], lines: Sequence[bytes]) -> None:
        self.events, self.lines = events, lines
        self.at: Callable[[], int] = lambda: 0
        self.now: Callable[[], datetime] = lambda: from_seconds(0.0)
        self.book: Slots = []
        self.over = self.stuck = False
        self.fed = Counter[str]()
        self.ended = next((event for event in reversed(events) if isinstance(event, ev.End)), None)

    @property
    def next(self) -> ev.AnyEvent | None:
        """The event that comes next, None after the last one."""
        at = self.at()
        return self.events[at] if not self.over and at < len(self.events) else None

    @property
    def due(self) -> ev.AnyEvent | None:
        """The event that comes next, where it is of this moment of the session's time."""
        event = self.next
        return event if event is not None and event.ts == self.now() else None

    @property
    def ending(self) -> ev.AnyEvent | None:
        """The event that is due, or the one after it where the session only keeps something before it ends."""
        event, after = self.due, self.at() + 1
        if isinstance(event, ev.Notice) and event.code in _KEPT:
            return self.events[after] if after < len(self.events) else None
        return event

    def raw(self, name: str) -> Any:
        """Return a field of the event that comes next as it stands in the journal: a whole number is one."""
        return msgspec.json.decode(self.lines[self.at()])[name]

    def rest_of_bar(self) -> Iterator[ev.AnyEvent]:
        """Yield what comes next, up to the end of the bar."""
        for event in self.events[self.at() :] if not self.over else ():
            if isinstance(event, (ev.BarDone, ev.End)):
                return
            yield event

    def placed_now(self, order_id: str | None) -> ev.Order | None:
        """Return an order that was placed in the bar that is being worked off."""
        for event in reversed(self.events[: self.at()]):
            if isinstance(event, ev.BarDone):
                return None
            if isinstance(event, ev.Order) and event.order_id == order_id:
                return event
        return None

    def fault(self) -> BaseException | None:
        """Return the error with which the session ended, None where it did not end with one."""
        text = self.ended.error if self.ended else None
        if text is None:
            last = self.events[-1] if self.events else None
            text = last.error if isinstance(last, ev.Failure) else None
        return error_of(text) if text and not text.startswith(STOPPED) else None


def error_of(text: str) -> BaseException:
    """Return the error that is journalled as ``Type: message``; one of an unknown type has its name."""
    name, _, message = text.partition(": ")
    found = getattr(errors, name, None) or getattr(builtins, name, None)
    known = isinstance(found, type) and issubclass(found, BaseException)
    kind: Any = found if known else type(name, (PeaktradeError,), {})
    fault: BaseException = kind.__new__(kind, message)
    return fault


class ScriptedFeed:
    """The bars of a record with what was told between them.

    Attributes:
        name, simulated: as they were; skew_s: how old the price was at the bar that is being worked off [s].
    """

    data_sha256: str | None = None
    funding = ""  # as it was recorded

    def __init__(
        self, script: Script, name: str, *, simulated: bool, first: Sequence[Bar], then: Iterator[Bar]
    ) -> None:
        """Take the bars: the warm-up's, and those after it, which may go on after the record."""
        self._script, self.name, self.simulated = script, name, simulated
        self._first, self._then = first, then

    def __len__(self) -> int:
        return 0

    @property
    def skew_s(self) -> float:
        """The age of the price, as far as the record tells it; a price that passed counts as fresh [s]."""
        for event in self._script.rest_of_bar():
            if isinstance(event, ev.Denial) and event.code == DENY_CODES[STALE_PRICE] and event.order_id is None:
                self._script.fed["ages of a price"] += 1
                return event.value or 0.0
        return 0.0

    @skew_s.setter
    def skew_s(self, _: float) -> None:
        """Nobody measures it anew."""

    def __iter__(self) -> Iterator[Item]:
        script = self._script
        start = script.next
        if isinstance(start, ev.Start) and not (self._first and start.ts == from_seconds(self._first[0].ts)):
            yield Pause(0.0)  # the first call of a live feed had taken a while
        for bar in self._first:
            yield from self._between()
            if script.next is None:
                return
            yield bar
        while True:
            yield from self._between()
            self._fail()
            if script.next is None or _ends(script.due):
                return
            bar_or_none = next(self._then, None)
            if bar_or_none is None:
                script.stuck = True
                return
            yield bar_or_none

    def _between(self) -> Iterator[Item]:
        """Yield what was told before the next bar, and give the session the time to look around."""
        script, seen, tries = self._script, -1, 0
        while isinstance(event := script.due, (ev.Notice, ev.Funding, ev.State, ev.End)):
            tries = tries + 1 if script.at() == seen else 0
            seen = script.at()
            if tries > _TRIES or (isinstance(event, ev.End) and not _stopped(event)):
                return
            if isinstance(event, ev.Funding):
                script.fed["rates of funding"] += 1
                yield FundingRate(event.at.timestamp(), event.rate)
                continue
            kept = isinstance(event, ev.Notice) and event.code in _KEPT
            if kept and not _stopped(script.ending):
                return
            if isinstance(event, ev.Notice) and event.code != ACCOUNT and not kept:
                script.fed["notices"] += 1
                yield FeedNotice(event.code, event.message, script.raw("value"))
            else:
                yield Pause(0.0)

    def _fail(self) -> None:
        """Raise the error of the feed with which the session ended, where it comes next.

        What the session finds by itself is left to it: too few bars of a source that is here, orders that were refused.
        """
        due = self._script.due
        if not _ends(due) and not (isinstance(due, ev.Notice) and due.code == WARMUP_KEPT):
            return
        fault = self._script.fault()
        own = IN_A_ROW in str(fault) or (isinstance(fault, errors.DataError) and self.name != "exchange")
        if fault is not None and not own:
            self._script.fed["errors"] += 1
            raise fault


def _ends(event: ev.AnyEvent | None) -> bool:
    """Return whether an event between two bars belongs to the end of a session."""
    return isinstance(event, (ev.Failure, ev.Halt, ev.End))


def _stopped(event: ev.AnyEvent | None) -> bool:
    return isinstance(event, ev.End) and (event.error or "").startswith(STOPPED)


class ScriptedGate(HaltGate):
    """The trading states as the session took them over."""

    def __init__(self, script: Script) -> None:
        self._script, self._level, self._kept = script, 0.0, False

    def obey(self, book: Slots) -> TradingState | None:
        """Take over the state that comes next in the record, and return it."""
        event = self._script.due
        state = None
        if isinstance(event, ev.State) and event.state in STATES:
            level = float(STATES.index(event.state))
            if level < self._level:
                rearm(book)
            self._level = level
            scope, _, by = event.source.partition(" by ")
            state = TradingState(scope=scope, state=event.state, by=by, reason=event.reason)
            self._script.fed["trading states"] += 1
        book[bk.STATE] = max(self._level, HALTED) if self._kept else self._level
        return state

    def latch(self, _: str) -> PeaktradeError | None:
        """Hold the session's halt; return what kept it from the disk, where the record says that something did."""
        script = self._script
        event, at = script.due, script.at()
        after = script.events[at + 1] if at + 1 < len(script.events) else None
        if isinstance(event, ev.Failure) and not isinstance(after, ev.End):
            self._kept = True
            fault = error_of(event.error)
            assert isinstance(fault, PeaktradeError), "a gate tells nothing else"
            return fault
        self._level = max(self._level, HALTED)
        return None


class ScriptedSeat(Seat):
    """The account that was shared, as far as the session heard of it."""

    def __init__(self, script: Script) -> None:
        self._script, self.fault = script, ""

    def reserve(self, _: Slots, __: float) -> RiskVerdict:
        """Say to the opening order what the account said."""
        self._hear()
        for event in self._script.rest_of_bar():
            if isinstance(event, ev.Denial) and event.order_id is None and event.code in _BY_ACCOUNT:
                self._script.fed["refusals of the account"] += 1
                value, limit = (float("nan") if x is None else x for x in (event.value, event.limit))
                return RiskVerdict(DENY_CODES.index(event.code), value, limit)
        return RiskVerdict(OK, 0.0, 0.0)

    def publish(self, _: Slots, __: float) -> None:
        """Hear what became of the account."""
        self._hear()

    def leave(self) -> None:
        """Nothing is kept of a seat that is none."""

    def _hear(self) -> None:
        event = self._script.due
        said = event.message if isinstance(event, ev.Notice) and event.code == ACCOUNT else ""
        self.fault = "" if said == self.fault else said  # the same said twice was well in between


class ScriptedBroker:
    """The venue's answers, order by order."""

    def __init__(self, script: Script, *, asks_venue: bool) -> None:
        self._script, self.asks_venue = script, asks_venue

    def submit(self, order: ev.Order) -> OrderAnswer:
        """Return what the venue said to this order, or raise the error with which the session ended there."""
        script = self._script
        event = script.next
        if isinstance(event, ev.VenueAnswer) and event.order_id == order.order_id:
            script.fed["venue answers"] += 1
            return OrderAnswer(event.accepted, event.message, event.raw)
        if event is not None and (fault := script.fault()) is not None:
            script.fed["errors"] += 1
            raise fault
        return OrderAnswer(accepted=True)


class ScriptedStop(Stop):
    """The request to end, where the record says that it had come."""

    def __init__(self, script: Script) -> None:
        self._script = script
        super().__init__()
        end = script.ended
        self.reason = (end.error or "")[len(STOPPED) :] if end is not None and _stopped(end) else ""

    @property
    def requested(self) -> bool:
        """Whether somebody had asked by now: the session ended next, or did not send an order that it might have sent."""
        event = self._script.ending
        if _stopped(event):
            return True
        if isinstance(event, ev.Denial) and event.code == DENY_CODES[STATE_HALTED]:
            order = self._script.placed_now(event.order_id)
            return order is not None and check_sending(self._script.book, order.purpose == "open").code == OK
        return False

    @requested.setter
    def requested(self, _: bool) -> None:
        """Nobody asks a record to end."""


class ScriptedClock:
    """The session's own time: when it began, then the close of the bar that it works off."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def now(self) -> datetime:
        """Return the time of the record's start, then the session's."""
        event = self._script.next
        return event.ts if isinstance(event, ev.Start) else self._script.now()
