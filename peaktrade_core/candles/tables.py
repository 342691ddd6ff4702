"""What notebooks show of candles: what is stored, what is missing or odd, and where."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.candles import checks as candle_checks
from peaktrade_core.candles import fetch as market_data
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Line, Mark, Marks, Shade
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

DRAWN = 200  # gaps that a figure shows at most


class CandleSeries:
    """A stored series that a notebook looks at, judged once.

    Attributes:
        series: which; verdict: what is there and what is wrong; workspace: where.
    """

    def __init__(self, workspace: Workspace, series: Series, verdict: candle_checks.SeriesVerdict) -> None:
        self.workspace, self.series, self.verdict = workspace, series, verdict

    def __repr__(self) -> str:
        return self.verdict.title


def stored_candles(workspace: Workspace) -> Table:
    """Return what is stored, a row a series."""
    found = market_data.holdings(CandleStore.of_workspace(workspace.home))
    return market_data.HOLDINGS.table("Stored candles", found, empty=market_data.NOTHING_STORED)


def open_candles(workspace: Workspace, symbol: str, timeframe: str, outlier_deviations: float = 30.0) -> CandleSeries:
    """Return a stored series, judged; where several venues have it, of the configured one.

    Raises:
        DataError: nothing like it is stored; says what is and how to get it.
    """
    store = CandleStore.of_workspace(workspace.home)
    series = store.find(symbol, timeframe, workspace.config.environment.name)
    now = workspace.clock.now().timestamp()
    return CandleSeries(workspace, series, candle_checks.check_store(store, [series], now, outlier_deviations)[0])


def check_candles(candles: CandleSeries) -> Table:
    """Return every question about a series with its answer."""
    return check_table(candles.verdict.checks, candles.verdict.title)


def missing_candles(candles: CandleSeries, limit: int = 10) -> Table:
    """Return the longest gaps, in the order of time."""
    return _spans(candles, "gaps", limit, "Gaps", "No bar is missing between the first and the last.")


def still_candles(candles: CandleSeries, limit: int = 10) -> Table:
    """Return the longest runs of bars without volume, in the order of time."""
    return _spans(candles, "zero_volume", limit, "Bars without volume", "Every bar has volume.")


def odd_candles(candles: CandleSeries, limit: int = 10) -> Table:
    """Return the bars that went furthest from the close before, the furthest first."""
    found = sorted(candles.verdict.findings.get("outliers", []), key=lambda one: -float(one["deviations"]))
    rows = [
        (_minute(one["ts"]), f"{100 * one['log_return']:+.2f} %", f"{one['deviations']:.1f}") for one in found[:limit]
    ]
    columns = ("Bar (UTC)", "Log return", "Deviations")
    return Table(
        _titled("Outliers", len(rows), len(found)), columns, rows, numbers=(1, 2), empty="No bar is that far off."
    )


def candles_figure(candles: CandleSeries) -> Chart:
    """Return the close over time, interrupted and shaded where bars are missing, with the outliers as crosses."""
    series, findings = candles.series, candles.verdict.findings
    bars, found = CandleStore.of_workspace(candles.workspace.home).read(series), findings.get("outliers", [])
    moments, closes = [from_seconds(ts) for ts in bars.ts.tolist()], bars.ohlcv[:, 3].tolist()
    far = {_parsed(one["ts"]): float(one["deviations"]) for one in found}
    odd = [Mark(at, c, f"{far[at]:.0f} deviations") for at, c in zip(moments, closes, strict=True) if at in far]
    bar = timedelta(seconds=series.bar_s)
    gaps = [
        Shade(_parsed(one["first"]), _parsed(one["last"]) + bar) for one in _longest(findings.get("gaps", []), DRAWN)
    ]
    return Chart(
        name="close",
        title=f"{series.symbol}: close, gaps shaded",
        unit=wording.quote_currency(series.symbol),
        label=f"Close of {series.symbol} over {wording.many(len(moments), 'bar')}, with {wording.many(len(gaps), 'gap')} "
        f"and {wording.many(len(odd), 'outlier')}",
        lines=[Line("close", moments, closes, "ink", 1.5, breaks=[gap.first for gap in gaps])],
        marks=[Marks("outlier", "cross", "red", odd)] if odd else [],
        spans=gaps,
    )


def _spans(candles: CandleSeries, kind: str, limit: int, title: str, empty: str) -> Table:
    """Return the longest stretches of a kind, in the order of time."""
    found = candles.verdict.findings.get(kind, [])
    rows = [(_minute(x["first"]), _minute(x["last"]), wording.count(x["bars"])) for x in _longest(found, limit)]
    columns = ("First (UTC)", "Last (UTC)", "Bars")
    return Table(_titled(title, len(rows), len(found)), columns, rows, numbers=(2,), empty=empty)


def _longest(spans: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Return the longest stretches, in the order of time."""
    return sorted(sorted(spans, key=lambda one: -int(one["bars"]))[:limit], key=lambda one: str(one["first"]))


def _titled(title: str, shown: int, found: int) -> str:
    """Return a title that says how many rows are not shown."""
    return title if shown == found else f"{title}: {shown} of {found}"


def _parsed(ts: str) -> datetime:
    """Return the time of a finding."""
    return datetime.fromisoformat(ts)


def _minute(ts: str) -> str:
    """Return the time of a finding as people read it."""
    return wording.minute(_parsed(ts))
