"""Two small pictures of a sweep: a map over two parameters, and a line along one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from peaktrade_core.dashboard.labs.picture import LabFigure
from peaktrade_core.show import drawing, plotting, wording
from peaktrade_core.show.chart import Chart

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELLED = 160  # cells that still have room for their figure
_SIGNED = [[0.0, drawing.COLOURS["red"]], [0.5, "#b5bcc4"], [1.0, drawing.COLOURS["green"]]]
_RISING = [[0.0, "#c9d6f2"], [1.0, drawing.COLOURS["accent"]]]
FIGURES = "#000000"  # in the cells: of all colours above black is read, grey and white are not
Axis = tuple[str, Sequence[Any]]  # a parameter and its values


def _layout(title: str, height: int) -> dict[str, Any]:
    """Return the look that charts have here, with axes of values instead of times."""
    layout: dict[str, Any] = plotting.for_plotly(Chart(name="", title=title, lines=()))["layout"]
    axis = {"gridcolor": drawing.GRID, "zeroline": False, "automargin": True, "fixedrange": True, "type": "category"}
    plain = {**layout, "height": height, "hovermode": "closest", "dragmode": False, "showlegend": False}
    return {**plain, "xaxis": axis, "yaxis": {**axis, "title": {"text": ""}}}


class Heat:
    """A map: a cell for each pair of values, a frame where the sliders point, a star above the best trial's figure."""

    def __init__(self) -> None:
        self.widget = LabFigure(layout=_layout("", 420))
        self.widget.drawn_still = self._drawn
        cells = {
            "type": "heatmap",
            "xgap": 2,
            "ygap": 2,
            "hoverongaps": False,
            "colorbar": {"thickness": 12, "outlinewidth": 0},
            "textfont": {"color": FIGURES},
        }
        cells["hovertemplate"] = "%{x}, %{y}: %{z:.4g}<extra></extra>"
        spot = {"type": "scatter", "mode": "markers", "hoverinfo": "skip"}
        frame = {"symbol": "square-open", "size": 28, "color": drawing.COLOURS["accent"], "line": {"width": 3}}
        self.widget.add_traces([cells, {**spot, "marker": frame}])

    def show(
        self, title: str, across: Axis, up: Axis, table: NDArray[np.float64], point: Mapping[str, Any],
        summit: Mapping[str, Any] | None, *, signed: bool,
    ) -> None:  # fmt: skip
        """Show figures over two parameters.

        Args:
            title: what they are; across, up: the parameters; table: (values of up, values of across) float64.
            point, summit: parameters of the frame and of the star; signed: whether 0 is the middle of the colours.
        """
        cells, frame = self.widget.data
        (x_name, x), (y_name, y) = ((name, [str(value) for value in values]) for name, values in (across, up))
        known = table[np.isfinite(table)]
        most = float(np.abs(known).max()) if len(known) else 1.0
        low = -most if signed else float(known.min()) if len(known) else 0.0
        with self.widget.batch_update():
            z = [[None if not np.isfinite(value) else float(value) for value in row] for row in table]
            cells.update(
                {"x": x, "y": y, "z": z, "colorscale": _SIGNED if signed else _RISING, "zmin": low, "zmax": most or 1.0}
            )
            cells.text = [["" if value is None else wording.minus(f"{value:.3g}") for value in row] for row in z]
            cells.texttemplate = "%{text}" if table.size <= LABELLED else ""
            frame.update({"x": [str(point[x_name])], "y": [str(point[y_name])]})
            star = {
                "text": "★",
                "showarrow": False,
                "yshift": 12,
                "font": {"color": drawing.COLOURS["amber"], "size": 13},
            }
            best = [{**star, "x": str(summit[x_name]), "y": str(summit[y_name])}] if summit else []
            axes = {"xaxis": {"title": {"text": x_name}}, "yaxis": {"title": {"text": y_name}}}
            self.widget.layout.update({**_layout(title, 420), **axes, "annotations": best})

    def _drawn(self) -> str:
        """Return the cells as SVG, without names of values: the widget brings them."""
        cells, title = self.widget.data[0], self.widget.layout.title.text or ""
        rows, low, high = cells.z or (), cells.zmin, cells.zmax
        squares = "".join(
            f'<rect x="{x}" y="{len(rows) - 1 - y}" width=".94" height=".94" fill="{_between(cells.colorscale, share)}"/>'
            for y, row in enumerate(rows)
            for x, value in enumerate(row)
            if value is not None and (share := (value - low) / ((high - low) or 1.0)) is not None
        )
        return (
            f'<figure class="plot"><figcaption><b>{escape(title)}</b></figcaption><svg class="plane" role="img" '
            f'aria-label="{escape(title)}" viewBox="0 0 {len(rows[0]) if rows else 1} {len(rows) or 1}" '
            f'preserveAspectRatio="none">{squares}</svg></figure>'
        )

    def when_clicked(self, work: Callable[[str, str], None]) -> None:
        """Do something with the two values of a cell that is clicked."""
        self._clicked = work

        def clicked(trace: Any, points: Any, _: object) -> None:
            if points.point_inds:
                row, column = points.point_inds[0]
                work(trace.x[column], trace.y[row])

        self.widget.data[0].on_click(clicked)


def _between(scale: Sequence[tuple[float, str]], share: float) -> str:
    """Return the colour at a share of a scale."""
    at = min(max(share, 0.0), 1.0)
    (low, first), (high, last) = next((a, b) for a, b in pairwise(scale) if at <= b[0])
    part = (at - low) / (high - low)
    mixed = [round((1.0 - part) * int(first[n : n + 2], 16) + part * int(last[n : n + 2], 16)) for n in (1, 3, 5)]
    return "#" + "".join(f"{value:02x}" for value in mixed)


class HeatProfile:
    """A line along one parameter, with a ring where the slider points."""

    def __init__(self) -> None:
        self.widget = LabFigure(layout=_layout("", 230))
        self.widget.drawn_still = lambda: ""  # its room; the map above it is what is looked at first
        line = {"type": "scatter", "mode": "lines+markers", "line": {"color": drawing.COLOURS["accent"], "width": 1.5}}
        ring = {"symbol": "circle-open", "size": 16, "color": drawing.COLOURS["amber"], "line": {"width": 3}}
        self.widget.add_traces([line, {"type": "scatter", "mode": "markers", "hoverinfo": "skip", "marker": ring}])

    def show(self, title: str, name: str, values: Sequence[Any], figures: Sequence[float], here: object) -> None:
        """Show a figure at each value of a parameter; ``here`` is the value that the slider has."""
        line, ring = self.widget.data
        x, at = [str(value) for value in values], list(values).index(here)
        y = [value if np.isfinite(value) else None for value in figures]
        with self.widget.batch_update():
            line.update({"x": x, "y": y})
            ring.update({"x": [x[at]], "y": [y[at]]})
            layout = _layout(title, 230)
            self.widget.layout.update({**layout, "xaxis": {"title": {"text": name}}, "yaxis": {"type": "linear"}})
