"""Brokers that cannot trade live, whatever the venue answers: a property of each class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import CALLS, LINE_FAULTS, SILENT, TAKEN, VenueDesk, client_of, no_patience, on_venue, patience

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeAuthenticationError,
    ExchangeError,
    OrderOutcomeUnknownError,
)
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.testing import LoopbackKey, LoopbackVenue, MarketSource, VenueFault, named_faults
from peaktrade_core.trading.events import Denial, Halt, Order, Submission, VenueAnswer
from peaktrade_core.venue.brokers import DemoBroker, ValidatingBroker
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.workspace.workspace import Workspace

SYMBOLS = ("BTC/EUR", "ETH/EUR")
PERP = "BTC/USD:USD"


def order(qty: float, purpose: str = "open", name: str = "o1") -> Order:
    return Order(0, datetime(2026, 1, 5, tzinfo=UTC), name, purpose, qty, 50_000.0, abs(qty) * 50_000.0)


@pytest.fixture(scope="module")
def spot() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7), MarketSource.synthetic(seed=8, symbol="ETH/EUR")) as running:
        yield running


def validator(spot: LoopbackVenue, fault: str = "") -> VenueClient:
    """Return a client that knows its markets and whose breaker never opens."""
    client = client_of(spot, "kraken", patience(fault)._replace(breaker_after=100_000, attempts=2))
    client.ask("load_markets")
    return client


@pytest.fixture(scope="module")
def validating(spot: LoopbackVenue) -> VenueClient:
    return validator(spot)


def check_nothing_is_ever_placed(venue: LoopbackVenue, broker: ValidatingBroker, placed: Order, name: str) -> None:
    """Submit under a fault; whatever happens, each order at the wire was one to validate, and none was taken."""
    venue.forget()
    silenced = suppress(ExchangeAuthenticationError)  # the one thing that ends a session here
    with venue.faults.during(VenueFault.named(name), path="AddOrder"), silenced:
        assert broker.submit(placed).message
    sent = venue.requests_to("AddOrder")
    assert len(sent) <= 1
    assert all(request.params.get("validate") == "true" for request in sent)
    assert venue.orders == ()


@settings(max_examples=120)
@given(
    name=st.sampled_from(sorted(named_faults().keys() - SILENT)),
    qty=st.floats(-1e6, 1e6).filter(bool),
    symbol=st.sampled_from(SYMBOLS),
    purpose=st.sampled_from(["open", "close"]),
)
def test_no_order_is_ever_more_than_validated(
    spot: LoopbackVenue, validating: VenueClient, name: str, qty: float, symbol: str, purpose: str
) -> None:
    check_nothing_is_ever_placed(spot, ValidatingBroker(validating, symbol), order(qty, purpose), name)


@pytest.mark.parametrize("name", sorted(SILENT))
def test_nor_when_the_venue_falls_silent(spot: LoopbackVenue, name: str) -> None:
    check_nothing_is_ever_placed(spot, ValidatingBroker(validator(spot, name), "BTC/EUR"), order(0.01), name)


def test_an_answer_without_content_validates_nothing(spot: LoopbackVenue, validating: VenueClient) -> None:
    broker = ValidatingBroker(validating, "BTC/EUR")
    for answer in ({"error": [], "result": {}}, {"error": [], "result": {"descr": None}}, {}, {"error": []}):
        with spot.faults.during(VenueFault.json(answer), path="AddOrder"):
            assert not broker.submit(order(0.01)).accepted, answer
    good = broker.submit(order(0.01))
    assert (good.accepted, good.message) == (True, "validated")
    assert good.raw == {"descr": {"order": "buy 0.01000000 XBTEUR @ market"}}


def test_a_venue_that_places_what_it_should_validate_stops_the_session(
    spot: LoopbackVenue, validating: VenueClient
) -> None:
    placed = {"error": [], "result": {"descr": {"order": "buy 0.01000000 XBTEUR @ market"}, "txid": ["OABC"]}}
    with (
        spot.faults.during(VenueFault.json(placed), path="AddOrder"),
        pytest.raises(OrderOutcomeUnknownError, match="placed order OABC although"),
    ):
        ValidatingBroker(validating, "BTC/EUR").submit(order(0.01))


def test_the_validating_broker_is_for_spot_only(spot: LoopbackVenue) -> None:
    with pytest.raises(ConfigError, match="krakenfutures is not validated"):
        ValidatingBroker(client_of(spot, "krakenfutures"), PERP)


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (lambda: VenueClient("krakenfutures"), r"reaches futures\.kraken\.com"),
        (lambda: VenueClient("kraken"), r"client of kraken reaches api\.kraken\.com"),
    ],
)
def test_the_demo_broker_is_refused_for_any_other_host(client: Callable[[], VenueClient], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        DemoBroker(client(), PERP, "p")


def test_the_demo_broker_takes_the_demo() -> None:
    assert DemoBroker(VenueClient("krakenfutures", demo=True), PERP, "p").asks_venue


@pytest.fixture
def futures() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol="BTC/USD", volatility=1.5)) as running:
        yield running


def broker_of(futures: LoopbackVenue, fault: str = "") -> DemoBroker:
    """Return a broker that knows its markets and whose breaker never opens."""
    client = client_of(futures, "krakenfutures", patience(fault)._replace(breaker_after=100_000, attempts=2))
    client.ask("load_markets")
    return DemoBroker(client, PERP, "s1")


@pytest.fixture
def demo(futures: LoopbackVenue) -> DemoBroker:
    return broker_of(futures)


def test_an_order_is_placed_and_a_close_only_reduces(futures: LoopbackVenue, demo: DemoBroker) -> None:
    opened = demo.submit(order(0.01))
    closed = demo.submit(order(-0.01, "close", "o2"))
    assert (opened.accepted, closed.accepted) == (True, True)
    first, second = futures.orders
    assert [(one.client_id, one.side, one.reduce_only) for one in (first, second)] == [
        ("s1-o1", 1, False),
        ("s1-o2", -1, True),
    ]
    assert opened.message == f"placed {first.id}"


def test_closing_what_is_not_held_is_refused_and_opens_nothing(futures: LoopbackVenue, demo: DemoBroker) -> None:
    assert not demo.submit(order(-0.01, "close")).accepted
    assert futures.futures.holdings == {}


NOT_TAKEN = [name for name in LINE_FAULTS if name not in TAKEN]


@pytest.mark.parametrize("name", TAKEN)
def test_a_lost_acknowledgement_is_found_again_and_nothing_is_sent_twice(name: str, futures: LoopbackVenue) -> None:
    futures.faults.add(VenueFault.named(name), path="sendorder", times=1)
    answer = broker_of(futures, name).submit(order(0.01))
    assert (answer.accepted, answer.message) == (True, "acknowledgement lost, found again by s1-o1")
    assert len(futures.requests_to("sendorder")) == len(futures.orders) == 1


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_an_order_that_never_arrived_is_refused(name: str, futures: LoopbackVenue) -> None:
    futures.faults.add(VenueFault.named(name), path="sendorder", times=1)
    answer = broker_of(futures, name).submit(order(0.01))
    assert not answer.accepted
    assert answer.message.startswith("never arrived: krakenfutures create_order: ")
    assert len(futures.requests_to("sendorder")) == 1
    assert futures.orders == ()


def test_an_acknowledgement_that_names_no_order_is_reconciled(futures: LoopbackVenue, demo: DemoBroker) -> None:
    for answer in ({"result": "success"}, {"result": "success", "sendStatus": {"status": "placed"}}):
        with futures.faults.during(VenueFault.json(answer), path="sendorder"):
            assert demo.submit(order(0.01)).message.startswith("never arrived")
    assert len(futures.requests_to("sendorder")) == 2


@pytest.mark.parametrize("name", ["insufficient_funds", "minimum_not_met", "rate_limited", "cancel_only"])
def test_a_clear_refusal_is_an_answer_and_nobody_looks_further(
    name: str, futures: LoopbackVenue, demo: DemoBroker
) -> None:
    futures.forget()
    futures.faults.add(VenueFault.named(name), path="sendorder")
    assert not demo.submit(order(0.01)).accepted
    assert [request.endpoint for request in futures.requests] == ["sendorder"]


def test_an_order_that_was_slow_to_arrive_is_still_found(futures: LoopbackVenue) -> None:
    """The venue shows it only at the second look."""
    futures.faults.add(VenueFault.named("lost_acknowledgement"), path="sendorder", times=1)
    empty = {"result": "success", "fills": [], "serverTime": "2026-01-01T00:00:00.000Z"}
    futures.faults.add(VenueFault.json(empty), path="fills", times=1)
    answer = broker_of(futures, "lost_acknowledgement").submit(order(0.01))
    assert (answer.accepted, len(futures.requests_to("fills"))) == (True, 2)


def test_what_cannot_be_reconciled_is_an_error_of_its_own(futures: LoopbackVenue) -> None:
    futures.faults.add(VenueFault.named("lost_acknowledgement"), path="sendorder", times=1)
    futures.faults.add(VenueFault.status(503), path="openorders|fills")
    with pytest.raises(OrderOutcomeUnknownError, match=r"order s1-o1: the outcome is unknown .* look at the venue"):
        broker_of(futures, "lost_acknowledgement").submit(order(0.01))
    assert len(futures.requests_to("sendorder")) == 1


def test_an_open_breaker_leaves_the_order_unsent_and_says_so(futures: LoopbackVenue) -> None:
    client = client_of(futures, "krakenfutures", CALLS._replace(attempts=1, breaker_after=2))
    broker = DemoBroker(client, PERP, "s1")
    with futures.faults.during(VenueFault.status(503)):
        for _ in range(2):
            with pytest.raises(ExchangeError):
                client.ask("fetch_open_orders", PERP)
    answer = broker.submit(order(0.01))
    assert not answer.accepted
    assert "2 calls in a row failed" in answer.message
    assert futures.requests_to("sendorder") == []


@pytest.fixture
def trading(
    workspace: Workspace,
    futures: LoopbackVenue,
    configure: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> VenueDesk:
    """Return a workspace on the demo venue."""
    return on_venue(workspace, futures, configure, monkeypatch, "krakenfutures")


FUTURES = {"mode": "testnet", "symbol": "BTC/USD-PERP", "steps": 60}


def test_a_session_in_the_demo_holds_there_what_it_says(trading: VenueDesk, futures: LoopbackVenue) -> None:
    ran = trading.session(**FUTURES)
    answers = ran.of(VenueAnswer)
    assert (ran.record.status, ran.record.error) == ("completed", None)
    assert len(answers) == len(ran.of(Submission)) == len(futures.orders) > 5
    assert (futures.futures.leverage, len(futures.requests_to("leveragepreferences"))) == ({"PF_XBTUSD": 1}, 1)
    assert all(answer.accepted for answer in answers)
    assert {one.reduce_only for one in futures.orders} == {True, False}
    sent = sum(one.side * float(one.filled) for one in futures.orders)
    held = sum(float(holding.size) for holding in futures.futures.holdings.values())
    assert sent == pytest.approx(held)


def test_an_order_that_stays_unknown_fails_the_session_and_halts_the_next(
    trading: VenueDesk, futures: LoopbackVenue, configure: Callable[[str, str], None]
) -> None:
    no_patience(configure)
    futures.faults.add(VenueFault.named("lost_acknowledgement"), path="sendorder", skip=2, times=1)
    futures.faults.add(VenueFault.status(503), path="openorders|fills")
    ran = trading.session(**FUTURES)
    assert ran.record.status == "failed"
    assert ran.record.error.startswith("OrderOutcomeUnknownError: order ")
    assert [halt.code for halt in ran.of(Halt)] == ["OrderOutcomeUnknownError"]
    assert len(futures.requests_to("sendorder")) == len(ran.of(Submission)) == len(ran.of(VenueAnswer)) + 1 == 3
    futures.faults.clear()
    after = trading.session(**FUTURES)
    assert (after.record.status, after.record.metrics["num_orders"]) == ("completed", 0)
    assert {denial.code for denial in after.of(Denial)} == {"HALTED"}
    (halted,) = [state for state in TradingStates.of(trading.workspace).everything() if state.state == "HALTED"]
    TradingStates.of(trading.workspace).set(
        halted.scope, "ACTIVE", by="ada", reason="looked at the venue", now=futures.clock.now()
    )
    assert trading.session(**FUTURES).record.metrics["num_orders"] > 3


def test_a_refused_key_ends_the_session_after_one_call(
    trading: VenueDesk, futures: LoopbackVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRAKEN_FUTURES_DEMO_API_KEY", "another-key")
    ran = trading.session(**FUTURES)
    assert ran.record.status == "failed"
    assert ran.record.error.startswith("ExchangeAuthenticationError: krakenfutures")
    assert [halt.code for halt in ran.of(Halt)] == ["ExchangeAuthenticationError"]
    assert len(futures.requests_to("leveragepreferences")) == 1, "the first question that takes a key"
    assert futures.requests_to("sendorder") == []
    assert [state.state for state in TradingStates.of(trading.workspace).everything() if state.state != "ACTIVE"] == [
        "HALTED"
    ]


def test_a_refused_key_on_spot_too(desk: VenueDesk, venue: LoopbackVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = LoopbackKey(venue.credentials.key, "d3Jvbmc=")
    monkeypatch.setenv("KRAKEN_TESTNET_API_SECRET", wrong.secret)
    ran = desk.session(mode="testnet")
    assert ran.record.error == 'ExchangeAuthenticationError: kraken {"error":["EAPI:Invalid signature"]}'
    assert len(venue.requests_to("AddOrder")) == 1


@pytest.mark.parametrize("name", ["insufficient_funds", "status_503", "truncated", "rate_limited"])
def test_five_refusals_in_a_row_halt_it(desk: VenueDesk, venue: LoopbackVenue, name: str) -> None:
    venue.faults.add(VenueFault.named(name), path="AddOrder")
    ran = desk.session(mode="testnet", steps=200)
    (halt,) = ran.of(Halt)
    assert (halt.code, halt.value) == ("CONSECUTIVE_REJECTS", 5.0)
    assert len(venue.requests_to("AddOrder")) == 5
    assert (ran.record.status, ran.record.metrics["risk_status"]) == ("failed", "red")
    assert ran.record.error.startswith("ExchangeOrderError: 5 orders in a row were refused")
    assert ran.record.metrics["orders_executed"] == 0


def test_a_testnet_session_without_faults_is_the_shadow_session_plus_answers(
    desk: VenueDesk, venue: LoopbackVenue
) -> None:
    began = venue.clock.seconds()
    shadow = desk.session()
    venue.clock.set(began)
    testnet = desk.session(mode="testnet")
    assert [line for line in testnet.story() if b'"submission"' not in line and b'"venue_answer"' not in line] == (
        shadow.story()
    )
    assert len(testnet.of(VenueAnswer)) > 5
