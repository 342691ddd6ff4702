"""Figures over many runs: counted together, but money never added over currencies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec

from peaktrade_core.records.rows import DaySum, SymbolSum
from peaktrade_core.show.wording import quote_currency


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """What runs that count in one currency earned.

    Attributes:
        sessions: how many of them have figures; realized_pnl, total_pnl: their sums [currency].
        avg_drawdown: mean of their maximum drawdowns [fraction], null when none has one.
    """

    currency: str
    sessions: int = 0
    realized_pnl: float = 0.0
    total_pnl: float = 0.0
    avg_drawdown: float | None = None


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over many sessions.

    Attributes:
        currency, realized_pnl, total_pnl: of all of them; null when they count in several currencies, whose sums are in
            ``by_currency``.
        avg_drawdown: a fraction, and so a mean over all; null when no session has one.
    """

    total_sessions: int
    by_mode: dict[str, int]
    by_status: dict[str, int]
    currency: str | None
    realized_pnl: float | None
    total_pnl: float | None
    avg_drawdown: float | None
    by_currency: list[Earned]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that began on one UTC day and count their money in one currency.

    Attributes:
        sessions: how many; open: how many of them have not ended.
        realized_pnl, total_pnl: their sums [currency]; max_drawdown: their worst [fraction], null when none has one.
    """

    day: date
    currency: str
    sessions: int = 0
    open: int = 0
    realized_pnl: float = 0.0
    total_pnl: float = 0.0
    max_drawdown: float | None = None


def stats_of(sums: Iterable[SymbolSum], by_mode: dict[str, int], by_status: dict[str, int]) -> Stats:
    """Return the figures over sessions from their sums by symbol."""
    listed = list(sums)
    earned = _by_currency(listed)
    several = len(earned) > 1
    one = earned[0] if earned else Earned(currency="")
    return Stats(
        total_sessions=sum(some.sessions for some in listed),
        by_mode=by_mode,
        by_status=by_status,
        currency=None if several else one.currency,
        realized_pnl=None if several else one.realized_pnl,
        total_pnl=None if several else one.total_pnl,
        avg_drawdown=_mean_drawdown(listed),
        by_currency=earned,
    )


def _by_currency(sums: Iterable[SymbolSum]) -> list[Earned]:
    """Return what was earned in each currency, by its name; symbols without a figure have none."""
    groups: dict[str, list[SymbolSum]] = {}
    for some in sums:
        if some.ended or some.drawdowns:
            groups.setdefault(quote_currency(some.symbol), []).append(some)
    return [
        Earned(
            currency=currency,
            sessions=sum(some.ended for some in group),
            realized_pnl=sum(some.realized_pnl for some in group),
            total_pnl=sum(some.total_pnl for some in group),
            avg_drawdown=_mean_drawdown(group),
        )
        for currency, group in sorted(groups.items())
    ]


def _mean_drawdown(sums: Iterable[SymbolSum]) -> float | None:
    """Return the mean of maximum drawdowns [fraction], None when there is none."""
    listed = list(sums)
    count = sum(some.drawdowns for some in listed)
    return sum(some.drawdown for some in listed) / count if count else None


def days_of(sums: Iterable[DaySum]) -> list[Day]:
    """Return the sessions by the UTC day on which they began and by currency, oldest first."""
    days: dict[tuple[date, str], Day] = {}
    for one in sums:
        key = (date.fromisoformat(one.day), quote_currency(one.symbol))
        before = days.get(key) or Day(day=key[0], currency=key[1])
        depths = [depth for depth in (before.max_drawdown, one.max_drawdown) if depth is not None]
        days[key] = Day(
            day=key[0],
            currency=key[1],
            sessions=before.sessions + one.sessions,
            open=before.open + one.open,
            realized_pnl=before.realized_pnl + one.realized_pnl,
            total_pnl=before.total_pnl + one.total_pnl,
            max_drawdown=max(depths, default=None),
        )
    return [days[key] for key in sorted(days)]
