"""Bars come from files as columns and stay columns, and the command starts no library that it can do without."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.candles.replay import CHUNK, ReplayFeed, bars_of
from peaktrade_core.session.synthetic import PacedFeed, SyntheticFeed

COMMAND = """
import sys
from peaktrade_core.cli import main
sys.argv = ["peaktrade", *sys.argv[1:]]
try:
    main()
finally:
    print({name for name in ("numba", "pandas", "tenacity") if name in sys.modules}, file=sys.stderr)
"""


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Return a file with more bars than are handed out at once."""
    rows = np.array(list(SyntheticFeed(3, 60, bars=CHUNK + 100)))
    opens = pa.array((rows[:, 0] * 1e6).astype(np.int64), pa.timestamp("us", tz="UTC"))
    names = ["ts", "open", "high", "low", "close", "volume"]
    path = tmp_path / "candles.parquet"
    pq.write_table(pa.table([opens, *rows[:, 1:].T], names=names), path, row_group_size=1000)
    return path


def test_a_file_gives_the_same_bars_as_columns_and_one_by_one(candles: Path) -> None:
    feed = ReplayFeed(candles, 60)
    bars, one_by_one = bars_of(feed), np.array(list(feed))
    assert bars is feed.bars
    np.testing.assert_array_equal(np.column_stack([bars.ts, bars.ohlcv]), one_by_one)
    assert feed.data_sha256 == hashlib.sha256(bars.ts.tobytes() + bars.ohlcv.tobytes()).hexdigest()
    some = bars_of(feed, 50)
    np.testing.assert_array_equal(np.column_stack([some.ts, some.ohlcv]), one_by_one[:50])


def test_a_market_that_is_made_as_it_goes_gives_columns_too() -> None:
    feed = SyntheticFeed(3, 60)
    bars = bars_of(PacedFeed(feed, 1e8, 10), 40)  # with pauses in between
    np.testing.assert_array_equal(np.column_stack([bars.ts, bars.ohlcv]), np.array(list(bars_of(feed, 40))))


def test_a_live_feed_has_no_columns_yet() -> None:
    feed = SyntheticFeed(3, 60)
    feed.simulated = False
    with pytest.raises(ConfigError, match="are not there yet; use --feed synthetic, or store candles with"):
        bars_of(feed, 10)


def test_the_command_loads_neither_pandas_nor_a_compiler_once_the_code_is_there(candles: Path, home: Path) -> None:
    (home / ".cache" / "numba").unlink()  # what other tests compiled
    said = []
    for _ in range(2):
        command = ["backtest", "--home", str(home), "--candles", str(candles), "--feed", "replay"]
        done = subprocess.run([sys.executable, "-c", COMMAND, *command], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        said.append((done.stderr.splitlines()[-1], done.stdout.splitlines()))
    assert [loaded for loaded, _ in said] == ["{'numba'}", "set()"]
    assert said[0][1][3:] == said[1][1][3:]
