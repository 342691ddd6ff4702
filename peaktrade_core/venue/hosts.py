"""Where a client's bytes may go: a base URL is judged when it is given, and every request again where it leaves.

Both ask urllib3's parser, which is the one that connects. An address that it reads in another way than it is written
means two places at once and is refused. The guard sits in the session itself: it sees redirects, proxies and whatever
ccxt made of the address, then the host that the connection is opened to, then what that name resolves to.

A production host of any venue is asked for public data only: without a key, a body or a path that changes something.
Kraken spot alone is also asked to validate orders. Everything else goes to a sandbox (:mod:`.places`) or this machine.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from peaktrade_core.base.errors import ForbiddenRequestError
from peaktrade_core.venue.dialects import dialect_of
from peaktrade_core.venue.origins import LOOPBACK, PORTS, Origin, loopback_addresses, loopback_origin, origin_of
from peaktrade_core.venue.places import DEMO_HOSTS, Places, places_of

if TYPE_CHECKING:
    from requests import Session
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection

__all__ = ["DEMO_HOSTS", "LOOPBACK", "Guard"]

# headers of a public request of any venue that ccxt knows; a key travels in none of them
_PLAIN_HEADERS = frozenset(
    {
        *("user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length", "referrer"),
        *("partner-id", "open-api-partner", "x-bitopro-api", "x-fb-client", "x-fb-client-version"),
        *("x-gate-size-decimal", "x-gate-channel-id", "hibachi-client", "cb-version"),
    }
)
_KEYED = re.compile(
    r"(?i)api.?key|access.?key|secret|sign|nonce|auth|token|passphrase|recvwindow|^key$|^tx|^hash$|^user|^account"
)
_ACTS = re.compile(r"(?i)(^|/)(private|auth|broadcast_tx\w*|send_?tx\w*|withdraw\w*|transfer\w*)(/|$)")
_SPOT_PUBLIC = re.compile(r"/0/public/[A-Za-z0-9]+")
_SPOT_READING = frozenset(
    f"/0/private/{name}"
    for name in (
        *("Balance", "BalanceEx", "TradeBalance", "OpenOrders", "ClosedOrders", "QueryOrders"),
        *("TradesHistory", "QueryTrades", "OpenPositions", "Ledgers", "QueryLedgers", "TradeVolume"),
    )
)
_SPOT_ORDER = "/0/private/AddOrder"


class Guard:
    """What one client may send, and where to.

    Attributes:
        places: the only ones that it connects to, and what each is for.
        loopback: whether that is on this machine.
    """

    def __init__(self, venue: str, *, base_url: str | None = None, demo: bool = False) -> None:
        """Describe it for a venue on this machine, a sandbox, or the real one.

        Raises:
            ConfigError: ``base_url`` leaves this machine, or can be read in two ways; or the venue has no sandbox.
        """
        self.venue, self.loopback = venue, base_url is not None
        self.places = (
            places_of(venue, demo) if base_url is None else Places(orders=frozenset([loopback_origin(base_url)]))
        )

    def session(self) -> Session:
        """Return a session that sends through this guard only: no redirects, no proxies of the environment."""
        import requests

        made = requests.Session()
        made.trust_env, made.max_redirects = False, 0
        made.adapters.clear()
        made.mount("", _adapter(self))
        return made

    def judge(
        self,
        method: str,
        url: str,
        headers: Mapping[str, Any],
        body: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> None:
        """Let a request pass; what is refused was not sent.

        Raises:
            ForbiddenRequestError: another place, a proxy, or to a production host more than reading public data (Kraken
                spot: or an order that is not one to validate).
        """
        if any((proxies or {}).values()):
            raise ForbiddenRequestError(f"not sent: {self.venue} is asked without a proxy, and one is set")
        try:
            origin = origin_of(url)
        except ValueError as wrong:
            raise ForbiddenRequestError(f"not sent: the address of a {method} to {self.venue}: {wrong}") from None
        self._require(origin)
        if origin in self.places.orders:
            return
        path, _, query = f"/{'/'.join(url.split('/')[3:])}".partition("?")
        if self.venue == "kraken":
            allowed, reads = (
                "what only reads, and AddOrder with validate=true",
                _spot_reads(method, path, query, headers, body),
            )
        else:
            allowed, reads = "public data", _reads(self.venue, method, path, query, headers, body)
        if not reads:
            raise ForbiddenRequestError(f"not sent: {method} {path} to {origin.host}, which is asked for {allowed}")

    def connect(self, scheme: str, connection: HTTPConnection, opened: Callable[[], socket.socket]) -> socket.socket:
        """Open a connection to where urllib3 really goes, on this machine by an address that was looked at before.

        Raises:
            ForbiddenRequestError: to another place.
        """
        from urllib3.exceptions import NameResolutionError, NewConnectionError

        name, port = connection._dns_host, connection.port
        origin = self._require(Origin(scheme, name.strip("[]"), port or PORTS[scheme]))
        if not self.loopback:
            return opened()
        try:
            addresses = loopback_addresses(origin.host, origin.port)
        except OSError as unknown:
            raise NameResolutionError(name, connection, unknown) from unknown  # type: ignore[arg-type]
        try:
            for address in addresses[:-1]:
                connection._dns_host = address
                try:
                    return opened()
                except NewConnectionError:
                    continue
            connection._dns_host = addresses[-1]
            return opened()
        finally:
            connection._dns_host = name

    def _require(self, origin: Origin) -> Origin:
        if origin not in self.places.all:
            known = ", ".join(sorted(map(str, self.places.all)))
            raise ForbiddenRequestError(f"not sent: it would have gone to {origin}; {self.venue} is at {known}")
        return origin


def _reads(venue: str, method: str, path: str, query: str, headers: Mapping[str, Any], body: Any) -> bool:
    """Return whether a request to production can only be one for public data: nothing of a key, nothing that acts."""
    if not {name.lower() for name in headers} <= _PLAIN_HEADERS or _ACTS.search(path):
        return False
    if any(_KEYED.search(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
        return False
    if method == "GET":
        return not body
    asks = dialect_of(venue).reading_posts
    text = body.decode("latin-1") if isinstance(body, bytes) else body or ""
    named = re.findall(r'"(\w+)"\s*:', text)
    return (
        method == "POST" and re.fullmatch(asks, path) is not None and not any(map(_KEYED.search, named))
        if asks
        else False
    )


def _spot_reads(method: str, path: str, query: str, headers: Mapping[str, Any], body: Any) -> bool:
    """Return whether a request to Kraken spot reads, or has an order validated."""
    plain = {name.lower() for name in headers} <= _PLAIN_HEADERS
    private = method == "POST" and not query
    reads = method == "GET" and plain and not body and _SPOT_PUBLIC.fullmatch(path) is not None
    reads = reads or (private and path in _SPOT_READING)
    return reads or (private and path == _SPOT_ORDER and _validates(headers, body))


def _validates(headers: Mapping[str, Any], body: Any) -> bool:
    """Return whether the body of an order says, once and in plain form, that it is to be validated only."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    text = body.decode("latin-1") if isinstance(body, bytes) else body
    if not isinstance(text, str) or kind not in (
        "application/x-www-form-urlencoded",
        b"application/x-www-form-urlencoded",
    ):
        return False
    return [value for name, value in parse_qsl(text, keep_blank_values=True) if name == "validate"] == ["true"]


def _adapter(guard: Guard) -> HTTPAdapter:
    """Return the transport that asks ``guard`` for each request, and again for each connection."""
    from requests.adapters import HTTPAdapter
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class PlainConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return guard.connect("http", self, super()._new_conn)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return guard.connect("https", self, super()._new_conn)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    class GuardedAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            proxies = kwargs.get("proxies") or (args[4] if len(args) > 4 else None)
            guard.judge(request.method or "", request.url or "", request.headers, request.body, proxies)
            return super().send(request, *args, **kwargs)

    return GuardedAdapter()
