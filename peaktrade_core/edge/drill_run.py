"""Running a drill: the drilled session on a venue of this machine, the faults, the alert rules, and whoever reacts.

With a script the venue's clock is moved step by step and everything happens in seconds, the same every time. With a
person everything runs on the machine's clock until the damage is held, the time is over, or somebody ends it.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.adapters.clocks import SystemClock
from peaktrade_core.adapters.exchange.credentials import variables_of
from peaktrade_core.adapters.feeds import Feed, Item, Pause
from peaktrade_core.adapters.feeds.exchange import ExchangeFeed
from peaktrade_core.domain import drills as dr
from peaktrade_core.domain.clock import from_seconds
from peaktrade_core.domain.drills import Drill, Scenario
from peaktrade_core.domain.errors import PeaktradeError, SessionNotFoundError, UnknownNameError
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.drill_faults import Injector
from peaktrade_core.edge.drill_operator import SCRIPTS, Operator
from peaktrade_core.edge.drill_site import BAR_S, make_site, market, mode_of, open_site, wishes
from peaktrade_core.policy.drill_score import score
from peaktrade_core.services.drill_actions import look
from peaktrade_core.services.drill_log import DrillBook
from peaktrade_core.services.session import run_session
from peaktrade_core.services.watcher import Deliveries
from peaktrade_core.testing.clock import VenueClock
from peaktrade_core.testing.venue import LoopbackVenue

STEP_S = 10.0  # of the clock, between two looks once a fault is in the world [s]
TURN_S = 1.0  # the same with a person, on the machine's clock [s]
END_S = 5.0  # how long a session may take to end [s]
VENUE = "http://venue"  # how the venue's address is written where it must not differ
DELIVER_S = 5.0  # how long an example waits for a channel that is dead [s]
Say = Callable[[str], None]


class Stage:
    """What a drill is made of while it runs: its workspace, the venue, the faults and the alert rules."""

    def __init__(self, site: Workspace, drill: Drill, venue: LoopbackVenue) -> None:
        self.site, self.drill, self.venue = site, drill, venue
        self.began = venue.clock.seconds()
        self.session_id = f"{mode_of(drill.scenario)}_{from_seconds(self.began):%Y%m%d_%H%M%S}_drill"
        self.injector = Injector(drill.scenario, venue, self.began)
        self._engine = site.alert_engine()
        self._deliveries: Deliveries | None = None
        if _tells(drill.scenario) or not drill.script:
            log = site.home / "logs" / "alerts.log"
            self._deliveries = Deliveries(self._engine.settings, site.alerts.log, log, site.clock)
        self._size = -1

    def turn(self, *, wait: bool = False) -> None:
        """Inject what is due, recover what died, ask the alert rules, and tell."""
        now = self.venue.clock.seconds()
        self.injector.turn(now)
        self.site.recover()
        self._engine.evaluate()
        if self._deliveries and self._deliveries.offer() and wait:
            self._deliveries.wait(DELIVER_S)

    def touch(self) -> None:
        """Give the journal, where it grew, the time of the venue's clock: silence is measured by it."""
        journal = self.site.run_folder(self.session_id).journal
        if journal.exists() and (size := journal.stat().st_size) != self._size:
            self._size = size
            at = self.venue.clock.seconds()
            os.utime(journal, (at, at))

    def close(self) -> None:
        """End what delivers."""
        if self._deliveries:
            self._deliveries.close()

    def child(self) -> subprocess.Popen[bytes]:
        """Start the drilled session in a process of its own."""
        began = from_seconds(self.began).isoformat() if self.drill.script else ""
        call = (sys.executable, "-m", "peaktrade_core.edge.drill_child", str(self.site.home), self.session_id, began)
        return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own


def _tells(scenario: Scenario) -> bool:
    """Return whether the scenario is about telling."""
    return any(fault.kind == "failed_channel" for fault in scenario.fault)


class Stepped:
    """A feed whose pauses move the venue's clock instead of passing."""

    def __init__(self, feed: Feed, stage: Stage, step: Callable[[], None]) -> None:
        self._feed, self._stage, self._step, self._next = feed, stage, step, 0.0
        self.name, self.simulated, self.data_sha256 = feed.name, feed.simulated, feed.data_sha256
        self.skew_s = feed.skew_s

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


def run_drill(
    workspace: Workspace,
    scenario: Scenario,
    *,
    operator: str,
    role: str = "operator",
    script: str = "",
    say: Say = lambda _: None,
) -> Drill:
    """Run a drill, score it, and return its record.

    Args:
        workspace: whose drill log it goes to, and whose settings and rules it takes.
        scenario: what happens.
        operator, role: who is drilled.
        script: ``good`` or ``bad`` for one that stands in for a person; empty for a person.
        say: told what a person should know while it runs.

    Raises:
        ConfigError: an argument or the scenario is wrong.
        EnvironmentFault: something cannot be written, or no port is free.
    """
    if script and script not in SCRIPTS:
        raise UnknownNameError("script", script, SCRIPTS)
    book = DrillBook(workspace.home, workspace.clock)
    drill = book.begin(scenario, operator=operator, role=role, script=script)
    try:
        drill = (_with_script if script else _with_person)(workspace, book, drill, say)
    except BaseException:
        book.finish(book.load(drill.drill_id), dr.BROKEN_OFF)
        raise
    return book.finish(drill)


def _with_script(workspace: Workspace, book: DrillBook, drill: Drill, _: Say) -> Drill:
    """Run a drill with a script, on a clock that is moved."""
    source = market(drill.scenario, workspace.config.session.symbol)
    clock = VenueClock(source.default_start)
    with LoopbackVenue(source, clock=clock) as venue, _keys(venue):
        site = make_site(workspace, drill.scenario, book.site(drill), venue.url, clock, console=False)
        stage = Stage(site, drill, venue)
        actor = Operator(drill.script, site, drill.scenario, stage.session_id, drill.operator)

        def step() -> None:
            stage.turn(wait=True)
            actor.turn(clock.seconds())

        stage.injector.turn(clock.seconds())
        try:
            if drill.scenario.own_process:
                _run_child(stage)
            else:
                _run_stepped(stage, step)
            while not actor.done and clock.seconds() < stage.began + drill.scenario.limit_s:
                clock.advance(STEP_S)
                step()
        finally:
            stage.close()
        return judge(book, drill, stage)


def _run_stepped(stage: Stage, step: Callable[[], None]) -> None:
    """Run the drilled session in this thread; its pauses move the clock."""
    plan = stage.site.plan(**wishes(stage.drill.scenario, stage.session_id))
    if isinstance(plan.feed, ExchangeFeed):
        plan.feed.jitter = random.Random(stage.drill.scenario.seed)  # noqa: S311 - a drill must repeat
    run_session(plan._replace(feed=Stepped(plan.feed, stage, step)), stage.site.desk())
    stage.touch()


def _run_child(stage: Stage) -> None:
    """Run the drilled session in a process of its own, to its end, and move the clock to where it ended."""
    stage.child().wait()
    first = next(fault for fault in stage.drill.scenario.fault if fault.kind in ("crash", "full_disk"))
    stage.venue.clock.set(stage.began + (first.after_s // BAR_S + 1) * BAR_S)
    stage.injector.note(first.kind, stage.venue.clock.seconds())
    stage.touch()


def _with_person(workspace: Workspace, book: DrillBook, drill: Drill, say: Say) -> Drill:
    """Run a drill with a person, on the machine's clock."""
    clock = VenueClock.system()
    source = market(drill.scenario, workspace.config.session.symbol).aligned(clock.seconds())
    with LoopbackVenue(source, clock=clock) as venue, _keys(venue):
        site = make_site(workspace, drill.scenario, book.site(drill), venue.url, SystemClock(), console=True)
        stage = Stage(site, drill, venue)
        drill = book.save(msgspec.structs.replace(drill, session_id=stage.session_id))
        say(f"{drill.drill_id}: {drill.scenario.story}")
        say(f"It takes place in {drill.workspace}; work there: `export PEAKTRADE_HOME={drill.workspace}`, then")
        say("`peaktrade alerts list`, `peaktrade runbook list`, `peaktrade incident open …`.")
        say("It ends when the incident is mitigated and you press Ctrl-C, or with its time.")
        process, thread = _begin(stage)
        until = time.monotonic() + drill.scenario.limit_s
        try:
            while time.monotonic() < until and not _held(site):
                stage.turn()
                if process is not None and process.poll() is not None and not stage.injector.noted:
                    stage.injector.note(_own_fault(drill.scenario), clock.seconds())
                time.sleep(TURN_S)
        except KeyboardInterrupt:
            say("ended by hand")
        finally:
            _end(stage, process, thread)
            stage.close()
        return judge(book, drill, stage)


def _begin(stage: Stage) -> tuple[subprocess.Popen[bytes] | None, threading.Thread | None]:
    """Start the drilled session beside us."""
    if stage.drill.scenario.own_process:
        return stage.child(), None
    stage.injector.turn(stage.venue.clock.seconds())
    plan = stage.site.plan(**wishes(stage.drill.scenario, stage.session_id))
    desk = open_site(stage.site.home).desk()  # the registry's index belongs to one thread
    thread = threading.Thread(target=run_session, args=(plan, desk), name="drilled-session", daemon=True)
    thread.start()
    return None, thread


def _end(stage: Stage, process: subprocess.Popen[bytes] | None, thread: threading.Thread | None) -> None:
    """End the drilled session."""
    folder = stage.site.run_folder(stage.session_id)
    if folder.path.is_dir() and folder.stop_request() is None:
        folder.ask_to_stop("drill", "the drill is over", stage.site.clock.now())
    if thread is not None:
        thread.join(END_S)
    if process is not None:
        with nullcontext() if process.poll() is not None else _killed(process):
            pass
    stage.site.recover()


@contextmanager
def _killed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Wait for a process, and kill it where that takes too long."""
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    yield


def _held(site: Workspace) -> bool:
    """Return whether an incident of the drill is closed, or mitigated and nothing runs any more."""
    rows = site.incidents.rows()
    return any(row.status == "closed" for row in rows)


def _own_fault(scenario: Scenario) -> str:
    return next(fault.kind for fault in scenario.fault if fault.kind in ("crash", "full_disk"))


def judge(book: DrillBook, drill: Drill, stage: Stage) -> Drill:
    """Return a drill's record with what its artefacts tell, and its score."""
    site, session_id = stage.site, stage.session_id
    seen = look(site, session_id, stage.injector.noted)
    try:
        record = site.views.record(session_id)
        status, error = record.status, record.error or ""
        codes = record.metrics.get("deny_codes") or {}
    except SessionNotFoundError:
        status, error, codes = "none", "no session began", {}

    def plain(text: str) -> str:
        """Return a text without what differs on another machine: the venue's port, the folder."""
        return text.replace(stage.venue.url, VENUE).replace(str(site.home), drill.workspace)

    runbooks = set()
    for evidence_id in site.evidence.ids():
        try:
            runbooks.add(site.evidence.load(evidence_id).runbook)
        except PeaktradeError:
            continue
    return book.save(
        msgspec.structs.replace(
            drill,
            session_id=session_id,
            session_status=status,
            session_error=plain(error),
            events_sha256=_digest(site.run_folder(session_id).journal, stage.venue.url),
            deny_codes=codes,
            faults=tuple(seen.faults),
            alerts=tuple(msgspec.structs.replace(one, detail=plain(one.detail)) for one in seen.alerts),
            actions=tuple(msgspec.structs.replace(one, detail=plain(one.detail)) for one in seen.actions),
            runbooks=tuple(sorted(runbooks)),
            score=score(drill.scenario, seen),
        )
    )


def rescore(workspace: Workspace, drill: Drill) -> Drill:
    """Return a drill judged again from the artefacts in its workspace; nothing is written.

    Raises:
        ArtefactError, EnvironmentFault: an artefact cannot be read; UnknownNameError: its workspace is gone.
    """
    home = workspace.home / drill.workspace
    if not home.is_dir():
        raise UnknownNameError("workspace of the drill", drill.workspace, [])
    seen = look(open_site(home), drill.session_id, drill.faults)
    told: dict[str, Any] = {"alerts": tuple(seen.alerts), "actions": tuple(seen.actions)}
    return msgspec.structs.replace(drill, **told, score=score(drill.scenario, seen))


def _digest(journal: Path, url: str) -> str:
    """Return the SHA-256 of a journal, the venue's address apart, which has another port each time."""
    try:
        return hashlib.sha256(journal.read_bytes().replace(url.encode(), VENUE.encode())).hexdigest()
    except OSError:
        return ""


@contextmanager
def _keys(venue: LoopbackVenue) -> Iterator[None]:
    """Have the venue's own key in the environment inside the block; it opens nothing elsewhere."""
    values = dict(zip(variables_of("kraken"), venue.credentials, strict=True))
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
