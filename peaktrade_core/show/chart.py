"""What a chart says, as plain values: lines over time with marks, levels and spans, and the places of all of them.

A chart is drawn once as SVG (pages, reports; :mod:`drawing`) and told once to plotly (notebooks; :mod:`plotting`). The script of
the pages draws by the same rules when a person zooms: a box of 1000 by 200 units that the page stretches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import MAXYEAR, UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from peaktrade_core.show import wording
from peaktrade_core.show.language import is_english, spoken

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tone = Literal["accent", "ink", "green", "red", "amber", "purple"]
Sign = Literal["up", "down", "cross", "diamond", "square"]
TONES: tuple[Tone, ...] = ("accent", "amber", "green", "red")  # of several lines, in this order
WIDTH, HEIGHT, PAD = 1000.0, 200.0, 8.0  # of the box
POINTS = 2000  # of a line; more are not seen
DAY = 86_400
TIME_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200,
              DAY, 2 * DAY, 7 * DAY, 30 * DAY)  # fmt: skip
MONTH_STEPS = (3, 6, 12, 24, 60, 120)  # of longer charts, which say the year
_MONTH_S = 365.25 * DAY / 12
_FLAT = 0.9  # what a chart of zeros shows above and below: three labels, none at its edge
_FORMS = {"month": "%Y-%m", "day": "%m-%d", "clock": "%H:%M:%S", "short": "%H:%M"}


class Line(NamedTuple):
    """A series.

    Attributes:
        name: in the legend; ts: rising, UTC; values: as many, one that is not finite interrupts the line.
        stepped: each value holds until the next; filled: the area down to zero; dotted: every point is marked.
        breaks: times that the line does not cross.
    """

    name: str
    ts: Sequence[datetime]
    values: Sequence[float]
    tone: Tone = "accent"
    width: float = 2.0
    stepped: bool = False
    filled: bool = False
    dotted: bool = False
    breaks: Sequence[datetime] = ()


class Mark(NamedTuple):
    """Something that happened at a time and a value, and what to say of it; ``n`` is how many it stands for."""

    ts: datetime
    value: float
    text: str
    n: int = 1


class Marks(NamedTuple):
    """Marks of one kind: fills, denials, outliers."""

    name: str
    sign: Sign
    tone: Tone
    marks: Sequence[Mark]


class Level(NamedTuple):
    """A line across at a value, with its name at the end."""

    value: float
    name: str
    tone: Tone = "ink"


class Shade(NamedTuple):
    """A shaded stretch of time; ``strength`` is how much of what lies below it covers [fraction]."""

    first: datetime
    last: datetime
    tone: Tone = "amber"
    strength: float = 0.35


class Tick(NamedTuple):
    """A label below: its place [percent of the box] and text, its time and how that is written."""

    place: float
    text: str
    at: datetime
    form: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over time, and what lies over them.

    Attributes:
        name: for styles and words of a page; title: what it shows; unit: of the values.
        label: the chart in a sentence, for those who cannot see it; digits: decimals of a value.
        zero: whether zero stays in sight; an area always shows it.
        counted: the axis counts bars, so that runs of different times lie over each other; bar n is n seconds after 1970.
        lanes: names in the place of the values 0, 1, 2 …: a timeline of kinds of events, or of states.
        ends: times that are in sight whatever the lines say.
    """

    name: str
    lines: Sequence[Line]
    title: str = ""
    unit: str = ""
    label: str = ""
    digits: int = 2
    marks: Sequence[Marks] = ()
    levels: Sequence[Level] = ()
    spans: Sequence[Shade] = ()
    zero: bool = False
    counted: bool = False
    lanes: Sequence[str] = ()
    ends: Sequence[datetime] = ()

    def __repr__(self) -> str:
        return f"{self.heading}: {self.label}"

    @property
    def heading(self) -> str:
        """The title with the unit."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title

    @property
    def values(self) -> list[float]:
        """The values of the first line that are numbers, at least a zero."""
        return [value for value in self.lines[0].values if math.isfinite(value)] or [0.0]

    @property
    def kept(self) -> list[float]:
        """Values that stay in sight whatever part of the lines is shown: the levels, and zero."""
        return [level.value for level in self.levels] + [0.0] * self.grounded

    @property
    def grounded(self) -> bool:
        """Whether zero stays in sight."""
        return self.zero or any(line.filled for line in self.lines)

    @property
    def by_lanes(self) -> bool:
        """Whether its lanes already say what each mark stands for."""
        return bool(self.lanes) and not self.lines

    @property
    def thinned(self) -> Chart:
        """The chart with at most about ``POINTS`` points a line, of each stretch the lowest and the highest."""
        return msgspec.structs.replace(self, lines=[_thin(line) for line in self.lines])

    @property
    def spoken(self) -> Chart:
        """The chart in the language that people read here."""
        if is_english():
            return self
        return msgspec.structs.replace(
            self,
            title=spoken(self.title),
            label=spoken(self.label),
            lines=[line._replace(name=spoken(line.name)) for line in self.lines],
            marks=[_spoken_marks(kind) for kind in self.marks],
            levels=[level._replace(name=spoken(level.name)) for level in self.levels],
            lanes=[spoken(lane) for lane in self.lanes],
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show it in a notebook: plotly's to work with, and the drawing that reports and plain viewers show."""
        from peaktrade_core.show import drawing, plotting

        chart = self.thinned
        return {plotting.PLOTLY: plotting.for_plotly(chart), "text/html": drawing.draw(chart)}


def _spoken_marks(kind: Marks) -> Marks:
    return kind._replace(name=spoken(kind.name), marks=[mark._replace(text=spoken(mark.text)) for mark in kind.marks])


class Frame:
    """Where times and values of a chart are.

    Attributes:
        first, last: ends of the time axis [s since epoch]; bottom, top: of the values.
    """

    def __init__(self, chart: Chart) -> None:
        times = [at.timestamp() for line in chart.lines for at in (*line.ts[:1], *line.ts[-1:])]
        times += [at.timestamp() for at in chart.ends]
        values = [value for line in chart.lines for value in line.values if math.isfinite(value)] + chart.kept
        self.counted = chart.counted
        self.first, self.last = min(times, default=0.0), max(times, default=0.0)
        values += [mark.value for kind in chart.marks for mark in kind.marks if self.shows(mark.ts)]
        low, high = min(values, default=0.0), max(values, default=0.0)
        room = (abs(low) * 0.001 or _FLAT) if low == high else 0.0
        self.bottom, self.top, self.lanes, self.whole = low - room, high + room, chart.lanes, chart.digits == 0
        if chart.lanes:
            self.bottom, self.top = -0.5, len(chart.lanes) - 0.5

    def shows(self, at: datetime) -> bool:
        """Return whether a time is on the axis."""
        return self.first <= at.timestamp() <= self.last

    def x(self, at: datetime) -> float:
        """Return where a time is, in units of the box."""
        return self._x(at.timestamp())

    def y(self, value: float) -> float:
        """Return where a value is, in units of the box."""
        return PAD + (self.top - value) / (self.top - self.bottom) * (HEIGHT - 2 * PAD)

    def _x(self, t: float) -> float:
        return (t - self.first) / ((self.last - self.first) or 1.0) * WIDTH

    def value_ticks(self) -> list[tuple[float, str]]:
        """Return the labels of the values: place [percent of the box] and text."""
        ticks = enumerate(self.lanes) if self.lanes else nice_ticks(self.bottom, self.top, self.whole)
        return [(self.y(value) / HEIGHT * 100, text) for value, text in ticks]

    def time_ticks(self) -> list[Tick]:
        """Return the labels of the times, about six."""
        span = self.last - self.first
        if self.counted and span:
            ticks = nice_ticks(self.first, self.last)
            return [Tick(self._x(n) / WIDTH * 100, text, datetime.fromtimestamp(n, UTC), "count") for n, text in ticks]
        step = next((step for step in TIME_STEPS if span / step <= 6), None)
        if step is None:
            return [self._tick(at, "month") for at in self._months(span)]
        found, t = [], math.ceil(self.first / step) * step
        while t <= self.last:
            form = "day" if step >= DAY or t % DAY == 0 else "clock" if step < 60 else "short"
            found.append(self._tick(datetime.fromtimestamp(t, UTC), form))
            t += step
        return found

    def _tick(self, at: datetime, form: str) -> Tick:
        return Tick(self.x(at) / WIDTH * 100, at.strftime(_FORMS[form]), at, form)

    def _months(self, span: float) -> Iterator[datetime]:
        """Yield first days of months, about six in a span [s]; from there on a label without its year says little."""
        step = next((step for step in MONTH_STEPS if span / (step * _MONTH_S) <= 6), MONTH_STEPS[-1])
        begin = datetime.fromtimestamp(self.first, UTC)
        month = (begin.year * 12 + begin.month - 1) // step * step
        while (
            month // 12 <= MAXYEAR
            and (at := datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)).timestamp() <= self.last
        ):
            if at.timestamp() >= self.first:
                yield at
            month += step


def nice_ticks(low: float, high: float, whole: bool = False) -> list[tuple[float, str]]:
    """Return round values between two, two to five, each with its text; ``whole``: whole numbers, of which there may be fewer."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    sizes = [n * power for n in (1, 2, 5, 10)]
    place = next(i for i, size in enumerate(sizes) if size >= rough)
    if math.floor(high / sizes[place] + 1e-9) <= math.ceil(low / sizes[place] - 1e-9) and place:
        place -= 1  # a single label says no distance
    step = max(sizes[place], 1.0) if whole else sizes[place]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, wording.figure(n * step, digits)) for n in range(first, last + 1)]


def pieces(line: Line) -> Iterator[list[tuple[datetime, float]]]:
    """Yield the uninterrupted pieces of a line."""
    breaks = iter([*line.breaks, None])
    stop, piece = next(breaks), list[tuple[datetime, float]]()
    for at, value in zip(line.ts, line.values, strict=True):
        crossed = False
        while stop is not None and stop <= at:
            stop, crossed = next(breaks), True
        if (crossed or not math.isfinite(value)) and piece:
            yield piece
            piece = []
        if math.isfinite(value):
            piece.append((at, value))
    if piece:
        yield piece


def extremes(points: int, *columns: NDArray[Any]) -> NDArray[Any]:
    """Return which rows of long columns are worth drawing, about ``points`` of them, ascending.

    First and last stay, the last of each stretch of equal length, and of each stretch the highest of every column; give
    a column's negative, too, for its lowest. Values that are not finite never are the highest.
    """
    import numpy as np

    n = len(columns[0])
    if n <= points:
        return np.arange(n)
    length = -(-n // max(1, (points - 2) // (len(columns) + 1)))
    starts = np.arange(0, n, length)
    kept = [np.array([0, n - 1]), np.minimum(starts + length - 1, n - 1)]
    for values in columns:
        padded = np.full(len(starts) * length, -np.inf)
        padded[:n] = np.where(np.isfinite(values), values, -np.inf)
        kept.append(starts + padded.reshape(-1, length).argmax(axis=1))
    return np.unique(np.concatenate(kept))


def _thin(line: Line) -> Line:
    """Return a line without the points that cannot be seen; its ends, extremes and interruptions stay."""
    n, values = len(line.values), line.values
    if n <= POINTS:
        return line
    chosen = {0, n - 1}
    for begin, end in pairwise([*range(0, n, -(-2 * n // POINTS)), n]):
        known = [i for i in range(begin, end) if math.isfinite(values[i])]
        lost = [i for i in range(begin, end) if not math.isfinite(values[i])]
        chosen |= {
            *lost[:1],
            *([min(known, key=values.__getitem__), max(known, key=values.__getitem__)] if known else ()),
        }
    keep = sorted(chosen)
    return line._replace(ts=[line.ts[i] for i in keep], values=[values[i] for i in keep])
