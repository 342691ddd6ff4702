"""ccxt's own krakenfutures client, in sandbox mode, on the venue: fills, positions, balances."""

from __future__ import annotations

import base64

import ccxt
import pytest

PERP = "BTC/USD:USD"


def test_the_sandbox_is_the_venue(demo, venue) -> None:
    assert demo.isSandboxModeEnabled
    assert demo.urls["api"]["private"].startswith(venue.url)
    assert demo.market(PERP)["id"] == "PF_XBTUSD"
    assert demo.market(PERP)["precision"] == {"amount": 0.0001, "price": 0.01}


def test_candles_and_ticker_show_the_same_market(demo, venue) -> None:
    venue.clock.advance(45.0)
    since = int(venue.clock.seconds() - 600) * 1000
    rows = demo.fetch_ohlcv(PERP, "1m", since=since)
    ticker = demo.fetch_ticker(PERP)
    assert len(rows) == 10
    assert rows[-1][0] == venue.clock.seconds() // 60 * 60 * 1000
    assert ticker["last"] == rows[-1][4] == demo.fetch_tickers()[PERP]["last"]
    assert demo.fetch_order_book(PERP)["asks"][0][0] == ticker["ask"]


def test_a_market_order_fills_and_everything_agrees(demo, venue) -> None:
    order = demo.create_order(PERP, "market", "buy", 0.01, None, {"clientOrderId": "c-1"})
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 0.01, "c-1")
    assert order["average"] == demo.fetch_ticker(PERP)["ask"]
    (position,) = demo.fetch_positions()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("long", 0.01, order["average"])
    (trade,) = demo.fetch_my_trades(PERP)
    assert (trade["order"], trade["price"], trade["amount"]) == (order["id"], order["average"], 0.01)
    fee = 0.01 * order["average"] * 0.0005
    assert demo.fetch_balance()["USD"]["total"] == pytest.approx(10_000.0 - fee)
    assert demo.fetch_order(order["id"])["status"] == "closed"


def funding(venue, size: float) -> float:
    """Return what a position paid in the last hour [USD]."""
    market, now = venue.futures.markets["PF_XBTUSD"], venue.clock.seconds()
    ((ts, rate),) = market.rates(now - 3600.0, now)
    return size * market.price(ts) * float(rate)


def test_a_round_trip_realizes_its_pnl(demo, venue) -> None:
    entry = demo.create_order(PERP, "market", "sell", 0.02)["average"]
    venue.clock.advance(3600.0)
    assert demo.fetch_positions()[0]["side"] == "short"
    leave = demo.create_order(PERP, "market", "buy", 0.02, None, {"reduceOnly": True})["average"]
    assert demo.fetch_positions() == []
    fees = 0.02 * (entry + leave) * 0.0005
    total = 10_000.0 + 0.02 * (entry - leave) - fees - funding(venue, -0.02)
    assert demo.fetch_balance()["USD"]["total"] == pytest.approx(total)


def test_a_position_turned_over_starts_at_the_new_price(demo, venue) -> None:
    first = demo.create_order(PERP, "market", "buy", 0.01)["average"]
    venue.clock.advance(3600.0)
    second = demo.create_order(PERP, "market", "sell", 0.03)["average"]
    (position,) = demo.fetch_positions()
    assert (position["side"], position["contracts"], position["entryPrice"]) == ("short", 0.02, second)
    fees = (0.01 * first + 0.03 * second) * 0.0005
    total = 10_000.0 + 0.01 * (second - first) - fees - funding(venue, 0.01)
    assert demo.fetch_balance()["USD"]["total"] == pytest.approx(total)


def test_a_resting_order_is_seen_and_cancelled(demo, venue) -> None:
    order = demo.create_order(PERP, "limit", "buy", 0.01, 40_000.0, {"clientOrderId": "c-2"})
    assert order["status"] == "open"
    assert [(one["id"], one["clientOrderId"]) for one in demo.fetch_open_orders()] == [(order["id"], "c-2")]
    assert demo.fetch_order(order["id"])["status"] == "open"
    assert demo.cancel_order(order["id"])["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        demo.cancel_order(order["id"])
    demo.create_order(PERP, "limit", "buy", 0.01, 40_000.0)
    demo.create_order(PERP, "limit", "sell", 0.01, 90_000.0)
    assert len(demo.cancel_all_orders(PERP)) == 2
    assert demo.fetch_open_orders() == []


def test_a_resting_order_fills_as_maker_when_the_market_meets_it(demo, venue) -> None:
    price = round(demo.fetch_ticker(PERP)["last"] * 0.999, 2)
    order = demo.create_order(PERP, "limit", "buy", 0.01, price)
    for _ in range(500):
        venue.clock.advance(60.0)
        if not demo.fetch_open_orders():
            break
    (trade,) = demo.fetch_my_trades(PERP)
    assert (trade["order"], trade["price"], trade["takerOrMaker"]) == (order["id"], price, "maker")


@pytest.mark.parametrize(
    ("order", "params", "error"),
    [
        ((PERP, "market", "buy", 1000.0, None), {}, ccxt.InsufficientFunds),
        ((PERP, "market", "buy", 0.01, None), {"size": "0.00001"}, ccxt.InvalidOrder),
        ((PERP, "market", "buy", 0.01, None), {"side": "up"}, ccxt.InvalidOrder),
        ((PERP, "market", "sell", 0.01, None), {"reduceOnly": True}, ccxt.ExchangeError),
        ((PERP, "limit", "buy", 0.01, 90_000.0), {"postOnly": True}, ccxt.OrderImmediatelyFillable),
        ((PERP, "market", "buy", 0.01, None), {"symbol": "PF_NOSUCH"}, ccxt.ExchangeNotAvailable),
    ],
)
def test_a_bad_order_is_refused(demo, venue, order, params, error) -> None:
    with pytest.raises(error):
        demo.create_order(*order, params)
    assert venue.orders == ()


def test_a_client_id_is_used_once(demo, venue) -> None:
    demo.create_order(PERP, "market", "buy", 0.01, None, {"clientOrderId": "once"})
    with pytest.raises(ccxt.DuplicateOrderId):
        demo.create_order(PERP, "market", "buy", 0.01, None, {"clientOrderId": "once"})
    assert len(venue.orders) == 1


def test_keys_and_signatures_are_verified(demo, venue, client) -> None:
    for wrong in ({"apiKey": "nobody"}, {"secret": base64.b64encode(b"another").decode()}):
        stranger = client("krakenfutures", venue, **({"apiKey": demo.apiKey, "secret": demo.secret} | wrong))
        with pytest.raises(ccxt.AuthenticationError):
            stranger.fetch_balance()
        with pytest.raises(ccxt.AuthenticationError):
            stranger.create_order(PERP, "market", "buy", 0.01)
    assert venue.orders == ()


def test_unknown_contracts_and_intervals_are_refused(demo) -> None:
    with pytest.raises(ccxt.BadSymbol):
        demo.publicGetTickersSymbol({"symbol": "PF_NOSUCH"})
    with pytest.raises(ccxt.BadRequest):
        demo.chartsGetPriceTypeSymbolInterval({"price_type": "trade", "symbol": "PF_XBTUSD", "interval": "7m"})
