"""A process that may hold little memory checks candles or says that it cannot; it never dies of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from peaktrade_core.candles.sql import connect, data_left
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.trading.market import Bar

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
BOUNDED = """
import resource, sys
from pathlib import Path
import duckdb, pyarrow.parquet
from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.checks import check_store
from peaktrade_core.candles.sql import connect
from peaktrade_core.candles.store import CandleStore
lines = Path("/proc/self/status").read_text().splitlines()
mapped = next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (mapped + (int(sys.argv[2]) << 20),) * 2)
store = CandleStore.of_workspace(Path(sys.argv[1]))
try:
    (verdict,) = check_store(store, store.series(), 0.0)
    print(verdict.rows, connect().execute("SELECT current_setting('threads')").fetchall())
except DataError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bounded")
    bars = [Bar(60.0 * n, 100.0, 101.0, 99.0, 100.0 + n % 2, 1.0) for n in range(200_000)]
    CandleStore.of_workspace(made).put(Series("kraken", "BTC/EUR", "1m"), bars)
    return made


@pytest.mark.parametrize(
    ("megabytes", "said"), [(700, "200000 [(1,)]"), (100, "there are too many"), (40, "there are too many")]
)
def test_a_bounded_process_checks_or_says_that_it_cannot(home: Path, megabytes: int, said: str) -> None:
    command = [sys.executable, "-c", BOUNDED, str(home), str(megabytes)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-500:]
    assert ran.stdout.startswith(said)


def test_without_a_bound_the_database_takes_what_there_is() -> None:
    assert data_left() is None
    default = connect().execute("SELECT current_setting('memory_limit')").fetchall()
    assert "GiB" in default[0][0]
