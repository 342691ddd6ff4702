"""The daily routine: what is due today and what of it was done, known from the evidence, the reports and the alerts.

A day is a UTC day, as everywhere. Rehearsals on a fixed clock count only where the clock is fixed.

Source: workflow overview, daily operator checklist and shift routine; operational runbook 6 (daily health check).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from peaktrade_core.alerts.questions import unacknowledged
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Check, Found, Question, Status, answers, question
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import SEALED, UNFINISHED, EvidenceRow, evidence_rows
from peaktrade_core.runs.run import ACTIVE
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule import periods
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

DRILL_DAYS = 90
STATUS_REPORT = "control_center_daily"
TOLD = {PASS: "done", UNKNOWN: "unknown", WARN: "due", FAIL: "missed"}
_BEFORE = (
    "pre_session_check",
    "testnet_run",
    "session_run",
    "restart_after_maintenance",
)  # each looks before it starts


class RoutineDay(NamedTuple):
    """A workspace today, with the evidence of today, newest first."""

    workspace: Workspace
    done: list[EvidenceRow]

    @property
    def midnight(self) -> datetime:
        """When it began, UTC."""
        return self.workspace.clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def finished(self, runbook: str) -> list[EvidenceRow]:
        """Return the finished evidence of a runbook, newest first."""
        return [row for row in self.done if row.runbook == runbook and row.state == SEALED]


def routine(workspace: Workspace) -> list[Check]:
    """Return each duty of today: ``pass`` when it is done or nothing asks for it, ``warn`` when due, ``fail`` when missed.

    Where the evidence cannot be looked at, that is the only answer; none raises.
    """
    found = evidence_read(workspace)
    return answers(ROUTINE, RoutineDay(workspace, evidence_today(workspace))) if found.status == PASS else [found]


def evidence_today(workspace: Workspace) -> list[EvidenceRow]:
    """Return the evidence of today (UTC), newest first; of rehearsals only where the clock is fixed.

    Raises:
        ArtefactError: the chain of the evidence is broken; EnvironmentFault: it cannot be read.
    """
    return [row for row in evidence_rows(EvidenceBook.of(workspace), days=1) if counts(workspace, row)]


def counts(workspace: Workspace, row: EvidenceRow) -> bool:
    """Return whether a record says something of this workspace: rehearsals do only where everything is one."""
    return not row.rehearsal or workspace.rehearsal


@question("routine", "Can the day be looked at?", "Mend that first.")
def evidence_read(workspace: Workspace) -> Found:
    """Read the evidence of today."""
    return True, wording.many(len(evidence_today(workspace)), "record")


def _told(row: EvidenceRow) -> str:
    """Return a record in words."""
    at = f"{row.began_at:%H:%M} UTC" if row.began_at else ""
    return f"{row.outcome} by {row.operator} at {at}, {row.evidence_id}"


_AGAIN = "Mend what {} says, then do the runbook again: a duty is done when its runbook ends well."


def _ended_well(rows: list[EvidenceRow], none: str = "not yet today") -> Found:
    """Return whether the newest of some records ended well: one that failed was done, and says that something is wrong."""
    if not rows:
        return False, none
    newest = rows[0]
    well: bool | Status = newest.outcome in ev.GOOD or (FAIL if newest.outcome == ev.FAILED else WARN)
    return (True, _told(newest)) if well is True else (well, _told(newest), _AGAIN.format(newest.evidence_id))


@question(
    "health_check",
    "Was the health of the system checked?",
    "Runbook `health_check`, 5–10 minutes.",
    otherwise=WARN,
)
def health_checked(day: RoutineDay) -> Found:
    """Look for today's health check."""
    return _ended_well(day.finished("health_check"))


@question(
    "pre_session_check",
    "Was everything checked before the first session of the day?",
    "Runbook `pre_session_check` before the next one; note why it was left out.",
)
def looked_before(day: RoutineDay) -> Found:
    """Look for evidence from before the first session of the day."""
    rows = Views.of(day.workspace).rows(Query(since=day.midnight))
    starts = [row.started_at for row in rows if row.started_at is not None]
    if not starts:
        return True, "no session began today"
    first = min(starts)
    found = [row for row in day.done if row.runbook in _BEFORE and row.began_at and row.began_at <= first]
    none = f"the first of {len(rows)} began at {first:%H:%M} UTC, without evidence before it"
    held = [row for row in found if row.runbook != _BEFORE[0] or row.outcome in ev.GOOD]  # the others refuse the start
    return (True, _told(held[0])) if held else _ended_well(found, none)


@question(
    "monitoring_round",
    "Are the running sessions looked after?",
    "Runbook `monitoring_round`, 5–10 minutes.",
    otherwise=WARN,
)
def watched(day: RoutineDay) -> Found:
    """Look for a round of today while something runs."""
    if not any(row.state in ACTIVE for row in Views.of(day.workspace).runs(200)):
        return True, "nothing runs"
    return _ended_well(day.finished("monitoring_round"))


@question(
    "post_session_check",
    "Was every session that ended today checked?",
    "Runbook `post_session_check` with the session's id.",
    otherwise=WARN,
)
def checked_after(day: RoutineDay) -> Found:
    """Look for the check of each session that ended today; one with an open question is not done."""
    rows = Views.of(day.workspace).rows(Query(since=day.midnight, by_end=True))
    seen = {row.subject for row in day.finished("post_session_check") if row.outcome != ev.INCOMPLETE}
    left = [row.run_id for row in rows if row.run_id not in seen]
    if not rows:
        return True, "none ended today"
    return not left, f"{len(rows) - len(left)} of {len(rows)}" + (
        f"; not yet: {wording.first_of(left, 3)}" if left else ""
    )


@question(
    "unfinished",
    "Is every runbook that was begun finished?",
    "Take it up again with its id in `resume`, or begin anew and leave it as it is.",
    otherwise=WARN,
)
def finished(day: RoutineDay) -> Found:
    """Look for runbooks of the last seven days that were never ended."""
    rows = evidence_rows(EvidenceBook.of(day.workspace), days=7)
    found = [row.evidence_id for row in rows if row.state == UNFINISHED]
    return not found, ", ".join(found[:3]) or "none of the last 7 days is open"


def _report(kind: str, name: str, option: str) -> Question[RoutineDay]:
    """Declare whether the report of the day or week before is there, and whole."""

    @question(f"{name}_report", f"Is the {name} report of the {kind} before there?", otherwise=WARN)
    def report(day: RoutineDay) -> Found:
        label = periods.span_of(kind, day.workspace.clock.now()).before.label
        folder = day.workspace.reports / name
        made, broken = (folder / f"{label}.html").is_file(), (folder / f"{label}_failed.html").is_file()
        step = f"`peaktrade report {name} {option} {label}`"
        if broken and not made:
            return FAIL, f"it failed: {label}_failed.html says why", step
        return made, f"reports/{name}/{label}.html" if made else f"{label}: not yet", step

    return report


@question("status_report", "Was today's status kept?", f"`peaktrade runbook run {STATUS_REPORT}`", otherwise=WARN)
def status_kept(day: RoutineDay) -> Found:
    """Look for today's status of the control center."""
    found = sorted((day.workspace.reports / "checklists").glob(f"{STATUS_REPORT}_{day.midnight:%Y%m%d}*.html"))
    made = [path.name for path in found if not path.stem.endswith("_failed")]
    return bool(made), made[-1] if made else "not yet today"


@question(
    "drill",
    f"Was an incident drilled in the last {DRILL_DAYS} days?",
    "Runbook `drill`, when nothing else runs.",
    otherwise=WARN,
)
def drilled(day: RoutineDay) -> Found:
    """Look for a drill."""
    rows = evidence_rows(EvidenceBook.of(day.workspace), runbook="drill", days=DRILL_DAYS)
    found = [row for row in rows if row.state == SEALED and row.outcome != ev.INCOMPLETE and counts(day.workspace, row)]
    return bool(found), f"{wording.minute(found[0].began_at)} UTC, {found[0].evidence_id}" if found else "none"


ROUTINE: tuple[Question[RoutineDay], ...] = (
    *(health_checked, looked_before, watched, checked_after, finished),
    unacknowledged.about(lambda day: day.workspace),
    _report(periods.DAY, "daily", "--date"),
    _report(periods.WEEK, "weekly", "--week"),
    *(status_kept, drilled),
)
