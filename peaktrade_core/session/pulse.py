"""What a running session tells and asks about itself a few times a second: its heartbeat, and whether to stop."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from peaktrade_core.base.processes import Identity, this_process
from peaktrade_core.records.folder import Heartbeat, RunFolder
from peaktrade_core.session.plan import Progress, Stop

BEAT_S = 1.0  # between two heartbeats [s of wall clock]


class Pulse:
    """The heartbeat of one session, written beside its journal. It never ends the session: the journal is what counts."""

    def __init__(self, folder: RunFolder, stop: Stop) -> None:
        self._folder, self._stop = folder, stop
        self._who: Identity = this_process()
        self._next = 0.0
        self._phase = ""

    def __call__(self, now: Progress) -> None:
        """Write the heartbeat when it is due, and pass on what somebody asks of the run."""
        if not self._stop.requested and (asked := self._folder.stop_request()):
            self._stop.request(f"{asked.by}: {asked.reason}")
        at = time.monotonic()
        if at >= self._next or now.phase != self._phase:
            self._next, self._phase = at + BEAT_S, now.phase
            self._beat(now)

    def _beat(self, now: Progress) -> None:
        """Write one heartbeat; where that fails it is missing, which whoever watches sees."""
        beat = Heartbeat(
            at=datetime.now(UTC),  # the machine's: a fixed clock counts questions, not seconds
            pid=self._who.pid,
            started=self._who.started,
            step=now.step,
            bar_ts=now.at if now.price is not None else None,
            price=now.price,
            position=now.position,
            exposure=now.exposure,
            equity=now.equity,
            realized_pnl=now.realized_pnl,
            unrealized_pnl=now.unrealized_pnl,
            max_drawdown=now.max_drawdown,
            orders_blocked=now.orders_blocked,
            rejects=now.rejects,
            trading_state=now.trading_state,
            phase=now.phase,
            events=now.events,
            last_error=now.last_error,
        )
        try:
            self._folder.beat(beat)
        except OSError:
            return
