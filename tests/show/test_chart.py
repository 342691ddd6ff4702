"""The chart: what it says is the same in its drawing, for the page's script and in plotly's figure."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from peaktrade_core.show.chart import POINTS, Chart, Frame, Level, Line, Mark, Marks, Shade, nice_ticks
from peaktrade_core.show.drawing import COLOURS, draw, times_of
from peaktrade_core.show.language import speak
from peaktrade_core.show.plotting import PLOTLY, for_plotly

START = datetime(2026, 1, 5, 22, 30, tzinfo=UTC)
MOMENTS = [START + timedelta(minutes=n) for n in range(121)]
RISING = [100.0 + n for n in range(121)]


def chart(*lines: Line, **more: Any) -> Chart:
    """Return a chart of these lines, or of one that rises."""
    wanted = {"name": "price", "title": "Price", "unit": "EUR", "label": "A price over 121 bars", **more}
    return Chart(lines=lines or [Line("close", MOMENTS, RISING, "ink")], **wanted)


def paths(drawn: str) -> list[str]:
    return re.findall(r'<path class="line" d="([^"]*)"', drawn)


def labels(drawn: str, axis: str) -> list[str]:
    return re.findall(r">([^<]+)</text>", re.search(f'<g class="{axis}-axis">(.*?)</g>', drawn)[1])


def test_a_line_goes_from_corner_to_corner_of_what_it_shows() -> None:
    drawn = draw(chart())
    (path,) = paths(drawn)
    points = [tuple(map(float, point)) for point in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    assert len(points) == 121
    assert (points[0], points[-1]) == ((0.0, 192.0), (1000.0, 8.0))
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)  # it rises: y falls
    assert labels(drawn, "x") == ["22:30", "23:00", "23:30", "01-06", "00:30"]  # midnight is told by its day
    assert labels(drawn, "y") == ["100", "150", "200"]


def test_a_step_holds_its_value_and_an_area_reaches_down_to_zero() -> None:
    drawn = draw(chart(Line("x", MOMENTS[:3], [-3.0, 1.0, 4.0], stepped=True, filled=True)))
    assert paths(drawn) == ["M0.0 192.0H500.0V86.9H1000.0V8.0"]
    assert '<path class="area" d="M0.0 192.0H500.0V86.9H1000.0V8.0V113.1H0.0Z"' in drawn
    trace = for_plotly(chart(Line("x", MOMENTS[:3], [-3.0, 1.0, 4.0], stepped=True, filled=True)))["data"][0]
    assert (trace["line"]["shape"], trace["fill"]) == ("hv", "tozeroy")


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0, 0.0], [10_000.0], [math.nan, math.nan]])
def test_a_chart_that_never_moves_is_drawn_in_the_middle_with_labels(values: list[float]) -> None:
    drawn = draw(chart(Line("x", MOMENTS[: len(values)], values)))
    assert "nan" not in drawn
    assert not paths(drawn)[0] or " 100.0" in paths(drawn)[0]
    assert 2 <= len(labels(drawn, "y")) <= 6
    if not any(values):
        assert labels(drawn, "y") == ["\N{MINUS SIGN}0.5", "0.0", "0.5"]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 1.0, ["0.0", "0.5", "1.0"]),
        (-3.0, 4.0, ["\N{MINUS SIGN}2", "0", "2", "4"]),
        (9_990.0, 10_010.0, ["9,990", "9,995", "10,000", "10,005", "10,010"]),
        (0.00012, 0.00034, ["0.0002", "0.0003"]),
        (9_950.77, 10_035.87, ["9,960", "9,980", "10,000", "10,020"]),  # a single 10,000 would say no distance
    ],
)
def test_value_labels_are_round_few_and_at_least_two(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in nice_ticks(low, high)] == texts


def test_marks_say_what_happened_where_and_stay_in_sight() -> None:
    buys = Marks("buy", "up", "green", [Mark(MOMENTS[3], 103.0, "buy <1> & more")])
    denied = Marks(
        "denied", "cross", "amber", [Mark(MOMENTS[60], 400.0, "denied"), Mark(START - timedelta(1), 1.0, "no")]
    )
    said = chart(title="<b>", marks=[buys, denied])
    drawn = draw(said)
    assert "<title>buy &lt;1&gt; &amp; more</title>" in drawn
    assert "<b>&lt;b&gt;</b>" in drawn
    assert re.findall(r'x="([\d.]+%)" y="([\d.]+%)" overflow="visible" data-t', drawn)[1] == ("50.00%", "4.00%")
    assert drawn.count("data-t=") == 2  # what is not on the axis is not drawn
    assert drawn.count('class="entry"') == 3
    names = [(trace["name"], trace["text"]) for trace in for_plotly(said)["data"][1:]]
    assert names == [("buy", ["buy <1> & more"]), ("denied", ["denied", "no"])]


def test_levels_stay_in_sight_and_are_named() -> None:
    said = chart(levels=[Level(300.0, "start balance")])
    drawn = draw(said)
    assert 'd="M0 8.0H1000" stroke-dasharray="2 4"' in drawn
    assert ">start balance</text>" in drawn
    layout = for_plotly(said)["layout"]
    assert [shape["y0"] for shape in layout["shapes"]] == [300.0]
    assert [note["text"] for note in layout["annotations"]] == ["start balance"]


def test_a_line_is_interrupted_where_something_is_missing_and_the_span_is_shaded() -> None:
    line = Line("close", MOMENTS[:10] + MOMENTS[21:], [1.0] * 50 + [math.inf] + [1.0] * 59, breaks=[MOMENTS[10]])
    said = chart(line, spans=[Shade(MOMENTS[10], MOMENTS[21])])
    drawn = draw(said)
    assert paths(drawn)[0].count("M") == 3  # the gap, and the value that is no number
    assert 'x="83.3" width="91.7"' in drawn
    trace, shape = for_plotly(said)["data"][0], for_plotly(said)["layout"]["shapes"][0]
    assert trace["y"].count(None) == 2
    assert (shape["x0"], shape["x1"]) == ("2026-01-05 22:40:00", "2026-01-05 22:51:00")


def test_several_lines_have_colours_and_a_legend() -> None:
    said = chart(
        Line("EUR", MOMENTS, RISING, "accent"), Line("USDT", MOMENTS[::60], [1.0, 2.0, 3.0], "amber", dotted=True)
    )
    drawn = draw(said)
    assert re.findall(r"</svg> (\w+)</span>", drawn) == ["EUR", "USDT"]
    assert {"tone-accent", "tone-amber"} <= set(re.findall(r"tone-\w+", drawn))
    assert "<title>2</title>" in drawn  # a dot says its value
    assert [trace["mode"] for trace in for_plotly(said)["data"]] == ["lines", "lines+markers"]
    assert for_plotly(said)["layout"]["showlegend"] is True


def test_a_long_line_keeps_its_extremes_ends_and_interruptions() -> None:
    ts = [START + timedelta(minutes=n) for n in range(50_000)]
    values = [float(n % 977) for n in range(50_000)]
    values[31_234], values[40_001], values[20_000] = -7.0, 5000.0, math.nan
    (line,) = chart(Line("x", ts, values)).thinned.lines
    known = [value for value in line.values if math.isfinite(value)]
    assert len(line.ts) == len(line.values) <= POINTS + 3
    assert (min(known), max(known), known[0], known[-1]) == (-7.0, 5000.0, values[0], values[-1])
    assert len(known) == len(line.values) - 1
    assert list(line.ts) == sorted(line.ts)
    assert chart().thinned.lines[0].values == RISING


def test_a_drawing_stands_for_itself_can_be_read_aloud_and_breaks_no_policy() -> None:
    said = chart(levels=[Level(90.0, "x")], marks=[Marks("buy", "up", "green", [Mark(MOMENTS[3], 103.0, "b")])])
    for drawn in (draw(said), draw(said, answers=True)):
        figure = ET.fromstring(drawn)
        assert figure.find("svg").get("role") == "img"
        assert figure.find("svg").get("aria-label") == "A price over 121 bars"
        assert "style" not in {name for element in figure.iter() for name in element.attrib}
        assert "<script" not in drawn
    assert "times in UTC" in draw(said)


def test_a_notebook_shows_plotlys_figure_uploads_nothing_and_keeps_the_drawing() -> None:
    bundle = chart()._repr_mimebundle_()
    assert bundle["text/html"] == draw(chart())
    figure = bundle[PLOTLY]
    assert (figure["config"]["showSendToCloud"], figure["config"]["displaylogo"]) == (False, False)
    assert figure["layout"]["title"]["text"] == "Price [EUR]"
    assert figure["layout"]["meta"]["label"] == "A price over 121 bars"
    assert repr(chart()) == "Price [EUR]: A price over 121 bars"


def test_plotly_takes_what_it_is_told() -> None:
    import plotly.graph_objects as go

    said = chart(
        Line("a", MOMENTS, RISING, filled=True, stepped=True), Line("b", MOMENTS, RISING, "amber", dotted=True),
        marks=[Marks("buy", "up", "green", [Mark(MOMENTS[3], 103.0, "b")])],
        levels=[Level(90.0, "x")], spans=[Shade(MOMENTS[1], MOMENTS[2])],
    )  # fmt: skip
    told = for_plotly(said)
    figure = go.Figure(data=told["data"], layout=told["layout"])  # raises on what it does not know
    assert [trace.name for trace in figure.data] == ["a", "b", "buy"]
    assert {trace.line.color for trace in figure.data[:2]} == {COLOURS["accent"], COLOURS["amber"]}


def test_the_script_gets_the_values_the_times_and_what_stays_in_sight() -> None:
    said = chart(Line("x", MOMENTS[:3], [1.5, math.nan, -2.0], stepped=True, filled=True), levels=[Level(4.0, "l")])
    drawn = draw(said, answers=True, axis=False)
    assert 'data-y="1.5,,-2" data-unit="EUR" data-digits="2" data-kept="4,0" data-kind="step"' in drawn
    assert times_of(said) == f"{START.timestamp():.0f},60,60"
    assert "x-axis" not in drawn
    frame = Frame(said)
    assert (frame.bottom, frame.top) == (-2.0, 4.0)


def test_a_time_that_must_be_in_sight_hides_no_other() -> None:
    """The end of what is held back, after the last day of the curve: the axis had begun and ended there."""
    held = for_plotly(chart(Line("equity", MOMENTS[:3], [1.0, 2.0, 3.0]), ends=[MOMENTS[4]]))["layout"]["xaxis"]
    assert held["range"] == [f"{at:%Y-%m-%d %H:%M:%S}" for at in (MOMENTS[0], MOMENTS[4])]
    whole = for_plotly(chart(Line("equity", MOMENTS[1:3], [1.0, 2.0]), ends=[MOMENTS[0], MOMENTS[4]]))["layout"][
        "xaxis"
    ]
    assert whole["range"] == held["range"]


def test_plotly_says_its_own_words_and_months_in_the_language_that_is_read() -> None:
    assert "locale" not in for_plotly(chart())["config"]
    speak("de")
    try:
        config = for_plotly(chart())["config"]
    finally:
        speak("en")
    told = config["locales"][config["locale"]]
    assert told["dictionary"]["Zoom out"] == "Verkleinern"
    assert [*told["format"]["months"][2:4], *told["format"]["shortMonths"][2:5]] == [
        "März",
        "April",
        "März",
        "Apr",
        "Mai",
    ]
    assert [*told["format"]["days"][:2], *told["format"]["shortDays"][:2]] == ["Sonntag", "Montag", "So", "Mo"]
    assert all(english != german for english, german in told["dictionary"].items())
