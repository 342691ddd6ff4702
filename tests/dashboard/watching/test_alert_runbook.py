"""The alerts' runbook: what is open and whose, taking it on and holding it back, each with a name and a reason, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.alerts.alert_handling import (
    alert_checks,
    alert_desk_checks,
    alerts_table,
    evaluate_rules,
    handle_alert,
    meanings_table,
    open_alerts,
)
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.runbooks.runbook import Runbook
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
    AlertEngine.of(workspace, Alerts.of(workspace).log).evaluate()
    return record


@pytest.fixture
def runbook(begin: Callable[..., Runbook]) -> Runbook:
    return begin("alert_handling")


def status(workspace: Workspace) -> dict[str, str]:
    return {check.id: check.status for check in alert_checks(workspace)}


def test_an_open_alert_is_shown_with_what_it_is_about_and_whose_it_is(
    alerted: SessionRecord, workspace: Workspace
) -> None:
    rows = open_alerts(workspace)
    shown = repr(alerts_table(rows))
    for text in (
        rows[0].alert_id,
        "✕ critical",
        alerted.session_id,
        "operator on shift",
        "nobody",
        "incident_risk_limit",
    ):
        assert text in shown, text
    assert "deny-burst" in repr(meanings_table(workspace, rows))
    assert status(workspace) == {"critical": "fail", "warnings": "pass"}


def test_taken_on_once_with_name_and_reason(alerted: SessionRecord, runbook: Runbook, workspace: Workspace) -> None:
    del alerted
    with pytest.raises(ConfigError, match="with a reason"):
        handle_alert(runbook, "ack")
    handle_alert(runbook, "ack", reason="smaller orders from now on")
    (row,) = open_alerts(workspace)
    assert (row.acknowledged_by, row.acknowledge_note) == ("Ada", "smaller orders from now on")
    assert status(workspace)["critical"] == "pass"
    at = row.acknowledged_at
    handle_alert(runbook, "ack", reason="smaller orders from now on")
    assert open_alerts(workspace)[0].acknowledged_at == at


def test_a_silence_holds_back_for_as_long_as_was_said_and_takes_nothing_on(
    alerted: SessionRecord, runbook: Runbook, workspace: Workspace
) -> None:
    handle_alert(runbook, "silence", reason="known, being mended", minutes=30)
    (silence,) = Alerts.of(workspace).silences()
    assert (silence.by, silence.run_id) == ("Ada", alerted.session_id)
    assert 29 * 60 < (silence.until - silence.at).total_seconds() <= 30 * 60
    assert status(workspace)["critical"] == "fail"
    assert {check.id: check.status for check in alert_desk_checks(workspace)}["silences"] == "pass"
    Alerts.of(workspace).silence(by="Bo", reason="on holiday", seconds=5 * 86_400, rule_id="deny-burst")
    assert {check.id: check.status for check in alert_desk_checks(workspace)}["silences"] == "warn"


@pytest.mark.parametrize(
    ("action", "given", "error", "said"),
    [
        ("delete", {"reason": "x"}, UnknownNameError, "look, ack, silence"),
        ("ack", {"reason": "x", "alert_id": "moon"}, UnknownNameError, "moon"),
        ("silence", {"reason": "x", "minutes": 0}, ConfigError, "lasts from a second"),
    ],
)
def test_what_cannot_be_done_says_why(
    action: str, given: dict[str, object], error: type[Exception], said: str, alerted: SessionRecord, runbook: Runbook
) -> None:
    del alerted
    with pytest.raises(error, match=said):
        handle_alert(runbook, action, **given)  # type: ignore[arg-type]


def test_with_nothing_open_there_is_nothing_to_take_on(runbook: Runbook, workspace: Workspace) -> None:
    assert "No alert is open" in repr(alerts_table(open_alerts(workspace)))
    with pytest.raises(ConfigError, match="0 alerts are open"):
        handle_alert(runbook, "ack", reason="x")
    assert set(status(workspace).values()) == {"pass"}


def test_the_rules_are_asked_only_when_wanted_and_once(
    home: Path, configure: Callable[[str, str], None], run_shadow: Callable[..., SessionRecord], runbook: Runbook
) -> None:
    (home / "config" / "alerts.toml").write_text(ALERTS)
    configure("max_order_notional = 1000.0", "max_order_notional = 100.0")
    run_shadow(steps=300)
    evaluate_rules(runbook, False)
    assert open_alerts(runbook.workspace) == []
    assert "1 alerts open, 1 of them critical" in repr(evaluate_rules(runbook, True))


def test_rules_that_cannot_be_read_are_told_in_words(home: Path, workspace: Workspace) -> None:
    (home / "config" / "alerts.toml").write_text('[[rule]]\nid = "x"\nkind = "moon"\n')
    checks = {check.id: check for check in alert_desk_checks(workspace)}
    assert checks["rules"].status == "fail"
    assert "alerts.toml" in checks["rules"].evidence
    assert "alerts.toml" in meanings_table(workspace, []).empty
    assert checks["watcher"].status == "warn"
