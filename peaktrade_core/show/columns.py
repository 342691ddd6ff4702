"""Long tables at once: plain columns, because laying out some hundred rows richly costs more than all the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from peaktrade_core.show.output import STYLES


def print_columns(titles: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[str] = ()) -> None:
    """Print rows below their titles; a cell may be a pair (text, style), as in ``print_table``."""
    cells = [[cell if isinstance(cell, tuple) else (cell, "") for cell in row] for row in rows]
    widths = [max(len(title), *(len(str(row[n][0])) for row in cells)) for n, title in enumerate(titles)]
    flush = [title in set(right) for title in titles]

    def line(texts: Iterable[tuple[Any, Any]]) -> str:
        fitted = []
        for (text, style), width, to_right in zip(texts, widths, flush, strict=True):
            padded = str(text).rjust(width) if to_right else str(text).ljust(width)
            fitted.append(click.style(padded, fg=STYLES[style]) if style in STYLES else padded)
        return "  ".join(fitted).rstrip()

    click.echo(click.style(line((title, "") for title in titles), bold=True))
    click.echo("\n".join(map(line, cells)))
