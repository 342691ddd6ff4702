"""One trial: the compiled decision code over bars, and what is kept of it: a row of figures and its equity at each day's end."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError, StrategyError
from peaktrade_core.research.backtest import BacktestResult, run_backtest
from peaktrade_core.research.trials.selection import sharpe
from peaktrade_core.session.identity import decision_id
from peaktrade_core.trading import engine
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.risk import DENY_CODES

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


def decided(base: Decision, params: dict[str, Any]) -> Decision:
    """Return a decision with other parameters.

    Raises:
        ConfigError: the strategy refuses them.
    """
    return base._replace(params=base.strategy.parameters(params))


def try_out(
    number: int, base: Decision, params: dict[str, Any], bars: Bars, warmup: int, cache: Path | None
) -> tuple[Trial, DailyEquity]:
    """Run one trial; parameters that a strategy refuses, and a strategy that raises, are a trial with an error."""
    try:
        decision = decided(base, params)
        result = run_backtest(decision, bars, warmup, cache)
    except (ConfigError, StrategyError) as error:
        return Trial(number=number, params=params, error=str(error)), NO_MARKS
    marks = day_marks(result)
    return figures_of(number, params, decision, result, marks), marks


def day_marks(result: BacktestResult) -> DailyEquity:
    """Return the equity of a backtest at the end of each UTC day; a bar belongs to the day in which it closes."""
    if not len(result):
        return NO_MARKS
    day = np.ceil((result.ts + result.decision.bar_s) / DAY_S).astype(np.int64) - 1
    last = np.flatnonzero(np.append(np.diff(day) != 0, True))
    return DailyEquity(day[last], result.equity[last])


def figures_of(
    number: int, params: dict[str, Any], decision: Decision, result: BacktestResult, marks: DailyEquity
) -> Trial:
    """Return the figures of a trial that ran, or of a single backtest."""
    kind, code = result.rows[:, 1], result.rows[:, 2]
    fills, denials = kind == engine.FILL, code[kind == engine.DENIAL].astype(int)
    halts = result.rows[kind == engine.HALT, 0].astype(int)
    side = np.sign(result.position)
    before = np.concatenate([[0.0], side[:-1]])
    equity = float(result.equity[-1]) if len(result) else decision.start_balance
    ratio = sharpe(marks.returns(decision.start_balance))
    peak = np.maximum(np.maximum.accumulate(result.equity), decision.start_balance) if len(result) else np.ones(0)
    return Trial(
        number=number,
        params=params,
        decision_id=decision_id(decision),
        equity=equity,
        total_return=equity / decision.start_balance - 1.0,
        sharpe=ratio if len(marks.day) >= LEAST_DAYS and np.isfinite(ratio) else None,
        max_drawdown=float((1.0 - result.equity / peak).max(initial=0.0)),
        days=len(marks.day),
        trades=int(((before != 0.0) & (side != before)).sum()),
        fills=int(fills.sum()),
        fees=float(result.rows[fills, 5].sum()),
        exposure=float((side != 0.0).mean()) if len(side) else 0.0,
        denied={DENY_CODES[one]: int(n) for one, n in zip(*np.unique(denials, return_counts=True), strict=True)},
        halted_at=from_seconds(float(result.ts[halts[0]]) + decision.bar_s) if len(halts) else None,
    )
