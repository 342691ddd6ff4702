"""Triggers: reached or not, what they do, and that they do it once for each cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.alerts.trigger_rules import Loss, Seen, findings
from peaktrade_core.alerts.triggers import TriggerDesk
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import GLOBAL, TradingStates, scope_of
from peaktrade_core.runs.run import Run
from peaktrade_core.workspace.settings import Trigger, Triggers
from peaktrade_core.workspace.workspace import Workspace

SCOPE = scope_of("shadow", "ma_crossover", "BTC/EUR")


def seen(run_id: str = "r", status: str = "running", **figures: Any) -> Seen:
    return Seen(run_id, SCOPE, "shadow.EUR", status, **figures)


def names(*runs: Seen, losses: tuple[Loss, ...] = ()) -> list[str]:
    return [finding.name for finding in findings(Triggers(), runs, losses)]


@pytest.mark.parametrize(
    ("quiet", "loud", "name"),
    [
        (seen(drawdown=0.0999), seen(drawdown=0.1), "drawdown"),
        (seen(rejects=4), seen(rejects=5), "rejects_in_a_row"),
        (seen(silence_s=719.0, bar_s=60.0), seen(silence_s=720.0, bar_s=60.0), "stale_feed"),
        (seen(), seen(drawdown=float("nan")), "drawdown"),
    ],
)
def test_a_running_session_is_judged_by_its_figures(quiet: Seen, loud: Seen, name: str) -> None:
    assert (names(quiet), names(loud)) == ([], [name])


def test_an_ended_session_is_not_stale() -> None:
    assert names(seen(status="completed", silence_s=1e9, drawdown=0.5)) == []


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        ("F", []),
        ("FF", ["failed_in_a_row"]),
        ("FCF", []),
        ("CFF", []),
        ("FAF", ["failed_in_a_row"]),
        ("", []),
    ],
)
def test_two_failed_in_a_row_newest_first(ends: str, found: list[str]) -> None:
    words = {"F": "failed", "C": "completed", "A": "aborted"}
    assert names(*(seen(f"r{n}", words[end]) for n, end in enumerate(ends))) == found


def test_the_loss_of_an_account_pulls_the_switch() -> None:
    (found,) = findings(Triggers(), [seen()], [Loss("shadow.EUR", "2026-01-05", 1000.0)])
    assert (found.name, found.scopes, found.action) == ("daily_loss", (GLOBAL,), "kill_switch")
    assert names(seen(), losses=(Loss("shadow.EUR", "2026-01-05", 999.9),)) == []


def test_off_is_off() -> None:
    assert findings(Triggers(drawdown=Trigger(10.0, "off")), [seen(drawdown=0.9)]) == []


@pytest.mark.parametrize("wrong", [(0.0,), (float("nan"),), (1.0, "explode"), (1.0, "halt", "moon")])
def test_a_trigger_that_makes_no_sense_is_refused(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        Trigger(*wrong)


def row(run_id: str, **figures: Any) -> Run:
    given: dict[str, Any] = {"mode": "shadow", "strategy": "ma_crossover", "symbol": "BTC/EUR", "timeframe": "1m"}
    return Run(run_id=run_id, **{**given, "state": "running", "alive": True, **figures})


def test_a_cause_is_acted_upon_once_also_after_a_restart_and_a_resume(workspace: Workspace) -> None:
    rows = [row("one", max_drawdown=0.11)]
    (action,) = TriggerDesk.of(workspace).apply(rows)
    assert (action.trigger, action.scopes, action.outcome) == ("drawdown", (SCOPE,), "done")
    state = TradingStates.of(workspace).read(SCOPE)
    assert (state.state, state.by) == ("HALTED", "trigger drawdown")
    TradingStates.of(workspace).set(SCOPE, "ACTIVE", by="Ada", reason="reviewed", now=workspace.clock.now())
    assert TriggerDesk.of(Workspace(workspace.home)).apply(rows) == []
    assert TradingStates.of(workspace).read(SCOPE).state == "ACTIVE"
    assert len(TriggerDesk.of(workspace).apply([row("two", max_drawdown=0.11), *rows])) == 1


def test_it_never_loosens(workspace: Workspace) -> None:
    TradingStates.of(workspace).set(SCOPE, "NO_ORDERS", by="Ada", reason="mine", now=workspace.clock.now())
    TriggerDesk.of(workspace).apply([row("one", silence_s=10_000.0)])
    assert TradingStates.of(workspace).read(SCOPE).by == "Ada"


def test_the_switch_is_pulled_and_audited_in_the_trigger_s_name(home: Path, configure: Any) -> None:
    configure('drawdown = { threshold = 10.0, action = "halt"', 'drawdown = { threshold = 10.0, action = "kill_switch"')
    workspace = Workspace(home)
    TriggerDesk.of(workspace).apply([row("one", max_drawdown=0.2)])
    entry = KillSwitch.of(workspace).audit(1)[0]
    assert (entry.by, entry.state, "one" in entry.reason) == ("trigger drawdown", "NO_ORDERS", True)


def test_what_could_not_be_done_is_tried_again(home: Path, workspace: Workspace) -> None:
    log = home / "logs" / "operations.log"
    log.mkdir(parents=True)
    (failed,) = TriggerDesk.of(workspace).apply([row("one", max_drawdown=0.2)])
    assert "operations.log" in failed.outcome
    log.rmdir()
    (again,) = TriggerDesk.of(workspace).apply([row("one", max_drawdown=0.2)])
    assert again.outcome == "done"


def test_a_line_that_cannot_be_read_is_passed_over(home: Path, workspace: Workspace) -> None:
    TriggerDesk.of(workspace).apply([row("one", max_drawdown=0.2)])
    with (home / "reports" / "live" / "triggers.jsonl").open("ab") as file:
        file.write(b'{"torn')
    assert TriggerDesk.of(workspace).apply([row("one", max_drawdown=0.2)]) == []
