"""The one read side: what dashboards, API, command line, reports and checks ask. Nothing else reads artefacts.

Every figure that a person can see comes from a function here, so all of them show the same one. A list never reads a whole
journal. Reading recovers nothing and writes nothing; a run that cannot be read is a row that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import LATEST, ArtefactError, EnvironmentFault, SessionNotFoundError
from peaktrade_core.base.files import FileCache, Names
from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.records.archive import RunArchive
from peaktrade_core.records.folder import RunFolder, is_id, stamp_of_id
from peaktrade_core.records.journal import Tail, read_journal, read_tail
from peaktrade_core.records.registry import ALL, Query, Registry
from peaktrade_core.records.rows import RegistryLine
from peaktrade_core.runs.curves import WHOLE, BarColumns, Curves, TimeRange
from peaktrade_core.runs.detail import JournalDetail, Look
from peaktrade_core.runs.run import ENDED, Run
from peaktrade_core.runs.standing import RunAlert, alerts_of, lost, odd_alert, recorded, standing
from peaktrade_core.runs.sums import Day, Stats, days_of, stats_of
from peaktrade_core.trading.events import AnyEvent, BarDone
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

LOOK_BACK = timedelta(hours=24)  # what "lately" means in the questions
AHEAD_S = 5.0  # clocks of two machines may differ so much [s]
AHEAD = "it began at a time that has not come: the clock was ahead, so that it does not count as the latest"
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_DETAILS_KEPT, _COLUMNS_KEPT = 16, 4  # of large runs they take memory: up to some 20 MB each
_FEW = 500  # runs whose folders are looked for one by one; for more, all folders are listed


class Views:
    """Questions over one workspace's registry and run folders.

    Args (of the constructor):
        registry: the records; folder: where run folders are; archive: where retention puts them.
        clock: what "as of" means.
    """

    def __init__(self, registry: Registry, folder: Path, archive: RunArchive, clock: Clock) -> None:
        self.registry, self.folder, self.archive, self._clock = registry, folder, archive, clock
        self._folders = Names(folder, lambda item: is_id(item.name) and item.is_dir())
        self.details: FileCache[JournalDetail] = FileCache(_DETAILS_KEPT)
        self.columns: FileCache[BarColumns] = FileCache(_COLUMNS_KEPT)

    @classmethod
    def of(cls, workspace: Workspace) -> Views:
        """Return the read side of a workspace, opened once."""
        archive = RunArchive.of(workspace)
        return workspace.once(cls, lambda: cls(Registry.of(workspace), workspace.runs, archive, workspace.clock))

    def now(self) -> datetime:
        """Return the time that "as of" means."""
        return self._clock.now()

    def chain_head(self) -> str:
        """Return the head of the ledger, empty before its first entry, ``broken`` where it cannot be read."""
        try:
            last = self.registry.chain.chain.last()
        except (ArtefactError, EnvironmentFault):
            return "broken"
        return last[1] if last else ""

    def rows(self, query: Query = ALL) -> list[Run]:
        """Return the recorded runs that match, newest first; a file that cannot be read is ``unreadable``."""
        lines = self.registry.lines(query)
        there = self._there([line.session_id or "" for line in lines])
        now = self.now()
        return [self.standing(line.session_id or "", line, (line.session_id or "") in there, now) for line in lines]

    def recorded_runs(self, run_ids: Sequence[str]) -> list[Run]:
        """Return some recorded runs in the order in which they are asked for; those without a record are left out."""
        lines, now = self.registry.lines_of(run_ids), self.now()
        return [self.standing(one, lines[one], self._exists(one), now) for one in run_ids if one in lines]

    def runs(self, limit: int | None = None) -> list[Run]:
        """Return the newest runs, those with a live process first; folders without a record are among them.

        Runs that began at a time that has not come are the last: see :meth:`latest`.
        """
        now, folders = self.now(), self._folders()
        found = self.registry.lines(Query(limit=limit, until=now)) + self.registry.lines(Query(limit=limit, since=now))
        lines = {line.session_id: line for line in found if line.session_id}
        lines |= {line.session_id: line for line in self.registry.lines(Query(status="started")) if line.session_id}
        newest = sorted(folders, key=stamp_of_id, reverse=True)[:limit]
        lines |= self.registry.lines_of([run_id for run_id in newest if run_id not in lines])
        runs = [self.standing(run_id, lines.get(run_id), run_id in folders, now) for run_id in {*newest, *lines}]
        runs.sort(
            key=lambda run: (run.active, not ahead(run, now), run.started_at or _BEGINNING, run.run_id), reverse=True
        )
        return runs[:limit]

    def run(self, run_id: str) -> Run:
        """Return one run.

        Raises:
            SessionNotFoundError: there is neither a folder nor a record of that id.
        """
        return self.look(run_id).run

    def look(self, run_id: str) -> Look:
        """Return a look at one run, which reads each of its files once; raises as :meth:`run`."""
        line = self.registry.lines_of([run_id]).get(run_id)
        there = self._exists(run_id)
        if line is None and not there:
            raise self._no_run(run_id)
        return Look(self, line, self.standing(run_id, line, there, self.now()))

    def record(self, session_id: str) -> SessionRecord:
        """Return a session's newest record.

        Raises:
            SessionNotFoundError: no record has that id.
        """
        entry = self.registry.find(session_id)
        if entry is None or entry.record is None:
            raise self.no_record(session_id)
        return entry.record

    def count(self, query: Query = ALL) -> int:
        """Return how many records match, whatever the query's limit."""
        return self.registry.count(query._replace(limit=None))

    def recently(self, query: Query = ALL) -> Query:
        """Return what asks for those of a query's sessions that began in the last 24 hours."""
        return query._replace(since=self.now() - LOOK_BACK)

    def stats(self, query: Query = ALL) -> Stats:
        """Return figures over the matching records."""
        counts = self.registry.counts
        return stats_of(self.registry.sums(query), counts("mode", query), counts("status", query))

    def daily(self, since: datetime | None = None) -> list[Day]:
        """Return the sessions by the UTC day on which they began and by currency, oldest first.

        Args:
            since: nothing that began earlier.
        """
        return days_of(self.registry.days(since))

    def latest(self, query: Query = ALL) -> SessionRecord | None:
        """Return the newest record that matches, None when there is none.

        One that began at a time that has not come was written while the clock was ahead. How old it is cannot be told, so
        it is the newest only where there is no other.
        """
        now = self._clock.now() + timedelta(seconds=AHEAD_S) if type(self._clock) is SystemClock else None
        for until in dict.fromkeys((now, None)):
            for limit in (1, 100, None):  # unreadable files may stand before it
                entries = self.registry.entries(query._replace(limit=limit, until=until))
                if found := next((entry.record for entry in entries if entry.record), None):
                    return found
        return None

    def resolve(self, session_id: str) -> str:
        """Return the id that ``latest`` stands for, or the id itself.

        Raises:
            SessionNotFoundError: ``latest`` of an empty registry, or an id without a record.
        """
        if session_id != LATEST:
            self.check_recorded(session_id)
            return session_id
        latest = self.latest()
        if latest is None:
            raise self.no_record(session_id)
        return latest.session_id

    def meant(self, named: str) -> str:
        """Return the id that ``latest`` stands for; any other name, of a run or of something else, as it is.

        Raises:
            SessionNotFoundError: ``latest``, and there is no session yet.
        """
        return self.resolve(named) if named == LATEST else named

    def check_recorded(self, session_id: str) -> None:
        """Refuse an id without a record.

        Raises:
            SessionNotFoundError: no record has that id; says what there is.
        """
        if not self.registry.lines_of([session_id]):
            raise self.no_record(session_id)

    def neighbours(self, session_id: str) -> tuple[str | None, str | None]:
        """Return the ids of the sessions that began next after a session and last before it, None where none did."""
        return self.registry.neighbours(session_id)

    def curves(self, run_id: str, points: int = 2000, stretch: TimeRange = WHOLE) -> Curves:
        """Return price, equity, drawdown and position of a run, or a range of it, about ``points`` bars at most.

        Raises:
            SessionNotFoundError: there is neither a folder nor a record of that id.
            ConfigError: the range ends before it begins.
        """
        return self.look(run_id).curves(points, stretch)

    def events(self, session_id: str) -> list[AnyEvent]:
        """Return the events of a session's journal.

        Raises:
            SessionNotFoundError: no record has that id.
            ArtefactError: it has no journal, or a broken one.
        """
        return list(self.each_event(session_id))

    def each_event(self, session_id: str) -> Iterator[AnyEvent]:
        """Yield the events one by one, up to the first that cannot be read; raises as :meth:`events`, then."""
        self.record(session_id)
        yield from read_journal(self.run_folder(session_id).journal)

    def run_folder(self, run_id: str) -> RunFolder:
        """Return the folder of a run, out of the archive where retention has put it there.

        Raises:
            SessionNotFoundError: there is neither a folder nor a record of that id.
            ArtefactError: the folder is gone, the archive cannot be unpacked, or the id names no folder.
        """
        if self._exists(run_id):
            return RunFolder(self.folder, run_id)
        if self.archive.holds(run_id):
            return self.archive.open(run_id)
        if not self.registry.lines_of([run_id]):
            raise self._no_run(run_id)
        if not is_id(run_id):
            raise ArtefactError(f"{run_id!r} does not name a run folder, so it has no journal and no bars")
        raise ArtefactError(
            f"the run folder {self.folder / run_id} is gone: retention or a person removed it, "
            "logs/operations.log may say who. What the record says is all there is"
        )

    def tail(self, run_id: str, limit: int) -> list[BarDone]:
        """Return the last bars of a run, oldest first; raises as :meth:`journal_tail`."""
        return [event for event in self.journal_tail(run_id, limit, BarDone).events if type(event) is BarDone]

    def tail_events(self, run_id: str, limit: int) -> list[AnyEvent]:
        """Return the last events of a run, oldest first; raises as :meth:`journal_tail`."""
        return self.journal_tail(run_id, limit).events

    def journal_tail(self, run_id: str, limit: int, kind: type[AnyEvent] | None = None) -> Tail:
        """Return the last events of a run and what could not be read among them.

        Raises:
            SessionNotFoundError: there is no folder of that id.
            ArtefactError: it has no journal, or none that can be read.
        """
        return read_tail(self.run_folder(run_id).journal, limit, kind)

    def run_alerts(self, run_id: str, limit: int) -> list[RunAlert]:
        """Return the last alerts of a run, newest first; lines that cannot be read are alerts that say so.

        Raises:
            SessionNotFoundError: there is neither a folder nor a record of that id.
        """
        try:
            return alerts_of(self.run_folder(run_id).path / "alerts.jsonl", run_id, limit)
        except ArtefactError as error:
            return [odd_alert(run_id, str(error))]

    def standing(self, run_id: str, line: RegistryLine | None, has_folder: bool, now: datetime) -> Run:
        """Return how a run stands: from its record and, unless that says how it ended, from its folder."""
        if line is not None and (line.status in ENDED or line.fault is not None):
            run = recorded(line, "" if has_folder or line.fault is not None else self.archive.told(run_id))
        elif has_folder:
            run = standing(RunFolder(self.folder, run_id), line, now)
        else:
            assert line is not None
            run = lost(line, self.folder / run_id)
        return (
            msgspec.structs.replace(run, notes="; ".join(filter(None, (run.notes, AHEAD)))) if ahead(run, now) else run
        )

    def no_record(self, session_id: str) -> SessionNotFoundError:
        """Return the error that a session has no record."""
        known = [run.run_id for run in self.rows(Query(limit=3))]
        if session_id == LATEST and not known:
            return SessionNotFoundError("there is no session yet: `peaktrade session run`")
        return SessionNotFoundError(
            f"no session {session_id!r} in the registry; "
            + (f"the newest are: {', '.join(known)}" if known else "it is empty: run `peaktrade session run`")
        )

    def _no_run(self, run_id: str) -> SessionNotFoundError:
        """Return the error that there is no run of an id."""
        return SessionNotFoundError(f"no run {run_id!r} in {self.folder}; `peaktrade session list` shows what there is")

    def _there(self, run_ids: Sequence[str]) -> Collection[str]:
        """Return those of some runs that have a folder."""
        return self._folders() if len(run_ids) > _FEW else {run_id for run_id in run_ids if self._exists(run_id)}

    def _exists(self, run_id: str) -> bool:
        """Return whether a run has a folder."""
        return is_id(run_id) and (self.folder / run_id).is_dir()


def ahead(run: Run, now: datetime) -> bool:
    """Return whether a run says that it begins later than now, by more than two processes may differ."""
    return run.started_at is not None and (run.started_at - now).total_seconds() > AHEAD_S
