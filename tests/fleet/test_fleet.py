"""The fleet with real processes: started, stopped, killed, replaced - and always told as it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, ExchangeAuthenticationError
from peaktrade_core.base.processes import Identity, exists, send, this_process
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.orders import order_of
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.tally import fold
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until


def kill(workspace: Workspace, run_id: str, number: int = signal.SIGKILL) -> None:
    folder = RunFolder(workspace.runs, run_id)
    os.kill(folder.owner().pid, number)
    if number == signal.SIGKILL:
        until(lambda: not folder.alive())


def stop(workspace: Workspace, *run_ids: str, **more):
    rows = [Views.of(workspace).run(run_id) for run_id in run_ids]
    return {result.run_id: result for result in Fleet.of(workspace).stop(rows, by="kim", reason="test", **more)}


def is_whole(workspace: Workspace, run_id: str) -> bool:
    record = Views.of(workspace).record(run_id)
    bars = fold(read_journal(RunFolder(workspace.runs, run_id).journal))
    assert RunFolder(workspace.runs, run_id).table.is_file()
    start = record.config["start_balance"]
    assert record.metrics["equity_end"] == pytest.approx(
        start + record.metrics["realized_pnl"] + record.metrics["unrealized_pnl"]
    )
    return record.metrics["steps"] == bars.metrics().steps


def test_twenty_runs_at_once_lose_nothing(workspace: Workspace, home, peaktrade: Callable) -> None:
    def begin(seed: int) -> str:
        mine = Workspace(home)
        order = order_of(mine, {"mode": "shadow", "steps": 400, "pace": "max", "seed": seed})
        return Fleet.of(mine).start(order, by="kim", allow_duplicate=True).run_id

    with ThreadPoolExecutor(20) as starters:
        ids = list(starters.map(begin, range(20)))
    assert len(set(ids)) == 20
    until(lambda: not Fleet.of(workspace).active(), 60)
    assert Views.of(workspace).stats().by_status == {"completed": 20}
    for run_id in ids:
        assert is_whole(workspace, run_id)
        assert Views.of(workspace).record(run_id).metrics["steps"] == 400
    shown = json.loads(peaktrade("fleet", "status", "--json").stdout)
    assert {row["run_id"] for row in shown} == set(ids)


def test_a_run_outlives_its_starter_and_any_terminal_ends_it(workspace: Workspace, peaktrade: Callable) -> None:
    begun = peaktrade("fleet", "start-shadow", "--pace", 600, "--steps", 100000, "--notes", "daily", "--json")
    run_id = json.loads(begun.stdout)["run_id"]
    row = json.loads(peaktrade("fleet", "status", "--run-id", run_id, "--json").stdout)
    assert (row["state"], row["alive"], row["notes"]) == ("running", True, "daily")
    assert os.getsid(RunFolder(workspace.runs, run_id).owner().pid) != os.getsid(0)
    ended = peaktrade("fleet", "stop", "--all", "--reason", "end of shift", "--by", "kim")
    assert ended.code == 0
    assert "1 of 1 run(s) stopped" in ended.stdout
    record = Views.of(workspace).record(run_id)
    assert (record.status, record.error) == ("aborted", "Stopped: kim: end of shift")
    assert is_whole(workspace, run_id)
    assert "fleet stop" in (workspace.home / "logs" / "operations.log").read_text()


def test_all_are_asked_at_once_and_the_stuck_one_is_killed(workspace: Workspace, launch: Callable) -> None:
    ids = [launch(strategy=name) for name in ("ma_crossover", "rsi_reversion", "donchian_breakout")]
    until(lambda: all(Views.of(workspace).run(run_id).step for run_id in ids))
    kill(workspace, ids[1], signal.SIGSTOP)
    done = stop(workspace, *ids, deadline_s=2.5)
    assert [done[run_id].outcome for run_id in ids] == ["stopped", "killed", "stopped"]
    assert all(is_whole(workspace, run_id) for run_id in ids)
    assert "kim asked it to stop (test)" in Views.of(workspace).record(ids[1]).error
    assert stop(workspace, ids[0])[ids[0]].outcome == "ended"


def test_killed_runs_are_shown_as_dead_and_recovered_by_the_next_start(workspace: Workspace, launch: Callable) -> None:
    first = launch()
    until(lambda: Views.of(workspace).run(first).step)
    kill(workspace, first)
    assert Views.of(workspace).run(first).state == "died"
    second = launch()
    assert Views.of(workspace).record(first).error.startswith("ProcessDied: the process")
    assert is_whole(workspace, first)
    assert stop(workspace, second, force=True)[second].outcome == "killed"
    assert Views.of(workspace).run(second).state == "aborted"


def test_a_recycled_process_number_is_left_alone(workspace: Workspace, launch: Callable) -> None:
    run_id = launch()
    folder = RunFolder(workspace.runs, run_id)
    meta, real = folder.read_meta(), folder.owner()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        kill(workspace, run_id, signal.SIGSTOP)
        folder.write_meta({**meta, "process": {"pid": bystander.pid, "started": real.started - 3600}})
        result = stop(workspace, run_id, force=True)[run_id]
        assert (result.outcome, bystander.poll()) == ("running", None)
        assert "left alone" in result.message
        assert Views.of(workspace).run(run_id).alive
    finally:
        folder.write_meta(meta)
        bystander.kill()
        bystander.wait()


def test_an_identity_is_more_than_a_number() -> None:
    me = this_process()
    assert exists(me)
    assert not exists(Identity(me.pid, me.started - 60))
    assert not send(Identity(me.pid, me.started - 60), signal.SIGTERM)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not exists(Identity(gone.pid, me.started))


def test_with_neither_meta_nor_heartbeat_a_run_is_asked_and_nobody_is_shot(
    workspace: Workspace, launch: Callable
) -> None:
    run_id = launch()
    folder = RunFolder(workspace.runs, run_id)
    folder.meta.write_text("{")
    (folder.path / "heartbeat.json").write_text("{")
    assert stop(workspace, run_id)[run_id].outcome == "stopped"
    assert Views.of(workspace).record(run_id).error == "Stopped: kim: test"


def test_the_starting_command_killed_leaves_a_true_state(workspace: Workspace, start: Callable) -> None:
    for after in (0.15, 0.5, 0.9):
        starter = start("fleet", "start-shadow", "--pace", 600, "--steps", 100000, "--allow-duplicate", "--json")
        time.sleep(after)
        starter.kill()
        starter.wait()
    time.sleep(1.5)  # what was spawned has begun by then
    for row in Views.of(workspace).runs():
        assert row.alive == (row.state == "running")
        assert RunFolder(workspace.runs, row.run_id).alive() == row.alive
    ids = [row.run_id for row in Fleet.of(workspace).active()]
    assert all(result.outcome == "stopped" for result in stop(workspace, *ids).values())
    assert all(is_whole(workspace, run_id) for run_id in ids)


def test_the_stopping_command_killed_has_asked_all_the_same(
    workspace: Workspace, launch: Callable, start: Callable
) -> None:
    run_id = launch()
    folder = RunFolder(workspace.runs, run_id)
    stopping = start("fleet", "stop", "--all", "--by", "kim")
    until(lambda: folder.stop_request() is not None)
    stopping.kill()
    until(lambda: not folder.alive())
    recover(workspace)
    assert Views.of(workspace).record(run_id).status == "aborted"
    assert is_whole(workspace, run_id)


def test_what_is_refused_and_why(workspace: Workspace, launch: Callable, configure: Callable, home) -> None:
    running = launch()
    with pytest.raises(ConfigError, match=f"{running} trades ma_crossover.*--allow-duplicate"):
        launch()
    launch(symbol="BTC/EUR", allow_duplicate=True)
    configure("max_runs = 40", "max_runs = 2")
    full = Workspace(home)
    order = order_of(full, {"mode": "shadow", "strategy": "rsi_reversion"})
    with pytest.raises(ConfigError, match="2 of at most 2 runs"):
        Fleet.of(full).start(order, by="kim")
    configure("min_free_disk_mb = 200.0", "min_free_disk_mb = 1e9")
    with pytest.raises(ConfigError, match="MB free"):
        Fleet.of(Workspace(home)).start(order, by="kim")
    TradingStates.of(workspace).set("global", "HALTED", by="kim", reason="drill", now=datetime.now(UTC))
    with pytest.raises(ConfigError, match=r"trading state HALTED \(global by kim: drill"):
        launch(strategy="rsi_reversion")
    assert len(Fleet.of(workspace).active()) == 2
    assert not list(workspace.runs.glob(".*.starting"))


def test_an_order_that_makes_no_sense_is_refused_before_anything_is_written(
    workspace: Workspace, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure('mode = "shadow"', 'mode = "testnet"')
    for name in ("KRAKEN_TESTNET_API_KEY", "KRAKEN_TESTNET_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ExchangeAuthenticationError):
        order_of(workspace, {"mode": "testnet"})
    for wrong in (
        {"strategy": "nix"},
        {"symbol": "NO/NE"},
        {"steps": 5, "duration": "1h"},
        {"duration": "soon"},
        {"pace": "fast"},
        {"pace": "-1"},
        {"feed": "tea leaves"},
    ):
        with pytest.raises(ConfigError):
            order_of(workspace, {"mode": "shadow", **wrong})
    with pytest.raises(ConfigError, match="quick_smoke"):
        order_of(workspace, {}, profile="slow_smoke")
    assert not workspace.runs.exists()


def test_a_run_that_dies_at_once_says_why(workspace: Workspace, home) -> None:
    order = order_of(workspace, {"mode": "shadow"})
    (home / "config" / "config.toml").write_text("[session]\nsteps = -1\n")
    with pytest.raises(EnvironmentFault, match=r"did not start \(exit code 2\): .*steps = -1"):
        Fleet.of(workspace).start(order, by="kim")
    assert Views.of(workspace).runs() == []
    assert not list(workspace.runs.glob(".*.starting"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(workspace: Workspace) -> None:
    workspace.runs.mkdir()
    workspace.runs.chmod(0o500)
    with pytest.raises(EnvironmentFault, match="lock"):
        Fleet.of(workspace).start(order_of(workspace, {"mode": "shadow"}), by="kim")


def test_a_place_that_is_no_folder_is_said(workspace: Workspace, peaktrade: Callable) -> None:
    workspace.runs.write_text("in the way")
    done = peaktrade("fleet", "start-shadow")
    assert done.code == 7
    assert "live_runs" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_profile_is_a_start_with_a_name(workspace: Workspace, peaktrade: Callable) -> None:
    begun = peaktrade("fleet", "start", "--profile", "quick_smoke", "--pace", "max", "--steps", 50, "--json")
    run_id = json.loads(begun.stdout)["run_id"]
    until(lambda: Views.of(workspace).run(run_id).state == "completed")
    record = Views.of(workspace).record(run_id)
    assert record.config["notes"] == "quick smoke"
    assert (record.metrics["steps"], record.config["strategy_name"]) == (50, "ma_crossover")


def test_restart_is_another_run_like_it(workspace: Workspace, launch: Callable) -> None:
    first = launch(notes="as before", seed=7)
    begun = Fleet.of(workspace).restart(Views.of(workspace).run(first), by="kim", reason="new day")
    record = Views.of(workspace).record(begun.run_id)
    assert record.config["notes"] == "as before"
    assert record.config["seed"] == 7
    assert f"restart_of:{first}" in record.config["tags"]
    assert Views.of(workspace).record(first).error == "Stopped: kim: new day"


def test_the_policy_replaces_what_died_and_nothing_else(
    workspace: Workspace, launch: Callable, configure: Callable, home
) -> None:
    configure("backoff_s = 10.0", "backoff_s = 0.0")
    workspace = Workspace(home)
    order = order_of(workspace, {"mode": "shadow", "pace": "600", "steps": 100000, "restart": "on-failure"})
    dies = Fleet.of(workspace).start(order, by="kim").run_id
    stays = launch(strategy="rsi_reversion", restart="on-failure")
    stop(workspace, stays)
    kill(workspace, dies)
    (replaced,) = Fleet.of(workspace).tend()
    assert replaced.restart_of == dies
    assert Fleet.of(workspace).tend() == []
    kill(workspace, replaced.run_id)
    (third,) = Fleet.of(Workspace(home)).tend()
    assert third.restart_of == replaced.run_id
    assert len(Fleet.of(workspace).active()) == 1


def test_a_folder_without_a_record_is_written_off(workspace: Workspace) -> None:
    folder = RunFolder(workspace.runs, "shadow_20260101_000000_aaaaaa")
    folder.create({"run_id": folder.run_id, "mode": "shadow", "status": "started"})
    folder.release()
    assert Views.of(workspace).run(folder.run_id).state == "died"
    assert Fleet.of(workspace).recover() == [folder.run_id]
    assert Views.of(workspace).run(folder.run_id).state == "aborted"
    assert Fleet.of(workspace).recover() == []


def test_a_dummy_run_is_a_shadow_run_on_the_embedded_market(
    workspace: Workspace, peaktrade: Callable, configure: Callable
) -> None:
    configure('feed = "synthetic"', 'feed = "exchange"')
    refused = peaktrade("fleet", "start", "--profile", "quick_smoke", "--use-dummy", "--mode", "testnet")
    assert (refused.code, "--use-dummy is a shadow run" in refused.stderr) == (2, True), refused.stderr
    started = peaktrade("fleet", "start", "--profile", "quick_smoke", "--use-dummy", "--steps", 20, "--json")
    assert started.code == 0, started.stderr
    run_id = json.loads(started.stdout)["run_id"]
    until(lambda: Views.of(workspace).run(run_id).status == "completed")
    record = Views.of(workspace).record(run_id)
    assert (record.mode, record.config["feed"]) == ("shadow", "synthetic")
