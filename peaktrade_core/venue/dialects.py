"""What is a venue's own in its answers, errors and ways, as data; a venue without a line here gets what is safe for all.

Unknown answers fail closed: an error that nobody knows ends a session (:mod:`.faults`), an answer without content is one.
"""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.base.errors import (
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    InsufficientFunds,
)

Texts = tuple[tuple[str, type[ExchangeError]], ...]


class VenueDialect(NamedTuple):
    """How one venue speaks.

    Attributes:
        answers: a good answer that is a table has one of these keys; empty: any table with something in it is good.
        lists: whether an answer can be a list.
        texts: its own words for errors, before the class that ccxt chose for them.
        page: bars of an answer at most; None: what ccxt's ``features`` say.
        last_page_only: it gives its last page only, whatever one asks for.
        shows_open_bar: the last row of an answer is always the bar that is still open.
        always_demo: it is its demo that is asked, for candles too.
        client_id: parameter of an order by which it is found again.
        hosts: of those that ccxt has, the ones that are asked in production; empty for all.
        no_candles: why shadow sessions cannot have its candles; empty where they can.
        reading_posts: paths that are asked with POST for public data, as a pattern.
        leverage_stands: an error that says that the leverage is what was asked for already, as a pattern.
        spoken: whether the loopback venue speaks it, so that tests drive it end to end.
    """

    answers: tuple[str, ...] = ()
    lists: bool = True
    texts: Texts = ()
    page: int | None = None
    last_page_only: bool = False
    shows_open_bar: bool = False
    always_demo: bool = False
    client_id: str = "clientOrderId"
    hosts: tuple[str, ...] = ()
    no_candles: str = ""
    reading_posts: str = ""
    leverage_stands: str = ""
    spoken: bool = False


_KRAKEN_TEXTS: Texts = (
    (r"Rate limit exceeded|apiLimitExceeded|Temporary lockout", ExchangeRateLimitError),
    (
        r"Invalid (key|signature|nonce)|Feature disabled|Permission denied|authenticationError",
        ExchangeAuthenticationError,
    ),
    (r"EOrder:Insufficient|insufficientAvailableFunds|insufficientFunds", InsufficientFunds),
    (r"EOrder:|EService:Market in", ExchangeOrderError),
    (r"EService:(Timeout|Unavailable|Busy)|Deadline elapsed|Server Error|unknownError", ExchangeNetworkError),
)

_BINANCE_TEXTS: Texts = (  # by the code of Binance's documentation; what is unknown of an order is a matter of the line
    (r'"code":\s*-(1003|1015)\b', ExchangeRateLimitError),
    (r'"code":\s*-(1002|1021|1022|2014|2015)\b', ExchangeAuthenticationError),
    (r'"code":\s*-(2018|2019)\b|insufficient balance', InsufficientFunds),
    (r'"code":\s*-(1013|1111|2010|2011|2013|2020|2021|2022)\b', ExchangeOrderError),
    (r'"code":\s*-(1000|1001|1006|1007|1008|1016)\b', ExchangeNetworkError),
)
_BYBIT_TEXTS: Texts = (  # by the code of Bybit's documentation
    (r'"retCode":\s*(10006|10018)\b', ExchangeRateLimitError),
    (r'"retCode":\s*(10002|10003|10004|10005|10010|33004)\b', ExchangeAuthenticationError),
    (r'"retCode":\s*(110004|110006|110007|110012|170131|170033)\b', InsufficientFunds),
    (
        r'"retCode":\s*(110001|110003|110017|110028|110094|170121|170124|170134|170136|170139|170140|170218)\b',
        ExchangeOrderError,
    ),
    (r'"retCode":\s*(10000|10016|10019|429)\b', ExchangeNetworkError),
)
_KEY = "it gives candles to holders of a key only, and production is never given one"

DIALECTS: dict[str, VenueDialect] = {
    "kraken": VenueDialect(
        answers=("result",),
        lists=False,
        texts=_KRAKEN_TEXTS,
        page=720,
        last_page_only=True,
        shows_open_bar=True,
        hosts=("api.kraken.com",),
        spoken=True,
    ),
    "krakenfutures": VenueDialect(
        answers=("result", "candles", "elements", "serverTime", "rates"),
        lists=False,
        texts=_KRAKEN_TEXTS,
        page=2000,
        always_demo=True,
        client_id="cliOrdId",
        spoken=True,
    ),
    "alpaca": VenueDialect(no_candles=_KEY),
    "binance": VenueDialect(
        answers=("serverTime", "symbols", "symbol", "balances", "orderId", "status", "assets"),
        texts=_BINANCE_TEXTS,
        client_id="newClientOrderId",
        spoken=True,
    ),
    "bybit": VenueDialect(
        answers=("result",),
        lists=False,
        texts=_BYBIT_TEXTS,
        leverage_stands=r'"retCode":\s*110043\b',
        spoken=True,
    ),
    "cex": VenueDialect(
        no_candles="it gives bids or asks, and no trades",
        reading_posts=r"/api/spot/rest-public/get_(server_time|pairs_info|currencies_info|candles)",
    ),
    "derive": VenueDialect(
        reading_posts=r"/v3/public/get_(tradingview_chart_data|all_instruments|all_currencies|time|ticker)"
    ),
    "dydx": VenueDialect(hosts=("indexer.dydx.trade",)),
    "grvt": VenueDialect(reading_posts=r"/full/v1/(kline|all_instruments)"),
    "hyperliquid": VenueDialect(reading_posts=r"/info"),
    "luno": VenueDialect(no_candles=_KEY),
    "modetrade": VenueDialect(no_candles=_KEY),
    "mudrex": VenueDialect(no_candles=_KEY),
    "woofipro": VenueDialect(no_candles=_KEY),
    "zebpay": VenueDialect(reading_posts=r"/api/v1/market/klines"),
}
_ANY = VenueDialect()


def dialect_of(venue: str) -> VenueDialect:
    """Return how a venue speaks."""
    return DIALECTS.get(venue, _ANY)
