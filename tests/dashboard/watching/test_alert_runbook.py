"""The alerts' runbook: what is open and whose, taking it on and holding it back, each with a name and a reason, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.alerts.questions import AlertHandlingRunbook
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.notebooks.regenerate import ALERTS


@pytest.fixture
def alerted(
    home: Path, configure: Callable[[str, str], None], run_shadow: Callable[..., SessionRecord], workspace: Workspace
) -> SessionRecord:
    """Return a session whose denied orders have raised a critical alert."""
    (home / "config" / "alerts.toml").write_text(ALERTS)
    configure("max_order_notional = 1000.0", "max_order_notional = 100.0")
    record = run_shadow(steps=300)
    AlertEngine(workspace, Alerts.of(workspace).log).evaluate()
    return record


Begin = Callable[..., AlertHandlingRunbook]


@pytest.fixture
def handling(begin: Callable[..., Any]) -> Begin:
    """Return a function that begins the runbook with the given parameters."""
    return lambda **given: begin("alert_handling", **given)


def answered(runbook: AlertHandlingRunbook, step: str) -> dict[str, str]:
    """Return how the questions of a step were answered."""
    found = runbook.round.record.step(step)
    return {check.id: check.status for check in found.checks} if found else {}


def cared(runbook: AlertHandlingRunbook) -> dict[str, str]:
    runbook.cared()
    return answered(runbook, "cared")


def test_an_open_alert_is_shown_with_what_it_is_about_and_whose_it_is(
    alerted: SessionRecord, handling: Begin, workspace: Workspace
) -> None:
    runbook, (row,) = handling(), Alerts.of(workspace).rows("raised")
    shown = repr(runbook.open_alerts())
    for text in (row.alert_id, "✕ critical", alerted.session_id, "operator on shift", "nobody", "incident_risk_limit"):
        assert text in shown, text
    assert "deny-burst" in repr(runbook.meanings())
    assert cared(runbook) == {"critical": "fail", "warnings": "pass"}
    assert handling(alert_id=row.alert_id).round.record.subject == row.alert_id


def test_taken_on_once_with_name_and_reason(alerted: SessionRecord, handling: Begin, workspace: Workspace) -> None:
    del alerted
    with pytest.raises(ConfigError, match="with a reason"):
        handling(action="ack").handle()
    runbook = handling(action="ack", reason="smaller orders from now on")
    runbook.handle()
    (row,) = Alerts.of(workspace).rows("raised")
    assert (row.acknowledged_by, row.acknowledge_note) == ("Ada", "smaller orders from now on")
    assert cared(runbook)["critical"] == "pass"
    at = row.acknowledged_at
    runbook.handle()
    assert Alerts.of(workspace).rows("raised")[0].acknowledged_at == at


def test_a_silence_holds_back_for_as_long_as_was_said_and_takes_nothing_on(
    alerted: SessionRecord, handling: Begin, workspace: Workspace
) -> None:
    runbook = handling(action="silence", reason="known, being mended", silence_minutes=30)
    runbook.handle()
    (silence,) = Alerts.of(workspace).silences()
    assert (silence.by, silence.run_id) == ("Ada", alerted.session_id)
    assert 29 * 60 < (silence.until - silence.at).total_seconds() <= 30 * 60
    assert cared(runbook)["critical"] == "fail"
    runbook.trusted()
    assert answered(runbook, "desk")["silences"] == "pass"
    Alerts.of(workspace).silence(by="Bo", reason="on holiday", seconds=5 * 86_400, rule_id="deny-burst")
    again = handling()
    again.trusted()
    assert answered(again, "desk")["silences"] == "warn"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"action": "delete", "reason": "x"}, UnknownNameError, "look, ack, silence"),
        ({"action": "ack", "reason": "x", "alert_id": "moon"}, UnknownNameError, "moon"),
        ({"action": "silence", "reason": "x", "silence_minutes": 0}, ConfigError, "lasts from a second"),
    ],
)
def test_what_cannot_be_done_says_why(
    given: dict[str, object], error: type[Exception], said: str, alerted: SessionRecord, handling: Begin
) -> None:
    del alerted
    with pytest.raises(error, match=said):
        handling(**given).handle()


def test_with_nothing_open_there_is_nothing_to_take_on(handling: Begin) -> None:
    runbook = handling(action="ack", reason="x")
    assert "No alert is open" in repr(runbook.open_alerts())
    with pytest.raises(ConfigError, match="0 alerts are open"):
        runbook.handle()
    assert set(cared(runbook).values()) == {"pass"}


def test_the_rules_are_asked_only_when_wanted_and_once(
    home: Path, configure: Callable[[str, str], None], run_shadow: Callable[..., SessionRecord], handling: Begin
) -> None:
    (home / "config" / "alerts.toml").write_text(ALERTS)
    configure("max_order_notional = 1000.0", "max_order_notional = 100.0")
    run_shadow(steps=300)
    runbook = handling()
    runbook.evaluate()
    assert Alerts.of(runbook.workspace).rows("raised") == []
    assert "1 alert open, 1 of them critical" in repr(handling(evaluate=True).evaluate())


def test_rules_that_cannot_be_read_are_told_in_words(home: Path, handling: Begin) -> None:
    (home / "config" / "alerts.toml").write_text('[[rule]]\nid = "x"\nkind = "moon"\n')
    runbook = handling()
    runbook.trusted()
    desk = runbook.round.record.step("desk")
    assert desk is not None
    checks = {check.id: check for check in desk.checks}
    assert checks["rules"].status == "fail"
    assert "alerts.toml" in checks["rules"].evidence
    assert "alerts.toml" in runbook.meanings().empty
    assert checks["watcher"].status == "warn"
