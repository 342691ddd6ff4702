"""Charts as SVG that a page shows without scripts: paths, ticks and marks in places of a box, and the values beside.

Each chart is a box of 1000 by 200 units that the page stretches; texts and marks lie over it, placed in percent, so
that they keep their shape. The script of the page draws by the same rules when somebody zooms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from peaktrade_core.show.ticks import DAY, nice_ticks, time_step

WIDTH, HEIGHT, PAD = 1000.0, 200.0, 8.0


class Tick(NamedTuple):
    """A label at an axis: its place [percent of the box] and its text; ``at`` where it is a time."""

    place: float
    text: str
    at: datetime | None = None
    form: str = ""


class Mark(NamedTuple):
    """A sign over a chart: what kind, its place [percent of the box], its time [s] and value, and what it says."""

    kind: str
    x: float
    y: float
    t: float
    value: float
    text: str


class Axis:
    """The time that the charts of a group share.

    Attributes:
        ts: of the points [s since epoch], rising; data: the same as text, each as its distance from the one before.
        ticks: the labels below.
    """

    def __init__(self, moments: Sequence[datetime]) -> None:
        """Take the times of the points, at least one."""
        self.ts = [moment.timestamp() for moment in moments]
        self.first, self.last = self.ts[0], self.ts[-1]
        self.data = ",".join(f"{b - a:.10g}" for a, b in zip([0.0, *self.ts], self.ts, strict=False))
        self.ticks = self._ticks()

    def x(self, t: float) -> float:
        """Return where a time [s] is, in units of the box."""
        return (t - self.first) / ((self.last - self.first) or 1.0) * WIDTH

    def _ticks(self) -> list[Tick]:
        span = self.last - self.first
        step = time_step(span)
        found = []
        t = math.ceil(self.first / step) * step
        while t <= self.last:
            form = "day" if step >= DAY or t % DAY == 0 else "clock" if step < 60 else "short"
            at = datetime.fromtimestamp(t, UTC)
            found.append(Tick(self.x(t) / 10, at.strftime(_FORMS[form]), at, form))
            t += step
        return found


FLAT = 0.9  # what a chart of zeros shows above and below: three labels, none at its edge
_FORMS = {"day": "%m-%d", "clock": "%H:%M:%S", "short": "%H:%M"}


class Plot:
    """One chart over an axis.

    Attributes:
        name: of the figure; unit: of its values; digits: decimals that a reading shows; filled: down to zero.
        line, area: SVG paths; the area between it and zero.
        ticks: labels of the values; marks: signs over the line.
        data: the values as text; first, last, low, high: figures for the words below.
    """

    def __init__(
        self,
        name: str,
        axis: Axis,
        values: Sequence[float],
        *,
        unit: str = "",
        digits: int = 2,
        step: bool = False,
        zero: bool = False,
    ) -> None:
        """Draw ``values``, one a time of the axis; ``step`` holds each until the next.

        ``zero`` keeps zero in sight and fills the area down to it.
        """
        self.name, self.unit, self.digits, self.step, self.filled = name, unit, digits, step, zero
        self.first, self.last, self.low, self.high = values[0], values[-1], min(values), max(values)
        self.data = ",".join(f"{value:.9g}" for value in values)
        self._bottom, self._top = _range(self.low, self.high, zero=zero)
        points = [(f"{axis.x(t):.1f}", f"{self.y(value):.1f}") for t, value in zip(axis.ts, values, strict=True)]
        pieces = [f"H{x}V{y}" if step else f"L{x} {y}" for x, y in points[1:]]
        self.line = f"M{points[0][0]} {points[0][1]}" + "".join(pieces)
        base = self.y(min(max(0.0, self._bottom), self._top))
        self.area = f"{self.line}V{base:.1f}H{points[0][0]}Z"
        self.ticks = [Tick(self.y(value) / HEIGHT * 100, text) for value, text in nice_ticks(self._bottom, self._top)]
        self.marks: list[Mark] = []
        self._axis = axis

    def y(self, value: float) -> float:
        """Return where a value is, in units of the box."""
        return PAD + (self._top - value) / (self._top - self._bottom) * (HEIGHT - 2 * PAD)

    def mark(self, kind: str, at: datetime, value: float, text: str) -> None:
        """Put a sign at a time and value; one outside the axis is left out."""
        t = at.timestamp()
        if self._axis.first <= t <= self._axis.last:
            place = min(100.0, max(0.0, self.y(value) / HEIGHT * 100))
            self.marks.append(Mark(kind, self._axis.x(t) / 10, place, t, value, text))


def _range(low: float, high: float, *, zero: bool) -> tuple[float, float]:
    """Return the values at the bottom and the top of a chart; one that never moves has room on both sides."""
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = (abs(low) * 0.001 or FLAT) if low == high else 0.0
    return low - room, high + room
