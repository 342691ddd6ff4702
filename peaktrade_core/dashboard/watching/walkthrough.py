"""The demo walkthrough: a whole shift in ten to fifteen minutes, in a practice workspace of its own.

What is practised stays out of the desk's registry, figures and alerts: the sessions run below ``out/practice``, which
is removed at the end. Only the evidence of the walk goes to the desk's own workspace. Taken up again after a crash, it
goes on with the sessions that it has.

Source: demo walkthrough (phase 84).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.files import write_atomic
from peaktrade_core.desk.demo import Fragile, fragile
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.notebook import Session, open_session, run_planned_session
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.columns import state_cell
from peaktrade_core.runs.handbook import next_step
from peaktrade_core.runs.standing import run_of
from peaktrade_core.session.plan import Plan
from peaktrade_core.session.planning import plan_session
from peaktrade_core.show import wording
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.trading.strategies import AUX, all_strategies, register, scratch_registry
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.workspace import Workspace

FOLDER = Path("out") / "practice" / "walkthrough"
REMOVE = "remove"
CLEAN_UP = (
    Option(key=REMOVE, label="Remove it", meaning="the walk leaves its evidence and nothing else", supported=True),
    Option(key="keep", label="Keep it", meaning="to look around; the next walk removes it"),
)


class Practice(NamedTuple):
    """The workspace that is practised in."""

    workspace: Workspace

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return repr(self.table())

    def table(self) -> Table:
        """Return where it is and how to look at it from outside."""
        where = FOLDER.as_posix()
        rows = [
            ("Folder", where),
            ("Dashboard", Cell(f"`peaktrade dashboard --home {where}`", code=True)),
            ("Sessions", Cell(f"`peaktrade session list --home {where}`", code=True)),
        ]
        note = "Nothing in it counts for the desk. The commands work from the desk's folder."
        return Table("The practice workspace", ("", ""), rows, note=note)


def set_up_practice(runbook: Runbook) -> Practice:
    """Make the practice workspace, empty; taken up again, the one that is there.

    Raises:
        ConfigError: something that is no practice workspace is in its place.
        EnvironmentFault: it cannot be written.
    """
    home = runbook.workspace.home / FOLDER
    runbook.act("practice", "Make a practice workspace", lambda: _make(runbook.workspace, home))
    return Practice(Workspace(home))


def _make(workspace: Workspace, home: Path) -> str:
    """Make the folder anew with the desk's configuration."""
    _remove(home)
    write_atomic(home / CONFIG, workspace.config_path.read_bytes())
    for module in workspace.config.strategy_modules:
        source = workspace.home / module
        if source.is_file() and not Path(module).is_absolute():
            write_atomic(home / module, source.read_bytes())
    return f"{FOLDER.as_posix()}, with the desk's configuration"


def _remove(home: Path) -> None:
    """Remove the practice workspace.

    Raises:
        ConfigError: what is there is no practice workspace.
        EnvironmentFault: it cannot be removed.
    """
    if not home.exists() and not home.is_symlink():
        return
    if home.is_symlink() or not (home / CONFIG).is_file():
        raise ConfigError(f"{home} is no practice workspace; move it away, then run this cell again")
    try:
        shutil.rmtree(home)
    except OSError as error:
        raise EnvironmentFault(f"cannot remove {home}: {why(error)}") from error


def strategies_table() -> Table:
    """Return the strategies that a session can run."""
    rows = [
        (one.name, one.tier, ", ".join(f"{k} {v:g}" for k, v in one.parameters({})._asdict().items()))
        for one in sorted(all_strategies(), key=lambda one: one.name)
    ]
    return Table("Strategies", ("Name", "Tier", "Parameters"), rows)


def walk_session(runbook: Runbook, practice: Practice, plan: Plan) -> Session:
    """Run the planned session once and return it."""
    return _walked(runbook, practice, "session", "Run a shadow session", lambda: plan)


def walk_failure(runbook: Runbook, practice: Practice) -> Session:
    """Run a session whose strategy has a bug, once, and return it: a real failure, from a real error."""
    with scratch_registry():
        register("walkthrough_fragile", Fragile, slots=lambda _: 1, warmup=lambda _: 0, tier=AUX)(fragile)
        return _walked(
            runbook,
            practice,
            "failure",
            "Run a session that fails",
            lambda: plan_session(
                practice.workspace, strategy="walkthrough_fragile", steps=1000, seed=3, notes="Made to fail."
            ),
        )


def _walked(runbook: Runbook, practice: Practice, step: str, title: str, plan: Callable[[], Plan]) -> Session:
    """Run a session as a step of the runbook; one that has run already is opened."""

    def run() -> str:
        session = run_planned_session(practice.workspace, plan())
        return f"{session.id} {session.record.status}"

    runbook.act(step, title, run)
    done = runbook.round.record.step(step)
    assert done is not None
    return open_session(practice.workspace, done.result.partition(" ")[0])


def walk_failure_table(session: Session) -> Table:
    """Return what a failed session leaves, and what to do: its row, its error, its record, the next step."""
    record, workspace = session.record, session.workspace
    path = Registry.of(workspace).path_of(record).relative_to(workspace.home).as_posix()
    pnl = wording.signed(run_of(record).total_pnl, session.currency)
    rows: list[tuple[object, object]] = [
        ("Session", session.id),
        ("Status", state_cell(run_of(record))),
        ("Error", record.error or wording.NOTHING),
        ("Record", path),
        ("Saved", f"{wording.many(len(session.events), 'event')} up to the error, total PnL {pnl}"),
        ("Do", next_step(record.error or "")),
        ("Runbook", Cell("`peaktrade runbook run incident_failed_session -p session_id=…`", code=True)),
    ]
    return Table("What a failed session looks like", ("", ""), rows)


def ask_clean_up(runbook: Runbook) -> Prompt:
    """Ask whether the practice workspace is to go."""
    return runbook.ask("clean_up", "Is the practice workspace to be removed?", CLEAN_UP)


def walk_clean_up(runbook: Runbook) -> Table:
    """Remove the practice workspace if that was the answer.

    Raises:
        StepOpenError: a person steps through and has not answered yet.
    """
    runbook.round.require_answers()
    if not runbook.chose("clean_up", REMOVE):
        return Table("Clean-up", (), [], empty=f"{FOLDER.as_posix()} was kept; the next walk removes it.")
    home = runbook.workspace.home / FOLDER
    return runbook.act("removed", "Clean up", lambda: _cleaned(home))


def _cleaned(home: Path) -> str:
    _remove(home)
    return f"{FOLDER.as_posix()} was removed; the evidence of this walk stays"
