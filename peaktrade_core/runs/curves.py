"""Curves of one session, thinned out so that a page can draw them without losing an extreme.

A finished run has its bars as a table, of which only the columns shown are read; a running one has its journal.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from peaktrade_core.base.clock import EPOCH, from_seconds
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.records.bar_table import read_table
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal, read_tail
from peaktrade_core.show.chart import extremes
from peaktrade_core.trading.events import BarDone

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_JOURNAL = 256 << 20  # bytes; of a larger one only the end is drawn
TAIL_BARS = 100_000
_COLUMNS = ("ts_event", "price", "equity", "position_size")
_LATEST = 253_402_300_000.0  # the year 9999 [s since epoch]


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, one value a bar that was kept, oldest first.

    Attributes:
        ts: close of the bar, UTC; price: its close; equity: marked at it [quote ccy].
        drawdown: 1 - equity / peak so far [fraction]; position: signed [base units].
        bars: how many there were before thinning out.
        faults: what could not be read, in sentences.
    """

    ts: tuple[datetime, ...] = ()
    price: tuple[float, ...] = ()
    equity: tuple[float, ...] = ()
    drawdown: tuple[float, ...] = ()
    position: tuple[float, ...] = ()
    bars: int = 0
    faults: tuple[str, ...] = ()


def source_of(folder: RunFolder, ended: bool) -> Path:
    """Return the file that a run's curves come from: its table once it ended and has one, else its journal."""
    return folder.table if ended and folder.table.is_file() else folder.journal


def read_curves(source: Path, start_balance: float, points: int) -> Curves:
    """Return the curves in a run's table or journal, about ``points`` of them at most.

    Of each stretch of bars the lowest and highest price and equity and the deepest drawdown stay, so that the worst of
    the whole is always there.
    """
    import numpy as np

    faults: list[str] = []
    try:
        if source.suffix == ".parquet":
            columns = read_table(source, _COLUMNS)
            table = np.column_stack([columns[name] for name in _COLUMNS])
        else:
            table = _of_journal(source, faults)
    except ArtefactError as error:
        return Curves(faults=(str(error),))
    good = np.isfinite(table).all(axis=1) & (np.abs(table[:, 0]) < _LATEST)
    if not good.all():
        faults.append(f"{np.count_nonzero(~good)} bars without a figure were left out")
        table = table[good]
    if not len(table):
        return Curves(faults=tuple(faults))
    equity = table[:, 2]
    peak = np.maximum.accumulate(np.maximum(equity, start_balance))
    drawdown = np.where(peak > 0.0, 1.0 - equity / np.where(peak > 0.0, peak, 1.0), 0.0)
    keep = extremes(points, table[:, 1], -table[:, 1], equity, -equity, drawdown)
    return Curves(
        ts=tuple(map(from_seconds, table[keep, 0].tolist())),
        price=tuple(table[keep, 1].tolist()),
        equity=tuple(equity[keep].tolist()),
        drawdown=tuple(drawdown[keep].tolist()),
        position=tuple(table[keep, 3].tolist()),
        bars=len(table),
        faults=tuple(faults),
    )


def _of_journal(journal: Path, faults: list[str]) -> NDArray[Any]:
    """Return time, price, equity and position of a journal's bars; what is odd is added to ``faults``.

    Raises:
        ArtefactError: it is missing or cannot be read.
    """
    import numpy as np

    bars: list[tuple[float, ...]] = []
    try:
        if journal.stat().st_size > LARGEST_JOURNAL:
            tail = read_tail(journal, TAIL_BARS, BarDone)
            faults += [f"the journal is too large for a page: only its last {len(tail.events):,} bars", *tail.faults]
            bars.extend(_figures(event) for event in tail.events if type(event) is BarDone)
        else:
            for event in read_journal(journal):
                if type(event) is BarDone:
                    bars.append(_figures(event))
    except OSError as error:
        raise ArtefactError(f"cannot read the journal {journal}: {error.strerror or error}") from error
    except ArtefactError as error:
        if not bars:
            raise
        faults.append(str(error))
    return np.array(bars, dtype=np.float64).reshape(-1, len(_COLUMNS))


def _figures(bar: BarDone) -> tuple[float, ...]:
    """Return what is drawn of a bar."""
    return ((bar.ts - EPOCH).total_seconds(), bar.close, bar.equity, bar.position_size)
