"""The exchange feed: closed bars from a venue, polled at their pace, backfilled in order, with every failure told.

A bar counts as closed by the venue's clock and when the answer shows that the market went on after it: a venue may
state a wrong time, or answer with what it knew minutes ago. A hole may still be filled for a while; then it is a gap.
What outlasts the patience ends the session with the error that treats it; a refused key ends it at once.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from typing import Any

from peaktrade_core.base.clock import Clock, from_seconds, utc
from peaktrade_core.base.errors import ConfigError, ExchangeAPIError, ExchangeError
from peaktrade_core.trading.market import Bar, bar_fault
from peaktrade_core.trading.ports import FeedNotice, Item, Pause
from peaktrade_core.trading.tally import UNKNOWN
from peaktrade_core.venue.client import VenueClient, bar_of, require_rows
from peaktrade_core.venue.funding import FundingRates
from peaktrade_core.venue.stream import CandleStream

MOST_HISTORY = 720  # bars that are asked for the warm-up, where one answer shall do
MOST_PAGES = 50  # that are asked for it elsewhere
SKEW_NOTICE_S = 2.0  # a clock further off than this is told
SETTLE_S = 1.0  # a bar is asked for so long after its close
POLL_S = 2.0  # and again every so often, until it is there
LATE_S = 10.0  # a hole may still be filled so long after a later bar came
LOOK_S = 0.2  # a call that takes longer lets the session look for a stop or a halt every so often [s of wall clock]
SKEW_EVERY_S = 3600.0  # our clock is compared with the venue's so often
SILENT_BARS = 5  # so many bars late is worth a word
BACKOFF_S, LONGEST_S = 1.0, 60.0  # first and longest pause after a failed call


class ExchangeFeed:
    """Bars of one symbol at one venue.

    Attributes:
        skew_s: by how much the venue's clock is ahead of ours [s].
        pays_funding: whether the venue is asked for funding, too: the symbol is a perpetual contract.
        jitter: spreads retries; a drill that shall repeat gives it a seed.
    """

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
        stream: CandleStream | None = None,
    ) -> None:
        """Describe the feed; nothing is asked yet.

        Args:
            client: the venue.
            symbol, timeframe: what to ask for.
            bar_s: length of a bar [s].
            history: bars from before the start, for the warm-up.
            clock: our own clock.
            patience_s: how long calls may fail before the session does [s of the clock].
            stream: the venue's websocket, taken where it has what is wanted; REST is asked for everything else.
            speed: seconds of the clock per second that really passes; more than 1 only against an accelerated venue.

        Raises:
            ConfigError: more history than the venue gives.
        """
        most = MOST_HISTORY if client.dialect.page else client.page * MOST_PAGES // 2
        if history >= most:
            raise ConfigError(
                f"warmup_candles = {history}: {client.name} gives {most - 1} closed bars at most; lower it"
            )
        self.client, self.symbol, self.timeframe, self.bar_s = client, symbol, timeframe, bar_s
        self.history, self.patience_s, self.speed = history, patience_s, speed
        self._clock, self.stream = clock, stream
        self._rates = FundingRates(symbol)
        self.skew_s = 0.0
        self.funding = "venue" if client.has.get("fetchFundingRateHistory") else UNKNOWN
        self.pays_funding = False
        self._told_skew_s = 0.0
        self._measure_at = 0.0
        self._newest: tuple[Bar, float] | None = None  # the last row of the answers, and since when it is like that
        self._silent_for: float | None = None  # the bar whose lateness was told
        self.jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Item]:
        if self.stream is None:
            yield from self._bars()
            return
        self.stream.start()
        try:
            yield from self._bars()
        finally:
            self.stream.close()

    def _bars(self) -> Iterator[Item]:
        expected: float | None = None
        failing_since: float | None = None
        failures = 0
        while True:
            try:
                if self._now() >= self._measure_at:
                    yield from self._measure_skew()
                bars = yield from (self._history() if expected is None else self._closed(expected))
                if self.pays_funding and bars:
                    yield from self._rates.ask(self._ask, bars[-1].ts + self.bar_s)
            except ExchangeError as fault:
                failing_since = self._now() if failing_since is None else failing_since
                if not fault.retryable or self._now() - failing_since >= self.patience_s:
                    raise
                failures += 1
                yield FeedNotice(type(fault).__name__, f"{fault} (attempt {failures})")
                yield self._pause(self.jitter.uniform(0.5, 1.0) * min(LONGEST_S, BACKOFF_S * 2.0 ** (failures - 1)))
                continue
            if failures:
                yield FeedNotice(
                    "RECOVERED", f"{self.client.name} answers again after {failures} failed calls", failures
                )
                failures, failing_since = 0, None
            if expected is None:
                expected, bars = self._begin(bars)
            for bar in self._in_order(bars, expected):
                expected = bar.ts + self.bar_s
                wrong = bar_fault(bar)
                when = utc(from_seconds(bar.ts))
                yield from self._rates.due(bar.ts)
                yield FeedNotice("IMPOSSIBLE_BAR", f"{when}: {wrong}; taken as missing") if wrong else bar
                yield from self._rates.due(expected)
            yield from self._silence(expected)
            yield self._pause(self._until_next(expected))

    def _ask(self, method: str, *args: Any) -> Generator[Item, None, Any]:
        """Make one call and let the session look around while it takes its time.

        Raises:
            ExchangeError: it failed.
        """
        call = self.client.start(method, *args)
        while not call.wait(LOOK_S):
            yield Pause(0.0)
        return self.client.finish(call)

    def _now(self) -> float:
        """Return the venue's time as we know it [s since epoch]."""
        return self._clock.now().timestamp() + self.skew_s

    def _pause(self, seconds: float) -> Pause:
        """Return a pause of so many seconds of the clock."""
        return Pause(max(0.0, seconds) / self.speed)

    def _measure_skew(self) -> Iterator[Item]:
        """Ask the venue for its time, where it tells it, and note how far our clock is off."""
        if self.client.has.get("fetchTime"):
            before = self._clock.now().timestamp()
            stated = yield from self._ask("fetch_time")
            after = self._clock.now().timestamp()
            self.skew_s = stated / 1000.0 - (before + after) / 2.0
        self._measure_at = self._now() + SKEW_EVERY_S
        if abs(self.skew_s - self._told_skew_s) > SKEW_NOTICE_S:
            self._told_skew_s = self.skew_s
            yield FeedNotice(
                "CLOCK_SKEW",
                f"the venue's clock is {self.skew_s:+.1f} s from ours; bars follow the venue's",
                self.skew_s,
            )

    def _history(self) -> Generator[Item, None, list[Bar]]:
        """Return the closed bars that the venue has from before now.

        Raises:
            ExchangeError: it gives none, or fewer than the warm-up needs.
        """
        span = MOST_HISTORY if self.client.dialect.page else max(2 * self.history, self.client.page - 1)
        first = self._now() // self.bar_s * self.bar_s - span * self.bar_s
        bars = yield from self._closed(first)
        what = f"{self.symbol} {self.timeframe}"
        require_rows(bars, what)
        if len(bars) < self.history:
            raise ExchangeAPIError(
                f"{what}: {self.client.name} gives {len(bars)} closed bars, the warm-up needs {self.history}; "
                "lower --warmup-candles"
            )
        return bars

    def _closed(self, first: float) -> Generator[Item, None, list[Bar]]:
        """Return the closed bars from ``first`` on, sorted, each once."""
        rows = yield from self._rows(first)
        found = {row[0]: bar_of(row) for row in rows}
        bars = [found[ts] for ts in sorted(found)]
        if not bars:
            self._newest = None
        elif not self._settled(bars[-1]):
            bars.pop()
        now = self._now()
        return [bar for bar in bars if first <= bar.ts <= now - self.bar_s and not bar.ts % self.bar_s]

    def _rows(self, since: float) -> Generator[Item, None, list[list[Any]]]:
        """Return the rows of the venue's answers from ``since`` on, page by page up to now."""
        if self.stream is not None and (told := self.stream.rows(since)):
            return told
        rows: list[list[Any]] = []
        page = self.client.page
        for _ in range(MOST_PAGES):
            answer = yield from self._ask("fetch_ohlcv", self.symbol, self.timeframe, int(since * 1000), page)
            some = [row for row in answer or () if row and row[0] is not None]
            rows += some
            until = since + page * self.bar_s
            if self.client.dialect.last_page_only or until > self._now():
                break
            since = max(row[0] for row in some) / 1000.0 + self.bar_s if some else until
        return rows

    def _settled(self, newest: Bar) -> bool:
        """Return whether the last row of an answer can be taken although nothing came after it.

        Never where the last row is the open bar; elsewhere a quiet market has no later row, so it counts when it has
        not changed for a while.
        """
        now = self._now()
        if self._newest is None or self._newest[0] != newest:
            self._newest = newest, now
        return not self.client.dialect.shows_open_bar and now - max(self._newest[1], newest.ts + self.bar_s) >= LATE_S

    def _begin(self, bars: list[Bar]) -> tuple[float, list[Bar]]:
        """Return which bar comes first, and those of the history that the warm-up wants."""
        warmup = bars[len(bars) - self.history :]
        return (warmup[0].ts if warmup else bars[-1].ts + self.bar_s), warmup

    def _silence(self, expected: float) -> Iterator[FeedNotice]:
        """Tell, once for each bar, that it is long overdue although the venue answers."""
        late = self._now() - (expected + self.bar_s)
        if late >= SILENT_BARS * self.bar_s and self._silent_for != expected:
            self._silent_for = expected
            yield FeedNotice("NO_BARS", f"the bar at {utc(from_seconds(expected))} is {late:.0f} s late", late)

    def _in_order(self, bars: list[Bar], expected: float) -> Iterator[Bar]:
        """Yield the bars up to a fresh hole: what is missing there may still come."""
        for bar in bars:
            if bar.ts > expected and self._now() - (bar.ts + self.bar_s) < LATE_S:
                return
            yield bar
            expected = bar.ts + self.bar_s

    def _until_next(self, expected: float) -> float:
        """Return how long to wait before the next question [s of the clock]."""
        due = expected + self.bar_s + SETTLE_S - self._now()
        return due if due > 0.0 else POLL_S


class PastFeed:
    """The closed bars that a venue has from before now, at once: the exchange feed of a rehearsal, in which time stands still."""

    name = "exchange"
    simulated = True
    skew_s = 0.0
    funding = UNKNOWN
    data_sha256: str | None = None

    def __init__(self, client: VenueClient, symbol: str, timeframe: str, bars: int) -> None:
        """Ask for the last ``bars`` closed bars; nothing is asked before they are wanted."""
        self._client, self._symbol, self._timeframe, self._bars = client, symbol, timeframe, bars

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Item]:
        rows = require_rows(self._client.ask("fetch_ohlcv", self._symbol, self._timeframe), self._symbol)
        yield from map(bar_of, rows[:-1][-self._bars :])
