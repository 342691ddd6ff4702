"""Questions about people and their signatures: can every decision be made, and was everything signed as the ledger says?"""

from __future__ import annotations

import msgspec

from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Found, Question, question
from peaktrade_core.people import signing
from peaktrade_core.people.approval import NOT_VERIFIED
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.fold import PeopleStanding
from peaktrade_core.people.request import SIGNED
from peaktrade_core.people.roster import PEOPLE, undecidable
from peaktrade_core.show.wording import first_of
from peaktrade_core.workspace.ledger import REQUESTS, Ledger
from peaktrade_core.workspace.workspace import Workspace

_SHOWN = 3  # sentences in an answer
SPARE = 3  # so many people with keys: where one key is lost, two are left


def signature_faults(ledger: Ledger) -> list[str]:
    """Return in a sentence each what was not signed as the ledger says; keys count as they did at each entry.

    Raises:
        ArtefactError: the ledger is broken, or an entry makes no sense; EnvironmentFault: there is no ``ssh-keygen``.
    """
    found = PeopleStanding(signing.verifies)
    for link, _ in ledger.links():
        section, _, kind = link.kind.partition("/")
        found.feed(section, msgspec.structs.replace(link, kind=kind))
    return found.faults


@question(
    "people",
    "Are the people named who decide, with their roles?",
    f"Write them into {PEOPLE}; the file that `peaktrade init` writes shows how.",
    otherwise=WARN,
)
def people_named(workspace: Workspace) -> Found:
    """Read the file, and compare it with what was approved last."""
    found = Approvals.of(workspace).people.roster().people
    return bool(found), ", ".join(one.name for one in found) or f"nobody: names are typed, {NOT_VERIFIED}"


@question(
    "people_keys", "Can each decision of two people be signed?", f"Add public SSH keys to {PEOPLE}.", otherwise=WARN
)
def people_keys(workspace: Workspace) -> Found:
    """Look for situations that those who have keys could not decide."""
    roster = Approvals.of(workspace).people.roster()
    if not roster.keyed:
        return False, f"nobody has a key: names are typed, {NOT_VERIFIED}"
    keyed = [one.name for one in roster.people if one.keys]
    if missing := undecidable(roster.people):
        return FAIL, f"too few people with keys for: {'; '.join(missing)}"
    if len(keyed) < SPARE:
        return (
            WARN,
            f"{' and '.join(keyed)}; when one key is lost nothing can be approved",
            "Add a third person with a key.",
        )
    return True, ", ".join(keyed)


@question("people_ssh", "Can this machine sign and verify?", "Install the OpenSSH client.", otherwise=WARN)
def people_ssh(_: Workspace) -> Found:
    """Look for ``ssh-keygen``."""
    told = signing.missing()
    return not told, told or f"{signing.PROGRAM} is there"


@question(
    "signatures",
    "Was everything signed as the ledger says?",
    "Ask those who are named whether they signed; open an incident: an approval may be forged.",
)
def signatures(workspace: Workspace) -> Found:
    """Verify every signature again, with the keys that counted when it was given."""
    ledger = Ledger(workspace.home)
    signed = sum(link.kind == f"{REQUESTS}/{SIGNED}" for link, _ in ledger.links())
    if signed and (told := signing.missing()):
        return UNKNOWN, told
    faults = signature_faults(ledger)
    if faults:
        return FAIL, first_of(faults, _SHOWN, "; ")
    return PASS, f"{signed} signatures, each verified" if signed else "nothing was signed yet"


PEOPLE_CHECKS: tuple[Question[Workspace], ...] = (people_named, people_keys, people_ssh)
