"""Downloading candles from a venue: only closed bars, what is missing and no more, and nothing lost on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from candle_files import SERIES, files

from peaktrade_core.base.errors import ConfigError, ExchangeError, UnknownNameError
from peaktrade_core.candles.fetch import Fetched, FetchProgress, fetch
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueFault
from peaktrade_core.trading.market import Bar
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.dialects import DIALECTS
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME
from tests.conftest import until

FIRST = 1767225600.0  # 2026-01-01, the market's first bar
NOON = FIRST + 720 * 60
FUTURE = Series("krakenfutures", "BTC/USD:USD", "1m")
Download = Callable[..., Fetched]


@pytest.fixture
def download(venue: LoopbackVenue, store: CandleStore, client: Callable[..., VenueClient]) -> Download:
    """Return a function that fetches into the workspace's store, or another."""

    def run(series: Series = SERIES, into: CandleStore | None = None, **options: Any) -> Fetched:
        name = "krakenfutures" if series == FUTURE else "kraken"
        return fetch(client(name), into or store, series, series.symbol, clock=venue.clock, **options)

    return run


def small_pages(monkeypatch: pytest.MonkeyPatch, bars: int) -> None:
    """Let the futures venue give so many bars in an answer."""
    monkeypatch.setitem(DIALECTS, "krakenfutures", DIALECTS["krakenfutures"]._replace(page=bars))


def expected(first: float, last: float, seed: int = 7) -> list[Bar]:
    """Return the market's own bars that open from ``first`` up to ``last``."""
    bars = MarketSource.synthetic(seed=seed).bars(60, last + 60, 100_000)
    return [bar for bar in bars if first <= bar.ts < last]


def test_closed_bars_come_and_the_open_one_does_not(venue: LoopbackVenue, store: CandleStore, download) -> None:
    venue.clock.advance(30.0)  # half a minute into a bar
    got = download(since=NOON - 3600)
    assert (got.new, got.wanted, got.missing, got.next_step) == (60, 60, (), "")
    bars = store.read(SERIES)
    assert [bars[n] for n in range(len(bars))] == expected(NOON - 3600, NOON)


def test_the_next_run_goes_on_after_the_last_stored_bar(venue: LoopbackVenue, store: CandleStore, download) -> None:
    download(since=NOON - 3600)
    venue.clock.advance(600.0)
    venue.forget()
    got = download()
    assert (got.since, got.new, got.known) == (NOON, 10, 0)
    (request,) = venue.requests_to("OHLC")
    assert request.params["since"] == str(int(NOON - 60)), "ccxt asks from one bar before"
    assert download().new == 0
    assert len(store.read(SERIES)) == 70


def test_a_venue_without_a_time_gives_no_bar_that_could_be_open_there(venue: LoopbackVenue, store, download) -> None:
    venue.clock.advance(30.0)
    assert download(FUTURE, since=NOON - 3600).new == 55
    assert store.last(FUTURE) == NOON - 360


def test_krakens_last_720_bars_are_all_there_is_and_it_says_so(download: Download) -> None:
    got = download(since=FIRST - 86_400)
    assert (got.new, got.wanted, got.bars_missing) == (719, 2160, 1441)
    assert [(stretch.first, stretch.bars) for stretch in got.missing] == [(FIRST - 86_400, 1441)]
    assert "kraken gives its last 720 bars at most" in got.next_step
    assert "opens at 2026-01-01 00:01 UTC" in got.next_step


def test_a_gap_in_the_middle_is_filled_without_asking_for_the_rest(
    venue: LoopbackVenue, store: CandleStore, tmp_path: Path, download: Download
) -> None:
    undisturbed = CandleStore(tmp_path / "undisturbed")
    download(into=undisturbed, since=NOON - 3600)
    with venue.faults.during(VenueFault.hole(NOON - 1800, NOON - 1500), path="OHLC"):
        holed = download(since=NOON - 3600)
    assert (holed.new, holed.bars_missing) == (54, 6)
    assert "the venue gave no bar there" in holed.next_step
    venue.forget()
    healed = download(since=NOON - 3600)
    assert (healed.new, healed.missing) == (6, ())
    assert venue.requests_to("OHLC")[0].params["since"] == str(int(NOON - 1860))
    assert files(store) == files(undisturbed)


def test_pages_come_in_order_and_each_is_on_the_disk_before_it_is_told(
    venue: LoopbackVenue, store: CandleStore, download: Download, monkeypatch
) -> None:
    small_pages(monkeypatch, 250)
    venue.clock.advance(300.0)
    seen: list[tuple[float, int, int]] = []

    def watch(page: FetchProgress) -> None:
        seen.append((page.until, page.new, len(store.read(FUTURE))))

    got = download(FUTURE, since=FIRST, until=NOON, watch=watch)
    assert [(until, new) for until, new, _ in seen] == [(FIRST + 15_000, 250), (FIRST + 30_000, 500), (NOON, 720)]
    assert all(new == stored for _, new, stored in seen)
    assert (got.new, got.missing) == (720, ())


@pytest.mark.parametrize(
    "fault",
    [
        "status_429",
        "rate_limit_text",
        "rate_limited",
        "hang",
        "truncated",
        "html",
        "empty",
        "json_null",
        "reset_in_body",
        "status_503",
    ],
)
def test_faults_on_the_way_leave_the_same_bytes(
    fault: str, venue: LoopbackVenue, store: CandleStore, tmp_path: Path, download: Download
) -> None:
    undisturbed = CandleStore(tmp_path / "undisturbed")
    download(into=undisturbed)
    rule = venue.faults.add(VenueFault.named(fault), path="OHLC", times=2)
    assert download().new == 719
    assert rule.applied == 2
    assert files(store) == files(undisturbed)


def test_a_venue_that_never_recovers_is_an_error_and_what_came_stays(
    venue: LoopbackVenue, store: CandleStore, download: Download, monkeypatch
) -> None:
    small_pages(monkeypatch, 250)
    venue.clock.advance(300.0)
    venue.faults.add(VenueFault.status(503), path="charts", skip=2)
    with pytest.raises(ExchangeError):
        download(FUTURE, since=FIRST, until=NOON)
    assert len(store.read(FUTURE)) == 500
    venue.faults.clear()
    assert download(FUTURE, since=FIRST, until=NOON).new == 220


def test_bars_that_cannot_be_true_are_told_and_asked_for_again(
    venue: LoopbackVenue, store: CandleStore, download: Download
) -> None:
    def zero(bars: list[Bar]) -> list[Bar]:
        return [Bar(bar.ts, 0.0, 0.0, 0.0, 0.0, 0.0) if bar.ts == NOON - 600 else bar for bar in bars]

    with venue.faults.during(VenueFault("zero", bars=zero), path="OHLC"):
        got = download(since=NOON - 3600)
    assert (got.new, got.refused, got.bars_missing) == (59, 1, 1)
    assert got.refusal == "2026-01-01 11:50:00 UTC: low = 0.0 is not positive"
    assert (download(since=NOON - 3600).new, len(store.read(SERIES))) == (1, 60)


def test_a_bar_that_the_venue_revises_is_told_and_kept_as_it_was(
    venue: LoopbackVenue, store: CandleStore, download: Download
) -> None:
    download(since=NOON - 3600, until=NOON - 60)
    before = store.read(SERIES)[58]
    with venue.faults.during(VenueFault.outlier_bar(2.0, ago=2), path="OHLC"):
        got = download(since=NOON - 7200)
    assert (got.new, got.known, got.differing) == (61, 58, 1)
    assert store.read(SERIES)[118] == before


def test_wrong_wishes_are_refused_before_anything_is_written(store: CandleStore, download: Download) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown symbol of kraken 'BTC/EUX'; known: BTC/EUR"):
        download(Series("kraken", "BTC/EUX", "1m"))
    with pytest.raises(UnknownNameError, match="unknown timeframe of kraken '1s'"):
        download(Series("kraken", "BTC/EUR", "1s"))
    with pytest.raises(ConfigError, match="leaves nothing to fetch"):
        download(since=NOON + 3600)
    assert files(store) == {}


SMALL_PAGES = (
    "from peaktrade_core.venue.dialects import DIALECTS as d; d['krakenfutures'] = d['krakenfutures']._replace(page=300); "
    "from peaktrade_core.cli import main; main()"
)


def test_a_killed_download_goes_on_and_ends_with_the_same_bytes(
    venue: LoopbackVenue, home: Path, tmp_path: Path, peaktrade, configure, download: Download
) -> None:
    """SIGKILL in the third page: what was reported is there, and the next run brings the rest."""
    venue.clock.set(FIRST + 1500 * 60)
    configure('venue = "kraken"', 'venue = "krakenfutures"')
    venue.faults.add(VenueFault.hang(), path="charts", skip=2)
    command = [sys.executable, "-c", SMALL_PAGES, "exchange", "fetch", "BTC/USD:USD", "--since", "2026-01-01"]
    late = {FIXED_CLOCK: "2026-01-02T01:05:00+00:00"}  # the venue tells no time, so that ours counts, less five minutes
    env = {**os.environ, HOME: str(home), **late}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        reported = [process.stderr.readline() for _ in range(2)]
        until(lambda: any(request.fault == "hang" for request in venue.requests))
        process.kill()
    assert reported[-1] == "  600 new bars up to 2026-01-01 10:00\n"
    venue.faults.clear()
    store, series = CandleStore.of_workspace(home), Series("krakenfutures-drill", "BTC/USD:USD", "1m")
    assert len(store.read(series)) == 600
    rest = json.loads(peaktrade("exchange", "fetch", "BTC/USD:USD", "--json", env=late).stdout)
    assert (rest["new"], rest["missing"]) == (900, [])
    undisturbed = CandleStore(tmp_path / "undisturbed")
    venue.clock.advance(300.0)
    download(FUTURE, into=undisturbed, since=FIRST)
    assert list(files(store).values()) == list(files(undisturbed).values())


def test_the_command_says_what_came_and_what_is_missing(venue: LoopbackVenue, peaktrade, store: CandleStore) -> None:
    ended = peaktrade("exchange", "fetch", "BTC/EUR", "--since", "2025-12-31T20:00")
    assert ended.code == 0, ended.stderr
    assert ended.stderr == "  719 new bars up to 2026-01-01 12:00\n"
    lines = ended.stdout.splitlines()
    assert lines[:4] == [
        "kraken-drill BTC/EUR 1m",
        "  asked for  2025-12-31 20:00 .. 2026-01-01 12:00",
        "  came       719 new bars stored",
        "  missing    241 of 960 bars",
    ]
    assert "kraken gives its last 720 bars at most" in ended.stdout
    again = peaktrade("exchange", "fetch", "BTC/EUR")
    assert "nothing: there is no closed bar since then" in again.stdout
    assert store.series() == [Series("kraken-drill", "BTC/EUR", "1m")], "a drill's candles never mix with a venue's"


def test_the_command_tells_retries_and_ends_with_eight_when_they_fail(venue: LoopbackVenue, peaktrade) -> None:
    venue.faults.add(VenueFault.status(503), path="OHLC", times=1)
    ended = peaktrade("exchange", "fetch", "BTC/EUR")
    assert (ended.code, ended.stderr.count("again after ExchangeNetworkError")) == (0, 1)
    venue.faults.add(VenueFault.refusal("unknown_pair"), path="OHLC")
    venue.clock.advance(60.0)
    failed = peaktrade("exchange", "fetch", "BTC/EUR")
    assert failed.code == 8
    assert failed.stderr.startswith("error: ExchangeAPIError: ")


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_a_time_that_is_none_is_a_wrong_option(venue: LoopbackVenue, peaktrade, text: str) -> None:
    ended = peaktrade("exchange", "fetch", "BTC/EUR", "--since", text)
    assert ended.code == 2
    assert "is not a time; write 2026-01-01" in ended.stderr
