"""The figures of a portfolio that ran: the account and each sleeve's part in it, on the marks of UTC days."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.research.backtest import BacktestResult
from peaktrade_core.research.portfolio.account import Ran
from peaktrade_core.research.portfolio.curve import CENTS, Levels, cash_moved, day_returns
from peaktrade_core.research.portfolio.prepare import ReadyPortfolio
from peaktrade_core.research.trials.selection import sharpe
from peaktrade_core.research.trials.trial import LEAST_DAYS
from peaktrade_core.trading import engine
from peaktrade_core.trading.risk import DAY_S, DENY_CODES
from peaktrade_core.trading.statistics import Statistic, statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNTOLD = ("sharpe", "sortino")  # below LEAST_DAYS
OTHERWISE = ("max_drawdown", "max_drawdown_length", "exposure_time")  # told of every close, not of days


class DailyMarks(msgspec.Struct, frozen=True):
    """The ends of UTC days.

    Attributes:
        day: since 1970; equity: of the account; gained: by each sleeve until then, without cash that came [quote ccy].
    """

    day: tuple[int, ...]
    equity: tuple[float, ...]
    gained: tuple[tuple[float, ...], ...]


class SleeveFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one component did.

    Attributes:
        name, strategy, symbol, timeframe, params, trial: what it was; verdict: what its sweep said of it.
        stands: whether nothing speaks against its trial; None where it comes from no sweep.
        weight, last_weight: share of the account at the beginning and the end [fraction].
        start, moved, equity: balance, cash that came, and what there was at the end [quote ccy].
        contribution: equity - start - moved, what it earned; over all sleeves the gain of the account [quote ccy].
        sharpe: of UTC-day returns, None under 60 days; max_drawdown: of the growth of its days [fraction].
        exposure: share of its bars with a position [fraction]; refused: orders by code for which the account had no room.
    """

    name: str
    strategy: str
    symbol: str
    timeframe: str
    params: dict[str, Any]
    trial: str = ""
    verdict: str = ""
    stands: bool | None = None
    weight: float
    last_weight: float
    start: float
    moved: float
    equity: float
    contribution: float
    sharpe: float | None
    max_drawdown: float
    trades: int
    fills: int
    fees: float
    exposure: float
    denied: dict[str, int]
    refused: dict[str, int]
    halted_at: datetime | None


class PortfolioFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a portfolio did.

    Attributes:
        equity: at the end [quote ccy]; total_return, max_drawdown: of the account, the latter at every close [fraction].
        sharpe: of UTC-day returns, ddof 1, not annualised; None under 60 days or without spread.
        days: whole UTC days; exposure, most_exposure: positions over equity, mean and largest at a close [fraction].
        trades, fills, fees, transfers: sums; refused: orders by code for which the account had no room.
        correlations: of the sleeves' UTC-day returns, None where one did not move.
        marks: ends of UTC days.
        statistics: of the days' marks, as of a backtest.
    """

    equity: float
    total_return: float
    max_drawdown: float
    sharpe: float | None
    days: int
    exposure: float
    most_exposure: float
    trades: int
    fills: int
    fees: float
    transfers: int
    refused: dict[str, int]
    sleeves: tuple[SleeveFigures, ...]
    correlations: tuple[tuple[float | None, ...], ...]
    marks: DailyMarks
    statistics: tuple[Statistic, ...]


class PortfolioCurves(NamedTuple):
    """A portfolio's run as arrays.

    Attributes:
        levels: of each sleeve; days: (m,) int64, UTC days with a close, since 1970.
        returns: (m, n) float64, of each sleeve; account: (m,) float64, of the whole [fraction].
    """

    levels: tuple[Levels, ...]
    days: NDArray[np.int64]
    returns: NDArray[np.float64]
    account: NDArray[np.float64]


def curves(ran: Ran) -> PortfolioCurves:
    """Return the equity of a run over time, and the returns of its UTC days; a bar belongs to the day of its close."""
    cash = cash_moved(ran.transfers, len(ran.sleeves))
    levels = tuple(
        Levels.of(one.ts, one.ts + one.decision.bar_s, one.equity, one.decision.start_balance, *moved)
        for one, moved in zip(ran.sleeves, cash, strict=True)
    )
    first = int(min(one.ts[0] for one in levels) // DAY_S)
    last = math.ceil(max(one.ts[-1] for one in levels) / DAY_S)
    returns = day_returns(levels, first, last)
    ends = np.arange(first, last + 1, dtype=np.float64) * DAY_S
    whole = np.sum([one.level(ends) for one in levels], axis=0)
    return PortfolioCurves(levels, np.arange(first, last), returns, whole[1:] / whole[:-1] - 1.0)


def figures_of(ready: ReadyPortfolio, ran: Ran, seen: PortfolioCurves) -> PortfolioFigures:
    """Return the figures of a portfolio."""
    moments = np.unique(np.concatenate([one.ts for one in seen.levels]))
    account = np.sum([one.level(moments, after=True) for one in seen.levels], axis=0)
    held = np.sum([_notional(one, moments) for one in ran.sleeves], axis=0)
    use = held / account
    sleeves = tuple(_sleeve(ready, ran, seen, number, float(account[-1])) for number in range(len(ran.sleeves)))
    refused: Counter[str] = Counter()
    for one in sleeves:
        refused.update(one.refused)
    ends = (seen.days + 1).astype(np.float64) * DAY_S
    daily = np.sum([one.level(ends) for one in seen.levels], axis=0)
    gained = [tuple((one.level(ends) - one.came(ends) - one.equity[0]).tolist()) for one in seen.levels]
    return PortfolioFigures(
        equity=float(account[-1]),
        total_return=float(account[-1]) / ready.start_balance - 1.0,
        max_drawdown=float((1.0 - account / np.maximum.accumulate(account)).max()),
        sharpe=_sharpe(seen.account),
        days=len(seen.days),
        exposure=float(use.mean()),
        most_exposure=float(use.max()),
        trades=sum(one.trades for one in sleeves),
        fills=sum(one.fills for one in sleeves),
        fees=math.fsum(one.fees for one in sleeves),
        transfers=len(ran.transfers),
        refused=dict(refused),
        sleeves=sleeves,
        correlations=_correlations(seen.returns),
        marks=DailyMarks(tuple(seen.days.tolist()), tuple(daily.tolist()), tuple(gained)),
        statistics=_statistics(ready, ran, seen, daily),
    )


def _sharpe(returns: NDArray[np.float64]) -> float | None:
    ratio = sharpe(returns)
    return ratio if len(returns) >= LEAST_DAYS and math.isfinite(ratio) else None


def _notional(sleeve: BacktestResult, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the worth of a sleeve's position at moments [quote ccy]."""
    worth = np.concatenate([[0.0], np.abs(sleeve.position) * sleeve.close])
    found: NDArray[np.float64] = worth[(sleeve.ts + sleeve.decision.bar_s).searchsorted(moments, "right")]
    return found


def _sleeve(ready: ReadyPortfolio, ran: Ran, seen: PortfolioCurves, number: int, whole: float) -> SleeveFigures:
    """Return what one component did."""
    result, component = ran.sleeves[number], ready.components[number]
    rows, start = result.rows, result.decision.start_balance
    kind, code = rows[:, 1], rows[:, 2].astype(int)
    halts = rows[kind == engine.HALT, 0].astype(int)
    moved = sum(one.cents[number] for one in ran.transfers) / CENTS
    equity = float(seen.levels[number].level(np.array([np.inf]), after=True)[0])
    growth = np.concatenate([[1.0], np.cumprod(1.0 + seen.returns[:, number])])
    refused = Counter(DENY_CODES[one.verdict.code] for one in ran.refusals if one.sleeve == number)
    denied = Counter(DENY_CODES[one] for one in code[kind == engine.DENIAL].tolist())
    own = component.component
    return SleeveFigures(
        name=ready.parts[number].name,
        strategy=str(own.strategy),
        symbol=str(own.symbol),
        timeframe=str(own.timeframe),
        params=result.decision.params._asdict(),
        trial=own.trial or "",
        verdict=component.trial.verdict if component.trial else "",
        stands=component.trial.stands if component.trial else None,
        weight=ready.first[number],
        last_weight=equity / whole if whole > 0.0 else 0.0,
        start=start,
        moved=moved,
        equity=equity,
        contribution=equity - start - moved,
        sharpe=_sharpe(seen.returns[:, number]),
        max_drawdown=float((1.0 - growth / np.maximum.accumulate(growth)).max()),
        trades=len(result.trades),
        fills=int((kind == engine.FILL).sum()),
        fees=float(rows[kind == engine.FILL, 5].sum()),
        exposure=float((result.position != 0.0).mean()),
        denied=dict(denied),
        refused=dict(refused),
        halted_at=from_seconds(float(result.ts[halts[0]]) + result.decision.bar_s) if len(halts) else None,
    )


def _correlations(returns: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    """Return the correlations of columns; None where one has no spread."""
    n = returns.shape[1]
    if len(returns) < 2:
        return tuple((None,) * n for _ in range(n))
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.atleast_2d(np.corrcoef(returns, rowvar=False))
    return tuple(tuple(float(one) if math.isfinite(one) else None for one in row) for row in matrix.tolist())


def _statistics(
    ready: ReadyPortfolio, ran: Ran, seen: PortfolioCurves, daily: NDArray[np.float64]
) -> tuple[Statistic, ...]:
    """Return the usual figures of the days' marks."""
    trades = [trade for sleeve in ran.sleeves for trade in sleeve.trades]
    opens = (seen.days * DAY_S).tolist()
    found = statistics(opens, daily, daily, trades, start_balance=ready.start_balance, bar_s=DAY_S)
    few = UNTOLD if len(daily) < LEAST_DAYS else ()
    return tuple(one for one in found if one.name not in (*OTHERWISE, *few))
