"""The drill notebook: a scripted drill in a step, one with a person beside it, and what it shows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.drills.board import DrillBoard, drill_checks, drill_ended, open_drill_board, start_drill
from peaktrade_core.drills.drill import DONE, RUNNING
from peaktrade_core.drills.tables import drill_events, drill_log, drill_phases, drill_state, drill_summary
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runbooks.runbook import Runbook, begin
from peaktrade_core.runbooks.runbooks import run_runbook
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace, open_site


def begun(workspace: Workspace) -> Runbook:
    return begin("drill", workspace, operator="Anna Example", scenario="disconnect")


def test_a_scripted_drill_is_run_once_however_often_its_cell_is(workspace: Workspace) -> None:
    board, runbook = open_drill_board(workspace, "disconnect", "bad", "Anna Example"), begun(workspace)
    assert board.drill is None
    for _ in range(2):
        runbook.act("drill", "Begin the drill", start_drill(runbook, board))
    assert len(board.book.ids()) == 1
    assert [check.status for check in drill_ended(board)] == ["pass"]
    statuses = {check.id: check.status for check in drill_checks(board.drill)}
    assert statuses == {
        "detection": "pass",
        "acknowledgement": "warn",
        "diagnosis": "fail",
        "mitigation": "fail",
        "alerts": "pass",
        "wrong": "fail",
        "passed": "fail",
    }
    assert "kill_switch" in repr(drill_events(board.drill))
    assert "not passed, 0 of 100" in repr(drill_phases(board.drill))
    assert "script bad" in repr(drill_log(workspace))


def test_before_anything_was_drilled_it_says_so(workspace: Workspace) -> None:
    assert "No drill was done yet" in repr(drill_summary(None))
    assert [check.status for check in drill_checks(None)] == ["warn"]
    with pytest.raises(UnknownNameError, match="known: good, bad, person"):
        open_drill_board(workspace, "disconnect", "nobody")


def test_the_notebook_without_a_person(workspace: Workspace) -> None:
    outcome = run_runbook("drill", {"operator": "Anna Example"}, workspace)
    assert (outcome.status, outcome.error, outcome.outcome) == ("completed", None, "passed")
    report = run_runbook("drill_report", {}, workspace)
    assert (report.status, "100 of 100 points" in report.html.read_text()) == ("completed", True)


@pytest.fixture
def beside(workspace: Workspace) -> Iterator[DrillBoard]:
    """Return a drill with a person, and end it however the test ends."""
    board, runbook = open_drill_board(workspace, "crash", "person", "Anna Example"), begun(workspace)
    runbook.act("drill", "Begin the drill", start_drill(runbook, board))
    yield board
    drill = board.drill
    assert drill is not None
    site = open_site(workspace.home / drill.workspace)
    if not IncidentBook.of(site).rows():
        one = IncidentBook.of(site).open("died", "x", subject="x", severity="medium", by="Anna", role="operator")
        IncidentBook.of(site).close(one.incident_id, "Anna", "x", "x")
    until(lambda: board.drill.status != RUNNING)


def until(done: Any, seconds: float = 30.0) -> None:
    """Wait for something that another process does."""
    for _ in range(int(seconds / 0.1)):
        if done():
            return
        time.sleep(0.1)
    pytest.fail(f"not within {seconds:g} s")


def test_a_drill_with_a_person_runs_beside_the_notebook_and_ends_with_its_incident(
    workspace: Workspace, beside: DrillBoard
) -> None:
    drill = beside.drill
    assert drill is not None
    assert (drill.status, drill.script) == (RUNNING, "")
    assert [check.status for check in drill_ended(beside)] == ["warn"]
    assert "none yet" in repr(drill_state(beside))
    site = open_site(workspace.home / drill.workspace)
    until(lambda: Views.of(site).rows())
    folder = RunFolder(site.runs, drill.session_id)
    until(folder.alive)
    one = IncidentBook.of(site).open(
        "died", "it is gone", subject=drill.session_id, severity="medium", by="Anna", role="operator"
    )
    IncidentBook.of(site).mitigate(one.incident_id, "Anna", "nothing starts by itself")
    IncidentBook.of(site).close(one.incident_id, "Anna", "practice", "practice")
    until(lambda: beside.drill.status == DONE)
    done = beside.drill
    assert [action.what for action in done.actions] == ["incident", "mitigated", "closed"]
    assert done.session_status == "aborted"
    assert not folder.alive()  # the drilled process is gone with the drill
    assert done.score is not None
    assert done.score.missed_alerts == ("failed-session",)  # it was ended before its process was killed
