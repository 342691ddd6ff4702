"""What needs doing: each thing that waits for a person is in the list, with its age, how bad it is and what opens it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.base.question import check
from peaktrade_core.control.todo import Todo, what_needs_doing
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import PersonQuestion
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]
STRICT = """
[channels.log]
kind = "log"
[[rule]]
id = "deny-burst"
kind = "deny_burst"
max_denials = 1
window_s = 86400.0
channels = ["log"]
runbook = "8"
"""


def waits(workspace: Workspace, kind: str) -> list[Todo]:
    return [one for one in what_needs_doing(workspace) if one.kind == kind]


def test_a_fresh_workspace_asks_for_duties_alone(workspace: Workspace) -> None:
    found = what_needs_doing(workspace)
    assert {(one.kind, one.status) for one in found} == {("duty", "warn")}
    duties = {one.about: one.command for one in found}
    assert duties["health_check"] == "peaktrade lab health_check"
    assert duties["daily_report"] == ""  # a command makes it, which its next step names
    assert "watcher" in duties


def test_halts_stand_first_and_say_who_and_why(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    TradingStates.of(workspace).set("shadow.ma_crossover.BTC/EUR", "HALTED", by="Robin", reason="look", now=now)
    KillSwitch.of(workspace).engage("Ada", "strange fills")
    KillSwitch.of(workspace).request_release("Ada", "mended")
    everything, one = waits(workspace, "halt")
    assert what_needs_doing(workspace)[0].about == everything.about
    assert (everything.status, everything.command) == ("fail", "peaktrade lab kill_switch -p action=release")
    assert "by Ada: strange fills" in everything.what
    assert "a second person confirms it" in everything.next_step
    assert (one.status, one.runbook) == ("warn", "")
    assert "`peaktrade risk resume --scope shadow.ma-crossover.BTC-EUR`" in one.next_step


def test_an_alert_waits_until_it_is_taken_on(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=5, steps=900, position_fraction=0.0999)
    (workspace.home / "config" / "alerts.toml").write_text(STRICT)
    engine = AlertEngine(workspace, _log(workspace))
    engine.evaluate()
    (alert,) = waits(workspace, "alert")
    assert (alert.status, alert.about) == ("fail", record.session_id)
    assert alert.runbook == "incident_risk_limit"
    assert set(alert.given) == {"alert_id"}
    assert alert.age_s is not None
    from peaktrade_core.alerts.desk import Alerts

    Alerts.of(workspace).acknowledge(alert.given["alert_id"], "Ada", "looking")
    assert waits(workspace, "alert") == []


def _log(workspace: Workspace) -> Any:
    from peaktrade_core.alerts.desk import Alerts

    return Alerts.of(workspace).log


def test_an_incident_waits_until_it_is_closed_and_an_exercise_never(workspace: Workspace) -> None:
    book = IncidentBook.of(workspace)
    told = {"subject": "shadow_1", "severity": "high", "by": "Ada", "role": "operator"}
    made = book.open("risk_limit", "limit reached", **told)
    book.open("risk_limit", "practised", drill="DRILL-1", **told)
    (incident,) = waits(workspace, "incident")
    assert (incident.about, incident.status) == (made.incident_id, "fail")
    assert incident.command == "peaktrade lab incident_risk_limit -p session_id=shadow_1"
    book.mitigate(made.incident_id, "Ada", "stopped")
    (incident,) = waits(workspace, "incident")
    assert (incident.status, incident.runbook) == ("warn", "")
    book.close(made.incident_id, "Ada", "too large", "made smaller")
    assert waits(workspace, "incident") == []


def test_an_unfinished_runbook_says_what_it_asks_and_opens_where_it_stopped(workspace: Workspace) -> None:
    round_ = EvidenceBook.of(workspace).begin("safe_stop", "Safe stop", operator="Ada")
    round_.ask("way", PersonQuestion(text="Which way?"))
    (waiting,) = waits(workspace, "runbook")
    assert waiting.what == "Safe stop, begun by Ada, asks: Which way?"
    assert waiting.command == f"peaktrade lab safe_stop -p resume={round_.id}"
    round_.answer("way", "yes")
    round_.finish()
    assert waits(workspace, "runbook") == []


def test_a_failed_session_waits_for_its_check(workspace: Workspace, run_shadow: Shadow, monkeypatch: Any) -> None:
    record = run_shadow(seed=1, steps=20)
    assert waits(workspace, "session") == []
    rows = Views.of(workspace).rows(Query())
    monkeypatch.setattr(Views, "rows", lambda _, query: rows if query.status == "failed" else [])
    (session,) = waits(workspace, "session")
    assert session.command == f"peaktrade lab post_session_check -p session_id={record.session_id}"
    round_ = EvidenceBook.of(workspace).begin("post_session_check", "x", operator="Ada", subject=record.session_id)
    round_.check("one", "One", [check("one", "Good?", True, "yes", "")])
    round_.finish()
    assert waits(workspace, "session") == []


def test_what_cannot_be_read_is_an_item_and_hides_nothing(workspace: Workspace) -> None:
    KillSwitch.of(workspace).engage("Ada", "strange fills")
    EvidenceBook.of(workspace).folder.mkdir(parents=True)
    EvidenceBook.of(workspace).chain.path.write_text("scribble\n")
    found = {one.kind: one.what for one in what_needs_doing(workspace)}
    assert "Everything is NO_ORDERS" in found["halt"]
    assert found["runbook"].startswith("Cannot look whether any runbook waits: ")


@pytest.mark.parametrize("engaged", [False, True])
def test_the_command_ends_with_1_when_something_cannot_wait(
    workspace: Workspace, peaktrade: Any, engaged: bool
) -> None:
    if engaged:
        KillSwitch.of(workspace).engage("Ada", "strange fills")
    done = peaktrade("todo", "--json")
    assert done.code == int(engaged)
    assert next(one["status"] for one in json.loads(done.stdout)) == ("fail" if engaged else "warn")
    assert "peaktrade lab health_check" in peaktrade("todo").stdout
