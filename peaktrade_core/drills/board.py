"""What the drill notebook holds in its hand: a scenario, and the drill once it has begun; with a script or a person."""

from __future__ import annotations

import getpass
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from peaktrade_core.base.errors import EnvironmentFault, PeaktradeError, UnknownNameError
from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.drills.actions import look
from peaktrade_core.drills.drill import DONE, RUNNING, Drill, Noted, Scenario
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.operator import SCRIPTS
from peaktrade_core.drills.run import run_drill
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace, open_site

PERSON = "person"
BEGIN_S = 30.0  # how long a drill in a process of its own may take to begin [s]
STEP = "drill"  # the runbook's step that runs it


class DrillBoard:
    """One drill under the notebook.

    Attributes:
        workspace, book: where it is logged; scenario: what happens; who: ``good``, ``bad`` or ``person``.
        runbook: the execution, once it has begun.
    """

    def __init__(self, workspace: Workspace, scenario: Scenario, who: str, operator: str) -> None:
        self.workspace, self.scenario, self.who = workspace, scenario, who
        self.operator = operator or ("demo operator" if who != PERSON else getpass.getuser())
        self.book = DrillBook(workspace.home, workspace.clock)
        self.runbook: Runbook | None = None

    def __repr__(self) -> str:
        return f"{self.scenario.name} with {self.who}"

    @property
    def drill(self) -> Drill | None:
        """The drill as its record stands, None before it began."""
        step = self.runbook.round.record.step(STEP) if self.runbook else None
        drill_id = step.result.partition(":")[0] if step else ""
        if not drill_id.startswith("DRILL-"):
            return None
        drill = self.book.load(drill_id)
        if drill.status == RUNNING:
            recover(self.workspace)  # its process may have been killed
            drill = self.book.load(drill_id)
        return drill

    @property
    def alerts(self) -> tuple[Noted, ...]:
        """What the rules raised, also while the drill runs."""
        drill = self.drill
        if drill is None or drill.status != RUNNING:
            return drill.alerts if drill else ()
        site = self.book.site(drill)
        return tuple(look(open_site(site), drill.session_id, ()).alerts) if site.is_dir() else ()


def open_drill_board(workspace: Workspace, scenario: str, who: str = "good", operator: str = "") -> DrillBoard:
    """Return a drill that has not begun.

    Args:
        workspace: where it is logged; scenario: its name.
        who: ``good`` or ``bad`` for a script in the place of a person, ``person`` for the machine's clock and you.
        operator: name of who is drilled.

    Raises:
        UnknownNameError: the scenario or the kind of operator is not known; ConfigError: the scenario is not sound.
    """
    if who not in (*SCRIPTS, PERSON):
        raise UnknownNameError("operator to be drilled", who, (*SCRIPTS, PERSON))
    return DrillBoard(workspace, find_scenario(workspace.home, scenario), who, operator)


def start_drill(runbook: Runbook, board: DrillBoard) -> Callable[[], str]:
    """Return what runs the drill: to its end with a script, beside the notebook with a person."""
    board.runbook = runbook
    return partial(_alone if board.who == PERSON else _scripted, board)


def _scripted(board: DrillBoard) -> str:
    done = run_drill(board.workspace, board.scenario, operator=board.operator, script=board.who)
    points = f"{done.score.points:g} of 100 points" if done.score else done.status
    return f"{done.drill_id}: done with a {board.who} script, {points}"


def _alone(board: DrillBoard) -> str:
    """Start the drill in a process of its own, which outlives this kernel, and wait until it has begun."""
    before = set(board.book.ids())
    command = (sys.executable, "-m", "peaktrade_core", "drill", "run", board.scenario.name)
    where = ("--home", str(board.workspace.home), "--operator", board.operator)
    log = board.book.folder / "last_run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen((*command, *where), stdout=file, stderr=file, start_new_session=True)  # noqa: S603
    until = time.monotonic() + BEGIN_S
    while time.monotonic() < until:
        for drill_id in set(board.book.ids()) - before:
            if board.book.path(drill_id).is_file() and board.book.load(drill_id).session_id:
                return f"{drill_id}: it runs; work in {board.book.load(drill_id).workspace}"
        if process.poll() is not None:
            raise EnvironmentFault(f"the drill did not begin: {_last_line(log)}")
        time.sleep(0.2)
    process.kill()
    process.wait()
    recover(board.workspace)
    raise EnvironmentFault(f"the drill did not begin within {BEGIN_S:g} s; see {log}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def drill_ended(board: DrillBoard) -> list[Check]:
    """Return whether the drill is over, and what to do while it is not."""
    drill = board.drill
    status = "not begun" if drill is None else drill.status
    step = "Work the incident in the drill's workspace until it is closed, then run this cell again."
    if drill is not None and drill.early:
        step = f"{drill.drill_id}: {drill.early}."
    return [check("ended", "Is the drill over?", status == DONE, status, step, otherwise=WARN)]


def drill_checks(drill: Drill | None) -> list[Check]:
    """Return how the reaction was, answered phase by phase."""
    if drill is None or drill.score is None:
        early = drill.early if drill else ""
        told = f"the drill was {drill.status}" if drill and early else "the drill has none yet"
        step = f"{early}." if early else "Run the drill to its end, then run this cell again."
        return [check("score", "Is there a score?", False, told, step, otherwise=WARN)]
    expect, found = drill.scenario.expect, drill.score
    checks = [
        check(
            phase.name,
            f"{phase.name.capitalize()}: in time?",
            phase.took_s is not None and phase.took_s <= phase.target_s and phase.points > 0.0,
            f"{wording.duration(phase.took_s)} of {wording.duration(phase.target_s)}: {phase.says}",
            f"Read the runbook {expect.runbook} once more, then repeat the drill.",
            otherwise=FAIL if phase.took_s is None else WARN,
        )
        for phase in found.phases
    ]
    checks.append(
        check(
            "alerts",
            "Did every expected rule fire?",
            not found.missed_alerts,
            f"never raised: {', '.join(found.missed_alerts)}" if found.missed_alerts else ", ".join(expect.alerts),
            "Mend the rules in config/alerts.toml: in earnest this would not have been told.",
        )
    )
    told = "; ".join(found.wrong) or "nothing"
    step = "Talk it through: what would have helped to know it?"
    checks.append(check("wrong", "Was nothing done that does harm?", not found.wrong, told, step))
    text = f"{found.points:g} of 100 points"
    checks.append(check("passed", "Was it passed?", found.passed, text, "Repeat it within the week."))
    return checks


def drill_files(board: DrillBoard) -> tuple[Path, ...]:
    """Return the files that a drill's evidence rests on: its record and its page."""
    drill = board.drill
    return () if drill is None else (board.book.path(drill.drill_id), board.book.page(drill.drill_id))


def open_drill(workspace: Workspace, drill_id: str = "latest") -> Drill | None:
    """Return a drill; ``latest`` is the newest, None when there never was one.

    Raises:
        UnknownNameError: there is none of that id.
        ArtefactError: its record cannot be read.
    """
    book = DrillBook(workspace.home, workspace.clock)
    if drill_id == "latest" and not book.ids():
        return None
    return book.load(drill_id)


def may_rescore(workspace: Workspace, drill: Drill) -> Check:
    """Return whether a drill's artefacts still say what was sealed."""
    from peaktrade_core.drills.run import rescore

    question = "Do its artefacts still say so?"
    try:
        same = rescore(workspace, drill).score == drill.score
        told = "judged again with the same score" if same else "judged again, the score is another"
        told = f"there is no score: it was {drill.status}" if drill.early else told
    except PeaktradeError as error:
        same, told = False, str(error)
    return check("again", question, same, told, "Somebody worked in its workspace afterwards, or changed a record.")
