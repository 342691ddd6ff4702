"""What a session is made of before it runs: its plan, the desk it shares with others, a way to stop and to watch it."""

from __future__ import annotations

import signal as signals
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from types import FrameType
from typing import NamedTuple

import msgspec

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.changes.book import Changes
from peaktrade_core.halts.account import Seat
from peaktrade_core.halts.gate import HaltGate
from peaktrade_core.halts.scope import STATES, Scope
from peaktrade_core.halts.shares import AccountFile
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.trading import book as bk
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import Instrument
from peaktrade_core.trading.ports import Broker, Feed
from peaktrade_core.trading.records import REHEARSAL, SessionConfig
from peaktrade_core.trading.tally import UNKNOWN
from peaktrade_core.workspace.settings import GroupCommit
from peaktrade_core.workspace.workspace import Workspace


class Progress(NamedTuple):
    """How far a session is, for whoever watches it run.

    Attributes:
        phase: ``starting``, ``warm-up``, ``running`` or ``ended``; step: bars traded, of total where that is known.
        at: the session's time; price: last close, None before the first bar.
        equity, realized_pnl, unrealized_pnl, exposure: [quote ccy]; position: signed [base units]; max_drawdown: [fraction].
        orders_blocked: denied so far; rejects: refused by the venue in a row; events: in the journal.
        last_error: the last fault, or the last thing that the feed had to tell; run_id: of the run.
    """

    phase: str
    step: int
    total: int | None
    equity: float
    position: float
    at: datetime
    price: float | None = None
    realized_pnl: float = 0.0
    unrealized_pnl: float = 0.0
    max_drawdown: float = 0.0
    orders_blocked: int = 0
    rejects: int = 0
    trading_state: str = "ACTIVE"
    events: int = 0
    last_error: str | None = None
    run_id: str = ""
    exposure: float = 0.0


def progress_of(
    book: Slots,
    phase: str,
    step: int,
    total: int | None,
    at: datetime,
    price: float | None,
    blocked: int,
    events: int,
    last_error: str | None,
) -> Progress:
    """Return how far a session is, its figures from its book."""
    return Progress(
        phase,
        step,
        total,
        book[bk.EQUITY],
        book[bk.QTY],
        at,
        price,
        book[bk.REALIZED],
        book[bk.UNREALIZED],
        book[bk.MAX_DRAWDOWN],
        blocked,
        int(book[bk.REJECTS]),
        STATES[int(book[bk.STATE])],
        events,
        last_error,
        exposure=bk.notional(book, book[bk.QTY], price or 0.0),
    )


def coarse_tick(config: SessionConfig, price: float) -> str:
    """Return what is odd about trading at a price of a live feed with the session's tick, or an empty string.

    Raises:
        ConfigError: the price is less than one tick.
    """
    return msgspec.convert(config.instrument, Instrument).fit(config.symbol, price)


NO_FUNDING = "NO_FUNDING"  # the notice that nobody tells the funding of a perpetual contract
FUNDING_UNKNOWN = "its feed tells no funding: none is in any figure of this session"


def odd_of(plan: Plan, price: float) -> list[tuple[str, str]]:
    """Return what is odd about a session at its first price [quote ccy]: a code and a sentence each, for its journal.

    Raises:
        ConfigError: the price of a live feed is less than one tick.
    """
    odd = "" if plan.feed.simulated else coarse_tick(plan.config, price)
    found = [("COARSE_TICK", odd)] if odd else []
    return [*found, (NO_FUNDING, FUNDING_UNKNOWN)] if plan.config.instrument.get("funding") == UNKNOWN else found


class Stop:
    """A request to end, from a signal or another thread; waiting on it ends at once when it comes."""

    def __init__(self) -> None:
        # Re-entrant: a signal is handled in the thread that may hold the lock just now, inside wait().
        self._changed = threading.Condition(threading.RLock())
        self.requested = False  # whether somebody asked
        self.reason = ""

    def request(self, reason: str) -> None:
        """Ask the session to end after the bar it is at."""
        with self._changed:
            self.reason = self.reason or reason
            self.requested = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until somebody asks."""
        with self._changed:
            if not self.requested:
                self._changed.wait(max(0.0, seconds))

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a request inside the block (main thread only; elsewhere does nothing)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, _: FrameType | None) -> None:
            self.request(signals.Signals(number).name)

        before = {number: signals.signal(number, handle) for number in (signals.SIGINT, signals.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signals.signal(number, handler)


class Desk(NamedTuple):
    """What sessions share on this workspace: where they write, what time it is, what may be traded."""

    runs: Callable[[str], RunFolder]
    registry: Registry
    states: TradingStates
    account: AccountFile
    clock: Clock
    suffix: Callable[[str], str]
    commit: GroupCommit
    governance: Callable[[], str | None]

    @classmethod
    def of(cls, workspace: Workspace) -> Desk:
        """Return what the sessions of a workspace share."""
        folder, registry, states = (
            partial(RunFolder, workspace.runs),
            Registry.of(workspace),
            TradingStates.of(workspace),
        )
        shares, clock, suffix = AccountFile.of(workspace), workspace.clock, workspace.suffix
        governance = Changes.of(workspace).governance
        return cls(folder, registry, states, shares, clock, suffix, workspace.config.journal, governance)


class Outside(NamedTuple):
    """What a session asks beside its feed and its broker: the gate of its trading state, its seat at the account."""

    gate: HaltGate
    seat: Seat


RELEASE_IT = "find the cause, then release it: `peaktrade risk status` names what is halted"


class Plan(NamedTuple):
    """A session that is ready to start.

    Attributes:
        mode: ``shadow`` or ``testnet``; env_name: the venue that is asked, or the feed where none is.
        session_id: given by whoever started it, or None for one of its own.
        tier: of the strategy, as it holds in the workspace; rehearsal: it is practice, and never counted.
        remarks: what a person should know of it before.
    """

    config: SessionConfig
    decision: Decision
    mode: str
    env_name: str
    feed: Feed
    broker: Broker
    cli_args: tuple[str, ...] = ()
    tier: str = "core"
    session_id: str | None = None
    remarks: tuple[str, ...] = ()
    rehearsal: bool = False

    @property
    def account(self) -> str:
        """Whose money it shares, beside the currency: its mode's; practice has an account of its own."""
        return REHEARSAL if self.rehearsal else self.mode

    @property
    def run_type(self) -> str:
        """What its record calls it."""
        return REHEARSAL if self.rehearsal else f"live_session_{self.mode}"

    @property
    def scope(self) -> Scope:
        """The scope of what it trades."""
        return Scope.of(self.mode, self.config.strategy_name, self.config.symbol)


def refuse_halted(states: TradingStates, plan: Plan) -> None:
    """Refuse a session that may not trade.

    Raises:
        ConfigError: a halt or the kill switch forbids its orders.
        ArtefactError: the log of halts or the ledger cannot be trusted, which forbids every order.
    """
    state = states.in_force(plan.scope)
    if state.level:
        kind = ArtefactError if states.look().doubt else ConfigError
        raise kind(f"not started: {state.told} - {RELEASE_IT}. To observe without trading: --although-halted")
