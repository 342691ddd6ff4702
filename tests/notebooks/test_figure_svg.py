"""Figures as SVG: all that our figures hold is drawn where it belongs, anything else is left to plotly."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from peaktrade_core.show import figures
from peaktrade_core.show.figure_svg import HEIGHT, WIDTH, draw

START = datetime(2026, 1, 5, 22, 30, tzinfo=UTC)
MOMENTS = [START + timedelta(minutes=n) for n in range(121)]
SERIES = figures.Series(MOMENTS, [100.0 + n for n in range(121)], [1e4] * 60 + [9e3] * 61, [0.0] * 60 + [0.1] * 61)


def plain(figure: Any) -> dict[str, Any]:
    """Return a figure as it stands in a notebook."""
    return dict(json.loads(figure.to_json()))


def paths(drawn: str) -> list[str]:
    return re.findall(r'<path d="([^"]+)" stroke=', drawn)


def test_a_line_goes_from_corner_to_corner_of_what_it_shows() -> None:
    drawn = draw(plain(figures.price_figure(SERIES, "BTC/EUR", "EUR", buys=[], sells=[], denied=[])))
    assert drawn is not None
    (path,) = paths(drawn)
    points = [tuple(map(float, point)) for point in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    assert len(points) == 121
    assert (points[0][0], points[-1][0]) == (0.0, WIDTH)
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)  # it rises: y falls
    assert 0.0 < points[-1][1] < points[0][1] < HEIGHT
    assert ">00:00<" not in drawn
    assert ">01-06<" in drawn  # midnight is told by its day


def test_fills_and_denials_are_marks_with_their_words_escaped() -> None:
    buys = [figures.Mark(MOMENTS[3], 103.0, "buy <1> & more")]
    denied = [figures.Mark(MOMENTS[60], 160.0, "denied: MAX")]
    drawn = draw(plain(figures.price_figure(SERIES, "<b>", "EUR", buys=buys, sells=[], denied=denied))) or ""
    assert "<title>buy &lt;1&gt; &amp; more</title>" in drawn
    assert "&lt;b&gt;: close and fills" in drawn
    assert re.search(r'<svg x="50.00%" y="5\d\.\d\d%" overflow="visible"><path d="M-4 -4', drawn)
    assert drawn.count("overflow=") == 2
    assert drawn.count('class="entry"') == 3


def test_level_lines_areas_and_spans_are_drawn() -> None:
    equity = draw(plain(figures.equity_figure(SERIES, 1e4, "EUR"))) or ""
    assert 'stroke-dasharray="2 4"' in equity
    assert ">start balance</text>" in equity
    drawdown = draw(plain(figures.drawdown_figure(SERIES, 0.05))) or ""
    assert re.search(r'Z" style="fill:rgba\(217, ?72, ?63, ?0.25\)', drawdown)
    assert ">risk review</text>" in drawdown
    gaps = [(MOMENTS[10], MOMENTS[20])]
    candles = figures.candles_figure(
        "BTC/EUR", "EUR", MOMENTS[:10] + MOMENTS[21:], [1.0] * 110, timedelta(minutes=1), gaps=gaps, odd=[]
    )
    drawn = draw(plain(candles)) or ""
    assert '<rect x="83.3" width="91.7"' in drawn
    assert paths(drawn)[0].count("M") == 2  # the line breaks where bars are missing


def test_results_are_steps_in_several_colours() -> None:
    ends = {
        "EUR": [(START, 0.0), (MOMENTS[60], 5.0), (MOMENTS[120], -2.0)],
        "USDT": [(START, 0.0), (MOMENTS[120], 1.0)],
    }
    drawn = draw(plain(figures.results_figure(ends))) or ""
    lines = paths(drawn)
    assert [line.count("H") for line in lines] == [2, 1]
    assert len({*re.findall(r' stroke="(#[0-9a-f]+)" stroke-width', drawn)}) == 2


def test_a_flat_line_and_a_single_point_are_drawn() -> None:
    flat = figures.Series(MOMENTS, [5.0] * 121, [1e4] * 121, [0.0] * 121)
    for figure in (figures.equity_figure(flat, 1e4, "EUR"), figures.drawdown_figure(flat, 0.05)):
        assert "nan" not in (draw(plain(figure)) or "nan")
    one = figures.Series(MOMENTS[:1], [5.0], [1e4], [0.0])
    assert draw(plain(figures.equity_figure(one, 1e4, "EUR")))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f["data"][0].update(type="bar"),
        lambda f: f["data"][0].update(mode="text"),
        lambda f: f["data"][0].update(x=[1.0] * 121),
        lambda f: f["data"][0].update(y=f["data"][0]["y"][:-1]),
        lambda f: f["data"][0].update(y={"dtype": "f8", "bdata": "AAAA"}),
        lambda f: f["data"][0].update(fill="tonexty"),
        lambda f: f["data"][0]["line"].update(color='red" onload="alert(1)'),
        lambda f: f["data"].append({"type": "heatmap"}),
        lambda f: f["layout"].update(shapes=[{"type": "circle"}]),
        lambda f: f["layout"].update(annotations=[{"text": "x", "showarrow": True}]),
        lambda f: f["layout"].pop("title"),
        lambda f: f.pop("layout"),
        lambda f: f.update(data=[]),
    ],
)
def test_what_is_not_known_is_left_to_plotly(change: Any) -> None:
    figure = plain(figures.price_figure(SERIES, "BTC/EUR", "EUR", buys=[], sells=[], denied=[]))
    assert draw(copy.deepcopy(figure))
    change(figure)
    assert draw(figure) is None
