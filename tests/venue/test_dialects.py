"""The same hour of candles in the dialect of each venue, with faults: the same decisions, and the gaps accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rig import Ran, client_of, on_venue

from peaktrade_core.base.errors import ConfigError, ForbiddenRequestError, OrderOutcomeUnknownError
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock, VenueFault
from peaktrade_core.trading.events import BarDone, Gap, Notice, Order, Start
from peaktrade_core.venue.brokers import DemoBroker
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.feed import ExchangeFeed
from peaktrade_core.venue.places import addresses
from peaktrade_core.venue.stream import CandleStream, judge_stream, stream_places
from peaktrade_core.workspace.workspace import Workspace

SYMBOL = "BTC/USDT"
REPO = Path(__file__).resolve().parents[2]
Configure = Callable[[str, str], None]


def ran(home: Path, configure: Configure, keys: pytest.MonkeyPatch, name: str, spoil: Callable[[Any], None]) -> Ran:
    """Return an hour's session on a venue of its own that speaks as ``name`` does."""
    market = MarketSource.synthetic(seed=11, symbol=SYMBOL, volatility=1.5)
    with LoopbackVenue(market) as venue:
        desk = on_venue(Workspace(home), venue, configure, keys, name)
        spoil(venue)
        return desk.session(symbol=SYMBOL, mode="shadow")


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], tuple[Path, Configure]]:
    """Return a function that makes a workspace with the shipped configuration, and one that changes it."""

    def make() -> tuple[Path, Configure]:
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        path = home / "config" / "config.toml"
        path.parent.mkdir(parents=True)
        path.write_bytes((REPO / "config" / "config.toml").read_bytes())

        def change(old: str, new: str) -> None:
            text = path.read_text()
            assert text.count(old) == 1, old
            path.write_text(text.replace(old, new))

        return home, change

    return make


def decided(session: Ran) -> list[bytes]:
    """Return every event but the start and what the feed said of the line, byte for byte apart from its number."""
    return [
        msgspec.json.encode(msgspec.structs.replace(event, seq=0))
        for event in session.events
        if type(event) not in (Start, Notice)
    ]


def no_fault(_: LoopbackVenue) -> None:
    """Spoil nothing."""


def a_bad_line(venue: LoopbackVenue) -> None:
    """Let calls for candles fail in different ways now and then."""
    for number, name in enumerate(("reset", "html", "unavailable", "truncated", "status_502", "rate_limited")):
        venue.faults.add(VenueFault.named(name), path="OHLC|klines", skip=8 + 7 * number, times=1)


def a_hole(venue: LoopbackVenue) -> None:
    """Leave five minutes out."""
    hole = venue.clock.seconds() // 60 * 60 + 600.0
    venue.faults.add(VenueFault.hole(hole, hole + 240.0), path="OHLC|klines")


@pytest.mark.parametrize("spoil", [no_fault, a_bad_line, a_hole], ids=lambda one: one.__name__)
def test_the_same_hour_gives_the_same_decisions_in_each_dialect(
    spoil: Callable[[LoopbackVenue], None], fresh: Callable[[], tuple[Path, Configure]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = {name: ran(*fresh(), monkeypatch, name, spoil) for name in ("kraken", "binance")}
    kraken, binance = sessions["kraken"], sessions["binance"]
    assert {session.record.status for session in sessions.values()} == {"completed"}
    assert (kraken.record.env_name, binance.record.env_name) == ("kraken (loopback)", "binance (loopback)")
    assert len(kraken.of(BarDone)) >= 60
    assert decided(kraken) == decided(binance)
    missing = [gap.missing for gap in binance.of(Gap)]
    assert missing == ([5] if spoil is a_hole else [])


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol=SYMBOL)) as running:
        yield running


def sandbox(venue: LoopbackVenue) -> DemoBroker:
    """Return a broker of Binance's sandbox, on this machine."""
    return DemoBroker(client_of(venue, "binance", demo=True), SYMBOL, "p")


def order(number: int, qty: float = 0.01) -> Order:
    return Order(0, datetime(2026, 1, 5, tzinfo=UTC), f"o{number}", "open", qty, 50_000.0, abs(qty) * 50_000.0)


def test_the_sandbox_of_binance_takes_orders(venue: LoopbackVenue) -> None:
    broker = sandbox(venue)
    answers = [broker.submit(order(1)), broker.submit(order(2, -0.01)), broker.submit(order(3, 1e-6))]
    assert [answer.accepted for answer in answers] == [True, True, False]
    assert "LOT_SIZE" in answers[2].message
    assert [(one.client_id, one.side, one.status) for one in venue.orders] == [
        ("p-o1", 1, "closed"),
        ("p-o2", -1, "closed"),
    ]


def test_an_order_whose_acknowledgement_was_lost_is_found_again_and_not_sent_twice(venue: LoopbackVenue) -> None:
    broker = sandbox(venue)
    broker.submit(order(1))
    with venue.faults.during(VenueFault.named("lost_acknowledgement"), path="/order$"):
        answer = broker.submit(order(2))
    assert (answer.accepted, len(venue.orders)) == (True, 2)
    assert "found again by p-o2" in answer.message


@pytest.mark.parametrize("name", ["reset", "timeout", "busy", "html", "empty", "status_503"])
def test_an_order_that_never_arrived_is_known_not_to_have(venue: LoopbackVenue, name: str) -> None:
    broker = sandbox(venue)
    broker.submit(order(1))
    with venue.faults.during(VenueFault.named(name), path="/order$"):
        answer = broker.submit(order(2))
    assert (answer.accepted, len(venue.orders)) == (False, 1)
    assert answer.message.startswith("never arrived: ")


def test_a_venue_without_lists_of_orders_leaves_the_outcome_unknown(
    venue: LoopbackVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = sandbox(venue)
    broker.submit(order(1))
    monkeypatch.setattr(VenueClient, "has", property(lambda _: {"fetchOpenOrders": True}))
    with (
        venue.faults.during(VenueFault.named("reset"), path="/order$"),
        pytest.raises(OrderOutcomeUnknownError, match="p-o2"),
    ):
        broker.submit(order(2))


def test_a_long_warmup_is_asked_for_page_by_page(
    fresh: Callable[[], tuple[Path, Configure]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,300 bars: three pages of 500; Kraken's last page has 720."""
    market = MarketSource.synthetic(seed=11, symbol=SYMBOL)
    with LoopbackVenue(market, clock=VenueClock(market.first_ts + 3000 * 60.0)) as venue:
        home, configure = fresh()
        desk = on_venue(Workspace(home), venue, configure, monkeypatch, "binance")
        ran = desk.session(symbol=SYMBOL, warmup_candles=1300, steps=5)
        pages = [request.params["startTime"] for request in venue.requests_to("klines")][:6]
    assert ran.record.status == "completed"
    assert ran.of(Gap) == []
    assert int(pages[1]) - int(pages[0]) == 500 * 60_000
    with pytest.raises(ConfigError, match="kraken gives 719 closed bars at most"):
        ExchangeFeed(VenueClient("kraken"), SYMBOL, "1m", 60, history=1300, clock=desk.workspace.clock)


def caught_up(plan: Any, tries: int, bar_s: float = 60.0) -> Callable[[float], None]:
    """Return a step that lets the websocket tell the bar that is open now, as it would have long before in real time."""

    def each(now: float) -> None:
        for _ in range(tries):
            if plan.feed.stream.rows(now // bar_s * bar_s - bar_s):
                return
            time.sleep(0.01)

    return each


@pytest.mark.parametrize(
    "spoil", [no_fault, a_bad_line, a_hole, "broken"], ids=lambda one: getattr(one, "__name__", one)
)
def test_the_websocket_gives_the_same_events_as_rest_and_asks_far_less(
    spoil: Any, fresh: Callable[[], tuple[Path, Configure]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, sessions = {}, {}
    for websocket in ("false", "true"):
        with LoopbackVenue(MarketSource.synthetic(seed=11, symbol=SYMBOL, volatility=1.5)) as venue:
            home, configure = fresh()
            desk = on_venue(Workspace(home), venue, configure, monkeypatch, "binance")
            configure("websocket = false", f"websocket = {websocket}")
            if callable(spoil):
                spoil(venue)
                if spoil is a_hole:
                    hole = venue.clock.seconds() // 60 * 60 + 600.0
                    venue.faults.add(VenueFault.hole(hole, hole + 240.0), path="^/ws/")
            else:
                venue.faults.add(VenueFault.named("reset"), path="^/ws/", skip=40, times=2)
            plan = desk.plan(symbol=SYMBOL, mode="shadow")
            sessions[websocket] = desk.run(
                plan, caught_up(plan, 3 if spoil is a_hole else 300) if plan.feed.stream else lambda _: None
            )
            asked[websocket] = len(venue.requests_to("klines"))
    assert {one.record.status for one in sessions.values()} == {"completed"}
    assert decided(sessions["true"]) == decided(sessions["false"])
    assert asked["false"] > 60
    if spoil is no_fault:
        assert asked["true"] < 10


def test_a_stream_opens_websockets_of_its_venue_and_nothing_else() -> None:
    import ccxt.pro
    from yarl import URL

    upgrade = {"Upgrade": "websocket"}
    for name in ("binance", "kraken", "bybit", "okx", "coinbaseexchange"):
        places = stream_places(getattr(ccxt.pro, name)())
        assert places
        for url in (*addresses(getattr(ccxt.pro, name)()), "wss://elsewhere.test/ws", "ws://127.0.0.1:1/ws"):
            for method, headers in (("POST", {}), ("POST", upgrade), ("GET", {})):
                with pytest.raises(ForbiddenRequestError, match="not sent"):
                    judge_stream(places, method, URL(url), headers)
        for url in addresses(getattr(ccxt.pro, name)(), "ws"):
            judge_stream(places, "GET", URL(url), upgrade)
            with pytest.raises(ForbiddenRequestError):
                judge_stream(places, "GET", URL(url), upgrade, proxy="http://127.0.0.1:3128")


def test_a_venue_without_candles_by_websocket_says_so(venue: LoopbackVenue) -> None:
    with pytest.raises(ConfigError, match="krakenfutures has no candles there"):
        CandleStream(client_of(venue, "krakenfutures"), "BTC/USD:USD", "1m", 60)
