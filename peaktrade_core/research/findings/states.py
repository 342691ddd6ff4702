"""In which state a market is at the close of each bar, from what is known then and no later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.findings.spec import States
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import DAY_S, Bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
THIRDS = ("LOW", "MEDIUM", "HIGH")
NONE = -1  # not known yet
_CHUNK = 4096  # bars whose past is looked at at once


class Labels(NamedTuple):
    """States of bars.

    Attributes:
        names: of the states; at: (n,) int64, which of them each bar is in at its close, -1 while it is not known.
    """

    names: tuple[str, ...]
    at: NDArray[np.int64]


def labels(states: States, bars: Bars, decision: Decision, cache: Path | None) -> Labels:
    """Return the state of each bar.

    Args:
        states: which; bars: of the market; decision: of ``signal``, and the length of a bar; cache: of compiled code.

    Raises:
        DataError: fewer bars than the warm-up of a signal; StrategyError: it raises.
    """
    ends = bars.ts + decision.bar_s
    if states.kind == "signal":
        signal = run_backtest(decision, bars, states.warmup, cache).signal.astype(np.int64) + 1
        return Labels(("short", "flat", "long"), np.concatenate([np.full(states.warmup, NONE), signal]))
    if states.kind == "volatility":
        names = (
            THIRDS
            if states.parts == len(THIRDS)
            else tuple(f"rank {k + 1} of {states.parts}" for k in range(states.parts))
        )
        rank = variance_rank(bars.ohlcv[:, 3], states.window, states.lookback)
        return Labels(names, _parts(rank, states.parts))
    if states.kind == "phase":
        phase = ((ends / DAY_S - states.reference) % states.length) / states.length
        return Labels(
            tuple(f"phase {k + 1} of {states.parts}" for k in range(states.parts)), _parts(phase, states.parts)
        )
    if states.kind == "weekday":
        return Labels(WEEKDAYS, ((ends // DAY_S).astype(np.int64) + 3) % 7)  # 1970 began on a Thursday
    return Labels(tuple(f"{hour:02d} h" for hour in range(24)), (ends % DAY_S // 3600.0).astype(np.int64))


def variance_rank(close: NDArray[np.float64], window: int, lookback: int) -> NDArray[np.float64]:
    """Return which share of the last ``lookback`` realised variances is below each one [fraction]; nan while unknown.

    The variance is the mean of ``window`` squared returns, as in the strategy ``el_karoui_vol_model``.
    """
    rank = np.full(len(close), np.nan)
    squares = (close[1:] / close[:-1] - 1.0) ** 2
    if len(squares) < window + lookback:
        return rank
    variance = np.lib.stride_tricks.sliding_window_view(squares, window).mean(
        axis=1
    )  # of the bar with index window + i
    pasts = np.lib.stride_tricks.sliding_window_view(variance[:-1], lookback)
    now = variance[lookback:]
    for at in range(0, len(now), _CHUNK):
        part = slice(at, at + _CHUNK)
        rank[window + lookback :][part] = (pasts[part] < now[part, None]).mean(axis=1)
    return rank


def _parts(share: NDArray[np.float64], parts: int) -> NDArray[np.int64]:
    """Return into which of equal parts each share falls [fraction]; -1 where it is nan."""
    known = np.isfinite(share)
    found = np.full(len(share), NONE)
    found[known] = np.minimum((share[known] * parts).astype(np.int64), parts - 1)
    return found


def after(bars: Bars, bar_s: float, horizon: int) -> NDArray[np.float64]:
    """Return what the market did after each bar: from the next open to the close ``horizon`` bars on [fraction].

    nan where those bars are not all there, one right after the other.
    """
    found, n = np.full(len(bars), np.nan), len(bars) - horizon
    if n > 0:
        whole = bars.ts[horizon:] - bars.ts[:n] == horizon * bar_s
        change = bars.ohlcv[horizon:, 3] / bars.ohlcv[1 : n + 1, 0] - 1.0
        found[:n] = np.where(whole, change, np.nan)
    return found
