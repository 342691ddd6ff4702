"""What the venue trades: candles of a file or of the synthetic feed, seen at any moment of the venue's clock.

A closed bar is exactly the source's. The bar that is still open shows what a client would have seen by then: its price
runs from open to close by way of the nearer extreme, its volume grows with time.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.testing.kraken.pairs import Pair, pair
from peaktrade_core.trading.market import Bar, require_sound

FUNDING_S = 3600.0  # how often a perpetual pays [s]
HISTORY = 720  # bars that a market has behind it when the clock starts


class Window(NamedTuple):
    """A stretch of market: prices [quote ccy], volume [base units], volume-weighted price and invented trade count."""

    open: float
    high: float
    low: float
    volume: float
    vwap: float
    trades: int


class MarketSource:
    """One market's candles.

    Attributes:
        pair: what is traded, with its names at Kraken.
        bar_s: length of a source bar [s]; coarser bars are made of them.
        first_ts: open of the first bar [s since epoch].
    """

    def __init__(self, symbol: str, bars: Iterable[Bar], bar_s: int, decimals: int | None = None) -> None:
        """Describe a market; bars are taken from ``bars`` as time needs them, so it may be endless.

        Args:
            symbol: ``BTC/EUR``.
            bars: sound bars in time order, on the grid of ``bar_s``; a missing one is a time without trades.
            bar_s: length of a bar [s].
            decimals: of a price; None takes as many as the bars have, which needs a list of them.

        Raises:
            ConfigError: no bars, or endless ones without ``decimals``.
            DataError: an impossible bar, as soon as it is reached.
        """
        if decimals is None:
            if not isinstance(bars, list):
                raise ConfigError("a market of a bare iterator needs its decimals; give them, or a list of bars")
            decimals = _decimals(bars)
        self.pair: Pair = pair(symbol, decimals)
        self.bar_s, self._source = bar_s, iter(bars)
        self._bars: list[Bar] = []
        self._opens: list[float] = []
        self._coarse: dict[int, list[Bar]] = {}
        self._ended = False
        if not self._pull():
            raise ConfigError(f"market {symbol}: there are no bars")
        self.first_ts = self._opens[0]

    @classmethod
    def from_file(cls, path: Path | str, symbol: str, bar_s: int) -> MarketSource:
        """Return the market of a parquet or CSV file of candles.

        Raises:
            DataError: the file cannot be read, or its candles are impossible or not ``bar_s`` apart.
        """
        bars = read_candles(Path(path), bar_s=bar_s)
        return cls(symbol, [bars[row] for row in range(len(bars))], bar_s)

    @classmethod
    def synthetic(
        cls, seed: int = 7, bar_s: int = 60, symbol: str = "BTC/EUR", price: float = 50_000.0, volatility: float = 0.6
    ) -> MarketSource:
        """Return an endless seeded market; the arguments are those of the synthetic feed."""
        feed = SyntheticFeed(seed, bar_s, price=price, volatility=volatility)
        decimals = 2 if price >= 1000.0 else 6 - math.floor(math.log10(price))
        return cls(symbol, feed, bar_s, decimals)

    def aligned(self, moment: float, history: int = HISTORY) -> MarketSource:
        """Return this market moved in time by whole bars, with ``history`` bars behind ``moment`` [s since epoch].

        For clients on the machine's clock. Use the new market instead of this one.
        """
        start = moment // self.bar_s * self.bar_s - history * self.bar_s
        shift = start - self.first_ts
        everything = self._everything()
        return MarketSource(
            self.pair.symbol, (bar._replace(ts=bar.ts + shift) for bar in everything), self.bar_s, self.pair.decimals
        )

    @property
    def default_start(self) -> float:
        """Return where a clock starts unless told otherwise: 720 bars in, or half of a shorter file [s since epoch]."""
        while len(self._bars) < HISTORY and self._pull():
            pass
        count = HISTORY if not self._ended else min(HISTORY, len(self._bars) // 2)
        return self._opens[0] + count * self.bar_s

    def bars(self, interval_s: int, now: float, limit: int = HISTORY, *, flat: bool = True) -> list[Bar]:
        """Return the last ``limit`` bars of ``interval_s`` that a client sees at ``now``; the last is still open.

        Args:
            interval_s: a multiple of the source's bars [s].
            now: time of the question [s since epoch].
            limit: how many at most.
            flat: whether a bar without trades is a flat row with zero volume (Kraken spot) or absent.

        Raises:
            ConfigError: ``interval_s`` cannot be made of the source's bars.
        """
        if interval_s % self.bar_s:
            raise ConfigError(f"bars of {interval_s} s cannot be made of bars of {self.bar_s} s")
        last = now // interval_s * interval_s
        first = max(self.first_ts // interval_s * interval_s, last - (limit - 1) * interval_s)
        closed = self._closed(interval_s, last)
        low = bisect_left(closed, (first,))
        known = {bar.ts: bar for bar in closed[low : bisect_left(closed, (last,))]}
        if current := self._open_bar(last, now):
            known[last] = current
        if not flat:
            return list(known.values())
        if not known and not low:
            return []
        close = closed[low - 1].close if low else known[min(known)].open
        rows = []
        for step in range(int((last - first) // interval_s) + 1):
            ts = first + step * interval_s
            bar = known.get(ts) or Bar(ts, close, close, close, close, 0.0)
            rows.append(bar)
            close = bar.close
        return rows

    def price(self, now: float) -> float:
        """Return the last price at ``now`` [quote ccy]."""
        self._reach(now)
        row = max(0, bisect_right(self._opens, now) - 1)
        return self._seen(row, now).close

    def window(self, start: float, now: float) -> Window:
        """Return what happened from ``start`` to ``now`` [s since epoch]; without trades, of the last price."""
        self._reach(now)
        rows = range(bisect_right(self._opens, start - self.bar_s), bisect_right(self._opens, now))
        bars = [self._seen(row, now) for row in rows]
        if not bars:
            price = self.price(now)
            return Window(price, price, price, 0.0, price, 0)
        volume = sum(bar.volume for bar in bars)
        turnover = sum(bar.volume * typical(bar) for bar in bars)
        vwap = turnover / volume if volume else bars[-1].close
        high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
        return Window(bars[0].open, high, low, volume, vwap, sum(trades(bar) for bar in bars))

    def extremes(self, start: float, now: float) -> tuple[float, float]:
        """Return the lowest and highest price met after ``start`` until ``now`` [s since epoch]."""
        self._reach(now)
        low = high = self.price(now)
        for row in range(bisect_right(self._opens, start - self.bar_s), bisect_right(self._opens, now)):
            bar = self._bars[row]
            shares = (max(0.0, (start - bar.ts) / self.bar_s), min(1.0, (now - bar.ts) / self.bar_s))
            knots = [n / 3.0 for n in range(4) if shares[0] < n / 3.0 < shares[1]]
            met = [along(bar, share, self.pair.decimals) for share in (*shares, *knots)]
            low, high = min(low, *met), max(high, *met)
        return low, high

    def rates(self, start: float, now: float) -> list[tuple[float, Decimal]]:
        """Return the funding that fell due after ``start`` until ``now`` [s since epoch]: when, and of the notional [fraction].

        The market's perpetual pays every hour, between -0.03 % and 0.05 %, the same at each look.
        """
        first = max(start, self.first_ts) // FUNDING_S + 1
        times = [FUNDING_S * hour for hour in range(int(first), int(now // FUNDING_S) + 1)]
        return [(ts, _rate(self.pair.symbol, ts)) for ts in times]

    def _closed(self, interval_s: int, end: float) -> list[Bar]:
        """Return all bars of ``interval_s`` that close by ``end`` or, made earlier, later."""
        self._reach(end)
        if interval_s == self.bar_s:
            return self._bars
        coarse = self._coarse.setdefault(interval_s, [])
        start = coarse[-1].ts + interval_s if coarse else self.first_ts // interval_s * interval_s
        row = bisect_left(self._opens, start)
        while row < len(self._opens) and (ts := self._opens[row] // interval_s * interval_s) + interval_s <= end:
            until = bisect_left(self._opens, ts + interval_s, row)
            coarse.append(merge(ts, self._bars[row:until]))
            row = until
        return coarse

    def _open_bar(self, start: float, now: float) -> Bar | None:
        """Return the bar from ``start`` as far as it has come by ``now``, None without trades."""
        self._reach(now)
        rows = range(bisect_left(self._opens, start), bisect_right(self._opens, now))
        parts = [self._seen(row, now) for row in rows]
        return merge(start, parts) if parts else None

    def _seen(self, row: int, now: float) -> Bar:
        """Return a source bar as it looks at ``now``."""
        bar = self._bars[row]
        return partial(bar, (now - bar.ts) / self.bar_s, self.pair.decimals)

    def _reach(self, now: float) -> None:
        """Take bars from the source until one opens after ``now``."""
        while self._opens[-1] <= now and self._pull():
            pass

    def _pull(self) -> bool:
        """Take one more bar from the source; False when it has ended."""
        bar = next(self._source, None)
        if bar is None:
            self._ended = True
            return False
        self._bars.append(require_sound(bar))
        self._opens.append(bar.ts)
        return True

    def _everything(self) -> Iterator[Bar]:
        """Yield the bars taken so far, then the rest of the source."""
        yield from list(self._bars)
        yield from self._source


def merge(ts: float, bars: list[Bar]) -> Bar:
    """Return the one bar from ``ts`` that ``bars`` make together."""
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    volume = bars[0].volume if len(bars) == 1 else round(sum(bar.volume for bar in bars), 8)
    return Bar(ts, bars[0].open, high, low, bars[-1].close, volume)


def partial(bar: Bar, share: float, decimals: int) -> Bar:
    """Return ``bar`` as it looks when ``share`` [fraction] of its time has passed."""
    if share >= 1.0:
        return bar
    share = max(0.0, share)
    seen = (*_path(bar)[: int(share * 3.0) + 1], along(bar, share, decimals))
    return Bar(bar.ts, bar.open, max(seen), min(seen), seen[-1], round(bar.volume * share, 8))


def along(bar: Bar, share: float, decimals: int) -> float:
    """Return the price when ``share`` [fraction] of the bar's time has passed [quote ccy]."""
    path, leg = _path(bar), max(0, min(2, int(share * 3.0)))
    return round(path[leg] + (path[leg + 1] - path[leg]) * (min(1.0, share) * 3.0 - leg), decimals)


def _path(bar: Bar) -> tuple[float, float, float, float]:
    """Return the prices a bar meets at equal distances: a rising one goes low first, a falling one high."""
    rising = bar.close >= bar.open
    return (bar.open, bar.low, bar.high, bar.close) if rising else (bar.open, bar.high, bar.low, bar.close)


def typical(bar: Bar) -> float:
    """Return the mean of high, low and close, which stands for the bar's volume-weighted price [quote ccy]."""
    return (bar.high + bar.low + bar.close) / 3.0


def trades(bar: Bar) -> int:
    """Return an invented number of trades; none only without volume."""
    return 1 + int(bar.volume * 10.0) % 1000 if bar.volume else 0


def _rate(symbol: str, ts: float) -> Decimal:
    """Return the rate of one hour: a number that nobody chose, and that is always the same."""
    drawn = int.from_bytes(hashlib.sha256(f"{symbol} {ts:.0f}".encode()).digest()[:4]) % 81
    return Decimal(drawn - 30) / 100_000


def _decimals(bars: list[Bar]) -> int:
    """Return how many decimals write all prices exactly, at most 8."""
    prices = {price for bar in bars for price in bar[1:5]}
    return next((n for n in range(8) if all(round(price, n) == price for price in prices)), 8)
