"""How an account is divided among its components: weights from the returns of UTC days.

Pure: arrays in, weights out; they are not negative and sum to 1. Equal, inverse volatility and risk parity are computed
here, the others by skfolio. A component that did not move counts as volatile as the calmest one that did: nothing was
learned of it, which is no reason to give it everything.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from peaktrade_core.base.errors import ConfigError, EnvironmentFault

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Method = Literal["given", "equal", "inverse_volatility", "risk_parity", "hrp", "cvar", "minimum_variance"]
OPTIMISED = ("hrp", "cvar", "minimum_variance")  # by skfolio
EXTRA = "pip install 'peaktrade[portfolio]'"
_ROUNDS, _CLOSE, _NOTHING = 10_000, 1e-12, 1e-6


def weigh(method: Method, returns: NDArray[np.float64], largest: float = 1.0) -> NDArray[np.float64]:
    """Return the weights of components, (n,) float64.

    Args:
        method: any but ``given``, which computes nothing.
        returns: (days, n) float64, of each UTC day, at least two days [fraction].
        largest: weight that none may have more of [fraction].

    Raises:
        ConfigError: ``largest`` is too small for so few.
        EnvironmentFault: the method needs skfolio, which is not installed or finds no answer.
    """
    import numpy as np

    n = returns.shape[1]
    require_room(n, largest)
    if n == 1 or method == "equal":
        return np.full(n, 1.0 / n)
    if method in OPTIMISED:
        return capped(_optimised(method, _moving(returns), largest), largest)
    spread = returns.std(axis=0, ddof=1)
    spread = np.where(spread > 0.0, spread, spread[spread > 0.0].min(initial=np.inf))
    if not np.isfinite(spread).all():  # none of them moved
        return np.full(n, 1.0 / n)
    if method == "inverse_volatility":
        return capped(1.0 / spread / (1.0 / spread).sum(), largest)
    covariance = np.cov(returns, rowvar=False)
    np.fill_diagonal(covariance, spread**2)
    return capped(_risk_parity(covariance), largest)


def require_room(n: int, largest: float) -> None:
    """Let a largest weight pass that ``n`` components can keep.

    Raises:
        ConfigError: it is too small.
    """
    if largest * n < 1.0 - _CLOSE:
        raise ConfigError(
            f"largest = {largest:g}: {n} component{'s' * (n != 1)} of at most so much cannot make up the whole; "
            f"at least {1.0 / n:.4g} is needed, or more components"
        )


def capped(weights: NDArray[np.float64], largest: float) -> NDArray[np.float64]:
    """Return weights none of which is above ``largest``; what is cut goes to the others in proportion, or else equally."""
    import numpy as np

    found = weights.copy()
    fixed = np.zeros(len(found), dtype=bool)
    while (found[~fixed] > largest + _CLOSE).any():
        fixed |= found > largest + _CLOSE
        left = 1.0 - largest * fixed.sum()
        rest = found[~fixed]
        found[~fixed] = left * rest / rest.sum() if rest.sum() > 0.0 else left / max(1, len(rest))
        found[fixed] = largest
    return found


def _risk_parity(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights at which each component adds the same to the variance of the whole.

    Where they cancel each other out, as in too few days, those by inverse volatility.

    Source: Griveau-Billion, Richard and Roncalli, *A Fast Algorithm for Computing High-dimensional Risk Parity
    Portfolios* (2013): cyclical coordinate descent.
    """
    import numpy as np

    n = len(covariance)
    inverse = 1.0 / np.sqrt(np.diag(covariance))
    weights = inverse.copy()
    for _ in range(_ROUNDS):
        before = weights.copy()
        risk = math.sqrt(max(0.0, float(weights @ covariance @ weights)))
        if not risk > _NOTHING * n:  # each alone has a risk of 1
            weights = inverse
            break
        for i in range(n):
            own = float(covariance[i, i])
            others = float(covariance[i] @ weights) - own * float(weights[i])
            weights[i] = (-others + np.sqrt(others * others + 4.0 * own * risk / n)) / (2.0 * own)
        if float(np.abs(weights - before).max()) <= _CLOSE * float(weights.max()):
            break
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _moving(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return returns in which none stands still: one that did gets those of the calmest, in another order of days."""
    import numpy as np

    spread = returns.std(axis=0, ddof=1)
    still = np.flatnonzero(spread <= 0.0)
    if not len(still) or len(still) == len(spread):
        return returns
    calmest = int(np.argmin(np.where(spread > 0.0, spread, np.inf)))
    filled = returns.copy()
    for n, column in enumerate(still, 1):
        filled[:, column] = np.roll(returns[:, calmest], n)
    return filled


def _optimised(method: str, returns: NDArray[np.float64], largest: float) -> NDArray[np.float64]:
    """Return the weights that skfolio finds.

    Raises:
        EnvironmentFault: it is not installed, or finds none.
    """
    import numpy as np

    if not returns.std(axis=0).any():
        return np.full(returns.shape[1], 1.0 / returns.shape[1])
    try:
        from skfolio import RiskMeasure
        from skfolio.optimization import HierarchicalRiskParity, MeanRisk
    except ImportError:
        raise EnvironmentFault(f"weights by {method} need skfolio: {EXTRA}") from None
    made: dict[str, Any] = {
        "hrp": lambda: HierarchicalRiskParity(max_weights=largest),
        "cvar": lambda: MeanRisk(risk_measure=RiskMeasure.CVAR, max_weights=largest),
        "minimum_variance": lambda: MeanRisk(risk_measure=RiskMeasure.VARIANCE, max_weights=largest),
    }
    try:
        weights = np.asarray(made[method]().fit(returns).weights_, dtype=np.float64)
    except Exception as fault:  # a solver's errors have no common class
        raise EnvironmentFault(
            f"skfolio found no weights by {method} over {len(returns)} days: {fault}; take more days (lookback) or "
            "another method"
        ) from fault
    weights = np.maximum(weights, 0.0)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
