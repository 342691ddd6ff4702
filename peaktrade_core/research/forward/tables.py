"""What is shown of scans and of forward signals."""

from __future__ import annotations

from peaktrade_core.base.question import FAIL, UNKNOWN
from peaktrade_core.research.experiments.tables import gain, ratio
from peaktrade_core.research.forward.now import direction
from peaktrade_core.research.forward.scan import FORWARD, ScanRecord, ScanRow
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns, Table


def signal_cell(row: ScanRow) -> Cell:
    """Return what a decision wants, or why that is not known."""
    if row.error:
        return Cell(row.error, BAD)
    changed = row.before is not None and row.before != row.signal
    return Cell(f"{direction(row.signal)}{' (changed at this bar)' if changed else ''}", MID if changed else "")


def _verdict(row: ScanRow) -> Cell:
    if row.error:
        return Cell(row.error, BAD)
    states = {one.status for one in row.verdict}
    return Cell(told(row.verdict), BAD if FAIL in states else "" if UNKNOWN in states else GOOD)


SCANNED = Columns[ScanRow](
    symbol=Column("Market", lambda row: f"{row.symbol} {row.timeframe}"),
    signal=Column("Wants", signal_cell, "words"),
    since=Column("Since (UTC)", lambda row: wording.minute(row.since)),
    bar=Column("Last bar closed (UTC)", lambda row: wording.minute(row.closed_at)),
    close=Column("Close", lambda row: wording.price(row.close, wording.quote_currency(row.symbol)), "number"),
    verdict=Column("Verdict", _verdict, "words"),
    sharpe=Column("Sharpe", lambda row: ratio(row.trial.sharpe) if row.trial else None, "number"),
    total=Column("Return", lambda row: gain(row.trial.total_return) if row.trial else None, "number"),
    drawdown=Column(
        "Max DD", lambda row: wording.percent(row.trial.max_drawdown) if row.trial else None, "number", priority=3
    ),
    trades=Column("Trades", lambda row: f"{row.trial.trades:,}" if row.trial else None, "number", priority=2),
    bars=Column("Bars", lambda row: f"{row.bars:,}", "number", priority=5),
    held=Column("Held back", lambda row: f"{row.held:,}", "number", priority=4),
    counted=Column("Tries", lambda row: f"{row.counted:,}" if row.counted else None, "number", priority=4),
)


def scan_table(record: ScanRecord) -> Table:
    """Return a scan: what is wanted now in the order asked for, or backtests, the best Sharpe ratio first."""
    params = " ".join(f"{name}={value}" for name, value in record.params.items())
    title = f"{record.scan_id or 'not kept'}: {record.strategy} {params} on {wording.many(len(record.rows), 'market')}"
    if record.mode == FORWARD:
        made_up = "" if record.scan_id else " A made-up market: not counted, not kept."
        note = f"What it wants is no outcome: nothing was read of what it would have gained.{made_up}"
        return SCANNED.table(title, record.rows, "symbol signal since bar close counted", note=note)
    rows = sorted(record.rows, key=lambda row: (_rank(row), row.symbol))
    note = "The first of many is lucky: the verdict counts every market of the scan as a try."
    return SCANNED.table(title, rows, "symbol verdict sharpe total drawdown trades bars held counted", note=note)


def _rank(row: ScanRow) -> float:
    ratio_of = row.trial.sharpe if row.trial else None
    return 1e9 if ratio_of is None else -ratio_of
