"""SIGKILL at every moment of an apply: the old file or the new one, a ledger that verifies, and the same command goes on."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.changes.book import Changes
from peaktrade_core.control.changing.propose import propose
from peaktrade_core.records.leftovers import tidy
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import REPO

CALLS = ("fsync", "replace", "write", "unlink", "chmod")  # of the operating system, each a moment at which it may die


def apply(home: Path, change: str, at: int) -> int:
    """Apply a change in a process of its own that dies at its call number ``at``, 0 for never; return how it ended."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        found, left = Changes.of(Workspace(home)), at

        def deadly(real: Callable[..., object]) -> Callable[..., object]:
            def call(*given: object, **named: object) -> object:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*given, **named)

            return call

        for name in CALLS:
            setattr(os, name, deadly(getattr(os, name)))
        found.apply(change, "Ben")
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize(
    "settings",
    [["live_risk.max_order_notional=500"], ["live_risk.max_open_positions=4", "alerts.page=http://a.example.org/x"]],
)
def test_killed_at_any_call_it_is_old_or_new_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: list[str]
) -> None:
    died, elsewhere = 0, tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    while True:
        home = tmp_path / str(died)
        shutil.copytree(REPO / "config", home / "config")
        workspace, paths = Workspace(home), [home / "config" / name for name in ("config.toml", "alerts.toml")]
        Changes.of(workspace).adopt("Ada", "as it was set up")
        one = propose(workspace, settings, [], by="Ada", reason="calm")
        before = [path.read_bytes() for path in paths]
        after = [edit.data if (edit := one.proposal.edits.get(path.name)) else path.read_bytes() for path in paths]
        ended = apply(home, one.id, died + 1)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        died += 1
        for path, old, new in zip(paths, before, after, strict=True):
            assert path.read_bytes() in (old, new)
        list(Ledger(home).links())  # raises where it does not verify
        found = Changes.of(Workspace(home))
        written = [path.read_bytes() for path in paths] == after
        entered = found.find(one.id).applied_at is not None
        assert (
            entered or [path.read_bytes() for path in paths] == before
        )  # nothing takes its place before it is entered
        assert bool(found.compared().items) is (entered and not written)
        if not (entered and written):
            assert apply(home, one.id, 0) == 0
        assert [path.read_bytes() for path in paths] == after
        assert Changes.of(Workspace(home)).compared().items == ()
    assert died > 8
    assert not list((home / "config").glob(".*.change"))
    assert list(elsewhere.iterdir()) == []  # what a killed one left lies in its workspace, where the doctor removes it
    left = list(tmp_path.glob("*/.cache/.change-*"))
    for folder in left:
        os.utime(folder, (0, 0))
    assert left
    assert all(folder in tidy(Workspace(folder.parents[1])) for folder in left)
