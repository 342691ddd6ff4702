"""What the runs of a strategy or portfolio say together: their spread, and whether that allows, warns or blocks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from peaktrade_core.base.question import FAIL, PASS, WARN, Status
from peaktrade_core.research.experiments.rows import PORTFOLIO, ExperimentRow
from peaktrade_core.workspace.settings import Analysis

ALLOW, WATCH, BLOCK = "allow", "warn", "block"
_WORDS: dict[Status, str] = {PASS: ALLOW, WARN: WATCH, FAIL: BLOCK}


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How a figure spreads over runs; all null without one.

    Attributes:
        n: runs that have it; mean, median, low, high: low and high are the 10 % and 90 % quantiles; worst, best: its ends.
    """

    n: int
    mean: float | None = None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    worst: float | None = None
    best: float | None = None


class StrategyAnalysis(msgspec.Struct, frozen=True, kw_only=True):
    """The experiments of one strategy or portfolio together.

    Attributes:
        name: of the strategy or portfolio; runs: experiments; trials: tries in them; gained: share of runs that gained.
        total_return, sharpe, max_drawdown: over runs, a sweep counts once, with its best trial.
        word: ``allow``, ``warn`` or ``block``; why: which thresholds are crossed.
    """

    name: str
    runs: int
    trials: int
    gained: float | None
    total_return: Spread
    sharpe: Spread
    max_drawdown: Spread
    word: str
    why: tuple[str, ...]


def analyse(rows: Sequence[ExperimentRow], limits: Analysis) -> list[StrategyAnalysis]:
    """Return the spread over the runs of each strategy and portfolio, by name; what cannot be read or ranked is left out.

    Args:
        rows: experiments; limits: thresholds of the judgement.
    """
    groups: dict[str, list[ExperimentRow]] = {}
    for row in rows:
        if not row.fault and row.total_return is not None:
            own = row.run_type == PORTFOLIO or not row.strategy
            groups.setdefault(row.name if own else row.strategy, []).append(row)
    return [_analysis(name, groups[name], limits) for name in sorted(groups)]


def spread(values: Sequence[float | None], *, rising: bool = True) -> Spread:
    """Return how figures spread; ``rising`` says whether more is better."""
    known = np.array([value for value in values if value is not None])
    if not len(known):
        return Spread(n=0)
    low, middle, high = (float(one) for one in np.quantile(known, (0.1, 0.5, 0.9)))
    least, most = float(known.min()), float(known.max())
    worst, best = (least, most) if rising else (most, least)
    return Spread(n=len(known), mean=float(known.mean()), median=middle, low=low, high=high, worst=worst, best=best)


def _analysis(name: str, rows: list[ExperimentRow], limits: Analysis) -> StrategyAnalysis:
    returns = spread([row.total_return for row in rows])
    drawdowns = spread([row.max_drawdown for row in rows], rising=False)
    status, why = _judged(len(rows), returns, drawdowns, limits)
    return StrategyAnalysis(
        name=name,
        runs=len(rows),
        trials=sum(row.trials for row in rows),
        gained=sum((row.total_return or 0.0) > 0.0 for row in rows) / len(rows),
        total_return=returns,
        sharpe=spread([row.sharpe for row in rows]),
        max_drawdown=drawdowns,
        word=_WORDS[status],
        why=tuple(why),
    )


def _judged(runs: int, returns: Spread, drawdowns: Spread, limits: Analysis) -> tuple[Status, list[str]]:
    """Return whether the spread allows, warns or blocks, and why."""
    status: Status = PASS
    why = []
    worst = drawdowns.worst or 0.0
    if worst >= limits.block_drawdown:
        status, said = FAIL, f"worst drawdown {worst:.1%}, blocked from {limits.block_drawdown:.0%}"
        why.append(said)
    elif worst >= limits.warn_drawdown:
        status, said = WARN, f"worst drawdown {worst:.1%}, warned from {limits.warn_drawdown:.0%}"
        why.append(said)
    if (returns.median or 0.0) < limits.block_median_return:
        status = FAIL
        why.append(f"median return {returns.median or 0.0:.1%}, blocked below {limits.block_median_return:.0%}")
    if runs < limits.least_runs:
        status = WARN if status == PASS else status
        why.append(f"{runs} of the {limits.least_runs} runs that a spread needs")
    return status, why
