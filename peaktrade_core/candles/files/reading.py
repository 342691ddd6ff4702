"""The rows of a file of candles as they stand there; nothing is said about whether they can be true.

What can be read in two ways is an :class:`~peaktrade_core.candles.files.dialect.UndecidedError` that says what decides.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.dialect import Dialect, Understood, shown
from peaktrade_core.candles.files.figures import numbers_of, style_of
from peaktrade_core.candles.files.names import market_of
from peaktrade_core.candles.files.roles import PRICES, Roles, found_roles, named_roles
from peaktrade_core.candles.files.sheet import Sheet, read_sheet
from peaktrade_core.candles.files.times import US, is_clock, is_number, moments_of
from peaktrade_core.candles.files.zones import to_utc

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

COLUMNS = (*PRICES, "volume")
IMPORT = "`peaktrade data import` leaves them out and says which"
FOUND = Dialect()  # nothing is told: everything is to be found in the file
HOURS_14_US = 14 * 3600 * US


class Rows(NamedTuple):
    """Rows of a file in its order, nothing said about whether they can be true.

    Attributes:
        us: (n,) int64, opens [µs since epoch]; ohlcv: (n, 5) float64, NaN where a cell is empty.
        number: (n,) int64, of the row in the file, from 1; understood: how the file was read.
        doubt: why the last row may not be whole; empty where it is.
    """

    us: NDArray[np.int64]
    ohlcv: NDArray[np.float64]
    number: NDArray[np.int64]
    understood: Understood
    doubt: str = ""

    @property
    def ts(self) -> NDArray[np.float64]:
        """The opens [s since epoch]."""
        return self.us / 1e6

    def at(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Rows:
        """Return some of the rows."""
        return self._replace(us=self.us[rows], ohlcv=self.ohlcv[rows], number=self.number[rows])


def read_rows(path: Path, *, symbol: str | None = None, dialect: Dialect = FOUND, strict: bool = False) -> Rows:
    """Return the rows of a file or folder as they stand there.

    Args:
        path: delimited text, JSON, parquet or feather, also packed; or a folder of parquet files, read by name.
        symbol: the market that is asked for; the file may hold it under another spelling, beside others.
        dialect: what is told of the file.
        strict: refuse a last line that was cut off, for who cannot show a person that it is left out.

    Raises:
        DataError: it is missing, cannot be read, lacks a column or is of another market.
        UndecidedError: it can be read in two ways.
    """
    import numpy as np

    files = (
        sorted(file for file in path.glob("*.parquet") if not file.name.startswith(".")) if os.path.isdir(path) else []
    )
    parts = [_rows_of(file, symbol, dialect, strict=strict) for file in files or [path]]
    if len(parts) == 1:
        return parts[0]
    us, ohlcv = np.concatenate([part.us for part in parts]), np.concatenate([part.ohlcv for part in parts])
    return Rows(us, ohlcv, np.arange(1, len(us) + 1), parts[0].understood)


def _rows_of(path: Path, symbol: str | None, dialect: Dialect, *, strict: bool) -> Rows:
    """Return the rows of one file."""
    import numpy as np

    understood = Understood(str(path), symbol=symbol)
    sheet = read_sheet(path, dialect, understood)
    number = np.arange(1, sheet.rows + 1)
    understood.rows = sheet.rows
    sheet, number = _filled(sheet, number, understood)
    if not sheet.rows:
        raise DataError(f"{path}: holds no candles")
    roles = (named_roles if sheet.named else found_roles)(sheet, dialect, understood)
    sheet, number = _of_market(sheet, number, roles, symbol, understood)
    _tell_columns(sheet, roles, understood)
    missing = sheet.columns[roles.times[0]].null_count
    if missing:
        raise DataError(f"{path}: {missing} rows have no time")
    us = _times(sheet, roles, dialect, understood)
    ohlcv = _values(sheet, roles, dialect, understood)
    understood.require_answers()
    rows = Rows(us, ohlcv, number, understood)
    return _without_cut(rows, sheet, roles, strict=strict) if sheet.cut else rows


def _filled(sheet: Sheet, number: NDArray[np.int64], understood: Understood) -> tuple[Sheet, NDArray[np.int64]]:
    """Leave out rows that hold nothing, and repeated lines of names."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = [column for column in sheet.columns if pa.types.is_string(column.type)]
    if len(texts) < len(sheet.columns) or not sheet.rows:
        return sheet, number
    blank = np.ones(sheet.rows, dtype=bool)
    again = np.full(sheet.rows, sheet.named)
    for column, name in zip(texts, sheet.names, strict=True):
        if not blank.any() and not again.any():
            break
        blank &= pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy() if blank.any() else blank
        again &= pc.equal(pc.utf8_trim_whitespace(column), name).to_numpy() if again.any() else again
    keep = ~(blank | again)
    if keep.all():
        return sheet, number
    for rows, what in ((blank, "rows without a value"), (again & ~blank, "repeated lines of names")):
        understood.leave_out(int(rows.sum()), what, f"row {number[rows][0]}" if rows.any() else "")
    return sheet.where(pa.chunked_array([pa.array(keep)])), number[keep]


def _of_market(
    sheet: Sheet, number: NDArray[np.int64], roles: Roles, symbol: str | None, understood: Understood
) -> tuple[Sheet, NDArray[np.int64]]:
    """Take the rows of the market that is asked for, or refuse a file of several or of another one."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for what, column in (("exchange", roles.venue), ("timeframe", roles.interval)):
        several = [] if column is None else pc.unique(sheet.columns[column].cast(pa.string())).to_pylist()
        if len(several) > 1:
            names = ", ".join(shown(name) for name in several[:5])
            raise DataError(f"{understood.source}: holds candles of several {what}s: {names}; give one of them")
    if roles.symbol is None and not sheet.market:
        return sheet, number
    cells = None if roles.symbol is None else pc.fill_null(sheet.columns[roles.symbol].cast(pa.string()), "")
    found = [sheet.market] if cells is None else [name for name in pc.unique(cells).to_pylist() if name]
    fitting = [name for name in found if symbol and market_of(name) == market_of(symbol)]
    names = ", ".join(shown(name) for name in found[:10]) + (" ..." if len(found) > 10 else "")
    if symbol and not fitting and found:
        raise DataError(f"{understood.source}: holds candles of {names}, not of {shown(symbol)}; is --symbol right?")
    if len(found) > 1 and not symbol:
        understood.ask(
            "symbol", f"holds candles of {len(found)} markets: {names}", *(shown(name) for name in found[:10])
        )
        understood.require_answers()
    understood.symbol = symbol or (found[0] if found else None)
    if cells is None or found == fitting or len(found) < 2:
        return sheet, number
    mine = pc.is_in(cells, pa.array(fitting))
    keep = np.asarray(mine.to_numpy(), dtype=bool)
    understood.leave_out(int((~keep).sum()), f"rows of other markets than {shown(symbol)}", f"row {number[~keep][0]}")
    return sheet.where(mine), number[keep]


def _tell_columns(sheet: Sheet, roles: Roles, understood: Understood) -> None:
    """Say which column is what, and which are passed over."""
    used = dict(zip(PRICES, roles.prices, strict=True)) | ({} if roles.volume is None else {"volume": roles.volume})
    understood.columns = {"time": shown(sheet.names[roles.times[0]])}
    understood.columns |= {role: shown(sheet.names[number]) for role, number in used.items()}
    beside = {*used.values(), *roles.times, roles.symbol}
    understood.ignored = [shown(name) for number, name in enumerate(sheet.names) if number not in beside and name]
    if not sheet.named:
        understood.dialect["columns"] = ",".join(f"{role}={name}" for role, name in understood.columns.items())


def _times(sheet: Sheet, roles: Roles, dialect: Dialect, understood: Understood) -> NDArray[np.int64]:
    """Return the opens [µs since epoch]; of several columns of times the surest, the others must agree."""
    import pyarrow.compute as pc

    numbers = roles.times
    clocks = [n for n in numbers if is_clock(sheet.columns[n])]
    counted = [n for n in numbers if n not in clocks and is_number(sheet.columns[n])]
    dated = [n for n in numbers if n not in clocks]
    if not dated:
        raise DataError(
            f"{understood.source}: column {shown(sheet.names[numbers[0]])} holds times of day without a date"
        )
    chosen = next((n for n in counted if _is_counted(sheet.columns[n])), dated[0])
    column, name = sheet.columns[chosen], sheet.names[chosen]
    if clocks and not _is_counted(column):
        column = pc.binary_join_element_wise(
            pc.utf8_trim_whitespace(_as_text(column)), pc.utf8_trim_whitespace(sheet.columns[clocks[0]]), " "
        )
        name, others = f"{name} {sheet.names[clocks[0]]}", []
    else:
        others = [n for n in dated if n != chosen]
    understood.columns["time"] = shown(name)
    moments = moments_of(column, name, dialect, understood)
    understood.says["times"] = moments.how
    us = to_utc(moments, name, dialect, understood)
    for other in others[:3]:
        _compare(us, sheet, other, dialect, understood)
    return us


def _is_counted(column: pa.ChunkedArray) -> bool:
    """Return whether a column counts since the epoch, unlike dates of digits and days of a spreadsheet."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not is_number(column):
        return False
    first = pc.cast(pc.replace_substring(column[:1].cast(pa.string()), ",", "."), pa.float64())[0].as_py()
    return first is not None and first >= 1e8 and not 19700101 <= first / 10 ** (len(str(int(first))) - 8) <= 21001231


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(pa.string())


def _compare(us: NDArray[np.int64], sheet: Sheet, other: int, dialect: Dialect, understood: Understood) -> None:
    """Hold a second column of times against the first: the same, a local clock, the close of the bar, or a question."""
    import numpy as np

    name = shown(sheet.names[other])
    trial = Understood(understood.source)
    for dates in (dialect.dates, "dmy", "mdy"):
        try:
            told = Dialect(dates=dates)
            theirs = moments_of(sheet.columns[other], name, told, trial)
        except DataError:
            continue
        apart = np.unique(theirs.us - us)
        if len(apart) == 1 and apart[0] == 0:
            understood.notes.append(f"column {name} says the same times")
            return
        step = int(np.median(np.abs(np.diff(us)))) if len(us) > 1 else 0
        if len(apart) <= 3 and np.abs(apart).max() <= HOURS_14_US and not (apart % (900 * US)).any() and theirs.naive:
            understood.notes.append(
                f"column {name} is a local clock ({apart[0] / 3600e6:+g} h); the counted times were taken"
            )
            return
        if step and len(apart) <= 3 and (np.abs(apart - step) <= US).all():
            understood.notes.append(f"column {name} says when the bars close")
            return
    understood.ask(
        "columns",
        f"columns {understood.columns['time']} and {name} say different times",
        f"time={understood.columns['time']}",
        f"time={name}",
    )


def _values(sheet: Sheet, roles: Roles, dialect: Dialect, understood: Understood) -> NDArray[np.float64]:
    """Return open, high, low, close and volume as numbers."""
    import numpy as np
    import pyarrow as pa

    used = [*roles.prices, *([] if roles.volume is None else [roles.volume])]
    texts = [sheet.columns[n] for n in used if pa.types.is_string(sheet.columns[n].type)]
    style = style_of(texts, dialect.decimal, sheet.fields, understood)
    values = np.zeros((sheet.rows, len(COLUMNS)))
    if any(question.part == "decimal" for question in understood.questions):
        return values
    for at, n in enumerate(used):
        values[:, at] = numbers_of(sheet.columns[n], style, sheet.names[n], understood.source, units=n == roles.volume)
    return values


def _without_cut(rows: Rows, sheet: Sheet, roles: Roles, *, strict: bool) -> Rows:
    """Judge the last line of a file that ends without a line end: its last field may be cut off."""
    if not len(rows.us) or ((roles.volume or 0) < len(sheet.names) - 1 and max(roles.prices) < len(sheet.names) - 1):
        return rows
    last = len(sheet.names) - 1
    cells = [str(cell) for cell in sheet.columns[last].to_pylist()]
    length = [len(cell.strip().rpartition(".")[2]) for cell in cells]
    if len(cells) > 1 and length[-1] < min(length[:-1]):
        cut = f"last line, cut off after {shown(cells[-1])}"
        if strict:
            raise DataError(f"{rows.understood.source}, row {rows.number[-1]}: {cut}; {IMPORT}")
        rows.understood.leave_out(1, cut, f"row {rows.number[-1]}")
        return rows.at(slice(0, -1))
    doubt = f"the last line has no line end; if the file was cut off, its last value {shown(cells[-1])} is not whole"
    rows.understood.notes.append(doubt)
    return rows._replace(doubt=doubt)
