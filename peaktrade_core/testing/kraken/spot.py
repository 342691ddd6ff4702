"""Kraken's public spot REST interface below ``/0/public``, and what both its halves share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.testing.faults import VenueFault
from peaktrade_core.testing.market import MarketSource, trades, typical
from peaktrade_core.testing.orders import RestingOrder, touch
from peaktrade_core.testing.wire import VenueRequest
from peaktrade_core.trading.market import Bar

INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1440, 10_080, 21_600)
DAY_S = 86_400


class RefusalError(PeaktradeError):
    """The venue says no, in Kraken's words; becomes the answer's ``error``."""


class Moment:
    """What an answer may know: the venue's time, and what a fault does to clock, candles and state.

    Attributes:
        now: the market's time [s since epoch].
        stated: the time that the venue claims [s since epoch].
        state: ``online`` or what a fault made of it.
    """

    def __init__(self, now: float, stated: float, state: str, fault: VenueFault | None) -> None:
        self._fault = fault or VenueFault("")
        self.now, self.stated = now, stated + self._fault.skew_s
        self.state = self._fault.state or state

    def takes(self, order: RestingOrder) -> bool:
        """Return whether the state of the venue lets a new order in."""
        closed_to = {"cancel_only": True, "post_only": not order.post_only, "limit_only": order.kind == "market"}
        return not closed_to.get(self.state)

    def bars(self, market: MarketSource, interval_s: int, limit: int, *, flat: bool) -> list[Bar]:
        """Return the candles as this answer shows them."""
        bars = market.bars(interval_s, self.now - self._fault.late_s, limit, flat=flat)
        return self._fault.bars(bars) if self._fault.bars else bars


class SpotPublic:
    """Time, status, assets, pairs, tickers and candles."""

    def __init__(self, markets: dict[str, MarketSource]) -> None:
        self._markets = markets
        self._calls: dict[str, Callable[[VenueRequest, Moment], Any]] = {
            "Time": self._time,
            "SystemStatus": self._status,
            "Assets": self._assets,
            "AssetPairs": self._pairs,
            "Ticker": self._tickers,
            "OHLC": self._candles,
        }

    def answer(self, request: VenueRequest, moment: Moment) -> Any:
        """Return the ``result`` of a public call.

        Raises:
            RefusalError: in Kraken's words.
        """
        call = self._calls.get(request.endpoint)
        if call is None:
            raise RefusalError("EGeneral:Unknown method")
        if moment.state == "maintenance" and request.endpoint not in ("Time", "SystemStatus"):
            raise RefusalError("EService:Unavailable")
        return call(request, moment)

    def _time(self, _: VenueRequest, moment: Moment) -> Any:
        stated = from_seconds(moment.stated)
        return {"unixtime": int(moment.stated), "rfc1123": stated.strftime("%a, %d %b %y %H:%M:%S +0000")}

    def _status(self, _: VenueRequest, moment: Moment) -> Any:
        return {"status": moment.state, "timestamp": from_seconds(moment.stated).strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _assets(self, request: VenueRequest, _: Moment) -> Any:
        assets = {asset for market in self._markets.values() for asset in (market.pair.base, market.pair.quote)}
        wanted = _names(request.params.get("asset", ""))
        known = {asset.id: asset for asset in sorted(assets, key=lambda asset: asset.id)}
        if wanted - {name for asset in assets for name in (asset.id, asset.altname)}:
            raise RefusalError("EQuery:Unknown asset")
        return {name: asset.describe() for name, asset in known.items() if not wanted or wanted & {name, asset.altname}}

    def _pairs(self, request: VenueRequest, _: Moment) -> Any:
        return {market.pair.id: market.pair.describe() for market in self._wanted(request)}

    def _tickers(self, request: VenueRequest, moment: Moment) -> Any:
        return {market.pair.id: _ticker(market, moment.now) for market in self._wanted(request)}

    def _candles(self, request: VenueRequest, moment: Moment) -> Any:
        market = market_of(self._markets, request.params.get("pair", ""))
        interval_s = _whole(request.params.get("interval", "1"), "interval") * 60
        since = _whole(request.params.get("since") or "0", "since")
        if interval_s // 60 not in INTERVALS_MIN or interval_s % market.bar_s:
            raise RefusalError("EGeneral:Invalid arguments:interval")
        bars = moment.bars(market, interval_s, 720, flat=True)
        last = bars[-2].ts if len(bars) > 1 else 0
        return {market.pair.id: [_row(market, bar) for bar in bars if bar.ts > since], "last": int(last)}

    def _wanted(self, request: VenueRequest) -> list[MarketSource]:
        names = [name for name in request.params.get("pair", "").split(",") if name]
        return [market_of(self._markets, name) for name in names] or list(self._markets.values())


def market_of(markets: dict[str, MarketSource], name: str) -> MarketSource:
    """Return the market of a pair that is named by id, short name or name with a slash.

    Raises:
        RefusalError: no name, or no such pair.
    """
    if not name:
        raise RefusalError("EGeneral:Invalid arguments")
    for market in markets.values():
        if name in (market.pair.id, market.pair.altname, market.pair.wsname):
            return market
    raise RefusalError("EQuery:Unknown asset pair")


def _names(text: str) -> set[str]:
    return {name for name in text.split(",") if name}


def _whole(text: str, name: str) -> int:
    """Return a whole number, or refuse as Kraken does."""
    try:
        return int(text)
    except ValueError:
        raise RefusalError(f"EGeneral:Invalid arguments:{name}") from None


def _row(market: MarketSource, bar: Bar) -> list[Any]:
    """Return a candle as Kraken writes it: time, open, high, low, close, vwap, volume, trades."""
    vwap = typical(bar) if bar.volume else 0.0
    prices = [market.pair.price(price) for price in (bar.open, bar.high, bar.low, bar.close, vwap)]
    return [int(bar.ts), *prices, f"{bar.volume:.8f}", trades(bar)]


def _ticker(market: MarketSource, now: float) -> dict[str, Any]:
    """Return a ticker as Kraken writes it; pairs of figures are of today (UTC) and of the last 24 hours."""
    money = market.pair.money
    bid, ask = touch(market, now)
    today, day = market.window(now // DAY_S * DAY_S, now), market.window(now - DAY_S, now)
    return {
        "a": [money(ask), "3", "3.000"],
        "b": [money(bid), "4", "4.000"],
        "c": [money(bid), f"{0.05:.8f}"],
        "v": [f"{today.volume:.8f}", f"{day.volume:.8f}"],
        "p": [money(today.vwap), money(day.vwap)],
        "t": [today.trades, day.trades],
        "l": [money(today.low), money(day.low)],
        "h": [money(today.high), money(day.high)],
        "o": money(today.open),
    }
