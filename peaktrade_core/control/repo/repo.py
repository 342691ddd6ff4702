"""Branches, worktrees and merges of a git repository: classed, never changed.

Source: workflow overview, merge readiness (tiers A to C, next action), merge logs, hygiene inventory (read-only: merged,
unmerged, gone, worktree-protected; nothing is deleted).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.base.text import one_line

Class = Literal["merged", "unmerged", "gone", "worktree-protected"]
Tier = Literal["A", "B", "C"]
TIERS: dict[Tier, str] = {"A": "docs", "B": "evidence and runbooks", "C": "scripts and CI"}
_DOCS, _RUNBOOKS = ("docs/", "README.md", "CHANGELOG.md", "LICENSE"), ("notebooks/", "reports/", "config/drills/")
_STEPS: dict[Tier, str] = {
    "A": "`peaktrade gates run docs-reference-targets`, read the diff, merge.",
    "B": "`peaktrade gates run notebooks docs-reference-targets`, read the diff, merge.",
    "C": "`peaktrade gates run` with all gates, have it reviewed, merge.",
}
_WAIT_S = 30.0
_CUT = "\x1f"


class GitBranch(msgspec.Struct, frozen=True, kw_only=True):
    """A branch beside the main one.

    Attributes:
        state: ``merged``, ``unmerged``, ``gone`` (its remote branch is), ``worktree-protected`` (checked out somewhere).
        ahead, behind: commits that only it, or only the main branch, has; at: of its last commit, aware UTC.
        worktree: folder that it is checked out in, empty for none; conflicts: whether merging it would.
        tier: of what it changes, None where it is merged; next_step: what to do with it; nothing is done here.
    """

    name: str
    state: Class
    ahead: int
    behind: int
    at: datetime
    worktree: str
    conflicts: bool
    tier: Tier | None
    next_step: str


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """A commit of the main branch, or a merge into it: hash, when (aware UTC), by whom, subject, files, lines and its text."""

    commit: str
    at: datetime
    by: str
    subject: str
    merge: bool
    files: int
    added: int
    removed: int
    text: str


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository: its folder, main branch, how many files are not committed, branches and newest merges."""

    folder: str
    main: str
    uncommitted: int
    branches: tuple[GitBranch, ...]
    merges: tuple[Merge, ...]


def look(folder: Path, merges: int = 10) -> Repository:
    """Return how a repository stands; nothing in it is changed.

    Args:
        folder: in it; merges: how many of the newest.

    Raises:
        ConfigError: it is in no git repository, or that has no commit; EnvironmentFault: there is no git.
    """
    top = _git(folder, "rev-parse", "--show-toplevel").strip()
    where = Path(top)
    form = _CUT.join(("%(refname:short)", "%(upstream:track)", "%(committerdate:iso-strict)", "%(worktreepath)"))
    heads = _git(where, "for-each-ref", "refs/heads", f"--format={form}")
    rows = [line.split(_CUT) for line in heads.splitlines()]
    names = [row[0] for row in rows]
    if not names:
        raise ConfigError(f"{top} has no branch with a commit yet")
    main = next((name for name in ("main", "master") if name in names), names[0])
    merged = set(_git(where, "branch", "--merged", main, "--format=%(refname:short)").split())
    return Repository(
        folder=top,
        main=main,
        uncommitted=len(_git(where, "status", "--porcelain").splitlines()),
        branches=tuple(_branch(where, main, row, row[0] in merged) for row in rows if row[0] != main),
        merges=tuple(_merges(where, main, merges)),
    )


def _branch(where: Path, main: str, row: list[str], merged: bool) -> GitBranch:
    name, track, at, worktree = row
    behind, ahead = map(int, _git(where, "rev-list", "--left-right", "--count", f"{main}...{name}").split())
    state: Class = (
        "worktree-protected" if worktree else "gone" if "gone" in track else "merged" if merged else "unmerged"
    )
    files = _git(where, "diff", "--name-only", "-z", f"{main}...{name}").split("\0") if not merged else []
    tier = None if merged else _tier([one for one in files if one])
    conflicts = not merged and not _merges_clean(where, main, name)
    return GitBranch(
        name=name, state=state, ahead=ahead, behind=behind, at=as_utc(datetime.fromisoformat(at)), worktree=worktree,
        conflicts=conflicts, tier=tier, next_step=_next(state, tier, conflicts, behind),
    )  # fmt: skip


def _tier(files: list[str]) -> Tier:
    """Return the tier of the farthest-reaching file."""
    if any(not one.startswith((*_DOCS, *_RUNBOOKS)) for one in files):
        return "C"
    return "B" if any(one.startswith(_RUNBOOKS) for one in files) else "A"


def _next(state: Class, tier: Tier | None, conflicts: bool, behind: int) -> str:
    if tier is None:
        return "Nothing: it is in the main branch." if state != "gone" else "Nothing: merged, and its remote is gone."
    if conflicts:
        return "Check it out, rebase, make again what is generated, then its gates."
    return ("Rebase it. " if behind else "") + _STEPS[tier]


def _merges(where: Path, main: str, most: int) -> list[Merge]:
    form = f"%x1e%H{_CUT}%cI{_CUT}%an{_CUT}%P{_CUT}%s{_CUT}%b{_CUT}"
    told = _git(where, "log", "--first-parent", "-m", "--numstat", f"-n{most}", f"--format={form}", main)
    found = []
    for part in told.split("\x1e")[1:]:
        commit, at, by, parents, subject, body, stat = part.split(_CUT, 6)
        lines = [line.split("\t") for line in stat.splitlines() if line.count("\t") >= 2]
        added, removed = (sum(int(line[n]) for line in lines if line[n].isdigit()) for n in (0, 1))
        found.append(
            Merge(
                commit=commit, at=as_utc(datetime.fromisoformat(at)), by=one_line(by), subject=one_line(subject),
                merge=" " in parents, files=len(lines), added=added, removed=removed, text=one_line(body),
            )
        )  # fmt: skip
    return found


def _merges_clean(where: Path, main: str, name: str) -> bool:
    """Return whether a branch merges without a conflict; what git makes to try it goes to a folder that is soon gone."""
    objects = (where / _git(where, "rev-parse", "--git-path", "objects").strip()).resolve()
    with tempfile.TemporaryDirectory(prefix="peaktrade-repo-") as folder:
        aside = {"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}
        return _run(where, "merge-tree", "--write-tree", main, name, more=aside).returncode != 1


def _git(folder: Path, *arguments: str) -> str:
    done = _run(folder, *arguments)
    if done.returncode:
        told = one_line(done.stderr)
        if "not a git repository" in told:
            raise ConfigError(f"{folder} is in no git repository; name the checkout: `peaktrade control repo FOLDER`")
        raise ConfigError(f"git could not be asked about {folder}: {told}")
    return done.stdout


def _run(folder: Path, *arguments: str, more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    program = shutil.which("git")
    if program is None:
        raise EnvironmentFault("git is not on this machine, so the repository cannot be looked at; install it")
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **(more or {})}
    try:
        return subprocess.run(  # noqa: S603  (git, with arguments of ours)
            [program, *arguments],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_WAIT_S,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise ConfigError(f"git could not be asked about {folder}: is it a folder that can be read?") from None
