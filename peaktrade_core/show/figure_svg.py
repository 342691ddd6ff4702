"""A notebook's plotly figure as SVG: drawn once, without a script, for pages that are read on a phone and on paper.

It knows what our figures hold: lines and marks over time, level lines, shaded spans. A figure with anything else is
left to plotly, whose script then travels with the page.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from peaktrade_core.show.ticks import DAY, nice_ticks, time_step

WIDTH, HEIGHT = 1000.0, 400.0  # of the box, which the page stretches
_MODES = {"lines", "markers", "lines+markers"}
_ROOM = 0.04  # above and below the values [fraction]
_SIGNS = {
    "triangle-up": ("▲", "M0 -6L5.5 4.5H-5.5Z", True),
    "triangle-down": ("▼", "M0 6L5.5 -4.5H-5.5Z", True),
    "x-thin-open": ("✕", "M-4 -4L4 4M-4 4L4 -4", False),
    "circle": ("●", "M-2.5 0A2.5 2.5 0 1 0 2.5 0A2.5 2.5 0 1 0 -2.5 0", True),
}
_DASHES = {"dot": "2 4", "dash": "6 4", "solid": ""}


class _Unknown(Exception):
    """The figure holds something that is not known here."""


class _Trace(NamedTuple):
    """A series: times [s since epoch] with values (None breaks the line), how it is drawn, texts of its marks."""

    name: str
    points: list[tuple[float, float | None]]
    mode: str
    colour: str
    width: float
    stepped: bool
    fill: str
    sign: str
    texts: list[str]


class _Frame(NamedTuple):
    """What maps times and values to places."""

    first: float
    last: float
    bottom: float
    top: float

    def x(self, t: float, size: float = WIDTH) -> float:
        """Return where a time is, of a width."""
        return (t - self.first) / ((self.last - self.first) or 1.0) * size

    def y(self, value: float, size: float = HEIGHT) -> float:
        """Return where a value is, of a height."""
        return (self.top - value) / (self.top - self.bottom) * size


def draw(figure: Mapping[str, Any]) -> str | None:
    """Return a figure as HTML, None where it holds something that is not known here.

    Args:
        figure: as plotly writes it into a notebook: ``data`` and ``layout``.
    """
    try:
        layout = figure["layout"]
        traces = [_trace(trace) for trace in figure["data"]]
        levels = [_level(shape) for shape in layout.get("shapes", ()) if shape.get("type") == "line"]
        spans = [_span(shape) for shape in layout.get("shapes", ()) if shape.get("type") != "line"]
        frame = _frame(traces, [level for level, *_ in levels], zero=_from_zero(figure))
        notes = [_note(note, frame) for note in layout.get("annotations", ())]
        title, label = layout["title"]["text"], layout.get("meta", {}).get("label", "figure")
    except (_Unknown, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
    ink = [_shaded(frame, span) for span in spans]
    ink += [_level_line(frame, level) for level in levels]
    ink += [part for trace in traces for part in _line(frame, trace)]
    over = [*_grid(frame), *notes, *(mark for trace in traces for mark in _marks(frame, trace))]
    legend = "".join(_entry(trace) for trace in traces) if len(traces) > 1 else ""
    return (
        f'<figure class="plot drawn"><figcaption><b>{html.escape(title)}</b> {legend}</figcaption><div class="plane">'
        f'<svg class="ink" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(label)}">{"".join(ink)}</svg>'
        f'<svg class="over" aria-hidden="true">{"".join(over)}</svg></div></figure>'
    )


def _trace(given: Mapping[str, Any]) -> _Trace:
    """Return a series."""
    if given.get("type", "scatter") != "scatter" or given.get("mode") not in _MODES:
        raise _Unknown
    x, y, line, marker = given["x"], given["y"], given.get("line", {}), given.get("marker", {})
    sign = marker.get("symbol", "circle")
    if not isinstance(x, list) or not isinstance(y, list) or len(x) != len(y) or not x or sign not in _SIGNS:
        raise _Unknown
    if line.get("shape", "linear") not in ("linear", "hv") or given.get("fill") not in (None, "none", "tozeroy"):
        raise _Unknown
    return _Trace(
        name=str(given.get("name", "")),
        points=[(_seconds(at), _value(value)) for at, value in zip(x, y, strict=True)],
        mode=given["mode"],
        colour=_colour(marker.get("color") if given["mode"] == "markers" else line.get("color")),
        width=float(line.get("width", 2)),
        stepped=line.get("shape") == "hv",
        fill=_colour(given["fillcolor"]) if given.get("fill") == "tozeroy" else "",
        sign=sign,
        texts=[str(text) for text in given.get("text") or [""] * len(x)],
    )


def _seconds(at: object) -> float:
    """Return a time as figures write it, in seconds since the epoch."""
    if not isinstance(at, str):
        raise _Unknown
    return datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()


def _value(value: object) -> float | None:
    """Return a value, None where the line breaks."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _Unknown
    return float(value)


def _colour(text: object) -> str:
    """Return a colour that can stand in an attribute."""
    if not isinstance(text, str) or not all(c.isalnum() or c in "#(),. %" for c in text):
        raise _Unknown
    return text


def _level(shape: Mapping[str, Any]) -> tuple[float, str, float, str]:
    """Return a line across at a value: where, colour, width and dashes."""
    if shape.get("xref") != "x domain" or shape["y0"] != shape["y1"]:
        raise _Unknown
    line = shape.get("line", {})
    return float(shape["y0"]), _colour(line["color"]), float(line.get("width", 1)), _DASHES[line.get("dash", "solid")]


def _span(shape: Mapping[str, Any]) -> tuple[float, float, str, float]:
    """Return a shaded span of time: from, to, colour and opacity."""
    if shape.get("type") != "rect" or shape.get("yref") != "y domain":
        raise _Unknown
    return _seconds(shape["x0"]), _seconds(shape["x1"]), _colour(shape["fillcolor"]), float(shape.get("opacity", 1))


def _from_zero(figure: Mapping[str, Any]) -> bool:
    """Return whether zero stays in sight."""
    filled = any(trace.get("fill") == "tozeroy" for trace in figure["data"])
    return filled or figure["layout"].get("yaxis", {}).get("rangemode") == "tozero"


def _frame(traces: list[_Trace], levels: list[float], *, zero: bool) -> _Frame:
    """Return the frame that holds everything."""
    times = [t for trace in traces for t, _ in trace.points]
    values = [v for trace in traces for _, v in trace.points if v is not None] + levels + ([0.0] if zero else [])
    if not times or not values:
        raise _Unknown
    low, high = min(values), max(values)
    room = (high - low) * _ROOM or abs(low) * 0.001 or 1.0
    return _Frame(min(times), max(times), low - room, high + room)


def _line(frame: _Frame, trace: _Trace) -> list[str]:
    """Return the line of a series, and the area below it."""
    if "lines" not in trace.mode:
        return []
    path, pen = "", "M"
    for t, value in trace.points:
        if value is None:
            pen = "M"
            continue
        x, y = f"{frame.x(t):.1f}", f"{frame.y(value):.1f}"
        path += f"M{x} {y}" if pen == "M" else f"H{x}V{y}" if trace.stepped else f"L{x} {y}"
        pen = "L"
    parts = []
    if trace.fill:
        zero, ends = f"{frame.y(0.0):.1f}", [frame.x(t) for t, _ in (trace.points[0], trace.points[-1])]
        parts.append(f'<path d="{path}L{ends[1]:.1f} {zero}H{ends[0]:.1f}Z" style="fill:{trace.fill};stroke:none"/>')
    return [*parts, f'<path d="{path}" stroke="{trace.colour}" stroke-width="{trace.width:g}"/>']


def _level_line(frame: _Frame, level: tuple[float, str, float, str]) -> str:
    value, colour, width, dashes = level
    y = f"{frame.y(value):.1f}"
    return f'<path d="M0 {y}H{WIDTH:g}" stroke="{colour}" stroke-width="{width:g}" stroke-dasharray="{dashes}"/>'


def _shaded(frame: _Frame, span: tuple[float, float, str, float]) -> str:
    first, last, colour, opacity = span
    x, to = (min(max(frame.x(t), 0.0), WIDTH) for t in (first, last))
    return f'<rect x="{x:.1f}" width="{to - x:.1f}" height="{HEIGHT:g}" fill="{colour}" fill-opacity="{opacity:g}"/>'


def _grid(frame: _Frame) -> list[str]:
    """Return the labels of both axes, with the lines that they stand on."""
    parts = []
    for value, text in nice_ticks(frame.bottom, frame.top):
        place = frame.y(value, 100)
        y, below = f"{place:.2f}%", 12 if place < 6 else -3
        parts.append(f'<line x1="0" x2="100%" y1="{y}" y2="{y}"/><text x="2" y="{y}" dy="{below}">{text}</text>')
    span = frame.last - frame.first
    step = time_step(span)
    t = math.ceil(frame.first / step) * step
    while t <= frame.last:
        form = "%m-%d" if step >= DAY or t % DAY == 0 else "%H:%M:%S" if step < 60 else "%H:%M"
        at, x = datetime.fromtimestamp(t, UTC).strftime(form), frame.x(t, 100)
        anchor = "start" if x < 4 else "end" if x > 96 else "middle"
        parts.append(f'<text x="{x:.2f}%" y="100%" dy="14" text-anchor="{anchor}">{at}</text>')
        t += step
    return parts


def _note(note: Mapping[str, Any], frame: _Frame) -> str:
    """Return a text at the right end of a level line."""
    if note.get("yref") != "y" or note.get("showarrow", True):
        raise _Unknown
    y = f"{frame.y(float(note['y']), 100):.2f}%"
    return f'<text x="100%" y="{y}" dy="-3" text-anchor="end">{html.escape(str(note["text"]))}</text>'


def _marks(frame: _Frame, trace: _Trace) -> list[str]:
    """Return the marks of a series, each with what it says."""
    if "markers" not in trace.mode:
        return []
    _, path, filled = _SIGNS[trace.sign]
    paint = f'fill="{trace.colour}"' if filled else f'fill="none" stroke="{trace.colour}" stroke-width="2"'
    return [
        f'<svg x="{frame.x(t, 100):.2f}%" y="{frame.y(value, 100):.2f}%" overflow="visible">'
        f'<path d="{path}" {paint}><title>{html.escape(text or f"{value:,.8g}")}</title></path></svg>'
        for (t, value), text in zip(trace.points, trace.texts, strict=False)
        if value is not None
    ]


def _entry(trace: _Trace) -> str:
    """Return a series in the legend: its sign in its colour, and its name."""
    sign = _SIGNS[trace.sign][0] if trace.mode == "markers" else "━"
    return f'<span class="entry"><i style="color:{trace.colour}">{sign}</i> {html.escape(trace.name)}</span> '
