"""The incident runbooks, headless, against a session in which it really happened and one in which it did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import nbformat
import pytest

from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.case import session_of_alert
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.runbooks.runbooks import RunOutcome, find_runbook, run_runbook
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.runs.run import item_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.testing import LoopbackVenue, VenueFault
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.venue.rig import VenueDesk


class Happens(NamedTuple):
    """How an incident is made, which answers a person gives, and what must be in the incident."""

    notebook: str
    make: Callable[[VenueDesk, LoopbackVenue], None]
    answers: str
    kind: str
    severity: str
    status: str  # of the scope afterwards


def refused_key(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.named("wrong_key"), path="OHLC", skip=8, times=1)
    desk.session(steps=20)


def hole(desk: VenueDesk, venue: LoopbackVenue) -> None:
    first = venue.clock.seconds() // 60 * 60 + 600.0
    venue.faults.add(VenueFault.hole(first, first + 60.0), path="OHLC")
    desk.session(steps=60)


def too_large(desk: VenueDesk, _: LoopbackVenue) -> None:
    desk.session(feed="synthetic", steps=200, position_fraction=0.2)


def two_failed(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.named("unknown_pair"), path="OHLC", skip=4)
    desk.session(steps=20)
    venue.clock.advance(5.0)
    desk.session(steps=20)
    venue.faults.clear()


HAPPENS = [
    Happens(
        "incident_exchange_error",
        refused_key,
        "decision = wrong_key; key_safe = yes; owner = yes; postmortem = yes",
        "authentication",
        "high",
        "HALTED",
    ),
    Happens(
        "incident_data_gap",
        hole,
        "decision = accept; status_page = yes; gap_accepted = yes",
        "data_gap",
        "medium",
        "ACTIVE",
    ),
    Happens(
        "incident_risk_limit", too_large, "decision = smaller_orders; restored = na", "risk_limit", "medium", "ACTIVE"
    ),
    Happens(
        "incident_failed_session",
        two_failed,
        "decision = pause; owner = yes; postmortem = yes",
        "failed_session",
        "high",
        "HALTED",
    ),
]
each = pytest.mark.parametrize("case", HAPPENS, ids=lambda case: case.notebook.removeprefix("incident_"))


def shown(outcome: RunOutcome) -> str:
    """Return what a notebook shows, as text."""
    cells = nbformat.read(outcome.notebook, 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/html", "") for output in outputs)


def scope_state(workspace: Workspace) -> str:
    return max((s.state for s in TradingStates.of(workspace).everything()), key=("ACTIVE", "HALTED").index)


@each
def test_what_happened_is_diagnosed_decided_and_written_down(
    desk: VenueDesk, venue: LoopbackVenue, case: Happens
) -> None:
    case.make(desk, venue)
    session = Views.of(desk.workspace).resolve("latest")
    given = {"operator": "Ada", "answers": case.answers, "drill": "DRILL-3"}
    outcome = run_runbook(case.notebook, given, desk.workspace)
    assert (outcome.status, outcome.error) == ("completed", None)
    assert outcome.outcome in ("warned", "failed")  # every question is answered, and the checks found something
    assert outcome.evidence_id is not None
    evidence = EvidenceBook.of(desk.workspace).load(outcome.evidence_id)
    (row,) = IncidentBook.of(desk.workspace).rows(subject=session)
    incident = IncidentBook.of(desk.workspace).load(row.incident_id)
    assert (incident.kind, incident.severity, incident.drill) == (case.kind, case.severity, "DRILL-3")
    assert (incident.opened_by, incident.evidence_id, incident.runbook) == ("Ada", evidence.evidence_id, case.notebook)
    assert all((incident.symptom, incident.suspected, incident.next_step, incident.system, incident.since))
    assert [a.path.rpartition("/")[2] for a in incident.artefacts][1] == "events.jsonl"
    assert all(len(a.sha256) == 64 for a in incident.artefacts)
    assert any("decided: " in entry.text for entry in incident.timeline)
    assert (incident.owner_told_at is not None) is (case.severity == "high")
    assert scope_state(desk.workspace) == case.status
    assert f"{row.incident_id}/incident.md" in {a.path.partition("incidents/")[2] for a in evidence.artefacts}


@each
def test_where_it_did_not_happen_it_says_so_and_opens_nothing(desk: VenueDesk, case: Happens) -> None:
    desk.session(steps=20)
    outcome = run_runbook(case.notebook, {"operator": "Ada"}, desk.workspace)
    assert (outcome.status, outcome.outcome) == ("completed", "passed")
    assert "It did not happen in this session." in shown(outcome)
    assert IncidentBook.of(desk.workspace).rows() == []
    assert scope_state(desk.workspace) == "ACTIVE"


def test_without_answers_it_opens_the_incident_but_decides_nothing(desk: VenueDesk, venue: LoopbackVenue) -> None:
    two_failed(desk, venue)
    outcome = run_runbook("incident_failed_session", {"operator": "Ada"}, desk.workspace)
    assert (outcome.status, outcome.outcome) == ("completed", "incomplete")
    (row,) = IncidentBook.of(desk.workspace).rows()
    assert IncidentBook.of(desk.workspace).load(row.incident_id).next_step.startswith("Pause")
    assert scope_state(desk.workspace) == "ACTIVE"  # silence halts nothing
    again = run_runbook(
        "incident_failed_session",
        {"operator": "Ben", "answers": "decision = pause; owner = no; postmortem = yes"},
        desk.workspace,
    )
    assert again.outcome == "failed"
    assert [r.incident_id for r in IncidentBook.of(desk.workspace).rows()] == [
        row.incident_id
    ]  # joined, not opened again
    assert scope_state(desk.workspace) == "HALTED"


def test_a_limit_is_changed_by_two_who_may_and_by_nobody_else(desk: VenueDesk, venue: LoopbackVenue) -> None:
    too_large(desk, venue)
    given = {"operator": "Ada", "answers": "decision = other_limits; restored = na"}
    refused = run_runbook("incident_risk_limit", given, desk.workspace)
    assert refused.status == "failed"
    assert "is decided by two people who are there, not by a parameter" in str(refused.error)
    assert IncidentBook.of(desk.workspace).rows() == []


def raise_alert(workspace: Workspace, alert_id: str, run_id: str | None) -> None:
    told = {
        "rule_id": "deny-burst",
        "key": run_id or "",
        "severity": "warning",
        "message": "37 denials",
        "runbook": "8",
    }
    alert = Raised(at=workspace.clock.now(), alert_id=alert_id, run_id=run_id, **told)
    Alerts.of(workspace).log.append(lambda _: [alert])


def test_an_alert_leads_to_its_session_and_is_part_of_the_evidence(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    session = run_shadow(steps=300, position_fraction=0.2).session_id
    raise_alert(workspace, "a1", session)
    raise_alert(workspace, "b2", None)
    other = run_shadow(steps=20).session_id
    case = begin("incident_risk_limit", workspace, operator="Ada", alert_id="a1").case
    assert case.id == session
    assert case.finding is not None
    assert any(sentence.startswith("alert a1, ") for sentence in case.finding.evidence)
    with pytest.raises(ConfigError, match="not about"):
        session_of_alert(workspace, "a1", other)
    with pytest.raises(ConfigError, match="is not about a session"):
        session_of_alert(workspace, "b2")
    with pytest.raises(UnknownNameError):
        session_of_alert(workspace, "c3")


def test_a_session_that_is_not_there_is_an_error_in_a_sentence(workspace: Workspace) -> None:
    outcome = run_runbook("incident_data_gap", {"session_id": "shadow_1"}, workspace)
    assert outcome.status == "failed"
    assert "no session 'shadow_1'" in str(outcome.error)
    assert EvidenceBook.of(workspace).ids() == []


def test_reports_tell_of_an_incident_and_of_none(workspace: Workspace) -> None:
    for name in ("incident_report", "post_mortem", "weekly_incident_review"):
        assert find_runbook(name).side_effects is False
    assert run_runbook("incident_report", {}, workspace).status == "completed"
    none = read("post_mortem", workspace)
    assert "No post-mortem yet" in repr(none.learned())
    assert "No incident was ever opened here" in repr(none.summary())
    assert "A week without an incident" in repr(read("weekly_incident_review", workspace).incidents())
    one = IncidentBook.of(workspace).open(
        "other", "Odd <b>smell</b>", subject="x", severity="high", by="Ada", role="operator"
    )
    assert "smell" in repr(read("post_mortem", workspace).summary())
    outcome = run_runbook("incident_report", {"incident_id": one.incident_id}, workspace)
    page = outcome.html.read_text()
    assert one.incident_id in page
    assert "<b>smell</b>" not in page
    assert IncidentBook.of(workspace).ids() == [one.incident_id]  # the report beside it is no incident


def test_a_runbook_that_is_taken_up_again_stays_with_its_session(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    first = run_shadow(steps=20).session_id
    runbook = begin("incident_failed_session", workspace, operator="Ada")
    assert run_shadow(steps=20).session_id != first
    again = begin("incident_failed_session", workspace, operator="Ada", resume=runbook.round.id)
    assert again.case.id == first


def test_the_session_is_named_and_judged_as_every_list_does(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    blocked = run_shadow(steps=200, position_fraction=0.2).session_id
    told = {str(row[0]): str(row[1]) for row in begin("incident_risk_limit", workspace, operator="Ada").summary().rows}
    item = item_of(Views.of(workspace).run(blocked))
    assert (told["Status"], item.word) == (wording.badge(item.word), "blocked")
    assert told["What"] == f"{item.name}, shadow"
