"""What a rehearsal leaves out: answers that differ from machine to machine and from day to day.

Committed notebooks run on a fixed clock and must look the same everywhere. In operations nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from peaktrade_core.domain.checks import PASS, Check
from peaktrade_core.domain.clock import FixedClock
from peaktrade_core.edge.bootstrap import Workspace

OF_THE_MACHINE = {
    "python", "packages", "bytecode", "writable_reports", "writable_live_runs", "writable_logs", "disk", "clock",
    "browser", "time", "dashboard", "live_track", "keys",
}  # fmt: skip
LEFT_OUT = "differs by machine: not looked at in a rehearsal"


def is_rehearsal(workspace: Workspace) -> bool:
    """Return whether this workspace runs on a fixed clock, so that what is recorded is an example."""
    return isinstance(workspace.clock, FixedClock)


def portable(workspace: Workspace, checks: Iterable[Check]) -> list[Check]:
    """Return checks as they are; of a rehearsal, without what is the machine's and without the folder it is in."""
    if not is_rehearsal(workspace):
        return list(checks)
    return [_portable(one, f"{workspace.home}/") for one in checks]


def _portable(one: Check, home: str) -> Check:
    if one.id in OF_THE_MACHINE:
        return msgspec.structs.replace(one, status=PASS, evidence=LEFT_OUT, next_step="")
    return msgspec.structs.replace(
        one, evidence=one.evidence.replace(home, ""), next_step=one.next_step.replace(home, "")
    )
