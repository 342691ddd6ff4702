"""Retention: what may go by its age, what never goes, and a sweep that is interrupted."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule import retention as rt
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ARCHIVE, DELETE = rt.Retention(), rt.Retention(action="delete")
Run = Callable[..., SessionRecord]


@pytest.fixture
def aged(workspace: Workspace, run_shadow: Run) -> Callable[..., str]:
    """Return a function that runs a session, lets it have ended so many days ago, and returns its id."""
    workspace.clock = FixedClock(NOW, timedelta(0))

    def make(days: float, seed: int = 1, **changes: object) -> str:
        record = run_shadow(seed=seed, steps=30, warmup_candles=60, tags=tuple(changes.pop("tags", ())))  # type: ignore[arg-type]
        ended = NOW - timedelta(days=days)
        old = msgspec.structs.replace(record, started_at=ended, finished_at=ended, **changes)  # type: ignore[arg-type]
        for entry in Registry.of(workspace).entries():
            if entry.record and entry.record.session_id == record.session_id:
                entry.path.unlink()
        Registry.of(workspace).write(old)
        return record.session_id

    return make


def actions(workspace: Workspace, settings: rt.Retention = ARCHIVE) -> dict[str, str]:
    return {item.name: item.action for item in rt.survey(workspace, settings)}


@pytest.mark.parametrize(
    ("days", "limit", "goes"),
    [(0, 90, False), (89.9, 90, False), (90, 90, True), (400, 90, True), (31, 30, True), (-1, 30, False)],
)
def test_a_run_goes_by_the_age_of_its_end(
    workspace: Workspace, aged: Callable[..., str], days: float, limit: int, goes: bool
) -> None:
    run_id = aged(days)
    assert actions(workspace, rt.Retention(run_days=limit)) == ({run_id: "archive"} if goes else {})


@pytest.mark.parametrize(
    ("folder", "days", "goes"),
    [
        ("daily", 29, False),
        ("daily", 31, True),
        ("weekly", 31, False),
        ("weekly", 91, True),
        ("incidents", 5000, False),
    ],
)
def test_reports_go_by_their_own_age_and_incidents_never(
    workspace: Workspace, folder: str, days: int, goes: bool
) -> None:
    workspace.clock = FixedClock(NOW, timedelta(0))
    path = workspace.reports / folder / "2026-01-01.md"
    path.parent.mkdir(parents=True)
    path.write_text("kept")
    stamp = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (stamp, stamp))
    rt.sweep(workspace, ARCHIVE, "ada")
    assert path.exists() is not goes
    assert (workspace.reports / "archive" / folder / path.name).exists() is goes


def test_what_must_stay_stays_and_says_why(workspace: Workspace, aged: Callable[..., str]) -> None:
    kept = {
        aged(400, 1, tags=["keep"]): "tagged keep",
        aged(400, 2): "named in an incident",
        aged(400, 3, status="started"): "has not ended",
        aged(400, 4): "its session runs",
        aged(400, 5): "no record",
    }
    ids = list(kept)
    incident = workspace.reports / "incidents" / "2025-04" / "note.md"
    incident.parent.mkdir(parents=True)
    incident.write_text(f"Seen in live_runs/{ids[1]}/events.jsonl.")
    holder = RunFolder(workspace.runs, ids[3])
    assert holder.acquire()
    next(e.path for e in Registry.of(workspace).entries() if e.record and e.record.session_id == ids[4]).unlink()
    stamp = (NOW - timedelta(days=400)).timestamp()
    os.utime(workspace.runs / ids[4], (stamp, stamp))
    found = {item.name: item for item in rt.survey(workspace, DELETE)}
    assert {name: item.action for name, item in found.items()} == dict.fromkeys(ids, "keep")
    for name, why in kept.items():
        assert why in found[name].reason
    assert rt.sweep(workspace, DELETE, "ada") == []
    assert {path.name for path in workspace.runs.iterdir() if not path.name.startswith(".")} == set(ids)
    holder.release()


def test_looking_changes_nothing(workspace: Workspace, aged: Callable[..., str]) -> None:
    run_id = aged(400)
    before = sorted(str(path) for path in workspace.home.rglob("*"))
    assert actions(workspace) == {run_id: "archive"}
    assert sorted(str(path) for path in workspace.home.rglob("*")) == before


def test_an_archive_holds_the_folder_byte_for_byte_and_the_record_stays(
    workspace: Workspace, aged: Callable[..., str]
) -> None:
    run_id = aged(400)
    journal = (workspace.runs / run_id / "events.jsonl").read_bytes()
    rt.sweep(workspace, ARCHIVE, "ada")
    assert not (workspace.runs / run_id).exists()
    with tarfile.open(workspace.reports / "archive" / "live_runs" / f"{run_id}.tar.gz") as tar:
        packed = tar.extractfile(f"{run_id}/events.jsonl")
        assert packed is not None
        assert packed.read() == journal
    assert Views.of(workspace).run(run_id).status == "completed"
    log = (workspace.home / "logs" / "operations.log").read_text()
    assert f"retention archive run {run_id} by ada" in log
    assert "sha256" in log


@pytest.mark.parametrize("place", ["_pack", "_discard", "_empty"])
@pytest.mark.parametrize("settings", [ARCHIVE, DELETE])
def test_a_sweep_that_dies_leaves_nothing_half_gone(
    workspace: Workspace,
    aged: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    settings: rt.Retention,
) -> None:
    run_id = aged(400)
    whole = {path.name for path in (workspace.runs / run_id).iterdir()}
    real = getattr(rt, place)

    def die(*args: Path) -> Path:
        if place == "_empty" and not args[0].exists():
            return real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(rt, place, die)
    if settings is ARCHIVE or place != "_pack":
        with pytest.raises(KeyboardInterrupt):
            rt.sweep(workspace, settings, "ada")
    monkeypatch.setattr(rt, place, real)
    folder = workspace.runs / run_id
    assert not folder.exists() or {path.name for path in folder.iterdir()} == whole
    rt.sweep(workspace, settings, "ada")
    assert not folder.exists()
    assert not (workspace.runs / ".trash").exists()


def test_a_full_disk_leaves_the_folder_alone(
    workspace: Workspace, aged: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = aged(400)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile, "open", full)
    with pytest.raises(EnvironmentFault, match="the folder is untouched"):
        rt.sweep(workspace, ARCHIVE, "ada")
    assert (workspace.runs / run_id / "events.jsonl").exists()
    assert list((workspace.reports / "archive" / "live_runs").iterdir()) == []


@pytest.mark.parametrize("given", [{"run_days": 0}, {"report_days": -3}, {"action": "burn"}])
def test_settings_out_of_range_are_refused(given: dict[str, object]) -> None:
    with pytest.raises((ConfigError, msgspec.ValidationError)):
        rt.Retention(**given)  # type: ignore[arg-type]


def test_a_linked_folder_or_file_is_not_ours_to_remove(workspace: Workspace, aged: Callable[..., str]) -> None:
    incidents = workspace.reports / "incidents"
    incidents.mkdir(parents=True)
    case = incidents / "INC-20260101-1.json"
    case.write_text("{}")
    os.utime(case, (0, 0))
    (workspace.reports / "daily").symlink_to(incidents)
    (workspace.reports / "weekly").mkdir()
    (workspace.reports / "weekly" / "2026-W01.html").symlink_to(case)
    assert {item.action for item in rt.survey(workspace, DELETE)} == {"keep"}
    rt.sweep(workspace, DELETE, "test")
    assert case.exists()
