"""What entries of the ledger make of people and signatures: whose keys count, and what was not signed as it says.

People change only by the signatures of those who counted before. An entry that puts others in their place without that is a
fault and changes nobody: whoever can write into the ledger is no second person.
"""

from __future__ import annotations

import msgspec

from peaktrade_core.base.chain import Link
from peaktrade_core.base.errors import ArtefactError, ConfigError, why
from peaktrade_core.people.matrix import lacking, needed
from peaktrade_core.people.request import (
    ASKED,
    COUNTERSIGNED,
    REJECTED,
    SIGNED,
    USED,
    Asked,
    Signature,
    Verify,
    as_asked,
    as_signature,
    countersignature_fault,
    refused,
)
from peaktrade_core.people.roster import Person, Roster
from peaktrade_core.show import wording
from peaktrade_core.workspace.ledger import EVIDENCE, PEOPLE_SECTION, REQUESTS

ENTERED = "entered"  # kind of the entry that holds people and keys as they count from there on
CHANGE = "people"  # the authority by which people change


class Faults(list[str]):
    """What was entered into the ledger and does not count, in a sentence each."""

    def say(self, link: Link, fault: str) -> None:
        """Add what is wrong with an entry."""
        self.append(f"entry {link.seq + 1}: {fault}")


class PeopleStanding:
    """How people and signatures stand after the entries that were fed.

    Args (of the constructor):
        verify: whether a key signed a text.

    Attributes:
        roster: whose keys count; faults: in a sentence each, what was not signed as the ledger says.
    """

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self.roster, self.faults = Roster(), Faults()
        self._asked: dict[str, Asked] = {}
        self._good: dict[str, list[Signature]] = {}
        self._refused, self._spent, self._used = set[str](), set[str](), set[str]()

    def agreed(self, kind: str, binds: str) -> Asked | None:
        """Return the request for exactly this that everybody has signed and nobody refused, None where there is none."""
        found = [one for one in self._asked.values() if (one.kind, one.binds) == (kind, binds)]
        return next((one for one in reversed(found) if one.id not in self._refused and not self._lacks(one)), None)

    def signers(self, request: str) -> tuple[str, ...]:
        """Return who signed a request, as far as the signatures count."""
        return tuple(one.by for one in self._good.get(request, []))

    def feed(self, section: str, link: Link) -> None:
        """Take the next entry of a section into account.

        Raises:
            ArtefactError: it makes no sense; EnvironmentFault: there is no ``ssh-keygen``.
        """
        if section == PEOPLE_SECTION and link.kind == ENTERED:
            self._enter(link)
        elif section == REQUESTS and link.kind == ASKED:
            one = as_asked(link)
            self._asked.setdefault(one.id, one)
        elif section == REQUESTS and link.kind in (SIGNED, REJECTED, USED):
            self._about(link)
        elif section == EVIDENCE and link.kind == COUNTERSIGNED and link.data.get("signature"):
            fault = countersignature_fault(link, self.roster, self._verify)
            if fault:
                self.faults.say(link, fault)

    def _enter(self, link: Link) -> None:
        new = roster_of(link)
        if self.roster.keyed and new.digest != self.roster.digest and not self._may_enter(new, link):
            differs = new.differs(self.roster)
            self.faults.say(
                link, f"other people ({differs}), and nobody whose key counted signed that: it changes nothing"
            )
            return
        self.roster = new
        self._good = {name: [one for one in made if new.of_key(one.key)] for name, made in self._good.items()}

    def _may_enter(self, new: Roster, link: Link) -> bool:
        """Return whether people were approved who come with an entry, and use that approval up: it is good for once."""
        wanted = [one for one in self._asked.values() if (one.kind, one.binds) == (CHANGE, new.digest)]
        free = (one for one in wanted if one.id not in self._refused | self._spent and not self._lacks(one))
        found = next((one for one in free if link.at <= one.until), None)
        if found is not None:
            self._spent.add(found.id)
        return found is not None

    def _about(self, link: Link) -> None:
        """Take a signature, a refusal or a use into account."""
        name = str(link.data.get("id"))
        one = self._asked.get(name)
        if one is None:
            self.faults.say(link, f"{name} was never asked for")
        elif link.kind == SIGNED:
            made = as_signature(link)
            if fault := refused(one, made, self._good.get(name, []), self.roster, self._verify):
                self.faults.say(link, f"{name}: {fault}")
            else:
                self._good.setdefault(name, []).append(made)
        elif link.kind == USED:
            if self._lacks(one):
                self.faults.say(link, f"{name} was used and not signed by {needed(one.authority)}")
            if link.at > one.until:
                self.faults.say(link, f"{name} was used after {wording.moment(one.until)} UTC, when it had expired")
            if name in self._used:
                self.faults.say(link, f"{name} was used a second time; an approval is good for once")
            self._used.add(name)
        else:
            self._refused.add(name)
            if (made := as_signature(link)).signature and not self._verify(one.refusal, made.signature, made.key):
                self.faults.say(link, f"{made.by} did not sign that {name} is refused")

    def _lacks(self, one: Asked) -> str:
        people = [self.roster.of_key(made.key) for made in self._good.get(one.id, [])]
        return lacking(one.authority, [person.roles for person in people if person])


def roster_of(link: Link) -> Roster:
    """Return the people of an entry of the ledger.

    Raises:
        ArtefactError: it makes no sense.
    """
    try:
        return Roster(msgspec.convert(link.data.get("people"), tuple[Person, ...]))
    except (msgspec.ValidationError, ConfigError) as error:
        raise ArtefactError(f"entry {link.seq + 1} of the ledger names no people: {why(error)}") from None
