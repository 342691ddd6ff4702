"""Where bars may open: the commonest distance between times, and the grid that a series of one timeframe lies on.

A grid is a timeframe and an anchor. Days may open at 16:00, weeks on any day, hours at any quarter: the series' own first
bar says so. Bars of up to fifteen minutes open on the full step since the epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from peaktrade_core.trading.market import DAY_S, TIMEFRAMES, timeframe_months, timeframe_seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUARTER_S = 900  # bars longer than this may open at any multiple of it
SHORTEST_MONTH_S = 28 * DAY_S
_MONTHS_OF_STEP = {months: (months * 30.4 - 3, months * 30.6 + 3) for months in (1, 3, 4, 12)}  # [days]


class Grid(NamedTuple):
    """The times at which bars of one series open.

    Attributes:
        step_s: length of a bar [s], 0 for months; months: of a bar, 0 for one with a length; anchor: an open [s since epoch].
    """

    step_s: float
    months: int
    anchor: float

    @classmethod
    def of(cls, ts: NDArray[np.float64], timeframe: str) -> Grid:
        """Return the grid that most of the opens ``ts`` [s since epoch] lie on.

        Raises:
            ConfigError: an unknown timeframe.
        """
        months = timeframe_months(timeframe)
        return cls.of_months(ts, months) if months else cls.of_seconds(ts, timeframe_seconds(timeframe))

    @classmethod
    def of_seconds(cls, ts: NDArray[np.float64], step_s: float) -> Grid:
        """Return the grid of bars of one length [s]; see :meth:`of`."""
        phase = _commonest(ts % step_s) if step_s > QUARTER_S else 0.0
        return cls(step_s, 0, phase if phase % QUARTER_S == 0 else 0.0)

    @classmethod
    def of_months(cls, ts: NDArray[np.float64], months: int) -> Grid:
        """Return the grid of bars of so many months: they open on one day of the month at one time of day."""
        within = _commonest(_month_of(ts)[1])
        return cls(0.0, months, next((float(one) for one in ts if _month_of(ts[ts == one])[1][0] == within), 0.0))

    def slots(self, ts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the number of each open on the grid, counted from the anchor; a fraction where it lies beside it."""
        import numpy as np

        if not self.months:
            return np.asarray((ts - self.anchor) / self.step_s, dtype=np.float64)
        month, within = _month_of(ts)
        first, offset = _month_of(np.array([self.anchor]))
        return np.asarray((month - first) / self.months + 1e-3 * (within != offset), dtype=np.float64)

    def shifted(self, ts: float, bars: int) -> float:
        """Return the open that lies so many bars behind ``ts`` [s since epoch]."""
        import numpy as np

        if not self.months:
            return ts + bars * self.step_s
        month, within = _month_of(np.array([ts]))
        first = np.array(month + bars * self.months, dtype="datetime64[M]").astype("datetime64[s]").astype(np.int64)
        return float(first[0] + within[0])


def _commonest(values: NDArray[np.float64]) -> float:
    """Return the commonest of some values, 0 of none."""
    import numpy as np

    found, often = np.unique(values, return_counts=True)
    return float(found[often.argmax()]) if len(found) else 0.0


def _month_of(ts: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the month of times, counted from 1970, and how far into it they are [s]."""
    import numpy as np

    month = ts.astype(np.int64).astype("datetime64[s]").astype("datetime64[M]")
    return month.astype(np.int64), ts - month.astype("datetime64[s]").astype(np.int64)


def commonest(ts: NDArray[np.float64]) -> str | None:
    """Return the timeframe that most of the times [s since epoch, in any order] are apart, None where that is none."""
    import numpy as np

    steps = np.diff(np.unique(ts))
    step = _commonest(steps)
    if step >= SHORTEST_MONTH_S:
        return _of_months(float(np.median(steps)) / DAY_S, step)
    return _of_seconds(step)


def _of_months(days: float, step: float) -> str | None:
    """Return the timeframe of bars about so many days apart; four weeks exactly are four weeks."""
    exact = _of_seconds(step)
    if exact and days == step / DAY_S:
        return exact
    for months, (least, most) in _MONTHS_OF_STEP.items():
        if least <= days <= most:
            return "1y" if months == 12 else f"{months}M"
    return None


def _of_seconds(step: float) -> str | None:
    return next((name for name in TIMEFRAMES if not timeframe_months(name) and timeframe_seconds(name) == step), None)
