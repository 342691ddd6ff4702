"""Files of candles as bars: the one way in for imports, sessions, backtests and the store.

Rows come into the order of time, each time once, on the grid of their timeframe; what is no candle is left out with its
reason where a person sees it, else refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.clock import from_seconds, iso, utc
from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.dialect import Dialect, UndecidedError
from peaktrade_core.candles.files.reading import FOUND, IMPORT, Rows, read_rows
from peaktrade_core.candles.grid import Grid, commonest
from peaktrade_core.show.wording import many
from peaktrade_core.trading.market import Bar, Bars, bar_fault, sound_rows, timeframe_of

if TYPE_CHECKING:
    pass


def read_candles(path: Path, *, bar_s: float | None = None, dialect: Dialect = FOUND) -> Bars:
    """Return the candles of a file, or of a folder of parquet files, as checked columns; see :func:`read_clean`."""
    rows = read_clean(path, bar_s=bar_s, dialect=dialect)
    return Bars(rows.ts, rows.ohlcv, str(path))


def read_clean(path: Path, *, symbol: str | None = None, bar_s: float | None = None, dialect: Dialect = FOUND) -> Rows:
    """Return the rows of a file, or of a folder of parquet files, every one a candle in the order of time.

    Args:
        path: see :func:`read_rows`; symbol: of several in the file, this one; bar_s: length of its bars [s], None takes any.
        dialect: what is told of the file.

    Raises:
        DataError: it cannot be read, or a row cannot be true or stands there twice.
        UndecidedError: it can be read in two ways.
    """
    rows = clean(read_rows(path, symbol=symbol, dialect=dialect, strict=True), dialect, strict=True)
    if bar_s is not None:
        require_grid(rows, Grid.of_seconds(rows.ts, bar_s), timeframe_of(bar_s))
    return rows


def clean(rows: Rows, dialect: Dialect = FOUND, *, strict: bool = False) -> Rows:
    """Return the rows in the order of time, each time once, without what is no candle; says what was left out.

    Args:
        rows, dialect: what was read and told.
        strict: refuse rows that would be left out, for who cannot show them to a person.

    Raises:
        DataError: a row cannot be true, or a time is there twice with different values.
        UndecidedError: the rows are in no order.
    """
    import numpy as np

    rows = _ordered(rows, dialect)
    nothing = np.asarray(np.isnan(rows.ohlcv[:, :4]).all(axis=1))
    if nothing.any() and not strict:
        rows.understood.leave_out(int(nothing.sum()), "rows without prices", f"row {rows.number[nothing][0]}")
        rows = rows.at(~nothing)
    rows = _possible(rows, dialect)
    rows = _once(rows, strict=strict)
    if not len(rows.us):
        raise DataError(f"{rows.understood.source}: holds no candles")
    ends: list[list[str | float]] = [
        [iso(from_seconds(float(rows.ts[row]))), *rows.ohlcv[row].tolist()] for row in (0, -1)
    ]
    rows.understood.bars, (rows.understood.first, rows.understood.last) = len(rows.us), ends
    return rows


def _ordered(rows: Rows, dialect: Dialect) -> Rows:
    """Return the rows in the order of time."""
    import numpy as np

    steps, understood = np.diff(rows.us), rows.understood
    understood.says["order"] = "oldest first"
    if not (steps < 0).any():
        return rows
    if not (steps > 0).any():
        understood.says["order"] = "newest first; turned round"
        return rows.at(slice(None, None, -1))
    back = np.flatnonzero(steps < 0) if rows.us[-1] >= rows.us[0] else np.flatnonzero(steps > 0)
    if dialect.order == "sort":
        understood.says["order"] = f"none; sorted by time ({len(back)} rows stood behind a later one)"
        return rows.at(np.argsort(rows.us, kind="stable"))
    at = int(back[0]) + 1
    understood.ask(
        "order",
        f"row {rows.number[at]}: {utc(from_seconds(float(rows.ts[at])))} is {'earlier' if steps[at - 1] < 0 else 'later'} than "
        f"the row before ({len(back)} such rows): several markets, several files, or a local clock that was put back?",
        "sort",
    )
    raise UndecidedError(understood)


def _possible(rows: Rows, dialect: Dialect) -> Rows:
    """Leave out rows that cannot be true where that was told, else refuse them."""
    import numpy as np

    sound = sound_rows(rows.ohlcv)
    bad = np.flatnonzero(~sound)
    if not len(bad):
        return rows
    first = int(bad[0])
    fault = bar_fault(Bar(float(rows.ts[first]), *rows.ohlcv[first].tolist()))
    told = f"impossible bar at {utc(from_seconds(float(rows.ts[first])))}: {fault}"
    if dialect.impossible != "leave-out":
        raise DataError(
            f"{rows.understood.source}, row {rows.number[first]}: {told} ({len(bad)} such rows); is each column what it is "
            "taken for? impossible=leave-out leaves them out"
        )
    rows.understood.leave_out(len(bad), f"rows that cannot be true: {fault}", f"row {rows.number[first]}")
    return rows.at(sound)


def _once(rows: Rows, *, strict: bool) -> Rows:
    """Leave out rows that repeat the one before in all values; refuse a time with different ones."""
    import numpy as np

    again = np.flatnonzero(np.diff(rows.us) == 0) + 1
    if not len(again):
        return rows
    differ = again[(rows.ohlcv[again] != rows.ohlcv[again - 1]).any(axis=1)]
    if len(differ) or strict:
        row = int(differ[0] if len(differ) else again[0])
        values = "with other values" if len(differ) else f"with the same values; {IMPORT}"
        local = ": two markets, two files, or a local clock that was put back (zone=Europe/Berlin tells one)?"
        at = f"{rows.understood.source}, row {rows.number[row]}: {utc(from_seconds(float(rows.ts[row])))}"
        raise DataError(
            f"{at} repeats the time of the row before {values} ({len(again)} such rows){local if len(differ) else ''}"
        )
    rows.understood.leave_out(len(again), "rows that repeat the one before", f"row {rows.number[again[0]]}")
    keep = np.ones(len(rows.us), dtype=bool)
    keep[again] = False
    return rows.at(keep)


def require_timeframe(rows: Rows, timeframe: str | None) -> Rows:
    """Return the rows if they are bars of one timeframe, which ``understood`` then names.

    Args:
        rows: in the order of time; timeframe: the one they must have, None for the commonest distance of their times.

    Raises:
        DataError: they are of another timeframe, or some lie beside its grid.
        UndecidedError: their times do not tell it.
    """
    import numpy as np

    understood = rows.understood
    chosen = timeframe or commonest(rows.ts)
    if chosen is None:
        why = many(len(rows.us), "row") if len(rows.us) < 2 else f"rows {np.median(np.diff(rows.ts)):g} s apart"
        understood.ask("timeframe", f"{why} do not tell the timeframe", "1m", "1h", "1d")
        raise UndecidedError(understood)
    grid = Grid.of(rows.ts, chosen)
    require_grid(rows, grid, chosen)
    slots = grid.slots(rows.ts)
    understood.timeframe, understood.missing = chosen, int(slots[-1] - slots[0]) + 1 - len(slots)
    return rows


def require_grid(rows: Rows, grid: Grid, length: str) -> None:
    """Refuse rows that do not open on a grid of bars of a ``length``, in words.

    Raises:
        DataError: one lies beside its grid, or all steps are a multiple of it.
    """
    import numpy as np

    source, slots = rows.understood.source, grid.slots(rows.ts)
    off = np.flatnonzero(slots != np.floor(slots))
    if len(off):
        steps = np.diff(rows.ts)
        local = (
            ": days of a local clock, 23 to 25 hours long"
            if len(steps) and {82_800.0, 90_000.0} & set(steps.tolist())
            else ""
        )
        raise DataError(
            f"{source}, row {rows.number[off[0]]}: {utc(from_seconds(float(rows.ts[off[0]])))} is not the open of a {length} bar"
            f"{local}; is --timeframe right?"
        )
    if len(slots) > 1 and (step := float(np.diff(slots).min())) > 1:
        apart = f"{step * grid.months:.0f} months" if grid.months else f"{step * grid.step_s:.0f} s"
        raise DataError(f"{source}: its bars are {apart} apart, those asked for are {length}; is --timeframe right?")
