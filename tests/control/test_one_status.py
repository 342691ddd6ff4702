"""One status: a workspace with two halts, alerts, a failed session and a running one is told in the same words everywhere.

Every surface is read as a person or a program reads it, and compared with what was done, not with the code that says it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from peaktrade_core import open_control_center, operator_text, status_answers, workspace_state
from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.control.status import whole
from peaktrade_core.dashboard.metrics import Meter
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.dashboard.snapshot import take
from peaktrade_core.halts.scope import GLOBAL, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.strategies.registry import scratch_registry
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module
from tests.conftest import FALLS_OVER, REPO, command, until

HALTS = (
    "global REDUCING by ada: the venue looks odd",
    "shadow.rsi-reversion.BTC-EUR HALTED by bob: three losses in a row",
)
ALERT = "pnl_drop: equity fell by 9 %"
RUNS = "1 running, 1 failed in 24 h"
ALERTS = "2 open, 1 critical"
PANELS = ("status", "system_lights", "control_status", "wall")


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Return a workspace in which a session failed, one runs, two scopes are halted, and two alerts are open."""
    home = tmp_path_factory.mktemp("status") / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((REPO / "config" / "config.toml").read_bytes())
    workspace = Workspace(home)
    _fail(workspace, home)
    running = subprocess.Popen(
        command("session", "run", "--home", home, "--pace", "600", "--steps", "5000"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: any(row.state == "running" for row in Views.of(workspace).runs()))
        states, now = TradingStates.of(workspace), datetime.now(UTC)
        states.set(
            Scope.parse("shadow.rsi_reversion.BTC/EUR"), "HALTED", by="bob", reason="three losses in a row", now=now
        )
        states.set(GLOBAL, "REDUCING", by="ada", reason="the venue looks odd", now=datetime.now(UTC))
        raised = [
            Raised(at=now, alert_id="A-1", rule_id="pnl_drop", key="a", severity="critical",
                   message="equity fell by 9 %", run_id=None),
            Raised(at=now, alert_id="A-2", rule_id="no_events", key="b", severity="warning", message="quiet", run_id=None),
        ]  # fmt: skip
        Alerts.of(workspace).log.append(lambda _: raised)
        yield workspace
    finally:
        running.kill()
        running.wait()


def _fail(workspace: Workspace, home: Path) -> None:
    """Run a session whose strategy raises."""
    module = home / "bad.py"
    module.write_text(FALLS_OVER)
    with scratch_registry():
        load_strategy_module(module)
        run_session(plan_session(workspace, strategy="falls_over", steps=50), Desk.of(workspace))


def text(html: str) -> str:
    """Return what a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def peaktrade(workspace: Workspace, *args: str) -> str:
    done = subprocess.run(command(*args, "--home", workspace.home), capture_output=True, text=True, timeout=60)
    return done.stdout


def test_the_whole_is_as_bad_as_its_worst_part_and_says_why(troubled: Workspace) -> None:
    found = whole(troubled)
    assert (found.status, found.word) == ("fail", "FAIL")
    assert found.why == f"Trading: {'; '.join(HALTS)}; Alerts: 1 critical of 2: {ALERT}"
    assert [halt.scope for halt in found.trading.halts] == [halt.split()[0] for halt in HALTS]
    assert (found.trading.word, found.risk.word, found.alerts.word, found.runs.word) == (
        "HALTED",
        "green",
        ALERTS,
        RUNS,
    )
    assert [part.status for part in found.parts] == ["fail", "pass", "fail", "warn"]
    layers = {layer.code: layer.status for layer in found.layers}
    assert (layers["L3"], layers["L4"], layers["L5"]) == ("warn", "fail", "fail")


def surfaces(workspace: Workspace) -> dict[str, str]:
    """Return what a person reads on each surface that shows the status in words."""
    center = open_control_center(workspace)
    page = Page(lambda: workspace)
    return {
        "start page": text(workspace_state(workspace)._repr_html_()),
        "notebook: operator text": repr(operator_text(center)),
        "notebook: answers": " ".join(f"{one.status} {one.evidence}" for one in status_answers(center)),
        "terminal: control": peaktrade(workspace, "control"),
        "terminal: monitor overview": peaktrade(workspace, "monitor", "overview"),
        "snapshot.html": " ".join(panel.summary for panel in take(workspace).panels),
        **{f"page: {name}": text(page.panel(name)) for name in PANELS},
    }


def test_every_surface_tells_every_halt_and_the_critical_alert_in_the_same_words(troubled: Workspace) -> None:
    for name, said in surfaces(troubled).items():
        missing = [words for words in (*HALTS, ALERT) if words not in said]
        assert not missing, f"{name} does not say {missing}: {said}"


def test_every_surface_tells_the_same_figures(troubled: Workspace) -> None:
    for name, said in surfaces(troubled).items():
        if name.startswith("page: "):
            assert "1 failed in 24 h" in said or name == "page: system_lights", f"{name}: {said}"
            assert re.search(r"✕ fail|◆ fail|✕ FAIL", said), f"{name}: {said}"
            assert re.search(r"Risk\W+green", said), f"{name}: {said}"
        else:
            assert RUNS in said, f"{name}: {said}"
            assert ALERTS in said, f"{name}: {said}"
    strip = text(Page(lambda: troubled).panel("status"))
    assert "Running 1 ✕ 1 failed in 24 h" in strip
    assert "▲ 2 ◆ 1 critical" in strip


def test_programs_read_the_same(troubled: Workspace) -> None:
    found = whole(troubled)
    control = json.loads(peaktrade(troubled, "control", "--json"))
    overview = json.loads(peaktrade(troubled, "monitor", "overview", "--json"))["status"]
    for told in (control, overview):
        assert (told["status"], told["word"], told["why"]) == ("fail", "FAIL", found.why)
        assert [(h["scope"], h["state"]) for h in told["trading"]["halts"]] == [tuple(h.split()[:2]) for h in HALTS]
        assert (told["alerts"]["open"], told["alerts"]["critical"], told["alerts"]["unacknowledged"]) == (2, 1, 2)
        assert {name: told["runs"][name] for name in ("running", "silent", "died", "failed")} == {
            "running": 1,
            "silent": 0,
            "died": 0,
            "failed": 1,
        }
        assert [layer["status"] for layer in told["layers"]] == [layer.status for layer in found.layers]
    snapshot = take(troubled)
    panels = {panel.id: panel for panel in snapshot.panels}
    assert (snapshot.status, snapshot.why) == ("fail", found.why)
    assert panels["runs"].summary == RUNS
    assert panels["alerts"].summary == ALERTS
    assert {row["scope"] for row in panels["trading_state"].rows} == {halt.split()[0] for halt in HALTS}
    assert [row["status"] for row in panels["status"].rows[1:5]] == ["fail", "pass", "fail", "warn"]


def test_metrics_say_the_same(troubled: Workspace) -> None:
    told: dict[tuple[Any, ...], float] = {}
    for family in text_string_to_metric_families(Meter().text(troubled, lambda: 0)):
        for sample in family.samples:
            told[(sample.name.removeprefix("peaktrade_"), *sample.labels.values())] = sample.value
    stands = {(name[1], name[2]) for name, value in told.items() if name[0] == "status" and value == 1}
    assert {("whole", "fail"), ("trading", "fail"), ("risk", "pass"), ("alerts", "fail"), ("runs", "warn")} <= stands
    assert {name[1:] for name in told if name[0] == "halt"} == {tuple(halt.split()[:2]) for halt in HALTS}
    assert told[("trading_state", "HALTED")] == 1
    assert (told[("runs", "running")], told[("sessions_failed_24h",)]) == (1, 1)
    assert (told[("alerts_open", "critical")], told[("alerts_open", "warning")]) == (1, 1)
    assert told[("up",)] == 1


def test_a_part_that_cannot_be_read_is_never_good(workspace: Workspace) -> None:
    Alerts.of(workspace).log.path.mkdir(parents=True)
    found = whole(workspace)
    assert (found.alerts.status, found.alerts.word, found.alerts.open) == ("fail", "unknown", None)
    assert "unknown" in text(Page(lambda: workspace).panel("status")) or "cannot read" in found.why
    assert "peaktrade_up 0.0" in Meter().text(workspace, lambda: 0)
