"""How figures and states are written for people: the same words in terminal, page, notebook and report."""

from __future__ import annotations

from datetime import datetime

BADGES = {
    "completed": "✓ OK",
    "failed": "✕ FAIL",
    "aborted": "⊘ ABORT",
    "started": "● RUN",
    "unreadable": "? UNREADABLE",
}
MARKS = {"pass": "✓ pass", "warn": "▲ warn", "fail": "✕ fail"}
NOTHING = "–"


def badge(status: str) -> str:
    """Return a status with its sign, so that colour is never alone."""
    return BADGES.get(status, status)


def money(value: float | None, currency: str = "", *, signed: bool = False) -> str:
    """Return an amount to the cent, with sign and currency as asked; a dash where there is none."""
    if value is None:
        return NOTHING
    text = f"{value:+,.2f}" if signed else f"{value:,.2f}"
    return f"{text} {currency}".rstrip()


def percent(fraction: float | None, digits: int = 2) -> str:
    """Return a fraction as percent; a dash where there is none."""
    return NOTHING if fraction is None else f"{100 * fraction:.{digits}f} %"


def count(value: float | None) -> str:
    """Return a whole number; a dash where there is none."""
    return NOTHING if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Return a time span as people say it: ``80 ms``, ``42 s``, ``5 m 30 s``, ``1 h 30 m``, ``2 d 4 h``."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    for size, name, small, small_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {name} {rest} {small_name}" if rest else f"{whole // size} {name}"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"


def moment(at: datetime | None) -> str:
    """Return a time to the second, UTC, without the offset that the column's title says."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def quote_currency(symbol: str | None) -> str:
    """Return the currency in which a symbol's money is counted: ``EUR`` for ``BTC/EUR`` and ``BTC/EUR-PERP``."""
    return (symbol or "").partition("/")[2].partition("-")[0]


def short_id(session_id: str) -> str:
    """Return the end of a session id, which tells sessions apart."""
    return f"…{session_id[-22:]}" if len(session_id) > 24 else session_id
