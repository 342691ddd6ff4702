"""The registry: one JSON file a session, and an index over them that can be deleted at any time.

The files are the truth; what lists and sums need of them is in the index, so that a question costs the same with a
hundred sessions and with a hundred thousand. A file that nobody can read is a row of its own.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Event, RLock, Thread
from typing import NamedTuple, TypeVar

from peaktrade_core.base.chain import Chain
from peaktrade_core.base.errors import ArtefactError, PeaktradeError, why
from peaktrade_core.base.files import SETTLED_NS, write_atomic
from peaktrade_core.records import index, lookups
from peaktrade_core.records.chain import STARTED, RegistryChain
from peaktrade_core.records.index import LastLook
from peaktrade_core.records.lookups import FACETS, Query
from peaktrade_core.records.rows import DaySum, FileState, RegistryLine, SymbolSum, line_of
from peaktrade_core.records.scan import FolderDiff, changes, folder_ns, read_file, read_line, state_of
from peaktrade_core.trading.records import UNREADABLE, SessionRecord, encode_record, read_record
from peaktrade_core.workspace.ledger import REGISTRY, Ledger
from peaktrade_core.workspace.workspace import Workspace

__all__ = ["ALL", "Query", "Registry", "RegistryEntry"]

EVERY_FILE_S = 2.0  # how long a look at every file is good for, at least [s]
SHARE = 50.0  # and at least so many times as long as such a look takes
QUICK_S = 0.02  # a look at every file that is no longer than this is worth it when a process begins [s]
BATCH = 4000  # files read before they are written to the index
ALL = Query()
Answer = TypeVar("Answer")


class RegistryEntry(NamedTuple):
    """One file of the registry: its record, or why it cannot be read."""

    path: Path
    record: SessionRecord | None
    fault: str | None

    @property
    def status(self) -> str:
        """The record's status, or ``unreadable``."""
        return self.record.status if self.record else UNREADABLE


class Registry:
    """Records of sessions in a folder.

    Every question looks first whether the folder changed, unless :meth:`kept_fresh` does that beside it.

    Args (of the constructor):
        folder: where the files are; chain: the log that holds their hashes.
        index: its file, in memory when that cannot be written; trust_s: how far an answer may lie behind the files [s].
    """

    def __init__(self, folder: Path, index: Path, chain: Chain, *, trust_s: float = 0.0) -> None:
        self.folder = folder
        self.chain = RegistryChain(chain)
        self.trust_s = trust_s
        self._index = index
        self._memory: sqlite3.Connection | None = None  # stands in for an index that cannot be used
        self._lock = RLock()  # one thread looks at a time; and the index in memory has one user
        self._looked_at = float("-inf")  # [s, monotonic]
        self._every_file_at: float | None = None  # when this process looked at every file [s since epoch]
        self._known: tuple[tuple[str, int], dict[str, FileState]] | None = None  # the index's content, by its version
        self._keepers = 0

    @classmethod
    def of(cls, workspace: Workspace) -> Registry:
        """Return the registry of a workspace, opened once."""
        records, cache = workspace.reports / "experiments" / "live_sessions", workspace.home / ".cache"
        return workspace.once(
            cls, lambda: cls(records, cache / "registry.sqlite", Ledger.of(workspace).section(REGISTRY))
        )

    def path_of(self, record: SessionRecord) -> Path:
        """Return the file of a record: ``<YYYYMMDDTHHMMSS>_<run_type>_<session_id>.json``."""
        started = record.started_at or record.created_at
        stamp = started.strftime("%Y%m%dT%H%M%S") if started else "00000000T000000"
        return self.folder / f"{stamp}_{record.run_type}_{record.session_id}.json"

    def write(self, record: SessionRecord, files: Mapping[str, str] | None = None) -> Path:
        """Write or replace a record and return its path: a finished one's hash first, its line in the index last.

        A ledger that cannot be written keeps no record back, which `peaktrade audit verify` then names; nor does the index.
        ``files``: SHA-256 of what does not change any more in its run folder, by name.

        Raises:
            EnvironmentFault: the folder cannot be written or the disk is full; an older record is untouched.
        """
        path, data = self.path_of(record), encode_record(record)
        if not (begins := record.status == STARTED):  # else nothing of it is acknowledged before it is written
            self.chain.enter(path.name, data, record, files or {})
        before = folder_ns(self.folder)
        write_atomic(path, data)
        with suppress(OSError, sqlite3.Error, UnicodeDecodeError, ArtefactError):
            self._feed(path, data, before)
        if begins:
            self.chain.enter(path.name, data, record, files or {})
        return path

    def lines(self, query: Query = ALL) -> list[RegistryLine]:
        """Return what lists show of the files that match, newest first; filters apply before the limit."""
        return self._ask(lambda db: lookups.select_lines(db, query))

    def lines_of(self, session_ids: Sequence[str]) -> dict[str, RegistryLine]:
        """Return the newest line of each of some sessions; those without a record are left out."""
        return self._ask(lambda db: lookups.lines_of(db, session_ids))

    def neighbours(self, session_id: str) -> tuple[str | None, str | None]:
        """Return the ids of the sessions that began next after a session and last before it."""
        return self._ask(lambda db: lookups.neighbours(db, session_id))

    def entries(self, query: Query = ALL) -> list[RegistryEntry]:
        """Return the files that match with all they hold, newest first; filters apply before the limit."""
        return [self.entry(line) for line in self.lines(query)]

    def find(self, session_id: str) -> RegistryEntry | None:
        """Return the newest entry of a session, or None."""
        line = self.lines_of([session_id]).get(session_id)
        return None if line is None else self.entry(line)

    def counts(self, column: str, query: Query = ALL) -> dict[str, int]:
        """Return how many entries there are for each value of ``mode``, ``status``, ``symbol`` or ``strategy``."""
        if column not in ("mode", "status", "symbol", "strategy"):
            raise ValueError(f"cannot count by {column!r}")
        rows = self._ask(lambda db: lookups.sums_by(db, query, (column,)))
        return {name: int(n) for name, n, *_ in rows if name is not None}

    def facets(
        self, columns: Sequence[str], query: Query = ALL, most: int = 30
    ) -> tuple[int, dict[str, list[tuple[str, int]]]]:
        """Return how many match, and the ``most`` commonest values of some :data:`lookups.FACETS`, as :func:`lookups.facets`."""
        if unknown := set(columns) - set(FACETS):
            raise ValueError(f"cannot count by {sorted(unknown)[0]!r}")
        return self._ask(lambda db: lookups.facets(db, query, columns, most))

    def combinations(self, query: Query = ALL) -> list[tuple[str | None, str | None, str | None, str | None, int]]:
        """Return each combination of mode, status, strategy and symbol that occurs, with how often."""
        rows = self._ask(lambda db: lookups.sums_by(db, query, ("mode", "status", "strategy", "symbol")))
        return [(*row[:4], int(row[4])) for row in rows]

    def count(self, query: Query = ALL) -> int:
        """Return how many entries match."""
        return sum(one.sessions for one in self.sums(query))

    def sums(self, query: Query = ALL) -> list[SymbolSum]:
        """Return figures over the matching entries by symbol; records without a figure do not count towards it."""
        rows = self._ask(lambda db: lookups.sums_by(db, query, ("symbol",)))
        return [
            SymbolSum(symbol, int(n), int(pnls), pnl, whole, int(depths), depth)
            for symbol, n, pnls, pnl, whole, depths, depth in rows
        ]

    def days(self, since: datetime | None = None) -> list[DaySum]:
        """Return figures over the readable records by the UTC day on which they began and by symbol, oldest first."""
        return self._ask(lambda db: lookups.sums_by_day(db, since))

    def refresh(self) -> None:
        """Bring the index up to date with the folder.

        Raises:
            EnvironmentFault: the folder of the records cannot be read.
        """
        self._with_index(lambda _: None, look=True)

    @contextmanager
    def kept_fresh(self, every_s: float = 1.0, first_s: float = 2.0) -> Iterator[None]:
        """Look at the folder beside the questions, which then never do; for processes that answer for long.

        Args:
            every_s: how far answers may lie behind the files [s].
            first_s: how long to wait for the first look, which reads everything when there is no index yet [s].
        """
        stop, ready = Event(), Event()

        def keep() -> None:
            while not stop.is_set():
                with suppress(PeaktradeError, sqlite3.Error):  # who asks is told
                    self._with_index(lambda _: None, look=True, pause=lambda: time.sleep(0.001))
                ready.set()
                stop.wait(every_s)

        thread = Thread(target=keep, name="registry", daemon=True)
        thread.start()
        ready.wait(first_s)
        self._keepers += 1
        try:
            yield
        finally:
            self._keepers -= 1
            stop.set()
            thread.join(2.0)

    def _feed(self, path: Path, data: bytes, before: int) -> None:
        """Enter a record that was just written into the index.

        An index that was up to date with the folder as it was ``before`` [ns since epoch] is so with the folder as it is
        now: whoever else wrote meanwhile enters theirs.
        """
        line = line_of(path.name, read_record(data)), state_of(path.stat())
        with self._lock, closing(index.open_index(self._index)) as db:
            self._write(db, [line], (), index.FolderChange(before, folder_ns(self.folder)))

    def entry(self, line: RegistryLine) -> RegistryEntry:
        """Return the entry of a line, read from its file."""
        path = self.folder / line.name
        if line.fault is not None:
            return RegistryEntry(path, None, line.fault)
        try:
            return RegistryEntry(path, read_file(path), None)
        except (OSError, ArtefactError) as error:
            return RegistryEntry(path, None, why(error))

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Return the answer of the index, brought up to date unless that is not due.

        Raises:
            EnvironmentFault: the folder of the records cannot be read.
        """
        due = not self._keepers and time.monotonic() - self._looked_at >= self.trust_s
        return self._with_index(question, look=due)

    def _with_index(
        self, question: Callable[[sqlite3.Connection], Answer], *, look: bool, pause: Callable[[], None] = lambda: None
    ) -> Answer:
        """Return what the index answers; a damaged one is made anew, one that cannot be used is replaced in memory.

        One that this process may not change is read as long as it is up to date.

        Raises:
            EnvironmentFault: the folder of the records cannot be read.
        """
        if look or self._memory is None:
            for _ in range(2):
                try:
                    with closing(index.open_index(self._index)) as db:
                        if look:
                            self._look(db, pause)
                        answer = question(db)
                except OSError:
                    break
                except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                    if not _damaged(error):
                        break
                    with suppress(OSError):
                        index.remove_index(self._index)
                    look = True
                else:
                    if look:
                        self._memory = None
                    return answer
        with (
            suppress(OSError, sqlite3.Error, UnicodeDecodeError),
            closing(index.open_reading(self._index, folder_ns(self.folder))) as db,
        ):
            return question(db)
        with self._lock:
            if self._memory is None:
                self._memory, look = index.in_memory(self._index), True
            if look:
                self._look(self._memory, pause)
            return question(self._memory)

    def _look(self, db: sqlite3.Connection, pause: Callable[[], None]) -> None:
        """Read the files that are new or changed since the last look and forget those that are gone.

        Records are replaced by renaming, which changes the folder and the file's inode; so an unchanged folder is not
        listed, and only now and then, should somebody have edited a file in place, is every file looked at.
        """
        with self._lock:
            before, now, at = index.last_look(db), time.time(), folder_ns(self.folder)
            settled = time.time_ns() - at > SETTLED_NS
            every_file = self._every_file_is_due(before, now)
            if every_file or not settled or at != before.folder_ns:
                known = self._content(db, before)
                found = changes(self.folder, known, every_file=every_file, pause=pause)
                self._take(db, found, pause)
                after = before._replace(folder_ns=at if settled else -1)
                if every_file:
                    self._every_file_at = now
                    after = after._replace(full_at=now, full_s=found.seconds)
                if after.folder_ns != before.folder_ns or after.full_s > QUICK_S:
                    self._write(db, (), (), after)
            self._looked_at = time.monotonic()

    def _every_file_is_due(self, before: LastLook, now: float) -> bool:
        """Return whether it is time to ask for the time and size of every file."""
        if self._every_file_at is None and before.full_s <= QUICK_S:
            return True
        age = now - max(before.full_at, self._every_file_at or 0.0)
        return not 0.0 <= age < max(EVERY_FILE_S, SHARE * before.full_s)

    def _content(self, db: sqlite3.Connection, look: LastLook) -> dict[str, FileState]:
        """Return what the index knows of each file, read again only when somebody else changed the index."""
        version = (look.token, look.generation)
        if self._known is None or self._known[0] != version:
            self._known = (version, index.known_files(db))
        return self._known[1]

    def _take(self, db: sqlite3.Connection, found: FolderDiff, pause: Callable[[], None]) -> None:
        """Read what changed, the newest first, and write it to the index."""
        gone, batch = list(found.gone), list[tuple[RegistryLine, FileState]]()
        for number, (name, item) in enumerate(found.changed.items(), 1):
            line = read_line(name, item)
            if line is not None:
                batch.append(line)
            elif self._known and name in self._known[1]:
                gone.append(name)
            if number % 20 == 0:
                pause()
            if len(batch) == BATCH:
                self._write(db, batch, gone, None)
                gone, batch = [], []
        if batch or gone:
            self._write(db, batch, gone, None)

    def _write(
        self,
        db: sqlite3.Connection,
        batch: Sequence[tuple[RegistryLine, FileState]],
        gone: Sequence[str],
        look: LastLook | index.FolderChange | None,
    ) -> None:
        """Write to the index and to what is known of it."""
        before, self._known = self._known, None
        index.apply(db, batch, gone, look)
        after = index.last_look(db)
        if before is not None and (after.token, after.generation - bool(batch or gone)) == before[0]:
            for name in gone:
                before[1].pop(name, None)
            before[1].update((line.name, state) for line, state in batch)
            self._known = ((after.token, after.generation), before[1])


def _damaged(error: sqlite3.DatabaseError | UnicodeDecodeError) -> bool:
    """Return whether an error speaks of a damaged index, in bytes that are no text, or of one without the tables of ours."""
    return (
        type(error) in (sqlite3.DatabaseError, UnicodeDecodeError)
        or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    )
