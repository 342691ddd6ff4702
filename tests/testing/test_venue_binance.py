"""The loopback venue as Binance: ccxt drives it unmodified, for candles, markets, the account and orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from peaktrade_core.base import errors
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueFault, connect
from peaktrade_core.venue.faults import translate

SYMBOL = "BTC/USDT"


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol=SYMBOL)) as running:
        yield running


@pytest.fixture
def binance(venue: LoopbackVenue) -> Any:
    exchange = ccxt.binance({"enableRateLimit": False})
    exchange.set_sandbox_mode(True)
    return connect(exchange, venue)


def test_markets_and_time(venue: LoopbackVenue, binance: Any) -> None:
    market = binance.load_markets()[SYMBOL]
    assert (market["precision"]["price"], market["precision"]["amount"], market["spot"]) == (0.01, 1e-8, True)
    assert market["limits"]["amount"]["min"] == 0.00005
    assert binance.fetch_time() == int(venue.clock.seconds() * 1000)


def test_candles_are_the_markets_own_and_come_page_by_page(venue: LoopbackVenue, binance: Any) -> None:
    now = venue.clock.seconds()
    source = MarketSource.synthetic(seed=7, symbol=SYMBOL)
    first = source.first_ts
    rows = binance.fetch_ohlcv(SYMBOL, "1m", int(first * 1000), 100)
    bars = source.bars(60, now, 1_000_000)
    assert rows == [[int(b.ts * 1000), b.open, b.high, b.low, b.close, b.volume] for b in bars[:100]]
    newest = binance.fetch_ohlcv(SYMBOL, "1m")
    assert len(newest) == 500
    assert newest[-1][0] == int(now // 60 * 60_000)  # the bar that is still open
    hours = binance.fetch_ohlcv(SYMBOL, "1h", int(first * 1000), 3)
    assert [row[5] for row in hours] == [pytest.approx(sum(b.volume for b in bars[n : n + 60])) for n in (0, 60, 120)]


def test_an_order_is_filled_found_and_its_fee_taken(venue: LoopbackVenue, binance: Any) -> None:
    order = binance.create_order(SYMBOL, "market", "buy", 0.01, None, {"newClientOrderId": "mine-1"})
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 0.01, "mine-1")
    assert [one["clientOrderId"] for one in binance.fetch_orders(SYMBOL)] == ["mine-1"]
    assert [one["order"] for one in binance.fetch_my_trades(SYMBOL)] == [order["id"]]
    assert binance.fetch_balance()["BTC"]["free"] == 0.01
    resting = binance.create_order(SYMBOL, "limit", "buy", 0.01, 1000.0)
    assert [one["id"] for one in binance.fetch_open_orders(SYMBOL)] == [resting["id"]]
    assert binance.cancel_order(resting["id"], SYMBOL)["status"] == "canceled"
    assert len(venue.orders) == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("wrong_key", errors.ExchangeAuthenticationError),
        ("wrong_signature", errors.ExchangeAuthenticationError),
        ("invalid_nonce", errors.ExchangeAuthenticationError),
        ("insufficient_funds", errors.InsufficientFunds),
        ("minimum_not_met", errors.ExchangeOrderError),
        ("unknown_pair", errors.ExchangeAPIError),
        ("rate_limited", errors.ExchangeRateLimitError),
        ("order_rate_limited", errors.ExchangeRateLimitError),
        ("lockout", errors.ExchangeRateLimitError),
        ("unavailable", errors.ExchangeNetworkError),
        ("busy", errors.ExchangeNetworkError),
        ("timeout", errors.ExchangeNetworkError),
        ("status_503", errors.ExchangeNetworkError),
    ],
)
def test_refusals_are_binances_own_and_find_our_class(
    venue: LoopbackVenue, binance: Any, name: str, kind: type[Exception]
) -> None:
    binance.load_markets()
    with venue.faults.during(VenueFault.named(name), path="order"), pytest.raises(ccxt.BaseError) as caught:
        binance.create_order(SYMBOL, "market", "buy", 0.01)
    assert type(translate(caught.value, (), "binance")) is kind
    assert venue.orders == ()


def test_a_key_that_is_not_the_venues_opens_nothing(venue: LoopbackVenue, binance: Any) -> None:
    binance.load_markets()
    binance.secret = "another"
    with pytest.raises(ccxt.AuthenticationError, match="Signature for this request is not valid"):
        binance.create_order(SYMBOL, "market", "buy", 0.01)
    binance.apiKey = "another"
    with pytest.raises(ccxt.AuthenticationError, match="Invalid API-key"):
        binance.fetch_balance()
    assert venue.orders == ()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"symbol": "NOPE", "interval": "1m"}, -1121),
        ({"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "1m", "limit": "x"}, -1100),
        ({"interval": "1m"}, -1102),
    ],
)
def test_what_is_asked_wrongly_is_refused_by_code(binance: Any, given: dict[str, str], code: int) -> None:
    with pytest.raises(ccxt.ExchangeError, match=str(code)):
        binance.publicGetKlines(given)
