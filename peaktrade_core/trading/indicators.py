"""Running indicators in O(1) a bar, the same source interpreted in a session and compiled in a backtest.

Each works on a small mutable array of floats that the caller owns (a list when interpreted, a float64 array when
compiled) and uses only arithmetic that both execute identically: no transcendental functions, no numpy calls.
"""

from __future__ import annotations

from typing import Protocol


class Slots(Protocol):
    """A small mutable array of floats: a list when interpreted, a float64 array when compiled."""

    def __getitem__(self, at: int, /) -> float:
        """Return one slot."""

    def __setitem__(self, at: int, value: float, /) -> None:
        """Set one slot."""


NAN = float("nan")


def mean_slots(window: int) -> int:
    """Return the length of the array that :func:`rolling_mean` needs: the window, a count and a sum."""
    return window + 2


def rolling_mean(s: Slots, at: int, window: int, x: float) -> float:
    """Push ``x`` and return the simple mean of the last ``window`` values.

    The sum is rebuilt from the values each time the ring wraps, so rounding does not drift over a long session.

    Args:
        s: state; ``mean_slots(window)`` slots from ``at`` are used, zeros at the start.
        at: first slot.
        window: number of values [bars], at least 1.
        x: the new value.

    Returns:
        The mean, nan until ``window`` values were seen.
    """
    seen = int(s[at])  # up to twice the window, so that the place in the ring needs no division
    ring = at + 2
    k = ring + (seen if seen < window else seen - window)
    total = s[at + 1] + x - s[k]
    s[k] = x
    seen = seen + 1 if seen + 1 < 2 * window else window
    s[at] = float(seen)
    if k == ring + window - 1:
        total = 0.0
        for j in range(ring, ring + window):
            total += s[j]
    s[at + 1] = total
    return total / window if seen >= window else NAN


def wilder(s: Slots, at: int, window: int, x: float) -> float:
    """Push ``x`` and return Wilder's smoothed average, seeded with the simple mean of the first ``window`` values.

    Args:
        s: state; slots ``at`` (count) and ``at + 1`` (value) are used, zeros at the start.
        at: first slot.
        window: Wilder's period [bars], at least 1; the smoothing constant is ``1 / window``.
        x: the new value.

    Returns:
        The average, nan until ``window`` values were seen.

    Source: J. Welles Wilder, *New Concepts in Technical Trading Systems* (1978).
    """
    seen = s[at] + 1.0
    s[at] = seen
    if seen < window:
        s[at + 1] += x
        return NAN
    if seen == window:
        s[at + 1] = (s[at + 1] + x) / window
    else:
        s[at + 1] = (s[at + 1] * (window - 1.0) + x) / window
    return s[at + 1]


def extreme_slots(window: int) -> int:
    """Return the length of the array that :func:`rolling_max` needs: a monotonic queue and its two ends."""
    return 2 * window + 3


def rolling_max(s: Slots, at: int, window: int, x: float) -> float:
    """Push ``x`` and return the largest of the last ``window`` values (amortised O(1), a monotonic queue).

    For the smallest value push ``-x`` and negate the result.

    Args:
        s: state; ``extreme_slots(window)`` slots from ``at`` are used, zeros at the start: count, head, size, then
            (value, index) pairs in a ring.
        at: first slot.
        window: number of values [bars], at least 1.
        x: the new value.

    Returns:
        The maximum, nan until ``window`` values were seen.
    """
    seen = s[at]
    head = int(s[at + 1])
    size = int(s[at + 2])
    ring = at + 3
    last = head + size - 1 if head + size - 1 < window else head + size - 1 - window
    while size > 0 and s[ring + 2 * last] <= x:
        size -= 1
        last = last - 1 if last > 0 else window - 1
    if size > 0 and s[ring + 2 * head + 1] <= seen - window:
        size -= 1
        head = head + 1 if head + 1 < window else 0
    k = head + size if head + size < window else head + size - window
    s[ring + 2 * k] = x
    s[ring + 2 * k + 1] = seen
    s[at] = seen + 1.0
    s[at + 1] = float(head)
    s[at + 2] = size + 1.0
    return s[ring + 2 * head] if seen + 1.0 >= window else NAN
