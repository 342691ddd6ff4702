"""The activity feed: in order, filtered before it is cut, and what cannot be read is an entry."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.log import append_line
from peaktrade_core.records.registry import Registry
from peaktrade_core.reports.activity import KINDS, Activity, ActivityFeed, _operation
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def log(workspace: Workspace, *lines: str) -> None:
    for line in lines:
        append_line(workspace.home / "logs" / "operations.log", line)


def told(found: list[Activity]) -> list[tuple[str, str, str]]:
    return [(a.kind, a.severity, a.who) for a in found]


def test_nothing_happened_yet(workspace: Workspace) -> None:
    assert ActivityFeed.of(workspace)(10) == []


def test_operations_have_their_kind_severity_and_person(workspace: Workspace) -> None:
    log(
        workspace,
        "2026-01-05T08:00:00+00:00 trading-state global ACTIVE -> HALTED by Ada Lovelace: a drill: really",
        "2026-01-05T08:01:00+00:00 trading-state shadow.x REDUCING -> ACTIVE by Bob: over",
        "2026-01-05T08:02:00+00:00 runbook weekly_report failed by carol: weekly_failed.ipynb",
        "2026-01-05T08:03:00+00:00 runbook daily completed by dora (operator): EV-20260105-X",
        "2026-01-05T08:04:00 fleet started shadow_20260105_080400_abcdef by eve",
        "2026-01-05T10:05:00+02:00 moon landed",
        "no time at all",
        "",
    )
    assert told(ActivityFeed.of(workspace)(10)) == [
        ("other", "info", "moon"),
        ("fleet", "info", "eve"),
        ("runbook", "info", "dora"),
        ("runbook", "warning", "carol"),
        ("halt", "info", "Bob"),
        ("halt", "critical", "Ada Lovelace"),
    ]
    assert [a.kind for a in ActivityFeed.of(workspace)(1, kinds=("halt",))] == ["halt"]
    since = datetime(2026, 1, 5, 8, 3, tzinfo=UTC)
    assert [a.at.minute for a in ActivityFeed.of(workspace)(10, since=since)] == [5, 4, 3]
    assert [a.at.minute for a in ActivityFeed.of(workspace)(10, since=since.replace(tzinfo=None))] == [5, 4, 3]


@pytest.mark.parametrize(
    "since", [datetime.min, datetime.max, datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))]
)
def test_any_since_is_answered(workspace: Workspace, since: datetime) -> None:
    log(workspace, "2026-01-05T08:00:00+00:00 moon landed", "0001-01-01T00:00:00+10:00 too early")
    found = [a for a in ActivityFeed.of(workspace)(10, since=since) if a.kind == "other"]
    assert len(found) == (since.year < 2026)


def test_sessions_begin_and_end(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> None:
    done = run_shadow(steps=50)
    ends, begins = ActivityFeed.of(workspace)(5, kinds=("session",))
    assert (begins.at, ends.at) == (done.started_at, done.finished_at)
    assert begins.subject == ends.subject == done.session_id
    assert ends.text.startswith("session completed, ")
    late = NOON + timedelta(days=9000)
    for status, error, severity in (
        ("failed", "StrategyError: it raised", "critical"),
        ("aborted", "ProcessDied: the process ended", "warning"),
        ("aborted", "Stopped: SIGINT", "info"),
    ):
        Registry.of(workspace).write(msgspec.structs.replace(done, status=status, error=error, finished_at=late))
        newest = ActivityFeed.of(workspace)(1)[0]
        assert (newest.severity, newest.at, error in newest.text) == (severity, late, True)
    (Registry.of(workspace).folder / "20260101T000000_live_session_shadow_bad.json").write_text("{")
    bad = [a for a in ActivityFeed.of(workspace)(9) if "not valid JSON" in a.text]
    assert [(a.severity, a.at.year) for a in bad] == [("warning", 2026)]


def test_a_long_session_that_ended_just_now_is_not_missed(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=5)
    late = datetime(2030, 1, 1, tzinfo=UTC)
    for number in range(12):
        Registry.of(workspace).write(
            msgspec.structs.replace(
                done,
                session_id=f"s{number}",
                started_at=NOON + timedelta(hours=number),
                finished_at=late if number == 0 else NOON + timedelta(hours=number, minutes=5),
            )
        )
    assert (ActivityFeed.of(workspace)(3)[0].at, ActivityFeed.of(workspace)(3)[1].subject) == (late, done.session_id)


def test_reports_and_incidents_come_once_and_new_ones_at_once(workspace: Workspace) -> None:
    reports = workspace.reports
    for name in (
        "daily/a.ipynb",
        "daily/a.html",
        "weekly/deep/er/b.md",
        "incidents/INC-1.md",
        "daily/.hidden.html",
        "live/x.sqlite",
    ):
        write_atomic(reports / name, b"x")
    write_atomic(reports / "daily" / "c.html", b"x")
    log(workspace, f"{datetime.now(UTC).isoformat()} runbook daily completed by x: c.html")
    for _ in range(2):
        found = ActivityFeed.of(workspace)(50)
        assert sorted(a.kind for a in found) == ["incident", "report", "report", "runbook"]
    write_atomic(reports / "incidents" / "INC-2.md", b"x")
    assert {a.subject for a in ActivityFeed.of(workspace)(50, kinds=("incident",))} == {
        "incidents/INC-1.md",
        "incidents/INC-2.md",
    }


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_pipe, _folder])
def test_a_log_that_cannot_be_read_is_an_entry(workspace: Workspace, make: Callable[[Path], None]) -> None:
    (workspace.home / "logs").mkdir()
    make(workspace.home / "logs" / "operations.log")
    write_atomic(workspace.reports / "daily" / "a.html", b"x")
    found = ActivityFeed.of(workspace)(9)
    assert {("report", "info"), ("other", "warning")} == {(a.kind, a.severity) for a in found}
    assert any("cannot be read" in a.text for a in found)


def test_folders_and_registries_that_are_files_are_entries(workspace: Workspace) -> None:
    Registry.of(workspace).folder.parent.mkdir(parents=True)
    Registry.of(workspace).folder.write_text("")
    (workspace.reports / "incidents").write_text("")
    found: list[Any] = [(a.kind, a.severity, "cannot be read" in a.text) for a in ActivityFeed.of(workspace)(9)]
    assert ("session", "warning", True) in found
    assert ("incident", "warning", True) in found


@given(st.binary(max_size=120))
def test_any_line_of_a_log_is_an_entry_or_passed_over(line: bytes) -> None:
    for text in (line, b"2026-01-05T08:00:00+00:00 " + line):
        entry = _operation(text)
        if entry is not None:
            assert entry.kind in KINDS
            assert entry.at.tzinfo is UTC
            msgspec.json.encode(entry)
