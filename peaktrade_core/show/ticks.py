"""Where the labels of an axis stand: round values and round times between two ends."""

from __future__ import annotations

import math

DAY = 86_400
_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200)
TIME_STEPS = (*_STEPS, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY)


def time_step(span: float) -> int:
    """Return the time between two labels [s] of an axis of ``span`` seconds, so that there are about six."""
    return next((step for step in TIME_STEPS if span / step <= 6), TIME_STEPS[-1])


def nice_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return round values between two, about four, each with its text."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, f"{n * step:,.{digits}f}".replace("-", "\N{MINUS SIGN}")) for n in range(first, last + 1)]
