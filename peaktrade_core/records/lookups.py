"""Questions to the index over the registry's files: what is asked, and the statements that answer it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.records.rows import DaySum, RegistryLine, sortable
from peaktrade_core.trading.records import IMPORTED, REHEARSAL, RUNNING, STARTED

SORTS = (
    "sorts_at", "finished_at", "duration", "total_pnl", "realized_pnl", "max_drawdown", "num_orders", "orders_blocked", "steps",
    "equity_end", "strategy", "symbol", "timeframe", "feed", "mode", "status", "risk_status",
)  # fmt: skip
MOST = 1 << 60  # rows; sqlite counts no further
GROUP = ("mode", "status", "run_type", "symbol", "strategy")
COUNTED = ("status", "mode", "strategy", "symbol", "feed", "timeframe", "risk_status", "tag")  # by the list of sessions
FACETS = (*GROUP, "feed", "timeframe", "risk_status", "decision_id", "tag")
_STARTED = RegistryLine._fields.index("started_at")  # and after it ``finished_at``
_ORDERS = {"duration": "julianday(finished_at) - julianday(started_at)"}
_HAS_TAG = "EXISTS (SELECT 1 FROM json_each(tags) AS one WHERE one.value = ?)"
_NO_PRACTICE = f"FILTER (WHERE run_type IS NOT '{REHEARSAL}')"  # practice earns nothing
_OURS = f"FILTER (WHERE coalesce(run_type, '') NOT IN ('{REHEARSAL}', '{IMPORTED}'))"  # nor does what ran elsewhere


def _sums(counted: str) -> str:
    return f"""count(*) AS n, count(realized_pnl) {counted} AS pnls, total(realized_pnl) {counted} AS pnl,
    total(total_pnl) {counted} AS whole, count(max_drawdown) {counted} AS depths, total(max_drawdown) {counted} AS depth"""


SUMS = _sums(_NO_PRACTICE)  # that are kept, by run type among others
DAY_SUMS = f"""SELECT substr(sorts_at, 1, 10) AS day, symbol, count(*) AS n, total(status = 'started') AS open,
    total(realized_pnl) {_OURS} AS pnl, total(total_pnl) {_OURS} AS whole, max(max_drawdown) {_OURS} AS depth
    FROM files WHERE fault IS NULL"""  # kept as well; a time of day is text that is less than "<day>~"


class Query(NamedTuple):
    """Which records to return, newest first; None means any.

    Attributes:
        limit: at most so many; None for all.
        since, until: only those that began then or later, or earlier (with ``by_end``: ended).
        decision_id: only those that decided alike.
        tag: one that it was given; words: each of them stands somewhere in what is known of it, in lower case.
        by_end: the newest end first; only sessions that ended.
        sort: one of :data:`SORTS` instead, the largest first, those without the figure last; rising: the smallest first.
        offset: how many to pass over.
    """

    limit: int | None = None
    mode: str | None = None
    status: str | None = None
    run_type: str | None = None
    symbol: str | None = None
    strategy: str | None = None
    feed: str | None = None
    timeframe: str | None = None
    risk_status: str | None = None
    decision_id: str | None = None
    tag: str | None = None
    words: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    by_end: bool = False
    sort: str | None = None
    rising: bool = False
    offset: int = 0

    @property
    def summed(self) -> bool:
        """Whether it is narrowed by nothing but what sums are kept by."""
        more = (self.since, self.until, self.limit, *(getattr(self, column) for column in FACETS[len(GROUP) :]))
        return not (self.by_end or self.offset or self.words) and all(one is None for one in more)

    def wanted(self, column: str) -> str | None:
        """Return what a column of :data:`FACETS` must be, None for anything; ``running`` is recorded as ``started``."""
        asked: str | None = getattr(self, column)
        return STARTED if column == "status" and asked == RUNNING else asked


def select_lines(db: sqlite3.Connection, query: Query) -> list[RegistryLine]:
    """Return the lines that match a query."""
    source, values = selection(query, ", ".join(RegistryLine._fields))
    return [_line(row) for row in db.execute(source, values).fetchall()]


def lines_of(db: sqlite3.Connection, session_ids: Sequence[str]) -> dict[str, RegistryLine]:
    """Return the newest line of each of some sessions."""
    found: dict[str, RegistryLine] = {}
    for at in range(0, len(session_ids), 500):
        some = session_ids[at : at + 500]
        sql = f"SELECT {', '.join(RegistryLine._fields)} FROM files WHERE session_id IN ({','.join('?' * len(some))})"
        for row in db.execute(f"{sql} ORDER BY sorts_at, name", some):
            found[row[2]] = _line(row)
    return found


def _line(row: Sequence[object]) -> RegistryLine:
    tags = () if row[-1] == "[]" else tuple(json.loads(str(row[-1])))
    return RegistryLine(*row[:_STARTED], *map(_moment, row[_STARTED : _STARTED + 2]), *row[_STARTED + 2 : -1], tags)  # type: ignore[arg-type,call-arg]


def _moment(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def selection(query: Query, columns: str) -> tuple[str, tuple[str | int, ...]]:
    """Return the statement that selects columns of a query's rows in their order, and its values."""
    order = "finished_at" if query.by_end else "sorts_at"
    where, values = _where(query, order)
    limit = -1 if query.limit is None else min(max(0, query.limit), MOST)
    way = "ASC" if query.rising else "DESC"
    key = _ORDERS.get(query.sort or "", query.sort)
    by = f"{key} IS NULL, {key}" if query.sort in SORTS[1:] else order
    sql = f"SELECT {columns} FROM files{where} ORDER BY {by} {way}, name {way} LIMIT ? OFFSET ?"
    return sql, (*values, limit, min(max(0, query.offset), MOST))


def _where(query: Query, order: str) -> tuple[str, list[str | int]]:
    """Return the condition that a query's rows meet, and its values."""
    tests, values = ["finished_at IS NOT NULL"] if query.by_end else [], list[str | int]()
    for column in FACETS:
        if (wanted := query.wanted(column)) is not None:
            tests.append(_HAS_TAG if column == "tag" else f"{column} = ?")
            values.append(wanted)
    for word in query.words:
        tests.append("instr(searched, ?)")
        values.append(word)
    for sign, moment in ((">=", query.since), ("<=", query.until)):
        if moment is not None:
            tests.append(f"{order} {sign} ?")
            values.append(_first(moment))
    return f" WHERE {' AND '.join(tests)}" if tests else "", values


def neighbours(db: sqlite3.Connection, session_id: str) -> tuple[str | None, str | None]:
    """Return the sessions that began next after a session and last before it."""
    found: list[str | None] = []
    for sign, way in ((">", "ASC"), ("<", "DESC")):
        row = db.execute(
            f"""SELECT session_id FROM files WHERE session_id IS NOT NULL AND (sorts_at, name) {sign} (SELECT sorts_at, name
            FROM files WHERE session_id = ? ORDER BY sorts_at DESC LIMIT 1) ORDER BY sorts_at {way}, name {way} LIMIT 1""",
            (session_id,),
        ).fetchone()
        found.append(row[0] if row else None)
    return found[0], found[1]


def _first(since: datetime) -> str:
    """Return a time as the index compares it.

    Raises:
        ConfigError: it lies outside of the years 1 to 9999 in UTC.
    """
    try:
        return sortable(since) or ""
    except OverflowError:
        raise ConfigError(f"since = {since.isoformat()} lies outside of the years 1 to 9999 in UTC") from None


def sums_by(db: sqlite3.Connection, query: Query, columns: Sequence[str]) -> list[Any]:
    """Return the columns and the figures of :class:`SymbolSum` for each combination of columns."""
    shown = ", ".join(columns)
    by = f" GROUP BY {shown} ORDER BY {shown}"
    asked = IMPORTED in (query.mode, query.run_type)
    own = "" if asked else f" FILTER (WHERE run_type IS NOT '{IMPORTED}')"
    sums = _sums(_NO_PRACTICE if asked else _OURS)
    if query.summed:
        wanted = [column for column in GROUP if query.wanted(column) is not None]
        where = f" WHERE {' AND '.join(f'{column} = ?' for column in wanted)}" if wanted else ""
        kept = ", ".join(["total(n)", *(f"total({name}){own}" for name in ("pnls", "pnl", "whole", "depths", "depth"))])
        sql = f"SELECT {shown}, {kept} FROM totals{where}{by}"
        return db.execute(sql, [query.wanted(column) for column in wanted]).fetchall()
    if query.limit is None and not query.by_end and not query.offset:
        where, given = _where(query, "sorts_at")
        return db.execute(f"SELECT {shown}, {sums} FROM files{where}{by}", given).fetchall()
    source, values = selection(query, "*")
    return db.execute(f"SELECT {shown}, {sums} FROM ({source}){by}", values).fetchall()


def facets(
    db: sqlite3.Connection, query: Query, columns: Sequence[str], most: int
) -> tuple[int, dict[str, list[tuple[str, int]]]]:
    """Return how many entries match, and how many there are for each value of some :data:`FACETS`, the commonest first.

    A column is counted under everything that is asked but itself. The entries are looked through once, by combination; for
    :data:`COUNTED`, without words, the index alone is read.
    """
    others: dict[str, Any] = dict.fromkeys(columns)
    where, values = _where(query._replace(**others, by_end=False), "sorts_at")
    shown = ", ".join(map(stored, columns))
    asked = {column: query.wanted(column) for column in columns}
    counts, total = {column: Counter[str]() for column in columns}, 0
    for *found, n in db.execute(f"SELECT {shown}, count(*) FROM files{where} GROUP BY {shown}", values):
        has = {column: _several(column, value) for column, value in zip(columns, found, strict=True)}
        misses = [column for column, wanted in asked.items() if wanted is not None and wanted not in has[column]]
        total += 0 if misses else n
        for column in columns if not misses else misses if len(misses) == 1 else ():
            for value in has[column]:
                counts[column][value] += n
    by_count = {column: sorted(found.items(), key=lambda one: (-one[1], one[0])) for column, found in counts.items()}
    return total, {column: found[:most] for column, found in by_count.items()}


def stored(column: str) -> str:
    """Return how the index calls a column of :data:`FACETS`."""
    return "tags" if column == "tag" else column


def _several(column: str, value: Any) -> tuple[str, ...]:
    return tuple(json.loads(value)) if column == "tag" else () if value is None else (value,)


def sums_by_day(db: sqlite3.Connection, since: datetime | None) -> list[DaySum]:
    """Return the sums of each day and symbol, oldest first."""
    begin = "" if since is None else _first(since)
    day = begin[:10]  # of which perhaps only a part is asked for
    part = f"{DAY_SUMS} AND sorts_at >= ? AND sorts_at < ? GROUP BY 1, 2"
    sql = f"SELECT * FROM ({part}) UNION ALL SELECT * FROM days WHERE day > ? ORDER BY 1, 2"
    rows = db.execute(sql, (begin, day and f"{day}~", day))
    return [DaySum(day, symbol, n, int(open_), *rest) for day, symbol, n, open_, *rest in rows]
