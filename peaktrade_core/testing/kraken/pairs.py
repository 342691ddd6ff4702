"""What the venue lists and what Kraken calls it: BTC/EUR is XXBTZEUR, XBTEUR and XBT/EUR there, PF_XBTUSD as a future.

Legacy assets carry a prefix (X for coins, Z for money), newer ones none; a pair of two legacy assets is named by its
ids, any other by its short names.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError

KRAKEN_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
LEGACY_COINS = frozenset({"XBT", "ETH", "LTC", "XRP", "XLM", "ZEC", "XMR", "XDG", "ETC", "REP", "MLN"})
MONEY = frozenset({"EUR", "USD", "GBP", "CAD", "JPY", "AUD"})
ORDER_MINIMUM = {"XBT": "0.00005", "ETH": "0.001", "LTC": "0.04", "XTZ": "1"}  # [base units]
COST_MINIMUM = {"XBT": "0.00002", "ETH": "0.0002", "JPY": "50"}  # [quote ccy]
TAKER_PCT = (0.26, 0.24, 0.22, 0.2, 0.18, 0.16, 0.14, 0.12, 0.1)
MAKER_PCT = (0.16, 0.14, 0.12, 0.1, 0.08, 0.06, 0.04, 0.02, 0)
FEE_VOLUMES = (0, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000)
LOT_DECIMALS = 8
FUTURES_LOT_DECIMALS = 4


class Asset(msgspec.Struct, frozen=True):
    """A coin or a currency: the field's code (BTC), Kraken's id (XXBT) and short name (XBT)."""

    code: str
    id: str
    altname: str

    @property
    def is_money(self) -> bool:
        """Return whether it is a currency of a state."""
        return self.altname in MONEY

    def describe(self) -> dict[str, Any]:
        """Return the asset as ``public/Assets`` shows it."""
        decimals = (4, 2) if self.is_money else (10, 5)
        return {
            "aclass": "currency",
            "altname": self.altname,
            "decimals": decimals[0],
            "display_decimals": decimals[1],
            "status": "enabled",
        }


class Pair(msgspec.Struct, frozen=True):
    """A spot market and the perpetual future on the same prices.

    Attributes:
        decimals: of a price; the tick is one unit of the last.
        min_qty: smallest order [base units].
        min_cost: smallest order [quote ccy].
    """

    symbol: str
    base: Asset
    quote: Asset
    decimals: int
    min_qty: Decimal
    min_cost: Decimal

    @property
    def id(self) -> str:
        """Return Kraken's name of the spot pair: ``XXBTZEUR``, ``XTZXBT``."""
        legacy = self.base.id != self.base.altname and self.quote.id != self.quote.altname
        return self.base.id + self.quote.id if legacy else self.altname

    @property
    def altname(self) -> str:
        """Return the short name: ``XBTEUR``."""
        return self.base.altname + self.quote.altname

    @property
    def wsname(self) -> str:
        """Return the name with a slash: ``XBT/EUR``."""
        return f"{self.base.altname}/{self.quote.altname}"

    @property
    def futures_id(self) -> str:
        """Return the name of the perpetual: ``PF_XBTUSD``; Kraken quotes all of them in USD."""
        return f"PF_{self.base.altname}USD"

    @property
    def tick(self) -> Decimal:
        """Return the smallest price step [quote ccy]."""
        return Decimal(1).scaleb(-self.decimals)

    @property
    def money_decimals(self) -> int:
        """Return with how many decimals tickers, costs and fees are written."""
        return max(5 if self.quote.is_money else 8, self.decimals)

    def price(self, value: float | Decimal) -> str:
        """Write a price as Kraken's candles and orders do."""
        return f"{value:.{self.decimals}f}"

    def money(self, value: float | Decimal) -> str:
        """Write a price or an amount of money as Kraken's tickers and order reports do."""
        return f"{value:.{self.money_decimals}f}"

    def describe(self) -> dict[str, Any]:
        """Return the pair as ``public/AssetPairs`` shows it."""
        return {
            "altname": self.altname,
            "wsname": self.wsname,
            "aclass_base": "currency",
            "base": self.base.id,
            "aclass_quote": "currency",
            "quote": self.quote.id,
            "lot": "unit",
            "cost_decimals": self.money_decimals,
            "pair_decimals": self.decimals,
            "lot_decimals": LOT_DECIMALS,
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [list(row) for row in zip(FEE_VOLUMES, TAKER_PCT, strict=True)],
            "fees_maker": [list(row) for row in zip(FEE_VOLUMES, MAKER_PCT, strict=True)],
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": f"{self.min_qty:f}",
            "costmin": f"{self.min_cost:f}",
            "tick_size": f"{self.tick:f}",
            "status": "online",
        }


def asset(code: str) -> Asset:
    """Return the asset of a code such as ``BTC`` or ``EUR``."""
    altname = KRAKEN_NAMES.get(code, code)
    prefix = "Z" if altname in MONEY else "X" if altname in LEGACY_COINS else ""
    return Asset(code, prefix + altname, altname)


def pair(symbol: str, decimals: int) -> Pair:
    """Return the pair of a symbol such as ``BTC/EUR``, priced with ``decimals``.

    Raises:
        ConfigError: not of the form BASE/QUOTE.
    """
    base_code, slash, quote_code = symbol.partition("/")
    if not (slash and base_code.isalnum() and quote_code.isalnum() and symbol == symbol.upper()):
        raise ConfigError(f"symbol {symbol!r} must be of the form BASE/QUOTE, for example 'BTC/EUR'")
    base, quote = asset(base_code), asset(quote_code)
    min_qty = Decimal(ORDER_MINIMUM.get(base.altname, "0.01"))
    return Pair(symbol, base, quote, decimals, min_qty, Decimal(COST_MINIMUM.get(quote.altname, "0.5")))
