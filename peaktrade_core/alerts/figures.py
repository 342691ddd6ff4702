"""The alerts over time: how many were open, how many of them no one had taken on, and when each was raised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from peaktrade_core.alerts.alerts import CRITICAL, AlertRow
from peaktrade_core.show.chart import Chart, Line, Mark, Marks
from peaktrade_core.show.table import Table
from peaktrade_core.show.wording import many

DAYS = 7
TITLE = f"Alerts of the last {DAYS} days"


def alerts_figure(rows: Sequence[AlertRow], now: datetime) -> Chart | Table:
    """Return how many alerts were open over the last days, with a mark where one was raised.

    Args:
        rows: all alerts, whatever their state; now: the end of the axis, aware UTC.
    """
    since = now - timedelta(days=DAYS)
    met = [row for row in rows if row.open or row.cleared_at is None or row.cleared_at >= since]
    if not met:
        return Table(TITLE, (), [], empty=f"No alert was open in the last {DAYS} days.")
    first = max(since, min(row.raised_at for row in met) - timedelta(hours=1))
    ends = [(row.raised_at, None if row.open else row.cleared_at) for row in met]
    taken = [(row.raised_at, None if row.free else _taken(row)) for row in met]
    opened = _count("open", ends, first, now)
    kinds = (
        Marks("critical raised", "square", "red", [_raised(row, opened) for row in met if row.severity == CRITICAL]),
        Marks("others raised", "diamond", "amber", [_raised(row, opened) for row in met if row.severity != CRITICAL]),
    )
    free = _count("not taken on", taken, first, now)._replace(tone="red", filled=True)
    return Chart(
        name="alerts",
        title=TITLE,
        digits=0,
        label=f"{many(len(met), 'alert')} in {DAYS} days, at most {max(opened.values):.0f} open at once; "
        f"now {opened.values[-1]:.0f} open, {free.values[-1]:.0f} of them not taken on",
        lines=[opened, free],
        marks=[kind for kind in kinds if kind.marks],
        zero=True,
        ends=(first, now),
    )


def _taken(row: AlertRow) -> datetime | None:
    """Return until when no one had taken on an alert that is no longer free: it was taken on, or cleared before."""
    return min(filter(None, (row.acknowledged_at, row.cleared_at)), default=None)


def _count(name: str, spans: Iterable[tuple[datetime, datetime | None]], first: datetime, now: datetime) -> Line:
    """Return how many of some spans hold over time, as steps."""
    steps: list[tuple[datetime, int]] = []
    for begin, end in ((begin, end) for begin, end in spans if end is None or end > max(begin, first)):
        steps.append((max(begin, first), 1))
        steps += [(end, -1)] if end is not None else []
    ts, values, open_ = [first], [0.0], 0
    for at, step in sorted(steps):
        open_ += step
        ts.append(at)
        values.append(float(open_))
    return Line(name, [*ts, now], [*values, float(open_)], "ink", 1.5, stepped=True)


def _raised(row: AlertRow, opened: Line) -> Mark:
    """Return where an alert was raised, on the line of those that were open."""
    value = next(
        (v for at, v in zip(reversed(opened.ts), reversed(opened.values), strict=True) if at <= row.raised_at), 0.0
    )
    return Mark(max(row.raised_at, opened.ts[0]), value, f"{row.rule_id}: {row.message}")
