"""Candles by websocket, whatever the dialect: one loop that reads, answers and tells what changed; a dialect says how.

What is told of a stream is every bar that closed since it was last told, then the open one, whenever it changed.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.websocket import CLOSE, PING, PONG, TEXT, frame, handshake, take_frame
from peaktrade_core.testing.wire import VenueRequest, Wire
from peaktrade_core.trading.market import Bar

LOOK_S = 0.01  # how often the clock is looked at [s of wall clock]
Glance = Callable[[VenueRequest], tuple[Moment, bool]]


class Stream:
    """One subscription: which market, bars of which length [s], and the last bar that was told."""

    def __init__(self, market: MarketSource, interval_s: int, *, flat: bool = True, history: int = 1) -> None:
        """Describe it; ``flat``: whether a bar without trades is told, ``history``: bars that are told at once."""
        self.market, self.interval_s, self.flat, self.history = market, interval_s, flat, history
        self.last: Bar | None = None

    def news(self, moment: Moment) -> list[Bar]:
        """Return what changed since it was last told."""
        bars = moment.bars(self.market, self.interval_s, 1000, flat=self.flat)
        last = self.last
        fresh = bars[-self.history :] if last is None else [bar for bar in bars if bar.ts >= last.ts and bar != last]
        if fresh:
            self.last = fresh[-1]
        return fresh


class Topics(ABC):
    """How one dialect names subscriptions, answers to them, and writes candles."""

    @abstractmethod
    def answered(self, asked: dict[str, Any], told: dict[str, Stream]) -> list[bytes]:
        """Return the answers to a message of the client's, and note in ``told``, by topic, what it subscribed to."""

    @abstractmethod
    def event(self, topic: str, stream: Stream, bars: list[Bar], moment: Moment, *, first: bool) -> list[bytes]:
        """Return bars of a topic as messages; ``first``: they are the first of it."""

    def greeting(self) -> list[bytes]:
        """Return what is told before anything was asked."""
        return []


def serve(topics: Topics, request: VenueRequest, wire: Wire, glance: Glance) -> None:
    """Serve one connection until the client leaves or a fault breaks it.

    Args:
        topics: the dialect; request: what opened it; wire: the connection.
        glance: returns the moment, and whether the line breaks, for each look at a topic, every ``LOOK_S``.
    """
    wire.send(handshake(request))
    for text in topics.greeting():
        wire.send(frame(text))
    told: dict[str, Stream] = {}
    buffer = bytearray()
    while (data := wire.receive(LOOK_S)) is not None:
        buffer += data
        while (got := take_frame(buffer)) is not None:
            kind, data = got
            if kind == CLOSE:
                wire.close()
                return
            if kind == PING:
                wire.send(frame(data, PONG))
            if kind == TEXT:
                for text in topics.answered(json.loads(data), told):
                    wire.send(frame(text))
        for topic, stream in told.items():
            moment, broken = glance(request._replace(method="WS", path=f"/ws/{topic}"))
            if broken:
                wire.reset()
                return
            first = stream.last is None
            if fresh := stream.news(moment):
                for text in topics.event(topic, stream, fresh, moment, first=first):
                    wire.send(frame(text))
