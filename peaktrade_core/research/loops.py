"""The loops that are compiled: a strategy's signals, and the decision code over them, bar by bar or only where it counts.

A strategy never sees the account. Its signals over given bars are therefore the same under all costs, sizes and limits, and
one array of them serves every trial that differs in those only. :func:`account` tells each bar, for a backtest;
:func:`figures` tells what a trial keeps, for a sweep. Both call :func:`peaktrade_core.trading.engine.step` and nothing
else decides; all are plain Python that can be compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from peaktrade_core.trading.book import (
    AVG,
    BARS,
    CASH,
    CLOSING,
    DRAWDOWN,
    EQUITY,
    MAX_DRAWDOWN,
    OPENING,
    PEAK,
    QTY,
    REALIZED,
    RETRY_AT,
    SEVERITY,
    SIGNAL,
    START,
    STATE,
    TOKENS,
    UNREALIZED,
    mark,
)
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.engine import DENIAL, FILL, HALT, LEVEL, ORDER, WIDTH, step
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.risk import DENY_CODES, GREEN, HALTED, OK, RED, Limits, is_limit, must_halt, severity
from peaktrade_core.trading.strategies import Update

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TAPE = 6  # columns of the account that a backtest records for each bar
GENERATED, FILLS, FEES, BLOCKED, TRADES, WORST, HALTED_AT, ON_WAY, HELD = range(9)  # slots of totals
DENIED = 9  # from here a slot for each code
TOTALS = DENIED + len(DENY_CODES)

_LIMIT_CODES = tuple(map(is_limit, DENY_CODES))
_HALVINGS = 4
_ROUNDING = 2e-15  # relative; a few times what the arithmetic of :func:`mark` can be off


class TradedBars(NamedTuple):
    """Which bars: their length [s], and the first that may trade; earlier ones only warm the strategy up."""

    bar_s: float
    trade_from: int


def signaller(update: Update, clock: bool) -> Callable[..., int]:
    """Return the loop that asks one strategy for its signal at each bar.

    Args:
        update: the strategy; clock: whether slot 0 of its memory is the end of the bar.
    """

    def signals(
        params: Any,
        span: TradedBars,
        state: Slots,
        ts: NDArray[np.float64],
        ohlcv: NDArray[np.float64],
        signal: NDArray[np.float64],
    ) -> int:
        """Fill ``signal``, one for each bar of ``ts`` and ``ohlcv``, (n,) and (n, 5) float64; ``state`` is its memory."""
        for i in range(len(ts)):
            if clock:
                state[0] = ts[i] + span.bar_s
            o, h, l, c, v = ohlcv[i, 0], ohlcv[i, 1], ohlcv[i, 2], ohlcv[i, 3], ohlcv[i, 4]
            signal[i] = float(update(params, state, o, h, l, c, v))
        return len(ts)

    return signals


def count(totals: Slots, out: Slots, rows: int, close_ts: float) -> None:
    """Add what one bar brought: the compiled twin of :mod:`peaktrade_core.trading.tally`.

    Args:
        totals: ``TOTALS`` slots, changed in place; fees in quote ccy, ``HALTED_AT`` in s since epoch, 0 for never.
        out, rows: what the decision code said; close_ts: when [s since epoch].
    """
    for k in range(rows):
        kind, code = out[k * WIDTH], out[k * WIDTH + 1]
        if kind == ORDER:
            totals[GENERATED] += 1.0
            if code == 1.0:
                totals[ON_WAY] = 1.0
        elif kind == FILL:
            totals[FILLS] += 1.0
            totals[FEES] += out[k * WIDTH + 4]
            if code == 1.0:
                totals[ON_WAY] = 0.0
            else:  # a reducing order closes all that is held
                totals[TRADES] += 1.0
        elif kind == DENIAL:
            totals[BLOCKED] += 1.0
            totals[GENERATED] += 1.0 - totals[ON_WAY]  # what is denied on its way was counted as an order
            totals[ON_WAY] = 0.0
            totals[DENIED + int(code)] += 1.0
            if _LIMIT_CODES[int(code)]:
                totals[WORST] = RED
        elif kind == HALT:
            totals[WORST] = RED
            totals[HALTED_AT] = close_ts
        elif kind == LEVEL and code > totals[WORST]:
            totals[WORST] = code


def account(
    market: Market,
    limits: Limits,
    span: TradedBars,
    book: Slots,
    out: Slots,
    totals: Slots,
    ts: NDArray[np.float64],
    ohlcv: NDArray[np.float64],
    signal: NDArray[np.float64],
    tape: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> int:
    """Run the decision code over bars and keep each bar's account.

    Args:
        market, limits, span: instrument and costs, risk limits, which bars.
        book, out, totals: as in :func:`step` and :func:`count`.
        ts: (n,) float64, opens of the bars [s since epoch]; ohlcv: (n, 5) float64, prices and volume.
        signal: (n,) float64, of the strategy.
        tape: (n, TAPE) float64, filled with signal, position, cash, realized, unrealized, equity.
        rows: (capacity, 1 + WIDTH) float64, filled with the bar's index and the columns of ``out``.

    Returns:
        Number of rows used. The capacity must be ``ROWS * n`` for the worst case.
    """
    used = 0
    for i in range(span.trade_from, len(ts)):
        close_ts = ts[i] + span.bar_s
        n = step(book, out, market, limits, signal[i], ts[i], close_ts, ohlcv[i, 0], ohlcv[i, 3], 0.0)
        count(totals, out, n, close_ts)
        if book[QTY] != 0.0:
            totals[HELD] += 1.0
        for k in range(n):
            rows[used, 0] = i
            for j in range(WIDTH):
                rows[used, 1 + j] = out[k * WIDTH + j]
            used += 1
        tape[i, 0] = book[SIGNAL]
        tape[i, 1] = book[QTY]
        tape[i, 2] = book[CASH]
        tape[i, 3] = book[REALIZED]
        tape[i, 4] = book[UNREALIZED]
        tape[i, 5] = book[EQUITY]
    return used


def figures(
    market: Market,
    limits: Limits,
    span: TradedBars,
    book: Slots,
    out: Slots,
    totals: Slots,
    ts: NDArray[np.float64],
    opens: NDArray[np.float64],
    closes: NDArray[np.float64],
    signal: NDArray[np.float64],
    stops: NDArray[np.float64],
    marks: NDArray[np.float64],
) -> int:
    """Run the decision code over bars where it can change anything, and keep what a trial keeps.

    A bar is passed over where the signal is the last one, no order is on its way, and the account is flat, or the close
    lies in a band within which :func:`step` would only value the position anew (:func:`_quiet`). What such a bar leaves in
    the book is overwritten by the next step before anything reads it; bars whose equity is read are ``stops``.

    Args:
        market, limits, span, book, out, totals: as in :func:`account`.
        ts, opens, closes: (n,) float64, times and prices of the bars.
        signal: (n,) float64, of the strategy.
        stops: bars that are never passed over, rising, the last one among them.
        marks: filled with the equity at the close of each of them that trades [quote ccy].

    Returns:
        How often the decision code was asked.
    """
    i, n, asked, at = span.trade_from, len(ts), 0, 0
    while i < n:
        close_ts = ts[i] + span.bar_s
        rows = step(book, out, market, limits, signal[i], ts[i], close_ts, opens[i], closes[i], 0.0)
        count(totals, out, rows, close_ts)
        asked += 1
        if book[QTY] != 0.0:
            totals[HELD] += 1.0
        while at < len(stops) and stops[at] <= i:
            marks[at] = book[EQUITY]
            at += 1
        price = closes[i]
        i += 1
        if i < n and signal[i] == book[SIGNAL]:
            quiet = _quiet(book, limits, market, price, i, int(stops[at]))
            begin, side = i, book[SIGNAL]
            while i < quiet.until and signal[i] == side and quiet.low <= closes[i] <= quiet.high:
                i += 1
            book[BARS] += i - begin
            if book[QTY] != 0.0:
                totals[HELD] += i - begin
    return asked


class Quiet(NamedTuple):
    """Until which bar, and between which closes [quote ccy], nothing can happen while the signal stays."""

    until: int
    low: float
    high: float


def _quiet(book: Slots, limits: Limits, market: Market, price: float, at: int, stop: int) -> Quiet:
    """Return where nothing can happen after a bar that closed at ``price``; ``at`` is the next one."""
    qty, side = book[QTY], book[SIGNAL]
    if book[OPENING] != 0.0 or book[CLOSING] != 0.0:
        return Quiet(at, 0.0, 0.0)
    want = 0.0 if side < 0.0 and market.shorts == 0.0 else side
    if qty == 0.0:
        if want == 0.0:
            return Quiet(stop, -inf, inf)
        if book[TOKENS] == limits.max_orders_per_minute:  # denied: it waits, and a full allowance stays full
            return Quiet(min(stop, at + max(0, int(book[RETRY_AT] - book[BARS]))), -inf, inf)
        return Quiet(at, 0.0, 0.0)
    if (qty > 0.0) != (want > 0.0) or want == 0.0:
        return Quiet(at, 0.0, 0.0)
    return _band(book, limits, price, stop)


def _band(book: Slots, limits: Limits, price: float, stop: int) -> Quiet:
    """Return between which closes a position can be left alone.

    Its ends are guessed: where equity would reach its peak, and where the deepest drawdown. Then the decision code is
    asked at both, and a guess it disagrees with is moved halfway to the price. Each of its figures, as computed, rises or
    falls with the price, so what is the same at both ends is the same between them.
    """
    qty, base, equity, drawdown = book[QTY], book[START] + book[REALIZED], book[EQUITY], book[DRAWDOWN]
    unrealized = book[UNREALIZED]
    slack = _ROUNDING * (abs(base / qty) + book[AVG] + price)
    best = book[AVG] + (book[PEAK] - base) / qty
    worst = book[AVG] + (book[PEAK] * (1.0 - book[MAX_DRAWDOWN]) - base) / qty
    low, high = (worst, best) if qty > 0.0 else (best, worst)
    low, high = max(low + slack, 0.0), high - slack
    here = 0.0
    for end in range(0 if book[SEVERITY] != GREEN else 1, 3):  # of green it is known what the price itself says
        edge = price if end == 0 else (low if end == 1 else high)
        left = _HALVINGS
        while end == 0 or (edge < price if end == 1 else edge > price):
            level = _level(book, limits, edge)
            if end == 0:
                here = level
            if level == here:
                break
            edge = (edge + price) / 2.0 if left > 0 else price
            left -= 1
        if end == 1:
            low = min(edge, price)
        elif end == 2:
            high = max(edge, price)
    book[EQUITY], book[DRAWDOWN], book[UNREALIZED] = equity, drawdown, unrealized
    return Quiet(stop, low, high)


def _level(book: Slots, limits: Limits, price: float) -> float:
    """Return one figure for what the decision code would say at a price: -1 where a peak, a drawdown or a halt is new.

    The severity counts twice, with the position and by losses alone: a loss falls with the price of a long position while
    its exposure rises, so only both together say that the level is the same in between.
    """
    peak, deepest, qty = book[PEAK], book[MAX_DRAWDOWN], book[QTY]
    mark(book, price)
    new = book[PEAK] != peak or book[MAX_DRAWDOWN] != deepest
    if new or (book[STATE] < HALTED and must_halt(book, limits) != OK):
        level = -1.0
    else:
        level = severity(book, limits, price)
        if level != GREEN:
            book[QTY] = 0.0
            level += 10.0 * severity(book, limits, price)
            book[QTY] = qty
    book[PEAK], book[MAX_DRAWDOWN] = peak, deepest
    return level
