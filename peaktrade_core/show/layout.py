"""How a table fits a screen: which of its columns stand beside each other and how wide, which below their row, which not.

It knows figures only, how wide each cell is; ``terminal`` prints.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from peaktrade_core.show.table import BAD, MID, Table
from peaktrade_core.show.wording import TIED, tied

BELOW = "    "  # before what stands below its row
GAP = 2  # blanks between columns
GLUE = "\0"  # a blank at which no line ends
_NARROWEST = 16  # characters of a column of sentences
_QUOTED = re.compile("`[^`]*`")


class Text(NamedTuple):
    """A cell as it is printed: its lines, the tone of all of them, and whether it says anything (a dash does not)."""

    lines: list[str]
    tone: str
    told: bool

    @property
    def words(self) -> list[str]:
        """Its words; a `command`, and a figure with its unit, is one."""
        return [word.replace(GLUE, " ") for line in self.lines for word in glued(line).split()]


class Layout(NamedTuple):
    """Which columns stand side by side and how wide, and which below their row."""

    widths: dict[int, int]
    below: list[int]
    gone: list[int]


def layout_of(table: Table, titles: Sequence[str], rows: list[list[Text]], width: int | None) -> Layout:
    """Return how the columns fit: all of them, fewer, or sentences below their rows."""
    natural = [
        max(width_of(title), *(width_of(line) for row in rows for line in row[n].lines))
        for n, title in enumerate(titles)
    ]
    if width is None:
        return Layout(dict(enumerate(natural)), [], [])
    least = list(natural)
    for n, form in enumerate(table.forms):
        if form == "words" or natural[n] > width:
            longest = max((width_of(word) for row in rows for word in row[n].words), default=0)
            least[n] = min(natural[n], max(width_of(titles[n]), longest, _NARROWEST))
    kept, gone = list(range(len(titles))), list[int]()

    def too_wide(columns: Sequence[int]) -> bool:
        return sum(least[n] for n in columns) + GAP * (len(columns) - 1) > width

    empty = [n for n in kept if not any(row[n].told for row in rows)]
    rank = {n: _priority(table, rows, n) for n in kept if table.priorities[n]}
    optional = sorted((n for n in rank if n not in empty), key=lambda n: (-rank[n], -n))
    for n in (*empty, *optional):
        if too_wide(kept) and len(kept) > 1:
            kept.remove(n)
            gone.append(n)
    for n in reversed(gone):
        if not too_wide([*kept, n]):  # a narrow one beside what a wide one left
            kept, gone = sorted([*kept, n]), [one for one in gone if one != n]

    def shared(columns: Sequence[int]) -> dict[int, int] | None:
        return None if too_wide(columns) else _shared({n: (least[n], natural[n]) for n in columns}, width)

    below = _below(table, rows, kept, width, shared)
    beside = {n: (least[n], natural[n]) for n in kept if n not in below}
    return Layout(_shared(beside, width), sorted(below), sorted(gone))


def _priority(table: Table, rows: list[list[Text]], column: int) -> int:
    """Return the priority of a column; one with a warning in it goes with the last that may go."""
    warns = any(row[column].tone in (MID, BAD) for row in rows)
    return min(1, table.priorities[column]) if warns else table.priorities[column]


def _below(
    table: Table,
    rows: list[list[Text]],
    kept: Sequence[int],
    width: int,
    shared: Callable[[Sequence[int]], dict[int, int] | None],
) -> list[int]:
    """Return the columns that stand below their rows: the sentences that then take the fewest lines, the last ones first.

    Args:
        kept: the columns that stay; width: of the screen.
        shared: how wide columns are beside each other, None where they find no room.
    """
    sentences = [n for n in kept[1:] if table.forms[n] == "words"]
    tails = [sentences[k:] for k in range(len(sentences), -1, -1)]
    fewest: tuple[int, list[int]] | None = None
    for below in (*tails[:2], *([n] for n in reversed(sentences[:-1])), *tails[2:]):
        widths = shared([n for n in kept if n not in below])
        if widths is not None:
            lines = sum(_height(table, row, widths, below, width) for row in rows)
            if fewest is None or lines < fewest[0]:
                fewest = lines, below
    if fewest is not None:
        return fewest[1]
    below = list(sentences)
    for n in (n for n in reversed(kept[1:]) if n not in sentences):
        if shared([one for one in kept if one not in below]) is None:
            below.append(n)
    return below


def _height(table: Table, row: list[Text], widths: dict[int, int], below: Sequence[int], width: int) -> int:
    """Return about how many lines a row takes."""
    beside = max(sum(_lines(width_of(line), size) for line in row[n].lines) for n, size in widths.items())
    told = (len(table.columns[n]) + 2 + sum(map(width_of, row[n].lines)) for n in below if row[n].told)
    return beside + sum(_lines(size, width - len(BELOW)) for size in told)


def _lines(size: int, room: int) -> int:
    """Return how many lines so many characters take."""
    return max(1, -(-size // max(1, room)))


def _shared(columns: dict[int, tuple[int, int]], width: int) -> dict[int, int]:
    """Return the width of each column: at least its first figure, at most its second, the rest shared fairly."""
    widths = {n: least for n, (least, _) in columns.items()}
    spare = width - sum(widths.values()) - GAP * (len(columns) - 1)
    wanting = sorted((most - least, n) for n, (least, most) in columns.items() if most > least)
    for place, (wanted, n) in enumerate(wanting):
        more = max(0, min(wanted, spare // (len(wanting) - place)))
        widths[n] += more
        spare -= more
    return widths


def glued(text: str) -> str:
    """Return text in which a `command`, and a figure with its unit, have no blanks at which a line could end."""
    return tied(_QUOTED.sub(lambda found: found[0].replace(" ", GLUE), text)).replace(TIED, GLUE)


def width_of(text: str) -> int:
    """Return how many places text takes on a screen."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)
