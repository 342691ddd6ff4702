"""Live operations: the orders and the positions of what runs now, over all sessions, from the ends of their journals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show.table import BAD, GOOD, Cell, Column, Columns
from peaktrade_core.show.wording import REALIZED, TOTAL, UNREALIZED, money, price, quote_currency, signed
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.limit_use import refusal
from peaktrade_core.trading.market import worth

OPEN, FILLED, DENIED, REJECTED = "open", "filled", "denied", "rejected"
TAIL = 400  # events of a run that are looked at; an order is decided within two bars
RECENT = timedelta(hours=24)
MOST_RUNS = 200


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """An order of a session.

    Attributes:
        state: ``open`` (sent and not yet filled), ``filled``, ``denied`` by us or ``rejected`` by the venue.
        running: whether its session still runs; what is open in a session that ended stays open.
        qty: signed [base units]; price: fill, or reference while open [quote ccy]; notional: [quote ccy].
        told: deny code with its figures, or the venue's words.
    """

    run_id: str
    mode: str
    symbol: str | None
    strategy: str | None
    running: bool
    order_id: str
    at: datetime
    purpose: str
    qty: float
    price: float
    notional: float
    state: str
    told: str = ""


_TONES = {FILLED: GOOD, DENIED: BAD, REJECTED: BAD}
ORDERS = Columns[OrderLine](
    at=Column("At (session's UTC)", lambda o: o.at),
    session=Column("Session", lambda o: o.run_id),
    runs=Column("Running", lambda o: o.running, priority=3),
    order=Column("Order", lambda o: o.order_id, priority=2),
    symbol=Column("Symbol"),
    purpose=Column("Purpose", priority=3),
    qty=Column("Quantity", lambda o: f"{o.qty:+.8g}", "number"),
    price=Column("Price", lambda o: price(o.price), "number", 1),
    state=Column("State", lambda o: Cell(o.state, _TONES.get(o.state, ""))),
    told=Column("Told", lambda o: Cell(o.told), "words"),
)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What running sessions hold of one symbol in one mode.

    Attributes:
        position: net [base units]; price: last close; exposure: gross, of all sessions [quote ccy].
        realized_pnl, unrealized_pnl, total_pnl: of these sessions [quote ccy].
        unknown: sessions whose figures cannot be read.
    """

    mode: str
    symbol: str
    currency: str
    sessions: int
    position: float
    price: float | None
    exposure: float
    realized_pnl: float
    unrealized_pnl: float
    total_pnl: float
    unknown: int


POSITIONS = Columns[Position](
    mode=Column("Mode"),
    symbol=Column("Symbol"),
    sessions=Column("Sessions", form="number", priority=2),
    position=Column("Position", lambda p: f"{p.position:g}", "number"),
    price=Column("Price", lambda p: price(p.price, p.currency), "number", 1),
    exposure=Column("Exposure", lambda p: money(p.exposure, p.currency), "number"),
    total=Column(TOTAL, lambda p: signed(p.total_pnl, p.currency), "number"),
    realized=Column(REALIZED, lambda p: signed(p.realized_pnl, p.currency), "number"),
    unrealized=Column(UNREALIZED, lambda p: signed(p.unrealized_pnl, p.currency), "number"),
    unknown=Column("", lambda p: Cell(f"{p.unknown} unknown", BAD) if p.unknown else Cell("")),
)


class Orders(msgspec.Struct, frozen=True):
    """Orders, newest first, and the runs whose journals could not be read."""

    lines: list[OrderLine]
    faults: list[str]


def orders(views: Views, *, only_open: bool = False) -> Orders:
    """Return the last orders of running sessions and of those that ended in the last 24 hours.

    Args:
        views: the read side.
        only_open: leave out what was filled, denied or rejected.
    """
    lines: list[OrderLine] = []
    faults: list[str] = []
    since = views.now() - RECENT
    for run in views.runs(MOST_RUNS):
        if run.active or (run.ended_at or run.last_event_at or since) > since:
            try:
                lines += orders_of(run, views.tail_events(run.run_id, TAIL))
            except ArtefactError as fault:
                faults.append(f"{run.run_id}: {fault}")
    chosen = [line for line in lines if line.state == OPEN or not only_open]
    return Orders(sorted(chosen, key=lambda line: (line.at, line.run_id), reverse=True), faults)


def orders_of(run: Run, events: Iterable[ev.AnyEvent]) -> list[OrderLine]:
    """Return the orders that some events of a run tell of, oldest first."""
    found: dict[str, OrderLine] = {}
    for number, event in enumerate(events):
        if isinstance(event, ev.Order):
            found[event.order_id] = _line(run, event.order_id, event, event.purpose, event.price, OPEN)
        elif isinstance(event, ev.Fill):
            found[event.order_id] = _line(run, event.order_id, event, event.purpose, event.price, FILLED)
        elif isinstance(event, ev.Denial):
            key = event.order_id or f"denied {number}"
            told = refusal(event.code, event.value, event.limit, run.symbol)
            found[key] = _line(run, event.order_id or "", event, "open", event.price, DENIED, told)
        elif isinstance(event, ev.VenueAnswer) and event.order_id in found:
            state = found[event.order_id].state if event.accepted else REJECTED
            found[event.order_id] = msgspec.structs.replace(found[event.order_id], state=state, told=event.message)
    return list(found.values())


def _line(
    run: Run,
    order_id: str,
    event: ev.Order | ev.Fill | ev.Denial,
    purpose: str,
    price: float,
    state: str,
    told: str = "",
) -> OrderLine:
    """Return an order as a line."""
    return OrderLine(
        run_id=run.run_id,
        mode=run.mode,
        symbol=run.symbol,
        strategy=run.strategy,
        running=run.active,
        order_id=order_id,
        at=event.ts,
        purpose=purpose,
        qty=event.qty,
        price=price,
        notional=worth(run.symbol, event.qty, price),
        state=state,
        told=told,
    )


def portfolio(runs: Iterable[Run]) -> list[Position]:
    """Return what the running sessions among ``runs`` hold, by mode and symbol."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.active:
            groups.setdefault((run.kind, run.symbol or ""), []).append(run)
    return [_position(mode, symbol, rows) for (mode, symbol), rows in sorted(groups.items())]


def _position(mode: str, symbol: str, rows: list[Run]) -> Position:
    """Return what sessions hold of one symbol."""
    newest = max(rows, key=lambda row: (row.price is not None, row.last_event_at or row.started_at, row.run_id))
    return Position(
        mode=mode,
        symbol=symbol,
        currency=quote_currency(symbol),
        sessions=len(rows),
        position=sum(row.position or 0.0 for row in rows),
        price=newest.price,
        exposure=sum(row.exposure or 0.0 for row in rows),
        realized_pnl=sum(row.realized_pnl or 0.0 for row in rows),
        unrealized_pnl=sum(row.unrealized_pnl or 0.0 for row in rows),
        total_pnl=sum(row.total_pnl or 0.0 for row in rows),
        unknown=sum(row.position is None for row in rows),
    )
