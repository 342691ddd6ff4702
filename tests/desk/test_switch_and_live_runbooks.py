"""The kill switch takes one person to engage and two to release; a live start meets its gate whatever is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.base.question import FAIL, PASS, WARN
from peaktrade_core.control.live_start import LiveStartRunbook, document
from peaktrade_core.desk.kill_switch import KillSwitchRunbook, obeyed_checks, switch_checks, switch_table
from peaktrade_core.desk.readiness import ready_checks
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

CAUSE = "cause = yes: the feed was mended"
SINGLE = ("tests_green", "keys_stored", "contacts", "limits_reviewed", "preview_sensible")


def use(runbook: KillSwitchRunbook) -> str:
    runbook.fit()
    runbook.cause()
    return repr(runbook.use())


@pytest.fixture
def switch(begin) -> Callable[..., KillSwitchRunbook]:
    """Return a function that begins the runbook with an action."""
    return lambda action, **more: begin("kill_switch", action=action, **{"reason": "because", **more})


def test_looking_changes_nothing(switch, workspace: Workspace) -> None:
    assert "Nothing was touched" in use(switch("status"))
    assert not KillSwitch.of(workspace).audit()
    assert "never used" in repr(switch("status").audit())


def test_one_engages_and_every_running_session_obeys(switch, workspace: Workspace, launch: Callable) -> None:
    run = launch()
    runbook = switch("engage", reason="odd fills")
    assert "NO_ORDERS for every session" in use(runbook)
    assert run in repr(runbook.obeyed()) or runbook.round.record.step("obeyed").status == PASS
    assert runbook.round.record.step("obeyed").status == PASS
    assert Views.of(workspace).run(run).trading_state == "NO_ORDERS"
    assert "odd fills" in repr(switch_table(workspace))
    assert {one.id: one.status for one in switch_checks(workspace)}["released"] == WARN


def test_a_session_that_does_not_look_is_named(workspace: Workspace, launch: Callable, monkeypatch) -> None:
    run = launch()
    KillSwitch.of(workspace).engage("Ada", "test")
    row = Views.of(workspace).run(run)
    monkeypatch.setattr(
        Fleet.of(workspace), "active", lambda: [type(row)(run_id=run, state="silent", trading_state="ACTIVE")]
    )
    (found,) = obeyed_checks(workspace, patience_s=0.0)
    assert (found.status, run in found.evidence) == (FAIL, True)


def test_two_people_release_it_in_two_executions(switch, workspace: Workspace) -> None:
    KillSwitch.of(workspace).engage("Ada", "test")
    assert "Not released yet: Ada has asked" in use(switch("release", answers=CAUSE))
    assert KillSwitch.of(workspace).status().engaged
    with pytest.raises(ConfigError, match="two different people"):
        use(switch("release", answers=CAUSE))
    assert KillSwitch.of(workspace).status().engaged
    assert "Released by Ada and Bob" in use(switch("release", operator="Bob", answers=CAUSE))
    assert not KillSwitch.of(workspace).status().engaged
    assert {one.id: one.status for one in switch_checks(workspace)} == {
        "kill_switch": PASS,
        "released": PASS,
        "switch_tested": PASS,
    }


@pytest.mark.parametrize("answers", ["", "cause = no: we do not know yet"])
def test_without_a_known_cause_nobody_releases(switch, workspace: Workspace, answers) -> None:
    KillSwitch.of(workspace).engage("Ada", "test")
    runbook = switch("release", answers=answers)
    assert "Not released" in use(runbook)
    assert KillSwitch.of(workspace).status().requested_by is None
    assert runbook.finish().record.outcome == ("stopped" if answers else "incomplete")


@pytest.mark.parametrize("action", ["engage", "release"])
def test_a_reason_is_needed(switch, action) -> None:
    with pytest.raises(ConfigError, match="needs a reason"):
        switch(action, reason=" ").use()


def test_over_a_broken_audit_nothing_is_released_and_it_is_shown(switch, workspace: Workspace) -> None:
    KillSwitch.of(workspace).engage("Ada", "test")
    KillSwitch.of(workspace).engage("Ada", "test, again")
    path = TradingStates.of(workspace).log.path
    path.write_text(path.read_text().replace("Ada", "Eve", 1))
    assert "✕" in repr(switch_table(workspace))
    assert {one.id: one.status for one in switch_checks(workspace)}["kill_switch"] == FAIL
    with pytest.raises(ArtefactError, match="killswitch engage"):
        use(switch("release", answers=CAUSE))
    assert KillSwitch.of(workspace).status().engaged


def test_the_notebook_engages_and_leaves_audit_and_state_as_evidence(headless, workspace: Workspace) -> None:
    outcome, evidence = headless("kill_switch", action="engage", reason="odd fills", mode="halted")
    assert outcome.status == "completed"
    assert TradingStates.of(workspace).read("global").state == "HALTED"
    assert [artefact.path.rpartition("/")[2] for artefact in evidence.artefacts] == ["halts.jsonl"]


def go_through(runbook: LiveStartRunbook, second: str) -> None:
    """Answer everything as a person does who steps through, up to the document."""
    runbook.both()
    runbook.round.answer("both_present", "yes", second=second)
    runbook.checklist()
    for step in SINGLE:
        getattr(runbook, step)()
        runbook.round.answer(step, "yes")
    runbook.go()
    runbook.round.answer("go_no_go", "go", "<b>we</b> *want* to", second=second)
    runbook.gate()
    runbook.document()


@pytest.mark.usefixtures("no_venue")
def test_a_live_start_is_locked_even_when_two_people_say_go(begin, workspace: Workspace) -> None:
    runbook = begin("live_start", role="owner", second_person="Bob")
    go_through(runbook, "Bob")
    evidence = runbook.finish().record
    assert evidence.outcome == "failed"
    assert evidence.step("gate").status == FAIL
    assert "live mode is locked by design" in evidence.step("gate").checks[0].evidence
    assert evidence.step("go_no_go").answer.second == "Bob"
    (path,) = workspace.reports.glob("checklists/*_go_no_go.md")
    text = path.read_text()
    assert "LOCKED. Two people said go" in text
    assert "<b>" not in text  # what a person writes is text
    assert "want" in text
    assert "- Second person: Bob" in text
    assert Views.of(workspace).stats().total_sessions == 0
    released = next(one for one in ready_checks(workspace, "live") if one.id == "two_people")
    typed = f"{evidence.evidence_id}: Ada with Bob (not verified), which counts as no-go"
    assert (released.status, released.evidence) == (FAIL, typed)


def test_no_parameter_says_go_for_two_people(headless, workspace: Workspace) -> None:
    outcome, _ = headless("live_start", role="owner", second_person="Bob", answers="both_present = yes")
    evidence = EvidenceBook.of(workspace).load(EvidenceBook.of(workspace).ids()[0])
    assert (outcome.status, evidence.outcome) == ("failed", "incomplete")
    assert "decided by two people who are there, not by a parameter" in evidence.step("broken_off").result
    _, other = headless("kill_switch", action="release", reason="because", answers="cause = no: not yet")
    assert other.step("cause").answer.given == "parameter"
    assert "by parameter" in (workspace.reports / "evidence" / f"{other.evidence_id}.html").read_text()


@pytest.mark.parametrize(
    ("who", "says"),
    [
        ({"role": "operator", "second_person": "Bob"}, "live activation is decided by owner, not by operator"),
        ({"role": "owner"}, "live activation needs a second person"),
        ({"role": "owner", "second_person": "ADA"}, "needs two people"),
    ],
)
def test_who_may_not_say_go(begin, who, says) -> None:
    runbook = begin("live_start", **who)
    second = who.get("second_person", "")
    runbook.both()
    with pytest.raises(ConfigError, match=says):
        runbook.round.answer("both_present", "yes", second=second)
    runbook.go()
    with pytest.raises(ConfigError, match=says):
        runbook.round.answer("go_no_go", "go", "now", second=second)


@pytest.mark.usefixtures("no_venue")
def test_without_answers_nothing_is_decided_and_the_document_says_so(headless, workspace: Workspace) -> None:
    outcome, evidence = headless("live_start", role="owner")
    assert outcome.outcome == "incomplete"
    text = document(evidence, "")
    assert "Not decided" in text
    assert "- Second person: none named" in text
    assert "- [ ] not answered" in text
    released = next(one for one in ready_checks(workspace, "live") if one.id == "two_people")
    assert released.status == FAIL
