"""Approvals: whether two people really agreed. The one place that answers it, for whatever two people must decide.

Who has keys signs requests (:mod:`request`); both stand in the ledger, with each use. Without keys names are typed: that works,
and says *not verified* wherever it is told. Once the ledger knows people with keys, ``config/people.toml`` cannot be changed
behind their back: what is not as it was approved last approves nothing.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.chain import BEGINNING, Chain, Entry
from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ApprovalError, ConfigError, WaitsForApproval, why
from peaktrade_core.base.files import read_plain, write_atomic
from peaktrade_core.base.people import person_key
from peaktrade_core.base.text import meant, said
from peaktrade_core.people import signing
from peaktrade_core.people.approval import Approval
from peaktrade_core.people.book import PeopleBook, entry_of
from peaktrade_core.people.matrix import AUTHORITIES
from peaktrade_core.people.request import (
    ASKED,
    REJECTED,
    SIGNED,
    USED,
    Asked,
    Request,
    Signature,
    refused,
    request_id,
    requests_of,
)
from peaktrade_core.people.roster import Person, Roster, read_people
from peaktrade_core.workspace.ledger import REQUESTS, Ledger
from peaktrade_core.workspace.workspace import Workspace


class Approvals:
    """The requests of a workspace.

    Args (of the constructor):
        ledger: where they stand; home: the workspace; clock: its clock.

    Attributes:
        people: who they are.
    """

    def __init__(self, ledger: Ledger, home: Path, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._requests, self.people = ledger.section(REQUESTS), PeopleBook(ledger, home)

    @classmethod
    def of(cls, workspace: Workspace) -> Approvals:
        """Return the approvals of a workspace, opened once."""
        return workspace.once(cls, lambda: cls(Ledger.of(workspace), workspace.home, workspace.clock))

    def keyed(self) -> bool:
        """Return whether names must be signed: somebody has a key, in the file or as it was entered.

        Raises:
            ConfigError: the file is not sound; ArtefactError: the ledger is broken.
        """
        return self.people.counting().keyed

    def all(self) -> list[Request]:
        """Return every request as it stands, oldest first.

        Raises:
            ArtefactError, ConfigError: as :meth:`keyed`; EnvironmentFault: no ``ssh-keygen`` where something was signed.
        """
        links = [link for link, _ in self._requests.links()]
        return requests_of(links, self.people.counting(), self._clock.now(), signing.verifies) if links else []

    def find(self, request: str, *, latest: bool = False) -> Request:
        """Return a request as of :func:`meant`; raises as :meth:`all`.

        Raises:
            UnknownNameError: there is none; lists the newest.
        """
        every = {one.id: one for one in reversed(self.all())}
        return every[meant("request", request, list(every), "peaktrade requests list --all", latest=latest)]

    def ask(self, kind: str, subject: str, binds: str, *, by: str, reason: str, within_s: float = 0.0) -> Request:
        """Ask people for an approval; nobody has signed it then, also not who asks.

        Args:
            kind: of :data:`AUTHORITIES`; subject: in a line; binds: SHA-256 of what exactly is decided.
            by, reason: who asks and why; within_s: instead of what the matrix says [s].

        Raises:
            ConfigError: no name or reason, people.toml is not sound, or its people cannot decide it.
            ArtefactError, EnvironmentFault: the ledger or people.toml is not as it was, or it cannot be written.
        """
        by, reason = said(by), said(reason)
        person_key(by)
        if not reason:
            raise ConfigError("a request needs a reason (--reason); those who sign it read it")
        now, seconds = self._clock.now(), within_s or AUTHORITIES[kind].within_s
        self.people.enter_first(now)
        last = Chain(self._ledger.path).last()
        after = last[1] if last else BEGINNING
        asked = Asked(
            id=request_id(kind, binds, by, now, after), kind=kind, subject=said(subject), binds=binds, by=by,
            reason=reason, at=now, until=now + timedelta(seconds=seconds), after=after,
        )  # fmt: skip
        self._requests.append((ASKED, msgspec.to_builtins(asked)), at=now)
        return self.find(asked.id)

    def sign(self, request: str, key: Path | None = None) -> tuple[Request, Person]:
        """Sign a request in the name of whom the key belongs to, and return it as it stands then, with that person.

        Args:
            request: its id; key: a key file, None for the one of this login that people.toml names.

        Raises:
            ApprovalError: this person may not sign, or it cannot be signed any more; says why.
            ConfigError: there is no such key; ArtefactError, EnvironmentFault: as :meth:`all`.
        """
        found = self.find(request)
        _require_open(found)
        person, path = self.people.who(key)
        text = found.asked.text
        self._require_seat(found, person, signing.public_key(path))
        made = self._made(person, signing.sign(text, path))
        if fault := self._fault(found, made):
            raise ApprovalError(f"not signed: {fault}")
        self._append(found, SIGNED, made)
        return self.find(found.id), person

    def reject(self, request: str, reason: str, *, by: str = "", key: Path | None = None) -> Request:
        """Say no to a request, which ends it. To stop something takes no key: a typed name does, and says so.

        Raises:
            ApprovalError: it has ended already; ConfigError: no name or reason; ArtefactError, EnvironmentFault: as :meth:`all`.
        """
        found = self.find(request)
        _require_open(found)
        if not (reason := said(reason)):
            raise ConfigError("saying no needs a reason (--reason)")
        if by and key is None:
            person_key(by)
            made = Signature(by=said(by), at=self._clock.now(), reason=reason)
        else:
            person, path = self.people.who(key)
            made = msgspec.structs.replace(self._made(person, signing.sign(found.asked.refusal, path)), reason=reason)
        self._append(found, REJECTED, made)
        return self.find(found.id)

    def pending(self, kind: str, binds: str) -> Request | None:
        """Return the newest request for exactly this that still holds, None where there is none; raises as :meth:`all`."""
        found = [one for one in self.all() if (one.asked.kind, one.asked.binds) == (kind, binds)]
        return next((one for one in reversed(found) if one.state in ("waits", "approved")), None)

    def require(self, kind: str, subject: str, binds: str, *, by: str, reason: str, within_s: float = 0.0) -> Approval:
        """Return that people agreed to exactly this, and use their approval up; where it lacks, ask for it.

        Without keys it is the one who asks, not verified.

        Raises:
            WaitsForApproval: it was asked for, now or before, and not everybody has signed.
            ConfigError, ArtefactError, EnvironmentFault: as :meth:`ask`.
        """
        if not self.keyed():
            return Approval(people=(said(by),))
        self.people.roster()
        found = self.pending(kind, binds) or self.ask(kind, subject, binds, by=by, reason=reason, within_s=within_s)
        return self.use(found.id, kind, binds, by=by)

    def require_signed(self, request: str) -> Request:
        """Return a request that everybody has signed, and use nothing up; raises as :meth:`use`."""
        self.people.roster()
        found = self.find(request)
        _require_approved(found)
        return found

    def use(self, request: str, kind: str, binds: str, *, by: str) -> Approval:
        """Use an approval up, for what exactly it was given; nobody can use it again.

        Raises:
            WaitsForApproval: somebody must still sign.
            ApprovalError: it was given for something else, was refused, has expired, or was used.
            ConfigError, ArtefactError, EnvironmentFault: as :meth:`ask`.
        """
        found = self.require_signed(request)
        if (found.asked.kind, found.asked.binds) != (kind, binds):
            what = f"{found.asked.authority.situation}, {found.asked.subject}"
            raise ApprovalError(f"{found.id} is for something else: {what}")
        self._append(found, USED, said(by))
        return Approval(people=found.signers, request=found.id)

    def change_people(self, file: Path, *, by: str, reason: str) -> tuple[Roster, Approval]:
        """Put other people in the place of those in ``config/people.toml``, once those whose keys count have signed that.

        Raises:
            WaitsForApproval: they have not yet; ConfigError: the file is not sound, or nothing would change.
            ArtefactError, EnvironmentFault: as :meth:`ask`, or it cannot be written.
        """
        try:
            wanted, data = read_people(file), read_plain(file)
        except OSError as error:
            raise ConfigError(f"cannot read {file}: {why(error)}") from None
        if not wanted.people:
            raise ConfigError(f"{file} names nobody: each person is a [[person]] with a name and roles")
        now, approval = self._clock.now(), Approval(people=(said(by),))
        if not self.people.entered().keyed:  # keys that stand in the file count already, and are entered before they go
            self.people.enter_first(now)
        held = self.people.entered()
        if differs := wanted.differs(held):
            entries: list[Entry] = []
            if held.keyed:
                found = self.pending("people", wanted.digest)
                found = found or self.ask("people", differs, wanted.digest, by=by, reason=reason)
                _require_approved(found)
                approval = Approval(people=found.signers, request=found.id)
                entries = [(f"{REQUESTS}/{USED}", {"id": found.id, "by": said(by)})]
            self._ledger.append(*entries, entry_of(wanted, approval.told), at=now)
        write_atomic(self.people.path, data)
        return wanted, approval

    def _made(self, person: Person, signature: str) -> Signature:
        return Signature(
            by=person.name,
            at=self._clock.now(),
            roles=person.roles,
            key=signing.signed_with(signature),
            signature=signature,
        )

    def _fault(self, found: Request, made: Signature, *, unsigned: bool = False) -> str:
        """Return why a signature would not count under a request, empty when it would."""
        before = [one for one in found.signatures if not one.fault]
        verify = (lambda *_: True) if unsigned else signing.verifies
        return refused(found.asked, made, before, self.people.counting(), verify)

    def _require_seat(self, found: Request, person: Person, key: str) -> None:
        """Refuse a person whose signature could not count, before a passphrase is asked for.

        Raises:
            ApprovalError: says why.
        """
        if fault := self._fault(found, Signature(by=person.name, at=self._clock.now(), key=key), unsigned=True):
            raise ApprovalError(f"not signed: {fault}")

    def _append(self, found: Request, kind: str, made: Signature | str) -> None:
        """Enter something about a request, unless it is no longer as it was.

        Raises:
            ApprovalError: it was signed, used or refused in the meantime.
        """
        data: dict[str, Any] = {"by": made} if isinstance(made, str) else msgspec.to_builtins(made)
        kept = {name: value for name, value in data.items() if name not in ("at", "fault") and value}

        def still() -> None:
            now = self.find(found.id)
            if now.state != found.state or len(now.signatures) != len(found.signatures):
                raise ApprovalError(
                    f"somebody else changed {found.id} at the same moment: it is {now.state} now; look again"
                )

        at = self._clock.now() if isinstance(made, str) else made.at
        self._requests.append((kind, {"id": found.id, **kept}), at=at, first=still)


def _require_open(found: Request) -> None:
    """Refuse what has ended.

    Raises:
        ApprovalError: says how it ended.
    """
    if found.state not in ("waits", "approved"):
        raise ApprovalError(_ended(found))


def _require_approved(found: Request) -> None:
    """Refuse what not everybody has signed.

    Raises:
        WaitsForApproval: somebody must still sign; ApprovalError: it has ended.
    """
    if found.state == "waits":
        bad = "; ".join(one.fault for one in found.signatures if one.fault)
        raise WaitsForApproval(
            f"{found.id} ({found.asked.authority.situation}: {found.asked.subject}) waits for the signature of {found.lacks}: "
            f"`peaktrade approve {found.id}`, each from the own login, until {found.asked.until:%Y-%m-%d %H:%M} UTC"
            + (f". Not counted: {bad}" if bad else ""),
            found.id,
        )
    if found.state != "approved":
        raise ApprovalError(_ended(found))


def _ended(found: Request) -> str:
    """Return in a sentence how a request ended."""
    if found.rejected is not None:
        return f"{found.id} was refused by {found.rejected.by}: {found.rejected.reason}"
    if found.state == "used":
        return f"{found.id} was used by {found.used_by}; an approval is good for once"
    return f"{found.id} expired at {found.asked.until:%Y-%m-%d %H:%M} UTC; ask again"
