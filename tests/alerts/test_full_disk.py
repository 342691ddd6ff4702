"""On a disk on which nothing can be written any more, people are told all the same, also of that."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.log import AlertLog
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.alerts.conftest import Receiver, write_rules
from tests.conftest import command, environment, until

RULES = """
[channels.console]
kind = "console"
[channels.web]
url = "{web}"
[[rule]]
id = "deep"
kind = "drawdown"
warning_pct = 0.000001
channels = ["console", "web"]
"""


def test_a_full_disk_holds_up_no_alert_and_is_told_itself(
    home: Path, receiver: Receiver, run_shadow: Callable[..., SessionRecord]
) -> None:
    write_rules(home, RULES.format(web=receiver.url))
    record = run_shadow(steps=300)
    quota = resource.getrlimit(resource.RLIMIT_FSIZE)
    watcher = subprocess.Popen(
        command("watch", "--interval", "1s", "--no-jobs"),
        cwd=home,
        env=environment(home),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, quota[1])),
    )
    try:
        told = until(lambda: len(receiver.received) >= 2 and [r["title"] for r in receiver.received])
        assert {"WARNING deep: " + record.session_id, "CRITICAL peaktrade alert log"} == set(told)
        body = next(r["message"] for r in receiver.received if "alert log" in r["title"])
        assert "told, but not recorded" in body
        assert "alerts.jsonl" in body
        assert Alerts.of(Workspace(home)).rows() == []
        second = run_shadow(steps=300, seed=7)
        until(lambda: any(second.session_id in r["title"] for r in receiver.received))
        assert len([r for r in receiver.received if record.session_id in r["title"]]) == 1, "once, not at every turn"
        resource.prlimit(watcher.pid, resource.RLIMIT_FSIZE, quota)  # there is space again
        rows = until(lambda: Alerts.of(Workspace(home)).rows("raised"))
        assert {row.run_id for row in rows} == {record.session_id, second.session_id}
        until(lambda: any(r["title"] == "CLEARED peaktrade alert log" for r in receiver.received))
        until(lambda: not AlertLog(Alerts.of(Workspace(home)).log.path).refresh().due)
        for one in (record, second):
            assert len([r for r in receiver.received if one.session_id in r["title"]]) == 1, "told before, never again"
        assert all(row.deliveries["web"] == "delivered" for row in Alerts.of(Workspace(home)).rows())
    finally:
        watcher.terminate()
        console = watcher.communicate(timeout=60)[1]
    assert f"WARNING deep: {record.session_id}" in console
    assert "CRITICAL peaktrade alert log" in console
    assert watch_of(Workspace(home)).status == "off"


ONCE = (("watch", "--once"), ("alerts", "check", "--record"))


@pytest.mark.parametrize("arguments", ONCE)
@pytest.mark.parametrize("where", ["full", "reports/alerts", "reports/live/watcher.lock"])
def test_one_look_tells_people_says_what_failed_and_ends_with_7(
    home: Path, receiver: Receiver, run_shadow: Callable[..., SessionRecord], arguments: tuple[str, ...], where: str
) -> None:
    write_rules(home, RULES.format(web=receiver.url))
    record = run_shadow(steps=300)
    quota = resource.getrlimit(resource.RLIMIT_FSIZE)
    if where == "reports/alerts":  # neither file nor folder can be made there, as where it is read-only
        (home / where).write_text("")
    elif where != "full":
        (home / where).mkdir()
    ended = subprocess.run(
        command(*arguments),
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=90,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0 if where == "full" else quota[0], quota[1])),
    )
    assert ended.returncode == 7, ended.stderr
    told = [r["title"] for r in receiver.received if record.session_id in r["title"]]
    assert told == [f"WARNING deep: {record.session_id}"]
    assert f"WARNING deep: {record.session_id}" in ended.stderr
    assert "bug" not in ended.stderr
    assert ("alerts are told, but not recorded" if "lock" not in where else "cannot lock") in " ".join(
        ended.stderr.split()
    )


def test_a_check_that_records_nothing_needs_no_disk(
    home: Path, run_shadow: Callable[..., SessionRecord], receiver: Receiver
) -> None:
    write_rules(home, RULES.format(web=receiver.url))
    run_shadow(steps=300)
    (home / "reports" / "alerts").write_text("")
    ended = subprocess.run(
        command("alerts", "check"), cwd=home, env=environment(home), capture_output=True, text=True, timeout=90
    )
    assert (ended.returncode, "drawdown" in ended.stdout) == (0, True), ended.stderr


def test_a_watcher_without_a_lock_is_seen_as_one_that_is_off(home: Path) -> None:
    (home / "reports" / "live" / "watcher.lock").mkdir(parents=True)
    assert watch_of(Workspace(home)).status == "off"


def test_a_watcher_that_ends_with_something_unrecorded_ends_with_7(
    home: Path,
    receiver: Receiver,
    run_shadow: Callable[..., SessionRecord],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    write_rules(home, RULES.format(web=receiver.url))
    run_shadow(steps=300)
    (home / "reports" / "alerts").write_text("")  # neither file nor folder can be made there
    watcher = start("watch", "--interval", "1s", "--no-jobs")
    until(lambda: len(receiver.received) >= 2)
    watcher.terminate()
    said = " ".join(watcher.communicate(timeout=60)[1].split())
    assert watcher.returncode == 7, said
    assert "alerts are told, but not recorded" in said
    assert "bug" not in said


def test_a_watcher_that_recorded_everything_ends_with_0(
    home: Path,
    receiver: Receiver,
    run_shadow: Callable[..., SessionRecord],
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    write_rules(home, RULES.format(web=receiver.url))
    run_shadow(steps=300)
    watcher = start("watch", "--interval", "1s", "--no-jobs")
    until(lambda: receiver.received)
    watcher.terminate()
    assert (watcher.communicate(timeout=60)[1] is not None, watcher.returncode) == (True, 0)
