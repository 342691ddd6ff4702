"""A monitoring round tells what is odd about what runs, what the escalation path asks for, and pauses when told to."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ConfigError, SessionNotFoundError, StepOpenError
from peaktrade_core.base.question import Check
from peaktrade_core.dashboard.watching.live_track_watch import tile_table
from peaktrade_core.dashboard.watching.monitoring_round import MonitoringRunbook, cadence, escalation
from peaktrade_core.fleet.during_session import Watched, during_checks, watch_runs
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.runbook import begin as begin_runbook
from peaktrade_core.runs.detail import JournalDetail
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.events import Failure, Fill, Halt, Notice
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

GOOD: dict[str, Any] = {
    "run_id": "shadow_20260105_060000_aaaaaa",
    "mode": "shadow",
    "strategy": "ma_crossover",
    "symbol": "BTC/EUR",
    "state": "running",
    "alive": True,
    "silence_s": 2.0,
    "step": 600,
    "start_balance": 10_000.0,
    "realized_pnl": 12.0,
    "unrealized_pnl": -3.0,
    "max_drawdown": 0.01,
    "trading_state": "ACTIVE",
}


def event(kind: Any, **fields: Any) -> Any:
    from datetime import UTC, datetime

    return kind(seq=1, ts=datetime(2026, 1, 5, tzinfo=UTC), **fields)


def fills(n: int) -> tuple[Fill, ...]:
    return (event(Fill, order_id="o1", purpose="open", qty=1.0, price=1.0, fee=0.0, reference=1.0),) * n


def watched(row: dict[str, Any] | None = None, missing: float = 0.0, **journal: Any) -> Watched:
    told = {"happened": fills(4), **journal}
    given = {**GOOD, **(row or {})}
    total = None if given["realized_pnl"] is None else given["realized_pnl"] + given["unrealized_pnl"]
    return Watched(Run(**given, total_pnl=total), JournalDetail(**told), missing)


DEEP = [watched({"max_drawdown": 0.2})]


def by_id(checks: list[Check]) -> dict[str, Check]:
    return {check.id: check for check in checks}


@pytest.mark.parametrize(
    ("one", "id", "status", "said"),
    [
        (watched({"state": "silent", "silence_s": 700.0}), "events", "fail", "silent for 11 m 40 s"),
        (watched({"state": "silent"}), "state", "warn", "silent"),
        (watched({"state": "died", "alive": False}), "state", "fail", "died"),
        (watched({"state": "failed", "alive": False, "notes": "DataError: x"}), "error", "fail", "DataError: x"),
        (watched({"state": "aborted", "alive": False}), "state", "warn", "aborted"),
        (watched({"mode": "live"}), "mode", "fail", "mode live"),
        (watched({"realized_pnl": -150.0, "unrealized_pnl": -60.0}), "pnl", "warn", "−2.10 %"),
        (watched({"realized_pnl": -150.0, "unrealized_pnl": 60.0}), "pnl", "pass", "−0.90 %"),
        (watched({"realized_pnl": None}), "pnl", "pass", "lowest 0.09 %"),
        (watched({"max_drawdown": 0.049}), "drawdown", "pass", "4.90 %"),
        (watched({"max_drawdown": 0.05}), "drawdown", "warn", "5.00 %"),
        (watched({"max_drawdown": 0.10}), "drawdown", "fail", "10.00 %"),
        (watched({"max_drawdown": 0.06}), "drawdown", "warn", "6.00 %"),
        (watched({"max_drawdown": 0.11}), "drawdown", "fail", "11.00 %"),
        (watched(happened=(event(Failure, error="ExchangeNetworkError: timeout"),)), "error", "fail", "timeout"),
        (
            watched(happened=(event(Halt, code="DAILY_LOSS", value=1.0, limit=2.0),)),
            "error",
            "fail",
            "DAILY",
        ),
        (watched(happened=()), "orders", "warn", "no fill in 600 bars"),
        (watched({"step": 100}, happened=fills(0)), "orders", "pass", "4 fills"),
        (watched(happened=fills(700)), "orders", "warn", "700 fills, 600 bars"),
        (watched(denials={"MAX_ORDER_NOTIONAL": 3}), "denials", "warn", "MAX_ORDER_NOTIONAL × 3"),
        (watched({"trading_state": "HALTED"}), "trading", "warn", "HALTED"),
        (watched(missing=7.0), "data", "warn", "7 bars missing"),
        (watched(happened=(event(Notice, code="SKEW", message="clock off"),)), "data", "warn", "SKEW: clock off"),
        (watched(faults=("cannot read the journal",)), "data", "warn", "cannot read the journal"),
    ],
)
def test_what_is_odd_about_a_run_is_told_with_its_name(one: Watched, id: str, status: str, said: str) -> None:
    found = by_id(during_checks([watched({"run_id": "shadow_20260105_060000_bbbbbb"}), one]))[id]
    assert found.status == status, found
    assert said in found.evidence
    assert bool(found.next_step) == (status != "pass")


def test_a_good_run_needs_nothing_and_forty_runs_need_no_more_lines() -> None:
    assert {check.status for check in during_checks([watched()])} == {"pass"}
    assert len(during_checks([watched()] * 40)) == len(during_checks([])) == 10


def test_nothing_that_runs_is_said_so_and_an_unknown_run_is_an_error(workspace: Workspace) -> None:
    assert watch_runs(Views.of(workspace)) == []
    assert "nothing ever ran" in by_id(during_checks([]))["state"].evidence
    with pytest.raises(SessionNotFoundError, match="no run 'moon'"):
        watch_runs(Views.of(workspace), "moon")
    assert "peaktrade session run" in tile_table(workspace).empty


def test_a_session_without_its_journal_is_told_in_words(
    run_shadow: Callable[..., SessionRecord], workspace: Workspace
) -> None:
    record = run_shadow(steps=50)
    RunFolder(workspace.runs, record.session_id).journal.unlink()
    (one,) = watch_runs(Views.of(Workspace(workspace.home)), "latest")
    assert "cannot read the journal" in by_id(during_checks([one]))["data"].evidence


def test_one_failed_is_to_investigate_two_to_pause_and_a_good_one_ends_the_series(
    run_failing: Callable[[], SessionRecord], run_shadow: Callable[..., SessionRecord], workspace: Workspace
) -> None:
    assert escalation(workspace, []).level == "go_on"
    first = run_failing()
    found = escalation(workspace, [])
    assert (found.level, found.scopes) == ("investigate", ("shadow.fragile-for-watch.BTC-EUR",))
    assert first.session_id in found.why[0]
    run_shadow(steps=50)  # another strategy's success ends no series
    run_failing()
    found = escalation(workspace, [])
    assert (found.level, found.scopes) == ("pause", ("shadow.fragile-for-watch.BTC-EUR",))
    runbook = begin_runbook("live_track_watch", workspace, operator="Ada")
    runbook.signs()
    signs = by_id(runbook.round.record.step("signs").checks)
    assert (signs["in_a_row"].status, signs["untreated"].status) == ("pass", "warn")


@pytest.mark.parametrize(
    ("drawdown", "level"), [(0.0499, "go_on"), (0.05, "review"), (0.0999, "review"), (0.1, "pause")]
)
def test_a_deep_drawdown_escalates(drawdown: float, level: str, workspace: Workspace) -> None:
    found = escalation(workspace, [watched({"max_drawdown": drawdown})])
    assert found.level == level
    assert found.scopes == (("shadow.ma-crossover.BTC-EUR",) if level != "go_on" else ())


def test_a_decided_pause_halts_that_scope_once_and_nothing_else(
    begin: Callable[..., MonitoringRunbook], workspace: Workspace
) -> None:
    runbook = begin(answers="escalation = pause: drawdown of a fifth")
    runbook.watched = DEEP
    runbook.path()
    asked = runbook.round.record.step("path")
    assert asked is not None
    assert [check.status for check in asked.checks] == ["warn"]
    runbook.decision()
    runbook.carry_out()
    scope = "shadow.ma-crossover.BTC-EUR"
    state = TradingStates.of(workspace).read(scope)
    assert (state.state, state.by) == ("HALTED", "Ada")
    assert runbook.round.id in state.reason
    assert {one.scope for one in TradingStates.of(workspace).everything() if one.state != "ACTIVE"} == {scope}
    TradingStates.of(workspace).set(scope, "ACTIVE", by="Bo", reason="cause found", now=workspace.clock.now())
    runbook.carry_out()  # taken up again after a crash
    assert TradingStates.of(workspace).read(scope).state == "ACTIVE"
    assert runbook.finish().record.outcome == "warned"


def test_without_a_decision_nothing_is_halted_and_the_round_is_incomplete(
    begin: Callable[..., MonitoringRunbook], workspace: Workspace
) -> None:
    runbook = begin()
    runbook.watched = DEEP
    runbook.decision()
    runbook.carry_out()
    assert {one.state for one in TradingStates.of(workspace).everything()} == {"ACTIVE"}
    assert runbook.finish().record.outcome == "incomplete"


def test_somebody_who_steps_through_decides_before_anything_goes_on(workspace: Workspace) -> None:
    round_ = EvidenceBook.of(workspace).begin("monitoring_round", "Monitoring round", operator="Ada", waits=True)
    runbook = MonitoringRunbook(workspace, round_, SimpleNamespace(), waits=True)
    runbook.watched = DEEP
    runbook.decision()
    with pytest.raises(StepOpenError, match="answer 'What does the escalation path ask for"):
        runbook.carry_out()
    round_.answer("escalation", "pause", "a fifth is lost")
    runbook.carry_out()
    assert TradingStates.of(workspace).read("shadow.ma-crossover.BTC-EUR").state == "HALTED"


def test_a_decision_needs_a_reason(begin: Callable[..., MonitoringRunbook]) -> None:
    runbook = begin(answers="escalation = pause")
    runbook.watched = DEEP
    with pytest.raises(ConfigError, match="needs a reason"):
        runbook.decision()


def test_with_nothing_to_decide_nothing_is_asked(begin: Callable[..., MonitoringRunbook]) -> None:
    runbook = begin(answers="escalation = go_on: prepared answers do no harm")
    runbook.watched = [watched()]
    runbook.decision()
    assert runbook.finish().record.outcome == "passed"


def test_a_killed_session_is_seen_before_anybody_recovers_it(
    running: subprocess.Popen[str], workspace: Workspace
) -> None:
    alive = watch_runs(Views.of(Workspace(workspace.home)))
    assert by_id(during_checks(alive))["state"].evidence == "1 running"
    late = Workspace(workspace.home)
    late.clock = FixedClock(workspace.clock.now() + timedelta(minutes=45))
    this = begin_runbook("monitoring_round", late, operator="Ada")
    assert cadence(this).status == "warn"  # the round itself does not count
    before = FixedClock(workspace.clock.now() + timedelta(minutes=20))
    EvidenceBook(workspace.home, before).begin("monitoring_round", "Monitoring round", operator="Ada")
    assert cadence(this).status == "pass"
    running.kill()
    running.wait()
    dead = watch_runs(Views.of(Workspace(workspace.home)))
    found = by_id(during_checks(dead))
    assert found["state"].status == "fail"
    assert "died" in found["state"].evidence
    assert "incident_failed_session" in found["state"].next_step
