"""Who is who: whether two names that were typed mean the same person. A second person must really be a second one."""

from __future__ import annotations

import unicodedata

from peaktrade_core.base.errors import ConfigError


def person_key(name: str) -> str:
    """Return what identifies a person: the letters and digits of the name, word order, case and accents aside.

    Full-width letters, invisible characters and punctuation make no other person of somebody.

    Raises:
        ConfigError: the name holds no letter.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    visible = "".join(c for c in plain if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    words = "".join(c if c.isalnum() else " " for c in visible).split()
    if not any(c.isalpha() for word in words for c in word):
        raise ConfigError(f"{name!r} is no name; say who you are (--by)")
    return "".join(sorted(words))


def same_person(one: str, other: str) -> bool:
    """Return whether two names may mean the same person; in doubt they do."""
    return person_key(one) == person_key(other)
