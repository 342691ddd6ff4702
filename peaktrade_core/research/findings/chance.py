"""How far the mean return after a state may be chance: block bootstrap, labels shuffled in blocks, Holm.

Pure: arrays in, figures out. Returns that overlap and states that last are not independent; blocks keep what lasts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stretches(inside: NDArray[np.bool_]) -> int:
    """Return in how many separate stretches a state was."""
    return int(inside[0]) + int((inside[1:] & ~inside[:-1]).sum()) if len(inside) else 0


def block_length(at: NDArray[np.int64], least: int) -> int:
    """Return the length of a block [bars]: at least ``least``, and twice the mean stretch of a state."""
    changes = 1 + int((np.diff(at) != 0).sum())
    return max(1, least, math.ceil(2.0 * len(at) / changes))


def bootstrap_interval(
    returns: NDArray[np.float64], inside: NDArray[np.bool_], block: int, draws: int, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of the mean return in a state, by resampling blocks of time in a circle.

    Args:
        returns: (n,) float64; inside: (n,) whether a bar is in the state; block: [bars]; draws: how many samples.

    Source: Politis and Romano, *A circular block-resampling procedure for stationary data* (1992); percentiles.
    """
    n = len(returns)
    if not n or not inside.any():
        return math.nan, math.nan
    rng, size = np.random.default_rng(seed), min(block, n)
    count = math.ceil(n / size)
    sums, hits = (_blocks(column, size) for column in (np.where(inside, returns, 0.0), inside.astype(np.float64)))
    means = np.empty(draws)
    for draw in range(draws):
        starts = rng.integers(0, n, count)
        within = hits[starts].sum()
        means[draw] = sums[starts].sum() / within if within else np.nan
    low, high = np.nanquantile(means, (0.025, 0.975))
    return float(low), float(high)


def _blocks(column: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the sum of the block that begins at each bar, around the end."""
    total = np.concatenate([[0.0], np.cumsum(np.concatenate([column, column[: size - 1]]))])
    found: NDArray[np.float64] = total[size:] - total[:-size]
    return found


def shuffled_p(
    returns: NDArray[np.float64], at: NDArray[np.int64], states: int, block: int, draws: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each state how often shuffled labels differ as much from the mean of all: two-sided, and one-sided.

    The labels are cut into blocks, from a random place on, and the blocks are put in another order; the returns stay.

    Args:
        returns: (n,) float64; at: (n,) states from 0; states: how many; block: [bars]; draws: how many shuffles.

    Returns:
        (states,) p two-sided and (states,) p that the mean is as far on the side where it is; nan for an empty state.

    Source: permutation tests with p = (1 + as far) / (1 + draws), Phipson and Smyth (2010).
    """
    own = _differences(returns, at, states)
    rng, n = np.random.default_rng(seed), len(returns)
    far, side = np.zeros(states), np.zeros(states)
    for _ in range(draws):
        turned = np.roll(at, int(rng.integers(0, n)))
        cuts = [turned[begin : begin + block] for begin in range(0, n, block)]
        other = _differences(returns, np.concatenate([cuts[k] for k in rng.permutation(len(cuts))]), states)
        far += np.abs(other) >= np.abs(own) - 1e-15
        side += other * np.sign(own) >= np.abs(own) - 1e-15
    both, one = ((1.0 + found) / (1.0 + draws) for found in (far, side))
    return np.where(np.isfinite(own), both, np.nan), np.where(np.isfinite(own), one, np.nan)


def _differences(returns: NDArray[np.float64], at: NDArray[np.int64], states: int) -> NDArray[np.float64]:
    """Return mean in each state less the mean of all; nan for an empty state."""
    counts = np.bincount(at, minlength=states)
    sums = np.bincount(at, weights=returns, minlength=states)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[np.float64] = sums / counts - returns.mean()
    return means


def holm(p: Sequence[float], tests: int) -> list[float]:
    """Return p values that hold for all tests together; tests that are not among them had larger ones.

    Args:
        p: of each; tests: how many were made in all, at least as many.

    Source: Holm, *A simple sequentially rejective multiple test procedure* (1979).
    """
    order = sorted(range(len(p)), key=lambda k: p[k])
    found, running = [0.0] * len(p), 0.0
    for rank, k in enumerate(order):
        running = max(running, min(1.0, (max(tests, len(p)) - rank) * p[k]))
        found[k] = running
    return found
