"""Where a client's bytes may go: every usual confusion of a host, as base_url and at the wire, in front of real servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests
import urllib3.connection
from rig import CALLS, VenueDesk, client_of, no_wait, on_venue

from peaktrade_core.base.errors import ConfigError, ExchangeNetworkError, ForbiddenRequestError
from peaktrade_core.control.live_lock import lock_checks
from peaktrade_core.testing import LoopbackVenue, MarketSource
from peaktrade_core.trading.events import Halt, Order
from peaktrade_core.venue.brokers import DemoBroker, ValidatingBroker
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.credentials import Credentials
from peaktrade_core.venue.hosts import Guard
from peaktrade_core.workspace.workspace import Workspace

PAIR, PERP = "BTC/EUR", "BTC/USD:USD"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "API-Key": "k", "API-Sign": "s"}
SPOT, FUTURES = "https://api.kraken.com", "https://futures.kraken.com"


class Elsewhere:
    """A host that a client has no business with: it counts who connects, and hands them to a venue that takes orders.

    Attributes:
        host: its address, with the port; connections: how often it was reached.
    """

    def __init__(self, venue: LoopbackVenue) -> None:
        self._venue = int(venue.url.rsplit(":", 1)[1])
        self._listener = socket.create_server(("127.0.0.2", 0))
        self.port = self._listener.getsockname()[1]
        self.host, self.connections = f"127.0.0.2:{self.port}", 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                far = socket.create_connection(("127.0.0.1", self._venue))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=ends, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def perpetual() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol="BTC/USD")) as running:
        yield running


@pytest.fixture
def elsewhere(perpetual: LoopbackVenue) -> Iterator[Elsewhere]:
    running = Elsewhere(perpetual)
    yield running
    running.close()


def order(qty: float = 0.01) -> Order:
    return Order(0, datetime(2026, 1, 5, tzinfo=UTC), "o1", "open", qty, 50_000.0, abs(qty) * 50_000.0)


@pytest.mark.parametrize("confusion", ["http://{there}\\@127.0.0.1/..", "http://{there}\\@localhost/x/../.."])
def test_a_line_of_configuration_places_no_order_on_a_host_that_is_refused_by_name(
    confusion: str, elsewhere: Elsewhere, perpetual: LoopbackVenue
) -> None:
    keys = Credentials(*perpetual.credentials)

    def attack(url: str) -> None:
        client = VenueClient("krakenfutures", credentials=keys, base_url=url, demo=True, policy=CALLS, sleep=no_wait)
        DemoBroker(client, PERP, "p").submit(order())

    for url in (f"http://{elsewhere.host}", confusion.format(there=elsewhere.host)):
        with suppress(ConfigError):
            attack(url)
        assert (perpetual.orders, elsewhere.connections) == ((), 0)
        with pytest.raises(ConfigError, match="must be on this machine"):
            attack(url)


# ``there`` is a host that listens on 127.0.0.2, ``port`` its port, ``here`` the client's own venue
CONFUSIONS = [
    "http://{there}/",
    "http://{there}\\@{here}/",
    "http://{there}\\\\@{here}/",
    "http://{there}/\\@{here}/",
    "http:\\\\{there}\\@{here}/",
    "http:/\\{there}/",
    "http://\\{there}/",
    "http://{here}\\@{there}/",
    "http://{here}@{there}/",
    "http://{there}@{here}/",
    "http://user:word@{there}/",
    "http://@{there}/",
    "http://{here}:80@{there}/",
    "http://{here}%2f@{there}/",
    "http://{there}%2f@{here}/",
    "http://{there}%5c@{here}/",
    "http://127.0.0.2%3a{port}@{here}/",
    "http://%31%32%37.0.0.2:{port}/",
    "http://127%2e0%2e0%2e2:{port}/",
    "http://127.0.0.2%00:{port}/",
    "http://127.0.0.1%00.venue.test:{port}/",
    "http://{there}#@{here}/",
    "http://{there}?@{here}/",
    "http://127\u30020\u30020\u30022:{port}/",
    "http://127\uff0e0\uff0e0\uff0e2:{port}/",
    "http://127.0.0\uff612:{port}/",
    "http://\uff11\uff12\uff17.0.0.2:{port}/",
    "http://\u2460\u2461\u2466.0.0.2:{port}/",
    "http://\u0661\u0662\u0667.0.0.2:{port}/",
    "http://\uff4cocalhost:{port}/",
    "http://localho\u00adst:{port}/",
    "http://127.0.0.1\u2044.venue.test:{port}/",
    "http://{there}\uff20{here}/",
    "http://{there}\uff3c@{here}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.2]:{port}/",
    "http://[::ffff:7f00:2]:{port}/",
    "http://[::ffff:1.2.3.4]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[::1%lo]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://2130706434:{port}/",
    "http://017700000002:{port}/",
    "http://0x7f000002:{port}/",
    "http://0x7f.0.0.2:{port}/",
    "http://0177.0.0.2:{port}/",
    "http://0177.0.0.02:{port}/",
    "http://127.2:{port}/",
    "http://127.0.2:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.2.:{port}/",
    "http://localhost.:{port}/",
    "http://venue.test:{port}/",
    "http://VENUE.test.:{port}/",
    "http://127.0.0.1.venue.test:{port}/",
    "http://localhost.venue.test:{port}/",
    "HTTP://{there}/",
    "http://LOCALHOST:{port}/",
    "http://LocalHost:{port}/",
    "http://127.0.0.2\t:{port}/",
    "http://127.0\n.0.2:{port}/",
    "http://127.0\t.0.1.venue.test:{port}/",
    "http://127.0.0.1\r\n.venue.test:{port}/",
    " http://{there}/",
    "http:// {there}/",
    "\thttp://{there}/",
    "http://{there} @{here}/",
    "http://127.0.0.2:0{port}/",
    "https://{there}/",
    "ftp://{there}/",
    "file://{there}/",
    "//{there}/",
    "{there}",
    "http:///{there}/",
    "http:{there}/",
    "",
]


@pytest.fixture
def named_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the names of venue.test mean the host elsewhere."""
    real = socket.getaddrinfo

    def told(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = str(host).lower().rstrip(".")
        return real("127.0.0.2" if name.endswith("venue.test") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", told)


@pytest.mark.parametrize("written", CONFUSIONS)
@pytest.mark.usefixtures("named_elsewhere")
def test_no_confusion_of_hosts_leads_elsewhere(written: str, elsewhere: Elsewhere, venue: LoopbackVenue) -> None:
    """As base_url it is refused; at the wire it is refused as it is and, prepared by requests, goes nowhere else."""
    here = venue.url.removeprefix("http://")
    url = written.format(there=elsewhere.host, here=here, port=elsewhere.port)
    with pytest.raises(ConfigError, match="must be on this machine") as refused:
        VenueClient("krakenfutures", base_url=url, demo=True)
    assert str(refused.value).isprintable()
    client = client_of(venue, "krakenfutures")
    request = requests.Request("POST", venue.url, headers={"Authent": "s"}, data="size=1").prepare()
    request.url = url + "derivatives/api/v3/sendorder"
    session = client._ccxt.session
    with pytest.raises(ForbiddenRequestError, match=r"^not sent: "):
        session.get_adapter(request.url).send(request)
    with suppress(ForbiddenRequestError, requests.RequestException, ValueError):
        session.send(request)
    with suppress(ForbiddenRequestError, requests.RequestException, ValueError):
        session.post(url, data="size=1", timeout=2.0)
    assert elsewhere.connections == 0


@pytest.mark.parametrize("url", ["http://127.0.0.2:{port}/", "http://2130706434:{port}/", "http://venue.test:{port}/"])
@pytest.mark.usefixtures("named_elsewhere")
def test_without_the_guard_the_host_elsewhere_is_reached(url: str, elsewhere: Elsewhere) -> None:
    """What the table above proves, it proves: these addresses lead there for a session of requests."""
    with requests.Session() as session:
        session.trust_env = False
        session.get(url.format(port=elsewhere.port), timeout=5.0)
    assert elsewhere.connections == 1


@pytest.mark.parametrize("path", ["", "/", "/drill", "/a/b-c_d.e~/"])
@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "localhost:1", "[::1]:8080"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_base_url_may_be(scheme: str, host: str, path: str) -> None:
    (origin,) = Guard("kraken", base_url=f"{scheme}://{host}{path}").places.all
    assert f"{origin}/".startswith(f"{scheme}://{host}")


@pytest.mark.parametrize(
    "rest", ["?a=b", "?", "#a", "#", "/..", "/./", "//x", "/%2e%2e", "/@x", ":", ":0080", ":99999"]
)
def test_what_stands_behind_the_host_is_plain(rest: str) -> None:
    with pytest.raises(ConfigError, match="must be on this machine"):
        Guard("kraken", base_url=f"http://127.0.0.1{rest}")


def test_a_localhost_that_means_another_machine_is_not_connected_to(
    venue: LoopbackVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(venue.url.rsplit(":", 1)[1])
    client = VenueClient("kraken", base_url=f"http://localhost:{port}", policy=CALLS, sleep=no_wait)
    real, means = socket.getaddrinfo, ["127.0.0.1", "203.0.113.1"]

    def told(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "localhost":
            return real(host, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in means]

    monkeypatch.setattr(socket, "getaddrinfo", told)
    with pytest.raises(ForbiddenRequestError, match=r"localhost means 203\.0\.113\.1 here"):
        client.ask("fetch_time")
    assert venue.requests == ()
    means[:] = ["127.0.0.3", "127.0.0.1"]  # where nobody listens, then where the venue does
    assert client.now() == venue.clock.now()


class _Redirect(BaseHTTPRequestHandler):
    """Sends whoever asks to the server's ``target``, with method and body."""

    def do_POST(self) -> None:
        self.send_response(307)
        self.send_header("Location", self.server.target)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def redirect() -> Iterator[Callable[[str], str]]:
    """Return a function that makes a server redirect to an address, and returns its own."""
    server = HTTPServer(("127.0.0.1", 0), _Redirect)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def to(target: str) -> str:
        server.target = target  # type: ignore[attr-defined]
        return f"http://127.0.0.1:{server.server_port}"

    yield to
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_redirect_to_another_place_on_this_machine_is_refused(
    redirect: Callable[[str], str], elsewhere: Elsewhere, venue: LoopbackVenue
) -> None:
    for target in (f"http://{elsewhere.host}/", f"{venue.url}/0/private/AddOrder", f"//{elsewhere.host}/"):
        client = VenueClient("kraken", base_url=redirect(target), policy=CALLS)
        assert client._ccxt.session.max_redirects == 0
        client._ccxt.session.max_redirects = 5
        with pytest.raises(ForbiddenRequestError, match="it would have gone to"):
            client._ccxt.session.post(redirect(target), data="x=1", timeout=5.0)
    assert (elsewhere.connections, venue.requests) == (0, ())


def test_a_proxy_is_not_obeyed_from_the_environment_and_refused_elsewhere(
    elsewhere: Elsewhere, venue: LoopbackVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{elsewhere.host}")
        monkeypatch.setenv(name.lower(), f"http://{elsewhere.host}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    client = client_of(venue)
    assert client.now() == venue.clock.now()
    client._renew_session()
    assert client.now() == venue.clock.now()
    asked = len(venue.requests)
    client._ccxt.httpProxy = f"http://{elsewhere.host}"
    with pytest.raises(ForbiddenRequestError, match="without a proxy"):
        client.now()
    assert (elsewhere.connections, len(venue.requests)) == (0, asked)


def test_an_order_that_ccxt_would_send_elsewhere_ends_the_broker_and_is_tried_once(
    elsewhere: Elsewhere, perpetual: LoopbackVenue, venue: LoopbackVenue
) -> None:
    waited: list[float] = []
    demo = client_of(perpetual, "krakenfutures", sleep=waited.append)
    spot = client_of(venue, sleep=waited.append)
    for client in (demo, spot):
        client.ask("load_markets")
        client._ccxt.urls["api"] = dict.fromkeys(client._ccxt.urls["api"], f"http://{elsewhere.host}/derivatives/api/")
        with pytest.raises(ForbiddenRequestError, match=rf"not sent: it would have gone to http://{elsewhere.host}"):
            client.ask("fetch_open_orders")
    for broker in (DemoBroker(demo, PERP, "p"), ValidatingBroker(spot, PAIR)):
        with pytest.raises(ForbiddenRequestError):
            broker.submit(order())
    assert (waited, elsewhere.connections, perpetual.orders) == ([], 0, ())


def test_a_session_whose_orders_would_go_elsewhere_halts(
    workspace: Workspace,
    venue: LoopbackVenue,
    elsewhere: Elsewhere,
    configure: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk: VenueDesk = on_venue(workspace, venue, configure, monkeypatch)
    plan = desk.plan(mode="testnet")
    sent: Any = plan.broker._client._ccxt  # type: ignore[union-attr]
    sent.load_markets()
    sent.urls["api"] = dict.fromkeys(sent.urls["api"], f"http://{elsewhere.host}")
    ran = desk.run(plan)
    assert (ran.record.status, str(ran.record.error).split(":")[0]) == ("failed", "ForbiddenRequestError")
    assert [halt.code for halt in ran.of(Halt)] == ["ForbiddenRequestError"]
    assert elsewhere.connections == 0


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return where connections would be opened to; none is."""
    places: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        places.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(urllib3.connection.connection, "create_connection", refuse)
    return places


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/0/private/AddOrder", "nonce=1&pair=XBTEUR"),
        ("/0/private/AddOrder", "nonce=1&validate=false"),
        ("/0/private/AddOrder", "nonce=1&validate="),
        ("/0/private/AddOrder", "nonce=1&validate=true&validate=false"),
        ("/0/private/AddOrder", "nonce=1&Validate=true"),
        ("/0/private/AddOrder", "nonce=1;validate=true"),
        ("/0/private/AddOrder", "nonce=1&pair=%26validate=true"),
        ("/0/private/AddOrder?validate=true", "nonce=1"),
        ("/0/private/AddOrder?a=b", "nonce=1&validate=true"),
        ("/0/private/AddOrder/", "nonce=1&validate=true"),
        ("/0/private//AddOrder", "nonce=1"),
        ("/0/private/Add%4Frder", "nonce=1"),
        ("/0/public/../private/AddOrder", "nonce=1"),
        ("/1/private/AddOrder", "nonce=1&validate=true"),
        ("/0/public/Time", "nonce=1"),
        ("/0/private/AddOrderBatch", "nonce=1&validate=true"),
        ("/0/private/EditOrder", "nonce=1&validate=true"),
        ("/0/private/AmendOrder", "nonce=1&validate=true"),
        ("/0/private/CancelAll", "nonce=1"),
        ("/0/private/Withdraw", "nonce=1"),
        ("/0/private/WalletTransfer", "nonce=1"),
    ],
)
def test_a_real_order_never_leaves_for_kraken(path: str, body: str, opened: list[tuple[str, int]]) -> None:
    session = VenueClient("kraken")._ccxt.session
    request = requests.Request("POST", SPOT + "/0", headers=FORM, data=body).prepare()
    request.url = SPOT + path
    with pytest.raises(ForbiddenRequestError, match=r"^not sent: POST /"):
        session.send(request)
    assert opened == []


def test_an_order_in_json_or_by_another_content_type_never_leaves_for_kraken(opened: list[tuple[str, int]]) -> None:
    client = VenueClient("kraken", credentials=Credentials("key", "c2VjcmV0"))
    for params in ({"price": "5%", "validate": "true"}, {"price": "5%"}, {"pair": "XBTEUR"}):
        with pytest.raises(ForbiddenRequestError):
            client.ask("private_post_addorder", params)
    with pytest.raises(ForbiddenRequestError):
        client.ask("private_post_addorderbatch", {"orders": [], "validate": "true"})
    assert opened == []


@pytest.mark.parametrize("demo", [False, True])
def test_what_each_client_may_still_ask(demo: bool, opened: list[tuple[str, int]]) -> None:
    keys = Credentials("key", "c2VjcmV0")
    once = CALLS._replace(attempts=1)
    spot = VenueClient("kraken", credentials=keys, policy=once)
    futures = VenueClient("krakenfutures", credentials=keys if demo else None, demo=demo, policy=once)
    spot._ccxt.enableRateLimit = futures._ccxt.enableRateLimit = False
    for ask in (
        lambda: spot.ask("fetch_time"),
        lambda: spot.ask("private_post_openorders"),
        lambda: spot.ask("private_post_addorder", {"pair": "XBTEUR", "validate": "true"}),
        lambda: futures.ask("public_get_instruments"),
    ):
        with pytest.raises(ExchangeNetworkError):
            ask()
    assert opened == [
        *[("api.kraken.com", 443)] * 3,
        ("demo-futures.kraken.com" if demo else "futures.kraken.com", 443),
    ]


def test_no_private_call_reaches_the_futures_venue_of_production(opened: list[tuple[str, int]]) -> None:
    keys = Credentials("key", "c2VjcmV0")
    real = VenueClient("krakenfutures", policy=CALLS, sleep=no_wait)
    real._ccxt.apiKey, real._ccxt.secret = keys.key, keys.secret  # whoever built it gave it none
    asked: list[tuple[str, dict[str, Any]]] = [
        ("private_get_openorders", {}),
        ("private_post_sendorder", {"symbol": "PF_XBTUSD", "size": 1}),
        ("private_post_batchorder", {"batchOrder": []}),
    ]
    for method, params in asked:
        with pytest.raises(ForbiddenRequestError, match=r"^not sent: (GET|POST) /derivatives/api/v3/\w+ to futures"):
            real.ask(method, params)
    demo = VenueClient("krakenfutures", credentials=keys, demo=True, policy=CALLS, sleep=no_wait)
    demo._ccxt.urls["api"] = real._ccxt.urls["api"]
    with pytest.raises(ForbiddenRequestError, match=rf"it would have gone to {FUTURES}:443"):
        demo.ask("private_get_openorders")
    assert opened == []


def test_the_connection_is_judged_though_the_request_was_not(elsewhere: Elsewhere, venue: LoopbackVenue) -> None:
    """Behind the first look stands a second: at the host that urllib3 opens the connection to."""
    session = client_of(venue)._ccxt.session
    pools = session.get_adapter("http://").poolmanager
    for place in (f"http://{elsewhere.host}", f"https://{elsewhere.host}", venue.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(ForbiddenRequestError, match="it would have gone to"):
            pools.urlopen("POST", place, body="x=1", retries=False)
    assert (elsewhere.connections, venue.requests) == (0, ())


def test_the_snapshot_asks_the_guards_of_every_configured_venue_and_names_how_many_were_tried(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, configure: Callable[[str, str], None]
) -> None:
    found = {one.id: one for one in lock_checks(workspace)}
    assert (found["base_url"].status, found["wire"].status) == ("pass", "pass")
    assert found["base_url"].evidence == "27 refused"
    counted, told = found["wire"].evidence.split(" orders ")
    assert (int(counted) > 200, told) == (True, "refused to kraken, krakenfutures")
    configure('venue = "kraken" ', 'venue = "binance" ')
    more = {one.id: one for one in lock_checks(Workspace(workspace.home))}["wire"]
    assert (more.status, more.evidence.endswith("to kraken, krakenfutures, binance")) == ("pass", True)
    assert int(more.evidence.split()[0]) > int(counted)
    monkeypatch.setattr(Guard, "judge", lambda *_: None)
    assert next(one.status for one in lock_checks(workspace) if one.id == "wire") == "fail"
