"""Importing a file of candles: read it leniently, say what is left out, write it to the store or to a file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.candles.files.cleaning import clean, require_timeframe
from peaktrade_core.candles.files.dialect import Dialect, Understood, shown
from peaktrade_core.candles.files.reading import read_rows
from peaktrade_core.candles.grid import Grid
from peaktrade_core.candles.store import CandleStore, Series, encode, encode_csv
from peaktrade_core.show.wording import many
from peaktrade_core.trading.market import Bars

WRITERS = {".parquet": encode, ".csv": encode_csv}


class Target(NamedTuple):
    """Where candles go: a file, or without one the store.

    Attributes:
        out: the file; replace: whether one that is there may be replaced; venue: the store keeps the candles under it.
    """

    out: Path | None
    replace: bool
    venue: str

    def require(self, understood: Understood) -> None:
        """Refuse a target that cannot be written.

        Raises:
            ConfigError: the file is there already or of an unknown kind, or names of the store are wrong.
            UndecidedError: the store needs the market, and the file does not say it.
        """
        if self.out is None:
            symbol = understood.symbol or ""
            if "/" not in symbol:
                said = f"the file calls its market {shown(symbol)}" if symbol else "the file does not say its market"
                understood.ask(
                    "symbol", f"{said}, and the store keeps candles by market (--out FILE needs none)", "BASE/QUOTE"
                )
                understood.require_answers()
            self.series(understood).folder  # noqa: B018 - refuses wrong names
            return
        if self.out.suffix.lower() not in WRITERS:
            raise ConfigError(f"--out {self.out}: unknown kind of file {self.out.suffix!r}; use .parquet or .csv")
        if self.out.exists() and (not self.replace or not self.out.is_file() or self.out.samefile(understood.source)):
            how = "give another name" if self.replace else "give another name, or --replace"
            raise ConfigError(f"--out {self.out} is there already; {how}")

    def series(self, understood: Understood) -> Series:
        """Return the series of the store that the candles belong to."""
        return Series(self.venue, understood.symbol or "", understood.timeframe or "")

    def name(self, understood: Understood) -> str:
        """Return where the candles go, in words."""
        return str(self.out) if self.out else f"the store, {self.series(understood)}"


def read_import(
    path: Path, symbol: str | None, timeframe: str | None, dialect: Dialect, *, now: float
) -> tuple[Bars, Understood]:
    """Return the clean candles of a file and what was understood of it.

    Args:
        path: of the file; symbol, timeframe: as asked for, None where the file says them; dialect: what is told of it.
        now: time by which the last bar must have closed [s since epoch].

    Raises:
        DataError: it cannot be read as candles.
        UndecidedError: it can be read in two ways.
    """
    rows = require_timeframe(clean(read_rows(path, symbol=symbol, dialect=dialect), dialect), timeframe)
    understood, ts = rows.understood, rows.ts
    closes = Grid.of(ts, understood.timeframe or "").shifted(float(ts[-1]), 1)
    if ts[-1] <= now < closes and len(ts) > 1:
        understood.leave_out(1, f"candle that closes only at {utc(from_seconds(closes))}", f"row {rows.number[-1]}")
        rows = clean(rows.at(slice(0, -1)))
    elif ts[-1] > now:
        understood.notes.append("the last candles lie in the future by this machine's clock; are unit and zone right?")
    return Bars(rows.ts, rows.ohlcv, str(path)), understood


def write_import(home: Path, bars: Bars, understood: Understood, target: Target) -> list[str]:
    """Write candles where they belong and say what became of them.

    Raises:
        DataError: the store holds bars of the series that open at other times.
        EnvironmentFault: it cannot be written; nothing there has changed.
    """
    if target.out is not None:
        write_atomic(target.out, WRITERS[target.out.suffix.lower()](bars.ts, bars.ohlcv))
        understood.written = str(target.out)
        return [f"{many(len(bars), 'candle')} written to {target.out}; sessions take them as --candles {target.out}"]
    store, series = CandleStore.of_workspace(home), target.series(understood)
    with store.writing(series):
        done = store.put(series, (bars[row] for row in range(len(bars))))
    understood.written = str(store.folder(series))
    told = [f"{done.new:,} new candles stored as {series}, {done.known:,} were stored before: {understood.written}"]
    if done.differing:
        told.append(f"{done.differing:,} differ from what is stored; the stored ones were kept. --venue keeps both")
        understood.notes.append(told[-1])
    return told
