"""A request: what two people must agree to, as a text that each of them signs, and how it stands.

Pure values and rules. How a signature is verified is handed in; nothing of a record is believed before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

from peaktrade_core.base.chain import Link
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.base.people import same_person
from peaktrade_core.people.matrix import AUTHORITIES, Authority, lacking, needed, seated
from peaktrade_core.people.roster import Roster

ASKED, SIGNED, REJECTED, USED = "asked", "signed", "rejected", "used"  # kinds of an entry
COUNTERSIGNED = "countersigned"  # kind of an entry about evidence
State = Literal["waits", "approved", "rejected", "expired", "used"]
STATES: tuple[State, ...] = get_args(State)
Verify = Callable[[str, str, str], bool]  # text, signature, public key


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        id: ``REQ-YYYYMMDD-XXXXXXXX``; kind: of :data:`AUTHORITIES`; subject: what it is about, in a line.
        binds: SHA-256 of what exactly is decided about: it is approved for that, and nothing else.
        by, reason: who asks, and why; at, until: when, and until when it may be signed and used, aware UTC.
        after: hash of the ledger's entry before it, so that it belongs to this workspace and this moment.
    """

    id: str
    kind: str
    subject: str
    binds: str
    by: str
    reason: str
    at: datetime
    until: datetime
    after: str

    @property
    def authority(self) -> Authority:
        """Who may approve it."""
        return AUTHORITIES[self.kind]

    @property
    def text(self) -> str:
        """The text that is signed, always the same for the same request."""
        lines = {
            "asks for": self.authority.situation,
            "about": self.subject,
            "exactly": f"sha256 {self.binds}",
            "because": self.reason,
            "asked by": self.by,
            "asked at": iso(self.at),
            "valid until": iso(self.until),
            "signed by": needed(self.authority),
            "after entry": self.after,
        }
        return "\n".join([f"peaktrade request {self.id}", *(f"{name}: {said}" for name, said in lines.items()), ""])

    @property
    def refusal(self) -> str:
        """The text that is signed by who says no."""
        return f"{self.text}no: this is refused\n"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A signature in the ledger, or that somebody said no.

    Attributes:
        by, roles: the person and the roles, as the key said then; key: public; at: aware UTC.
        signature: armoured, empty for a typed name; fault: why it does not count, empty where it does.
    """

    by: str
    at: datetime
    roles: tuple[str, ...] = ()
    key: str = ""
    signature: str = ""
    reason: str = ""
    fault: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it stands.

    Attributes:
        asked: what for; state: see :data:`STATES`; signatures: all of them, oldest first, each with what speaks against it.
        lacks: who must still sign, in words; rejected: who said no; used_by, used_at: who carried it out.
    """

    asked: Asked
    state: State
    signatures: tuple[Signature, ...] = ()
    lacks: str = ""
    rejected: Signature | None = None
    used_by: str = ""
    used_at: datetime | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.asked.id

    @property
    def signers(self) -> tuple[str, ...]:
        """Who signed it, as far as the signatures count."""
        return tuple(one.by for one in self.signatures if not one.fault)


class RequestItem(msgspec.Struct, frozen=True, kw_only=True):
    """A request for programs: what it asks for, the text that is signed, how it stands; see :class:`Asked`, :class:`Request`.

    Attributes:
        situation, needed: of the decision matrix, in words.
    """

    id: str
    state: State
    kind: str
    situation: str
    needed: str
    subject: str
    binds: str
    by: str
    reason: str
    at: datetime
    until: datetime
    text: str
    signatures: tuple[Signature, ...]
    lacks: str
    rejected: Signature | None
    used_by: str
    used_at: datetime | None


def request_item(one: Request) -> RequestItem:
    """Return a request as programs get it."""
    asked = one.asked
    return RequestItem(
        id=one.id, state=one.state, kind=asked.kind, situation=asked.authority.situation, needed=needed(asked.authority),
        subject=asked.subject, binds=asked.binds, by=asked.by, reason=asked.reason, at=asked.at, until=asked.until,
        text=asked.text, signatures=one.signatures, lacks=one.lacks, rejected=one.rejected, used_by=one.used_by,
        used_at=one.used_at,
    )  # fmt: skip


def request_id(kind: str, binds: str, by: str, at: datetime, after: str) -> str:
    """Return the id of a new request: its day and the begin of a hash of what it is."""
    digest = hashlib.sha256("\0".join((kind, binds, by, at.isoformat(), after)).encode()).hexdigest()
    return f"REQ-{at:%Y%m%d}-{digest[:8].upper()}"


def requests_of(links: Iterable[Link], roster: Roster, now: datetime, verify: Verify) -> list[Request]:
    """Return every request as it stands, oldest first.

    Args:
        links: the entries of the ledger about requests; roster: whose signatures count now; now: aware UTC.
        verify: whether a key signed a text.

    Raises:
        ArtefactError: an entry makes no sense.
    """
    asked: dict[str, Asked] = {}
    after: dict[str, list[Link]] = {}
    for link in links:
        if link.kind == ASKED:
            one = as_asked(link)
            asked.setdefault(one.id, one)
        elif link.kind in (SIGNED, REJECTED, USED):
            after.setdefault(str(link.data.get("id")), []).append(link)
    return [_stands(one, after.get(one.id, []), roster, now, verify) for one in asked.values()]


def as_asked(link: Link) -> Asked:
    """Return what an entry of the ledger asks for.

    Raises:
        ArtefactError: it makes no sense, or asks for what nobody approves.
    """
    one: Asked = _read(link, Asked)
    if one.kind not in AUTHORITIES or not AUTHORITIES[one.kind].second:
        raise ArtefactError(f"entry {link.seq + 1} of the ledger asks for {one.kind!r}, which is not known")
    return one


def as_signature(link: Link) -> Signature:
    """Return the signature of an entry of the ledger; raises ArtefactError where it makes no sense."""
    found: Signature = _read(link, Signature)
    return found


def _read(link: Link, kind: type[Any]) -> Any:
    try:
        return msgspec.convert({**link.data, "at": link.at}, kind)
    except msgspec.ValidationError as error:
        raise ArtefactError(f"entry {link.seq + 1} of the ledger makes no sense: {why(error)}") from None


def _stands(asked: Asked, links: list[Link], roster: Roster, now: datetime, verify: Verify) -> Request:
    """Return one request as it stands."""
    good: list[Signature] = []
    found: list[Signature] = []
    rejected: Signature | None = None
    used: Link | None = None
    for link in links:
        if link.kind == USED:
            used = used or link
            continue
        one = as_signature(link)
        if link.kind == REJECTED:
            rejected = rejected or one
            continue
        fault = refused(asked, one, good, roster, verify)
        found.append(msgspec.structs.replace(one, fault=fault))
        good += [] if fault else [one]
    roles = [person.roles for one in good if (person := roster.of_key(one.key))]
    lacks = lacking(asked.authority, roles)
    state: State = "waits" if lacks else "approved"
    if rejected is not None:
        state = "rejected"
    elif used is not None:
        state = "used"
    elif now > asked.until:
        state = "expired"
    return Request(
        asked=asked,
        state=state,
        signatures=tuple(found),
        lacks=lacks if state == "waits" else "",
        rejected=rejected,
        used_by=str(used.data.get("by", "")) if used else "",
        used_at=used.at if used else None,
    )


def countersigned_text(data: Mapping[str, Any]) -> str:
    """Return the text that is signed under a record of evidence: which record, by whom, as what, what was looked at."""
    lines = {"evidence": "id", "sha256": "sha256", "by": "by", "as": "role", "note": "note"}
    return "\n".join(
        ["peaktrade countersignature", *(f"{name}: {data.get(key, '')}" for name, key in lines.items()), ""]
    )


def countersignature_fault(link: Link, roster: Roster, verify: Verify) -> str:
    """Return in a sentence why a countersignature is none of the person whom it names, empty when it is."""
    by, key = str(link.data.get("by")), str(link.data.get("key"))
    person = roster.of_key(key)
    if person is None or not same_person(person.name, by):
        return f"the key under {link.data.get('id')} is not {by}'s"
    if link.data.get("role") not in person.roles:
        return f"{person.name} is not {link.data.get('role')}"
    signed = verify(countersigned_text(link.data), str(link.data.get("signature")), key)
    return "" if signed else f"{by} did not countersign {link.data.get('id')} so"


def refused(asked: Asked, one: Signature, before: list[Signature], roster: Roster, verify: Verify) -> str:
    """Return in a sentence why a signature does not count under a request, empty when it does.

    Args:
        asked: what is asked for; one: the signature; before: those that count already; roster: whose keys count.
        verify: whether a key signed a text.
    """
    person = roster.of_key(one.key)
    if person is None:
        named = roster.find(one.by)
        if named is not None:
            return (
                f"it was made with a key that is not {named.name}'s (any more): sign again with the key in people.toml"
            )
        return f"the key of {one.by or 'this signature'} is nobody's in people.toml"
    if not same_person(person.name, one.by):
        return f"it says {one.by}, but its key is {person.name}'s"
    if one.at > asked.until:
        return f"{person.name} signed after {iso(asked.until)}, when {asked.id} had expired"
    if any(same_person(person.name, other.by) for other in before):
        return f"{person.name} has signed {asked.id} already; another person must sign"
    if not verify(asked.text, one.signature, one.key):
        return f"it is no signature of {person.name} under {asked.id}: it was forged, or made for another request"
    roles = [known.roles for other in before if (known := roster.of_key(other.key))]
    if seated(asked.authority, [*roles, person.roles]) <= seated(asked.authority, roles):
        needs = lacking(asked.authority, roles) or "nobody"
        own = " and ".join(role.replace("_", " ") for role in person.roles)
        return f"{person.name} is {own}; {asked.authority.situation} still needs the signature of {needs}"
    return ""
