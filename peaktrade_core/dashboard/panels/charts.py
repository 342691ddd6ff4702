"""The charts of a session: its curves over one axis, with its fills on the price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from peaktrade_core.show import wording
from peaktrade_core.show.curve import Axis, Plot
from peaktrade_core.trading.events import Fill

MOST_MARKS = 300


class Curve(NamedTuple):
    """One column to draw: the chart's name, the values, their unit and decimals."""

    name: str
    values: Sequence[float]
    unit: str
    digits: int = 2
    step: bool = False
    zero: bool = False


def draw(moments: Sequence[datetime], curves: Sequence[Curve]) -> tuple[Axis | None, list[Plot]]:
    """Return the axis and the charts; None and no chart where there is no point."""
    if not moments:
        return None, []
    axis = Axis(moments)
    return axis, [
        Plot(curve.name, axis, curve.values, unit=curve.unit, digits=curve.digits, step=curve.step, zero=curve.zero)
        for curve in curves
    ]


def mark_fills(plot: Plot, fills: Sequence[Fill], currency: str) -> int:
    """Put the last fills on a price chart and return how many there are room for."""
    shown = fills[-MOST_MARKS:]
    for fill in shown:
        kind = "buy" if fill.qty > 0 else "sell"
        said = f"{kind} {abs(fill.qty):.8g} @ {wording.money(fill.price, currency)}, {fill.ts:%Y-%m-%d %H:%M:%S} UTC"
        plot.mark(kind, fill.ts, fill.price, said)
    return len(shown)
