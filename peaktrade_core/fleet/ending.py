"""Ending runs: ask, remind, and in the end kill - each process known by its identity, each record whole afterwards.

Source: runbook 5.2 (ask and wait) and 5.3 (the emergency way).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from signal import SIGKILL, SIGTERM, Signals

import msgspec

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.processes import send, this_host
from peaktrade_core.records.folder import RunFolder

REMIND_S = 1.5  # a run that has not obeyed the request by then gets a signal as well [s]
DYING_S = 5.0  # how long the system may take to clear a killed process away [s]
_POLL_S = 0.05


class EndedRun(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one run that was to end.

    Attributes:
        outcome: ``stopped`` (it obeyed), ``killed``, ``ended`` (nothing ran) or ``running`` (it could not be ended).
        status: what its record says now; seconds: how long it took [s].
        closed: what became of its position where it was to be closed; left_open: it is still open.
    """

    run_id: str
    outcome: str
    status: str | None = None
    seconds: float = 0.0
    message: str = ""
    closed: str = ""
    left_open: bool = False


class _Ending:
    """One run on its way out; each :meth:`step` does what is due."""

    def __init__(self, folder: RunFolder, deadline_s: float, force: bool) -> None:
        self.folder, self.force = folder, force
        self.begun = time.monotonic()
        self.deadline_s = 0.0 if force else deadline_s
        self.reminded = self.killed = False
        self.trouble = ""

    def step(self) -> EndedRun | None:
        """Return how it ended, None while it has not."""
        waited = time.monotonic() - self.begun
        if not self.folder.alive():
            return self._result("killed" if self.killed else "stopped", waited, self._how())
        if waited >= self.deadline_s and not self.killed:
            self.killed = self._signal(SIGKILL)
        elif waited >= REMIND_S and not self.reminded:
            self.reminded = True
            self._signal(SIGTERM)
        if waited >= self.deadline_s + (DYING_S if self.killed else REMIND_S):
            return self._result("running", waited, self.trouble or "it was killed and still holds its lock")
        return None

    def _signal(self, number: Signals) -> bool:
        """Send a signal to the run's own process and to no other; say why not where that fails."""
        host = self.folder.read_meta().get("host")
        who = self.folder.owner()
        if host not in (None, this_host()):
            self.trouble = f"its process is on {host}; it was asked to stop, but a signal can only be sent there"
        elif who is None:
            self.trouble = "its process cannot be told: neither meta.json nor heartbeat.json can be read"
        else:
            try:
                if send(who, number):
                    return True
                self.trouble = f"process {who.pid} is not the one that began this run; it was left alone"
            except EnvironmentFault as fault:
                self.trouble = str(fault)
        return False

    def _how(self) -> str:
        """Say in words how it ended."""
        if not self.killed:
            return "it obeyed"
        why = "as was asked for (--force)" if self.force else f"it had not obeyed within {self.deadline_s:g} s"
        return f"{why}; check open orders at the venue if it was a testnet run"

    def _result(self, outcome: str, waited: float, message: str) -> EndedRun:
        return EndedRun(run_id=self.folder.run_id, outcome=outcome, seconds=round(waited, 2), message=message)


def end_runs(
    folders: Sequence[RunFolder], *, by: str, reason: str, at: datetime, deadline_s: float, force: bool
) -> Iterator[EndedRun]:
    """End runs side by side and yield what became of each, as it happens.

    Args:
        folders: the runs.
        by, reason, at: who asks, why and when; they stand in the record.
        deadline_s: how long a run may take before its process is killed [s].
        force: kill at once.
    """
    pending, over = [], []
    for folder in folders:
        if folder.alive():
            ending = _Ending(folder, deadline_s, force)
            try:
                folder.ask_to_stop(by, reason, at)  # also before a kill: the record then says who wanted it
            except EnvironmentFault as fault:  # a full disk must not keep anything running
                ending.trouble = str(fault)
            pending.append(ending)
        else:
            over.append(EndedRun(run_id=folder.run_id, outcome="ended", message="its process had ended before"))
    yield from over
    while pending:
        for ending in tuple(pending):
            if result := ending.step():
                pending.remove(ending)
                yield result
        if pending:
            time.sleep(_POLL_S)
