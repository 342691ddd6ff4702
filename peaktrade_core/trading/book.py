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
FUNDING = 31  # received less paid so far [quote ccy]
INVERSE = 32  # 1 where an inverse contract is traded: quantities in quote ccy, money in what it is settled in
LEAST = 33  # smallest allowed distance to liquidation, 0 where nothing is held on margin [% of the price]
DISTANCE = 34  # distance of the open position at the last close [% of the price]
SLOTS = 35

DUST = 1e-12  # share of a position below which what a closing fill leaves is rounding, not a position


def new_book(start_balance: float, inverse: float = 0.0, least_distance: float = 0.0) -> list[float]:
    """Return the book of a session that has not traded.

    Args:
        start_balance: [quote ccy], positive; of an inverse contract in what that is settled in.
        inverse, least_distance: of the market, see ``INVERSE`` and ``LEAST``.
    """
    book = [0.0] * SLOTS
    for slot in (START, CASH, EQUITY, PEAK, DAY_EQUITY):
        book[slot] = start_balance
    book[TOKENS] = -1.0
    book[INVERSE], book[LEAST] = inverse, least_distance
    return book


def notional(book: Slots, qty: float, price: float) -> float:
    """Return what a quantity is worth in quote currency, never negative: an inverse contract is counted in it."""
    return abs(qty) if book[INVERSE] != 0.0 else abs(qty) * price


def quoted(book: Slots, amount: float, price: float) -> float:
    """Return an amount of the account's money in quote currency: an inverse contract's is converted at ``price``."""
    return amount * price if book[INVERSE] != 0.0 else amount


def gain(book: Slots, qty: float, entry: float, price: float) -> float:
    """Return what a signed quantity gains from ``entry`` to ``price`` [account's money].

    Source: linear, qty (price - entry); inverse, qty (1 / entry - 1 / price).
    """
    return qty * (1.0 / entry - 1.0 / price) if book[INVERSE] != 0.0 else qty * (price - entry)


def apply_fill(book: Slots, qty: float, price: float, fee: float) -> None:
    """Book one execution: average cost for what opens, realized PnL for what closes, both for a reversal.

    Args:
        book: the account, changed in place.
        qty: signed quantity, buys positive [base units].
        price: execution price [quote ccy].
        fee: cost of the execution, never negative [quote ccy].

    Source: average-cost method; a short covered below its entry is a gain. The average entry of an inverse contract is the
    harmonic mean: its cost is qty / price.
    """
    held = book[QTY]
    if held == 0.0 or (held > 0.0) == (qty > 0.0):
        if book[INVERSE] == 0.0:
            book[AVG] = (abs(held) * book[AVG] + abs(qty) * price) / (abs(held) + abs(qty))
        elif held == 0.0:
            book[AVG] = price
        else:
            book[AVG] = (abs(held) + abs(qty)) / (abs(held) / book[AVG] + abs(qty) / price)
        book[QTY] = held + qty
    else:
        closed = min(abs(held), abs(qty))
        book[GROSS] += gain(book, closed, book[AVG], price) * (1.0 if held > 0.0 else -1.0)
        left = held + qty
        if abs(left) <= DUST * abs(held):
            left = 0.0
        if left == 0.0:
            book[AVG] = 0.0
        elif abs(qty) > abs(held):
            book[AVG] = price
        book[QTY] = left
    book[FEES] += fee
    book[CASH] -= (qty * price if book[INVERSE] == 0.0 else -qty / price) + fee
    book[REALIZED] = book[GROSS] - book[FEES] + book[FUNDING]


def apply_funding(book: Slots, qty: float, price: float, rate: float) -> float:
    """Book one payment of funding and return it: received where positive, paid where negative [account's money].

    Args:
        book: the account, changed in place.
        qty: signed position when it was due [base units]; price: at which that is valued [quote ccy].
        rate: of the notional; positive where those who are long pay [fraction].

    Source: funding of perpetual contracts, -(position's worth) * rate; of an inverse one that worth is qty / price.
    """
    amount = -(qty / price if book[INVERSE] != 0.0 else qty * price) * rate + 0.0  # no negative zero
    book[FUNDING] += amount
    book[CASH] += amount
    book[REALIZED] = book[GROSS] - book[FEES] + book[FUNDING]
    return amount


def mark(book: Slots, close: float) -> None:
    """Value the open position at ``close`` and move equity, peak and drawdown along.

    Args:
        book: the account, changed in place.
        close: price of the bar's close [quote ccy].
    """
    qty = book[QTY]
    unrealized = gain(book, qty, book[AVG], close) if qty != 0.0 else 0.0
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
