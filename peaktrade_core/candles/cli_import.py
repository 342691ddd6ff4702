"""``peaktrade data import``: read a file of candles as people have it, show what was understood, write clean candles."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from peaktrade_core.candles.files.dialect import PARTS, Dialect, UndecidedError, Understood
from peaktrade_core.show.table import Table
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.command import CommandResult, Part, command, quiet
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.candles.imports import Target

UNDECIDED = 2  # exit code: something is open, or nobody said yes


def dialect_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for each part of a dialect to a command."""
    for name, part in reversed(PARTS.items()):
        function = click.option(f"--{name}", metavar=part.shape, help=part.help)(function)
    return function


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--symbol", metavar="BASE/QUOTE", help="The market; of several in the file, this one.")
@click.option("--timeframe", metavar="TF", help="Of its bars; else the commonest distance of its times.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="Write a .parquet or .csv file, not the store."
)
@click.option("--replace", is_flag=True, help="Replace the file of --out.")
@click.option(
    "--venue", metavar="NAME", default="file", show_default=True, help="The store keeps the candles under it."
)
@click.option("--yes", is_flag=True, help="Write without asking whether all is understood rightly.")
@dialect_options
@command
def import_(
    workspace: Workspace,
    path: Path,
    symbol: str | None,
    timeframe: str | None,
    out: Path | None,
    replace: bool,
    venue: str,
    yes: bool,
    **parts: str | None,
) -> CommandResult:
    """Read a file of candles as an exchange, chart or spreadsheet wrote it, show what it is taken for, write it clean.

    Takes delimited text, JSON, parquet and feather, also as gzip or zip. What can be read in two ways is never guessed: the
    command names the flags that decide and ends with 2; --yes does not decide it. FILE is not changed.
    """
    from peaktrade_core.candles.imports import Target, read_import, write_import

    dialect = Dialect(**parts)
    target = Target(out, replace, venue)
    try:
        bars, understood = read_import(path, symbol, timeframe, dialect, now=workspace.clock.now().timestamp())
        target.require(understood)
    except UndecidedError as undecided:
        return CommandResult(undecided.understood, _shown(undecided.understood), code=UNDECIDED)
    if not yes and not _confirmed(understood, target):
        note = "Nothing was written; --yes writes it."
        return CommandResult(understood, () if _asks() else lambda: _shown(understood), code=UNDECIDED, notes=[note])
    asked = _asks() and not yes
    told = write_import(workspace.home, bars, understood, target)
    return CommandResult(understood, lambda: told if asked else [*_shown(understood), *told])


def _asks() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not quiet()


def _confirmed(understood: Understood, target: Target) -> bool:
    """Show what was understood and ask whether it is right, where there is somebody to ask."""
    if not _asks():
        return False
    CommandResult(None, _shown(understood)).give(as_json=False)
    return click.confirm(f"Write {many(understood.bars, 'candle')} to {target.name(understood)}?")


def _shown(understood: Understood) -> list[Part]:
    """Return what a file is taken for, and what is open."""
    says = understood.says
    used = " ".join(f"{role}={name}" for role, name in understood.columns.items())
    pairs: dict[str, object] = {
        "Form": ", ".join(says[name] for name in ("form", "packed", "encoding") if name in says),
        "Columns": used,
        "Not used": ", ".join(understood.ignored),
        "Prices": says.get("prices", ""),
        "Volume": says.get("volume", ""),
        "Times": says.get("times", ""),
        "Dates": says.get("dates", ""),
        "Zone": says.get("zone", ""),
        "Numbers": says.get("numbers", ""),
        "Order": says.get("order", ""),
        "Market": understood.symbol or "",
        "Timeframe": understood.timeframe or "",
        "Candles": _counted(understood),
        "First": _bar(understood.first),
        "Last": _bar(understood.last),
    }
    table = Table.pairs({name: value for name, value in pairs.items() if value}, f"{understood.source} is taken for")
    parts: list[Part] = [table]
    parts += [
        f"Left out: {one.count:,} {one.what}{f' ({one.first})' if one.first else ''}" for one in understood.left_out
    ]
    parts += [f"Note: {note}" for note in understood.notes]
    for one in understood.questions:
        ways = " or ".join(f"--{one.part} {_quoted(way)}" for way in one.ways)
        parts.append(f"Open: {one.why}. Say {ways}")
    return parts


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _counted(understood: Understood) -> str:
    """Return how many candles there are and are missing."""
    if not understood.bars:
        return ""
    missing = f", {understood.missing:,} missing between the first and the last" if understood.missing else ""
    return f"{understood.bars:,} of {understood.rows:,} rows{missing}"


def _bar(bar: list[str | float]) -> str:
    """Return a candle as people read it."""
    if not bar:
        return ""
    at, *prices, volume = bar
    return f"{str(at)[:19].replace('T', ' ')} UTC  {'  '.join(f'{price:.10g}' for price in prices)}  vol {volume:.10g}"
