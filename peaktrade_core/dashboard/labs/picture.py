"""A chart that one can work with: plotly's widget over :mod:`peaktrade_core.show.chart`, thinned to what can be seen.

Long columns stay here; the browser gets the extremes of the stretch in sight, and gets that stretch again in full
detail when it zooms. The script of the widget comes once from the server (``/static/figure.js``), not with each figure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import plotly.graph_objects as go

from peaktrade_core.base.clock import as_utc, from_seconds
from peaktrade_core.show import drawing, plotting
from peaktrade_core.show.chart import Chart, Line, Marks, Tone, extremes

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 1400  # of a line in sight; a screen shows no more
FEW_TICKS = 5  # along the axis of time: so many dates stand beside each other on a phone
_SCRIPT = f"""
const {{ default: figure }} = await import(new URL("/static/figure.js?v={version("plotly")}", location.origin).href);
export default figure;
"""


class DrawnSeries(NamedTuple):
    """A line as long columns.

    Attributes:
        name: in the legend; ts: (n,) float64, rising [s since epoch]; values: (n,) float64.
        breaks: (m,) float64, times that the line does not cross; None for none; the others as in ``Line``.
        late: how long after ``ts`` the values are of [s], so that opens as they are stored make a line of closes.
    """

    name: str
    ts: NDArray[Any]
    values: NDArray[Any]
    tone: Tone = "accent"
    stepped: bool = False
    filled: bool = False
    width: float = 1.5
    breaks: NDArray[Any] | None = None
    late: float = 0.0


Window = tuple[float, float]  # what is in sight [s since epoch]


def cut(series: DrawnSeries, window: Window | None = None, points: int = POINTS) -> Line:
    """Return the part of a series that is in sight, thinned to its extremes, with one point beyond each end."""
    import numpy as np

    first, last = 0, len(series.ts)
    if window is not None:
        first = max(0, int(np.searchsorted(series.ts, window[0] - series.late)) - 1)
        last = min(last, int(np.searchsorted(series.ts, window[1] - series.late, side="right")) + 1)
    ts, values = series.ts[first:last], series.values[first:last]
    keep = extremes(points, values, -values) if len(ts) else slice(0, 0)
    shown = ts[keep] + series.late
    times = list(map(from_seconds, shown.tolist()))
    crossed = () if series.breaks is None or not len(ts) else _within(series.breaks, float(shown[0]), float(shown[-1]))
    look = {"stepped": series.stepped, "filled": series.filled}
    return Line(series.name, times, values[keep].tolist(), series.tone, series.width, breaks=crossed, **look)


def _within(times: NDArray[Any], first: float, last: float) -> list[datetime]:
    """Return the times from one to another."""
    return list(map(from_seconds, times[(times >= first) & (times <= last)].tolist()))


class LabFigure(go.FigureWidget):  # type: ignore[misc]
    """Plotly's widget; its script is asked of the server, where the browser finds it once.

    A page that connects is told the figure as it is by then. Plotly's own tells how it began, and what came after that
    only to pages that were there; and it puts itself right when it is shown, but not inside a box.
    """

    _esm = _SCRIPT
    _config: dict[str, Any]
    drawn_still: Callable[[], str] | None = None  # returns the figure as SVG, shown until the widget is drawn

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config = {**self._config, **plotting.plotly_settings()}

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return the state that is sent to a page: with all traces and the layout as they are now."""
        if key is None and hasattr(self, "_layout"):
            self._trait_values |= {"_widget_data": deepcopy(self._data), "_widget_layout": deepcopy(self._layout)}
        return dict(super().get_state(key, drop_defaults))

    def __repr__(self) -> str:
        return "Figure"


class Picture:
    """A chart on the page.

    Attributes:
        widget: what is shown; window: the stretch in sight, None for all of it.
    """

    def __init__(self, height: int = 320) -> None:
        self.widget = LabFigure(layout={"height": height, "autosize": True})
        self.widget.drawn_still = lambda: drawing.draw(self.drawn)
        self.window: Window | None = None
        self.followers: Sequence[Picture] = ()
        self._height, self._chart, self._series = height, Chart(name="", lines=()), tuple[DrawnSeries, ...]()
        self._marks: Callable[[Window | None], Sequence[Marks]] | None = None
        self._layout: dict[str, Any] = {}
        self._busy = False
        self.widget.layout.on_change(self._zoomed, "xaxis.range", "xaxis.autorange")

    def show(
        self,
        chart: Chart,
        series: Sequence[DrawnSeries] = (),
        marks: Callable[[Window | None], Sequence[Marks]] | None = None,
    ) -> None:
        """Show a chart.

        Args:
            chart: what it says; series: its lines, after its own.
            marks: returns those of a stretch, always the same kinds; None takes the chart's own.
        """
        self._chart, self._series, self._marks = chart, tuple(series), marks
        self._draw()

    def look(self, window: Window | None) -> None:
        """Show another stretch; None for all of it."""
        self.window = window
        axis = {"autorange": True} if window is None else {"range": [self._written(edge) for edge in window]}
        self._draw({"xaxis": axis})

    @property
    def drawn(self) -> Chart:
        """The chart as the browser has it."""
        lines = [*self._chart.lines, *(cut(one, self.window) for one in self._series)]
        marks = self._chart.marks if self._marks is None else self._marks(self.window)
        return msgspec.structs.replace(self._chart, lines=lines, marks=marks)

    def _draw(self, layout: dict[str, Any] | None = None) -> None:
        """Tell the browser what changed, in one message."""
        told = plotting.for_plotly(self.drawn)
        told["layout"] |= {"height": self._height}
        told["layout"]["yaxis"] |= {"fixedrange": True}
        told["layout"]["xaxis"] |= {"nticks": FEW_TICKS}
        if told["layout"].get("showlegend"):  # beside it the title has no place on a phone: the legend carries it
            heading = {"text": told["layout"]["title"].pop("text"), "font": {"size": 13}, "side": "top left"}
            told["layout"]["title"]["text"] = ""  # marks may have come into sight, and a title was shown until then
            told["layout"]["legend"] |= {"x": 0, "xanchor": "left", "title": heading, "font": {"size": 11}}
        data, widget = told["data"], self.widget
        self._busy = True
        try:
            fresh = [trace["name"] for trace in data] != [trace.name for trace in widget.data]
            if fresh:
                widget.data = ()
                widget.add_traces(data)
            with widget.batch_update():
                for trace, new in zip(() if fresh else widget.data, data, strict=False):
                    trace.update({name: value for name, value in new.items() if name in ("x", "y", "text")})
                changed = {name: value for name, value in told["layout"].items() if value != self._layout.get(name)}
                widget.layout.update({**changed, **(layout or {})})
        finally:
            self._busy = False
        self._layout = told["layout"]

    def _written(self, edge: float) -> str | float:
        """Return an end of the window as plotly writes it."""
        return edge if self._chart.counted else f"{from_seconds(edge):%Y-%m-%d %H:%M:%S}"

    def _zoomed(self, _: object, span: Any, whole: Any) -> None:
        """Bring the detail of what came into sight, here and in what follows."""
        if self._busy:
            return
        window = None if whole or not span else (_seconds(span[0]), _seconds(span[1]))
        if window != self.window:
            self.window = window
            self._draw()
            for follower in self.followers:
                follower.look(window)


def together(*pictures: Picture) -> None:
    """Let pictures of the same times zoom together."""
    for one in pictures:
        one.followers = [other for other in pictures if other is not one]


def _seconds(at: Any) -> float:
    """Return an end of an axis [s since epoch]."""
    return float(at) if isinstance(at, (int, float)) else as_utc(datetime.fromisoformat(str(at))).timestamp()
