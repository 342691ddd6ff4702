"""The registry: one JSON file a session, and an index over them that can be deleted at any time.

The files are the truth. The index (sqlite) remembers what each file held and when it changed, so that a question costs
the same with a hundred sessions and with a hundred thousand. A file that nobody can read is a row of its own.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISFIFO
from typing import Any, NamedTuple

from peaktrade_core.adapters.files import write_atomic
from peaktrade_core.domain.clock import as_utc
from peaktrade_core.domain.errors import ArtefactError, EnvironmentFault
from peaktrade_core.domain.records import UNREADABLE, SessionRecord, encode_record, read_record

INDEX_VERSION = 2
TRUST_S = 2.0  # how long a look at every file is good for [s]
UNSEEN = (-1, 0.0)
SETTLED_NS = 50_000_000  # a folder that changed just now may change again within the clock's grain [ns]
_SCHEMA = (
    "DROP TABLE IF EXISTS files",
    """CREATE TABLE files (
        name TEXT PRIMARY KEY, mtime_ns INTEGER, size INTEGER, session_id TEXT, started_at TEXT, mode TEXT, status TEXT,
        run_type TEXT, symbol TEXT, strategy TEXT, realized_pnl REAL, max_drawdown REAL, fault TEXT, data BLOB
    ) WITHOUT ROWID""",
    "CREATE INDEX by_start ON files (started_at DESC, name DESC)",
    "CREATE INDEX by_session ON files (session_id)",
    "CREATE INDEX by_status ON files (status, started_at DESC)",
    "CREATE INDEX by_mode ON files (mode, started_at DESC)",
)


class Entry(NamedTuple):
    """One file of the registry: its record, or why it cannot be read."""

    path: Path
    record: SessionRecord | None
    fault: str | None

    @property
    def status(self) -> str:
        """The record's status, or ``unreadable``."""
        return self.record.status if self.record else UNREADABLE


class Query(NamedTuple):
    """Which records to return, newest first; None means any. ``limit`` None means all."""

    limit: int | None = None
    mode: str | None = None
    status: str | None = None
    run_type: str | None = None
    symbol: str | None = None
    strategy: str | None = None


ALL = Query()


class Registry:
    """Records of sessions in a folder.

    Args (of the constructor):
        folder: where the files are.
        index: file of the index; kept in memory when it cannot be written.
    """

    def __init__(self, folder: Path, index: Path) -> None:
        self.folder = folder
        self._index = index
        self._seen = UNSEEN  # the folder's own mtime at the last look [ns], and when that was [s, monotonic]

    def path_of(self, record: SessionRecord) -> Path:
        """Return the file of a record: ``<YYYYMMDDTHHMMSS>_<run_type>_<session_id>.json``."""
        started = record.started_at or record.created_at
        stamp = started.strftime("%Y%m%dT%H%M%S") if started else "00000000T000000"
        return self.folder / f"{stamp}_{record.run_type}_{record.session_id}.json"

    def write(self, record: SessionRecord) -> Path:
        """Write or replace a record and return its path.

        Raises:
            EnvironmentFault: the folder cannot be written or the disk is full; an older record is untouched.
        """
        path = self.path_of(record)
        write_atomic(path, encode_record(record))
        return path

    def entries(self, query: Query = ALL) -> list[Entry]:
        """Return the entries that match, newest first; filters apply before the limit."""
        source, values = _selection(query)
        return [self._entry(*row) for row in self._ask(f"SELECT name, fault, data FROM {source}", values)]

    def find(self, session_id: str) -> Entry | None:
        """Return the newest entry of a session, or None."""
        sql = "SELECT name, fault, data FROM files WHERE session_id = ? ORDER BY started_at DESC, name DESC LIMIT 1"
        rows = self._ask(sql, (session_id,))
        return self._entry(*rows[0]) if rows else None

    def counts(self, column: str, query: Query = ALL) -> dict[str, int]:
        """Return how many entries there are for each value of ``mode``, ``status``, ``symbol`` or ``strategy``."""
        if column not in ("mode", "status", "symbol", "strategy"):
            raise ValueError(f"cannot count by {column!r}")
        source, values = _selection(query)
        rows = self._ask(f"SELECT {column}, count(*) FROM {source} GROUP BY 1 ORDER BY 1", values)
        return {name: n for name, n in rows if name is not None}

    def sums(self, query: Query = ALL) -> tuple[int, float, float | None]:
        """Return the number of matching entries, the sum of their realized PnL and the mean of their maximum drawdown.

        Records without the figure do not count towards it; the mean is None when none has one.
        """
        source, values = _selection(query)
        rows = self._ask(f"SELECT count(*), total(realized_pnl), avg(max_drawdown) FROM {source}", values)
        n, pnl, drawdown = rows[0]
        return n, pnl, drawdown

    def _entry(self, name: str, fault: str | None, data: bytes | None) -> Entry:
        """Return an entry from a row of the index."""
        return Entry(self.folder / name, None if data is None else read_record(data), fault)

    def _ask(self, sql: str, values: tuple[str | int, ...]) -> list[Any]:
        """Bring the index up to date with the folder and return the rows of a statement.

        A damaged index is made anew; when it cannot be used at all (read-only, locked for long), one in memory answers.

        Raises:
            EnvironmentFault: the folder of the records cannot be read.
        """
        for _ in range(2):
            try:
                with closing(self._open()) as db:
                    return self._answer(db, sql, values)
            except OSError:
                break
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # its subclasses do not speak of a damaged file
                    break
                with suppress(OSError):
                    self._index.unlink()
        with closing(self._prepared(sqlite3.connect(":memory:"))) as memory:
            return self._answer(memory, sql, values)

    def _open(self) -> sqlite3.Connection:
        """Open the index file.

        Raises:
            OSError, sqlite3.Error: it cannot be created, or is damaged or of another version.
        """
        self._index.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._index, timeout=10.0)
        try:
            return self._prepared(db)
        except BaseException:
            db.close()
            raise

    def _answer(self, db: sqlite3.Connection, sql: str, values: tuple[str | int, ...]) -> list[Any]:
        """Return the rows of a statement after a look at the folder."""
        try:
            self._refresh(db)
            return db.execute(sql, values).fetchall()
        except BaseException:
            self._seen = UNSEEN
            raise

    def _prepared(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """Return the connection with the schema in place.

        Raises:
            sqlite3.DatabaseError: the file is damaged or of another version.
        """
        if _version(db) == 0:
            self._seen = UNSEEN
            with db:
                db.execute("BEGIN IMMEDIATE")
                if _version(db) == 0:  # nobody else made it meanwhile
                    for statement in _SCHEMA:
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {INDEX_VERSION}")
        if _version(db) != INDEX_VERSION:
            raise sqlite3.DatabaseError("index of another version")
        return db

    def _refresh(self, db: sqlite3.Connection) -> None:
        """Read the files that are new or changed since the last look and forget those that are gone.

        Records are replaced by renaming, which changes the folder, so an unchanged folder needs no second look within
        ``TRUST_S``; after that every file is looked at again, should somebody have edited one in place.
        """
        changed_at, looked_at = _mtime_ns(self.folder), time.monotonic()
        settled = time.time_ns() - changed_at > SETTLED_NS
        if settled and changed_at == self._seen[0] and looked_at - self._seen[1] < TRUST_S:
            return
        seen = {name: (mtime, size) for name, mtime, size in db.execute("SELECT name, mtime_ns, size FROM files")}
        changed: list[tuple[Any, ...]] = []
        for item, stat in _scan(self.folder):
            if seen.pop(_shown(item), None) != (stat.st_mtime_ns, stat.st_size):
                changed.append(_row(item, stat))
        if changed or seen:
            with db:
                db.executemany("DELETE FROM files WHERE name = ?", [(name,) for name in seen])
                db.executemany(f"INSERT OR REPLACE INTO files VALUES ({','.join('?' * 14)})", changed)
        self._seen = (changed_at, looked_at) if settled else UNSEEN


def _selection(query: Query) -> tuple[str, tuple[str | int, ...]]:
    """Return the part of a statement that selects a query's rows, newest first, and its values."""
    given = {k: v for k, v in query._asdict().items() if k != "limit" and v is not None}
    where = " WHERE " + " AND ".join(f"{column} = ?" for column in given) if given else ""
    limit = -1 if query.limit is None else query.limit
    return f"(SELECT * FROM files{where} ORDER BY started_at DESC, name DESC LIMIT ?)", (*given.values(), limit)


def _version(db: sqlite3.Connection) -> int:
    """Return the version of the index, 0 for an empty file."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def _mtime_ns(folder: Path) -> int:
    """Return when the folder last changed [ns since epoch], 0 when there is none."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _scan(folder: Path) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    """Yield the registry's files; one that vanishes meanwhile is left out, a missing folder is an empty one.

    Raises:
        EnvironmentFault: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as items:
            for item in items:
                if item.name.endswith(".json") and not item.name.startswith("."):
                    with suppress(FileNotFoundError):
                        yield item, _stat(item)
    except FileNotFoundError:
        return
    except OSError as error:
        raise EnvironmentFault(f"cannot read the registry {folder}: {error.strerror or error}") from error


def _stat(item: os.DirEntry[str]) -> os.stat_result:
    """Return what the system says of a file, or of the link itself when that leads nowhere."""
    try:
        return item.stat()
    except OSError:
        return item.stat(follow_symlinks=False)


def _shown(item: os.DirEntry[str]) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return os.fsencode(item.name).decode("utf-8", "replace")


def _row(item: os.DirEntry[str], stat: os.stat_result) -> tuple[Any, ...]:
    """Read one file into a row of the index."""
    name = _shown(item)
    known = (name, stat.st_mtime_ns, stat.st_size)
    try:
        if S_ISFIFO(stat.st_mode):
            raise ArtefactError("is a pipe, not a file")
        data = Path(item.path).read_bytes()
        record = read_record(data)
    except (OSError, ArtefactError) as error:
        return (*known, None, _stamp_of(name), None, UNREADABLE, *(None,) * 5, str(error), None)
    strategy = record.setting("strategy_name")
    return (
        *known,
        record.session_id,
        _sortable(record.started_at or record.created_at) or _stamp_of(name),
        record.mode,
        record.status,
        record.run_type,
        record.symbol,
        strategy if isinstance(strategy, str) else None,
        _real(record.metric("realized_pnl")),
        _real(record.metric("max_drawdown")),
        None,
        data,
    )


def _real(value: float | None) -> float | None:
    """Return a figure as the index keeps it; a whole number may be longer than its integers."""
    return None if value is None else float(value)


def _sortable(moment: datetime | None) -> str | None:
    """Return a time as text that sorts like the time, to the microsecond: many sessions begin within a second."""
    return None if moment is None else as_utc(moment).isoformat(timespec="microseconds")


def _stamp_of(name: str) -> str:
    """Return the time that a file's name begins with, as text that sorts with the others, or the beginning of time."""
    try:
        moment = datetime.strptime(name[:15], "%Y%m%dT%H%M%S")
    except ValueError:
        moment = datetime.min
    return moment.replace(tzinfo=UTC).isoformat(timespec="microseconds")
