"""The one read side: what dashboards, API, command line, reports and checks ask. Nobody else reads artefacts.

Every figure that a person can see comes from a function here, so all of them show the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, SessionNotFoundError
from peaktrade_core.base.kept import Kept
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.records.journal import read_journal
from peaktrade_core.records.registry import ALL, Query, Registry
from peaktrade_core.records.rows import Line
from peaktrade_core.runs.curves import Curves, read_curves, source_of
from peaktrade_core.runs.detail import JournalDetail, read_detail
from peaktrade_core.runs.run_views import ENDED, RunViews
from peaktrade_core.show.wording import quote_currency
from peaktrade_core.trading.events import AnyEvent
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.tally import Tally, fold, start_balance_of
from peaktrade_core.workspace.workspace import Workspace


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session in a list, under the names of the JSON API.

    Attributes:
        realized_pnl: net of fees [quote ccy]; max_drawdown: [fraction]; null where unknown.
        notes: the error if there is one, else the operator's notes.
        is_live_warning: the record says ``live``, which peaktrade never writes.
        risk_status: worst severity of the session, green, yellow or red.
    """

    session_id: str
    started_at: datetime | None
    ended_at: datetime | None
    mode: str
    environment: str | None
    symbol: str | None
    strategy: str | None
    status: str
    realized_pnl: float | None
    unrealized_pnl: float | None
    max_drawdown: float | None
    num_orders: int | None
    orders_blocked: int | None
    notes: str
    duration_seconds: float | None
    is_live_warning: bool
    risk_status: str


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over many sessions; ``avg_drawdown`` is null when no session has one."""

    total_sessions: int
    by_mode: dict[str, int]
    by_status: dict[str, int]
    total_pnl: float
    avg_drawdown: float | None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that began on one UTC day and count their money in one currency.

    Attributes:
        sessions: how many; open: how many of them have not ended.
        realized_pnl: their sum [currency]; max_drawdown: their worst [fraction], null when none has one.
    """

    day: date
    currency: str
    sessions: int = 0
    open: int = 0
    realized_pnl: float = 0.0
    max_drawdown: float | None = None


class SessionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to see of one session but its curves; ``journal`` is empty, with a fault, where it has none."""

    row: SessionRow
    record: SessionRecord
    journal: JournalDetail


class Views(RunViews):
    """Questions over one workspace's registry and runs.

    Args (of the constructor):
        registry: the records; folder: where run folders are; run_folder: opens one; clock: what "as of" means.
    """

    def __init__(self, registry: Registry, folder: Path, run_folder: Callable[[str], RunFolder], clock: Clock) -> None:
        super().__init__(registry, folder, run_folder, clock)
        self._details: Kept[JournalDetail] = Kept()
        self._curves: Kept[Curves] = Kept()

    @classmethod
    def of(cls, workspace: Workspace) -> Views:
        """Return the read side of a workspace, opened once."""
        folder = partial(RunFolder, workspace.runs)
        return workspace.once(cls, lambda: cls(Registry.of(workspace), workspace.runs, folder, workspace.clock))

    def now(self) -> datetime:
        """Return the time that "as of" means."""
        return self._clock.now()

    def chain_head(self) -> str:
        """Return the head of the registry's chain, empty before the first record, ``broken`` where it cannot be read."""
        try:
            last = self._registry.chain.chain.last()
        except (ArtefactError, EnvironmentFault):
            return "broken"
        return last[1] if last else ""

    def rows(self, query: Query = ALL) -> list[SessionRow]:
        """Return matching sessions, newest first; a file nobody can read is a row with status ``unreadable``."""
        now = self._clock.now()
        return [_row(line, now) for line in self._registry.lines(query)]

    def count(self, query: Query = ALL) -> int:
        """Return how many sessions match, whatever the query's limit."""
        return self._registry.sums(query._replace(limit=None))[0]

    def stats(self, query: Query = ALL) -> Stats:
        """Return figures over the matching sessions."""
        total, pnl, drawdown = self._registry.sums(query)
        return Stats(
            total_sessions=total,
            by_mode=self._registry.counts("mode", query),
            by_status=self._registry.counts("status", query),
            total_pnl=pnl,
            avg_drawdown=drawdown,
        )

    def row(self, session_id: str) -> SessionRow:
        """Return one session as it stands in the list.

        Raises:
            SessionNotFoundError: no record has that id.
        """
        line = self._registry.lines_of([session_id]).get(session_id)
        if line is None:
            raise self._unknown(session_id)
        return _row(line, self._clock.now())

    def record(self, session_id: str) -> SessionRecord:
        """Return a session's record.

        Raises:
            SessionNotFoundError: no record has that id.
        """
        return self._entry(session_id)

    def neighbours(self, session_id: str) -> tuple[str | None, str | None]:
        """Return the ids of the sessions that began next after a session and last before it, None where none did."""
        return self._registry.neighbours(session_id)

    def detail(self, session_id: str) -> SessionDetail:
        """Return a session with what its journal tells.

        Raises:
            SessionNotFoundError: no record has that id.
        """
        record = self._entry(session_id)
        if is_id(session_id):
            journal = self._open(session_id).journal
            try:
                told = self._details.get(journal, "detail", lambda: read_detail(journal, record))
            except OSError as error:
                told = JournalDetail(faults=(f"cannot read the journal {journal}: {error.strerror or error}",))
        else:
            told = JournalDetail(faults=(f"{session_id!r} names no run folder, so there is no journal",))
        return SessionDetail(row=self.row(session_id), record=record, journal=told)

    def curves(self, session_id: str, points: int = 2000) -> Curves:
        """Return price, equity, drawdown and position of a session, about ``points`` bars at most.

        Raises:
            SessionNotFoundError: no record and no run folder has that id.
        """
        run = self.run(session_id)
        if not is_id(session_id):
            return Curves(faults=(f"{session_id!r} names no run folder, so there are no bars",))
        source = source_of(self._open(session_id), run.state in ENDED)
        balance = run.start_balance or 0.0
        try:
            return self._curves.get(source, (points, balance), lambda: read_curves(source, balance, points))
        except OSError as error:
            return Curves(faults=(f"cannot read {source}: {error.strerror or error}",))

    def daily(self, since: datetime | None = None) -> list[Day]:
        """Return the sessions by the UTC day on which they began and by currency, oldest first.

        Args:
            since: nothing that began earlier.
        """
        days: dict[tuple[date, str], Day] = {}
        for one in self._registry.days(since):
            key = (date.fromisoformat(one.day), quote_currency(one.symbol))
            before = days.get(key) or Day(day=key[0], currency=key[1])
            days[key] = Day(
                day=key[0],
                currency=key[1],
                sessions=before.sessions + one.sessions,
                open=before.open + one.open,
                realized_pnl=before.realized_pnl + one.realized_pnl,
                max_drawdown=_worse(before.max_drawdown, one.max_drawdown),
            )
        return [days[key] for key in sorted(days)]

    def latest(self, query: Query = ALL) -> SessionRecord | None:
        """Return the newest record that matches, None when there is none."""
        for limit in (1, 100, None):  # unreadable files may stand before it
            entries = self._registry.entries(query._replace(limit=limit))
            if found := next((entry.record for entry in entries if entry.record), None):
                return found
        return None

    def resolve(self, session_id: str) -> str:
        """Return the id that ``latest`` stands for, or the id itself.

        Raises:
            SessionNotFoundError: ``latest`` of an empty registry, or an id without a record.
        """
        if session_id == "latest":
            latest = self.latest()
            if latest is None:
                raise self._unknown(session_id)
            return latest.session_id
        return self.record(session_id).session_id

    def events(self, session_id: str) -> list[AnyEvent]:
        """Return the events of a session's journal.

        Raises:
            SessionNotFoundError: no record has that id.
            ArtefactError: it has no journal, or a broken one.
        """
        return list(self.each_event(session_id))

    def each_event(self, session_id: str) -> Iterator[AnyEvent]:
        """Yield the events one by one, up to the first that cannot be read; raises as :meth:`events`, then."""
        self._entry(session_id)
        yield from read_journal(self._open(session_id).journal)

    def tally(self, session_id: str) -> Tally:
        """Return the fold of a session's journal; raises as :meth:`events`."""
        return fold(self.events(session_id), start_balance_of(self.record(session_id)))

    def _entry(self, session_id: str) -> SessionRecord:
        """Return the newest record of a session.

        Raises:
            SessionNotFoundError: no record has that id.
        """
        entry = self._registry.find(session_id)
        if entry is None or entry.record is None:
            raise self._unknown(session_id)
        return entry.record

    def _unknown(self, session_id: str) -> SessionNotFoundError:
        """Return the error that a session is not there."""
        known = [row.session_id for row in self.rows(Query(limit=3))]
        return SessionNotFoundError(
            f"no session {session_id!r} in the registry; "
            + (f"the newest are: {', '.join(known)}" if known else "it is empty: run `peaktrade session run`")
        )


def _row(line: Line, now: datetime) -> SessionRow:
    """Return a line of the registry as a row."""
    began = line.started_at
    until = now if line.status == "started" else line.finished_at
    return SessionRow(
        session_id=line.session_id if line.session_id is not None else line.name.removesuffix(".json"),
        started_at=began,
        ended_at=line.finished_at,
        mode=line.mode or "unknown",
        environment=line.environment,
        symbol=line.symbol,
        strategy=line.strategy,
        status=line.status,
        realized_pnl=line.realized_pnl,
        unrealized_pnl=line.unrealized_pnl,
        max_drawdown=line.max_drawdown,
        num_orders=line.num_orders,
        orders_blocked=line.orders_blocked,
        notes=line.notes,
        duration_seconds=(until - began).total_seconds() if began and until else None,
        is_live_warning=line.mode == "live",
        risk_status=line.risk_status,
    )


def _worse(one: float | None, other: float | None) -> float | None:
    """Return the larger of two drawdowns, either of which may be unknown."""
    return max((value for value in (one, other) if value is not None), default=None)
