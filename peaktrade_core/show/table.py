"""Tables for notebooks: readable as HTML in light and dark, as text in a terminal, escaped in both.

Colours come with a word and a sign. They are written as ``var(--green, …)``: the page's own where there is one, else a
tone that reads on white and on black.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")
Form = Literal["whole", "number", "words"]

GOOD, MID, BAD = "good", "mid", "bad"
# JupyterLab drops colours without a name that it knows from outputs that it has not run itself: hence the word "orange".
_TONES = {
    GOOD: "color:var(--green,#17824b);font-weight:600;",
    MID: "color:var(--amber,var(--orange,#a36a00));font-weight:600;",
    BAD: "color:var(--red,#d23f36);font-weight:600;",
}
TONE_OF = {
    "pass": GOOD, "unknown": MID, "warn": MID, "fail": BAD,
    "green": GOOD, "yellow": MID, "red": BAD,
    "completed": GOOD, "aborted": MID, "failed": BAD, "unreadable": BAD, "died": BAD, "silent": MID,
    "halted": BAD, "blocked": MID, "reducing": MID, "checks": BAD,
    "ACTIVE": GOOD, "REDUCING": MID, "HALTED": BAD, "NO_ORDERS": BAD,
}  # fmt: skip
_LINE = 72  # characters of a title that stay on one line; a caption is only as wide as its table, which may be narrow
_LONG = "display:inline-block;width:max-content;max-width:min(40em,75vw)"
_COMMAND = re.compile(r"`([^`]+)`")
_UNBROKEN = re.compile(r"\b(?:\d{4}-\d\d-\d\d|\d{4}-W\d\d|(?:INC|DRILL)-\d{8}-\d+)\b")  # dates, ids: no hyphen folds
_VERDICT = 32  # characters: longer words of a tone are a sentence, which folds
_WIDEST = 60  # characters of a column in plain text


class Cell(NamedTuple):
    """A cell that is more than text.

    Attributes:
        tone: colour by meaning, beside a word or sign; href: link to a notebook or page.
        code: whether `backticks` set commands apart; only in words of our own, never in an operator's.
    """

    text: str
    tone: str = ""
    href: str = ""
    code: bool = False

    def __str__(self) -> str:
        return self.text


class Column(NamedTuple, Generic[T]):
    """A column of a table.

    Attributes:
        title: its heading, as a notebook shows it; empty: no heading.
        value: what stands in its cell for one thing: a text, a figure as it is written, or a :class:`Cell`.
        form: ``whole`` is never broken (ids, states, times), ``number`` neither and stands to the right, ``words`` fold.
        priority: 0 always stays; where a screen is too narrow the highest goes first.
    """

    title: str
    value: Callable[[T], object] = str
    form: Form = "whole"
    priority: int = 0


class Columns(Generic[T]):
    """The columns of one kind of thing, by name; declared once beside the kind."""

    def __init__(self, **columns: Column[T]) -> None:
        self._columns = columns

    def table(
        self,
        title: str,
        things: Iterable[T],
        names: str = "",
        *,
        note: str | Cell = "",
        empty: str = "Nothing to show.",
        **titles: str,
    ) -> Table:
        """Return things as a table with the columns ``names`` (separated by blanks; all without), in that order.

        Args:
            titles: other headings than the declared ones, by name of the column.
        """
        picked = [(name, self._columns[name]) for name in names.split() or self._columns]
        rows = ([column.value(thing) for _, column in picked] for thing in things)
        heads = [titles.get(name, column.title) for name, column in picked]
        numbers = [n for n, (_, column) in enumerate(picked) if column.form == "number"]
        return Table(title, heads, rows, numbers=numbers, note=note, empty=empty)


class Table:
    """A table with a title; shown by whatever displays it.

    Attributes:
        title, columns, rows: what it says; numbers: which columns are aligned to the right.
        note: a sentence below it; empty: what to say when there are no rows.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        numbers: Iterable[int] = (),
        note: str | Cell = "",
        empty: str = "Nothing to show.",
    ) -> None:
        self.title, self.columns, self.note, self.empty = title, tuple(columns), note, empty
        self.rows = [tuple(value if isinstance(value, Cell) else Cell(str(value)) for value in row) for row in rows]
        self.numbers = frozenset(numbers)

    def _repr_html_(self) -> str:
        """Return the table for a notebook or page; every text is escaped."""
        caption = f'<caption style="text-align:left;font-weight:600">{_line(self.title)}</caption>'
        if not self.rows:
            empty = f'<td style="text-align:left">{_line(self.empty)}</td>'
            return f'<table class="pt-table">{caption}<tbody><tr>{empty}</tr></tbody></table>'
        head = "".join(
            f'<th scope="col"{self._align(n)}>{html.escape(name)}</th>' for n, name in enumerate(self.columns)
        )
        body = "".join(f"<tr>{self._cells(row)}</tr>\n" for row in self.rows)
        note = f'<p class="pt-note">{_html(self.note)}</p>' if self.note else ""
        kind = "pt-table" if any(self.columns) else "pt-table pt-pairs"
        heads = f"<thead><tr>{head}</tr></thead>\n" if any(self.columns) else ""
        return f'<table class="{kind}">{caption}{heads}<tbody>\n{body}</tbody></table>{note}'

    def __repr__(self) -> str:
        if not self.rows:
            return f"{self.title}\n{self.empty}"
        lines = [tuple(_flat(str(cell)) for cell in row) for row in self.rows]
        if any(self.columns):
            lines.insert(0, self.columns)
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.columns))]
        text = "\n".join(
            "  ".join(self._pad(n, cell, widths[n]) for n, cell in enumerate(line)).rstrip() for line in lines
        )
        return f"{self.title}\n{text}" + (f"\n{self.note}" if self.note else "")

    def _cells(self, row: Sequence[Cell]) -> str:
        """Return the cells of a row as HTML."""
        return "".join(f"<td{self._label(n)}{self._align(n)}>{_html(cell)}</td>" for n, cell in enumerate(row))

    def _label(self, column: int) -> str:
        """Return the heading as an attribute of the cell, where a narrow screen shows it beside its text."""
        name = self.columns[column]
        return f' data-label="{html.escape(name)}"' if name else ""

    def _align(self, column: int) -> str:
        """Return the attributes of a cell of a column."""
        if column in self.numbers:
            return ' class="pt-num" style="text-align:right;white-space:nowrap"'
        return ' style="text-align:left"'

    def _pad(self, column: int, text: str, width: int) -> str:
        """Return a cell's text at the width of its column."""
        return text.rjust(width) if column in self.numbers else text.ljust(width)


def _line(text: str) -> str:
    """Return a title as HTML that is not folded to the width of a narrow table; ``pt-line``, where a page is narrow."""
    style = "white-space:nowrap" if len(text) <= _LINE else _LONG
    return f'<span class="pt-line" style="{style}">{html.escape(text)}</span>'


def _html(value: object) -> str:
    """Return a cell or text as HTML: escaped, toned, linked, commands set apart."""
    cell = value if isinstance(value, Cell) else Cell(str(value))
    text = html.escape(cell.text)
    if "/" in text and " " not in text:  # a path may break at its separators
        text = text.replace("/", "/<wbr>").replace("_", "_<wbr>")
    else:
        text = _UNBROKEN.sub(r'<span style="white-space:nowrap">\g<0></span>', text)
    if cell.code:
        text = _COMMAND.sub(r"<code>\1</code>", text)
    if cell.href:
        return f'<a href="{html.escape(cell.href, quote=True)}">{text}</a>'
    if not cell.tone:
        return text
    style = _TONES[cell.tone] + ("white-space:nowrap" if len(cell.text) <= _VERDICT else "overflow-wrap:break-word")
    return f'<span class="pt-{cell.tone}" style="{style}">{text}</span>'


def _flat(text: str) -> str:
    """Return text as one line that is not wider than a column may be."""
    return textwrap.shorten(" ".join(text.split()), _WIDEST, placeholder=" …")
