"""The kill switch under several hands at once: an engagement always wins, one release succeeds, no false alarm."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from peaktrade_core.base.clock import EPOCH, FixedClock
from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.base.question import Check
from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.halts import log as halt_log
from peaktrade_core.halts import states as trading_state
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.workspace.settings import Releasing

ROUNDS = 15
Act = Callable[[KillSwitch], object]


def switch_in(folder: Path, clock: Any = None) -> KillSwitch:
    """Return the kill switch of a folder as another process has it."""
    states = TradingStates(folder / "live", folder / "operations.log", folder / "state" / "outside.json")
    return KillSwitch(states, clock or SystemClock(), Releasing)


def asked(folder: Path) -> KillSwitch:
    """Return a kill switch that is engaged, and whose release a first person has asked for."""
    switch = switch_in(folder)
    switch.engage("Ada", "news")
    switch.request_release("Ada", "found it")
    return switch


class Hands:
    """Processes at the kill switch of a folder, told what to do line by line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, role: str, name: str = "-") -> subprocess.Popen[str]:
        """Start one and return it once it is ready."""
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("switch_rig.py")), str(self._folder), role, name],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        assert said(process) == "ready"
        return process


def tell(*processes: subprocess.Popen[str]) -> None:
    """Let processes act at once."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def hands(tmp_path: Path) -> Iterator[Hands]:
    hands = Hands(tmp_path)
    yield hands
    for process in hands.started:
        process.kill()
        process.communicate()


BETWEEN: dict[str, tuple[Act, str, str]] = {
    "an engagement": (lambda other: other.engage("Kay", "again"), "Kay engaged it in the meantime", "NO_ORDERS"),
    "another request": (
        lambda other: other.request_release("Kay", "me too"),
        "Kay asked for the release anew in the meantime",
        "NO_ORDERS",
    ),
    "another release": (
        lambda other: other.release("Kay", "faster", list),
        "Ada and Kay (not verified) released it in the meantime",
        "ACTIVE",
    ),
    "an engagement and a request": (
        lambda other: (other.engage("Kay", "again"), other.request_release("Ada", "found that as well")),
        "Ada asked for the release anew in the meantime",
        "NO_ORDERS",
    ),
    "a halt of the scope `global`": (
        lambda other: other._states.set(GLOBAL, "HALTED", by="Kay", reason="again", now=EPOCH),
        "Kay engaged it in the meantime",
        "NO_ORDERS",
    ),
}


@pytest.mark.parametrize("what", BETWEEN)
def test_what_comes_during_the_health_check_forbids_the_release(tmp_path: Path, what: str) -> None:
    act, why, state = BETWEEN[what]
    switch = asked(tmp_path)

    def health() -> list[Check]:
        act(switch_in(tmp_path))
        return []

    with pytest.raises(ConfigError, match=re.escape(f"not released: {why}")):
        switch.release("Grace", "agreed", health)
    assert switch_in(tmp_path).status().state == switch.status().state == state
    assert (switch.audit(1)[0].kind, why in switch.audit(1)[0].reason) == ("refusal", True)
    assert switch.verify().status == "pass"


def test_a_refusal_during_the_health_check_does_not_forbid_it(tmp_path: Path) -> None:
    switch = asked(tmp_path)

    def health() -> list[Check]:
        with pytest.raises(ConfigError, match="two different people"):
            switch_in(tmp_path).release("Ada", "me again", list)
        return []

    assert switch.release("Grace", "agreed", health).state == "ACTIVE"


@pytest.mark.parametrize("when", ["before the log of operations", "before its line", "after its line"])
def test_an_engagement_without_the_lock_wins_whenever_a_release_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The release hangs at one place with the lock; the engagement cannot have it, and does without."""
    switch = asked(tmp_path)
    monkeypatch.setattr(halt_log, "ENGAGE_S", 0.1)
    monkeypatch.setattr(halt_log, "LOOK_S", 0.1)
    left, seen = [when], list[str]()

    def hang(here: str) -> None:
        if here in left:
            left.remove(here)
            hand = Thread(target=lambda: seen.append(switch_in(tmp_path).engage("Kay", "stop").state))
            hand.start()
            hand.join()

    write, note = halt_log.extend, trading_state.append_line

    def writing(path: Path, lines: Any) -> bool:
        hang("before its line")
        written = write(path, lines)
        hang("after its line")
        return written

    def noting(path: Path, line: str) -> None:
        if "-> ACTIVE" in line:
            hang("before the log of operations")
        note(path, line)

    monkeypatch.setattr(halt_log, "extend", writing)
    monkeypatch.setattr(trading_state, "append_line", noting)
    with pytest.raises(ConfigError, match="not released: it was engaged in the meantime"):
        switch.release("Grace", "agreed", list)
    after = switch_in(tmp_path).status()
    assert (left, seen, after.state, after.by, after.fault) == ([], ["NO_ORDERS"], "NO_ORDERS", "Kay", "")
    switch.request_release("Ada", "found that as well")
    assert [entry.by for entry in switch.audit()][:3] == ["Ada", "Kay", "Ada and Grace (not verified)"]
    assert switch.release("Grace", "agreed", list).state == "ACTIVE"
    assert switch_in(tmp_path).verify().status == "pass"


def test_engaging_does_not_wait_for_a_hand_that_hangs(
    tmp_path: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.halts.log.DECIDE_S", 0.1)
    switch = asked(tmp_path)
    switch.release("Grace", "agreed", list)
    hanging = hands.start("hold")
    assert switch.engage("Kay", "stop").state == "NO_ORDERS"  # though the hand still hangs
    assert hanging.poll() is None
    assert (switch.audit(1)[0].kind, switch.verify().status) == ("engage", "pass")
    with pytest.raises(EnvironmentFault, match="nothing was changed"):
        switch.request_release("Ada", "found it")
    hanging.kill()  # the lock ends with its process
    hanging.wait()
    switch.request_release("Ada", "found it")
    assert switch.release("Grace", "agreed", list).state == "ACTIVE"


def test_without_any_lock_it_is_engaged_all_the_same_but_never_released(tmp_path: Path) -> None:
    (tmp_path / "live" / "halts.lock").mkdir(parents=True)
    switch = switch_in(tmp_path, FixedClock(EPOCH, timedelta(seconds=1)))
    assert switch.engage("Ada", "news").state == "NO_ORDERS"
    with pytest.raises(EnvironmentFault, match="nothing was changed"):
        switch.request_release("Ada", "found it")
    assert (switch_in(tmp_path).status().state, switch.verify().status) == ("NO_ORDERS", "pass")


def test_of_four_releases_at_once_one_succeeds_and_no_reader_sees_a_fault(tmp_path: Path, hands: Hands) -> None:
    four = [hands.start("release", name) for name in ("Grace", "Kay", "Barbara", "Edsger")]
    watcher = hands.start("watch")
    switch = asked(tmp_path)
    tell(watcher)
    for number in range(ROUNDS):
        if number:
            asked(tmp_path)
        tell(*four)
        ended = sorted(map(said, four))
        assert ended.pop() == "done, ACTIVE"
        assert all("released it in the meantime" in one or "nothing to release" in one for one in ended), ended
        found = switch.status()
        assert (found.state, found.fault) == ("ACTIVE", "")
    tell(watcher)
    assert said(watcher) == "no fault"
    assert [entry.kind for entry in switch.audit()].count("release") == ROUNDS


def test_whatever_is_released_at_the_same_moment_an_engagement_wins(tmp_path: Path, hands: Hands) -> None:
    releasing, engaging = [hands.start("release", name) for name in ("Grace", "Kay")], hands.start("engage", "Edsger")
    watcher = hands.start("watch")
    switch = asked(tmp_path)
    tell(watcher)
    for _ in range(ROUNDS):
        switch.request_release("Ada", "found it")
        tell(*releasing, engaging)
        assert said(engaging) == "done, NO_ORDERS"
        ended = [said(process) for process in releasing]
        found = switch.status()
        assert (found.state, found.by, found.fault) == ("NO_ORDERS", "Edsger", ""), ended
    tell(watcher)
    assert said(watcher) == "no fault"
