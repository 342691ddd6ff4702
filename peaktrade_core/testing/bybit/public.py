"""Bybit's public calls: time, instruments, candles, funding, risk limits; and how its markets are found by category and name.

Source: Bybit V5 API documentation (market).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peaktrade_core.testing.binance.side import LOT, name_of
from peaktrade_core.testing.bybit.refusals import refused
from peaktrade_core.testing.kraken.futures_account import LARGEST, MAINTENANCE, MOST_LEVERAGE, PERPETUAL_LOT
from peaktrade_core.testing.kraken.pairs import Pair
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.market import FUNDING_S, MarketSource, typical
from peaktrade_core.trading.market import Bar

PAGE, MOST, RATES = 200, 1000, 200  # candles of an answer, unless asked for and at most; rates at most
INTERVALS = {name: int(name) * 60 for name in ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720")} | {
    "D": 86_400,
    "W": 604_800,
}
Params = dict[str, str]


class BybitPublic:
    """What anyone may ask."""

    def __init__(self, spot: dict[str, MarketSource], perpetuals: dict[str, MarketSource]) -> None:
        """Serve markets, each by Bybit's name, ``BTCUSDT``."""
        self.markets = {"spot": spot, "linear": perpetuals}
        self.calls: dict[str, Callable[[Params, Moment], Any]] = {
            "market/time": lambda _, moment: {
                "timeSecond": f"{moment.stated:.0f}",
                "timeNano": f"{moment.stated * 1e9:.0f}",
            },
            "market/instruments-info": self._instruments,
            "market/kline": self._candles,
            "market/funding/history": self._rates,
            "market/risk-limit": self._limits,
            "system/status": lambda *_: {"list": []},
        }

    def listed(self, params: Params) -> dict[str, MarketSource]:
        """Return the markets of the category that is named, or refuse."""
        if params.get("category") not in self.markets:
            raise refused("EGeneral:Invalid arguments")
        return self.markets[params["category"]]

    def market(self, params: Params) -> MarketSource:
        """Return the market that is named, or refuse."""
        market = self.listed(params).get(params.get("symbol", ""))
        if market is None:
            raise refused("EQuery:Unknown asset pair" if params.get("symbol") else "EGeneral:Invalid arguments")
        return market

    def _instruments(self, params: Params, _: Moment) -> Any:
        category = params.get("category", "")
        if params.get("status", "Trading") != "Trading":
            return {"category": category, "list": [], "nextPageCursor": ""}
        describe = _spot if category == "spot" else _linear
        listed = [describe(market.pair) for market in self.markets.get(category, {}).values()]
        return {"category": category, "list": listed, "nextPageCursor": ""}

    def _candles(self, params: Params, moment: Moment) -> Any:
        market = self.market(params)
        interval_s = INTERVALS.get(params.get("interval", ""))
        if interval_s is None or interval_s % market.bar_s:
            raise refused("EGeneral:Invalid arguments")
        limit = min(MOST, int(whole(params, "limit") or PAGE))
        start, end = whole(params, "start"), whole(params, "end")
        bars = moment.bars(market, interval_s, 1_000_000, flat=True)
        chosen = [bar for bar in bars if (start or 0) <= bar.ts * 1000 <= (end or float("inf"))]
        chosen = chosen[:limit] if start is not None else chosen[-limit:]
        rows = [row_of(market, bar) for bar in reversed(chosen)]
        return {"category": params["category"], "symbol": params["symbol"], "list": rows}

    def _rates(self, params: Params, moment: Moment) -> Any:
        market = self.market(params)
        start, end = whole(params, "startTime"), whole(params, "endTime")
        if params["category"] != "linear" or (start is not None and end is None):
            raise refused("EGeneral:Invalid arguments")
        told = [(ts, rate) for ts, rate in market.rates(0.0, moment.now) if (start or 0) <= ts * 1000 <= (end or 1e18)]
        told = told[-min(RATES, int(whole(params, "limit") or RATES)) :]
        name = params["symbol"]
        rows = [
            {"symbol": name, "fundingRate": f"{rate}", "fundingRateTimestamp": f"{ts * 1000:.0f}"} for ts, rate in told
        ]
        return {"category": "linear", "list": rows[::-1]}

    def _limits(self, params: Params, _: Moment) -> Any:
        self.market(params)
        tier = {
            "id": 1,
            "symbol": params["symbol"],
            "riskLimitValue": f"{LARGEST}",
            "maintenanceMargin": f"{MAINTENANCE}",
            "initialMargin": f"{1 / MOST_LEVERAGE}",
            "isLowestRisk": 1,
            "maxLeverage": f"{MOST_LEVERAGE}",
        }
        return {"category": params["category"], "list": [tier]}


def row_of(market: MarketSource, bar: Bar) -> list[str]:
    """Return a candle as Bybit writes it."""
    prices = [market.pair.price(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    return [f"{bar.ts * 1000:.0f}", *prices, f"{bar.volume:.8f}", f"{bar.volume * typical(bar):.8f}"]


def whole(params: Params, name: str) -> int | None:
    """Return a whole number, None without one, or refuse."""
    text = params.get(name, "")
    if text and not text.isdigit():
        raise refused("EGeneral:Invalid arguments")
    return int(text) if text else None


def _spot(pair: Pair) -> dict[str, Any]:
    return {
        "symbol": name_of(pair),
        "baseCoin": pair.base.code,
        "quoteCoin": pair.quote.code,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "none",
        "lotSizeFilter": {
            "basePrecision": f"{LOT:f}",
            "quotePrecision": f"{LOT:f}",
            "minOrderQty": f"{pair.min_qty:f}",
            "maxOrderQty": "9000",
            "minOrderAmt": f"{pair.min_cost:f}",
            "maxOrderAmt": "10000000",
        },
        "priceFilter": {"tickSize": f"{pair.tick:f}"},
    }


def _linear(pair: Pair) -> dict[str, Any]:
    return {
        "symbol": name_of(pair),
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": pair.base.code,
        "quoteCoin": pair.quote.code,
        "settleCoin": pair.quote.code,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "priceScale": str(pair.decimals),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{MOST_LEVERAGE}", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": f"{pair.tick:f}", "maxPrice": "1000000", "tickSize": f"{pair.tick:f}"},
        "lotSizeFilter": {
            "maxOrderQty": "9000",
            "minOrderQty": f"{PERPETUAL_LOT:f}",
            "qtyStep": f"{PERPETUAL_LOT:f}",
            "minNotionalValue": f"{pair.min_cost:f}",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": int(FUNDING_S // 60),
    }
