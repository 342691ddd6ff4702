"""Alert rules tested on history: which alerts they would have raised on recorded sessions, how fast, and what they missed.

A session's journal is replayed event by event through the same rules and the same raising and clearing as live ones.
What should have been noticed is read from the journal itself: a failure, a halt, a limit that was reached. Times are
the session's own.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.alerts.alerts import Cleared, Raised
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.alerts.changes import Holds, judge
from peaktrade_core.alerts.engine import look, short_id
from peaktrade_core.alerts.rules.facts import DIED, RUNNING, DeskFacts, RunFacts, RunMeter, bar_seconds
from peaktrade_core.alerts.rules.kinds import AnyRule
from peaktrade_core.halts.scope import Scope
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, Cell, Column, Columns, Table
from peaktrade_core.trading.events import AnyEvent, BarDone, End, Halt, Severity, WarmedUp
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.tally import start_balance_of

HORIZON_S = 300.0  # an alert later than this after the event comes too late to count [s]


class Fire(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that would have been raised; ``cleared_at`` is None where it lasted to the end."""

    rule_id: str
    severity: str
    at: datetime
    message: str
    cleared_at: datetime | None = None


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """Something that should have been noticed.

    Attributes:
        what: ``failed``, ``died``, ``halted`` or ``limit reached``; at: when it happened.
        noticed_by: the rule that was first to fire no later than five minutes after it; None: missed.
        detect_s: how long after the event that was [s]; negative when there was a warning before.
    """

    what: str
    at: datetime
    detail: str
    noticed_by: str | None = None
    detect_s: float | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules did on one session; ``noise``: alerts although there was nothing to notice."""

    session_id: str
    events: int
    fires: list[Fire]
    truths: list[Truth]

    @property
    def noise(self) -> int:
        """How many alerts there were in a session in which there was nothing to notice."""
        return 0 if self.truths else len(self.fires)


class RulesSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over all sessions; ``rules_without_history`` look at more than one run and were not replayed."""

    sessions: int
    events: int
    fires: dict[str, int]
    truths: int
    noticed: int
    missed: int
    noise: int
    median_detect_s: float | None
    rules_without_history: list[str]


def replay(record: SessionRecord, events: Iterable[AnyEvent], rules: Sequence[AnyRule]) -> Replayed:
    """Replay one session.

    Args:
        record: of the session; events: of its journal, in order.
        rules: those that look at more than one run are passed over.
    """
    asked = tuple(rule for rule in rules if rule.about_runs)
    stage = _Stage(record, asked)
    truths: list[Truth] = []
    count, last, ended = 0, None, False
    for event in events:
        stage.see(event)
        truths += _truth(event, truths)
        count, last, ended = count + 1, event, isinstance(event, End)
    if last is not None and not ended:
        stage.end(last.ts, DIED, "ProcessDied: its journal has no end")
        truths.append(Truth(what="died", at=last.ts, detail="the journal has no end"))
    return Replayed(
        session_id=record.session_id,
        events=count,
        fires=stage.fires,
        truths=[_noticed(truth, stage.fires) for truth in truths],
    )


def summary(replayed: Sequence[Replayed], rules: Sequence[AnyRule]) -> RulesSummary:
    """Return figures over all sessions; rules that never fired are among them with 0."""
    fires = {rule.id: 0 for rule in rules if rule.about_runs}
    for session in replayed:
        for fire in session.fires:
            fires[fire.rule_id] += 1
    truths = [truth for session in replayed for truth in session.truths]
    times = sorted(truth.detect_s for truth in truths if truth.detect_s is not None)
    return RulesSummary(
        sessions=len(replayed),
        events=sum(session.events for session in replayed),
        fires=fires,
        truths=len(truths),
        noticed=len(times),
        missed=len(truths) - len(times),
        noise=sum(session.noise for session in replayed),
        median_detect_s=statistics.median(times) if times else None,
        rules_without_history=[rule.id for rule in rules if not rule.about_runs],
    )


class _Stage:
    """Plays a session to the rules and keeps what they raise."""

    def __init__(self, record: SessionRecord, rules: tuple[AnyRule, ...]) -> None:
        self.fires: list[Fire] = []
        self._rules = rules
        self._meter = RunMeter(max((rule.window for rule in rules), default=0.0), start_balance_of(record) or None)
        strategy, symbol = str(record.setting("strategy_name") or ""), record.symbol or ""
        self._run = RunFacts(
            run_id=record.session_id,
            now=record.started_at or datetime.min,
            mode=record.mode,
            strategy=strategy,
            symbol=symbol,
            state=RUNNING,
            scope=Scope.of(record.mode, strategy, symbol).text,
            bar_s=bar_seconds(str(record.setting("timeframe") or "")),
            meter=self._meter,
        )
        self._book, self._holds = AlertBook(), Holds()
        self._open: dict[str, int] = {}

    def see(self, event: AnyEvent) -> None:
        """Take one event; the rules are asked before it, when there was a silence, and after what can matter."""
        before = self._run.last_event_at
        silent = not isinstance(event, WarmedUp)  # its bars are not journalled: that time is no silence
        if silent and before is not None and event.ts > before:
            self._ask(self._run._replace(now=event.ts, clock=event.ts))
        self._meter.add(event)
        self._run = self._run._replace(
            now=event.ts, clock=event.ts, last_event_at=event.ts, started_at=self._run.started_at or event.ts
        )
        if isinstance(event, End):
            self.end(event.ts, event.status, event.error or "")
        elif not isinstance(event, BarDone):
            self._ask(self._run)

    def end(self, at: datetime, state: str, error: str) -> None:
        """Let the session end."""
        self._run = self._run._replace(now=at, clock=at, state=state, ended_at=at, error=error)
        self._ask(self._run)

    def _ask(self, run: RunFacts) -> None:
        found = look(self._rules, DeskFacts(now=run.now, runs=(run,)))
        for change in judge(self._rules, found.findings, self._book, self._holds, run.now, short_id):
            self._book.apply(change)
            if isinstance(change, Raised):
                self._open[change.alert_id] = len(self.fires)
                self.fires.append(
                    Fire(rule_id=change.rule_id, severity=change.severity, at=change.at, message=change.message)
                )
            elif isinstance(change, Cleared):
                place = self._open.pop(change.alert_id)
                self.fires[place] = msgspec.structs.replace(self.fires[place], cleared_at=change.at)


def _truth(event: AnyEvent, before: list[Truth]) -> list[Truth]:
    """Return what an event says that should have been noticed; a limit that stays reached counts once."""
    if isinstance(event, End) and event.status == "failed":
        return [Truth(what="failed", at=event.ts, detail=event.error or "")]
    if isinstance(event, Halt):
        return [Truth(what="halted", at=event.ts, detail=event.code)]
    if isinstance(event, Severity) and event.level == "red" and not any(t.what == "limit reached" for t in before):
        return [Truth(what="limit reached", at=event.ts, detail="risk status red")]
    return []


def _noticed(truth: Truth, fires: list[Fire]) -> Truth:
    """Return a truth with the first alert that was open at it, or raised soon after it."""
    for fire in fires:
        late = (fire.at - truth.at).total_seconds()
        over = fire.cleared_at is not None and fire.cleared_at < truth.at
        if late <= HORIZON_S and not over:
            return msgspec.structs.replace(truth, noticed_by=fire.rule_id, detect_s=late)
    return truth


def replay_all(
    ids: Iterable[str],
    record: Callable[[str], SessionRecord],
    events: Callable[[str], Iterable[AnyEvent]],
    rules: Sequence[AnyRule],
) -> list[Replayed]:
    """Replay several sessions; raises what reading them does."""
    return [replay(record(session_id), events(session_id), rules) for session_id in ids]


def shown(total: RulesSummary, replayed: list[Replayed]) -> list[Table | str]:
    """Return what the rules would have noticed."""
    fires = sorted(total.fires.items(), key=lambda item: -item[1])
    columns = Columns[tuple[str, int]](
        rule=Column("Rule", lambda one: one[0]), fires=Column("Fires", lambda one: one[1], "number")
    )
    rows = [
        (s.session_id, t.what, t.detail, t.noticed_by or Cell("missed", BAD), _detect(t.detect_s))
        for s in replayed
        for t in s.truths
    ]
    titles = (
        Column[Any]("Session"),
        Column[Any]("What happened"),
        Column[Any]("Detail", form="words"),
        Column[Any]("Noticed by"),
        Column[Any]("After"),
    )
    asked = f"{wording.many(total.sessions, 'session')}, {wording.many(total.events, 'event')}"
    told = [
        f"noticed {total.noticed} of {total.truths}, missed {total.missed}, "
        f"{wording.many(total.noise, 'alert')} in sessions where nothing happened"
    ]
    if total.rules_without_history:
        told.append(f"not replayed, they look at more than one run: {', '.join(total.rules_without_history)}")
    shown: list[Table | str] = [columns.table(asked, fires)]
    return [*shown, *([Table("", titles, rows)] if rows else []), *told]


def _detect(seconds: float | None) -> str:
    if seconds is None:
        return wording.NOTHING
    return f"{wording.duration(-seconds)} before" if seconds < 0 else wording.duration(seconds)
