"""Where a client's bytes may go: a base URL is judged when it is given, and every request again where it leaves.

Both ask urllib3's parser, which is the one that connects. An address that it reads in another way than it is written
means two places at once and is refused. The guard sits in the session itself: it sees redirects, proxies and whatever
ccxt made of the address, then the host that the connection is opened to, then what that name resolves to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from peaktrade_core.base.errors import ConfigError, ForbiddenRequestError

if TYPE_CHECKING:
    from requests import Session
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEMO_HOSTS = ("demo-futures.kraken.com",)
_PRODUCTION = {"kraken": "api.kraken.com", "krakenfutures": "futures.kraken.com"}
_PORTS = {"http": 80, "https": 443}
_KEY_HEADERS = {"api-key", "api-sign", "apikey", "authent", "authorization"}
_SPOT_PUBLIC = re.compile(r"/0/public/[A-Za-z0-9]+")
_SPOT_READING = frozenset(
    f"/0/private/{name}"
    for name in (
        *("Balance", "BalanceEx", "TradeBalance", "OpenOrders", "ClosedOrders", "QueryOrders"),
        *("TradesHistory", "QueryTrades", "OpenPositions", "Ledgers", "QueryLedgers", "TradeVolume"),
    )
)
_SPOT_ORDER = "/0/private/AddOrder"


class Origin(NamedTuple):
    """One place to connect to; an IPv6 host is without its brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """Return where urllib3 connects to for an address.

    Raises:
        ValueError: the address is not written as it is read; says how.
    """
    from urllib3.util import parse_url

    if not url.isascii() or any(char <= " " or char in "\\\x7f" for char in url):
        raise ValueError("it holds a backslash, white space, a control character or one that is not ASCII")
    try:
        parsed = parse_url(url)
    except ValueError:
        raise ValueError("it is not an address") from None
    if parsed.scheme not in _PORTS or not parsed.host:
        raise ValueError("it must begin with http:// or https:// and a host")
    if parsed.auth is not None:
        raise ValueError("it holds a user before an @")
    read = f"{parsed.scheme}://{parsed.netloc}"
    if not url.startswith(read) or url[len(read) :][:1] not in ("", "/") or parsed.fragment is not None:
        raise ValueError(f"write it as {read}")
    return Origin(parsed.scheme, parsed.host.strip("[]"), _PORTS[parsed.scheme] if parsed.port is None else parsed.port)


def loopback_origin(base_url: str) -> Origin:
    """Return where a base URL leads to, which is a place on this machine.

    Raises:
        ConfigError: it does not, or can be read in two ways.
    """
    from urllib3.util import parse_url

    try:
        origin = origin_of(base_url)
        if origin.host not in LOOPBACK:
            raise ValueError("its host must be 127.0.0.1, localhost or [::1]")
        if parse_url(base_url).url != base_url or not re.fullmatch(r"[a-z]+://[^/]+(/[A-Za-z0-9_.~-]+)*/?", base_url):
            raise ValueError("its path can be read in two ways; leave the path out")
    except ValueError as wrong:
        raise ConfigError(
            f"base_url = {base_url!r} must be on this machine, for example http://127.0.0.1:8080: {wrong}"
        ) from None
    return origin


def loopback_addresses(host: str, port: int) -> list[str]:
    """Return the addresses that a name has just now, all of them on this machine.

    Raises:
        ForbiddenRequestError: one of them is elsewhere.
        OSError: it has none.
    """
    found = list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    foreign = [address for address in found if not ipaddress.ip_address(address.partition("%")[0]).is_loopback]
    if foreign:
        raise ForbiddenRequestError(
            f"not sent: {host} means {', '.join(foreign)} here, which is not this machine; mend /etc/hosts or the "
            "name server, or write 127.0.0.1 as base_url"
        )
    return found


class Guard:
    """What one client may send, and where to.

    Attributes:
        origin: the only place that it connects to.
        loopback: whether that is on this machine; production: whether it is the venue's real one.
    """

    def __init__(self, venue: str, *, base_url: str | None = None, demo: bool = False) -> None:
        """Describe it for a venue on this machine, a demo, or the real one (``kraken`` or ``krakenfutures``).

        Raises:
            ConfigError: ``base_url`` leaves this machine, or can be read in two ways.
        """
        self.venue, self.loopback = venue, base_url is not None
        self.production = base_url is None and not demo
        real = DEMO_HOSTS[0] if demo else _PRODUCTION[venue]
        self.origin = Origin("https", real, 443) if base_url is None else loopback_origin(base_url)

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
            ForbiddenRequestError: another place, a proxy, or an order that is not one to validate.
        """
        if any((proxies or {}).values()):
            raise ForbiddenRequestError(f"not sent: {self.venue} is asked without a proxy, and one is set")
        try:
            self._require(origin_of(url))
        except ValueError as wrong:
            raise ForbiddenRequestError(f"not sent: the address of a {method} to {self.venue}: {wrong}") from None
        if not self.production:
            return
        path, _, query = f"/{'/'.join(url.split('/')[3:])}".partition("?")
        keyed = not _KEY_HEADERS.isdisjoint(name.lower() for name in headers)
        reads = method == "GET" and not keyed and not body
        if self.venue == "kraken":
            private = method == "POST" and not query
            reads = (reads and _SPOT_PUBLIC.fullmatch(path) is not None) or (private and path in _SPOT_READING)
            reads = reads or (private and path == _SPOT_ORDER and _validates(headers, body))
        if not reads:
            allowed = "what only reads, and AddOrder with validate=true" if self.venue == "kraken" else "public data"
            raise ForbiddenRequestError(
                f"not sent: {method} {path} to {self.origin.host}, which is asked for {allowed}"
            )

    def connect(self, scheme: str, connection: HTTPConnection, opened: Callable[[], socket.socket]) -> socket.socket:
        """Open a connection to where urllib3 really goes, on this machine by an address that was looked at before.

        Raises:
            ForbiddenRequestError: to another place.
        """
        from urllib3.exceptions import NameResolutionError, NewConnectionError

        name, port = connection._dns_host, connection.port
        self._require(Origin(scheme, name.strip("[]"), port or _PORTS[scheme]))
        if not self.loopback:
            return opened()
        try:
            addresses = loopback_addresses(self.origin.host, self.origin.port)
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

    def _require(self, origin: Origin) -> None:
        if origin != self.origin:
            raise ForbiddenRequestError(f"not sent: it would have gone to {origin}; {self.venue} is at {self.origin}")


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

    class Guarded(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            proxies = kwargs.get("proxies") or (args[4] if len(args) > 4 else None)
            guard.judge(request.method or "", request.url or "", request.headers, request.body, proxies)
            return super().send(request, *args, **kwargs)

    return Guarded()
