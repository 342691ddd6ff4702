"""Charts drawn: as SVG with its caption, without a script and without a style, and as plotly takes them.

The SVG stands for itself in any viewer; a page or report gives its own colours to the classes ``tone-…``, in light and
dark. Texts and marks lie in percent over a box that is stretched, so that they keep their shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Any, NamedTuple

from peaktrade_core.base.clock import iso
from peaktrade_core.show.chart import HEIGHT, WIDTH, Chart, Frame, Line, Marks, Shade, Sign, Tone, pieces
from peaktrade_core.show.language import spoken

DRAWN = '<figure class="plot plot-'  # how a drawing begins
PLOTLY = "application/vnd.plotly.v1+json"
_NAMES, _ROW = 3, 20  # of a notebook's legend: names in a row, and how high that is [px]
COLOURS: dict[Tone, str] = {  # on white, on black and on paper
    "accent": "#3d6fe0", "ink": "#6b7785", "green": "#1f9d61", "red": "#d9483f", "amber": "#c98a1b", "purple": "#8059c8",
}  # fmt: skip
GRID, CLEAR = "rgba(128,140,155,0.25)", "rgba(0,0,0,0)"
FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'
CONFIG = {"displaylogo": False, "showSendToCloud": False, "responsive": True}  # nothing is uploaded
_READING = '<output class="reading" data-own=""></output>'
_FEW = 6  # whole numbers up to here are all labelled
_DASH = '<path d="M-7 0H7" stroke="currentColor" stroke-width="2.5"/>'
_DOT = "M-2.5 0A2.5 2.5 0 1 0 2.5 0A2.5 2.5 0 1 0 -2.5 0"


class _Look(NamedTuple):
    """How a mark looks: as a path, whether it is filled, in plotly."""

    path: str
    filled: bool
    plotly: str


_SIGNS: dict[Sign, _Look] = {
    "up": _Look("M0 -6L6 5H-6Z", True, "triangle-up"),
    "down": _Look("M0 6L6 -5H-6Z", True, "triangle-down"),
    "cross": _Look("M-4 -4L4 4M-4 4L4 -4", False, "x-thin-open"),
    "diamond": _Look("M0 -6L6 0L0 6L-6 0Z", True, "diamond"),
    "square": _Look("M-5 -5H5V5H-5Z", True, "square"),
}

_OFF: dict[Sign, int] = {"up": 8, "down": -8, "cross": 0, "diamond": 0, "square": 0}  # below and above the line [px]


def draw(chart: Chart, *, answers: bool = False, axis: bool = True) -> str:
    """Return a chart as HTML.

    Args:
        chart: what it says; axis: whether the times stand below.
        answers: whether the page's script reads it out and zooms it; it then carries the values of its one line.
    """
    chart = chart.spoken
    frame, clipped = Frame(chart), "" if answers else ' overflow="visible"'  # the script zooms
    ink = [_span(frame, span) for span in chart.spans]
    ink += [_level(frame, level.value, level.tone) for level in chart.levels]
    ink += [_line(frame, line) for line in chart.lines]
    over = f'<g class="y-axis">{"".join(_value_labels(frame))}</g>'
    over += "".join(_name(frame, level.value, level.name) for level in chart.levels)
    over += "".join(f'<g class="marks">{"".join(_marks(frame, kind))}</g>' for kind in chart.marks)
    over += "".join(_dots(frame, line) for line in chart.lines if line.dotted)
    over += f'<g class="x-axis">{"".join(_time_labels(frame))}</g>' if axis else ""
    axis_says = spoken("bars since the start" if chart.counted else "times in UTC")
    unit = spoken(chart.unit) if answers else f"{spoken(chart.unit)} · {axis_says}".removeprefix(" · ")
    return (
        f'{DRAWN}{escape(chart.name)}"{_data(chart) if answers else ""}><figcaption>'
        f'<b>{escape(chart.title)}</b> <span class="sub">{escape(unit)}</span>'
        f"{_READING if answers else _legend(chart)}</figcaption>"
        f'<svg class="plane" width="100%" height="250" overflow="visible" role="img" aria-label="{escape(chart.label)}">'
        f'<svg class="ink" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" fill="none"{clipped} '
        f'stroke="currentColor" stroke-linejoin="round">{"".join(ink)}</svg>'
        f'<svg class="over" overflow="visible" font-size="11" fill="{COLOURS["ink"]}" aria-hidden="true">{over}</svg>'
        "</svg></figure>"
    )


def times_of(chart: Chart) -> str:
    """Return the times of a chart for the script: each as its distance from the one before [s]."""
    ts = [at.timestamp() for at in chart.lines[0].ts]
    return ",".join(f"{b - a:.10g}" for a, b in zip([0.0, *ts], ts, strict=False))


def _data(chart: Chart) -> str:
    """Return the attributes that the script draws from."""
    line = chart.lines[0]
    values = ",".join(f"{value:.9g}" if math.isfinite(value) else "" for value in line.values)
    kept = ",".join(f"{value:.9g}" for value in chart.kept)
    return (
        f' data-y="{values}" data-unit="{escape(chart.unit)}" data-digits="{chart.digits}" data-kept="{kept}"'
        f' data-kind="{"step" if line.stepped else "line"}" tabindex="0" role="group" aria-label="{escape(chart.title)}"'
    )


def _tone(tone: Tone) -> str:
    return f'class="tone-{tone}" color="{COLOURS[tone]}"'


def _line(frame: Frame, line: Line) -> str:
    """Return a line, and the area below it."""
    path = area = ""
    zero = f"{frame.y(min(max(0.0, frame.bottom), frame.top)):.1f}"
    for piece in pieces(line):
        places = [(f"{frame.x(at):.1f}", f"{frame.y(value):.1f}") for at, value in piece]
        drawn = f"M{places[0][0]} {places[0][1]}"
        drawn += "".join(f"H{x}V{y}" if line.stepped else f"L{x} {y}" for x, y in places[1:])
        path += drawn
        area += f"{drawn}V{zero}H{places[0][0]}Z"
    below = (
        f'<path class="area" d="{area}" stroke="none" fill="currentColor" fill-opacity=".16"/>' if line.filled else ""
    )
    return (
        f'<g {_tone(line.tone)}>{below}<path class="line" d="{path}" stroke-width="{line.width:g}" '
        'vector-effect="non-scaling-stroke"/></g>'
    )


def _level(frame: Frame, value: float, tone: Tone) -> str:
    return (
        f'<path {_tone(tone)} d="M0 {frame.y(value):.1f}H{WIDTH:g}" stroke-dasharray="2 4" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _span(frame: Frame, span: Shade) -> str:
    x, to = (min(max(frame.x(at), 0.0), WIDTH) for at in (span.first, span.last))
    return (
        f'<rect {_tone(span.tone)} x="{x:.1f}" width="{to - x:.1f}" height="{HEIGHT:g}" stroke="none" fill="currentColor" '
        f'fill-opacity="{span.strength:.2g}"/>'
    )


def _value_labels(frame: Frame) -> Iterator[str]:
    for place, text in frame.value_ticks():
        yield f'<line x1="0" x2="100%" y1="{place:.2f}%" y2="{place:.2f}%" stroke="{GRID}"/>'
        yield f'<text x="2" y="{place:.2f}%" dy="{_beside(place)}">{escape(text)}</text>'


def _beside(place: float) -> int:
    """Return how far a text is from its line [px]: above it, at the top below it."""
    return 11 if place < 12 else -3


def _time_labels(frame: Frame) -> Iterator[str]:
    for tick in frame.time_ticks():
        anchor = "start" if tick.place < 4 else "end" if tick.place > 96 else "middle"
        yield (
            f'<text x="{tick.place:.2f}%" y="100%" dy="13" text-anchor="{anchor}" data-at="{iso(tick.at)}" '
            f'data-form="{tick.form}">{tick.text}</text>'
        )


def _name(frame: Frame, value: float, name: str) -> str:
    place = frame.y(value) / HEIGHT * 100
    return f'<text x="100%" y="{place:.2f}%" dy="{_beside(place)}" text-anchor="end">{escape(name)}</text>'


def _marks(frame: Frame, kind: Marks) -> Iterator[str]:
    """Yield the marks of a kind that are on the axis, each with what it says and where it is."""
    for mark in kind.marks:
        if frame.shows(mark.ts):
            yield (
                f'<svg {_tone(kind.tone)} x="{frame.x(mark.ts) / 10:.2f}%" y="{frame.y(mark.value) / 2:.2f}%" '
                f'overflow="visible" data-t="{mark.ts.timestamp():.10g}" data-v="{mark.value:.9g}" data-n="{mark.n}">'
                f'<g transform="translate(0,{_OFF[kind.sign]})">{sign_path(kind.sign, mark.text)}'
                f"{_number(kind.sign, mark.n)}</g></svg>"
            )


def _number(sign: Sign, n: int) -> str:
    """Return how many a mark stands for, beside it; empty for one."""
    dy = 15 if sign == "up" else -8  # away from the line that the sign points at
    return f'<text class="n" dy="{dy}" text-anchor="middle">{n if n > 1 else ""}</text>'


def sign_path(sign: Sign, says: str = "") -> str:
    """Return a sign as an SVG path about its middle, with what it says."""
    look, title = _SIGNS[sign], f"<title>{escape(says)}</title>" if says else ""
    paint = 'fill="currentColor"' if look.filled else 'fill="none" stroke="currentColor" stroke-width="2"'
    return f'<path d="{look.path}" {paint}>{title}</path>'


def _dots(frame: Frame, line: Line) -> str:
    """Return a mark at every point of a line, with its value."""
    return (
        f"<g {_tone(line.tone)}>"
        + "".join(
            f'<svg x="{frame.x(at) / 10:.2f}%" y="{frame.y(value) / 2:.2f}%" overflow="visible">'
            f'<path d="{_DOT}" fill="currentColor"><title>{value:,.8g}</title></path></svg>'
            for piece in pieces(line)
            for at, value in piece
        )
        + "</g>"
    )


def _named(chart: Chart) -> bool:
    """Return whether its lanes already say what each mark stands for."""
    return bool(chart.lanes) and not chart.lines


def _legend(chart: Chart) -> str:
    """Return what each colour and sign stands for, where there is more than one."""
    entries = [(_DASH, line.tone, line.name) for line in chart.lines]
    entries += [(sign_path(kind.sign), kind.tone, kind.name) for kind in chart.marks]
    if len(entries) < 2 or _named(chart):
        return ""
    return "".join(
        f' <span class="entry"><svg {_tone(tone)} width="12" height="12" viewBox="-8 -8 16 16" aria-hidden="true">{path}'
        f"</svg> {escape(name)}</span>"
        for path, tone, name in entries
    )


def for_plotly(chart: Chart) -> dict[str, Any]:
    """Return a chart as plotly's JSON: what a notebook keeps, and its figures are made of."""
    chart = chart.spoken
    axis = {"automargin": True, "gridcolor": GRID, "linecolor": GRID, "zeroline": False}
    ink = COLOURS["ink"]
    named = len(chart.lines) + len(chart.marks)
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
        "showlegend": named > 1 and not _named(chart),
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
    return {"data": data, "layout": layout, "config": {**CONFIG, "responsive": False}}


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
            "symbol": _SIGNS[kind.sign].plotly, "color": colour, "size": 10, "line": {"width": 1.5, "color": colour}
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
