"""The whole audit: everything in a workspace beside its ledger, and in the workspaces of its drills; as a job, every day."""

from __future__ import annotations

from peaktrade_core.base.question import FAIL, WARN, Check, Found, Status, question, worst, worst_of
from peaktrade_core.control.audit.checks import audit_checks
from peaktrade_core.control.audit.proof import PROOFS
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.schedule.schedule import Done
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
    told = "; ".join(list(found)[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
    return worst_of(found.values()), told or "every one is"


def verify_job(workspace: Workspace, _: Period) -> Done:
    """Compare everything in the workspace with its ledger, as ``peaktrade audit verify`` does; failed where it differs."""
    wrong = [f"{one.id}: {one.evidence}" for one in everything(workspace) if one.status == FAIL]
    if wrong:
        return Done(False, f"{'; '.join(wrong)}. `peaktrade audit verify` says all of it")
    return Done(True, f"everything is as it was entered; head of the ledger {chain_heads(workspace.home)['ledger']}")
