"""What a run's folder keeps beside its journal, so that the run can be repeated: the bars of a venue's warm-up, the code."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.trading.market import Bar

WARMUP = "warmup.parquet"
CODE = "code.json"  # digests of the functions that ran, by name
UNFINISHED_BAR = "UNFINISHED_BAR"  # the notice of the bar at which a session failed; its message is the bar as JSON
WARMUP_KEPT = "WARMUP_KEPT"  # the notice of a session that ended before its first bar; its message is the digest


def keep_bars(path: Path, bars: Sequence[Bar]) -> str:
    """Write bars as a table and return the SHA-256 of their values, which is the same whatever wrote the file.

    Raises:
        EnvironmentFault: they cannot be written.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = np.array(bars, dtype=np.float64).reshape(len(bars), len(Bar._fields))
    columns = [
        pa.Array.from_buffers(pa.float64(), len(bars), [None, pa.py_buffer(np.ascontiguousarray(column))])
        for column in values.T
    ]
    try:
        pq.write_table(pa.Table.from_arrays(columns, names=list(Bar._fields)), path, compression="zstd")
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {why(error)}") from error
    return _digest(bars)


def kept_bars(path: Path, sha256: str) -> list[Bar]:
    """Return the bars of :func:`keep_bars`.

    Raises:
        ArtefactError: the file is missing, cannot be read, or holds other bars than those of this digest.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from peaktrade_core.base.arrays import array_of

    try:
        table = pq.ParquetFile(path).read(list(Bar._fields))
        columns = [array_of(table.column(name)).tolist() for name in Bar._fields]
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise ArtefactError(f"the warm-up that was kept cannot be read: {path}: {why(error)}") from error
    bars = list(map(Bar._make, zip(*columns, strict=True)))
    if _digest(bars) != sha256:
        raise ArtefactError(f"{path} is not the warm-up that the journal names: its digest is another")
    return bars


def _digest(bars: Sequence[Bar]) -> str:
    """Return the SHA-256 of the values of bars."""
    import numpy as np

    return hashlib.sha256(np.array(bars, dtype="<f8").tobytes()).hexdigest()
