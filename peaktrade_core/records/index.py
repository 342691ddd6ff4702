"""The index over the registry's files: one line a file in sqlite, and sums over them. It can be deleted at any time.

It holds nothing that is not in the files. It remembers each file's inode, time and size, so that only what changed is
read again, and the folder's own time, so that a folder that did not change is not even listed. Sums are kept for each
combination of what people filter by, and computed anew (never added to) for those that a change touches.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.errors import why
from peaktrade_core.records.lookups import COUNTED, DAY_SUMS, GROUP, SUMS, stored
from peaktrade_core.records.rows import FileState, RegistryLine, sortable

INDEX_VERSION = 10
TIMEOUT_S = 5.0  # how long to wait for another process that writes the index [s]
_STATE = ("inode", "mtime_ns", "size")
_STARTED = RegistryLine._fields.index("started_at")  # and after it ``finished_at``
_COLUMNS = (*RegistryLine._fields, "searched", *_STATE)
_SCHEMA = (
    *(f"DROP TABLE IF EXISTS {table}" for table in ("files", "totals", "days", "look")),
    """CREATE TABLE files (
        name TEXT UNIQUE, sorts_at TEXT, session_id TEXT, mode TEXT, status TEXT, run_type TEXT, symbol TEXT,
        strategy TEXT, timeframe TEXT, environment TEXT, feed TEXT, data TEXT, started_at TEXT, finished_at TEXT,
        realized_pnl REAL, unrealized_pnl REAL, total_pnl REAL, max_drawdown REAL, num_orders INTEGER,
        orders_blocked INTEGER, steps INTEGER, equity_end REAL, start_balance REAL, risk_status TEXT, denied TEXT,
        halted TEXT, decision_id TEXT, notes TEXT, fault TEXT, tags TEXT, searched TEXT,
        inode INTEGER, mtime_ns INTEGER, size INTEGER
    )""",
    "CREATE INDEX by_start ON files (sorts_at, symbol, status, run_type, realized_pnl, total_pnl, max_drawdown, fault)",
    "CREATE INDEX by_end ON files (finished_at DESC)",
    "CREATE INDEX by_decision ON files (decision_id, sorts_at DESC)",
    "CREATE INDEX by_session ON files (session_id, sorts_at DESC)",
    "CREATE INDEX by_mode_status ON files (mode, status, sorts_at DESC)",
    *(f"CREATE INDEX by_{column} ON files ({column}, sorts_at DESC)" for column in GROUP[1:]),
    f"CREATE INDEX by_group ON files ({', '.join(GROUP)}, realized_pnl, total_pnl, max_drawdown)",
    f"CREATE INDEX by_facets ON files ({', '.join(map(stored, COUNTED))}, sorts_at)",
    f"CREATE TABLE totals ({', '.join(GROUP)}, n, pnls, pnl, whole, depths, depth)",
    f"CREATE INDEX by_total ON totals ({', '.join(GROUP)})",
    "CREATE TABLE days (day, symbol, n, open, pnl, whole, depth)",
    "CREATE INDEX by_day ON days (day, symbol)",
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
        OSError, sqlite3.Error: there is none that can be read, or the folder has changed since its last look.
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


def in_memory(instead: Path) -> sqlite3.Connection:
    """Open an index in memory, and say so where it stands in for one in a folder that nobody may look into."""
    try:
        os.scandir(instead.parent).close()
    except PermissionError as error:
        told = f"cannot read {instead.parent}: {why(error)}; it goes on without, and reads every record anew"
        warnings.warn(told, RuntimeWarning, stacklevel=2)
    except OSError:
        pass  # it is not there, which costs time once
    return open_index(None)


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
        days = {(line.sorts_at[:10], line.symbol) for line, _ in changed}
        for at in range(0, len(names), 500):
            some = names[at : at + 500]
            marks = ",".join("?" * len(some))
            groups |= set(db.execute(f"SELECT DISTINCT {', '.join(GROUP)} FROM files WHERE name IN ({marks})", some))
            before = f"SELECT DISTINCT substr(sorts_at, 1, 10), symbol FROM files WHERE name IN ({marks})"
            days |= set(db.execute(before, some))
            db.execute(f"DELETE FROM files WHERE name IN ({marks})", some)
        db.executemany(
            f"INSERT INTO files ({', '.join(_COLUMNS)}) VALUES ({','.join('?' * len(_COLUMNS))})",
            ((*_stored(line), line.searched, *state) for line, state in changed),
        )
        _add_up(db, groups)
        _add_up_days(db, days)
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
            f"INSERT INTO totals SELECT {', '.join(GROUP)}, {SUMS} FROM files WHERE {same} GROUP BY {', '.join(GROUP)}",
            group,
        )


def _add_up_days(db: sqlite3.Connection, days: Iterable[tuple[str, str | None]]) -> None:
    for day, symbol in days:
        db.execute("DELETE FROM days WHERE day = ? AND symbol IS ?", (day, symbol))
        within = f"{DAY_SUMS} AND sorts_at >= ? AND sorts_at < ? AND symbol IS ? GROUP BY 1, 2"
        db.execute(f"INSERT INTO days {within}", (day, f"{day}~", symbol))


def _stored(line: RegistryLine) -> tuple[object, ...]:
    started = line.started_at and line.sorts_at  # which is that time as text
    return *line[:_STARTED], started, sortable(line.finished_at), *line[_STARTED + 2 : -1], json.dumps(line.tags)
