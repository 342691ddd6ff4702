"""Two runs side by side: the first event at which they part, with its cause, and their round trips in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest

import msgspec

from peaktrade_core.research.recorded_bars import DECIDED, RecordedBar, describe
from peaktrade_core.runs.telling import kind_of, text_of
from peaktrade_core.show.wording import figure, money
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.limit_use import refusal
from peaktrade_core.trading.statistics import Trade

_PLACES = Decimal("1e-8")
RESIZED = 0.01  # a size that differs by less only follows the equity, and is not worth a word [fraction]
_PRICES = ("open", "high", "low", "close", "volume")


class FirstDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Where two runs part.

    Attributes:
        at: close of the bar; step: its number in the session, None where it has no such bar.
        seq: number of the session's event in its journal, None where there is none.
        cause: data, logic, controls, slippage, fee or rest; why: in words.
        recorded, expected: the two events on one line each, exactly.
        told: the session's event in words, or the other's where it has none.
        differing: the fields in which two events of a kind differ, each with its value in the session and in the other.
    """

    at: datetime
    step: int | None
    seq: int | None
    cause: str
    why: str
    recorded: str
    expected: str
    told: str
    differing: tuple[tuple[str, str, str], ...]


class TradePair(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip of the session beside that of the expectation.

    Attributes:
        recorded_pnl, expected_pnl: net of fees, None where there was no such trade [quote ccy].
        difference: of the PnL [quote ccy]; why: in words.
    """

    entry_at: datetime
    exit_at: datetime
    side: int
    qty: float
    entry_price: float
    exit_price: float
    recorded_pnl: Decimal | None
    expected_pnl: Decimal | None
    difference: Decimal
    why: str


def first_difference(
    bars: Sequence[RecordedBar],
    told: Sequence[list[ev.AnyEvent]],
    done: Sequence[ev.BarDone],
    signals: Sequence[float],
    controls: Mapping[float, RecordedBar],
) -> FirstDifference | None:
    """Return where a session first differs from a run of the decision code, None where it does not.

    Args:
        bars: of the session.
        told, done, signals: of the run, bar by bar.
        controls: what halted and refused in the run, by the bar's open [s since epoch].
    """
    mine = {bar.done.ts_bar: bar for bar in bars}
    theirs = {end.ts_bar: (end, events, signal) for end, events, signal in zip(done, told, signals, strict=True)}
    for opened in sorted(mine.keys() | theirs.keys()):
        found = _at(mine.get(opened), theirs.get(opened), controls.get(opened.timestamp()))
        if found is not None:
            return found
    return None


def _at(
    mine: RecordedBar | None,
    theirs: tuple[ev.BarDone, list[ev.AnyEvent], float] | None,
    known: RecordedBar | None,
) -> FirstDifference | None:
    """Return how one bar differs: its prices, then the signal, then what stopped orders, then what was decided."""
    if mine is None or theirs is None:
        return _one_sided(mine, theirs[0] if theirs else None)
    end, events, signal = theirs
    if changed := [n for n in _PRICES if getattr(mine.done, n) != getattr(end, n)]:
        figures = ", ".join(f"{n} {getattr(end, n):g} -> {getattr(mine.done, n):g}" for n in changed)
        return _told(mine, "data", f"the bar differs in {figures}", mine.done, end)
    if mine.signal != signal and not (math.isnan(mine.signal) and math.isnan(signal)):
        return _told(mine, "logic", f"the signal was {mine.signal:g}, expected {signal:g}", mine.done, end)
    stops = [s for s in _states(mine) if s.state != "ACTIVE"]
    if stops and [s.state for s in stops] != [s.state for s in _states(known)]:
        return _told(mine, "controls", f"{stops[0].state} by {stops[0].source}: {stops[0].reason}", stops[0], None)
    if not all(mine.answers.values()) and (known is None or known.answers != mine.answers):
        refused = next(o for o in mine.orders.values() if not mine.answers.get(o.purpose, True))
        return _told(mine, "controls", f"the venue refused order {refused.order_id}", refused, None)
    for old, new in zip_longest(mine.decided, [e for e in events if isinstance(e, DECIDED)]):
        if unnumbered(old) != unnumbered(new):
            cause, why = _parted(old, new)
            return _told(mine, cause, why, old, new)
    account = ("position_size", "cash", "realized_pnl", "unrealized_pnl", "equity")
    if off := [n for n in account if getattr(mine.done, n) != getattr(end, n)]:
        return _told(mine, "rest", f"the account differs in {', '.join(off)}", mine.done, end)
    return None


def _one_sided(mine: RecordedBar | None, end: ev.BarDone | None) -> FirstDifference:
    """Return that one of the runs lacks a bar."""
    only = mine.done if mine else end
    assert only is not None
    where = "only in the session" if mine else "missing in the session"
    return _told(mine, "data", f"the bar of {only.ts_bar:%H:%M:%S} is {where}", mine.done if mine else None, end)


def _states(bar: RecordedBar | None) -> list[ev.State]:
    return [] if bar is None else [*bar.states_before, *bar.states_after]


def _parted(old: ev.AnyEvent | None, new: ev.AnyEvent | None) -> tuple[str, str]:
    """Return cause and words for two decisions that differ although bars and signals are the same."""
    for event, where in ((old, "in the session"), (new, "in the expectation")):
        if isinstance(event, (ev.Denial, ev.Halt)):
            kind = "denied" if isinstance(event, ev.Denial) else "halted"
            return "controls", f"{where} {kind}: {refusal(event.code, event.value, event.limit)}"
    if isinstance(old, ev.Fill) and isinstance(new, ev.Fill):
        if old.price != new.price and old.reference == new.reference:
            return "slippage", f"filled at {old.price:g} instead of {new.price:g}, the open was {old.reference:g}"
        if old.fee != new.fee and old.price == new.price and old.qty == new.qty:
            return "fee", f"the fee was {old.fee:g} instead of {new.fee:g}"
    if isinstance(old, ev.Order) and isinstance(new, ev.Order) and old.qty != new.qty:
        return "logic", f"the order was for {old.qty:g} instead of {new.qty:g}"
    return "rest", "the decision differs although everything that led to it is the same"


def _told(
    bar: RecordedBar | None, cause: str, why: str, old: ev.AnyEvent | None, new: ev.AnyEvent | None
) -> FirstDifference:
    event = old or new
    assert event is not None
    return FirstDifference(
        at=event.ts,
        step=bar.done.step if bar else None,
        seq=old.seq if old else None,
        cause=cause,
        why=why,
        recorded=describe(old),
        expected=describe(new),
        told=f"{kind_of(event)}: {text_of(event)}",
        differing=_differing(old, new),
    )


def _differing(old: ev.AnyEvent | None, new: ev.AnyEvent | None) -> tuple[tuple[str, str, str], ...]:
    if old is None or new is None or type(old) is not type(new):
        return ()
    mine, theirs = (msgspec.to_builtins(one) for one in (old, new))
    names = [name for name in mine if name != "seq" and mine[name] != theirs[name]]
    return tuple((name, str(mine[name]), str(theirs[name])) for name in names)


def exact(value: float) -> Decimal:
    """Return money to eight places, so that differences of it add up exactly [quote ccy]."""
    return Decimal(repr(value)).quantize(_PLACES)


def unnumbered(event: ev.AnyEvent | None) -> bytes | None:
    """Return what is compared of an event: all but its number, a NaN like the null that the journal holds."""
    return None if event is None else msgspec.json.encode(msgspec.structs.replace(event, seq=0))


def pair_trades(recorded: Sequence[Trade], expected: Sequence[Trade]) -> tuple[TradePair, ...]:
    """Return round trips of two runs in pairs: those of the same side that were entered at the same time."""
    mine = {(trade.entry_ts, trade.side): trade for trade in recorded}
    theirs = {(trade.entry_ts, trade.side): trade for trade in expected}
    return tuple(_pair(mine.get(key), theirs.get(key)) for key in sorted(mine.keys() | theirs.keys()))


def _pair(mine: Trade | None, theirs: Trade | None) -> TradePair:
    shown = mine or theirs
    assert shown is not None
    a, b = (None if trade is None else exact(trade.pnl) for trade in (mine, theirs))
    return TradePair(
        entry_at=shown.entry_ts,
        exit_at=shown.exit_ts,
        side=shown.side,
        qty=shown.qty,
        entry_price=shown.entry_price,
        exit_price=shown.exit_price,
        recorded_pnl=a,
        expected_pnl=b,
        difference=(a or Decimal(0)) - (b or Decimal(0)),
        why=_apart(mine, theirs),
    )


def _apart(mine: Trade | None, theirs: Trade | None) -> str:
    """Return in words how two round trips differ."""
    if mine is None or theirs is None:
        return "only in the expectation" if mine is None else "only in the session"
    if mine == theirs:
        return "the same"
    told = []
    if mine.exit_ts != theirs.exit_ts:
        told.append("left later" if mine.exit_ts > theirs.exit_ts else "left earlier")
    for name, a, b in (("entry", mine.entry_price, theirs.entry_price), ("exit", mine.exit_price, theirs.exit_price)):
        if a != b:
            told.append(f"{name} {figure(1e4 * (a - b) / b, 1, plus=True)} bps")
    if (was := money(theirs.fees)) != (now := money(mine.fees)):
        told.append(f"fees {was} -> {now}")
    if not told or abs(mine.qty - theirs.qty) > RESIZED * theirs.qty:
        told.append(f"size {theirs.qty:g} -> {mine.qty:g}")
    return ", ".join(told)
