"""The replay feed: candles from a parquet or CSV file or a folder of them, checked before the first bar is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.arrays import array_of, seconds_of
from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.trading.feed import Feed
from peaktrade_core.trading.market import Bar, Bars

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

COLUMNS = ("open", "high", "low", "close", "volume")
YEAR_9999_S = 253_402_300_799.0  # the last second that a time can have [s since epoch]
CHUNK = 4096  # bars that are handed out from columns at once
TIME_COLUMNS = ("ts", "timestamp", "time", "date")


class ReplayFeed:
    """Bars of a file, in its order."""

    name = "replay"
    simulated = True
    skew_s = 0.0

    def __init__(self, path: Path, bar_s: int) -> None:
        """Read and check the whole file.

        Args:
            path: ``.parquet`` or ``.csv`` with columns ``ts, open, high, low, close, volume``; ts is UTC, the bar's open.
                Or a folder of such parquet files, which are read in the order of their names.
            bar_s: length of a bar [s].

        Raises:
            DataError: the file is missing or unreadable, lacks a column, or its bars are impossible, unsorted,
                duplicated or not on the timeframe's grid.
        """
        self.bars = read_candles(path)
        digest = hashlib.sha256(self.bars.ts.data)
        digest.update(self.bars.ohlcv.data)
        self.data_sha256: str | None = digest.hexdigest()
        _check_grid(path, self.bars, bar_s)

    def __iter__(self) -> Iterator[Bar]:
        columns = (self.bars.ts, *self.bars.ohlcv.T)
        for at in range(0, len(self.bars), CHUNK):
            yield from map(Bar._make, zip(*(column[at : at + CHUNK].tolist() for column in columns), strict=True))

    def __len__(self) -> int:
        return len(self.bars)


def bars_of(feed: Feed, most: int | None = None) -> Bars:
    """Return the first ``most`` bars of a feed as columns, None for all of them.

    Raises:
        ConfigError: the feed is a live one, whose bars are not there yet.
    """
    import numpy as np

    if not feed.simulated:
        raise ConfigError(
            f"the bars of the {feed.name} feed are not there yet; use --feed synthetic, or store candles with "
            "`peaktrade exchange fetch` and give them as --candles"
        )
    if isinstance(feed, ReplayFeed):
        bars = feed.bars
        return bars if most is None else Bars(bars.ts[:most], bars.ohlcv[:most], feed.name)
    rows = (item for item in feed if isinstance(item, Bar))
    table: NDArray[np.float64] = np.fromiter(islice(rows, most), dtype=np.dtype((np.float64, len(Bar._fields))))
    return Bars(table[:, 0], table[:, 1:], feed.name)


def read_candles(path: Path) -> Bars:
    """Return the candles of a parquet or CSV file, or of a folder of parquet files, as checked columns.

    Raises:
        DataError: see :class:`ReplayFeed`.
    """
    import numpy as np

    table = read_columns(path)
    if not len(table):
        raise DataError(f"{path}: holds no candles")
    moments = table["ts"]
    if moments.null_count:
        raise DataError(f"{path}: {moments.null_count} rows have no time")
    seconds = seconds_of(moments)
    outside = np.flatnonzero(np.abs(seconds - YEAR_9999_S / 2) > YEAR_9999_S / 2)
    if len(outside):
        raise DataError(f"{path}, row {outside[0] + 1}: its time lies outside the years 1970 to 9999")
    prices = np.empty((len(table), len(COLUMNS)))
    for number, name in enumerate(COLUMNS):
        prices[:, number] = array_of(table[name])
    return Bars(seconds, prices, str(path))


def read_columns(path: Path) -> pa.Table:
    """Return the rows of a file or folder of candles as they are: ``ts`` [µs, UTC] and ``COLUMNS`` [float64].

    Nothing is said yet about whether they can be true.

    Raises:
        DataError: it is missing or unreadable, lacks a column, or a column has the wrong type.
    """
    import pyarrow as pa

    files = sorted(file for file in path.glob("*.parquet") if not file.name.startswith(".")) if path.is_dir() else []
    return pa.concat_tables([_columns_of(file) for file in files or [path]])


def _columns_of(path: Path) -> pa.Table:
    """Return the rows of one file, columns named and typed as ours are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = _read_table(path)
    lower = {name.lower(): name for name in table.column_names}
    if len(lower) < len(table.column_names):
        raise DataError(f"{path}: two columns have the same name among: {', '.join(table.column_names)}")
    time_column = next((lower[name] for name in TIME_COLUMNS if name in lower), None)
    missing = [name for name in COLUMNS if name not in lower] + ([] if time_column else ["ts"])
    if missing or time_column is None:
        raise DataError(
            f"{path}: column {', '.join(missing)} is missing; it has: {', '.join(table.column_names) or 'none'}. "
            f"Needed: ts, {', '.join(COLUMNS)}"
        )
    times = table[time_column]
    if len(table) and (pa.types.is_integer(times.type) or pa.types.is_floating(times.type)):
        raise DataError(
            f"{path}: column {time_column} holds numbers ({times.type}), not times; "
            "write times as timestamps or ISO 8601 text, UTC"
        )
    try:
        columns = [pc.cast(times, pa.timestamp("us", tz="UTC"))]
        columns += [pc.cast(table[lower[name]], pa.float64()) for name in COLUMNS]
    except pa.ArrowException as error:
        raise DataError(f"{path}: a column has the wrong type: {error}") from None
    return pa.table(columns, names=["ts", *COLUMNS])


def _read_table(path: Path) -> pa.Table:
    """Read the file as a table, or say why not."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if not path.is_file():
        raise DataError(f"{path}: no such file; give --candles a parquet or CSV file")
    try:
        if path.suffix == ".parquet":
            return pa.parquet.ParquetFile(path).read()
        if path.suffix == ".csv":
            return pa.csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {str(error).splitlines()[0]}") from None
    raise DataError(f"{path}: unknown kind of file {path.suffix!r}; use .parquet or .csv")


def _check_grid(path: Path, bars: Bars, bar_s: int) -> None:
    """Refuse candles of another timeframe than the session's.

    Raises:
        DataError: a bar does not lie on the grid, or all steps are a multiple of it.
    """
    import numpy as np

    off = np.flatnonzero(bars.ts % bar_s != 0)
    if len(off):
        raise DataError(
            f"{path}, row {off[0] + 1}: {iso(from_seconds(bars.ts[off[0]]))} is not the open of a {bar_s} s bar; "
            "is --timeframe right?"
        )
    if len(bars) > 1 and (step := float(np.diff(bars.ts).min())) > bar_s:
        raise DataError(f"{path}: its bars are {step:.0f} s apart, the session's are {bar_s} s; is --timeframe right?")
