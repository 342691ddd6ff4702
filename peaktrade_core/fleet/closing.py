"""Closing what ended runs left open: one reducing order each, journalled before it is sent, filled at the last price.

The emergency liquidation of the handbook's matrix (operational runbooks 11.2: anybody may, then the owner is informed). It
knows simulated fills and the venues of :func:`venue_broker`, which validate only or are a demo; it has no way to a live order.
A run closes nothing itself: it may be the one that hangs. So it ends first, or is killed, and then its journal goes on here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from peaktrade_core.base.errors import ConfigError, ExchangeError, PeaktradeError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.log import append
from peaktrade_core.fleet.ending import EndedRun
from peaktrade_core.halts.scope import STATES, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.chain import Adopted
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.records.registry import Registry, RegistryEntry
from peaktrade_core.session.planning import venue_broker
from peaktrade_core.session.recovery import Reckoning, close_run
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.costs import Market, fee, fill_price, market_of
from peaktrade_core.trading.market import Instrument, worth
from peaktrade_core.trading.ports import Broker, SimulatedBroker
from peaktrade_core.trading.records import SessionRecord, finite
from peaktrade_core.trading.tally import figures
from peaktrade_core.workspace.workspace import Workspace

EventT = TypeVar("EventT", bound=ev.AnyEvent)
NOT_CLOSED = "NOT CLOSED"
FLAT = "nothing was open"


def close_each(workspace: Workspace, ended: Iterable[EndedRun], *, by: str) -> Iterator[EndedRun]:
    """Close the position of each run as soon as it has ended, and yield what became of both.

    Args:
        workspace: where; ended: runs on their way out; by: who closes, for the operations log.
    """
    for one in ended:
        told = (
            f"{NOT_CLOSED}: it still runs"
            if one.outcome == "running"
            else close_run_position(workspace, one.run_id, by)
        )
        if told != FLAT:
            now = workspace.clock.now()
            try:
                TradingStates.of(workspace).note(f"fleet close {one.run_id} by {by}: {told}", now)
            except PeaktradeError as error:
                told = f"{told}, but {error}"
        yield msgspec.structs.replace(one, closed=told, left_open=told.startswith(NOT_CLOSED))


def close_run_position(workspace: Workspace, run_id: str, by: str) -> str:
    """Close what an ended run left open on a person's word, and return in words what became of it."""
    folder, entry = RunFolder(workspace.runs, run_id), Registry.of(workspace).find(run_id)
    if entry is None or entry.record is None:
        return FLAT  # it never began
    if not folder.path.is_dir() or not folder.acquire():
        return f"{NOT_CLOSED}: its run folder is gone, or a process works in it"
    try:
        return _close(workspace, folder, entry, by)
    except (PeaktradeError, msgspec.ValidationError) as error:
        return f"{NOT_CLOSED}: {error}; close it by hand and note it"
    finally:
        folder.release()


def _close(workspace: Workspace, folder: RunFolder, entry: RegistryEntry, by: str) -> str:
    """Close the position of a run whose lock is held, and make its record anew where the journal says more than it."""
    record = entry.record
    assert record is not None
    past = list(read_journal(folder.journal))
    reckoning = Reckoning(folder, record)
    reckoning.add(past)
    bar, symbol = reckoning.tally.last_bar, str(record.symbol)
    if bar is None:
        return FLAT
    desk = _desk(workspace, record)
    coming = _on_the_way(past) if desk.broker.asks_venue else []
    scribe = _Scribe(folder, len(past), workspace.clock.now())
    for one in coming:  # the venue filled them; only the next bar, at whose open they are booked, never came
        scribe.fill(desk.market, one, bar.close)
    qty = float(reckoning.tally.ledger.qty) + sum(order.qty for order in coming)
    if qty == 0.0:
        told = "closed by the order that was on its way" if coming else FLAT
    elif desk.state == STATES[-1]:
        level = float(STATES.index(desk.state))
        scribe.write(lambda seq, at: ev.Denial(seq, at, "HALTED", -qty, bar.close, level, 0.0))
        told = f"{NOT_CLOSED}: trading state {desk.state} lets nothing pass. Two people release it, or it is closed by hand"
    else:
        number = f"o{1 + sum(isinstance(event, ev.Order) for event in past)}"
        order = partial(ev.Order, order_id=number, purpose="close", qty=-qty, price=bar.close)
        placed = scribe.write(lambda seq, at: order(seq, at, notional=worth(symbol, qty, bar.close)))
        told = _ordered(scribe, desk, placed) or f"closed {qty:+g} {symbol} at {scribe.price:g}"
    reckoning.add(scribe.written)
    if told == FLAT and figures(reckoning.tally.metrics()) == record.metrics:
        return told
    try:
        _record(workspace, folder, entry, reckoning, told, by)
    except PeaktradeError as error:  # what was done is in the journal
        return f"{told}, but its record still says otherwise: {error}; the same command again mends that"
    return told


def _record(
    workspace: Workspace, folder: RunFolder, entry: RegistryEntry, reckoning: Reckoning, told: str, by: str
) -> None:
    """Make the record of a run anew from its journal; where it was as it was sealed, the person answers for the new one.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    record, registry, now = entry.record, Registry.of(workspace), workspace.clock.now()
    assert record is not None
    before = sha256_of(entry.path)
    sealed = {link.data.get("sha256") for link, _ in registry.chain.chain.links()}
    error = "; ".join(filter(None, (record.error, told)))
    close_run(folder, record, registry, reckoning, status=record.status, error=error, now=record.finished_at or now)
    if before in sealed:
        found = Adopted(entry.path.name, record.session_id, sha256_of(entry.path), folder.hashes())
        registry.chain.adopt([found], by, f"emergency closing: {told}", now)


class _Desk(NamedTuple):
    """With what a position is closed: broker, costs, and the trading state over it."""

    broker: Broker
    market: Market
    state: str


def _desk(workspace: Workspace, record: SessionRecord) -> _Desk:
    """Return what a run traded with, from its record.

    Raises:
        ConfigError: its venue is another than the configured one; ValidationError: its record names no instrument.
        ExchangeError: a testnet run without credentials.
    """
    instrument = msgspec.convert(record.setting("instrument"), Instrument)
    costs = {name: finite(record.setting(name)) or 0.0 for name in ("fee_bps", "slippage_bps", "position_fraction")}
    scope = Scope.of(record.mode, str(record.setting("strategy_name") or ""), str(record.symbol or ""))
    broker: Broker = SimulatedBroker()
    if record.mode != "shadow":
        venue = workspace.config.exchange.venue
        if record.env_name not in (venue, None):
            raise ConfigError(f"it traded on {record.env_name}, and [exchange] names {venue}")
        broker = venue_broker(workspace, instrument, str(record.symbol))
    return _Desk(broker, market_of(instrument, **costs), TradingStates.of(workspace).in_force(scope).state)


def _on_the_way(past: Sequence[ev.AnyEvent]) -> list[ev.Order]:
    """Return the orders that the venue took and whose simulated fill never came."""
    waiting, taken = dict[str, ev.Order](), set[str]()
    for event in past:
        if isinstance(event, ev.Order):
            waiting[event.order_id] = event
        elif isinstance(event, ev.VenueAnswer) and event.accepted:
            taken.add(event.order_id)
        elif isinstance(event, (ev.Fill, ev.Denial, ev.VenueAnswer)):
            waiting.pop(event.order_id or "", None)
    return [order for order in waiting.values() if order.order_id in taken]


class _Scribe:
    """Writes on in the journal of an ended run: whole lines or nothing, on the disk before anything is done.

    Attributes:
        written: the events so far; price: of the last fill [quote ccy]; now: the time of all of them.
    """

    def __init__(self, folder: RunFolder, seq: int, now: datetime) -> None:
        self._folder, self._seq, self.now = folder, seq, now
        self.written: list[ev.AnyEvent] = []
        self.price = 0.0

    def write(self, make: Callable[[int, datetime], EventT]) -> EventT:
        """Write the event of a number and a time, and return it.

        Raises:
            EnvironmentFault: it cannot be written; nothing was.
        """
        event = make(self._seq, self.now)
        append(self._folder.journal, lambda _: [msgspec.json.encode(event)])
        self._seq += 1
        self.written.append(event)
        return event

    def fill(self, market: Market, order: ev.Order, reference: float) -> None:
        """Book the simulated fill of an order at a price, worse by the slippage [quote ccy]."""
        price = self.price = fill_price(market, reference, order.qty)
        cost = fee(market, order.qty, price)
        self.write(lambda seq, at: ev.Fill(seq, at, order.order_id, order.purpose, order.qty, price, cost, reference))


def _ordered(scribe: _Scribe, desk: _Desk, placed: ev.Order) -> str:
    """Send and book the order that closes a position; return why it is still open, empty when it is closed."""
    if desk.broker.asks_venue:
        number = placed.order_id
        scribe.write(lambda seq, at: ev.Submission(seq, at, number))
        try:
            answer = desk.broker.submit(placed)
        except ExchangeError as error:
            told = f"{type(error).__name__}: {error}"
            scribe.write(lambda seq, at: ev.Failure(seq, at, told))
            return f"{NOT_CLOSED}: {told}; look at the venue's own page"
        scribe.write(lambda seq, at: ev.VenueAnswer(seq, at, number, answer.accepted, answer.message, answer.raw))
        if not answer.accepted:
            return f"{NOT_CLOSED}: the venue says: {answer.message}"
    scribe.fill(desk.market, placed, placed.price)
    return ""
