"""The charts of a session: its curves over one axis, and what happened as marks on the line of the price."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from math import fsum
from typing import NamedTuple

import msgspec
from markupsafe import Markup

from peaktrade_core.base.clock import iso
from peaktrade_core.runs.curves import Curves
from peaktrade_core.runs.handbook import denial_help
from peaktrade_core.runs.telling import text_of
from peaktrade_core.show import drawing, wording
from peaktrade_core.show.chart import Chart, Line, Mark, Marks, Sign, Tone
from peaktrade_core.trading.events import AnyEvent, Denial, Fill, Gap, Halt, State

PRICES, PLAIN_PRICE = ("price", "close"), 100.0  # curves of prices; from here on two decimals say enough of one
PLACES = 60  # along the axis; what happened at one place is one mark that says how many
_SIGNS: dict[str, tuple[Sign, Tone]] = {  # by kind, the most important on top
    "buy": ("up", "green"), "sell": ("down", "red"),
    "denial": ("cross", "amber"), "gap": ("diamond", "purple"), "halt": ("square", "red"),
}  # fmt: skip


class Curve(NamedTuple):
    """One column to draw: the chart's name, the values, their unit and decimals, and how."""

    name: str
    values: Sequence[float]
    unit: str
    digits: int = 2
    tone: Tone = "accent"
    step: bool = False
    filled: bool = False


def draw(moments: Sequence[datetime], curves: Sequence[Curve], marks: Sequence[Marks] = ()) -> list[Chart]:
    """Return a chart a curve, the marks on the one that shows a price; none where there is no point."""
    return [
        Chart(
            name=curve.name,
            unit=curve.unit,
            digits=_digits(curve),
            lines=[Line(curve.name, moments, curve.values, curve.tone, 1.5, stepped=curve.step, filled=curve.filled)],
            marks=marks if curve.name == "price" else (),
        )
        for curve in curves
        if moments
    ]


def _digits(curve: Curve) -> int:
    """Return with how many decimals a curve is told: a small price needs more, and a coin is counted in eight."""
    if curve.unit == "%" or not len(curve.values):
        return curve.digits
    if curve.name not in PRICES:
        return max(curve.digits, wording.money_places(1.0, curve.unit))
    lowest = min(curve.values)
    return curve.digits if lowest >= PLAIN_PRICE else wording.price_places(lowest)


def event_marks(events: Iterable[AnyEvent], curves: Curves, currency: str) -> list[Marks]:
    """Return fills, denials, gaps, and halts with changes of the trading state as marks on the line of the price.

    Of a kind, those that are too close to be told apart are one mark with their number and what they sum up to.
    """
    if not curves.ts:
        return []
    first, last = curves.ts[0], curves.ts[-1]
    span = (last - first).total_seconds() or 1.0
    found: dict[str, list[AnyEvent]] = {kind: [] for kind in _SIGNS}
    for event in events:
        if (kind := _kind(event)) and first <= event.ts <= last:
            found[kind].append(event)

    def place(event: AnyEvent) -> int:
        return int((event.ts - first).total_seconds() / span * PLACES)

    return [
        Marks(kind, *_SIGNS[kind], [_mark(list(near), curves, currency) for _, near in groupby(happened, place)])
        for kind, happened in found.items()
        if happened
    ]


def _kind(event: AnyEvent) -> str | None:
    """Return as which mark an event is drawn, None for one that is not."""
    if type(event) is Fill:
        return "buy" if event.qty > 0.0 else "sell"
    if isinstance(event, Halt | State):
        return "halt"
    return "denial" if type(event) is Denial else "gap" if type(event) is Gap else None


def _mark(near: list[AnyEvent], curves: Curves, currency: str) -> Mark:
    """Return the mark of events of one kind, at the time of the middle one, where the drawn line is then."""
    at = near[len(near) // 2].ts
    text = _one(near[0], currency) if len(near) == 1 else _several(near, currency)
    return Mark(at, _on_line(at, curves), text, len(near))


def _one(event: AnyEvent, currency: str) -> str:
    """Return what a mark of one event says."""
    if type(event) is Fill:
        side = "buy" if event.qty > 0.0 else "sell"
        said = f"{side} {abs(event.qty):.8g} @ {wording.price(event.price, currency)}"
    elif type(event) is Gap:
        said = f"{wording.many(event.missing, 'bar')} missing from {event.first:%Y-%m-%d %H:%M} to {event.last:%Y-%m-%d %H:%M}"
    elif type(event) is Denial:
        said = f"denied, {text_of(event)}: {denial_help(event.code).meaning}"
    else:
        said = f"{'halt' if type(event) is Halt else 'state'} {text_of(event)}"
    return f"{said}, {event.ts:%Y-%m-%d %H:%M:%S} UTC"


def _several(near: list[AnyEvent], currency: str) -> str:
    """Return what a mark of several events of one kind says."""
    fills = [event for event in near if type(event) is Fill]
    if fills:
        qty = fsum(fill.qty for fill in fills)
        price = fsum(fill.qty * fill.price for fill in fills) / qty
        said = f"{len(fills)} {'buys' if qty > 0.0 else 'sells'} of {abs(qty):.8g} @ {wording.price(price, currency)} on average"
    elif type(near[0]) is Gap:
        gaps = [event for event in near if type(event) is Gap]
        said = f"{wording.many(len(gaps), 'gap')}, {wording.many(sum(gap.missing for gap in gaps), 'bar')} missing"
    else:
        codes = Counter(event.state if isinstance(event, State) else getattr(event, "code", "") for event in near)
        what = "denied orders" if type(near[0]) is Denial else "halts and states"
        said = f"{len(near)} {what}: " + wording.times(dict(codes.most_common()))
    return f"{said}, {iso(near[0].ts)} to {iso(near[-1].ts)}"


def _on_line(at: datetime, curves: Curves) -> float:
    """Return the price of the drawn line at a time between its ends."""
    after = bisect_left(curves.ts, at)
    if curves.ts[after] == at or not after:
        return curves.price[after]
    (t0, p0), (t1, p1) = ((curves.ts[i], curves.price[i]) for i in (after - 1, after))
    return p0 + (p1 - p0) * ((at - t0) / (t1 - t0))


def drawn(chart: Chart, title: str, label: str, axis: bool) -> Markup:
    """Return a chart with the page's words as HTML that the page's script answers; ``axis``: the times below."""
    said = msgspec.structs.replace(chart, title=title, label=label)
    return Markup(drawing.draw(said, answers=True, axis=axis))  # noqa: S704  (the drawing escapes what it is given)


def sign(kind: Marks) -> Markup:
    """Return the sign of marks, for a legend."""
    return Markup(drawing.sign_path(kind.sign))  # noqa: S704  (made of constants)
