"""A change: a diff of what is governed, who proposed it and why, and how it stands. Pure values."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from peaktrade_core.base.chain import Link
from peaktrade_core.base.errors import ApprovalError, ArtefactError, why
from peaktrade_core.changes.keys import KeyChange, Ruling, ruling, some
from peaktrade_core.people.matrix import AUTHORITIES, needed
from peaktrade_core.people.request import Request
from peaktrade_core.trading.records import NOT_APPROVED

ADOPTED, PROPOSED, APPLIED, CONFIRMED, REFUSED = (
    "adopted",
    "proposed",
    "applied",
    "confirmed",
    "refused",
)  # kinds of entries
CONFIRM_WITHIN = timedelta(hours=24)  # a tightening that was applied first must be approved by then
State = Literal["waits", "approved", "applied", "applied first", "overdue", "rejected"]
Text = str | None


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a change writes: SHA-256 before and after, empty for a file that is not there, and its new text."""

    before: str
    after: str
    text: Text

    @property
    def data(self) -> bytes | None:
        """The new file as bytes, None for none."""
        return None if self.text is None else self.text.encode()


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change as it was proposed.

    Attributes:
        id: ``CHG-YYYYMMDD-XXXXXXXX``; by, reason: who proposed it, and why; at: when, aware UTC.
        items: every key that becomes something else than was approved last; edits: the files that are written, by name.
        evidence: what speaks for it, a line each.
    """

    id: str
    by: str
    reason: str
    at: datetime
    items: tuple[KeyChange, ...]
    edits: dict[str, Edit] = {}
    evidence: tuple[str, ...] = ()

    @property
    def ruling(self) -> Ruling:
        """Its direction, who decides on it, and what must be known; told from its items, whatever else was written."""
        return ruling(self.items)

    @property
    def binds(self) -> str:
        """SHA-256 of exactly what is decided: id, items, files before and after, evidence."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, reason="", by=""))).hexdigest()

    @property
    def subject(self) -> str:
        """It in a line, as those who sign it read it."""
        return f"{self.id}: {some(self.items)}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change as it stands.

    Attributes:
        proposal: what is proposed; state: see :data:`State`.
        request: what is signed, None where nobody has a key or nothing was asked for yet.
        applied_at: when it was entered as applied; people: who agreed, and how that is known.
        until: until when a tightening that was applied first must be approved.
        refused: who said no and why; unwritten: files that the ledger has and the disk has not.
    """

    proposal: Proposal
    state: State
    request: Request | None = None
    applied_at: datetime | None = None
    people: str = ""
    until: datetime | None = None
    refused: str = ""
    unwritten: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its id."""
        return self.proposal.id

    @property
    def needed(self) -> str:
        """Who signs it, in words."""
        return needed(AUTHORITIES[self.proposal.ruling.authority])


class ChangeItem(msgspec.Struct, frozen=True, kw_only=True):
    """A change for programs; see :class:`Proposal` and :class:`Change`."""

    id: str
    state: State
    direction: str
    authority: str
    needed: str
    by: str
    reason: str
    at: datetime
    items: tuple[KeyChange, ...]
    files: tuple[str, ...]
    evidence: tuple[str, ...]
    request: str
    applied_at: datetime | None
    people: str
    until: datetime | None
    refused: str
    unwritten: tuple[str, ...]


class ConfigDrift(NamedTuple):
    """What is on the disk and runs, beside what was approved last.

    Attributes:
        adopted: whether there is a baseline; items: every key that is not as it was approved, from that to what is there.
        by: the change or baseline that was approved last, and by whom; unwritten: changes whose files are not as entered.
        faults: what was entered into the ledger and does not count.
    """

    adopted: bool
    items: tuple[KeyChange, ...]
    by: str
    unwritten: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def told(self) -> str:
        """It in a sentence, as records and reports say it."""
        if not self.adopted:
            return "not governed: no baseline was adopted"
        if self.items:
            return f"{NOT_APPROVED}: {some(self.items)}"
        return f"as approved: {self.by}"


def change_item(one: Change) -> ChangeItem:
    """Return a change as programs get it."""
    proposal = one.proposal
    found = proposal.ruling
    return ChangeItem(
        id=one.id, state=one.state, direction=found.direction, authority=found.authority, needed=one.needed,
        by=proposal.by, reason=proposal.reason, at=proposal.at, items=proposal.items, files=tuple(proposal.edits),
        evidence=proposal.evidence, request=one.request.id if one.request else "", applied_at=one.applied_at,
        people=one.people, until=one.until, refused=one.refused, unwritten=one.unwritten,
    )  # fmt: skip


def change_id(by: str, items: tuple[KeyChange, ...], at: datetime, after: str) -> str:
    """Return the id of a new change: its day and the begin of a hash of what it is."""
    told = "\0".join((by, at.isoformat(), after, *(one.told for one in items)))
    return f"CHG-{at:%Y%m%d}-{hashlib.sha256(told.encode()).hexdigest()[:8].upper()}"


def values_digest(values: dict[str, Any]) -> str:
    """Return the SHA-256 of governed values."""
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()


def as_proposal(link: Link) -> Proposal:
    """Return the proposal of an entry of the ledger.

    Raises:
        ArtefactError: it makes no sense.
    """
    try:
        return msgspec.convert({**link.data, "at": link.at}, Proposal)
    except msgspec.ValidationError as error:
        raise ArtefactError(f"entry {link.seq + 1} of the ledger proposes no change: {why(error)}") from None


def require_going_on(found: Change) -> None:
    """Refuse what was refused.

    Raises:
        ApprovalError: says by whom.
    """
    if found.state == "rejected":
        back = "; it is applied: propose what shall stand instead" if found.applied_at else ""
        raise ApprovalError(f"{found.id} was refused by {found.refused}{back}")
