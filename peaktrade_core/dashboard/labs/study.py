"""A backtest as one tries parameters: what is chosen, what of the period is held back, and the columns that come out.

The last part of the period is held back: parameters are found on the first, and only a decision uncovers the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import DataError, UnknownNameError
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.research.backtest import BacktestResult, run_backtest
from peaktrade_core.show.chart import Mark, Marks
from peaktrade_core.trading import engine
from peaktrade_core.trading.costs import market_of
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars, Instrument, timeframe_seconds
from peaktrade_core.trading.strategies import Strategy, get_strategy
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD_BACK = 0.3  # of the chosen period [fraction]
EMBEDDED_BARS = 43_200  # thirty days of minutes
MOST_MARKS = 250  # fills in sight that are drawn one by one


class MarketData(NamedTuple):
    """Bars to try parameters on: the symbol, the length of a bar [s], and what the drop-down says."""

    symbol: str
    bar_s: int
    title: str
    bars: Bars


class Choice(NamedTuple):
    """What is chosen.

    Attributes:
        strategy: its name; params: its parameters; period: first and last part of the bars [fraction of them].
        fee_bps, slippage_bps: costs; position_fraction: notional of a position [fraction of equity].
    """

    strategy: str
    params: Mapping[str, object]
    period: tuple[float, float] = (0.0, 1.0)
    fee_bps: float = 26.0
    slippage_bps: float = 5.0
    position_fraction: float = 0.05


class Trial(NamedTuple):
    """What a choice gave.

    Attributes:
        result: columns of the bars that were traded; drawdown: 1 - equity / peak so far [fraction].
        fills: (n, 4) float64, time [s], signed quantity, price, fee of each execution; denied: orders that risk denied.
        split: time from which the period is held back [s since epoch]; whole: whether that part was traded, too.
    """

    result: BacktestResult
    drawdown: NDArray[Any]
    fills: NDArray[Any]
    denied: int
    split: float
    whole: bool


class Outcome(NamedTuple):
    """Figures of a stretch: PnL after costs and of holding the market [fraction], deepest drawdown [fraction], fills, fees."""

    pnl: float
    held: float
    drawdown: float
    fills: int
    fees: float


def markets(workspace: Workspace) -> list[tuple[str, Series | None]]:
    """Return what can be chosen: the embedded market, None, and every stored series."""
    stored = CandleStore.of_workspace(workspace.home).series()
    return [("embedded market", None), *((str(series), series) for series in stored)]


@lru_cache(maxsize=2)
def market_data(workspace: Workspace, series: Series | None) -> MarketData:
    """Return the bars of a market.

    Raises:
        DataError: they cannot be read.
    """
    if series is not None:
        return MarketData(
            series.symbol, series.bar_s, str(series), CandleStore.of_workspace(workspace.home).read(series)
        )
    defaults, market = workspace.config.session, workspace.config.synthetic
    bar_s = timeframe_seconds("1m")
    bars = embedded(defaults.seed, bar_s, market.price, market.volatility)
    return MarketData(defaults.symbol, bar_s, "embedded market", bars)


@lru_cache(maxsize=1)
def embedded(seed: int, bar_s: int, price: float, volatility: float) -> Bars:
    """Return thirty days of the embedded market."""
    import numpy as np

    from peaktrade_core.session.synthetic import SyntheticFeed

    table = np.array(list(SyntheticFeed(seed, bar_s, price=price, volatility=volatility, bars=EMBEDDED_BARS)))
    return Bars(table[:, 0], table[:, 1:])


def try_out(workspace: Workspace, data: MarketData, choice: Choice, *, decided: bool, cache: Path | None) -> Trial:
    """Run the chosen strategy over the chosen period: up to what is held back, or over all of it once it is decided.

    Raises:
        ConfigError: a parameter or cost is out of range.
        DataError: the period is too short for the warm-up.
        StrategyError: the strategy fails.
    """
    import numpy as np

    strategy = get_strategy(choice.strategy)
    params = strategy.parameters(choice.params)
    costs = {name: getattr(choice, name) for name in ("fee_bps", "slippage_bps", "position_fraction")}
    defaults = msgspec.structs.replace(workspace.config.session, **costs)  # which refuses what is out of range
    market = market_of(instrument_of(workspace, data.symbol), **costs)
    decision = Decision(strategy, params, market, workspace.config.limits, float(data.bar_s), defaults.start_balance)
    first, split, last = period_of(len(data.bars), choice.period)
    warmup = max(defaults.warmup_candles, strategy.warmup(params))
    to = last if decided else split
    if to - first <= warmup:
        raise DataError(f"the period has {to - first:,} bars, the warm-up alone needs {warmup:,}; choose a longer one")
    result = run_backtest(decision, data.bars.part(first, to), warmup, cache)
    peak = np.maximum(np.maximum.accumulate(result.equity), decision.start_balance)
    rows = result.rows
    filled = rows[rows[:, 1] == engine.FILL]
    fills = np.column_stack([result.ts[filled[:, 0].astype(np.int64)], filled[:, 3], filled[:, 4], filled[:, 5]])
    denied = int(np.count_nonzero(rows[:, 1] == engine.DENIAL))
    return Trial(result, 1.0 - result.equity / peak, fills, denied, float(data.bars.ts[min(split, last - 1)]), decided)


def range_of(strategy: Strategy, name: str) -> tuple[float, float, float]:
    """Return lowest and highest value and step that make sense for a parameter, whole numbers for a whole one.

    A strategy declares a default and what it refuses. What it takes up to five times the default, the other parameters
    at their defaults or at five times those, can be tried.
    """
    params = strategy.params()
    default = getattr(params, name)
    others = {other: type(value)(5 * value) for other, value in params._asdict().items() if other != name}
    if isinstance(default, int):
        step: float = max(1, default // 100)
        tried: list[float] = list(range(0, max(10, 5 * default) + 1, int(step)))
    else:
        step = 10.0 ** math.floor(math.log10(abs(default) / 10)) if default else 0.1
        tried = [round(number * step, 10) for number in range(round(5 * abs(default) / step) + 1 if default else 101)]
    bases = (params, params._replace(**others))
    taken = [value for value in tried if any(not strategy.check(base._replace(**{name: value})) for base in bases)]
    return (min(taken), max(taken), step) if taken else (default, default, step)


def instrument_of(workspace: Workspace, symbol: str) -> Instrument:
    """Return a configured instrument, or a plain spot one for a symbol that is only stored."""
    try:
        return workspace.config.instrument(symbol)
    except UnknownNameError:
        return Instrument()


def period_of(bars: int, period: tuple[float, float]) -> tuple[int, int, int]:
    """Return the numbers of the first bar of a period, of the first that is held back, and of the one after the last."""
    low, high = sorted(min(max(edge, 0.0), 1.0) for edge in period)
    first, last = int(low * bars), max(int(high * bars), int(low * bars) + 1)
    return first, max(first + 1, last - int((last - first) * HELD_BACK)), min(last, bars)


def outcome(trial: Trial, since: float = float("-inf"), until: float = float("inf")) -> Outcome:
    """Return the figures of a trial from one time to another, drawdown measured from the peak within [s since epoch].

    A stretch without a bar has no figures: all are 0.
    """
    import numpy as np

    result, balance = trial.result, trial.result.decision.start_balance
    first, last = (int(at) for at in np.searchsorted(result.ts, (since, until)))
    if first >= last:
        return Outcome(0.0, 0.0, 0.0, 0, 0.0)
    equity, close = result.equity[first:last], result.close[first:last]
    start = balance if first == 0 else float(result.equity[first - 1])
    peak = np.maximum(np.maximum.accumulate(equity), start)
    opened = float(close[0] if first == 0 else result.close[first - 1])
    within = trial.fills[(trial.fills[:, 0] >= result.ts[first]) & (trial.fills[:, 0] <= result.ts[last - 1])]
    return Outcome(
        float(equity[-1]) / start - 1.0,
        float(close[-1]) / opened - 1.0,
        float((1.0 - equity / peak).max()),
        len(within),
        float(within[:, 3].sum()),
    )


def fill_marks(trial: Trial, first: float, last: float, at: NDArray[Any], level: NDArray[Any]) -> list[Marks]:
    """Return the fills of a stretch as marks on a curve; so many that they could not be told apart are left out.

    Args:
        first, last: the stretch [s since epoch]; at, level: times and values of the curve.
    """
    import numpy as np

    seen = trial.fills[(trial.fills[:, 0] >= first) & (trial.fills[:, 0] <= last)]
    if len(seen) > MOST_MARKS:
        seen = seen[:0]
    places = level[np.clip(np.searchsorted(at, seen[:, 0]), 0, max(0, len(at) - 1))] if len(seen) else ()
    sides: dict[str, list[Mark]] = {"buy": [], "sell": []}
    for (ts, qty, price, _), value in zip(seen.tolist(), places, strict=True):
        side = "buy" if qty > 0 else "sell"
        sides[side].append(Mark(from_seconds(ts), float(value), f"{side} {abs(qty):.8g} @ {price:,.8g}"))
    return [Marks("buy", "up", "green", sides["buy"]), Marks("sell", "down", "red", sides["sell"])]
