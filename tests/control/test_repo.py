"""What is in git, classed: merged, unmerged, gone, worktree-protected; tiers, conflicts, merges. Nothing is changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.control.repo.repo import look


@pytest.fixture
def made(tmp_path: Path, monkeypatch) -> Path:
    """Return a repository with a branch of each class."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "repo"
    git(tmp_path, "init", "-q", "-b", "main", "repo")
    commit(folder, "README.md", "one")
    for branch, file in (
        ("docs-only", "docs/a.md"),
        ("books", "notebooks/b.ipynb"),
        ("code", "x.py"),
        ("clash", "README.md"),
    ):
        git(folder, "switch", "-q", "-c", branch, "main")
        commit(folder, file, branch)
    git(folder, "switch", "-q", "-c", "done", "main")
    commit(folder, "docs/done.md", "done")
    git(folder, "switch", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "done", "-m", "Merge done", "-m", "because it is")
    commit(folder, "README.md", "two")
    git(folder, "worktree", "add", "-q", str(tmp_path / "other"), "code")
    git(folder, "config", "branch.books.remote", "far")
    git(folder, "config", "branch.books.merge", "refs/heads/books")
    git(folder, "config", "remote.far.fetch", "+refs/heads/*:refs/remotes/far/*")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def commit(folder: Path, file: str, text: str) -> None:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"{file}: {text}")


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_each_branch_is_classed_and_nothing_is_touched(made: Path) -> None:
    before = everything(made)
    found = look(made)
    assert everything(made) == before
    told = {one.name: (one.state, one.tier, one.conflicts) for one in found.branches}
    assert told == {
        "docs-only": ("unmerged", "A", False),
        "books": ("gone", "B", False),
        "code": ("worktree-protected", "C", False),
        "clash": ("unmerged", "A", True),
        "done": ("merged", None, False),
    }
    steps = {one.name: one.next_step for one in found.branches}
    assert ["docs-reference-targets" in steps["docs-only"], "reviewed" in steps["code"], "again" in steps["clash"]] == [
        True
    ] * 3
    assert [(one.subject, one.merge, one.text) for one in found.merges][:2] == [
        ("README.md: two", False, ""),
        ("Merge done", True, "because it is"),
    ]
    assert (found.merges[1].files, found.merges[1].added, found.main, found.uncommitted) == (1, 1, "main", 0)


def test_the_command_says_it(made: Path, peaktrade) -> None:
    shown = peaktrade("control", "repo", str(made), "--detailed")
    assert (shown.code, "1 merged, 2 unmerged, 1 gone, 1 worktree-protected" in shown.stdout) == (0, True)
    assert "because it is" in shown.stdout
    assert "because it is" not in peaktrade("control", "repo", str(made)).stdout


def test_outside_a_repository_it_is_said(tmp_path: Path, peaktrade, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    said = peaktrade("control", "repo", str(tmp_path / "plain"))
    assert (said.code, "is in no git repository" in said.stderr) == (2, True)
    with pytest.raises(ConfigError, match="could not be asked"):
        look(tmp_path / "none")
    git(tmp_path, "init", "-q", "empty")
    with pytest.raises(ConfigError, match="no branch"):
        look(tmp_path / "empty")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EnvironmentFault, match="git is not on this machine"):
        look(tmp_path)
