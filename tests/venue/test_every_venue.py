"""Every venue of ccxt, offline: what is parsed of it, that only our errors come out, and that no order can leave.

The transport below the guard is replaced, so nothing leaves this machine; what would leave is written down.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import ccxt
import pytest
import requests
import requests.adapters
from rig import CALLS, no_wait

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeError,
    ForbiddenRequestError,
    PeaktradeError,
    UnknownNameError,
)
from peaktrade_core.trading.market import TIMEFRAMES
from peaktrade_core.venue.brokers import DemoBroker
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.credentials import Credentials, variables_of
from peaktrade_core.venue.dialects import dialect_of
from peaktrade_core.venue.hosts import Guard
from peaktrade_core.venue.offers import venue_offers
from peaktrade_core.venue.places import SANDBOXES, SHARED, addresses, no_sandbox, places_of
from peaktrade_core.workspace.venues import VENUES

KEY = "canary0key1canary2key3canary4key"
SECRET = "c2VjcmV0LWNhbmFyeS1zZWNyZXQtY2FuYXJ5LXNlY3JldA=="
PRIVATE_KEY = "0x" + "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
MORE = {
    "password": "word",
    "uid": "1234",
    "login": "me",
    "privateKey": PRIVATE_KEY,
    "walletAddress": "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23",
    "accountId": "1234",
    "token": "t0ken",
    "twofa": "JBSWY3DPEHPK3PXP",
}


class Wire:
    """Stands in for the network below the guard: it takes down what passed, and answers what it was told to."""

    def __init__(self) -> None:
        self.passed: list[requests.PreparedRequest] = []
        self.body: Callable[[], bytes] = lambda: b"{}"

    def send(self, _: object, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        self.passed.append(request)
        answer = requests.Response()
        answer.status_code, answer._content, answer.url, answer.request = 200, self.body(), str(request.url), request
        answer.headers["Content-Type"] = "application/json"
        return answer


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    made = Wire()
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lambda *args, **kwargs: made.send(*args, **kwargs))
    return made


def market_of(swap: bool) -> dict[str, Any]:
    """Return a market that any venue could have."""
    return {
        "id": "BTCUSDT",
        "lowercaseId": "btcusdt",
        "symbol": "BTC/USDT:USDT" if swap else "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "baseId": "BTC",
        "quoteId": "USDT",
        "settle": "USDT" if swap else None,
        "settleId": "USDT",
        "type": "swap" if swap else "spot",
        "spot": not swap,
        "swap": swap,
        "future": False,
        "option": False,
        "margin": False,
        "contract": swap,
        "linear": swap or None,
        "inverse": False if swap else None,
        "active": True,
        "contractSize": 0.001 if swap else None,
        "taker": 0.001,
        "maker": 0.001,
        "numericId": 1,
        "baseName": "BTC",
        "precision": {"price": 0.01, "amount": 0.00001},
        "limits": {"amount": {"min": 0.00001}},
        "info": {"i": 1},
    }


def keyed(venue: str, **how: Any) -> VenueClient:
    """Return a client whose ccxt was given every key there is, behind our back, and a market of each kind."""
    client = VenueClient(venue, policy=CALLS._replace(attempts=1, breaker_after=10**9), sleep=no_wait, **how)
    for name, value in {"apiKey": KEY, "secret": SECRET, **MORE}.items():
        setattr(client._ccxt, name, value)
    client._ccxt.enableRateLimit = False
    with suppress(Exception):
        client._ccxt.set_markets([market_of(False), market_of(True)], {})
    return client


def act(client: VenueClient) -> None:
    """Try to act in every way that ccxt's common words have."""
    for symbol in ("BTC/USDT", "BTC/USDT:USDT"):
        calls: list[tuple[str, tuple[Any, ...]]] = [
            *(
                ("create_order", (symbol, kind, side, 0.01, 100.0))
                for kind in ("market", "limit")
                for side in ("buy", "sell")
            ),
            ("edit_order", ("1", symbol, "limit", "buy", 0.01, 100.0)),
            ("cancel_order", ("1", symbol)),
            ("cancel_all_orders", (symbol,)),
            ("withdraw", ("BTC", 0.01, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT")),
            ("transfer", ("BTC", 0.01, "spot", "swap")),
        ]
        for method, given in calls:
            with suppress(PeaktradeError):
                client.finish(client.start(method, *given))


def names_and_modes() -> Iterator[Any]:
    for name in VENUES:
        yield pytest.param(name, False, id=name)
        if name in SANDBOXES:
            yield pytest.param(name, True, id=f"{name}-sandbox")


PRODUCTION = {origin.host for name in ccxt.exchanges for origin in places_of(name, demo=False).all} | {
    url.split("/")[2].split(":")[0] for name in ccxt.exchanges for url in addresses(getattr(ccxt, name)())
}


def test_no_sandbox_is_at_a_host_of_production() -> None:
    sandboxes = {host for hosts in SANDBOXES.values() for host in hosts}
    assert len(SANDBOXES) > 40
    assert not sandboxes & PRODUCTION
    assert not set(SHARED) & set(SANDBOXES)


def test_the_lists_are_those_of_ccxt() -> None:
    """A new version of ccxt with other venues or sandboxes fails here, and a person looks at them."""
    exchanges = {name: getattr(ccxt, name)() for name in ccxt.exchanges}
    assert set(VENUES) == {name for name, one in exchanges.items() if one.has.get("fetchOHLCV")}
    with_test = {name for name in VENUES if exchanges[name].urls.get("test")}
    assert with_test == set(SANDBOXES) | set(SHARED)


@pytest.mark.parametrize(("venue", "sandbox"), names_and_modes())
def test_no_order_reaches_a_production_host(venue: str, sandbox: bool, wire: Wire) -> None:
    """With every key in its hands and through every word that ccxt has for acting, whatever the venue answers."""
    client = keyed(venue, demo=sandbox)
    allowed = set(SANDBOXES[venue]) if sandbox else set()
    for body in (b"{}", b'{"result":{},"data":{},"code":0,"retCode":0,"status":"ok"}', b"[]"):
        wire.body = lambda body=body: body
        act(client)
    for request in wire.passed:
        host = str(request.url).split("/")[2].split(":")[0]
        if host in allowed:
            continue
        assert host in {origin.host for origin in places_of(venue, demo=False).all}
        if venue == "kraken" and "/private/" in str(request.url):
            assert "validate=true" in str(request.body) or "AddOrder" not in str(request.url)
            continue
        carried = f"{request.url} {dict(request.headers)} {request.body!r}"
        assert request.method == "GET" or re.search(_ASKED_BY_POST.get(venue, "^$"), str(request.url)), carried
        assert not any(secret in carried for secret in (KEY, SECRET, PRIVATE_KEY, MORE["token"])), carried
    if not sandbox and venue != "kraken":
        with pytest.raises(ForbiddenRequestError, match="sends no order"):
            client.order("create_order", "BTC/USDT", "market", "buy", 0.01)


def endpoints(part: Any, groups: tuple[str, ...] = ()) -> Iterator[tuple[list[str], str, str]]:
    """Yield every endpoint of a venue that ccxt knows: its group, method and path."""
    for name, inner in part.items() if isinstance(part, dict) else ():
        if name.lower() in ("get", "post", "put", "delete", "patch"):
            for path in inner:
                yield list(groups), name.upper(), path
        else:
            yield from endpoints(inner, (*groups, name))


@pytest.mark.parametrize("venue", ccxt.exchanges)
def test_no_endpoint_that_is_signed_or_acts_passes_to_production(venue: str) -> None:
    """Each endpoint that is private or does not GET, ten thousand in all, is signed with keys and shown to the guard."""
    exchange = getattr(ccxt, venue)({"apiKey": KEY, "secret": SECRET, **MORE})
    guard, passed, tried = Guard(venue), [], 0
    for group, method, path in endpoints(exchange.api or {}):
        acts = method != "GET" or any("private" in part.lower() for part in group)
        if not acts:
            continue
        for params in ({}, {"symbol": "BTCUSDT", "side": "buy", "quantity": "1"}):
            try:
                made = exchange.sign(path, group, method, dict(params))
            except Exception:
                continue
            tried += 1
            with suppress(ForbiddenRequestError):
                guard.judge(method, made["url"], made.get("headers") or {}, made.get("body"))
                passed.append((method, made["url"], made.get("body")))
    if venue == "kraken":
        passed = [one for one in passed if one[1].split("/")[-1] not in _KRAKEN_READS]
    assert [one for one in passed if one[0] != "POST" or not re.search(_ASKED_BY_POST.get(venue, "^$"), one[1])] == []
    assert tried or venue in _UNSIGNED


_KRAKEN_READS = {
    *("Balance", "BalanceEx", "TradeBalance", "OpenOrders", "ClosedOrders", "QueryOrders"),
    *("TradesHistory", "QueryTrades", "OpenPositions", "Ledgers", "QueryLedgers", "TradeVolume"),
}
_ASKED_BY_POST = {
    "cex": r"/rest-public/get_\w+$",
    "derive": r"/public/get_\w+$",
    "grvt": r"/(kline|all_instruments)$",
    "hyperliquid": r"\.xyz/info$",
    "zebpay": r"/market/klines$",
}
_UNSIGNED = {"gemini", "paradex", "revolutx"}  # want a key of another form, or a session first


@pytest.mark.parametrize("venue", [name for name in VENUES if name not in SANDBOXES])
def test_without_a_sandbox_no_broker_is_built(venue: str) -> None:
    assert no_sandbox(venue)
    with pytest.raises(ConfigError):
        VenueClient(venue, demo=True)
    with pytest.raises(ConfigError, match="orders go to a sandbox only"):
        DemoBroker(VenueClient(venue), "BTC/USDT", "p")
    if venue != "kraken":
        with pytest.raises(ConfigError, match="without a key"):
            VenueClient(venue, credentials=Credentials(KEY, SECRET))


def test_a_sandbox_that_ccxt_moved_takes_no_order_until_a_person_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SANDBOXES, "bybit", ("another.bybit.com",))
    places_of.cache_clear()
    try:
        with pytest.raises(
            ConfigError, match=r"ccxt has its sandbox at api-testnet\.bybit\.com, and peaktrade knows another"
        ):
            VenueClient("bybit", demo=True)
    finally:
        places_of.cache_clear()


def test_a_venue_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="binance"):
        VenueClient("binanse")
    with pytest.raises(UnknownNameError, match="kraken"):
        places_of("nobody", demo=False)


@pytest.mark.parametrize("venue", VENUES)
def test_candles_are_asked_for_or_the_reason_is_known(venue: str, wire: Wire) -> None:
    client = keyed(venue)
    for name in ("apiKey", "secret", *MORE):
        setattr(client._ccxt, name, None)
    timeframes = list(client._ccxt.timeframes)
    faults = []
    for symbol in ("BTC/USDT", "BTC/USDT:USDT"):
        try:
            client.ask("fetch_ohlcv", symbol, "1m" if "1m" in timeframes else timeframes[0], 1_700_000_000_000, 10)
        except PeaktradeError as fault:
            faults.append(str(fault))
    reason = dialect_of(venue).no_candles
    assert bool(wire.passed) != bool(reason) or venue in _ODD_MARKETS, faults
    assert all(reason in fault for fault in faults)
    offer = next(one for one in venue_offers() if one.venue == venue)
    assert (offer.candles, offer.sandbox) == (not reason, list(SANDBOXES.get(venue, ())))


_ODD_MARKETS = {"nado"}  # wants a number for the id of a market


@pytest.mark.parametrize("venue", VENUES)
def test_what_is_known_of_a_venue_without_asking_it(venue: str) -> None:
    client = VenueClient(venue)
    described = client.ask("describe")
    assert 1 <= client.page <= 50_000
    assert client.hosts
    assert client.order_hosts == set()
    assert described["rateLimit"] >= 0
    assert set(described["timeframes"] or client._ccxt.timeframes) & set(TIMEFRAMES)
    assert all(name.isupper() for name in variables_of(venue))
    if venue in SANDBOXES:
        sandbox = VenueClient(venue, demo=True)
        assert sandbox.order_hosts
        assert sandbox.order_hosts <= set(SANDBOXES[venue])


def odd(rng: random.Random, depth: int = 0) -> Any:
    """Return some JSON that a venue might answer with on a bad day."""
    plain = [None, "", "x", "NaN", "1e400", -1, 0, 1.5, 10**30, True, "2026-01-01", "BTCUSDT", [], {}]
    if depth > 3 or rng.random() < 0.3:
        return rng.choice(plain)
    if rng.random() < 0.5:
        return [odd(rng, depth + 1) for _ in range(rng.randrange(4))]
    keys = (
        "result",
        "data",
        "symbols",
        "code",
        "msg",
        "error",
        "list",
        "status",
        "retCode",
        "serverTime",
        "id",
        "symbol",
    )
    return {rng.choice(keys): odd(rng, depth + 1) for _ in range(rng.randrange(5))}


@pytest.mark.parametrize("venue", VENUES)
def test_whatever_a_venue_answers_nothing_comes_out_but_our_errors(venue: str, wire: Wire) -> None:
    client = VenueClient(venue, policy=CALLS._replace(attempts=1, breaker_after=10**9), sleep=no_wait)
    client._ccxt.enableRateLimit = False
    rng = random.Random(venue)
    fixed = [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>502</html>",
        b'{"result":',
        b"\xff\xfe",
        b"0",
        b'"text"',
        b"[[]]",
        b"[null]",
    ]
    told: list[str] = []
    bodies = fixed + [json.dumps(odd(rng)).encode() for _ in range(10)]
    calls = [("load_markets", ()), ("fetch_ohlcv", ("BTC/USDT", "1m", 1_700_000_000_000, 10))]
    if client.has.get("fetchTime"):
        calls.append(("fetch_time", ()))
    for body in bodies:
        wire.body = lambda body=body: body
        for method, given in calls:
            client._ccxt.markets = None if method == "load_markets" else {"BTC/USDT": market_of(False)}
            try:
                answer = client.ask(method, *given)
            except (ExchangeError, ConfigError) as fault:
                told.append(str(fault))
            else:
                assert answer is None or isinstance(answer, (list, dict, int))
    assert told
    assert all(text.isprintable() for text in told)
