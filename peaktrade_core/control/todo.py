"""What needs doing now: halts, requests, changes, alerts, runs, incidents, runbooks, sessions, duties that wait for a person.

The start page, ``peaktrade todo`` and the home page show this list. Each item says how bad it is, since when it waits, the
next step, and which runbook treats it, with the parameters that open it filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from peaktrade_core.alerts.alerts import CRITICAL, AlertRow
from peaktrade_core.alerts.causes import treatment
from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.alerts.questions import watcher
from peaktrade_core.base.errors import PeaktradeError, why
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Status
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.change import Change
from peaktrade_core.control.changing.told import next_step
from peaktrade_core.control.routine import RoutineDay, counts, evidence_today, routine
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import TradingState
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import UNCLOSED, IncidentBook, IncidentRow
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import SEALED, UNFINISHED, EvidenceRow, evidence_rows
from peaktrade_core.runbooks.notebooks.lab import notebook_link, open_command, takes
from peaktrade_core.runbooks.runbooks import find_runbook
from peaktrade_core.runs.handbook import handbook, runbook_of
from peaktrade_core.runs.run import DIED, SILENT, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import TONE_OF, Cell, Column, Columns
from peaktrade_core.workspace.workspace import Workspace

Kind = Literal["halt", "request", "change", "alert", "run", "incident", "runbook", "session", "duty"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # of items that are equally bad, in this order
DAYS = 7  # how far back runbooks that were never ended and failed sessions are looked for
LISTED = ("unfinished", "unacknowledged")  # duties whose cases stand in the list one by one
URGENCY: dict[Status, str] = {FAIL: "✕ now", WARN: "▲ due"}


class Todo(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits for a person.

    Attributes:
        kind: of what; status: ``fail`` cannot wait, ``warn`` is due.
        what: in a sentence; about: the id of the run, alert, incident or record, the scope or the duty.
        since: when it began to wait, null where that is not known; age_s: how long ago that is [s].
        next_step: in words; runbook: the notebook that treats it, empty where a command does.
        given: parameters that open the notebook filled in; command: which does that, empty without a notebook.
    """

    kind: Kind
    status: Status
    what: str
    about: str
    next_step: str
    since: datetime | None = None
    age_s: float | None = None
    runbook: str = ""
    given: dict[str, str] = {}
    command: str = ""


def what_needs_doing(workspace: Workspace) -> list[Todo]:
    """Return what waits for a person, the worst first, then the oldest; what cannot be looked at is an item that says so."""
    found = [one for kind, find in _FINDERS for one in _found(workspace, kind, find)]
    now = workspace.clock.now()
    whole = [
        msgspec.structs.replace(one, age_s=_age(one, now), command=open_command(one.runbook, one.given))
        for one in found
    ]
    return sorted(whole, key=lambda one: (one.status != FAIL, KINDS.index(one.kind), -(one.age_s or 0.0)))


def _age(one: Todo, now: datetime) -> float | None:
    return None if one.since is None else max(0.0, (now - one.since).total_seconds())


def _found(workspace: Workspace, kind: Kind, find: Callable[[Workspace], Iterable[Todo]]) -> list[Todo]:
    """Return the items of one kind, or the one item that says why there are none to be had."""
    try:
        return list(find(workspace))
    except (PeaktradeError, OSError) as error:
        what = f"Cannot look whether any {kind} waits: {why(error)}"
        return [Todo(kind=kind, status=FAIL, what=what, about=kind, next_step="Mend that first.")]


def _halts(workspace: Workspace) -> Iterator[Todo]:
    """Yield every scope that is not ACTIVE."""
    now = KillSwitch.of(workspace).status()
    how = f"two people sign {now.request}." if now.request else "a second person confirms it."
    asked = f"{now.requested_by} asked for the release; {how}" if now.requested_by else ""
    for one in TradingStates.of(workspace).stopped():
        yield _halt(one, asked if one.everywhere else "")


def _halt(one: TradingState, asked: str) -> Todo:
    step = f"Find the cause, then `peaktrade risk resume --scope {one.scope}`."
    if one.everywhere:
        step = "Find the cause; then two people release it."
    if asked:
        step = asked
    return Todo(
        kind="halt",
        status=FAIL if one.everywhere or one.state == "NO_ORDERS" else WARN,
        what=f"Everything is {one.state}, by {one.by}: {one.reason}"
        if one.everywhere
        else f"{one.scope} is {one.state}, by {one.by}: {one.reason}",
        about=one.scope,
        since=one.since,
        next_step=step,
        runbook="kill_switch" if one.everywhere else "",
        given={"action": "release"} if one.everywhere else {},
    )


def _requests(workspace: Workspace) -> Iterator[Todo]:
    """Yield the requests that wait for a signature, and those that were signed and not carried out."""
    for one in Approvals.of(workspace).all():
        if one.state in ("waits", "approved"):
            until = wording.minute(one.asked.until)
            sign = f"It still needs {one.lacks}: read it, then `peaktrade approve {one.id}`, before {until} UTC."
            yield Todo(
                kind="request",
                status=WARN,
                what=f"{one.asked.by} asks for: {one.asked.authority.situation}, {one.asked.subject}",
                about=one.id,
                since=one.asked.at,
                next_step=sign if one.lacks else f"Both have signed: carry it out before {until} UTC.",
            )


def _changes(workspace: Workspace) -> Iterator[Todo]:
    """Yield what was made tighter before it was approved, and what is configured past all changes."""
    changes = Changes.of(workspace)
    for one in changes.all():
        if one.until is not None or one.unwritten or (one.state == "rejected" and one.applied_at and one.refused):
            yield _change(one)
    if (found := changes.compared()).items and not found.unwritten:
        yield Todo(
            kind="change",
            status=FAIL,
            what=found.told.capitalize(),
            about="configuration",
            next_step="Put it back, or propose it: `peaktrade change propose --as-it-is --by NAME --reason TEXT`.",
        )


def _change(one: Change) -> Todo:
    until = f", until {wording.minute(one.until)} UTC" if one.until else ""
    return Todo(
        kind="change",
        status=FAIL if one.state == "overdue" or one.unwritten else WARN,
        what=f"{one.proposal.subject}, {one.state}: it takes {one.needed}{until}",
        about=one.id,
        since=one.applied_at,
        next_step=next_step(one),
    )


def _alerts(workspace: Workspace) -> Iterator[Todo]:
    """Yield the alerts that wait for a person."""
    for row in Alerts.of(workspace).rows(OPEN):
        if row.waits:
            yield _alert(row)


def _alert(row: AlertRow) -> Todo:
    runbook, given = treatment(row)
    untold = f"; not told on {', '.join(row.refusals)}" if row.untold else ""
    return Todo(
        kind="alert",
        status=FAIL if row.severity == CRITICAL else WARN,
        what=f"{row.rule_id}: {row.message}{untold}",
        about=row.run_id or row.alert_id,
        since=row.raised_at,
        next_step=f"`peaktrade alerts ack {row.alert_id} --by NAME`, then its runbook.",
        runbook=runbook,
        given=given,
    )


def _runs(workspace: Workspace) -> Iterator[Todo]:
    """Yield the runs that are silent or died."""
    for run in Views.of(workspace).runs(500):
        if run.state in (SILENT, DIED):
            died = run.state == DIED
            yield Todo(
                kind="run",
                status=FAIL,
                what=f"{run.run_id} " + ("died" if died else "lives, and nothing comes from it"),
                about=run.run_id,
                since=run.last_event_at or run.started_at,
                next_step="`peaktrade doctor` ends its record." if died else f"`peaktrade monitor run {run.run_id}`",
                runbook="incident_failed_session" if died else "monitoring_round",
                given={"session_id": run.run_id} if died else {},
            )


def _incidents(workspace: Workspace) -> Iterator[Todo]:
    """Yield the incidents that are not closed, exercises apart."""
    for row in IncidentBook.of(workspace).rows(status=UNCLOSED, drills=False):
        yield _incident(row)


def _incident(row: IncidentRow) -> Todo:
    runbook = handbook().runbook_of(row.kind)
    step = f"`peaktrade incident show {row.incident_id}`"
    if row.status == "mitigated":
        step = f"Say what it was: `peaktrade incident close {row.incident_id}`"
    treats = bool(row.subject) and row.status == "open" and "session_id" in takes(runbook)
    return Todo(
        kind="incident",
        status=FAIL if row.severity == "high" and row.status != "mitigated" else WARN,
        what=f"{row.incident_id} is {row.status}: {row.fault or row.title}",
        about=row.incident_id,
        since=row.mitigated_at or row.opened_at,
        next_step=f"{step}, led by {row.commander}" if row.commander else step,
        runbook=runbook if treats else "",
        given={"session_id": row.subject} if treats else {},
    )


def _runbooks(workspace: Workspace) -> Iterator[Todo]:
    """Yield the runbooks that were begun and never ended, with the question that waits."""
    book = EvidenceBook.of(workspace)
    for row in evidence_rows(book, days=DAYS):
        if row.state == UNFINISHED and row.runbook and counts(workspace, row):
            yield _runbook(row, book.load(row.evidence_id))


def _runbook(row: EvidenceRow, record: ev.Evidence) -> Todo:
    waiting = [step.title for step in record.steps if step.status == ev.OPEN]
    asks = f"asks: {waiting[0]}" if waiting else f"not ended after {wording.many(row.steps, 'step')}"
    return Todo(
        kind="runbook",
        status=WARN,
        what=f"{row.title}, begun by {row.operator}, {asks}",
        about=row.evidence_id,
        since=row.began_at,
        next_step="Take it up again where it stopped.",
        runbook=row.runbook if "resume" in takes(row.runbook) else "",
        given={"resume": row.evidence_id},
    )


def _sessions(workspace: Workspace) -> Iterator[Todo]:
    """Yield the failed sessions of the last days that were not checked after their end."""
    views = Views.of(workspace)
    failed = views.rows(Query(since=views.now() - timedelta(days=DAYS), status="failed"))
    if not failed:
        return
    rows = evidence_rows(EvidenceBook.of(workspace), runbook="post_session_check", days=DAYS)
    seen = {row.subject for row in rows if row.state == SEALED and counts(workspace, row)}
    yield from (_session(run) for run in failed if run.run_id not in seen)


def _session(run: Run) -> Todo:
    return Todo(
        kind="session",
        status=FAIL,
        what=f"{run.run_id} failed and was not checked: {run.notes}",
        about=run.run_id,
        since=run.ended_at or run.started_at,
        next_step=f"Check it, then the runbook {runbook_of(run.notes)}.",
        runbook="post_session_check",
        given={"session_id": run.run_id},
    )


def _duties(workspace: Workspace) -> Iterator[Todo]:
    """Yield what of the daily routine is due or missed, and whether anyone watches."""
    midnight = RoutineDay(workspace, evidence_today(workspace)).midnight
    for one in (watcher(workspace), *routine(workspace)):
        if one.status != PASS and one.id not in LISTED:
            yield _duty(one, None if one.id == watcher.id else midnight)


def _duty(one: Check, since: datetime | None) -> Todo:
    runbook = one.id if takes(one.id) else ""
    return Todo(
        kind="duty",
        status=FAIL if one.status == FAIL else WARN,
        what=one.told,
        about=one.id,
        since=since,
        next_step=one.next_step,
        runbook=runbook,
    )


_FINDERS: tuple[tuple[Kind, Callable[[Workspace], Iterable[Todo]]], ...] = (
    ("halt", _halts),
    ("request", _requests),
    ("change", _changes),
    ("alert", _alerts),
    ("run", _runs),
    ("incident", _incidents),
    ("runbook", _runbooks),
    ("session", _sessions),
    ("duty", _duties),
)


def _next(one: Todo) -> Cell:
    return Cell(" ".join(filter(None, (one.next_step, f"`{one.command}`" if one.command else ""))), code=True)


def _runbook_cell(one: Todo) -> Cell:
    if not one.runbook:
        return Cell(wording.NOTHING)
    return Cell(find_runbook(one.runbook).title, href=notebook_link(one.runbook, one.given, root=""))


TODO = Columns[Todo](
    status=Column("", lambda one: Cell(URGENCY[one.status], TONE_OF[one.status])),
    kind=Column("Kind", priority=2),
    age=Column("Waits", lambda one: wording.duration(one.age_s), "number", 1),
    what=Column("What", form="words"),
    runbook=Column("Runbook", _runbook_cell),
    step=Column("Next", lambda one: Cell(one.next_step, code=True), "words"),
    next=Column("Next", _next, "words"),
)
NOTHING_WAITS = "Nothing waits for a person."
