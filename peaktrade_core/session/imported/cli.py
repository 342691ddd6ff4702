"""``peaktrade session import``: what people ran elsewhere, as sessions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click
import msgspec

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.people import person_key
from peaktrade_core.base.text import one_line
from peaktrade_core.runs.columns import RUNS
from peaktrade_core.runs.views import Views
from peaktrade_core.session.imported.fills import Elsewhere, ImportedPart, held_after
from peaktrade_core.session.options import moment_given
from peaktrade_core.show import wording
from peaktrade_core.show.table import Table
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.records import SessionConfig
from peaktrade_core.workspace.command import CommandResult, command
from peaktrade_core.workspace.command import Part as Shown
from peaktrade_core.workspace.workspace import Workspace

COLUMNS = "run state started symbol strategy timeframe total realized drawdown orders"


@click.command("import")
@click.option("--freqtrade", metavar="FILE", type=click.Path(path_type=Path), help="Database of a freqtrade dry run.")
@click.option(
    "--csv", metavar="FILE", type=click.Path(path_type=Path), help="Table of fills: time, side, qty, price, …"
)
@click.option(
    "--start-balance", type=float, metavar="MONEY", help="What it began with, in quote currency; no file says it."
)
@click.option(
    "--symbol",
    "symbols",
    multiple=True,
    metavar="BASE/QUOTE",
    help="Only this market; repeatable. Of a table without one: its market.",
)
@click.option("--strategy", default="", metavar="NAME", help="Of a table without one.")
@click.option(
    "--timeframe", default="1m", show_default=True, metavar="TF", help="Of the bars that a table's fills are laid into."
)
@click.option(
    "--since", metavar="DATE", help="Only trades (of a table: fills) that began on this UTC day or time, or later."
)
@click.option(
    "--candles",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Candles of the time; else stored ones that cover it.",
)
@click.option("--short", is_flag=True, help="The table holds short positions.")
@click.option("--by", default=login, show_default="your login", metavar="NAME", help="Who imports.")
@click.option("--dry-run", is_flag=True, help="Check everything and show what would be imported; write nothing.")
@command
def import_(
    workspace: Workspace,
    freqtrade: Path | None,
    csv: Path | None,
    start_balance: float | None,
    symbols: tuple[str, ...],
    strategy: str,
    timeframe: str,
    since: str | None,
    candles: Path | None,
    short: bool,
    by: str,
    dry_run: bool,
) -> CommandResult:
    """Import a freqtrade dry run, or a table of fills, as sessions: one a market and strategy.

    They are marked as imported everywhere. Signals and risk decisions are not in such files and are not made up. No sum
    over sessions counts them unless it is asked for the mode `imported`. What was imported is not imported twice.
    """
    from peaktrade_core.session.imported.bars import lay
    from peaktrade_core.session.imported.keeping import keep, ready

    balance = _balance(start_balance)
    person_key(by)
    timeframe_seconds(timeframe)
    source = _source(freqtrade, csv, symbols, strategy, timeframe, short)
    parts = _later(source, since)
    if candles is not None and len(parts) > 1:
        raise ConfigError("--candles are of one market: choose it with --symbol")
    found = [ready(workspace, source, part, lay(workspace.home, part, candles), balance) for part in parts]
    if dry_run:
        configs = [{"session_id": one.session_id, "config": msgspec.to_builtins(one.config)} for one in found]
        told = [_what(one.session_id, one.part, one.config) for one in found]
        return CommandResult(configs, lambda: [*told, "Everything is in order, nothing was written."])
    records = [keep(workspace, source, one, one_line(by)) for one in found]
    ids = [record.session_id for record in records]
    return CommandResult(records, lambda: _kept(workspace, source, ids, [one.config for one in found]))


def _balance(given: float | None) -> float:
    if given is None:
        raise ConfigError("say --start-balance: what it began with is in no such file, and PnL is held against it")
    if not (math.isfinite(given) and 0.0 < given < 1e15):
        raise ConfigError(f"--start-balance {given:g} must be a positive amount of the quote currency")
    return given


def _source(
    freqtrade: Path | None, csv: Path | None, symbols: tuple[str, ...], strategy: str, timeframe: str, short: bool
) -> Elsewhere:
    """Read the file that is given."""
    if (freqtrade is None) == (csv is None):
        raise ConfigError("give --freqtrade FILE or --csv FILE, one of them")
    if freqtrade is not None:
        from peaktrade_core.session.imported.freqtrade import read_freqtrade

        if strategy or short:
            raise ConfigError("--strategy and --short are of a table; a freqtrade database says both itself")
        return read_freqtrade(freqtrade.expanduser(), symbols)
    from peaktrade_core.session.imported.sheet import read_sheet

    assert csv is not None
    only = symbols[0] if len(symbols) == 1 else ""
    given: dict[str, Any] = {"strategy": strategy, "timeframe": timeframe, "short": short}
    return read_sheet(csv.expanduser(), symbols, symbol=only, **given)


def _later(source: Elsewhere, since: str | None) -> list[ImportedPart]:
    """Return the parts from a time on: from the first fill after it that begins a position.

    Raises:
        ConfigError: nothing began then or later.
    """
    at = moment_given("--since", since)
    if at is None:
        return source.parts
    found = []
    for part in source.parts:
        flat = (n for n, fill in enumerate(part.fills) if fill.at >= at and not held_after(part.fills[:n]))
        begin = next(flat, None)
        if begin is not None:
            found.append(msgspec.structs.replace(part, fills=part.fills[begin:], told_pnl=None))
    if not found:
        raise ConfigError(f"{source.name}: no position was opened since {since}")
    return found


def _what(session_id: str, part: ImportedPart, config: SessionConfig) -> Table:
    """Return what a part is, and what is not known of it."""
    currency = wording.quote_currency(part.symbol)
    pairs = {
        "From": f"{config.candles}, {part.venue}",
        "Strategy": f"{part.strategy} on {part.symbol} {part.timeframe}",
        "Fills": f"{len(part.fills):,}, from {wording.moment(part.fills[0].at)} to {wording.moment(part.fills[-1].at)} UTC",
        "Costs": f"fee {config.fee_bps:.2f} bps, slippage {config.slippage_bps:.2f} bps, as measured",
        "Start balance": wording.money(config.start_balance, currency),
        "Mind": config.notes,
    }
    return Table.pairs(pairs, session_id)


def _kept(workspace: Workspace, source: Elsewhere, ids: list[str], configs: list[SessionConfig]) -> list[Shown]:
    rows = Views.of(workspace).recorded_runs(ids)
    title = f"{wording.many(len(ids), 'session')} imported from {source.name} (SHA-256 {source.sha256[:16]}…)"
    notes = list(dict.fromkeys(config.notes for config in configs))
    return [
        RUNS.table(title, rows, COLUMNS),
        *(f"Mind: {note}" for note in notes[:5]),
        f"Next: peaktrade session diff {ids[0]}",
        f"      peaktrade runbook run session_report -p session_id={ids[0]}",
    ]
