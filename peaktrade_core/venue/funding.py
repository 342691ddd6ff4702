"""Funding of a perpetual contract as its venue tells it: each rate once, in order, as soon as it fell due."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import ConfigError, ExchangeError
from peaktrade_core.trading.ports import FeedNotice, FundingRate, Item
from peaktrade_core.venue.client import VenueClient

BACK_S = 2 * 86_400.0  # so far back the first question goes: to see how far rates lie apart [s]
FEW = 100  # rates of an answer; no venue has more in two days
MOST_PAGES = 1000  # of rates that are asked for at once
HOUR_S = 3600.0  # rates fall due on whole hours
IMPOSSIBLE = 1.0  # a rate that takes the whole position is none

Ask = Callable[..., Generator[Item, None, Any]]


class FundingRates:
    """The rates of one symbol that are still to be told.

    A venue tells how much was due a moment after it was; until then it is asked again with each bar, and that it is late is
    said once. Nothing is invented: a rate that never comes is in no figure.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._told = self._due = 0.0  # the last rate that is known, and when the next one is due [s since epoch]
        self._late = False
        self._waiting: list[FundingRate] = []

    def ask(self, ask: Ask, until: float) -> Generator[Item, None, None]:
        """Ask for what fell due by ``until`` [s since epoch], if anything did.

        Args:
            ask: makes one call of ccxt's and returns its answer; raises what treats a failed one.
        """
        if until < self._due:
            return
        since = self._told or until - BACK_S
        rows = yield from ask("fetch_funding_rate_history", self._symbol, int(since * 1000) + 1, FEW)
        found = sorted({row["timestamp"]: row for row in rows or () if row.get("timestamp")}.items())
        times = [ms / 1000.0 for ms, _ in found if since < ms / 1000.0 <= until]
        for ms, row in found:
            ts, rate = ms / 1000.0, row.get("fundingRate")
            if ts not in times:
                continue
            if not _possible(rate):
                yield FeedNotice("IMPOSSIBLE_FUNDING", f"{utc(from_seconds(ts))}: {rate}; taken as missing")
            elif self._told:
                self._waiting.append(FundingRate(ts, float(rate)))
        if times:
            gaps = [b - a for a, b in zip([self._told or times[0], *times], times, strict=False) if b > a]
            self._told, self._late = times[-1], False
            self._due = times[-1] + (gaps[-1] if gaps else HOUR_S)
        elif not self._told:  # it tells none of the last days; the next hour may have one
            self._told, self._due = until, until + HOUR_S
        elif not self._late:
            self._late = True
            yield FeedNotice(
                "FUNDING_LATE", f"the funding that was due at {utc(from_seconds(self._due))} is not told yet"
            )

    def due(self, until: float) -> Iterator[FundingRate]:
        """Yield what fell due by ``until`` [s since epoch] and was not told before."""
        while self._waiting and self._waiting[0].ts <= until:
            yield self._waiting.pop(0)


def rates_between(client: VenueClient, symbol: str, first: float, last: float) -> list[FundingRate]:
    """Return the rates that fell due from ``first`` to ``last`` [s since epoch], page by page.

    Raises:
        ConfigError: the venue tells no funding.
        ExchangeError: it does not answer.
    """
    if not client.has.get("fetchFundingRateHistory"):
        raise ConfigError(f"{client.name} tells no funding of the past; choose another --venue")
    found: dict[float, float] = {}
    since = first
    for _ in range(MOST_PAGES):
        rows = client.ask("fetch_funding_rate_history", symbol, int(since * 1000), FEW)
        page = {row["timestamp"] / 1000.0: row.get("fundingRate") for row in rows if row.get("timestamp")}
        found |= {ts: float(rate) for ts, rate in page.items() if first <= ts <= last and _possible(rate)}
        newest = max(page, default=since)
        if newest <= since or newest >= last:
            break
        since = newest
    return [FundingRate(ts, found[ts]) for ts in sorted(found)]


def _possible(rate: float | None) -> bool:
    return rate is not None and math.isfinite(rate) and abs(rate) < IMPOSSIBLE


def maintenance_of(client: VenueClient, symbol: str) -> float | None:
    """Return the maintenance margin of the lowest tier of a contract [% of notional], None where the venue states none.

    Some state a fraction and some percent: it cannot be more than the margin that a position begins with, 1 / leverage.
    """
    if not client.has.get("fetchMarketLeverageTiers"):
        return None
    try:
        tiers = client.ask("fetch_market_leverage_tiers", symbol)
    except ExchangeError:  # most tell it to holders of a key only
        return None
    lowest: dict[str, Any] = min(tiers or (), key=lambda tier: tier.get("minNotional") or 0.0, default={})
    rate, leverage = lowest.get("maintenanceMarginRate"), lowest.get("maxLeverage")
    if not rate or not leverage or not 0.0 < rate < 100.0:
        return None
    share = float(rate) if rate <= 1.0 / leverage else float(rate) / 100.0
    return 100.0 * share if share <= 1.0 / leverage else None
