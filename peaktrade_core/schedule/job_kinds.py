"""The jobs that the scheduler knows, each one function over a workspace, in the room that does the work.

There is no other way to schedule anything.
"""

from __future__ import annotations

from collections.abc import Callable

from peaktrade_core.base.resources import named
from peaktrade_core.records.leftovers import tidy
from peaktrade_core.schedule.jobs import TIME, Period
from peaktrade_core.schedule.periods import DAY, WEEK
from peaktrade_core.schedule.schedule import JOBS_FILE, JobKind, JobResult, Schedule
from peaktrade_core.session.recovery import recover
from peaktrade_core.workspace.workspace import Workspace

Work = Callable[[Workspace, Period], JobResult]


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
    return {name: JobKind(purpose, period, _work(home, workspace)) for name, (purpose, period, home) in _KINDS.items()}


def _work(home: str, workspace: Workspace) -> Callable[[Period], JobResult]:
    """Return the function that does a job; its module is imported when the job is due."""

    def work(period: Period) -> JobResult:
        job: Work = named(home)
        return job(workspace, period)

    return work


def recovery(workspace: Workspace, _: Period) -> JobResult:
    """End the sessions whose process is gone, and tidy up after processes that died."""
    ended, left = recover(workspace), tidy(workspace)
    told = f"{len(ended)} ended: {', '.join(r.session_id for r in ended)}" if ended else "nothing had died"
    return JobResult(True, told + (f"; {len(left)} left-over files were put right or removed" if left else ""))


def retention(workspace: Workspace, _: Period) -> JobResult:
    """Archive what is old enough."""
    from peaktrade_core.schedule.retention import sweep, told

    return JobResult(True, told(sweep(workspace, workspace.config.retention, "schedule")))


_KINDS: dict[str, tuple[str, str, str]] = {
    "recovery": ("Ends the sessions whose process is gone.", TIME, "schedule.job_kinds:recovery"),
    "alerts_check": ("Evaluates the alert rules and delivers what is due.", TIME, "alerts.watcher:check_job"),
    "daily_report": ("Makes the report of the UTC day before.", DAY, "reports.jobs:daily"),
    "session_diff": (
        "Compares the sessions of the UTC day before with their backtests.",
        DAY,
        "reports.jobs:differences",
    ),
    "forward_signals": (
        "Writes what the presets of [research] forward want, before its outcome.",
        TIME,
        "reports.jobs:forward_signals",
    ),
    "forward_evaluate": ("Says what became of forward signals.", TIME, "reports.jobs:forward_evaluate"),
    "audit_verify": ("Compares everything with the whole ledger.", TIME, "control.audit.daily:verify_job"),
    "audit_anchor": (
        "Has the ledger stamped by the authority that is configured; off where none is.",
        TIME,
        "control.audit.daily:anchor_job",
    ),
    "weekly_report": ("Makes the report of the ISO week before.", WEEK, "reports.jobs:weekly"),
    "weekly_incident_review": ("Reviews the incidents of the ISO week before.", WEEK, "reports.jobs:incident_review"),
    "control_center_daily": ("Keeps the status of the control center as it is now.", TIME, "reports.jobs:status"),
    "snapshot_export": ("Writes the operator dashboard as files below out/.", TIME, "dashboard.export:export_job"),
    "retention": ("Archives run folders and reports that are old enough.", TIME, "schedule.job_kinds:retention"),
}
