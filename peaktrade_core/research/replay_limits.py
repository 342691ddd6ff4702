"""Counterfactual limits: a recorded session once more through the same decision code, under other risk limits.

Bars and signals come from the journal (signals do not depend on limits), so do the venue's answers, the trading states
and what the shared account refused. Under the session's own limits the replay repeats every event of the journal. What
is not in the journal is not known: an account's refusal is judged by its recorded figure, and a live price that passed
counts as fresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any

import msgspec

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.halts.gate import rearm
from peaktrade_core.halts.scope import STATES
from peaktrade_core.research.divergence_events import unnumbered
from peaktrade_core.research.recorded_bars import DECIDED, RecordedBar, refuse_imported
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.costs import Market, market_of
from peaktrade_core.trading.decision import Teller
from peaktrade_core.trading.limit_use import refusal
from peaktrade_core.trading.margin import Closes
from peaktrade_core.trading.market import Instrument, timeframe_seconds, worth
from peaktrade_core.trading.ports import FundingRate
from peaktrade_core.trading.records import Metrics, SessionConfig
from peaktrade_core.trading.risk import HALTED, OK, Limits
from peaktrade_core.trading.tally import Tally


class ReplayDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Where the replay first differs: the recorded event and the replayed one (null where there is none), and why."""

    step: int
    at: datetime
    seq: int | None
    recorded: ev.AnyEvent | None
    replayed: ev.AnyEvent | None
    why: str


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """An opening order that was sent, or filled, and would have been denied: when, which, by what, with the figures."""

    at: datetime
    order_id: str
    qty: float
    notional: float
    code: str
    value: float | None
    limit: float | None


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """What other limits would have made of a session.

    Attributes:
        changed: limits that differ, as (recorded, replayed); bars: how many were replayed.
        first: the first difference, null where every event is the same.
        blocked: opening orders that would have been denied, when they were decided or when they would have filled;
            allowed: denials of either kind that would not have been.
        recorded, replayed: metrics of both; pnl_difference: replayed - recorded equity at the end [quote ccy].
    """

    session_id: str
    changed: dict[str, tuple[float, float]]
    bars: int
    first: ReplayDifference | None
    blocked: tuple[Blocked, ...]
    allowed: int
    recorded: Metrics
    replayed: Metrics
    pnl_difference: float


class Replay:
    """The loop of the session without feed, broker and disk: the outside world is what a recorded bar says of it."""

    def __init__(self, config: SessionConfig, market: Market, limits: Limits) -> None:
        self.market, self.limits = market, limits
        self.bar_s = float(timeframe_seconds(config.timeframe))
        self.book = bk.new_book(config.start_balance, market.inverse, market.least_distance)
        self.out, self.teller, self.closes = engine.new_out(), Teller(), Closes()
        self.gate = 0.0

    def bar(self, bar: RecordedBar) -> tuple[list[ev.AnyEvent], ev.BarDone]:
        """Work off one bar and return its events, those of the venue included, and its end."""
        done, book = bar.done, self.book
        paid = [self._pay(event) for event in bar.funding]
        self._obey(bar.states_before)
        open_ts = done.ts_bar.timestamp()
        rows = engine.step(
            book,
            self.out,
            self.market,
            self.limits,
            bar.signal,
            open_ts,
            open_ts + self.bar_s,
            done.open,
            done.close,
            bar.age_s,
        )
        if book[bk.OPENING] != 0.0:
            verdict = bar.account_verdict(self.limits)
            if verdict.code != OK:
                rows = engine.refuse_opening(book, self.out, rows, self.limits, verdict, done.close)
        events = self.teller.tell(self.out, rows, 0, done.ts)
        if any(isinstance(event, ev.Halt) for event in events):
            self.gate = max(self.gate, HALTED)
        self._obey(bar.states_after)
        events += self._venue(bar, [event for event in events if isinstance(event, ev.Order)])
        if self.market.leverage:
            self.closes.note(open_ts + self.bar_s, book[bk.QTY], done.close)
        return [*paid, *events], self._done(bar, events)

    def _pay(self, due: ev.Funding) -> ev.Funding:
        """Book what was due on the position that is held here."""
        qty, price, amount = self.closes.book(self.book, FundingRate(due.at.timestamp(), due.rate))
        return msgspec.structs.replace(due, qty=qty, price=price, amount=amount)

    def _obey(self, states: list[ev.State]) -> None:
        """Take over what the session took over from the disk."""
        for state in states:
            level = float(STATES.index(state.state))
            if level < self.gate:
                rearm(self.book)
            self.gate = self.book[bk.STATE] = level

    def _venue(self, bar: RecordedBar, placed: list[ev.Order]) -> list[ev.AnyEvent]:
        """Answer orders as the venue did, order by order; what it was never asked it accepts."""
        said: list[ev.AnyEvent] = []
        refused = False
        for order in placed:
            if not refused and (denial := bar.withheld.get(order.purpose)):
                said.append(msgspec.structs.replace(denial, qty=order.qty, price=order.price, order_id=order.order_id))
                self.teller.withdraw(order, self.book)
                continue
            if order.purpose not in bar.answers and not refused:
                continue
            if not refused and bar.answers[order.purpose]:
                self.book[bk.REJECTS] = 0.0
                said.append(ev.VenueAnswer(0, bar.done.ts, order.order_id, True))
                continue
            self.book[bk.REJECTS] += not refused
            refused = True
            self.teller.withdraw(order, self.book)
            said.append(ev.VenueAnswer(0, bar.done.ts, order.order_id, False))
        return said

    def _done(self, bar: RecordedBar, events: list[ev.AnyEvent]) -> ev.BarDone:
        """Return the bar's end as the session would have journalled it."""
        book = self.book
        denials = [event for event in events if isinstance(event, ev.Denial)]
        orders = sum(isinstance(event, ev.Order) for event in events)
        return msgspec.structs.replace(
            bar.done,
            position_size=book[bk.QTY],
            cash=book[bk.CASH],
            equity=book[bk.EQUITY],
            realized_pnl=book[bk.REALIZED],
            unrealized_pnl=book[bk.UNREALIZED],
            orders_generated=orders + sum(denial.order_id is None for denial in denials),
            orders_filled=sum(isinstance(event, ev.Fill) for event in events),
            orders_rejected=sum(isinstance(event, ev.VenueAnswer) and not event.accepted for event in events),
            orders_blocked=len(denials),
            risk_allowed=not denials,
            risk_reasons=tuple(denial.code for denial in denials),
        )


def recorded_limits(config: SessionConfig) -> Limits:
    """Return the limits that a session recorded; one that an older record lacks has its default."""
    kinds = {name: type(value) for name, value in Limits._field_defaults.items()}
    return Limits(**{name: kinds[name](value) for name, value in config.risk_limits.items() if name in kinds})


def replay_limits(
    session_id: str,
    config: SessionConfig,
    events: Iterable[ev.AnyEvent],
    limits: Limits | None = None,
    tell: Callable[[RecordedBar, list[ev.AnyEvent], ev.BarDone], None] = lambda *_: None,
) -> Counterfactual:
    """Run a recorded session under other limits and compare.

    Args:
        session_id: of the session; config: what it decided by.
        events: its journal, in order.
        limits: None for its own, under which nothing differs.
        tell: is told each recorded bar, the events that replaying it gave, and its replayed end.

    Raises:
        ArtefactError: the journal holds no bar, or it was imported.
    """
    refuse_imported(session_id, config)
    own = recorded_limits(config)
    limits = limits or own
    replay = Replay(config, recorded_market(config), limits)
    was, now = Tally(config.start_balance), Tally(config.start_balance)
    blocked: list[Blocked] = []
    first: ReplayDifference | None = None
    seen = Counter[str]()
    for bar in recorded_bars(events, was):
        told, done = replay.bar(bar)
        tell(bar, told, done)
        for event in (*bar.states_before, *told, *bar.states_after, done):
            now.add(event)
        first = first or _first(bar, told, done)
        if first is not None:
            was_denied, is_denied = _denials(bar.decided), _denials(told)
            blocked += [one for one in (_blocked(config.symbol, bar, told, denial) for denial in is_denied) if one]
            seen["allowed"] += sum(_allowed(bar, told, denial) for denial in was_denied)
        seen["bars"] += 1
    if not seen["bars"]:
        raise ArtefactError(f"the journal of {session_id} holds no bar; there is nothing to replay")
    changed = {n: (float(a), float(b)) for n, a, b in zip(Limits._fields, own, limits, strict=True) if a != b}
    recorded, replayed = was.metrics(), now.metrics()
    return Counterfactual(
        session_id=session_id,
        changed=changed,
        bars=seen["bars"],
        first=first,
        blocked=tuple(blocked),
        allowed=seen["allowed"],
        recorded=recorded,
        replayed=replayed,
        pnl_difference=replayed.equity_end - recorded.equity_end,
    )


def recorded_market(config: SessionConfig) -> Market:
    """Return the market that a session recorded.

    Raises:
        ArtefactError: its instrument is none.
    """
    try:
        instrument = msgspec.convert(config.instrument, Instrument)
    except msgspec.ValidationError as error:
        raise ArtefactError(f"the recorded instrument cannot be used: {error}") from None
    return market_of(
        instrument,
        fee_bps=config.fee_bps,
        slippage_bps=config.slippage_bps,
        position_fraction=config.position_fraction,
    )


def recorded_bars(events: Iterable[ev.AnyEvent], tally: Tally) -> Iterator[RecordedBar]:
    """Yield the whole bars of a journal, and fold their events; what follows the last one never became a bar."""
    pending: list[ev.AnyEvent] = []
    for event in events:
        pending.append(event)
        if type(event) is ev.BarDone:
            for folded in pending:
                tally.add(folded)
            yield RecordedBar(event, pending)
            pending = []


def _first(bar: RecordedBar, told: list[ev.AnyEvent], done: ev.BarDone) -> ReplayDifference | None:
    """Return the first event of a bar that differs, None where all are the same."""
    replayed = [event for event in told if isinstance(event, DECIDED)]
    pairs = [*zip_longest(bar.decided, replayed), (bar.done, done)]
    for old, new in pairs:
        if old != new and unnumbered(old) != unnumbered(new):
            return ReplayDifference(
                step=bar.done.step,
                at=bar.done.ts,
                seq=old.seq if old else None,
                recorded=old,
                replayed=new,
                why=_why(old, new),
            )
    return None


def _why(old: ev.AnyEvent | None, new: ev.AnyEvent | None) -> str:
    """Return in words what differs."""
    for event, where in ((new, "under these limits"), (old, "in the session")):
        if isinstance(event, ev.Denial):
            return f"{where} denied: {refusal(event.code, event.value, event.limit)}"
        if isinstance(event, ev.Halt):
            return f"{where} halted: {refusal(event.code, event.value, event.limit)}"
        if isinstance(event, ev.Severity) and type(old) is not type(new):
            return f"{where} the level became {event.level}"
    if old is None or new is None or type(old) is not type(new):
        return "another event"
    names = [f for f in old.__struct_fields__ if f != "seq" and getattr(old, f) != getattr(new, f)]
    return "differs in " + ", ".join(f"{name} {getattr(old, name)} -> {getattr(new, name)}" for name in names)


def _denials(events: list[Any]) -> list[tuple[bool, ev.Denial]]:
    """Return the denials of opening orders in a bar, each with whether it came when the order would have filled."""
    placed = {event.order_id for event in events if isinstance(event, ev.Order)}
    found = (event for event in events if isinstance(event, ev.Denial) and event.order_id not in placed)
    return [(denial.order_id is not None, denial) for denial in found]


def _passed(events: Iterable[ev.AnyEvent], at_fill: bool) -> ev.Order | ev.Fill | None:
    """Return the opening order of a bar that was decided in it, or that was filled in it."""
    kind = ev.Fill if at_fill else ev.Order
    return next((event for event in events if isinstance(event, kind) and event.purpose == "open"), None)


def _blocked(symbol: str, bar: RecordedBar, told: list[ev.AnyEvent], denied: tuple[bool, ev.Denial]) -> Blocked | None:
    """Return the opening order that was sent, or filled, in a bar where the replay denied it."""
    at_fill, denial = denied
    order = _passed(bar.decided, at_fill)
    if order is None or _passed(told, at_fill):
        return None
    return Blocked(
        at=bar.done.ts,
        order_id=order.order_id,
        qty=order.qty,
        notional=order.notional if isinstance(order, ev.Order) else worth(symbol, order.qty, order.price),
        code=denial.code,
        value=denial.value,
        limit=denial.limit,
    )


def _allowed(bar: RecordedBar, told: list[ev.AnyEvent], denied: tuple[bool, ev.Denial]) -> bool:
    """Return whether an opening order that was denied in a bar would have been sent, or filled."""
    at_fill, _ = denied
    return _passed(bar.decided, at_fill) is None and _passed(told, at_fill) is not None
