"""The shares of all running sessions in one small file: each changes its own while it sees everybody else's.

A transaction holds the file for some tens of microseconds; two sessions never decide at once. A share counts as long as
the run's own lock is held, so what a killed process had reserved is free the moment it is gone. The file holds nothing
that outlives the sessions: it may be deleted while none runs.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

from peaktrade_core.base.errors import AccountUnavailable
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.trading.account import Share
from peaktrade_core.workspace.workspace import Workspace

VERSION = 1
PATIENCE_S = 0.5  # how long a session waits for another one's transaction
_COLUMNS = ", ".join(Share._fields)
_SCHEMA = (
    "CREATE TABLE share (run_id TEXT PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, position REAL NOT NULL, "
    "price REAL NOT NULL, exposure REAL NOT NULL, day_equity REAL NOT NULL, equity REAL NOT NULL, at REAL NOT NULL)"
)
_PUT = f"INSERT OR REPLACE INTO share ({_COLUMNS}) VALUES ({', '.join('?' * len(Share._fields))})"
T = TypeVar("T")


class _Open(NamedTuple):
    """An open file and which one it is, for it may be replaced under us."""

    db: sqlite3.Connection
    inode: int


class AccountFile:
    """The file of all accounts of a workspace.

    Args (of the constructor):
        path: ``reports/live/account.sqlite``.
        alive: whether the process of a run lives.
    """

    def __init__(self, path: Path, alive: Callable[[str], bool]) -> None:
        self.path = path
        self._alive = alive
        self._file: _Open | None = None

    @classmethod
    def of(cls, workspace: Workspace) -> AccountFile:
        """Return the file of a workspace; a new one for each that asks."""
        return cls(
            workspace.reports / "live" / "account.sqlite", lambda run_id: RunFolder(workspace.runs, run_id).alive()
        )

    def change(self, run_id: str, account: str, decide: Callable[[list[Share]], tuple[T, Share | None]]) -> T:
        """Show ``decide`` the others' shares and write the one that it returns, with nobody in between.

        Args:
            run_id: whose share may change.
            account: whose others are shown.
            decide: returns the answer of this call and the new share, or None to leave it as it is.

        Raises:
            AccountUnavailable: the file cannot be used, or others hold it for long.
        """
        try:
            db = self._ready()
            self._begin(db)
            try:
                answer, share = decide(self._others(db, run_id, account))
                if share is not None:
                    db.execute(_PUT, share)
            except BaseException:
                db.rollback()
                raise
            db.commit()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise self._unavailable(error) from error
        return answer

    def remove(self, run_id: str) -> None:
        """Take a session's share out; raises as :meth:`change`."""
        try:
            if not self.path.exists():
                return
            db = self._ready()
            self._begin(db)
            db.execute("DELETE FROM share WHERE run_id = ?", (run_id,))
            db.commit()
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error
        finally:
            self.close()

    def shares(self) -> list[Share]:
        """Return the shares of the sessions that run, by account and run; nothing is written.

        Raises:
            AccountUnavailable: the file is there and cannot be read.
        """
        try:
            if not self.path.exists():
                return []
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)) as db:
                if _version(db) == 0:
                    return []
                found = db.execute(f"SELECT {_COLUMNS} FROM share ORDER BY account, run_id").fetchall()
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(error) from error
        return [share for share in map(Share._make, found) if self._alive(share.run_id)]

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if self._file is not None:
            self._file.db.close()
            self._file = None

    def _others(self, db: sqlite3.Connection, run_id: str, account: str) -> list[Share]:
        """Return the shares of the others that live, and forget those whose process is gone."""
        found = db.execute(f"SELECT {_COLUMNS} FROM share WHERE account = ? AND run_id <> ?", (account, run_id))
        living = []
        for share in map(Share._make, found.fetchall()):
            if self._alive(share.run_id):
                living.append(share)
            else:
                db.execute("DELETE FROM share WHERE run_id = ?", (share.run_id,))
        return living

    def _ready(self) -> sqlite3.Connection:
        """Return the open file; opened anew when another one has taken its place."""
        if self._file is not None:
            try:
                if os.stat(self.path).st_ino == self._file.inode:
                    return self._file.db
            except FileNotFoundError:
                pass
            self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
            self._file = _Open(db, os.stat(self.path).st_ino)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Put the schema in place; write-ahead, because a killed process must leave no journal to be rolled back."""
        if _version(db) == 0:
            _patiently(lambda: db.execute("PRAGMA journal_mode = WAL"))
            self._begin(db)
            if _version(db) == 0:
                db.execute(_SCHEMA)
                db.execute(f"PRAGMA user_version = {VERSION}")
            db.commit()
        db.execute("PRAGMA synchronous = NORMAL")
        if _version(db) != VERSION:
            raise sqlite3.DatabaseError(f"it is of version {_version(db)}, not {VERSION}")

    def _begin(self, db: sqlite3.Connection) -> None:
        _patiently(lambda: db.execute("BEGIN IMMEDIATE"))

    def _unavailable(self, error: Exception) -> AccountUnavailable:
        """Return the error that says what is wrong and what to do."""
        return AccountUnavailable(
            f"the account {self.path} cannot be used: {error}; no order is opened. If it stays so, stop all sessions, "
            "delete that file, and start them again"
        )


def _version(db: sqlite3.Connection) -> int:
    """Return the schema's version, 0 for a new file."""
    return int(_patiently(lambda: db.execute("PRAGMA user_version")).fetchone()[0])


def _patiently(step: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
    """Try until others let go of the file.

    The library's own waiting doubles its pauses, so that one of many that ask all the time may starve.

    Raises:
        sqlite3.OperationalError: it takes longer than ``PATIENCE_S``.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() >= until:
                raise
        time.sleep(random.uniform(0.0002, 0.002))  # noqa: S311 - only keeps those who wait from marching in step
