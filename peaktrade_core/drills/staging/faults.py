"""Bringing a scenario's faults into the world when they are due: into the venue, or into the session's own process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.drills.drill import Fault, Noted, Scenario
from peaktrade_core.drills.staging.site import BAR_S
from peaktrade_core.testing.faults import VenueFault
from peaktrade_core.testing.rules import FaultRule
from peaktrade_core.testing.venue import LoopbackVenue
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.ports import Feed, Item

_CANDLES, _ORDERS, _ALL = "OHLC", "AddOrder", ""
_SAID: Mapping[str, str] = {
    "disconnect": "every connection to the venue breaks",
    "rate_limit": "the venue says that we ask too often",
    "bad_key": "the venue refuses our key",
    "reject_storm": "the venue refuses every order",
    "gap": "the venue has no candles for a while",
    "outlier": "one candle is far from the rest",
    "clock_skew": "the venue's clock is off",
    "pnl_drop": "the market falls",
    "failed_channel": "the pager's channel is dead",
    "crash": "the session's process is killed",
    "full_disk": "the journal can grow no more",
    "small_limit": "a limit stands below the size of one order",
}


class Injector:
    """Brings faults into a venue when they are due, and takes them out when they are over.

    Attributes:
        noted: what was injected so far, with its time.
    """

    def __init__(
        self, scenario: Scenario, venue: LoopbackVenue, began: float, keep: Callable[[Sequence[Noted]], None]
    ) -> None:
        """Wait for the first fault.

        Args:
            scenario: its faults; venue: into which they go; began: start of the session [s since epoch].
            keep: told all that was injected, each time that something was.
        """
        self._venue, self._began, self._keep = venue, began, keep
        self._waiting = sorted(scenario.fault, key=lambda fault: fault.after_s)
        self._active: list[tuple[float, FaultRule]] = []
        self.noted: list[Noted] = []

    def turn(self, now: float) -> None:
        """Inject what is due at ``now`` [s since epoch], and end what is over."""
        while self._waiting and self._began + self._waiting[0].after_s <= now:
            fault = self._waiting.pop(0)
            if fault.kind not in ("crash", "full_disk"):
                self._inject(fault, now)
                self.note(fault.kind, self._began + fault.after_s)
        for until, rule in self._active:
            if until <= now:
                self._venue.faults.remove(rule)
        self._active = [one for one in self._active if one[0] > now]

    def note(self, kind: str, at: float) -> None:
        """Write down that a fault began at ``at`` [s since epoch]."""
        self.noted.append(Noted(at=from_seconds(at), what=kind, by="drill", detail=_SAID[kind]))
        self._keep(self.noted)

    def _inject(self, fault: Fault, now: float) -> None:
        """Let requests meet a fault from now on."""
        rules = {
            "disconnect": (VenueFault.reset(), _ALL),
            "rate_limit": (VenueFault.refusal("rate_limited"), _CANDLES),
            "bad_key": (VenueFault.refusal("wrong_key"), _ORDERS),
            "reject_storm": (VenueFault.refusal("insufficient_funds"), _ORDERS),
            "gap": (_hole(fault, now), _CANDLES),
            "outlier": (_spike(fault, now), _CANDLES),
        }
        if fault.kind == "clock_skew":
            self._venue.clock.skew_s = fault.size
        if fault.kind not in rules:
            return
        rule = self._venue.faults.add(rules[fault.kind][0], path=rules[fault.kind][1])
        if fault.lasts_s and fault.kind not in ("gap", "outlier"):  # candles stay as they were shown
            self._active.append((self._began + fault.after_s + fault.lasts_s, rule))


def _hole(fault: Fault, now: float) -> VenueFault:
    """Return the fault that leaves the bars of the next ``lasts_s`` out."""
    first = now // BAR_S * BAR_S
    return VenueFault.hole(first, first + max(fault.lasts_s, BAR_S) - BAR_S)


def _spike(fault: Fault, now: float) -> VenueFault:
    """Return the fault that shows the bar that is open now with a close that cannot be."""
    at = now // BAR_S * BAR_S

    def spoil(bars: list[Bar]) -> list[Bar]:
        return [_off(bar, 1.0 + fault.size) if bar.ts == at else bar for bar in bars]

    return VenueFault("outlier", bars=spoil)


def _off(bar: Bar, factor: float) -> Bar:
    close = round(bar.close * factor, 2)
    return bar._replace(close=close, high=max(bar.high, close), low=min(bar.low, close))


class Doomed:
    """A feed that takes its own process or disk away when its time has come; in a process that may die."""

    skew_s = 0.0

    def __init__(self, feed: Feed, fault: Fault, bars_before: int, journal: Path) -> None:
        """Describe it: the fault comes ``after_s`` of market time after the first ``bars_before`` bars."""
        self._feed, self._fault, self._journal = feed, fault, journal
        self._at = bars_before + int(fault.after_s // BAR_S)
        self.name, self.simulated, self.data_sha256 = feed.name, feed.simulated, feed.data_sha256
        self.funding = feed.funding

    def __len__(self) -> int:
        return len(self._feed)

    def __iter__(self) -> Iterator[Item]:
        limit, parent = _largest_file(), os.getppid()
        number = 0
        try:
            for item in self._feed:
                if os.getppid() != parent:  # the drill was killed: nobody is left to end this session
                    return
                if isinstance(item, Bar):
                    if number == self._at:
                        self._strike()
                    number += 1
                yield item
        finally:  # the session has failed: somebody makes room, so that its record can be written
            _largest_file(limit)

    def _strike(self) -> None:
        """Do the damage."""
        if self._fault.kind == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        _largest_file(self._journal.stat().st_size)


def _largest_file(size: int | None = None) -> int:
    """Set how large a file of this process may become, if asked to, and return what it was [bytes]."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    return soft
