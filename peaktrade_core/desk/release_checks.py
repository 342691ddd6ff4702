"""The health check before the kill switch is released: may sessions open orders again on this machine?"""

from __future__ import annotations

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.question import FAIL, Check, check
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.desk.doctor import examine
from peaktrade_core.halts.account import Account
from peaktrade_core.workspace.workspace import Workspace

NEEDED = ("config", "writable_reports", "writable_live_runs", "writable_logs", "disk", "registry", "stale")


def release_checks(workspace: Workspace) -> list[Check]:
    """Return what must not fail: configuration, disk, registry, dead sessions, the account, critical alerts."""
    return [*(found for found in examine(workspace) if found.id in NEEDED), _account(workspace), _alerts(workspace)]


def _account(workspace: Workspace) -> Check:
    fault = ""
    try:
        fault = Account.of(workspace).exposure().fault
    except PeaktradeError as error:
        fault = str(error)
    return check("account", "Can the account of the running sessions be read?", not fault, fault or "yes", fault)


def _alerts(workspace: Workspace) -> Check:
    """Ask for critical alerts that nobody has taken on."""
    try:
        rows = Alerts.of(workspace).rows(state="raised")
    except PeaktradeError as error:
        return Check(id="alerts", question="Can the alerts be read?", status=FAIL, evidence=str(error))
    left = [row.alert_id for row in rows if row.severity == "critical" and not row.acknowledged_by]
    return check(
        "alerts",
        "Has somebody taken on every critical alert?",
        not left,
        f"{len(left)} critical and not acknowledged: {', '.join(left[:3])}" if left else "none is open",
        "`peaktrade alerts ack` each with your name, once you know what it is about.",
    )
