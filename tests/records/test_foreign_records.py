"""Records of other modes and writers, and files that nobody can read: shown, never dropped, never a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.reports.session_reports import session_report
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.records import encode_record, read_record
from peaktrade_core.workspace.workspace import Workspace

OLD = {"session_id": "old_1", "mode": "paper", "status": "completed", "started_at": "2025-06-01T10:00:00"}


def _write(path: Path, content: object) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content))


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "corrupt": (lambda p: _write(p, '{"session_id": "x", '), "not valid JSON"),
    "empty": (lambda p: _write(p, ""), "the file is empty"),
    "blank": (lambda p: _write(p, " \n\n"), "the file is empty"),
    "list": (lambda p: _write(p, [OLD]), "holds no table of JSON"),
    "number": (lambda p: _write(p, "42"), "holds no table of JSON"),
    "NaN alone": (lambda p: _write(p, "NaN"), "holds no table of JSON"),
    "no id": (lambda p: _write(p, {"mode": "shadow"}), "has no session_id"),
    "id is a number": (lambda p: _write(p, {**OLD, "session_id": 7}), "has no session_id"),
    "newer schema": (lambda p: _write(p, {**OLD, "schema_version": 99}), "schema_version 99 is newer"),
    "strange schema": (lambda p: _write(p, {**OLD, "schema_version": "two"}), "schema_version 'two'"),
    "wrong type": (lambda p: _write(p, {**OLD, "metrics": "good"}), "metrics"),
    "no time": (lambda p: _write(p, {**OLD, "started_at": "this morning"}), "started_at"),
    "before time": (lambda p: _write(p, {**OLD, "started_at": "0001-01-01T00:00:00+10:00"}), "out of range"),
    "no text": (lambda p: p.write_bytes(b'{"session_id": "\xff\xfe"}'), "not valid JSON"),
    "lone surrogate": (lambda p: _write(p, '{"session_id": "\\ud800", "status": NaN}'), "not valid JSON"),
    "very deep": (lambda p: _write(p, "[" * 200_000), "not valid JSON"),
    "folder": (lambda p: p.mkdir(), "Is a directory"),
    "link loop": (lambda p: p.symlink_to(p), "symbolic links"),
    "dangling link": (lambda p: p.symlink_to(p.with_name("gone")), "No such file"),
    "pipe": (lambda p: os.mkfifo(p), "is a pipe"),
    "secret": (lambda p: p.symlink_to("/proc/self/mem"), ""),
}


@pytest.fixture
def records(workspace: Workspace) -> Path:
    """Return the registry's folder, which holds one good old record."""
    folder = Registry.of(workspace).folder
    folder.mkdir(parents=True)
    _write(folder / "20250601T100000_live_session_paper_old_1.json", OLD)
    return folder


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_nobody_can_read_is_a_row_of_its_own(workspace: Workspace, records: Path, case: str) -> None:
    make, says = UNREADABLE[case]
    make(records / "20260101T000000_live_session_shadow_bad.json")
    bad, good = Views.of(workspace).rows()
    assert (bad.status, bad.risk_status) == ("unreadable", "red")
    assert bad.notes.startswith("20260101T000000_live_session_shadow_bad.json: ")
    assert says in bad.notes
    assert (good.run_id, good.status) == ("old_1", "completed")
    stats = Views.of(workspace).stats()
    assert (stats.total_sessions, stats.by_status) == (2, {"completed": 1, "unreadable": 1})
    assert Views.of(workspace).latest().session_id == "old_1"
    assert recover(workspace) == []
    for form in ("markdown", "html"):
        report = session_report(Views.of(workspace), form=form)
        assert "UNREADABLE" in report
        assert "old_1" in report


def test_the_commands_stay_up_over_every_kind_of_rubbish(records: Path, peaktrade: Callable[..., Any]) -> None:
    for number, (make, _) in enumerate(UNREADABLE.values()):
        make(records / f"20260101T0000{number:02}_live_session_shadow_bad{number}.json")
    (records / os.fsdecode(b"20260102T000000_\xff.json")).write_text("{")
    (records / "20260103T000000_.json.tmp").write_text("half")
    bad = len(UNREADABLE) + 1
    listed = peaktrade("session", "list", "--limit", 100, "--json")
    assert listed.code == 0, listed.stderr
    rows = json.loads(listed.stdout)
    assert [row["status"] for row in rows].count("unreadable") == bad == len(rows) - 1
    shown = peaktrade("session", "list")
    assert (shown.code, "? UNREADABLE" in shown.stdout) == (0, True)
    only = json.loads(peaktrade("session", "list", "--status", "unreadable", "--limit", 3, "--json").stdout)
    assert len(only) == 3
    assert peaktrade("session", "show", "latest").code == 0
    assert peaktrade("session", "show", only[0]["session_id"]).code == 4
    reported = peaktrade("session", "report", "--stdout")
    assert reported.code == 0, reported.stderr
    assert f"unreadable: {bad}" in reported.stdout
    assert f"{bad} unreadable" in peaktrade("doctor").stdout
    assert peaktrade("session", "run", "--steps", 5).code == 0


FOREIGN: dict[str, dict[str, Any]] = {
    "paper mode": {},
    "live mode": {"mode": "live", "run_type": "live_session_live", "status": "completed"},
    "unknown fields": {"exchange": {"name": "kraken", "pairs": [1, 2]}, "trader": "Ada"},
    "only a run id": {"session_id": None, "run_id": "old_1"},
    "no times": {"started_at": None, "finished_at": None},
    "another zone": {"started_at": "2025-06-01T12:00:00+02:00"},
    "null metrics": {"metrics": {"realized_pnl": None, "max_drawdown": None, "num_orders": None}},
    "text metrics": {"metrics": {"realized_pnl": "a lot", "num_orders": "7", "deny_codes": ["x"], "risk_status": 3}},
    "huge metrics": {"metrics": {"realized_pnl": 10**400, "max_drawdown": 1e308, "num_orders": 10**30}},
    "strange config": {
        "config": {"strategy_name": {"nested": 1}, "timeframe": "3m", "steps": "all", "start_balance": "x"}
    },
    "no known timeframe": {"config": {"timeframe": "3m"}, "metrics": {"steps": 100}},
    "strange id": {"session_id": "../../etc/passwd"},
    "strange status": {"status": "paused"},
    "error and args": {"status": "failed", "error": "Boom: |pipes| `ticks`\nlines", "cli_args": ["run", "--x", "a b"]},
    "started by nobody": {"status": "started", "host": None},
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_record_is_shown_everywhere(workspace: Workspace, records: Path, case: str) -> None:
    from peaktrade_core.runs.questions import post_session_checks

    _write(records / "20250601T100000_live_session_paper_old_1.json", {**OLD, **FOREIGN[case]})
    assert recover(workspace) == []
    (row,) = Views.of(workspace).rows()
    assert row.status == FOREIGN[case].get("status", "completed")
    assert (row.mode == "live") == (case == "live mode")
    assert Views.of(workspace).stats().total_sessions == 1
    checks = post_session_checks(Views.of(workspace).look(row.run_id))
    assert {check.status for check in checks} <= {"pass", "warn", "fail"}
    for form in ("markdown", "html"):
        assert row.run_id in session_report(Views.of(workspace), form=form)


@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_record_can_be_shown_by_the_command(peaktrade: Callable[..., Any], records: Path, case: str) -> None:
    _write(records / "20250601T100000_live_session_paper_old_1.json", {**OLD, **FOREIGN[case]})
    shown = peaktrade("session", "show", "latest")
    assert shown.code == 0, shown.stderr
    assert "QUESTION" in shown.stdout


def test_not_a_number_of_an_older_writer_is_null(
    workspace: Workspace, records: Path, peaktrade: Callable[..., Any]
) -> None:
    metrics = '{"realized_pnl": NaN, "max_drawdown": Infinity, "num_orders": 3, "steps": -Infinity}'
    _write(
        records / "20250601T100000_live_session_paper_old_1.json", f'{{"session_id": "old_1", "metrics": {metrics}}}'
    )
    (row,) = Views.of(workspace).rows()
    assert (row.realized_pnl, row.max_drawdown, row.num_orders) == (None, None, 3)
    assert (Views.of(workspace).stats().total_pnl, Views.of(workspace).stats().avg_drawdown) == (0.0, None)
    listed = peaktrade("session", "list", "--json")
    assert "NaN" not in listed.stdout
    assert json.loads(listed.stdout)[0]["realized_pnl"] is None


def test_a_naive_time_means_utc_and_sorts_among_the_others(workspace: Workspace, records: Path) -> None:
    for hour, zone in ((9, "+00:00"), (13, "+02:00")):
        name = f"20250601T{hour:02}3000_live_session_shadow_s{hour}.json"
        _write(records / name, {**OLD, "session_id": f"s{hour}", "started_at": f"2025-06-01T{hour:02}:30:00{zone}"})
    assert [row.run_id for row in Views.of(workspace).rows()] == ["s13", "old_1", "s9"]
    assert Views.of(workspace).record("old_1").started_at == datetime(2025, 6, 1, 10, tzinfo=UTC)


def test_a_file_that_vanishes_between_listing_and_reading_is_left_out(
    workspace: Workspace, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = records / "20260101T000000_live_session_shadow_gone.json"
    _write(gone, {**OLD, "session_id": "gone"})
    real = os.scandir

    class Vanishing:
        def __init__(self, folder: Path) -> None:
            self.items = sorted(real(folder), key=lambda item: item.name)

        def __enter__(self) -> Any:
            gone.unlink()
            return iter(self.items)

        def __exit__(self, *_: object) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr("peaktrade_core.records.scan.os.scandir", Vanishing)
        assert "gone" not in [row.run_id for row in Views.of(workspace).rows(Query(status="completed"))]
    assert [row.run_id for row in Views.of(workspace).rows()] == ["old_1"]


def test_a_registry_that_is_no_folder_is_said(workspace: Workspace, peaktrade: Callable[..., Any]) -> None:
    Registry.of(workspace).folder.parent.mkdir(parents=True)
    Registry.of(workspace).folder.write_text("")
    with pytest.raises(EnvironmentFault, match="cannot read the registry"):
        Views.of(workspace).rows()
    ended = peaktrade("session", "list")
    assert (ended.code, "Not a directory" in ended.stderr) == (7, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["session_id", "mode", "status", "config", "metrics", "started_at", "cli_args", "error", "other"]
)


@given(st.dictionaries(names, json_values, max_size=6))
def test_reading_any_json_either_works_for_good_or_is_refused(raw: dict[str, Any]) -> None:
    with suppress(ArtefactError):
        record = read_record(json.dumps(raw).encode())
        assert read_record(encode_record(record)) == record


@given(st.binary(max_size=60))
def test_reading_any_bytes_either_works_or_says_why(data: bytes) -> None:
    with pytest.raises(ArtefactError):
        read_record(data)
