"""The watcher and the command line as their users meet them: processes, kills, restarts, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.alerts.conftest import Receiver, at, bar, free_port, write_journal, write_rules
from tests.conftest import Ended, until

Run = Callable[..., SessionRecord]
Command = Callable[..., Ended]
Start = Callable[..., subprocess.Popen[str]]

RULES = """
[channels.web]
url = "{web}"
[channels.dead]
url = "json://127.0.0.1:{dead}/"
[channels.log]
kind = "log"

[[rule]]
id = "failed-session"
kind = "failed_session"
channels = ["web", "dead", "log"]

[[rule]]
id = "failed-in-row"
kind = "failed_in_row"
action = "pause"
channels = ["web", "dead"]

[[rule]]
id = "heartbeat"
kind = "heartbeat"
channels = ["web", "dead"]
"""
BUG = """
from typing import NamedTuple
from peaktrade_core.trading.strategies import register

class Nothing(NamedTuple):
    pass

@register("buggy", Nothing, slots=lambda _: 1, warmup=lambda _: 0, tier="core")
def buggy(p, s, o, h, l, c, v):
    s[0] += 1.0
    return 1.0 / (250.0 - s[0])
"""


@pytest.fixture
def rules(home: Path, receiver: Receiver) -> None:
    """Write rules whose channels all work."""
    write_rules(home, RULES.replace(', "dead"', "").format(web=receiver.url, dead=free_port()))


@pytest.fixture
def rules_with_a_dead_channel(home: Path, receiver: Receiver) -> None:
    write_rules(home, RULES.format(web=receiver.url, dead=free_port()))


@pytest.fixture
def fail(home: Path, peaktrade: Command) -> Callable[[], str]:
    """Return a function that runs a session which fails, and returns its id."""
    (home / "buggy.py").write_text(BUG)

    def run() -> str:
        ended = peaktrade(
            "session", "run", "--strategy-module", "buggy.py", "--strategy", "buggy", "--steps", 300, "--json"
        )
        assert ended.code == 1, ended.stderr
        return str(json.loads(ended.stdout)["session_id"])

    return run


def open_alerts(home: Path, rule: str) -> list[AlertRow]:
    return [row for row in Alerts.of(Workspace(home)).rows("raised") if row.rule_id == rule]


def test_a_failed_session_reaches_someone_in_time_with_a_dead_channel_present(
    home: Path, rules_with_a_dead_channel: None, start: Start, fail: Callable[[], str], receiver: Receiver
) -> None:
    start("watch", "--interval", "1s")
    until(lambda: watch_of(Workspace(home)).state)
    failed = fail()
    until(lambda: [r for r in receiver.received if failed in r["message"]])
    (row,) = open_alerts(home, "failed-session")
    assert (row.run_id, row.severity) == (failed, "warning")
    until(lambda: open_alerts(home, "failed-session")[0].deliveries.get("web") == "delivered")
    assert open_alerts(home, "failed-session")[0].deliveries["dead"] == "pending"
    told = receiver.received[0]["message"]
    assert "StrategyError" in told
    assert "runbook" in told
    assert f"alerts ack {row.alert_id}" in told
    beside = (home / "live_runs" / failed / "alerts.jsonl").read_text()
    assert json.loads(beside)["rule_id"] == "failed-session"
    assert Views.of(Workspace(home)).run_alerts(failed, 5)[0].severity == "warning"


def test_two_failures_in_a_row_pause_the_scope_and_a_resume_holds(
    home: Path, rules: None, fail: Callable[[], str], peaktrade: Command
) -> None:
    fail()
    peaktrade("watch", "--once", timeout=90)
    assert open_alerts(home, "failed-in-row") == []
    assert TradingStates.of(Workspace(home)).read("shadow.buggy.BTC-EUR").state == "ACTIVE"
    second = fail()
    peaktrade("watch", "--once", timeout=90)
    (row,) = open_alerts(home, "failed-in-row")
    state = TradingStates.of(Workspace(home)).read("shadow.buggy.BTC-EUR")
    assert (state.state, state.by) == ("HALTED", "alert rule failed-in-row")
    assert row.alert_id in state.reason
    assert row.acted == (second,)
    peaktrade("risk", "resume", "--scope", state.scope, "--by", "kim", "--reason", "mended")
    peaktrade("watch", "--once", timeout=90)
    assert TradingStates.of(Workspace(home)).read(state.scope).state == "ACTIVE", (
        "what a person released stays released"
    )


def test_killed_before_it_could_deliver_the_next_watcher_does(
    home: Path, rules: None, start: Start, fail: Callable[[], str], receiver: Receiver
) -> None:
    failed = fail()
    receiver.answers = [503] * 3  # the first watcher cannot get through
    first = start("watch", "--interval", "1s")
    until(lambda: open_alerts(home, "failed-session"))
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = len(receiver.received)
    receiver.answers.clear()
    assert watch_of(Workspace(home)).status == "off"
    assert open_alerts(home, "failed-session")[0].deliveries.get("web") != "failed"
    start("watch", "--interval", "1s")
    until(lambda: open_alerts(home, "failed-session")[0].deliveries.get("web") == "delivered")
    told = [r for r in receiver.received if failed in r["message"]]
    assert len(told) == 1 or before == 1, "twice only when it was killed between sending and noting it"


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 0.9])
def test_killed_at_any_moment_the_log_stays_whole(
    home: Path, rules: None, start: Start, run_shadow: Run, delay_s: float, receiver: Receiver
) -> None:
    (home / "buggy.py").write_text(BUG)
    process = start("watch", "--interval", "1s")
    until(lambda: (home / "reports" / "live" / "watcher.lock").exists())
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    log = Alerts.of(Workspace(home)).log
    log.refresh()
    assert log.faults == 0
    assert watch_of(Workspace(home)).status == "off"


def test_a_killed_run_is_recovered_and_told(
    home: Path, rules: None, start: Start, peaktrade: Command, receiver: Receiver
) -> None:
    run = start("session", "run", "--pace", "60", "--steps", 100_000)
    running = until(lambda: [r for r in Views.of(Workspace(home)).runs() if r.alive and r.step])
    run.send_signal(signal.SIGKILL)
    run.wait()
    peaktrade("watch", "--once", timeout=90)
    row = Views.of(Workspace(home)).run(running[0].run_id)
    assert row.state == "aborted"
    (alert,) = open_alerts(home, "failed-session")
    assert alert.run_id == row.run_id
    assert alert.runbook == "12a"


def test_there_is_one_watcher_and_whether_it_runs_is_seen(home: Path, start: Start, peaktrade: Command) -> None:
    assert peaktrade("watch", "--status").code == 1
    watcher = start("watch", "--interval", "1s")
    until(lambda: watch_of(Workspace(home)).state)
    shown = peaktrade("watch", "--status", "--json")
    assert shown.code == 0
    assert json.loads(shown.stdout)["state"]["pid"] == watcher.pid
    second = peaktrade("watch", "--once")
    assert second.code == 7
    assert "runs on this workspace already" in second.stderr
    os.kill(watcher.pid, signal.SIGSTOP)
    later = Workspace(home)
    stopped_at = watch_of(later).state
    assert stopped_at is not None
    from peaktrade_core.alerts.watcher import read_watch

    hour_later = stopped_at.at.replace(year=stopped_at.at.year + 1)
    assert read_watch(home / "reports" / "live", hour_later).status == "silent"
    os.kill(watcher.pid, signal.SIGCONT)
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(60) == 0
    assert watch_of(Workspace(home)).status == "off"


def test_a_step_that_fails_is_said_and_holds_up_no_other(workspace: Workspace) -> None:
    from peaktrade_core.alerts.delivery import Deliveries
    from peaktrade_core.alerts.watcher import Watcher

    done: list[str] = []

    def broken() -> None:
        raise RuntimeError("boom")

    engine = AlertEngine(workspace, Alerts.of(workspace).log)
    folder, operations = workspace.reports / "live", workspace.home / "logs" / "operations.log"
    deliveries = Deliveries(engine, workspace.home / "logs" / "a.log", workspace.clock)
    steps: dict[str, Any] = {"first": broken, "second": lambda: done.append("second")}
    watcher = Watcher(steps, {}, deliveries, folder, operations, workspace.clock, 1.0)
    watcher.turn()
    watcher.turn()
    assert done == ["second", "second"]
    state = watch_of(workspace).state
    assert state is not None
    assert state.faults == {"first": "RuntimeError: boom"}
    assert operations.read_text().count("boom") == 1, "said once, not at every turn"


def test_exit_codes_of_a_check(home: Path, peaktrade: Command, run_shadow: Run) -> None:
    assert peaktrade("alerts", "check").code == 0
    unknown = peaktrade("alerts", "check", "--run-id", "shadow_20251207_120000_abc123")
    assert unknown.code == 1
    assert "there is no run" in unknown.stdout
    record = run_shadow(steps=300)
    fine = peaktrade("alerts", "check", "--run-id", record.session_id)
    assert fine.code == 0, fine.stdout
    only_warning = ("alerts", "check", "--run-id", record.session_id, "--error-spike-max-errors", 5)
    assert peaktrade(*only_warning).code == 0
    tiny = peaktrade(
        "alerts", "check", "--run-id", record.session_id, "--pnl-drop-threshold-pct", 0.000001, "--json",
        "--pnl-drop-window-hours", 1000,
    )  # fmt: skip
    findings = json.loads(tiny.stdout)["findings"]
    assert tiny.code == (1 if findings else 0)
    assert peaktrade("alerts", "check", "--no-events-max-minutes", 0).code == 2
    assert peaktrade("alerts", "check", "--pnl-drop-threshold-pct", "nan").code == 2
    assert peaktrade("alerts", "check", "--run-id", "../../etc/passwd").code == 1


def test_a_journal_with_an_equity_that_is_null_is_critical(home: Path, peaktrade: Command) -> None:
    folder = home / "live_runs" / "shadow_20260302_080000_aaaaaa"
    write_journal(folder, [bar(0, 0, 10_000.0), bar(1, 60, float("nan"), 1)])
    ended = peaktrade("alerts", "check", "--run-id", folder.name, "--pnl-drop-threshold-pct", 5)
    assert ended.code == 1
    assert "no equity that is a number" in ended.stdout


def test_a_wrong_rules_file_is_an_error_that_says_where(home: Path, peaktrade: Command) -> None:
    write_rules(home, '[[rule]]\nid = "x"\nkind = "no_events"\nmax_silense_s = 5\n')
    for command in (("alerts", "check"), ("watch", "--once"), ("alerts", "rules")):
        ended = peaktrade(*command)
        assert ended.code == 2
        assert "max_silense_s" in ended.stderr
        assert "alerts.toml" in ended.stderr


def test_list_ack_silence_and_unsilence(home: Path, rules: None, fail: Callable[[], str], peaktrade: Command) -> None:
    assert "No open alerts" in peaktrade("alerts", "list").stdout
    fail()
    held = ("alerts", "silence", "--rule", "failed-session", "--for", "1h", "--by", "kim", "--reason", "drill")
    made = peaktrade(*held)
    assert made.code == 0, made.stderr
    peaktrade("watch", "--once", timeout=90)
    listed = json.loads(peaktrade("alerts", "list", "--json").stdout)
    (alert,) = listed["alerts"]
    assert (alert["silenced_by"], alert["deliveries"], alert["told"]) == ("kim", {}, "")
    silence_id = listed["silences"][0]["silence_id"]
    assert "rule failed-session" in peaktrade("alerts", "unsilence", silence_id, "--by", "kim").stdout
    assert peaktrade("alerts", "ack", alert["alert_id"], "--by", "kim", "--note", "on it").code == 0
    assert "ack kim" in peaktrade("alerts", "list").stdout
    assert peaktrade("alerts", "ack", "nope", "--by", "kim").code == 2
    assert peaktrade("alerts", "ack", alert["alert_id"]).code == 2
    assert peaktrade(*held[:2], "--rule", "nope", *held[4:]).code == 2


def test_a_channel_can_be_tested(home: Path, rules: None, peaktrade: Command, receiver: Receiver) -> None:
    assert peaktrade("alerts", "test-channel", "web").code == 0
    assert "TEST" in receiver.received[0]["title"]
    dead = peaktrade("alerts", "test-channel", "dead")
    assert dead.code == 1
    assert "connection refused (it would be tried again)" in dead.stderr
    assert peaktrade("alerts", "test-channel", "pager").code == 2


def test_rules_on_history_fire_miss_and_take_time(
    home: Path, rules: None, fail: Callable[[], str], peaktrade: Command, run_shadow: Run
) -> None:
    failed, fine = fail(), run_shadow(steps=300).session_id
    shown = json.loads(peaktrade("alerts", "backtest", "config/alerts.toml", "--json").stdout)
    by_id = {s["session_id"]: s for s in shown["sessions"]}
    (truth,) = by_id[failed]["truths"]
    assert (truth["what"], truth["noticed_by"], truth["detect_s"]) == ("failed", "failed-session", 0.0)
    assert by_id[fine]["fires"] == by_id[fine]["truths"] == []
    assert shown["summary"]["rules_without_history"] == ["failed-in-row"]
    (home / "blind.toml").write_text('[[rule]]\nid="quiet"\nkind="no_events"\nchannels=[]\n')
    missed = json.loads(peaktrade("alerts", "backtest", "blind.toml", "--session", failed, "--json").stdout)
    assert (missed["summary"]["missed"], missed["summary"]["fires"]) == (1, {"quiet": 0})
    assert "missed 1" in peaktrade("alerts", "backtest", "blind.toml", "--session", failed).stdout


def test_a_silence_between_two_events_would_have_been_noticed() -> None:
    from peaktrade_core.alerts.rules.history import replay
    from peaktrade_core.alerts.settings import read_settings

    table = {"id": "quiet", "kind": "no_events", "max_silence_s": 600.0, "clear_for_s": 0.0}
    rules = read_settings({"channels": {"log": {"kind": "log"}}, "rule": [table]}, "t").rules
    record = SessionRecord(
        **dict.fromkeys(SessionRecord.__struct_fields__),
    )
    record.session_id, record.mode, record.config, record.metrics, record.extra = "s", "shadow", {}, {}, {}
    replayed = replay(record, [bar(0, 0, 1.0), bar(1, 60, 1.0), bar(2, 1000, 1.0), bar(3, 1060, 1.0)], rules)
    (fire,) = replayed.fires
    assert (fire.severity, fire.at, fire.cleared_at) == ("warning", at(1000), at(1060))


def test_a_new_workspace_has_the_shipped_rules(home: Path, tmp_path: Path, peaktrade: Command) -> None:
    assert peaktrade("init", tmp_path / "new").code == 0
    assert (tmp_path / "new" / "config" / "alerts.toml").is_file()
    with_file = peaktrade("alerts", "rules", "--home", tmp_path / "new", "--json").stdout
    assert with_file == peaktrade("alerts", "rules", "--json").stdout
    rules = {r["id"]: r for r in json.loads(with_file)["rules"]}
    assert (rules["drawdown"]["warning_pct"], rules["drawdown"]["critical_pct"]) == (5.0, 10.0)
    assert (rules["failed-in-row"]["sessions"], rules["failed-in-row"]["action"]) == (2, "halt")
    assert (rules["daily-loss"]["action"], rules["daily-loss"]["scope"]) == ("kill_switch", "global")


def test_many_who_ask_at_once_do_not_take_each_other_for_a_watcher(workspace: Workspace) -> None:
    """Two pages that asked at the same moment saw a watcher where there was none, and a job left its work to it."""
    folder = workspace.reports / "live"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "watcher.lock").touch()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: watch_of(workspace).status, range(2000)))
    assert set(found) == {"off"}
    with FileLock(folder / "watcher.lock"):
        assert watch_of(workspace).status == "running"
