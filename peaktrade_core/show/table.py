"""The table: columns are declared once for each kind of thing, a list picks some of them by name.

Here is what a table is, and its HTML for notebooks and pages, readable in light and dark; ``terminal`` has its lines for
a screen. Every text is escaped. Colours come with a word and a sign. They are written as ``var(--green, …)``: the page's
own where there is one, else a tone that reads on white and on black.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from peaktrade_core.base.text import inert
from peaktrade_core.show import wording
from peaktrade_core.show.language import is_english, spoken

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
_ENDLESS = re.compile(r"[^\s<>]{81,}")  # no word: it would push its table off the page
_BRACKET = re.compile(r"[\[\]]")  # of links, images and footnotes
_VERDICT = 32  # characters: longer words of a tone are a sentence, which folds
_WIDEST = 60  # characters of a column in plain text


class Cell(NamedTuple):
    """A cell that is more than text.

    Attributes:
        tone: colour by meaning, beside a word or sign; href: link to a notebook or page.
        code: whether `backticks` set commands apart; only in words of our own, never in an operator's.
        key: whether it is the name of a setting or parameter, which is the same in every language.
    """

    text: str
    tone: str = ""
    href: str = ""
    code: bool = False
    key: bool = False

    def __str__(self) -> str:
        return self.text


class Column(NamedTuple, Generic[T]):
    """A column of a table.

    Attributes:
        title: its heading, as a notebook shows it; empty: no heading.
        value: what stands in its cell for one thing: a text, a figure as it is written, or a :class:`Cell`; without it
            the thing's attribute that has the column's name.
        form: ``whole`` is never broken (ids, states, times), ``number`` neither and stands to the right, ``words`` fold.
        priority: 0 always stays; where a screen is too narrow the highest goes first.
    """

    title: str
    value: Callable[[T], object] | None = None
    form: Form = "whole"
    priority: int = 0


class Columns(Generic[T]):
    """The columns of one kind of thing, by name; declared once beside the kind."""

    def __init__(self, **columns: Column[T]) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> Column[T]:
        """Return a column by its name, with how its value is found."""
        column = self._columns[name]
        return column if column.value else column._replace(value=attrgetter(name))

    def texts(self, thing: T) -> list[str]:
        """Return what stands in all columns for one thing, to be searched."""
        return [self.cell(thing, name).text for name in self._columns]

    def value(self, thing: T, name: str) -> object:
        """Return what a column says of a thing, before it is written."""
        value = self[name].value
        assert value is not None
        return value(thing)

    def cell(self, thing: T, name: str) -> Cell:
        """Return what stands in a column for one thing."""
        found = _cell(_written(self.value(thing, name)))
        return _typeset(found) if self[name].form == "number" else found

    def table(
        self,
        title: str,
        things: Iterable[T],
        names: str = "",
        *,
        note: str | Cell = "",
        empty: str = "Nothing to show.",
        more: Iterable[Sequence[object]] = (),
        **titles: str,
    ) -> Table:
        """Return things as a table with the columns ``names`` (separated by blanks; all without), in that order.

        Args:
            more: rows that are no such thing, below the others.
            titles: other headings than the declared ones, by name of the column.
        """
        picked = names.split() or list(self._columns)
        columns = [self[name]._replace(title=titles.get(name, self[name].title)) for name in picked]
        rows = ([self.cell(thing, name) for name in picked] for thing in things)
        return Table(title, columns, chain(rows, more), note=note, empty=empty)


class Table:
    """A table with a title; shown by whatever displays it.

    Attributes:
        title, columns, rows: what it says; columns are headings or whole columns, rows are their cells.
        forms, priorities: of the columns, as :class:`Column` has them; numbers: which stand to the right.
        note: a sentence below it; empty: what to say when there are no rows.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[str | Column[Any]],
        rows: Iterable[Sequence[object]],
        *,
        numbers: Iterable[int] = (),
        note: str | Cell = "",
        empty: str = "Nothing to show.",
    ) -> None:
        self.title, self.note, self.empty = inert(title), _cell(note), inert(empty)
        right = set(numbers)
        given: list[Column[Any]] = [one if isinstance(one, Column) else Column(one, form="words") for one in columns]
        self.columns = tuple(inert(column.title) for column in given)
        self.forms = tuple("number" if n in right else column.form for n, column in enumerate(given))
        self.priorities = tuple(column.priority for column in given)
        self.numbers = frozenset(n for n, form in enumerate(self.forms) if form == "number")
        self.rows = [
            tuple(_typeset(_cell(one)) if n in self.numbers else _cell(one) for n, one in enumerate(row))
            for row in rows
        ]

    @classmethod
    def pairs(cls, pairs: Mapping[str, object], title: str = "", **options: Any) -> Table:
        """Return names and values below each other."""
        rows = ((name, _written(value)) for name, value in pairs.items())
        return cls(title, (Column(""), Column("", form="words")), rows, **options)

    def spoken(self) -> Table:
        """Return the table in the language that people read here."""
        if is_english():
            return self
        new = copy(self)
        new.title, new.empty, new.note = spoken(self.title), spoken(self.empty), _spoken(self.note)
        new.columns = tuple(map(spoken, self.columns))
        new.rows = [tuple(map(_spoken, row)) for row in self.rows]
        return new

    def _repr_html_(self) -> str:
        """Return the table for a notebook or page; every text is escaped."""
        return self.spoken()._html()

    def _html(self) -> str:
        caption = f'<caption style="text-align:left;font-weight:600">{_line(self.title)}</caption>'
        if not self.rows:
            empty = f'<td style="text-align:left">{_line(self.empty)}</td>'
            return f'<table class="pt-table">{caption}<tbody><tr>{empty}</tr></tbody></table>'
        head = "".join(
            f'<th scope="col"{self._align(n)}>{html.escape(name)}</th>' for n, name in enumerate(self.columns)
        )
        body = "".join(f"<tr>{self._cells(row)}</tr>\n" for row in self.rows)
        note = f'<p class="pt-note">{cell_html(self.note)}</p>' if self.note.text else ""
        kind = "pt-table" if any(self.columns) else "pt-table pt-pairs"
        heads = f"<thead><tr>{head}</tr></thead>\n" if any(self.columns) else ""
        return f'<table class="{kind}">{caption}{heads}<tbody>\n{body}</tbody></table>{note}'

    def __repr__(self) -> str:
        return self.spoken()._plain()

    def _plain(self) -> str:
        if not self.rows:
            return f"{self.title}\n{self.empty}"
        lines = [tuple(_flat(cell.text) for cell in row) for row in self.rows]
        if any(self.columns):
            lines.insert(0, self.columns)
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.columns))]
        text = "\n".join(
            "  ".join(self._pad(n, cell, widths[n]) for n, cell in enumerate(line)).rstrip() for line in lines
        )
        return f"{self.title}\n{text}" + (f"\n{self.note}" if self.note.text else "")

    def markdown(self) -> str:
        """Return the rows as a markdown table, or what is said where there are none; without the title."""
        return self.spoken()._markdown()

    def _markdown(self) -> str:
        if not self.rows:
            return markdown_cell(self.empty)
        rule = ["---:" if form == "number" else "---" for form in self.forms]
        rows = [[markdown_cell(text) for text in row] for row in (self.columns, *self.rows)]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        table = "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])
        return table + (f"\n\n{markdown_cell(self.note)}" if self.note.text else "")

    def _cells(self, row: Sequence[Cell]) -> str:
        """Return the cells of a row as HTML."""
        return "".join(f"<td{self._label(n)}{self._align(n)}>{cell_html(cell)}</td>" for n, cell in enumerate(row))

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


def _cell(value: object) -> Cell:
    """Return what stands in a cell, with nothing in it that acts on who shows it."""
    return value._replace(text=inert(value.text)) if isinstance(value, Cell) else Cell(inert(str(value)))


def _typeset(cell: Cell) -> Cell:
    """Return a cell of a column of numbers with the one sign that stands before a negative one."""
    return cell._replace(text=wording.minus(cell.text))


def _spoken(cell: Cell) -> Cell:
    return cell if cell.key else cell._replace(text=spoken(cell.text))


def cell_html(cell: Cell) -> str:
    """Return a cell as HTML: escaped, toned, linked, commands set apart."""
    text = html.escape(cell.text)
    if "/" in text and " " not in text:  # a path may break at its separators
        text = text.replace("/", "/<wbr>").replace("_", "_<wbr>")
    else:
        text = _UNBROKEN.sub(r'<span style="white-space:nowrap">\g<0></span>', text)
        text = _ENDLESS.sub(r'<span style="overflow-wrap:anywhere">\g<0></span>', text)  # words stay whole, this cannot
    if cell.code:
        text = _COMMAND.sub(r"<code>\1</code>", text)
    if cell.href:
        return f'<a href="{html.escape(cell.href, quote=True)}">{text}</a>'
    if not cell.tone:
        return text
    style = _TONES[cell.tone] + ("white-space:nowrap" if len(cell.text) <= _VERDICT else "overflow-wrap:break-word")
    return f'<span class="pt-{cell.tone}" style="{style}">{text}</span>'


def markdown_cell(value: object) -> str:
    """Return text on one line of a markdown table, a heading or a list; commands stay in backticks."""
    return markdown_text(" ".join(str(value).split()), code=isinstance(value, Cell) and value.code)


def markdown_text(text: str, *, code: bool = False) -> str:
    """Return text that in markdown is nothing but text: no HTML, no link or image, no end of a line or cell.

    Args:
        code: whether `backticks` set commands apart.
    """
    flat = inert(text.replace("\n", " ")).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    if not code:
        return _BRACKET.sub(r"\\\g<0>", flat.replace("`", "'"))
    apart = flat.split("`")
    return "`".join(part if n % 2 else _BRACKET.sub(r"\\\g<0>", part) for n, part in enumerate(apart))


def _written(value: object) -> object:
    """Return a value as it is written in a cell."""
    if value is None or value == "":
        return wording.NOTHING
    if isinstance(value, datetime):
        return wording.moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return wording.count(value)
    return ", ".join(value) if isinstance(value, (list, tuple)) and not isinstance(value, Cell) else value


def _flat(text: str) -> str:
    """Return text as one line that is not wider than a column may be."""
    return textwrap.shorten(" ".join(text.split()), _WIDEST, placeholder=" …")
