"""Kill what writes at random points, and look each time whether anything acknowledged is lost.

Sessions, fleet, watcher, kill switch, alerts, incidents, evidence, drills, jobs, retention. After each SIGKILL: everything
that was acknowledged is there, every log and every record can be read and verifies, the same command works again, and no
temporary file stays once it and `peaktrade doctor` have been by. The points are drawn from a seed (:mod:`killing`).
"""

from __future__ import annotations

import argparse
import fcntl
import itertools
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import REPOSITORY
from killing import Say, in_child, spread

import peaktrade_core.fleet.fleet as fleet_module
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.watcher import open_watcher
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import FAIL, check
from peaktrade_core.cli import main as peaktrade
from peaktrade_core.control.audit.checks import audit_checks
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.orders import order_of
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.bar_table import write_table
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import Journal, read_journal
from peaktrade_core.records.leftovers import tidy
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import PersonQuestion
from peaktrade_core.runbooks.page import write_page
from peaktrade_core.runs.run import ENDED
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.schedule.jobs import COMPLETED, Period
from peaktrade_core.schedule.retention import sweep
from peaktrade_core.session import session
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

CHECKS = [check("a", "Is it good?", True, "yes", "nothing")]
_CONFIG = (("events = 2000", "events = 5"), ("warmup_candles = 200", "warmup_candles = 20"))


class Scene(NamedTuple):
    """Something that is killed.

    Attributes:
        work: does it, and says what the caller may rely on as soon as it may; look: returns what of that is not so.
        before: makes what it needs, once in each workspace.
        share: of all kills; rounds: how many kills a workspace sees before there is a new one.
    """

    work: Callable[[Workspace, Say], object]
    look: Callable[[Workspace, list[Any]], list[str]]
    before: Callable[[Workspace], object] = lambda _: None
    share: float = 1.0
    rounds: int = 20


def run_session(workspace: Workspace, say: Say) -> None:
    """Run a short session, which says what is committed and how it ended."""

    class Saying(Journal):
        def commit(self) -> None:
            super().commit()
            say("events", self.path.parent.name, self.committed)

    session.Journal = Saying
    plan = plan_session(workspace, steps=40, warmup_candles=20, params={"fast": 2, "slow": 5})
    record = session.run_session(plan, Desk.of(workspace))
    say("ended", record.session_id, record.status)


def look_at_sessions(workspace: Workspace, said: list[Any]) -> list[str]:
    recover(workspace)
    faults = []
    for kind, run_id, what in said:
        run = Views.of(workspace).run(run_id)
        events = list(read_journal(RunFolder(workspace.runs, run_id).journal))
        if kind == "events" and len(events) < what:
            faults.append(f"{run_id}: {what} events were acknowledged, {len(events)} are there")
        if run.status not in ENDED or (kind == "ended" and run.status != what):
            faults.append(f"{run_id} is {run.status}")
    return faults


class Forked:
    """A process as the fleet starts it, but forked from this one, which has everything loaded."""

    def __init__(self, command: Sequence[str], folder: Path, console: Path) -> None:
        console.parent.mkdir(parents=True, exist_ok=True)
        self.pid, self._code = os.fork(), None
        if not self.pid:
            os.setsid()
            with console.open("ab") as out:
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            for fd in range(3, 64):
                with suppress(OSError):
                    os.close(fd)
            os.chdir(folder)
            try:
                peaktrade(list(command[3:]))
            finally:
                os._exit(1)

    def poll(self) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.01)
        return self._code or 0

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def start_and_stop(workspace: Workspace, say: Say) -> None:
    """Start a run of the fleet, and stop it."""
    fleet_module.spawn = lambda command, *, folder, console: Forked(command, folder, console)
    fleet = Fleet.of(workspace)
    order = order_of(workspace, {"mode": "shadow", "pace": "60", "steps": 100_000, "warmup_candles": 20})
    started = fleet.start(order, by="kim", allow_duplicate=True)
    say("begun", started.run_id)
    for stopped in fleet.stop([Views.of(workspace).run(started.run_id)], by="kim", reason="enough", deadline_s=3.0):
        say("stopped", stopped.run_id)


def look_at_fleet(workspace: Workspace, said: list[Any]) -> list[str]:
    fleet, views = Fleet.of(workspace), Views.of(workspace)
    faults = [f"{run_id} is unknown" for _, run_id in said if not RunFolder(workspace.runs, run_id).path.is_dir()]
    until = time.monotonic() + 20.0
    while (active := fleet.active()) or any(_held(path) for path in workspace.runs.glob(".*.starting")):
        list(fleet.stop(active, by="kim", reason="clean up", force=True))
        if time.monotonic() > until:
            return [*faults, "something cannot be stopped"]
        time.sleep(0.02)
    fleet.recover()
    return faults + [f"{run_id} is {run.state}" for _, run_id in said if (run := views.run(run_id)).state not in ENDED]


def _held(staged: Path) -> bool:
    """Return whether a process that is just starting holds its folder."""
    try:
        with (staged / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def press(workspace: Workspace, say: Say) -> None:
    """Engage the kill switch, and release it by two people."""
    switch = KillSwitch.of(workspace)
    switch.engage("Ada", "news")
    say("engaged")
    switch.request_release("Ada", "over")
    say("asked")
    switch.release("Bob", "agreed", list)
    say("released")


def look_at_switch(workspace: Workspace, said: list[Any]) -> list[str]:
    status = KillSwitch.of(workspace).status()
    faults = [status.fault] if status.fault else []
    if said and said[-1] in ("engaged", "asked"):  # what came after may be there, but was not acknowledged
        entries = [entry.kind for entry in KillSwitch.of(workspace).audit()]
        if not status.engaged and "release" not in entries[:1] + entries[-1:]:
            faults.append(f"it was {said[-1]}, and is {status.state}")
    if said and said[-1] == "released" and status.engaged:
        faults.append("it was released, and is engaged")
    return faults


def alarm(workspace: Workspace) -> None:
    """Leave a halt behind, which raises an alert, and a dead session."""
    KillSwitch.of(workspace).engage("Ada", "news")
    open_watcher(workspace).run(once=True)


def handle_alerts(workspace: Workspace, say: Say) -> None:
    """Take an alert on, silence a rule and let it be heard again."""
    alerts = Alerts.of(workspace)
    row = alerts.rows()[0]
    say("taken", alerts.acknowledge(row.alert_id, "Ada", "mine").alert_id)
    silence = alerts.silence(by="Ada", reason="known", rule_id=row.rule_id, seconds=600)
    say("silenced", silence.silence_id)
    alerts.unsilence(silence.silence_id, "Ada")
    say("heard", silence.silence_id)


def look_at_alerts(workspace: Workspace, said: list[Any]) -> list[str]:
    alerts = Alerts.of(workspace)
    silences = {one.silence_id for one in alerts.silences()}
    heard = {what for kind, what in said if kind == "heard"}
    faults = []
    for kind, what in said:
        if kind == "taken" and not alerts.row(what).acknowledged_by:
            faults.append(f"{what} is not taken on")
        if kind == "silenced" and what not in silences | heard and len(said) < 2:
            faults.append(f"{what} is not silenced")
        if kind == "heard" and what in silences:
            faults.append(f"{what} is silenced still")
    return faults


def carry_incident(workspace: Workspace, say: Say) -> None:
    """Open an incident, note, hold, close and learn from it."""
    book = IncidentBook.of(workspace)
    opened = book.open("other", "a fault", subject="run", severity="low", by="Ada", role="operator").incident_id
    say(opened, "open", 1)
    say(opened, "open", len(book.note(opened, "Ada", "seen").timeline))
    say(opened, "mitigated", len(book.mitigate(opened, "Ada", "held").timeline))
    say(opened, "closed", len(book.close(opened, "Ada", "a cause", "mended").timeline))
    learned = book.learn(opened, "Ada", root_cause="x", went_well="y", went_badly="z")
    say(opened, "closed", len(learned.timeline))


def look_at_incidents(workspace: Workspace, said: list[Any]) -> list[str]:
    book, faults = IncidentBook.of(workspace), []
    order = ["open", "mitigated", "closed"]
    for incident_id, status, lines in said:
        found = book.load(incident_id)
        if order.index(found.status) < order.index(status) or len(found.timeline) < lines:
            faults.append(
                f"{incident_id} was {status} with {lines} lines, is {found.status} with {len(found.timeline)}"
            )
    return faults


def keep_evidence(workspace: Workspace, say: Say) -> None:
    """Leave the evidence of a runbook."""
    book = EvidenceBook.of(workspace)
    round_ = book.begin("kill_switch", "Kill switch", operator="Ada")
    say(round_.id, 0, "running")
    round_.check("a", "A check", CHECKS, workspace.config_path)
    say(round_.id, 1, "running")
    round_.act("b", "An action", lambda: "done")
    round_.ask("c", PersonQuestion(text="Good?"))
    round_.answer("c", "yes")
    say(round_.id, 3, "running")
    done = round_.finish()
    say(round_.id, 3, done.outcome)
    write_page(book, done)


def look_at_evidence(workspace: Workspace, said: list[Any]) -> list[str]:
    book, faults = EvidenceBook.of(workspace), []
    for evidence_id, steps, outcome in said:
        found = book.load(evidence_id)
        if len(found.steps) < steps or (outcome != "running" and found.outcome != outcome):
            faults.append(f"{evidence_id} had {steps} steps, {outcome}; has {len(found.steps)}, {found.outcome}")
    return faults + [f"unreadable: {one}" for one in book.ids() if not book.load(one).evidence_id]


def do_drill(workspace: Workspace, say: Say) -> None:
    """Be drilled by a script."""
    done = run_drill(workspace, find_scenario(workspace.home, "rate_limit"), operator="Ada", script="good")
    say(done.drill_id, done.score.points if done.score else None)


def look_at_drills(workspace: Workspace, said: list[Any]) -> list[str]:
    recover(workspace)
    book = DrillBook(workspace.home, workspace.clock)
    faults = [f"{one} runs for good" for one in book.unended()]
    for drill_id, points in said:
        score = book.load(drill_id).score
        if (score.points if score else None) != points:
            faults.append(f"{drill_id} had {points} points")
    return faults


def watch_once(workspace: Workspace, say: Say) -> None:
    """Make one turn of the watcher over a dead session and a kill switch that changes."""
    open_watcher(workspace).run(once=True)
    say([[row.alert_id, row.state] for row in Alerts.of(workspace).rows()])
    switch = KillSwitch.of(workspace)
    if switch.status().engaged:
        switch.request_release("Ada", "over")
        switch.release("Bob", "agreed", list)
    else:
        switch.engage("Ada", "news")
    open_watcher(workspace.again()).run(once=True)


def look_at_watcher(workspace: Workspace, said: list[Any]) -> list[str]:
    known = {row.alert_id for row in Alerts.of(workspace).rows()}
    return [f"alert {one} is gone" for rows in said for one, _ in rows if one not in known]


def do_jobs(workspace: Workspace, say: Say) -> None:
    """Work off the scheduler's jobs."""
    schedule = open_schedule(workspace)
    schedule.meet()
    for name in ("recovery", "snapshot_export", "retention"):
        period = Period(f"{time.time_ns()}T", workspace.clock.now())
        ended = schedule.work(name, period, "kills")
        say(name, period.label, ended.status if ended else None)
        assert ended is not None
        assert ended.status == COMPLETED, ended


def look_at_jobs(workspace: Workspace, said: list[Any]) -> list[str]:
    history = open_schedule(workspace).log.history()
    faults = []
    for name, label, status in said:
        attempts = history.attempts(name, label)
        if [run.status for run in attempts] != [status]:
            faults.append(f"{name} of {label} ended {status}, the log says {[run.status for run in attempts]}")
    return faults


def grow_old(workspace: Workspace) -> None:
    """Have sessions and reports that are old enough for retention."""
    workspace.clock = FixedClock(datetime(2026, 1, 5, tzinfo=UTC), timedelta(milliseconds=7))
    for seed in range(4):
        session.run_session(plan_session(workspace, steps=20, warmup_candles=20, seed=seed), Desk.of(workspace))
    daily = workspace.reports / "daily"
    daily.mkdir(parents=True)
    for number in range(3):
        (daily / f"2026-01-{number + 1:02}.md").write_text("old")
        os.utime(daily / f"2026-01-{number + 1:02}.md", (1_767_300_000, 1_767_300_000))


def tidy_away(workspace: Workspace, say: Say) -> None:
    """Archive what is old enough."""
    for item in sweep(workspace, workspace.config.retention, "kills"):
        say(item.kind, item.name)


def look_at_archive(workspace: Workspace, _: list[Any]) -> list[str]:
    faults = []
    for run in Views.of(workspace).rows():
        try:
            count = len(Views.of(workspace).events(run.run_id))
        except PeaktradeError as error:
            faults.append(str(error))
        else:
            faults += [] if count > 20 else [f"{run.run_id} has lost events"]
    return faults


SCENES = {
    "sessions": Scene(run_session, look_at_sessions, share=2.0),
    "fleet": Scene(start_and_stop, look_at_fleet),
    "kill switch": Scene(press, look_at_switch),
    "alerts": Scene(handle_alerts, look_at_alerts, alarm),
    "watcher": Scene(watch_once, look_at_watcher, alarm),
    "incidents": Scene(carry_incident, look_at_incidents),
    "evidence": Scene(keep_evidence, look_at_evidence),
    "drills": Scene(do_drill, look_at_drills, share=0.5),
    "jobs": Scene(do_jobs, look_at_jobs, lambda workspace: run_session(workspace, lambda *_: None)),
    "retention": Scene(tidy_away, look_at_archive, grow_old, share=0.5, rounds=1),
}


def unsound(workspace: Workspace) -> list[str]:
    """Return what of a workspace cannot be read or does not verify."""
    faults = [f"{one.question} {one.evidence}" for one in audit_checks(workspace) if one.status == FAIL]
    views = Views.of(workspace)
    faults += [f"{run.run_id} is {run.state}: {run.notes}" for run in views.runs() if run.state in (UNREADABLE, "died")]
    faults += [f"{run.run_id} is {run.status}" for run in views.rows() if run.status not in ENDED and not run.alive]
    faults += [row.fault for row in IncidentBook.of(workspace).rows() if row.fault]
    faults += DrillBook(workspace.home, workspace.clock).rows()[1]
    book = EvidenceBook.of(workspace)
    for evidence_id in book.ids():
        book.load(evidence_id)
    for path in workspace.home.rglob("*.jsonl"):
        lines = path.read_bytes().split(b"\n")
        for line in lines[:-1]:
            if not line.endswith(b"[unfinished]"):
                json.loads(line)
        faults += [f"{path} ends in half a line"] if lines[-1] and path.name == "runs.jsonl" else []
    return faults


def left_over(home: Path) -> list[str]:
    """Return the temporary files and folders of a workspace."""
    signs = (".tmp", ".new", ".starting", ".trash", ".sealing")
    empty = [path for path in (home / "reports").glob("*/*-*-*") if path.is_dir() and not any(path.iterdir())]
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.name.endswith(signs) or path in empty]


def go_on(workspace: Workspace, scene: Scene, said: list[Any], say: Say) -> None:
    """Look at what a killed process left, do the same again, and look once more."""
    for fault in scene.look(workspace, said):
        say(fault)
    again = workspace.again()
    more: list[Any] = []
    scene.work(again, lambda *what: more.append(what[0] if len(what) == 1 else list(what)))
    fresh = workspace.again()
    recover(fresh)
    for fault in [*scene.look(fresh, [*said, *more] if more else said), *unsound(fresh)]:
        say(fault)
    for path in workspace.home.rglob("*"):  # an hour later
        with suppress(OSError):
            os.utime(path, (0, 0), follow_symlinks=False)
    tidy(workspace.again())  # as `peaktrade doctor` and the job `recovery` do
    for name in left_over(workspace.home):
        say(f"stays: {name}")


@contextmanager
def fresh(scene: Scene) -> Iterator[Path]:
    """Make a workspace in which a scene can be played."""
    folder = tempfile.mkdtemp(prefix="kills-")
    home = Path(folder) / "w"
    (home / "config").mkdir(parents=True)
    text = (REPOSITORY / "config" / "config.toml").read_text()
    for old, new in _CONFIG:
        text = text.replace(old, new)
    (home / "config" / "config.toml").write_text(text)
    shutil.copy(REPOSITORY / "config" / "alerts.toml", home / "config")
    os.environ["XDG_STATE_HOME"] = str(Path(folder) / "state")
    ended = in_child(lambda _: scene.before(Workspace(home)))
    if ended.error:
        raise SystemExit(ended.error)
    try:
        yield home
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play(name: str, kills: int, rng: random.Random) -> tuple[int, list[str]]:
    """Kill a scene so many times and return how often it died, and what was wrong."""
    scene, died, faults = SCENES[name], 0, list[str]()
    points: Iterator[int] | None = None
    while died < kills:
        with fresh(scene) as home:
            if points is None:
                whole = in_child(lambda say: scene.work(Workspace(home), say))
                if whole.error:
                    return died, [f"{name} does not work: {whole.error}"]
                points = spread(rng, whole.points)
                print(f"{name}: {whole.points} points", file=sys.stderr)
                if scene.rounds == 1:
                    continue  # nothing is left to do here
            for at in itertools.islice(points, min(scene.rounds, kills - died)):
                ended = in_child(lambda say: scene.work(Workspace(home), say), at)
                if ended.error:
                    faults.append(f"{name} at point {at}: {ended.error}")
                died += ended.killed
                after = in_child(partial(go_on, Workspace(home), scene, ended.said))
                found = [*after.said, *([after.error] if after.error else [])]
                faults += [f"{name}, killed at point {at}: {one}" for one in found]
                if found:
                    break  # the next kill shall not be blamed for it
            else:
                continue
            if len(faults) > 200:
                break
    return died, faults


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", choices=SCENES, nargs="*", default=list(SCENES))
    given = options.parse_args()
    np.random.default_rng(0).standard_t(5.0, 10)  # so that children find it loaded
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "warm.parquet", [])
    whole = sum(SCENES[name].share for name in given.only)
    told: dict[str, Any] = {"seed": given.seed, "kills": {}, "faults": []}
    for name in given.only:
        began = time.monotonic()
        kills = max(1, round(given.kills * SCENES[name].share / whole))
        died, faults = play(name, kills, random.Random(f"{given.seed}{name}"))
        told["kills"][name] = died
        told["faults"] += faults
        print(f"{name}: {died} kills, {len(faults)} faults, {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(json.dumps(told, indent=1))
    raise SystemExit(bool(told["faults"]))


if __name__ == "__main__":
    main()
