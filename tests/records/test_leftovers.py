"""What is removed, moved or dated wrongly behind a reader's back: everything else goes on, and says where it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from filelock import FileLock

from peaktrade_core.base.chain import Chain
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.sealed import SealedRecords
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.leftovers import tidy
from peaktrade_core.records.registry import Registry
from peaktrade_core.reports.session_reports import session_report
from peaktrade_core.research.divergence_session import load_recorded
from peaktrade_core.runs.views import AHEAD, Views
from peaktrade_core.schedule import retention as rt
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.recovery import recover
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended, until

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
Run = Callable[..., SessionRecord]
Command = Callable[..., Ended]


def old_run(workspace: Workspace) -> str:
    """Run a session in the past and return its id."""
    past = Workspace(workspace.home)
    past.clock = FixedClock(NOW, timedelta(milliseconds=1))
    return run_session(plan_session(past, steps=30, warmup_candles=60), Desk.of(past)).session_id


def sweep(workspace: Workspace, action: str) -> list[rt.ExpiredItem]:
    return rt.sweep(workspace, rt.Retention(run_days=30, report_days=30, action=action), "test")  # type: ignore[arg-type]


def test_what_retention_has_archived_is_read_as_before_and_says_where_it_is(
    workspace: Workspace, peaktrade: Command
) -> None:
    run_id = old_run(workspace)
    before = Views(Registry.of(workspace), workspace.runs, Views.of(workspace).archive, workspace.clock)
    events, curves = before.events(run_id), before.curves(run_id)
    assert [item.name for item in sweep(workspace, "archive")] == [run_id]
    assert not RunFolder(workspace.runs, run_id).path.exists()
    after = Workspace(workspace.home)
    views = Views.of(after)
    assert views.events(run_id) == events
    assert views.curves(run_id) == curves
    assert f"archived: reports/archive/live_runs/{run_id}.tar.gz" in views.run(run_id).notes
    for arguments in (
        ("export", "dashboard"),
        ("schedule", "run-now", "snapshot_export"),
        ("session", "diff", "latest"),
        ("session", "report"),
        ("session", "show", "latest"),
        ("monitor", "run", run_id),
    ):
        done = peaktrade(*arguments)
        assert done.code == 0, done.stderr
    tail = json.loads((workspace.home / "out" / "operator_dashboard" / "run_tail.json").read_bytes())
    assert len(tail) == 30
    assert sweep(after, "archive") == []
    assert not (workspace.home / ".cache" / "archived_runs").exists()


def test_what_retention_has_deleted_is_told_and_stops_no_other(
    workspace: Workspace, run_shadow: Run, peaktrade: Command
) -> None:
    run_id = old_run(workspace)
    sweep(workspace, "delete")
    done = peaktrade("export", "dashboard")
    assert done.code == 0, done.stderr
    alerts = json.loads((workspace.home / "out" / "operator_dashboard" / "run_alerts.json").read_bytes())
    assert "is gone: retention or a person removed it" in alerts[0]["message"]
    refused = peaktrade("session", "diff", run_id)
    assert (refused.code, refused.stderr.count("\n")) == (4, 1)
    assert "is gone: retention or a person removed it" in refused.stderr
    other = run_shadow(steps=5)
    assert {row.run_id for row in Views.of(workspace).rows()} == {run_id, other.session_id}


def test_a_damaged_archive_is_a_sentence(workspace: Workspace) -> None:
    run_id = old_run(workspace)
    sweep(workspace, "archive")
    packed = Views.of(workspace).archive.path(run_id)
    packed.write_bytes(packed.read_bytes()[:200])
    with pytest.raises(ArtefactError, match=rf"cannot unpack the archived run .*{run_id}"):
        Views.of(workspace).events(run_id)
    assert Views.of(workspace).look(run_id).curves().faults
    assert list((workspace.home / ".cache" / "archived_runs").iterdir()) == []


def test_a_session_of_a_clock_that_was_ahead_is_not_the_latest_for_months(
    workspace: Workspace, run_shadow: Run
) -> None:
    future = Workspace(workspace.home)
    future.clock = FixedClock(datetime.now(UTC) + timedelta(days=90))
    wrong = run_session(plan_session(future, steps=5, warmup_candles=60), Desk.of(future)).session_id
    views = Views.of(workspace)
    assert views.resolve("latest") == wrong  # there is no other
    right = run_shadow(steps=5).session_id
    assert views.resolve("latest") == right
    assert [run.run_id for run in views.runs()] == [right, wrong]
    assert (views.run(wrong).notes, views.run(right).notes) == (AHEAD, "")


def test_a_run_whose_lock_is_deleted_while_it_goes_on_is_recorded_once(
    start: Callable[..., Any], workspace: Workspace
) -> None:
    process = start("session", "run", "--timeframe", "1s", "--pace", "50", "--steps", "100000", "--json")
    (run_id,) = until(lambda: [row.run_id for row in Views.of(workspace).runs() if row.step is not None])
    folder = RunFolder(workspace.runs, run_id)
    (folder.path / "lock").unlink()
    assert folder.alive()
    assert recover(Workspace(workspace.home)) == []
    process.terminate()
    process.communicate(timeout=60)
    chain = Registry.of(workspace).chain.chain
    assert [link.data["status"] for link, _ in chain.links() if link.kind == "record"] == ["aborted"]
    assert not folder.alive()


def test_a_linked_folder_lets_retention_touch_nothing_else(workspace: Workspace) -> None:
    incident = workspace.reports / "incidents" / "INC-20260101-01"
    incident.mkdir(parents=True)
    (incident / "incident.json").write_text("{}")
    os.utime(incident / "incident.json", (0, 0))
    for name in ("daily", "weekly", "schedule"):
        (workspace.reports / name).symlink_to(incident)
    assert sweep(workspace, "delete") == []
    assert (incident / "incident.json").read_text() == "{}"
    kept = rt.survey(workspace, rt.Retention())
    assert {(item.name, item.action) for item in kept} == {(name, "keep") for name in ("daily", "weekly", "schedule")}
    assert all("is a link" in item.reason for item in kept)


def test_a_link_in_a_run_folder_is_archived_as_a_link_and_leads_nowhere(workspace: Workspace, tmp_path: Path) -> None:
    run_id = old_run(workspace)
    (tmp_path / "secret").write_text("secret")
    (RunFolder(workspace.runs, run_id).path / "notes").symlink_to(tmp_path / "secret")
    assert [item.name for item in sweep(workspace, "archive")] == [run_id]
    assert (tmp_path / "secret").read_text() == "secret"
    unpacked = Views.of(workspace).run_folder(run_id)
    assert len(Views.of(workspace).events(run_id)) > 30
    assert not (unpacked.path / "notes").exists()


@pytest.mark.parametrize("wrong", [None, "x", [], True, {}, "DROP"])
@pytest.mark.parametrize("field", ["start_balance", "config", "seq", "close", "ts_bar", "equity"])
def test_a_journal_with_a_wrong_field_is_one_sentence_and_hides_no_other(
    workspace: Workspace, run_shadow: Run, field: str, wrong: object
) -> None:
    good, bad = run_shadow(steps=5), run_shadow(steps=5, seed=2)
    journal = RunFolder(workspace.runs, bad.session_id).journal
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    number = 0 if field in ("start_balance", "config", "seq") else next(n for n, e in enumerate(lines) if "close" in e)
    holder = lines[number]["config"] if field == "start_balance" else lines[number]
    holder.update({field: wrong, "something": "of another version"})
    if wrong == "DROP":
        del holder[field]
    journal.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    views = Views.of(workspace)
    with pytest.raises(ArtefactError, match=rf"^{journal}, line {number + 1}: .*") as refused:
        load_recorded(workspace, bad.session_id)
    assert "\n" not in str(refused.value)
    assert {check.id: check.status for check in views.look(bad.session_id).checks}["journal"] == "fail"
    told = session_report(views)
    assert {row.run_id for row in views.rows()} == {good.session_id, bad.session_id}
    assert all(record.session_id in told for record in (good, bad))


def test_a_dead_run_whose_start_names_no_balance_is_recovered_with_the_record_s(
    workspace: Workspace, run_shadow: Run
) -> None:
    done = run_shadow(steps=30, warmup_candles=60)
    journal = RunFolder(workspace.runs, done.session_id).journal
    first, *others = journal.read_bytes().splitlines()
    start = json.loads(first)
    del start["config"]["start_balance"]
    journal.write_bytes(b"".join(line + b"\n" for line in [msgspec.json.encode(start), *others[:-1]]))
    Ledger.of(workspace).path.unlink()  # it knows that the session ended, with another journal
    Registry.of(workspace).write(msgspec.structs.replace(done, status="started", finished_at=None, metrics={}))
    (record,) = recover(workspace)
    assert (record.status, record.metrics["equity_end"]) == ("aborted", done.metrics["equity_end"])


def test_what_dead_processes_left_goes_after_an_hour_and_what_is_new_stays(
    workspace: Workspace, peaktrade: Command
) -> None:
    workspace.runs.mkdir()
    places = [workspace.reports / "daily", workspace.reports / "a" / "b", workspace.home / "logs", workspace.runs]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        for name in (".new.json.abcd1234.tmp", ".old.json.abcd1234.tmp", "kept.tmp", ".kept.json"):
            (place / name).write_text("half")
            if name != ".new.json.abcd1234.tmp":
                os.utime(place / name, (0, 0))
    begun = RunFolder(workspace.runs, "shadow_1")
    begun.stage()
    (begun.staged / "launch.json").write_text("{}")
    os.utime(begun.staged, (0, 0))
    done = peaktrade("doctor")
    assert all(name in done.stderr for name in ("reports/a/b/.old.json", "live_runs/.shadow_1.starting"))
    for place in places:
        assert {".new.json.abcd1234.tmp", "kept.tmp", ".kept.json"} <= {path.name for path in place.iterdir()}
        assert not (place / ".old.json.abcd1234.tmp").exists()
    assert not begun.staged.exists()
    assert tidy(workspace) == []


def test_a_run_that_is_just_beginning_is_left_alone(workspace: Workspace) -> None:
    folder = RunFolder(workspace.runs, "shadow_1")
    folder.stage()
    with FileLock(folder.staged / "lock"):
        os.utime(folder.staged, (0, 0))
        assert tidy(workspace) == []
    assert folder.staged.exists()
    os.utime(folder.staged, (0, 0))
    assert tidy(workspace) == [folder.staged]


def test_a_sealed_record_is_whole_before_after_and_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, path = SealedRecords(tmp_path, Chain(tmp_path / "chain.jsonl")), tmp_path / "A.json"
    records.seal("x", path, {"is": 1}, NOW)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("peaktrade_core.base.sealed._put", dies)
        with pytest.raises(KeyboardInterrupt):
            records.seal("x", path, {"is": 2}, NOW)
    with monkeypatch.context() as patch:
        patch.setattr("peaktrade_core.base.chain.append", dies)
        with pytest.raises(KeyboardInterrupt):
            SealedRecords(tmp_path, records.chain).seal("x", tmp_path / "B.json", {"is": 3}, NOW)
    assert json.loads(path.read_bytes()) == {"is": 1}
    assert records.check("x", "?", "").status == "pass"
    assert records.settle() == [path]
    assert json.loads(path.read_bytes()) == {"is": 2}
    assert records.settle() == []
    path.write_bytes(path.read_bytes().replace(b"2", b"4"))
    assert records.check("x", "?", "").status == "fail"
