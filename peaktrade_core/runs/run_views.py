"""The read side of runs: which there are, whether their processes live, and how they stand right now.

A list never reads a journal: figures of a running session come from its heartbeat, those of a finished one from its
record. Reading recovers nothing and writes nothing; a run that cannot be read is a row that says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ArtefactError, SessionNotFoundError
from peaktrade_core.base.folders import SETTLED_NS
from peaktrade_core.base.tails import newest_lines
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.records.journal import Tail, read_tail
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.records.rows import Line
from peaktrade_core.runs.run_rows import (
    ACTIVE,
    DIED,
    ENDED,
    RUNNING,
    SILENT,
    RunAlert,
    RunRow,
    finished_row,
    odd_alert,
    read_alert,
    unfinished_row,
)
from peaktrade_core.trading.events import AnyEvent, BarDone
from peaktrade_core.trading.records import UNREADABLE

__all__ = ["ACTIVE", "DIED", "ENDED", "RUNNING", "SILENT", "RunAlert", "RunRow", "RunViews"]

_BEGINNING = datetime.min.replace(tzinfo=UTC)


class RunViews:
    """Questions over the run folders of a workspace.

    Args (of the constructor):
        registry: what is recorded of them.
        folder: where the run folders are; run_folder: opens one.
        clock: tells how long a run has been silent.
    """

    def __init__(self, registry: Registry, folder: Path, run_folder: Callable[[str], RunFolder], clock: Clock) -> None:
        self._registry = registry
        self._base = folder
        self._open = run_folder
        self._clock = clock
        self._listed = (-1, frozenset[str]())  # when the folder changed [ns since epoch], and the runs in it then

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """Return the newest runs, those with a live process first; folders without a record are among them."""
        now = self._clock.now()
        folders = self._folders()
        lines = {line.session_id: line for line in self._registry.lines(Query(limit=limit)) if line.session_id}
        lines |= {line.session_id: line for line in self._registry.lines(Query(status="started")) if line.session_id}
        newest = sorted(folders, key=_stamp, reverse=True)[:limit]
        lines |= self._registry.lines_of([run_id for run_id in newest if run_id not in lines])
        rows = [self._row(run_id, lines.get(run_id), run_id in folders, now) for run_id in {*newest, *lines}]
        rows.sort(key=lambda row: (row.state in ACTIVE, row.started_at or _BEGINNING, row.run_id), reverse=True)
        return rows[:limit]

    def run(self, run_id: str) -> RunRow:
        """Return one run.

        Raises:
            SessionNotFoundError: there is neither a folder nor a record of that id.
        """
        line = self._registry.lines_of([run_id]).get(run_id)
        there = self._exists(run_id)
        if line is None and not there:
            raise SessionNotFoundError(
                f"no run {run_id!r} in {self._base}; `peaktrade session list` shows what there is"
            )
        return self._row(run_id, line, there, self._clock.now())

    def tail(self, run_id: str, limit: int) -> list[BarDone]:
        """Return the last bars of a run, oldest first; raises as :meth:`journal_tail`."""
        return [event for event in self.journal_tail(run_id, limit, BarDone).events if type(event) is BarDone]

    def tail_events(self, run_id: str, limit: int) -> list[AnyEvent]:
        """Return the last events of a run, oldest first; raises as :meth:`journal_tail`."""
        return self.journal_tail(run_id, limit).events

    def journal_tail(self, run_id: str, limit: int, kind: type[AnyEvent] | None = None) -> Tail:
        """Return the last events of a run and what could not be read among them.

        Raises:
            SessionNotFoundError: there is no such run.
            ArtefactError: it has no journal, or none that can be read.
        """
        return read_tail(self._folder_of(run_id).journal, limit, kind)

    def run_alerts(self, run_id: str, limit: int) -> list[RunAlert]:
        """Return the last alerts of a run, newest first; lines that cannot be read are alerts that say so.

        Raises:
            SessionNotFoundError: there is no such run.
        """
        path = self._folder_of(run_id).path / "alerts.jsonl"
        if not path.exists():
            return []
        found: list[RunAlert] = []
        try:
            for line in newest_lines(path):
                if len(found) >= limit:
                    break
                if line.whole:
                    found.append(read_alert(line.text, run_id))
        except ArtefactError as error:
            found.append(odd_alert(run_id, str(error)))
        return found[:limit]

    def _folders(self) -> frozenset[str]:
        """Return the ids of all run folders, listed anew only when their folder changed."""
        try:
            changed = self._base.stat().st_mtime_ns
            if changed != self._listed[0]:
                with os.scandir(self._base) as items:
                    found = frozenset(item.name for item in items if is_id(item.name) and item.is_dir())
                settled = time.time_ns() - changed > SETTLED_NS
                self._listed = (changed if settled else -1, found)
            return self._listed[1]
        except OSError:
            return frozenset()

    def _exists(self, run_id: str) -> bool:
        """Return whether a run has a folder."""
        return is_id(run_id) and self._open(run_id).path.is_dir()

    def _folder_of(self, run_id: str) -> RunFolder:
        """Return the folder of a run.

        Raises:
            SessionNotFoundError: there is none.
        """
        if not self._exists(run_id):
            raise SessionNotFoundError(
                f"no run {run_id!r} in {self._base}; `peaktrade session list` shows what there is"
            )
        return self._open(run_id)

    def _row(self, run_id: str, line: Line | None, has_folder: bool, now: datetime) -> RunRow:
        """Return a run's row from its record and, unless that says how it ended, from its folder."""
        if line is not None and line.status in ENDED:
            return finished_row(run_id, line, has_folder)
        if not has_folder:
            assert line is not None
            notes = f"the registry says {line.status!r}, but there is no run folder {self._base / run_id}"
            return msgspec.structs.replace(finished_row(run_id, line, True), state=UNREADABLE, notes=notes)
        return unfinished_row(self._open(run_id), line, now)


def _stamp(run_id: str) -> str:
    """Return the part of a run's id that tells when it began, so that ids of all modes sort by time."""
    return run_id.partition("_")[2] or run_id
