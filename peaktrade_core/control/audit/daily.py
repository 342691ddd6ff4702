"""The scheduler's look at the whole ledger: what only who reads all of it can know raises an alert within a day."""

from __future__ import annotations

from peaktrade_core.base.question import FAIL
from peaktrade_core.control.audit.checks import audit_checks
from peaktrade_core.control.audit.proof import PROOFS
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.schedule.schedule import Done
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.workspace import Workspace


def verify_job(workspace: Workspace, _: Period) -> Done:
    """Compare everything in the workspace with its ledger, as ``peaktrade audit verify`` does; failed where it differs."""
    checks = [*audit_checks(workspace), *workspace.ask(PROOFS)]
    wrong = [f"{one.id}: {one.evidence}" for one in checks if one.status == FAIL]
    if wrong:
        return Done(False, f"{'; '.join(wrong)}. `peaktrade audit verify` says all of it")
    return Done(True, f"everything is as it was entered; head of the ledger {chain_heads(workspace.home)['ledger']}")
