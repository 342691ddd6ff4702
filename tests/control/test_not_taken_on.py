"""Alerts that no one has taken on are the same ones on each surface, whatever silences hold and channels refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from peaktrade_core.alerts.alerts import (
    Acknowledged,
    AnyChange,
    Cleared,
    Delivery,
    Notification,
    Raised,
    Silenced,
)
from peaktrade_core.alerts.causes import causes
from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.alerts.figures import alerts_figure
from peaktrade_core.alerts.questions import alerts, unacknowledged
from peaktrade_core.control.status import whole
from peaktrade_core.control.todo import what_needs_doing
from peaktrade_core.dashboard.metrics import Meter
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.show.chart import Chart
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended

NOW = datetime.now(UTC)
FREE = ["crit", "held", "lost"]  # `held` and `crit` under a silence, `lost` cleared and told to nobody; `mine` is Ada's


def _raised(alert_id: str, rule: str, severity: str = "warning") -> Raised:
    return Raised(at=NOW, alert_id=alert_id, rule_id=rule, key=alert_id, severity=severity, message=f"{alert_id} is so")


@pytest.fixture
def open_alerts(workspace: Workspace) -> Workspace:
    """Return a workspace with four open alerts, of which one is taken on."""
    changes: list[AnyChange] = [
        _raised("crit", "drawdown", "critical"), _raised("held", "stale-feed"), _raised("mine", "no_events"),
        _raised("lost", "latency"),
        Acknowledged(at=NOW, alert_id="mine", by="Ada"),
        *(
            Silenced(at=NOW, silence_id=rule, until=NOW + timedelta(days=1), by="Ben", reason="known", rule_id=rule)
            for rule in ("drawdown", "stale-feed")
        ),
        Notification(at=NOW, alert_ids=("lost",), channels=("chat",), severity="warning", title="t", body="b"),
        Delivery(at=NOW, notification=7, channel="chat", outcome="failed", reason="HTTP 400"),
        Cleared(at=NOW, alert_id="lost", message="over"),
    ]  # fmt: skip
    Alerts.of(workspace).log.append(lambda _: changes)
    return workspace


def test_who_is_meant(open_alerts: Workspace) -> None:
    rows = Alerts.of(open_alerts).rows(OPEN)
    assert sorted(row.alert_id for row in rows) == sorted([*FREE, "mine"])
    assert sorted(row.alert_id for row in rows if row.free) == FREE
    assert sorted(row.alert_id for row in rows if row.waits) == ["crit", "lost"]  # a silence lets a warning wait


def test_every_surface_counts_them(open_alerts: Workspace, peaktrade: Callable[..., Ended]) -> None:
    status = whole(open_alerts).alerts
    assert (status.open, status.critical, status.unacknowledged) == (4, 1, 3)
    assert status.word == "4 open, 1 critical"
    text = Meter().text(open_alerts, lambda: 0)
    assert re.search(r"^peaktrade_alerts_unacknowledged 3\.0$", text, re.MULTILINE)
    assert sum(one.free for one in causes(open_alerts)) == 3
    page = Page(lambda: open_alerts)
    assert "3 not taken on" in page.panel("alerts_open")
    assert "1 not taken on" in page.panel("wall")  # whichever causes have their turn there
    figure = alerts_figure(Alerts.of(open_alerts).rows(), NOW + timedelta(seconds=1))
    assert isinstance(figure, Chart)
    assert "now 4 open, 3 of them not taken on" in figure.label
    assert alerts(open_alerts).evidence.startswith("1 critical of 4")
    assert peaktrade("alerts", "list").stdout.count("1 not taken on") == 3


def test_a_silence_hides_no_critical_alert_from_what_needs_doing(open_alerts: Workspace) -> None:
    """The duty is left out because its alerts stand in the list one by one; so each of them must."""
    assert unacknowledged(open_alerts).status == "fail"
    listed = {one.what.partition(":")[0] for one in what_needs_doing(open_alerts) if one.kind == "alert"}
    assert listed == {"drawdown", "latency"}


def test_warnings_are_told_with_how_many_no_one_has(open_alerts: Workspace) -> None:
    Alerts.of(open_alerts).acknowledge("crit", "Ada")
    Alerts.of(open_alerts).log.append(lambda _: [Cleared(at=NOW, alert_id="crit", message="over")])
    assert alerts(open_alerts).evidence == ("2 of 3 not taken on; 1 could not be told on every channel")
