"""How German bends what is counted; the catalogue says where, with ``{0!d}``. It knows no sentence."""

from __future__ import annotations

import re

_THINGS = re.compile(  # a number, and what it counts: words of a kind, and the thing
    r"(?!1 )([\d.,]+)((?: (?!(?:je|ohne|wie|die|eine)\b)[a-zäöüß-]+)*(?: [A-ZÄÖÜ][\w-]*)?)"
)


def dative(text: str) -> str:
    """Return a count as it stands behind *von*, *mit*, *nach*: ``3 laufenden Einträgen``; one thing stays as it is."""
    things = _THINGS.match(text)
    if things is None:
        return text
    bent = re.sub(r"[\w-]+", lambda word: _bent(word[0]), things[2])
    return f"{things[1]}{bent}{text[things.end() :]}"


def _bent(word: str) -> str:
    """Return a word of several things in the dative: it gets an n, but for one that ends in n or, from elsewhere, in s."""
    return f"{word}n" if word.endswith("e") or (word[:1].isupper() and word.endswith(("er", "el"))) else word
