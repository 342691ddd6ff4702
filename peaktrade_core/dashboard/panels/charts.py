"""The charts of a session: its curves over one axis, with its fills on the price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from markupsafe import Markup

from peaktrade_core.show import drawing, wording
from peaktrade_core.show.chart import Chart, Line, Mark, Marks, Tone
from peaktrade_core.trading.events import Fill

MOST_MARKS = 300
PRICES, PLAIN_PRICE = ("price", "close"), 100.0  # curves of prices; from here on two decimals say enough of one


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


def fill_marks(fills: Sequence[Fill], currency: str) -> list[Marks]:
    """Return the last fills, as many as there is room for, as marks on a price."""
    sides: dict[str, list[Mark]] = {"buy": [], "sell": []}
    for fill in fills[-MOST_MARKS:]:
        side = "buy" if fill.qty > 0 else "sell"
        said = f"{side} {abs(fill.qty):.8g} @ {wording.price(fill.price, currency)}, {fill.ts:%Y-%m-%d %H:%M:%S} UTC"
        sides[side].append(Mark(fill.ts, fill.price, said))
    return [Marks("buy", "up", "green", sides["buy"]), Marks("sell", "down", "red", sides["sell"])]


def drawn(chart: Chart, title: str, label: str, axis: bool) -> Markup:
    """Return a chart with the page's words as HTML that the page's script answers; ``axis``: the times below."""
    said = msgspec.structs.replace(chart, title=title, label=label)
    return Markup(drawing.draw(said, answers=True, axis=axis))  # noqa: S704  (the drawing escapes what it is given)
