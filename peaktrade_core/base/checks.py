"""A check: a question with an answer, the evidence for it, and what to do when it is not a yes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

PASS, WARN, FAIL = "pass", "warn", "fail"
_ORDER = (PASS, WARN, FAIL)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question that was asked and answered.

    Attributes:
        id: stable name; question: what was asked.
        status: ``pass``, ``warn`` or ``fail``; evidence: the figures behind it; next_step: what to do, empty on pass.
    """

    id: str
    question: str
    status: str
    evidence: str
    next_step: str = ""


def check(id: str, question: str, ok: bool, evidence: str, next_step: str, *, otherwise: str = FAIL) -> Check:
    """Return a check that passes when ``ok``, and else has the status ``otherwise`` and names the next step."""
    return Check(
        id=id,
        question=question,
        status=PASS if ok else otherwise,
        evidence=evidence,
        next_step="" if ok else next_step,
    )


def worst(checks: Iterable[Check]) -> str:
    """Return the worst status; ``pass`` when there is no check."""
    return max((c.status for c in checks), key=_ORDER.index, default=PASS)
