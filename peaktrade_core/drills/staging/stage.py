"""What a drill is made of while it runs: its workspace, the venue with its faults and keys, the rules, the drilled session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import msgspec

from peaktrade_core.alerts.delivery import Deliveries
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.environment import environment
from peaktrade_core.drills.drill import Drill, Noted, Scenario
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.staging.faults import Injector
from peaktrade_core.drills.staging.site import mode_of
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.session.recovery import recover
from peaktrade_core.testing.venue import LoopbackVenue
from peaktrade_core.trading.ports import Feed, Item, Pause
from peaktrade_core.venue.credentials import variables_of
from peaktrade_core.workspace.workspace import Workspace

STEP_S = 10.0  # of the clock, between two looks once a fault is in the world [s]
DELIVER_S = 2.0  # how long a script waits for what is new to be delivered, as the clock stands meanwhile [s]


class Stage:
    """What a drill is made of while it runs: its workspace, the venue, the faults and the alert rules."""

    def __init__(self, site: Workspace, book: DrillBook, drill: Drill, venue: LoopbackVenue) -> None:
        self.site, self.venue, self._book = site, venue, book
        self.began = venue.clock.seconds()
        self.session_id = f"{mode_of(drill.scenario)}_{from_seconds(self.began):%Y%m%d_%H%M%S}_drill"
        self.drill = book.save(msgspec.structs.replace(drill, session_id=self.session_id))
        self.injector = Injector(drill.scenario, venue, self.began, self._keep)
        self._engine = AlertEngine(site, Alerts.of(site).log)
        self._deliveries: Deliveries | None = None
        if _tells(drill.scenario) or not drill.script:
            log = site.home / "logs" / "alerts.log"
            self._deliveries = Deliveries(self._engine, log, site.clock)
        self._size = -1

    def turn(self, *, wait: bool = False) -> None:
        """Inject what is due, recover what died, ask the alert rules, and tell."""
        now = self.venue.clock.seconds()
        self.injector.turn(now)
        recover(self.site)
        self._engine.evaluate()
        if self._deliveries and self._deliveries.offer() and wait:
            self._deliveries.wait(DELIVER_S)

    def _keep(self, noted: Sequence[Noted]) -> None:
        """Write down what was injected so far: nothing else knows it when this process is killed."""
        self.drill = self._book.save(msgspec.structs.replace(self.drill, faults=tuple(noted)))

    def touch(self) -> None:
        """Give the journal, where it grew, the time of the venue's clock: silence is measured by it."""
        journal = RunFolder(self.site.runs, self.session_id).journal
        if journal.exists() and (size := journal.stat().st_size) != self._size:
            self._size = size
            at = self.venue.clock.seconds()
            os.utime(journal, (at, at))

    def stop(self) -> None:
        """Ask the drilled session to end, if nobody has."""
        folder = RunFolder(self.site.runs, self.session_id)
        if folder.path.is_dir() and folder.stop_request() is None:
            folder.ask_to_stop("drill", "the drill is over", self.site.clock.now())

    def close(self) -> None:
        """End what delivers."""
        if self._deliveries:
            self._deliveries.close()

    def child(self) -> subprocess.Popen[bytes]:
        """Start the drilled session in a process of its own."""
        began = from_seconds(self.began).isoformat() if self.drill.script else ""
        call = (
            sys.executable,
            "-m",
            "peaktrade_core.drills.staging.child",
            str(self.site.home),
            self.session_id,
            began,
        )
        return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own


def _tells(scenario: Scenario) -> bool:
    """Return whether the scenario is about telling."""
    return any(fault.kind == "failed_channel" for fault in scenario.fault)


class Stepped:
    """A feed whose pauses move the venue's clock instead of passing."""

    def __init__(self, feed: Feed, stage: Stage, step: Callable[[], None]) -> None:
        self._feed, self._stage, self._step, self._next = feed, stage, step, 0.0
        self.name, self.simulated, self.data_sha256 = feed.name, feed.simulated, feed.data_sha256
        self.skew_s, self.funding = feed.skew_s, feed.funding

    def __len__(self) -> int:
        return len(self._feed)

    def __iter__(self) -> Iterator[Item]:
        for item in self._feed:
            self.skew_s = self._feed.skew_s
            if not isinstance(item, Pause):
                yield item
                continue
            yield Pause(0.0)  # first, so that what was decided is on the disk
            left = item.seconds
            while left > 0.0:
                slice_s = min(left, STEP_S) if self._stage.injector.noted else left
                self._stage.touch()
                now = self._stage.venue.clock.advance(slice_s)
                left -= slice_s
                if now >= self._next:  # a feed that polls would else ask the rules every two seconds
                    self._next = now + STEP_S
                    self._step()


def venue_keys(venue: LoopbackVenue) -> AbstractContextManager[None]:
    """Have the venue's own key in the environment inside the block; it opens nothing elsewhere."""
    return environment(dict(zip(variables_of("kraken"), venue.credentials, strict=True)))
