"""What entries of the ledger make of changes: the values that were approved last, and what was entered without approval.

An entry changes what counts as approved only where it may: with the signatures of those who counted then, by two names where
nobody had a key, by one where everything became tighter. Whatever else was entered is a fault and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from peaktrade_core.base.chain import Link
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.base.people import same_person
from peaktrade_core.changes.change import (
    ADOPTED,
    APPLIED,
    CONFIRM_WITHIN,
    CONFIRMED,
    PROPOSED,
    REFUSED,
    Change,
    Proposal,
    State,
    as_proposal,
    values_digest,
)
from peaktrade_core.changes.keys import LOOSER, TIGHTER, KeyChange, items_of, ruling
from peaktrade_core.people.approval import Approval
from peaktrade_core.people.fold import Faults, PeopleStanding
from peaktrade_core.people.matrix import AUTHORITIES, needed
from peaktrade_core.people.request import Request, Verify
from peaktrade_core.workspace.ledger import CHANGES

BASELINE = "limits"  # the authority that adopts a baseline: it decides on limits, too


class Applied(NamedTuple):
    """That a change was entered as applied: when, by whom, how it was agreed; ``agreed`` is empty while it lacks approval."""

    at: datetime
    by: str
    agreed: str


class Folded:
    """How changes stand after the entries that were fed.

    Args (of the constructor):
        verify: whether a key signed a text.

    Attributes:
        values: as they were approved last, None before a baseline; baseline: who adopted it, in words.
        proposals, done, refused: by the ids of changes; faults: in a sentence each, what was entered and does not count.
        last: id of the change that was applied last, empty for none.
    """

    def __init__(self, verify: Verify) -> None:
        self._people = PeopleStanding(verify)
        self.values: dict[str, Any] | None = None
        self.baseline, self.last = "", ""
        self.proposals, self.done = dict[str, Proposal](), dict[str, Applied]()
        self.refused, self.faults = dict[str, str](), Faults()

    def feed_all(self, links: Iterable[tuple[str, Link]]) -> Folded:
        """Take entries of the sections into account, in their order, and return it.

        Raises:
            ArtefactError: one makes no sense; EnvironmentFault: there is no ``ssh-keygen``.
        """
        for section, link in sorted(links, key=lambda one: one[1].seq):
            if section == CHANGES:
                self._feed(link)
            else:
                self._people.feed(section, link)
        for name, done in self.done.items():  # what was applied first is approved as soon as it is signed
            if not done.agreed and self.keyed:
                proposal = self.proposals[name]
                agreed = self._agreed(ruling(proposal.items).authority, proposal.binds, ())
                self.done[name] = done._replace(agreed=agreed or "")
        return self

    def require_no_baseline(self) -> None:
        """Refuse a second baseline.

        Raises:
            ConfigError: there is one.
        """
        if self.values is not None:
            raise ConfigError(
                "a baseline was adopted before; what differs from it is proposed: `peaktrade change propose --as-it-is`"
            )

    def _feed(self, link: Link) -> None:
        if link.kind == ADOPTED:
            self._adopt(link)
        elif link.kind == PROPOSED:
            self._propose(link)
        elif link.kind in (APPLIED, CONFIRMED, REFUSED):
            name = str(link.data.get("id"))
            proposal, by = self.proposals.get(name), str(link.data.get("by", ""))
            if proposal is None:
                self.faults.say(link, f"{name} was never proposed")
            elif link.kind == REFUSED:
                self.refused.setdefault(name, f"{by}: {link.data.get('reason', '')}")
            elif link.kind == APPLIED:
                self._apply(link, proposal, by)
            else:
                self._confirm(link, proposal, by)

    def _adopt(self, link: Link) -> None:
        values, by = link.data.get("values"), str(link.data.get("by", ""))
        if not isinstance(values, dict):
            raise ArtefactError(f"entry {link.seq + 1} of the ledger adopts no values")
        if self.values is not None:
            self.faults.say(link, f"{by} adopted another baseline; it counts once")
        elif (agreed := self._agreed(BASELINE, values_digest(values), (by,))) is None:
            self.faults.say(link, f"{by} adopted a baseline that {needed(AUTHORITIES[BASELINE])} did not sign")
        else:
            self.values, self.baseline = values, agreed

    def _propose(self, link: Link) -> None:
        proposal = as_proposal(link)
        if self.values is None or proposal.items != changed(self.values, proposal.items):
            self.faults.say(link, f"{proposal.id} does not say what it changes")
            return
        self.proposals.setdefault(proposal.id, proposal)

    def _apply(self, link: Link, proposal: Proposal, by: str) -> None:
        assert self.values is not None  # nothing is proposed before a baseline
        if proposal.id in self.done or proposal.id in self.refused:
            self.faults.say(link, f"{proposal.id} was entered as applied, and had ended")
            return
        if proposal.items != changed(self.values, proposal.items):
            self.faults.say(
                link, f"{proposal.id} was entered as applied, and was outdated: something else was approved since"
            )
            return
        found = ruling(proposal.items)
        agreed = self._agreed(found.authority, proposal.binds, _two(proposal.by, by))
        alone = not self.keyed and found.direction == LOOSER and len(_two(proposal.by, by)) < 2
        if (agreed is None or alone) and found.direction != TIGHTER:
            self.faults.say(
                link, f"{proposal.id} was entered as applied, and {needed(AUTHORITIES[found.authority])} did not agree"
            )
            return
        if found.direction == TIGHTER and not self.keyed and len(_two(proposal.by, by)) < 2:
            agreed = None  # it counts, and a second person must confirm it
        self.values, self.last = applied(self.values, proposal.items), proposal.id
        self.done[proposal.id] = Applied(link.at, by, agreed or "")

    def _confirm(self, link: Link, proposal: Proposal, by: str) -> None:
        done = self.done.get(proposal.id)
        agreed = self._agreed(ruling(proposal.items).authority, proposal.binds, _two(proposal.by, by))
        if done is None or agreed is None or (not self.keyed and len(_two(proposal.by, by)) < 2):
            self.faults.say(link, f"{proposal.id} was entered as confirmed, and nobody else agreed")
        elif not done.agreed:
            self.done[proposal.id] = done._replace(agreed=agreed)

    def stands(
        self, proposal: Proposal, requests: Sequence[Request], now: datetime, unwritten: tuple[str, ...] = ()
    ) -> Change:
        """Return a change as it stands.

        Args:
            proposal: the change; requests: all there are; now: aware UTC; unwritten: files that are as before it.
        """
        kind = (proposal.ruling.authority, proposal.binds)
        request = next((one for one in reversed(requests) if (one.asked.kind, one.asked.binds) == kind), None)
        done, refused = self.done.get(proposal.id), self.refused.get(proposal.id, "")
        if not refused and request is not None and request.rejected is not None:
            refused = f"{request.rejected.by}: {request.rejected.reason}"
        state: State = "waits"
        until = done.at + CONFIRM_WITHIN if done and not done.agreed else None
        if refused and not (done and done.agreed):
            state = "rejected"
        elif done:
            state = "applied" if until is None else "overdue" if now > until else "applied first"
        elif request is not None and request.state == "approved":
            state = "approved"
        return Change(
            proposal=proposal, state=state, request=request, applied_at=done.at if done else None,
            people=done.agreed if done else "", until=until, refused=refused, unwritten=unwritten if done else (),
        )  # fmt: skip

    @property
    def keyed(self) -> bool:
        """Whether names must be signed at this place of the ledger."""
        return self._people.roster.keyed

    def _agreed(self, kind: str, binds: str, names: tuple[str, ...]) -> str | None:
        """Return who agreed and how that is known, None where it must be signed and is not."""
        if not self.keyed:
            return Approval(people=names).told
        asked = self._people.agreed(kind, binds)
        return None if asked is None else Approval(people=self._people.signers(asked.id), request=asked.id).told


def applied(values: dict[str, Any], items: Iterable[KeyChange]) -> dict[str, Any]:
    """Return values after some keys became something else."""
    after = {**values, **{one.key: one.new for one in items}}
    return {key: value for key, value in after.items() if value is not None}


def changed(values: dict[str, Any], items: Iterable[KeyChange]) -> tuple[KeyChange, ...]:
    """Return what items really change of values, with directions of our own."""
    return items_of(values, applied(values, items))


def _two(first: str, second: str) -> tuple[str, ...]:
    """Return the names of the people, one where both may be the same."""
    try:
        return (first,) if same_person(first, second) else (first, second)
    except ConfigError:
        return (first,)
