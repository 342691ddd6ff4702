"""Running a drill: the drilled session on a venue of this machine, the faults, the alert rules, and whoever reacts.

With a script the venue's clock is moved step by step and everything happens in seconds, the same every time. With a
person everything runs on the machine's clock until the damage is held, the time is over, or somebody ends it.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.drills import drill as dr
from peaktrade_core.drills.actions import look, told_of
from peaktrade_core.drills.drill import Drill, Scenario
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.recovery import so_far
from peaktrade_core.drills.score import score
from peaktrade_core.drills.staging.operator import SCRIPTS, Operator
from peaktrade_core.drills.staging.site import BAR_S, make_site, market, wishes
from peaktrade_core.drills.staging.stage import STEP_S, Stage, Stepped, venue_keys
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.recovery import recover
from peaktrade_core.session.session import run_session
from peaktrade_core.testing.clock import VenueClock
from peaktrade_core.testing.venue import LoopbackVenue
from peaktrade_core.venue.feed import ExchangeFeed
from peaktrade_core.workspace.workspace import Workspace, open_site

TURN_S = 1.0  # the same with a person, on the machine's clock [s]
END_S = 5.0  # how long a session may take to end [s]
VENUE = "http://venue"  # how the venue's address is written where it must not differ
Say = Callable[[str], None]


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
        book.finish(so_far(book, book.load(drill.drill_id)), dr.BROKEN_OFF)
        raise
    return book.finish(drill)


def _with_script(workspace: Workspace, book: DrillBook, drill: Drill, _: Say) -> Drill:
    """Run a drill with a script, on a clock that is moved."""
    source = market(drill.scenario, workspace.config.session.symbol)
    clock = VenueClock(source.default_start)
    with LoopbackVenue(source, clock=clock) as venue, venue_keys(venue):
        site = make_site(workspace, drill.scenario, book.site(drill), venue.url, clock, console=False)
        stage = Stage(site, book, drill, venue)
        actor = Operator(drill.script, site, drill.scenario, stage.session_id, drill.operator)

        def step() -> None:
            stage.turn(wait=True)
            actor.turn(clock.seconds())
            if actor.done:
                stage.stop()

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
        return judge(book, stage)


def _run_stepped(stage: Stage, step: Callable[[], None]) -> None:
    """Run the drilled session in this thread; its pauses move the clock."""
    plan = plan_session(stage.site, **wishes(stage.drill.scenario, stage.session_id))
    if isinstance(plan.feed, ExchangeFeed):
        plan.feed.jitter = random.Random(stage.drill.scenario.seed)  # noqa: S311 - a drill must repeat
    run_session(plan._replace(feed=Stepped(plan.feed, stage, step)), Desk.of(stage.site))
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
    with LoopbackVenue(source, clock=clock) as venue, venue_keys(venue):
        site = make_site(workspace, drill.scenario, book.site(drill), venue.url, SystemClock(), console=True)
        stage = Stage(site, book, drill, venue)
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
        return judge(book, stage)


def _begin(stage: Stage) -> tuple[subprocess.Popen[bytes] | None, threading.Thread | None]:
    """Start the drilled session beside us."""
    if stage.drill.scenario.own_process:
        return stage.child(), None
    stage.injector.turn(stage.venue.clock.seconds())
    plan = plan_session(stage.site, **wishes(stage.drill.scenario, stage.session_id))
    desk = Desk.of(open_site(stage.site.home))  # the registry's index belongs to one thread
    thread = threading.Thread(target=run_session, args=(plan, desk), name="drilled-session", daemon=True)
    thread.start()
    return None, thread


def _end(stage: Stage, process: subprocess.Popen[bytes] | None, thread: threading.Thread | None) -> None:
    """End the drilled session."""
    stage.stop()
    if thread is not None:
        thread.join(END_S)
    if process is not None:
        with nullcontext() if process.poll() is not None else _killed(process):
            pass
    recover(stage.site)


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
    rows = IncidentBook.of(site).rows()
    return any(row.status == "closed" for row in rows)


def _own_fault(scenario: Scenario) -> str:
    return next(fault.kind for fault in scenario.fault if fault.kind in ("crash", "full_disk"))


def judge(book: DrillBook, stage: Stage) -> Drill:
    """Return a drill's record with what its artefacts tell, and its score."""
    site, drill, url = stage.site, stage.drill, stage.venue.url
    told = told_of(site, drill, lambda text: text.replace(url, VENUE))  # the port differs each time
    digest = _digest(RunFolder(site.runs, drill.session_id).journal, url)
    found = score(drill.scenario, look(site, drill.session_id, drill.faults))
    return book.save(msgspec.structs.replace(told, events_sha256=digest, score=found))


def rescore(workspace: Workspace, drill: Drill) -> Drill:
    """Return a drill judged again from the artefacts in its workspace; nothing is written.

    One that ended before it was over has no score, however far it came.

    Raises:
        ArtefactError, EnvironmentFault: an artefact cannot be read; UnknownNameError: its workspace is gone.
    """
    home = workspace.home / drill.workspace
    if not home.is_dir():
        raise UnknownNameError("workspace of the drill", drill.workspace, [])
    seen = look(open_site(home), drill.session_id, drill.faults)
    told: dict[str, Any] = {"alerts": tuple(seen.alerts), "actions": tuple(seen.actions)}
    return msgspec.structs.replace(drill, **told, score=None if drill.early else score(drill.scenario, seen))


def _digest(journal: Path, url: str) -> str:
    """Return the SHA-256 of a journal, the venue's address apart, which has another port each time."""
    try:
        return hashlib.sha256(journal.read_bytes().replace(url.encode(), VENUE.encode())).hexdigest()
    except OSError:
        return ""
