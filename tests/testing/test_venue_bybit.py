"""The loopback venue as Bybit, and as Binance's USD-M futures: ccxt drives them unmodified, perpetuals among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from peaktrade_core.base import errors
from peaktrade_core.testing import LoopbackVenue, MarketSource, connect
from peaktrade_core.venue.faults import translate

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol=SPOT)) as running:
        yield running


@pytest.fixture(params=["bybit", "binance"])
def exchange(venue: LoopbackVenue, request: pytest.FixtureRequest) -> Any:
    found = getattr(ccxt, request.param)({"enableRateLimit": False})
    found.set_sandbox_mode(True)
    connect(found, venue).load_markets()
    return found


def test_markets_of_both_kinds_and_the_time(venue: LoopbackVenue, exchange: Any) -> None:
    markets = exchange.load_markets()
    assert {name: (one["type"], one["linear"], one.get("contractSize")) for name, one in markets.items()} == {
        SPOT: ("spot", None, None),
        PERP: ("swap", True, 1.0),
    }
    assert (markets[PERP]["precision"]["amount"], markets[PERP]["precision"]["price"]) == (0.0001, 0.01)
    assert exchange.fetch_time() == int(venue.clock.seconds() * 1000)


@pytest.mark.parametrize("symbol", [SPOT, PERP])
def test_candles_are_the_markets_own_and_come_page_by_page(venue: LoopbackVenue, exchange: Any, symbol: str) -> None:
    now = venue.clock.seconds()
    source = MarketSource.synthetic(seed=7, symbol=SPOT)
    first = source.first_ts
    rows = exchange.fetch_ohlcv(symbol, "1m", int(first * 1000), 100)
    bars = source.bars(60, now, 1_000_000)
    assert rows == [[int(b.ts * 1000), b.open, b.high, b.low, b.close, b.volume] for b in bars[:100]]
    assert exchange.fetch_ohlcv(symbol, "1m")[-1][0] == int(now // 60 * 60_000)  # the bar that is still open
    hours = exchange.fetch_ohlcv(symbol, "1h", int(first * 1000), 3)
    assert [row[5] for row in hours] == [pytest.approx(sum(b.volume for b in bars[n : n + 60])) for n in (0, 60, 120)]


def test_funding_is_told_after_it_fell_due_and_taken_from_who_holds(venue: LoopbackVenue, exchange: Any) -> None:
    begin = venue.clock.seconds()
    exchange.create_order(PERP, "market", "buy", 0.5)
    before = venue.futures.collateral
    venue.clock.advance(2 * 3600.0)
    told = exchange.fetch_funding_rate_history(PERP, int(begin * 1000) + 1, 10)
    market = venue.futures.markets["PF_XBTUSD"]
    assert [(row["timestamp"] / 1000.0, row["fundingRate"]) for row in told] == [
        (ts, float(rate)) for ts, rate in market.rates(begin, venue.clock.seconds())
    ]
    assert len(told) == 2
    exchange.fetch_positions([PERP])
    paid = sum(0.5 * market.price(row["timestamp"] / 1000.0) * row["fundingRate"] for row in told)
    assert float(before - venue.futures.collateral) == pytest.approx(paid)
    (held,) = exchange.fetch_positions([PERP])
    assert (held["side"], held["contracts"]) == ("long", 0.5)


def test_margin_tiers_and_leverage(exchange: Any) -> None:
    (tier,) = exchange.fetch_market_leverage_tiers(PERP)
    assert (tier["maintenanceMarginRate"], tier["maxLeverage"]) == (0.01, 50.0)
    assert exchange.set_leverage(2, PERP)
    assert refused(exchange, "set_leverage", 100, PERP) is errors.ExchangeAPIError


@pytest.mark.parametrize("symbol", [SPOT, PERP])
def test_an_order_rests_is_found_by_our_name_and_cancelled(venue: LoopbackVenue, exchange: Any, symbol: str) -> None:
    placed = exchange.create_order(symbol, "limit", "buy", 0.01, 1000.0, {"clientOrderId": "mine-1"})
    (resting,) = exchange.fetch_open_orders(symbol)
    assert (resting["id"], resting["clientOrderId"], resting["remaining"]) == (placed["id"], "mine-1", 0.01)
    exchange.cancel_order(resting["id"], symbol)
    assert exchange.fetch_open_orders(symbol) == []
    assert [one.status for one in venue.orders] == ["canceled"]


def test_a_wrong_key_a_wrong_signature_and_too_much_are_refused(venue: LoopbackVenue, exchange: Any) -> None:
    assert refused(exchange, "create_order", PERP, "market", "buy", 100.0) is errors.InsufficientFunds
    reduce = {"reduceOnly": True}
    assert refused(exchange, "create_order", PERP, "market", "sell", 0.01, None, reduce) is errors.ExchangeOrderError
    key, exchange.apiKey = exchange.apiKey, "another"
    assert refused(exchange, "fetch_open_orders", PERP) is errors.ExchangeAuthenticationError
    exchange.apiKey, exchange.secret = key, "another"
    assert refused(exchange, "fetch_open_orders", PERP) is errors.ExchangeAuthenticationError
    assert venue.orders == ()


def refused(exchange: Any, method: str, *args: Any) -> type[errors.ExchangeError]:
    """Return our class for the error that a call raises."""
    with pytest.raises(ccxt.BaseError) as caught:
        getattr(exchange, method)(*args)
    return type(translate(caught.value, (), exchange.id))


@pytest.mark.parametrize("symbol", [SPOT, PERP])
@pytest.mark.parametrize(
    ("state", "kind", "taken"),
    [("cancel_only", "limit", False), ("limit_only", "market", False), ("limit_only", "limit", True)],
)
def test_a_state_of_the_venue_closes_every_dialect_to_the_same_orders(
    venue: LoopbackVenue, exchange: Any, symbol: str, state: str, kind: str, taken: bool
) -> None:
    venue.state = state
    order = (symbol, kind, "buy", 0.001, 40_000.0 if kind == "limit" else None)
    if taken:
        assert exchange.create_order(*order)["id"]
    else:
        assert refused(exchange, "create_order", *order) is errors.ExchangeOrderError
    assert len(venue.orders) == taken


@pytest.mark.parametrize(("name", "price"), [("bybit", 0.1), ("binance", None)])
def test_a_market_order_below_the_least_cost_is_refused(name: str, price: float | None) -> None:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol="DOGE/USDT", price=0.1)) as venue:
        found = getattr(ccxt, name)({"enableRateLimit": False})
        found.set_sandbox_mode(True)
        connect(found, venue).load_markets()
        assert found.create_order("DOGE/USDT", "market", "buy", 20.0, price)
        assert refused(found, "create_order", "DOGE/USDT", "market", "buy", 1.0, price) is errors.ExchangeOrderError


def test_another_category_of_bybits_is_refused_and_breaks_nothing(venue: LoopbackVenue) -> None:
    bybit = connect(ccxt.bybit({"enableRateLimit": False}), venue)
    bybit.load_markets()
    bybit.create_order(PERP, "market", "buy", 0.01)
    for call in (bybit.privateGetV5OrderHistory, bybit.privateGetV5PositionList):
        with pytest.raises(ccxt.BadRequest):
            call({"category": "inverse"})


def test_the_maintenance_margin_does_not_follow_the_leverage(venue: LoopbackVenue) -> None:
    binance = ccxt.binanceusdm({"enableRateLimit": False})
    binance.set_sandbox_mode(True)
    connect(binance, venue)
    binance.set_leverage(2, PERP)
    binance.create_order(PERP, "market", "buy", 0.1)
    notional = 0.1 * venue.futures.markets["PF_XBTUSD"].price(venue.clock.seconds())
    (account,) = [one for one in binance.fapiPrivateV2GetAccount()["assets"] if one["asset"] == "USDT"]
    assert float(account["initialMargin"]) == pytest.approx(notional / 2)
    assert float(account["maintMargin"]) == pytest.approx(notional * 0.01)
