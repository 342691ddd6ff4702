"""The weekly review of incidents: what was opened, how fast it was held, what keeps coming back, what is still to do.

Exercises (drills) are counted apart and enter no figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from statistics import median

import msgspec

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.question import WARN, Check, Status, check
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.incident import Action, Incident
from peaktrade_core.incidents.report import SEVERITY, STATUS
from peaktrade_core.runbooks.shelf import Notebook
from peaktrade_core.schedule import periods
from peaktrade_core.schedule.periods import Span
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.cover import Cover, Entries, course, needing, utc, verdict_on
from peaktrade_core.show.table import BAD, MID, Cell, Table

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
    kinds: dict[str, int] = dict(Counter[str](one.kind for one in opened).most_common())
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
    high = [one for one in real if one.severity == "high"]
    untold = [one.incident_id for one in high if one.owner_told_at is None]
    unlearned = [one.incident_id for one in high if one.status == "closed" and one.postmortem is None]
    often = [f"{kind} x {n}" for kind, n in kinds.items() if n >= OFTEN]
    late = [f"{row.incident_id} #{row.number} ({row.action.owner})" for row in actions if row.overdue]
    tell = f'Now, then: `peaktrade incident note {next(iter(untold), "")} "…" --owner-told --by NAME`'
    learn = f"While people remember: `peaktrade incident postmortem {next(iter(unlearned), '')}`"
    return [
        _none("old", "Was every incident closed within a week?", old, "Close it, or say in a note what it waits for."),
        _none("owner", "Is the owner informed of every high one?", untold,
              tell, otherwise="fail"),
        _none("postmortem", "Has every high one that is closed its post-mortem?", unlearned,
              learn, otherwise="fail"),
        _none("patterns", "Did each kind come up at most once?", often, "Treat the cause: one action for the kind."),
        _none("actions", "Is every agreed action done in time?", late, "Do it, or agree on another day in the next post-mortem."),
    ]  # fmt: skip


def _none(id: str, question: str, found: list[str], step: str, otherwise: Status = WARN) -> Check:
    """Return a check that passes when nothing was found."""
    return check(id, question, not found, ", ".join(found[:5]) or "none", step, otherwise=otherwise)


class WeeklyReview(Notebook):
    """The review of an ISO week as its notebook and ``peaktrade incident review`` show it."""

    @cached_property
    def review(self) -> Review:
        """What the week says.

        Raises:
            ConfigError: the week does not exist, or has not begun.
        """
        span = periods.span_named(periods.WEEK, self.given.week, self.workspace.clock.now())
        return review(IncidentBook.of(self.workspace), span)

    def cover(self) -> Cover:
        """Return the week at a glance."""
        found, span = self.review, self.review.span
        verdict, told = verdict_on(found.checks)
        kinds = (
            Entries(
                "opened", "cross", "red", [(i.opened_at, f"{i.incident_id} opened: {i.title}") for i in found.opened]
            ),
            Entries(
                "closed", "up", "green", [(i.closed_at, f"{i.incident_id} closed") for i in found.closed if i.closed_at]
            ),
        )
        return Cover(
            subject=f"Incidents of the week {span.label}",
            whose=f"opened by {', '.join(dict.fromkeys(i.opened_by for i in found.opened))}"
            if found.opened
            else "none opened",
            when=f"as of {utc(found.as_of)}" + ("" if found.as_of >= span.until else ", not over yet"),
            verdict=verdict,
            why=told,
            figures=(
                ("Opened", Cell(f"{len(found.opened)}")),
                ("Not closed at the end", Cell(f"{len(found.unclosed)}")),
                ("Until held, median", Cell(wording.duration(found.held_s))),
            ),
            chart=course("Opened and closed", *kinds),
            needs=needing(found.checks),
            links=(("All:", Cell("`peaktrade incident list`")),),
        )

    def overview(self) -> Table:
        """Return the figures of the week."""
        found = self.review
        severities = ", ".join(f"{sum(i.severity == s for i in found.opened)} {s}" for s in ("high", "medium", "low"))
        rows: list[tuple[str, object]] = [
            ("Opened", f"{len(found.opened)}" + (f" ({severities})" if found.opened else "")),
            ("Closed", f"{len(found.closed)}"),
            ("Not closed at the end", f"{len(found.unclosed)}"),
            ("Until it was held, median", wording.duration(found.held_s)),
            ("Until it was closed, median", wording.duration(found.closed_s)),
            ("By kind", ", ".join(f"{kind} x {n}" for kind, n in found.kinds.items()) or "none"),
            ("Marked as a drill", f"{found.drills}"),
        ]
        if found.faults:
            rows.append(("Unreadable", Cell("; ".join(found.faults), BAD)))
        span = found.span
        note = f"UTC, from {wording.minute(span.since)} to {wording.minute(span.until)}; as of {wording.moment(found.as_of)}"
        return Table(f"Incidents of the week {span.label}", ("", ""), rows, note=note)

    def questions(self) -> Table:
        """Return the review's questions, answered."""
        return check_table(self.review.checks, "Is everything taken care of?")

    def incidents(self) -> Table:
        """Return the incidents that were opened in the week, and those from before that are still open."""
        wanted = {i.incident_id: i for i in (*self.review.unclosed, *self.review.opened)}
        rows = [
            (i.incident_id, SEVERITY[i.severity], STATUS[i.status], i.title, i.subject, wording.moment(i.opened_at),
             wording.duration((i.closed_at - i.opened_at).total_seconds() if i.closed_at else None), i.cause or i.suspected)
            for i in sorted(wanted.values(), key=lambda i: i.opened_at)
        ]  # fmt: skip
        columns = ("Incident", "Severity", "Status", "What", "About", "Opened (UTC)", "Took", "Cause")
        return Table("The incidents", columns, rows, empty="A week without an incident.")

    def actions(self) -> Table:
        """Return the actions of all post-mortems that are not done."""
        rows = [
            (
                Cell("✕ overdue", BAD) if row.overdue else Cell("▲ to do", MID),
                row.action.what,
                row.action.owner,
                row.action.due,
                Cell(f"`peaktrade incident done {row.incident_id} {row.number}`", code=True),
            )
            for row in self.review.actions
        ]
        columns = ("", "What", "Who", "Until", "When it is done")
        return Table("What is still to do", columns, rows, empty="Nothing that was agreed is open.")

    def tables(self) -> list[Table]:
        """Return everything that it says, in its order."""
        return [self.overview(), self.questions(), self.incidents(), self.actions()]
