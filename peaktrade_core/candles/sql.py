"""DuckDB as the suite opens it: it asks no network, writes no files, and stays within what its process may hold.

A kernel of a lab may map only so much data. Where a library of C finds nothing left it ends the whole process, so the
database has to stop before: a bounded process gives it one thread and three quarters of what is left.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.errors import DataError

if TYPE_CHECKING:
    import duckdb

OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "temp_directory": "",
}
TOO_MANY = "there are too many bars to check in the memory that this process may have; run `peaktrade data check`"
LEAST = 96 << 20  # its threads alone take forty megabytes [bytes]


def connect() -> duckdb.DuckDBPyConnection:
    """Return a database in memory.

    Raises:
        DataError: this process may not hold enough for one.
    """
    import duckdb

    left = data_left()
    if left is not None and left < LEAST:
        raise DataError(TOO_MANY)
    bound = {} if left is None else {"threads": "1", "memory_limit": f"{max(1, left * 3 // 4 >> 20)}MiB"}
    db = duckdb.connect(config={**OFFLINE, **bound})
    db.execute("SET enable_progress_bar = false")
    return db


def data_left() -> int | None:
    """Return how much more data this process may map [bytes]; None where nothing bounds it."""
    if sys.platform != "linux":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    lines = Path("/proc/self/status").read_text().splitlines()
    mapped = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
    return max(0, limit - mapped * 1024)
