"""The running account of one session: position, PnL, equity, drawdown and the order on its way, as a flat array.

A *book* is a small array of floats with named slots, so that the same arithmetic runs interpreted on a list and
compiled on a float64 array. It knows nothing of bars, strategies, limits or files. The exact twin in decimals is
:mod:`peaktrade_core.trading.exact`.
"""

from __future__ import annotations

from peaktrade_core.trading.indicators import Slots

QTY = 0  # signed position [base units]
AVG = 1  # average entry price of the open position [quote ccy]
GROSS = 2  # realized PnL before fees [quote ccy]
FEES = 3  # fees paid so far, never negative [quote ccy]
REALIZED = 4  # realized PnL net of all fees [quote ccy]
UNREALIZED = 5  # open position marked at the last close [quote ccy]
CASH = 6  # start balance - cost of everything bought + proceeds - fees [quote ccy]
EQUITY = 7  # start balance + realized + unrealized [quote ccy]
START = 8  # start balance [quote ccy]
PEAK = 9  # largest equity so far [quote ccy]
DRAWDOWN = 10  # 1 - equity / peak now [fraction]
MAX_DRAWDOWN = 11  # largest drawdown so far [fraction]
DAY_END = 12  # end of the UTC day of the last bar [s since epoch]
DAY_EQUITY = 13  # equity at the start of that day [quote ccy]
STATE = 14  # trading state, see peaktrade_core.trading.risk
SEVERITY = 15  # 0 green, 1 yellow, 2 red
SIGNAL = 16  # last signal
CLOSING = 17  # signed quantity of the reducing order on its way, 0 when none [base units]
OPENING = 18  # signed quantity of the opening order on its way, 0 when none [base units]
ORDER_REF = 19  # close at which the orders on their way were decided [quote ccy]
ORDER_TS = 20  # time of that close [s since epoch]
BARS = 21  # bars since the warm-up
RETRY_AT = 22  # first bar at which a denied opening order is tried again
BACKOFF = 23  # bars to wait after the next denial
TOKENS = 24  # message-rate allowance left [orders]
TOKENS_TS = 25  # when it was last refilled [s since epoch]
ENTRIES = 26  # opening orders accepted in this UTC day
LAST_OPEN_QTY = 27  # signed quantity of the last accepted opening order since the book was flat [base units]
LAST_OPEN_TS = 28  # its time [s since epoch]
REJECTS = 29  # venue rejections in a row
LAST_BACKOFF = 30  # the backoff that the last accepted opening order ended
SLOTS = 31

DUST = 1e-12  # share of a position below which what a closing fill leaves is rounding, not a position


def new_book(start_balance: float) -> list[float]:
    """Return the book of a session that has not traded.

    Args:
        start_balance: [quote ccy], positive.
    """
    book = [0.0] * SLOTS
    for slot in (START, CASH, EQUITY, PEAK, DAY_EQUITY):
        book[slot] = start_balance
    book[TOKENS] = -1.0
    return book


def apply_fill(book: Slots, qty: float, price: float, fee: float) -> None:
    """Book one execution: average cost for what opens, realized PnL for what closes, both for a reversal.

    Args:
        book: the account, changed in place.
        qty: signed quantity, buys positive [base units].
        price: execution price [quote ccy].
        fee: cost of the execution, never negative [quote ccy].

    Source: average-cost method; a short covered below its entry is a gain.
    """
    held = book[QTY]
    if held == 0.0 or (held > 0.0) == (qty > 0.0):
        book[AVG] = (abs(held) * book[AVG] + abs(qty) * price) / (abs(held) + abs(qty))
        book[QTY] = held + qty
    else:
        closed = min(abs(held), abs(qty))
        book[GROSS] += closed * (price - book[AVG]) * (1.0 if held > 0.0 else -1.0)
        left = held + qty
        if abs(left) <= DUST * abs(held):
            left = 0.0
        if left == 0.0:
            book[AVG] = 0.0
        elif abs(qty) > abs(held):
            book[AVG] = price
        book[QTY] = left
    book[FEES] += fee
    book[CASH] -= qty * price + fee
    book[REALIZED] = book[GROSS] - book[FEES]


def mark(book: Slots, close: float) -> None:
    """Value the open position at ``close`` and move equity, peak and drawdown along.

    Args:
        book: the account, changed in place.
        close: price of the bar's close [quote ccy].
    """
    qty = book[QTY]
    unrealized = qty * (close - book[AVG]) if qty != 0.0 else 0.0
    equity = book[START] + book[REALIZED] + unrealized
    book[UNREALIZED] = unrealized
    book[EQUITY] = equity
    if equity > book[PEAK]:
        book[PEAK] = equity
        book[DRAWDOWN] = 0.0
    else:
        drawdown = 1.0 - equity / book[PEAK]
        book[DRAWDOWN] = drawdown
        if drawdown > book[MAX_DRAWDOWN]:  # noqa: PLR1730 - twice as fast interpreted
            book[MAX_DRAWDOWN] = drawdown


def withdraw_order(book: Slots, opening: bool) -> None:
    """Take back the opening or the reducing order that is on its way, because the venue refused it."""
    book[OPENING if opening else CLOSING] = 0.0
