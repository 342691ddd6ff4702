"""What commands print: tables and panels for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "completed": "green",
    "failed": "red",
    "aborted": "yellow",
    "started": "blue",
    "unreadable": "red",
    "pass": "green",
    "unknown": "yellow",
    "warn": "yellow",
    "fail": "red",
    "green": "green",
    "yellow": "yellow",
    "red": "red",
    "shadow": "magenta",
    "testnet": "yellow",
}


def console(*, stderr: bool = False) -> Console:
    """Return a console that never cuts a line when its output goes into a file or pipe."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if terminal else 200, highlight=False)


def print_json(value: object) -> None:
    """Print a value as indented JSON; NaN becomes null."""
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=os.fspath), indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Iterable[str] = ()) -> None:
    """Print a table; a cell may be a pair (text, style)."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    numbers = set(right)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        cells = (cell if isinstance(cell, tuple) else (cell, "") for cell in row)
        table.add_row(*(Text(str(text), style=STYLES.get(style, "") if style else "") for text, style in cells))
    console().print(table)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Print names and values below each other."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"  {name:<{width}}  {value}")
