"""Text of any origin: what people type, what venues and files say. Here it becomes harmless to whoever keeps or shows it."""

from __future__ import annotations

import re

LONGEST = 4_000  # characters of what one person says at once
_KEPT = LONGEST - 60  # of a longer text; the end says that it was cut off
_ACTIVE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_BYTE = re.compile("[\udc80-\udcff]")  # how Python passes on a byte that is not in the terminal's encoding


def inert(text: str) -> str:
    """Return text in which nothing acts on who shows it: escapes, bells and marks of direction are written out.

    Foreign text (records, venues, alerts) goes through it in every renderer; line breaks and tabs stay.
    """
    return text if text.isprintable() else _ACTIVE.sub(_written_out, text)


def decoded(text: str) -> str:
    """Return text without the bytes that were not understood where it came in: they are UTF-8, else Latin-1.

    In Latin-1 every byte is a letter, so that no terminal keeps a text from being written down.
    """
    if not _BYTE.search(text):
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return _BYTE.sub(lambda byte: chr(ord(byte[0]) - 0xDC00), text)


def one_line(text: str) -> str:
    """Return text as one line: line breaks are spaces, what would act on a terminal is written out."""
    return inert(" ".join(decoded(text).split()))


def said(text: str) -> str:
    """Return what a person said (a reason, a note, a name) as one line that every log, terminal and channel can hold.

    Nothing is refused, as a halt must not fail over its reason: what is longer than :data:`LONGEST` characters is cut
    off with a word about it. Blank text stays empty.
    """
    line = one_line(text)
    if len(line) <= LONGEST:
        return line
    return f"{line[:_KEPT]} … [{len(line) - _KEPT:,} more characters were cut off]"


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
