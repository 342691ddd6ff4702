"""The account that running sessions share: what each of them uses of it, and whether one more order fits.

Pure. A session's own limits are checked by :mod:`peaktrade_core.trading.risk` first; the check here adds what the others
hold, have sent and have lost. With no others it says the same as the session's own, figure by figure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from peaktrade_core.trading.risk import (
    MAX_DAILY_LOSS_ABS,
    MAX_DAILY_LOSS_PCT,
    MAX_OPEN_POSITIONS,
    MAX_SYMBOL_EXPOSURE,
    MAX_TOTAL_EXPOSURE,
    NOT_FINITE,
    OK,
    SEVERITIES,
    Limits,
    RiskVerdict,
    above,
    daily_loss,
    daily_loss_pct,
    reached,
)


class Share(NamedTuple):
    """What one running session uses of its account.

    Attributes:
        account: see :func:`account_of`.
        position: signed [base units]; price: at which it is marked [quote ccy].
        exposure: reserved: the larger of the position held and the order sent [quote ccy].
        day_equity: equity at 00:00 UTC; equity: marked now [quote ccy].
        at: when the session said so [s since epoch, wall clock].
    """

    run_id: str
    account: str
    symbol: str
    position: float = 0.0
    price: float = 0.0
    exposure: float = 0.0
    day_equity: float = 0.0
    equity: float = 0.0
    at: float = 0.0


class Totals(NamedTuple):
    """Sums over sessions; ``by_symbol`` and ``exposure``, ``day_equity``, ``equity`` in quote currency."""

    sessions: int
    positions: int
    exposure: float
    day_equity: float
    equity: float
    by_symbol: dict[str, float]

    @property
    def daily_loss(self) -> float:
        """What was lost since 00:00 UTC [quote ccy]; a profit is 0."""
        return daily_loss(self.day_equity, self.equity)

    @property
    def daily_loss_pct(self) -> float:
        """The same in percent of the equity at 00:00 UTC."""
        return daily_loss_pct(self.daily_loss, self.day_equity) if self.daily_loss else 0.0


NOTHING = Totals(0, 0, 0.0, 0.0, 0.0, {})


def account_of(mode: str, symbol: str) -> str:
    """Return the account of a session, ``<mode>.<quote currency>``: limits are in quote currency, modes never mix."""
    quote = re.match(r"[A-Za-z0-9]+", symbol.partition("/")[2])
    return f"{mode}.{quote.group().upper() if quote else 'unknown'}"


def totals(shares: Iterable[Share]) -> Totals:
    """Return the sums over some sessions of one account; the same to the last bit in whatever order they come."""
    found = list(shares)
    by_symbol: dict[str, list[float]] = {}
    for share in found:
        by_symbol.setdefault(share.symbol, []).append(share.exposure)
    return Totals(
        len(found),
        sum(share.exposure > 0.0 or share.position != 0.0 for share in found),
        math.fsum(share.exposure for share in found),
        math.fsum(share.day_equity for share in found),
        math.fsum(share.equity for share in found),
        {symbol: math.fsum(exposures) for symbol, exposures in by_symbol.items()},
    )


def check_account(others: Totals, limits: Limits, own: Share, notional: float) -> RiskVerdict:
    """Decide whether the account has room for one opening order.

    Args:
        others: what the other running sessions use.
        limits: of the session that asks.
        own: what it uses itself; its position is flat or on its way to flat.
        notional: of its order, at the price at which it is expected to fill [quote ccy].

    Returns:
        Code 0 when it fits, else the first check that failed with the account's figures.
    """
    figures = (notional, others.exposure, others.day_equity, others.equity, own.day_equity, own.equity)
    if not all(map(math.isfinite, figures)):
        return RiskVerdict(NOT_FINITE, notional, 0.0)
    both = others._replace(day_equity=others.day_equity + own.day_equity, equity=others.equity + own.equity)
    if reached(both.daily_loss, limits.max_daily_loss_abs):
        return RiskVerdict(MAX_DAILY_LOSS_ABS, both.daily_loss, limits.max_daily_loss_abs)
    if reached(both.daily_loss_pct, limits.max_daily_loss_pct):
        return RiskVerdict(MAX_DAILY_LOSS_PCT, both.daily_loss_pct, limits.max_daily_loss_pct)
    symbol = others.by_symbol.get(own.symbol, 0.0) + notional
    if above(symbol, limits.max_symbol_exposure_notional):
        return RiskVerdict(MAX_SYMBOL_EXPOSURE, symbol, limits.max_symbol_exposure_notional)
    total = others.exposure + notional
    if above(total, limits.max_total_exposure_notional):
        return RiskVerdict(MAX_TOTAL_EXPOSURE, total, limits.max_total_exposure_notional)
    if others.positions + 1 > limits.max_open_positions:
        return RiskVerdict(MAX_OPEN_POSITIONS, others.positions + 1.0, float(limits.max_open_positions))
    return RiskVerdict(OK, 0.0, 0.0)


class AccountLimit(NamedTuple):
    """How much of one limit an account uses: figures in ``unit``, share a fraction, level green, yellow or red."""

    name: str
    used: float
    limit: float
    unit: str
    share: float
    level: str


def account_limits(use: Totals, limits: Limits, currency: str) -> list[AccountLimit]:
    """Return how much of each account-wide limit is used, as people read it.

    An exposure or count above its limit is red, so is a loss that reached it; from ``warning_threshold_factor`` yellow.
    A full count of positions is yellow.
    """
    symbol = max(use.by_symbol.values(), default=0.0)
    found = []
    for name, used, limit, unit, is_loss in (
        ("max_total_exposure_notional", use.exposure, limits.max_total_exposure_notional, currency, False),
        ("max_symbol_exposure_notional", symbol, limits.max_symbol_exposure_notional, currency, False),
        ("max_open_positions", float(use.positions), float(limits.max_open_positions), "positions", False),
        ("max_daily_loss_abs", use.daily_loss, limits.max_daily_loss_abs, currency, True),
        ("max_daily_loss_pct", use.daily_loss_pct, limits.max_daily_loss_pct, "%", True),
    ):
        share = used / limit if limit else float(used > 0.0)
        red = reached(used, limit) if is_loss else above(used, limit)
        level = 2 if red or not math.isfinite(share) else 1 if reached(share, limits.warning_threshold_factor) else 0
        found.append(AccountLimit(name, used, limit, unit, share, SEVERITIES[level]))
    return found
