"""What a diagnosis rests on: one walk through a session's journal, its record, its alerts and its neighbours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import NamedTuple

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.question import PASS, Check
from peaktrade_core.halts.scope import GLOBAL, Scope, TradingState
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.diagnosis.findings import Occurrence
from peaktrade_core.runs.handbook import Kind, condition, handbook, names_of_errors
from peaktrade_core.runs.questions import of_drawdown
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show.wording import figure, moment
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

MOST_SENTENCES = 4  # of one sort; the rest is counted
LONGEST = 200  # characters of a sentence
NEIGHBOURS = 20  # sessions that are looked at before, and after
VENUE = "incident_exchange_error"  # the runbook of errors of the venue, and of the way to it


class Trouble(NamedTuple):
    """One error of the venue or of the way to it.

    Attributes:
        seq: of the event, -1 for the record; where: feed, order or end; text: as it was journalled.
    """

    seq: int
    ts: datetime | None
    kind: Kind
    where: str
    text: str

    def __str__(self) -> str:
        return said(self.seq, self.ts, self.text)


class SessionFacts:
    """What is known of one session.

    Attributes:
        record: from the registry; row, run_state: how it stands; now: when it was asked.
        troubles: errors of the venue, in the journal's order; recovered: when calls worked again.
        gaps, denials, halts, notices: of the journal; refused: answers of the venue that are a no.
        last: the last bar; bars: how many were worked off, and after_gap: since the last gap.
        alerts: about this session; before: the sessions before it, newest first; later: after it, oldest first.
        scope: the trading state that holds for it now; faults: what could not be read.
    """

    def __init__(self, sources: Workspace, session_id: str) -> None:
        views = Views.of(sources)
        look = views.look(session_id)
        self.record: SessionRecord = look.record
        self.now: datetime = views.now()
        self.row: Run = look.run
        self.run_state = look.run.state
        self.faults: list[str] = []
        self.alerts: list[AlertRow] = []
        self.troubles: list[Trouble] = []
        self.recovered: list[ev.Notice] = []
        self.notices: list[ev.Notice] = []
        self.gaps: list[ev.Gap] = []
        self.denials: list[ev.Denial] = []
        self.halts: list[ev.Halt] = []
        self.refused: list[ev.VenueAnswer] = []
        self.last: ev.BarDone | None = None
        self.events = self.bars = self.after_gap = 0
        self._read(views)
        self._alerts_of(sources)
        self._neighbours(views)
        self.scope = self._scope(TradingStates.of(sources))

    @property
    def began(self) -> datetime | None:
        """When the session began."""
        return self.record.started_at or self.record.created_at

    @property
    def error(self) -> str:
        """The record's error, empty when there is none."""
        return self.record.error or ""

    @property
    def live_feed(self) -> bool:
        """Whether its bars came from a venue."""
        return bool(self.record.setting("feed") == "exchange")

    @property
    def drawdown(self) -> float:
        """The record's maximum drawdown [fraction], 0 where it names none."""
        return self.record.metric("max_drawdown") or 0.0

    @property
    def completed_since(self) -> str:
        """The first later session of the same mode that completed, empty when none did."""
        return next((row.run_id for row in self.later if row.status == "completed"), "")

    def of_kind(self, kind: Kind) -> list[Trouble]:
        """Return the venue's errors of one kind."""
        return [trouble for trouble in self.troubles if trouble.kind == kind]

    def ended_by(self, kind: Kind) -> bool:
        """Return whether the session failed from an error of that kind."""
        return self.record.status == "failed" and _kind_in(self.error) == kind

    def working_since(self, troubles: list[Trouble]) -> ev.BarDone | None:
        """Return the last bar, if it came after the last of these troubles."""
        last = troubles[-1].seq if troubles else -1
        return self.last if self.last is not None and last >= 0 and self.last.seq > last else None

    def _read(self, views: Views) -> None:
        """Walk through the journal, as far as it can be read."""
        try:
            for event in views.each_event(self.record.session_id):
                self._take(event)
        except ArtefactError as fault:
            self.faults.append(str(fault))
        if (kind := _kind_in(self.error)) and not any(t.where == "end" for t in self.troubles):
            self.troubles.append(Trouble(-1, self.record.finished_at, kind, "end", self.error))

    def _take(self, event: ev.AnyEvent) -> None:
        """Keep what one event tells."""
        self.events += 1
        match event:
            case ev.BarDone():
                self.last = event
                self.bars += 1
                self.after_gap += bool(self.gaps)
            case ev.Gap():
                self.gaps.append(event)
                self.after_gap = 0
            case ev.Denial():
                self.denials.append(event)
            case ev.Halt():
                self.halts.append(event)
            case ev.Notice():
                self._take_notice(event)
            case ev.Failure():
                self._trouble(event, "end", event.error)
            case ev.VenueAnswer(accepted=False) if not event.message.startswith("not sent"):
                self.refused.append(event)
                self._trouble(event, "order", event.message, "order_rejects")
            case _:
                pass

    def _take_notice(self, event: ev.Notice) -> None:
        """Keep what the feed told."""
        self.notices.append(event)
        if event.code == "RECOVERED":
            self.recovered.append(event)
        elif _kind_in(event.code):
            self._trouble(event, "feed", f"{event.code}: {event.message}")

    def _trouble(self, event: ev.Event, where: str, text: str, otherwise: Kind | None = None) -> None:
        """Keep an error of the venue."""
        kind = _kind_in(text) or otherwise
        if where == "order" and text.startswith("never arrived"):
            kind = "network"
        if kind:
            self.troubles.append(Trouble(event.seq, event.ts, kind, where, text))

    def _alerts_of(self, sources: Workspace) -> None:
        """Take the alerts about this session."""
        try:
            self.alerts = Alerts.of(sources).rows(run_id=self.record.session_id)
        except ArtefactError as fault:
            self.faults.append(str(fault))

    def _neighbours(self, views: Views, steps: int = NEIGHBOURS) -> None:
        """Look at the sessions of the same mode around this one."""
        self.before, self.later = list[Run](), list[Run]()
        for found, side in ((self.later, 0), (self.before, 1)):
            near = views.neighbours(self.record.session_id)[side]
            for _ in range(steps):
                if near is None:
                    break
                row = views.run(near)
                if row.mode == self.record.mode:
                    found.append(row)
                near = views.neighbours(near)[side]

    def _scope(self, states: TradingStates) -> TradingState:
        """Return the trading state that a next session of this kind would obey."""
        strategy, symbol = self.record.setting("strategy_name"), self.record.symbol
        if not isinstance(strategy, str) or not symbol:
            return states.read(GLOBAL)
        return states.in_force(Scope.of(self.record.mode, strategy, symbol))


def said(seq: int, ts: datetime | None, text: str) -> str:
    """Return what an event tells, with its number and time."""
    where = f"journal #{seq}" if seq >= 0 else "record"
    flat = " ".join(text.split())
    return f"{where}, {moment(ts)} UTC: {flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + '…'}"


def sentences(found: Iterable[object], what: str = "more like these") -> list[str]:
    """Return the first and the last of what was found as sentences, and how many stand between."""
    texts = [str(one) for one in found]
    if len(texts) <= MOST_SENTENCES:
        return texts
    head = MOST_SENTENCES - 1
    return [*texts[:head], f"… {len(texts) - head - 1} {what} …", texts[-1]]


def alert_sentences(facts: SessionFacts, kind: Kind) -> list[str]:
    """Return the alerts about the session that lead to the runbook of a kind, in sentences."""
    book = handbook()
    chapters = {number for number, one in book.chapter.items() if one.notebook == book.kind[kind].runbook}
    return _alerts(row for row in facts.alerts if row.runbook in chapters)


def all_alerts(facts: SessionFacts) -> list[str]:
    """Return every alert about the session, in sentences."""
    return _alerts(facts.alerts)


def nothing(facts: SessionFacts, kind: Kind, *more: str) -> Occurrence:
    """Return that it did not happen, and on what that rests."""
    text = f"{handbook().kind[kind].nothing}: {facts.events:,} events of the journal were read."
    return Occurrence(kind=kind, happened=False, evidence=(text, *more))


class ConditionAnswer(NamedTuple):
    """The answer to a condition for going on; case and fields as :func:`~peaktrade_core.runs.handbook.condition`."""

    ok: bool
    evidence: str
    case: str = ""
    fields: tuple[tuple[str, str], ...] = ()


def conditions(facts: SessionFacts, kind: Kind, **answers: ConditionAnswer | None) -> tuple[Check, ...]:
    """Return the handbook's conditions for going on after a kind of incident, answered.

    Args:
        answers: of the conditions that are the kind's own, by key; None leaves one out.
    """
    found = []
    for key in handbook().kind[kind].resume:
        answer = answers[key] if key in answers else _SHARED[key](facts)
        if answer is not None:
            found.append(condition(key, answer.ok, answer.evidence, answer.case, **dict(answer.fields)))
    return tuple(found)


def _state(facts: SessionFacts) -> ConditionAnswer:
    """Answer whether a next session of this kind may trade: nothing halts its scope, nor everything."""
    scope = facts.scope
    told = f"{scope.scope} {scope.state}"
    told = f"{told} by {scope.by}: {scope.reason}" if scope.by else told
    case = "everything" if scope.everywhere else ""
    return ConditionAnswer(scope.state == "ACTIVE", told, case, (("scope", scope.scope),))


def _flat(facts: SessionFacts) -> ConditionAnswer:
    held = facts.last.position_size if facts.last else 0.0
    return ConditionAnswer(
        held == 0.0, f"{figure(held, plus=True)} at the last bar" if facts.last else "no bar was traded"
    )


def _stopped(facts: SessionFacts) -> ConditionAnswer:
    alive = facts.run_state in ("running", "silent")
    return ConditionAnswer(not alive, facts.run_state, fields=(("session", facts.record.session_id),))


def _drawdown(facts: SessionFacts) -> ConditionAnswer:
    known = facts.record.metric("max_drawdown")
    return ConditionAnswer(
        known is not None and of_drawdown(known) == PASS, "unknown" if known is None else f"{100 * known:.2f} %"
    )


def _since(facts: SessionFacts) -> ConditionAnswer:
    return ConditionAnswer(bool(facts.completed_since), facts.completed_since or "none since")


def _key(facts: SessionFacts) -> ConditionAnswer:
    later = facts.completed_since
    return ConditionAnswer(bool(later), f"{later} completed" if later else "no session completed since")


_SHARED: dict[str, Callable[[SessionFacts], ConditionAnswer]] = {
    "state": _state,
    "position": _flat,
    "stopped": _stopped,
    "drawdown": _drawdown,
    "since": _since,
    "accepted": _since,
    "key": _key,
}


def _alerts(rows: Iterable[AlertRow]) -> list[str]:
    return sentences(
        f"alert {row.alert_id}, {moment(row.raised_at)} UTC: {row.rule_id} {row.severity}, {row.message}"
        for row in sorted(rows, key=lambda row: row.raised_at)
    )


def _kind_in(text: str) -> Kind | None:
    """Return the kind of the first error of the venue that a text names, None when it names none."""
    kinds, named = _named()
    found = named.search(text)
    return kinds[found[1]] if found else None


@cache
def _named() -> tuple[dict[str, Kind], re.Pattern[str]]:
    """Return the errors of the venue with the kind of incident that each is a sign of, and what finds their names."""
    kinds = names_of_errors(VENUE)
    return kinds, re.compile(rf"\b({'|'.join(kinds)})\b")
