"""Heartbeat, lock and stop request of a run: what others can see and ask without being in its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.processes import this_process
from peaktrade_core.records.folder import Heartbeat, RunFolder
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import Workspace


def beat(**more) -> Heartbeat:
    who = this_process()
    return Heartbeat(at=datetime.now(UTC), pid=who.pid, started=who.started, **more)


def test_the_last_heartbeat_says_how_the_session_stood(workspace: Workspace, run_shadow: Callable) -> None:
    record = run_shadow(steps=300)
    seen = RunFolder(workspace.runs, record.session_id).heartbeat()
    assert (seen.phase, seen.step, seen.pid) == ("ended", 300, this_process().pid)
    assert seen.equity == record.metrics["equity_end"]
    assert seen.max_drawdown == record.metrics["max_drawdown"]
    assert seen.orders_blocked == record.metrics["orders_blocked_risk"]
    assert seen.exposure == pytest.approx(abs(seen.position) * seen.price)
    assert seen.events == sum(1 for _ in RunFolder(workspace.runs, record.session_id).journal.open())


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[]", b'{"at": 3}'])
def test_a_heartbeat_that_cannot_be_read_is_none(tmp_path: Path, damage: bytes) -> None:
    folder = RunFolder(tmp_path, "shadow_x")
    folder.create({})
    folder.beat(beat(step=7))
    assert folder.heartbeat().step == 7
    (folder.path / "heartbeat.json").write_bytes(damage)
    assert folder.heartbeat() is None
    folder.release()


def test_looking_never_keeps_an_owner_out(tmp_path: Path) -> None:
    done = threading.Event()
    base, seen = tmp_path, set()
    held = RunFolder(base, "shadow_held")
    held.create({})

    def look() -> None:
        while not done.is_set():
            seen.update(RunFolder(base, path.name).alive() for path in base.glob("[!.]*"))

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    try:
        for n in range(60):
            folder = RunFolder(base, f"shadow_{n}")
            folder.create({"n": n})
            assert RunFolder(base, f"shadow_{n}").alive()
            assert not RunFolder(base, f"shadow_{n}").acquire()
            folder.release()
            assert RunFolder(base, f"shadow_{n}").acquire()
    finally:
        done.set()
        for watcher in watchers:
            watcher.join()
    assert seen == {True, False}
    assert held.alive()
    held.release()


def test_an_id_is_given_once(workspace: Workspace) -> None:
    plan = plan_session(workspace, steps=20, session_id="shadow_20260101_000000_abcdef")
    assert run_session(plan, Desk.of(workspace)).session_id == "shadow_20260101_000000_abcdef"
    again = plan_session(workspace, steps=20, session_id="shadow_20260101_000000_abcdef")
    with pytest.raises(ConfigError, match="exists"):
        run_session(again, Desk.of(workspace))
    assert not list(workspace.runs.glob(".*.starting"))
    assert Views.of(workspace).stats().by_status == {"completed": 1}


@pytest.mark.parametrize("wrong", ["testnet_1", "../shadow_1", "shadow_/x", ""])
def test_an_id_that_lies_or_escapes_is_refused(workspace: Workspace, wrong: str) -> None:
    with pytest.raises(ConfigError, match="session id"):
        plan_session(workspace, session_id=wrong)


@pytest.mark.parametrize("request_file", [None, b"{", b""])
def test_a_session_obeys_a_request_to_stop(workspace: Workspace, request_file: bytes | None) -> None:
    plan = plan_session(workspace, steps=100_000, pace=600.0, session_id="shadow_20260101_000000_000001")
    folder = RunFolder(workspace.runs, plan.session_id)

    def ask() -> None:
        while folder.heartbeat() is None:
            pass
        if request_file is None:
            folder.ask_to_stop("kim", "end of shift", datetime.now(UTC))
        else:
            (folder.path / "stop.json").write_bytes(request_file)

    asking = threading.Thread(target=ask)
    asking.start()
    record = run_session(plan, Desk.of(workspace))
    asking.join()
    assert record.status == "aborted"
    assert record.error.startswith("Stopped: kim: end of shift" if request_file is None else "Stopped: somebody")
    assert record.metrics["equity_end"] > 0
