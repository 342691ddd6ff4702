"""What a diagnosis says: for each kind of incident whether it happened, what shows it, and what the handbook does then.

Pure values. What they rest on are a session's record, journal and alerts, never anybody's memory.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.question import Check
from peaktrade_core.incidents.incident import SEVERITIES

NETWORK, RATE_LIMIT, AUTHENTICATION, API_ERROR = "network", "rate_limit", "authentication", "api_error"
ORDER_REJECTS, RISK_LIMIT, DATA_GAP = "order_rejects", "risk_limit", "data_gap"
FAILED_SESSION, DIED = "failed_session", "died"
PNL_DIVERGENCE = "pnl_divergence"  # found by a comparison, not from the artefacts of one session
KINDS = (
    NETWORK,
    RATE_LIMIT,
    AUTHENTICATION,
    API_ERROR,
    ORDER_REJECTS,
    RISK_LIMIT,
    DATA_GAP,
    FAILED_SESSION,
    DIED,
)
EXCHANGE_KINDS = (AUTHENTICATION, NETWORK, RATE_LIMIT, ORDER_REJECTS, API_ERROR)
RUNBOOK_OF = {
    **dict.fromkeys(EXCHANGE_KINDS, "incident_exchange_error"),
    RISK_LIMIT: "incident_risk_limit",
    PNL_DIVERGENCE: "incident_pnl_divergence",
    DATA_GAP: "incident_data_gap",
    FAILED_SESSION: "incident_failed_session",
    DIED: "incident_failed_session",
}


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One way down the handbook's decision tree.

    Attributes:
        key: stable name; situation: when it is taken; action: what is done then.
        supported: whether the evidence speaks for it; None when only a person can tell.
        why: the evidence, in a sentence; authority: a key of :data:`~peaktrade_core.runbooks.evidence.AUTHORITIES`.
    """

    key: str
    situation: str
    action: str
    supported: bool | None
    why: str = ""
    authority: str = "routine"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the artefacts say of one kind of incident.

    Attributes:
        severity: low, medium or high; empty when it did not happen.
        evidence: sentences with the numbers and times of the journal's events.
        since, until: first and last sign, aware UTC; until is None while it lasts.
        symptom, suspected: what was seen, and the likely cause.
        branches: the decision tree; resume: the conditions for going on, answered.
    """

    kind: str
    happened: bool
    severity: str = ""
    evidence: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    symptom: str = ""
    suspected: str = ""
    branches: tuple[Branch, ...] = ()
    resume: tuple[Check, ...] = ()

    @property
    def runbook(self) -> str:
        """The notebook that treats it."""
        return RUNBOOK_OF[self.kind]

    @property
    def ways(self) -> tuple[Branch, ...]:
        """The decision tree with the ways first that the evidence speaks for, then those that only a person can tell."""
        return tuple(sorted(self.branches, key=lambda b: (b.supported is not True, b.supported is not None)))

    @property
    def branch(self) -> Branch | None:
        """The first branch that the evidence speaks for."""
        return next((branch for branch in self.branches if branch.supported), None)


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What the artefacts of one session say.

    Attributes:
        at: when it was asked; mode, status, symbol: of the session; events: how many of its journal were read.
        findings: one for each of :data:`KINDS`; faults: what could not be read, in sentences.
    """

    session_id: str
    at: datetime
    mode: str
    status: str
    symbol: str
    events: int
    findings: tuple[Finding, ...]
    faults: tuple[str, ...] = ()

    @property
    def happened(self) -> tuple[Finding, ...]:
        """What happened, the worst first."""
        found = [finding for finding in self.findings if finding.happened]
        order = (*KINDS, PNL_DIVERGENCE)
        return tuple(sorted(found, key=lambda f: (-SEVERITIES.index(f.severity), order.index(f.kind))))

    def finding(self, kind: str) -> Finding:
        """Return what is said of one kind.

        Raises:
            UnknownNameError: no such kind.
        """
        for finding in self.findings:
            if finding.kind == kind:
                return finding
        raise UnknownNameError("kind of incident", kind, [finding.kind for finding in self.findings])

    def worst(self, *kinds: str) -> Finding | None:
        """Return the worst of some kinds that happened, None when none did."""
        return next((finding for finding in self.happened if finding.kind in kinds), None)
