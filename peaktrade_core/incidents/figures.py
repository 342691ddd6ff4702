"""Figures of incidents: where bars are missing, when calls failed, what of a divergence each cause made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate, cycle

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.incidents.diagnosis.facts import Trouble
from peaktrade_core.research.divergence_events import TradePair
from peaktrade_core.runbooks.notebook import Session, price_figure
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Line, Mark, Marks, Shade, Tone
from peaktrade_core.show.table import Table
from peaktrade_core.trading import events as ev

BUCKETS = 240  # of the axis; a longer session counts several minutes together
_CAUSES = {  # by a word of the difference, the first that is in it counts
    "only in": "trades of one run only",
    "left": "left earlier or later",
    "size": "size",
    "entry": "prices",
    "exit": "prices",
    "fees": "fees",
}
_TROUBLE_TONES: tuple[Tone, ...] = ("red", "amber", "purple", "ink")
_CAUSE_TONES: tuple[Tone, ...] = ("accent", "amber", "purple", "green", "ink")


class _Buckets:
    """Stretches of equal length, whole minutes, over the time of some events."""

    def __init__(self, times: Sequence[datetime]) -> None:
        first, last = min(times), max(times)
        self.minutes = max(1, -(-int((last - first).total_seconds()) // 60 // BUCKETS))
        self._s = 60 * self.minutes
        self._first = int(first.timestamp()) // self._s
        self._n = int(last.timestamp()) // self._s - self._first + 2

    def line(self, name: str, times: Sequence[datetime], tone: Tone) -> Line:
        """Return how many of some times lie in each stretch, as steps."""
        counted = Counter(int(at.timestamp()) // self._s - self._first for at in times)
        ts = [from_seconds(float((self._first + n) * self._s)) for n in range(self._n)]
        return Line(name, ts, [float(counted[n]) for n in range(self._n)], tone, 1.5, stepped=True, filled=True)


def calls_figure(session: Session, troubles: Sequence[Trouble]) -> Chart | Table:
    """Return how many calls failed a minute, by kind, beside the bars and answers that came."""
    title = "Calls that failed"
    came = [one.ts for one in session.events if isinstance(one, ev.BarDone | ev.VenueAnswer)]
    failed: dict[str, list[datetime]] = {}
    for one in troubles:
        if one.ts is not None:
            failed.setdefault(one.kind.replace("_", " "), []).append(one.ts)
    times = came + [at for its in failed.values() for at in its]
    if not times:
        return Table(
            title, (), [], empty=session.fault or "Nothing came and nothing failed, so there is nothing to draw."
        )
    buckets = _Buckets(times)
    ways = zip(failed.items(), _TROUBLE_TONES, strict=False)
    lines = [buckets.line("bars and answers that came", came, "accent")] if came else []
    lines += [buckets.line(name, its, tone) for (name, its), tone in ways]
    told = ", ".join(f"{len(its)} {name}" for name, its in failed.items()) or "none failed"
    return Chart(
        name="calls",
        title=title,
        unit="calls a minute" if buckets.minutes == 1 else f"calls in {buckets.minutes} minutes",
        digits=0,
        label=f"{told}; {wording.many(len(came), 'bar')} and answers came",
        lines=lines,
    )


def causes_figure(pairs: Sequence[TradePair], currency: str) -> Chart | Table:
    """Return the difference of two runs over time by cause: of each trade that differs, when it was closed, summed up."""
    title = "The difference by cause, summed up"
    differing = sorted((pair for pair in pairs if pair.difference), key=lambda pair: pair.exit_at)
    if not differing:
        return Table(title, (), [], empty="No trade differs, so there is nothing to draw.")
    first, last = differing[0].entry_at, differing[-1].exit_at
    by_cause: dict[str, list[TradePair]] = {}
    for pair in differing:
        by_cause.setdefault(_cause(pair.why), []).append(pair)
    lines = [
        _summed(cause, its, first, last, tone)
        for (cause, its), tone in zip(sorted(by_cause.items()), cycle(_CAUSE_TONES), strict=False)
    ]
    ends = ", ".join(f"{line.name} {wording.signed(line.values[-1], currency)}" for line in lines)
    return Chart(name="causes", title=title, unit=currency, label=f"{title}: {ends}", lines=lines, zero=True)


def _cause(why: str) -> str:
    """Return the cause of a trade's difference without its figures."""
    return next((cause for word, cause in _CAUSES.items() if word in why), why)


def _summed(name: str, pairs: Sequence[TradePair], first: datetime, last: datetime, tone: Tone) -> Line:
    sums = [*accumulate((float(pair.difference) for pair in pairs), initial=0.0)]
    ts = [first, *(pair.exit_at for pair in pairs), last]
    return Line(name, ts, [*sums, sums[-1]], tone, 1.5, stepped=True)


def gap_figure(session: Session) -> Chart | Table:
    """Return the close over time, broken and shaded where bars are missing, with what the feed told of bad bars."""
    drawn = price_figure(session)
    if isinstance(drawn, Table):
        return drawn
    gaps = [event for event in session.events if isinstance(event, ev.Gap)]
    odd = [
        event
        for event in session.events
        if isinstance(event, ev.Notice) and event.code in ("NO_BARS", "IMPOSSIBLE_BAR")
    ]
    ts, close = [bar.ts for bar in session.bars], [bar.close for bar in session.bars]

    def last_close(at: datetime) -> float:
        return next((c for t, c in zip(reversed(ts), reversed(close), strict=True) if t <= at), close[0])

    marks = (
        Marks("gap", "diamond", "purple", [Mark(gap.first, last_close(gap.first), _gap(gap)) for gap in gaps]),
        Marks("late or impossible", "square", "amber", [Mark(one.ts, last_close(one.ts), one.message) for one in odd]),
        *(kind for kind in drawn.marks if kind.name == "denied"),
    )
    missing = sum(gap.missing for gap in gaps)
    return msgspec.structs.replace(
        drawn,
        name="gaps",
        title=f"{session.record.symbol}: where bars are missing",
        label=f"{wording.many(missing, 'bar')} missing in {wording.many(len(gaps), 'gap')} among {wording.many(len(ts), 'bar')}",
        lines=[line._replace(breaks=[gap.last for gap in gaps]) for line in drawn.lines],
        marks=[kind for kind in marks if kind.marks],
        spans=[Shade(gap.first, gap.last, "purple") for gap in gaps],
    )


def _gap(gap: ev.Gap) -> str:
    return f"{wording.many(gap.missing, 'bar')} missing, {wording.minute(gap.first)} to {wording.minute(gap.last)} UTC"
