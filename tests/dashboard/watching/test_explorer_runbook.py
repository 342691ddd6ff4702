"""The session explorer: lists what the filters say, shows settings that repeat the session, and says what is missing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.question import Check
from peaktrade_core.dashboard.watching.explorer import SessionExplorerRunbook, repeat_command
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended


def explorer(workspace: Workspace, **given: Any) -> SessionExplorerRunbook:
    """Begin the runbook as of now: nothing that was read before is remembered."""
    found: SessionExplorerRunbook = begin("session_explorer", Workspace(workspace.home), operator="Ada", **given)
    return found


def complete(runbook: SessionExplorerRunbook) -> dict[str, Check]:
    runbook.complete()
    step = runbook.round.record.step("detail")
    return {check.id: check for check in step.checks} if step else {}


def test_filters_list_what_they_say_and_name_address_and_command(
    run_shadow: Callable[..., SessionRecord], run_failing: Callable[[], SessionRecord], workspace: Workspace
) -> None:
    good, failed = run_shadow(steps=30), run_failing()
    shown = repr(explorer(workspace, mode="shadow", status="failed").listed())
    assert failed.session_id in shown
    assert good.session_id not in shown
    assert "/sessions?status=failed&mode=shadow" in shown
    assert "peaktrade session list --mode shadow --status failed" in shown
    none = explorer(workspace, mode="testnet").listed()
    assert "No session passes" in none.empty
    assert not none.rows
    assert "1 failed" in repr(explorer(workspace, status="failed").figures())
    for mode, status in (("moon", "any"), ("any", "moon")):
        with pytest.raises(UnknownNameError, match="moon"):
            explorer(workspace, mode=mode, status=status).listed()


def test_the_command_repeats_the_session_to_the_last_digit(
    run_shadow: Callable[..., SessionRecord], peaktrade: Callable[..., Ended]
) -> None:
    record = run_shadow(strategy="rsi_reversion", symbol="ETH/EUR", seed=5, steps=400, position_fraction=0.04)
    command = shlex.split(repeat_command(record))
    assert command[0] == "peaktrade"
    ended = peaktrade(*command[1:], "--json")
    assert ended.code == 0, ended.stderr
    again = json.loads(ended.stdout)["metrics"]
    assert again["num_orders"] > 0
    assert {name: again[name] for name in record.metrics} == record.metrics


def test_what_a_record_lacks_is_named(run_failing: Callable[[], SessionRecord], workspace: Workspace) -> None:
    record = run_failing()
    runbook = explorer(workspace, session_id=record.session_id)
    assert {check.status for check in complete(runbook).values()} == {"pass"}
    assert "fragile_for_watch" in repr(runbook.settings())
    path = Registry.of(workspace).path_of(record)
    told = json.loads(path.read_text())
    del told["config"]["seed"], told["config"]["data_sha256"], told["config"]["symbol"]
    told |= {"error": None, "mode": "live"}
    path.write_text(json.dumps(told))
    found = complete(explorer(workspace, session_id=record.session_id))
    assert (found["metadata"].status, found["metadata"].evidence) == ("warn", "missing: error")
    assert found["repeatable"].evidence == "missing: symbol, seed or data_sha256"
    assert found["not_live"].status == "fail"
