"""What was edited past the changes is told wherever somebody looks: layer, audit, list of duties, alert, record, report, page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.change import Change
from peaktrade_core.control.audit.checks import audit_checks
from peaktrade_core.control.changing.propose import propose
from peaktrade_core.control.control import control_center
from peaktrade_core.control.todo import Todo, what_needs_doing
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.reports.session_reports import session_report
from peaktrade_core.runbooks import runbook as rb
from peaktrade_core.runbooks.form import Waiting
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture
def adopted(workspace: Workspace) -> Workspace:
    Changes.of(workspace).adopt("Ada", "as it was set up")
    return workspace


@pytest.fixture
def edited(adopted: Workspace) -> Workspace:
    """Return a workspace in which a hand raised a limit past the changes, opened anew."""
    path = adopted.home / "config" / "config.toml"
    path.write_text(path.read_text().replace("max_order_notional = 1000.0", "max_order_notional = 9000.0"))
    return Workspace(adopted.home)


def layer(workspace: Workspace) -> str:
    found = next(one for one in control_center(workspace).whole.layers if one.code == "L4")
    return next(one.status for one in found.findings if one.id == "governed")


def todo(workspace: Workspace) -> list[Todo]:
    return [one for one in what_needs_doing(workspace) if one.kind == "change"]


def audit(workspace: Workspace) -> str:
    return next((one.status for one in audit_checks(workspace) if one.id == "governed"), "")


def alerts(workspace: Workspace) -> list[tuple[str, str]]:
    return [(hit.key, hit.severity) for hit in Alerts.of(workspace).check() if hit.rule_id == "unapproved"]


def test_nothing_is_said_before_a_baseline(workspace: Workspace, run_shadow) -> None:
    assert run_shadow(steps=60).governance is None
    assert (layer(workspace), audit(workspace), todo(workspace), alerts(workspace)) == ("unknown", "", [], [])


def test_all_is_well_where_all_is_as_approved(adopted: Workspace, run_shadow) -> None:
    assert run_shadow(steps=60).governance == "as approved: baseline, Ada (not verified)"
    assert (layer(adopted), audit(adopted), todo(adopted), alerts(adopted)) == ("pass", "pass", [], [])


def test_an_edit_is_told_everywhere(edited: Workspace, peaktrade) -> None:
    ran = peaktrade("session", "run", "--steps", "60")
    assert ran.code == 0
    assert [line for line in ran.stderr.splitlines() if "approved" in line] == [
        "not as approved: live_risk.max_order_notional 1,000 → 9,000 (looser). "
        "Its record says so; `peaktrade change verify` names each key"
    ]
    assert (layer(edited), audit(edited), alerts(edited)) == ("fail", "fail", [("configuration", "critical")])
    assert ["9,000" in one.what for one in todo(edited)] == [True]
    views = Views.of(edited)
    look = views.look(views.rows()[0].run_id)
    told = "not as approved: live_risk.max_order_notional 1,000 → 9,000 (looser)"
    assert look.record.governance == told
    warned = [(one.id, one.evidence) for one in post_session_checks(look) if one.status == "warn"]
    assert warned[-1] == ("governed", told)
    assert told in session_report(views)
    assert told in session_report(views, form="html")


def test_a_start_says_it_before_and_only_then(edited: Workspace, peaktrade, start) -> None:
    dry = peaktrade("session", "run", "--steps", "60", "--dry-run")
    assert (dry.code, "not as approved: live_risk" in dry.stdout) == (0, True)
    assert "approved" not in peaktrade("session", "run", "--steps", "60", "--rehearsal").stderr
    begun = peaktrade("fleet", "start-shadow", "--steps", "60", "--pace", "max")
    assert (begun.code, begun.stderr.count("not as approved: live_risk")) == (0, 1), begun.stderr
    assert peaktrade("fleet", "stop", "--all", "--by", "Ada").code in (0, 1)
    config = edited.home / "config" / "config.toml"
    config.write_text(config.read_text().replace("9000.0", "1000.0"))
    assert "approved" not in peaktrade("session", "run", "--steps", "60").stderr


def test_a_session_under_another_file_says_so(adopted: Workspace, tmp_path: Path, peaktrade) -> None:
    other = tmp_path / "other.toml"
    text = (adopted.home / "config" / "config.toml").read_text()
    other.write_text(text.replace("max_order_notional = 1000.0", "max_order_notional = 9000.0"))
    assert peaktrade("session", "run", "--steps", "60", "--config", str(other)).code == 0
    views = Views.of(adopted)
    assert "9,000" in str(views.look(views.rows()[0].run_id).record.governance)
    assert layer(adopted) == "pass"


@pytest.mark.parametrize("data", [b"\xff", b"[live_risk", b"live_risk = 5\n"])
def test_a_file_that_cannot_be_read_is_no_pass(adopted: Workspace, data: bytes) -> None:
    (adopted.home / "config" / "config.toml").write_bytes(data)
    again = Workspace(adopted.home)
    assert audit(again) == "fail"
    assert str(Changes.of(again).governance()).startswith("not as approved: it cannot be told")


def test_an_approval_that_is_late_is_a_duty_and_an_alert(
    team: Workspace, clock, key_of, again: Callable[[], Changes]
) -> None:
    names = ("Ada", "Ben")
    changes = Changes.of(team)
    with pytest.raises(Exception, match="waits for the signature"):
        changes.adopt("Ada", "as it was set up")
    for name in names:
        Approvals.of(team).sign(Approvals.of(team).all()[-1].id, key_of(name).path)
    changes.adopt("Ada", "as it was set up")
    one = propose(team, ["live_risk.max_order_notional=500"], [], by="Ada", reason="calm")
    changes.apply(one.id, "Ada")
    assert [(item.about, item.status) for item in todo(team)] == [(one.id, "warn")]
    assert alerts(team) == []
    clock.later(hours=25)
    assert [(item.about, item.status) for item in todo(team)] == [(one.id, "fail")]
    assert (alerts(team), layer(team)) == ([(one.id, "warning")], "warn")
    for name in names:
        changes.approve(one.id, key_of(name).path)
    assert (todo(team), alerts(team), layer(team)) == ([], [], "pass")


def test_the_page_of_a_request_shows_the_diff(team: Workspace, key_of) -> None:
    changes = Changes.of(team)
    with pytest.raises(Exception, match="waits for the signature"):
        changes.adopt("Ada", "as it was set up")
    for name in ("Ada", "Ben"):
        Approvals.of(team).sign(Approvals.of(team).all()[-1].id, key_of(name).path)
    changes.adopt("Ada", "as it was set up")
    one = propose(team, ["live_risk.max_order_notional=500"], [], by="<b>Ada", reason="<script>alert(1)</script>")
    assert one.request is not None
    page = Page(lambda: team, "", one.request.id).panel("request")
    assert ["live_risk.max_order_notional" in page, "▼ tighter" in page, "<script>" in page] == [True, True, False]


@pytest.fixture
def waiting(workspace: Workspace, names, key_of, monkeypatch) -> Change:
    """Return a change that two people must sign, and a person who looks on."""
    names(Ada="owner", Ben="risk_officer")
    monkeypatch.setattr("peaktrade_core.runbooks.runbook.person_is_there", lambda: True)
    with pytest.raises(Exception, match="waits for the signature"):
        Changes.of(workspace).adopt("Ada", "as it was set up")
    for name in ("Ada", "Ben"):
        Approvals.of(workspace).sign(Approvals.of(workspace).all()[-1].id, key_of(name).path)
    Changes.of(workspace).adopt("Ada", "as it was set up")
    return propose(workspace, ["fleet.max_runs=50"], [], by="Ada", reason="more")


def test_the_notebook_waits_and_goes_on(workspace: Workspace, waiting: Change, key_of) -> None:
    runbook = rb.begin("change", workspace, operator="Ada")
    runbook.stands()
    runbook.proposed()
    runbook.read()
    runbook.round.answer("read", "yes")
    runbook.when()
    shown = runbook.apply()
    assert isinstance(shown, Waiting)
    assert waiting.request is not None
    for name in ("Ada", "Ben"):
        shown._handle_custom_msg({"look": True}, [])
        assert shown.answered == ""
        Approvals.of(workspace).sign(waiting.request.id, key_of(name).path)
    shown._handle_custom_msg({"look": True}, [])
    assert f"{waiting.id} is applied" in shown.answered
    runbook.verified()
    assert runbook.finish().record.outcome == "passed"


def test_the_notebook_ends_when_somebody_refuses(workspace: Workspace, waiting: Change) -> None:
    runbook = rb.begin("change", workspace, operator="Ada", change=waiting.id)
    runbook.stands()
    runbook.proposed()
    runbook.read()
    runbook.round.answer("read", "yes")
    shown = runbook.apply()
    Changes.of(workspace).reject(waiting.id, "not yet", by="Ben")
    shown._handle_custom_msg({"look": True}, [])
    assert "was refused by Ben: not yet" in shown.answered


def test_nothing_becomes_looser_by_a_notebook_without_people(adopted: Workspace, peaktrade) -> None:
    propose(adopted, ["kill_switch.confirm_within_s=1800"], [], by="Ada", reason="more time")
    ended = peaktrade("runbook", "run", "change", "-p", "operator=Ben", "-p", "answers=read = yes")
    assert (ended.code, "two people who are there" in ended.stdout + ended.stderr) == (6, True)
    assert Changes.of(Workspace(adopted.home)).compared().items == ()
