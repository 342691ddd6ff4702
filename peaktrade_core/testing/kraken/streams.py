"""Kraken's websocket of candles, version 2: a snapshot of what there was, then each bar as it grows; quiet minutes are not told.

Source: Kraken Spot Websocket API v2 documentation (ohlc channel).
"""

from __future__ import annotations

import json
from typing import Any

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.market import MarketSource, trades, typical
from peaktrade_core.testing.streams import Stream, Topics
from peaktrade_core.trading.market import Bar

PATH = "/v2"
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)  # [min]
HISTORY = 100  # bars of a snapshot


class KrakenTopics(Topics):
    """Topics like ``ohlc.1.BTC/EUR``."""

    def __init__(self, markets: dict[str, MarketSource]) -> None:
        self._markets = {market.pair.symbol: market for market in markets.values()}

    def greeting(self) -> list[bytes]:
        """Return the state of the venue."""
        status = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": 1}
        return [json.dumps({"channel": "status", "type": "update", "data": [status]}).encode()]

    def answered(self, asked: dict[str, Any], told: dict[str, Stream]) -> list[bytes]:
        """Answer pings, and note or forget topics."""
        method, number, params = asked.get("method"), asked.get("req_id"), asked.get("params") or {}
        if method == "ping":
            return [json.dumps({"method": "pong", "req_id": number}).encode()]
        answers = []
        for name in params.get("symbol") or ():
            interval = params.get("interval", 1)
            known = name in self._markets and interval in INTERVALS and params.get("channel") == "ohlc"
            if not known:
                refusal = {
                    "method": method,
                    "success": False,
                    "error": f"Currency pair not supported {name}",
                    "req_id": number,
                }
                return [json.dumps(refusal).encode()]
            topic = f"ohlc.{interval}.{name}"
            if method == "subscribe":
                told.setdefault(topic, Stream(self._markets[name], interval * 60, flat=False, history=HISTORY))
            else:
                told.pop(topic, None)
            result = {"channel": "ohlc", "interval": interval, "snapshot": True, "symbol": name}
            answers.append(json.dumps({"method": method, "result": result, "success": True, "req_id": number}).encode())
        return answers

    def event(self, topic: str, stream: Stream, bars: list[Bar], moment: Moment, *, first: bool) -> list[bytes]:
        """Return candles in one message."""
        candles = [_candle(topic.split(".", 2)[2], stream.interval_s // 60, bar) for bar in bars]
        told = {"channel": "ohlc", "type": "snapshot" if first else "update", "timestamp": _iso(moment.stated)}
        return [json.dumps(told | {"data": candles}).encode()]


def _candle(name: str, minutes: int, bar: Bar) -> dict[str, Any]:
    return {
        "symbol": name,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "trades": trades(bar),
        "volume": bar.volume,
        "vwap": typical(bar),
        "interval_begin": _iso(bar.ts),
        "interval": minutes,
        "timestamp": _iso(bar.ts + 60 * minutes),
    }


def _iso(ts: float) -> str:
    return f"{from_seconds(ts):%Y-%m-%dT%H:%M:%S.%f}000Z"
