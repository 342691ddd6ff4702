"""Copies of long series: the same bars, only as long as the store is what they were made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from peaktrade_core.candles import kept as copies
from peaktrade_core.candles.kept import keep, kept
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.trading.market import Bar

SERIES = Series("kraken", "BTC/EUR", "1m")


def put(home: Path, first: int, last: int, series: Series = SERIES) -> None:
    CandleStore.of_workspace(home).put(
        series, [Bar(60.0 * n, 1.0, 3.0, 0.5, 1.0 + n % 2, 1.0) for n in range(first, last)]
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(copies, "LEAST", 100)
    put(tmp_path, 0, 3000)
    return tmp_path


def files(home: Path) -> list[Path]:
    return sorted((home / ".cache" / "candles").iterdir())


def test_a_copy_has_the_bars_of_the_store(home: Path) -> None:
    assert kept(home, SERIES) is None
    keep(home)
    found, stored = kept(home, SERIES), CandleStore.of_workspace(home).read(SERIES)
    assert found is not None
    assert np.array_equal(found.ts, stored.ts)
    assert np.array_equal(found.ohlcv, stored.ohlcv)


def test_new_bars_make_a_copy_useless_and_the_next_one_replaces_it(home: Path) -> None:
    keep(home)
    before = files(home)
    put(home, 3000, 3010)
    assert kept(home, SERIES) is None
    keep(home)
    found = kept(home, SERIES)
    assert found is not None
    assert len(found) == 3010
    assert len(files(home)) == 1
    assert files(home) != before


def test_short_series_are_not_copied(home: Path) -> None:
    put(home, 0, 50, Series("kraken", "ETH/EUR", "1m"))
    keep(home)
    assert len(files(home)) == 1


@pytest.mark.parametrize("damage", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_copy_is_no_copy(home: Path, damage: bytes) -> None:
    keep(home)
    files(home)[0].write_bytes(damage)
    assert kept(home, SERIES) is None


def test_a_copy_of_impossible_bars_is_no_copy(home: Path) -> None:
    keep(home)
    (path,) = files(home)
    table = np.load(path)
    table[3000:3002] = 9.0, 1.0  # the second price of the first bar, its high, below its open
    np.save(path, table)
    assert kept(home, SERIES) is None
