"""The loopback venue: a port, a clock, markets and faults, speaking as Kraken, Binance and Bybit do, spot and perpetuals."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Self

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.testing.binance.perpetuals import BinancePerpetuals
from peaktrade_core.testing.binance.refusals import API as BINANCE
from peaktrade_core.testing.binance.refusals import COIN, FUTURES
from peaktrade_core.testing.binance.spot import BinanceSpot
from peaktrade_core.testing.binance.streams import BinanceTopics
from peaktrade_core.testing.bybit.refusals import speaks as speaks_bybit
from peaktrade_core.testing.bybit.streams import PATH as BYBIT_STREAMS
from peaktrade_core.testing.bybit.streams import BybitTopics
from peaktrade_core.testing.bybit.venue import Bybit
from peaktrade_core.testing.clock import VenueClock
from peaktrade_core.testing.faults import LOOP, VenueFault, redirect
from peaktrade_core.testing.kraken.futures import API, CHARTS, RATES, Futures, FuturesRefusalError, by_futures_id
from peaktrade_core.testing.kraken.futures_account import FuturesAccount
from peaktrade_core.testing.kraken.futures_orders import iso_ms
from peaktrade_core.testing.kraken.signing import LOOPBACK, Doorkeeper, LoopbackKey
from peaktrade_core.testing.kraken.spot import Moment, RefusalError, SpotPublic
from peaktrade_core.testing.kraken.spot_account import SpotAccount
from peaktrade_core.testing.kraken.spot_orders import SpotPrivate
from peaktrade_core.testing.kraken.streams import PATH as KRAKEN_STREAMS
from peaktrade_core.testing.kraken.streams import KrakenTopics
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import RestingOrder
from peaktrade_core.testing.rules import FaultRules
from peaktrade_core.testing.server import HOST, Port
from peaktrade_core.testing.streams import serve
from peaktrade_core.testing.websocket import wants_websocket
from peaktrade_core.testing.wire import Reply, VenueRequest, Wire, html_reply, json_reply

BALANCE = 10_000.0  # of each quote currency, unless told otherwise


class Venue(ABC):
    """What every venue on loopback has: a port, a clock, faults and a log of requests. Use it in a ``with`` block.

    Attributes:
        clock: the venue's time.
        faults: what goes wrong.
        credentials: key and secret that it takes.
    """

    def __init__(self, clock: VenueClock, port: int, credentials: LoopbackKey) -> None:
        self.clock, self.faults, self.credentials = clock, FaultRules(), credentials
        self._requests: list[VenueRequest] = []
        self._failures: list[Exception] = []
        self._lock = threading.RLock()
        self._port = Port(self._respond, self._failures.append, port)

    def __enter__(self) -> Self:
        self._port.accept()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()
        if self._failures and error is None:
            raise self._failures[0]  # a bug of the venue must not pass for a fault of the exchange

    @property
    def url(self) -> str:
        """Return the base URL, without a slash at the end."""
        return f"http://{HOST}:{self._port.number}"

    @property
    def requests(self) -> tuple[VenueRequest, ...]:
        """Return all requests so far, in the order they came."""
        with self._lock:
            return tuple(self._requests)

    def requests_to(self, endpoint: str) -> list[VenueRequest]:
        """Return the requests to an endpoint such as ``AddOrder``."""
        return [request for request in self.requests if request.endpoint == endpoint]

    def forget(self) -> None:
        """Empty the log of requests."""
        with self._lock:
            self._requests.clear()

    def refuse(self) -> None:
        """End all connections and refuse new ones until :meth:`accept`."""
        self._port.refuse()

    def accept(self) -> None:
        """Take connections again."""
        self._port.accept()

    def close(self) -> None:
        """End all connections and threads and give the port back."""
        self._port.close()

    @abstractmethod
    def answer(self, request: VenueRequest, fault: VenueFault | None) -> Reply:
        """Work a request off; called with the venue's lock held.

        Args:
            request: what came in.
            fault: what it meets, where that changes candles, clock or state.
        """

    def stream(self, request: VenueRequest, wire: Wire) -> None:
        """Serve the websocket that ``request`` opens until it ends; a venue that has none says so."""
        del request
        wire.send(_complete(html_reply(404, "404 Not Found")))

    def _respond(self, request: VenueRequest, wire: Wire) -> None:
        """Log a request, work it off and deliver the answer, each as its fault wants."""
        if wants_websocket(request):
            self.stream(request, wire)
            return
        if request.path.startswith(LOOP):
            wire.send(_complete(redirect()))
            return
        with self._lock:
            fault = self.faults.pick(request)
            request = request._replace(ts=self.clock.seconds(), fault=fault.name if fault else "")
            self._requests.append(request)
            replace = fault.replace if fault else None
            reply = replace(request) if replace else self.answer(request, fault)
            stated = self.clock.stated() + (fault.skew_s if fault else 0.0)
        reply = reply._replace(headers=(*reply.headers, ("Date", formatdate(stated, usegmt=True))))
        if fault and fault.deliver:
            fault.deliver(wire, reply)
        else:
            wire.send(_complete(reply))


class LoopbackVenue(Venue):
    """Kraken spot below ``/0``, Kraken's futures demo, Binance below ``/api`` and ``/fapi``, Bybit below ``/v5``.

    Candles, prices and funding follow the clock, the same in every dialect.

    Attributes:
        spot: the spot account: balances and orders, of all spot dialects.
        futures: the futures account of all dialects: collateral, positions, orders and fills.
        state: ``online``, ``maintenance``, ``cancel_only``, ``post_only`` or ``limit_only``.
    """

    def __init__(
        self,
        market: MarketSource,
        *more: MarketSource,
        clock: VenueClock | None = None,
        speed: float = 0.0,
        balances: Mapping[str, float] | None = None,
        collateral: float = BALANCE,
        port: int = 0,
        credentials: LoopbackKey = LOOPBACK,
    ) -> None:
        """Describe the venue; it takes connections inside its ``with`` block.

        Args:
            market: what is traded.
            more: further markets, of other symbols.
            clock: None starts one where the first market has 720 bars (or half of its file) behind it.
            speed: venue seconds for each real second of that clock; 0.0 stands still until it is advanced.
            balances: of the spot account by code, ``{"EUR": 10_000.0}``; None gives 10,000 of each quote currency.
            collateral: of the futures account [USD].
            port: 0 for any free one.
            credentials: key and secret that it takes.

        Raises:
            ConfigError: two markets of one symbol.
            EnvironmentFault: the port is taken or may not be used.
        """
        markets = {one.pair.symbol: one for one in (market, *more)}
        if len(markets) != 1 + len(more):
            raise ConfigError("each market of a venue needs a symbol of its own; two are the same")
        super().__init__(clock or VenueClock(market.default_start, speed), port, credentials)
        self.state = "online"
        funds = balances if balances is not None else {one.pair.quote.code: BALANCE for one in markets.values()}
        doorkeeper = Doorkeeper(credentials)
        perpetuals = by_futures_id(markets)
        self.spot = SpotAccount(markets, funds)
        self.futures = FuturesAccount(perpetuals, collateral)
        self._public = SpotPublic(markets)
        self._private = SpotPrivate(markets, self.spot, doorkeeper)
        self._topics = {
            KRAKEN_STREAMS: KrakenTopics(markets),
            BYBIT_STREAMS: BybitTopics(markets),
            "": BinanceTopics(markets),
        }
        self._binance = BinanceSpot(markets, self.spot, credentials)
        self._binance_futures = BinancePerpetuals(self.futures, credentials)
        self._bybit = Bybit(markets, self.spot, self.futures, credentials)
        self._futures = Futures(perpetuals, self.futures, doorkeeper)

    @property
    def orders(self) -> tuple[RestingOrder, ...]:
        """Return every order that the venue really took, on both sides; validated ones are none."""
        with self._lock:
            return (*self.spot.orders.values(), *self.futures.orders.values())

    def stream(self, request: VenueRequest, wire: Wire) -> None:
        """Serve a dialect's websocket of candles; a fault at a path like ``/ws/btceur@kline_1m`` spoils or breaks it."""

        def glance(asked: VenueRequest) -> tuple[Moment, bool]:
            fault = self.faults.pick(asked)
            moment = Moment(self.clock.seconds(), self.clock.stated(), self.state, fault)
            return moment, fault is not None and (fault.replace is not None or fault.deliver is not None)

        with self._lock:
            self._requests.append(request._replace(ts=self.clock.seconds()))
        _, _, asked = request.path.removeprefix("/").partition("/")  # after the host that the client meant
        topics = next(topics for path, topics in self._topics.items() if f"/{asked}".startswith(path))
        serve(topics, request, wire, glance)

    def answer(self, request: VenueRequest, fault: VenueFault | None) -> Reply:
        """Work a request off."""
        moment = Moment(self.clock.seconds(), self.clock.stated(), self.state, fault)
        if request.path.startswith("/0/"):
            return json_reply(self._spot_answer(request, moment))
        if request.path.startswith(BINANCE):
            return self._binance.answer(request, moment)
        if request.path.startswith(FUTURES):
            return self._binance_futures.answer(request, moment)
        if request.path.startswith(COIN):
            return json_reply({"symbols": []})
        if speaks_bybit(request.path):
            return self._bybit.answer(request, moment)
        if request.path.startswith((API, CHARTS, RATES)):
            return json_reply(self._futures_answer(request, moment))
        return html_reply(404, "404 Not Found")

    def _spot_answer(self, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        half: dict[str, SpotPublic | SpotPrivate] = {"/0/public/": self._public, "/0/private/": self._private}
        side = half.get(request.path.removesuffix(request.endpoint))
        try:
            if side is None:
                raise RefusalError("EGeneral:Unknown method")
            return {"error": [], "result": side.answer(request, moment)}
        except RefusalError as refusal:
            return {"error": [str(refusal)]}

    def _futures_answer(self, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        stated = iso_ms(moment.stated)
        try:
            answer = self._futures.answer(request, moment)
        except FuturesRefusalError as refusal:
            return {"result": "error", "error": str(refusal), "serverTime": stated}
        if request.path.startswith(CHARTS):
            return answer
        return {"result": "success", **answer, "serverTime": stated}


def _complete(reply: Reply) -> bytes:
    return reply.head() + reply.body
