"""Text of any origin: what people type, what venues and files say. Here it becomes harmless to whoever keeps or shows it."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from urllib.parse import quote

from peaktrade_core.base.errors import LATEST, UnknownNameError

LONGEST = 4_000  # characters of what one person says at once
_KEPT = LONGEST - 60  # of a longer text; the end says that it was cut off
_ACTIVE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_HEAD, _TAIL = re.compile(r"[\w%+/\\-]+\Z"), re.compile(r"\A[\w%+/\\=-]+")  # the rest of a word
_PART = 8  # letters and digits in a row that give a secret away
_BYTE = re.compile("[\udc80-\udcff]")  # how Python passes on a byte that is not in the terminal's encoding


def inert(text: str) -> str:
    """Return text in which nothing acts on who shows it: escapes, bells and marks of direction are written out.

    Foreign text (records, venues, alerts) goes through it in every renderer; line breaks and tabs stay.
    """
    return text if text.isprintable() else _ACTIVE.sub(_written_out, text)


def meant(kind: str, typed: str, newest: Sequence[str], hint: str = "", begin: str = "", *, latest: bool = True) -> str:
    """Return the id that is meant: a whole one, the beginning of one that no other has, or ``latest``, which is the newest.

    Args:
        kind: ``sweep``, in the message; typed: by a person; newest: the ids that there are, newest first.
        hint: the command that lists them; begin: the one that makes the first.
        latest: whether ``latest`` will do; who signs or changes something names it.

    Raises:
        UnknownNameError: there is none, or several begin so.
    """
    if typed in newest:
        return typed
    found = newest[:1] if latest and typed == LATEST else [one for one in newest if typed and one.startswith(typed)]
    if len(found) != 1:
        raise UnknownNameError(kind, typed, (found or newest)[:5], hint, begin)
    return found[0]


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


def redacted(text: str, hidden: Sequence[str]) -> str:
    """Return text with ``***`` in the place of each hidden text, whole or in part, and however it is written.

    What counts are letters and digits: eight of them in a row that also stand in a row in a form of a hidden text (as it
    is, quoted for an address, in base64, as hexadecimal digits) are a part of it, with blanks, signs or line breaks
    between them or without. Neither what stands between two such parts is left, nor the rest of their word.
    """
    at = [n for n, sign in enumerate(text) if sign.isalnum()]
    plain = "".join(text[n].lower()[0] for n in at)
    marked: list[list[int]] = []
    for form in {form for secret in hidden for form in _forms(secret)}:
        size = min(_PART, len(form))
        parts = {form[n : n + size] for n in range(len(form) - size + 1)}
        marked += [[n, n + size] for n in range(len(plain) - size + 1) if plain[n : n + size] in parts]
    joined: list[list[int]] = []
    for begin, end in sorted(marked):
        if joined and begin <= joined[-1][1] + _PART:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    for begin, end in reversed(joined):
        before = _HEAD.sub("", text[: at[begin]])
        text = f"{before}***{_TAIL.sub('', text[at[end - 1] + 1 :])}"
    return text


@cache
def _forms(secret: str) -> frozenset[str]:
    """Return how a secret can be written, each as its letters and digits in lower case."""
    raw = [secret.encode("utf-8", "surrogatepass")]
    with suppress(ValueError):  # Kraken's secrets are base64 themselves
        raw.append(base64.b64decode(secret, validate=True))
    coded = [
        base64.b64encode(b"x" * shift + data)[2 * bool(shift) + (shift > 1) : -4] for data in raw for shift in range(3)
    ]
    written = [secret, repr(secret)[1:-1], repr(raw[0])[2:-1], quote(secret, safe="")]
    written += [*(data.hex() for data in raw), *map(bytes.decode, coded)]
    plain = {"".join(sign.lower()[0] for sign in form if sign.isalnum()) for form in written}
    return frozenset(form for form in plain if len(form) >= min(_PART, 4))


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
