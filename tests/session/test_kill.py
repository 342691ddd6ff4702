"""Kill a session at any moment: what it acknowledged is there, the record tells the truth, the next session starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.records.registry import ALL, Query, Registry, RegistryEntry
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover, recover_sessions
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.tally import fold
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

HERE = Path(__file__).parent
ROUNDS = 160  # for each seed


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost_when_sessions_are_killed(
    home: Path, configure: Callable[[str, str], None], peaktrade: Callable[..., Any], seed: int
) -> None:
    configure("events = 2000", "events = 20")
    configure("fsync = true", "fsync = false")
    script = [sys.executable, str(HERE / "kill_rounds.py"), str(home), str(ROUNDS), str(seed)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert found["left"] == 0
    assert len(found["acknowledged"]) + found["early"] == ROUNDS
    assert sum(count > 0 for count in found["acknowledged"]) >= ROUNDS // 2
    assert len(set(found["acknowledged"])) > 20, "the kills all came at the same moment"
    last = peaktrade("session", "run", "--steps", 20, "--json", "--although-halted")  # one may have latched a halt
    assert json.loads(last.stdout)["status"] == "completed"


POINTS = {
    "folder made": ("peaktrade_core.records.registry", "Registry", "write", "before", None),
    "record written": ("peaktrade_core.records.journal", "Journal", "__init__", "before", "aborted"),
    "journal made": ("peaktrade_core.records.journal", "Journal", "__init__", "after", "aborted"),
    "journal ended": ("peaktrade_core.records.journal", "Journal", "close", "after", "completed"),
    "table written": ("peaktrade_core.records.folder", "RunFolder", "read_meta", "before", "completed"),
    "meta written": ("peaktrade_core.records.folder", "RunFolder", "read_meta", "after", "completed"),
}
DYING = """
import importlib, os, signal, sys
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.workspace.workspace import Workspace
from peaktrade_core.session.session import run_session
home, module, owner, name, when = sys.argv[1:]
kind = getattr(importlib.import_module(module), owner)
real = getattr(kind, name)
def dying(*args, **options):
    if when == "after":
        real(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)
workspace = Workspace(home)
plan = plan_session(workspace, steps=300, warmup_candles=60)
setattr(kind, name, dying)
run_session(plan, Desk.of(workspace))
"""


@pytest.mark.parametrize("point", POINTS)
def test_killed_between_two_writes(home: Path, workspace: Workspace, point: str) -> None:
    *where, status = POINTS[point]
    done = subprocess.run([sys.executable, "-c", DYING, str(home), *where], capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL
    recovered = recover(workspace)
    assert [record.status for record in recovered] == ([status] if status else [])
    assert recover(workspace) == []
    for record in recovered:
        assert record.metrics["equity_end"] == pytest.approx(
            10_000 + record.metrics["realized_pnl"] + record.metrics["unrealized_pnl"]
        )
        assert record.metrics["steps"] == (300 if status == "completed" else 0)
        assert RunFolder(workspace.runs, record.session_id).table.is_file()
    assert Views.of(workspace).stats().total_sessions == len(recovered)


def stopped_by(number: int, start: Callable[..., Any], workspace: Workspace) -> tuple[int, SessionRecord]:
    """Start a paced session, send it a signal after its first bars, and return its exit code and record."""
    process = start("session", "run", "--timeframe", "1s", "--pace", "200", "--steps", "100000", "--json")
    until(lambda: any(r.num_orders is None for r in Views.of(workspace).rows()))
    folder = RunFolder(workspace.runs, Views.of(workspace).rows()[0].run_id)
    until(lambda: folder.journal.exists() and folder.journal.read_bytes().count(b'"bar"') > 3)
    process.send_signal(number)
    out, _ = process.communicate(timeout=300)
    record = Views.of(workspace).record(folder.run_id)
    assert json.loads(out)["session_id"] == record.session_id
    return process.returncode, record


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_session_as_aborted_with_its_metrics(
    start: Callable[..., Any], workspace: Workspace, number: signal.Signals
) -> None:
    code, record = stopped_by(number, start, workspace)
    assert (code, record.status, record.error) == (130, "aborted", f"Stopped: {number.name}")
    events = list(read_journal(RunFolder(workspace.runs, record.session_id).journal))
    figures = fold(events).metrics()
    assert record.metrics["steps"] == figures.steps > 3
    assert record.metrics["equity_end"] == figures.equity_end
    assert (events[-1].status, record.finished_at is not None) == ("aborted", True)


def test_a_stop_that_comes_while_the_session_waits_never_locks_up() -> None:
    # The handler runs in the thread that waits; with a plain lock inside, one in a few thousand stops hung.
    script = """
import random, signal
from peaktrade_core.session.session import Stop
stop = Stop()
signal.signal(signal.SIGALRM, lambda *_: stop.request("again"))
for _ in range(40_000):
    stop = Stop()
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 4e-5))
    for _ in range(8):
        stop.wait(1e-7)
    signal.setitimer(signal.ITIMER_REAL, 0)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_two_recoverers_recover_once(home: Path, workspace: Workspace) -> None:
    where = POINTS["record written"][:-1]
    for _ in range(3):
        subprocess.run([sys.executable, "-c", DYING, str(home), *where], capture_output=True, timeout=300)
    found: list[SessionRecord] = []
    threads = [Thread(target=lambda: found.extend(recover(Workspace(home)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    closed = {(record.session_id, record.finished_at) for record in found}
    assert len({session_id for session_id, _ in closed}) == len(closed) == 3
    assert {row.status for row in Views.of(workspace).rows()} == {"aborted"}


def test_whoever_comes_second_leaves_the_first_ones_record_as_it_is(home: Path, workspace: Workspace) -> None:
    where = POINTS["record written"][:-1]
    subprocess.run([sys.executable, "-c", DYING, str(home), *where], capture_output=True, timeout=300)
    registry, first, inodes = Registry.of(workspace), list[SessionRecord](), list[int]()

    class Overtaken(Registry):
        """Between its look at the registry and the lock of the run, another process recovers the run."""

        def entries(self, query: Query = ALL) -> list[RegistryEntry]:
            found = super().entries(query)
            first.extend(recover(Workspace(home)))
            inodes.append(registry.path_of(first[0]).stat().st_ino)
            return found

    second = recover_sessions(
        Overtaken(registry.folder, home / "other.sqlite", registry.chain.chain), partial(RunFolder, workspace.runs)
    )
    assert second == first
    assert registry.path_of(first[0]).stat().st_ino == inodes[0], "the record was written again"


def test_a_running_session_is_never_recovered(start: Callable[..., Any], workspace: Workspace) -> None:
    start("session", "run", "--timeframe", "1s", "--pace", "10", "--steps", "100000", "--json")
    until(lambda: Views.of(workspace).rows())
    assert recover(workspace) == []
    assert Views.of(workspace).rows()[0].status == "started"


def test_two_sessions_at_once_do_not_disturb_each_other(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    alone = {seed: run_shadow(seed=seed, steps=1500) for seed in (1, 2, 3)}
    together: dict[int, SessionRecord] = {}
    threads = [
        Thread(target=lambda seed=seed: together.update({seed: run_shadow(seed=seed, steps=1500)})) for seed in alone
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, record in alone.items():
        assert together[seed].status == "completed"
        assert together[seed].metrics == record.metrics
        assert together[seed].session_id != record.session_id


def test_a_recovered_run_of_another_machine_is_left_alone(
    home: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = POINTS["record written"][:-1]
    subprocess.run([sys.executable, "-c", DYING, str(home), *where], capture_output=True, timeout=300)
    monkeypatch.setattr("peaktrade_core.session.recovery.this_host", lambda: "elsewhere")
    assert recover(workspace) == []
    assert Views.of(workspace).rows()[0].status == "started"
    assert os.path.isdir(RunFolder(workspace.runs, Views.of(workspace).rows()[0].run_id).path)
