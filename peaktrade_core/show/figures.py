"""Plotly figures of a session, in one palette that reads on white, on black and on paper.

Each figure carries its unit in its title and a sentence in ``layout.meta.label`` for those who cannot see it. Values
are rounded to what the eye can tell, so that the same session gives the same bytes. Long series are thinned to their
extremes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, cycle
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import plotly.graph_objects as go

INK, GRID = "#6b7785", "rgba(128,140,155,0.25)"
ACCENT, GREEN, RED, AMBER = "#3d6fe0", "#1f9d61", "#d9483f", "#c98a1b"
CONFIG = {"displaylogo": False, "showSendToCloud": False, "responsive": True}
POINTS = 2000  # of a series, more are not seen
FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'
_RENDERER = "peaktrade"


class Series(NamedTuple):
    """A session bar by bar.

    Attributes:
        ts: ends of the bars, UTC; close, equity: [quote ccy]; drawdown: [fraction].
    """

    ts: Sequence[datetime]
    close: Sequence[float]
    equity: Sequence[float]
    drawdown: Sequence[float]


class Mark(NamedTuple):
    """Something that happened at a price: a fill or a denial, and what to say of it."""

    ts: datetime
    price: float
    text: str


def equity_figure(series: Series, start: float, currency: str) -> go.Figure:
    """Return equity over time, against the start balance."""
    end, low, high = series.equity[-1], min(series.equity), max(series.equity)
    label = (
        f"Equity over {len(series.ts)} bars: from {start:,.2f} to {end:,.2f} {currency}, "
        f"lowest {low:,.2f}, highest {high:,.2f}"
    )
    figure = _figure(f"Equity [{currency}]", label)
    x, y = thin(series.ts, series.equity, 2)
    figure.add_scatter(x=x, y=y, mode="lines", name="equity", line={"color": ACCENT, "width": 2})
    figure.add_hline(y=start, line={"color": INK, "width": 1, "dash": "dot"}, annotation_text="start balance")
    return figure


def drawdown_figure(series: Series, review: float) -> go.Figure:
    """Return drawdown over time [%], with the line from which a risk review is due (``review`` [fraction])."""
    most = max(series.drawdown)
    label = (
        f"Drawdown over {len(series.ts)} bars: at most {100 * most:.2f} percent, review from {100 * review:g} percent"
    )
    figure = _figure("Drawdown [%]", label)
    x, y = thin(series.ts, [-100.0 * value for value in series.drawdown], 4)
    fill = {"color": RED, "width": 1}
    figure.add_scatter(
        x=x, y=y, mode="lines", name="drawdown", line=fill, fill="tozeroy", fillcolor="rgba(217,72,63,0.25)"
    )
    if most > 0.4 * review:
        figure.add_hline(
            y=-100.0 * review, line={"color": AMBER, "width": 1, "dash": "dot"}, annotation_text="risk review"
        )
    figure.update_yaxes(rangemode="tozero")
    return figure


def price_figure(
    series: Series, symbol: str, currency: str, *, buys: Sequence[Mark], sells: Sequence[Mark], denied: Sequence[Mark]
) -> go.Figure:
    """Return the close over time with what was bought, sold and denied on it."""
    label = (
        f"Close of {symbol} over {len(series.ts)} bars from {series.close[0]:,.2f} to {series.close[-1]:,.2f} "
        f"{currency}, with {len(buys)} buys, {len(sells)} sells and {len(denied)} denied orders"
    )
    figure = _figure(f"{symbol}: close and fills [{currency}]", label)
    x, y = thin(series.ts, series.close, 2)
    figure.add_scatter(x=x, y=y, mode="lines", name="close", line={"color": INK, "width": 1.2})
    for name, marks, symbol_, colour in (
        ("buy", buys, "triangle-up", GREEN),
        ("sell", sells, "triangle-down", RED),
        ("denied", denied, "x-thin-open", AMBER),
    ):
        if marks:
            figure.add_scatter(
                x=[_moment(mark.ts) for mark in marks],
                y=[round(mark.price, 2) for mark in marks],
                text=[mark.text for mark in marks],
                mode="markers",
                name=name,
                marker={"symbol": symbol_, "color": colour, "size": 10, "line": {"width": 1, "color": colour}},
                hovertemplate="%{x}<br>%{text}<extra></extra>",
            )
    figure.update_layout(showlegend=True)
    return figure


def comparison_figure(
    curves: Mapping[str, tuple[Sequence[datetime], Sequence[float]]], currency: str, title: str
) -> go.Figure:
    """Return several curves over time, one above the other.

    Args:
        curves: by name, times (UTC) and values [currency]; currency: of them; title: without the unit.
    """
    ends = ", ".join(f"{name} ends at {values[-1]:+,.2f}" for name, (_, values) in curves.items() if values)
    figure = _figure(f"{title} [{currency}]", f"{title}: {ends} {currency}")
    for (name, (ts, values)), colour in zip(curves.items(), cycle((ACCENT, AMBER, GREEN, RED)), strict=False):
        x, y = thin(ts, values, 2)
        figure.add_scatter(x=x, y=y, mode="lines", name=name, line={"color": colour, "width": 2})
    figure.update_layout(showlegend=True)
    return figure


def results_figure(ends: Mapping[str, Sequence[tuple[datetime, float]]]) -> go.Figure:
    """Return realized PnL, summed up over the sessions of a period in the order of their ends.

    Args:
        ends: by currency, when each session ended and what it brought [currency], rising in time; the first is the begin.
    """
    totals = ", ".join(f"{sum(pnl for _, pnl in rows):+,.2f} {currency}" for currency, rows in ends.items())
    figure = _figure("Realized PnL, summed up", f"Realized PnL, summed up over the period: {totals}")
    for (currency, rows), colour in zip(ends.items(), cycle((ACCENT, AMBER, GREEN, RED)), strict=False):
        x, y = thin([at for at, _ in rows], list(accumulate(pnl for _, pnl in rows)), 2)
        line = {"color": colour, "width": 2, "shape": "hv"}
        figure.add_scatter(x=x, y=y, mode="lines+markers" if len(x) < 50 else "lines", name=currency, line=line)
    figure.update_layout(showlegend=True)
    return figure


def candles_figure(
    symbol: str,
    currency: str,
    ts: Sequence[datetime],
    close: Sequence[float],
    bar: timedelta,
    *,
    gaps: Sequence[tuple[datetime, datetime]],
    odd: Sequence[Mark],
) -> go.Figure:
    """Return the close over time, interrupted and shaded where bars are missing, outliers marked.

    Args:
        symbol, currency: what is drawn.
        ts, close: opens of the bars, UTC, and their closes [quote ccy]; bar: their length.
        gaps: opens of the first and the last missing bar of each gap; odd: outliers.
    """
    label = f"Close of {symbol} over {len(ts)} bars, with {len(gaps)} gaps and {len(odd)} outliers"
    figure = _figure(f"{symbol}: close [{currency}], gaps shaded", label)
    x, y = thin(ts, close, 2)
    breaks: list[tuple[str, float | None]] = [(_moment(first), None) for first, _ in gaps]
    points = sorted([*zip(x, y, strict=True), *breaks], key=lambda point: point[0])
    figure.add_scatter(
        x=[at for at, _ in points], y=[price for _, price in points], mode="lines", name="close", line={"color": INK}
    )
    for first, last in gaps:
        figure.add_vrect(x0=_moment(first), x1=_moment(last + bar), fillcolor=AMBER, opacity=0.35, line_width=0)
    if odd:
        figure.add_scatter(
            x=[_moment(mark.ts) for mark in odd],
            y=[round(mark.price, 2) for mark in odd],
            text=[mark.text for mark in odd],
            mode="markers",
            name="outlier",
            marker={"symbol": "x-thin-open", "color": RED, "size": 10, "line": {"width": 2, "color": RED}},
            hovertemplate="%{x}<br>%{text}<extra></extra>",
        )
    return figure


def thin(ts: Sequence[datetime], values: Sequence[float], digits: int) -> tuple[list[str], list[float]]:
    """Return a series for drawing: at most about ``POINTS`` points, of each stretch its lowest and highest.

    The first and the last point are always kept.
    """
    n = len(values)
    keep: list[int] = list(range(n))
    if n > POINTS:
        size = -(-2 * n // POINTS)
        chosen = {0, n - 1}
        for begin in range(0, n, size):
            stretch = range(begin, min(n, begin + size))
            chosen |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
        keep = sorted(chosen)
    return [_moment(ts[i]) for i in keep], [round(values[i], digits) + 0.0 for i in keep]


def _moment(at: datetime) -> str:
    """Return a time as plotly takes it; UTC, which the axis says."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _figure(title: str, label: str) -> go.Figure:
    """Return an empty figure in our look."""
    import plotly.graph_objects as go

    _use_renderer()
    figure = go.Figure(layout={"template": None})
    figure.update_layout(
        title={"text": title, "font": {"size": 15}, "x": 0, "xref": "paper", "y": 0.97, "yanchor": "top"},
        meta={"label": label},
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=320,
        margin={"l": 64, "r": 16, "t": 44, "b": 44},
        hovermode="x unified",
        showlegend=False,
        legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": 1.02, "yanchor": "bottom"},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": ACCENT, "remove": ["select2d", "lasso2d"]},
    )
    figure.update_xaxes(
        title_text="UTC", nticks=7, tickangle=0, gridcolor=GRID, linecolor=GRID, zeroline=False, type="date"
    )
    figure.update_yaxes(gridcolor=GRID, linecolor=GRID, zeroline=False, tickformat=",", automargin=True)
    return figure


def _use_renderer() -> None:
    """Show figures as plotly's own data type with our settings, whichever front end plotly thinks it runs in."""
    import plotly.io as pio
    from plotly.io.base_renderers import PlotlyRenderer

    if pio.renderers.default != _RENDERER:
        pio.renderers[_RENDERER] = PlotlyRenderer(config=CONFIG)
        pio.renderers.default = _RENDERER


def config() -> dict[str, Any]:
    """Return the settings that every figure is shown with: nothing is uploaded, no logo."""
    return dict(CONFIG)
