"""The store of candles as a service: what is in it, and filling it from a venue.

What is missing is asked for in the order of time, page by page. A page is on the disk before it is reported, so a download
that is killed goes on where it was. Only bars that are closed by the venue's clock are kept, and none that cannot be true.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from peaktrade_core.base.clock import Clock, from_seconds, utc
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.show.table import Column, Columns
from peaktrade_core.show.wording import minute
from peaktrade_core.trading.market import DAY_S, Bar, bar_fault
from peaktrade_core.venue.client import bar_of

if TYPE_CHECKING:
    from peaktrade_core.candles.store import CandleStore, Series
    from peaktrade_core.venue.client import VenueClient
    from peaktrade_core.workspace.workspace import Workspace

DOUBT_S = 300.0  # by so much our clock may be ahead of a venue that tells no time: younger bars may still be open [s]


class MissingBars(msgspec.Struct, frozen=True):
    """Bars in a row that are not there: opens of the first and the last [s since epoch], and how many."""

    first: float
    last: float
    bars: int


class FetchProgress(msgspec.Struct, frozen=True):
    """How far a download is; everything it tells is on the disk.

    Attributes:
        until: time up to which it has asked [s since epoch]; begin, end: of the whole.
        new: bars stored so far.
    """

    until: float
    begin: float
    end: float
    new: int


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What a download brought.

    Attributes:
        since, until: what was asked for, opens in ``[since, until)`` [s since epoch].
        new, known: bars that were stored, and that had been before.
        differing: bars that the venue now gives otherwise than they are stored; the stored ones stay.
        refused: bars that cannot be true and were not stored; refusal: the first of them in a sentence.
        oldest: open of the oldest bar that came, asked for or not [s since epoch], None for no bar at all.
        wanted: bars between ``since`` and ``until``; missing: those of them that are not there now.
        next_step: what to do about what is missing, empty when nothing is.
    """

    venue: str
    symbol: str
    timeframe: str
    since: float
    until: float
    new: int
    known: int
    differing: int
    refused: int
    refusal: str
    oldest: float | None
    wanted: int
    missing: tuple[MissingBars, ...]
    next_step: str

    @property
    def bars_missing(self) -> int:
        """How many of the wanted bars are not there."""
        return sum(stretch.bars for stretch in self.missing)


class Holding(msgspec.Struct, frozen=True):
    """A stored series: opens of its first and last bar, bars, and bars missing between them."""

    venue: str
    symbol: str
    timeframe: str
    first: datetime
    last: datetime
    bars: int
    missing: int


HOLDINGS = Columns[Holding](
    venue=Column("Venue"),
    symbol=Column("Symbol"),
    timeframe=Column("Timeframe"),
    first=Column("First (UTC)", lambda h: minute(h.first), priority=1),
    last=Column("Last (UTC)", lambda h: minute(h.last)),
    bars=Column("Bars", form="number"),
    missing=Column("Missing", form="number"),
)
NOTHING_STORED = (
    "No candles are stored. `peaktrade exchange fetch SYMBOL` downloads some, "
    "`peaktrade data import FILE` takes a file in."
)


def holdings(store: CandleStore) -> list[Holding]:
    """Return what is stored, by venue, symbol and length of a bar.

    Raises:
        DataError: a file cannot be read.
    """
    from peaktrade_core.candles.questions import Candles

    with Candles.of_store(store, store.series()) as candles:
        return [
            Holding(*series, from_seconds(extent.first), from_seconds(extent.last), extent.rows, extent.missing)
            for series, extent in candles.extents().items()
        ]


def select(store: CandleStore, symbol: str | None, timeframe: str | None, venue: str | None) -> list[Series]:
    """Return the stored series that fit; None fits all.

    Raises:
        UnknownNameError: nothing is stored that fits, though something was named.
    """
    stored = store.series()
    wanted = (venue, symbol, timeframe)
    found = [one for one in stored if all(name in (None, part) for name, part in zip(wanted, one, strict=True))]
    if not found and any(wanted):
        name = " ".join(part for part in wanted if part)
        raise UnknownNameError("candles", name, [str(one) for one in stored], "peaktrade data list")
    return found


def fetch(
    client: VenueClient,
    store: CandleStore,
    series: Series,
    venue_symbol: str,
    *,
    clock: Clock,
    since: float | None = None,
    until: float | None = None,
    watch: Callable[[FetchProgress], None] = lambda _: None,
) -> Fetched:
    """Ask a venue for the bars that the store lacks between two times, and keep them.

    Args:
        client: the venue.
        store, series: where they go.
        venue_symbol: what the venue calls the symbol.
        clock: ours; used where the venue tells no time, less five minutes, lest an open bar is taken for closed.
        since: from this time on [s since epoch]; None goes on after the last stored bar, or takes the venue's last page.
        until: up to this time [s since epoch]; None, and whatever lies later, means the venue's now.
        watch: told of every page, once it is on the disk.

    Raises:
        ConfigError: the times, the symbol or the timeframe are wrong.
        ExchangeError: the venue does not answer; what came before is stored.
        DataError: a stored file cannot be read.
        EnvironmentFault: the store cannot be written, or somebody else is writing this series.
    """
    if series.bar_s > DAY_S:
        raise ConfigError(
            f"{series.timeframe}: bars of up to a day are fetched; `peaktrade data import` takes longer ones"
        )
    _require_offered(client, venue_symbol, series.timeframe)
    told = client.now()
    now = told.timestamp() if told else clock.now().timestamp() - DOUBT_S
    page, bar_s = client.page, series.bar_s
    end = min(_grid(until, bar_s) if until is not None else now, now) // bar_s * bar_s
    if since is None:
        since = _resume(store, series, end - (page - 1) * bar_s)
    begin = _grid(since, bar_s)
    if begin > end:
        raise ConfigError(
            f"--since {utc(from_seconds(since))} leaves nothing to fetch before {utc(from_seconds(end))}; choose it earlier"
        )
    with store.writing(series):
        download = _Download(client, store, series, venue_symbol, begin, end)
        download.run(page, watch)
        return download.outcome()


def fetch_market(workspace: Workspace, client: VenueClient, symbol: str, timeframe: str, **asked: Any) -> Fetched:
    """Ask a venue for what the workspace's store lacks of a market; the rest as of :func:`fetch`."""
    from peaktrade_core.candles.store import CandleStore, Series

    known = workspace.config.instruments.get(symbol)
    series = Series(f"{client.name}-drill" if client.loopback else client.name, symbol, timeframe)
    name = (known.venue_symbol if known else "") or symbol
    return fetch(client, CandleStore.of_workspace(workspace.home), series, name, clock=workspace.clock, **asked)


class _Download:
    """One download: where it is and what it met."""

    def __init__(
        self, client: VenueClient, store: CandleStore, series: Series, symbol: str, begin: float, end: float
    ) -> None:
        self.client, self.store, self.series, self.symbol = client, store, series, symbol
        self.begin, self.end = begin, end
        self.there = store.times(series, begin, end)
        self.new = self.known = self.differing = 0
        self.refused: dict[float, str] = {}
        self.oldest: float | None = None

    def run(self, page: int, watch: Callable[[FetchProgress], None]) -> None:
        """Ask for page after page from the first missing bar on, leaping over what is stored."""
        bar_s = self.series.bar_s
        cursor = self._missing_from(self.begin)
        while cursor < self.end:
            bars = self._ask(cursor, page)
            self._keep([bar for bar in bars if self.begin <= bar.ts < self.end])
            reached = bars[-1].ts + bar_s if bars and bars[-1].ts >= cursor else cursor + page * bar_s
            watch(FetchProgress(min(reached, self.end), self.begin, self.end, self.new))
            cursor = self._missing_from(reached)

    def outcome(self) -> Fetched:
        """Return what came and what is missing."""
        bar_s = self.series.bar_s
        edges = [self.begin - bar_s, *sorted(self.there), self.end]
        missing = tuple(
            MissingBars(before + bar_s, after - bar_s, round((after - before) / bar_s) - 1)
            for before, after in pairwise(edges)
            if after - before > bar_s
        )
        refusal = f"{utc(from_seconds(min(self.refused)))}: {self.refused[min(self.refused)]}" if self.refused else ""
        return Fetched(
            venue=self.series.venue,
            symbol=self.series.symbol,
            timeframe=self.series.timeframe,
            since=self.begin,
            until=self.end,
            new=self.new,
            known=self.known,
            differing=self.differing,
            refused=len(self.refused),
            refusal=refusal,
            oldest=self.oldest,
            wanted=round((self.end - self.begin) / bar_s),
            missing=missing,
            next_step=self._advice(missing),
        )

    def _ask(self, cursor: float, page: int) -> list[Bar]:
        """Return the venue's bars from ``cursor`` on, in the order of time, each time once."""
        rows = self.client.ask("fetch_ohlcv", self.symbol, self.series.timeframe, int(cursor * 1000), page)
        bars = sorted({bar.ts: bar for bar in map(bar_of, rows)}.values())
        if bars:
            self.oldest = min(bars[0].ts, self.oldest if self.oldest is not None else math.inf)
        return bars

    def _keep(self, bars: list[Bar]) -> None:
        """Store what can be true and remember what cannot."""
        faults = {bar.ts: bar_fault(bar) or ("off the grid" if bar.ts % self.series.bar_s else "") for bar in bars}
        self.refused |= {ts: fault for ts, fault in faults.items() if fault}
        sound = [bar for bar in bars if not faults[bar.ts]]
        stored = self.store.put(self.series, sound)
        self.there |= {bar.ts for bar in sound}
        self.new, self.known = self.new + stored.new, self.known + stored.known
        self.differing += stored.differing

    def _missing_from(self, ts: float) -> float:
        """Return the open of the first bar from ``ts`` on that is not stored."""
        while ts in self.there:
            ts += self.series.bar_s
        return ts

    def _advice(self, missing: tuple[MissingBars, ...]) -> str:
        """Return what to do about missing bars."""
        if not missing:
            return ""
        page = self.client.page
        if self.client.dialect.last_page_only and (self.oldest is None or missing[0].first < self.oldest):
            came = (
                f"the oldest that came opens at {minute(from_seconds(self.oldest))} UTC" if self.oldest else "none came"
            )
            return (
                f"{self.client.name} gives its last {page} bars at most, whatever one asks for ({came}); "
                "older ones need another source: a coarser --timeframe, or a file of candles"
            )
        return "the venue gave no bar there: nothing was traded, or it was down; fetch again later"


def _require_offered(client: VenueClient, symbol: str, timeframe: str) -> None:
    """Refuse a symbol or timeframe that the venue does not have.

    Raises:
        ConfigError: it does not; says what comes near.
    """
    timeframes = client.ask("describe")["timeframes"] or {}
    if timeframe not in timeframes:
        raise UnknownNameError(f"timeframe of {client.name}", timeframe, list(timeframes))
    known = list(client.ask("load_markets"))
    if symbol not in known:
        near = get_close_matches(symbol, known, 5, 0.4) or known[:5]
        raise UnknownNameError(f"symbol of {client.name}", symbol, near, "peaktrade exchange markets")


def _resume(store: CandleStore, series: Series, otherwise: float) -> float:
    """Return the time after the last stored bar [s since epoch], or ``otherwise``."""
    last = store.last(series)
    return otherwise if last is None else last + series.bar_s


def _grid(ts: float, bar_s: int) -> float:
    """Return the first open at or after ``ts`` [s since epoch]."""
    return float(math.ceil(ts / bar_s) * bar_s)
