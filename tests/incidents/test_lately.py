"""What ``latest`` means to an incident runbook: the newest session in which what it treats happened, never a healthy one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.runbook import IncidentRunbook
from peaktrade_core.runbooks.pickers import suggested
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.runs.views import Views
from peaktrade_core.testing import LoopbackVenue
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended
from tests.incidents.test_incident_runbooks import HAPPENS, Happens
from tests.venue.rig import VenueDesk

Run = Callable[..., SessionRecord]
each = pytest.mark.parametrize("case", HAPPENS, ids=lambda case: case.notebook.removeprefix("incident_"))


def begun(name: str, workspace: Workspace, **given: str) -> IncidentRunbook:
    found: IncidentRunbook = begin(name, workspace, operator="Ada", **given)
    return found


def denied(run_shadow: Run) -> str:
    """Return the id of a session whose orders were too large."""
    return run_shadow(steps=200, position_fraction=0.2).session_id


def close(workspace: Workspace, session_id: str, kind: str, drill: str = "") -> str:
    book = IncidentBook.of(workspace)
    found = book.open(kind, "Seen", subject=session_id, severity="low", by="Ada", role="operator", drill=drill)
    return book.close(found.incident_id, "Ada", cause="too large", resolution="smaller").incident_id


@each
def test_latest_is_the_newest_of_its_kind_and_not_a_healthy_one_after_it(
    desk: VenueDesk, venue: LoopbackVenue, case: Happens
) -> None:
    case.make(desk, venue)
    happened = Views.of(desk.workspace).resolve("latest")
    venue.faults.clear()
    venue.clock.advance(5.0)
    desk.session(feed="synthetic", steps=20)
    assert Views.of(desk.workspace).resolve("latest") != happened
    runbook = begun(case.notebook, desk.workspace)
    assert runbook.case.id == happened
    assert [finding.kind for finding in runbook.case.happened] == [case.kind]


def test_a_named_session_is_taken_whatever_happened_elsewhere(workspace: Workspace, run_shadow: Run) -> None:
    first, healthy = denied(run_shadow), run_shadow(steps=20).session_id
    runbook = begun("incident_risk_limit", workspace, session_id=healthy)
    assert runbook.case.id == healthy
    assert first in repr(runbook.sessions())  # it says where it did


def test_of_several_the_newest_is_taken_and_all_are_named(workspace: Workspace, run_shadow: Run) -> None:
    older, newer = denied(run_shadow), denied(run_shadow)
    runbook = begun("incident_risk_limit", workspace)
    assert runbook.case.id == newer
    rows = runbook.sessions().rows
    assert [(str(row[0]), str(row[1])) for row in rows] == [("→ this one", newer), ("", older)]


def test_what_a_closed_incident_treated_is_not_taken_again(workspace: Workspace, run_shadow: Run) -> None:
    older, newer = denied(run_shadow), denied(run_shadow)
    incident = close(workspace, newer, "risk_limit")
    runbook = begun("incident_risk_limit", workspace)
    assert runbook.case.id == older
    assert f"{incident} closed" in repr(runbook.sessions())


def test_an_exercise_or_an_incident_of_another_kind_treats_nothing(workspace: Workspace, run_shadow: Run) -> None:
    session = denied(run_shadow)
    close(workspace, session, "risk_limit", drill="DRILL-1")
    close(workspace, session, "data_gap")
    run_shadow(steps=20)
    assert begun("incident_risk_limit", workspace).case.id == session


def test_where_it_happened_in_none_the_newest_is_taken_and_it_says_so(workspace: Workspace, run_shadow: Run) -> None:
    run_shadow(steps=20)
    newest = run_shadow(steps=20).session_id
    runbook = begun("incident_risk_limit", workspace)
    assert runbook.case.id == newest
    assert "In none. Looked at: the newest 2 sessions." in repr(runbook.sessions())
    (workspace.home / "live_runs" / newest / "events.jsonl").write_bytes(b"{\n{\n")
    told = repr(begun("incident_risk_limit", Workspace(workspace.home)).sessions())
    assert f"In none. Looked at: the newest 1 session. ? Not known of 1 session; {newest}: " in told


def test_a_journal_that_cannot_be_read_is_named_and_hides_no_other(workspace: Workspace, run_shadow: Run) -> None:
    session, broken = denied(run_shadow), run_shadow(steps=20).session_id
    journal = workspace.home / "live_runs" / broken / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], b"\xff{\n", *lines[6:]]))
    runbook = begun("incident_risk_limit", Workspace(workspace.home))
    assert runbook.case.id == session
    told = runbook.sessions()
    assert [str(row[1]) for row in told.rows] == [session]
    assert f"? Not known of 1 session; {broken}: " in str(told.note)


def test_the_form_offers_those_in_which_it_happened_first(workspace: Workspace, run_shadow: Run) -> None:
    session, healthy = denied(run_shadow), run_shadow(steps=20).session_id
    found = suggested("session_id", workspace, "incident_risk_limit")
    assert [one.value for one in found] == ["latest", session, healthy]
    assert found[0].label == "the newest in which it happened"
    assert found[1].label.startswith("✕ A risk limit was reached · ma_crossover on BTC/EUR")
    usual = suggested("session_id", workspace, "post_session_check")
    assert usual[0].label == "the one that started last"
    assert suggested("session_id", workspace, "incident_pnl_divergence")[0].label == found[0].label


def test_the_terminal_names_the_trouble_before_a_healthy_session(
    workspace: Workspace, run_shadow: Run, peaktrade: Callable[..., Ended]
) -> None:
    session, healthy = denied(run_shadow), run_shadow(steps=20).session_id
    told = peaktrade("incident", "diagnose")
    assert told.code == 0
    assert told.stdout.startswith(healthy)
    assert f"peaktrade incident diagnose {session}" in told.stdout
    assert json.loads(peaktrade("incident", "diagnose", "--json").stdout)["untreated"] == [session]
    close(workspace, session, "risk_limit")
    assert session not in peaktrade("incident", "diagnose").stdout
