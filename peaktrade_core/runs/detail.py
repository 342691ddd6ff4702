"""One session from its journal: fills, denials, use of limits, halts, and what happened last.

Of a journal too large to be read whole for a page, the bars' own events are passed over: fills, denials, halts and trades are
all there, the use of limits is not computed, and that is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.base.question import Check
from peaktrade_core.records.journal import read_beside_bars, read_journal, whole_events
from peaktrade_core.records.lookups import Query
from peaktrade_core.records.rows import RegistryLine
from peaktrade_core.runs.curves import WHOLE, BarColumns, Curves, TimeRange, read_columns, source_of
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.trades import TradeList, trade_list
from peaktrade_core.trading.events import AnyEvent, BarDone, Denial, Failure, Fill, Halt, Notice, State
from peaktrade_core.trading.limit_use import LimitUse, limits_used
from peaktrade_core.trading.records import SessionRecord, limits_of
from peaktrade_core.trading.tally import Tally, fold, start_balance_of

if TYPE_CHECKING:
    from peaktrade_core.runs.views import Views

LARGEST_JOURNAL = 64 << 20  # bytes; some 150,000 bars
Incident = Halt | State | Notice | Failure


class JournalDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What a session's journal tells beyond its record.

    Attributes:
        happened: all events but the bars' own, oldest first.
        denials: how often each code denied an order, most frequent first.
        limits: use of each limit, empty where the journal does not hold the whole session.
        tally: their fold, of a session that ended and a journal that was read whole.
        faults: what could not be read, in sentences.
    """

    happened: tuple[AnyEvent, ...] = ()
    denials: dict[str, int] = msgspec.field(default_factory=dict)
    limits: tuple[LimitUse, ...] = ()
    tally: Tally | None = None
    faults: tuple[str, ...] = ()

    @property
    def fills(self) -> list[Fill]:
        """Executions, oldest first."""
        return [event for event in self.happened if type(event) is Fill]

    @property
    def incidents(self) -> list[Incident]:
        """Halts, changes of the trading state, errors and notices of the feed, oldest first."""
        return [event for event in self.happened if isinstance(event, Halt | State | Notice | Failure)]


def read_detail(journal: Path, record: SessionRecord) -> JournalDetail:
    """Return what a journal tells of the session of ``record``; a broken one is told in ``faults``.

    Raises:
        OSError: there is none.
    """
    limits = limits_of(record)
    if journal.stat().st_size > LARGEST_JOURNAL:
        try:
            beside = read_beside_bars(journal)
        except ArtefactError as error:
            return JournalDetail(faults=(str(error),))
        size = journal.stat().st_size
        said = f"the journal has {size >> 20:,} MB: the use of limits, for which each bar is looked at, is not computed"
        return _digest(beside.events, {}, [said, *beside.faults])
    events: list[AnyEvent] = []
    faults: list[str] = []
    try:
        events.extend(read_journal(journal))
    except ArtefactError as error:
        faults.append(str(error))
        events = list(whole_events(journal))
    told = _digest(events, limits, faults)
    if faults or record.status == "started":
        return told
    try:
        return msgspec.structs.replace(told, tally=folded(events, record))
    except ArtefactError:  # who asks for the fold is told
        return told


def folded(events: Iterable[AnyEvent], record: SessionRecord) -> Tally:
    """Return the fold of a session's whole journal.

    Raises:
        ArtefactError: it cannot be read, or holds what cannot be added up.
    """
    try:
        return fold(events, start_balance_of(record))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # of a foreign writer
        raise ArtefactError(f"the journal cannot be added up: {type(error).__name__}: {error}") from error


def _digest(events: list[AnyEvent], limits: dict[str, float], faults: list[str]) -> JournalDetail:
    """Return what events tell; limits are left out when they cannot be computed from them."""
    denials = Counter(event.code for event in events if type(event) is Denial)
    used: list[LimitUse] = []
    if limits and any(type(event) is BarDone for event in events):
        try:
            used = limits_used(events, limits)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # of a foreign writer
            faults.append(f"the use of limits cannot be computed: {type(error).__name__}: {error}")
    return JournalDetail(
        happened=tuple(event for event in events if type(event) is not BarDone),
        denials=dict(denials.most_common()),
        limits=tuple(used),
        faults=tuple(faults),
    )


class Look:
    """One look at a run: each of its files is read once, when something of it is first asked for.

    Attributes:
        run: how it stands; run_id: its id; views: the read side.
    """

    def __init__(self, views: Views, line: RegistryLine | None, run: Run) -> None:
        self.views, self._line, self.run, self.run_id = views, line, run, run.run_id

    @cached_property
    def record(self) -> SessionRecord:
        """Its record.

        Raises:
            SessionNotFoundError: it has none.
        """
        entry = self._line and self.views.registry.entry(self._line)
        if entry is None or entry.record is None:
            raise self.views.no_record(self.run_id)
        return entry.record

    @cached_property
    def journal(self) -> JournalDetail:
        """What its journal tells; empty, with a fault, where it has none; raises as :attr:`record`."""
        record = self.record
        try:
            journal = self.views.run_folder(self.run_id).journal
        except ArtefactError as error:
            return JournalDetail(faults=(str(error),))
        try:
            return self.views.details.get(journal, record.status, lambda: read_detail(journal, record))
        except OSError as error:
            return JournalDetail(faults=(f"cannot read the journal {journal}: {why(error)}",))

    @cached_property
    def tally(self) -> Tally:
        """The fold of its whole journal.

        Raises:
            SessionNotFoundError: it has no record.
            ArtefactError: it has no journal, or a broken one.
        """
        if self.journal.tally is not None:
            return self.journal.tally
        return folded(read_journal(self.views.run_folder(self.run_id).journal), self.record)

    @cached_property
    def checks(self) -> list[Check]:
        """The answers of its post-session check; raises as :attr:`record`."""
        from peaktrade_core.runs.questions import post_session_checks  # which asks a look

        return post_session_checks(self)

    @cached_property
    def neighbours(self) -> tuple[str | None, str | None]:
        """The ids of the sessions that began next after it and last before it."""
        return self.views.neighbours(self.run_id)

    @cached_property
    def trades(self) -> TradeList:
        """Its trades and figures; none, with a fault, where its files cannot be read; raises as :attr:`record`."""
        record, journal = self.record, self.journal
        try:
            bars = self.columns
        except ArtefactError as error:
            return TradeList(currency=self.run.currency, faults=(str(error),))
        balance = self.run.start_balance or 0.0
        found = trade_list(journal.happened, bars, record.setting("timeframe"), balance, self.run.currency)
        return msgspec.structs.replace(found, faults=tuple(dict.fromkeys((*journal.faults, *found.faults))))

    def failed_since(self, since: datetime) -> list[str]:
        """Return the other sessions that began at a time or later and failed, newest first, 50 at most."""
        failed = self.views.registry.lines(Query(status="failed", since=since, limit=50))
        return [line.session_id for line in failed if line.session_id not in (None, self.run_id)]

    @cached_property
    def columns(self) -> BarColumns:
        """All its bars.

        Raises:
            ArtefactError: its folder or file is gone, or cannot be opened.
        """
        source = source_of(self.views.run_folder(self.run_id), self.run.final)
        balance = self.run.start_balance or 0.0
        try:
            return self.views.columns.get(source, balance, lambda: read_columns(source, balance))
        except OSError as error:
            raise ArtefactError(f"cannot read {source}: {why(error)}") from error

    def curves(self, points: int = 2000, stretch: TimeRange = WHOLE) -> Curves:
        """Return price, equity, drawdown and position, or a range of them, about ``points`` bars at most.

        Raises:
            ConfigError: the range ends before it begins.
        """
        try:
            columns = self.columns
        except ArtefactError as error:
            return Curves(faults=(str(error),))
        return columns.curves(points, stretch)
