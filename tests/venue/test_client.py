"""The client against everything a venue can do: the right error, retries that end, and no order sent twice."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from rig import CALLS, LINE_FAULTS, QUICK, SILENT, TAKEN, client_of

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeAPIError,
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    InsufficientFunds,
    OrderOutcomeUnknownError,
)
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueFault, named_faults
from peaktrade_core.venue.client import CallPolicy, VenueClient
from peaktrade_core.venue.credentials import Credentials, find_credentials

PAIR, PERP = "BTC/EUR", "BTC/USD:USD"
NET, RATE, AUTH, API = (
    ExchangeNetworkError,
    ExchangeRateLimitError,
    ExchangeAuthenticationError,
    ExchangeAPIError,
)
ORDER, FUNDS, UNKNOWN = ExchangeOrderError, InsufficientFunds, OrderOutcomeUnknownError
LINE = (NET, UNKNOWN, UNKNOWN)
EXPECTED: dict[str, tuple[type[ExchangeError], type[ExchangeError], type[ExchangeError]]] = {
    **dict.fromkeys(
        LINE_FAULTS,
        LINE,
    ),
    **dict.fromkeys(
        ["rate_limit_text", "status_418", "status_429", "rate_limited", "order_rate_limited", "lockout"],
        (RATE, RATE, RATE),
    ),
    **dict.fromkeys(
        ["status_401", "wrong_key", "wrong_signature", "invalid_nonce", "permission_denied"], (AUTH, AUTH, AUTH)
    ),
    "insufficient_funds": (FUNDS, FUNDS, FUNDS),
    "minimum_not_met": (ORDER, ORDER, API),
    "unknown_pair": (API, API, API),
    "cancel_only": (ORDER, ORDER, ORDER),
    "invalid_arguments": (API, API, API),
}
HARMLESS = {"clock_skew", "outlier_bar", "missing_bars", "late_bars"}


@pytest.fixture(scope="module")
def shared() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7)) as running:
        yield running


@pytest.fixture
def calm(shared: LoopbackVenue) -> LoopbackVenue:
    """Return the shared venue without faults and with an empty log."""
    shared.faults.clear()
    shared.forget()
    return shared


Clients = Callable[[str], tuple[VenueClient, VenueClient]]


@pytest.fixture(scope="module")
def clients(shared: LoopbackVenue) -> Clients:
    """Return a function of a fault: a spot and a demo client that know their markets and whose breaker never opens."""

    @functools.cache
    def known(silent: bool) -> tuple[VenueClient, VenueClient]:
        policy = (QUICK if silent else CALLS)._replace(breaker_after=10_000, attempts=2)
        spot, demo = client_of(shared, "kraken", policy), client_of(shared, "krakenfutures", policy)
        spot.ask("load_markets")
        demo.ask("load_markets")
        return spot, demo

    return lambda fault: known(fault in SILENT)


def test_every_fault_is_in_the_table() -> None:
    assert EXPECTED.keys() | HARMLESS == named_faults().keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_fault(name: str, calm: LoopbackVenue, clients: Clients) -> None:
    spot, demo = clients(name)
    calm.forget()
    asked, validated, placed = EXPECTED[name]
    taken = len(calm.orders)
    with calm.faults.during(VenueFault.named(name), path="OHLC|AddOrder|sendorder"):
        with pytest.raises(ExchangeError) as candles:
            spot.ask("fetch_ohlcv", PAIR, "1m")
        with pytest.raises(ExchangeError) as on_spot:
            spot.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
        with pytest.raises(ExchangeError) as on_demo:
            demo.order("create_order", PERP, "market", "buy", 0.01, None, {"cliOrdId": name})
    assert (candles.type, on_spot.type, on_demo.type) == (asked, validated, placed)
    assert len(calm.requests_to("OHLC")) == (2 if asked.retryable else 1)
    assert len(calm.requests_to("AddOrder")) == len(calm.requests_to("sendorder")) == 1
    assert len(calm.orders) - taken == (name in TAKEN)
    for error in (candles, on_spot, on_demo):
        text = str(error.value)
        assert 10 < len(text) < 400
        assert calm.credentials.key not in text
        assert calm.credentials.secret not in text
    assert len(spot.ask("fetch_ohlcv", PAIR, "1m")) > 700


def test_retries_wait_longer_each_time_with_jitter_are_told_and_end(calm: LoopbackVenue) -> None:
    pauses: list[list[float]] = []
    for _ in range(20):
        waited: list[float] = []
        told: list[ExchangeError] = []
        client = client_of(calm, policy=CALLS._replace(attempts=5, backoff_s=1.0, longest_s=6.0), sleep=waited.append)
        client.ask("load_markets")
        client.on_retry = told.append
        calm.forget()
        with calm.faults.during(VenueFault.status(503), path="OHLC"), pytest.raises(NET):
            client.ask("fetch_ohlcv", PAIR, "1m")
        assert len(calm.requests_to("OHLC")) == 5
        assert len(told) == len(waited) == 4
        pauses.append(waited)
    columns = list(zip(*pauses, strict=True))
    assert all(len(set(column)) > 15 for column in columns)  # no two clients come back at the same moment
    assert all(max(column) <= bound for column, bound in zip(columns, (1.0, 2.0, 4.0, 6.0), strict=True))
    assert sum(columns[3]) > 2.0 * sum(columns[0])


def test_a_retry_that_works_returns_the_answer(calm: LoopbackVenue) -> None:
    client = client_of(calm)
    calm.faults.add(VenueFault.named("truncated"), path="OHLC", times=2)
    assert len(client.ask("fetch_ohlcv", PAIR, "1m")) > 700
    assert [request.fault for request in calm.requests_to("OHLC")] == ["truncated", "truncated", ""]


@pytest.mark.parametrize(
    "fault", [VenueFault.drip(600.0), VenueFault.hang(), VenueFault.delay(600.0)], ids=lambda fault: fault.name
)
def test_the_deadline_beats_the_slowest_answer(calm: LoopbackVenue, fault: VenueFault) -> None:
    client = client_of(calm, policy=CALLS._replace(timeout_s=600.0, deadline_s=1.0, attempts=1))
    client.ask("load_markets")
    with calm.faults.during(fault, path="OHLC"), pytest.raises(NET, match=r"kraken fetch_ohlcv: no answer within 1 s"):
        client.ask("fetch_ohlcv", PAIR, "1m")
    assert client.ask("fetch_ohlcv", PAIR, "1m")  # and the next call does not wait behind it


def test_an_order_that_was_given_up_is_not_sent_afterwards(calm: LoopbackVenue) -> None:
    client = client_of(calm, "krakenfutures", CALLS._replace(timeout_s=5.0, deadline_s=0.3, attempts=1))
    held = threading.Event()
    client.ask("load_markets")
    original = client._ccxt.sign

    def slow(*args: object, **kwargs: object) -> object:
        held.wait(2.0)  # as a throttle or a slow machine would
        return original(*args, **kwargs)

    client._ccxt.sign = slow
    with pytest.raises(UNKNOWN):
        client.order("create_order", PERP, "market", "buy", 0.01)
    held.set()
    time.sleep(0.3)
    assert calm.requests_to("sendorder") == []


def test_an_order_is_one_request_and_markets_that_cannot_be_loaded_leave_it_unsent(calm: LoopbackVenue) -> None:
    client = client_of(calm)
    with calm.faults.during(VenueFault.named("html"), path="Assets"), pytest.raises(ExchangeNetworkError) as error:
        client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
    assert error.type is ExchangeNetworkError  # not "outcome unknown": nothing was sent
    assert calm.requests_to("AddOrder") == []
    client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
    assert [request.endpoint for request in calm.requests][-1] == "AddOrder"


def test_the_breaker_opens_after_failures_in_a_row_and_closes_again(calm: LoopbackVenue) -> None:
    client = client_of(calm, policy=CALLS._replace(attempts=1, breaker_after=3, breaker_s=0.4))
    client.ask("load_markets")
    calm.forget()
    with calm.faults.during(VenueFault.status(503)):
        for _ in range(6):
            with pytest.raises(NET):
                client.ask("fetch_ohlcv", PAIR, "1m")
        with pytest.raises(NET, match=r"kraken: 3 calls in a row failed; the next attempt is due in \d+ s") as error:
            client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
        assert error.type is NET
    assert len(calm.requests) == 3
    time.sleep(0.45)
    assert client.ask("fetch_ohlcv", PAIR, "1m")
    for _ in range(2):  # and counts from nothing
        with calm.faults.during(VenueFault.status(503)), pytest.raises(NET):
            client.ask("fetch_ohlcv", PAIR, "1m")
    assert client.ask("fetch_ohlcv", PAIR, "1m")


def test_refusals_do_not_open_the_breaker(calm: LoopbackVenue) -> None:
    client = client_of(calm, policy=CALLS._replace(breaker_after=3))
    with calm.faults.during(VenueFault.refusal("insufficient_funds"), path="AddOrder"):
        for _ in range(6):
            with pytest.raises(FUNDS):
                client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
    assert len(calm.requests_to("AddOrder")) == 6


def test_orders_keep_their_pace(calm: LoopbackVenue) -> None:
    client = client_of(calm, policy=CALLS._replace(order_pace_s=0.15), sleep=time.sleep)
    client.ask("load_markets")
    began = time.monotonic()
    for _ in range(4):
        client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
    assert time.monotonic() - began >= 0.45


@pytest.mark.parametrize(
    "url",
    [
        "https://api.kraken.com",
        "http://127.0.0.1.example.com:80",
        "http://127.0.0.1@example.com",
        "http://10.0.0.1",
        "//example.com",
        "nonsense",
    ],
)
def test_a_base_url_that_leaves_this_machine_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="must be on this machine"):
        VenueClient("kraken", base_url=url)


def test_an_unknown_venue_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown venue 'krakan'; known: kraken"):
        VenueClient("krakan")


def test_nothing_in_ccxt_resends_or_follows_elsewhere(calm: LoopbackVenue) -> None:
    client = client_of(calm, policy=CALLS._replace(attempts=1))
    assert client._ccxt.options["maxRetriesOnFailure"] == 0
    client.ask("load_markets")
    calm.forget()
    with calm.faults.during(VenueFault.redirect_loop(), path="AddOrder"), pytest.raises(UNKNOWN):
        client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
    assert [request.endpoint for request in calm.requests] == ["AddOrder"]
    impatient = client_of(calm, policy=QUICK._replace(attempts=1))
    with calm.faults.during(VenueFault.hang()), pytest.raises(NET):
        impatient.ask("fetch_ohlcv", PAIR, "1m")
    assert (client._ccxt.session.max_redirects, client._ccxt.session.trust_env) == (0, False)


@pytest.mark.parametrize("demo", [False, True])
def test_the_hosts_of_a_client(demo: bool) -> None:
    hosts = VenueClient("krakenfutures", demo=demo).hosts
    assert hosts == ({"demo-futures.kraken.com"} if demo else {"futures.kraken.com"})


def test_a_secret_that_is_no_base64_is_an_authentication_error_that_does_not_show_it(calm: LoopbackVenue) -> None:
    client = client_of(calm, credentials=Credentials("canary-key", "canary-secret-not-base64!"))
    with pytest.raises(AUTH) as error:
        client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
    assert "canary" not in f"{error.value!r} {error.value.__cause__!r} {client!r} {vars(client)['_ccxt']!r}"
    assert calm.requests_to("AddOrder") == []


def test_a_key_that_http_cannot_carry_is_not_quoted_by_the_error(calm: LoopbackVenue) -> None:
    client = client_of(calm, credentials=Credentials("canary-key\n", calm.credentials.secret))
    with pytest.raises(ExchangeError) as error:
        client.order("create_order", PAIR, "market", "buy", 0.01, None, {"validate": True})
    chain = [error.value, error.value.__cause__, error.value.__cause__ and error.value.__cause__.__cause__]
    assert "canary" not in repr(chain)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_TESTNET_API_KEY", key)
    monkeypatch.setenv("KRAKEN_TESTNET_API_SECRET", "c2VjcmV0")
    with pytest.raises(AUTH, match="KRAKEN_TESTNET_API_KEY holds") as error:
        find_credentials("kraken")
    assert key not in str(error.value)
    monkeypatch.setenv("KRAKEN_TESTNET_API_KEY", "  pasted-key\n")
    assert find_credentials("kraken") == Credentials("pasted-key", "c2VjcmV0")


def test_the_shipped_patience_is_bounded() -> None:
    policy = CallPolicy()
    assert policy.attempts * policy.deadline_s + policy.attempts * policy.longest_s < 300.0
