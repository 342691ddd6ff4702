"""The language that people read: what the package says is English everywhere, and is turned where it is shown.

Records, journals, evidence and JSON hold English only, so they mean the same on every machine. The catalogue
``templates/words/de.po`` (gettext; ``make words`` gathers its texts from the sources) has a German sentence for each
English one; ``{0}`` in both stands for what was filled in (``{0!s}``: names, which stay as they are; ``{0!d}``: a count
that stands in the dative). So a text of an old record is turned as well. What the catalogue does not know stays as it is,
and so do ids, commands, codes and figures. See docs/decisions/0180, 0192 and 0199.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.resources import share_dir
from peaktrade_core.show.german import dative

LANGUAGES = ("en", "de")
_HOLE = re.compile(r"\{(\w*)\}")
_FILLED = re.compile(r"\{(\w*)(?:!([sd]))?\}")  # `!s`: what stands there are names, `!d`: a count in the dative
_NAMES = re.compile(r"(?!.*(?:; |[\w`)][.!?] ))\S.*")  # of one piece: no other sentence
_WORD = re.compile(r"[^\W\d_]{2,}")
_QUOTED = re.compile(r"`[^`]*`|'[^']*'|peaktrade .*")
_CODE = re.compile(r"[^a-z]*|\S*[\d._/A-Z:=]\S*|\S{1,2}")  # a figure, id or code: the same in each language
_EDGES = re.compile(r"(?s)([^\w`{(]*)(.*?)([\s.:;,!?…]*)")
_COLON = re.compile(r"(: +)")
_APART = tuple(
    map(re.compile, (r"(\n+)", r"((?<=[\w`)%][.!?]) +)", r"(; +)"))
)  # between texts that stand for themselves
_JOINED = (*map(re.compile, (r"( · )", r"( — )")), _COLON, *map(re.compile, (r"(, +)", r"( and | or )")))
_BETWEEN = {" and ": " und ", " or ": " oder "}
_JOINT = re.compile(r"[:,;·] ")
_TIGHT = re.compile(r"\S*|\d[^;]*|\S+(?:, \S+)+")
_COUNT = re.compile(r"\D?\d\S*")
_COUNTED = re.compile(r"\{\w*\} [a-z]{2,}s")
_CODED = re.compile(r"(?s)((?:- )?\S{0,80}[\d._/]\S{0,80} +)(\S.*)")  # an id or a figure, and what is said of it
_NAMED = re.compile(r"(?s)([A-Za-z][\w.-]*: )(\S.*)")  # a name of ours, of a rule or a part, and what is said of it
_LITTLE = 10  # characters of its own up to which a sentence joins single pieces: "{0} on {1}" reaches over no comma
_MUCH = 25  # characters of its own by which a sentence is known, whatever stands in it
_LONGEST, _MOST = (
    4000,
    150,
)  # characters and words of a text that is looked for piece by piece; a longer one only as a whole


class _Pattern(NamedTuple):
    """A sentence with holes.

    Attributes:
        pieces: what stands between its holes, which are one fewer; names: of the holes.
        tight: the holes that take a word, a figure or a list only: one word and blanks would fit any sentence that has it.
        fits: what a tight hole takes; of things that are counted a figure only: who types "odd fills" means no number.
        german: the other language's; free: the holes in which names stand there, so that nothing need be known of them.
        weight: how much of the sentence is its own [characters].
    """

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    tight: tuple[int, ...]
    fits: re.Pattern[str]
    german: str
    free: frozenset[int]
    weight: int

    def match(self, text: str) -> tuple[str, ...] | None:
        """Return what fills the holes in a text, each as short as can be; None where the text is another sentence."""
        first, *between, last = self.pieces
        at, end = len(first), len(text) - len(last)
        if end < at or not (text.startswith(first) and text.endswith(last)):
            return None
        found = []
        for piece in between:
            begins = text.find(piece, at, end)
            if begins < 0:
                return None
            found.append(text[at:begins])
            at = begins + len(piece)
        found.append(text[at:end])
        return tuple(found) if all(self.fits.fullmatch(found[n]) for n in self.tight) else None


class Tongue:
    """One language: turns what the package says in English.

    Args:
        entries: the other language's text by the English one.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = dict(entries)
        entries = {**{_bare(text): _bare(german) for text, german in entries.items()}, **entries}
        self._whole = {text: german for text, german in entries.items() if not _HOLE.search(text)}
        common = Counter(word for text in entries for word in set(_WORD.findall(_HOLE.sub(" ", text))))
        self._patterns: dict[str, list[_Pattern]] = defaultdict(list)
        for text, german in entries.items():
            words = _WORD.findall(_HOLE.sub(" ", text))
            if words and _HOLE.search(text):
                counted = _COUNTED.fullmatch(text) or f"{text}s" in entries
                fits = _COUNT if counted else _TIGHT
                self._patterns[min(words, key=lambda word: (common[word], word))].append(_pattern(text, german, fits))
        self.turned: Callable[[str], str] = lru_cache(maxsize=20_000)(self._turned)
        # Both ask each other for pieces of a text, which are shorter.
        self._sure: Callable[[str], str | None] = lru_cache(maxsize=50_000)(self._surely)
        self._found: Callable[[str], str | None] = lru_cache(maxsize=50_000)(self._possibly)

    def _turned(self, text: str) -> str:
        """Return a text in this language; as it is where nothing is known of it.

        What is typed or comes from a venue may be long or repeat itself: its lines are then looked for one by one, and of
        those the short ones only, so that nothing takes longer than a page may.
        """
        known = self._whole.get(text)
        if known is not None or not _WORD.search(text):
            return text if known is None else known
        if text[0] == " ":  # a line of a list
            bare = text.lstrip(" ")
            return " " * (len(text) - len(bare)) + self.turned(bare)
        if len(text) <= _LONGEST and text.count(" ") <= _MOST:
            return self._found(text) or text
        return "\n".join(map(self._turned, text.split("\n"))) if "\n" in text else text

    def _surely(self, text: str) -> str | None:
        """Return a text in this language, None where anything of it is unknown: as one sentence, or as pieces."""
        whole = self._coded(text, self._whole.get)
        return self._one(text) or whole or self._pieces(text, (*_APART, *_JOINED)) or self._coded(text, self._sure)

    def _possibly(self, text: str) -> str | None:
        """Return a text in which somebody's words stand, in this language; None where nothing of it is known.

        As lines and sentences of which some are somebody's, as one sentence around them, or as what follows a name.
        """
        return (
            self._sure(text)
            or self._one(text, loose=True, least=_MUCH)
            or self._named(text)
            or self._pieces(text, _APART, loose=True)
            or self._one(text, loose=True)
            or self._pieces(text, (_COLON, _JOINED[0]), loose=True)
        )

    def _coded(self, text: str, find: Callable[[str], str | None]) -> str | None:
        """Return an id or a figure and what is said of it, in this language."""
        coded = _CODED.fullmatch(text)
        known = find(coded[2]) if coded else None
        return coded[1] + known if coded and known else None

    def _named(self, text: str) -> str | None:
        """Return a name and what is said of it, in this language; "error" and its like are ours before any words."""
        named = _NAMED.fullmatch(text)
        known = self._found(named[2]) if named else None
        name = named[1].rstrip(": ") if named else ""
        ours = self.entries.get(f"{name}: {{0}}")
        if named and ours:
            return ours.replace("{0}", known or named[2])
        if not named or not known:
            return None
        return named[1].replace(name, self._whole.get(name, name) if name.istitle() else name) + known

    def _pieces(self, text: str, cuts: Sequence[re.Pattern[str]], *, loose: bool = False) -> str | None:
        """Return a text that was put together, in this language; each piece must be known unless ``loose``."""
        find = self._found if loose else self._sure
        for cut in cuts:
            parts = cut.split(text, maxsplit=1 if cut is _COLON else 0)
            turned = [find(part) for part in parts[::2]] if len(parts) > 1 else []
            if not any(turned) or not (loose or all(map(_stands, parts[::2], turned))):
                continue
            between = [_BETWEEN.get(mark, mark) for mark in parts[1::2]]
            pieces = [part if new is None else new for part, new in zip(parts[::2], turned, strict=True)]
            return pieces[0] + "".join(map(str.__add__, between, pieces[1:]))
        return None

    def _one(self, text: str, *, loose: bool = False, least: int = 0) -> str | None:
        """Return one sentence or piece of one; signs before it and marks behind it are nobody's language."""
        match = _EDGES.fullmatch(text)
        if match is None:
            return None
        before, body, behind = match.groups()
        for head, core, tail in (("", text, ""), (before, body + behind, ""), (before, body, behind)):
            known = self._lookup(core, loose=loose, least=least)
            if known is not None:
                return head + known + tail
        return None

    def _lookup(self, text: str, *, loose: bool, least: int) -> str | None:
        swapped = text[:1].swapcase() + text[1:]
        for first in (text, swapped) if " " in text or text[:1].isupper() else (text,):  # a small word may be a name
            known = self._whole.get(first)
            if known is None:
                known = self._filled(first, loose=loose, least=least)
            if known is not None:
                return known if first == text else known[:1].upper() + known[1:] if text[:1].isupper() else known
        return None

    def _filled(self, text: str, *, loose: bool, least: int) -> str | None:
        """Return the sentence with holes that says most of a text, filled in; what is filled in is known unless ``loose``."""
        best: _Pattern | None = None
        groups: tuple[str, ...] = ()
        for word in set(_WORD.findall(text)):
            for pattern in self._patterns.get(word, ()):
                if pattern.weight > (best.weight if best else least - 1):
                    match = pattern.match(text)
                    if match and (loose or self._fits(pattern, match)):
                        best, groups = pattern, match
        if best is None:
            return None
        given = dict(zip(best.names, groups, strict=True))
        find = self._found if loose else self._sure
        known = {name: find(value) for name, value in given.items()}
        values = {name: known[name] or value for name, value in given.items()}
        values |= {f"{name}!s": value for name, value in given.items()}
        values |= {f"{name}!d": dative(one) if one else given[name] for name, one in known.items()}
        return _FILLED.sub(lambda hole: values.get(hole[0][1:-1], hole[0]), best.german)

    def _fits(self, pattern: _Pattern, filled: Sequence[str]) -> bool:
        """Return whether everything that fills a sentence is known, and is one piece where the sentence says little."""
        joins = pattern.weight < _LITTLE and not any(map(_JOINT.search, pattern.pieces))
        if joins and any(map(_JOINT.search, filled)):
            return False
        return all(
            _NAMES.fullmatch(one) if n in pattern.free else _stands(one, self._sure(one))
            for n, one in enumerate(filled)
        )


def _stands(text: str, turned: str | None) -> bool:
    """Return whether a text is known: turned, or the same in each language."""
    if turned is not None or " " not in text:
        return True
    return all(map(_CODE.fullmatch, _QUOTED.sub(" ", text).split()))


def _bare(text: str) -> str:
    """Return what was put behind another text without the marks between them: they may be cut away there."""
    return text.strip(" ,;:·—")


def _pattern(text: str, german: str, fits: re.Pattern[str]) -> _Pattern:
    pieces = _HOLE.split(text)
    literal, own = pieces[::2], _HOLE.sub("", text)
    tight: list[int] = []
    if len(_WORD.findall(_HOLE.sub(" ", text))) == 1:
        beside = pairwise(literal)
        tight = [n for n, (left, right) in enumerate(beside) if re.search(r"\w ?$", left) or re.match(r" ?\w", right)]
    names = tuple(pieces[1::2])
    free = frozenset(n for n, name in enumerate(names) if f"{{{name}!s}}" in german)
    return _Pattern(tuple(literal), names, tuple(tight), fits, german, free, len(own))


@cache
def tongue(language: str) -> Tongue | None:
    """Return a language, None for English, which is what the package says.

    Raises:
        UnknownNameError: no such language.
    """
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES)
    if language == "en":
        return None
    from babel.messages.pofile import read_po

    with (share_dir() / "templates" / "words" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return Tongue({str(one.id): str(one.string) for one in catalogue if one.id and one.string and not one.fuzzy})


@cache
def words(language: str) -> dict[str, str]:
    """Return what the pages say by themselves, by name; callers share it and change nothing.

    Raises:
        UnknownNameError: no such language.
    """
    turned = tongue(language)
    path = share_dir() / "templates" / "voila" / "words.toml"
    texts = tomllib.loads(path.read_text(encoding="utf-8"))
    told = texts if turned is None else {name: turned.entries.get(text, text) for name, text in texts.items()}
    return {**told, "language": language}


_spoken: Tongue | None = None
_named = "en"
_MARKUP = re.compile(
    r"(<!--.*?-->|<(?:style|script)\b.*?</(?:style|script)>|</?[a-zA-Z][^>]*>?|\*\*|^(?:#+|-) |[|\n])",
    re.DOTALL | re.MULTILINE,
)
_PARAGRAPHS = re.compile(r"(\n\s*\n)")
_READ_OUT = re.compile(r"""((?:aria-label|title|data-label|placeholder)=")([^"]+)""")


def speak(language: str) -> None:
    """Show everything from now on in a language, ``en`` or ``de``; for the whole process, as a locale is.

    Raises:
        UnknownNameError: no such language.
    """
    global _spoken, _named
    _spoken, _named = tongue(language), language


def language() -> str:
    """Return what everything is shown in now, ``en`` or ``de``."""
    return _named


def is_english() -> bool:
    """Return whether everything is shown as the package says it."""
    return _spoken is None


def spoken(text: str) -> str:
    """Return what the package said, in the language that people read here."""
    return text if _spoken is None else _spoken.turned(text)


def pieces(markup: str) -> list[str]:
    """Return HTML or markdown of ours cut into marks and texts in turn, beginning with a text, which may be empty."""
    return _MARKUP.split(markup)


def spoken_markup(markup: str) -> str:
    """Return HTML or markdown of ours with its texts in the language that people read here."""
    if _spoken is None:
        return markup
    turned = [
        _READ_OUT.sub(lambda found: found[1] + spoken(found[2]), one) if n % 2 else _within_blanks(one)
        for n, one in enumerate(pieces(markup))
    ]
    return "".join(turned)


def _within_blanks(text: str) -> str:
    body = text.strip()
    return text.replace(body, spoken(body), 1) if body else text


def spoken_paragraphs(text: str) -> str:
    """Return a text of ours with each of its paragraphs in the language that people read here."""
    return (
        text
        if _spoken is None
        else "".join(part if n % 2 else _within_blanks(part) for n, part in enumerate(_PARAGRAPHS.split(text)))
    )
