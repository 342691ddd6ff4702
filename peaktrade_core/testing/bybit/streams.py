"""Bybit's websocket of candles.

Source: Bybit V5 API documentation (WebSocket, public topics, kline).
"""

from __future__ import annotations

import json
from typing import Any

from peaktrade_core.testing.binance.side import name_of
from peaktrade_core.testing.bybit.public import INTERVALS, row_of
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.streams import Stream, Topics
from peaktrade_core.trading.market import Bar

PATH = "/v5/public/"


class BybitTopics(Topics):
    """Topics like ``kline.1.BTCUSDT``."""

    def __init__(self, markets: dict[str, MarketSource]) -> None:
        self._markets = {name_of(market.pair): market for market in markets.values()}

    def answered(self, asked: dict[str, Any], told: dict[str, Stream]) -> list[bytes]:
        """Answer pings, and note or forget topics."""
        op, number = asked.get("op"), asked.get("req_id", "")
        if op == "ping":
            return [_answer("pong", number, "ping")]
        for topic in asked.get("args") or ():
            kind, _, rest = str(topic).partition(".")
            interval, _, name = rest.partition(".")
            if kind != "kline" or name not in self._markets or interval not in INTERVALS:
                return [_answer(f"error:handler not found,topic:{topic}", number, str(op), success=False)]
            if op == "subscribe":
                told.setdefault(topic, Stream(self._markets[name], INTERVALS[interval]))
            else:
                told.pop(topic, None)
        return [_answer("", number, str(op))]

    def event(self, topic: str, stream: Stream, bars: list[Bar], moment: Moment, *, first: bool) -> list[bytes]:
        """Return candles as the stream writes them, one in each message."""
        del first
        return [_event(topic, stream, bar, moment) for bar in bars]


def _event(topic: str, stream: Stream, bar: Bar, moment: Moment) -> bytes:
    _, o, h, l, c, volume, turnover = row_of(stream.market, bar)
    start, stated = int(bar.ts * 1000), int(moment.stated * 1000)
    candle = {
        "start": start,
        "end": start + stream.interval_s * 1000 - 1,
        "interval": topic.split(".")[1],
        "open": o,
        "close": c,
        "high": h,
        "low": l,
        "volume": volume,
        "turnover": turnover,
        "confirm": moment.now >= bar.ts + stream.interval_s,
        "timestamp": stated,
    }
    return json.dumps({"topic": topic, "data": [candle], "ts": stated, "type": "snapshot"}).encode()


def _answer(text: str, number: Any, op: str, *, success: bool = True) -> bytes:
    told = {"success": success, "ret_msg": text, "conn_id": "loopback", "req_id": number, "op": op}
    return json.dumps(told).encode()
