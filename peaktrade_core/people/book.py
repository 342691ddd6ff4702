"""The people who count: as ``config/people.toml`` says, until they are entered into the ledger; from there on as it says.

Once people with keys are entered, the file cannot be changed behind their back: what is not as it was approved last approves
nothing.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from peaktrade_core.base.chain import Entry, Link
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.people import signing
from peaktrade_core.people.fold import CHANGE, ENTERED, PeopleStanding
from peaktrade_core.people.roster import PEOPLE, Person, Roster, read_people
from peaktrade_core.workspace.ledger import PEOPLE_SECTION, REQUESTS, Ledger


class PeopleBook:
    """The people of a workspace.

    Args (of the constructor):
        ledger: where they are entered; home: the workspace.

    Attributes:
        path: their file, ``config/people.toml``.
    """

    def __init__(self, ledger: Ledger, home: Path) -> None:
        self._ledger, self.path = ledger, home / PEOPLE
        self._people, self._requests = ledger.section(PEOPLE_SECTION), ledger.section(REQUESTS)

    def entered(self) -> Roster:
        """Return the people as they were entered last, nobody where they never were.

        Who was put in somebody's place without the signatures of those who counted before is none of them.

        Raises:
            ArtefactError: the ledger is broken, or an entry makes no sense.
            EnvironmentFault: people changed, and there is no ``ssh-keygen`` to verify that.
        """
        entered = [link for link, _ in self._people.links()]
        if not entered:
            return Roster()
        found = PeopleStanding(signing.verifies)
        told = [(PEOPLE_SECTION, link) for link in entered]
        if len(entered) > 1:
            told += self._changes()
        for section, link in sorted(told, key=lambda one: one[1].seq):
            found.feed(section, link)
        return found.roster

    def _changes(self) -> list[tuple[str, Link]]:
        """Return the entries about requests to change people."""
        links = [link for link, _ in self._requests.links()]
        ids = {link.data.get("id") for link in links if link.data.get("kind") == CHANGE}
        return [(REQUESTS, link) for link in links if link.data.get("id") in ids]

    def roster(self) -> Roster:
        """Return who may sign now.

        Raises:
            ConfigError: the file is not sound.
            ArtefactError: it is not as it was approved last, or the ledger is broken.
        """
        held, now = self.entered(), read_people(self.path)
        if held.keyed and (differs := now.differs(held)):
            raise ArtefactError(
                f"{PEOPLE} is not as it was approved last ({differs}), so nothing can be approved: put it back, or ask those "
                "whose keys count: `peaktrade people change FILE`"
            )
        return now

    def counting(self) -> Roster:
        """Return whose signatures count: who was entered, and before anybody was, who is in the file; raises as above."""
        held = self.entered()
        return held if held.keyed else read_people(self.path)

    def enter_first(self, now: datetime) -> None:
        """Enter people and keys when they are first needed; from there on they change by approval alone.

        Raises:
            ConfigError, ArtefactError: as :meth:`roster`; EnvironmentFault: the ledger cannot be written.
        """
        roster = self.roster()
        if roster.keyed and not self.entered().keyed:
            self._ledger.append(entry_of(roster, f"first seen in {PEOPLE}"), at=now)

    def who(self, key: Path | None) -> tuple[Person, Path]:
        """Return the person whose key it is, and the file to sign with.

        Args:
            key: a key file; None for the one of this login, in ``~/.ssh``, that is somebody's.

        Raises:
            ConfigError: nobody has keys, the key is nobody's, or none or several of this login are somebody's.
            ArtefactError: the ledger is broken; EnvironmentFault: there is no ``ssh-keygen``.
        """
        roster = self.counting()
        if not roster.keyed:
            raise ConfigError(
                f"nobody in {PEOPLE} has a key, so nothing can be signed; names are typed, and not verified"
            )
        if key is not None:
            person = roster.of_key(signing.public_key(key.expanduser()))
            if person is None:
                raise ConfigError(
                    f"the key of {key} is nobody's in {PEOPLE}; `peaktrade people list` shows whose count"
                )
            return person, key.expanduser()
        found = [(one, path) for path in signing.own_keys() if (one := roster.of_key(signing.public_key(path)))]
        if len({one.name for one, _ in found}) != 1:
            told = "keys of several people are" if found else "no key of anybody is"
            raise ConfigError(f"{told} in ~/.ssh of this login; name yours: --key FILE")
        person, path = found[0]
        return person, path.with_suffix("") if path.with_suffix("").is_file() else path


def entry_of(roster: Roster, told: str) -> Entry:
    """Return the entry of the ledger with people and keys as they count from there on; ``told`` says by whom."""
    people = [{"name": one.name, "roles": one.roles, "keys": one.keys} for one in roster.signers]
    return f"{PEOPLE_SECTION}/{ENTERED}", {"people": people, "approved": told}
