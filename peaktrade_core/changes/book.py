"""The changes of a workspace: proposed, approved, applied, compared with what is on the disk. A section of the ledger.

What is applied is entered first, then the files take their places: a process that dies between leaves a ledger that says what
should stand there, and the same command finishes it. Nothing becomes looser by one person, and nothing before it is approved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.chain import BEGINNING, Chain, Entry
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import (
    ApprovalError,
    ConfigError,
    PeaktradeError,
    WaitsForApproval,
    why,
)
from peaktrade_core.base.log import append_line
from peaktrade_core.base.people import person_key, same_person
from peaktrade_core.base.text import meant, said
from peaktrade_core.changes.change import (
    ADOPTED,
    APPLIED,
    CONFIRMED,
    PROPOSED,
    REFUSED,
    Change,
    ConfigDrift,
    Proposal,
    change_id,
    require_going_on,
    values_digest,
)
from peaktrade_core.changes.files import SettingsFiles, edit_of
from peaktrade_core.changes.fold import BASELINE, Folded
from peaktrade_core.changes.governed import governed, texts
from peaktrade_core.changes.keys import LOOSER, STRICTEST, TIGHTER, KeyChange, items_of, some
from peaktrade_core.people import signing
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.fold import CHANGE
from peaktrade_core.people.request import USED, Request
from peaktrade_core.trading.records import NOT_APPROVED
from peaktrade_core.workspace.ledger import CHANGES, PEOPLE_SECTION, REQUESTS, Ledger
from peaktrade_core.workspace.workspace import Workspace

NOT_ADOPTED = "what stands here was never adopted: `peaktrade change adopt --by NAME --reason TEXT`"
_REQUESTS = (*STRICTEST, CHANGE)  # requests that approve changes, or change who signs


class Changes:
    """The changes of a workspace.

    Args (of the constructor):
        workspace: whose.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._ledger = workspace, Ledger.of(workspace)
        self._section, self._approvals = self._ledger.section(CHANGES), Approvals.of(workspace)
        self._files = SettingsFiles(workspace)

    @classmethod
    def of(cls, workspace: Workspace) -> Changes:
        """Return the changes of a workspace, opened once."""
        return workspace.once(cls, lambda: cls(workspace))

    def all(self) -> list[Change]:
        """Return every change as it stands, oldest first.

        Raises:
            ArtefactError: the ledger is broken; ConfigError: people.toml is not sound.
            EnvironmentFault: no ``ssh-keygen`` where something was signed.
        """
        folded = self._folded()
        requests = self._approvals.all() if folded.proposals else []
        return [self._stands(one, folded, requests) for one in folded.proposals.values()]

    def find(self, change: str, *, latest: bool = False) -> Change:
        """Return a change as of :func:`meant`, or by the id of its request; raises as above.

        Raises:
            UnknownNameError: there is none; lists the newest.
        """
        every = {one.id: one for one in reversed(self.all())}
        of_request = {one.request.id: one for one in every.values() if one.request}
        begin = "peaktrade change propose --help"
        return (
            of_request.get(change)
            or every[meant("change", change, list(every), "peaktrade change list --all", begin, latest=latest)]
        )

    def of_request(self, request: Request) -> Change | None:
        """Return the change that a request is about, None where it is about something else; raises as :meth:`all`."""
        return next((one for one in self.all() if one.proposal.binds == request.asked.binds), None)

    def adopt(self, by: str, reason: str) -> str:
        """Take what is configured and runs now as the baseline, and return who agreed.

        Raises:
            ConfigError: no name or reason, a file is not sound, or there is a baseline already.
            WaitsForApproval: who has keys must sign it; it was asked for.
            ArtefactError, EnvironmentFault: the ledger is broken or cannot be written.
        """
        by, reason = _words(by, reason)
        self._folded().require_no_baseline()
        values = self._files.values()
        binds, subject = values_digest(values), f"baseline of {len(values)} values as they stand"
        uses = self._used(lambda: self._asked(BASELINE, binds, subject, by, reason), by)
        entry = _entry(ADOPTED, values=values, by=by, reason=reason)
        self._ledger.append(
            *uses, entry, at=self._workspace.clock.now(), first=lambda: self._folded().require_no_baseline()
        )
        self._note(f"adopted by {by}: {reason}")
        return self._folded().baseline

    def propose(
        self,
        files: Mapping[str, bytes | None],
        by: str,
        reason: str,
        evidence: Callable[[tuple[KeyChange, ...]], Sequence[str]] = lambda _: (),
    ) -> Change:
        """Propose that files become others; none proposes what is on the disk now. Who has keys is asked to sign it.

        Args:
            files: new texts by name; by, reason: who proposes it, and why.
            evidence: returns what speaks for the items, a line each; raises ConfigError where what is required lacks.

        Raises:
            ConfigError: no name or reason, a file is not sound, nothing would change, or there is no baseline.
            ArtefactError, EnvironmentFault: the ledger is broken or cannot be written.
        """
        by, reason = _words(by, reason)
        folded = self._folded()
        if folded.values is None:
            raise ConfigError(NOT_ADOPTED)
        held = texts(self._workspace)
        wanted = {**held, **files}
        items = items_of(folded.values, governed(self._workspace, wanted))
        if not items:
            raise ConfigError("nothing that is governed would become other than it was approved")
        edits = {name: edit_of(name, held[name], data) for name, data in files.items() if data != held[name]}
        now, place = self._workspace.clock.now(), self._workspace
        last = (
            None if place.rehearsal else Chain(self._ledger.path).last()
        )  # an example has the same id on every machine
        found = Proposal(
            id=change_id(by, items, now, last[1] if last else BEGINNING), by=by, reason=reason, at=now,
            items=items, edits=edits, evidence=tuple(evidence(items)),
        )  # fmt: skip
        data = msgspec.to_builtins(found)
        data.pop("at")
        self._section.append((PROPOSED, data), at=now)
        if self._approvals.keyed():
            self._ask(found)
        return self.find(found.id)

    def approve(self, change: str, key: Path | None = None) -> tuple[Change, str]:
        """Sign the request of a change, as ``peaktrade approve`` does, and return the change with who signed.

        Raises:
            ApprovalError, ConfigError, ArtefactError, EnvironmentFault: as :meth:`Approvals.sign`, or it has ended.
        """
        found = self.find(change)
        require_going_on(found)
        if not self._approvals.keyed():
            raise ConfigError(
                f"nobody has a key, so nothing is signed: another person applies it, under an own name: "
                f"`peaktrade change apply {found.id} --by NAME`; it says not verified"
            )
        request, person = self._approvals.sign(self._ask(found.proposal).id, key)
        if request.state == "approved" and found.applied_at is not None:
            return self.apply(found.id, person.name), person.name
        return self.find(found.id), person.name

    def reject(self, change: str, reason: str, *, by: str = "", key: Path | None = None) -> Change:
        """Say no to a change, which ends it; raises as :meth:`Approvals.reject`."""
        found = self.find(change)
        require_going_on(found)
        if found.request is not None and found.request.state in ("waits", "approved"):
            ended = self._approvals.reject(found.request.id, reason, by=by, key=key).rejected
            by = ended.by if ended else by
        by, reason = _words(by, reason)
        self._section.append((REFUSED, {"id": found.id, "by": by, "reason": reason}), at=self._workspace.clock.now())
        self._note(f"{found.id} refused by {by}: {reason}")
        return self.find(found.id)

    def apply(self, change: str, by: str) -> Change:
        """Enter a change as applied and write its files; called again, it finishes what a process left that died.

        What only becomes tighter may come first; everything else takes its approval. Called for what came first, it confirms
        that it is approved by now.

        Raises:
            WaitsForApproval: somebody must still sign; ApprovalError: it was refused, or takes another person.
            ConfigError: no name, or it is outdated: what it was proposed against is no longer so.
            ArtefactError, EnvironmentFault: the ledger is broken, or something cannot be written.
        """
        by = said(by)
        person_key(by)
        found = self.find(change)
        if found.unwritten:
            self._files.write(found.proposal)
            return self.find(found.id)
        require_going_on(found)
        if found.applied_at is not None:
            return self._confirm(found, by)
        self._require_current(found)
        first = found.proposal.ruling.direction == TIGHTER
        try:
            uses = self._agreed(found, by, first=first)
        except WaitsForApproval:
            if not first:
                raise
            uses = []
        self._enter([*uses, _entry(APPLIED, id=found.id, by=by)], found)
        return self.find(found.id)

    def compared(self) -> ConfigDrift:
        """Return what is on the disk and runs, beside what was approved last.

        Raises:
            ConfigError: a file is not sound; ArtefactError, EnvironmentFault: as :meth:`all`.
        """
        folded = self._folded()
        if folded.values is None:
            return ConfigDrift(False, (), "", (), tuple(folded.faults))
        items = items_of(folded.values, self._files.values())
        last = folded.done.get(folded.last)
        by = (
            f"{folded.last}, {last.agreed or f'{last.by}, not approved yet'}"
            if last
            else f"baseline, {folded.baseline}"
        )
        proposal = folded.proposals.get(folded.last)
        unwritten = (folded.last,) if items and proposal and self._files.unwritten(proposal) else ()
        return ConfigDrift(True, items, by, unwritten, tuple(folded.faults))

    def governance(self) -> str | None:
        """Return what a record says of this: in a sentence, None before a baseline; it never keeps a session from starting."""
        try:
            found = self.compared()
        except (PeaktradeError, OSError) as error:
            return f"{NOT_APPROVED}: it cannot be told, {why(error)}"
        return found.told if found.adopted else None

    def _folded(self) -> Folded:
        sections = {name: [link for link, _ in self._ledger.of_section(name)] for name in (CHANGES, PEOPLE_SECTION)}
        if not sections[CHANGES]:
            return Folded(signing.verifies)
        asked = [link for link, _ in self._ledger.of_section(REQUESTS)]
        ids = {link.data.get("id") for link in asked if link.data.get("kind") in _REQUESTS}
        told = [(name, link) for name, links in sections.items() for link in links]
        return Folded(signing.verifies).feed_all(
            [*told, *((REQUESTS, one) for one in asked if one.data.get("id") in ids)]
        )

    def _stands(self, proposal: Proposal, folded: Folded, requests: Sequence[Request]) -> Change:
        unwritten = self._files.unwritten(proposal) if proposal.id == folded.last else ()
        return folded.stands(proposal, requests, self._workspace.clock.now(), unwritten)

    def _ask(self, proposal: Proposal) -> Request:
        """Ask those who have keys to sign a change; return what waits already."""
        return self._asked(proposal.ruling.authority, proposal.binds, proposal.subject, proposal.by, proposal.reason)

    def _asked(self, kind: str, binds: str, subject: str, by: str, reason: str) -> Request:
        found = self._approvals.pending(kind, binds)
        return found or self._approvals.ask(kind, subject, binds, by=by, reason=reason)

    def _used(self, ask: Callable[[], Request], by: str) -> list[Entry]:
        """Return the entry that uses an approval up, none where nobody has a key; asks for it where it lacks.

        Raises:
            WaitsForApproval: not everybody has signed; ApprovalError: it has ended.
        """
        if not self._approvals.keyed():
            return []
        found = self._approvals.require_signed(ask().id)
        return [(f"{REQUESTS}/{USED}", {"id": found.id, "by": by})]

    def _agreed(self, found: Change, by: str, *, first: bool) -> list[Entry]:
        proposal = found.proposal
        uses = self._used(lambda: self._ask(proposal), by)
        looser = proposal.ruling.direction == LOOSER
        if not uses and looser and not first and same_person(by, proposal.by):
            raise ApprovalError(
                f"{proposal.id} makes something looser, which {proposal.by} cannot do alone: another person applies it, "
                "under an own name (--by)"
            )
        return uses

    def _require_current(self, found: Change) -> None:
        """Refuse a change whose ground has moved.

        Raises:
            ConfigError: says what is no longer as it was when it was proposed.
        """
        proposal, folded = found.proposal, self._folded()
        moved = [name for name in proposal.edits if name not in self._files.unwritten(proposal)]
        wanted = {name: one.data for name, one in proposal.edits.items()}
        now = items_of(folded.values or {}, governed(self._workspace, {**texts(self._workspace), **wanted}))
        if moved or now != proposal.items:
            what = f"{' and '.join(moved)} changed" if moved else "other values hold"
            raise ConfigError(f"{found.id} is outdated: {what} since it was proposed; look again and propose it anew")

    def _confirm(self, found: Change, by: str) -> Change:
        unused = found.request is not None and found.request.state == "approved"
        if found.state == "applied" and not unused:
            raise ConfigError(f"{found.id} was applied and approved: {found.people}")
        uses = self._used(lambda: self._ask(found.proposal), by)
        if not uses and same_person(by, found.proposal.by):
            raise ApprovalError(f"{found.id} was applied by {by}; another person confirms it, under an own name (--by)")
        self._ledger.append(*uses, _entry(CONFIRMED, id=found.id, by=by), at=self._workspace.clock.now())
        return self.find(found.id)

    def _enter(self, entries: Sequence[Entry], found: Change) -> None:
        """Enter a change as applied and put its files into their places: staged before, renamed after."""
        proposal = found.proposal

        def stage() -> None:
            self._require_current(found)
            self._files.stage(proposal)

        try:
            at = self._workspace.clock.now()
            self._ledger.append(*entries, at=at, first=stage, then=lambda: self._files.write(proposal))
        finally:
            self._files.unstage(proposal)
        self._note(f"{proposal.id} applied: {some(proposal.items)}")

    def _note(self, text: str) -> None:
        append_line(self._workspace.operations_log, f"{iso(self._workspace.clock.now())} change {text}")


def _words(by: str, reason: str) -> tuple[str, str]:
    by, reason = said(by), said(reason)
    person_key(by)
    if not reason:
        raise ConfigError("a change needs a reason (--reason); those who approve it read it")
    return by, reason


def _entry(kind: str, **data: Any) -> Entry:
    return f"{CHANGES}/{kind}", data
