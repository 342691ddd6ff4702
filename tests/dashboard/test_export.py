"""The exports: the same state gives the same files, they agree with the server, and they stand alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import HOSTILE, Dashboard, make_history, new_workspace

from peaktrade_core.base.errors import ConfigError, SessionNotFoundError, UnknownNameError
from peaktrade_core.dashboard.export import export_dashboard, export_page
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

FILES = [
    "live_sessions.json", "run_alerts.json", "run_snapshot.json", "run_tail.json", "runs.json",
    "status_snapshot.html", "status_snapshot.json",
]  # fmt: skip


def content(folder: Path) -> dict[str, str]:
    """Return the files of a folder without the time at which they were made."""
    gone = re.compile(r'"generated_at": "[^"]*"|generated <time.*?</time>')
    return {path.name: gone.sub("", path.read_text()) for path in sorted(folder.iterdir())}


def test_files_are_the_same_when_nothing_changed(history: Workspace, tmp_path: Path) -> None:
    for name in ("first", "second"):
        export_dashboard(Workspace(history.home), tmp_path / name)
    assert sorted(content(tmp_path / "first")) == FILES
    assert content(tmp_path / "first") == content(tmp_path / "second")


def test_files_agree_with_the_server(history: Workspace, dashboard: Dashboard, tmp_path: Path) -> None:
    run_id = Views.of(history).runs(2)[1].run_id
    export_dashboard(history, tmp_path, run_id)
    for name, path in {
        "live_sessions": "/api/live_sessions?limit=50",
        "runs": "/runs",
        "run_snapshot": f"/runs/{run_id}/snapshot",
        "run_tail": f"/runs/{run_id}/tail?limit=200",
    }.items():
        assert json.loads((tmp_path / f"{name}.json").read_text()) == dashboard.json(path)


def test_command_under_a_fixed_clock_gives_the_same_bytes(
    peaktrade: Callable[..., object], home: Path, tmp_path: Path
) -> None:
    clock = {"PEAKTRADE_FIXED_CLOCK": "2026-01-05T08:00:00+00:00"}
    for name in ("first", "second"):
        ended = peaktrade("export", "dashboard", "--out", tmp_path / name, env=clock)
        assert ended.code == 0, ended.stderr  # type: ignore[attr-defined]
    assert [p.read_bytes() for p in sorted((tmp_path / "first").iterdir())] == [
        p.read_bytes() for p in sorted((tmp_path / "second").iterdir())
    ]


def test_unknown_run_writes_nothing(history: Workspace, tmp_path: Path) -> None:
    with pytest.raises(SessionNotFoundError, match="nope"):
        export_dashboard(history, tmp_path / "out", "nope")
    assert not (tmp_path / "out").exists()


def test_page_stands_alone(history: Workspace, tmp_path: Path) -> None:
    html = export_page(history, "live-track", "status=failed", out=tmp_path / "page.html").read_text()
    assert "<style>" in html
    assert "<script" not in html
    assert "<link" not in html
    assert not re.search(r"""\s(?:href|src)=["'](?:/|https?:)""", html)
    assert HOSTILE not in html
    assert "testnet_20260101_080000_aaaaaa" in html


def test_page_that_does_not_exist_or_lacks_its_id(history: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="live_track"):
        export_page(history, "nope")
    with pytest.raises(ConfigError, match="--id"):
        export_page(history, "session")
    with pytest.raises(ConfigError, match="leave --id out"):
        export_page(history, "live_track", subject="x")


def test_new_session_changes_the_files(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path / "home")
    export_dashboard(workspace, tmp_path / "out")
    assert "run_snapshot.json" not in content(tmp_path / "out")
    make_history(workspace)
    export_dashboard(workspace, tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "live_sessions.json").read_text())) == 7
