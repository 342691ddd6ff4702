"""Recorded exchanges with Kraken, replayed to ccxt: nothing that was said gets lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import ccxt
import pytest

from peaktrade_core.base.errors import DataError
from peaktrade_core.testing import (
    LoopbackVenue,
    MarketSource,
    RecordedVenue,
    VenueFault,
    connect,
    read_recordings,
)

KINDS = ("AddOrder", "AssetPairs", "Assets", "Balance", "ClosedOrders", "OHLC", "OpenOrders", "Ticker", "Time")


@pytest.fixture(scope="module")
def replay(recordings_folder: Path) -> Iterator[tuple[RecordedVenue, ccxt.kraken]]:
    with RecordedVenue(read_recordings(recordings_folder)) as venue:
        exchange = connect(ccxt.kraken({"enableRateLimit": False, "timeout": 3000}), venue)
        exchange.load_markets()
        yield venue, exchange


@pytest.fixture
def each(replay, request):
    """Return a walk over the recordings of one kind: recording, its result, and the client pinned to it."""
    venue, exchange = replay

    def walk(kind: str):
        chosen = [one for one in venue.recordings if one.path.endswith(f"/{kind}")]
        assert chosen, f"no recordings of {kind}"
        for one in chosen:
            venue.pin(one)
            yield one, json.loads(one.body), exchange
        venue.unpin()

    yield walk
    venue.unpin()


def same(order: dict, raw: dict) -> bool:
    """Return whether ccxt's order says what Kraken said; a stop is a market order with a price that triggers it."""
    kind = raw["descr"]["ordertype"]
    words = (raw["descr"]["type"], {"stop-loss": "market"}.get(kind, kind), raw["status"])
    stop = float(raw["descr"]["price"]) if kind == "stop-loss" else None
    figures = (float(raw["vol"]), float(raw["vol_exec"]), stop)
    return (
        order["side"],
        order["type"],
        order["status"],
        order["amount"],
        order["filled"],
        order["stopLossPrice"],
    ) == (
        *words,
        *figures,
    )


def test_all_recordings_are_of_kinds_tested_here(replay) -> None:
    names = {one.path.rsplit("/", 1)[1] for one in replay[0].recordings}
    assert names == set(KINDS)
    assert len(replay[0].recordings) == 54


def test_time(each) -> None:
    for _, body, kraken in each("Time"):
        assert kraken.fetch_time() == body["result"]["unixtime"] * 1000


def test_assets(each) -> None:
    for _, body, kraken in each("Assets"):
        got = kraken.fetch_currencies()
        assert len(got) == len(body["result"])
        by_id = {currency["id"]: currency for currency in got.values()}
        for name, raw in body["result"].items():
            assert by_id[name]["precision"] == pytest.approx(10.0 ** -raw["decimals"])


def test_pairs(each, replay, monkeypatch) -> None:
    monkeypatch.setattr(replay[0], "dark_pools", True)
    for _, body, kraken in each("AssetPairs"):
        got = {market["id"]: market for market in kraken.fetch_markets()}
        assert set(got) == set(body["result"])
        for name, raw in body["result"].items():
            assert got[name]["precision"]["price"] == pytest.approx(10.0 ** -raw["pair_decimals"])
            assert got[name]["taker"] == pytest.approx(raw["fees"][0][1] / 100.0)


@pytest.mark.parametrize(("dark_pools", "name"), [(True, "XXBTZEUR.d"), (False, "XXBTZEUR")])
def test_ccxt_takes_a_dark_pool_for_the_open_market(recordings_folder: Path, dark_pools: bool, name: str) -> None:
    with RecordedVenue(read_recordings(recordings_folder), dark_pools=dark_pools) as venue:
        exchange = connect(ccxt.kraken({"enableRateLimit": False}), venue)
        exchange.load_markets()
        assert exchange.market("BTC/EUR")["id"] == name


def test_candles(each) -> None:
    for recording, body, kraken in each("OHLC"):
        market = kraken.safe_market(recording.params["pair"])
        timeframe = {"1": "1m", "60": "1h", "1440": "1d"}[recording.params["interval"]]
        rows = body["result"][recording.params["pair"]]
        got = kraken.fetch_ohlcv(market["symbol"], timeframe)
        assert got == [[row[0] * 1000, *map(float, row[1:5]), float(row[6])] for row in rows]


def test_tickers(each) -> None:
    for recording, body, kraken in each("Ticker"):
        for name in recording.params["pair"].split(","):
            raw = body["result"][name]
            got = kraken.fetch_ticker(kraken.safe_market(name)["symbol"])
            fields = ("bid", "ask", "last", "high", "low", "open", "baseVolume", "vwap")
            words = (
                raw["b"][0],
                raw["a"][0],
                raw["c"][0],
                raw["h"][1],
                raw["l"][1],
                raw["o"],
                raw["v"][1],
                raw["p"][1],
            )
            assert [got[field] for field in fields] == [float(word) for word in words]


def test_orders_sent(each) -> None:
    for recording, body, kraken in each("AddOrder"):
        sent = recording.params
        params = {"validate": True} if "validate" in sent else {}
        kind = "limit" if sent["ordertype"] == "limit" else "market"
        price = float(sent["price"]) if kind == "limit" else None
        got = kraken.create_order("BTC/EUR", kind, sent["type"], float(sent["volume"]), price, params)
        assert got["id"] == body["result"].get("txid", [None])[0]
        assert (got["side"], got["amount"]) == (sent["type"], float(sent["volume"]))
        assert got["info"]["descr"] == body["result"]["descr"]


def test_open_orders(each) -> None:
    for _, body, kraken in each("OpenOrders"):
        if body["error"]:
            with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
                kraken.fetch_open_orders()
            continue
        got = {order["id"]: order for order in kraken.fetch_open_orders()}
        assert set(got) == set(body["result"]["open"])
        assert all(same(got[name], raw) for name, raw in body["result"]["open"].items())


def test_closed_orders(each) -> None:
    for _, body, kraken in each("ClosedOrders"):
        got = {order["id"]: order for order in kraken.fetch_closed_orders()}
        assert set(got) == set(body["result"]["closed"])
        assert all(same(got[name], raw) for name, raw in body["result"]["closed"].items())


def test_invalid_arguments(each) -> None:
    for recording, body, kraken in each("Balance"):
        assert recording.method == "GET"
        with pytest.raises(ccxt.BadRequest, match=body["error"][0]):
            kraken.privatePostBalance()


def test_the_latest_recording_answers_unless_parameters_fit_another(replay) -> None:
    venue, kraken = replay
    assert len(kraken.fetch_ohlcv("XTZ/BTC", "1d")) == 658
    assert kraken.fetch_ohlcv("BTC/EUR", "1m")[-1][0] == 1_581_067_140_000
    order = kraken.create_order("BTC/EUR", "market", "sell", 0.01, None, {"validate": True})
    assert (order["id"], order["side"], order["type"]) == (None, "sell", "market")
    assert kraken.create_order("BTC/EUR", "limit", "buy", 0.01, 3792.8)["id"] == "O6FH4F-QKEVM-GUZB3I"
    with pytest.raises(ccxt.ExchangeError):
        kraken.fetch_ohlcv("BTC/EUR", "5m")
    assert venue.clock.now().year == 2020


def test_faults_work_on_recordings_too(replay) -> None:
    venue, kraken = replay
    with venue.faults.during(VenueFault.status(503), path="Time"), pytest.raises(ccxt.ExchangeNotAvailable):
        kraken.fetch_time()


def shape(value: object, depth: int = 0) -> object:
    """Return the types inside a JSON value, with the keys of objects that are records rather than collections."""
    if isinstance(value, dict):
        return {name: shape(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one, depth + 1) for one in value]
    return type(value).__name__


def test_the_loopback_venue_writes_what_kraken_wrote(replay, recordings_folder: Path, candles) -> None:
    recorded = {one.name: json.loads(one.body)["result"] for one in replay[0].recordings if '"result"' in one.body}
    path = candles("kraken_BTC-EUR_1m_20200206-20200207")
    with LoopbackVenue(MarketSource.from_file(path, "BTC/EUR", 60)) as venue:
        venue.clock.set(1_581_067_152.0)  # when the candles of that file were asked for
        kraken = connect(ccxt.kraken({"enableRateLimit": False}), venue)
        real = recorded["OHLC_test_ohlc_pair_propertype_1"]["XXBTZEUR"]
        ours = kraken.publicGetOHLC({"pair": "XXBTZEUR", "interval": 1})["result"]
        assert [row[:5] for row in ours["XXBTZEUR"]][:-1] == [row[:5] for row in real][:-1]
        assert [row[6] for row in ours["XXBTZEUR"]][:-1] == [row[6] for row in real][:-1]
        assert ours["last"] == recorded["OHLC_test_ohlc_pair_propertype_1"]["last"]
        ticker = kraken.publicGetTicker({"pair": "XXBTZEUR"})["result"]["XXBTZEUR"]
        real_ticker = recorded["Ticker_test_ticker_one_pair_1"]["XXBTZEUR"]
        assert {key: len(value) for key, value in ticker.items() if key != "o"} == {
            key: len(value) for key, value in real_ticker.items() if key != "o"
        }
        assert len(ticker["c"][0].split(".")[1]) == len(real_ticker["c"][0].split(".")[1])
        pair = kraken.publicGetAssetPairs()["result"]["XXBTZEUR"]
        assert set(recorded["AssetPairs_test_assetpairs_0"]["XXBTZEUR"]) <= set(pair)
        assert pair["pair_decimals"] == 1
        sent = kraken.privatePostAddOrder(
            {"pair": "XBTEUR", "type": "buy", "ordertype": "limit", "price": "3792.8", "volume": "0.01"}
        )["result"]
        assert sent["descr"] == recorded["AddOrder_test_add_buy_limit_order_execute_low_2"]["descr"]
        (resting,) = kraken.privatePostOpenOrders()["result"]["open"].values()
        (real_order, *_) = recorded["OpenOrders_test_openorders_one_low_limit_buy_3"]["open"].values()
        assert shape(resting).keys() == shape(real_order).keys()
        assert resting["descr"].keys() == real_order["descr"].keys()
        assert (resting["vol"], resting["cost"], resting["oflags"]) == (
            real_order["vol"],
            real_order["cost"],
            real_order["oflags"],
        )


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings"):
        read_recordings(tmp_path)
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(DataError, match=r"odd\.json: is no recording"):
        read_recordings(tmp_path)
    with pytest.raises(DataError, match="no recordings to answer"):
        RecordedVenue([])
