"""The orchestrator's runbook: changes nothing unless asked, starts and stops real runs once, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peaktrade_core.base.errors import ConfigError, SessionNotFoundError, UnknownNameError
from peaktrade_core.desk.orchestrator import OrchestratorRunbook, fleet_readiness, outcome_checks
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture
def orchestrator(begin: Callable[..., OrchestratorRunbook]) -> Callable[..., OrchestratorRunbook]:
    """Return a function that begins the runbook with an action."""
    return lambda action, **given: begin("orchestrator", action=action, **given)


def test_a_run_is_started_once_followed_and_stopped_with_its_reason(
    orchestrator: Callable[..., OrchestratorRunbook], workspace: Workspace, configure: Callable[[str, str], None]
) -> None:
    configure("steps = 120\npace = 600.0", "steps = 100000\npace = 600.0")
    starting = orchestrator("start")
    starting.do()
    (run,) = Fleet.of(workspace).active()
    try:
        assert [check.status for check in outcome_checks(starting)] == ["pass"]
        assert run.run_id in starting.tail().title
        orchestrator("start", resume=starting.round.id).do()
        assert [row.run_id for row in Fleet.of(workspace).active()] == [run.run_id]
        busy = {check.id: check for check in fleet_readiness(workspace, "quick_smoke")}
        assert run.run_id in busy["duplicate"].evidence
        with pytest.raises(ConfigError, match=r"not started: .*stop it first"):
            orchestrator("start").do()
    finally:
        stopping = orchestrator("stop", run_id=run.run_id, reason="end of shift")
        stopping.do()
    assert {check.id: check.status for check in outcome_checks(stopping)} == {"ended": "pass", "recorded": "pass"}
    record = Views.of(workspace).record(run.run_id)
    assert (record.status, record.error) == ("aborted", "Stopped: Ada: end of shift")
    assert record.metric("equity_end") is not None


def test_status_changes_nothing(orchestrator: Callable[..., OrchestratorRunbook], workspace: Workspace) -> None:
    looking = orchestrator("status")
    shown = looking.do()
    assert "Nothing was asked for" in repr(shown)
    assert Views.of(workspace).runs() == []
    assert "Nothing ran yet" in repr(looking.tail())


@pytest.mark.parametrize(
    ("action", "given", "error", "said"),
    [
        ("explode", {"reason": "why not"}, UnknownNameError, "status, start, stop, stop_all"),
        ("stop", {"run_id": "x"}, ConfigError, "needs a reason"),
        ("stop", {"reason": "end"}, ConfigError, "name the run"),
        ("stop", {"run_id": "moon", "reason": "end"}, SessionNotFoundError, "no run 'moon'"),
        ("start", {"profile": "moon"}, UnknownNameError, "quick_smoke"),
        ("start", {"mode": "live"}, Exception, "live"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    action: str,
    given: dict[str, str],
    error: type[Exception],
    said: str,
    orchestrator: Callable[..., OrchestratorRunbook],
    workspace: Workspace,
) -> None:
    with pytest.raises(error, match=said):
        orchestrator(action, **given).do()
    assert Views.of(workspace).runs() == []


def test_a_halt_a_bad_profile_and_missing_credentials_are_seen_before_the_start(
    orchestrator: Callable[..., OrchestratorRunbook], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {check.id: check.status for check in fleet_readiness(workspace, "quick_smoke")}
    assert set(good.values()) == {"pass"}
    assert {"plan", "live", "limits", "state", "max_runs", "disk"} <= set(good)
    bad = {check.id: check for check in fleet_readiness(workspace, "moon")}
    assert bad["plan"].status == "fail"
    assert "moon" in bad["plan"].evidence
    testnet = {check.id: check for check in fleet_readiness(workspace, "quick_smoke", "testnet")}
    assert testnet["plan"].status == "fail"
    assert "credentials" in testnet["plan"].next_step
    TradingStates.of(workspace).set("global", "HALTED", by="Bo", reason="venue is odd", now=workspace.clock.now())
    halted = {check.id: check for check in fleet_readiness(workspace, "quick_smoke")}
    assert "venue is odd" in halted["state"].evidence
    starting = orchestrator("start")
    with pytest.raises(ConfigError, match="venue is odd"):
        starting.do()
    step = starting.round.record.step("start")
    assert step is not None
    assert step.status == "fail"


def test_the_end_of_a_session_whose_journal_is_gone_is_told(
    orchestrator: Callable[..., OrchestratorRunbook], run_shadow: Callable[..., SessionRecord], workspace: Workspace
) -> None:
    record = run_shadow(steps=30)
    RunFolder(workspace.runs, record.session_id).journal.unlink()
    assert "cannot read" in repr(orchestrator("status", run_id=record.session_id).tail())
