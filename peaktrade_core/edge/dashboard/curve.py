"""A stepped curve as SVG paths, for pages that draw without scripts."""

from __future__ import annotations

from collections.abc import Sequence


class Curve:
    """A stepped curve in a box of 600 by 160 units.

    Attributes:
        line, area: SVG paths of the steps and of the area between them and zero.
        zero: height of the zero line; end: where the curve ends (x, y).
        top, bottom: largest and smallest value, zero included.
    """

    WIDTH, HEIGHT, PAD = 600.0, 160.0, 6.0

    def __init__(self, values: Sequence[float]) -> None:
        """Scale ``values``, at least one, into the box: one step each, all of the same width, beginning at zero."""
        self.top, self.bottom = max(0.0, *values), min(0.0, *values)
        per_unit = (self.HEIGHT - 2 * self.PAD) / ((self.top - self.bottom) or 1.0)
        step = (self.WIDTH - self.PAD) / len(values)
        heights = [round(self.PAD + (self.top - value) * per_unit, 1) for value in values]
        self.zero = round(self.PAD + self.top * per_unit, 1)
        steps = "".join(f"V{y}H{i * step:.1f}" for i, y in enumerate(heights, 1))
        self.line = f"M0 {self.zero}{steps}"
        self.area = f"{self.line}V{self.zero}Z"
        self.end = (self.WIDTH - self.PAD, heights[-1])
