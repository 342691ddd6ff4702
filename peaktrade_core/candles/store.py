"""The store of candles: parquet files below ``data/candles``, one a UTC day (one a year of daily bars) and series.

It keeps what venues said. A bar that is stored never changes, files are replaced whole, and the same bars give the same
bytes in whatever order they came. It knows no venue; questions over it are asked by :mod:`market_questions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError, DataError, EnvironmentFault, why
from peaktrade_core.base.files import found_in, write_atomic
from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.candles.files.reading import COLUMNS
from peaktrade_core.candles.grid import Grid
from peaktrade_core.trading.market import (
    DAY_S,
    MONTH_S,
    Bar,
    Bars,
    require_sound,
    timeframe_months,
    timeframe_seconds,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from peaktrade_core.workspace.workspace import Workspace

_SYMBOL = re.compile(r"[A-Za-z0-9.]+/[A-Za-z0-9.]+(:[A-Za-z0-9.]+)?(-[A-Za-z0-9.]+)*")
_VENUE = re.compile(r"[a-z0-9][a-z0-9-]*")


class Series(NamedTuple):
    """Bars of one length of one symbol at one venue."""

    venue: str
    symbol: str
    timeframe: str

    def __str__(self) -> str:
        return f"{self.venue} {self.symbol} {self.timeframe}"

    @property
    def bar_s(self) -> int:
        """Length of a bar, of months the mean [s]."""
        months = timeframe_months(self.timeframe)
        return months * MONTH_S if months else timeframe_seconds(self.timeframe)

    @property
    def folder(self) -> Path:
        """Its folder below the store's: ``venue=kraken/symbol=BTC-EUR/timeframe=1m``.

        Raises:
            ConfigError: a part of it is no name of a venue, symbol or timeframe.
        """
        months = timeframe_months(self.timeframe)
        if not _VENUE.fullmatch(self.venue):
            raise ConfigError(f"venue {self.venue!r} must be of small letters, digits and hyphens")
        if not _SYMBOL.fullmatch(self.symbol):
            raise ConfigError(f"symbol {self.symbol!r} must be written BASE/QUOTE, for example BTC/EUR")
        symbol = self.symbol.replace("/", "-", 1).replace(":", "_")
        timeframe = self.timeframe.replace("M", "mo") if months else self.timeframe  # 1M is 1m on some file systems
        return Path(f"venue={self.venue}", f"symbol={symbol}", f"timeframe={timeframe}")

    def partition(self, ts: float) -> str:
        """Return the name of the file that holds the bar that opens at ``ts`` [s since epoch]."""
        return f"{from_seconds(ts):{'%Y' if self.bar_s >= DAY_S else '%Y-%m-%d'}}.parquet"


class Stored(NamedTuple):
    """What became of bars that were put into the store: how many were new, known, or differ from what is stored."""

    new: int
    known: int
    differing: int


class CandleStore:
    """The candles of a workspace.

    Attributes:
        root: the folder ``data/candles``; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of_workspace(cls, home: Path) -> CandleStore:
        """Return the candles of the workspace at ``home``."""
        return cls(home / "data" / "candles")

    def series(self) -> list[Series]:
        """Return what is stored, by venue, symbol and length of a bar; folders of other names are not ours."""
        found = {_series_of(path.parent) for path in found_in(self.root, "venue=*/symbol=*/timeframe=*/*.parquet")}
        return sorted((one for one in found if one), key=lambda one: (one.venue, one.symbol, one.bar_s))

    def find(self, symbol: str, timeframe: str, venue: str) -> Series:
        """Return the stored series of a symbol and timeframe; where several venues have it, that of ``venue``.

        Raises:
            DataError: nothing like it is stored, or only by several other venues; says what is and what to do.
        """
        every = self.series()
        found = [one for one in every if (one.symbol, one.timeframe) == (symbol, timeframe)]
        of_venue = [one for one in found if one.venue == venue]
        if len(found) > 1 and not of_venue:
            names = " and ".join(one.venue for one in found)
            raise DataError(
                f"candles of {symbol} {timeframe} are stored of {names}, and [environment] name = {venue!r} is neither: "
                "which are meant? Name one there, or give its folder below data/candles as --candles"
            )
        if found:
            return (of_venue or found)[0]
        raise DataError(
            f"no candles of {symbol} {timeframe} are stored, but {', '.join(map(str, every)) or 'nothing'}; "
            f"`peaktrade exchange fetch {symbol} --timeframe {timeframe}` downloads some"
        )

    def folder(self, series: Series) -> Path:
        """Return the folder of a series, which ``--candles`` takes, too."""
        return self.root / series.folder

    def files(self, series: Series) -> list[Path]:
        """Return the files of a series in the order of time."""
        return sorted(path for path in self.folder(series).glob("*.parquet") if not path.name.startswith("."))

    def read(self, series: Series) -> Bars:
        """Return all bars of a series.

        Raises:
            DataError: nothing is stored, or a file cannot be read.
        """
        return _read(self.folder(series))

    def times(self, series: Series, since: float, until: float) -> set[float]:
        """Return the opens of the stored bars in ``[since, until)`` [s since epoch].

        Raises:
            DataError: a file cannot be read or holds what cannot be true.
        """
        first, last = series.partition(since), series.partition(until)
        near = [path for path in self.files(series) if first <= path.name <= last]
        return {ts for path in near for ts in _read(path).ts.tolist() if since <= ts < until}

    def last(self, series: Series) -> float | None:
        """Return the open of the last stored bar [s since epoch], None when there is none.

        Raises:
            DataError: its file cannot be read.
        """
        files = self.files(series)
        return float(_read(files[-1]).ts[-1]) if files else None

    def put(self, series: Series, bars: Iterable[Bar]) -> Stored:
        """Add bars; those that are stored already stay as they are. On the disk when it returns.

        Raises:
            DataError: a bar is impossible or not on the timeframe's grid, or a stored file cannot be read.
            EnvironmentFault: a file cannot be written.
        """
        ordered = sorted(bars)
        for bar in ordered:
            require_sound(bar)
        self._require_grid(series, ordered)
        done = [
            self._put_part(series, name, list(part))
            for name, part in groupby(ordered, lambda b: series.partition(b.ts))
        ]
        return Stored(*(sum(figures) for figures in zip(*done, strict=True))) if done else Stored(0, 0, 0)

    @contextmanager
    def writing(self, series: Series) -> Iterator[None]:
        """Keep other writers away from a series; the claim ends with the process.

        Raises:
            EnvironmentFault: somebody else is writing it.
        """
        path = self.folder(series) / ".lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path, timeout=0):
                yield
        except Timeout:
            raise EnvironmentFault(f"{series} is being written by another process; wait for it to end") from None
        except OSError as error:
            raise EnvironmentFault(f"cannot write {path}: {why(error)}") from error

    def _require_grid(self, series: Series, bars: list[Bar]) -> None:
        """Refuse bars that do not open where the others of the series do."""
        import numpy as np

        ts = np.array([bar.ts for bar in bars], dtype=np.float64)
        files = self.files(series) if bars else []
        known = _read(files[-1]).ts if files else ts
        slots = Grid.of(known, series.timeframe).slots(ts)
        off = np.flatnonzero(slots != np.floor(slots))
        if len(off):
            raise DataError(f"{series}: {from_seconds(ts[off[0]])} is not the open of a bar of {series.timeframe}")

    def _put_part(self, series: Series, name: str, bars: list[Bar]) -> Stored:
        """Add bars to one file."""
        import numpy as np

        path = self.folder(series) / name
        before = _read(path) if path.is_file() else ()
        stored = {bar.ts: bar for bar in (before[row] for row in range(len(before)))}
        given = {bar.ts: bar for bar in bars}
        merged = given | stored
        new, differing = len(merged) - len(stored), sum(stored.get(ts, bar) != bar for ts, bar in given.items())
        if new:
            table = np.array([merged[ts] for ts in sorted(merged)], dtype=np.float64)
            write_atomic(path, encode(table[:, 0], table[:, 1:]))
        return Stored(new, len(given) - new - differing, differing)


def _series_of(folder: Path) -> Series | None:
    """Return the series that a folder of the store is named after, None for a foreign one."""
    venue, symbol, timeframe = (part.partition("=")[2] for part in folder.parts[-3:])
    series = Series(venue, symbol.replace("-", "/", 1).replace("_", ":"), timeframe.replace("mo", "M"))
    try:
        return series if series.folder == Path(*folder.parts[-3:]) else None
    except ConfigError:
        return None


def _read(path: Path) -> Bars:
    """Return the bars of one file of the store.

    Raises:
        DataError: it cannot be read or holds what cannot be true; says what to do.
    """
    try:
        return read_candles(path)
    except DataError as error:
        raise DataError(f"{error}; move the file away and fetch its bars again") from None


def encode(ts: NDArray[np.float64], ohlcv: NDArray[np.float64]) -> bytes:
    """Return bars (opens [s since epoch], prices and volume) as parquet; the same bars always give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    pa.parquet.write_table(_table(ts, ohlcv), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def encode_csv(ts: NDArray[np.float64], ohlcv: NDArray[np.float64]) -> bytes:
    """Return bars as :func:`encode` takes them as CSV, times in UTC, numbers with all their digits."""
    import pyarrow as pa
    import pyarrow.csv

    sink = pa.BufferOutputStream()
    pa.csv.write_csv(_table(ts, ohlcv), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _table(ts: NDArray[np.float64], ohlcv: NDArray[np.float64]) -> pa.Table:
    """Return bars as columns of Arrow."""
    import numpy as np
    import pyarrow as pa

    opens = pa.array((ts * 1000.0).round().astype(np.int64), pa.timestamp("ms", tz="UTC"))
    return pa.table([opens, *(pa.array(np.ascontiguousarray(column)) for column in ohlcv.T)], names=["ts", *COLUMNS])


def stored_folder(workspace: Workspace, symbol: str, timeframe: str) -> Path:
    """Return the folder of a market's stored candles; where several venues have it, of the configured one.

    Raises:
        DataError: as :meth:`CandleStore.find`.
    """
    store = CandleStore.of_workspace(workspace.home)
    return store.folder(store.find(symbol, timeframe, workspace.config.environment.name))
