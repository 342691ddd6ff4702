"""The same hour of candles in the dialect of each venue, with faults: the same decisions, and the gaps accounted for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from rig import CALLS, Ran, client_of, on_venue, patience

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeAuthenticationError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    ForbiddenRequestError,
    InsufficientFunds,
    OrderOutcomeUnknownError,
)
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock, VenueFault
from peaktrade_core.trading.events import BarDone, Funding, Gap, Notice, Order, Start
from peaktrade_core.venue.brokers import DemoBroker
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.feed import ExchangeFeed
from peaktrade_core.venue.places import addresses
from peaktrade_core.venue.stream import CandleStream, judge_stream, stream_places
from peaktrade_core.workspace.workspace import Workspace

SYMBOL, PERP = "BTC/USDT", "BTC/USDT:USDT"
REPO = Path(__file__).resolve().parents[2]
Configure = Callable[[str, str], None]


LINE = "OHLC|kline"  # candles by REST, in each dialect
STREAM = "^/ws/"
PERPETUAL = """[instruments."BTC/USDT:USDT"]
kind = "derivatives"
maintenance_margin_pct = 1.0

[instruments."BTC/USDT"]"""
SPOKEN = [  # dialect, symbol
    ("kraken", SYMBOL),
    ("binance", SYMBOL),
    ("bybit", SYMBOL),
    ("binance", PERP),
    ("bybit", PERP),
]


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


def all_faults(venue: LoopbackVenue) -> None:
    """Let calls fail in different ways, break the websocket, and leave five minutes out."""
    for number, name in enumerate(("reset", "html", "unavailable", "truncated", "status_502", "rate_limited")):
        venue.faults.add(VenueFault.named(name), path=LINE, skip=8 + 7 * number, times=1)
    venue.faults.add(VenueFault.named("busy"), path="fundingRate|funding/history", skip=1, times=1)
    venue.faults.add(VenueFault.named("reset"), path=STREAM, skip=40, times=2)
    hole = venue.clock.seconds() // 60 * 60 + 600.0
    venue.faults.add(VenueFault.hole(hole, hole + 240.0), path=f"{LINE}|{STREAM}")


def caught_up(plan: Any, tries: int, bar_s: float = 60.0) -> Callable[[float], None]:
    """Return a step that lets the websocket tell the bar that is open now, as it would have long before in real time."""

    def each(now: float) -> None:
        for _ in range(tries):
            if plan.feed.stream.rows(now // bar_s * bar_s - bar_s):
                return
            time.sleep(0.01)

    return each


class Hour(NamedTuple):
    """An hour that was traded: the session, and how often candles were asked for by REST."""

    ran: Ran
    asked: int


Hours = Callable[..., Hour]


@pytest.fixture
def hour(fresh: Callable[[], tuple[Path, Configure]], monkeypatch: pytest.MonkeyPatch) -> Hours:
    """Return a function that runs an hour's session on a venue of its own."""

    def run(name: str, symbol: str, spoil: Callable[[LoopbackVenue], None], *, websocket: bool) -> Hour:
        with LoopbackVenue(MarketSource.synthetic(seed=11, symbol=SYMBOL, volatility=1.5)) as venue:
            home, configure = fresh()
            desk = on_venue(Workspace(home), venue, configure, monkeypatch, name)
            configure('[instruments."BTC/USDT"]', PERPETUAL)
            configure("websocket = false", f"websocket = {str(websocket).lower()}")
            spoil(venue)
            plan = desk.plan(symbol=symbol, mode="shadow", steps=70)
            each = caught_up(plan, 300 if spoil is no_fault else 3) if plan.feed.stream else lambda _: None
            session = desk.run(plan, each)
            return Hour(session, sum(bool(re.search(LINE, request.path)) for request in venue.requests))

    return run


def known(hour: Hours, symbol: str, spoil: Callable[[LoopbackVenue], None]) -> list[bytes]:
    """Return what an hour's session decides in the first dialect that has the market, by REST."""
    if (symbol, spoil) not in _KNOWN:
        _KNOWN[symbol, spoil] = decided(
            hour("kraken" if symbol == SYMBOL else "binance", symbol, spoil, websocket=False).ran
        )
    return _KNOWN[symbol, spoil]


_KNOWN: dict[Any, list[bytes]] = {}


@pytest.mark.parametrize("spoil", [no_fault, all_faults], ids=lambda one: one.__name__)
@pytest.mark.parametrize("websocket", [False, True], ids=["rest", "websocket"])
@pytest.mark.parametrize(("name", "symbol"), SPOKEN)
def test_the_same_hour_gives_the_same_decisions_in_each_dialect(
    name: str, symbol: str, websocket: bool, spoil: Callable[[LoopbackVenue], None], hour: Hours
) -> None:
    """Byte for byte, by REST and by websocket, on a good line and on a bad one with a hole: which is then a gap."""
    ran, asked = hour(name, symbol, spoil, websocket=websocket)
    assert (ran.record.status, ran.record.env_name) == ("completed", f"{name} (loopback)")
    assert len(ran.of(BarDone)) == 70
    assert decided(ran) == known(hour, symbol, spoil)
    assert [gap.missing for gap in ran.of(Gap)] == ([5] if spoil is all_faults else [])
    assert len(ran.of(Funding)) == (symbol == PERP)
    assert (asked < 15) if websocket and spoil is no_fault else (asked > 60)


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol=SYMBOL)) as running:
        yield running


SANDBOXES = pytest.mark.parametrize(("name", "symbol"), SPOKEN[1:])


def sandbox(venue: LoopbackVenue, name: str = "binance", symbol: str = SYMBOL, fault: str = "") -> DemoBroker:
    """Return a broker of a venue's sandbox, on this machine."""
    return DemoBroker(client_of(venue, name, patience(fault), demo=True), symbol, "p")


def order(number: int, qty: float = 0.01) -> Order:
    purpose = "open" if qty > 0.0 else "close"
    return Order(0, datetime(2026, 1, 5, tzinfo=UTC), f"o{number}", purpose, qty, 50_000.0, abs(qty) * 50_000.0)


@SANDBOXES
def test_a_sandbox_takes_orders(venue: LoopbackVenue, name: str, symbol: str) -> None:
    broker = sandbox(venue, name, symbol)
    answers = [broker.submit(order(1)), broker.submit(order(2, -0.01)), broker.submit(order(3, 1e-6))]
    assert [answer.accepted for answer in answers] == [True, True, False]
    assert "ExchangeOrderError" in answers[2].message
    assert [(one.client_id, one.side, one.status) for one in venue.orders] == [
        ("p-o1", 1, "closed"),
        ("p-o2", -1, "closed"),
    ]


@SANDBOXES
def test_a_closing_order_of_a_perpetual_only_reduces(venue: LoopbackVenue, name: str, symbol: str) -> None:
    answer = sandbox(venue, name, symbol).submit(order(1, -0.01))
    assert answer.accepted is (symbol != PERP and bool(venue.orders))
    if symbol == PERP:
        assert "educe" in answer.message
        assert venue.orders == ()


LEVERAGE = "/leverage$|/set-leverage$"
CONTRACTS = pytest.mark.parametrize("name", [name for name, symbol in SPOKEN if symbol == PERP])


def levered(venue: LoopbackVenue, name: str, prefix: str) -> DemoBroker:
    return DemoBroker(client_of(venue, name, demo=True, policy=CALLS._replace(attempts=1)), PERP, prefix, 2.0)


def levers(venue: LoopbackVenue) -> int:
    return sum(bool(re.search(LEVERAGE, request.path)) for request in venue.requests)


@CONTRACTS
def test_the_venue_is_told_the_leverage_before_anything_is_opened(venue: LoopbackVenue, name: str) -> None:
    """Once a session; a venue that calls it an error that nothing changes has done what was asked."""
    for prefix in ("a", "b"):
        broker = levered(venue, name, prefix)
        assert [broker.submit(order(number)).accepted for number in (1, 2)] == [True, True]
    assert (list(venue.futures.leverage.values()), levers(venue)) == ([2], 2)
    assert broker.submit(order(3, -0.01)).accepted
    assert levers(venue) == 2, "what closes asks for nothing"


@CONTRACTS
def test_nothing_is_opened_at_a_leverage_that_the_venue_does_not_take(venue: LoopbackVenue, name: str) -> None:
    broker = levered(venue, name, "a")
    with venue.faults.during(VenueFault.status(503), path=LEVERAGE):
        first = broker.submit(order(1))
    assert (first.accepted, venue.orders) == (False, ())
    assert f"nothing is opened: the leverage 2 of {PERP} could not be set" in first.message
    assert broker.submit(order(2)).accepted, "it is asked again"
    assert [one.client_id for one in venue.orders] == ["a-o2"]


def test_where_ccxt_cannot_set_a_leverage_the_answer_says_so(
    venue: LoopbackVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = levered(venue, "bybit", "a")
    monkeypatch.setitem(broker._client._ccxt.has, "setLeverage", None)
    told = [broker.submit(order(number)).message for number in (1, 2)]
    assert told[0].endswith("; the leverage there is bybit's own, which ccxt cannot set")
    assert "leverage" not in told[1]
    assert levers(venue) == 0


@SANDBOXES
def test_an_order_whose_acknowledgement_was_lost_is_found_again_and_not_sent_twice(
    venue: LoopbackVenue, name: str, symbol: str
) -> None:
    broker = sandbox(venue, name, symbol, "lost_acknowledgement")
    broker.submit(order(1))
    with venue.faults.during(VenueFault.named("lost_acknowledgement"), path="/order$|order/create"):
        answer = broker.submit(order(2))
    assert (answer.accepted, len(venue.orders)) == (True, 2)
    assert "found again by p-o2" in answer.message


@pytest.mark.parametrize("fault", ["reset", "timeout", "busy", "html", "empty", "status_503"])
@SANDBOXES
def test_an_order_that_never_arrived_is_known_not_to_have(
    venue: LoopbackVenue, name: str, symbol: str, fault: str
) -> None:
    broker = sandbox(venue, name, symbol)
    broker.submit(order(1))
    with venue.faults.during(VenueFault.named(fault), path="/order$|order/create"):
        answer = broker.submit(order(2))
    assert (answer.accepted, len(venue.orders)) == (False, 1)
    assert answer.message.startswith("never arrived: ")


REFUSED = {
    "wrong_key": ExchangeAuthenticationError,
    "wrong_signature": ExchangeAuthenticationError,
    "invalid_nonce": ExchangeAuthenticationError,
    "permission_denied": ExchangeAuthenticationError,
    "insufficient_funds": InsufficientFunds,
    "minimum_not_met": ExchangeOrderError,
    "cancel_only": ExchangeOrderError,
    "rate_limited": ExchangeRateLimitError,
    "order_rate_limited": ExchangeRateLimitError,
    "lockout": ExchangeRateLimitError,
    "unavailable": ExchangeNetworkError,
    "busy": ExchangeNetworkError,
    "timeout": ExchangeNetworkError,
}


@pytest.mark.parametrize("fault", REFUSED)
@pytest.mark.parametrize("name", ["kraken", "binance", "bybit"])
def test_each_refusal_is_the_same_error_in_each_dialect(venue: LoopbackVenue, name: str, fault: str) -> None:
    client = client_of(venue, name, demo=name != "kraken", policy=CALLS._replace(attempts=1))
    with venue.faults.during(VenueFault.named(fault), path=LINE), pytest.raises(REFUSED[fault]) as caught:
        client.ask("fetch_ohlcv", SYMBOL, "1m")
    assert type(caught.value) is REFUSED[fault]


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
