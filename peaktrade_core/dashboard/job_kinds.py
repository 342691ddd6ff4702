"""The jobs that the scheduler knows, each one function over a workspace. There is no other way to schedule anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from peaktrade_core.control.routine import STATUS_REPORT
from peaktrade_core.schedule.jobs import DAY, TIME, WEEK, Period
from peaktrade_core.schedule.schedule import JOBS_FILE, Done, JobKind, Schedule
from peaktrade_core.workspace.workspace import Workspace

INCIDENT_REVIEW = "weekly_incident_review"
Work = Callable[[Workspace, Period], Done]


def open_schedule(workspace: Workspace) -> Schedule:
    """Return the workspace's schedule, from its ``config/jobs.toml`` or else the one that comes with the package.

    Raises:
        ConfigError: the file is wrong; says where.
    """
    from peaktrade_core.base.resources import share_dir

    own = workspace.home / JOBS_FILE
    path = own if own.exists() else share_dir() / JOBS_FILE
    return Schedule(workspace.home, path, job_kinds(workspace), workspace.clock)


def job_kinds(workspace: Workspace) -> dict[str, JobKind]:
    """Return the jobs by name."""
    return {
        name: JobKind(purpose, period, partial(work, workspace)) for name, (purpose, period, work) in _KINDS.items()
    }


def _recovery(workspace: Workspace, _: Period) -> Done:
    ended = workspace.recover()
    return Done(True, f"{len(ended)} ended: {', '.join(r.session_id for r in ended)}" if ended else "nothing had died")


def _alerts(workspace: Workspace, _: Period) -> Done:
    if workspace.watch().status != "off":
        return Done(True, "left to the watcher, which runs")
    workspace.watcher().run(once=True)
    raised = workspace.alerts.rows("raised")
    critical = sum(row.severity == "critical" for row in raised)
    return Done(True, f"{len(raised)} alerts are raised, {critical} critical")


def _daily(workspace: Workspace, period: Period) -> Done:
    return _report(workspace, "daily", period.label)


def _weekly(workspace: Workspace, period: Period) -> Done:
    return _report(workspace, "weekly", period.label)


def _report(workspace: Workspace, kind: str, label: str) -> Done:
    from peaktrade_core.reports.period_reports import make_report

    made = make_report(kind, label, workspace)
    name = made.html.relative_to(workspace.home).as_posix()
    return Done(made.error is None, name if made.error is None else f"{made.error} ({name})")


def _status(workspace: Workspace, _: Period) -> Done:
    return _notebook(workspace, STATUS_REPORT, {})


def _incidents(workspace: Workspace, period: Period) -> Done:
    return _notebook(workspace, INCIDENT_REVIEW, {"week": period.label})


def _notebook(workspace: Workspace, name: str, params: Mapping[str, object]) -> Done:
    from peaktrade_core.runbooks.runbooks import run_runbook

    outcome = run_runbook(name, params, workspace)
    name = outcome.html.relative_to(workspace.home).as_posix()
    return Done(outcome.error is None, name if outcome.error is None else f"{outcome.error} ({name})")


def _snapshot(workspace: Workspace, _: Period) -> Done:
    from peaktrade_core.dashboard.export import export_dashboard

    out = workspace.home / "out" / "operator_dashboard"
    return Done(True, f"{len(list(export_dashboard(workspace, out, None)))} files in out/operator_dashboard")


def _retention(workspace: Workspace, _: Period) -> Done:
    from peaktrade_core.schedule.retention import sweep, told

    return Done(True, told(sweep(workspace, workspace.config.retention, "schedule")))


_KINDS: dict[str, tuple[str, str, Work]] = {
    "recovery": ("Ends the sessions whose process is gone.", TIME, _recovery),
    "alerts_check": ("Evaluates the alert rules and delivers what is due.", TIME, _alerts),
    "daily_report": ("Makes the report of the UTC day before.", DAY, _daily),
    "weekly_report": ("Makes the report of the ISO week before.", WEEK, _weekly),
    INCIDENT_REVIEW: ("Reviews the incidents of the ISO week before.", WEEK, _incidents),
    STATUS_REPORT: ("Keeps the status of the control center as it is now.", TIME, _status),
    "snapshot_export": ("Writes the operator dashboard as files below out/.", TIME, _snapshot),
    "retention": ("Archives run folders and reports that are old enough.", TIME, _retention),
}
