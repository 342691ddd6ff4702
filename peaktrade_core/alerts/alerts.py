"""Alerts: the changes that are written down, one after another, and the rows that follow from them.

An alert is a rule that found something, for one group key (a run, a strategy, the disk). What is stored are changes:
raised, changed, cleared, acknowledged, silenced, escalated, acted upon, told (a notification) and delivered. The rows
that people see are a fold over them, as a session's figures are a fold over its journal.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final, Literal

import msgspec

Severity = Literal["info", "warning", "critical"]
INFO: Final = "info"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
SEVERITIES: tuple[str, ...] = (INFO, WARNING, CRITICAL)
RAISED, CLEARED = "raised", "cleared"
CLOCK_SKEW_S = 60.0  # what lies further ahead was written by a clock that was wrong [s]
DELIVERED, PENDING, FAILED = "delivered", "pending", "failed"


class AlertChange(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every change has: its time, and its number in the file, from 0 (-1 until it is written)."""

    at: datetime
    seq: int = -1


class Raised(AlertChange, tag="raised", frozen=True, kw_only=True):
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


class Changed(AlertChange, tag="changed", frozen=True, kw_only=True):
    """An open alert became worse or better, or has another cause."""

    alert_id: str
    severity: str
    message: str
    cause: str = ""


class Cleared(AlertChange, tag="cleared", frozen=True, kw_only=True):
    """The rule finds nothing any more."""

    alert_id: str
    message: str


class Acknowledged(AlertChange, tag="acknowledged", frozen=True, kw_only=True):
    """A person has taken the alert on; it escalates no further."""

    alert_id: str
    by: str
    note: str = ""


class Silenced(AlertChange, tag="silenced", frozen=True, kw_only=True):
    """Until ``until`` nothing is delivered for a rule, a run, or a rule on a run; alerts are recorded all the same."""

    silence_id: str
    until: datetime
    by: str
    reason: str
    rule_id: str | None = None
    run_id: str | None = None

    @property
    def target(self) -> str:
        """What is not told, for people: a rule, a run, or a rule on a run."""
        parts = [f"rule {self.rule_id}"] if self.rule_id else []
        return " on ".join(parts + ([f"run {self.run_id}"] if self.run_id else []))


class Unsilenced(AlertChange, tag="unsilenced", frozen=True, kw_only=True):
    """A silence ended before its time."""

    silence_id: str
    by: str


class Escalated(AlertChange, tag="escalated", frozen=True, kw_only=True):
    """Nobody acknowledged in time; the next channels are told."""

    alert_id: str


class Acted(AlertChange, tag="acted", frozen=True, kw_only=True):
    """The rule's action was taken for a cause: what was done; ``failed``: why it could not be, so it is tried again."""

    alert_id: str
    cause: str
    action: str
    outcome: str
    failed: bool = False


class Notification(AlertChange, tag="notification", frozen=True, kw_only=True):
    """Something to be delivered to each of ``channels``; it is due until a :class:`Delivery` says otherwise."""

    alert_ids: tuple[str, ...]
    channels: tuple[str, ...]
    severity: str
    title: str
    body: str


class Delivery(AlertChange, tag="delivery", frozen=True, kw_only=True):
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
    def open(self) -> bool:
        """Whether it is raised, or could not be told and no person has seen it."""
        return self.state == RAISED or self.untold

    @property
    def free(self) -> bool:
        """Whether it is open and no one has taken it on; a silence takes nothing on, it only holds deliveries back."""
        return self.open and not self.acknowledged_by

    @property
    def waits(self) -> bool:
        """Whether a person must care now: no one has taken it on, and it is critical or no silence holds it back."""
        return self.free and (self.severity == CRITICAL or self.untold or not self.silenced_by)

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
