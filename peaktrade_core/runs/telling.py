"""Events of a journal in a line each, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, get_args

import msgspec

from peaktrade_core.show.wording import figure, many, moment, money, percent, price, settings
from peaktrade_core.trading.events import (
    AnyEvent,
    BarDone,
    Denial,
    End,
    Failure,
    Fill,
    Funding,
    Gap,
    Halt,
    Notice,
    Order,
    Signal,
    Start,
    State,
    Submission,
    VenueAnswer,
    WarmedUp,
)
from peaktrade_core.trading.limit_use import refusal
from peaktrade_core.trading.risk import DENY_CODES, LIQUIDATION_DISTANCE

LONGEST = 300  # characters of a line
EVENT_KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyEvent) if kind is not BarDone)


class Told(NamedTuple):
    """An event as a table shows it."""

    seq: int
    ts: datetime
    kind: str
    text: str


def kind_of(event: AnyEvent) -> str:
    """Return the kind of an event, as the journal names it."""
    return str(event.__struct_config__.tag)


def tell(events: Iterable[AnyEvent]) -> list[Told]:
    """Return events in words, newest first."""
    told = [Told(event.seq, event.ts, kind_of(event), text_of(event)[:LONGEST]) for event in events]
    return told[::-1]


def text_of(event: AnyEvent) -> str:
    """Return what an event says beside its kind and time."""
    if isinstance(event, BarDone):
        held = figure(event.position_size)
        return f"step {event.step}: close {price(event.close)}, position {held}, equity {money(event.equity)}"
    if isinstance(event, Fill):
        return f"{_side(event.qty)} {abs(event.qty):.8g} at {price(event.price)}, fee {money(event.fee)} ({event.order_id})"
    if isinstance(event, Funding):
        return f"{money(event.amount)} at {percent(event.rate, 4)} on {figure(event.qty)} at {price(event.price)}"
    if isinstance(event, Order):
        what = f"{_side(event.qty)} {abs(event.qty):.8g}, notional {money(event.notional)} ({event.order_id})"
        return f"{'open' if event.purpose == 'open' else 'close'}: {what}"
    if isinstance(event, Submission):
        return event.order_id
    if isinstance(event, VenueAnswer):
        said = f", {event.message}" if event.message else ""
        return f"{'accepted' if event.accepted else 'refused'}{said} ({event.order_id})"
    if isinstance(event, (Denial, Halt)):
        return f"{refusal(event.code, event.value, event.limit)}{_gone(event)}"
    if isinstance(event, Signal):
        return f"{figure(event.signal)}, before {figure(event.before)}"
    if isinstance(event, State):
        return f"{event.state} ({event.source}): {event.reason}"
    if isinstance(event, Notice):
        return f"{event.code}: {event.message}"
    if isinstance(event, Failure):
        return event.error
    if isinstance(event, End):
        return ": ".join(filter(None, (event.status, event.error)))
    return _of_the_data(event)


def _of_the_data(event: AnyEvent) -> str:
    """Return what an event says that is neither the account's nor the venue's."""
    if isinstance(event, Start):
        return _setting(event.config)
    if isinstance(event, (WarmedUp, Gap)):
        found = many(event.bars, "bar") if isinstance(event, WarmedUp) else f"{many(event.missing, 'bar')} missing"
        return found if event.first is None else f"{found}, {moment(event.first)} to {moment(event.last)}"
    rest: dict[str, Any] = {k: v for k, v in msgspec.to_builtins(event).items() if k not in ("seq", "ts", "type")}
    return ", ".join(f"{name} {value}" for name, value in rest.items() if value is not None)


def _setting(config: Mapping[str, Any]) -> str:
    """Return what a run was begun with; the whole configuration is the page's and the journal's."""
    what = [config.get(name) for name in ("strategy_name", "symbol", "timeframe")]
    feed = config.get("feed")
    said = " ".join(str(one) for one in what if one)
    return ", ".join(filter(None, (said, settings(config.get("params") or {}), f"feed {feed}" if feed else "")))


def _side(qty: float) -> str:
    return "buy" if qty > 0 else "sell"


def _gone(event: Denial | Halt) -> str:
    """Return that a position was beyond its liquidation at the close, which no session simulates."""
    beyond = event.code == DENY_CODES[LIQUIDATION_DISTANCE] and event.value is not None and event.value <= 0.0
    return "; a venue would have liquidated the position before" if beyond else ""
