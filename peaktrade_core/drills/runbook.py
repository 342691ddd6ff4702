"""The drill runbook: a scenario is begun, with a script or a person, and the reaction is scored."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import EnvironmentFault, UnknownNameError
from peaktrade_core.base.question import WARN, check
from peaktrade_core.drills.actions import look
from peaktrade_core.drills.drill import DONE, RUNNING, Drill, Noted, Scenario, points_of
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.report import DrillNotebook
from peaktrade_core.drills.scenarios import find_scenario, scenarios
from peaktrade_core.drills.staging.operator import SCRIPTS
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.runbooks.notebooks.lab import notebook_link
from peaktrade_core.runbooks.pickers import Suggestion
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.table import GOOD, MID, Cell, Table
from peaktrade_core.workspace.workspace import Workspace, open_site

PERSON = "person"
BEGIN_S = 30.0  # how long a drill in a process of its own may take to begin [s]
STEP = "drill"  # the step that runs it


class DrillRunbook(DrillNotebook, Runbook):
    """Practise an incident: run a scenario, work on it or let a script do so, and judge the reaction."""

    rows = 10

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the scenario.

        Raises:
            UnknownNameError: the scenario or the kind of operator is not known; ConfigError: the scenario is not sound.
        """
        if given.drilled not in (*SCRIPTS, PERSON):
            raise UnknownNameError("operator to be drilled", given.drilled, (*SCRIPTS, PERSON))
        return find_scenario(workspace.home, given.scenario).name

    @cached_property
    def book(self) -> DrillBook:
        """Where drills are logged."""
        return DrillBook(self.workspace.home, self.workspace.clock)

    @cached_property
    def scenario(self) -> Scenario:
        """What happens."""
        return find_scenario(self.workspace.home, self.given.scenario)

    @property
    def operator(self) -> str:
        """Who is drilled."""
        return self.given.operator or ("demo operator" if self.given.drilled != PERSON else login())

    @property
    def drill(self) -> Drill | None:
        """The drill as its record stands, None before it began."""
        step = self.round.record.step(STEP)
        drill_id = step.result.partition(":")[0] if step else ""
        if not drill_id.startswith("DRILL-"):
            return None
        drill = self.book.load(drill_id)
        if drill.status == RUNNING:
            recover(self.workspace)  # its process may have been killed
            drill = self.book.load(drill_id)
        return drill

    def scenarios(self) -> Table:
        """Return what can be practised, and when each was last practised by a person."""
        rows, _ = self.book.rows()
        last = {drill.scenario.name: drill for drill in reversed(rows) if drill.score is not None and not drill.script}
        told = [
            (
                one.name,
                one.title,
                Cell(one.expect.runbook, href=notebook_link(one.expect.runbook)),
                wording.moment(last[one.name].began_at) if one.name in last else "never",
                points_of(last.get(one.name)),
            )
            for one in scenarios(self.workspace.home)
        ]
        columns = ("Scenario", "What happens", "Runbook", "Last by a person (UTC)", "Points")
        return Table("What can be practised", columns, told, numbers=(4,))

    def story(self) -> Table:
        """Return what will be seen, without what is wrong: that is for the operator to find."""
        drilled = self.operator if self.given.drilled == PERSON else f"{self.operator}, a {self.given.drilled} script"
        clock = (
            "the machine's: it takes minutes" if self.given.drilled == PERSON else "moved in steps: it takes seconds"
        )
        rows = [
            ("Scenario", self.scenario.name),
            ("What you see", self.scenario.story),
            ("Operator", drilled),
            ("Clock", clock),
            ("Ends at the latest after", wording.duration(self.scenario.limit_s)),
        ]
        return Table("The drill", ("", ""), rows)

    def start(self) -> Table:
        """Run the drill as a step, once: to its end with a script, beside the notebook with a person."""
        return self.act(STEP, "Begin the drill", self._alone if self.given.drilled == PERSON else self._scripted)

    def state(self) -> Table:
        """Return how the drill stands: where to work, and which alerts were raised."""
        drill = self.drill
        if drill is None:
            return Table("The drill", (), [], empty="It has not begun.")
        rows: list[tuple[object, object]] = [
            ("Drill", drill.drill_id),
            ("Status", Cell(drill.status, GOOD if drill.status == DONE else MID)),
            ("Work in", Cell(f"`export PEAKTRADE_HOME={drill.workspace}`", code=True)),
            ("Session", drill.session_id),
        ]
        raised = [
            (f"Alert, {wording.moment(one.at)} UTC", f"{one.severity}: {one.what}, {one.detail}")
            for one in self._alerts()
        ]
        return Table("How it stands", ("", ""), [*rows, *(raised or [("Alerts", "none yet")])])

    def ended(self) -> Table:
        """Record whether the drill is over, and say what to do while it is not."""
        drill, question = self.drill, "Is the drill over?"
        status = "not begun" if drill is None else drill.status
        step = "Work the incident in the drill's workspace until it is closed, then run this cell again."
        if drill is not None and drill.early:
            step = f"{drill.drill_id}: {drill.early}."
        return self.check("ended", question, [check("ended", question, status == DONE, status, step, otherwise=WARN)])

    def reaction(self) -> Table:
        """Record how the reaction was, answered phase by phase."""
        return self.check("score", "How was the reaction?", self.answers())

    def lessons(self) -> Prompt | Table:
        """Ask whether it was talked through, unless there is nothing to talk about."""
        text = "Was it talked through, and noted with peaktrade drill note?"
        return self.confirm("lessons", text, about="score")

    def files(self) -> tuple[Path, ...]:
        """Return the files that its evidence rests on: the drill's record and its page."""
        drill = self.drill
        return () if drill is None else (self.book.path(drill.drill_id), self.book.page(drill.drill_id))

    def _alerts(self) -> tuple[Noted, ...]:
        """Return what the rules raised, also while the drill runs."""
        drill = self.drill
        if drill is None or drill.status != RUNNING:
            return drill.alerts if drill else ()
        site = self.book.site(drill)
        return tuple(look(open_site(site), drill.session_id, ()).alerts) if site.is_dir() else ()

    def _scripted(self) -> str:
        """Run the drill to its end with a script in the place of a person."""
        script = self.given.drilled
        done = run_drill(self.workspace, self.scenario, operator=self.operator, script=script)
        points = f"{done.score.points:g} of 100 points" if done.score else done.status
        return f"{done.drill_id}: done with a {script} script, {points}"

    def _alone(self) -> str:
        """Start the drill in a process of its own, which outlives this kernel, and wait until it has begun."""
        before = set(self.book.ids())
        command = (sys.executable, "-m", "peaktrade_core", "drill", "run", self.scenario.name)
        where = ("--home", str(self.workspace.home), "--operator", self.operator)
        log = self.book.folder / "last_run.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            process = subprocess.Popen((*command, *where), stdout=file, stderr=file, start_new_session=True)  # noqa: S603
        until = time.monotonic() + BEGIN_S
        while time.monotonic() < until:
            for drill_id in set(self.book.ids()) - before:
                if self.book.path(drill_id).is_file() and self.book.load(drill_id).session_id:
                    return f"{drill_id}: it runs; work in {self.book.load(drill_id).workspace}"
            if process.poll() is not None:
                raise EnvironmentFault(f"the drill did not begin: {_last_line(log)}")
            time.sleep(0.2)
        process.kill()
        process.wait()
        recover(self.workspace)
        raise EnvironmentFault(f"the drill did not begin within {BEGIN_S:g} s; see {log}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def scenario_choices(workspace: Workspace) -> list[Suggestion]:
    """Return the scenarios of drills, to pick one."""
    return [Suggestion(one.name, one.title) for one in scenarios(workspace.home)]
