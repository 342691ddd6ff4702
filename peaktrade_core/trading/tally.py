"""The fold from events to metrics: the only way a session's figures come about, at its end and in recovery alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from peaktrade_core.trading.events import (
    AnyEvent,
    BarDone,
    Denial,
    End,
    Fill,
    Funding,
    Gap,
    Halt,
    Order,
    Severity,
    Start,
    State,
    VenueAnswer,
    WarmedUp,
)
from peaktrade_core.trading.exact import ExactAccount
from peaktrade_core.trading.records import IMPORTED, Metrics, SessionRecord, finite
from peaktrade_core.trading.risk import is_limit

LEVELS = ("green", "yellow", "red")
UNKNOWN = "unknown"  # level of what ran elsewhere; where funding comes from when nobody tells it


class Tally:
    """Folds the events of one run, in order.

    PnL and equity are those of the last bar that was journalled whole; if fills follow it (the process died within a
    bar) the exact ledger supplies them, marked at that bar's close.

    Attributes:
        metrics: computed by :meth:`metrics`.
        end: the ``end`` event, or None while the run has none.
        trading_state: under which the run is, or ended.
        ledger: the exact ledger of all fills.
    """

    def __init__(self, start_balance: float = 0.0) -> None:
        """Begin with ``start_balance`` [quote ccy], which the ``start`` event replaces if the journal has one."""
        self.start: Start | None = None
        self.end: End | None = None
        self.last_bar: BarDone | None = None
        self.last_seq = -1
        self.ledger = ExactAccount(start_balance)
        self._counts: Counter[str] = Counter()
        self._denied: Counter[str] = Counter()
        self._peak = start_balance
        self._drawdown = self._fees = 0.0
        self._funding: float | None = None
        self._level = 0
        self.trading_state = "ACTIVE"
        self._moved = False
        self._filled = ""  # the order that was filled last; of one that filled in pieces only the first counts
        self._imported = False

    def add(self, event: AnyEvent) -> None:
        """Take one event into account."""
        self.last_seq = event.seq
        if type(event) is BarDone:
            self.last_bar = event
            self._moved = False
            self._peak = max(self._peak, event.equity)
            self._drawdown = max(self._drawdown, 1.0 - event.equity / self._peak)
        elif isinstance(event, Order):
            self._counts["generated"] += 1
        elif isinstance(event, (Fill, Funding)):
            self._pay(event)
        elif isinstance(event, Denial):
            self._counts["blocked"] += 1
            self._counts["generated"] += event.order_id is None
            self._denied[event.code] += 1
            self._level = max(self._level, 2 if is_limit(event.code) else 0)
        elif isinstance(event, VenueAnswer):
            self._counts["rejected"] += not event.accepted
        elif isinstance(event, State):
            self.trading_state = event.state
        elif isinstance(event, Halt):
            self.trading_state, self._level = "HALTED", 2  # a session that halted itself is red, whatever for
        elif isinstance(event, Severity):
            self._level = max(self._level, LEVELS.index(event.level))
        elif isinstance(event, Gap):
            self._counts["gaps"] += 1
            self._counts["missing"] += event.missing
        elif isinstance(event, WarmedUp):  # like the steps, gaps count from here
            self._counts["gaps"] = self._counts["missing"] = 0
        elif isinstance(event, Start):
            self._begin(event)
        elif isinstance(event, End):
            self.end = event

    def _pay(self, event: Fill | Funding) -> None:
        """Take what moves money between two bars into account."""
        self._moved = True
        if isinstance(event, Funding):
            self._funding = (self._funding or 0.0) + event.amount
            self.ledger.fund(event.amount)
            return
        self._counts["executed"] += event.order_id != self._filled
        self._filled = event.order_id
        self._fees += event.fee
        self.ledger.apply(event.qty, event.price, event.fee)

    def _begin(self, event: Start) -> None:
        """Take the start into account; without a balance in it what the record says counts."""
        self.start = event
        self._imported = event.config.get("feed") == IMPORTED
        balance = finite(event.config.get("start_balance"))
        told = event.config.get("instrument")
        of = told if isinstance(told, dict) else {}
        if balance is not None:
            self.ledger, self._peak = ExactAccount(balance, inverse=of.get("contract") == "inverse"), balance
        if of.get("contract") and of.get("funding") != UNKNOWN:
            self._funding = self._funding or 0.0

    def metrics(self) -> Metrics:
        """Return the figures of everything folded so far."""
        n = self._counts
        bar = self.last_bar
        start = float(self.ledger.start_balance)
        realized = bar.realized_pnl if bar else 0.0
        unrealized = bar.unrealized_pnl if bar else 0.0
        if self._moved:
            realized = float(self.ledger.realized_pnl)
            unrealized = float(self.ledger.unrealized_pnl(bar.close)) if bar and self.ledger.qty else 0.0
        return Metrics(
            realized_pnl=realized,
            unrealized_pnl=unrealized,
            fees=self._fees,
            funding=self._funding,
            max_drawdown=self._drawdown,
            num_orders=n["executed"],
            num_trades=self.ledger.trades,
            steps=bar.step + 1 if bar else 0,
            fill_rate=n["executed"] / n["generated"] if n["generated"] else None,
            orders_generated=n["generated"],
            orders_executed=n["executed"],
            orders_blocked_risk=n["blocked"],
            orders_rejected=n["rejected"],
            orders_open=max(0, n["generated"] - n["executed"] - n["blocked"] - n["rejected"]),
            equity_end=start + realized + unrealized,
            gaps=n["gaps"],
            bars_missing=n["missing"],
            risk_status=UNKNOWN if self._imported else LEVELS[self._level],
            deny_codes=dict(sorted(self._denied.items())),
            trading_state=self.trading_state,
        )


def figures(metrics: Metrics) -> dict[str, Any]:
    """Return metrics as a record keeps them: the trading state where it is another than ACTIVE, funding where it is known.

    Of an imported session nobody knows what was denied, so that it has no such figures.
    """
    found: dict[str, Any] = msgspec.to_builtins(metrics)
    if metrics.funding is None:
        del found["funding"]
    if metrics.trading_state == "ACTIVE":
        del found["trading_state"]
    if metrics.risk_status == UNKNOWN:
        del found["orders_blocked_risk"], found["deny_codes"]
    return found


def fold(events: Iterable[AnyEvent], start_balance: float = 0.0) -> Tally:
    """Return the tally of a whole journal; ``start_balance`` [quote ccy] counts if it ends before its first event."""
    tally = Tally(start_balance)
    for event in events:
        tally.add(event)
    return tally


def start_balance_of(record: SessionRecord) -> float:
    """Return the start balance of a record [quote ccy], 0 where it has none."""
    return finite(record.setting("start_balance")) or 0.0
