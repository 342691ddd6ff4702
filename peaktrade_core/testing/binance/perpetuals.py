"""Binance's USD-M futures REST interface below ``/fapi``: perpetuals of the venue's markets, over its futures account.

Source: Binance USD-M Futures API documentation (market data, trade, account, error codes).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peaktrade_core.testing.binance.refusals import BinanceRefusalError
from peaktrade_core.testing.binance.side import STATES, BinanceSide, Params, filters, name_of, number, positive
from peaktrade_core.testing.kraken.futures_account import (
    LARGEST,
    MAINTENANCE,
    MOST_LEVERAGE,
    PERPETUAL_LOT,
    FuturesAccount,
)
from peaktrade_core.testing.kraken.pairs import Pair
from peaktrade_core.testing.kraken.signing import LoopbackKey
from peaktrade_core.testing.kraken.spot import Moment, RefusalError
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import RestingOrder, touch

RATES = 1000  # of funding in an answer at most
REFUSED = {
    "wouldNotReducePosition": (400, -2022, "ReduceOnly Order is rejected."),
    "postWouldExecute": (
        400,
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    "iocWouldNotExecute": (400, -2020, "Unable to fill."),
    "insufficientAvailableFunds": (400, -2019, "Margin is insufficient."),
}


class BinancePerpetuals(BinanceSide):
    """The public and the private half."""

    most = 1500

    def __init__(self, account: FuturesAccount, key: LoopbackKey) -> None:
        super().__init__(account.markets.values(), key)
        self._account = account
        self.public |= {"fundingRate": self._rates}
        self.private |= {
            ("GET", "account"): self._balances,
            ("GET", "balance"): lambda params, moment: self._balances(params, moment)["assets"],
            ("GET", "positionRisk"): self._positions,
            ("POST", "leverage"): self._leverage,
            ("GET", "leverageBracket"): self._tiers,
            ("POST", "order"): self._place,
            ("GET", "order"): self.shown,
            ("DELETE", "order"): self.cancel,
            ("GET", "openOrders"): self.open,
            ("GET", "allOrders"): self.listed,
            ("GET", "userTrades"): self._fills,
        }

    def orders(self) -> Iterable[RestingOrder]:
        """Return all orders of the account, oldest first."""
        return self._account.orders.values()

    def match(self, now: float) -> None:
        """Let the account come to a time [s since epoch]."""
        self._account.match(now)

    def key_of(self, market: MarketSource) -> str:
        """Return what the account calls a market."""
        return market.pair.futures_id

    def described(self, pair: Pair) -> dict[str, Any]:
        """Return a market as ``exchangeInfo`` shows it."""
        return {
            "symbol": name_of(pair),
            "pair": name_of(pair),
            "contractType": "PERPETUAL",
            "deliveryDate": 4_133_404_800_000,
            "onboardDate": 1_569_398_400_000,
            "status": "TRADING",
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "baseAsset": pair.base.code,
            "quoteAsset": pair.quote.code,
            "marginAsset": pair.quote.code,
            "pricePrecision": pair.decimals,
            "quantityPrecision": -int(PERPETUAL_LOT.as_tuple().exponent),
            "orderTypes": ["LIMIT", "MARKET"],
            "timeInForce": ["GTC", "IOC"],
            "filters": [
                *filters(pair, PERPETUAL_LOT, PERPETUAL_LOT),
                {"filterType": "MIN_NOTIONAL", "notional": f"{pair.min_cost:f}"},
            ],
        }

    def report(self, order: RestingOrder, pair: Pair) -> dict[str, Any]:
        """Return an order as Binance reports it."""
        return {
            "symbol": name_of(pair),
            "orderId": self.number_of(order),
            "clientOrderId": order.client_id,
            "price": f"{order.price:.8f}",
            "avgPrice": f"{order.average:.8f}",
            "origQty": f"{order.volume:.8f}",
            "executedQty": f"{order.filled:.8f}",
            "cumQuote": f"{order.filled * order.average:.8f}",
            "status": STATES[order.status],
            "timeInForce": "IOC" if order.immediate else "GTC",
            "type": order.kind.upper(),
            "side": order.side_word.upper(),
            "positionSide": "BOTH",
            "reduceOnly": order.reduce_only,
            "time": int(order.opened * 1000),
            "updateTime": int((order.closed or order.opened) * 1000),
        }

    def _rates(self, params: Params, moment: Moment) -> Any:
        market = self.market(params)
        start, end = number(params, "startTime"), number(params, "endTime")
        told = [(ts, rate) for ts, rate in market.rates(0.0, moment.now) if (start or 0) <= ts * 1000 <= (end or 1e18)]
        limit = min(RATES, int(number(params, "limit") or 100))
        told = told[:limit] if start is not None else told[-limit:]
        name = params["symbol"]
        return [{"symbol": name, "fundingTime": int(ts * 1000), "fundingRate": f"{rate:.8f}"} for ts, rate in told]

    def _place(self, params: Params, moment: Moment) -> Any:
        order = self.asked(params, self._account.next_id(), moment, PERPETUAL_LOT, PERPETUAL_LOT)
        if (told := self._account.place(order, moment.now)) != "placed":
            raise BinanceRefusalError(*REFUSED[told])
        return self.report(order, self.market(params).pair)

    def _leverage(self, params: Params, _: Moment) -> Any:
        wanted = positive(params, "leverage")
        if wanted % 1 or not self._account.lever(self.market(params).pair.futures_id, wanted):
            raise RefusalError("EGeneral:Invalid arguments")
        return {"leverage": int(wanted), "maxNotionalValue": f"{LARGEST}", "symbol": params["symbol"]}

    def _tiers(self, params: Params, _: Moment) -> Any:
        tier = {"bracket": 1, "initialLeverage": MOST_LEVERAGE, "notionalCap": LARGEST, "notionalFloor": 0, "cum": 0.0}
        names = [params["symbol"]] if params.get("symbol") else list(self.markets)
        return [{"symbol": name, "brackets": [tier | {"maintMarginRatio": float(MAINTENANCE)}]} for name in names]

    def _balances(self, _: Params, moment: Moment) -> Any:
        account, now = self._account, moment.now
        total, pnl, free = account.collateral, account.unrealized(now), account.available(now)
        codes = {market.pair.quote.code for market in self.markets.values()}
        assets = [
            {
                "asset": code,
                "accountAlias": "loopback",
                "balance": f"{total:.8f}",
                "walletBalance": f"{total:.8f}",
                "crossWalletBalance": f"{total:.8f}",
                "availableBalance": f"{free:.8f}",
                "unrealizedProfit": f"{pnl:.8f}",
                "marginBalance": f"{total + pnl:.8f}",
                "initialMargin": f"{account.margin(now):.8f}",
                "maintMargin": f"{account.maintenance(now):.8f}",
            }
            for code in sorted(codes)
        ]
        return {
            "totalWalletBalance": f"{total:.8f}",
            "availableBalance": f"{free:.8f}",
            "assets": assets,
            "positions": [],
        }

    def _positions(self, params: Params, moment: Moment) -> Any:
        names = {self.key_of(market): name for name, market in self.markets.items()}
        return [
            {
                "symbol": names[key],
                "positionAmt": f"{held.size}",
                "notional": f"{held.size * touch(self._account.markets[key], moment.now)[0]:.8f}",
                "entryPrice": f"{held.entry:.8f}",
                "markPrice": f"{touch(self._account.markets[key], moment.now)[0]}",
                "unRealizedProfit": f"{(touch(self._account.markets[key], moment.now)[0] - held.entry) * held.size:.8f}",
                "positionSide": "BOTH",
                "updateTime": int(held.ts * 1000),
            }
            for key, held in self._account.holdings.items()
            if params.get("symbol") in (None, names[key])
        ]

    def _fills(self, params: Params, _: Moment) -> Any:
        market = self.market(params)
        return [
            {
                "symbol": params["symbol"],
                "id": number_,
                "orderId": self.number_of(fill.order),
                "side": fill.order.side_word.upper(),
                "price": f"{fill.price:.8f}",
                "qty": f"{fill.size:.8f}",
                "quoteQty": f"{fill.size * fill.price:.8f}",
                "commission": f"{fill.order.fee:.8f}",
                "commissionAsset": market.pair.quote.code,
                "time": int(fill.ts * 1000),
                "buyer": fill.order.side > 0,
                "maker": fill.order.maker,
                "positionSide": "BOTH",
            }
            for number_, fill in enumerate(self._account.fills, 1)
            if fill.order.symbol == self.key_of(market)
        ]
