"""The venues that can be configured: those of ccxt that have candles. ccxt itself is imported only where it is asked."""

from __future__ import annotations

from difflib import get_close_matches

from peaktrade_core.base.errors import UnknownNameError

VENUES: tuple[str, ...] = (
    "alpaca", "apex", "aster", "backpack", "bequant", "bigone", "binance", "binancecoinm", "binanceus", "binanceusdm",
    "bingx", "bitbank", "bitfinex", "bitget", "bithumb", "bitopro", "bitrue", "bitso", "bitstamp", "bitteam", "bittrade",
    "bitvavo", "blofin", "btcmarkets", "btcturk", "btse", "bullish", "bybit", "bybiteu", "bybitid", "bydfi", "cex",
    "coinbase", "coinbaseexchange", "coinbaseinternational", "coinsph", "cryptocom", "deepcoin", "delta", "deribit",
    "derive", "digifinex", "dydx", "extended", "fmfwio", "foxbit", "gate", "gateeu", "gemini", "grvt", "hashkey",
    "hibachi", "hitbtc", "hollaex", "htx", "hyperliquid", "indodax", "kraken", "krakenfutures", "kucoin", "kucoinfutures",
    "lbank", "lighter", "luno", "mercado", "mexc", "modetrade", "mudrex", "myokx", "nado", "ndax", "okx", "okxus",
    "onetrading", "p2b", "pacifica", "paradex", "phemex", "poloniex", "polymarket", "revolutx", "tokocrypto", "toobit",
    "upbit", "weex", "whitebit", "woo", "woofipro", "xt", "zebpay",
)  # fmt: skip


def require_venue(name: str) -> str:
    """Return the name of a venue.

    Raises:
        UnknownNameError: there is none of that name; says what comes near, Kraken's otherwise.
    """
    if name in VENUES:
        return name
    near = get_close_matches(name, VENUES, 5, 0.6) or ["kraken", "krakenfutures"]
    raise UnknownNameError("venue", name, near, "peaktrade exchange venues")
