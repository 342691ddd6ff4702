"""The listing: a list of one kind of thing, for a page and for programs. The query of an address is its whole state.

A listing is declared beside the kind of thing, from the columns that its tables have: what is shown, what it is narrowed
down by (facets), what it is sorted by. Who answers it is its own affair: an index, or :func:`among` for things in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlencode

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.show.table import Column, Columns

T = TypeVar("T")
PAGE_ROWS, MOST_ROWS = 50, 1000
DEEPEST = 10_000_000  # rows that may be passed over
LONGEST_AGE = 3650  # days
LONGEST_TEXT = 300  # characters that are searched for
MOST_FIELDS = 100  # of an address
CHOICES = 30  # of a facet that are shown


class Facet(NamedTuple):
    """What a list is narrowed down by.

    Attributes:
        name: in the address; choices: all that it may be, in their order; empty where it may be anything.
        same: choices that mean another one.
    """

    name: str
    choices: tuple[str, ...] = ()
    same: Mapping[str, str] = {}


class Chosen(NamedTuple):
    """What an address asks of a listing.

    Attributes:
        text: words that must all stand in a thing's texts, whatever their case.
        facets: the chosen value of each facet that is narrowed down.
        since, until: from when to when, both included; days: instead of ``since``, the last so many days.
        columns: the names of the columns to show; empty for those that the listing shows by itself.
        sort: name of the column to sort by, empty for the newest first; rising: the smallest first.
        limit: rows of a page; offset: rows before it.
    """

    text: str = ""
    facets: Mapping[str, str] = {}
    since: datetime | None = None
    until: datetime | None = None
    days: int | None = None
    columns: tuple[str, ...] = ()
    sort: str = ""
    rising: bool = False
    limit: int = PAGE_ROWS
    offset: int = 0

    @property
    def narrowed(self) -> bool:
        """Whether not everything is asked for."""
        return bool(self.text or self.facets or self.since or self.until or self.days)

    @property
    def words(self) -> list[str]:
        """The words that are searched for, each once."""
        return list(dict.fromkeys(self.text.casefold().split()))

    def range(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return from when to when."""
        return (now - timedelta(days=self.days) if self.days else self.since), self.until


class Found(NamedTuple, Generic[T]):
    """What a listing found: the things of one page, how many match in all, and what each facet offers with its count.

    A facet's counts are those under everything else that is asked, so that each says what choosing it would show.
    """

    rows: Sequence[T]
    total: int
    facets: Mapping[str, Sequence[tuple[str, int]]] = {}


class Pager(NamedTuple):
    """The part of a list that is shown: its first and last row, of how many, and the addresses of the parts beside it.

    Attributes:
        first, last: counted from 1; before, after: addresses, empty where there is nothing.
    """

    first: int
    last: int
    total: int
    before: str
    after: str

    @classmethod
    def of(cls, offset: int, size: int, total: int, address: Callable[[int], str]) -> Pager:
        """Return the part that begins after ``offset`` rows; ``address`` returns that of another offset."""
        last = min(offset + size, total)
        before = address(max(0, offset - size)) if offset else ""
        return cls(min(offset + 1, total), last, total, before, address(last) if last < total else "")


class Listing(NamedTuple, Generic[T]):
    """The list of one kind of thing.

    Attributes:
        name: of its panel, its words and its address for programs, ``/api/NAME``; path: of its page.
        columns: those of its tables; lead: the one that names a thing; shown: those beside it by default; more: those that
            may be chosen, too; all separated by blanks.
        facets: what it is narrowed down by; sorts: the columns it can be sorted by; latest: the one whose largest come first
            by itself, which is a time.
        key: a thing's id; link: the address of its page, empty where it has none.
        item: a thing as programs get it, a struct or a mapping.
        ask: answers for a workspace; it gets what is chosen.
        command: what makes the first of them, where there is none.
        compare: address that takes several of them as ``session``; empty where they cannot be compared.
    """

    name: str
    path: str
    columns: Columns[T]
    lead: str
    shown: str
    more: str
    facets: tuple[Facet, ...]
    sorts: tuple[str, ...]
    latest: str
    key: Callable[[T], str]
    link: Callable[[T], str]
    item: Callable[[T], Any]
    ask: Callable[[Any, Chosen], Found[T]]
    command: str = ""
    compare: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """What an address may ask that programs may ask, too."""
        return "q", *(one.name for one in self.facets), "since", "until", "days", "sort", "order", "limit", "offset"

    @property
    def known(self) -> list[str]:
        """The names of the columns that can be chosen, in their order."""
        return [*self.shown.split(), *self.more.split()]

    def picked(self, chosen: Chosen) -> list[tuple[str, Column[T]]]:
        """Return the columns to show beside the lead, with their names."""
        wanted = chosen.columns or self.shown.split()
        return [(name, self.columns[name]) for name in self.known if name in wanted]

    def address(self, chosen: Chosen, path: str | None = None, **changed: Any) -> str:
        """Return the address of the list with something changed; it begins at the first row again.

        Args:
            chosen: what is asked now; path: instead of the list's page; changed: fields of it, or facets by their name.
        """
        fields = {"offset": 0, **{name: value for name, value in changed.items() if name in Chosen._fields}}
        facets = {**chosen.facets, **{name: value for name, value in changed.items() if name not in Chosen._fields}}
        new = chosen._replace(facets={name: value for name, value in facets.items() if value}, **fields)
        pairs = query_of(new)
        return f"{self.path if path is None else path}{'?' if pairs else ''}{urlencode(pairs)}"

    def sorted_by(self, chosen: Chosen, name: str) -> str:
        """Return the address that sorts by a column: largest first, and the other way round when it is so already."""
        sort = "" if name == self.latest else name
        return self.address(chosen, sort=sort, rising=chosen.sort == sort and not chosen.rising)

    def read(self, query: str) -> Chosen:
        """Return what an address's query asks; names that are not ours are passed over, empty ones are not given.

        Raises:
            UnknownNameError: a facet's value, column or order that does not exist.
            ConfigError: a number or time that is none or out of range; says which and what is allowed.
        """
        given = _fields(query)
        last = {name: values[-1].strip() for name, values in given.items()}
        facets = {one.name: last[one.name] for one in self.facets if last.get(one.name)}
        for one in self.facets:
            if one.choices and one.name in facets:
                _one_of(one.name, facets[one.name], one.choices)
                facets[one.name] = one.same.get(facets[one.name], facets[one.name])
        columns = [name for text in given.get("columns", ()) for name in text.split(",") if name]
        for name in columns:
            _one_of("column", name, self.known)
        since, until = _moment("since", last.get("since", "")), _moment("until", last.get("until", ""))
        sort = _one_of("sort", last.get("sort", ""), ("", *self.sorts))
        return Chosen(
            text=_text(last.get("q", "")),
            facets=facets,
            since=since,
            until=until,
            days=_number("days", last["days"], 1, LONGEST_AGE) if last.get("days") and not since else None,
            columns=() if set(columns) == set(self.shown.split()) else tuple(dict.fromkeys(columns)),
            sort="" if sort == self.latest else sort,
            rising=_one_of("order", last.get("order") or "desc", ("asc", "desc")) == "asc",
            limit=_number("limit", last.get("limit") or str(PAGE_ROWS), 1, MOST_ROWS),
            offset=_number("offset", last.get("offset") or "0", 0, DEEPEST),
        )


def query_of(chosen: Chosen) -> dict[str, str]:
    """Return what is asked as the fields of an address; what is as by itself is left out."""
    pairs = {
        "q": chosen.text,
        **chosen.facets,
        "since": _told(chosen.since, time.min),
        "until": _told(chosen.until, time.max),
        "days": chosen.days,
        "columns": ",".join(chosen.columns),
        "sort": chosen.sort,
        "order": "asc" if chosen.rising else "",
        "limit": None if chosen.limit == PAGE_ROWS else chosen.limit,
        "offset": chosen.offset,
    }
    return {name: str(value) for name, value in pairs.items() if value}


def among(
    listing: Listing[T],
    things: Iterable[T],
    chosen: Chosen,
    now: datetime,
    *,
    when: str = "",
    value: Callable[[T, str], Any] = getattr,
) -> Found[T]:
    """Return what is asked of things that are all in memory, newest first as they come.

    Args:
        when: name of the time that ``since`` and ``until`` are about; empty: of none.
        value: returns a thing's value by the name of a facet or column, to narrow down and to sort by; a facet's may be
            several. Without it, the attribute of that name.
    """
    since, until = chosen.range(now)

    def matches(thing: T) -> bool:
        at = value(thing, when) if when else None
        if (since and not (at and at >= since)) or (until and not (at and at <= until)):
            return False
        text = "\n".join([listing.key(thing), *listing.columns.texts(thing)]).casefold() if chosen.text else ""
        return all(word in text for word in chosen.words)

    found = [(thing, {one.name: _values(value(thing, one.name)) for one in listing.facets}) for thing in things]
    found = [one for one in found if matches(one[0])]

    def fit(values: Mapping[str, tuple[str, ...]], free: str = "") -> bool:
        return all(name == free or wanted in values[name] for name, wanted in chosen.facets.items())

    facets = {
        one.name: Counter(v for _, values in found if fit(values, one.name) for v in values[one.name]).most_common(
            CHOICES
        )
        for one in listing.facets
    }
    rows = [thing for thing, values in found if fit(values)]
    if chosen.sort:
        told = [thing for thing in rows if value(thing, chosen.sort) is not None]
        told.sort(key=lambda thing: value(thing, chosen.sort), reverse=not chosen.rising)
        rows = told + [thing for thing in rows if value(thing, chosen.sort) is None]
    elif chosen.rising:
        rows.reverse()
    return Found(rows[chosen.offset : chosen.offset + chosen.limit], len(rows), facets)


def _fields(query: str) -> dict[str, list[str]]:
    """Return the fields of a query.

    Raises:
        ConfigError: it has too many.
    """
    try:
        return parse_qs(query, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise ConfigError(f"the address cannot be read: {error}") from None


def _values(value: Any) -> tuple[str, ...]:
    """Return a facet's values of a thing: none, one, or several."""
    if value is None or value == "":
        return ()
    return tuple(map(str, value)) if isinstance(value, (tuple, list, set, frozenset)) else (str(value),)


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise UnknownNameError(name, value, [one for one in known if one])
    return value


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ConfigError(f"q is longer than {LONGEST_TEXT} characters")
    return text


def _number(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
        raise ConfigError(f"{name} = {text!r} must be a whole number from {low} to {high}")
    return int(text)


def _moment(name: str, text: str) -> datetime | None:
    """Return the time that a field names, None for an empty one; ``until`` a day means until its end."""
    if not text:
        return None
    try:
        at = as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ConfigError(f"{name} = {text!r} is not a time; write it as 2026-01-05 or 2026-01-05T08:00") from None
    return datetime.combine(at, time.max, UTC) if name == "until" and len(text) <= len("2026-01-05") else at


def _told(at: datetime | None, edge: time) -> str:
    """Return a time as an address says it: as a date where it is that edge of the day."""
    if at is None:
        return ""
    return f"{at:%Y-%m-%d}" if at.time() == edge else f"{at:%Y-%m-%dT%H:%M:%S}"
