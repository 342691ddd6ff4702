"""Binance's spot REST interface below ``/api/v3``: time, markets and candles, orders and the account.

The account and its orders are those of the venue's spot side, whichever dialect placed them. Timestamps of signed requests
are not compared with the venue's clock, which need not be the machine's.

Source: Binance Spot API documentation (REST API, error codes, filters).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peaktrade_core.testing.binance.side import LOT, STATES, BinanceSide, Params, filters, name_of
from peaktrade_core.testing.kraken.pairs import Pair
from peaktrade_core.testing.kraken.signing import LoopbackKey
from peaktrade_core.testing.kraken.spot import Moment
from peaktrade_core.testing.kraken.spot_account import SpotAccount
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import ZERO, RestingOrder


class BinanceSpot(BinanceSide):
    """The public and the private half."""

    def __init__(self, markets: dict[str, MarketSource], account: SpotAccount, key: LoopbackKey) -> None:
        super().__init__(markets.values(), key)
        self._account = account
        self.private |= {
            ("GET", "account"): self._balances,
            ("POST", "order"): self._place,
            ("POST", "order/test"): self._test,
            ("GET", "order"): self.shown,
            ("DELETE", "order"): self.cancel,
            ("GET", "openOrders"): self.open,
            ("GET", "allOrders"): self.listed,
            ("GET", "myTrades"): self._fills,
        }

    def orders(self) -> Iterable[RestingOrder]:
        """Return all orders of the account, oldest first."""
        return self._account.orders.values()

    def match(self, now: float) -> None:
        """Let the account come to a time [s since epoch]."""
        self._account.match(now)

    def key_of(self, market: MarketSource) -> str:
        """Return what the account calls a market."""
        return market.pair.symbol

    def described(self, pair: Pair) -> dict[str, Any]:
        """Return a market as ``exchangeInfo`` shows it."""
        notional = {"filterType": "NOTIONAL", "minNotional": f"{pair.min_cost:.8f}", "applyMinToMarket": True}
        return {
            "symbol": name_of(pair),
            "status": "TRADING",
            "baseAsset": pair.base.code,
            "baseAssetPrecision": 8,
            "quoteAsset": pair.quote.code,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [*filters(pair, pair.min_qty, LOT), notional],
            "permissions": [],
            "permissionSets": [["SPOT"]],
        }

    def report(self, order: RestingOrder, pair: Pair) -> dict[str, Any]:
        """Return an order as Binance reports it."""
        return {
            "symbol": name_of(pair),
            "orderId": self.number_of(order),
            "orderListId": -1,
            "clientOrderId": order.client_id,
            "price": f"{order.price:.8f}",
            "origQty": f"{order.volume:.8f}",
            "executedQty": f"{order.filled:.8f}",
            "cummulativeQuoteQty": f"{order.filled * order.average:.8f}",
            "status": STATES[order.status],
            "timeInForce": "IOC" if order.immediate else "GTC",
            "type": order.kind.upper(),
            "side": order.side_word.upper(),
            "time": int(order.opened * 1000),
            "updateTime": int((order.closed or order.opened) * 1000),
        }

    def _checked(self, params: Params, moment: Moment) -> RestingOrder:
        return self.asked(params, self._account.next_id(), moment, self.market(params).pair.min_qty, LOT)

    def _test(self, params: Params, moment: Moment) -> Any:
        self._checked(params, moment)
        return {}

    def _place(self, params: Params, moment: Moment) -> Any:
        order, pair = self._checked(params, moment), self.market(params).pair
        self._account.place(order, moment.now)
        report = self.report(order, pair) | {"transactTime": int(moment.now * 1000)}
        filled = {"price": f"{order.average:.8f}", "qty": f"{order.filled:.8f}", "commission": f"{order.fee:.8f}"}
        fills = [filled | {"commissionAsset": pair.quote.code, "tradeId": self.number_of(order)}]
        return report | {"fills": fills if order.filled else []}

    def _balances(self, _: Params, __: Moment) -> Any:
        codes = {
            part.id: part.code for market in self.markets.values() for part in (market.pair.base, market.pair.quote)
        }
        holds = self._account.holds()
        return {
            "canTrade": True,
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": codes.get(name, name),
                    "free": f"{amount - holds.get(name, ZERO):.8f}",
                    "locked": f"{holds.get(name, ZERO):.8f}",
                }
                for name, amount in self._account.balances.items()
            ],
        }

    def _fills(self, params: Params, _: Moment) -> Any:
        pair = self.market(params).pair
        return [
            {
                "symbol": name_of(pair),
                "id": self.number_of(order),
                "orderId": self.number_of(order),
                "price": f"{order.average:.8f}",
                "qty": f"{order.filled:.8f}",
                "quoteQty": f"{order.filled * order.average:.8f}",
                "commission": f"{order.fee:.8f}",
                "commissionAsset": pair.quote.code,
                "time": int(order.closed * 1000),
                "isBuyer": order.side > 0,
                "isMaker": order.maker,
            }
            for order in self.orders()
            if order.symbol == pair.symbol and order.filled
        ]
