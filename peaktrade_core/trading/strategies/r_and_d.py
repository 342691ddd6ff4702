"""Examples of research: two strategies of an idea that is known and was never validated here. They may not run.

They show what a strategy can ask for: the time of the bar, and the rank of a figure among its own past.
"""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.trading.indicators import Slots, mean_slots, rolling_mean
from peaktrade_core.trading.strategies.registry import R_AND_D, register

DAY_S = 86_400.0


class ArmstrongCycle(NamedTuple):
    """A turning point [days since 1970], length of the cycle [days], and the phases between which it is long [0-1]."""

    reference: float = 16_709.0  # 2015-10-01, 2015.75 in the model's own calendar: a top
    length: float = 3_141.0
    enter: float = 0.5
    leave: float = 1.0


@register(
    "armstrong_cycle",
    ArmstrongCycle,
    slots=lambda _: 1,
    warmup=lambda _: 0,
    check=lambda p: (
        ""
        if p.length > 0.0 and 0.0 <= p.enter < p.leave <= 1.0
        else f"length = {p.length}, enter = {p.enter}, leave = {p.leave}; need length > 0 and 0 <= enter < leave <= 1"
    ),
    tier=R_AND_D,
    clock=True,
)
def armstrong_cycle(p: ArmstrongCycle, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Long in the rising half of a cycle of 3,141 days; an example of research, not validated.

    Source: M. Armstrong's economic confidence model, 8.6 years counted from a top; the phase is 0 at each top.
    """
    phase = ((s[0] / DAY_S - p.reference) % p.length) / p.length
    return 1.0 if p.enter <= phase < p.leave else 0.0


class ElKarouiVolModel(NamedTuple):
    """Window of the realised variance [bars], how many of them it is ranked among [bars], from which rank on it is HIGH."""

    window: int = 24
    lookback: int = 240
    high: float = 0.67


@register(
    "el_karoui_vol_model",
    ElKarouiVolModel,
    slots=lambda p: 2 + mean_slots(p.window) + p.lookback,
    warmup=lambda p: p.window + p.lookback,
    check=lambda p: (
        ""
        if p.window >= 1 and p.lookback >= 3 and 0.0 < p.high <= 1.0
        else f"window = {p.window}, lookback = {p.lookback}, high = {p.high}; need window >= 1, lookback >= 3, 0 < high <= 1"
    ),
    tier=R_AND_D,
)
def el_karoui_vol_model(p: ElKarouiVolModel, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Long while realised variance ranks LOW or MEDIUM among its past, flat when HIGH; an example of research, not validated.

    The rank is the share of the last ``lookback`` variances, this one not included, that are below it; unknown is flat.
    Source: regimes of volatility after N. El Karoui's work on robust hedging, here reduced to a rank.
    """
    last = s[0]
    s[0] = c
    if last == 0.0:
        return 0.0
    change = c / last - 1.0
    variance = rolling_mean(s, 2, p.window, change * change)
    if not variance >= 0.0:
        return 0.0
    seen = int(s[1])
    ring = 4 + p.window
    below = 0
    for k in range(ring, ring + p.lookback):
        if s[k] < variance:
            below += 1
    s[ring + seen % p.lookback] = variance
    s[1] = seen + 1.0
    if seen < p.lookback:
        return 0.0
    return 1.0 if below < p.high * p.lookback else 0.0
