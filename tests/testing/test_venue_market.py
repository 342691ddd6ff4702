"""What the venue shows of its candles at any moment, and that its clock moves as told."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.testing import MarketSource, VenueClock
from peaktrade_core.testing.market import partial
from peaktrade_core.trading.market import Bar, bar_fault

RISING = Bar(0.0, 100.0, 112.0, 94.0, 106.0, 30.0)
MINUTES = [Bar(60.0 * n, 100.0 + n, 101.5 + n, 99.5 + n, 101.0 + n, 1.0 + n) for n in range(10)]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, Bar(0.0, 100.0, 100.0, 100.0, 100.0, 0.0)),
        (1 / 6, Bar(0.0, 100.0, 100.0, 97.0, 97.0, 5.0)),
        (0.5, Bar(0.0, 100.0, 103.0, 94.0, 103.0, 15.0)),
        (5 / 6, Bar(0.0, 100.0, 112.0, 94.0, 109.0, 25.0)),
        (1.0, RISING),
    ],
)
def test_an_open_bar_grows_into_the_closed_one(share: float, expected: Bar) -> None:
    assert partial(RISING, share, 2) == pytest.approx(expected)


@given(seed=st.integers(0, 50), now=st.floats(1_767_225_600.0, 1_767_225_600.0 + 40_000.0))
def test_every_bar_shown_is_possible_and_no_bar_comes_from_the_future(seed: int, now: float) -> None:
    bars = MarketSource.synthetic(seed=seed).bars(300, now)
    assert all(not bar_fault(bar) for bar in bars)
    assert bars[-1].ts <= now
    assert bars[-1].close == MarketSource.synthetic(seed=seed).price(now)


def test_closed_bars_are_exactly_those_of_the_file(candles) -> None:
    path = candles("kraken_BTC-EUR_1m_20200206-20200207")
    market, file = MarketSource.from_file(path, "BTC/EUR", 60), read_candles(path)
    seen = market.bars(60, file.ts[-1] + 60.0)
    assert market.pair.decimals == 1
    assert seen[:-1] == [file[row] for row in range(len(file))]
    assert seen[-1].volume == 0.0


def test_coarse_bars_merge_fine_ones_and_the_last_is_open() -> None:
    market = MarketSource("BTC/EUR", MINUTES, 60)
    closed, open_ = market.bars(300, 420.0)
    assert closed == Bar(0.0, 100.0, 105.5, 99.5, 105.0, 15.0)
    assert open_ == Bar(300.0, 105.0, 107.5, 104.5, 107.0, 13.0)


def test_asking_later_and_then_earlier_again_gives_the_same_answer() -> None:
    market = MarketSource("BTC/EUR", MINUTES, 60)
    before = market.bars(300, 420.0)
    market.bars(300, 600.0)
    assert market.bars(300, 420.0) == before


def test_a_minute_without_trades_is_flat_on_spot_and_absent_elsewhere() -> None:
    market = MarketSource("BTC/EUR", [bar for bar in MINUTES if bar.ts not in (120.0, 180.0)], 60)
    flat = market.bars(60, 300.0)
    assert [bar.ts for bar in flat] == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]
    assert flat[2] == Bar(120.0, 102.0, 102.0, 102.0, 102.0, 0.0)
    assert [bar.ts for bar in market.bars(60, 300.0, flat=False)] == [0.0, 60.0, 240.0, 300.0]


def test_an_aligned_market_has_its_history_behind_the_given_moment() -> None:
    market = MarketSource.synthetic(seed=3).aligned(1_900_000_030.0, history=100)
    assert market.first_ts == 1_900_000_030.0 // 60 * 60 - 6000
    assert [bar[1:] for bar in market.bars(60, 1_900_000_030.0)[:-1]] == [
        bar[1:] for bar in MarketSource.synthetic(seed=3).bars(60, 1_767_225_600.0 + 6000)[:-1]
    ]


def test_an_unfit_interval_or_symbol_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be made of"):
        MarketSource("BTC/EUR", MINUTES, 60).bars(90, 300.0)
    with pytest.raises(ConfigError, match="BASE/QUOTE"):
        MarketSource("BTCEUR", MINUTES, 60)
    with pytest.raises(ConfigError, match="no bars"):
        MarketSource("BTC/EUR", [], 60)


@pytest.mark.parametrize(
    ("symbol", "spot", "future"),
    [
        ("BTC/EUR", "XXBTZEUR", "PF_XBTUSD"),
        ("ETH/CAD", "XETHZCAD", "PF_ETHUSD"),
        ("XTZ/BTC", "XTZXBT", "PF_XTZUSD"),
        ("BTC/USDT", "XBTUSDT", "PF_XBTUSD"),
    ],
)
def test_pairs_have_krakens_names(symbol: str, spot: str, future: str) -> None:
    pair = MarketSource(symbol, MINUTES, 60).pair
    assert (pair.id, pair.futures_id) == (spot, future)


def test_the_clock_stands_until_moved() -> None:
    clock = VenueClock(1000.0)
    assert clock.seconds() == clock.seconds() == 1000.0
    assert clock.advance(3600.0) == 4600.0
    clock.sleep(400.0)
    assert clock.seconds() == 5000.0
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_accelerated_clock_passes_an_hour_in_a_blink() -> None:
    clock = VenueClock(0.0, speed=36_000.0)
    before = time.monotonic()
    clock.sleep(3600.0)
    assert clock.seconds() >= 3600.0
    assert time.monotonic() - before < 60.0
    clock.speed = 0.0
    assert clock.seconds() == clock.seconds()


def test_before_the_first_bar_the_price_is_its_open() -> None:
    market = MarketSource("BTC/EUR", MINUTES, 60)
    assert market.price(market.first_ts - 600.0) == MINUTES[0].open
