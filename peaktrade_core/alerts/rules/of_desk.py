"""The kinds of rules about the desk as a whole: its disk, reports, jobs, changes and trading states; no run is looked at."""

from __future__ import annotations

from collections.abc import Iterator

from peaktrade_core.alerts.alerts import CRITICAL, WARNING
from peaktrade_core.alerts.rules.facts import DeskFacts, JobFacts, RuleFinding, of_jobs
from peaktrade_core.alerts.rules.rule import Percent, Rule, Window, span
from peaktrade_core.trading.risk import above


class DiskFree(Rule, tag="disk_free", frozen=True, kw_only=True):
    """Less than ``warning_pct`` or ``critical_pct`` [%] of the workspace's disk is free."""

    stops_sessions = False

    warning_pct: Percent = 10.0
    critical_pct: Percent = 2.0

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Grade the free space; space that cannot be told is a warning."""
        if facts.disk_free is None:
            yield RuleFinding("disk", WARNING, "how much of the disk is free cannot be read")
            return
        percent = 100.0 * facts.disk_free
        if above(self.warning_pct, percent):
            severity = CRITICAL if above(self.critical_pct, percent) else WARNING
            yield RuleFinding("disk", severity, f"{percent:.1f} % of the disk is free")


class ReportOverdue(Rule, tag="report_overdue", frozen=True, kw_only=True):
    """The newest ``report`` (a folder below reports/) is older than ``max_age_s``."""

    stops_sessions = False

    report: str = "daily"
    max_age_s: Window = 93_600.0

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Grade the age of the newest report; before the first, that of the first session."""
        since = facts.reports.get(self.report) or facts.first_session_at
        if since is None:
            return
        age = (facts.now - since).total_seconds()
        if above(age, self.max_age_s):
            what = (
                f"the last {self.report} report is"
                if facts.reports.get(self.report)
                else (f"there has never been a {self.report} report; the first session is")
            )
            yield RuleFinding(self.report, self.severity, f"{what} {span(age)} old (limit {span(self.max_age_s)})")


class FailedJob(Rule, tag="failed_job", frozen=True, kw_only=True):
    """The last run of a job for a period failed within ``recent_s``, or the newest of ``reports`` made by hand did.

    It clears when a later run for that period goes well. Of a job that stands for moments the newest run counts.
    """

    stops_sessions = False

    recent_s: Window = 1_209_600.0
    reports: tuple[str, ...] = ("daily", "weekly")

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Tell of each job what it could not do; a failed page that no job speaks of was made by hand."""
        undone: dict[str, list[JobFacts]] = {}
        for one in facts.jobs:
            if (facts.now - one.at).total_seconds() <= self.recent_s:
                undone.setdefault(one.job, []).append(one)
        for job, runs in undone.items():
            yield RuleFinding(job, self.severity, of_jobs(runs), cause=runs[-1].run_id)
        for kind in self.reports:
            page = f"reports/{kind}/{facts.failed_reports.get(kind, '')}"
            if kind in facts.failed_reports and not any(page in one.message for one in facts.jobs):
                yield RuleFinding(
                    f"{kind} report", self.severity, f"the {kind} report failed: {page} says why", cause=page
                )


class Unapproved(Rule, tag="unapproved", frozen=True, kw_only=True):
    """Configuration or code is not as it was approved (critical where it is looser), or an approval is overdue."""

    stops_sessions = False

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Tell of each what was not approved."""
        for one in facts.changes:
            yield RuleFinding(one.key, CRITICAL if one.looser else self.severity, one.message, cause=one.message)


class KillSwitchEngaged(Rule, tag="kill_switch_engaged", frozen=True, kw_only=True):
    """Trading is halted: everywhere (critical), or in a scope (the rule's severity)."""

    stops_sessions = False

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Look at the trading states; one that cannot be read counts as halted."""
        for one in facts.scopes:
            if one.state != "ACTIVE":
                severity = CRITICAL if one.everywhere or one.state == "NO_ORDERS" else self.severity
                yield RuleFinding(
                    one.scope,
                    severity,
                    f"trading state of {one.scope} is {one.state} by {one.by or 'nobody'}: {one.reason}",
                    cause=str(one.since or ""),
                )
