"""Files of another owner, which can be read and not written: they are judged by what stands in them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peaktrade_core.workspace.memory import STATE_HOME
from peaktrade_core.workspace.workspace import HOME
from tests.cli.surface import faults, ran, workspace_in

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become another user")


@contextmanager
def another_user() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_to_all(monkeypatch: pytest.MonkeyPatch, *lines: str) -> Iterator[Path]:
    """Give a workspace that everybody may read, used by some commands: what they load is loaded, which another user could not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    home = workspace_in(folder / "w")
    monkeypatch.setenv(HOME, str(home))
    monkeypatch.setenv(STATE_HOME, str(folder / "state"))
    for line in lines:
        ran(line.split())
    yield home
    shutil.rmtree(folder)


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a workspace of root."""
    with open_to_all(
        monkeypatch,
        "killswitch engage --by Ada --reason x",
        "killswitch status",
        "killswitch release --by Ada --reason y",
    ) as home:
        yield home


def test_a_switch_that_another_owner_engaged_is_engaged(foreign: Path) -> None:
    with another_user():
        seen = ran(["killswitch", "status"])
        asked = ran(["killswitch", "engage", "--by", "Bo", "--reason", "z"])
    assert "ENGAGED" in seen.out.upper(), seen
    assert "trading goes on" not in asked.err, asked
    assert not faults(seen)
    assert not faults(asked)


def test_a_switch_that_another_owner_released_cannot_be_engaged_and_that_is_said(foreign: Path) -> None:
    assert ran(["killswitch", "release", "--by", "Bo", "--reason", "y"]).code == 0
    with another_user():
        asked = ran(["killswitch", "engage", "--by", "Bo", "--reason", "z"])
    assert (asked.code, "NOT ENGAGED" in asked.err) == (7, True), asked
    assert not faults(asked)
    assert "released" in ran(["killswitch", "status"]).out
