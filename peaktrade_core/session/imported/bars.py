"""Fills laid into bars: those of candles where somebody has them, else bars that hold nothing but the fills themselves."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.clock import utc
from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.replay import ReplayFeed
from peaktrade_core.candles.store import CandleStore
from peaktrade_core.session.imported.fills import ForeignFill, ImportedPart
from peaktrade_core.show.wording import many
from peaktrade_core.trading.market import Bar, Bars, timeframe_seconds

OWN = (
    "No candles cover it: its bars are made of its own fills, so nothing is known between them. Drawdown and equity are "
    "those at the fills. `peaktrade exchange fetch` or `data import` stores candles; --candles names a file."
)


class Laid(NamedTuple):
    """A bar with the fills in it, and how many bars are missing before it."""

    bar: Bar
    fills: list[ForeignFill]
    missing: int = 0


class FillLayout(NamedTuple):
    """Fills in their bars, the length of a bar [s], and what was found."""

    bars: list[Laid]
    bar_s: int
    notes: tuple[str, ...]


def lay(home: Path, part: ImportedPart, candles: Path | None) -> FillLayout:
    """Return the fills of a part in bars, one more before the first, so that what it did can be held against it.

    Args:
        home: the workspace, whose stored candles are taken where they cover the fills; candles: a file of them instead.

    Raises:
        DataError: the candles cannot be read, or do not cover the time of the fills.
    """
    bar_s = timeframe_seconds(part.timeframe)
    first, last = (fill.at.timestamp() for fill in (part.fills[0], part.fills[-1]))
    if candles is not None:
        bars, name = ReplayFeed(candles, bar_s, part.symbol).bars, candles.name
        if not len(bars) or bars.ts[0] > first or bars.ts[-1] + bar_s <= last:
            raise DataError(
                f"{candles}: does not cover the fills of {part.symbol}, from {utc(part.fills[0].at)} to {utc(part.fills[-1].at)}"
            )
    else:
        found = _stored(home, part, first, last, bar_s)
        if found is None:
            return FillLayout(_of_fills(part, bar_s), bar_s, (OWN,))
        bars, name = found
    return _within(part, bars, bar_s, name)


def _stored(home: Path, part: ImportedPart, first: float, last: float, bar_s: int) -> tuple[Bars, str] | None:
    """Return stored candles that cover a part and their name, None where nobody has them."""
    store = CandleStore.of_workspace(home)
    for series in store.series():
        if (series.symbol, series.timeframe) == (part.symbol, part.timeframe):
            bars = store.read(series)
            if len(bars) and bars.ts[0] <= first and bars.ts[-1] + bar_s > last:
                return bars, str(series)
    return None


def _of_fills(part: ImportedPart, bar_s: int) -> list[Laid]:
    """Return a bar for each stretch of time that holds fills, made of them."""
    found: dict[float, list[ForeignFill]] = {}
    for fill in part.fills:
        found.setdefault(fill.at.timestamp() // bar_s * bar_s, []).append(fill)
    return [Laid(_made(ts, some), some) for ts, some in found.items()]


def _made(ts: float, fills: list[ForeignFill]) -> Bar:
    prices = [fill.price for fill in fills]
    return Bar(ts, prices[0], max(prices), min(prices), prices[-1], sum(abs(fill.qty) for fill in fills))


def _within(part: ImportedPart, bars: Bars, bar_s: int, name: str) -> FillLayout:
    """Return fills in the bars of candles, from one before the first fill to that of the last."""
    opens = bars.ts.tolist()
    rows: dict[int, list[ForeignFill]] = {}
    for fill in part.fills:
        at = fill.at.timestamp()
        row = bisect_right(opens, at) - 1
        if at >= opens[row] + bar_s:
            raise DataError(
                f"{fill.where}: filled at {utc(fill.at)}, where {name} lacks a bar; fill the hole, or import without candles"
            )
        rows.setdefault(row, []).append(fill)
    begin, end = max(0, min(rows) - 1), max(rows)
    laid = list(_each(bars, rows, begin, end, bar_s))
    beyond = sum(not one.bar.low <= fill.price <= one.bar.high for one in laid for fill in one.fills)
    notes = [f"Candles: {name}."]
    if beyond:
        notes.append(f"{many(beyond, 'fill')} outside of the prices of the bar: are they candles of the same venue?")
    return FillLayout(laid, bar_s, tuple(notes))


def _each(bars: Bars, rows: dict[int, list[ForeignFill]], begin: int, end: int, bar_s: int) -> Iterator[Laid]:
    before = float(bars.ts[begin]) - bar_s
    for row in range(begin, end + 1):
        bar = bars[row]
        yield Laid(bar, rows.get(row, []), round((bar.ts - before) / bar_s) - 1)
        before = bar.ts
