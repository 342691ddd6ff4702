"""Binance's websocket of candles: subscriptions, and the open bar told again whenever it changed.

Source: Binance Spot API documentation (WebSocket streams, kline streams).
"""

from __future__ import annotations

import json
from typing import Any

from peaktrade_core.testing.binance.side import INTERVALS, name_of, row_of
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.streams import Stream, Topics
from peaktrade_core.trading.market import Bar


class BinanceTopics(Topics):
    """Topics like ``btceur@kline_1m``, of spot and of futures."""

    def __init__(self, markets: dict[str, MarketSource]) -> None:
        self._markets = {name_of(market.pair).lower(): market for market in markets.values()}

    def answered(self, asked: dict[str, Any], told: dict[str, Stream]) -> list[bytes]:
        """Note or forget topics."""
        for topic in asked.get("params") or ():
            name, _, interval = topic.partition("@kline_")
            if name not in self._markets or interval not in INTERVALS:
                return [json.dumps({"error": {"code": 2, "msg": "Invalid request"}, "id": asked.get("id")}).encode()]
            if asked.get("method") == "SUBSCRIBE":
                told.setdefault(topic, Stream(self._markets[name], INTERVALS[interval]))
            else:
                told.pop(topic, None)
        return [json.dumps({"result": None, "id": asked.get("id")}).encode()]

    def event(self, topic: str, stream: Stream, bars: list[Bar], moment: Moment, *, first: bool) -> list[bytes]:
        """Return candles as the stream writes them, one in each message."""
        del first
        return [_event(topic.partition("@kline_")[2], stream, bar, moment) for bar in bars]


def _event(interval: str, stream: Stream, bar: Bar, moment: Moment) -> bytes:
    opened, o, h, l, c, volume, closes, turnover, count, *_ = row_of(stream.market, bar, stream.interval_s)
    symbol = name_of(stream.market.pair)
    candle = {"t": opened, "T": closes, "s": symbol, "i": interval, "f": 1, "L": count, "o": o, "c": c, "h": h, "l": l}
    candle |= {
        "v": volume,
        "n": count,
        "x": moment.now >= bar.ts + stream.interval_s,
        "q": turnover,
        "V": volume,
        "Q": turnover,
    }
    return json.dumps({"e": "kline", "E": int(moment.stated * 1000), "s": symbol, "k": candle | {"B": "0"}}).encode()
