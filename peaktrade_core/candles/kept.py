"""Stored series as they lie in memory, a file each below ``.cache/candles``, which all who read them map and share.

A copy is of use only as long as the store's files are those it was made of; it is derived, and made anew when it is gone.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from peaktrade_core.base.errors import DataError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.trading.market import Bars

LEAST = 50_000  # bars; fewer are read as fast from the store


def kept(home: Path, series: Series) -> Bars | None:
    """Return a series of the workspace at ``home`` from its copy; None where there is none of what is stored now."""
    import numpy as np

    path = _path(home, series)
    with suppress(OSError, EOFError, ValueError, DataError):
        table = np.asarray(np.load(path, mmap_mode="r"))
        n = len(table) // 6
        return Bars(table[:n], table[n:].reshape(n, 5), str(path))
    return None


def keep(home: Path) -> int:
    """Make the copies that are missing, and remove those that are of no use any more; return how many were made.

    Raises:
        EnvironmentFault: one cannot be written.
    """
    import io

    import numpy as np

    store, wanted, made = CandleStore.of_workspace(home), set(), 0
    for series in store.series():
        path = _path(home, series)
        wanted.add(path)
        if path.exists():
            continue
        with suppress(DataError):  # who reads the series says it
            bars = store.read(series)
            if len(bars) >= LEAST:
                out = io.BytesIO()
                np.save(out, np.concatenate([bars.ts, bars.ohlcv.ravel()]))
                write_atomic(path, out.getvalue())
                made += 1
    for path in _folder(home).glob("*.npy"):
        if path not in wanted:
            path.unlink(missing_ok=True)
    return made


def _folder(home: Path) -> Path:
    return home / ".cache" / "candles"


def _path(home: Path, series: Series) -> Path:
    """Return where the copy of a series lies: its name says of which files it is one."""
    files = ((path.name, path.stat()) for path in CandleStore.of_workspace(home).files(series))
    told = [(name, state.st_size, state.st_mtime_ns) for name, state in files]
    return _folder(home) / f"{hashlib.blake2b(repr((series, told)).encode(), digest_size=16).hexdigest()}.npy"
