"""Folders that cannot be listed: stopping works all the same, and nothing that lies in them reads as if there were none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.files import Names, found_in
from peaktrade_core.workspace.workspace import HOME
from tests.cli.surface import faults, ran
from tests.halts.test_other_owner import NOBODY, another_user, open_to_all

pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a workspace of another user's with a session, an incident, evidence and a backtest; one stands in it."""
    with open_to_all(
        monkeypatch,
        "session run --steps 5",
        "incident open --kind network --title t --severity low --by Ada",
        "evidence add --tag X --text y --by Ada",
        "backtest --strategy ma_crossover --symbol BTC/EUR --feed synthetic",
        "killswitch status",
        "killswitch engage --by Ada --reason x",
        "killswitch release --by Ada --reason x",
        "killswitch release --by Bo --reason x",
        "alerts check",
        "monitor overview",
        "experiments list",
        "incident list",
    ) as home:
        folder = home.parent
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        monkeypatch.delenv(HOME)
        monkeypatch.chdir(home)
        yield home
        monkeypatch.undo()


def shut(path: Path) -> None:
    """Let nobody but root into a folder."""
    os.chown(path, 0, 0)
    path.chmod(0o700)


def test_the_switch_is_engaged_where_the_configuration_cannot_be_seen(closed: Path) -> None:
    shut(closed / "config")
    with another_user():
        asked = ran(["killswitch", "engage", "--by", "Bo", "--reason", "z"])
        halted = ran(["risk", "halt", "--scope", "global", "--by", "Bo", "--reason", "z"])
    assert not faults(asked)
    assert (asked.code, halted.code) == (0, 0), (asked, halted)
    (closed / "config").chmod(0o755)
    assert "ENGAGED" in ran(["killswitch", "status"]).out


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("live_runs", "alerts check"),
        ("live_runs", "monitor overview"),
        ("reports/experiments/backtests", "experiments list"),
        ("reports/incidents", "incident list"),
        ("reports/evidence", "evidence list"),
    ],
)
def test_what_cannot_be_listed_is_not_nothing(closed: Path, folder: str, line: str) -> None:
    shut(closed / folder)
    with another_user():
        seen = ran(line.split())
    assert not faults(seen)
    assert (seen.code, "Permission denied" in seen.out + seen.err) == (7, True), seen


@pytest.mark.parametrize("line", ["session run --steps 5", "session list", "todo", "fleet status", "alerts check"])
def test_what_can_be_made_again_is_done_without(closed: Path, line: str) -> None:
    (closed / ".cache").mkdir(exist_ok=True)
    shut(closed / ".cache")
    with another_user(), pytest.warns(RuntimeWarning, match=r"cannot read .*\.cache: Permission denied") as told:
        seen = ran(line.split())
    assert not faults(seen)
    assert (seen.code in (0, 1), len(told)) == (True, 1), seen


def test_the_rules_are_asked_where_the_account_cannot_be_read(closed: Path) -> None:
    shut(closed / "reports/live")
    with another_user():
        seen = ran(["alerts", "check"])
    assert not faults(seen)
    assert (seen.code, "kill-switch" in seen.out, "NO_ORDERS" in seen.out) == (1, True, True), seen


def test_a_folder_that_is_not_there_is_empty_and_one_that_is_shut_is_not(tmp_path: Path) -> None:
    assert found_in(tmp_path / "none", "*") == []
    assert Names(tmp_path / "none", lambda _: True)() == frozenset()
    inner = Path(tempfile.mkdtemp())
    try:
        inner.chmod(0o700)
        with another_user():
            for look in (lambda: found_in(inner, "*"), Names(inner, lambda _: True)):
                with pytest.raises(EnvironmentFault, match=f"cannot read {inner}: Permission denied"):
                    look()
    finally:
        inner.rmdir()
