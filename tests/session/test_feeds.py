"""What every feed promises, and what the embedded market is like."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.candles.replay import ReplayFeed
from peaktrade_core.session.synthetic import YEAR_S, PacedFeed, SyntheticFeed
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock
from peaktrade_core.trading.market import Bar, bar_fault
from peaktrade_core.trading.ports import Feed, Item, Pause
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.feed import ExchangeFeed

FILE = "coinbase_BTC-USD_1m_20161007-20161009"


def csv_of(path: Path, folder: Path) -> Path:
    """Return a candle file written again as CSV."""
    target = folder / f"{path.stem}.csv"
    pa.csv.write_csv(pa.parquet.read_table(path), target)
    return target


RECORDED = ("synthetic", "cheap coin", "paced", "replay parquet", "replay csv")
LIVE = ("exchange spot", "exchange futures")


def recorded(kind: str, candles: Callable[[str], Path], folder: Path) -> Feed:
    """Return a feed whose bars are known beforehand."""
    if kind == "synthetic":
        return SyntheticFeed(1, 60, bars=3000)
    if kind == "cheap coin":
        return SyntheticFeed(2, 60, price=0.000123, volatility=5.0, bars=3000)
    if kind == "paced":
        return PacedFeed(SyntheticFeed(1, 60, bars=3000), 1e8, 2000)
    path = candles(FILE)
    return ReplayFeed(path if "parquet" in kind else csv_of(path, folder), 60)


@pytest.fixture(params=RECORDED)
def feed(request: pytest.FixtureRequest, candles: Callable[[str], Path], tmp_path: Path) -> Feed:
    """Return each kind of recorded feed in turn."""
    return recorded(request.param, candles, tmp_path)


class Stepped:
    """A live feed whose pauses move its venue's clock, for so many bars."""

    def __init__(self, feed: Feed, clock: VenueClock, bars: int) -> None:
        self.feed, self.clock, self.bars = feed, clock, bars

    def __iter__(self) -> Iterator[Item]:
        left = self.bars
        for item in self.feed:
            if isinstance(item, Pause):
                self.clock.advance(item.seconds)
            left -= type(item) is Bar
            yield item
            if not left:
                return


@pytest.fixture(params=RECORDED + LIVE)
def any_feed(
    request: pytest.FixtureRequest, candles: Callable[[str], Path], tmp_path: Path
) -> Iterator[Feed | Stepped]:
    """Return each kind of feed in turn, those of a venue among them."""
    if request.param in RECORDED:
        yield recorded(request.param, candles, tmp_path)
        return
    name, symbol = ("kraken", "BTC/USD") if "spot" in request.param else ("krakenfutures", "BTC/USD:USD")
    market = list(SyntheticFeed(5, 60, bars=1200))
    del market[300:310], market[760:763]  # nobody traded
    clock = VenueClock(market[0].ts + 730 * 60.0)
    with LoopbackVenue(MarketSource("BTC/USD", market, 60), clock=clock) as venue:
        client = VenueClient(name, base_url=venue.url, demo=name == "krakenfutures")
        yield Stepped(ExchangeFeed(client, symbol, "1m", 60, history=600, clock=clock), clock, 800)


def bars_of(feed: Feed | Stepped) -> list[Bar]:
    """Return what a feed yields, without its pauses."""
    items = list(feed)
    assert all(type(item) in (Bar, Pause) for item in items)
    return [item for item in items if type(item) is Bar]


def test_every_bar_is_possible(any_feed: Feed | Stepped) -> None:
    bars = bars_of(any_feed)
    assert [fault for bar in bars if (fault := bar_fault(bar))] == []
    assert all(type(x) is float for bar in bars for x in bar)


def test_times_rise_by_whole_timeframes(any_feed: Feed | Stepped) -> None:
    times = np.array([bar.ts for bar in bars_of(any_feed)])
    steps = np.diff(times)
    assert (steps > 0).all()
    assert (steps % 60 == 0).all()
    assert (times % 60 == 0).all()


def test_it_can_be_read_twice_and_says_how_long_it_is(feed: Feed) -> None:
    first = bars_of(feed)
    assert first == bars_of(feed)
    assert len(feed) == len(first) > 1000


def test_it_names_itself_and_its_data(feed: Feed) -> None:
    assert feed.name in ("synthetic", "replay")
    assert len(feed.data_sha256) == 64
    assert feed.simulated


def test_parquet_and_csv_of_the_same_candles_are_the_same_data(candles: Callable[[str], Path], tmp_path: Path) -> None:
    path = candles(FILE)
    assert ReplayFeed(csv_of(path, tmp_path), 60).data_sha256 == ReplayFeed(path, 60).data_sha256


def test_every_real_file_is_sound_but_the_one_with_days_of_price_zero(candles: Callable[[str], Path]) -> None:
    zeros = candles("kraken_XTZ-BTC_1d_20180928-20200714")
    files = sorted(set(zeros.parent.glob("*.parquet")) - {zeros})
    assert len(files) >= 19
    assert all(len(read_candles(path)) > 600 for path in files)
    with pytest.raises(
        DataError, match=r"row 1: impossible bar at 2018-09-28.*low = 0.0 is not positive \(14 such rows"
    ):
        read_candles(zeros)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**63 - 1),
    bar_s=st.sampled_from([1, 60, 3600, 86_400]),
    price=st.floats(1e-6, 1e9),
    volatility=st.floats(0.001, 9.9),
)
def test_every_synthetic_bar_is_possible_whatever_was_asked_for(
    seed: int, bar_s: int, price: float, volatility: float
) -> None:
    for bar in islice(SyntheticFeed(seed, bar_s, price=price, volatility=volatility), 600):
        assert bar_fault(bar) == ""


def test_a_synthetic_bar_opens_where_the_one_before_closed() -> None:
    bars = list(SyntheticFeed(3, 60, bars=1000))
    assert [bar.open for bar in bars[1:]] == [bar.close for bar in bars[:-1]]
    assert bars[0].open == 50_000.0


def digest(seed: int) -> str:
    """Return the first bars of a seed as another process sees them."""
    script = (
        "from itertools import islice; from peaktrade_core.session.synthetic import SyntheticFeed;"
        f"print([tuple(b) for b in islice(SyntheticFeed({seed}, 60), 700)])"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_a_seed_gives_the_same_bars_in_every_process_and_another_seed_others() -> None:
    assert digest(42) == digest(42) == f"{[tuple(bar) for bar in islice(SyntheticFeed(42, 60), 700)]}\n"
    assert digest(42) != digest(43)
    assert SyntheticFeed(42, 60).data_sha256 != SyntheticFeed(43, 60).data_sha256


@pytest.mark.parametrize("volatility", [0.3, 0.6, 1.2])
def test_volatility_is_near_what_was_asked_for_with_fat_tails(volatility: float) -> None:
    closes = np.array([bar.close for bar in SyntheticFeed(11, 60, volatility=volatility, bars=60_000)])
    returns = np.diff(np.log(closes))
    found = returns.std() * np.sqrt(YEAR_S / 60)
    kurtosis = ((returns - returns.mean()) ** 4).mean() / returns.var() ** 2
    assert found == pytest.approx(volatility, rel=0.25)
    assert kurtosis > 4.0  # a normal distribution has 3


def test_calm_and_stressed_times_take_turns() -> None:
    closes = np.array([bar.close for bar in SyntheticFeed(12, 60, bars=50_000)])
    hours = np.diff(np.log(closes))[:49_980].reshape(-1, 60).std(axis=1)
    assert np.quantile(hours, 0.95) > 2.0 * np.quantile(hours, 0.05)
    calm = hours < np.median(hours)
    assert (calm[1:] == calm[:-1]).mean() > 0.65  # and they last; by chance it would be a half


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"price": 0.0}, {"volatility": 0.0}, {"volatility": 10.0}])
def test_an_impossible_market_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(wrong)))):
        SyntheticFeed(**{"seed": 1, "bar_s": 60, **wrong})


def test_a_paced_feed_pauses_before_each_bar_but_the_warm_up_and_never_sleeps_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", None)  # whoever asks for the bars waits, so that it can be stopped
    items = list(PacedFeed(SyntheticFeed(1, 60, bars=12), 60.0, 5))
    assert [type(item) for item in items] == [Bar] * 6 + [Pause, Bar] * 6
    pauses = [item.seconds for item in items if type(item) is Pause]
    assert pauses == pytest.approx([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], abs=0.5)
