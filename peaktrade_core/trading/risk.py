"""Risk: the limits, the pre-trade checks with their deny codes and figures, the trading states and the severity.

Every opening order passes :func:`check_opening` before it exists for anyone else; a reducing order is always allowed
except in state ``NO_ORDERS``. All functions run interpreted and compiled. Anything not finite is denied.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from peaktrade_core.trading.book import (
    CLOSING,
    DAY_END,
    DAY_EQUITY,
    DISTANCE,
    DRAWDOWN,
    ENTRIES,
    EQUITY,
    LAST_OPEN_QTY,
    LAST_OPEN_TS,
    LEAST,
    OPENING,
    QTY,
    REJECTS,
    STATE,
    TOKENS,
    TOKENS_TS,
    notional,
    quoted,
)
from peaktrade_core.trading.indicators import Slots

ACTIVE = 0.0
REDUCING = 1.0  # only reducing orders
HALTED = 2.0  # latched: only reducing orders until a named person resumes
NO_ORDERS = 3.0  # latched, nothing passes: the kill switch, or a state that cannot be read

GREEN, YELLOW, RED = 0.0, 1.0, 2.0
SEVERITIES = ("green", "yellow", "red")

OK = 0
NOT_FINITE = 1
BAD_SIGNAL = 2
STATE_HALTED = 3
STATE_REDUCING = 4
SIZE_BELOW_MINIMUM = 5
MAX_ORDER_NOTIONAL = 6
MAX_SYMBOL_EXPOSURE = 7
MAX_TOTAL_EXPOSURE = 8
MAX_OPEN_POSITIONS = 9
MAX_DAILY_LOSS_ABS = 10
MAX_DAILY_LOSS_PCT = 11
STALE_PRICE = 12
PRICE_COLLAR = 13
MESSAGE_RATE = 14
REPEATED_EXECUTION = 15
DUPLICATE_ORDER = 16
CONSECUTIVE_REJECTS = 17
MAX_DRAWDOWN_HALT = 18
MAX_OPEN_ORDERS = 19
ACCOUNT_UNAVAILABLE = 20
LIQUIDATION_DISTANCE = 21
DENY_CODES = (
    "OK",
    "NOT_FINITE",
    "BAD_SIGNAL",
    "HALTED",
    "REDUCING_ONLY",
    "SIZE_BELOW_MINIMUM",
    "MAX_ORDER_NOTIONAL",
    "MAX_SYMBOL_EXPOSURE",
    "MAX_TOTAL_EXPOSURE",
    "MAX_OPEN_POSITIONS",
    "MAX_DAILY_LOSS_ABS",
    "MAX_DAILY_LOSS_PCT",
    "STALE_PRICE",
    "PRICE_COLLAR",
    "MESSAGE_RATE",
    "REPEATED_EXECUTION",
    "DUPLICATE_ORDER",
    "CONSECUTIVE_REJECTS",
    "MAX_DRAWDOWN_HALT",
    "MAX_OPEN_ORDERS",
    "ACCOUNT_UNAVAILABLE",
    "LIQUIDATION_DISTANCE",
)


def is_limit(code: str) -> bool:
    """Return whether a denial of this code says that a limit was reached, which makes a run red."""
    return code.startswith("MAX_") or code == "LIQUIDATION_DISTANCE"


DAY_S = 86_400.0
ROUNDING = 1e-10  # relative; two figures that are closer are the same figure: 1 - 0.9 is a drawdown of 10 %


class Limits(NamedTuple):
    """The risk limits of a session; the same fields as ``[live_risk]`` in the configuration.

    Notionals and losses in quote currency, ``_pct`` in percent (they are typed by people), times in seconds.
    """

    max_order_notional: float = 1000.0
    max_symbol_exposure_notional: float = 2000.0
    max_total_exposure_notional: float = 5000.0
    max_open_positions: int = 5
    max_daily_loss_abs: float = 500.0
    max_daily_loss_pct: float = 5.0
    warning_threshold_factor: float = 0.8
    max_drawdown_halt_pct: float = 10.0
    price_collar_pct: float = 5.0
    max_price_age_s: float = 300.0
    max_orders_per_minute: float = 10.0
    max_entries_per_day: float = 500.0
    duplicate_window_s: float = 0.0
    max_open_orders: float = 2.0
    max_consecutive_rejects: float = 5.0


def above(value: float, limit: float) -> bool:
    """Return whether a size or exposure is above its limit: a breach. One that equals it is allowed; NaN is above."""
    return not value <= limit * (1.0 + ROUNDING)


def reached(value: float, limit: float) -> bool:
    """Return whether a loss or drawdown has reached its limit: a breach, also where it equals it; NaN has."""
    return not value < limit * (1.0 - ROUNDING)


def too_close(distance: float, least: float) -> bool:
    """Return whether a distance is below its limit: a breach. One that equals it is allowed; NaN is too close."""
    return not distance >= least * (1.0 - ROUNDING)


class RiskVerdict(NamedTuple):
    """The answer of a pre-trade check: the code (0 = allowed), the figure that was measured and its limit."""

    code: int
    value: float
    limit: float


def start_day(book: Slots, ts: float) -> None:
    """Reset the daily counters; ``ts`` [s since epoch] lies in another UTC day than the last bar."""
    book[DAY_END] = (ts // DAY_S + 1.0) * DAY_S
    book[DAY_EQUITY] = book[EQUITY]
    book[ENTRIES] = 0.0


def daily_loss(day_equity: float, equity: float) -> float:
    """Return how far marked equity has fallen since 00:00 UTC [quote ccy]; a profit is 0."""
    loss = day_equity - equity
    return loss if loss > 0.0 else 0.0


def daily_loss_pct(loss: float, day_equity: float) -> float:
    """Return a daily loss in percent of the equity at 00:00 UTC; 100 where there was none to lose."""
    return 100.0 * loss / day_equity if day_equity > 0.0 else 100.0


def severity(book: Slots, limits: Limits, close: float) -> float:
    """Return how the account stands against its limits: the worst of order size, exposure, daily loss and drawdown.

    Exposure counts the position as it will be: held, less what is being closed, plus the order that was sent. An
    exposure above its limit or a loss that reached its limit is red; from ``warning_threshold_factor`` on yellow. So is a
    position on margin whose distance to liquidation has come down to its limit, or near it. A figure that is not a number
    is red.
    """
    worst = 100.0 * book[DRAWDOWN] / limits.max_drawdown_halt_pct
    loss = book[DAY_EQUITY] - book[EQUITY]
    if loss > 0.0:
        pct = daily_loss_pct(loss, book[DAY_EQUITY])
        loss = quoted(book, loss, close)
        worst = max(worst, loss / limits.max_daily_loss_abs, pct / limits.max_daily_loss_pct)
    if book[LEAST] != 0.0 and book[QTY] != 0.0:
        if too_close(book[DISTANCE], book[LEAST]):
            return RED
        worst = max(worst, book[LEAST] / book[DISTANCE])
    if not worst < 1.0 - ROUNDING:
        return RED
    qty = book[QTY] + book[CLOSING]
    sent = book[OPENING]
    if qty != 0.0 or sent != 0.0:
        exposure = notional(book, abs(qty) + abs(sent), close)
        use = exposure / min(limits.max_symbol_exposure_notional, limits.max_total_exposure_notional)
        if use > 1.0 + ROUNDING:
            return RED
        worst = max(worst, use, notional(book, sent, close) / limits.max_order_notional)
    return YELLOW if worst >= limits.warning_threshold_factor * (1.0 - ROUNDING) else GREEN


def refill_tokens(book: Slots, limits: Limits, ts: float) -> None:
    """Let the message-rate allowance grow back with time, up to one minute's worth (a token bucket)."""
    full = limits.max_orders_per_minute
    left = full if book[TOKENS] < 0.0 else book[TOKENS] + (ts - book[TOKENS_TS]) * full / 60.0
    book[TOKENS] = left if left < full else full
    book[TOKENS_TS] = ts


def check_opening(book: Slots, limits: Limits, qty: float, price: float, ts: float, age_s: float) -> RiskVerdict:
    """Decide whether an opening order may be sent.

    Args:
        book: the account; the position must be flat or on its way to flat, so that ``qty`` is the whole new position.
        limits: the session's limits.
        qty: signed quantity [base units].
        price: at which it is expected to fill: the close with slippage, on the tick [quote ccy].
        ts: now [s since epoch].
        age_s: age of that price [s].

    Returns:
        Code 0 when allowed, else the first check that failed with its figures.
    """
    worth = notional(book, qty, price)
    if not (math.isfinite(worth) and math.isfinite(book[EQUITY]) and math.isfinite(age_s)):
        return RiskVerdict(NOT_FINITE, worth, 0.0)
    state = check_state(book)
    if state.code != OK:
        return state
    if age_s > limits.max_price_age_s:
        return RiskVerdict(STALE_PRICE, age_s, limits.max_price_age_s)
    lost = daily_loss(book[DAY_EQUITY], book[EQUITY])
    loss = quoted(book, lost, price)
    if reached(loss, limits.max_daily_loss_abs):
        return RiskVerdict(MAX_DAILY_LOSS_ABS, loss, limits.max_daily_loss_abs)
    loss_pct = daily_loss_pct(lost, book[DAY_EQUITY])
    if reached(loss_pct, limits.max_daily_loss_pct):
        return RiskVerdict(MAX_DAILY_LOSS_PCT, loss_pct, limits.max_daily_loss_pct)
    size = _check_size(limits, worth)
    if size.code != OK:
        return size
    if limits.max_open_positions < 1:
        return RiskVerdict(MAX_OPEN_POSITIONS, 1.0, float(limits.max_open_positions))
    return _check_conduct(book, limits, qty, ts)


def _check_size(limits: Limits, worth: float) -> RiskVerdict:
    """Check the notional of an opening order, which is the whole position after it [quote ccy]."""
    if above(worth, limits.max_order_notional):
        return RiskVerdict(MAX_ORDER_NOTIONAL, worth, limits.max_order_notional)
    if above(worth, limits.max_symbol_exposure_notional):
        return RiskVerdict(MAX_SYMBOL_EXPOSURE, worth, limits.max_symbol_exposure_notional)
    if above(worth, limits.max_total_exposure_notional):
        return RiskVerdict(MAX_TOTAL_EXPOSURE, worth, limits.max_total_exposure_notional)
    return RiskVerdict(OK, 0.0, 0.0)


def _check_conduct(book: Slots, limits: Limits, qty: float, ts: float) -> RiskVerdict:
    """Check what a runaway strategy or a sick venue would do: too many, too fast, the same again, always refused."""
    orders = 1.0 if book[QTY] == 0.0 else 2.0
    if orders > limits.max_open_orders:
        return RiskVerdict(MAX_OPEN_ORDERS, orders, limits.max_open_orders)
    if book[TOKENS] < 1.0:  # a closing order before it has taken its own
        return RiskVerdict(
            MESSAGE_RATE, limits.max_orders_per_minute - book[TOKENS] + 1.0, limits.max_orders_per_minute
        )
    if book[ENTRIES] >= limits.max_entries_per_day:
        return RiskVerdict(REPEATED_EXECUTION, book[ENTRIES] + 1.0, limits.max_entries_per_day)
    if qty == book[LAST_OPEN_QTY] and ts - book[LAST_OPEN_TS] < limits.duplicate_window_s:
        return RiskVerdict(DUPLICATE_ORDER, ts - book[LAST_OPEN_TS], limits.duplicate_window_s)
    return RiskVerdict(OK, 0.0, 0.0)


def must_halt(book: Slots, limits: Limits) -> int:
    """Return why the session must halt: drawdown on marked equity, refusals in a row, liquidation too near, or 0."""
    if not 100.0 * book[DRAWDOWN] < limits.max_drawdown_halt_pct * (1.0 - ROUNDING):
        return MAX_DRAWDOWN_HALT
    if book[REJECTS] >= limits.max_consecutive_rejects:
        return CONSECUTIVE_REJECTS
    if book[LEAST] != 0.0 and book[QTY] != 0.0 and too_close(book[DISTANCE], book[LEAST]):
        return LIQUIDATION_DISTANCE
    return OK


def halt_verdict(book: Slots, limits: Limits, code: int) -> RiskVerdict:
    """Return the figures behind a halt that :func:`must_halt` asked for."""
    if code == MAX_DRAWDOWN_HALT:
        return RiskVerdict(code, 100.0 * book[DRAWDOWN], limits.max_drawdown_halt_pct)
    if code == LIQUIDATION_DISTANCE:
        return RiskVerdict(code, book[DISTANCE], book[LEAST])
    return RiskVerdict(code, book[REJECTS], limits.max_consecutive_rejects)


def check_state(book: Slots) -> RiskVerdict:
    """Check whether the trading state lets an opening order pass."""
    if book[STATE] >= HALTED:
        return RiskVerdict(STATE_HALTED, book[STATE], ACTIVE)
    if book[STATE] >= REDUCING:
        return RiskVerdict(STATE_REDUCING, book[STATE], ACTIVE)
    return RiskVerdict(OK, 0.0, 0.0)


def check_sending(book: Slots, opening: bool) -> RiskVerdict:
    """Check whether the trading state still lets an order be sent: a reducing one always but in ``NO_ORDERS``."""
    if opening:
        return check_state(book)
    return RiskVerdict(STATE_HALTED, book[STATE], 0.0) if book[STATE] >= NO_ORDERS else RiskVerdict(OK, 0.0, 0.0)


def check_release(book: Slots, limits: Limits, qty: float, price: float, reference: float, age_s: float) -> RiskVerdict:
    """Check an opening order once more when it would fill: halted meanwhile, too late, too far off, too large.

    Args:
        book: the account.
        limits: the session's limits.
        qty: signed quantity [base units].
        price: at which it would fill, slippage and tick included [quote ccy].
        reference: the close at which the order was decided [quote ccy].
        age_s: time between the two [s].
    """
    state = check_state(book)
    if state.code != OK:
        return state
    if age_s > limits.max_price_age_s:
        return RiskVerdict(STALE_PRICE, age_s, limits.max_price_age_s)
    moved_pct = 100.0 * abs(price / reference - 1.0)
    if above(moved_pct, limits.price_collar_pct):
        return RiskVerdict(PRICE_COLLAR, moved_pct, limits.price_collar_pct)
    return _check_size(limits, notional(book, qty, price))
