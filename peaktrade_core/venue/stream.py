"""Candles from a venue's websocket, through ccxt's own client, on a thread of its own; the feed asks REST for the rest.

It watches and does nothing else: it is never given a key, connects to the websocket hosts that ccxt has for the venue and to
no other, and every request that is not the opening of a websocket is refused.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from peaktrade_core.base.errors import ConfigError, ForbiddenRequestError
from peaktrade_core.venue.origins import LOOPBACK, PORTS, Origin, loopback_addresses
from peaktrade_core.venue.places import addresses
from peaktrade_core.venue.strict import redirected

if TYPE_CHECKING:
    from aiohttp import TCPConnector

    from peaktrade_core.venue.client import VenueClient

KEPT = 1500  # newest rows that are remembered
LOOK_S = 0.05  # how often it is looked whether the markets are known [s]
FIRST_S, LONGEST_S = 1.0, 60.0  # first and longest pause before a new connection
_PLAIN = {"ws": "http", "wss": "https"}


class CandleStream:
    """The newest candles of one symbol as the venue tells them.

    Attributes:
        failures: connections in a row that failed; fault: the last one's.
    """

    def __init__(self, client: VenueClient, symbol: str, timeframe: str, bar_s: int) -> None:
        """Describe the stream; nothing is opened before :meth:`start`.

        Raises:
            ConfigError: ccxt takes no candles from the venue's websocket.
        """
        import ccxt.pro

        self._symbol, self._timeframe, self._bar_ms = symbol, timeframe, bar_s * 1000
        base: Any = getattr(ccxt.pro, client.name, None)
        if base is None or not base().has.get("watchOHLCV"):
            raise ConfigError(
                f"websocket = true: {client.name} has no candles there; write websocket = false in [exchange]"
            )
        self._client, self._class = client, base
        self._rows: dict[int, list[Any]] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self.failures, self.fault = 0, ""

    def start(self) -> None:
        """Open the websocket, and open it again whenever it breaks."""
        threading.Thread(target=self._run, name=f"{self._client.name} candles", daemon=True).start()

    def close(self) -> None:
        """Close it; the thread ends by itself."""
        self._ended.set()
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_stop, loop)

    def rows(self, since: float) -> list[list[Any]]:
        """Return the rows from ``since`` [s since epoch] on if none is missing and a later one came, else nothing.

        A row is whole once a later one came: the line keeps the order, and a line that broke forgets what it brought.
        """
        with self._lock:
            newest = max(self._rows, default=0)
            wanted = range(round(since * 1000), newest + 1, self._bar_ms)
            if len(wanted) < 2 or any(ts not in self._rows for ts in wanted):
                return []
            return [self._rows[ts] for ts in wanted]

    def _run(self) -> None:
        try:
            asyncio.run(self._watch())
        except (asyncio.CancelledError, RuntimeError):  # closed from outside
            self._forget()

    async def _watch(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._ended.is_set():
            exchange = await self._opened()
            session = exchange.session  # which ccxt forgets when it closes
            try:
                while not self._ended.is_set():
                    self._keep(await exchange.watch_ohlcv(self._symbol, self._timeframe))
            except Exception as fault:  # whatever it was, REST answers meanwhile
                self.failures, self.fault = self.failures + 1, f"{type(fault).__name__}: {fault}"[:300]
            finally:
                self._forget()
                await exchange.close()
                await session.close()
            await asyncio.sleep(min(LONGEST_S, FIRST_S * 2.0 ** min(self.failures - 1, 10)))

    async def _opened(self) -> Any:
        """Return ccxt's client, guarded, with the markets that are known already."""
        import aiohttp

        while not self._client._ccxt.markets:  # the feed's first call loads them; the client is not for two threads
            await asyncio.sleep(LOOK_S)
        exchange = self._class({"enableRateLimit": True, "newUpdates": True})
        exchange.options["maxRetriesOnFailure"] = 0
        if self._client.demo:
            exchange.set_sandbox_mode(True)
        if self._client.base_url:
            exchange.urls["api"] = redirected(exchange.urls["api"], self._client.base_url)
        exchange.set_markets(self._client._ccxt.markets, self._client._ccxt.currencies)
        exchange.own_session = False
        places = stream_places(exchange)
        exchange.session = aiohttp.ClientSession(connector=_guarded(places), trust_env=False)
        return exchange

    def _keep(self, rows: list[list[Any]]) -> None:
        with self._lock:
            self.failures = 0
            self._rows |= {int(row[0]): list(row) for row in rows if row and row[0] is not None}
            for ts in sorted(self._rows)[:-KEPT]:
                del self._rows[ts]

    def _forget(self) -> None:
        with self._lock:
            self._rows.clear()


def stream_places(exchange: Any) -> frozenset[Origin]:
    """Return where the websockets of a ccxt instance are, and nothing else."""
    from urllib3.util import parse_url

    found = set()
    for url in addresses(exchange, "ws"):
        there = parse_url(url)
        scheme = _PLAIN.get(there.scheme or "", "")
        loopback = there.host in LOOPBACK
        if there.host and there.auth is None and (scheme == "https" or (scheme and loopback)):
            found.add(Origin(scheme, there.host.strip("[]"), there.port or PORTS[scheme]))
    return frozenset(found)


def _guarded(places: frozenset[Origin]) -> TCPConnector:
    """Return the connector of a stream: to its places, for websockets, and directly."""
    import aiohttp

    class GuardedConnector(aiohttp.TCPConnector):
        async def connect(self, req: Any, *args: Any, **kwargs: Any) -> Any:
            judge_stream(places, req.method, req.url, dict(req.headers), getattr(req, "proxy", None))
            return await super().connect(req, *args, **kwargs)

    return GuardedConnector()


def judge_stream(places: frozenset[Origin], method: str, url: Any, headers: dict[str, str], proxy: Any = None) -> None:
    """Let the opening of a websocket at one of ``places`` pass; ``url`` has scheme, host and port.

    Raises:
        ForbiddenRequestError: anything else.
    """
    scheme = _PLAIN.get(url.scheme, url.scheme)
    opens = method == "GET" and {name.lower(): value for name, value in headers.items()}.get("upgrade") == "websocket"
    origin = Origin(scheme, str(url.host), url.port or PORTS.get(scheme, 0))
    if proxy or not opens or origin not in places:
        raise ForbiddenRequestError(f"not sent: {method} {origin}; a stream only opens websockets of its venue")
    if origin.host in LOOPBACK:
        loopback_addresses(origin.host, origin.port)


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
