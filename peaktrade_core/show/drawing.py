"""Charts drawn as SVG with a caption, without a script and without a style.

The SVG stands for itself in any viewer; a page or report gives its own colours to the classes ``tone-…``, in light and
dark. Texts and marks lie in percent over a box that is stretched, so that they keep their shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from peaktrade_core.base.clock import iso
from peaktrade_core.show.chart import HEIGHT, WIDTH, Chart, Frame, Line, Marks, Shade, Sign, Tone, pieces
from peaktrade_core.show.language import spoken

DRAWN = '<figure class="plot plot-'  # how a drawing begins
COLOURS: dict[Tone, str] = {  # on white, on black and on paper
    "accent": "#3d6fe0", "ink": "#6b7785", "green": "#1f9d61", "red": "#d9483f", "amber": "#c98a1b", "purple": "#8059c8",
}  # fmt: skip
GRID = "rgba(128,140,155,0.25)"
_READING = '<output class="reading" data-own=""></output>'
_DASH = '<path d="M-7 0H7" stroke="currentColor" stroke-width="2.5"/>'
_DOT = "M-2.5 0A2.5 2.5 0 1 0 2.5 0A2.5 2.5 0 1 0 -2.5 0"


class _Look(NamedTuple):
    """How a mark looks: as a path, whether it is filled, in plotly."""

    path: str
    filled: bool
    plotly: str


SIGNS: dict[Sign, _Look] = {
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
    look, title = SIGNS[sign], f"<title>{escape(says)}</title>" if says else ""
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


def _legend(chart: Chart) -> str:
    """Return what each colour and sign stands for, where there is more than one."""
    entries = [(_DASH, line.tone, line.name) for line in chart.lines]
    entries += [(sign_path(kind.sign), kind.tone, kind.name) for kind in chart.marks]
    if len(entries) < 2 or chart.by_lanes:
        return ""
    return "".join(
        f' <span class="entry"><svg {_tone(tone)} width="12" height="12" viewBox="-8 -8 16 16" aria-hidden="true">{path}'
        f"</svg> {escape(name)}</span>"
        for path, tone, name in entries
    )
