"""What a rehearsal leaves out: answers that differ from machine to machine and from day to day.

Committed notebooks run on a fixed clock and must look the same everywhere. In operations nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from peaktrade_core.base.question import PASS, WARN, Check
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.workspace.workspace import Workspace

NOT_ASKED = ("disk", "bytecode", "browser", "dashboard", "live_track")  # the answer itself differs
NO_FIGURES = ("python", "packages", "time")  # the answer is the same where it is good, its figures are not
LEFT_OUT = "not looked at: this is a rehearsal, and the answer differs by machine"


def is_rehearsal(workspace: Workspace) -> bool:
    """Return whether this workspace runs on a fixed clock, so that what is recorded is an example."""
    return isinstance(workspace.clock, FixedClock)


def portable(workspace: Workspace, checks: Iterable[Check]) -> list[Check]:
    """Return checks as they are; of a rehearsal, without what is the machine's and without the folder it is in."""
    if not is_rehearsal(workspace):
        return list(checks)
    return [_portable(one, f"{workspace.home}/") for one in checks]


def left_out(id: str, question: str) -> Check:
    """Return a check that a rehearsal does not ask; it is no pass."""
    return Check(
        id=id, question=question, status=WARN, evidence=LEFT_OUT, next_step="Nothing: in operations it is asked."
    )


def _portable(one: Check, home: str) -> Check:
    if one.id in NOT_ASKED:
        return left_out(one.id, one.question)
    if one.id in NO_FIGURES and one.status == PASS:
        return msgspec.structs.replace(one, evidence="yes")
    return msgspec.structs.replace(
        one, evidence=one.evidence.replace(home, ""), next_step=one.next_step.replace(home, "")
    )
