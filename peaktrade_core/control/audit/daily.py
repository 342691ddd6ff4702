"""The whole audit: everything in a workspace beside its ledger, and in the workspaces of its drills; as a job, every day.

So is the time stamp of an authority, where one is configured.
"""

from __future__ import annotations

from contextlib import suppress

from peaktrade_core.alerts.alerts import INFO, Notification
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.base.clock import utc
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Status, question, worst, worst_of
from peaktrade_core.control.audit.anchor import anchor
from peaktrade_core.control.audit.checks import audit_checks
from peaktrade_core.control.audit.proof import PROOFS
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.schedule.schedule import JobResult
from peaktrade_core.show.wording import first_of
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.workspace import Workspace

_SHOWN = 3  # drills that an answer names


def everything(place: Workspace) -> list[Check]:
    """Return one answer for each thing that ``peaktrade audit verify`` compares with the ledger; none raises."""
    return [*audit_checks(place), *place.ask((*PROOFS, drill_sites))]


@question("drill_sites", "Is every workspace of a drill as its own ledger says?", "Restore it from a backup.")
def drill_sites(place: Workspace) -> Found:
    """Verify what the drills took place in; the ledger of each is held by the ledger as a log that only grows."""
    found: dict[str, Status] = {}
    for home in sorted((place.reports / "drills").glob("*/workspace")):
        site = Workspace(home)
        checks = [*audit_checks(site), *site.ask(PROOFS)]
        if (status := worst(checks)) in (FAIL, WARN):
            first = next(one for one in checks if one.status == status)
            found[f"{home.parent.name}: {first.id}: {first.evidence}"] = status
    told = first_of(list(found), _SHOWN, "; ")
    return worst_of(found.values()), told or "every one is"


def verify_job(workspace: Workspace, _: Period) -> JobResult:
    """Compare everything in the workspace with its ledger, as ``peaktrade audit verify`` does; failed where it differs.

    Where it does not, each channel is told the head of the ledger, so that it leaves the machine every day.
    """
    checks = everything(workspace)
    wrong = [f"{one.id}: {one.evidence}" for one in checks if one.status == FAIL]
    if wrong:
        return JobResult(False, f"{'; '.join(wrong)}. `peaktrade audit verify` says all of it")
    odd = [f"{one.id}: {one.evidence}" for one in checks if one.status != PASS]
    stands = f"nothing is known to be changed, but {'; '.join(odd)}" if odd else "everything is as it was entered"
    told = f"{stands}; head of the ledger {chain_heads(workspace.home).get('ledger', 'none')}"
    with suppress(PeaktradeError):  # a channel that is not sound is said where alerts are
        _tell(workspace, told)
    return JobResult(True, told)


def anchor_job(workspace: Workspace, _: Period) -> JobResult:
    """Have the ledger stamped by the authority that is configured; off where none is.

    Raises:
        PeaktradeError: as :func:`anchor`; the job then failed, and nothing was entered.
    """
    if not workspace.config.audit.anchor_url:
        return JobResult(True, "off: no time stamp authority is configured ([audit] anchor_url)")
    found = anchor(workspace)
    return JobResult(
        True, f"{found.id}: entry {found.entry:,} of the ledger was there at {utc(found.at)}; its hash {found.head}"
    )


def _tell(workspace: Workspace, told: str) -> None:
    """Have every channel told of the checkpoint; the watcher delivers it."""
    now, channels = workspace.clock.now(), tuple(alert_settings(workspace).channels)
    title, how = f"INFO checkpoint of the ledger, {now:%Y-%m-%d}", "keep it: `peaktrade audit verify --against HEAD`"
    note = Notification(at=now, alert_ids=(), channels=channels, severity=INFO, title=title, body=f"{told}\n{how}")
    if channels:
        Alerts.of(workspace).log.append(lambda _: [note])
