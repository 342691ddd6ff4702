"""The daily routine: what is due today and what of it was done, known from the evidence, the reports and the alerts.

A day is a UTC day, as everywhere. Rehearsals on a fixed clock count only where the clock is fixed.

Source: workflow overview, daily operator checklist and shift routine; operational runbook 6 (daily health check).
"""

from __future__ import annotations

from datetime import UTC, datetime

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import SEALED, UNFINISHED, EvidenceRow, evidence_rows
from peaktrade_core.runs.run_views import ACTIVE
from peaktrade_core.runs.views import SessionRow, Views
from peaktrade_core.schedule import periods
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

DRILL_DAYS = 90
STATUS_REPORT = "control_center_daily"
TOLD = {PASS: "done", WARN: "due", FAIL: "missed"}
_BEFORE = (
    "pre_session_check",
    "testnet_run",
    "session_run",
    "restart_after_maintenance",
)  # each looks before it starts


def routine(workspace: Workspace) -> list[Check]:
    """Return each duty of today: ``pass`` when it is done or nothing asks for it, ``warn`` when due, ``fail`` when missed.

    What cannot be looked at is a duty that says so; none raises.
    """
    try:
        done = evidence_today(workspace)
        began = Views.of(workspace).rows(Query(since=_midnight(workspace)))
    except PeaktradeError as error:
        return [check("routine", "Can the day be looked at?", False, str(error), "Mend that first.")]
    return [
        _ran("health_check", "Was the health of the system checked?", done),
        _looked_before(began, done),
        _watched(workspace, done),
        _checked_after(workspace, done),
        _unfinished(workspace),
        _alerts(workspace),
        _report(workspace, periods.DAY),
        _report(workspace, periods.WEEK),
        _status_report(workspace),
        _drill(workspace),
    ]


def evidence_today(workspace: Workspace) -> list[EvidenceRow]:
    """Return the evidence of today (UTC), newest first; of rehearsals only where the clock is fixed.

    Raises:
        ArtefactError: the chain of the evidence is broken; EnvironmentFault: it cannot be read.
    """
    return [row for row in evidence_rows(EvidenceBook.of(workspace), days=1) if _counts(workspace, row)]


def _counts(workspace: Workspace, row: EvidenceRow) -> bool:
    return not row.rehearsal or isinstance(workspace.clock, FixedClock)


def _midnight(workspace: Workspace) -> datetime:
    return workspace.clock.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _ran(runbook: str, question: str, done: list[EvidenceRow]) -> Check:
    """Return whether a runbook was finished today."""
    found = [row for row in done if row.runbook == runbook and row.state == SEALED]
    told = _told(found) if found else "not yet today"
    return check(runbook, question, bool(found), told, f"Runbook `{runbook}`, 5 to 10 minutes.", otherwise=WARN)


def _told(rows: list[EvidenceRow]) -> str:
    """Return the newest of some records in words."""
    row = rows[0]
    at = f"{row.began_at:%H:%M} UTC" if row.began_at else ""
    return f"{row.outcome} by {row.operator} at {at}, {row.evidence_id}"


def _looked_before(began: list[SessionRow], done: list[EvidenceRow]) -> Check:
    """Return whether somebody looked before the first session of the day began."""
    question = "Was everything checked before the first session of the day?"
    starts = [row.started_at for row in began if row.started_at is not None]
    if not starts:
        return check("pre_session_check", question, True, "no session began today", "")
    first = min(starts)
    found = [row for row in done if row.runbook in _BEFORE and row.began_at and row.began_at <= first]
    step = "Runbook `pre_session_check` before the next one; note why it was left out."
    told = (
        _told(found) if found else f"the first of {len(began)} began at {first:%H:%M} UTC, without evidence before it"
    )
    return check("pre_session_check", question, bool(found), told, step, otherwise=FAIL)


def _watched(workspace: Workspace, done: list[EvidenceRow]) -> Check:
    question = "Is somebody looking after the running sessions?"
    running = [row.run_id for row in Views.of(workspace).runs(200) if row.state in ACTIVE]
    if not running:
        return check("monitoring_round", question, True, "nothing runs", "")
    return _ran("monitoring_round", question, done)


def _checked_after(workspace: Workspace, done: list[EvidenceRow]) -> Check:
    """Return whether each session that ended today was checked after it."""
    midnight = _midnight(workspace)
    rows = Views.of(workspace).rows(Query(since=midnight, by_end=True))
    seen = {row.subject for row in done if row.runbook == "post_session_check" and row.state == SEALED}
    left = [row.session_id for row in rows if row.session_id not in seen]
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    told = f"{len(rows) - len(left)} of {len(rows)}" + (f", not {', '.join(left[:3])}{more}" if left else "")
    return check(
        "post_session_check",
        "Was every session that ended today checked?",
        not left,
        told if rows else "none ended today",
        "Runbook `post_session_check` with the session's id.",
        otherwise=WARN,
    )


def _unfinished(workspace: Workspace) -> Check:
    found = [row for row in evidence_rows(EvidenceBook.of(workspace), days=7) if row.state == UNFINISHED]
    told = ", ".join(row.evidence_id for row in found[:3]) or "none of the last 7 days is open"
    step = "Take it up again with its id in `resume`, or begin anew and leave it as it is."
    return check("unfinished", "Is every runbook that was begun finished?", not found, told, step, otherwise=WARN)


def _alerts(workspace: Workspace) -> Check:
    question = "Has somebody taken on every critical alert?"
    step = "`peaktrade alerts ack` each with your name; the alert names its runbook."
    try:
        rows = Alerts.of(workspace).rows(state="raised")
    except PeaktradeError as error:
        return check("alerts", question, False, str(error), step)
    left = [row for row in rows if row.severity == "critical" and not row.acknowledged_by]
    told = ", ".join(row.alert_id for row in left[:3]) or f"{len(rows)} open, none critical and free"
    return check("alerts", question, not left, told, step)


def _report(workspace: Workspace, kind: str) -> Check:
    """Return whether the report of the day or week before is there, and whole."""
    name = "daily" if kind == periods.DAY else "weekly"
    span = periods.span_of(kind, workspace.clock.now()).before
    folder = workspace.reports / name
    made, failed = (folder / f"{span.label}.html").is_file(), (folder / f"{span.label}_failed.html").is_file()
    question = f"Is there the {name} report of {span.label}?"
    option = "--date" if kind == periods.DAY else "--week"
    step = f"`peaktrade report {name} {option} {span.label}`"
    if failed and not made:
        return check(f"{name}_report", question, False, f"it failed: {span.label}_failed.html says why", step)
    return check(f"{name}_report", question, made, f"reports/{name}" if made else "not yet", step, otherwise=WARN)


def _status_report(workspace: Workspace) -> Check:
    """Return whether today's status of the control center was kept."""
    today = f"{workspace.clock.now().astimezone(UTC):%Y%m%d}"
    found = sorted((workspace.reports / "checklists").glob(f"{STATUS_REPORT}_{today}*.html"))
    made = [path for path in found if not path.stem.endswith("_failed")]
    told = made[-1].name if made else "not yet today"
    step = f"`peaktrade runbook run {STATUS_REPORT}`"
    return check("status_report", "Was today's status kept?", bool(made), told, step, otherwise=WARN)


def _drill(workspace: Workspace) -> Check:
    rows = evidence_rows(EvidenceBook.of(workspace), runbook="drill", days=DRILL_DAYS)
    found = [row for row in rows if row.state == SEALED and _counts(workspace, row)]
    told = f"{wording.minute(found[0].began_at)} UTC, {found[0].evidence_id}" if found else "none"
    question = f"Was an incident drilled in the last {DRILL_DAYS} days?"
    return check("drill", question, bool(found), told, "Runbook `drill`, when nothing else runs.", otherwise=WARN)
