"""What a diagnosis says: for each kind of incident whether it happened, what shows it, and what the handbook does then.

Values, and how they are made from the handbook's words. They rest on a session's record, journal and alerts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.question import Check
from peaktrade_core.runs.handbook import COMPARED, KINDS, SEVERITIES, Authority, Kind, Severity, handbook

DIAGNOSED: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != COMPARED)


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
    authority: Authority = "routine"


class Support(NamedTuple):
    """What the artefacts say of one way.

    Attributes:
        supported, why: as in :class:`Branch`.
        action: what is done, where the artefacts say more than the handbook; goes_on: nothing is paused this time.
    """

    supported: bool | None
    why: str
    action: str = ""
    goes_on: bool = False


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """What the artefacts say of one kind of incident.

    Attributes:
        severity: low, medium or high; empty when it did not happen.
        evidence: sentences with the numbers and times of the journal's events.
        since, until: first and last sign, aware UTC; until is None while it lasts.
        symptom, suspected: what was seen, and the likely cause.
        branches: the decision tree; resume: the conditions for going on, answered.
    """

    kind: Kind
    happened: bool
    severity: Severity | Literal[""] = ""
    evidence: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    symptom: str = ""
    suspected: str = ""
    branches: tuple[Branch, ...] = ()
    resume: tuple[Check, ...] = ()

    @property
    def title(self) -> str:
        """What happened, in the handbook's words."""
        return handbook().kind[self.kind].title

    @property
    def runbook(self) -> str:
        """The notebook that treats it."""
        return handbook().kind[self.kind].runbook

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
        findings: one for each of :data:`DIAGNOSED`; faults: what could not be read, in sentences.
        untreated: sessions before it, newest first, in which something happened that no closed incident treated; looked for
            only where the newest session is asked about and nothing happened in it.
    """

    session_id: str
    at: datetime
    mode: str
    status: str
    symbol: str
    events: int
    findings: tuple[Occurrence, ...]
    faults: tuple[str, ...] = ()
    untreated: tuple[str, ...] = ()

    @property
    def happened(self) -> tuple[Occurrence, ...]:
        """What happened, the worst first."""
        found = [finding for finding in self.findings if finding.happened]
        return tuple(sorted(found, key=lambda f: (-SEVERITIES.index(f.severity), KINDS.index(f.kind))))

    def finding(self, kind: str) -> Occurrence:
        """Return what is said of one kind.

        Raises:
            UnknownNameError: the diagnosis has no such kind.
        """
        for finding in self.findings:
            if finding.kind == kind:
                return finding
        raise UnknownNameError("kind of incident", kind, [finding.kind for finding in self.findings])

    def worst(self, *kinds: str) -> Occurrence | None:
        """Return the worst of some kinds that happened, None when none did."""
        return next((finding for finding in self.happened if finding.kind in kinds), None)


def branches(kind: Kind, support: Mapping[str, Support], mode: str = "") -> tuple[Branch, ...]:
    """Return a kind's decision tree in the handbook's order, with what the artefacts say of each way.

    Raises:
        UnknownNameError: a way is not in the handbook, or one of the handbook's is not answered.
    """
    ways = handbook().kind[kind].way
    if odd := set(ways) ^ set(support):
        raise UnknownNameError(f"way of {kind}", ", ".join(sorted(odd)), list(ways))
    return tuple(
        Branch(
            key=key,
            situation=way.situation,
            action=support[key].action or way.action,
            supported=support[key].supported,
            why=support[key].why,
            authority="routine" if support[key].goes_on or mode in way.goes_on_in else way.authority,
        )
        for key, way in ways.items()
    )


def cause(kind: Kind, key: str) -> str:
    """Return a likely cause in the handbook's words."""
    return handbook().kind[kind].cause[key]
