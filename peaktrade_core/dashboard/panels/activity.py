"""The activity feed: what the suite and its automation did, in order, filtered by the URL."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.records.registry import Registry
from peaktrade_core.reports.activity import KINDS, ActivityFeed
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

ENTRIES, MOST = 100, 1000
HOURS = (1, 24, 168)
LONGEST_AGE = 87_600  # hours


class FeedFilter(NamedTuple):
    """What the URL asks the feed to show; None means all."""

    kind: str | None = None
    hours: int | None = None
    limit: int = ENTRIES

    def link(self, **changed: Any) -> str:
        """Return the page's URL with something changed."""
        given = {name: value for name, value in self._replace(**changed)._asdict().items() if value is not None}
        if given["limit"] == ENTRIES:
            del given["limit"]
        return f"/activity?{urlencode(given)}" if given else "/activity"


def read_chosen(query: str) -> FeedFilter:
    """Return what a query string asks for.

    Raises:
        UnknownNameError: no such kind.
        ConfigError: a number is out of range.
    """
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    kind = given.get("kind")
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    numbers = {}
    for name, most in (("hours", LONGEST_AGE), ("limit", MOST)):
        if name in given:
            text = given[name]
            if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
                raise ConfigError(f"{name} = {text!r} must be a whole number from 1 to {most}")
            numbers[name] = int(text)
    return FeedFilter(kind=kind, hours=numbers.get("hours"), limit=numbers.get("limit", ENTRIES))


@panel("activity")
def _activity(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what was done, newest first, day by day?"""
    chosen = read_chosen(asked.query)
    since = None if chosen.hours is None else Views.of(workspace).now() - timedelta(hours=chosen.hours)
    entries = ActivityFeed.of(workspace)(chosen.limit, [chosen.kind] if chosen.kind else None, since)
    known = set(Registry.of(workspace).lines_of([entry.subject for entry in entries if entry.subject]))
    return {
        "days": [(day, list(items)) for day, items in groupby(entries, key=lambda entry: entry.at.date())],
        "n": len(entries),
        "known": known,
        "chosen": chosen,
        "kinds": KINDS,
        "hours": HOURS,
        "more": chosen.link(limit=min(MOST, chosen.limit * 4)) if len(entries) >= chosen.limit < MOST else None,
    }
