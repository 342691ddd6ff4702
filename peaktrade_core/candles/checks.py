"""Is a series of candles fit for use? Each question with its figures; where something is wrong, where and what to do.

Gaps, duplicates, disorder, impossible bars and contradictions are wrong. Bars without volume, outliers and an old end are
warnings: they happen on a real market.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import DataError
from peaktrade_core.base.question import WARN, Check, Found, answers, question, worst
from peaktrade_core.show.wording import count, duration, many, minute, percent
from peaktrade_core.trading.market import Bar, bar_fault

if TYPE_CHECKING:
    from peaktrade_core.candles.questions import BarSpan, Candles, Disagreement, Extent, Outlier, Repeated, Scale, Wrong
    from peaktrade_core.candles.store import CandleStore, Series

OUTLIER_DEVIATIONS = 30.0
STALE_BARS, STALE_S = 2, 3600.0  # an end older than so many bars and this [s] is old
MOST = 1000  # findings of one kind that a report lists


class SeriesVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of a series, and what is wrong with it.

    Attributes:
        source: name of the file, empty for the store.
        rows, first, last: how much, from when to when (opens, ISO 8601), null for an empty file.
        missing: bars between the first and the last that are not there.
        threshold: log return beyond which a bar is an outlier, null where nothing moves.
        status: the worst of the checks; checks: each question with its answer.
        findings: by the check's id: every place, at most 1000 of a kind.
    """

    venue: str
    symbol: str
    timeframe: str
    source: str
    rows: int
    first: str | None
    last: str | None
    missing: int
    threshold: float | None
    status: str
    checks: tuple[Check, ...]
    findings: dict[str, list[dict[str, Any]]]

    @property
    def title(self) -> str:
        """The series and how far it reaches, in a line."""
        name = self.source or f"{self.venue} {self.symbol}"
        if self.first is None:
            return f"{name} {self.timeframe}: no bars"
        reach = f"{self.first[:16].replace('T', ' ')} .. {(self.last or '')[:16].replace('T', ' ')} UTC"
        return f"{name} {self.timeframe}: {count(self.rows)} bars, {reach}, {count(self.missing)} missing"


def check_store(
    store: CandleStore, wanted: list[Series], now: float, deviations: float = OUTLIER_DEVIATIONS
) -> list[SeriesVerdict]:
    """Return the verdict on each of some stored series, also against each other.

    Args:
        store, wanted: what to look at.
        now: time that an old end is measured against [s since epoch].
        deviations: beyond so many median absolute deviations a bar is an outlier.

    Raises:
        DataError: a file cannot be read.
    """
    return _whole(step_by_step(store, wanted, now, deviations))


def step_by_step(
    store: CandleStore, wanted: list[Series], now: float, deviations: float = OUTLIER_DEVIATIONS
) -> Generator[list[SeriesVerdict] | None]:
    """Do what :func:`check_store` does, yield None after each question, then the verdicts; holds all bars until it is closed."""
    from peaktrade_core.candles.questions import Candles

    markets = {(one.venue, one.symbol) for one in wanted}
    related = [one for one in store.series() if (one.venue, one.symbol) in markets]
    with Candles.of_store(store, related) as candles:
        yield None
        for verdicts in _judge(candles, deviations, now, ""):
            yield verdicts and [verdicts[candles.series.index(one)] for one in wanted]


def check_file(
    path: Path, timeframe: str | None = None, deviations: float = OUTLIER_DEVIATIONS, dialect: Sequence[str] = ()
) -> SeriesVerdict:
    """Return the verdict on a file (or folder) of candles, whatever is in it; its age is not judged.

    Args:
        path: see :func:`peaktrade_core.candles.files.reading.read_rows`; dialect: what is told of it, ``PART=VALUE``.
        timeframe: of its bars; None takes the commonest distance between two times.
        deviations: as for :func:`check_store`.

    Raises:
        DataError: it cannot be read as candles, or its timeframe is not to be seen.
        UndecidedError: it can be read in two ways.
    """
    from peaktrade_core.candles.files.dialect import Dialect
    from peaktrade_core.candles.files.reading import read_rows
    from peaktrade_core.candles.grid import commonest
    from peaktrade_core.candles.questions import Candles
    from peaktrade_core.candles.store import Series

    rows = read_rows(path, dialect=Dialect.of(dialect))
    chosen = timeframe or commonest(rows.ts)
    if chosen is None:
        raise DataError(f"{path}: its timeframe cannot be told from its times; give --timeframe")
    with Candles.of_rows(rows, Series("file", "FILE/FILE", chosen)) as candles:
        return _whole(_judge(candles, deviations, None, path.name))[0]


class _Seen(NamedTuple):
    """The answers to all questions about one series."""

    series: Series
    deviations: float
    now: float | None
    source: str
    extent: Extent | None
    scale: Scale | None
    finer: list[str]
    backwards: list[Wrong]
    repeated: list[Repeated]
    impossible: list[Wrong]
    gaps: list[BarSpan]
    disagreements: list[Disagreement]
    still: list[BarSpan]
    outliers: list[Outlier]

    @property
    def threshold(self) -> float | None:
        """The log return beyond which a bar is an outlier, None where nothing moves."""
        return self.deviations * self.scale.mad if self.scale else None


def _whole(judging: Iterator[list[SeriesVerdict] | None]) -> list[SeriesVerdict]:
    """Return what comes at the end of all steps."""
    *_, verdicts = judging
    return verdicts or []


def _judge(candles: Candles, deviations: float, now: float | None, source: str) -> Iterator[list[SeriesVerdict] | None]:
    """Return the verdict on each series, in their order; a question at each step."""
    extents, scales = candles.extents(), candles.scales()
    looked: list[dict[Series, list[Any]]] = []
    questions: list[Callable[[], Any]] = [
        candles.backwards, candles.repeated, candles.impossible, candles.gaps, candles.disagreements, candles.still,
        lambda: candles.outliers(deviations),
    ]  # fmt: skip
    for ask in questions:
        yield None
        looked.append(ask())
    yield [
        _verdict(
            _Seen(one, deviations, now, source, extents.get(one), scales.get(one), candles.finer_than(one),
                  *(a.get(one, []) for a in looked))
        )
        for one in candles.series
    ]  # fmt: skip


def _verdict(seen: _Seen) -> SeriesVerdict:
    """Return the verdict on one series; an empty source means the store, which alone can contradict itself."""
    extent, series, source = seen.extent, seen.series, seen.source
    asked = [order, duplicates, impossible, gaps, *([] if source else [contradictions]), zero_volume, outliers]
    checks = answers([*asked, *([] if seen.now is None else [age])], seen)
    return SeriesVerdict(
        venue="" if source else series.venue,
        symbol="" if source else series.symbol,
        timeframe=series.timeframe,
        source=source,
        rows=extent.rows if extent else 0,
        first=_iso(extent.first) if extent else None,
        last=_iso(extent.last) if extent else None,
        missing=extent.missing if extent else 0,
        threshold=seen.threshold,
        status=worst(checks),
        checks=tuple(checks),
        findings={name: found[:MOST] for name, found in _places(seen).items() if found},
    )


def _places(seen: _Seen) -> dict[str, list[dict[str, Any]]]:
    """Return every place where something was found, by the id of the check."""
    return {
        "order": [{"ts": _iso(one.ts), "row": one.row} for one in seen.backwards],
        "duplicates": [{"ts": _iso(x.ts), "surplus": x.surplus, "differing": x.differing} for x in seen.repeated],
        "impossible": [{"ts": _iso(one.ts), "row": one.row, "why": _why(one)} for one in seen.impossible],
        "gaps": [_span(one) for one in seen.gaps],
        "contradictions": [
            {"ts": _iso(one.ts), "finer": one.finer.timeframe, "fields": one.fields} for one in seen.disagreements
        ],
        "zero_volume": [_span(one) for one in seen.still],
        "outliers": [{"ts": _iso(x.ts), "log_return": x.move, "deviations": x.deviations} for x in seen.outliers],
    }


@question("order", "In the order of time?", "One market and one file? `peaktrade data import` turns and sorts.")
def order(seen: _Seen) -> Found:
    """Look for rows that are earlier than the row above."""
    found = seen.backwards
    if not found:
        return True, "times rise"
    first = f"the first in row {found[0].row} ({_at(found[0].ts)})"
    return False, f"{many(len(found), 'row')} earlier than the row above, {first}"


@question(
    "duplicates",
    "Each time once?",
    "A clock put back shows an hour twice, and both are real: give times in UTC. Else get that day again.",
)
def duplicates(seen: _Seen) -> Found:
    """Look for times that are there more than once."""
    found = seen.repeated
    if not found:
        return True, "no time twice"
    surplus, differ = sum(one.surplus for one in found), sum(one.differing for one in found)
    values = f"{count(differ)} with different values" if differ else "with the same values"
    return False, f"{many(surplus, 'row')} too many, {values}, the first at {_at(found[0].ts)}"


@question(
    "impossible",
    "Can every bar be true?",
    "Is each column what it is taken for? Then get those bars from another source.",
)
def impossible(seen: _Seen) -> Found:
    """Look for bars that contradict themselves."""
    found = seen.impossible
    if not found:
        return True, f"{count(seen.extent.rows if seen.extent else 0)} rows are possible"
    first = f"the first in row {found[0].row} ({_at(found[0].ts)}): {_why(found[0])}"
    return False, f"{many(len(found), 'row')} cannot be true, {first}"


@question("gaps", "Is every bar there?")
def gaps(seen: _Seen) -> Found:
    """Look for bars that are missing between the first and the last."""
    extent, found = seen.extent, seen.gaps
    refill = "`peaktrade exchange fetch SYMBOL --since TIME` fills what the venue still gives"
    refill = "Get the file again from its source" if seen.source else refill
    step = f"Runbook 10. {refill}; a session journals what stays missing as a gap."
    if extent is None or not found:
        told = "no bar is missing between the first and the last" if extent else "there are no bars"
        return extent is not None, told, step
    longest, missing = max(found, key=lambda span: span.bars), sum(span.bars for span in found)
    told = (
        f"{many(missing, 'bar')} missing in {many(len(found), 'gap')} ({percent(missing / (extent.rows + missing))}), "
    )
    told += f"longest {count(longest.bars)} from {_at(longest.first)} to {_at(longest.last)}"
    return False, told, step


@question(
    "contradictions",
    "Do finer bars add up to it?",
    "One of the two is wrong: move both days' files away and fetch them again.",
)
def contradictions(seen: _Seen) -> Found:
    """Compare with the bars of finer timeframes."""
    found, finer = seen.disagreements, seen.finer
    if not found:
        return (
            True,
            f"the bars of {', '.join(finer)} add up" if finer else "no finer timeframe is stored to compare with",
        )
    fields = sorted({field for one in found for field in one.fields})
    against = [name for name in finer if name in {one.finer.timeframe for one in found}]
    told = f"{many(len({one.ts for one in found}), 'bar')} other than the bars of {', '.join(against)} add up to "
    return False, f"{told}({', '.join(fields)}), the first at {_at(found[0].ts)}"


@question(
    "zero_volume",
    "Volume in every bar?",
    "Nothing was traded there: fills in these bars would not have happened.",
    otherwise=WARN,
)
def zero_volume(seen: _Seen) -> Found:
    """Look for bars without volume."""
    found, extent = seen.still, seen.extent
    if not found or not extent:
        return True, "every bar has volume" if extent else "there are no bars"
    longest, bars = max(found, key=lambda span: span.bars), sum(span.bars for span in found)
    told = f"{many(bars, 'bar')} without volume in {many(len(found), 'run')} ({percent(bars / extent.rows)}), "
    return False, f"{told}longest {count(longest.bars)} from {_at(longest.first)}"


@question("outliers", "Outliers", "Compare with another venue: a bad print, or a real jump?", otherwise=WARN)
def outliers(seen: _Seen) -> Found:
    """Look for bars that are too far from the one before."""
    if seen.threshold is None:
        return True, "none: nothing moves"
    rule = (
        f"{seen.deviations:g} median absolute deviations = {percent(seen.threshold)} (log return) from the close before"
    )
    if not seen.outliers:
        return True, f"none beyond {rule}"
    most = max(seen.outliers, key=lambda one: one.deviations)
    told = f"{many(len(seen.outliers), 'bar')} beyond {rule}; most at {_at(most.ts)}: {percent(most.move)}"
    return False, told


@question("age", "Up to date?", "`peaktrade exchange fetch SYMBOL` goes on from there.", otherwise=WARN)
def age(seen: _Seen) -> Found:
    """Look how old the last bar is."""
    if seen.extent is None or seen.now is None:
        return False, "there are no bars"
    old, bar_s = seen.now - seen.extent.last - seen.series.bar_s, seen.series.bar_s
    told = f"the last bar opens at {_at(seen.extent.last)}"
    if old <= max(STALE_BARS * bar_s, STALE_S):
        return True, told
    return False, f"{told}, it closed {duration(old)} ago"


def _why(row: Wrong) -> str:
    """Return what is impossible about a row."""
    if row.ts is None:
        return "it has no time"
    values = [math.nan if value is None else value for value in row.values]
    return bar_fault(Bar(row.ts, *values)) or "its time is off the timeframe's grid"


def _span(span: BarSpan) -> dict[str, Any]:
    return {"first": _iso(span.first), "last": _iso(span.last), "bars": span.bars}


def _iso(ts: float | None) -> str | None:
    return None if ts is None else from_seconds(ts).isoformat()


def _at(ts: float | None) -> str:
    """Return a time as people read it, UTC."""
    return "an unknown time" if ts is None else minute(from_seconds(ts))
