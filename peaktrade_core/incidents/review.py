"""The weekly review of incidents: what was opened, how fast it was held, what keeps coming back, what is still to do.

Exercises (drills) are counted apart and enter no figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median

import msgspec

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.question import WARN, Check, Status, check
from peaktrade_core.incidents import incident as inc
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.incident import Action, Incident
from peaktrade_core.schedule.periods import Span

LONG_OPEN = timedelta(days=7)  # an incident that is open for longer is asked about
OFTEN = 2  # so many of one kind in a week are a pattern


class OpenAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action of a post-mortem that is not done: of which incident, its number there, and whether it is overdue."""

    incident_id: str
    number: int
    action: Action
    overdue: bool


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What a week of incidents says.

    Attributes:
        span: the week; as_of: when it was asked.
        opened, closed: in the week, oldest first; unclosed: at its end; drills: exercises opened in it.
        held_s, closed_s: medians from opening to mitigation and to closing [s], of those that got there in the week.
        kinds: how many of each kind were opened, most frequent first.
        actions: of all post-mortems, those that are not done; checks: the review's questions, answered.
        faults: incidents that cannot be read.
    """

    span: Span
    as_of: datetime
    opened: tuple[Incident, ...]
    closed: tuple[Incident, ...]
    unclosed: tuple[Incident, ...]
    drills: int
    held_s: float | None
    closed_s: float | None
    kinds: dict[str, int]
    actions: tuple[OpenAction, ...]
    checks: tuple[Check, ...]
    faults: tuple[str, ...] = ()


def review(book: IncidentBook, span: Span) -> Review:
    """Return the review of a week."""
    now = book.clock.now()
    found, faults = _load(book)
    real = [one for one in found if not one.drill]
    opened = [one for one in real if span.since <= one.opened_at < span.until]
    closed = [one for one in real if one.closed_at and span.since <= one.closed_at < span.until]
    held = [one for one in real if one.mitigated_at and span.since <= one.mitigated_at < span.until]
    unclosed = [o for o in real if o.opened_at < span.until and not (o.closed_at and o.closed_at < span.until)]
    kinds = dict(Counter(one.kind for one in opened).most_common())
    actions = _actions(real, now)
    return Review(
        span=span,
        as_of=now,
        opened=tuple(opened),
        closed=tuple(closed),
        unclosed=tuple(unclosed),
        drills=sum(bool(one.drill) and span.since <= one.opened_at < span.until for one in found),
        held_s=_median((one.mitigated_at, one.opened_at) for one in held),
        closed_s=_median((one.closed_at, one.opened_at) for one in closed),
        kinds=kinds,
        actions=actions,
        checks=(*_checks(real, unclosed, kinds, actions, min(now, span.until)), book.verify()),
        faults=faults,
    )


def _load(book: IncidentBook) -> tuple[list[Incident], tuple[str, ...]]:
    """Return every incident, oldest first, and what cannot be read."""
    found, faults = [], []
    for incident_id in reversed(book.ids()):
        try:
            found.append(book.load(incident_id))
        except ArtefactError as fault:
            faults.append(str(fault))
    return found, tuple(faults)


def _median(pairs: Iterable[tuple[datetime | None, datetime]]) -> float | None:
    """Return the median of time spans [s], None without any."""
    spans = [(end - begin).total_seconds() for end, begin in pairs if end is not None]
    return median(spans) if spans else None


def _actions(found: list[Incident], now: datetime) -> tuple[OpenAction, ...]:
    """Return the actions that are not done, the first to be due first."""
    today = f"{now:%Y-%m-%d}"
    rows = [
        OpenAction(incident_id=one.incident_id, number=number, action=action, overdue=action.due < today)
        for one in found
        if one.postmortem is not None
        for number, action in enumerate(one.postmortem.actions, 1)
        if action.done_at is None
    ]
    return tuple(sorted(rows, key=lambda row: (row.action.due, row.incident_id, row.number)))


def _checks(
    real: list[Incident],
    unclosed: list[Incident],
    kinds: dict[str, int],
    actions: tuple[OpenAction, ...],
    now: datetime,
) -> list[Check]:
    """Return the review's questions, answered."""
    old = [one.incident_id for one in unclosed if now - one.opened_at > LONG_OPEN]
    high = [one for one in real if one.severity == inc.HIGH]
    untold = [one.incident_id for one in high if one.owner_told_at is None]
    unlearned = [one.incident_id for one in high if one.status == inc.CLOSED and one.postmortem is None]
    often = [f"{kind} x {n}" for kind, n in kinds.items() if n >= OFTEN]
    late = [f"{row.incident_id} #{row.number} ({row.action.owner})" for row in actions if row.overdue]
    return [
        _none("old", "Is nothing open for longer than a week?", old, "Close it, or say in a note what it waits for."),
        _none("owner", "Is the owner informed of every high one?", untold,
              "`peaktrade incident note INC --owner-told`, now.", otherwise="fail"),
        _none("postmortem", "Has every high one that is closed its post-mortem?", unlearned,
              "`peaktrade incident postmortem INC`, while people remember.", otherwise="fail"),
        _none("patterns", "Does nothing keep coming back?", often, "Treat the cause, not each case: one action for the kind."),
        _none("actions", "Is no action overdue?", late, "Do it, or agree on another day in the next post-mortem."),
    ]  # fmt: skip


def _none(id: str, question: str, found: list[str], step: str, otherwise: Status = WARN) -> Check:
    """Return a check that passes when nothing was found."""
    return check(id, question, not found, ", ".join(found[:5]) or "none", step, otherwise=otherwise)
