"""From findings to alert changes, and from alerts to notifications: what to raise, clear, tell and escalate.

Pure: the newest state and the time go in, changes come out. Telling is a reconciliation: what an alert is now against
what was last told of it. That makes a silence that ends, a restart and a flapping rule one and the same case.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from peaktrade_core.alerts.alerts import (
    CLEARED,
    CRITICAL,
    RAISED,
    AlertRow,
    AnyChange,
    Changed,
    Cleared,
    Escalated,
    Notification,
    Raised,
    elapsed,
    rank,
)
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.alerts.rules.facts import RuleFinding
from peaktrade_core.alerts.rules.kinds import AnyRule
from peaktrade_core.base.clock import utc
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.show.wording import many

_SHOWN = 30  # alerts named in one notification; the rest is counted
_SLOWEST = 30  # how far a rule that keeps coming back is slowed down

Key = tuple[str, str]


class Holds:
    """Since when what is found differs from what is recorded, for each (rule, key); lost with the process.

    A process that looks once (``lasting`` is False) cannot know: to it everything has held long enough.
    """

    def __init__(self, *, lasting: bool = True) -> None:
        self._lasting = lasting
        self._since: dict[tuple[Key, str], datetime] = {}

    def held(self, key: Key, what: str, now: datetime) -> float:
        """Return for how long ``what`` has held without a break, this look included [s]."""
        since = self._since[key, what] = min(self._since.get((key, what), now), now)  # a clock may be set back
        return (now - since).total_seconds() if self._lasting else math.inf

    def forget_others(self, rule_id: str, keys: Iterable[str]) -> None:
        """Forget what a rule found before and does not find now."""
        kept = set(keys)
        gone = [at for at in self._since if at[1] == "found" and at[0][0] == rule_id and at[0][1] not in kept]
        for one in gone:
            del self._since[one]

    def broken(self, key: Key, *what: str) -> None:
        """Forget that something held."""
        for one in what:
            self._since.pop((key, one), None)


def judge(
    rules: Iterable[AnyRule],
    found: Mapping[str, Sequence[RuleFinding]],
    book: AlertBook,
    holds: Holds,
    now: datetime,
    new_id: Callable[[str, str, datetime], str],
) -> list[AnyChange]:
    """Return what is to be raised, changed and cleared.

    Args:
        rules: all that are enabled; an open alert of another is cleared.
        found: the findings of each rule by its id; a rule that could not be asked is absent and stays as it is.
        book: the alerts so far; holds: the memory of this process.
        new_id: makes an alert's id from rule, key and time.
    """
    known = {rule.id: rule for rule in rules}
    changes: list[AnyChange] = []
    for rule in known.values():
        if rule.id not in found:
            continue
        merged = _merged(found[rule.id])
        holds.forget_others(rule.id, merged)
        for finding in merged.values():
            changes += _raise_or_change(rule, finding, book.open(rule.id, finding.key), holds, now, new_id)
    for row in list(book.alerts.values()):
        if row.state != RAISED:
            continue
        if row.rule_id not in known:
            changes.append(Cleared(at=now, alert_id=row.alert_id, message="its rule is no longer there"))
        elif row.rule_id in found and row.key not in {f.key for f in found[row.rule_id]}:
            key = (row.rule_id, row.key)
            holds.broken(key, "found", "better")
            if holds.held(key, "gone", now) >= known[row.rule_id].clear_for_s:
                holds.broken(key, "gone")
                changes.append(Cleared(at=now, alert_id=row.alert_id, message=f"over: {row.message}"))
    return changes


def _merged(findings: Sequence[RuleFinding]) -> dict[str, RuleFinding]:
    """Return one finding for each key: the worst, with the others counted."""
    by_key: dict[str, list[RuleFinding]] = {}
    for finding in findings:
        by_key.setdefault(finding.key, []).append(finding)
    merged = {}
    for key, several in by_key.items():
        worst = max(several, key=lambda f: rank(f.severity))
        subjects = {f.run_id or f.key for f in several}
        if len(subjects) > 1:
            worst = worst._replace(
                message=f"{many(len(subjects), 'run')}, the worst {worst.run_id}: {worst.message}",
                run_id=None,
                cause=" ".join(sorted(map(str, subjects))),
            )
        merged[key] = worst
    return merged


def _raise_or_change(
    rule: AnyRule,
    finding: RuleFinding,
    row: AlertRow | None,
    holds: Holds,
    now: datetime,
    new_id: Callable[[str, str, datetime], str],
) -> list[AnyChange]:
    key = (rule.id, finding.key)
    holds.broken(key, "gone")
    if row is None or row.state == CLEARED:
        if holds.held(key, "found", now) < rule.for_s:
            return []
        again = row is not None and row.cleared_at is not None and elapsed(row.cleared_at, now) < rule.quiet_s
        return [
            Raised(
                at=now,
                alert_id=row.alert_id if again and row else new_id(rule.id, finding.key, now),
                rule_id=rule.id,
                key=finding.key,
                severity=finding.severity,
                message=finding.message,
                run_id=finding.run_id,
                symbol=finding.symbol,
                scope=finding.scope,
                owner=rule.owner,
                runbook=finding.runbook or rule.chapter,
                cause=finding.cause,
            )
        ]
    if rank(finding.severity) < rank(row.severity):
        if holds.held(key, "better", now) < rule.clear_for_s:
            return []
    elif finding.severity == row.severity and finding.cause == row.cause:
        holds.broken(key, "better")
        return []
    holds.broken(key, "better")
    return [
        Changed(
            at=now,
            alert_id=row.alert_id,
            severity=finding.severity,
            message=finding.message,
            cause=finding.cause,
        )
    ]


def tell(rules: Iterable[AnyRule], book: AlertBook, now: datetime) -> list[AnyChange]:
    """Return the notifications and escalations that are to be recorded now; a silence holds both back.

    News of one kind from one rule for the same channels is one notification.
    """
    known = {rule.id: rule for rule in rules}
    news: dict[tuple[str, str, tuple[str, ...]], list[AlertRow]] = {}
    changes: list[AnyChange] = []
    for row in book.alerts.values():
        rule = known.get(row.rule_id)
        if row.state == CLEARED and row.told in ("", CLEARED):
            continue
        if book.silence_of(row, now) is not None:
            continue
        if rule is None:
            kind, channels = _plain_news(row), tuple(row.deliveries)
        else:
            kind, channels = _news(rule, row, now), rule.channels
            if kind == "escalated":
                changes.append(Escalated(at=now, alert_id=row.alert_id))
                channels = rule.escalate_to
            elif row.escalated:
                channels = tuple(dict.fromkeys((*rule.channels, *rule.escalate_to)))
        if kind:
            news.setdefault((row.rule_id, kind, channels), []).append(row)
    changes += [
        _notification(rule_id, kind, channels, rows, now)
        for (rule_id, kind, channels), rows in news.items()
        if channels
    ]
    return changes


def _plain_news(row: AlertRow) -> str:
    return "cleared" if row.state == CLEARED else ""


def _news(rule: AnyRule, row: AlertRow, now: datetime) -> str:
    """Return what is to be told of an alert now, empty for nothing."""
    if row.told_at is None:
        return "raised"
    since_told = elapsed(row.told_at, now)
    if row.rank > row.told_rank:
        return "worse" if row.told_rank else "raised"
    if row.rank < row.told_rank:
        if since_told < rule.quiet_s * min(row.count, _SLOWEST):
            return ""
        return "cleared" if row.state == CLEARED else "better"
    if row.severity != CRITICAL or row.acknowledged_by:
        return ""
    if escalates_in(rule, row, now) == 0.0:
        return "escalated"
    return "reminder" if rule.repeat_s and since_told >= rule.repeat_s else ""


def escalates_in(rule: AnyRule, row: AlertRow, now: datetime) -> float | None:
    """Return in how long an alert escalates unless somebody takes it on [s], 0 when it is time; None where it will not."""
    waits = row.state == RAISED and row.severity == CRITICAL and not (row.acknowledged_by or row.silenced_by)
    if not waits or row.escalated or not rule.escalate_after_s:
        return None
    return max(0.0, rule.escalate_after_s - elapsed(row.severity_at, now))


_WORDS = {
    "raised": "{severity} {rule}",
    "worse": "NOW {severity} {rule}",
    "better": "ONLY {severity} {rule}",
    "cleared": "CLEARED {rule}",
    "reminder": "STILL {severity} {rule}",
    "escalated": "ESCALATED {severity} {rule}",
}


def _notification(
    rule_id: str, kind: str, channels: tuple[str, ...], rows: list[AlertRow], now: datetime
) -> Notification:
    worst = max(rows, key=lambda row: rank(row.severity))
    first = rows[0]
    subject = (first.run_id or first.key or first.message) if len(rows) == 1 else many(len(rows), "alert")
    title = _WORDS[kind].format(severity=worst.severity.upper(), rule=rule_id)
    return Notification(
        at=now,
        alert_ids=tuple(row.alert_id for row in rows),
        channels=channels,
        severity=worst.severity,
        title=f"{title}: {subject}",
        body="\n\n".join(_paragraph(row, kind) for row in rows[:_SHOWN]),
    )


def _paragraph(row: AlertRow, kind: str) -> str:
    """Return what a person needs to know of one alert: what, where, since when, whose, and what to do."""
    lines = [" ".join(row.message.split())]
    if row.run_id:
        lines.append(f"run: {row.run_id}" + (f" ({row.symbol})" if row.symbol else ""))
    lines.append(f"since: {utc(row.raised_at)}" + (f", raised {row.count} times" if row.count > 1 else ""))
    if row.done:
        lines.append(f"done: {row.done}")
    if kind != "cleared":
        chapter = handbook().chapter.get(row.runbook)
        lines.append(f"owner: {row.owner} · runbook {row.runbook}: {chapter.title if chapter else ''}")
        lines.append(f"take it on: peaktrade alerts ack {row.alert_id} --by NAME")
    return "\n".join(lines)
