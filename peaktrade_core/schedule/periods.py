"""Days and weeks by name: UTC days, and ISO weeks from Monday to Monday, as reports are made of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import msgspec

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ConfigError

DAY, WEEK = "day", "week"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


class Span(msgspec.Struct, frozen=True):
    """A UTC day or ISO week.

    Attributes:
        kind: ``day`` or ``week``; label: ``2026-01-04`` or ``2026-W01``.
        since, until: its begin and its end, which no longer belongs to it.
    """

    kind: str
    label: str
    since: datetime
    until: datetime

    @property
    def before(self) -> Span:
        """The day or week before."""
        return span_of(self.kind, self.since - timedelta(hours=12))


def span_of(kind: str, moment: datetime) -> Span:
    """Return the UTC day or ISO week that a moment belongs to."""
    day = moment.astimezone(UTC).date()
    if kind == DAY:
        return Span(DAY, day.isoformat(), _midnight(day), _midnight(day + timedelta(days=1)))
    monday = day - timedelta(days=day.weekday())
    year, week, _ = monday.isocalendar()
    return Span(WEEK, f"{year}-W{week:02d}", _midnight(monday), _midnight(monday + timedelta(days=7)))


def span_named(kind: str, label: str, now: datetime) -> Span:
    """Return the day or week of that name: ``2026-01-04``, ``2026-W01``, ``today``, ``yesterday``, ``this``, ``last``.

    Raises:
        ConfigError: there is no such day or week, or it has not begun.
    """
    relative = {"today": 0, "yesterday": 1} if kind == DAY else {"this": 0, "last": 7}
    if label in relative:
        return span_of(kind, now - timedelta(days=relative[label]))
    try:
        span = span_of(kind, _midnight(_day(label) if kind == DAY else _monday(label)))
    except (ValueError, OverflowError):
        example = "2026-01-04, today or yesterday" if kind == DAY else "2026-W01, this or last"
        raise ConfigError(f"{label!r} is no {kind}; write {example}") from None
    if span.since < EPOCH:
        raise ConfigError(f"{label!r} lies before 1970; there is nothing to report")
    if span.since > now:
        raise ConfigError(f"{span.label} has not begun; there is nothing to report yet")
    return span


def _day(label: str) -> date:
    """Return the day of that name; any other raises ValueError."""
    if not _DAY.fullmatch(label):
        raise ValueError(label)
    return date.fromisoformat(label)


def _monday(label: str) -> date:
    """Return the first day of the week of that name; any other raises ValueError."""
    found = _WEEK.fullmatch(label)
    if not found:
        raise ValueError(label)
    return date.fromisocalendar(int(found[1]), int(found[2]), 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
