"""What a terminal shows: tables that fit its width, texts in the characters it has, JSON that any program reads.

A table never breaks an id and never cuts a sentence. Where it is too wide, empty columns go first, then those of the
highest priority number, a column with a warning late; one that still finds room comes back, and what is left out is
named below. Sentences fold, or stand below their row where that takes fewer lines. Into a file or pipe a row is one
line, unless ``COLUMNS`` names a width.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

import click
import msgspec

from peaktrade_core.base.text import inert
from peaktrade_core.show.language import spoken
from peaktrade_core.show.layout import BELOW, GAP, GLUE, Text, glued, layout_of, width_of
from peaktrade_core.show.logs import logged
from peaktrade_core.show.streams import is_unicode, plain, put
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.show.wording import NOTHING, shortened

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {GOOD: "green", MID: "yellow", BAD: "red"}
_LONGEST, _BOOK, _TALLEST = 1000, 600, 12  # characters of a line and of a cell, lines of a cell; --json has all of it
_LABEL = re.compile(r"\s*(?:(?:-|->|→|\d+\.) +|(?:\S+ )*\S+ {2,})?")  # what a folded line stands below
_COMMAND = re.compile(r"(?:\S+ {2,}|\s*)peaktrade \w")
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")  # JSON itself escapes the others


class Document(str):
    """A text that is printed as it is, as markdown or HTML that goes into a file."""


def console(*, stderr: bool = False) -> Console:
    """Return a console of rich, for bars and screens that move."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def say(text: str, *, err: bool = False) -> None:
    """Print text of any origin: control characters inert, signs that the terminal lacks replaced, folded between words.

    A command is not folded, as it is copied; a document is printed as it is.
    """
    if logged(text):
        return
    stream = sys.stderr if err else sys.stdout
    if isinstance(text, Document):
        put(plain(inert(text), stream.encoding or "ascii"), err=err)
        return
    width = screen_width(stream)
    lines = (plain(shortened(inert(line), _LONGEST), stream.encoding or "ascii") for line in spoken(text).split("\n"))
    put("\n".join(part for line in lines for part in _hanging(line, width)), err=err)


def print_json(value: object, indent: int = 2) -> None:
    """Print a value as JSON, on one line where ``indent`` is -1; NaN becomes null, signs a terminal lacks are escaped."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=os.fspath), indent=indent).decode()
    encoding = sys.stdout.encoding or "ascii"
    if not text.isascii():
        text = _UNSAFE.sub(_escaped, text)
        if not is_unicode(encoding):
            text = "".join(c if c.isascii() else "".join(map(_escape, _units(c))) for c in text)
    put(text)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal."""
    put("\n".join(lines_of(table, screen_width(sys.stdout), sys.stdout.encoding or "ascii")))


def screen_width(stream: TextIO) -> int | None:
    """Return how many characters a line holds; None for a file or pipe, where no line ends.

    What ``COLUMNS`` says goes before, but for errors, which programs read.
    """
    named = os.environ.get("COLUMNS", "")
    if stream is not sys.stderr and named.isdigit() and int(named) > 0:
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def lines_of(table: Table, width: int | None, encoding: str = "utf-8") -> list[str]:
    """Return a table as lines of at most ``width`` characters; only a single word may be longer.

    Args:
        width: of the screen; None where it is endless.
        encoding: of the terminal, whose signs are used.
    """
    table = table.spoken()
    title = [click.style(line, bold=True) for line in _folded(plain(table.title, encoding), width) if line]
    if not table.rows:
        return [*title, *(_folded(plain(table.empty, encoding), width) if table.empty else [])]
    rows = [[_prepared(cell, encoding) for cell in row] for row in table.rows]
    is_pairs = len(table.columns) == 2 and not any(table.columns)
    body = _pairs(rows, width) if is_pairs else _laid_out(table, rows, width, encoding)
    note = plain(table.note.text, encoding)
    return [*title, *body, *(_folded(note, width) if note else [])]


def _laid_out(table: Table, rows: list[list[Text]], width: int | None, encoding: str) -> list[str]:
    """Return rows below their titles."""
    named = [plain(title, encoding) for title in table.columns]
    titles = [title.upper() for title in named]
    layout = layout_of(table, titles, rows, width)
    head = _side_by_side(table, {n: [titles[n]] for n in layout.widths}, layout.widths, {})
    lines = [click.style(line, bold=True) for line in head]
    for row in rows:
        cells = {n: _fold(row[n].lines, size) for n, size in layout.widths.items()}
        lines += _side_by_side(table, cells, layout.widths, {n: row[n].tone for n in layout.widths})
        for n in (n for n in layout.below if row[n].told):
            text = " ".join(row[n].words)
            said = f"{named[n]}: {text}" if named[n] else text
            lines += [_coloured(line, row[n].tone) for line in _folded(said, width, BELOW)]
    hidden = [titles[n] for n in layout.gone if any(row[n].told for row in rows)]
    if hidden:
        lines += _folded(spoken(f"(too narrow for {', '.join(hidden)}: a wider window or --json shows them)"), width)
    return lines


def _side_by_side(
    table: Table, cells: dict[int, list[str]], widths: dict[int, int], tones: Mapping[int, str]
) -> list[str]:
    """Return cells beside each other, as many lines as the longest has."""
    lines = []
    for part in range(max(len(cell) for cell in cells.values())):
        line, blank = "", 0
        for n, width in widths.items():
            text = cells[n][part] if part < len(cells[n]) else ""
            room = max(0, width - width_of(text))
            before = blank + (room if table.forms[n] == "number" else 0)
            blank = GAP + (0 if table.forms[n] == "number" else room)
            if text:
                line += " " * before + _coloured(text, tones.get(n, ""))
            else:
                blank += before
        lines.append(line)
    return lines


def _pairs(rows: list[list[Text]], width: int | None) -> list[str]:
    """Return names and values below each other, values that are too long folded beside their name."""
    names = [" ".join(row[0].lines) for row in rows]
    most = max(map(width_of, names))
    room = None if width is None else width - most - 4
    lines = []
    for name, (_, value) in zip(names, rows, strict=True):
        first, indent = f"  {name}{' ' * (most - width_of(name))}  ", " " * (most + 4)
        if room is not None and any(width_of(word) > room for word in value.words):
            lines += [
                f"  {name}",
                *(_coloured(line, value.tone) for line in _folded(" ".join(value.words), width, BELOW)),
            ]
            continue
        for number, line in enumerate(_fold(value.lines, room) or [""]):
            lines.append(((indent if number else first) + _coloured(line, value.tone)).rstrip())
    return lines


def _prepared(cell: Cell, encoding: str) -> Text:
    """Return a cell in the characters of a terminal."""
    text = plain(shortened(cell.text, _BOOK), encoding).replace("\t", " ")
    lines = text.split("\n")
    if len(lines) > _TALLEST:
        lines = [*lines[:_TALLEST], f"... ({len(lines) - _TALLEST:,} more lines)"]
    return Text(lines, cell.tone, cell.text not in ("", NOTHING))


def _fold(lines: Sequence[str], width: int | None) -> list[str]:
    """Return lines of at most so many characters, folded between words."""
    return [part for line in lines for part in _folded(line, width)]


def _folded(text: str, width: int | None, indent: str = "") -> list[str]:
    """Return text folded between words, each line after an indent; a `command` in it is one word, so is a figure."""
    if width is None or len(indent) + width_of(text) <= width:
        return [indent + text]
    lines = textwrap.wrap(
        glued(text), max(width, len(indent) + 1),
        initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace(GLUE, " ") for line in lines]


def _hanging(line: str, width: int | None) -> list[str]:
    """Return a line folded below its text: after its indent, its mark or its label."""
    if width is None or width_of(line) <= width or _COMMAND.match(line):
        return [line]
    label = _LABEL.match(line)
    indent = len(label[0]) if label and len(label[0]) <= width // 2 else 0
    first, *rest = _folded(line[indent:], width - indent)
    return [line[:indent] + first, *(" " * indent + part for part in rest)]


def _coloured(text: str, tone: str) -> str:
    return click.style(text, fg=COLOURS[tone]) if tone and text else text


def _escaped(found: re.Match[str]) -> str:
    return _escape(ord(found[0]))


def _escape(code: int) -> str:
    return f"\\u{code:04x}"


def _units(sign: str) -> Iterable[int]:
    """Return the UTF-16 units of a character, in which JSON escapes it."""
    units = sign.encode("utf-16-be", "surrogatepass")
    return (int.from_bytes(units[n : n + 2]) for n in range(0, len(units), 2))
