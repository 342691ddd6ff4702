"""The equity of sleeves over time as steps, with the cash that was moved between them told apart from gains.

Pure: arrays in, arrays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from peaktrade_core.trading.risk import DAY_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

CENTS = 100


class Transfer(NamedTuple):
    """Cash moved between sleeves.

    Attributes:
        at: 00:00 UTC [s since epoch]; weights: that were wanted; cents: what each sleeve got, their sum is 0.
    """

    at: float
    weights: tuple[float, ...]
    cents: tuple[int, ...]


class Levels(NamedTuple):
    """The equity of a sleeve over time.

    Attributes:
        ts: (n + 1,) float64, times from which each level holds, the first the beginning [s since epoch].
        equity: (n + 1,) float64 [quote ccy].
        at: (k,) float64, times of transfers; amount: (k,) float64, what came [quote ccy].
    """

    ts: NDArray[np.float64]
    equity: NDArray[np.float64]
    at: NDArray[np.float64]
    amount: NDArray[np.float64]

    @classmethod
    def of(
        cls, opens: NDArray[np.float64], closes: NDArray[np.float64], equity: NDArray[np.float64], balance: float,
        at: NDArray[np.float64], amount: NDArray[np.float64],
    ) -> Levels:  # fmt: skip
        """Return the levels of bars, (n,) each, of which ``equity`` may know only the first."""
        ts = np.concatenate([opens[:1], closes[: len(equity)]])
        return cls(ts, np.concatenate([[balance], equity]), at, amount)

    def level(self, moments: NDArray[np.float64], *, after: bool = False) -> NDArray[np.float64]:
        """Return the equity at moments, before (or after) cash that is moved just then."""
        bar = np.maximum(self.ts.searchsorted(moments, "right") - 1, 0)
        levels: NDArray[np.float64] = self.equity[bar] + (self.came(moments, after=after) - self.came(self.ts[bar]))
        return levels

    def came(self, moments: NDArray[np.float64], *, after: bool = False) -> NDArray[np.float64]:
        """Return the cash that had come until moments, without (or with) what is moved just then."""
        sums = np.concatenate([[0.0], np.cumsum(self.amount)])
        came: NDArray[np.float64] = sums[self.at.searchsorted(moments, "right" if after else "left")]
        return came


def cash_moved(transfers: Sequence[Transfer], sleeves: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the times and amounts [quote ccy] of what each sleeve got."""
    at = np.array([one.at for one in transfers])
    return [(at, np.array([one.cents[sleeve] for one in transfers]) / CENTS) for sleeve in range(sleeves)]


def day_returns(levels: Sequence[Levels], first: int, last: int) -> NDArray[np.float64]:
    """Return the return of each sleeve on the UTC days from ``first`` to before ``last`` [days since 1970]: (days, n).

    Cash that was moved is no return: a day begins with what a sleeve has after it.
    """
    ends = np.arange(first, last + 1, dtype=np.float64) * DAY_S
    before = [one.level(ends[:-1], after=True) for one in levels]
    after = [one.level(ends[1:]) for one in levels]
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.column_stack(after) / np.column_stack(before) - 1.0
    found: NDArray[np.float64] = np.nan_to_num(returns, nan=0.0, posinf=0.0, neginf=0.0)
    return found
