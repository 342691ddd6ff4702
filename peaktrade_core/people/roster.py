"""Who works here: ``config/people.toml`` with names, roles, contacts and public SSH keys, read strictly."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import read_toml
from peaktrade_core.base.people import person_key, same_person
from peaktrade_core.base.typed import Checked, read
from peaktrade_core.people.matrix import AUTHORITIES, Role, seated

PEOPLE = Path("config") / "people.toml"
KEY_KINDS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip
_LONGEST = 200  # characters of a name or contact


class Person(Checked, frozen=True):
    """One person.

    Attributes:
        name: how records name them; roles: at least one of :data:`ROLES`.
        contact: how they are reached in an emergency, empty for not at all.
        keys: public SSH keys, each as in an ``id_….pub``: kind, key, and a comment that does not matter.
    """

    name: str
    roles: tuple[Role, ...]
    contact: str = ""
    keys: tuple[str, ...] = ()


class _File(Checked, frozen=True):
    """The whole file."""

    person: tuple[Person, ...] = ()


class Signer(msgspec.Struct, frozen=True):
    """What of a person counts when they sign: name, roles, and the keys without their comments, in order."""

    name: str
    roles: tuple[str, ...]
    keys: tuple[str, ...]


class Roster(NamedTuple):
    """All the people, as a file or the ledger says.

    Attributes:
        people: in the order of the file.
    """

    people: tuple[Person, ...] = ()

    @property
    def keyed(self) -> bool:
        """Whether anybody has a key: then a typed name approves nothing."""
        return any(one.keys for one in self.people)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """What counts when they sign, in the order of their names."""
        found = (Signer(one.name, tuple(sorted(one.roles)), tuple(sorted(map(bare, one.keys)))) for one in self.people)
        return tuple(sorted(found, key=lambda one: person_key(one.name)))

    @property
    def digest(self) -> str:
        """SHA-256 of what counts when they sign."""
        return hashlib.sha256(msgspec.json.encode(self.signers)).hexdigest()

    def of_key(self, key: str) -> Person | None:
        """Return whose key it is, None where it is nobody's."""
        return next((one for one in self.people if bare(key) in map(bare, one.keys)), None)

    def find(self, name: str) -> Person | None:
        """Return the person of a name, None where there is none."""
        return next((one for one in self.people if same_person(one.name, name)), None)

    def differs(self, other: Roster) -> str:
        """Return in words what of the signers is not as in another roster; empty when nothing is."""
        found = []
        ours, theirs = ({person_key(s.name): s for s in roster.signers} for roster in (self, other))
        for key in sorted({*ours, *theirs}):
            one, was = ours.get(key), theirs.get(key)
            if was is None or one is None:
                found.append(f"{one.name} was added" if one else f"{was.name if was else key} is gone")
            elif one != was:
                what = [word for word, a, b in (("key", one.keys, was.keys), ("roles", one.roles, was.roles)) if a != b]
                found.append(f"the {' and the '.join(what) or 'name'} of {one.name} changed")
        return ", ".join(found)


def read_people(path: Path) -> Roster:
    """Return the people of a file; nobody where there is no file.

    Raises:
        ConfigError: it is not sound; says where and what is allowed.
    """
    if not path.exists():
        return Roster()
    raw = read_toml(path)
    try:
        found = read(raw, _File)
        _refuse_doubles(found.person)
        for number, one in enumerate(found.person, 1):
            _refuse(one, f"person {number} ({one.name!r})")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return Roster(found.person)


def _refuse(one: Person, where: str) -> None:
    """Refuse a person without a name, without a role, or with a key that is none.

    Raises:
        ConfigError: says what is wrong.
    """
    person_key(one.name)
    for what, text in (("name", one.name), ("contact", one.contact)):
        if len(text) > _LONGEST or not (text.isprintable() or not text):
            raise ConfigError(f"{where}: {what} must be one line of at most {_LONGEST} characters")
    if not one.roles or len(set(one.roles)) < len(one.roles):
        raise ConfigError(f"{where}: roles must name each role once, and at least one")
    for key in one.keys:
        if fault := _key_fault(key):
            raise ConfigError(f"{where}: {fault}")


def _refuse_doubles(people: tuple[Person, ...]) -> None:
    """Refuse two people of one name, or with one key.

    Raises:
        ConfigError: names both.
    """
    for number, one in enumerate(people):
        for other in people[number + 1 :]:
            if same_person(one.name, other.name):
                raise ConfigError(f"{one.name!r} and {other.name!r} may be the same person; name each once")
            if set(map(bare, one.keys)) & set(map(bare, other.keys)):
                raise ConfigError(f"{one.name!r} and {other.name!r} have the same key; each has an own one")


def _key_fault(key: str) -> str:
    """Return what is wrong with a public key, empty when nothing is."""
    kind, _, rest = key.strip().partition(" ")
    body = rest.split(" ")[0]
    if "PRIVATE KEY" in key:
        return "keys must hold public keys: this is a private one. Take it out, it is no secret any more"
    if kind not in KEY_KINDS:
        return (
            f"{_short(key)} is no public SSH key; give the line of an id_….pub, which begins with ssh-ed25519 or alike"
        )
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return f"{_short(key)} is cut off or was changed; copy the whole line of the .pub file"
    named = data[4 : 4 + int.from_bytes(data[:4])]
    if named != kind.encode() or len(data) <= 4 + len(named):
        return f"{_short(key)} is cut off or was changed; copy the whole line of the .pub file"
    return ""


def _short(key: str) -> str:
    return repr(key if len(key) <= 40 else f"{key[:37]}…")


def bare(key: str) -> str:
    """Return a public key without its comment: kind and key."""
    return " ".join(key.split()[:2])


def fingerprint(key: str) -> str:
    """Return the fingerprint of a sound public key, as ``ssh-keygen -l`` prints it."""
    data = base64.b64decode(bare(key).partition(" ")[2])
    return "SHA256:" + base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def undecidable(people: Iterable[Person]) -> list[str]:
    """Return the situations that the people with keys cannot decide, however many of them sign."""
    roles = [one.roles for one in people if one.keys]
    return [one.situation for one in AUTHORITIES.values() if one.second and seated(one, roles) < len(one.seats)]
