"""The scheduler's jobs that make reports."""

from __future__ import annotations

from collections.abc import Mapping

from peaktrade_core.schedule.jobs import Period
from peaktrade_core.schedule.periods import DAY, span_named
from peaktrade_core.schedule.schedule import Done
from peaktrade_core.workspace.workspace import Workspace

_NAMED = 5  # sessions that are named in a message


def daily(workspace: Workspace, period: Period) -> Done:
    """Make the report of a UTC day."""
    return _report(workspace, "daily", period.label)


def weekly(workspace: Workspace, period: Period) -> Done:
    """Make the report of an ISO week."""
    return _report(workspace, "weekly", period.label)


def status(workspace: Workspace, _: Period) -> Done:
    """Keep the status of the control center as it is now."""
    return _notebook(workspace, "control_center_daily", {})


def incident_review(workspace: Workspace, period: Period) -> Done:
    """Review the incidents of an ISO week."""
    return _notebook(workspace, "weekly_incident_review", {"week": period.label})


def differences(workspace: Workspace, period: Period) -> Done:
    """Compare the sessions of a UTC day with their backtests; failed where a rest is left that no cause explains."""
    from peaktrade_core.research.over_sessions.rest import rests_between

    span = span_named(DAY, period.label, workspace.clock.now())
    found = rests_between(workspace, span.since, span.until)
    if not found.sessions:
        return Done(True, "no session of this day has ended")
    (day,) = found.days
    causes = ", ".join(f"{name} {bps:+.2f} bps" for name, bps in day.bps.items() if bps)
    told = f"{day.without_rest} of {day.compared} sessions without a rest" + (f"; {causes}" if causes else "")
    if day.compared < day.sessions:
        told += f"; {day.sessions - day.compared} could not be compared"
    if not found.with_rest:
        return Done(True, told)
    named = ", ".join(one.session_id for one in found.with_rest[:_NAMED])
    return Done(False, f"{told}. A rest has {named}: `peaktrade session diff ID`, then `peaktrade session replay ID`")


def _report(workspace: Workspace, kind: str, label: str) -> Done:
    from peaktrade_core.reports.period_reports import make_report

    made = make_report(kind, label, workspace)
    name = made.html.relative_to(workspace.home).as_posix()
    return Done(made.error is None, name if made.error is None else f"{made.error} ({name})")


def _notebook(workspace: Workspace, name: str, params: Mapping[str, object]) -> Done:
    from peaktrade_core.runbooks.runbooks import run_runbook

    outcome = run_runbook(name, params, workspace)
    name = outcome.html.relative_to(workspace.home).as_posix()
    return Done(outcome.error is None, name if outcome.error is None else f"{outcome.error} ({name})")
