"""What an earlier version left, files that it wrote: carried into the log of halts once, and never as less than it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.halts.entries import Known
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.log import HaltLog
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.workspace.settings import Releasing

FILES = Path(__file__).with_name("earlier")
HALTED, RESUMED = "shadow.ma_crossover.BTC/EUR", "shadow.donchian_breakout.ETH/EUR"


class Old:
    """A folder ``reports/live`` as an earlier version left it."""

    def __init__(self, tmp_path: Path, name: str) -> None:
        self.live, self._outside = tmp_path / "live", tmp_path / "state" / "outside.json"
        self._operations = tmp_path / "operations.log"
        shutil.copytree(FILES / name, self.live)
        self.audit, self.state = self.live / "kill_switch.jsonl", self.live / "trading_state" / "global.json"

    def states(self) -> TradingStates:
        """Return the states as a new process has them."""
        return TradingStates(self.live, self._operations, self._outside)

    def switch(self, at: datetime = datetime(2026, 1, 5, 8, 10, tzinfo=UTC)) -> KillSwitch:
        """Return the kill switch, some minutes later."""
        return KillSwitch(self.states(), FixedClock(at, timedelta(seconds=1)), Releasing)


def test_states_and_audit_are_carried_over_once_and_then_only_the_log_counts(tmp_path: Path) -> None:
    old = Old(tmp_path, "released")
    states = old.states()
    assert (states.read(GLOBAL).state, states.read(GLOBAL).by) == ("ACTIVE", "Ada and Grace")
    (halted,) = states.stopped()
    assert (halted.state, halted.by, halted.reason) == ("HALTED", "session shadow_1", "MAX_DRAWDOWN_HALT value=0.1")
    assert halted == states.read(HALTED)
    resumed = states.read(RESUMED)
    assert (resumed.state, resumed.by, resumed.since) == ("ACTIVE", "Ada", datetime(2026, 1, 5, 8, 0, 9, tzinfo=UTC))
    assert [entry.kind for entry in old.switch().audit()] == ["release", "request", "engage"]
    assert old.switch().verify().status == "pass"
    assert (old.audit.exists(), (old.live / "kill_switch.carried.jsonl").exists()) == (False, True)
    old.state.write_text('{"scope":"global","state":"NO_ORDERS","by":"Mallory","reason":"late"}')
    assert old.states().read(GLOBAL).state == "ACTIVE"
    (old.live / "halts.jsonl").unlink()
    assert old.states().read(GLOBAL).state == "NO_ORDERS"


def test_an_engaged_switch_stays_engaged_and_its_request_can_still_be_confirmed(tmp_path: Path) -> None:
    old = Old(tmp_path, "engaged")
    found = old.switch().status()
    assert (found.state, found.by, found.reason, found.requested_by) == ("HALTED", "Ada", "news", "Ada")
    assert old.switch().release("Grace", "agreed", list).state == "ACTIVE"
    assert old.states().read(GLOBAL).state == "ACTIVE"


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"news", b"nows"))


DAMAGE: dict[str, Callable[[Old], Any]] = {
    "no state": lambda old: old.state.unlink(),
    "a torn state": lambda old: tear(old.state),
    "no audit": lambda old: old.audit.unlink(),
    "a torn audit": lambda old: tear(old.audit),
    "an edited audit": lambda old: edit(old.audit),
    "an empty audit": lambda old: old.audit.write_bytes(b""),
    "a state of the release before": lambda old: old.state.write_bytes(
        old.state.read_bytes().replace(b"2ed8", b"2ed9")
    ),
}


@pytest.mark.parametrize("name", ["released", "engaged"])
@pytest.mark.parametrize("what", DAMAGE)
def test_what_did_not_agree_stays_closed_until_two_people_release_it(tmp_path: Path, name: str, what: str) -> None:
    old = Old(tmp_path, name)
    DAMAGE[what](old)
    assert old.states().read(GLOBAL).state in (("NO_ORDERS",) if name == "released" else ("HALTED", "NO_ORDERS"))
    assert old.switch().status().fault == ""
    old.switch().request_release("Ada", "looked at it")
    assert old.switch().release("Grace", "agreed", list).state == "ACTIVE"


def test_a_scope_whose_file_cannot_be_read_is_carried_as_no_orders(tmp_path: Path) -> None:
    old = Old(tmp_path, "released")
    tear(old.live / "trading_state" / "shadow.donchian-breakout.ETH-EUR.json")
    assert (old.states().read(RESUMED).state, old.states().read(GLOBAL).state) == ("NO_ORDERS", "ACTIVE")


def test_what_cannot_be_carried_over_is_read_where_it_is(tmp_path: Path) -> None:
    old = Old(tmp_path, "engaged")
    (old.live / "halts.lock").mkdir()  # the lock cannot be had
    assert (old.states().read(GLOBAL).state, old.audit.exists()) == ("HALTED", True)
    (old.live / "halts.lock").rmdir()
    assert (old.states().read(GLOBAL).state, old.audit.exists()) == ("HALTED", False)


@pytest.mark.parametrize("act", ["engage", "halt"])
def test_a_change_that_comes_before_the_first_look_carries_over_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    old = Old(tmp_path, "released")
    with monkeypatch.context() as patch:
        patch.setattr(HaltLog, "look", lambda _: Known())
        if act == "engage":
            old.states().log.engage("Kay", "stop", "NO_ORDERS", datetime(2026, 1, 6, tzinfo=UTC))
        else:
            old.states().set(RESUMED, "HALTED", by="Kay", reason="stop", now=datetime(2026, 1, 6, tzinfo=UTC))
    assert old.states().read(HALTED).by == "session shadow_1"
    assert old.states().stopped()[0].by == "Kay"
