"""The table of a run's bars: ``events.parquet``, written while they come, for charts and for those who read columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peaktrade_core.base.arrays import array_of, seconds_of
from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.trading.events import BarDone

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLE = "events.parquet"
_BATCH, _BATCHES = (
    8192,
    8,
)  # bars that become columns at once, and how many times that make a group of rows of the table
_MICRO = timedelta(microseconds=1)
_KINDS = {  # of a bar's fields that are no float64
    **dict.fromkeys(("ts", "ts_bar"), "time"),
    **dict.fromkeys(("signal_changed", "risk_allowed"), "bool"),
    **dict.fromkeys(("seq", "step", "signal", "orders_generated", "orders_filled"), "int64"),
    **dict.fromkeys(("orders_rejected", "orders_blocked"), "int64"),
    "risk_reasons": "text",
}


class BarTable:
    """The table of a run's bars as parquet, with ``price`` (the close) and ``ts_event`` as readers expect them.

    Each column is turned into an array of a batch at a time, and only what is compressed is held. The file gets its name
    at the end. What cannot be written is told there, too: the journal is what counts until then.
    """

    def __init__(self, path: Path) -> None:
        """Describe the table at ``path``; nothing is written before the first batch is full."""
        self._path, self._staged = path, path.with_name(f".{path.name}.tmp")
        self._bars: list[BarDone] = []
        self._batches: list[Any] = []
        self._writer: Any = None
        self._fault: OSError | None = None

    def add(self, bars: Iterable[BarDone]) -> None:
        """Take in the next bars."""
        self._bars += bars
        while len(self._bars) >= _BATCH:
            later = self._bars[_BATCH:]
            del self._bars[_BATCH:]
            self._turn()
            self._bars = later
            if len(self._batches) == _BATCHES:
                self._write()

    def close(self) -> None:
        """Write what is left and give the file its name, replacing an older one.

        Raises:
            EnvironmentFault: it cannot be written, now or while the bars came.
        """
        if self._bars or not self._batches:
            self._turn()
        self._write()
        try:
            if self._writer is not None:
                self._writer.close()
            if self._fault is not None:
                raise self._fault
            os.replace(self._staged, self._path)
        except OSError as error:
            with suppress(OSError):
                self._staged.unlink(missing_ok=True)
            raise EnvironmentFault(f"cannot write {self._path}: {why(error)}") from error

    def _turn(self) -> None:
        """Turn the bars that were kept into columns."""
        import pyarrow as pa

        bars, self._bars = self._bars, []
        columns = {name: _column(list(map(attrgetter(name), bars)), name) for name in BarDone.__struct_fields__}
        columns["ts_event"] = columns.pop("ts")
        columns["price"] = columns["close"]
        self._batches.append(pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)))

    def _write(self) -> None:
        """Write the columns that were kept as a group of rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table, self._batches = pa.Table.from_batches(self._batches), []
        if self._fault is not None or (self._writer is not None and not len(table)):
            return
        try:
            self._writer = self._writer or pq.ParquetWriter(self._staged, table.schema, compression="zstd")
            self._writer.write_table(table)
        except OSError as error:
            self._fault = error


def _column(values: list[Any], name: str) -> Any:
    """Return values of one field of a bar as a column, without :func:`pyarrow.array`, which imports pandas."""
    import numpy as np
    import pyarrow as pa

    kind = _KINDS.get(name, "float64")
    data: NDArray[Any]
    if kind == "text":
        texts = [text.encode() for some in values for text in some]
        ends = (np.cumsum([0, *map(len, one)], dtype=np.int32) for one in (values, texts))
        counts, bounds = (pa.py_buffer(end) for end in ends)
        words = pa.StringArray.from_buffers(len(texts), bounds, pa.py_buffer(b"".join(texts)))
        return pa.ListArray.from_arrays(pa.Array.from_buffers(pa.int32(), len(values) + 1, [None, counts]), words)
    if kind == "time":
        data, kept = np.array([(at - EPOCH) // _MICRO for at in values], dtype=np.int64), pa.timestamp("us", tz="UTC")
    elif kind == "bool":
        data, kept = np.packbits(np.array(values, dtype=np.bool_), bitorder="little"), pa.bool_()
    else:
        data, kept = np.array(values, dtype=kind), getattr(pa, kind)()
    return pa.Array.from_buffers(kept, len(values), [None, pa.py_buffer(data)])


def write_table(path: Path, bars: Iterable[BarDone]) -> None:
    """Write the table of bars that are all there.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    table = BarTable(path)
    table.add(bars)
    table.close()


def read_table(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return columns of figures of a run's table as float64 arrays, times as seconds since the epoch.

    Raises:
        ArtefactError: the file is missing, damaged or lacks a column, or a column holds no figures.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read(list(names))
        return {
            name: (seconds_of if pa.types.is_timestamp(table.column(name).type) else array_of)(table.column(name))
            for name in names
        }
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise ArtefactError(f"cannot read {path}: {why(error)}") from error
