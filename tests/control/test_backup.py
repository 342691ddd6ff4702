"""Backups: made while sessions run and end, proved, brought back, noticed; and what a bad disk or archive does."""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault
from peaktrade_core.base.question import FAIL, worst
from peaktrade_core.control.backup import archive
from peaktrade_core.control.backup.archive import MANIFEST, read_archive
from peaktrade_core.control.backup.backup import make_backup, restore_backup
from peaktrade_core.control.backup.proof import audit_of, entered, prove
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import command, environment, until

Command = Callable[..., Any]


@pytest.fixture
def made(workspace: Workspace, run_shadow: Any, tmp_path: Path) -> Path:
    """Return the backup of a workspace with one session."""
    run_shadow(steps=40)
    return Path(make_backup(workspace, tmp_path / "backups", "Ada").path)


def wrong(checks: Any) -> list[str]:
    """Return what is not well in a list of checks."""
    return [f"{one.id}: {one.evidence}" for one in checks if one.status == FAIL]


def test_a_backup_is_brought_back_byte_by_byte_and_its_audit_holds(
    workspace: Workspace, made: Path, tmp_path: Path
) -> None:
    found = restore_backup(made, tmp_path / "back", "Bo", workspace.clock.now())
    home = Path(found.home)
    assert wrong(audit_of(home)) == []
    journal = next(workspace.runs.glob("*/events.jsonl"))
    assert (home / journal.relative_to(workspace.home)).read_bytes() == journal.read_bytes()
    assert Views.of(Workspace(home)).stats().total_sessions == 1
    (back,) = entered(Workspace(home))
    assert (back.what, back.by, back.sha256) == ("restored", "Bo", found.sha256)
    assert [one.what for one in entered(workspace)] == ["made"]
    assert not list(home.rglob("*.lock")) or all(path.parent.name == "reports" for path in home.rglob("*.lock"))
    assert (made.stat().st_mode & 0o077, (home / ".cache").exists()) == (0, True)  # the audit made its own


def test_backups_hold_together_while_sessions_start_and_end(
    workspace: Workspace, start: Command, tmp_path: Path
) -> None:
    script = (
        "import sys; from peaktrade_core.workspace.workspace import Workspace\n"
        "from peaktrade_core.session.plan import Desk; from peaktrade_core.session.planning import plan_session\n"
        "from peaktrade_core.session.session import run_session\n"
        "from peaktrade_core.workspace.operations import note\n"
        "w = Workspace(sys.argv[1])\n"
        "for n in range(10_000): run_session(plan_session(w, seed=n, steps=20), Desk.of(w)); note(w, f'{n}', 'Ada')\n"
    )
    busy = [
        subprocess.Popen([sys.executable, "-c", script, str(workspace.home)], env=environment(workspace.home))
        for _ in range(2)
    ]
    slow = start("session", "run", "--pace", "60", "--steps", "5000")
    try:
        until(lambda: Registry.of(workspace).count(Query(status="completed")) >= 5)
        for n in range(5):
            path = Path(make_backup(workspace, tmp_path / f"backups{n}", "Ada").path)
            assert wrong(prove(workspace, path)) == []
    finally:
        for process in busy:
            process.kill()
            process.wait()
        slow.kill()
    restore_backup(path, tmp_path / "back", "Bo", workspace.clock.now())
    home = Workspace(tmp_path / "back")
    assert Views.of(home).stats().by_status["started"] >= 1  # the one that ran is in it, with its journal so far
    assert not set(Views.of(home).stats().by_status) - {"started", "completed"}


def test_a_backup_over_a_workspace_that_went_on_is_noticed_and_sends_no_order(
    workspace: Workspace, made: Path, run_shadow: Any, peaktrade: Command
) -> None:
    run_shadow(steps=20, seed=9)
    shutil.move(workspace.home, f"{workspace.home}.lost")
    told = peaktrade_at(made.parent, "backup", "restore", made, "--to", workspace.home, "--by", "Bo")
    assert told.returncode == 1
    assert "No orders are sent" in told.stdout
    again = Workspace(workspace.home)
    assert "it held" in Ledger.of(again).fault()
    assert TradingStates.of(again).read("global").state == "NO_ORDERS"
    assert peaktrade("session", "run", "--steps", "5").code != 0
    assert peaktrade("audit", "adopt", "--by", "Bo", "--reason", "restored after the disk died").code == 0
    assert peaktrade("session", "run", "--steps", "5").code == 0


def peaktrade_at(folder: Path, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that is no workspace."""
    env = environment(folder)
    del env["PEAKTRADE_HOME"]
    return subprocess.run(command(*args), cwd=folder, env=env, capture_output=True, text=True, timeout=120)


def test_the_command_makes_proves_lists_and_brings_back(
    workspace: Workspace, run_shadow: Any, peaktrade: Command, tmp_path: Path
) -> None:
    run_shadow(steps=20)
    folder = tmp_path / "backups"
    assert "peaktrade backup create DIR" in peaktrade("backup", "list").stdout
    said = peaktrade("backup", "create", folder, "--by", "Ada")
    assert said.code == 0, said.stderr
    assert "the audit holds" in said.stdout
    (path,) = folder.iterdir()  # nothing of the proof is left
    assert path.name in peaktrade("backup", "list").stdout
    assert peaktrade("backup", "verify", path).code == 0
    told = peaktrade_at(folder, "backup", "restore", path, "--to", tmp_path / "back", "--by", "Bo", "--json")
    assert json.loads(told.stdout)["backup"]["home"] == str(tmp_path / "back")
    assert told.returncode == 0


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("backups", "lies in the workspace"),
        (".", "lies in the workspace"),
        ("config/config.toml", "lies in the workspace"),
    ],
)
def test_a_backup_does_not_go_into_what_it_copies(workspace: Workspace, where: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_backup(workspace, workspace.home / where, "Ada")


def test_bad_targets_are_refused_and_nothing_is_left(
    workspace: Workspace, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is a file; name a folder"):
        make_backup(workspace, tmp_path / "file", "Ada")
    with pytest.raises(EnvironmentFault, match=r"cannot write to|MB free"):
        make_backup(workspace, Path("/proc/nowhere"), "Ada")
    with pytest.raises(ConfigError, match="is no name"):
        make_backup(workspace, tmp_path / "b", "")
    with pytest.raises(ConfigError, match="holds something already, and a backup replaces nothing"):
        restore_backup(made, workspace.home, "Bo", workspace.clock.now())
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(EnvironmentFault, match="has 0 MB free, and the workspace takes"):
        make_backup(workspace, tmp_path / "b", "Ada")
    assert not (tmp_path / "b").exists()


def test_a_full_disk_leaves_no_archive_and_no_half_workspace(workspace: Workspace, made: Path, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        with pytest.raises(EnvironmentFault, match="nothing is left of it"):
            make_backup(workspace, tmp_path / "full", "Ada")
        with pytest.raises(EnvironmentFault, match="cannot restore"):
            restore_backup(made, tmp_path / "half", "Bo", workspace.clock.now())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert list((tmp_path / "full").iterdir()) == []
    assert not (tmp_path / "half").exists()
    assert not list(tmp_path.glob(".half*"))


def test_a_backup_that_is_killed_leaves_no_archive_and_the_next_one_is_whole(
    workspace: Workspace, run_shadow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shadow(steps=20)
    script = (
        "import os, sys; from pathlib import Path; from peaktrade_core.control.backup import archive\n"
        "from peaktrade_core.control.backup.backup import make_backup\n"
        "from peaktrade_core.workspace.workspace import Workspace\n"
        "archive.Writer.finish = lambda *_: os.kill(os.getpid(), 9)\n"
        "make_backup(Workspace(sys.argv[1]), Path(sys.argv[2]), 'Ada')\n"
    )
    args = [sys.executable, "-c", script, str(workspace.home), str(tmp_path / "b")]
    assert subprocess.run(args, env=environment(workspace.home)).returncode == -9
    assert not list((tmp_path / "b").glob("*.tar.gz"))
    path = Path(make_backup(workspace, tmp_path / "b", "Ada").path)
    assert worst(prove(workspace, path)) != FAIL
    stale = tmp_path / ".back.restoring.tmp"  # as a restore leaves it that was killed
    stale.mkdir()
    (stale / "half").write_text("x")
    restore_backup(path, tmp_path / "back", "Bo", workspace.clock.now())
    assert not stale.exists()
    assert not (tmp_path / "back" / "half").exists()


def changed(path: Path, name: str, data: bytes | None) -> Path:
    """Write an archive again with another content of a file, or with a file more."""
    out = path.with_name("changed.tar.gz")
    with tarfile.open(path) as old, tarfile.open(out, "w:gz") as new:
        for member in old:
            body = old.extractfile(member).read()
            if member.name == name:
                body = data or b""
                member.size = len(body)
            import io

            new.addfile(member, io.BytesIO(body))
    return out


@pytest.mark.parametrize("how", ["cut", "byte", "text", "file", "manifest"])
def test_an_archive_that_is_not_as_it_was_made_is_refused(
    workspace: Workspace, made: Path, tmp_path: Path, how: str
) -> None:
    data = bytearray(made.read_bytes())
    if how == "cut":
        made.write_bytes(data[: len(data) // 2])
    elif how == "byte":
        data[len(data) // 2] ^= 0xFF
        made.write_bytes(data)
    elif how == "text":
        made.write_text("no archive")
    elif how == "file":
        made = changed(made, "config/config.toml", b"[environment]\n")
    else:
        made = changed(made, MANIFEST, b"{}")
    with pytest.raises(ArtefactError):
        read_archive(made)
    with pytest.raises(ArtefactError):
        restore_backup(made, tmp_path / "back", "Bo", workspace.clock.now())
    assert not (tmp_path / "back").exists()
    assert [one.status for one in prove(workspace, made)] == ["fail"]


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_no_name_in_an_archive_leads_out_of_the_folder(workspace: Workspace, tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(ArtefactError, match="is no file of a workspace"):
        restore_backup(path, tmp_path / "back", "Bo", workspace.clock.now())
    assert not (tmp_path / "out").exists()


def test_an_archive_of_somebody_elses_workspace_is_told(workspace: Workspace, made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(workspace.home / "config", other / "config")
    Ledger(other).section("backup").append(("made", {"id": "x"}), at=workspace.clock.now())
    (found,) = [one for one in prove(Workspace(other), made) if one.id == "same_ledger"]
    assert (found.status, found.evidence) == ("fail", "it is another one, or was rewritten")


def test_what_is_kept_for_processes_is_not_in_it(made: Path) -> None:
    names = set(read_archive(made).files)
    assert "reports/ledger.jsonl" in names
    assert not [name for name in names if name.endswith((".lock", "/lock", "heartbeat.json"))]
    assert not [name for name in names if name.startswith(".cache")]
    assert os.path.basename(made).endswith(archive_suffix())


def archive_suffix() -> str:
    """Return how a backup's name ends."""
    return ".tar.gz"


def test_of_a_log_that_is_being_written_whole_lines_are_taken(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b'{"a":1}\n{"b":')
    writer = archive.Writer(tmp_path / "b" / "x.tar.gz")
    writer.add("events.jsonl", log)
    writer.add("gone", tmp_path / "gone")
    assert {name: held.size for name, held in writer.files.items()} == {"events.jsonl": 8}
    writer.drop()
    assert list((tmp_path / "b").iterdir()) == []


def test_a_rehearsal_that_is_left_leaves_no_copy_of_the_workspace(workspace: Workspace) -> None:
    runbook = begin("backup_restore", workspace, operator="Ada")
    folder = runbook.folder
    runbook.make()
    assert list(folder.glob("*.tar.gz"))
    del runbook
    gc.collect()
    assert not folder.exists()
