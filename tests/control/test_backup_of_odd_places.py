"""Backups of workspaces as people make them: links, names of odd bytes, folders that cannot be read, halts that must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.question import FAIL
from peaktrade_core.changes.book import Changes
from peaktrade_core.control.backup import backup
from peaktrade_core.control.backup.archive import Writer, read_archive
from peaktrade_core.control.backup.backup import make_backup, restore_backup
from peaktrade_core.control.backup.proof import audit_of, entered, prove
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import environment


def back(place: Workspace, tmp_path: Path) -> Workspace:
    """Make a backup and return the workspace that it is brought back to, elsewhere."""
    made = make_backup(place, tmp_path / "backups", "Ada")
    return Workspace(restore_backup(Path(made.path), tmp_path / "elsewhere", "Bo", place.clock.now()).home)


def state(place: Workspace) -> str:
    """Return the trading state of everything."""
    return TradingStates.of(Workspace(place.home)).read("global").state


@pytest.mark.parametrize("linked", ["reports/live", "reports", "live_runs", "config", "config/config.toml"])
def test_what_links_lead_to_is_in_it_and_a_halt_holds(
    workspace: Workspace, run_shadow: Any, peaktrade: Callable[..., Any], tmp_path: Path, linked: str
) -> None:
    run_shadow(steps=20)
    assert peaktrade("killswitch", "engage", "--reason", "smoke", "--by", "Ada").code == 0
    place, there = workspace.home / linked, tmp_path / "another disk"
    place.rename(there)
    place.symlink_to(there)
    (workspace.reports / "up").symlink_to(workspace.home)
    (workspace.reports / "broken").symlink_to("nowhere")
    restored = back(workspace, tmp_path)
    assert state(restored) == "NO_ORDERS"
    assert (restored.home / "config" / "config.toml").read_bytes() == workspace.config_path.read_bytes()
    assert not [one for one in audit_of(restored.home) if one.status == FAIL]
    assert not (restored.reports / "up").exists()


@pytest.mark.parametrize("own", [True, False])
def test_the_configuration_that_was_named_is_the_one_in_it(workspace: Workspace, tmp_path: Path, own: bool) -> None:
    named, ours = tmp_path / "other.toml", workspace.home / "config" / "config.toml"
    named.write_text(ours.read_text().replace("max_open_positions = 5", "max_open_positions = 3"))
    if not own:
        ours.unlink()
    there = Workspace(workspace.home, named)
    made = make_backup(there, tmp_path / "backups", "Ada")
    home = Path(restore_backup(Path(made.path), tmp_path / "back", "Bo", workspace.clock.now()).home)
    assert Workspace(home).config.live_risk.max_open_positions == 3


@pytest.mark.parametrize("how", ["cut", "torn", "waiting"])
def test_a_halt_that_comes_of_a_fault_holds_in_the_copy(
    workspace: Workspace, peaktrade: Callable[..., Any], tmp_path: Path, how: str
) -> None:
    live = workspace.reports / "live"
    if how == "cut":
        assert peaktrade("killswitch", "engage", "--reason", "smoke", "--by", "Ada").code == 0
        (live / "halts.jsonl").write_bytes(b"")
    elif how == "torn":
        live.mkdir(parents=True)
        (live / "halts.jsonl").write_bytes(b'{"seq":0,"at":"2026')
    else:
        (live / "halts.waiting").mkdir(parents=True)
        (live / "halts.waiting" / "a.json").write_text('{"scope":"global"')
    assert state(workspace) == "NO_ORDERS"
    assert state(back(workspace, tmp_path)) == "NO_ORDERS"


def test_a_ledger_that_was_cut_is_told_in_the_copy(workspace: Workspace, run_shadow: Any, tmp_path: Path) -> None:
    run_shadow(steps=20)
    path = workspace.reports / "ledger.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert Ledger.of(workspace).fault()
    made = make_backup(workspace, tmp_path / "backups", "Ada")
    assert [one.id for one in prove(workspace, Path(made.path)) if one.status == FAIL]
    restored = restore_backup(Path(made.path), tmp_path / "elsewhere", "Bo", workspace.clock.now())
    assert "it held" in Ledger(Path(restored.home)).fault()
    assert state(Workspace(restored.home)) == "NO_ORDERS"


def test_a_name_of_odd_bytes_is_brought_back_as_it_was(workspace: Workspace, tmp_path: Path) -> None:
    workspace.reports.mkdir(exist_ok=True)
    name = os.fsdecode(b"gr\xf6sse\n.txt")
    (workspace.reports / name).write_bytes(b"x")
    restored = back(workspace, tmp_path)
    assert (restored.reports / name).read_bytes() == b"x"


@pytest.mark.parametrize("own", [b"{}", b"of something else", b""])
def test_a_file_of_theirs_is_no_manifest(workspace: Workspace, tmp_path: Path, own: bytes) -> None:
    (workspace.home / "MANIFEST.json").write_bytes(own)
    assert (back(workspace, tmp_path).home / "MANIFEST.json").read_bytes() == own


def test_what_cannot_be_read_is_named_and_left_out_of_no_backup(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = workspace.home / "config" / "config.toml"
    real, walk = os.open, os.scandir

    def opened(path: Any, *args: Any, **more: Any) -> int:
        if Path(path) == wanted:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **more)

    def listed(path: Any) -> Any:
        if Path(path) == wanted.parent:
            raise PermissionError(13, "Permission denied", str(path))
        return walk(path)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(EnvironmentFault, match=r"cannot read .*config\.toml: Permission denied"):
        make_backup(workspace, tmp_path / "b", "Ada")
    monkeypatch.setattr(os, "open", real)
    monkeypatch.setattr(os, "scandir", listed)
    with pytest.raises(EnvironmentFault, match=r"cannot read .*config: Permission denied"):
        make_backup(workspace, tmp_path / "b", "Ada")
    assert not list(tmp_path.glob("b/*"))


def test_papers_and_changes_of_meanwhile_are_copied_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = workspace.reports / "daily" / "2026-01-05.md"
    paper.parent.mkdir(parents=True)
    paper.write_text("before")
    enter_papers(workspace, paper)
    changes = Changes.of(workspace)
    changes.adopt("Ada", "as it was set up")
    text = workspace.config_path.read_bytes()
    assert b"max_order_notional = 1000.0" in text
    calmer = text.replace(b"max_order_notional = 1000.0", b"max_order_notional = 10.0")
    asked = changes.propose({"config.toml": calmer}, "Ada", "calmer")
    real, copied = backup.whole_lines, []

    def meanwhile(path: Path) -> list[bytes]:
        if len(copied) == 1:  # everything was copied once
            paper.write_text("after")
            enter_papers(workspace, paper)
            changes.apply(asked.id, "Bo")
        copied.append(path)
        return real(path)

    monkeypatch.setattr(backup, "whole_lines", meanwhile)
    restored = back(workspace, tmp_path)
    assert (restored.reports / "daily" / "2026-01-05.md").read_text() == "after"
    assert not [one for one in audit_of(restored.home) if one.status == FAIL]
    assert Changes.of(restored).compared().items == ()


def test_what_the_sessions_share_is_not_in_it(workspace: Workspace, run_shadow: Any, tmp_path: Path) -> None:
    run_shadow(steps=20)
    assert (workspace.reports / "live" / "account.sqlite").exists()
    made = make_backup(workspace, tmp_path / "backups", "Ada")
    assert not [name for name in read_archive(Path(made.path)).files if "sqlite" in name]


def test_a_restore_that_is_killed_never_leaves_a_workspace_that_does_not_say_so(
    workspace: Workspace, run_shadow: Any, tmp_path: Path
) -> None:
    run_shadow(steps=20)
    made = make_backup(workspace, tmp_path / "backups", "Ada")
    script = (
        "import os, sys; from pathlib import Path\n"
        "from peaktrade_core.base.wall_clock import SystemClock\n"
        "from peaktrade_core.control.backup.backup import restore_backup\n"
        "from peaktrade_core.workspace.ledger import Ledger\n"
        "Ledger.append = lambda *_, **__: os.kill(os.getpid(), 9)\n"
        "restore_backup(Path(sys.argv[1]), Path(sys.argv[2]), 'Bo', SystemClock().now())\n"
    )
    target = tmp_path / "elsewhere"
    args = [sys.executable, "-c", script, made.path, str(target)]
    assert subprocess.run(args, env=environment(workspace.home)).returncode == -9
    assert not target.exists()
    restored = restore_backup(Path(made.path), target, "Bo", workspace.clock.now())
    assert [one.what for one in entered(Workspace(restored.home))] == ["restored"]


def test_the_proof_leaves_nothing_in_the_state_folder(
    workspace: Workspace, peaktrade: Callable[..., Any], tmp_path: Path
) -> None:
    assert peaktrade("killswitch", "engage", "--reason", "smoke", "--by", "Ada").code == 0
    made = Path(make_backup(workspace, tmp_path / "backups", "Ada").path)
    state_home = Path(os.environ["PEAKTRADE_STATE_HOME"])
    before = {path.name for path in state_home.glob("*.json")}
    prove(workspace, made)
    assert {path.name for path in state_home.glob("*.json")} == before


def test_a_log_shrinking_while_it_is_copied_is_told_as_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 100)
    writer = Writer(tmp_path / "b" / "x.tar.gz")
    real, cut = os.fstat, []

    def shrinking(fd: int) -> os.stat_result:
        found = real(fd)
        cut.append(found.st_size)
        if len(cut) == 2:  # its size was asked for
            os.truncate(path, 0)
        return found

    monkeypatch.setattr(os, "fstat", shrinking)
    with pytest.raises(EnvironmentFault, match=r"cannot read .*a\.txt: it became shorter"):
        writer.add("a.txt", path)
    writer.drop()
