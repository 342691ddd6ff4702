"""The one read side: what dashboards, API, command line, reports and checks ask. Nobody else reads artefacts.

Every figure that a person can see comes from a function here, so all of them show the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from peaktrade_core.adapters.journal import read_journal
from peaktrade_core.adapters.registry import ALL, Entry, Query, Registry
from peaktrade_core.adapters.runs import RunFolder
from peaktrade_core.domain.clock import Clock
from peaktrade_core.domain.errors import SessionNotFoundError
from peaktrade_core.domain.events import AnyEvent
from peaktrade_core.domain.records import SessionRecord
from peaktrade_core.domain.tally import Tally, fold, start_balance_of


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


class Views:
    """Questions over one workspace's registry and runs."""

    def __init__(self, registry: Registry, runs: Callable[[str], RunFolder], clock: Clock) -> None:
        self._registry = registry
        self._runs = runs
        self._clock = clock

    def now(self) -> datetime:
        """Return the time that "as of" means."""
        return self._clock.now()

    def rows(self, query: Query = ALL) -> list[SessionRow]:
        """Return matching sessions, newest first; a file nobody can read is a row with status ``unreadable``."""
        now = self._clock.now()
        return [_row(entry, now) for entry in self._registry.entries(query)]

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
        return _row(self._entry(session_id), self._clock.now())

    def record(self, session_id: str) -> SessionRecord:
        """Return a session's record.

        Raises:
            SessionNotFoundError: no record has that id.
        """
        record = self._entry(session_id).record
        assert record is not None  # an unreadable file has no session id
        return record

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
            return latest.session_id if latest else self._entry(session_id).path.stem
        return self.record(session_id).session_id

    def events(self, session_id: str) -> list[AnyEvent]:
        """Return the events of a session's journal.

        Raises:
            SessionNotFoundError: no record has that id.
            ArtefactError: it has no journal, or a broken one.
        """
        self._entry(session_id)
        return list(read_journal(self._runs(session_id).journal))

    def tally(self, session_id: str) -> Tally:
        """Return the fold of a session's journal; raises as :meth:`events`."""
        return fold(self.events(session_id), start_balance_of(self.record(session_id)))

    def _entry(self, session_id: str) -> Entry:
        """Return the registry's entry of a session."""
        entry = self._registry.find(session_id)
        if entry is None or entry.record is None:
            known = [row.session_id for row in self.rows(Query(limit=3))]
            raise SessionNotFoundError(
                f"no session {session_id!r} in the registry; "
                + (f"the newest are: {', '.join(known)}" if known else "it is empty: run `peaktrade session run`")
            )
        return entry


def _row(entry: Entry, now: datetime) -> SessionRow:
    """Return an entry of the registry as a row."""
    record = entry.record
    if record is None:
        return SessionRow(
            session_id=entry.path.stem,
            started_at=None,
            ended_at=None,
            mode="unknown",
            environment=None,
            symbol=None,
            strategy=None,
            status=entry.status,
            realized_pnl=None,
            unrealized_pnl=None,
            max_drawdown=None,
            num_orders=None,
            orders_blocked=None,
            notes=f"{entry.path.name}: {entry.fault}",
            duration_seconds=None,
            is_live_warning=False,
            risk_status="red",
        )
    duration = record.duration_seconds
    if record.status == "started" and record.started_at is not None:
        duration = (now - record.started_at).total_seconds()
    return SessionRow(
        session_id=record.session_id,
        started_at=record.started_at,
        ended_at=record.finished_at,
        mode=record.mode,
        environment=record.env_name,
        symbol=record.symbol,
        strategy=record.setting("strategy_name"),
        status=record.status,
        realized_pnl=record.metric("realized_pnl"),
        unrealized_pnl=record.metric("unrealized_pnl"),
        max_drawdown=record.metric("max_drawdown"),
        num_orders=_whole(record.metric("num_orders")),
        orders_blocked=_whole(record.metric("orders_blocked_risk")),
        notes=record.error or str(record.setting("notes") or ""),
        duration_seconds=duration,
        is_live_warning=record.mode == "live",
        risk_status=_risk_status(record),
    )


def _whole(value: float | None) -> int | None:
    """Return a count as a whole number."""
    return None if value is None else int(value)


def _risk_status(record: SessionRecord) -> str:
    """Return the worst severity of a session; without one, a failed session is red and others green."""
    known = record.metrics.get("risk_status")
    if known in ("green", "yellow", "red"):
        return str(known)
    return "red" if record.status == "failed" else "green"
