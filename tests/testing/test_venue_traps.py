"""What ccxt makes of each fault: the traps that our own client must close. A new ccxt that behaves better fails here.

The table's columns: what ``fetch_ohlcv`` raises, or "nothing" where it returns an empty list without a word; what
``create_order`` raises on spot, where "no id" looks exactly like a successful validation; the same on futures; and how
many of the two orders the venue holds nevertheless.
"""

from __future__ import annotations

import binascii
import time

import ccxt
import pytest

from peaktrade_core.testing import VenueFault, named_faults

PAIR, PERP = "BTC/EUR", "BTC/USD:USD"
GARBAGE = ("nothing", "no id", "TypeError")
TRAPS = {  # fault: (fetch_ohlcv, create_order on spot, create_order on futures, orders taken on both)
    "hang": ("RequestTimeout", "RequestTimeout", "RequestTimeout", 0),
    "stall": ("RequestTimeout", "RequestTimeout", "RequestTimeout", 2),
    "reset": ("NetworkError", "NetworkError", "NetworkError", 0),
    "reset_in_body": ("NetworkError", "NetworkError", "NetworkError", 2),
    "wrong_length": ("NetworkError", "NetworkError", "NetworkError", 2),
    "short_length": (*GARBAGE, 2),
    "truncated": (*GARBAGE, 2),
    "html": (*GARBAGE, 0),
    "empty": (*GARBAGE, 0),
    "json_object": (*GARBAGE, 0),
    "json_null": (*GARBAGE, 0),
    "json_list": (*GARBAGE, 0),
    "no_result": (*GARBAGE, 0),
    "rate_limit_text": ("DDoSProtection", "DDoSProtection", "DDoSProtection", 0),
    "redirect_loop": ("ExchangeError", "ExchangeError", "ExchangeError", 0),
    "bad_gzip": ("ExchangeError", "ExchangeError", "ExchangeError", 2),
    "lost_acknowledgement": ("RequestTimeout", "RequestTimeout", "RequestTimeout", 2),
    "maintenance": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "status_401": ("AuthenticationError", "AuthenticationError", "AuthenticationError", 0),
    "status_403": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "status_404": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "status_408": ("RequestTimeout", "RequestTimeout", "RequestTimeout", 0),
    "status_418": ("DDoSProtection", "DDoSProtection", "DDoSProtection", 0),
    "status_429": ("RateLimitExceeded", "RateLimitExceeded", "RateLimitExceeded", 0),
    "status_500": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "status_502": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "status_503": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "status_504": ("RequestTimeout", "RequestTimeout", "RequestTimeout", 0),
    "wrong_key": ("AuthenticationError", "AuthenticationError", "AuthenticationError", 0),
    "wrong_signature": ("ExchangeError", "ExchangeError", "AuthenticationError", 0),
    "invalid_nonce": ("InvalidNonce", "InvalidNonce", "InvalidNonce", 0),
    "permission_denied": ("PermissionDenied", "PermissionDenied", "AuthenticationError", 0),
    "insufficient_funds": ("InsufficientFunds", "InsufficientFunds", "InsufficientFunds", 0),
    "minimum_not_met": ("InvalidOrder", "InvalidOrder", "BadRequest", 0),
    "unknown_pair": ("ExchangeError", "ExchangeError", "BadSymbol", 0),
    "rate_limited": ("DDoSProtection", "DDoSProtection", "RateLimitExceeded", 0),
    "order_rate_limited": ("DDoSProtection", "DDoSProtection", "RateLimitExceeded", 0),
    "lockout": ("DDoSProtection", "DDoSProtection", "RateLimitExceeded", 0),
    "unavailable": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "busy": ("ExchangeNotAvailable", "ExchangeNotAvailable", "ExchangeNotAvailable", 0),
    "timeout": ("ExchangeError", "ExchangeError", "ExchangeError", 0),
    "cancel_only": ("OnMaintenance", "OnMaintenance", "ContractUnavailable", 0),
    "invalid_arguments": ("BadRequest", "BadRequest", "BadRequest", 0),
}
SILENT = {"hang", "stall", "lost_acknowledgement"}  # only the client's timeout ends them
SHORT_MS = 300
HARMLESS = {"drip", "clock_skew", "outlier_bar", "missing_bars", "late_bars"}  # the answer is a good one for ccxt


def outcome(call) -> str:
    """Return the class of what a call raises, or a word for what it returns."""
    try:
        got = call()
    except Exception as error:
        return type(error).__name__
    if isinstance(got, list):
        return "rows" if got else "nothing"
    return "id" if got["id"] else "no id"


def test_every_fault_is_in_the_table() -> None:
    assert set(TRAPS) | HARMLESS == set(named_faults())


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name: str, venue, kraken, demo) -> None:
    candles, spot, futures, taken = TRAPS[name]
    if name in SILENT:
        kraken.timeout = demo.timeout = SHORT_MS
    with venue.faults.during(VenueFault.named(name)):
        assert outcome(lambda: kraken.fetch_ohlcv(PAIR)) == candles
        assert outcome(lambda: kraken.create_order(PAIR, "market", "buy", 0.01)) == spot
        assert outcome(lambda: demo.create_order(PERP, "market", "buy", 0.01)) == futures
    assert len(venue.orders) == taken
    kraken.timeout = 5000
    assert outcome(lambda: kraken.fetch_ohlcv(PAIR)) == "rows"


def test_load_markets_takes_garbage_for_an_exchange_without_markets(venue, kraken) -> None:
    with venue.faults.during(VenueFault.html()):
        assert kraken.load_markets(True) == {}


def test_the_timeout_counts_per_read_so_a_drip_runs_past_it(venue, kraken) -> None:
    kraken.timeout = 500
    venue.faults.add(VenueFault.drip(0.9), path="OHLC")
    before = time.monotonic()
    assert kraken.fetch_ohlcv(PAIR)
    assert time.monotonic() - before > 0.8 > kraken.timeout / 1000.0


def test_a_lost_acknowledgement_is_found_again_by_the_clients_own_id(venue, kraken) -> None:
    venue.faults.add(VenueFault.lost_acknowledgement(), path="AddOrder", times=1)
    kraken.timeout = SHORT_MS
    with pytest.raises(ccxt.RequestTimeout):
        kraken.create_order(PAIR, "limit", "buy", 0.01, 40_000.0, {"clientOrderId": "peak-9"})
    kraken.timeout = 5000
    (order,) = kraken.fetch_open_orders(params={"clientOrderId": "peak-9"})
    assert (order["clientOrderId"], order["amount"], order["price"]) == ("peak-9", 0.01, 40_000.0)


def test_retries_of_ccxt_turn_one_lost_acknowledgement_into_two_orders(venue, client) -> None:
    kraken = client("kraken", venue, options={"maxRetriesOnFailure": 1})
    venue.faults.add(VenueFault.lost_acknowledgement(cut=True), path="AddOrder", times=1)
    kraken.create_order(PAIR, "market", "buy", 0.01)
    assert len(venue.orders) == 2


def test_a_secret_that_is_not_base64_fails_outside_ccxts_tree(venue, client) -> None:
    kraken = client("kraken", venue, apiKey="key", secret="abc")
    with pytest.raises(binascii.Error):
        kraken.fetch_balance()


def test_a_refused_connection_is_a_network_error_and_passes(venue, kraken) -> None:
    venue.refuse()
    with pytest.raises(ccxt.NetworkError):
        kraken.fetch_ohlcv(PAIR)
    venue.accept()
    assert kraken.fetch_ohlcv(PAIR)


def test_futures_candles_asked_by_count_follow_the_machines_clock(venue, demo) -> None:
    assert demo.fetch_ohlcv(PERP, "1m", limit=5) == []  # ccxt asks for the last five minutes of the machine's clock
    since = int(venue.clock.seconds() - 300) * 1000
    assert len(demo.fetch_ohlcv(PERP, "1m", since=since, limit=5)) == 5


def test_a_validated_order_under_a_fault_of_funds_still_validates_nothing_else(venue, kraken) -> None:
    venue.faults.add(VenueFault.refusal("minimum_not_met"), path="AddOrder", times=1)
    with pytest.raises(ccxt.InvalidOrder, match="minimum"):
        kraken.create_order(PAIR, "market", "buy", 0.01, None, {"validate": True})
    kraken.create_order(PAIR, "market", "buy", 0.01, None, {"validate": True})
    assert venue.orders == ()
