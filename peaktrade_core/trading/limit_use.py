"""How much of each risk limit a session used, from its events alone.

Pure, and in step with :mod:`peaktrade_core.trading.risk`: a size or exposure above its limit is red, so is a loss that
reached its limit; from ``warning_threshold_factor`` of a limit on a size, exposure, loss or drawdown is yellow. What was
denied counts as well, because the denial is the answer to it. So the worst level is the session's ``risk_status``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.events import AnyEvent, BarDone, Denial, Fill, Halt, Order, Start
from peaktrade_core.trading.margin import distance_at, margin_of
from peaktrade_core.trading.market import is_inverse
from peaktrade_core.trading.risk import above, reached, too_close

DENIED_FIGURES = {
    "MAX_ORDER_NOTIONAL": "max_order_notional",
    "MAX_SYMBOL_EXPOSURE": "max_symbol_exposure_notional",
    "MAX_TOTAL_EXPOSURE": "max_total_exposure_notional",
}


QUOTE = "quote"
_UNITS = {"pct": "%", "s": "s", "notional": QUOTE, "abs": QUOTE}  # by the end of a limit's name
_UNITS_OF = {  # of the figures behind a deny code; others count something
    "MAX_ORDER_NOTIONAL": QUOTE,
    "MAX_SYMBOL_EXPOSURE": QUOTE,
    "MAX_TOTAL_EXPOSURE": QUOTE,
    "MAX_DAILY_LOSS_ABS": QUOTE,
    "MAX_DAILY_LOSS_PCT": "%",
    "MAX_DRAWDOWN_HALT": "%",
    "PRICE_COLLAR": "%",
    "LIQUIDATION_DISTANCE": "%",
    "STALE_PRICE": "s",
    "DUPLICATE_ORDER": "s",
}
_SAY_ALL = ("HALTED", "REDUCING_ONLY", "ACCOUNT_UNAVAILABLE")  # codes whose figures are no figures for people


def limit_told(name: str, value: float, symbol: str | None = None) -> str:
    """Return a limit with its unit: ``1,000 EUR``, ``10 %``; an amount has none without a symbol."""
    return _with_unit(value, _UNITS.get(name.rpartition("_")[2], ""), symbol)


def limits_told(limits: Mapping[str, object], symbol: str | None = None) -> str:
    """Return limits in a line, each with its unit; what is no figure, in a foreign record, as it is."""
    told = {n: limit_told(n, v, symbol) if isinstance(v, (int, float)) else str(v) for n, v in limits.items()}
    return ", ".join(f"{name} {value}" for name, value in told.items())


def refusal(code: str, value: float | None, limit: float | None, symbol: str | None = None) -> str:
    """Return why an order was denied or a session halted: ``MAX_DRAWDOWN_HALT: 10.2 % against 10 %``.

    Args:
        code: of the denial; value: the figure; limit: what it was measured against; None where it is not known.
        symbol: whose quote currency amounts are in, None where it is not known.
    """
    if value is None or code in _SAY_ALL:
        return code
    unit = _UNITS_OF.get(code, "")
    measured = f"{value:,.2f} {unit}" if unit in ("%", "s") else _with_unit(value, unit, symbol)
    against = "" if limit is None else f" against {_with_unit(limit, unit, symbol)}"
    return f"{code}: {measured}{against}"


def _with_unit(value: float, unit: str, symbol: str | None) -> str:
    if unit == QUOTE:  # of an inverse contract, too: BTC/USD:BTC has its limits in USD
        unit = (symbol or "").partition("/")[2].partition(":")[0].partition("-")[0]
    told = f"{value:,.{4 if abs(value) >= 0.01 else 8}f}".rstrip("0").rstrip(".")
    return f"{told} {unit}".rstrip()


class LimitUse(NamedTuple):
    """The most that was used of one limit.

    Attributes:
        name: of the limit in the configuration; what: the figure in words; unit: of both figures.
        share: used / limit [fraction]; level: green, yellow or red.
    """

    name: str
    what: str
    used: float
    limit: float
    unit: str
    share: float
    level: str


class _Peaks:
    """The largest figures seen so far, and the newest."""

    def __init__(self) -> None:
        self.most: dict[str, float] = {}
        self.now: dict[str, float] = {}
        self.entries: dict[date, int] = {}
        self._day: date | None = None
        self._inverse = False
        self._market: Market | None = None
        self.nearest: float | None = None  # to liquidation [% of the price]
        self._day_equity = self._peak = self._equity = 0.0
        self._sent = self._closing = 0.0  # what this bar's orders open [quote ccy] and close [base units]

    def add(self, event: AnyEvent) -> None:
        """Take one event into account."""
        if type(event) is BarDone:
            self._bar(event)
        elif isinstance(event, Order) and event.purpose == "open":
            self._raise("max_order_notional", event.notional)
            self._sent = event.notional
            self.entries[event.ts.date()] = self.entries.get(event.ts.date(), 0) + 1
        elif isinstance(event, Order):
            self._closing = event.qty
        elif isinstance(event, Fill) and event.purpose == "open":
            self._raise("max_order_notional", abs(event.qty) * (1.0 if self._inverse else event.price))
        elif isinstance(event, Denial) and event.code in DENIED_FIGURES and event.value is not None:
            self._raise(DENIED_FIGURES[event.code], event.value)
        elif isinstance(event, Halt) and event.code == "CONSECUTIVE_REJECTS" and event.value is not None:
            self._raise("max_consecutive_rejects", event.value)
        elif isinstance(event, Start):
            self._equity = self._peak = float(event.config["start_balance"])
            self._inverse = is_inverse(str(event.config.get("symbol")))
            self._market = margin_of(event.config)

    @property
    def least(self) -> float:
        """The smallest allowed distance to liquidation [% of the price]."""
        return self._market.least_distance if self._market else 0.0

    def _bar(self, bar: BarDone) -> None:
        if bar.ts_bar.date() != self._day:
            self._day, self._day_equity = bar.ts_bar.date(), self._equity
        self._equity, self._peak = bar.equity, max(self._peak, bar.equity)
        exposure = abs(bar.position_size + self._closing) * (1.0 if self._inverse else bar.close) + self._sent
        self._sent = self._closing = 0.0
        loss = self._day_equity - bar.equity
        if (distance := distance_at(self._market, bar)) is not None:
            self.nearest = distance if self.nearest is None else min(self.nearest, distance)
        self._raise("max_symbol_exposure_notional", exposure)
        self._raise("max_total_exposure_notional", exposure)
        self._raise("max_daily_loss_abs", loss * bar.close if self._inverse else loss)
        self._raise("max_daily_loss_pct", 100.0 * loss / self._day_equity)
        self._raise("max_drawdown_halt_pct", 100.0 * (1.0 - bar.equity / self._peak))

    def _raise(self, name: str, value: float) -> None:
        self.now[name] = max(0.0, value)
        self.most[name] = max(self.most.get(name, 0.0), value)


_CHECK, _SIZE, _LOSS = "pre-trade check", "size", "loss"  # a check knows no yellow; a loss is red when reached
_SHOWN = (
    ("max_order_notional", "largest opening order", QUOTE, _SIZE),
    ("max_symbol_exposure_notional", "largest exposure in the symbol", QUOTE, _SIZE),
    ("max_total_exposure_notional", "largest exposure of this session", QUOTE, _SIZE),
    ("max_daily_loss_abs", "largest loss since 00:00 UTC", QUOTE, _LOSS),
    ("max_daily_loss_pct", "the same, of the day's first equity", "%", _LOSS),
    ("max_drawdown_halt_pct", "largest drawdown on marked equity", "%", _LOSS),
    ("max_consecutive_rejects", "refused by the venue in a row, when it halted", "orders", _LOSS),
    ("max_entries_per_day", "most opening orders in a UTC day", "orders", _CHECK),
)


COURSES = {  # what of a limit is used from bar to bar, in words
    "max_total_exposure_notional": "exposure",
    "max_daily_loss_abs": "loss since 00:00 UTC",
    "max_drawdown_halt_pct": "drawdown",
}


def courses_of(events: Iterable[AnyEvent], limits: Mapping[str, float]) -> dict[str, list[float]]:
    """Return how much of exposure, daily loss and drawdown was used at each bar, by name of the limit [fraction].

    Args:
        events, limits: as for :func:`limits_used`.
    """
    peaks = _Peaks()
    found: dict[str, list[float]] = {name: [] for name in COURSES if limits.get(name, 0.0) > 0.0}
    for event in events:
        peaks.add(event)
        if type(event) is BarDone:
            for name, shares in found.items():
                shares.append(peaks.now.get(name, 0.0) / limits[name])
    return found


def share_of(event: Denial | Halt) -> float:
    """Return how much of its limit a denied order, or what halted the session, would have used [fraction]; 1 where untold."""
    return event.value / event.limit if event.value is not None and event.limit else 1.0


def limits_used(events: Iterable[AnyEvent], limits: Mapping[str, float]) -> list[LimitUse]:
    """Return the most that was used of each limit, in the order in which people read them.

    Args:
        events: of the whole session, in order.
        limits: as the session's configuration has them; one that is missing, as in old records, is left out.
    """
    peaks = _Peaks()
    for event in events:
        peaks.add(event)
    peaks.most["max_entries_per_day"] = float(max(peaks.entries.values(), default=0))
    used = _against(limits, {name: peaks.most.get(name, 0.0) for name, *_ in _SHOWN})
    return [*used, _distance(peaks.nearest, peaks.least, limits)] if peaks.nearest is not None else used


def _distance(nearest: float, least: float, limits: Mapping[str, float]) -> LimitUse:
    """Return how near a position came to its liquidation: a limit from below, so the share is the limit's of the distance."""
    share = least / nearest if nearest > 0.0 else math.inf
    warned = share >= limits.get("warning_threshold_factor", 0.8)
    level = "red" if too_close(nearest, least) else "yellow" if warned else "green"
    return LimitUse(
        "min_liquidation_distance_pct", "nearest to liquidation, at least", nearest, least, "%", share, level
    )


def limits_of_now(exposure: float | None, drawdown: float | None, limits: Mapping[str, float]) -> list[LimitUse]:
    """Return how much of its limits a session uses just now, as far as its heartbeat tells.

    Args:
        exposure: [quote ccy]; drawdown: the largest so far [fraction]; None where it is not known, and is left out.
        limits: as the session's configuration has them.
    """
    used: dict[str, float] = {}
    if exposure is not None:
        used |= {"max_symbol_exposure_notional": exposure, "max_total_exposure_notional": exposure}
    if drawdown is not None:
        used["max_drawdown_halt_pct"] = 100.0 * drawdown
    return _against(limits, used)


def _against(limits: Mapping[str, float], most: Mapping[str, float]) -> list[LimitUse]:
    """Return figures against their limits, as far as both are known."""
    warn = limits.get("warning_threshold_factor", 0.8)
    found = []
    for name, what, unit, kind in _SHOWN:
        if name in limits and name in most:
            used, limit = most[name], limits[name]
            red = reached(used, limit) if kind == _LOSS else above(used, limit)
            level = "red" if red else "yellow" if kind != _CHECK and reached(used, warn * limit) else "green"
            found.append(LimitUse(name, what, used, limit, unit, used / limit, level))
    return found
