"""The trades of a run: its round trips, why each was opened and closed, and the figures over them.

One place for page, terminal, notebook, report, lab and API. The money is that of :mod:`peaktrade_core.trading.statistics`,
so what all trades realized is the realized PnL of the run. It knows no disk and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.runs.curves import BarColumns as Bars
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, Cell, Column, Columns, Table
from peaktrade_core.trading.events import AnyEvent, Fill, Order, Signal, Start
from peaktrade_core.trading.market import is_inverse, timeframe_seconds
from peaktrade_core.trading.records import IMPORTED
from peaktrade_core.trading.statistics import RoundTrip, Statistic, round_trips, statistics, trades

Why = Literal["signal", "reversal", "retry", "emergency", "unknown"]
WHY: dict[str, str] = {
    "signal": "signal",
    "reversal": "signal turned",
    "retry": "tried again",
    "emergency": "closed by hand",
    "unknown": "not told",
}
COLUMNS = "number side qty entry entry_price exit exit_price pnl bps duration opened closed fees"
SHOWN = ("trades", "win_rate", "profit_factor", "expectancy", "average_trade", "average_duration",
         "total_return", "exposure_time", "buy_and_hold")  # fmt: skip


class TradeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip, flat to flat, or the one that is still open.

    Attributes:
        number: from 1, in the order of their beginning.
        qty: everything that was entered [base units].
        entry_ts, exit_ts: first entry and last exit; without an exit null.
        entry_price, exit_price: averages over what was entered and left [quote ccy].
        fees: of all its fills [quote ccy]; realized_pnl: net of them, at average cost; unrealized_pnl: of what is still
            open at the last close, 0 once it is flat; pnl: both [quote ccy].
        bps: the PnL in basis points of what was entered.
        duration_seconds: from entry to exit, of an open one to the last bar [s].
        opened, closed: why: the strategy's ``signal``, its ``reversal`` into the opposite side, a ``retry`` after a denial
            or a refusal, by hand in an ``emergency``; ``unknown`` where the journal does not hold the order.
    """

    number: int
    state: Literal["open", "closed"]
    side: Literal["long", "short"]
    qty: float
    entry_ts: datetime
    exit_ts: datetime | None
    entry_price: float
    exit_price: float | None
    fees: float
    realized_pnl: float
    unrealized_pnl: float
    pnl: float
    bps: float | None
    duration_seconds: float | None
    opened: Why
    closed: Why | None


class TradeList(msgspec.Struct, frozen=True, kw_only=True):
    """The trades of a run and the figures over them.

    Attributes:
        currency: of the money; trades: oldest first; realized_pnl: of all of them, net of fees [quote ccy].
        figures: of the run, each with its unit and definition, value null where it is not defined.
        faults: what could not be read or computed, in sentences.
    """

    currency: str = ""
    trades: tuple[TradeRow, ...] = ()
    realized_pnl: float = 0.0
    figures: tuple[Statistic, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def shown(self) -> list[Statistic]:
        """The figures that stand beside the list of trades."""
        return [figure for figure in self.figures if figure.name in SHOWN]


def trade_rows(events: Iterable[AnyEvent], price: float | None, until: datetime | None) -> list[TradeRow]:
    """Return the trades that a journal's events tell of, oldest first.

    Args:
        events: in order; those of bars are not needed.
        price: the last close, at which an open trade is marked [quote ccy]; until: its time.
    """
    fills: list[Fill] = []
    reasons, inverse = _Reasons(), False
    for event in events:
        reasons.add(event)
        if type(event) is Fill:
            fills.append(event)
        elif type(event) is Start:
            inverse = is_inverse(str(event.config.get("symbol")))
    trips = round_trips(fills, inverse)
    return [_row(n, trip, reasons, price, until) for n, trip in enumerate(trips, 1)]


def trade_list(
    events: Sequence[AnyEvent], bars: Bars, timeframe: object, start_balance: float, currency: str
) -> TradeList:
    """Return the trades of a run with the figures over them.

    Args:
        events: of its journal; those of bars are not needed. bars: its bars as columns.
        timeframe: as it was recorded; start_balance: equity before the first bar [quote ccy].
    """
    seen = len(bars.ts) > 0
    price, until = (float(bars.price[-1]), from_seconds(float(bars.ts[-1]))) if seen else (None, None)
    rows = trade_rows(events, price, until)
    faults = list(bars.faults)
    figures: list[Statistic] = []
    try:
        if seen:
            figures = _figures(events, bars, timeframe_seconds(str(timeframe)), start_balance)
    except ConfigError as error:  # a foreign record may name a timeframe that we do not have
        faults.append(f"the figures over the trades cannot be computed: {error}")
    realized = sum(row.realized_pnl for row in rows)
    return TradeList(
        currency=currency, trades=tuple(rows), realized_pnl=realized, figures=tuple(figures), faults=tuple(faults)
    )


def _figures(events: Sequence[AnyEvent], bars: Bars, bar_s: float, start_balance: float) -> list[Statistic]:
    """Return the figures of a run."""
    inverse = any(type(event) is Start and is_inverse(str(event.config.get("symbol"))) for event in events[:1])
    done = trades((event for event in events if type(event) is Fill), inverse)
    return statistics(
        bars.ts, bars.equity, bars.position, done, start_balance=start_balance, bar_s=bar_s, close=bars.price
    )


class _Reasons:
    """Why orders were given and filled, by their ids."""

    def __init__(self) -> None:
        self._why: dict[str, Why] = {}
        self._told = True  # of what ran elsewhere nobody knows why
        self._signalled: datetime | None = None
        self._placed: Order | None = None  # the last one
        self._at: dict[str, datetime] = {}

    def add(self, event: AnyEvent) -> None:
        """Take one event into account."""
        if type(event) is Start:
            self._told = event.config.get("feed") != IMPORTED
        elif not self._told:
            return
        elif type(event) is Signal:
            self._signalled = event.ts
        elif type(event) is Order:
            before = self._placed
            self._at[event.order_id] = event.ts
            self._why[event.order_id] = "signal" if event.ts == self._signalled else "retry"
            turns = before is not None and before.ts == event.ts and before.purpose != event.purpose
            if turns and before is not None and event.ts == self._signalled:
                self._why[event.order_id] = self._why[before.order_id] = "reversal"
            self._placed = event
        elif type(event) is Fill and self._at.get(event.order_id) == event.ts:  # a run fills a bar after it decided
            self._why[event.order_id] = "emergency"

    def of(self, fill: Fill) -> Why:
        """Return why a fill's order was given."""
        return self._why.get(fill.order_id, "unknown")


def _row(number: int, trip: RoundTrip, reasons: _Reasons, price: float | None, until: datetime | None) -> TradeRow:
    """Return a round trip as it is shown."""
    is_open, last = trip.held > 0.0, trip.last
    ended = until if is_open or last is None else last.ts
    unrealized = trip.unrealized(price) if is_open and price is not None else 0.0
    pnl = trip.realized + unrealized
    return TradeRow(
        number=number,
        state="open" if is_open else "closed",
        side="long" if trip.side > 0 else "short",
        qty=trip.entered,
        entry_ts=trip.first.ts,
        exit_ts=last.ts if last else None,
        entry_price=trip.price(trip.entered, trip.cost),
        exit_price=trip.price(trip.left, trip.proceeds) if trip.left else None,
        fees=trip.fees,
        realized_pnl=trip.realized,
        unrealized_pnl=unrealized,
        pnl=pnl,
        bps=1e4 * pnl / trip.cost if trip.cost else None,
        duration_seconds=(ended - trip.first.ts).total_seconds() if ended else None,
        opened=reasons.of(trip.first),
        closed=None if is_open or last is None else reasons.of(last),
    )


def bps(value: float | None) -> str:
    """Return basis points as they are written: ``+12.3``."""
    if value is None:
        return wording.NOTHING
    rounded = round(value, 1)
    return f"{'+' if rounded > 0 else wording.MINUS if rounded < 0 else ''}{abs(rounded):,.1f}"


def figure_text(figure: Statistic, currency: str) -> str:
    """Return the value of a statistic as people read it, with its unit; ``not defined`` where there is none."""
    if figure.value is None:
        return "not defined"
    if figure.unit.startswith("fraction"):
        return wording.percent(figure.value) + (" a year" if figure.unit.endswith("year") else "")
    if figure.unit == "s":
        return wording.duration(figure.value)
    if figure.unit == "quote ccy":
        return wording.money(figure.value, currency)
    if figure.unit in ("trades", "bars"):
        return wording.count(figure.value) + (" bars" if figure.unit == "bars" else "")
    return wording.figure(figure.value, 2) + ("" if figure.unit == "ratio" else f" {figure.unit}")


def trades_table(found: TradeList, title: str, names: str = COLUMNS, *, most: int | None = None) -> Table:
    """Return trades as a table, the newest first, and below it what they come to.

    Args:
        names: of columns, separated by blanks; most: how many trades, all where it is None.
    """
    listed = found.trades[::-1][:most]
    newest = f"The newest {len(listed)} of {len(found.trades):,}." if len(listed) < len(found.trades) else ""
    note = " ".join(filter(None, [newest, told(found), *found.faults]))
    empty = "; ".join(found.faults) or "No order was filled, so there is no trade."
    return trade_columns(found.currency).table(title, listed, names, note=note, empty=empty)


def told(found: TradeList) -> str:
    """Return what trades come to, in a sentence."""
    figure = {one.name: figure_text(one, found.currency) for one in found.figures if one.value is not None}
    said = [
        f"{wording.many(len(found.trades), 'trade')} realized {wording.signed(found.realized_pnl, found.currency)} net of fees"
    ]
    for name, text in (("win_rate", "{} won"), ("profit_factor", "profit factor {}"), ("average_trade", "{} on average"),
                       ("average_duration", "held {} on average"), ("exposure_time", "in the market {} of the bars"),
                       ("buy_and_hold", "holding it would have brought {}")):  # fmt: skip
        if name in figure:
            said.append(text.format(figure[name]))
    return ", ".join(said) + "."


def statistics_table(figures: Iterable[Statistic], currency: str, title: str = "", *, empty: str = "") -> Table:
    """Return figures with their definitions, money in ``currency``; which are held back, and until when, is below."""
    listed = list(figures)
    columns = Columns[Statistic](
        statistic=Column("Statistic", name_of),
        value=Column("Value", lambda one: figure_text(one, currency), "number"),
        definition=Column("Definition", form="words", priority=1),
    )
    waiting: dict[str, list[str]] = {}
    for one in listed:
        if one.held:
            waiting.setdefault(one.held, []).append(name_of(one))
    note = "; ".join(f"{', '.join(names)}: {held}" for held, names in waiting.items())
    return columns.table(title, (one for one in listed if not one.held), note=note, empty=empty)


def name_of(figure: Statistic) -> str:
    """Return the name of a statistic in words."""
    return figure.name.replace("_", " ")


def trade_columns(currency: str) -> Columns[TradeRow]:
    """Return the columns of a list of trades whose money is of a currency."""

    def money(value: float) -> Cell:
        return Cell(
            wording.signed(value, currency, code=False),
            {"pos": GOOD, "neg": BAD}.get(wording.sign_class(value, currency), ""),
        )

    return Columns[TradeRow](
        number=Column("No.", form="number"),
        side=Column("Side"),
        qty=Column("Size", lambda row: wording.figure(row.qty), "number", 4),
        entry=Column("Entry (UTC)", lambda row: row.entry_ts, priority=1),
        exit=Column("Exit (UTC)", lambda row: row.exit_ts or "open", priority=5),
        entry_price=Column("Entry at", lambda row: wording.price(row.entry_price), "number", 2),
        exit_price=Column("Exit at", lambda row: wording.price(row.exit_price), "number", 2),
        pnl=Column(f"PnL {currency}".strip(), lambda row: money(row.pnl), "number"),
        bps=Column("bps", lambda row: bps(row.bps), "number", 1),
        duration=Column("Duration", lambda row: wording.duration(row.duration_seconds), "number", 3),
        opened=Column("Opened by", lambda row: WHY[row.opened], priority=6),
        closed=Column("Closed by", lambda row: WHY[row.closed] if row.closed else "still open", priority=3),
        fees=Column("Fees", lambda row: wording.money(row.fees, currency, code=False), "number", 7),
    )  # fmt: skip
