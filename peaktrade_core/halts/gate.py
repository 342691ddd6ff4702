"""The gate of one session: which trading state it obeys, and the halt that it latches when it must."""

from __future__ import annotations

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.halts.scope import GLOBAL, Scope, TradingState
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.trading import book as bk
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.risk import HALTED


class HaltGate:
    """Brings the state on the disk into a session's book, and the session's own halt to the disk.

    Args (of the constructor):
        states: the trading states.
        scope: of the session; it obeys the global one as well.
        run_id: who latches.
    """

    def __init__(self, states: TradingStates, scope: Scope, run_id: str, clock: Clock) -> None:
        self._states, self._scope, self._run_id, self._clock = states, scope, run_id, clock
        self._now = TradingState(scope=GLOBAL.text)
        self._unsaved = False

    def obey(self, book: Slots) -> TradingState | None:
        """Take over the strictest state from the disk and return it where it changed.

        When a person loosens it, the drawdown halt and the count of rejections are armed anew from here.
        """
        state = self._states.in_force(self._scope)
        level = float(state.level)
        changed = (state.state, state.reason) != (self._now.state, self._now.reason)
        if changed:
            if level < self._now.level:
                rearm(book)
            self._now = state
        book[bk.STATE] = max(level, HALTED) if self._unsaved else level
        return state if changed else None

    def latch(self, reason: str) -> PeaktradeError | None:
        """Write the session's halt to the log of halts, where it outlives it; return what kept it from there.

        The halt then holds for the rest of the session. What is stricter already is never loosened.
        """
        try:
            if self._states.read(self._scope).level <= HALTED:
                by = f"session {self._run_id}"
                after = self._states.set(self._scope, "HALTED", by=by, reason=reason, now=self._clock.now())
                self._now = after if after.by == by else self._now
        except PeaktradeError as fault:
            self._unsaved = True
            return fault
        return None


def rearm(book: Slots) -> None:
    """Count drawdown and rejections from here on."""
    book[bk.PEAK], book[bk.DRAWDOWN], book[bk.REJECTS] = book[bk.EQUITY], 0.0, 0.0
