"""What follows from all alert changes: the rows that people see, silences, what is still to be delivered. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from copy import copy
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.alerts.alerts import (
    CLEARED,
    FAILED,
    PENDING,
    RAISED,
    Acknowledged,
    Acted,
    AlertRow,
    AnyChange,
    Changed,
    Cleared,
    Delivery,
    Escalated,
    Notification,
    Raised,
    Silenced,
    Unsilenced,
    elapsed,
    rank,
)

MOVES = 500  # changes that are remembered to be noted with their runs
_SHARED = tuple(name for name in Raised.__struct_fields__ if name in AlertRow.__struct_fields__)


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
            shared: dict[str, Any] = {name: getattr(c, name) for name in _SHARED}
            self.alerts[c.alert_id] = AlertRow(
                **shared, state=RAISED, raised_at=c.at, changed_at=c.at, severity_at=c.at
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
