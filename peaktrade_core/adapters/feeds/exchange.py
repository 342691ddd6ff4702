"""The exchange feed: closed bars from a venue, polled at their pace, backfilled in order, with every failure told.

A bar counts as closed by the venue's clock. A hole may still be filled for a while; then it is a gap. What outlasts the
patience ends the session with the error that treats it; a refused key ends it at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from peaktrade_core.adapters.exchange.client import VenueClient, require_rows
from peaktrade_core.adapters.feeds import Item, Notice, Pause
from peaktrade_core.domain.clock import Clock, from_seconds, iso
from peaktrade_core.domain.errors import ConfigError, ExchangeError
from peaktrade_core.domain.market import Bar, bar_fault

MOST_HISTORY = 720  # bars that Kraken gives at most
SKEW_NOTICE_S = 2.0  # a clock further off than this is told
SETTLE_S = 1.0  # a bar is asked for so long after its close
POLL_S = 2.0  # and again every so often, until it is there
LATE_S = 10.0  # a hole may still be filled so long after a later bar came
BACKOFF_S, LONGEST_S = 1.0, 60.0  # first and longest pause after a failed call


class ExchangeFeed:
    """Bars of one symbol at one venue."""

    name = "exchange"
    simulated = False
    data_sha256: str | None = None

    def __init__(
        self,
        client: VenueClient,
        symbol: str,
        timeframe: str,
        bar_s: int,
        *,
        history: int,
        clock: Clock,
        patience_s: float = 900.0,
        speed: float = 1.0,
    ) -> None:
        """Describe the feed; nothing is asked yet.

        Args:
            client: the venue.
            symbol, timeframe: what to ask for.
            bar_s: length of a bar [s].
            history: bars from before the start, for the warm-up.
            clock: our own clock.
            patience_s: how long calls may fail before the session does [s of the clock].
            speed: seconds of the clock per second that really passes; more than 1 only against an accelerated venue.

        Raises:
            ConfigError: more history than the venue gives.
        """
        if history >= MOST_HISTORY:
            raise ConfigError(
                f"warmup_candles = {history}: {client.name} gives {MOST_HISTORY - 1} closed bars at most; lower it"
            )
        self.client, self.symbol, self.timeframe, self.bar_s = client, symbol, timeframe, bar_s
        self.history, self.patience_s, self.speed = history, patience_s, speed
        self._clock = clock
        self._skew_s = 0.0
        self._jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Item]:
        expected: float | None = None
        failing_since: float | None = None
        failures = 0
        measured = False
        while True:
            try:
                if not measured:
                    yield from self._measure_skew()
                    measured = True
                bars = self._closed(expected)
                if expected is None:
                    expected = bars[0].ts if bars else None
            except ExchangeError as fault:
                failing_since = failing_since or self._now()
                if not fault.retryable or self._now() - failing_since >= self.patience_s:
                    raise
                failures += 1
                yield Notice(type(fault).__name__, f"{fault} (attempt {failures})")
                yield self._pause(self._jitter.uniform(0.5, 1.0) * min(LONGEST_S, BACKOFF_S * 2.0 ** (failures - 1)))
                continue
            if failures:
                yield Notice("RECOVERED", f"{self.client.name} answers again after {failures} failed calls", failures)
                failures, failing_since = 0, None
            for bar in self._in_order(bars, expected):
                expected = bar.ts + self.bar_s
                wrong = bar_fault(bar)
                when = iso(from_seconds(bar.ts))
                yield Notice("IMPOSSIBLE_BAR", f"{when}: {wrong}; taken as missing") if wrong else bar
            yield self._pause(self._until_next(expected))

    def _now(self) -> float:
        """Return the venue's time as we know it [s since epoch]."""
        return self._clock.now().timestamp() + self._skew_s

    def _pause(self, seconds: float) -> Pause:
        """Return a pause of so many seconds of the clock."""
        return Pause(max(0.0, seconds) / self.speed)

    def _measure_skew(self) -> Iterator[Notice]:
        """Ask the venue for its time and note how far our clock is off."""
        before = self._clock.now().timestamp()
        venue = self.client.now()
        after = self._clock.now().timestamp()
        if venue is None:
            return
        self._skew_s = venue.timestamp() - (before + after) / 2.0
        if abs(self._skew_s) > SKEW_NOTICE_S:
            yield Notice(
                "CLOCK_SKEW",
                f"the venue's clock is {self._skew_s:+.1f} s from ours; bars follow the venue's",
                self._skew_s,
            )

    def _closed(self, expected: float | None) -> list[Bar]:
        """Return the closed bars from ``expected`` on, or the history before now."""
        since = None if expected is None else int(expected * 1000)
        rows = self.client.ask("fetch_ohlcv", self.symbol, self.timeframe, since, MOST_HISTORY)
        if expected is None:
            require_rows(rows, f"{self.symbol} {self.timeframe}")
        now = self._now()
        bars = sorted({bar.ts: bar for bar in map(_bar_of, rows) if bar.ts + self.bar_s <= now}.values())
        return bars[-max(self.history, 1) :] if expected is None else [bar for bar in bars if bar.ts >= expected]

    def _in_order(self, bars: list[Bar], expected: float | None) -> Iterator[Bar]:
        """Yield the bars up to a fresh hole: what is missing there may still come."""
        for bar in bars:
            if expected is not None and bar.ts > expected and self._now() - (bar.ts + self.bar_s) < LATE_S:
                return
            yield bar
            expected = bar.ts + self.bar_s

    def _until_next(self, expected: float | None) -> float:
        """Return how long to wait before the next question [s of the clock]."""
        if expected is None:
            return POLL_S
        due = expected + self.bar_s + SETTLE_S - self._now()
        return due if due > 0.0 else POLL_S


def _bar_of(row: list[Any]) -> Bar:
    """Return ccxt's row as a bar; what is missing becomes nan and is then found impossible."""
    values = [float("nan") if value is None else float(value) for value in row[1:6]]
    return Bar(row[0] / 1000.0, *values)
