"""A backtest as one tries parameters: what is chosen, what of a market may be read, and the columns that come out.

Of stored candles only what research may read is ever run (:mod:`peaktrade_core.research.trials.holdout`); a market that
is made up has no hold-out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import DataError, UnknownNameError
from peaktrade_core.base.files import stamp
from peaktrade_core.candles.kept import kept
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.research.backtest import BacktestResult, run_backtest
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.runs.views import Views
from peaktrade_core.show.chart import Mark, Marks
from peaktrade_core.show.wording import many
from peaktrade_core.trading import engine
from peaktrade_core.trading.costs import market_of
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars, Instrument, timeframe_seconds
from peaktrade_core.trading.strategies import Strategy, get_strategy
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

EMBEDDED_BARS = 43_200  # thirty days of minutes
MOST_MARKS = 250  # fills in sight that are drawn one by one


class MarketData(NamedTuple):
    """Bars to try parameters on.

    Attributes:
        symbol, bar_s: what they are of, and the length of a bar [s]; bars: those that may be read.
        real: whether it is no made-up market; held: how many bars are held back; since: the first of them, None for none.
        openings: how often that part was looked at, ever.
    """

    symbol: str
    bar_s: int
    bars: Bars
    real: bool = False
    held: int = 0
    since: datetime | None = None
    openings: int = 0


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


class TriedChoice(NamedTuple):
    """What a choice gave.

    Attributes:
        decision: what decided; opens: (bars,) float64, of the bars that were traded [s since epoch], as they are stored.
        equity: at their ends [quote ccy].
        held: what holding the market would have given [fraction].
        fills: (n, 4) float64, time [s], signed quantity, price, fee of each execution; denied: orders that risk denied.
    """

    decision: Decision
    opens: NDArray[Any]
    equity: NDArray[Any]
    held: float
    fills: NDArray[Any]
    denied: int

    @property
    def closes(self) -> NDArray[Any]:
        """Ends of the bars, (bars,) float64 [s since epoch]; made when they are asked for: a year of minutes has 4 MB."""
        closes: NDArray[Any] = self.opens + self.decision.bar_s
        return closes

    @property
    def drawdown(self) -> NDArray[Any]:
        """1 - equity / peak so far, (bars,) float64 [fraction]; made when it is asked for."""
        import numpy as np

        peak = np.maximum(np.maximum.accumulate(self.equity), self.decision.start_balance)
        drawdown: NDArray[Any] = 1.0 - self.equity / peak
        return drawdown


class Outcome(NamedTuple):
    """Figures of a trial: PnL after costs and of holding the market [fraction], deepest drawdown [fraction], fills, fees."""

    pnl: float
    held: float
    drawdown: float
    fills: int
    fees: float


class Beginning(NamedTuple):
    """What the lab begins with.

    Attributes:
        market: words that name a market, all of which its name must have; the others as in :class:`Choice`.
    """

    strategy: str
    market: tuple[str, ...]
    params: Mapping[str, object]
    fee_bps: float
    slippage_bps: float
    position_fraction: float


def preset(workspace: Workspace, asked: Mapping[str, str]) -> Beginning:
    """Return what an address asks for: the settings of ``session``, or ``strategy, market, symbol, timeframe, p_NAME``.

    Raises:
        SessionNotFoundError, ArtefactError: there is no such session, or its record cannot be read.
    """
    defaults = workspace.config.session
    costs = (defaults.fee_bps, defaults.slippage_bps, defaults.position_fraction)
    if "session" in asked:
        record = Views.of(workspace).record(asked["session"])
        config = record.settings
        costs = (config.fee_bps, config.slippage_bps, config.position_fraction)
        return Beginning(config.strategy_name, (config.symbol, config.timeframe), config.params, *costs)
    strategy = asked.get("strategy", defaults.strategy)
    names = (asked[name] for name in ("market", "symbol", "timeframe") if asked.get(name))
    params = {name.removeprefix("p_"): value for name, value in asked.items() if name.startswith("p_")}
    return Beginning(strategy, tuple(names), params, *costs)


def markets(workspace: Workspace) -> list[tuple[str, Series | None]]:
    """Return what can be chosen: the embedded market, None, and every stored series."""
    stored = CandleStore.of_workspace(workspace.home).series()
    return [("embedded market", None), *((str(series), series) for series in stored)]


def market_data(workspace: Workspace, series: Series | None) -> MarketData:
    """Return the bars of a market that may be read; what is held back of it stays where it is.

    Raises:
        ArtefactError: the log of the hold-out is broken, so nothing may be read.
        DataError: they cannot be read, or all of them are held back.
    """
    return _market_data(workspace, series, stamp(HoldOut(workspace).chain.path))


@lru_cache(maxsize=2)
def _market_data(workspace: Workspace, series: Series | None, _ledger: object) -> MarketData:
    """Return them, anew once anything was entered in the ledger: the hold-out may have begun or been opened meanwhile."""
    if series is None:
        defaults, market = workspace.config.session, workspace.config.synthetic
        bar_s = timeframe_seconds("1m")
        return MarketData(defaults.symbol, bar_s, embedded(defaults.seed, bar_s, market.price, market.volatility))
    hold, of = HoldOut(workspace), (series.symbol, series.timeframe)
    bars = kept(workspace.home, series) or CandleStore.of_workspace(workspace.home).read(series)
    split = hold.preview(bars, *of)
    held = hold.of(*of)
    openings = len(held.openings) if held else 0
    return MarketData(series.symbol, series.bar_s, split.readable, True, split.held, split.since, openings)


@lru_cache(maxsize=1)
def embedded(seed: int, bar_s: int, price: float, volatility: float) -> Bars:
    """Return thirty days of the embedded market."""
    import numpy as np

    from peaktrade_core.session.synthetic import SyntheticFeed

    table = np.array(list(SyntheticFeed(seed, bar_s, price=price, volatility=volatility, bars=EMBEDDED_BARS)))
    return Bars(table[:, 0], table[:, 1:])


def try_out(workspace: Workspace, data: MarketData, choice: Choice, *, cache: Path | None) -> TriedChoice:
    """Run what is chosen, and return what a page needs of it: a year of minutes has some fifty megabytes more.

    Raises as :func:`backtest`.
    """
    import numpy as np

    result = backtest(workspace, data, choice, cache=cache)
    equity, rows = result.equity.copy(), result.rows
    filled = rows[rows[:, 1] == engine.FILL]
    fills = np.column_stack([result.ts[filled[:, 0].astype(np.int64)], filled[:, 3], filled[:, 4], filled[:, 5]])
    denied = int(np.count_nonzero(rows[:, 1] == engine.DENIAL))
    held = float(result.close[-1] / result.close[0]) - 1.0
    return TriedChoice(result.decision, result.ts, equity, held, fills, denied)


def backtest(workspace: Workspace, data: MarketData, choice: Choice, *, cache: Path | None) -> BacktestResult:
    """Run the chosen strategy over the chosen period of the bars that may be read.

    Raises:
        ConfigError: a parameter or cost is out of range.
        DataError: the period is too short for the warm-up.
        StrategyError: the strategy fails.
    """
    strategy = get_strategy(choice.strategy)
    params = strategy.parameters(choice.params)
    costs = {name: getattr(choice, name) for name in ("fee_bps", "slippage_bps", "position_fraction")}
    defaults = msgspec.structs.replace(workspace.config.session, **costs)  # which refuses what is out of range
    market = market_of(instrument_of(workspace, data.symbol), **costs)
    decision = Decision(strategy, params, market, workspace.config.limits, float(data.bar_s), defaults.start_balance)
    first, last = period_of(len(data.bars), choice.period)
    warmup = max(defaults.warmup_candles, strategy.warmup(params))
    if last - first <= warmup:
        raise DataError(
            f"the period has {many(last - first, 'bar')}, the warm-up alone needs {warmup:,}; choose a longer one"
        )
    return run_backtest(decision, data.bars.part(first, last), warmup, cache)


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


def period_of(bars: int, period: tuple[float, float]) -> tuple[int, int]:
    """Return the numbers of the first bar of a period and of the one after its last."""
    low, high = sorted(min(max(edge, 0.0), 1.0) for edge in period)
    first = min(int(low * bars), bars - 1)
    return first, min(max(int(high * bars), first + 1), bars)


def outcome(trial: TriedChoice) -> Outcome:
    """Return the figures of a trial."""
    return Outcome(
        float(trial.equity[-1]) / trial.decision.start_balance - 1.0,
        trial.held,
        float(trial.drawdown.max()),
        len(trial.fills),
        float(trial.fills[:, 3].sum()),
    )


def fill_marks(trial: TriedChoice, stretch: tuple[float, float] | None) -> list[Marks]:
    """Return the fills of a stretch as marks on the equity; so many that they could not be told apart are left out.

    Args:
        stretch: from when to when [s since epoch]; None for all.
    """
    import numpy as np

    at, level, filled = trial.closes, trial.equity, trial.fills[:, 0]
    seen = trial.fills if stretch is None else trial.fills[(filled >= stretch[0]) & (filled <= stretch[1])]
    if len(seen) > MOST_MARKS:
        seen = seen[:0]
    places = level[np.clip(np.searchsorted(at, seen[:, 0]), 0, max(0, len(at) - 1))] if len(seen) else ()
    sides: dict[str, list[Mark]] = {"buy": [], "sell": []}
    for (ts, qty, price, _), value in zip(seen.tolist(), places, strict=True):
        side = "buy" if qty > 0 else "sell"
        sides[side].append(Mark(from_seconds(ts), float(value), f"{side} {abs(qty):.8g} @ {price:,.8g}"))
    return [Marks("buy", "up", "green", sides["buy"]), Marks("sell", "down", "red", sides["sell"])]
