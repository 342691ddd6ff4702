"""Charts as plotly takes them: what notebooks keep and labs show, with the colours and signs of the drawings."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal

from peaktrade_core.show.chart import Chart, Line, Marks, Shade, Tone, pieces
from peaktrade_core.show.drawing import COLOURS, GRID, SIGNS
from peaktrade_core.show.language import is_english, language, spoken

PLOTLY = "application/vnd.plotly.v1+json"
CLEAR = "rgba(0,0,0,0)"
FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'
_NAMES, _ROW = 3, 20  # of a notebook's legend: names in a row, and how high that is [px]
_FEW = 6  # whole numbers up to here are all labelled
_CALENDAR: tuple[tuple[Literal["wide", "abbreviated"], str, str], ...] = (  # babel's width, and plotly's names
    ("wide", "months", "days"),
    ("abbreviated", "shortMonths", "shortDays"),
)
_TOOLS = (
    "Double-click on legend to isolate one trace", "Double-click to zoom back out", "Download plot as a PNG", "Reset axes",
    "Zoom in", "Zoom out",
)  # fmt: skip  # plotly's own texts that its figures here can show


def for_plotly(chart: Chart) -> dict[str, Any]:
    """Return a chart as plotly's JSON: what a notebook keeps, and its figures are made of."""
    chart = chart.spoken
    axis = {"automargin": True, "gridcolor": GRID, "linecolor": GRID, "zeroline": False}
    ink = COLOURS["ink"]
    named = len(chart.lines) + len([kind for kind in chart.marks if kind.marks])
    more = _ROW * max(0, math.ceil(named / _NAMES) - 1)  # rows of the legend, which would stand in the title
    layout = {
        "title": {"text": chart.heading, "font": {"size": 15}, "x": 0, "xref": "paper", "y": 0.97, "yanchor": "top"},
        "meta": {"label": chart.label},
        "font": {"family": FONT, "size": 12, "color": ink},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "height": 320 + more,
        "margin": {"l": 64, "r": 16, "t": 44 + more, "b": 44},
        "hovermode": "x unified",
        "hoverlabel": {"align": "left"},
        "showlegend": named > 1 and not chart.by_lanes,
        "legend": {"orientation": "h", "x": 0.5, "xanchor": "center", "y": 1.02, "yanchor": "bottom"},
        "modebar": {
            "bgcolor": CLEAR,
            "color": ink,
            "activecolor": COLOURS["accent"],
            "remove": ["select2d", "lasso2d"],
        },
        "xaxis": {**axis, "nticks": 7, "tickangle": 0, **_plotly_times(chart)},
        "yaxis": {**axis, **_plotly_values(chart)},
        "shapes": [_plotly_level(level.value, level.tone) for level in chart.levels]
        + [_plotly_span(span, chart) for span in chart.spans],
        "annotations": [_plotly_name(level.value, level.name) for level in chart.levels],
    }
    data = [_plotly_line(line, chart) for line in chart.lines]
    data += [_plotly_marks(kind, chart) for kind in chart.marks]
    # JupyterLab fits a figure to its window itself; plotly would take the height from what is around it, which has none
    return {"data": data, "layout": layout, "config": {**plotly_settings(), "responsive": False}}


def plotly_settings() -> dict[str, Any]:
    """Return how plotly is to behave: nothing is uploaded, and its own words and months are of the language read here.

    Figures and the order of a date stay as they are everywhere else.
    """
    settings: dict[str, Any] = {"displaylogo": False, "showSendToCloud": False, "responsive": True}
    if is_english():
        return settings
    from babel.dates import get_day_names, get_month_names  # which takes a while to load

    named = language()
    own: dict[str, Any] = {"dayMonth": "%-d. %b", "dayMonthYear": "%-d. %b %Y"}
    for width, months, days in _CALENDAR:
        of_year, of_week = get_month_names(width, locale=named), get_day_names(width, locale=named)
        own[months] = [of_year[n].rstrip(".") for n in range(1, 13)]
        own[days] = [of_week[(n - 1) % 7].rstrip(".") for n in range(7)]  # plotly's begins on Sunday, babel's on Monday
    return settings | {
        "locale": named,
        "locales": {
            named: {"dictionary": {"Pan": spoken("Pan"), **{text: spoken(text) for text in _TOOLS}}, "format": own}
        },
    }


def _plotly_times(chart: Chart) -> dict[str, Any]:
    """Return what the axis below says."""
    if chart.counted:
        return {
            "title": {"text": spoken("bars since the start")},
            "type": "linear",
            "tickformat": ",",
            "rangemode": "tozero",
        }
    in_sight = (
        [*chart.ends, *(at for line in chart.lines for at in (*line.ts[:1], *line.ts[-1:]))] if chart.ends else []
    )
    whole = {"range": [_moment(min(in_sight)), _moment(max(in_sight))]} if in_sight else {}
    months = {"dtickrange": ["M1", "M11"], "value": "%b\n%Y"}  # the year below, once, so that a phone has room for it
    return {"title": {"text": "UTC"}, "type": "date", "tickformatstops": [months], **whole}


def _plotly_values(chart: Chart) -> dict[str, Any]:
    """Return what the axis beside says."""
    if chart.lanes:
        n = len(chart.lanes)
        return {"tickvals": [*range(n)], "ticktext": list(chart.lanes), "range": [-0.5, n - 0.5], "fixedrange": True}
    few = chart.digits == 0 and max((abs(value) for line in chart.lines for value in line.values), default=0) <= _FEW
    step = {"dtick": 1} if few else {}
    return {"tickformat": ",", **step, **({"rangemode": "tozero"} if chart.grounded else {})}


def _moment(at: datetime, counted: bool = False) -> str | float:
    """Return a time as plotly takes it: UTC, which the axis says, or the number of a bar."""
    return at.timestamp() if counted else f"{at:%Y-%m-%d %H:%M:%S}"


def _plotly_line(line: Line, chart: Chart) -> dict[str, Any]:
    x: list[str | float] = []
    y: list[float | None] = []
    for piece in pieces(line):
        if x:  # nothing between two pieces
            x.append(x[-1])
            y.append(None)
        x += [_moment(at, chart.counted) for at, _ in piece]
        y += [round(value, chart.digits) + 0.0 for _, value in piece]
    look: dict[str, Any] = {"color": COLOURS[line.tone], "width": line.width}
    trace: dict[str, Any] = {"type": "scatter", "x": x, "y": y, "name": line.name, "line": look}
    trace["mode"] = "lines+markers" if line.dotted else "lines"
    if line.stepped:
        look["shape"] = "hv"
    if line.filled:
        trace |= {"fill": "tozeroy", "fillcolor": f"{COLOURS[line.tone]}40"}
    return trace


def _plotly_marks(kind: Marks, chart: Chart) -> dict[str, Any]:
    colour = COLOURS[kind.tone]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_moment(mark.ts, chart.counted) for mark in kind.marks],
        "y": [round(mark.value, chart.digits) for mark in kind.marks],
        "text": [mark.text for mark in kind.marks],
        "name": kind.name,
        "marker": {
            "symbol": SIGNS[kind.sign].plotly, "color": colour, "size": 10, "line": {"width": 1.5, "color": colour}
        },
        "hovertemplate": "%{x}<br>%{text}<extra></extra>",
    }  # fmt: skip


def _plotly_level(value: float, tone: Tone) -> dict[str, Any]:
    line = {"color": COLOURS[tone], "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": value, "y1": value, "line": line}


def _plotly_name(value: float, name: str) -> dict[str, Any]:
    place = {"xref": "x domain", "x": 1, "xanchor": "right", "yref": "y", "y": value, "yanchor": "bottom"}
    return {"text": name, "showarrow": False, **place}


def _plotly_span(span: Shade, chart: Chart) -> dict[str, Any]:
    first, last = (_moment(at, chart.counted) for at in (span.first, span.last))
    place = {"xref": "x", "x0": first, "x1": last, "yref": "y domain", "y0": 0, "y1": 1}
    look = {"fillcolor": COLOURS[span.tone], "opacity": span.strength, "line": {"width": 0}}
    return {"type": "rect", **place, **look, "layer": "below"}
