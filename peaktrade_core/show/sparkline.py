"""A line the size of a word: values over their own range, without axis or script, as SVG or as signs of a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from peaktrade_core.show.chart import Tone

WIDTH, HEIGHT, EDGE = 120.0, 32.0, 2.0
BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], label: str, *, base: float | None = None, tone: Tone = "accent") -> str:
    """Return values as a small line, evenly spaced; what is not a number is left out.

    Args:
        values: oldest first; label: the line in a sentence, for those who cannot see it.
        base: a value that is marked by a thin line and stays in sight, as the start balance of an equity.
    """
    told = [value for value in values if math.isfinite(value)]
    kept = told if base is None else [*told, base]
    low, high = min(kept, default=0.0), max(kept, default=0.0)
    step = WIDTH / max(1, len(told) - 1)

    def y(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)

    path = "L".join(f"{i * step:.1f} {y(value):.1f}" for i, value in enumerate(told))
    if len(told) == 1:
        path += f"H{WIDTH:g}"
    ground = "" if base is None or not told else f'<path class="ground" d="M0 {y(base):.1f}H{WIDTH:g}"/>'
    line = f'<path class="line" d="M{path}"/>' if told else ""
    return (
        f'<svg class="spark tone-{tone}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{ground}{line}</svg>'
    )


def spark_text(values: Sequence[float], width: int) -> str:
    """Return values as at most ``width`` blocks of a terminal, each the last value of its stretch; oldest first."""
    told = [value for value in values if math.isfinite(value)]
    shown = [told[(n + 1) * len(told) // width - 1] for n in range(width)] if len(told) > width else told
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round((value - low) / (high - low) * top) if high > low else top // 2] for value in shown)


def meter(share: float, width: int) -> str:
    """Return a share [fraction] as a bar of a terminal; some of it is always seen, and all of it only where it is all."""
    full = min(width, math.floor(share * width)) if share >= 1.0 else min(width - 1, math.ceil(share * width))
    return "█" * full + "░" * (width - full)
