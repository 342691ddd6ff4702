"""The list of runs: who lives, who died, and what is odd, told without recovering or writing anything."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.errors import ArtefactError, SessionNotFoundError
from peaktrade_core.records.folder import Heartbeat, RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace


def started(workspace: Workspace, done: SessionRecord, run_id: str, **changes: Any) -> RunFolder:
    """Make a run that looks as if it were still going: a started record, its folder, no lock."""
    record = msgspec.structs.replace(
        done, session_id=run_id, run_id=run_id, status="started", finished_at=None, metrics={}, **changes
    )
    Registry.of(workspace).write(record)
    folder = RunFolder(workspace.runs, run_id)
    folder.path.mkdir(parents=True)
    (folder.path / "lock").touch()
    folder.write_meta({"run_id": run_id, "mode": "shadow", "status": "started"})
    folder.journal.write_bytes(RunFolder(workspace.runs, done.session_id).journal.read_bytes())
    return folder


def beat(**changes: Any) -> Heartbeat:
    """Return a heartbeat of just now."""
    return Heartbeat(**{"at": datetime.now(UTC), "pid": os.getpid(), "started": 0.0, **changes})


@pytest.fixture
def locked() -> Iterator[Callable[[RunFolder], None]]:
    """Return a function that takes a run's lock, as its process would."""
    held: list[RunFolder] = []

    def take(folder: RunFolder) -> None:
        assert folder.acquire()
        held.append(folder)

    yield take
    for folder in held:
        folder.release()


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_finished_run_has_the_figures_of_its_record(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=300, seed=3)
    (row,) = Views.of(workspace).runs()
    assert (row.run_id, row.state, row.alive, row.silence_s) == (done.session_id, "completed", False, None)
    assert row.realized_pnl == done.metrics["realized_pnl"]
    assert (row.equity, row.max_drawdown) == (done.metrics["equity_end"], done.metrics["max_drawdown"])
    assert (row.timeframe, row.start_balance, row.notes) == ("1m", 10_000.0, "")
    assert Views.of(workspace).run(done.session_id) == row


def test_running_silent_and_dead_are_told_apart_and_stand_in_order(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], locked: Callable[[RunFolder], None]
) -> None:
    done = run_shadow(steps=30)
    early = datetime(2025, 1, 1, tzinfo=UTC)
    for number, name in enumerate(("running", "hanging", "deaf", "dead")):
        folder = started(workspace, done, f"shadow_20250101_00000{number}_{name}", started_at=early)
        folder.beat(beat(at=datetime.now(UTC) - timedelta(seconds=60 * (name == "hanging")), price=5.0, step=12))
        if name == "deaf":
            old = datetime.now().timestamp() - 3600
            os.utime(folder.journal, (old, old))
        if name != "dead":
            locked(folder)
    before = bytes_below(workspace.home)
    rows = {row.run_id.rpartition("_")[2]: row for row in Views.of(workspace).runs()}
    assert [rows[name].state for name in ("running", "hanging", "deaf", "dead")] == [
        "running",
        "silent",
        "silent",
        "died",
    ]
    assert [row.state for row in Views.of(workspace).runs()][-2:] == ["completed", "died"]
    assert [row.alive for row in Views.of(workspace).runs()] == [True, True, True, False, False]
    assert (rows["running"].price, rows["running"].step) == (5.0, 12)
    assert rows["deaf"].silence_s > 3500
    assert "the next command recovers it" in rows["dead"].notes
    after = bytes_below(workspace.home)
    assert {k: v for k, v in after.items() if not k.startswith(".cache")} == {
        k: v for k, v in before.items() if not k.startswith(".cache")
    }
    assert [row.run_id for row in Views.of(workspace).runs(2)] == [row.run_id for row in Views.of(workspace).runs()][:2]


def test_without_a_heartbeat_the_end_of_the_journal_tells(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], locked: Callable[[RunFolder], None]
) -> None:
    done = run_shadow(steps=50)
    folder = started(workspace, done, "shadow_20250101_000000_abc")
    with folder.journal.open("ab") as file:
        file.write(b'garbage\n{"type":"bar","seq"')
    locked(folder)
    row = Views.of(workspace).run(folder.run_id)
    assert (row.state, row.step) == ("running", 49)
    assert row.equity == done.metrics["equity_end"]
    assert "a broken line was passed over" in row.notes


def test_a_run_that_ended_before_its_record_says_so_has_not_died(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    folder = started(workspace, run_shadow(steps=5), "shadow_20250101_000000_abc")
    folder.write_meta({"run_id": folder.run_id, "status": "completed"})
    assert Views.of(workspace).run(folder.run_id).state == "completed"


ODD: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no record": (lambda p: p.joinpath("meta.json").write_text('{"mode": "shadow"}'), "died", "no record"),
    "ended, no record": (lambda p: p.joinpath("meta.json").write_text('{"status": "failed"}'), "failed", "no record"),
    "empty": (lambda p: None, "unreadable", "meta.json is missing"),
    "meta is a list": (lambda p: p.joinpath("meta.json").write_text("[1]"), "unreadable", "cannot be read"),
    "strange meta": (
        lambda p: p.joinpath("meta.json").write_text(
            json.dumps({"mode": 7, "symbol": [], "started_at": "soon", "config": 3, "status": {}, "timeframe": "9x"})
        ),
        "died",
        "no record",
    ),
    "journal is a folder": (lambda p: p.joinpath("events.jsonl").mkdir(), "unreadable", "Is a directory"),
    "journal is a pipe": (lambda p: os.mkfifo(p / "events.jsonl"), "unreadable", "not a plain file"),
    "heartbeat is rubbish": (lambda p: p.joinpath("heartbeat.json").write_text('{"at": 7'), "unreadable", "meta"),
}


@pytest.mark.parametrize("case", ODD)
def test_a_folder_that_nobody_understands_is_a_row_that_says_so(workspace: Workspace, case: str) -> None:
    make, state, says = ODD[case]
    folder = workspace.runs / "shadow_20260101_000000_odd"
    folder.mkdir(parents=True)
    make(folder)
    (row,) = Views.of(workspace).runs()
    assert row.state == state
    assert says in row.notes
    msgspec.json.encode(row)


def test_a_record_without_a_folder_says_so(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> None:
    import shutil

    done = run_shadow(steps=5)
    shutil.rmtree(RunFolder(workspace.runs, done.session_id).path)
    Registry.of(workspace).write(msgspec.structs.replace(done, session_id="other", status="started", finished_at=None))
    rows = {row.run_id: row for row in Views.of(workspace).runs()}
    assert (rows[done.session_id].state, rows[done.session_id].notes) == ("completed", "its run folder is gone")
    assert rows["other"].state == "unreadable"
    assert "there is no run folder" in rows["other"].notes
    with pytest.raises(ArtefactError, match="is gone: retention or a person removed it"):
        Views.of(workspace).tail(done.session_id, 5)


@pytest.mark.parametrize("run_id", ["nobody", "..", "../../etc", "", "a/b", "x" * 400])
def test_an_unknown_run_is_not_found(workspace: Workspace, run_id: str) -> None:
    views = Views.of(workspace)
    for ask in (views.run, lambda i: views.tail(i, 5), lambda i: views.run_alerts(i, 5), views.curves, views.look):
        with pytest.raises(SessionNotFoundError):
            ask(run_id)


def test_alerts_of_a_run_are_newest_first_and_broken_ones_are_said(workspace: Workspace) -> None:
    folder = workspace.runs / "shadow_20260101_000000_abc"
    folder.mkdir(parents=True)
    lines = [
        '{"rule_id": "pnl_drop", "severity": "critical", "message": "down", "timestamp": "2026-01-01T10:00:00"}',
        "half",
        "[]",
        '{"rule_id": "no_events", "severity": "warning", "message": "silence", "run_id": "x", "seq": 4}',
    ]
    (folder / "alerts.jsonl").write_text("\n".join(lines) + "\n" + '{"torn')
    found = Views.of(workspace).run_alerts(folder.name, 10)
    assert [a.rule_id for a in found] == ["no_events", "unreadable", "unreadable", "pnl_drop"]
    assert found[0].extra == {"seq": 4}
    assert found[3].timestamp == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert len(Views.of(workspace).run_alerts(folder.name, 2)) == 2


def test_no_journal_is_an_error_in_words(workspace: Workspace) -> None:
    (workspace.runs / "shadow_20260101_000000_abc").mkdir(parents=True)
    with pytest.raises(ArtefactError, match="No such file"):
        Views.of(workspace).tail("shadow_20260101_000000_abc", 5)


def test_a_new_run_is_in_the_list_at_once(workspace: Workspace) -> None:
    for number in range(20):
        (workspace.runs / f"shadow_20260101_0000{number:02}_abc").mkdir(parents=True)
        assert len(Views.of(workspace).runs()) == number + 1
