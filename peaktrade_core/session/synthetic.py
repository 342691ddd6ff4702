"""The embedded feed: a seeded market that needs no network, no keys and no files; and the pace at which simulated bars come.

Log returns follow a GARCH(1,1) with Student-t innovations whose drift and level of variance switch between a calm, a
trending and a stressed regime (a Markov chain). Time is the bars' own and starts at a fixed moment, so the same seed
gives the same bars on every machine and day.

Source: Bollerslev (1986) for GARCH, Hamilton (1989) for the switching.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from itertools import islice

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.ports import Feed, Item, Pause
from peaktrade_core.trading.tally import UNKNOWN

START_TS = 1_767_225_600.0  # 2026-01-01T00:00:00Z
TAIL = 5.0  # degrees of freedom of the innovations
ALPHA, BETA = 0.08, 0.90  # GARCH: weight of the last shock and of the last variance
# per bar: drift [fraction of the base volatility], multiple of the base variance, mean stay [bars]
REGIMES = ((0.0, 0.6, 400.0), (0.12, 1.0, 240.0), (-0.12, 1.2, 240.0), (0.0, 4.0, 60.0))
YEAR_S = 365.0 * 86_400.0
BLOCK = 256  # bars generated at once


class SyntheticFeed:
    """An endless, reproducible market."""

    name = "synthetic"
    simulated = True
    skew_s = 0.0
    funding = UNKNOWN

    def __init__(
        self, seed: int, bar_s: int, *, price: float = 50_000.0, volatility: float = 0.6, bars: int | None = None
    ) -> None:
        """Describe the market; bars are made as they are asked for.

        Args:
            seed: any whole number from 0 on.
            bar_s: length of a bar [s].
            price: first open [quote ccy].
            volatility: of log returns, annualised over 365 days [fraction].
            bars: how many to yield, None for no end.

        Raises:
            ConfigError: a negative seed, price or volatility.
        """
        if seed < 0 or price <= 0.0 or not 0.0 < volatility < 10.0:
            raise ConfigError(
                f"synthetic feed: seed = {seed}, price = {price}, volatility = {volatility}; need seed >= 0, price > 0 "
                "and volatility between 0 and 10"
            )
        self.seed, self.bar_s, self.price, self.volatility, self.count = seed, bar_s, price, volatility, bars
        text = f"synthetic-1:{seed}:{bar_s}:{price!r}:{volatility!r}"
        self.data_sha256: str | None = hashlib.sha256(text.encode()).hexdigest()

    def __len__(self) -> int:
        return self.count or 0

    def __iter__(self) -> Iterator[Bar]:
        return islice(self._endless(), self.count)

    def _endless(self) -> Iterator[Bar]:
        """Yield bars for ever, drawing random numbers in blocks of fixed size."""
        import numpy as np

        rng = np.random.Generator(np.random.PCG64(self.seed))
        base = self.volatility * math.sqrt(self.bar_s / YEAR_S)
        scale = math.sqrt((TAIL - 2.0) / TAIL)  # Student-t with unit variance
        regime, variance, close, ts = 1, base * base, self.price, START_TS
        while True:
            shocks = (rng.standard_t(TAIL, BLOCK) * scale).tolist()
            inner = np.abs(rng.standard_normal((BLOCK, 2))).tolist()
            uniform = rng.random((BLOCK, 3)).tolist()
            for shock, (above, below), (leave, choose, size) in zip(shocks, inner, uniform, strict=True):
                drift, level, stay = REGIMES[regime]
                if leave < 1.0 / stay:
                    regime = (regime + 1 + int(choose * (len(REGIMES) - 1))) % len(REGIMES)
                sigma = math.sqrt(variance)
                move = drift * base + sigma * shock
                open_, close = close, close * math.exp(max(-0.2, min(0.2, move)))
                high = max(open_, close) * (1.0 + 0.4 * sigma * above)
                low = min(open_, close) * (1.0 - min(0.5, 0.4 * sigma * below))
                volume = (0.2 + size) * (1.0 + abs(shock))
                yield Bar(ts, _cents(open_), _cents(high), _cents(low), _cents(close), round(volume, 6))
                target = level * base * base
                variance = (1.0 - ALPHA - BETA) * target + ALPHA * (sigma * shock) ** 2 + BETA * variance
                ts += self.bar_s


def _cents(price: float) -> float:
    """Round to six significant digits or better, which keeps the order of open, high, low and close."""
    return round(price, 2) if price >= 100.0 else float(f"{price:.6g}")


class PacedFeed:
    """The bars of another feed, each no earlier than it is due; the warm-up comes at once."""

    def __init__(self, feed: Feed, pace: float, warmup: int) -> None:
        """Pace ``feed`` from its ``warmup``-th bar on at ``pace`` market seconds per second of the wall clock."""
        self._feed, self._pace, self._warmup = feed, pace, warmup
        self.name, self.data_sha256 = feed.name, feed.data_sha256
        self.simulated, self.skew_s, self.funding = feed.simulated, feed.skew_s, feed.funding

    def __len__(self) -> int:
        return len(self._feed)

    def __iter__(self) -> Iterator[Item]:
        seen = 0
        started = first_ts = 0.0
        for item in self._feed:
            if isinstance(item, Bar):
                seen += 1
                if seen == self._warmup + 1:
                    started, first_ts = time.monotonic(), item.ts
                if seen > self._warmup + 1:  # the first is due at once
                    yield Pause(max(0.0, started + (item.ts - first_ts) / self._pace - time.monotonic()))
            yield item
