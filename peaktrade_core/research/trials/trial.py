"""One trial: a decision over bars, and what is kept of it: a row of figures and its equity at each day's end."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError, DataError, StrategyError
from peaktrade_core.base.typed import read
from peaktrade_core.research.backtest import BacktestResult, missing_bars
from peaktrade_core.research.running import Codes, RunCounts, new_book, numbers_of, signals_over
from peaktrade_core.research.trials.selection import sharpe
from peaktrade_core.session.identity import decision_id
from peaktrade_core.show.wording import many
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.workspace.config import SessionDefaults, read_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_S = 86_400.0
LEAST_DAYS = 60  # UTC days below which a Sharpe ratio is noise and is not told


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a trial.

    Attributes:
        number: in its sweep, from 0; decision_id: of what decided, empty where nothing could.
        params: what it tried; error: why it could not be run, empty where it ran.
        equity: at the end [quote ccy]; total_return, max_drawdown: [fraction].
        sharpe: of UTC-day returns, ddof 1, not annualised; None under 60 days or without spread.
        days: with bars; trades: round trips, flat to flat; fills, fees: executions and their cost [quote ccy].
        exposure: share of bars with a position [fraction]; denied: how often each code denied.
        halted_at: when its own limits halted it.
    """

    number: int
    params: dict[str, Any]
    decision_id: str = ""
    error: str = ""
    equity: float | None = None
    total_return: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None
    days: int = 0
    trades: int = 0
    fills: int = 0
    fees: float = 0.0
    exposure: float = 0.0
    denied: dict[str, int] = {}
    halted_at: datetime | None = None


class DailyEquity(NamedTuple):
    """Equity at the end of each UTC day with bars.

    Attributes:
        day: (n,) int64, days since 1970; equity: (n,) float64 [quote ccy].
    """

    day: NDArray[np.int64]
    equity: NDArray[np.float64]

    def returns(self, start_balance: float) -> NDArray[np.float64]:
        """Return the return of each day [fraction]."""
        before = np.concatenate([[start_balance], self.equity[:-1]])
        returns: NDArray[np.float64] = self.equity / before - 1.0
        return returns


NO_MARKS = DailyEquity(np.empty(0, dtype=np.int64), np.empty(0))


_LOOKS = 20_000  # combinations that are looked at before a sweep, a fifth of a second
COSTS = {"fee_bps": "fee_rate", "slippage_bps": "slippage", "position_fraction": "position_fraction"}


def decided(base: Decision, params: dict[str, Any]) -> Decision:
    """Return a decision with other parameters, costs, size or limits: what is no parameter of the strategy is one of those.

    Raises:
        ConfigError: the strategy, or the configuration, refuses them.
    """
    own = {name: value for name, value in params.items() if name in base.strategy.params._fields}
    found = base._replace(params=base.strategy.parameters(own))
    other = {name: value for name, value in params.items() if name not in own}
    if not other:
        return found
    costs = {name: value for name, value in other.items() if name in COSTS}
    given = read(costs, SessionDefaults, "parameters")
    market = {COSTS[name]: getattr(given, name) / (1e4 if name.endswith("_bps") else 1.0) for name in costs}
    limits = {name: value for name, value in other.items() if name not in costs}
    if limits:
        found = found._replace(limits=read_limits(base.limits._asdict() | limits))
    return found._replace(market=found.market._replace(**market))


def require_possible(base: Decision, axes: dict[str, list[Any]], fixed: dict[str, Any]) -> None:
    """Refuse a value that cannot run with any values of the other parameters: to count trials of it would be no question.

    Of very many values and combinations only the first are looked at, from both ends; a trial of any other one says so itself.

    Raises:
        ConfigError: there is such a value; says which, and what refuses it.
    """
    looks = _LOOKS
    for name, values in axes.items():
        others = {other: given for other, given in axes.items() if other != name}
        ends = sorted(range(len(values)), key=lambda at: min(at, len(values) - 1 - at))
        for at in ends[: _LOOKS // 10]:
            combinations = itertools.product(*others.values())
            refused = ""
            for rest in itertools.islice(combinations, looks):
                looks -= 1
                try:
                    decided(base, {name: values[at], **dict(zip(others, rest, strict=True)), **fixed})
                except ConfigError as error:
                    refused = str(error)
                else:
                    break
            else:
                if refused and next(combinations, None) is None:
                    with_any = " with any value of the others" if others else ""
                    raise ConfigError(f"parameters.{name}: {values[at]!r} cannot run{with_any}: {refused}")


class Tries:
    """The same bars for any number of trials of one strategy, from any number of threads.

    A trial runs :func:`peaktrade_core.research.loops.figures`. Its signals are made once for trials in a row that differ in
    costs, sizes and limits only.
    """

    def __init__(self, base: Decision, bars: Bars, warmup: int, cache: Path | None) -> None:
        """Look the bars through and compile what is needed.

        Args:
            base: the decision whose parameters vary; bars: over which; warmup: the first ones, which only warm up.
            cache: folder for compiled code, None for memory only.

        Raises:
            DataError: no bars, fewer than the warm-up needs, or one that is off the grid.
            StrategyError: the strategy cannot be compiled.
        """
        if not len(bars):
            raise DataError("there are no bars to run over")
        if len(bars) < warmup:
            raise DataError(f"there are {many(len(bars), 'bar')}, the warm-up needs {warmup}; use --warmup-candles")
        missing_bars(bars.ts, base.bar_s)
        self.base, self.bars, self._warmup = base, bars, warmup
        self._codes = Codes(base.strategy, cache)
        self._figures = self._codes.figures()
        self._opens, self._closes = (np.ascontiguousarray(bars.ohlcv[:, at]) for at in (0, 3))
        day = _day_of_close(bars.ts[warmup:], base.bar_s)
        ends = np.flatnonzero(np.append(np.diff(day) != 0, True)) if len(day) else np.empty(0, dtype=np.int64)
        self._days, ends = day[ends], ends + warmup
        opened = np.flatnonzero(np.diff(bars.ts[warmup:] // DAY_S)) + warmup
        stops = np.unique(np.concatenate([ends, opened, opened + 1]))
        self._stops, self._marks = stops.astype(np.float64), np.searchsorted(stops, ends)

    def signals(self, decision: Decision) -> NDArray[np.float64]:
        """Return what the strategy wants to hold at each bar.

        Raises:
            StrategyError: it raised; says on which bar.
        """
        signal = np.empty(len(self.bars))
        signals_over(self._codes, decision, self.bars, np.array(decision.new_state(), dtype=np.float64), signal)
        return signal

    def run(self, decision: Decision, signal: NDArray[np.float64]) -> tuple[RunCounts, DailyEquity]:
        """Return what a decision brings over its signals."""
        own, marks = new_book(decision.start_balance), np.empty(len(self._stops))
        numbers = numbers_of(decision, self._warmup)
        self._figures(numbers, *own, self.bars.ts, self._opens, self._closes, signal, self._stops, marks)
        return RunCounts.of(own), DailyEquity(self._days, marks[self._marks])

    def some(self, numbered: list[tuple[int, dict[str, Any]]]) -> list[tuple[Trial, DailyEquity]]:
        """Run trials, each a number and its parameters; what cannot be run is a trial with an error."""
        found, of, signal = [], None, np.empty(0)
        for number, params in numbered:
            try:
                decision = decided(self.base, params)
                if decision.params != of:
                    of, signal = None, self.signals(decision)
                    of = decision.params
                totals, marks = self.run(decision, signal)
            except (ConfigError, StrategyError) as error:
                found.append((Trial(number=number, params=params, error=str(error)), NO_MARKS))
            else:
                bars = len(self.bars) - self._warmup
                found.append((figures_of(number, params, decision, totals, marks, bars), marks))
        return found


def figures_of(
    number: int, params: dict[str, Any], decision: Decision, totals: RunCounts, marks: DailyEquity, bars: int
) -> Trial:
    """Return the figures of a trial that ran, or of a single backtest; ``bars`` traded."""
    days = len(marks.day)
    equity = float(marks.equity[-1]) if days else decision.start_balance
    ratio = sharpe(marks.returns(decision.start_balance)) if days >= LEAST_DAYS else np.nan
    return Trial(
        number=number,
        params=params,
        decision_id=decision_id(decision),
        equity=equity,
        total_return=equity / decision.start_balance - 1.0,
        sharpe=ratio if np.isfinite(ratio) else None,
        max_drawdown=totals.max_drawdown,
        days=days,
        trades=totals.trades,
        fills=totals.fills,
        fees=totals.fees,
        exposure=totals.held / bars if bars else 0.0,
        denied=totals.denied,
        halted_at=None if totals.halted_at is None else from_seconds(totals.halted_at),
    )


def try_out(
    number: int, base: Decision, params: dict[str, Any], bars: Bars, warmup: int, cache: Path | None
) -> tuple[Trial, DailyEquity]:
    """Run one trial; parameters that a strategy refuses, and a strategy that raises, are a trial with an error."""
    try:
        (found,) = Tries(base, bars, warmup, cache).some([(number, params)])
    except StrategyError as error:
        return Trial(number=number, params=params, error=str(error)), NO_MARKS
    return found


def day_marks(result: BacktestResult) -> DailyEquity:
    """Return the equity of a backtest at the end of each UTC day; a bar belongs to the day in which it closes."""
    if not len(result):
        return NO_MARKS
    day = _day_of_close(result.ts, result.decision.bar_s)
    last = np.flatnonzero(np.append(np.diff(day) != 0, True))
    return DailyEquity(day[last], result.equity[last])


def _day_of_close(ts: NDArray[np.float64], bar_s: float) -> NDArray[np.int64]:
    """Return the UTC day in which bars close, in days since 1970."""
    day: NDArray[np.int64] = np.ceil((ts + bar_s) / DAY_S).astype(np.int64) - 1
    return day
