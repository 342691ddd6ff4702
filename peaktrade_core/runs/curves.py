"""Curves of one session, whole or a range of it, thinned out so that a page can draw them without losing an extreme.

A finished run has its bars as a table, of which only the columns shown are read; a running one has its journal.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import EPOCH, from_seconds, utc
from peaktrade_core.base.errors import ArtefactError, ConfigError, why
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


class TimeRange(NamedTuple):
    """A range of time, both ends in it, aware UTC; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Return whether a time is in it."""
        return (self.since is None or self.since <= at) and (self.until is None or at <= self.until)


WHOLE = TimeRange()


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, one value a bar that was kept, oldest first.

    Attributes:
        ts: close of the bar, UTC; price: its close; equity: marked at it [quote ccy].
        drawdown: 1 - equity / peak of the session so far [fraction]; position: signed [base units].
        bars: how many the range had before thinning out; all_bars: how many the session has.
        first, last: the ends of the whole session, None without a bar.
        faults: what could not be read, in sentences.
    """

    ts: tuple[datetime, ...] = ()
    price: tuple[float, ...] = ()
    equity: tuple[float, ...] = ()
    drawdown: tuple[float, ...] = ()
    position: tuple[float, ...] = ()
    bars: int = 0
    all_bars: int = 0
    first: datetime | None = None
    last: datetime | None = None
    faults: tuple[str, ...] = ()


class BarColumns(NamedTuple):
    """All bars of a session as columns.

    Attributes:
        ts: closes of the bars [s since epoch]; the others as in :class:`Curves`; each (n,) float64.
        faults: what could not be read, in sentences.
    """

    ts: NDArray[Any]
    price: NDArray[Any]
    equity: NDArray[Any]
    drawdown: NDArray[Any]
    position: NDArray[Any]
    faults: tuple[str, ...]

    def curves(self, points: int, stretch: TimeRange = WHOLE) -> Curves:
        """Return the curves of a range, about ``points`` bars at most.

        Of each stretch of bars the lowest and highest price and equity and the deepest drawdown stay, so that the worst
        of the range is always there.

        Raises:
            ConfigError: the range ends before it begins.
        """
        import numpy as np

        since, until = stretch
        if since is not None and until is not None and until < since:
            raise ConfigError(f"until = {utc(until)} lies before since = {utc(since)}; give the earlier time first")
        if not len(self.ts):
            return Curves(faults=self.faults)
        inside = np.ones(len(self.ts), dtype=np.bool_)
        if since is not None:
            inside &= self.ts >= (since - EPOCH).total_seconds()
        if until is not None:
            inside &= self.ts <= (until - EPOCH).total_seconds()
        rows = np.flatnonzero(inside)
        price, equity = self.price[rows], self.equity[rows]
        keep = rows[extremes(points, price, -price, equity, -equity, self.drawdown[rows])] if len(rows) else rows
        columns = {
            name: tuple(getattr(self, name)[keep].tolist()) for name in ("price", "equity", "drawdown", "position")
        }
        return Curves(
            ts=tuple(map(from_seconds, self.ts[keep].tolist())),
            **columns,
            bars=len(rows),
            all_bars=len(self.ts),
            first=from_seconds(float(self.ts[0])),
            last=from_seconds(float(self.ts[-1])),
            faults=self.faults,
        )


def source_of(folder: RunFolder, ended: bool) -> Path:
    """Return the file that a run's curves come from: its table once it ended and has one, else its journal."""
    return folder.table if ended and folder.table.is_file() else folder.journal


def read_columns(source: Path, start_balance: float) -> BarColumns:
    """Return the bars in a run's table or journal; none, with a fault, where it cannot be read.

    Args:
        source: from :func:`source_of`; start_balance: equity before the first bar, from which drawdown counts [quote ccy].
    """
    import numpy as np

    faults: list[str] = []
    table: NDArray[Any] = np.empty((0, len(_COLUMNS)))
    try:
        if source.suffix == ".parquet":
            columns = read_table(source, _COLUMNS)
            table = np.column_stack([columns[name] for name in _COLUMNS])
        else:
            table = _of_journal(source, faults)
    except ArtefactError as error:
        faults.append(str(error))
    good = np.isfinite(table).all(axis=1) & (np.abs(table[:, 0]) < _LATEST)
    if not good.all():
        faults.append(f"{np.count_nonzero(~good)} bars without a figure were left out")
        table = table[good]
    ts, price, equity, position = np.ascontiguousarray(table.T)
    peak = np.maximum.accumulate(np.maximum(equity, start_balance))
    drawdown = np.where(peak > 0.0, 1.0 - equity / np.where(peak > 0.0, peak, 1.0), 0.0)
    return BarColumns(ts, price, equity, drawdown, position, tuple(faults))


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
        raise ArtefactError(f"cannot read the journal {journal}: {why(error)}") from error
    except ArtefactError as error:
        if not bars:
            raise
        faults.append(str(error))
    return np.array(bars, dtype=np.float64).reshape(-1, len(_COLUMNS))


def _figures(bar: BarDone) -> tuple[float, ...]:
    """Return what is drawn of a bar."""
    return ((bar.ts - EPOCH).total_seconds(), bar.close, bar.equity, bar.position_size)
