"""Open alerts by cause: grouped, sorted, with countdown, owner and the runbook's command, the same wherever they are shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from peaktrade_core.alerts.alerts import Acknowledged, Escalated, Raised, Silenced
from peaktrade_core.alerts.causes import causes
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.workspace.workspace import Workspace
from tests.alerts.conftest import T0, at, write_rules

RULES = """
[channels.log]
kind = "log"
[channels.chief]
kind = "console"

[[rule]]
id = "drawdown"
kind = "drawdown"
escalate_after_s = 300.0
escalate_to = ["chief"]
channels = ["log"]
owner = "risk officer"
runbook = "8"

[[rule]]
id = "stale-feed"
kind = "stale_feed"
channels = ["log"]
runbook = "10"
"""
RUN = "shadow_20260302_080000_abc123"


def desk(home: Path, seconds: float) -> Workspace:
    write_rules(home, RULES)
    workspace = Workspace(home)
    workspace.clock = FixedClock(at(seconds), timedelta(0))
    return workspace


def raised(alert_id: str, rule: str, severity: str, seconds: float, runbook: str, run_id: str | None = None) -> Raised:
    return Raised(
        at=at(seconds), alert_id=alert_id, rule_id=rule, key=alert_id, severity=severity, message=f"{alert_id} says so",
        owner="risk officer" if rule == "drawdown" else "", runbook=runbook, run_id=run_id,
    )  # fmt: skip


MANY = [
    raised("S1", "stale-feed", "warning", 0, "10", RUN),
    raised("S2", "stale-feed", "warning", 60, "10"),
    raised("D1", "drawdown", "critical", 100, "8", RUN),
    raised("D2", "drawdown", "critical", 160, "8"),
    raised("X1", "gone", "critical", 170, "nowhere"),
]


def test_a_cause_is_one_thing_to_treat_however_many_alerts_it_raised(home: Path) -> None:
    workspace = desk(home, 200)
    Alerts.of(workspace).log.append(lambda _: list(MANY))
    found = causes(workspace)
    assert [one.rule_id for one in found] == ["gone", "drawdown", "stale-feed"]
    gone, drawdown, stale = found
    assert (drawdown.severity, drawdown.owner, drawdown.free) == ("critical", "risk officer", 2)
    assert [one.alert.alert_id for one in drawdown.alerts] == ["D2", "D1"]  # the newest first, all else being equal
    assert drawdown.age_s == 100.0
    assert [one.escalates_in_s for one in drawdown.alerts] == [260.0, 200.0]
    assert (drawdown.escalates_in_s, drawdown.escalates_to) == (200.0, ("chief",))
    assert (stale.runbook, stale.title, stale.escalates_in_s) == ("incident_data_gap", "incomplete data", None)
    assert stale.command == "peaktrade lab incident_data_gap"  # the newest is about no run
    assert (gone.runbook, gone.command, gone.title, gone.escalates_to) == ("", "", "", ())


def test_the_countdown_ends_when_somebody_takes_it_on_a_silence_holds_or_it_has_escalated(home: Path) -> None:
    workspace = desk(home, 500)
    log = Alerts.of(workspace).log

    def left() -> float | None:
        return causes(workspace)[0].escalates_in_s

    log.append(lambda _: [raised("D1", "drawdown", "critical", 100, "8", RUN)])
    assert left() == 0.0
    until: datetime = T0 + timedelta(seconds=600)
    log.append(lambda _: [Silenced(at=at(400), silence_id="s", until=until, by="ada", reason="known", run_id=RUN)])
    assert left() is None
    workspace.clock = FixedClock(at(700), timedelta(0))
    later = Workspace(home)
    later.clock = workspace.clock
    assert causes(later)[0].escalates_in_s == 0.0
    log.append(lambda _: [Escalated(at=at(700), alert_id="D1")])
    assert causes(later)[0].escalates_in_s is None
    log.append(lambda _: [raised("D2", "drawdown", "critical", 690, "8")])
    assert causes(later)[0].escalates_in_s == 290.0
    log.append(lambda _: [Acknowledged(at=at(700), alert_id="D2", by="ada")])
    assert causes(later)[0].escalates_in_s is None


def test_rules_that_cannot_be_read_leave_the_alerts_in_sight(home: Path) -> None:
    workspace = desk(home, 200)
    Alerts.of(workspace).log.append(lambda _: list(MANY))
    write_rules(home, "[[rule]\n")
    broken = Workspace(home)
    broken.clock = workspace.clock
    assert [(one.rule_id, one.escalates_in_s) for one in causes(broken)][1] == ("drawdown", None)


def test_the_command_lists_causes_with_their_runbook(home: Path, peaktrade: Callable[..., Any]) -> None:
    Alerts.of(desk(home, 0)).log.append(lambda _: list(MANY))
    told = peaktrade("alerts", "list").stdout
    assert "drawdown: 2 alerts, 2 not taken on, oldest" in told
    assert "runbook 8: peaktrade lab incident_risk_limit" in told
    found = json.loads(peaktrade("alerts", "list", "--json").stdout)
    assert [one["rule_id"] for one in found["causes"]] == ["gone", "drawdown", "stale-feed"]
    assert [one["alert_id"] for one in found["causes"][1]["alerts"]] == ["D2", "D1"]
    assert len(found["alerts"]) == 5
    assert "causes" not in json.loads(peaktrade("alerts", "list", "--all", "--json").stdout)
