"""ccxt's own kraken client on the venue, and the venue's answers as the real one writes them."""

from __future__ import annotations

import base64
import http.client
import json
import re
from typing import Any

import ccxt
import pytest

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock, connect

PAIR = "BTC/EUR"
BUY = (PAIR, "market", "buy", 0.01)


def get(venue: LoopbackVenue, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", int(venue.url.rsplit(":", 1)[1]), timeout=30)
    connection.request("GET", path)
    body = json.loads(connection.getresponse().read())
    connection.close()
    return body


def test_markets_carry_precision_limits_and_fees(kraken) -> None:
    market = kraken.market(PAIR)
    assert (market["id"], market["altname"], market["active"]) == ("XXBTZEUR", "XBTEUR", True)
    assert market["precision"] == {"amount": 1e-8, "price": 0.01}
    assert market["limits"]["amount"]["min"] == 0.00005
    assert market["limits"]["cost"]["min"] == 0.5
    assert (market["taker"], market["maker"]) == (0.0026, 0.0016)
    assert kraken.markets_by_id["XXBTZEUR"][0]["info"]["tick_size"] == "0.01"


def test_time_and_status(kraken, venue) -> None:
    assert kraken.fetch_time() == int(venue.clock.seconds()) * 1000
    assert kraken.fetch_status()["status"] == "ok"
    venue.clock.skew_s = 300.0
    assert kraken.fetch_time() == (int(venue.clock.seconds()) + 300) * 1000
    venue.state = "maintenance"
    assert kraken.fetch_status()["status"] == "maintenance"


def test_candles_end_with_the_bar_that_is_still_open(kraken, venue) -> None:
    venue.clock.advance(30.0)
    opens = venue.clock.seconds() // 60 * 60 * 1000
    before = kraken.fetch_ohlcv(PAIR, "1m")
    assert len(before) == 720
    assert before[-1][0] == opens
    venue.clock.advance(60.0)
    after = kraken.fetch_ohlcv(PAIR, "1m")
    assert after[-3] == before[-2]
    assert after[-2] != before[-1]
    assert after[-2][0] == before[-1][0]


def test_since_is_exclusive_and_ccxt_asks_one_bar_earlier(kraken, venue) -> None:
    since = int(venue.clock.seconds() - 600) * 1000
    rows = kraken.fetch_ohlcv(PAIR, "1m", since=since)
    assert rows[0][0] == since
    asked = venue.requests_to("OHLC")[-1].params["since"]
    assert asked == str(since // 1000 - 60)
    sent = get(venue, f"/0/public/OHLC?pair=XBTEUR&since={asked}")["result"]["XXBTZEUR"]
    assert sent[0][0] == since // 1000
    assert len(kraken.fetch_ohlcv(PAIR, "1m", since=0)) == 720


def test_candles_on_the_wire_are_written_as_recorded(venue) -> None:
    result = get(venue, "/0/public/OHLC?pair=XBTEUR&interval=5")["result"]
    row = result["XXBTZEUR"][-2]
    assert [type(value) for value in row] == [int, str, str, str, str, str, str, int]
    assert all(re.fullmatch(r"\d+\.\d{2}", text) for text in row[1:6])
    assert re.fullmatch(r"\d+\.\d{8}", row[6])
    assert result["last"] == row[0]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/0/public/OHLC?pair=NOSUCH", "EQuery:Unknown asset pair"),
        ("/0/public/OHLC", "EGeneral:Invalid arguments"),
        ("/0/public/OHLC?pair=XBTEUR&interval=7", "EGeneral:Invalid arguments:interval"),
        ("/0/public/Assets?asset=NOSUCH", "EQuery:Unknown asset"),
        ("/0/public/Nothing", "EGeneral:Unknown method"),
        ("/0/private/Balance", "EGeneral:Invalid arguments"),
    ],
)
def test_refusals_are_in_krakens_words(venue, path: str, error: str) -> None:
    assert get(venue, path) == {"error": [error]}


def test_ticker_agrees_with_the_open_candle(kraken, venue) -> None:
    venue.clock.advance(45.0)
    ticker, candle = kraken.fetch_ticker(PAIR), kraken.fetch_ohlcv(PAIR, "1m")[-1]
    assert ticker["last"] == ticker["bid"] == candle[4]
    assert ticker["ask"] == pytest.approx(candle[4] + 0.01)
    assert ticker["low"] <= candle[3] <= candle[2] <= ticker["high"]


def test_a_validated_order_is_checked_and_never_taken(kraken, venue) -> None:
    order = kraken.create_order(*BUY, None, {"validate": True})
    assert order["id"] is None
    assert order["info"]["descr"]["order"] == "buy 0.01000000 XBTEUR @ market"
    kraken.create_order(PAIR, "market", "buy", 1000.0, None, {"validate": True})
    assert kraken.fetch_open_orders() == []
    assert venue.orders == ()
    assert [request.params["validate"] for request in venue.requests_to("AddOrder")] == ["True", "True"]


def test_any_value_of_validate_validates(kraken, venue) -> None:
    kraken.create_order(*BUY, None, {"validate": False})
    assert venue.orders == ()


def test_an_order_without_validate_is_really_taken(kraken, venue) -> None:
    order = kraken.create_order(*BUY)
    assert [taken.id for taken in venue.orders] == [order["id"]]
    assert re.fullmatch(r"O[A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{6}", order["id"])
    done = kraken.fetch_order(order["id"])
    assert (done["status"], done["filled"]) == ("closed", 0.01)
    cost = 0.01 * done["average"]
    balance = kraken.fetch_balance()
    assert balance["BTC"]["total"] == 1.01
    assert balance["EUR"]["total"] == pytest.approx(10_000.0 - cost - cost * 0.0026)
    assert kraken.fetch_closed_orders()[0]["id"] == order["id"]


def test_a_resting_order_is_found_by_either_name_and_cancelled(kraken, venue) -> None:
    mine = kraken.create_order(PAIR, "limit", "buy", 0.01, 40_000.0, {"clientOrderId": "peak-1"})
    kraken.create_order(PAIR, "limit", "sell", 0.5, 90_000.0, {"userref": 77})
    assert [order["id"] for order in kraken.fetch_open_orders(params={"clientOrderId": "peak-1"})] == [mine["id"]]
    assert [order["price"] for order in kraken.fetch_open_orders(params={"userref": 77})] == [90_000.0]
    assert kraken.fetch_balance()["EUR"]["used"] == 400.0
    assert kraken.fetch_balance()["BTC"]["used"] == 0.5
    kraken.cancel_order("", params={"clientOrderId": "peak-1"})
    kraken.cancel_order("", params={"userref": 77})
    assert kraken.fetch_open_orders() == []
    assert kraken.fetch_closed_orders(params={"clientOrderId": "peak-1"})[0]["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        kraken.cancel_order(mine["id"])


def test_a_resting_order_fills_when_the_market_meets_it_and_not_before(kraken, venue) -> None:
    price = round(kraken.fetch_ticker(PAIR)["last"] * 0.999, 2)
    order = kraken.create_order(PAIR, "limit", "buy", 0.01, price)
    while kraken.fetch_order(order["id"])["status"] == "open":
        lows = [row[3] for row in kraken.fetch_ohlcv(PAIR, "1m", since=int(venue.orders[0].opened) * 1000)]
        assert min(lows) > price
        venue.clock.advance(60.0)
    assert kraken.fetch_order(order["id"])["average"] == price


def test_an_order_expires(kraken, venue) -> None:
    order = kraken.create_order(PAIR, "limit", "buy", 0.01, 40_000.0, {"expiretm": "+15"})
    venue.clock.advance(16.0)
    assert kraken.fetch_order(order["id"])["status"] == "expired"


@pytest.mark.parametrize(
    ("order", "params", "error", "text"),
    [
        ((PAIR, "market", "buy", 0.00001), {}, ccxt.InvalidOrder, "EOrder:Order minimum not met"),
        ((PAIR, "limit", "buy", 0.00005, 100.0), {}, ccxt.ExchangeError, "EOrder:Cost minimum not met"),
        ((PAIR, "market", "buy", 100.0), {}, ccxt.InsufficientFunds, "EOrder:Insufficient funds"),
        ((PAIR, "market", "sell", 2.0), {}, ccxt.InsufficientFunds, "EOrder:Insufficient funds"),
        ((PAIR, "limit", "sell", 0.1, 100.0), {"postOnly": True}, ccxt.ExchangeError, "EOrder:Post only order"),
        ((PAIR, "limit", "buy", 0.1, 100.0), {"price": "100.001"}, ccxt.ExchangeError, "EOrder:Invalid price"),
        ((PAIR, "market", "buy", 0.1), {"pair": "NOSUCH"}, ccxt.ExchangeError, "EQuery:Unknown asset pair"),
        ((PAIR, "market", "buy", 0.1), {"ordertype": "magic"}, ccxt.BadRequest, "EGeneral:Invalid arguments"),
        ((PAIR, "market", "buy", 0.1), {"volume": "-1"}, ccxt.InvalidOrder, "EGeneral:Invalid arguments:volume"),
    ],
)
def test_a_bad_order_is_refused_as_kraken_does(kraken, venue, order, params, error, text: str) -> None:
    if text == "EGeneral:Invalid arguments":
        error = ccxt.ExchangeError
    with pytest.raises(error, match=text):
        kraken.create_order(*order, *([None] if len(order) == 4 else []), params)
    assert venue.orders == ()


def test_a_venue_in_cancel_only_mode_takes_cancellations_alone(kraken, venue) -> None:
    order = kraken.create_order(PAIR, "limit", "buy", 0.01, 40_000.0)
    venue.state = "cancel_only"
    with pytest.raises(ccxt.OnMaintenance, match="cancel_only"):
        kraken.create_order(*BUY, None, {"validate": True})
    kraken.cancel_order(order["id"])
    assert [taken.status for taken in venue.orders] == ["canceled"]


@pytest.mark.parametrize(
    ("state", "kind", "params"),
    [("limit_only", "market", {}), ("post_only", "limit", {}), ("post_only", "limit", {"postOnly": True})],
)
def test_other_states_take_the_orders_they_say(kraken, venue, state: str, kind: str, params: dict) -> None:
    venue.state = state
    if params:
        assert kraken.create_order(PAIR, kind, "buy", 0.01, 40_000.0, params)["id"]
        return
    with pytest.raises(ccxt.BaseError, match=state):
        kraken.create_order(PAIR, kind, "buy", 0.01, 40_000.0)


def test_keys_signatures_and_nonces_are_verified(kraken, venue, client) -> None:
    stranger = client("kraken", venue, apiKey="nobody", secret=kraken.secret)
    with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
        stranger.fetch_balance()
    forger = client("kraken", venue, apiKey=kraken.apiKey, secret=base64.b64encode(b"another").decode())
    with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature") as signature:
        forger.fetch_balance()
    assert not isinstance(signature.value, ccxt.AuthenticationError)
    kraken.fetch_balance()
    nonce = json.dumps(venue.requests_to("BalanceEx")[-1].nonce).strip('"')
    kraken.incrementing_nonce = lambda: int(nonce)
    with pytest.raises(ccxt.InvalidNonce, match="EAPI:Invalid nonce"):
        kraken.fetch_balance()


def test_kraken_spot_has_no_sandbox(kraken) -> None:
    with pytest.raises((TypeError, ccxt.NotSupported)):
        kraken.set_sandbox_mode(True)


def test_two_markets_are_served_side_by_side() -> None:
    markets = (MarketSource.synthetic(seed=1), MarketSource.synthetic(seed=2, symbol="XTZ/BTC", price=0.0003))
    with LoopbackVenue(*markets) as venue:
        exchange = connect(ccxt.kraken({"enableRateLimit": False}), venue)
        tickers = exchange.fetch_tickers()
        assert set(tickers) == {"BTC/EUR", "XTZ/BTC"}
        assert tickers["XTZ/BTC"]["last"] == markets[1].price(venue.clock.seconds())


def test_a_venue_on_the_machines_clock_shows_candles_of_now() -> None:
    clock = VenueClock.system()
    with LoopbackVenue(MarketSource.synthetic(seed=1).aligned(clock.seconds()), clock=clock) as venue:
        exchange = connect(ccxt.kraken({"enableRateLimit": False}), venue)
        assert abs(exchange.fetch_time() - exchange.milliseconds()) < 2000
        assert 0 <= exchange.milliseconds() - exchange.fetch_ohlcv(PAIR, "1m")[-1][0] < 62_000


def test_only_loopback_is_ever_connected_to() -> None:
    with pytest.raises(ConfigError, match="no loopback venue"):
        connect(ccxt.kraken(), "https://api.kraken.com")
    with pytest.raises(UnknownNameError, match="kraken, krakenfutures"):
        connect(ccxt.okx(), "http://127.0.0.1:1")
    with pytest.raises(ConfigError, match="symbol of its own"):
        LoopbackVenue(MarketSource.synthetic(), MarketSource.synthetic())
