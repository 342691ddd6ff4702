"""Gathers what alert rules look at, from the read side, the journals of running sessions, and the disk.

It keeps a meter for each run that it follows, so that a look costs only what happened since the last one. It reads
and never writes; what cannot be read is a fact of its own.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from peaktrade_core.alerts.alerts import elapsed
from peaktrade_core.alerts.rules.facts import (
    ALIVE,
    DIED,
    UNKNOWN,
    AccountFacts,
    ChangeFacts,
    DeskFacts,
    JobFacts,
    RunFacts,
    RunMeter,
    bar_seconds,
)
from peaktrade_core.base.clock import as_utc, from_seconds, utc
from peaktrade_core.base.errors import EnvironmentFault, PeaktradeError, SessionNotFoundError
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.keys import LOOSER
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.scope import Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.records.journal import JournalFollower
from peaktrade_core.runs.run import ENDED, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.job_log import RunLog
from peaktrade_core.schedule.jobs import CRASHED, JobRun
from peaktrade_core.trading.events import Start
from peaktrade_core.workspace.workspace import Workspace

LOOK_BACK = 500  # runs that are looked at, those with a process first
_FAILED = "_failed"  # ends the name of a report that could not be made
_PAGE = re.compile(r"reports/[\w./-]+_failed\.html")
METERED_S = 600.0  # for so long after its end a run's journal is still looked into [s]


class RunTracker:
    """Follows the journal of one run."""

    def __init__(self, journal: Path, keep_s: float, start_balance: float | None) -> None:
        self._follower = JournalFollower(journal)
        self.meter = RunMeter(keep_s, start_balance)
        self.live_feed = False

    def look(self) -> RunMeter:
        """Take what is new into the meter and return it."""
        news = self._follower.look()
        self.meter.broken += news.broken
        for event in news.events:
            if isinstance(event, Start):
                self.live_feed = event.config.get("feed") == "exchange"
            self.meter.add(event)
        return self.meter


class Gatherer:
    """Gathers facts of one workspace."""

    def __init__(self, workspace: Workspace, keep_s: float) -> None:
        """Look back into each run as far as ``keep_s`` [s]."""
        self._views, self._states = Views.of(workspace), TradingStates.of(workspace)
        self._changes = Changes.of(workspace)
        self._account, self._open = Account.of(workspace), partial(RunFolder, workspace.runs)
        self._home, self._reports, self._clock = workspace.home, workspace.reports, workspace.clock
        self._keep_s = keep_s
        self._runs = RunLog(workspace.reports / "schedule", workspace.clock)
        self._trackers: dict[str, RunTracker] = {}

    def everything(self, report_kinds: Collection[str] = ()) -> DeskFacts:
        """Return the facts of the whole workspace; ``report_kinds`` are folders of reports/ whose age matters."""
        rows = self._views.runs(LOOK_BACK)
        now = self._clock.now()
        runs = [self._run(row, now) for row in rows]
        known = {row.run_id for row in rows}
        self._trackers = {run_id: tracker for run_id, tracker in self._trackers.items() if run_id in known}
        ended = [run for run in runs if run.state in ENDED and run.ended_at is not None]
        ended.sort(key=lambda run: _believed(run.ended_at, now), reverse=True)
        return DeskFacts(
            now=now,
            runs=tuple(sorted(runs, key=lambda run: run.run_id)),
            ended=tuple(ended),
            disk_free=_free(self._home),
            reports={kind: _newest(self._reports / kind, now) for kind in report_kinds},
            failed_reports={
                kind: failed for kind in report_kinds if (failed := _failed(self._reports / kind, now)) is not None
            },
            first_session_at=min((row.started_at for row in rows if row.started_at), default=None),
            scopes=tuple(self._states.everything()),
            jobs=tuple(self._undone(now)),
            accounts=tuple(
                AccountFacts(f"{use.mode}.{use.currency}", use.mode, use.currency, f"{now:%Y-%m-%d}", use.daily_loss)
                for use in self._account.uses()
            ),
            changes=tuple(self._unapproved()),
        )

    def _unapproved(self) -> Iterator[ChangeFacts]:
        """Yield what is configured past all changes, and what was made tighter and not approved in time."""
        try:
            found, every = self._changes.compared(), self._changes.all()
        except PeaktradeError as error:
            yield ChangeFacts("changes", f"it cannot be told whether everything is as it was approved: {error}")
            return
        if found.items:
            yield ChangeFacts("configuration", found.told, any(one.direction == LOOSER for one in found.items))
        for one in every:
            if one.state == "overdue" and one.until is not None:
                told = f"{one.proposal.subject} was applied first and not approved by {utc(one.until)}: it takes {one.needed}"
                yield ChangeFacts(one.id, told)

    def one(self, run_id: str) -> DeskFacts:
        """Return the facts of one run, which need not exist; its journal is read however long ago it ended."""
        now = self._clock.now()
        try:
            run = self._run(self._views.run(run_id), now, always=True)
        except SessionNotFoundError:
            run = RunFacts(run_id, now)
        return DeskFacts(now=now, runs=(run,))

    def watched(self, rows: Collection[Run]) -> DeskFacts:
        """Return the facts of some runs and of nothing else."""
        now = self._clock.now()
        return DeskFacts(now=now, runs=tuple(self._run(row, now) for row in rows))

    def _run(self, row: Run, now: datetime, *, always: bool = False) -> RunFacts:
        """Return the facts of a run that has a row."""
        lately = row.ended_at is not None and (now - row.ended_at).total_seconds() <= METERED_S
        active = row.state in (*ALIVE, DIED)
        meter = clock = closed_at = None
        if (active or lately or always) and is_id(row.run_id):
            tracker = self._tracker(row)
            meter = tracker.look()
            clock = meter.last
            if clock is not None and active and row.last_event_at is not None:
                clock += max(now - row.last_event_at, now - now)  # its time goes on while it is silent
            closed_at = meter.bar_at if tracker.live_feed else None
        beat = self._open(row.run_id).heartbeat() if row.state in ALIVE else None
        strategy, symbol = row.strategy or "", row.symbol or ""
        return RunFacts(
            run_id=row.run_id,
            now=now,
            mode=row.mode,
            strategy=strategy,
            symbol=symbol,
            state=row.state if row.state != UNKNOWN else "unreadable",
            started_at=row.started_at,
            ended_at=row.ended_at,
            last_event_at=row.last_event_at,
            heartbeat_at=as_utc(beat.at) if beat else None,
            bar_closed_at=closed_at,
            bar_s=bar_seconds(row.timeframe),
            max_drawdown=row.max_drawdown,
            rejects_in_row=beat.rejects if beat else 0,
            error=row.notes if row.state in ENDED else "",
            scope=Scope.of(row.mode, strategy, symbol).text,
            meter=meter,
            clock=clock,
        )

    def _tracker(self, row: Run) -> RunTracker:
        if row.run_id not in self._trackers:
            journal = self._open(row.run_id).journal
            self._trackers[row.run_id] = RunTracker(journal, self._keep_s, row.start_balance)
        return self._trackers[row.run_id]

    def _undone(self, now: datetime) -> Iterator[JobFacts]:
        """Yield what jobs of the scheduler could not do; one whose failed page is gone was made up by hand."""
        try:
            history = self._runs.history()
            for job in history.jobs:
                busy = bool(history.open(job)) and self._runs.busy(job)
                for run in history.undone(job, busy=busy):
                    if run.end is None:
                        yield _job(run, CRASHED, "its process ended without a word", run.start.at)
                    elif not (page := _PAGE.search(run.end.message)) or (self._home / page[0]).exists():
                        yield _job(run, run.end.status, run.end.message, run.end.at)
        except EnvironmentFault as fault:
            yield JobFacts("schedule", "", "unreadable", str(fault), now)


def _job(run: JobRun, status: str, message: str, at: datetime) -> JobFacts:
    start = run.start
    return JobFacts(start.job, start.period, status, message, as_utc(at), start.attempt, start.run_id)


def _free(home: Path) -> float | None:
    """Return the free share of a folder's disk, None where it cannot be told."""
    try:
        usage = shutil.disk_usage(home)
    except OSError:
        return None
    return usage.free / usage.total if usage.total else None


def _believed(at: datetime | None, now: datetime) -> datetime:
    """Return a time to sort by: one that lies ahead was written by a clock that was wrong, so that it is never the newest."""
    return at if at is not None and elapsed(at, now) < math.inf else datetime.min.replace(tzinfo=UTC)


def _newest(folder: Path, now: datetime) -> datetime | None:
    """Return when the newest finished report of a folder was written, None where there is none."""
    return max((at for path, at in _written(folder, now) if not path.stem.endswith(_FAILED)), default=None)


def _failed(folder: Path, now: datetime) -> str | None:
    """Return the newest report of a folder if it failed, None where it was written or there is none."""
    path, _ = max(_written(folder, now), key=lambda item: item[1], default=(None, now))
    return path.with_suffix(".html").name if path is not None and path.stem.endswith(_FAILED) else None


def _written(folder: Path, now: datetime) -> list[tuple[Path, datetime]]:
    """Return the reports in a folder with the time of their last change; what was written ahead of time is the oldest."""
    try:
        return [
            (path, _believed(from_seconds(path.stat().st_mtime), now))
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(".")
        ]
    except OSError:
        return []


def label(error: Exception) -> str:
    """Return an error as it is told: its sentence, with its type where it is none of ours."""
    return str(error) if isinstance(error, PeaktradeError) else f"{type(error).__name__}: {error}"
