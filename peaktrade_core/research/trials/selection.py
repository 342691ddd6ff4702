"""How far a result survives that it was picked among many: deflated Sharpe ratio, track record, probability of overfitting.

Pure: arrays in, figures out. Returns are of equal periods (here UTC days) and not annualised; a figure that is not
defined is nan.
"""

from __future__ import annotations

import math
from itertools import combinations, islice
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
NAN = math.nan
_AT_ONCE = 256  # choices of blocks, so that memory does not grow with them times the trials


def sharpe(returns: NDArray[np.float64]) -> float:
    """Return mean over standard deviation of returns (ddof 1), of one period; nan without spread or under two of them."""
    if len(returns) < 2:
        return NAN
    spread = float(returns.std(ddof=1))
    return float(returns.mean()) / spread if spread > 0.0 else NAN


def _error(returns: NDArray[np.float64]) -> tuple[float, float]:
    """Return the Sharpe ratio and the variance of its estimate times (n - 1), with skewness and kurtosis."""
    ratio = sharpe(returns)
    if math.isnan(ratio):
        return NAN, NAN
    z = (returns - returns.mean()) / returns.std()
    skewness, kurtosis = float((z**3).mean()), float((z**4).mean())
    return ratio, 1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio


def probabilistic_sharpe(returns: NDArray[np.float64], benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark, both of one period.

    Source: Bailey and López de Prado, *The Sharpe Ratio Efficient Frontier* (2012).
    """
    ratio, variance = _error(returns)
    if not variance > 0.0:
        return NAN
    return _NORMAL.cdf((ratio - benchmark) * math.sqrt(len(returns) - 1) / math.sqrt(variance))


def least_track_record(returns: NDArray[np.float64]) -> float:
    """Return how many periods it takes until a Sharpe ratio like this is above zero with a confidence of 95 %.

    Infinite where it is not above it. Source: as for :func:`probabilistic_sharpe` (minimum track record length).
    """
    ratio, variance = _error(returns)
    if math.isnan(ratio):
        return NAN
    if ratio <= 0.0:
        return math.inf
    return 1.0 + variance * (_NORMAL.inv_cdf(0.95) / ratio) ** 2


def expected_best(trials: float, variance: float) -> float:
    """Return the Sharpe ratio that the best of so many trials without any skill has on average.

    Args:
        trials: how many independent ones, at least 1; variance: of the trials' Sharpe ratios.

    Source: Bailey and López de Prado, *The Deflated Sharpe Ratio* (2014), equation 1.
    """
    if trials <= 1.0 or not variance > 0.0:
        return 0.0
    first, second = _NORMAL.inv_cdf(1.0 - 1.0 / trials), _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * first + _EULER * second)


def deflated_sharpe(returns: NDArray[np.float64], trials: float, variance: float) -> float:
    """Return the probability that a Sharpe ratio is more than the best of so many trials without skill would show.

    Source: as for :func:`expected_best`.
    """
    return probabilistic_sharpe(returns, expected_best(trials, variance))


def effective_trials(returns: NDArray[np.float64]) -> float:
    """Return how many independent trials correlated ones are worth: ``1 + (n - 1)(1 - mean correlation)``.

    Args:
        returns: (periods, trials); trials without spread are left out.

    Source: López de Prado, *Machine Learning for Asset Managers* (2020), section 8 (the simplest estimate).
    """
    varied = returns[:, returns.std(axis=0) > 0.0]
    n = int(varied.shape[1])
    if n < 2 or len(varied) < 3:
        return float(n)
    z = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    total = float((z.sum(axis=1) ** 2).mean())  # the sum over all pairs of correlations, those with oneself included
    mean = (total - n) / (n * (n - 1))
    return 1.0 + float(n - 1) * (1.0 - min(1.0, max(0.0, mean)))


def overfitting_probability(returns: NDArray[np.float64], blocks: int = 16) -> float:
    """Return how often the trial that is best in one half of the time is below the median in the other half.

    Args:
        returns: (periods, trials), at least two trials and two periods a block; else nan.
        blocks: even; each half of them is once the half in which the best is picked.

    Source: Bailey, Borwein, López de Prado and Zhu, *The Probability of Backtest Overfitting* (2016), CSCV.
    """
    periods, trials = returns.shape
    if trials < 2 or periods < 2 * blocks or blocks % 2:
        return NAN
    used = periods // blocks * blocks
    parts = returns[:used].reshape(blocks, -1, trials)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    halves, below = combinations(range(blocks), blocks // 2), 0
    while some := list(islice(halves, _AT_ONCE)):
        chosen = np.zeros((len(some), blocks))
        np.put_along_axis(chosen, np.array(some), 1.0, axis=1)
        inside, outside = _ratios(chosen, sums, squares, used // 2), _ratios(1.0 - chosen, sums, squares, used // 2)
        best = inside.argmax(axis=1)
        rank = (outside < outside[np.arange(len(some)), best][:, None]).sum(axis=1) + 1.0
        below += int((rank / (trials + 1) <= 0.5).sum())
    return below / math.comb(blocks, blocks // 2)


def _ratios(
    chosen: NDArray[np.float64], sums: NDArray[np.float64], squares: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """Return the Sharpe ratio of each trial over each choice of blocks; without spread it is the lowest there can be."""
    mean = chosen @ sums / n
    variance = (chosen @ squares - n * mean * mean) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = mean / np.sqrt(np.maximum(variance, 0.0))
    return np.where(variance > 0.0, ratio, np.where(mean > 0.0, np.inf, -np.inf))
