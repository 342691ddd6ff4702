"""The order preview: what a session would order if it began now, with the verdict of every risk check; nothing is sent.

The decision code is the session's own, from a flat account: the strategy sees its history, and the last closed bar
decides. The trading state on the disk counts, and so does what running sessions hold.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import DataError
from peaktrade_core.halts.scope import TradingState
from peaktrade_core.session.plan import Plan
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine
from peaktrade_core.trading.costs import fill_price
from peaktrade_core.trading.decision import Teller
from peaktrade_core.trading.events import Denial, Order
from peaktrade_core.trading.market import Bar, worth
from peaktrade_core.trading.risk import DENY_CODES, OK, RiskVerdict

NOTHING_TO_DO, ALLOWED, DENIED = "nothing", "allowed", "denied"
LARGEST_HISTORY = 10_000_000  # bars


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a session would order now.

    Attributes:
        ts: close of the bar that decides; price: its close [quote ccy]; bars: seen by the strategy.
        signal: -1, 0 or 1; verdict: ``nothing`` to order, ``allowed`` or ``denied``.
        qty: signed [base units]; notional: [quote ccy].
        code, value, limit: of the denial.
        state: trading state in force, by whom and why.
    """

    mode: str
    strategy: str
    symbol: str
    ts: datetime
    price: float
    bars: int
    signal: float
    verdict: str
    qty: float | None = None
    notional: float | None = None
    code: str | None = None
    value: float | None = None
    limit: float | None = None
    state: str = "ACTIVE"


def preview(plan: Plan, state: TradingState, account: Callable[[str, float, float, str], RiskVerdict]) -> Preview:
    """Return what a session of this plan would order at the last closed bar.

    Args:
        plan: the session; its feed is read up to now.
        state: the trading state that it would obey.
        account: decides over all running sessions: symbol, quantity, price, mode.

    Raises:
        DataError: the feed has no bar.
        ExchangeError: the venue does not answer.
        StrategyError: the strategy fails.
    """
    last, seen, signal = _look(plan)
    decision, config = plan.decision, plan.config
    book, out = decision.new_book(), engine.new_out()
    book[bk.STATE] = float(state.level)
    closes = last.ts + decision.bar_s
    rows = engine.step(book, out, decision.market, decision.limits, signal, last.ts, closes, last.open, last.close, 0.0)
    found = Preview(
        mode=plan.mode,
        strategy=config.strategy_name,
        symbol=config.symbol,
        ts=from_seconds(closes),
        price=last.close,
        bars=seen,
        signal=signal,
        verdict=NOTHING_TO_DO,
        state=f"{state.state} by {state.by}: {state.reason}" if state.by else state.state,
    )
    for event in Teller().tell(out, rows, 0, found.ts):
        if isinstance(event, Order):
            expected = fill_price(decision.market, event.price, event.qty)
            return _judged(found, event, account(config.symbol, event.qty, expected, plan.mode))
        if isinstance(event, Denial):
            figures = {"code": event.code, "value": event.value, "limit": event.limit}
            size = {"qty": event.qty, "notional": worth(config.symbol, event.qty, event.price)}
            return msgspec.structs.replace(found, verdict=DENIED, **size, **figures)
    return found


def _judged(found: Preview, order: Order, verdict: RiskVerdict) -> Preview:
    """Return the preview of an order that the session's own checks let through."""
    changes: dict[str, object] = {"verdict": ALLOWED, "qty": order.qty, "notional": order.notional}
    if verdict.code != OK:
        changes |= {"verdict": DENIED, "code": DENY_CODES[verdict.code], "value": verdict.value, "limit": verdict.limit}
    return msgspec.structs.replace(found, **changes)


def _look(plan: Plan) -> tuple[Bar, int, float]:
    """Show the strategy its history and return the last bar, how many there were, and the signal at its close."""
    decision, memory = plan.decision, plan.decision.new_state()
    wanted = len(plan.feed) or max(1, plan.config.warmup_candles)
    last, seen, signal = None, 0, 0.0
    bars = (item for item in plan.feed if type(item) is Bar)
    for bar in islice(bars, min(wanted, LARGEST_HISTORY)):
        signal = decision.signal(bar, memory)
        last, seen = bar, seen + 1
    if last is None:
        raise DataError("the feed has no closed bar, so there is nothing to decide on")
    return last, seen, signal
