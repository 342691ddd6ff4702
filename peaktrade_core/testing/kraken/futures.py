"""Kraken's futures REST interface as its demo venue speaks it, below ``/derivatives/api/v3`` and ``/api/charts/v1``.

Each market has one perpetual, PF_XBTUSD for BTC, on the same prices as the spot pair. A bar without trades is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.testing.kraken.futures_account import MAINTENANCE, MOST_LEVERAGE, FuturesAccount
from peaktrade_core.testing.kraken.futures_orders import FuturesOrders, iso_ms
from peaktrade_core.testing.kraken.pairs import FUTURES_LOT_DECIMALS
from peaktrade_core.testing.kraken.signing import Doorkeeper
from peaktrade_core.testing.kraken.spot import DAY_S, Moment
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import decimal, touch
from peaktrade_core.testing.wire import VenueRequest
from peaktrade_core.trading.market import timeframe_seconds

API, CHARTS = "/derivatives/api/v3/", "/api/charts/v1/"
RATES = "/derivatives/api/v4/historicalfundingrates"
CANDLES = 2000  # at most in an answer
PRICES = ("trade", "mark", "spot")


class FuturesRefusalError(PeaktradeError):
    """The venue says no, in the words of Kraken's futures."""


class Futures:
    """Instruments, tickers, candles, and one account."""

    def __init__(self, markets: dict[str, MarketSource], account: FuturesAccount, doorkeeper: Doorkeeper) -> None:
        """Serve ``markets``, keyed by futures id."""
        self._markets, self._account, self._doorkeeper = markets, account, doorkeeper
        orders = FuturesOrders(markets, account)
        self._public: dict[str, Callable[[Moment], dict[str, Any]]] = {
            "instruments": self._instruments,
            "tickers": self._tickers,
        }
        self._private: dict[str, Callable[[VenueRequest, Moment], dict[str, Any]]] = {
            "GET accounts": self._accounts,
            "GET openpositions": self._positions,
            "GET openorders": orders.resting,
            "GET orders/status": orders.status,
            "POST orders/status": orders.status,
            "GET fills": orders.fills,
            "POST sendorder": orders.send,
            "POST cancelorder": orders.cancel,
            "POST cancelallorders": orders.cancel_all,
            "PUT leveragepreferences": self._lever,
        }

    def answer(self, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        """Return the answer to a call.

        Raises:
            FuturesRefusalError: in the words of Kraken's futures.
        """
        if request.path.startswith(CHARTS):
            return self._candles(request, moment)
        name = request.path.removeprefix(API)
        if moment.state == "maintenance":
            raise FuturesRefusalError("unavailable")
        if f"{request.method} {name}" in self._private:
            return self._private_answer(f"{request.method} {name}", request, moment)
        if name in self._public:
            return self._public[name](moment)
        if name.startswith("tickers/"):
            return {"ticker": _ticker(self._market(name.removeprefix("tickers/")), moment)}
        if request.path == RATES:
            return {"rates": self._rates(self._market(request.params.get("symbol", "")), moment.now)}
        if name == "orderbook":
            return {"orderBook": _book(self._market(request.params.get("symbol", "")), moment)}
        raise FuturesRefusalError("notFound")

    def _private_answer(self, name: str, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        if fault := self._doorkeeper.futures(request):
            raise FuturesRefusalError(fault)
        self._account.match(moment.now)
        return self._private[name](request, moment)

    def _market(self, name: str) -> MarketSource:
        if name.upper() not in self._markets:
            raise FuturesRefusalError("contractNotFound")
        return self._markets[name.upper()]

    def _lever(self, request: VenueRequest, _: Moment) -> dict[str, Any]:
        name = self._market(request.params.get("symbol", "")).pair.futures_id
        if not self._account.lever(name, decimal(request.params.get("maxLeverage", ""))):
            raise FuturesRefusalError("invalidArgument")
        return {}

    def _rates(self, market: MarketSource, now: float) -> list[dict[str, Any]]:
        """Return all rates of funding: of the notional, and what that is for one contract [quote ccy]."""
        told = [(ts, rate, float(rate) * market.price(ts)) for ts, rate in market.rates(0.0, now)]
        return [
            {"timestamp": iso_ms(ts), "fundingRate": absolute, "relativeFundingRate": float(rate)}
            for ts, rate, absolute in told
        ]

    def _instruments(self, _: Moment) -> dict[str, Any]:
        return {"instruments": [_instrument(market) for market in self._markets.values()]}

    def _tickers(self, moment: Moment) -> dict[str, Any]:
        return {"tickers": [_ticker(market, moment) for market in self._markets.values()]}

    def _candles(self, request: VenueRequest, moment: Moment) -> dict[str, Any]:
        kind, _, rest = request.path.removeprefix(CHARTS).partition("/")
        name, _, timeframe = rest.partition("/")
        market = self._market(name)
        try:
            interval_s = timeframe_seconds(timeframe)
            bars = moment.bars(market, interval_s, CANDLES, flat=False) if kind in PRICES else None
            start, end = float(request.params.get("from", 0)), float(request.params.get("to", "inf"))
        except (ConfigError, ValueError):
            bars = None
        if bars is None:
            raise FuturesRefusalError("invalidArgument")
        rows = [
            {
                "time": int(bar.ts * 1000),
                **{field: market.pair.price(getattr(bar, field)) for field in ("open", "high", "low", "close")},
                "volume": f"{bar.volume:.8f}",
            }
            for bar in bars
            if start <= bar.ts <= end
        ]
        return {"candles": rows, "more_candles": False}

    def _accounts(self, _: VenueRequest, moment: Moment) -> dict[str, Any]:
        account, now = self._account, moment.now
        total, pnl, margin = account.collateral, account.unrealized(now), account.margin(now)
        free = float(account.available(now))
        usd = {"quantity": float(total), "value": float(total), "collateral": float(total), "available": free}
        flex = {
            "type": "multiCollateralMarginAccount",
            "currencies": {"USD": usd},
            "initialMargin": float(margin),
            "initialMarginWithOrders": float(margin),
            "maintenanceMargin": float(account.maintenance(now)),
            "balanceValue": float(total),
            "portfolioValue": float(total + pnl),
            "collateralValue": float(total),
            "pnl": float(pnl),
            "unrealizedFunding": 0.0,
            "totalUnrealized": float(pnl),
            "totalUnrealizedAsMargin": float(pnl),
            "availableMargin": free,
            "marginEquity": float(total + pnl),
        }
        return {"accounts": {"cash": {"type": "cashAccount", "balances": {}}, "flex": flex}}

    def _positions(self, _: VenueRequest, moment: Moment) -> dict[str, Any]:
        rows = [
            {
                "side": "long" if holding.size > 0 else "short",
                "symbol": name,
                "price": float(holding.entry),
                "fillTime": iso_ms(holding.ts),
                "size": float(abs(holding.size)),
                "unrealizedFunding": 0.0,
                "unrealizedPnl": float((touch(self._markets[name], moment.now)[0] - holding.entry) * holding.size),
                "pnlCurrency": "USD",
            }
            for name, holding in self._account.holdings.items()
        ]
        return {"openPositions": rows}


def by_futures_id(markets: dict[str, MarketSource]) -> dict[str, MarketSource]:
    """Return markets by the name of their perpetual; of several on one coin, the one in USD or else the first."""
    chosen: dict[str, MarketSource] = {}
    for market in sorted(markets.values(), key=lambda market: market.pair.quote.code != "USD"):
        chosen.setdefault(market.pair.futures_id, market)
    return chosen


def _instrument(market: MarketSource) -> dict[str, Any]:
    pair = market.pair
    return {
        "symbol": pair.futures_id,
        "type": "flexible_futures",
        "pair": f"{pair.base.altname}:USD",
        "base": pair.base.code,
        "quote": "USD",
        "tickSize": float(pair.tick),
        "contractSize": 1,
        "tradeable": True,
        "impactMidSize": 1,
        "maxPositionSize": 1_000_000,
        "openingDate": "2022-01-01T00:00:00.000Z",
        "marginLevels": [
            {"numNonContractUnits": 0, "initialMargin": 1 / MOST_LEVERAGE, "maintenanceMargin": float(MAINTENANCE)}
        ],
        "contractValueTradePrecision": FUTURES_LOT_DECIMALS,
        "postOnly": False,
        "tags": [],
    }


def _ticker(market: MarketSource, moment: Moment) -> dict[str, Any]:
    bid, ask = touch(market, moment.now)
    day = market.window(moment.now - DAY_S, moment.now)
    return {
        "tag": "perpetual",
        "pair": f"{market.pair.base.altname}:USD",
        "symbol": market.pair.futures_id,
        "markPrice": float(bid),
        "bid": float(bid),
        "bidSize": 4.0,
        "ask": float(ask),
        "askSize": 3.0,
        "vol24h": day.volume,
        "openInterest": 0.0,
        "open24h": day.open,
        "indexPrice": float(bid),
        "last": float(bid),
        "lastTime": iso_ms(moment.now),
        "lastSize": 0.05,
        "suspended": moment.state != "online",
    }


def _book(market: MarketSource, moment: Moment) -> dict[str, Any]:
    bid, ask = touch(market, moment.now)
    return {"bids": [[float(bid), 4.0]], "asks": [[float(ask), 3.0]]}
