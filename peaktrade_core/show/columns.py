"""Long tables at once: plain columns, because laying out some hundred rows richly costs more than all the rest."""

from __future__ import annotations

from collections.abc import Iterable

import click

from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table

COLOURS = {GOOD: "green", MID: "yellow", BAD: "red"}


def print_columns(table: Table) -> None:
    """Print the rows of a table below their headings."""
    head = [Cell(title.upper()) for title in table.columns]
    rows = [[cell._replace(text=" ".join(cell.text.split())) for cell in row] for row in table.rows]
    widths = [max(len(row[n].text) for row in (head, *rows)) for n in range(len(head))]

    def line(cells: Iterable[Cell]) -> str:
        fitted = []
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            padded = cell.text.rjust(width) if n in table.numbers else cell.text.ljust(width)
            fitted.append(click.style(padded, fg=COLOURS[cell.tone]) if cell.tone else padded)
        return "  ".join(fitted).rstrip()

    click.echo(click.style(line(head), bold=True))
    click.echo("\n".join(map(line, rows)))
