"""The decision code of one bar. Session, backtest and sweep run this source and no other.

One bar: fill the orders decided earlier at this bar's open, mark the position at its close, ask the strategy, size,
check the risk, and leave the orders that passed for the next bar. What happened comes back as rows in ``out``, a flat
array of ``WIDTH`` columns; the session turns them into journal events, the backtest into columns.

What is decided at the close of bar *i* fills at the open of bar *i + 1*; nothing looks ahead.
"""

from __future__ import annotations

from peaktrade_core.trading.book import (
    AVG,
    BACKOFF,
    BARS,
    CASH,
    CLOSING,
    DAY_END,
    DISTANCE,
    ENTRIES,
    EQUITY,
    LAST_BACKOFF,
    LAST_OPEN_QTY,
    LAST_OPEN_TS,
    OPENING,
    ORDER_REF,
    ORDER_TS,
    QTY,
    RETRY_AT,
    SEVERITY,
    SIGNAL,
    STATE,
    TOKENS,
    apply_fill,
    mark,
    notional,
)
from peaktrade_core.trading.costs import Market, affordable, fee, fill_price, position_size
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.margin import check_margin, liquidation_distance
from peaktrade_core.trading.risk import (
    BAD_SIGNAL,
    HALTED,
    NO_ORDERS,
    OK,
    SIZE_BELOW_MINIMUM,
    STATE_HALTED,
    Limits,
    RiskVerdict,
    check_opening,
    check_release,
    halt_verdict,
    must_halt,
    refill_tokens,
    severity,
    start_day,
)

WIDTH = 6  # columns of a row: kind, code, quantity, price, value, limit
ROWS = 8  # rows one bar can produce at most
FILL = 1.0  # code 0 reducing / 1 opening, quantity, price, fee, reference
ORDER = 2.0  # code 0 reducing / 1 opening, quantity, reference, notional
DENIAL = 3.0  # code (risk.DENY_CODES), quantity, reference, value, limit
HALT = 4.0  # code (risk.DENY_CODES), -, -, value, limit
LEVEL = 5.0  # code (risk.SEVERITIES)

MAX_BACKOFF = 64.0  # bars


def new_out() -> list[float]:
    """Return an empty row buffer for :func:`step`."""
    return [0.0] * (ROWS * WIDTH)


def _emit(out: Slots, n: int, kind: float, code: float, qty: float, price: float, value: float, limit: float) -> int:
    """Write row ``n`` and return the number of rows."""
    at = n * WIDTH
    out[at] = kind
    out[at + 1] = code
    out[at + 2] = qty
    out[at + 3] = price
    out[at + 4] = value
    out[at + 5] = limit
    return n + 1


def _release(book: Slots, out: Slots, n: int, market: Market, limits: Limits, open_ts: float, open_price: float) -> int:
    """Fill the orders on their way at this bar's open; an opening order that is late, too far off or too large is denied.

    Without credit, on a spot market, an opening order fills as far as the cash goes.
    """
    qty = book[CLOSING]
    if qty != 0.0:
        book[CLOSING] = 0.0
        n = _execute(book, out, n, market, 0.0, qty, fill_price(market, open_price, qty), open_price)
    qty = book[OPENING]
    if qty != 0.0:
        book[OPENING] = 0.0
        price = fill_price(market, open_price, qty)
        paid = affordable(market, book[CASH], qty, price) if market.shorts == 0.0 else qty
        verdict = check_release(book, limits, paid, price, book[ORDER_REF], open_ts - book[ORDER_TS])
        if verdict.code == OK and (paid == 0.0 or abs(paid) < market.min_qty):
            verdict = RiskVerdict(SIZE_BELOW_MINIMUM, abs(paid), market.min_qty)
        if verdict.code == OK:
            n = _execute(book, out, n, market, 1.0, paid, price, open_price)
        else:
            n = _deny(book, out, n, verdict, qty, book[ORDER_REF])
    return n


def _execute(
    book: Slots, out: Slots, n: int, market: Market, leg: float, qty: float, price: float, open_price: float
) -> int:
    """Book one execution."""
    cost = fee(market, qty, price)
    apply_fill(book, qty, price, cost)
    return _emit(out, n, FILL, leg, qty, price, cost, open_price)


def _deny(book: Slots, out: Slots, n: int, verdict: RiskVerdict, qty: float, price: float) -> int:
    """Note a denial and wait longer before the next attempt: 1, 2, 4 ... 64 bars."""
    book[BACKOFF] = min(MAX_BACKOFF, max(1.0, 2.0 * book[BACKOFF]))
    book[RETRY_AT] = book[BARS] + book[BACKOFF]
    return _emit(out, n, DENIAL, float(verdict.code), qty, price, verdict.value, verdict.limit)


def _open(
    book: Slots, out: Slots, n: int, market: Market, limits: Limits, side: float, close: float, ts: float, age_s: float
) -> int:
    """Size an opening order, check it, and leave it for the next bar or deny it."""
    size = position_size(market, book[EQUITY], close)
    expected = fill_price(market, close, side)
    if market.shorts == 0.0:
        size = affordable(market, book[CASH], size, expected)
    qty = side * size
    if size < market.min_qty or size == 0.0:
        return _deny(book, out, n, RiskVerdict(SIZE_BELOW_MINIMUM, size, market.min_qty), qty, close)
    worth = notional(book, size, close)
    if worth < market.min_notional:
        return _deny(book, out, n, RiskVerdict(SIZE_BELOW_MINIMUM, worth, market.min_notional), qty, close)
    verdict = check_opening(book, limits, qty, expected, ts, age_s)
    if verdict.code == OK:
        verdict = check_margin(market, qty, expected)
    if verdict.code != OK:
        return _deny(book, out, n, verdict, qty, close)
    book[OPENING] = qty
    book[ORDER_REF] = close
    book[ORDER_TS] = ts
    book[TOKENS] -= 1.0
    book[ENTRIES] += 1.0
    book[LAST_OPEN_QTY] = qty
    book[LAST_OPEN_TS] = ts
    book[LAST_BACKOFF] = book[BACKOFF]
    book[BACKOFF] = 0.0
    return _emit(out, n, ORDER, 1.0, qty, close, worth, 0.0)


def refuse_opening(book: Slots, out: Slots, rows: int, limits: Limits, verdict: RiskVerdict, close: float) -> int:
    """Take back the opening order of the bar that was just decided, as if the checks had denied it.

    The session does so where the account that it shares with others has no room for the order.

    Args:
        book, out: as :func:`step` left them; rows: what it returned.
        limits: risk limits; verdict: why, with the account's figures.
        close: price of the bar's close [quote ccy].

    Returns:
        Number of rows: one more where the account's level is another without the order.
    """
    for at in range(rows):
        row = at * WIDTH
        if out[row] == ORDER and out[row + 1] == 1.0:
            book[OPENING] = 0.0
            book[TOKENS] += 1.0
            book[ENTRIES] -= 1.0
            book[LAST_OPEN_QTY] = 0.0
            book[BACKOFF] = book[LAST_BACKOFF]
            book[BARS] -= 1.0  # a denial waits from the bar it belongs to
            _deny(book, out, at, verdict, out[row + 2], out[row + 3])
            book[BARS] += 1.0
    level = severity(book, limits, close)
    if level != book[SEVERITY]:
        book[SEVERITY] = level
        rows = _emit(out, rows, LEVEL, level, 0.0, 0.0, 0.0, 0.0)
    return rows


def _close(book: Slots, out: Slots, n: int, close: float, ts: float) -> int:
    """Order the whole position closed; nothing but the state NO_ORDERS forbids it."""
    qty = -book[QTY]
    if book[STATE] >= NO_ORDERS:
        return _deny(book, out, n, RiskVerdict(STATE_HALTED, book[STATE], 0.0), qty, close)
    book[CLOSING] = qty
    book[ORDER_REF] = close
    book[ORDER_TS] = ts
    book[TOKENS] -= 1.0
    book[LAST_OPEN_QTY] = 0.0
    return _emit(out, n, ORDER, 0.0, qty, close, notional(book, qty, close), 0.0)


def step(
    book: Slots,
    out: Slots,
    market: Market,
    limits: Limits,
    signal: float,
    open_ts: float,
    close_ts: float,
    open_price: float,
    close: float,
    age_s: float,
) -> int:
    """Run one bar: fill, mark, decide, size, check, and tell where the account stands.

    Args:
        book: the account, changed in place (:mod:`peaktrade_core.trading.book`).
        out: row buffer of :func:`new_out`, overwritten.
        market: instrument and costs.
        limits: risk limits.
        signal: what the strategy wants to hold at this close, -1, 0 or 1.
        open_ts: begin of the bar [s since epoch].
        close_ts: its end [s since epoch].
        open_price: its first price [quote ccy].
        close: its last price [quote ccy].
        age_s: how old the close is now [s]; 0 when time is the bars' own.

    Returns:
        Number of rows written to ``out``.
    """
    if open_ts >= book[DAY_END]:
        start_day(book, open_ts)
    n = 0
    if book[CLOSING] != 0.0 or book[OPENING] != 0.0:
        n = _release(book, out, n, market, limits, open_ts, open_price)
    if n != 0 or book[QTY] != 0.0:  # a flat account that did nothing is worth what it was
        mark(book, close)
    if market.leverage != 0.0 and book[QTY] != 0.0:
        book[DISTANCE] = liquidation_distance(market, book[QTY], book[AVG], close)
    why = must_halt(book, limits)
    if why != OK and book[STATE] < HALTED:
        book[STATE] = HALTED
        halt = halt_verdict(book, limits, why)
        n = _emit(out, n, HALT, float(halt.code), 0.0, 0.0, halt.value, halt.limit)
    if not (signal == 0.0 or signal == 1.0 or signal == -1.0):  # noqa: PLR1714 - compiles and is faster
        n = _deny(book, out, n, RiskVerdict(BAD_SIGNAL, signal, 0.0), 0.0, close)
    else:
        n = _pursue(book, out, n, market, limits, signal, close, close_ts, age_s)
    level = severity(book, limits, close)
    if level != book[SEVERITY]:
        book[SEVERITY] = level
        n = _emit(out, n, LEVEL, level, 0.0, 0.0, 0.0, 0.0)
    book[BARS] += 1.0
    return n


def _pursue(
    book: Slots, out: Slots, n: int, market: Market, limits: Limits, side: float, close: float, ts: float, age_s: float
) -> int:
    """Bring the position to where the signal wants it: leave what is against it, enter what is missing."""
    if side != book[SIGNAL]:
        book[SIGNAL] = side
        book[RETRY_AT] = 0.0
        book[BACKOFF] = 0.0
    want = 0.0 if side < 0.0 and market.shorts == 0.0 else side
    qty = book[QTY]
    have = 1.0 if qty > 0.0 else (-1.0 if qty < 0.0 else 0.0)
    if have != want:
        refill_tokens(book, limits, ts)
        if have != 0.0 and (book[STATE] < NO_ORDERS or book[BARS] >= book[RETRY_AT]):
            n = _close(book, out, n, close, ts)
        if want != 0.0 and book[BARS] >= book[RETRY_AT]:
            n = _open(book, out, n, market, limits, want, close, ts, age_s)
    return n
