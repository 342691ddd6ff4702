"""Binance's websocket of candles: subscriptions, and the open bar told again whenever it changed.

Source: Binance Spot API documentation (WebSocket streams, kline streams).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from peaktrade_core.testing.binance.spot import INTERVALS, name_of, row_of
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.websocket import CLOSE, PING, PONG, TEXT, frame, handshake, take_frame
from peaktrade_core.testing.wire import VenueRequest, Wire
from peaktrade_core.trading.market import Bar

LOOK_S = 0.01  # how often the clock is looked at [s of wall clock]
Glance = Callable[[VenueRequest], tuple[Moment, bool]]


class KlineStreams:
    """The websocket below ``/ws``."""

    def __init__(self, markets: dict[str, MarketSource]) -> None:
        self._markets = {name_of(market.pair).lower(): market for market in markets.values()}

    def serve(self, request: VenueRequest, wire: Wire, glance: Glance) -> None:
        """Serve one connection until the client leaves or a fault breaks it.

        Args:
            request: what opened it; wire: the connection.
            glance: returns the moment, and whether the line breaks, for each time that something is told.
        """
        wire.send(handshake(request))
        told: dict[str, Bar | None] = {}
        buffer = bytearray()
        while (data := wire.receive(LOOK_S)) is not None:
            buffer += data
            while (got := take_frame(buffer)) is not None:
                if got.kind == CLOSE:
                    wire.close()
                    return
                if got.kind == PING:
                    wire.send(frame(got.data, PONG))
                if got.kind == TEXT:
                    wire.send(frame(self._answered(json.loads(got.data), told)))
            for stream in told:
                moment, broken = glance(request._replace(method="WS", path=f"/ws/{stream}"))
                if broken:
                    wire.reset()
                    return
                for text in self._news(stream, told, moment):
                    wire.send(frame(text))

    def _answered(self, asked: dict[str, Any], told: dict[str, Bar | None]) -> bytes:
        """Return the answer to a message of the client's, and note what it subscribed to."""
        for stream in asked.get("params") or ():
            name, _, interval = stream.partition("@kline_")
            if name not in self._markets or interval not in INTERVALS:
                return json.dumps({"error": {"code": 2, "msg": "Invalid request"}, "id": asked.get("id")}).encode()
            if asked.get("method") == "SUBSCRIBE":
                told.setdefault(stream, None)
            else:
                told.pop(stream, None)
        return json.dumps({"result": None, "id": asked.get("id")}).encode()

    def _news(self, stream: str, told: dict[str, Bar | None], moment: Moment) -> list[bytes]:
        """Return what changed of a stream since it was last told: bars that closed meanwhile, then the open one."""
        name, _, interval = stream.partition("@kline_")
        market, interval_s, last = self._markets[name], INTERVALS[interval], told[stream]
        bars = moment.bars(market, interval_s, 1000, flat=True)
        fresh = bars[-1:] if last is None else [bar for bar in bars if bar.ts >= last.ts and bar != last]
        if fresh:
            told[stream] = fresh[-1]
        return [_event(market, bar, interval, interval_s, moment) for bar in fresh]


def _event(market: MarketSource, bar: Bar, interval: str, interval_s: int, moment: Moment) -> bytes:
    """Return a candle as the stream writes it."""
    opened, o, h, l, c, volume, closes, turnover, count, *_ = row_of(market, bar, interval_s)
    symbol = name_of(market.pair)
    candle = {"t": opened, "T": closes, "s": symbol, "i": interval, "f": 1, "L": count, "o": o, "c": c, "h": h, "l": l}
    candle |= {
        "v": volume,
        "n": count,
        "x": moment.now >= bar.ts + interval_s,
        "q": turnover,
        "V": volume,
        "Q": turnover,
    }
    return json.dumps({"e": "kline", "E": int(moment.stated * 1000), "s": symbol, "k": candle | {"B": "0"}}).encode()
