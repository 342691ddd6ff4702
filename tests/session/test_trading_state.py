"""Halts: latched on disk, obeyed by running sessions within a second, left only by a named person, failing closed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.halts.scope import GLOBAL, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import Stop, run_session
from peaktrade_core.trading.events import BarDone, Denial, Fill, Halt, Order, State
from peaktrade_core.trading.limit_use import refusal
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

LIVELY = {"params": {"fast": 2, "slow": 5}, "seed": 4}
Run = Callable[..., SessionRecord]


def kinds(workspace: Workspace, record: SessionRecord, kind: type) -> list[Any]:
    """Return the events of one kind of a session."""
    return [event for event in Views.of(workspace).events(record.session_id) if type(event) is kind]


SCOPE = Scope.of("shadow", "ma_crossover", "BTC/EUR")


def halts(home: Path) -> Path:
    return home / "reports" / "live" / "halts.jsonl"


def halt(workspace: Workspace, state: str = "HALTED", scope: Scope | str = GLOBAL) -> None:
    TradingStates.of(workspace).set(scope, state, by="Ada", reason="test", now=workspace.clock.now())


def test_without_a_word_everything_is_active(workspace: Workspace, run_shadow: Run) -> None:
    assert TradingStates.of(workspace).in_force(SCOPE).state == "ACTIVE"
    assert run_shadow(steps=200, **LIVELY).metrics["num_orders"] > 5


@pytest.mark.parametrize(
    ("state", "code"), [("HALTED", "HALTED"), ("REDUCING", "REDUCING_ONLY"), ("NO_ORDERS", "HALTED")]
)
def test_a_halt_outlives_the_process_that_set_it(
    home: Path, peaktrade: Callable[..., Any], state: str, code: str
) -> None:
    set_by = peaktrade("risk", "halt", "--by", "Ada", "--reason", "news", "--state", state)
    assert (set_by.code, set_by.stdout) == (0, f"global is {state}: news (Ada)\n")
    run = ("session", "run", "--steps", 200, "--seed", 4, "-p", "fast=2", "-p", "slow=5", "--json")
    refused = peaktrade(*run)
    told = f"not started: trading state {state} (global by Ada: news) - find the cause, then release it"
    assert (refused.code, told in refused.stderr, refused.stdout) == (2, True, "")
    assert not (home / "live_runs").exists()
    observed = peaktrade(*run, "--although-halted")
    ended = json.loads(observed.stdout)
    assert (observed.code, ended["metrics"]["num_orders"]) == (1, 0)
    assert ended["metrics"]["trading_state"] == state
    assert list(ended["metrics"]["deny_codes"]) == [code]
    workspace = Workspace(home)
    (said,) = kinds(workspace, Views.of(workspace).record(ended["session_id"]), State)
    assert (said.state, said.source, said.reason) == (state, "global by Ada", "news")


@pytest.mark.parametrize(
    "content",
    [
        b"{\n",
        b"[]\n",
        b'{"seq":0,"at":"2026-01-05T08:00:00Z","kind":"halt","data":{"by":"A","reason":"r","state":"FINE"},"prev":"'
        + b"0" * 64
        + b'"}\n',
        b'{"scope":"\xff"}\n',
        b"[" * 100_000 + b"\n",
        b'{"seq":0,',
        None,
    ],
    ids=["no JSON", "list", "unknown state", "no text", "very deep", "half a line", "folder"],
)
def test_a_log_that_cannot_be_read_forbids_every_order(
    home: Path, workspace: Workspace, run_shadow: Run, peaktrade: Callable[..., Any], content: bytes | None
) -> None:
    path = halts(home)
    path.parent.mkdir(parents=True)
    path.mkdir() if content is None else path.write_bytes(content)
    assert TradingStates.of(workspace).read(GLOBAL).state == "NO_ORDERS"
    record = run_shadow(steps=200, **LIVELY)
    assert record.status == "completed"
    assert (record.metrics["num_orders"], record.metrics["orders_blocked_risk"] > 0) == (0, True)
    shown = peaktrade("risk", "status", "--json")
    (state,) = json.loads(shown.stdout)["states"]
    half = content is not None and not content.endswith(b"\n")
    assert (shown.code, ("unfinished" if half else "failing closed") in state["reason"]) == (0, True)


def test_a_running_session_that_loses_the_log_orders_nothing_more(
    workspace: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.session.loop.GATE_S", 0.0)
    halt(workspace, scope=Scope.of("testnet", "ma_crossover", "BTC/EUR"))
    desk, looks = Desk.of(workspace), 0

    class Losing(TradingStates):
        """The log goes between two looks."""

        def in_force(self, scope: Scope | str) -> Any:
            nonlocal looks
            looks += 1
            if looks == 20:
                halts(home).unlink()
            return super().in_force(scope)

    states = Losing(home / "reports" / "live", workspace.operations_log)
    record = run_session(plan_session(workspace, steps=400, **LIVELY), desk._replace(states=states))
    (said,) = kinds(workspace, record, State)
    assert (said.state, "is gone" in said.reason, "killswitch engage" in said.reason) == ("NO_ORDERS", True, True)
    assert [event for event in kinds(workspace, record, Order) if event.seq < said.seq]
    assert not [event for event in kinds(workspace, record, Order) if event.seq > said.seq]


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("Ada", ""), ("  ", "why"), ("Ada", " \n")])
def test_every_change_needs_a_name_and_a_reason(
    home: Path, peaktrade: Callable[..., Any], by: str, reason: str
) -> None:
    assert peaktrade("risk", "halt", "--by", "Ada", "--reason", "news").code == 0
    scope = "shadow.ma_crossover.BTC/EUR"
    for command in (("risk", "halt"), ("risk", "resume", "--scope", scope), ("killswitch", "release")):
        assert peaktrade("risk", "halt", "--scope", scope, "--by", "Ada", "--reason", "news").code == 0
        ended = peaktrade(*command, "--by", by, "--reason", reason)
        assert (ended.code, "needs a name (--by) and a reason (--reason)" in ended.stderr) == (2, True)
    assert {state.state for state in TradingStates.of(Workspace(home)).everything()} == {"HALTED"}


def test_resuming_leaves_an_audit_line_and_lets_orders_pass(
    home: Path, run_shadow: Run, peaktrade: Callable[..., Any]
) -> None:
    scope = SCOPE.text
    peaktrade("risk", "halt", "--scope", scope, "--by", "Ada", "--reason", "news")
    assert peaktrade("risk", "resume", "--scope", scope, "--reason", "over").code == 2
    assert peaktrade("risk", "resume", "--scope", scope, "--by", "Grace", "--reason", "over").code == 0
    first, second = (home / "logs" / "operations.log").read_text().splitlines()
    assert first.endswith(f" trading-state {scope} ACTIVE -> HALTED by Ada: news")
    assert second.endswith(f" trading-state {scope} HALTED -> ACTIVE by Grace: over")
    assert run_shadow(steps=200, **LIVELY).metrics["orders_blocked_risk"] == 0
    again = peaktrade("risk", "resume", "--scope", scope, "--by", "Grace", "--reason", "over")
    assert (again.code, f"{scope} is not halted" in again.stderr) == (2, True)


def test_no_single_person_resumes_what_was_halted_for_all(workspace: Workspace, peaktrade: Callable[..., Any]) -> None:
    halt(workspace)
    refused = peaktrade("risk", "resume", "--scope", "global", "--by", "Grace", "--reason", "over")
    assert (refused.code, "killswitch release" in refused.stderr) == (2, True)
    assert TradingStates.of(workspace).read(GLOBAL).state == "HALTED"


def test_without_an_audit_log_nothing_is_let_loose_but_everything_can_be_halted(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder of the log should be")
    states = TradingStates(tmp_path / "live", tmp_path / "logs" / "operations.log")
    for scope in (GLOBAL, "shadow.x.y"):
        with pytest.raises(EnvironmentFault, match="operations"):
            states.set(scope, "HALTED", by="Ada", reason="news", now=EPOCH)
        assert states.read(scope).state == "HALTED"
    with pytest.raises(EnvironmentFault, match="operations"):
        states.set("shadow.x.y", "ACTIVE", by="Ada", reason="over", now=EPOCH)
    assert states.read("shadow.x.y").state == "HALTED"


@pytest.mark.parametrize("scope", ["../../escape", "", ".hidden", "a/b", "shadow", "shadow.x.", "x" * 200])
def test_what_is_not_a_scope_is_refused(workspace: Workspace, peaktrade: Callable[..., Any], scope: str) -> None:
    with pytest.raises(ConfigError, match="is not a scope; `peaktrade risk status` lists them"):
        halt(workspace, scope=scope)
    assert peaktrade("risk", "halt", "--by", "Ada", "--reason", "x", "--scope", scope).code == 2


def test_a_running_session_obeys_and_goes_on_after_the_resume(
    workspace: Workspace, peaktrade: Callable[..., Any]
) -> None:
    stop, done = Stop(), list[SessionRecord]()
    plan = plan_session(workspace, steps=100_000, timeframe="1s", pace=40.0, **LIVELY)
    scope = SCOPE.text
    thread = Thread(target=lambda: done.append(run_session(plan, Desk.of(workspace), stop=stop)), daemon=True)
    thread.start()
    until(lambda: any(run.step for run in Views.of(workspace).runs()))
    for command in ("halt", "resume"):
        assert peaktrade("risk", command, "--scope", scope, "--by", "Ada", "--reason", f"{command} it").code == 0
        record, reason = Views.of(workspace).latest(), f"{command} it"
        until(lambda of=record, why=reason: any(one.reason == why for one in kinds(workspace, of, State)), 1.0)
        time.sleep(0.8)
    stop.request("enough")
    thread.join()
    (record,) = done
    halted, resumed = kinds(workspace, record, State)
    assert (halted.state, resumed.state) == ("HALTED", "ACTIVE")
    assert (record.status, record.error) == ("aborted", "Stopped: enough")
    between = [
        event
        for event in Views.of(workspace).events(record.session_id)
        if halted.seq < event.seq < resumed.seq and type(event) in (Order, Fill) and event.purpose == "open"
    ]
    assert between == []
    after = [event.seq for event in kinds(workspace, record, BarDone) if event.seq > resumed.seq]
    assert len(after) > 5


@pytest.fixture
def tight(configure: Callable[[str, str], None]) -> None:
    """Let a very small drawdown halt a session."""
    configure("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 0.05")


def test_a_drawdown_halt_is_latched_for_its_strategy_and_symbol_until_a_person_resumes(
    tight: None, home: Path, workspace: Workspace, run_shadow: Run, peaktrade: Callable[..., Any]
) -> None:
    first = run_shadow(steps=1500)
    (halted,) = kinds(workspace, first, Halt)
    assert halted.code == "MAX_DRAWDOWN_HALT"
    assert halted.value >= halted.limit == 0.05
    scope = SCOPE.text
    on_disk = TradingStates.of(workspace).read(scope)
    assert (on_disk.state, on_disk.by) == ("HALTED", f"session {first.session_id}")
    assert on_disk.reason == refusal("MAX_DRAWDOWN_HALT", halted.value, halted.limit)
    assert not [e for e in kinds(workspace, first, Order) if e.seq > halted.seq and e.purpose == "open"]

    again = run_shadow(steps=300)
    assert (again.metrics["num_orders"], set(again.metrics["deny_codes"])) == (0, {"HALTED"})
    assert again.metrics["risk_status"] == "green"  # it lost nothing: it was not let
    for other in ({"symbol": "ETH/EUR"}, {"strategy": "donchian_breakout"}):
        assert run_shadow(steps=400, **other).metrics["num_orders"] > 0

    assert scope in peaktrade("risk", "status").stdout
    assert peaktrade("risk", "resume", "--scope", scope, "--by", "Grace", "--reason", "reviewed").code == 0
    assert run_shadow(steps=300).metrics["num_orders"] > 0


def test_a_session_never_loosens_what_a_person_tightened(
    tight: None, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.session.loop.GATE_S", 60.0)  # it looks once, before its first bar
    scope = SCOPE.text
    plan, desk = plan_session(workspace, steps=1500), Desk.of(workspace)

    class LateKillSwitch(TradingStates):
        """The person's NO_ORDERS comes right after the session looked."""

        def in_force(self, scope: Scope | str) -> Any:
            state = super().in_force(scope)
            if state.state == "ACTIVE":
                halt(workspace, "NO_ORDERS", scope)
            return state

    states = LateKillSwitch(workspace.reports / "live", workspace.operations_log)
    record = run_session(plan, desk._replace(states=states))
    assert len(kinds(workspace, record, Halt)) == 1
    assert TradingStates.of(workspace).read(scope).state == "NO_ORDERS"


def test_a_halt_that_cannot_be_written_holds_for_the_rest_of_the_session(
    tight: None, home: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise EnvironmentFault("cannot write the state: No space left on device")

    monkeypatch.setattr(TradingStates, "set", refuse)
    monkeypatch.setattr("peaktrade_core.session.loop.GATE_S", 0.0)
    record = run_session(plan_session(workspace, steps=1500), Desk.of(workspace))
    (halted,) = kinds(workspace, record, Halt)
    assert not [e for e in kinds(workspace, record, Order) if e.seq > halted.seq and e.purpose == "open"]
    assert [e for e in kinds(workspace, record, Denial) if e.code == "HALTED"]
