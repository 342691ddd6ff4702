"""The people who count: as ``config/people.toml`` says, until they are entered into the ledger; from there on as it says.

Once people with keys are entered, the file cannot be changed behind their back: what is not as it was approved last approves
nothing.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import Entry, Link
from peaktrade_core.base.errors import ArtefactError, ConfigError, why
from peaktrade_core.people import signing
from peaktrade_core.people.roster import PEOPLE, Person, Roster, read_people
from peaktrade_core.workspace.ledger import PEOPLE_SECTION, Ledger

ENTERED = f"{PEOPLE_SECTION}/entered"  # kind of the entry that holds people and keys as they count from there on


class PeopleBook:
    """The people of a workspace.

    Args (of the constructor):
        ledger: where they are entered; home: the workspace.

    Attributes:
        path: their file, ``config/people.toml``.
    """

    def __init__(self, ledger: Ledger, home: Path) -> None:
        self._ledger, self.path = ledger, home / PEOPLE
        self._section = ledger.section(PEOPLE_SECTION)

    def entered(self) -> Roster:
        """Return the people as they were entered last, nobody where they never were.

        Raises:
            ArtefactError: the ledger is broken, or an entry makes no sense.
        """
        found = [link for link, _ in self._section.links() if f"{PEOPLE_SECTION}/{link.kind}" == ENTERED]
        return roster_of(found[-1]) if found else Roster()

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
    return ENTERED, {"people": people, "approved": told}


def roster_of(link: Link) -> Roster:
    """Return the people of an entry of the ledger.

    Raises:
        ArtefactError: it makes no sense.
    """
    try:
        return Roster(msgspec.convert(link.data.get("people"), tuple[Person, ...]))
    except (msgspec.ValidationError, ConfigError) as error:
        raise ArtefactError(f"entry {link.seq + 1} of the ledger names no people: {why(error)}") from None
