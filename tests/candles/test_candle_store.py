"""The store of candles: where they lie, that they never change, and that nothing is half-written."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from candle_files import SERIES, files
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.errors import ConfigError, DataError, EnvironmentFault
from peaktrade_core.candles.replay import ReplayFeed
from peaktrade_core.candles.store import CandleStore, Series, Stored
from peaktrade_core.trading.market import Bar


def test_a_day_of_minutes_is_a_file_and_so_is_a_year_of_days(store: CandleStore, minutes: list[Bar]) -> None:
    assert store.put(SERIES, minutes) == Stored(3 * 1440, 0, 0)
    days = [bar._replace(ts=1767225600.0 - 86_400 * n) for n, bar in enumerate(minutes[:400])]
    store.put(Series("kraken", "BTC/EUR", "1d"), days)
    folder = "venue=kraken/symbol=BTC-EUR/timeframe="
    assert list(files(store)) == [
        *(f"{folder}1d/{year}.parquet" for year in (2024, 2025, 2026)),
        *(f"{folder}1m/2026-01-0{day}.parquet" for day in (1, 2, 3)),
    ]


def test_what_is_put_in_comes_out_as_a_feed(store: CandleStore, minutes: list[Bar]) -> None:
    store.put(SERIES, minutes)
    assert list(ReplayFeed(store.folder(SERIES), 60)) == minutes
    assert store.series() == [SERIES]
    assert store.last(SERIES) == minutes[-1].ts


def test_the_same_bars_give_the_same_bytes_in_whatever_order_they_came(tmp_path: Path, minutes: list[Bar]) -> None:
    whole, pieces = CandleStore(tmp_path / "a"), CandleStore(tmp_path / "b")
    whole.put(SERIES, minutes)
    shuffled = random.Random(3).sample(minutes, len(minutes))
    for begin in range(0, len(shuffled), 700):
        pieces.put(SERIES, shuffled[begin : begin + 700])
    assert files(whole) == files(pieces)


def test_a_stored_bar_never_changes(store: CandleStore, minutes: list[Bar]) -> None:
    store.put(SERIES, minutes[:10])
    before = files(store)
    revised = [minutes[0], minutes[1]._replace(volume=9.0)]
    assert store.put(SERIES, revised) == Stored(new=0, known=1, differing=1)
    assert files(store) == before


def test_impossible_bars_and_bars_off_the_grid_stay_out(store: CandleStore, minutes: list[Bar]) -> None:
    with pytest.raises(DataError, match=r"low = 0\.0 is not positive"):
        store.put(SERIES, [minutes[0]._replace(low=0.0)])
    with pytest.raises(DataError, match="is not the open of a bar of 1m"):
        store.put(SERIES, [minutes[0]._replace(ts=minutes[0].ts + 1)])
    assert files(store) == {}


def test_a_full_disk_leaves_the_old_file(store: CandleStore, minutes: list[Bar], monkeypatch) -> None:
    store.put(SERIES, minutes[:10])
    before = files(store)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("peaktrade_core.base.files.os.fsync", full)
    with pytest.raises(EnvironmentFault, match="No space left"):
        store.put(SERIES, minutes[10:20])
    monkeypatch.undo()
    assert files(store) == before
    assert [path.name for path in store.folder(SERIES).iterdir()] == ["2026-01-01.parquet"]


def test_a_second_writer_is_refused_and_the_claim_ends(store: CandleStore) -> None:
    refused = pytest.raises(EnvironmentFault, match="kraken BTC/EUR 1m is being written by another")
    with store.writing(SERIES), refused, store.writing(SERIES):
        pass
    with store.writing(SERIES):
        pass


@given(
    st.builds(
        Series,
        st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True),
        st.from_regex(r"[A-Z0-9.]{1,6}/[A-Z0-9.]{1,6}(:[A-Z]{3})?(-[A-Z0-9]{1,6})?", fullmatch=True),
        st.sampled_from(["1m", "1h", "1d"]),
    )
)
def test_a_series_is_found_again_by_the_name_of_its_folder(tmp_path_factory, series: Series) -> None:
    store = CandleStore(tmp_path_factory.mktemp("store"))
    store.put(series, [Bar(1767225600.0, 1.0, 1.0, 1.0, 1.0, 1.0)])
    assert store.series() == [series]
    assert store.folder(series).is_relative_to(store.root)


@pytest.mark.parametrize(
    ("series", "says"),
    [
        (Series("kraken", "../../etc", "1m"), "must be written BASE/QUOTE"),
        (Series("kraken", "BTCEUR", "1m"), "must be written BASE/QUOTE"),
        (Series("../x", "BTC/EUR", "1m"), "venue '../x'"),
        (Series("kraken", "BTC/EUR", "7m"), "unknown timeframe '7m'"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(store: CandleStore, series: Series, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        store.folder(series)


@pytest.mark.usefixtures("compiled")
def test_a_backtest_takes_a_folder_of_the_store_as_candles(
    store: CandleStore, minutes: list[Bar], peaktrade: Callable[..., object]
) -> None:
    store.put(SERIES, minutes)
    ended = peaktrade("backtest", "--candles", store.folder(SERIES), "--json")
    assert ended.code == 0, ended.stderr
    readable = round(0.8 * len(minutes))  # a fifth of them is held back from research
    assert f'"steps": {readable - 200}' in ended.stdout


def test_of_several_venues_the_configured_one_is_meant_or_none(store: CandleStore, minutes: list[Bar]) -> None:
    for venue in ("binance", "kraken"):
        store.put(Series(venue, "BTC/EUR", "1m"), minutes)
    assert store.find("BTC/EUR", "1m", "kraken").venue == "kraken"
    with pytest.raises(DataError, match=r"of binance and kraken, and \[environment\] name = 'mine' is neither"):
        store.find("BTC/EUR", "1m", "mine")
    store.put(Series("binance", "ETH/EUR", "1m"), minutes)
    assert store.find("ETH/EUR", "1m", "mine").venue == "binance"  # the only one
