"""The exchange feed: only closed bars, in order, each once; every hole and every failure told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rig import CALLS, QUICK, Offset, client_of, source_bars

from peaktrade_core.base.errors import ConfigError, ExchangeAPIError, ExchangeError, ExchangeNetworkError
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock, VenueFault
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.ports import FeedNotice, Item, Pause
from peaktrade_core.venue.feed import MOST_HISTORY, ExchangeFeed

PAIR, PERP = "BTC/EUR", "BTC/USD:USD"


def feed_of(venue: LoopbackVenue, *, history: int = 5, off_s: float = 0.0, **more: Any) -> ExchangeFeed:
    name = more.pop("name", "kraken")
    clock = Offset(venue.clock, off_s) if off_s else venue.clock
    symbol = PAIR if name == "kraken" else PERP
    return ExchangeFeed(
        client_of(venue, name, more.pop("policy", CALLS)), symbol, "1m", 60, history=history, clock=clock, **more
    )


def collect(
    feed: ExchangeFeed, clock: VenueClock, bars: int, each: Callable[[float], None] = lambda _: None
) -> tuple[list[Bar], list[FeedNotice]]:
    """Read ``bars`` bars, moving the clock at each pause; check for each that it is closed when it comes."""
    found: list[Bar] = []
    told: list[FeedNotice] = []
    for item in feed:
        if isinstance(item, Pause):
            each(clock.advance(item.seconds))
        elif isinstance(item, FeedNotice):
            told.append(item)
        else:
            assert item.ts + 60.0 <= clock.seconds(), "a bar that is still open"
            found.append(item)
            if len(found) == bars:
                break
    return found, told


def clean(found: list[Bar], market: MarketSource) -> bool:
    """Return whether bars are exactly the market's, in order and without a hole."""
    return found == source_bars(market, found[0].ts, len(found))


@pytest.fixture
def market() -> MarketSource:
    return MarketSource.synthetic(seed=7)


@pytest.fixture
def venue(market: MarketSource) -> Any:
    with LoopbackVenue(market) as running:
        yield running


@pytest.mark.parametrize("off_s", [0.0, 90.0, -90.0, 4000.0])
def test_only_closed_bars_come_by_the_venues_clock(venue: LoopbackVenue, market: MarketSource, off_s: float) -> None:
    venue.clock.advance(37.0)
    found, told = collect(feed_of(venue, off_s=off_s), venue.clock, 40)
    assert clean(found, market)
    assert found[4].ts == (venue.clock.seconds() - 60) // 60 * 60 - 35 * 60  # 5 of history, then one a minute
    notices = [(notice.code, round(notice.value or 0.0)) for notice in told]
    assert notices == ([("CLOCK_SKEW", -off_s)] if off_s else [])


def test_each_bar_is_asked_for_about_once(venue: LoopbackVenue) -> None:
    collect(feed_of(venue), venue.clock, 45)
    assert len(venue.requests_to("OHLC")) <= 42
    assert len(venue.requests_to("Time")) == 1


def test_a_clock_that_goes_wrong_later_is_noticed(venue: LoopbackVenue, market: MarketSource) -> None:
    feed = feed_of(venue, off_s=3.0)

    def each(_: float) -> None:
        feed._clock.seconds = 3.0 if venue.clock.seconds() < began + 1800.0 else -30.0

    began = venue.clock.seconds()
    found, told = collect(feed, venue.clock, 100, each)
    assert clean(found, market)
    assert [round(notice.value or 0.0) for notice in told] == [-3, 30]


@pytest.mark.parametrize("skew_s", [300.0, -100.0])
def test_a_wrong_time_of_the_venue_never_makes_an_open_bar_a_closed_one(
    venue: LoopbackVenue, market: MarketSource, skew_s: float
) -> None:
    venue.faults.add(VenueFault.clock_skew(skew_s), path="Time", times=1)
    found, told = collect(feed_of(venue), venue.clock, 90)
    assert clean(found, market)
    assert told[0].code == "CLOCK_SKEW"


@pytest.mark.parametrize("name", ["kraken", "krakenfutures"])
def test_an_answer_of_minutes_ago_gives_no_half_bar(name: str, market: MarketSource) -> None:
    usd = MarketSource.synthetic(seed=7, symbol="BTC/USD")
    with LoopbackVenue(usd if name == "krakenfutures" else market) as venue:
        venue.clock.advance(25.0)
        feed = feed_of(venue, name=name)
        venue.faults.add(VenueFault.late_bars(90.0), path="OHLC|charts", skip=3, times=40)
        found, _ = collect(feed, venue.clock, 60)
        assert clean(found, usd if name == "krakenfutures" else market)


def test_an_answer_that_stands_still_gives_no_half_bar(venue: LoopbackVenue, market: MarketSource) -> None:
    venue.clock.advance(25.0)
    kept: dict[str, list[Bar]] = {}
    frozen = VenueFault("frozen", bars=lambda bars: kept.setdefault("answer", bars))
    venue.faults.add(frozen, path="OHLC", skip=3, times=60)
    found, _ = collect(feed_of(venue), venue.clock, 60)
    assert clean(found, market)
    assert len([request for request in venue.requests if request.fault == "frozen"]) == 60


def test_the_history_comes_first_and_at_once(venue: LoopbackVenue, market: MarketSource) -> None:
    before = venue.clock.seconds()
    found, _ = collect(feed_of(venue, history=MOST_HISTORY - 1), venue.clock, MOST_HISTORY - 1)
    assert venue.clock.seconds() == before
    assert clean(found, market)


def test_without_history_the_first_bar_is_the_one_that_closes_next(venue: LoopbackVenue) -> None:
    began = venue.clock.seconds()
    (first,), _ = collect(feed_of(venue, history=0), venue.clock, 1)
    assert first.ts == began // 60 * 60


def test_more_history_than_the_venue_ever_gives_is_refused_before_it_is_asked(venue: LoopbackVenue) -> None:
    with pytest.raises(ConfigError, match=r"warmup_candles = 720: kraken gives 719 closed bars at most"):
        feed_of(venue, history=MOST_HISTORY)
    assert venue.requests == ()


def test_more_history_than_the_market_has_is_an_error_that_says_so() -> None:
    market = MarketSource.synthetic(seed=7)
    with LoopbackVenue(market, clock=VenueClock(market.first_ts + 60 * 100)) as venue:
        with pytest.raises(ExchangeAPIError, match=r"gives 100 closed bars, the warm-up needs 101; lower"):
            list(feed_of(venue, history=101))
        assert len(collect(feed_of(venue, history=100), venue.clock, 110)[0]) == 110


def test_what_was_missed_in_an_outage_is_backfilled_in_order(venue: LoopbackVenue, market: MarketSource) -> None:
    began = venue.clock.seconds()

    def each(now: float) -> None:
        venue.refuse() if began + 600 < now < began + 1800 else venue.accept()

    found, told = collect(feed_of(venue, patience_s=3600.0), venue.clock, 60, each)
    assert clean(found, market)
    codes = [notice.code for notice in told]
    assert codes.count("ExchangeNetworkError") > 15
    assert codes[-1] == "RECOVERED"
    assert told[-1].value == len(codes) - 1
    assert len(venue.requests_to("OHLC")) < 60  # one answer brought twenty bars


def test_an_outage_longer_than_the_patience_ends_with_its_class(venue: LoopbackVenue) -> None:
    feed = feed_of(venue, patience_s=300.0)
    began = venue.clock.seconds()
    venue.faults.add(VenueFault.status(503), path="OHLC", skip=3)
    with pytest.raises(ExchangeNetworkError, match="503"):
        collect(feed, venue.clock, 100)
    assert 300.0 < venue.clock.seconds() - began < 700.0


def test_a_hole_that_is_filled_late_is_waited_for(venue: LoopbackVenue, market: MarketSource) -> None:
    hole = venue.clock.seconds() // 60 * 60 + 600.0
    rule = venue.faults.add(VenueFault.hole(hole, hole + 60.0), path="OHLC")

    def each(now: float) -> None:
        if now > hole + 180.0 + 5.0:  # five seconds after the bar behind the hole has closed
            venue.faults.remove(rule)

    found, told = collect(feed_of(venue), venue.clock, 30, each)
    assert clean(found, market)
    assert told == []


def test_a_hole_that_stays_is_left_out(venue: LoopbackVenue, market: MarketSource) -> None:
    hole = venue.clock.seconds() // 60 * 60 + 600.0
    venue.faults.add(VenueFault.hole(hole, hole + 120.0), path="OHLC")
    found, _ = collect(feed_of(venue), venue.clock, 30)
    everything = source_bars(market, found[0].ts, 33)
    assert found == [bar for bar in everything if not hole <= bar.ts <= hole + 120.0]


def impossible(ts: float) -> VenueFault:
    """Return a fault that puts the high of one bar below its low."""
    return VenueFault(
        "impossible",
        bars=lambda bars: [bar._replace(high=bar.low / 2.0) if bar.ts == ts else bar for bar in bars],
    )


def test_an_impossible_bar_is_told_and_left_out(venue: LoopbackVenue, market: MarketSource) -> None:
    when = venue.clock.seconds() // 60 * 60 + 600.0
    venue.faults.add(impossible(when), path="OHLC")
    found, told = collect(feed_of(venue), venue.clock, 30)
    assert found == [bar for bar in source_bars(market, found[0].ts, 31) if bar.ts != when]
    (notice,) = told
    assert notice.code == "IMPOSSIBLE_BAR"
    assert "is below low" in notice.message


def test_rows_that_are_no_bars_are_passed_over(venue: LoopbackVenue, market: MarketSource) -> None:
    feed = feed_of(venue)
    original = feed.client._ccxt.fetch_ohlcv
    junk = [[None, 1, 1, 1, 1, 1], [], [61_000, 1.0, 1.0, 1.0, 1.0, 1.0]]
    feed.client._ccxt.fetch_ohlcv = lambda *args: junk + original(*args) + original(*args)[:3]
    found, told = collect(feed, venue.clock, 20)
    assert clean(found, market)
    assert told == []


def test_a_venue_that_answers_without_new_bars_is_told_once(venue: LoopbackVenue) -> None:
    began = venue.clock.seconds()
    rule = venue.faults.add(VenueFault.hole(began // 60 * 60 + 300.0, 1e12), path="OHLC")

    def each(now: float) -> None:
        if now > began + 1500.0:
            venue.faults.remove(rule)

    found, told = collect(feed_of(venue), venue.clock, 60, each)
    assert [notice.code for notice in told] == ["NO_BARS"]
    assert 300.0 <= (told[0].value or 0.0) < 360.0
    assert found[-1].ts - found[0].ts == 59 * 60


def quiet_market() -> MarketSource:
    """Return a market with minutes in which nobody traded."""
    full = MarketSource.synthetic(seed=7)
    bars = source_bars(full, full.first_ts, 1000)
    kept = [bar for n, bar in enumerate(bars) if n % 7 not in (3, 4)]
    return MarketSource("BTC/USD", kept, 60)


def test_the_futures_venue_leaves_quiet_minutes_out_and_is_taken_at_its_word() -> None:
    market = quiet_market()
    with LoopbackVenue(market, clock=VenueClock(market.first_ts + 60 * 700 + 30)) as venue:
        found, told = collect(feed_of(venue, name="krakenfutures", history=20), venue.clock, 120)
    everything = [bar for bar in market._bars if found[0].ts <= bar.ts <= found[-1].ts]
    assert found == everything
    assert told == []


@pytest.mark.parametrize("fault", [VenueFault.hang(), VenueFault.drip(3.0)], ids=lambda fault: fault.name)
def test_a_feed_gives_its_session_a_chance_to_look_around(venue: LoopbackVenue, fault: VenueFault) -> None:
    venue.faults.add(fault, path="OHLC", times=1)
    items = list[Item]()
    for item in feed_of(venue, policy=QUICK):
        items.append(item)
        if isinstance(item, Bar):
            break
    failed = next(at for at, item in enumerate(items) if isinstance(item, FeedNotice))
    assert Pause(0.0) in items[:failed]  # while the call was still on its way


def test_an_unknown_symbol_ends_it_at_once(venue: LoopbackVenue) -> None:
    feed = ExchangeFeed(client_of(venue), "XYZ/EUR", "1m", 60, history=5, clock=venue.clock)
    with pytest.raises(ExchangeError, match="XYZ/EUR"):
        list(feed)
