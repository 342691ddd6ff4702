"""What a session is made of before it runs: its plan, the desk it shares with others, a way to stop and to watch it."""

from __future__ import annotations

import signal as signals
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType
from typing import NamedTuple

from peaktrade_core.adapters.brokers import Broker
from peaktrade_core.adapters.feeds import Feed
from peaktrade_core.adapters.journal import GroupCommit
from peaktrade_core.adapters.registry import Registry
from peaktrade_core.adapters.runs import RunFolder
from peaktrade_core.adapters.trading_state import TradingStates
from peaktrade_core.domain.clock import Clock
from peaktrade_core.domain.records import SessionConfig
from peaktrade_core.policy.decision import Decision


class Progress(NamedTuple):
    """How far a session is, for whoever watches it run."""

    phase: str
    step: int
    total: int | None
    equity: float
    position: float
    at: datetime


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
    clock: Clock
    suffix: Callable[[str], str]
    commit: GroupCommit


class Plan(NamedTuple):
    """A session that is ready to start.

    Attributes:
        mode: ``shadow`` or ``testnet``; env_name: the venue it stands for.
    """

    config: SessionConfig
    decision: Decision
    mode: str
    env_name: str
    feed: Feed
    broker: Broker
    cli_args: tuple[str, ...] = ()
    tier: str = "core"
