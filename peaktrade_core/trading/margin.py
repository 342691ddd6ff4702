"""Margin and funding of perpetual contracts: where a position would be liquidated, and what it pays while it is held.

The functions of margin run interpreted and compiled.

Each position has its own margin, its notional at the entry over the leverage (isolated margin). Fees and funding that a venue
takes from that margin are not counted, nor tiers: positions are small here, and the lowest tier is theirs.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.trading.book import QTY, apply_funding, mark
from peaktrade_core.trading.costs import Market, market_of
from peaktrade_core.trading.events import BarDone
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import Instrument
from peaktrade_core.trading.ports import FundingRate
from peaktrade_core.trading.risk import LIQUIDATION_DISTANCE, OK, RiskVerdict, too_close


def liquidation_price(market: Market, side: float, entry: float) -> float:
    """Return at which price what is left of the margin is only the maintenance margin [quote ccy].

    Args:
        market: leverage, maintenance margin, and whether the contract is inverse; side: above 0 long, below 0 short.
        entry: average entry price [quote ccy].

    Returns:
        0 and infinity where no price would do it; NaN where the maintenance margin is not known.

    Source: entry / leverage + (price - entry) = maintenance * price of one unit held long, for a linear contract; the same
    with 1 / price in the place of the price, and the other sign, for an inverse one.
    """
    share, kept = 1.0 / market.leverage, market.maintenance
    if market.inverse == 0.0:
        return entry * (1.0 - share) / (1.0 - kept) if side > 0.0 else entry * (1.0 + share) / (1.0 + kept)
    if side > 0.0:
        return entry * (1.0 + kept) / (1.0 + share)
    return entry * (1.0 - kept) / (1.0 - share) if share < 1.0 else math.inf + kept


def liquidation_distance(market: Market, side: float, entry: float, price: float) -> float:
    """Return how far a price may move against a position before it is liquidated [% of that price].

    Negative where it would be already, NaN where the maintenance margin is not known. Arguments as above; price [quote ccy].
    """
    away = liquidation_price(market, side, entry)
    return 100.0 * (price - away) / price if side > 0.0 else 100.0 * (away - price) / price


def check_margin(market: Market, side: float, price: float) -> RiskVerdict:
    """Decide whether a position of a side that opens at ``price`` [quote ccy] is far enough from liquidation."""
    if market.leverage == 0.0:
        return RiskVerdict(OK, 0.0, 0.0)
    distance = liquidation_distance(market, side, price, price)
    if too_close(distance, market.least_distance):
        return RiskVerdict(LIQUIDATION_DISTANCE, distance, market.least_distance)
    return RiskVerdict(OK, 0.0, 0.0)


def margin_of(config: Mapping[str, Any]) -> Market | None:
    """Return the market of a recorded session where it is a perpetual contract, None where it is not, or cannot be read."""
    told = config.get("instrument")
    if not isinstance(told, dict) or not told.get("contract"):
        return None
    try:
        return market_of(msgspec.convert(told, Instrument), fee_bps=0.0, slippage_bps=0.0, position_fraction=0.0)
    except (msgspec.ValidationError, ConfigError):
        return None


def distance_at(market: Market | None, bar: BarDone) -> float | None:
    """Return the distance to liquidation at a bar's close [% of it], None where nothing is held on margin."""
    qty, close = bar.position_size, bar.close
    if market is None or qty == 0.0:
        return None
    entry = 1.0 / (1.0 / close + bar.unrealized_pnl / qty) if market.inverse else close - bar.unrealized_pnl / qty
    return liquidation_distance(market, qty, entry, close)


KEPT = 1500  # closes that are remembered, a day of minutes and more


class Closes:
    """What was held at the last closes, so that funding counts on what was held when it was due, however late it is told."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, float]] = deque(maxlen=KEPT)

    def note(self, ts: float, qty: float, price: float) -> None:
        """Remember a close: its time [s since epoch], the position then [base units], its price [quote ccy]."""
        self._seen.append((ts, qty, price))

    def book(self, book: Slots, due: FundingRate) -> tuple[float, float, float]:
        """Book a payment of funding; return the position that it counts on, the price and the amount received.

        The position is that at the close of the bar in which the payment fell due: orders fill at opens only. Before the first
        bar nothing is held.
        """
        qty = price = 0.0
        for ts, held, close in reversed(self._seen):
            if ts < due.ts and price:
                break
            qty, price = held, close
        amount = apply_funding(book, qty, price, due.rate) if price else 0.0
        if book[QTY] == 0.0 and price:
            mark(book, price)  # with a position the next close does
        return qty, price, amount
