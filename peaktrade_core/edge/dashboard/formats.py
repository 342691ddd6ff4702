"""How figures are written on a page: signed money with its currency, percent, durations, short ids, a curve's path."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from peaktrade_core.domain.clock import as_utc

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"  # as wide as the plus, unlike the hyphen


def currency_of(symbol: str | None) -> str:
    """Return the quote currency of a symbol, ``EUR`` of ``BTC/EUR-PERP``; empty where there is none."""
    quote = (symbol or "").partition("/")[2]
    return quote.split("-")[0].split(":")[0]


def money(value: float | None, currency: str = "") -> str:
    """Return an amount with its sign, two decimals and currency: ``+1,045.67 EUR``; a dash for None."""
    if value is None:
        return MISSING
    rounded = round(value, 2)
    sign = "+" if rounded > 0 else MINUS if rounded < 0 else ""
    return f"{sign}{abs(rounded):,.2f} {currency}".rstrip()


def sign_class(value: float | None) -> str:
    """Return ``pos``, ``neg`` or ``zero`` for the amount as :func:`money` writes it."""
    rounded = round(value or 0.0, 2)
    return "pos" if rounded > 0 else "neg" if rounded < 0 else "zero"


def percent(fraction: float | None) -> str:
    """Return a fraction as percent with two decimals: ``1.83 %``."""
    return MISSING if fraction is None else f"{100.0 * fraction:.2f} %"


def count(value: int | None) -> str:
    """Return a whole number with separators."""
    return MISSING if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """Return a duration in its largest units: ``40 ms``, ``4.2 s``, ``5 m 30 s``, ``1 h 30 m``, ``2 d 3 h``."""
    if seconds is None or seconds < 0:
        return MISSING
    if seconds < 0.9995:
        return f"{1000.0 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, part, part_size in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part_size} {part}"
    return f"{whole} s"


def minute(moment: datetime | None) -> str:
    """Return a time to the minute, UTC: ``2026-11-21 09:06``."""
    return MISSING if moment is None else as_utc(moment).strftime("%Y-%m-%d %H:%M")


def short_id(session_id: str, mode: str) -> str:
    """Return the telling end of a session's id: without its mode, at most 26 characters."""
    tail = session_id.removeprefix(f"{mode}_")
    return tail if len(tail) <= 26 else f"…{tail[-25:]}"


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
