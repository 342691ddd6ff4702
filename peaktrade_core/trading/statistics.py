"""The figures by which a run is judged, each with its unit and its definition beside it, and the trades behind them.

Pure: sequences of floats in, values out. Where a figure is not defined - no trade, no variance, no loss to divide by -
it is None, never an exception and never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from peaktrade_core.trading.events import Fill
from peaktrade_core.trading.market import timeframe_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DAYS_PER_YEAR = 365.0  # crypto trades every day
DAY_S = 86_400.0
YEAR_S = DAYS_PER_YEAR * DAY_S
LEAST_S = {  # of a run before a figure is annualised [s]; GIPS 2020, 4.A.3: no return of less than a year is
    "annualised_return": YEAR_S,
    **dict.fromkeys(("volatility", "sharpe", "sortino"), 60 * DAY_S),
}
NOISE = 1e-12  # relative size below which a rest of a position, or a spread of returns, is rounding


class Trade(NamedTuple):
    """A round trip, flat to flat.

    Attributes:
        side: 1 long, -1 short.
        qty: everything that was entered [base units].
        entry_ts, exit_ts: times of the first entry and the last exit, as the fills carry them.
        entry_price, exit_price: averages over the quantity [quote ccy].
        fees: [quote ccy].
        pnl: net of fees [quote ccy].
    """

    side: int
    qty: float
    entry_ts: datetime
    exit_ts: datetime
    entry_price: float
    exit_price: float
    fees: float
    pnl: float


class Statistic(msgspec.Struct, frozen=True):
    """One figure for people.

    Attributes:
        value: None where it is not defined or held back; held: why it is held back, empty where it is not.
    """

    name: str
    value: float | None
    unit: str
    definition: str
    held: str = ""


class RoundTrip:
    """The fills from flat until flat again, or until now, booked at average cost as both ledgers do.

    Attributes:
        side: 1 long, -1 short.
        first, last: the fill that began it, and the last one that reduced it, None while none did.
        entered, cost: everything that was entered, and its price [base units, quote ccy].
        left, proceeds: everything that was left, and its price [base units, quote ccy].
        held, basis: what is still open, and what that cost [base units, quote ccy]; 0 once it is flat.
        gross, fees: realized before fees, and the fees of all its fills [quote ccy].
    """

    def __init__(self, fill: Fill, qty: float, inverse: bool = False) -> None:
        self.side = 1 if qty > 0.0 else -1
        self.inverse = (
            inverse  # then what is held is worth its quantity / price, and less of that is a gain for who is long
        )
        self.first = fill
        self.last: Fill | None = None
        self.held = self.basis = self.entered = self.cost = self.left = self.proceeds = self.gross = self.fees = 0.0

    @property
    def realized(self) -> float:
        """Realized PnL net of its fees [quote ccy]."""
        return self.gross - self.fees

    def unrealized(self, price: float) -> float:
        """What is still open at ``price``, less what it cost [quote ccy]."""
        return self._gain(self._worth(self.held, price), self.basis)

    def add(self, fill: Fill, qty: float) -> None:
        """Take in (a part of) a fill, its fee in proportion."""
        self.fees += fill.fee * (qty / fill.qty)
        size = abs(qty)
        if (qty > 0.0) == (self.side > 0):
            self.entered += size
            self.cost += self._worth(size, fill.price)
            self.held += size
            self.basis += self._worth(size, fill.price)
            return
        released = self.basis * (size / self.held)
        self.last = fill
        self.left += size
        self.proceeds += self._worth(size, fill.price)
        self.gross += self._gain(self._worth(size, fill.price), released)
        self.held -= size
        self.basis -= released
        if self.held <= NOISE * self.entered:
            self.held = self.basis = 0.0

    def closed(self) -> Trade:
        """Return the finished trade."""
        assert self.last is not None
        pnl = self._gain(self.proceeds, self.cost) - self.fees
        entry, exit_ = self.price(self.entered, self.cost), self.price(self.entered, self.proceeds)
        return Trade(self.side, self.entered, self.first.ts, self.last.ts, entry, exit_, self.fees, pnl)

    def price(self, qty: float, value: float) -> float:
        """Return at which price a quantity has a worth [quote ccy]."""
        return qty / value if self.inverse else value / qty

    def _worth(self, size: float, price: float) -> float:
        return size / price if self.inverse else size * price

    def _gain(self, now: float, before: float) -> float:
        return self.side * (before - now) if self.inverse else self.side * (now - before)


def round_trips(fills: Iterable[Fill], inverse: bool = False) -> list[RoundTrip]:
    """Return the round trips that fills make up, ``inverse`` for those of an inverse contract; the last one may still be open.

    A fill that turns the position around ends one and begins the next, its fee divided by quantity. What all of them
    realized adds up to the realized PnL of :class:`~peaktrade_core.trading.exact.ExactAccount`.
    """
    found: list[RoundTrip] = []
    trip: RoundTrip | None = None
    for fill in fills:
        rest = fill.qty
        if trip is not None and (rest > 0.0) != (trip.side > 0):
            whole = abs(rest) <= trip.held * (1.0 + NOISE)
            part = rest if whole else math.copysign(trip.held, rest)
            trip.add(fill, part)
            rest = 0.0 if whole else rest - part
            if trip.held == 0.0:
                trip = None
        if rest != 0.0:
            if trip is None:
                trip = RoundTrip(fill, rest, inverse)
                found.append(trip)
            trip.add(fill, rest)
    return found


def trades(fills: Iterable[Fill], inverse: bool = False) -> list[Trade]:
    """Return the finished round trips; one that is still open at the end is left out."""
    return [trip.closed() for trip in round_trips(fills, inverse) if trip.held == 0.0]


def statistics(
    ts: Sequence[float] | NDArray[np.float64],
    equity: Sequence[float] | NDArray[np.float64],
    position: Sequence[float] | NDArray[np.float64],
    round_trips: Sequence[Trade],
    *,
    start_balance: float,
    bar_s: float,
    risk_free: float = 0.0,
    close: Sequence[float] | NDArray[np.float64] = (),
) -> list[Statistic]:
    """Return the figures of a run; what is annualised counts the time that passed, also where bars are missing.

    From a run that is shorter than :data:`LEAST_S` an annualised figure is held back.

    Args:
        ts: open of each bar [s since epoch].
        equity: at the close of each bar [quote ccy].
        position: signed quantity after each bar [base units].
        round_trips: the trades of the run.
        start_balance: equity before the first bar [quote ccy].
        bar_s: length of a bar [s].
        risk_free: annual rate [fraction].
        close: closes of the bars [quote ccy], to hold the market beside it; without them that is left out.
    """
    import numpy as np

    levels = np.concatenate([[start_balance], np.asarray(equity, dtype=np.float64)])
    held = np.asarray(position, dtype=np.float64)
    bars = len(levels) - 1
    elapsed_s = float(ts[-1] - ts[0]) + bar_s if bars else 0.0
    exposure = float(np.count_nonzero(held)) / bars if bars else None
    return [
        *(_long_enough(one, elapsed_s, bars * bar_s) for one in _return_figures(levels, elapsed_s, bar_s, risk_free)),
        *_drawdown_figures(levels, bar_s),
        *_trade_figures(round_trips),
        Statistic("exposure_time", exposure, "fraction", f"share of {bars} bars that end with an open position"),
        *_market_figures(close),
    ]


def _long_enough(one: Statistic, elapsed_s: float, traded_s: float) -> Statistic:
    """Return a figure, held back where too little time passed for a return, or too few bars traded for a ratio of them."""
    least, found = LEAST_S.get(one.name, 0.0), elapsed_s if one.name == "annualised_return" else traded_s
    if found >= least:
        return one
    held = f"held back: {found / DAY_S:.1f} of the {least / DAY_S:g} days that it needs"
    return Statistic(one.name, None, one.unit, one.definition, held)


def _market_figures(close: Sequence[float] | NDArray[np.float64]) -> list[Statistic]:
    """Return what holding the market over the same bars would have brought; nothing without closes."""
    if len(close) == 0:
        return []
    held = float(close[-1]) / float(close[0]) - 1.0 if close[0] else None
    about = f"last close / first close - 1 over the same {len(close)} bars, without costs"
    return [Statistic("buy_and_hold", _finite(held), "fraction", about)]


def _return_figures(levels: NDArray[np.float64], elapsed_s: float, bar_s: float, risk_free: float) -> list[Statistic]:
    """Return what is measured on the returns of bars, which lie within ``elapsed_s`` [s]."""
    import numpy as np

    bars = len(levels) - 1
    sound = bool(bars) and bool((levels > 0.0).all()) and bool(np.isfinite(levels).all())
    returns = levels[1:] / levels[:-1] - 1.0 if sound else np.empty(0)
    a_year = bars * YEAR_S / elapsed_s if bars else YEAR_S / bar_s
    total = float(levels[-1] / levels[0] - 1.0) if bars else None
    excess = returns - risk_free / a_year
    spread = _spread(returns)
    below = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2))) if len(returns) else 0.0
    mean = float(excess.mean()) if len(returns) else 0.0
    basis = f"{bars} returns of {timeframe_of(bar_s)} bars"
    missing = round(elapsed_s / bar_s) - bars
    scale = f"annualised with {a_year:g} bars a year (365 days{f', {missing} bars missing' if missing else ''})"
    free = f"risk-free rate {risk_free:g} a year"
    return [
        Statistic("total_return", _finite(total), "fraction", "last equity / start balance - 1"),
        Statistic(
            "annualised_return",
            _growth(total, elapsed_s) if sound else None,
            "fraction a year",
            f"(1 + total return) ^ (365 days / {elapsed_s / DAY_S:g} days) - 1",
        ),
        Statistic(
            "volatility",
            spread * math.sqrt(a_year) if spread is not None else None,
            "fraction a year",
            f"standard deviation of {basis}, ddof = 1, {scale}",
        ),
        Statistic(
            "sharpe",
            mean / spread * math.sqrt(a_year) if spread else None,
            "ratio",
            f"mean excess return / standard deviation of {basis}, ddof = 1, {scale}, {free}",
        ),
        Statistic(
            "sortino",
            mean / below * math.sqrt(a_year) if below > 0.0 else None,
            "ratio",
            f"mean excess return / root mean square of those below 0, over all {basis}, ddof = 0, {scale}, {free}",
        ),
    ]


def _spread(returns: NDArray[np.float64]) -> float | None:
    """Return the standard deviation, ddof = 1: None for fewer than two values, 0 where it is rounding only."""
    if len(returns) < 2:
        return None
    spread = float(returns.std(ddof=1))
    return spread if spread > NOISE * float(abs(returns).max()) else 0.0


def _growth(total: float | None, seconds: float) -> float | None:
    """Return the compound annual return, or None where it is beyond all measure."""
    if total is None or not total > -1.0:
        return None
    try:
        return math.expm1(math.log1p(total) * YEAR_S / seconds)
    except OverflowError:
        return None


def _drawdown_figures(levels: NDArray[np.float64], bar_s: float) -> list[Statistic]:
    """Return the largest fall from a peak and the longest time below one."""
    import numpy as np

    peaks = np.maximum.accumulate(levels)
    depth = float(np.max(1.0 - levels / peaks)) if len(levels) > 1 else None
    at_peak = np.flatnonzero(levels >= peaks)
    waits = np.diff(np.append(at_peak, len(levels))) - 1
    longest = float(waits.max()) if len(levels) > 1 and len(at_peak) else None
    return [
        Statistic("max_drawdown", _finite(depth), "fraction", "largest 1 - equity / peak, marked at each close"),
        Statistic(
            "max_drawdown_length", longest, "bars", f"most bars of {timeframe_of(bar_s)} in a row below an earlier peak"
        ),
    ]


def _trade_figures(round_trips: Sequence[Trade]) -> list[Statistic]:
    """Return what is measured on trades."""
    pnls = [trade.pnl for trade in round_trips]
    lasted = [(trade.exit_ts - trade.entry_ts).total_seconds() for trade in round_trips]
    n = len(pnls)
    wins, losses = [x for x in pnls if x > 0.0], [x for x in pnls if x < 0.0]
    gained, lost = math.fsum(wins), -math.fsum(losses)
    win, loss = (gained / len(wins) if wins else 0.0), (lost / len(losses) if losses else 0.0)
    basis = f"{n} trades (round trips, flat to flat), net of fees"
    return [
        Statistic("trades", float(n), "trades", "round trips, flat to flat; one still open is left out"),
        Statistic("profit_factor", gained / lost if lost > 0.0 else None, "ratio", f"gains / losses of {basis}"),
        Statistic("win_rate", len(wins) / n if n else None, "fraction", f"share with a gain of {basis}"),
        Statistic(
            "expectancy",
            (len(wins) * win - len(losses) * loss) / (n * loss) if losses else None,
            "average losses",
            f"(win rate x average gain - loss rate x average loss) / average loss of {basis}",
        ),
        Statistic("average_trade", math.fsum(pnls) / n if n else None, "quote ccy", f"mean PnL of {basis}"),
        Statistic(
            "average_duration", math.fsum(lasted) / n if n else None, "s", f"mean time from entry to exit of {n} trades"
        ),
    ]


def _finite(value: float | None) -> float | None:
    """Return a figure, or None where it is not finite."""
    return value if value is not None and math.isfinite(value) else None
