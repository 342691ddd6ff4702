"""The drill notebook: a scripted drill in a step, one with a person beside it, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.drills.drill import DONE, RUNNING
from peaktrade_core.drills.runbook import DrillRunbook
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.runbooks.runbooks import run_runbook
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace, open_site
from tests.conftest import until


def begun(workspace: Workspace, drilled: str, scenario: str = "disconnect") -> DrillRunbook:
    found: DrillRunbook = begin(
        "drill", workspace, operator="Anna Example", scenario=scenario, drilled=drilled, answers="lessons = yes"
    )
    return found


def statuses(runbook: DrillRunbook, step: str) -> dict[str, str]:
    found = runbook.round.record.step(step)
    return {check.id: check.status for check in found.checks} if found else {}


def test_a_scripted_drill_is_run_once_however_often_its_cell_is(workspace: Workspace) -> None:
    runbook = begun(workspace, "bad")
    assert runbook.drill is None
    for _ in range(2):
        runbook.start()
    assert len(runbook.book.ids()) == 1
    runbook.ended()
    assert statuses(runbook, "ended") == {"ended": "pass"}
    runbook.reaction()
    assert statuses(runbook, "score") == {
        "detection": "pass",
        "acknowledgement": "warn",
        "diagnosis": "fail",
        "mitigation": "fail",
        "alerts": "pass",
        "wrong": "fail",
        "passed": "fail",
    }
    assert "kill_switch" in repr(runbook.events())
    assert "not passed, 0 of 100" in repr(runbook.phases())
    assert "script bad" in repr(runbook.log())
    runbook.lessons()
    assert [path.is_file() for path in runbook.files()] == [True, True]
    report = read("drill_report", workspace)
    assert report.drill == runbook.drill
    assert "not passed, 0 of 100" in repr(report.summary())


def test_before_anything_was_drilled_it_says_so(workspace: Workspace) -> None:
    report = read("drill_report", workspace, days=7)
    for shown in (report.summary, report.expected, report.phases, report.events, report.log):
        assert "No drill was done yet" in repr(shown())
    assert [check.status for check in report.answers()] == ["warn"]
    assert "last 7 days" in repr(report.coverage())
    with pytest.raises(UnknownNameError, match="known: good, bad, person"):
        begun(workspace, "nobody")
    assert EvidenceBook.of(workspace).ids() == []  # a runbook that cannot begin leaves no evidence


def test_a_report_takes_only_its_own_parameters_and_leaves_no_evidence(workspace: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="unknown parameter 'week'; known: days, drill_id"):
        read("drill_report", workspace, week="this")
    with pytest.raises(UnknownNameError, match="unknown runbook 'drill_reports'"):
        read("drill_reports", workspace)
    assert EvidenceBook.of(workspace).ids() == []


def test_the_notebook_without_a_person(workspace: Workspace) -> None:
    outcome = run_runbook("drill", {"operator": "Anna Example"}, workspace)
    assert (outcome.status, outcome.error, outcome.outcome) == ("completed", None, "passed")
    report = run_runbook("drill_report", {}, workspace)
    assert (report.status, "100 of 100 points" in report.html.read_text()) == ("completed", True)


@pytest.fixture
def beside(workspace: Workspace) -> Iterator[DrillRunbook]:
    """Return a drill with a person, and end it however the test ends."""
    runbook = begun(workspace, "person", "crash")
    runbook.start()
    yield runbook
    drill = runbook.drill
    assert drill is not None
    site = open_site(workspace.home / drill.workspace)
    if not IncidentBook.of(site).rows():
        one = IncidentBook.of(site).open("died", "x", subject="x", severity="medium", by="Anna", role="operator")
        IncidentBook.of(site).close(one.incident_id, "Anna", "x", "x")
    until(lambda: runbook.drill.status != RUNNING)


def test_a_drill_with_a_person_runs_beside_the_notebook_and_ends_with_its_incident(
    workspace: Workspace, beside: DrillRunbook
) -> None:
    drill = beside.drill
    assert drill is not None
    assert (drill.status, drill.script) == (RUNNING, "")
    beside.ended()
    assert statuses(beside, "ended") == {"ended": "warn"}
    assert "none yet" in repr(beside.state())
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
