"""The filters of the sessions table: the URL's query is their only state, so that a view can be shared."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.records.registry import Query
from peaktrade_core.trading.records import ASKED_STATUSES, MODES

PAGE_ROWS, MOST_ROWS = 50, 500
LONGEST_AGE = 3650  # days
DEEPEST = 10_000_000  # rows
LATEST = "started_at"
SORTS = (LATEST, "total_pnl", "realized_pnl", "max_drawdown", "num_orders")


class Filters(NamedTuple):
    """What the URL's query asks the sessions table to show; None means any.

    Attributes:
        days: started in the last so many days; limit: rows of a page; offset: rows before it.
        sort: one of :data:`SORTS`; rising: the smallest first.
    """

    mode: str | None = None
    status: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    days: int | None = None
    sort: str = LATEST
    rising: bool = False
    limit: int = PAGE_ROWS
    offset: int = 0

    def link(self, **changed: Any) -> str:
        """Return the page's URL with some of the filters changed; it begins at the first row again."""
        chosen = self._replace(**{"offset": 0, **changed})
        pairs = {
            "mode": chosen.mode,
            "status": chosen.status,
            "strategy": chosen.strategy,
            "symbol": chosen.symbol,
            "days": chosen.days,
            "sort": None if chosen.sort == LATEST and not chosen.rising else chosen.sort,
            "order": "asc" if chosen.rising else None,
            "limit": None if chosen.limit == PAGE_ROWS else chosen.limit,
            "offset": chosen.offset or None,
        }
        given = {name: value for name, value in pairs.items() if value is not None}
        return f"/?{urlencode(given)}" if given else "/"

    def sorted_by(self, name: str) -> str:
        """Return the URL that sorts by a column: largest first, and the other way round when it is so already."""
        return self.link(sort=name, rising=self.sort == name and not self.rising)

    def query(self, now: datetime) -> Query:
        """Return the registry's query for these filters."""
        since = None if self.days is None else now - timedelta(days=self.days)
        return Query(
            mode=self.mode,
            status=self.status,
            strategy=self.strategy,
            symbol=self.symbol,
            since=since,
            limit=self.limit,
            offset=self.offset,
            sort=None if self.sort == LATEST else self.sort,
            rising=self.rising,
        )


def read_filters(query: str) -> Filters:
    """Return the filters in a URL's query string; names that are not ours are passed over.

    Raises:
        UnknownNameError: a mode, status or column that does not exist.
        ConfigError: a number is out of range.
    """
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    return Filters(
        mode=_choice("mode", given.get("mode"), MODES),
        status=_choice("status", given.get("status"), ASKED_STATUSES),
        strategy=given.get("strategy"),
        symbol=given.get("symbol"),
        days=_number("days", given["days"], 1, LONGEST_AGE) if "days" in given else None,
        sort=_choice("sort", given.get("sort"), SORTS) or LATEST,
        rising=_choice("order", given.get("order"), ("asc", "desc")) == "asc",
        limit=_number("limit", given.get("limit", str(PAGE_ROWS)), 1, MOST_ROWS),
        offset=_number("offset", given.get("offset", "0"), 0, DEEPEST),
    )


def _choice(name: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise UnknownNameError(name, value, known)
    return value


def _number(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
        raise ConfigError(f"{name} = {text!r} must be a whole number from {low} to {high}")
    return int(text)
