"""The index over the registry's files: one line a file in sqlite, and sums over them. It can be deleted at any time.

It holds nothing that is not in the files. It remembers each file's inode, time and size, so that only what changed is
read again, and the folder's own time, so that a folder that did not change is not even listed. Sums are kept for each
combination of what people filter by, and computed anew (never added to) for those that a change touches.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.records.rows import DaySum, FileState, RegistryLine, sortable
from peaktrade_core.trading.records import REHEARSAL, RUNNING, STARTED

INDEX_VERSION = 6
SORTS = ("sorts_at", "total_pnl", "realized_pnl", "max_drawdown", "num_orders")
MOST = 1 << 60  # rows; sqlite counts no further
TIMEOUT_S = 5.0  # how long to wait for another process that writes the index [s]
GROUP = ("mode", "status", "run_type", "symbol", "strategy")
_STATE = ("inode", "mtime_ns", "size")
_STARTED = RegistryLine._fields.index("started_at")  # and after it ``finished_at``
_COLUMNS = (*RegistryLine._fields, *_STATE)
_COUNTED = f"FILTER (WHERE run_type IS NOT '{REHEARSAL}')"  # practice earns nothing
_SUMS = f"""count(*) AS n, count(realized_pnl) {_COUNTED} AS pnls, total(realized_pnl) {_COUNTED} AS pnl,
    total(total_pnl) {_COUNTED} AS whole, count(max_drawdown) {_COUNTED} AS depths, total(max_drawdown) {_COUNTED} AS depth"""
_SCHEMA = (
    *(f"DROP TABLE IF EXISTS {table}" for table in ("files", "totals", "look")),
    """CREATE TABLE files (
        name TEXT UNIQUE, sorts_at TEXT, session_id TEXT, mode TEXT, status TEXT, run_type TEXT, symbol TEXT,
        strategy TEXT, timeframe TEXT, environment TEXT, feed TEXT, data TEXT, started_at TEXT, finished_at TEXT,
        realized_pnl REAL, unrealized_pnl REAL, total_pnl REAL, max_drawdown REAL, num_orders INTEGER,
        orders_blocked INTEGER, steps INTEGER, equity_end REAL, start_balance REAL, risk_status TEXT, halted TEXT,
        decision_id TEXT, notes TEXT, fault TEXT, inode INTEGER, mtime_ns INTEGER, size INTEGER
    )""",
    "CREATE INDEX by_start ON files (sorts_at, symbol, status, realized_pnl, total_pnl, max_drawdown, fault)",
    "CREATE INDEX by_end ON files (finished_at DESC)",
    "CREATE INDEX by_decision ON files (decision_id, sorts_at DESC)",
    "CREATE INDEX by_session ON files (session_id, sorts_at DESC)",
    "CREATE INDEX by_mode_status ON files (mode, status, sorts_at DESC)",
    *(f"CREATE INDEX by_{column} ON files ({column}, sorts_at DESC)" for column in GROUP[1:]),
    f"CREATE INDEX by_group ON files ({', '.join(GROUP)}, realized_pnl, total_pnl, max_drawdown)",
    f"CREATE TABLE totals ({', '.join(GROUP)}, n, pnls, pnl, whole, depths, depth)",
    f"CREATE INDEX by_total ON totals ({', '.join(GROUP)})",
    "CREATE TABLE look (folder_ns INTEGER, full_at REAL, full_s REAL, generation INTEGER, token TEXT)",
)


class LastLook(NamedTuple):
    """The last look at the folder.

    Attributes:
        folder_ns: the folder's own time then [ns since epoch], -1 when it may not be trusted.
        full_at: when every file was looked at the last time [s since epoch]; full_s: how long that took [s].
        generation, token: change with the index's content, and with the index.
    """

    folder_ns: int
    full_at: float
    full_s: float
    generation: int
    token: str


class FolderChange(NamedTuple):
    """When the folder had changed last before and after somebody wrote into it, who enters it [ns since epoch]."""

    before: int
    after: int


class Query(NamedTuple):
    """Which records to return, newest first; None means any.

    Attributes:
        limit: at most so many; None for all.
        decision_id: only those that decided alike.
        since, until: only those that began then or later, or earlier (with ``by_end``: ended).
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
    since: datetime | None = None
    until: datetime | None = None
    decision_id: str | None = None
    by_end: bool = False
    sort: str | None = None
    rising: bool = False
    offset: int = 0

    def wanted(self, column: str) -> str | None:
        """Return what a column must be, None for anything; ``running`` is recorded as ``started``."""
        asked: str | None = getattr(self, column)
        return STARTED if column == "status" and asked == RUNNING else asked


def open_index(path: Path | None) -> sqlite3.Connection:
    """Open an index, making it if it is new; None for one in memory.

    Raises:
        OSError, sqlite3.Error: it cannot be created, or is damaged or of another version.
    """
    if path is None:
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=TIMEOUT_S, isolation_level=None)
    try:
        version = _version(db)
        if version == 0:
            _create(db)
            version = _version(db)
        if version != INDEX_VERSION:
            raise sqlite3.DatabaseError("index of another version")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def open_reading(path: Path, folder_ns: int) -> sqlite3.Connection:
    """Open an index that this process may not change; ``folder_ns``: when the records' folder changed [ns since epoch].

    Raises:
        sqlite3.Error: there is none that can be read, or the folder has changed since its last look.
    """
    asis = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"  # there is nothing but the file itself
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro{asis}", uri=True, isolation_level=None, check_same_thread=False)
    try:
        if _version(db) != INDEX_VERSION or last_look(db).folder_ns != folder_ns:
            raise sqlite3.DatabaseError("index of another version or time")
    except BaseException:
        db.close()
        raise
    return db


def remove_index(path: Path) -> None:
    """Remove an index and what belongs to it.

    Raises:
        OSError: it cannot be removed.
    """
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _create(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        if _version(db) == 0:
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO look VALUES (-1, 0, 0, 0, ?)", (secrets.token_hex(8),))
            db.execute(f"PRAGMA user_version = {INDEX_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def last_look(db: sqlite3.Connection) -> LastLook:
    """Return the last look at the folder.

    Raises:
        sqlite3.DatabaseError: the index has lost it.
    """
    found = db.execute("SELECT * FROM look").fetchone()
    if found is None:
        raise sqlite3.DatabaseError("index without a look")
    return LastLook(*found)


def known_files(db: sqlite3.Connection) -> dict[str, FileState]:
    """Return what the index knows of each file."""
    return {row[0]: FileState(*row[1:]) for row in db.execute(f"SELECT name, {', '.join(_STATE)} FROM files")}


def apply(
    db: sqlite3.Connection,
    changed: Sequence[tuple[RegistryLine, FileState]],
    gone: Sequence[str],
    look: LastLook | FolderChange | None,
) -> None:
    """Write changed lines, forget files that are gone, and remember a look or a change; all of it or nothing."""
    names = [*gone, *(line.name for line, _ in changed)]
    db.execute("BEGIN IMMEDIATE")
    try:
        groups = {tuple(getattr(line, column) for column in GROUP) for line, _ in changed}
        for at in range(0, len(names), 500):
            some = names[at : at + 500]
            marks = ",".join("?" * len(some))
            groups |= set(db.execute(f"SELECT DISTINCT {', '.join(GROUP)} FROM files WHERE name IN ({marks})", some))
            db.execute(f"DELETE FROM files WHERE name IN ({marks})", some)
        db.executemany(
            f"INSERT INTO files ({', '.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})",
            ((*_stored(line), *state) for line, state in changed),
        )
        _add_up(db, groups)
        db.execute("UPDATE look SET generation = generation + ?", (bool(names),))
        if isinstance(look, FolderChange):
            db.execute("UPDATE look SET folder_ns = ? WHERE folder_ns = ?", (look.after, look.before))
        elif look is not None:
            db.execute("UPDATE look SET folder_ns = ?, full_at = ?, full_s = ?", look[:3])
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _add_up(db: sqlite3.Connection, groups: Iterable[tuple[str | None, ...]]) -> None:
    same = " AND ".join(f"{column} IS ?" for column in GROUP)
    for group in groups:
        db.execute(f"DELETE FROM totals WHERE {same}", group)
        db.execute(
            f"INSERT INTO totals SELECT {', '.join(GROUP)}, {_SUMS} FROM files WHERE {same} GROUP BY {', '.join(GROUP)}",
            group,
        )


def _stored(line: RegistryLine) -> tuple[object, ...]:
    started = line.started_at and line.sorts_at  # which is that time as text
    return *line[:_STARTED], started, sortable(line.finished_at), *line[_STARTED + 2 :]


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
    return RegistryLine(*row[:_STARTED], *map(_moment, row[_STARTED : _STARTED + 2]), *row[_STARTED + 2 :])  # type: ignore[arg-type]


def _moment(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def selection(query: Query, columns: str) -> tuple[str, tuple[str | int, ...]]:
    """Return the statement that selects columns of a query's rows in their order, and its values."""
    order = "finished_at" if query.by_end else "sorts_at"
    where, values = _where(query, order)
    limit = -1 if query.limit is None else min(max(0, query.limit), MOST)
    way = "ASC" if query.rising else "DESC"
    by = f"{query.sort} IS NULL, {query.sort}" if query.sort in SORTS[1:] else order
    sql = f"SELECT {columns} FROM files{where} ORDER BY {by} {way}, name {way} LIMIT ? OFFSET ?"
    return sql, (*values, limit, min(max(0, query.offset), MOST))


def _where(query: Query, order: str) -> tuple[str, list[str | int]]:
    """Return the condition that a query's rows meet, and its values."""
    tests, values = ["finished_at IS NOT NULL"] if query.by_end else [], list[str | int]()
    for column in (*GROUP, "decision_id"):
        if (wanted := query.wanted(column)) is not None:
            tests.append(f"{column} = ?")
            values.append(wanted)
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
    dated = (query.since, query.until, query.decision_id) != (None, None, None)
    if query.limit is None and not dated and not query.by_end and not query.offset:
        wanted = [column for column in GROUP if query.wanted(column) is not None]
        where = f" WHERE {' AND '.join(f'{column} = ?' for column in wanted)}" if wanted else ""
        kept = ", ".join(f"total({name})" for name in ("n", "pnls", "pnl", "whole", "depths", "depth"))
        sql = f"SELECT {shown}, {kept} FROM totals{where}{by}"
        return db.execute(sql, [query.wanted(column) for column in wanted]).fetchall()
    if query.limit is None and not query.by_end and not query.offset:
        where, given = _where(query, "sorts_at")
        return db.execute(f"SELECT {shown}, {_SUMS} FROM files{where}{by}", given).fetchall()
    source, values = selection(query, "*")
    return db.execute(f"SELECT {shown}, {_SUMS} FROM ({source}){by}", values).fetchall()


def sums_by_day(db: sqlite3.Connection, since: datetime | None) -> list[DaySum]:
    """Return the sums of each day and symbol, oldest first."""
    sql = f"""SELECT substr(sorts_at, 1, 10), symbol, count(*), total(status = 'started'), total(realized_pnl) {_COUNTED},
        total(total_pnl) {_COUNTED}, max(max_drawdown) {_COUNTED}
        FROM files WHERE fault IS NULL AND sorts_at >= ? GROUP BY 1, 2 ORDER BY 1, 2"""
    rows = db.execute(sql, ("" if since is None else _first(since),))
    return [DaySum(day, symbol, n, int(open_), *rest) for day, symbol, n, open_, *rest in rows]
