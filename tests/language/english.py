"""Finds English in what a German workspace shows."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

from peaktrade_core.show.language import tongue

_APART = re.compile(  # what is the same in each language: commands, code, files, ids, names in a row, errors, what was typed
    r"`[^`]*`|(?:\b\w+, ){3,}\w+|'[^']*'|\bpeaktrade \w.*|https?://\S+|\S*[/\\_]\S*|\b[\w-]+\.(?:toml|jsonl?|parquet|ipynb|csv|md|html|py)\b|\{[^}]*\}"
)
_ENGLISH = re.compile(
    r"\b(?:the|is|are|were|of|and|with|for|from|have|been|which|what|who|why|nothing|none|yet|this|that|there|its|it|by|or|"
    r"when|where|every|each|only|without|until|cannot|does|did|how|before|after|since|because|than|their|them|they|now)\b"
)


_SAID = re.compile(r"(?<![\w`{<.-])[A-Za-z][a-z]{2,}(?![\w>-])")

_NAMES = frozenset(  # what is the same in each language, as it is typed or kept
    {
        *("lint", "types"),  # gates
        *("heartbeat", "gap", "crash", "bad", "equal", "conservative", "aggressive"),  # rules, drills, scripts, presets
        *("retention", "finding", "findings", "week", "reference", "resume", "restart"),  # jobs, runbooks, parameters
        *("decision", "watched", "restored", "monitoring"),  # ids of questions, as answers takes them
        *("denial", "end", "failed"),  # kinds of events and values of records, as the files have them
        *("loopback", "futures"),  # said in German, too
        *("root", "desk", "torn", "gone", "calm"),  # who does it in a test, and what was typed there
    }
)


@cache
def _only_english() -> frozenset[str]:
    """Return the words that stand in a text of ours and in no German one: whole ones, be they the only word of a line."""
    german = tongue("de")
    assert german is not None
    told, turned = (
        {word.lower() for text in texts for word in _SAID.findall(_APART.sub(" ", text))}
        for texts in (german.entries, german.entries.values())
    )
    return frozenset(told - turned - _NAMES)


def english_in(text: str) -> list[str]:
    """Return the lines of a text that hold a word which only English has."""
    lines = [_APART.sub(" ", line) for line in text.splitlines()]
    return [
        " ".join(line.split())
        for line in lines
        if _ENGLISH.search(line) or any(word.lower() in _only_english() for word in _SAID.findall(line))
    ]


class _Read(HTMLParser):
    """Gathers what a page says to people: its texts, and what is read out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._apart = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._apart += tag in ("script", "style", "code", "pre")
        self.said += [value for name, value in attrs if name in ("title", "aria-label", "placeholder") and value]

    def handle_endtag(self, tag: str) -> None:
        self._apart -= tag in ("script", "style", "code", "pre")

    def handle_data(self, data: str) -> None:
        if not self._apart:
            self.said.append(" ".join(data.split()))


def english_in_page(html: str) -> list[str]:
    """Return the texts of a page that hold English."""
    reader = _Read()
    reader.feed(html)
    return [line for text in reader.said for line in english_in(text)]
