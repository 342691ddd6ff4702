"""Alerts: the changes that are written down, one after another, and the rows that follow from them.

An alert is a rule that found something, for one group key (a run, a strategy, the disk). What is stored are changes:
raised, changed, cleared, acknowledged, silenced, escalated, acted upon, told (a notification) and delivered. The rows
that people see are a fold over them, as a session's figures are a fold over its journal.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from copy import copy
from datetime import datetime
from typing import Final, Literal

import msgspec

Severity = Literal["info", "warning", "critical"]
INFO: Final = "info"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
SEVERITIES: tuple[str, ...] = (INFO, WARNING, CRITICAL)
RAISED, CLEARED = "raised", "cleared"
MOVES = 500  # changes that are remembered to be noted with their runs
CLOCK_SKEW_S = 60.0  # what lies further ahead was written by a clock that was wrong [s]
DELIVERED, PENDING, FAILED = "delivered", "pending", "failed"


class Change(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every change has: its time, and its number in the file, from 0 (-1 until it is written)."""

    at: datetime
    seq: int = -1


class Raised(Change, tag="raised", frozen=True, kw_only=True):
    """A rule found something; the same id again means that a cleared alert came back."""

    alert_id: str
    rule_id: str
    key: str
    severity: str
    message: str
    run_id: str | None = None
    symbol: str | None = None
    scope: str = ""
    owner: str = ""
    runbook: str = ""
    cause: str = ""


class Changed(Change, tag="changed", frozen=True, kw_only=True):
    """An open alert became worse or better, or has another cause."""

    alert_id: str
    severity: str
    message: str
    cause: str = ""


class Cleared(Change, tag="cleared", frozen=True, kw_only=True):
    """The rule finds nothing any more."""

    alert_id: str
    message: str


class Acknowledged(Change, tag="acknowledged", frozen=True, kw_only=True):
    """A person has taken the alert on; it escalates no further."""

    alert_id: str
    by: str
    note: str = ""


class Silenced(Change, tag="silenced", frozen=True, kw_only=True):
    """Until ``until`` nothing is delivered for a rule, a run, or a rule on a run; alerts are recorded all the same."""

    silence_id: str
    until: datetime
    by: str
    reason: str
    rule_id: str | None = None
    run_id: str | None = None


class Unsilenced(Change, tag="unsilenced", frozen=True, kw_only=True):
    """A silence ended before its time."""

    silence_id: str
    by: str


class Escalated(Change, tag="escalated", frozen=True, kw_only=True):
    """Nobody acknowledged in time; the next channels are told."""

    alert_id: str


class Acted(Change, tag="acted", frozen=True, kw_only=True):
    """The rule's action was taken for a cause: what was done; ``failed``: why it could not be, so it is tried again."""

    alert_id: str
    cause: str
    action: str
    outcome: str
    failed: bool = False


class Notification(Change, tag="notification", frozen=True, kw_only=True):
    """Something to be delivered to each of ``channels``; it is due until a :class:`Delivery` says otherwise."""

    alert_ids: tuple[str, ...]
    channels: tuple[str, ...]
    severity: str
    title: str
    body: str


class Delivery(Change, tag="delivery", frozen=True, kw_only=True):
    """How a notification (by its ``seq``) fared on one channel.

    ``delivered``, ``failed`` for good, or ``pending``: sent, but no answer came, so that it may have arrived.
    """

    notification: int
    channel: str
    outcome: str
    reason: str = ""
    attempts: int = 1


AnyChange = (
    Raised | Changed | Cleared | Acknowledged | Silenced | Unsilenced | Escalated | Acted | Notification | Delivery
)


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as people see it.

    Attributes:
        key: what the rule grouped by: a run, a strategy, a symbol, or nothing.
        scope: trading-state scope that it is about, empty where there is none.
        severity_at: since when it is as severe as it is.
        count: how often it was raised, a return after clearing included.
        cause: what the present finding rests on; acted: the causes for which the rule's action was taken.
        done: what that action did last, in a sentence, or why it could not be taken.
        silenced_by, silenced_until: set while a silence holds its deliveries back.
        told: the state or severity that was last notified, empty while nobody was told; told_at: when.
        deliveries: ``delivered``, ``pending`` or ``failed`` by channel, of the newest notification to it.
        refusals: why, by channel, for those that failed; they stay to be seen until someone acknowledges the alert.
    """

    alert_id: str
    rule_id: str
    key: str
    severity: str
    run_id: str | None
    symbol: str | None
    message: str
    state: str
    raised_at: datetime
    changed_at: datetime
    severity_at: datetime
    cleared_at: datetime | None = None
    scope: str = ""
    count: int = 1
    owner: str = ""
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    acknowledge_note: str = ""
    silenced_by: str | None = None
    silenced_until: datetime | None = None
    escalated: bool = False
    runbook: str = ""
    cause: str = ""
    acted: tuple[str, ...] = ()
    done: str = ""
    told: str = ""
    told_at: datetime | None = None
    deliveries: dict[str, str] = {}
    refusals: dict[str, str] = {}

    @property
    def untold(self) -> bool:
        """Whether a channel refused to tell it, and no person has said that they have seen it."""
        return bool(self.refusals) and not self.acknowledged_by

    @property
    def rank(self) -> int:
        """How bad it is now: 0 when cleared, then by severity."""
        return 0 if self.state == CLEARED else rank(self.severity)

    @property
    def told_rank(self) -> int:
        """How bad it was when somebody was last told; 0 when nobody was, or when it was told as cleared."""
        return 0 if self.told in ("", CLEARED) else rank(self.told)


def elapsed(since: datetime, now: datetime) -> float:
    """Return how long ago something was [s]; endless where it lies ahead, because the clock was set back since."""
    seconds = (now - since).total_seconds()
    return seconds if seconds >= -CLOCK_SKEW_S else math.inf


def rank(severity: str) -> int:
    """Return 1 for info, 2 for warning, 3 for critical."""
    return SEVERITIES.index(severity) + 1


class AlertBook:
    """The fold of all changes.

    Attributes:
        alerts: by id, in the order of their first raising.
        latest: the id of the newest alert of each (rule, key).
        silences: those that nobody ended, expired ones included.
        due: what is still to be delivered, by (notification, channel).
        unsure: of these, how often one was sent without an answer, and when last.
        moves: the newest changes of what alerts say, which are noted with their runs.
        acted: the (rule, key, cause) for which an action was taken; none is taken a second time.
        next_seq: the number of the next change.
    """

    def __init__(self) -> None:
        self.alerts: dict[str, AlertRow] = {}
        self.latest: dict[tuple[str, str], str] = {}
        self.silences: dict[str, Silenced] = {}
        self.due: dict[tuple[int, str], Notification] = {}
        self.unsure: dict[tuple[int, str], tuple[int, datetime]] = {}
        self.moves: deque[Raised | Changed | Cleared] = deque(maxlen=MOVES)
        self.acted: set[tuple[str, str, str]] = set()
        self.next_seq = 0
        self._told: dict[int, Notification] = {}

    def apply(self, change: AnyChange) -> None:
        """Take one change into account; a change of an alert that nobody knows is passed over."""
        self.next_seq = max(self.next_seq, change.seq + 1)
        if isinstance(change, (Raised, Changed, Cleared)):
            self.moves.append(change)
        match change:
            case Raised():
                self._raise(change)
            case Silenced():
                self.silences[change.silence_id] = change
            case Unsilenced():
                self.silences.pop(change.silence_id, None)
            case Notification():
                self._notify(change)
            case Delivery():
                self._deliver(change)
            case _:
                self._alter(change)

    def after(self, changes: Iterable[AnyChange]) -> AlertBook:
        """Return the fold with further changes, which this one does not take."""
        other = AlertBook()
        for name, value in vars(self).items():
            setattr(other, name, copy(value))
        for change in changes:
            other.apply(change)
        return other

    def open(self, rule_id: str, key: str) -> AlertRow | None:
        """Return the newest alert of a rule for a key, raised or cleared; None when there never was one."""
        found = self.latest.get((rule_id, key))
        return self.alerts[found] if found else None

    def holding(self, now: datetime) -> list[Silenced]:
        """Return the silences that hold at ``now``; one that begins ahead was made by a clock that was wrong, and does not."""
        return [s for s in self.silences.values() if s.until > now and elapsed(s.at, now) < math.inf]

    def silence_of(self, row: AlertRow, now: datetime) -> Silenced | None:
        """Return the silence that holds an alert's deliveries back at ``now``, the longest if there are several."""
        about = [s for s in self.holding(now) if s.rule_id in (None, row.rule_id) and s.run_id in (None, row.run_id)]
        return max(about, key=lambda s: s.until, default=None)

    def row(self, alert_id: str, now: datetime) -> AlertRow:
        """Return an alert with the silence that holds at ``now``."""
        row = self.alerts[alert_id]
        silence = self.silence_of(row, now)
        if silence is None:
            return row
        return msgspec.structs.replace(row, silenced_by=silence.by, silenced_until=silence.until)

    def _raise(self, c: Raised) -> None:
        before = self.alerts.get(c.alert_id)
        if before is None:
            self.alerts[c.alert_id] = AlertRow(
                alert_id=c.alert_id,
                rule_id=c.rule_id,
                key=c.key,
                severity=c.severity,
                run_id=c.run_id,
                symbol=c.symbol,
                message=c.message,
                state=RAISED,
                raised_at=c.at,
                changed_at=c.at,
                severity_at=c.at,
                scope=c.scope,
                owner=c.owner,
                runbook=c.runbook,
                cause=c.cause,
            )
            self.latest[c.rule_id, c.key] = c.alert_id
        else:
            self._put(before, c, severity=c.severity, message=c.message, cause=c.cause, state=RAISED, cleared_at=None)
            self._replace(c.alert_id, count=before.count + 1)

    def _alter(self, c: Changed | Cleared | Acknowledged | Escalated | Acted) -> None:
        row = self.alerts.get(c.alert_id)
        if row is None:
            return
        match c:
            case Changed():
                self._put(row, c, severity=c.severity, message=c.message, cause=c.cause)
            case Cleared():
                self._put(row, c, state=CLEARED, message=c.message, cleared_at=c.at)
            case Acknowledged():
                self._replace(c.alert_id, acknowledged_by=c.by, acknowledged_at=c.at, acknowledge_note=c.note)
            case Escalated():
                self._replace(c.alert_id, escalated=True)
            case Acted(failed=True):
                self._replace(c.alert_id, done=c.outcome)
            case Acted():
                self.acted.add((row.rule_id, row.key, c.cause))
                self._replace(c.alert_id, acted=(*row.acted, c.cause), done=c.outcome)

    def _put(self, row: AlertRow, c: Raised | Changed | Cleared, **fields: object) -> None:
        """Change a row; who acknowledged a warning has not acknowledged what became critical."""
        severity = str(fields.get("severity", row.severity))
        if severity != row.severity:
            fields["severity_at"] = c.at
        if rank(severity) > rank(row.severity):
            fields |= {"acknowledged_by": None, "acknowledged_at": None, "acknowledge_note": "", "escalated": False}
        self.alerts[row.alert_id] = msgspec.structs.replace(row, changed_at=c.at, **fields)

    def _replace(self, alert_id: str, **fields: object) -> None:
        self.alerts[alert_id] = msgspec.structs.replace(self.alerts[alert_id], **fields)

    def _notify(self, c: Notification) -> None:
        self._told[c.seq] = c
        self.due.update({(c.seq, channel): c for channel in c.channels})
        for alert_id in c.alert_ids:
            if row := self.alerts.get(alert_id):
                self._replace(
                    alert_id,
                    told=CLEARED if row.state == CLEARED else row.severity,
                    told_at=c.at,
                    deliveries=row.deliveries | dict.fromkeys(c.channels, PENDING),
                )

    def _deliver(self, c: Delivery) -> None:
        one = c.notification, c.channel
        if c.outcome == PENDING:
            self.unsure[one] = self.unsure.get(one, (0, c.at))[0] + 1, c.at
            return
        self.due.pop(one, None)
        self.unsure.pop(one, None)
        told = self._told.get(c.notification)
        for alert_id in told.alert_ids if told else ():
            if row := self.alerts.get(alert_id):
                waiting = any(alert_id in n.alert_ids for (_, channel), n in self.due.items() if channel == c.channel)
                refusals = {channel: why for channel, why in row.refusals.items() if channel != c.channel}
                if c.outcome == FAILED:
                    refusals[c.channel] = c.reason or "no reason was given"
                self._replace(
                    alert_id,
                    deliveries=row.deliveries | {c.channel: PENDING if waiting else c.outcome},
                    refusals=refusals,
                )
