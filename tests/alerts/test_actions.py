"""What rules stop: once for each cause, never looser than it was, as config/alerts.toml or an older [triggers] says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine, alert_settings
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import GLOBAL, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.settings import Trigger
from peaktrade_core.workspace.workspace import Workspace
from tests.alerts.conftest import write_rules
from tests.conftest import until

Run = Callable[..., SessionRecord]
SCOPE = Scope.of("shadow", "ma_crossover", "BTC/EUR").text
RULE = """
[channels.log]
kind = "log"
[[rule]]
id = "deep"
kind = "drawdown"
warning_pct = 0.000001
critical_pct = 0.000001
"""
OTHERS_OFF = "".join(
    f'[[rule]]\nid = "{kind}"\nkind = "{kind}"\nenabled = false\n'
    for kind in ("daily_loss", "failed_in_row", "rejects_in_row", "stale_feed")
)


def evaluate(home: Path) -> AlertRow:
    """Ask the rules once, as a watcher does that has just begun, and return the alert about the drawdown."""
    workspace = Workspace(home)
    AlertEngine(workspace, Alerts.of(workspace).log).evaluate()
    return next(row for row in Alerts.of(workspace).rows("raised") if row.rule_id == "deep")


def resume(home: Path) -> None:
    workspace = Workspace(home)
    TradingStates.of(workspace).set(SCOPE, "ACTIVE", by="Ada", reason="reviewed", now=workspace.clock.now())


def state(home: Path, scope: Scope | str = SCOPE) -> tuple[str, str]:
    found = TradingStates.of(Workspace(home)).read(scope)
    return found.state, found.by


def test_a_cause_is_acted_upon_once_also_after_a_restart_and_a_resume(home: Path, run_shadow: Run) -> None:
    write_rules(home, RULE + 'group_by = "rule"\naction = "halt"\n' + OTHERS_OFF)
    first = run_shadow(steps=300)
    row = evaluate(home)
    assert state(home) == ("HALTED", "alert rule deep")
    assert row.acted == (first.session_id,)
    assert f"peaktrade risk resume --scope {SCOPE}" in row.done
    resume(home)
    evaluate(home)
    assert state(home)[0] == "ACTIVE"
    second = run_shadow(steps=300, seed=7)  # another cause, under the same alert
    assert evaluate(home).acted == (first.session_id, second.session_id)
    assert state(home)[0] == "HALTED"


def test_a_cause_stays_settled_when_its_alert_was_cleared_and_comes_back(home: Path, run_shadow: Run) -> None:
    write_rules(home, RULE + 'action = "halt"\nclear_for_s = 0.0\nquiet_s = 1.0\n' + OTHERS_OFF)
    run_shadow(steps=300)
    alert = evaluate(home).alert_id
    resume(home)
    write_rules(home, RULE.replace("0.000001", "99.0") + "clear_for_s = 0.0\n" + OTHERS_OFF)
    with pytest.raises(StopIteration):
        evaluate(home)
    write_rules(home, RULE + 'action = "halt"\nquiet_s = 1e-9\n'.replace("1e-9", "1.0") + OTHERS_OFF)
    log = home / "reports" / "alerts" / "alerts.jsonl"
    log.write_text(log.read_text().replace('"type":"cleared","at":"20', '"type":"cleared","at":"19'))  # long ago
    again = evaluate(home)
    assert again.alert_id != alert
    assert state(home)[0] == "ACTIVE"


def test_it_never_loosens(home: Path, workspace: Workspace, run_shadow: Run) -> None:
    write_rules(home, RULE + 'action = "reduce"\n' + OTHERS_OFF)
    run_shadow(steps=300)
    TradingStates.of(workspace).set(SCOPE, "NO_ORDERS", by="Ada", reason="mine", now=workspace.clock.now())
    assert "was NO_ORDERS already" in evaluate(home).done
    assert state(home) == ("NO_ORDERS", "Ada")


@pytest.mark.parametrize(
    ("action", "scope", "says"),
    [("kill_switch", "session", "NO_ORDERS"), ("halt", "global", "HALTED"), ("reduce", "global", "REDUCING")],
)
def test_the_switch_is_pulled_and_audited_in_the_rule_s_name(
    action: str, scope: str, says: str, home: Path, run_shadow: Run
) -> None:
    write_rules(home, RULE + f'action = "{action}"\nscope = "{scope}"\n' + OTHERS_OFF)
    record = run_shadow(steps=300)
    row = evaluate(home)
    entry = KillSwitch.of(Workspace(home)).audit(1)[0]
    assert (entry.by, entry.state) == ("alert rule deep", says)
    assert row.alert_id in entry.reason
    assert "`peaktrade killswitch release`" in row.done
    assert row.run_id == record.session_id


def test_a_rule_without_an_action_and_a_warning_stop_nothing(home: Path, run_shadow: Run) -> None:
    run_shadow(steps=300)
    write_rules(home, RULE + OTHERS_OFF)
    evaluate(home)
    write_rules(home, RULE.replace("critical_pct = 0.000001", 'critical_pct = 99.0\naction = "halt"') + OTHERS_OFF)
    evaluate(home)
    assert state(home) == ("ACTIVE", "")


def test_what_could_not_be_done_is_told_and_tried_again(home: Path, run_shadow: Run) -> None:
    write_rules(home, RULE + 'action = "halt"\n' + OTHERS_OFF)
    run_shadow(steps=300)
    folder = home / "reports" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "halts.jsonl").mkdir()
    row = evaluate(home)
    assert row.acted == ()
    assert "could not be set to HALTED, which is tried again" in row.done
    lines = (home / "reports" / "alerts" / "alerts.jsonl").read_text().splitlines()
    told = [entry for line in lines if (entry := json.loads(line))["type"] == "notification"]
    assert "tried again" in told[0]["body"]
    evaluate(home)
    assert len((home / "reports" / "alerts" / "alerts.jsonl").read_text().splitlines()) == len(lines), "said once"
    (folder / "halts.jsonl").rmdir()
    assert evaluate(home).acted
    assert state(home)[0] == "HALTED"


@pytest.mark.parametrize(("outcome", "after"), [("done", "ACTIVE"), ("cannot write", "HALTED")])
def test_what_a_trigger_has_done_before_is_not_done_again(
    outcome: str, after: str, home: Path, run_shadow: Run
) -> None:
    write_rules(home, RULE + 'action = "halt"\n' + OTHERS_OFF)
    record = run_shadow(steps=300)
    folder = home / "reports" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    line = {"at": "2026-01-05T08:00:00Z", "trigger": "drawdown", "cause": record.session_id, "action": "halt"}
    line |= {"scopes": [SCOPE], "reason": "drawdown 10 reached 10", "outcome": outcome}
    (folder / "triggers.jsonl").write_text(json.dumps(line) + '\n{"torn')
    evaluate(home)
    assert state(home)[0] == after


# ---- [triggers] of an older config.toml ------------------------------------------------------------------------------


def rules(home: Path) -> dict[str, Any]:
    return {rule.id: rule for rule in alert_settings(Workspace(home)).rules}


def triggers(home: Path, text: str) -> None:
    path = home / "config" / "config.toml"
    path.write_text(path.read_text() + "\n[triggers]\n" + text)


def test_the_shipped_rules_stop_what_the_triggers_did(home: Path) -> None:
    said = {id: (rule.action, rule.scope) for id, rule in rules(home).items() if rule.action != "none"}
    assert said == {
        "drawdown": ("halt", "session"),
        "daily-loss": ("kill_switch", "global"),
        "failed-in-row": ("halt", "session"),
        "rejects-in-row": ("halt", "session"),
        "stale-feed": ("reduce", "session"),
    }
    shipped = rules(home)
    assert (shipped["daily-loss"].max_loss, shipped["rejects-in-row"].critical_orders) == (1000.0, 5)
    assert (shipped["stale-feed"].late_s, shipped["drawdown"].critical_pct) == (600.0, 10.0)


def test_triggers_go_before_the_rules_of_the_file(home: Path) -> None:
    write_rules(
        home,
        '[channels.log]\nkind = "log"\n'
        '[[rule]]\nid = "dd"\nkind = "drawdown"\naction = "pause"\n'
        '[[rule]]\nid = "no"\nkind = "rejects_in_row"\norders = 3\nseverity = "critical"\n'
        '[[rule]]\nid = "row"\nkind = "failed_in_row"\nenabled = false\n',
    )
    triggers(
        home,
        'drawdown = { threshold = 4.0, action = "kill_switch" }\n'
        'rejects_in_a_row = { threshold = 5.0, action = "halt", scope = "global" }\n'
        'failed_in_a_row = { threshold = 3.0, action = "halt", scope = "session" }\n'
        "daily_loss = { threshold = 400.0 }\n"
        'stale_feed = { threshold = 60.0, action = "off" }\n',
    )
    found = rules(home)
    assert (found["dd"].warning_pct, found["dd"].critical_pct, found["dd"].action) == (4.0, 4.0, "kill_switch")
    no = found["no"]
    assert (no.orders, no.severity, no.critical_orders, no.action, no.scope) == (3, "warning", 5, "halt", "global")
    assert (found["failed-in-row"].sessions, found["failed-in-row"].action) == (3, "halt"), (
        "a trigger acts all the same"
    )
    assert (found["daily-loss"].max_loss, found["daily-loss"].action) == (400.0, "halt")
    assert (found["stale-feed"].late_s, found["stale-feed"].action) == (60.0, "none")
    assert found["daily-loss"].channels == ("log",)


def test_a_file_that_leaves_a_stop_out_does_not_switch_it_off(home: Path) -> None:
    write_rules(home, '[channels.log]\nkind = "log"\n[[rule]]\nid = "daily-loss"\nkind = "no_events"\n')
    found = rules(home)
    assert (found["daily-loss-shipped"].action, found["drawdown"].action) == ("kill_switch", "halt")
    write_rules(
        home, '[channels.log]\nkind = "log"\n[[rule]]\nid = "dd"\nkind = "drawdown"\nenabled = false\n' + OTHERS_OFF
    )
    assert rules(home) == {}


@pytest.mark.parametrize("wrong", [(0.0,), (float("nan"),), (1.0, "explode"), (1.0, "halt", "moon")])
def test_a_trigger_that_makes_no_sense_is_refused(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        Trigger(*wrong)


def test_a_daily_loss_pulls_the_switch_for_the_account_s_sessions(home: Path, start: Callable[..., Any]) -> None:
    write_rules(
        home, '[channels.log]\nkind = "log"\n[[rule]]\nid = "loss"\nkind = "daily_loss"\nmax_loss = 0.01\n'
        'action = "kill_switch"\n'
    )  # fmt: skip
    run = start("session", "run", "--pace", "3600", "--steps", 100_000)
    start("watch", "--interval", "1s", "--no-jobs")
    until(lambda: state(home, GLOBAL)[0] != "ACTIVE", 60)
    assert state(home, GLOBAL) == ("NO_ORDERS", "alert rule loss")
    (row,) = [row for row in Alerts.of(Workspace(home)).rows() if row.rule_id == "loss"]
    assert row.key == "shadow.EUR"
    run.terminate()
    run.wait(60)
