"""``peaktrade data``: what candles are stored, and whether they are fit for use."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.candles.checks import Verdict
    from peaktrade_core.candles.store import CandleStore

NOTHING_STORED = "No candles are stored. `peaktrade exchange fetch SYMBOL` downloads some."


@click.group()
def data() -> None:
    """List the stored candles and check candles for gaps and errors."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def list_(home: str | None, config: str | None, as_json: bool) -> None:
    """List what is stored: venue, symbol, timeframe, how far it reaches and how many bars are missing."""
    from peaktrade_core.candles.fetch import holdings

    store = _store(Workspace(home, config))
    found = holdings(store)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo(NOTHING_STORED)
        return
    print_table(
        ("VENUE", "SYMBOL", "TIMEFRAME", "FIRST (UTC)", "LAST (UTC)", "BARS", "MISSING"),
        (
            (
                h.venue,
                h.symbol,
                h.timeframe,
                wording.minute(h.first),
                wording.minute(h.last),
                f"{h.bars:,}",
                f"{h.missing:,}",
            )
            for h in found
        ),
        right=("BARS", "MISSING"),
    )
    click.echo(f"\nin {store.root}")


@data.command("check")
@click.argument("symbol", required=False)
@click.option("--timeframe", metavar="TF", help="Only this one; of a --file, where it cannot be told from its times.")
@click.option("--venue", metavar="NAME", help="Only this one.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="A parquet or CSV file instead of the store.")
@click.option(
    "--outlier",
    "deviations",
    type=click.FloatRange(1.0, 1e6),
    default=30.0,
    show_default=True,
    help="A bar is an outlier beyond so many median absolute deviations of the returns.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, every place included.")
@workspace_options
def check(
    home: str | None,
    config: str | None,
    symbol: str | None,
    timeframe: str | None,
    venue: str | None,
    path: Path | None,
    deviations: float,
    as_json: bool,
) -> int:
    """Look for gaps, duplicates, impossible bars, contradictions, bars without volume, outliers and an old end.

    Exit code 1 when something is wrong; a warning (no volume, an outlier, an old end) is not.
    """
    from peaktrade_core.base.question import FAIL
    from peaktrade_core.candles.checks import check_file, check_store
    from peaktrade_core.candles.fetch import select

    if path is not None:
        if symbol or venue:
            raise click.UsageError("--file is checked alone: leave SYMBOL and --venue away")
        verdicts = [check_file(path, timeframe, deviations)]
    else:
        workspace = Workspace(home, config)
        store = _store(workspace)
        wanted = select(store, symbol, timeframe, venue)
        verdicts = check_store(store, wanted, workspace.clock.now().timestamp(), deviations)
    if as_json:
        print_json(verdicts)
    else:
        _print(verdicts)
    return 1 if any(verdict.status == FAIL for verdict in verdicts) else 0


def _print(verdicts: list[Verdict]) -> None:
    """Print the verdicts for people."""
    if not verdicts:
        click.echo(NOTHING_STORED)
    for number, verdict in enumerate(verdicts):
        click.echo(("\n" if number else "") + verdict.title)
        print_table(
            ("RESULT", "QUESTION", "EVIDENCE", "NEXT STEP"),
            (((wording.MARKS[c.status], c.status), c.question, c.evidence, c.next_step) for c in verdict.checks),
        )


def _store(workspace: Workspace) -> CandleStore:
    """Return the workspace's candles."""
    from peaktrade_core.candles.store import CandleStore

    return CandleStore.of_workspace(workspace.home)


def moment_of(text: str) -> datetime:
    """Return the UTC time of an option: a date, a time without zone (UTC), or one with.

    Raises:
        click.BadParameter: it is none.
    """
    from peaktrade_core.base.clock import as_utc

    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write 2026-01-01 or 2026-01-01T08:00") from None


def stretch(first: float, last: float) -> str:
    """Return a stretch of time, UTC, to the minute."""
    return f"{wording.minute(from_seconds(first))} .. {wording.minute(from_seconds(last))}"
