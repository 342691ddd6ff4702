"""What is shown of scans and of forward signals."""

from __future__ import annotations

from peaktrade_core.base.question import FAIL, UNKNOWN
from peaktrade_core.research.experiments.tables import ratio
from peaktrade_core.research.forward.now import direction
from peaktrade_core.research.forward.outcome import VOID, Evaluation, SeriesOutcome, SignalOutcome
from peaktrade_core.research.forward.scan import FORWARD, ScanRecord, ScanRow
from peaktrade_core.research.forward.signals import ComponentSignal
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns, Table

MOST = 20  # of the newest outcomes that are shown


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
    total=Column("Return", lambda row: wording.gained(row.trial.total_return) if row.trial else None, "number"),
    drawdown=Column(
        "Max DD", lambda row: wording.drawdown(row.trial.max_drawdown) if row.trial else None, "number", priority=3
    ),
    trades=Column("Trades", lambda row: f"{row.trial.trades:,}" if row.trial else None, "number", priority=2),
    bars=Column("Bars", lambda row: f"{row.bars:,}", "number", priority=5),
    held=Column("Held back", lambda row: f"{row.held:,}", "number", priority=4),
    counted=Column("Tries", lambda row: f"{row.counted:,}" if row.counted else None, "number", priority=4),
)


def scan_columns(mode: str) -> str:
    """Return the columns of a scan."""
    if mode == FORWARD:
        return "symbol signal since bar close counted"
    return "symbol verdict sharpe total drawdown trades bars held counted"


def scan_table(record: ScanRecord) -> Table:
    """Return a scan: what is wanted now in the order asked for, or backtests, the best Sharpe ratio first."""
    params = wording.settings(record.params)
    title = f"{record.scan_id or 'not kept'}: {record.strategy} {params}, {wording.many(len(record.rows), 'market')}"
    if record.mode == FORWARD:
        made_up = " `peaktrade forward signals` writes it down."
        if not record.scan_id:
            made_up = " A made-up market: not counted, not kept."
        note = f"What it wants is no outcome: nothing was read of what it would have gained.{made_up}"
        return SCANNED.table(title, record.rows, scan_columns(record.mode), note=note)
    rows = sorted(record.rows, key=lambda row: (_rank(row), row.symbol))
    note = "The first of many is lucky: the verdict counts every market of the scan as a try."
    return SCANNED.table(title, rows, scan_columns(record.mode), note=note)


def _rank(row: ScanRow) -> float:
    ratio_of = row.trial.sharpe if row.trial else None
    return 1e9 if ratio_of is None else -ratio_of


def _stands(one: ComponentSignal) -> Cell:
    if one.signal is None:
        return Cell(one.error, BAD)
    written = wording.moment(one.signal.written_at)
    return Cell(f"written at {written} UTC", GOOD) if one.new else Cell(f"stands since {written} UTC", "")


ASKED = Columns[ComponentSignal](
    market=Column("Market", lambda one: f"{one.component.strategy} {one.component.symbol} {one.component.timeframe}"),
    signal=Column("Wants", lambda one: direction(one.signal.signal if one.signal else None)),
    stands=Column("Forward signal", _stands, "words"),
    bar=Column(
        "Bar closed (UTC)", lambda one: wording.minute(one.signal.closed_at) if one.signal else None, priority=1
    ),
    id=Column("Id", lambda one: one.signal.signal_id if one.signal else None, priority=2),
)


def _gained(value: float | None) -> Cell:
    return Cell(wording.gained(value) if value is not None else "", "" if not value else GOOD if value > 0.0 else BAD)


OUTCOMES = Columns[SignalOutcome](
    written=Column("Written (UTC)", lambda one: wording.minute(one.signal.written_at) if one.signal else None),
    market=Column("Market", lambda one: f"{one.signal.strategy} {one.signal.symbol}" if one.signal else one.signal_id),
    signal=Column("Wanted", lambda one: direction(one.signal.signal if one.signal else None)),
    state=Column("State", lambda one: Cell(one.state, BAD if one.state == VOID else "")),
    net=Column("Gained", lambda one: _gained(one.net), "number"),
    moved=Column("Market moved", lambda one: wording.gained(one.market), "number", 2),
    until=Column("Until (UTC)", lambda one: wording.minute(one.until), priority=3),
    note=Column("Note", lambda one: one.note, "words", 1),
)

SERIES = Columns[SeriesOutcome](
    market=Column("Market", lambda one: f"{one.strategy} {one.symbol} {one.timeframe}"),
    says=Column("What can be said", lambda one: one.says, "words"),
    signals=Column("Signals", lambda one: f"{one.signals:,}", "number"),
    done=Column("Done", lambda one: f"{one.done:,}", "number"),
    hits=Column("Right", lambda one: f"{one.hits} of {one.positions}", "number"),
    net=Column("Gained", lambda one: _gained(one.net), "number"),
    moved=Column("Market moved", lambda one: wording.gained(one.market), "number", 2),
)


def evaluation_tables(found: Evaluation) -> list[Table]:
    """Return what forward signals came to: by decision and market first, then the newest ones."""
    none = "No forward signal was written in this time: `peaktrade forward signals --preset NAME`."
    note = "Gained: less fee and slippage, of those that are done; sums, not compounded."
    more = f"{len(found.outcomes) - MOST:,} more: --json has all." if len(found.outcomes) > MOST else ""
    if not found.outcomes:
        return [SERIES.table("", [], empty=none)]
    return [
        SERIES.table("Forward signals by decision", found.series, note=note),
        OUTCOMES.table("The newest", found.outcomes[:MOST], note=more),
    ]
