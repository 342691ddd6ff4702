"""The kill switch: engaged by one, released by two, audited in a chain, closed whatever is damaged."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.clock import EPOCH, FixedClock
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault
from peaktrade_core.base.people import same_person
from peaktrade_core.base.question import FAIL, WARN, Check
from peaktrade_core.halts.kill_switch import KillSwitch, KillSwitchStatus
from peaktrade_core.halts.scope import GLOBAL, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.events import Denial, Fill, Order, State
from peaktrade_core.workspace.settings import Releasing
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

SCOPE = Scope.of("shadow", "ma_crossover", "BTC/EUR")


class Rig:
    """A kill switch on a folder, with a clock and a health check that tests turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FixedClock(EPOCH, timedelta(seconds=1))
        self.health: list[Check] = []
        self.states = self.anew()
        self.switch = KillSwitch(self.states, self.clock, Releasing)
        self.log = folder / "live" / "halts.jsonl"
        self.beside, self.outside = folder / "live" / "halts.last.json", folder / "state" / "outside.json"

    def anew(self) -> TradingStates:
        """Return the states as a new process has them."""
        return TradingStates(
            self.folder / "live", self.folder / "operations.log", self.folder / "state" / "outside.json"
        )

    def state(self, scope: Scope = GLOBAL) -> str:
        """Return what a new process reads."""
        return self.anew().read(scope).state

    def release(self, by: str = "Grace", reason: str = "agreed") -> KillSwitchStatus:
        """Confirm what somebody asked for, with the health check as it is turned."""
        return self.switch.release(by, reason, lambda: self.health)

    def let_go(self) -> None:
        """Release it as two people do."""
        self.switch.request_release("Ada", "found it")
        self.release()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_one_person_engages_and_two_release(rig: Rig) -> None:
    assert not rig.switch.status().engaged
    assert rig.switch.engage("Ada", "news").state == rig.state() == "NO_ORDERS"
    asked = rig.switch.request_release("Ada", "found it")
    assert (asked.state, asked.requested_by) == ("NO_ORDERS", "Ada")
    released = rig.release("Grace", "agreed")
    assert (released.state, released.by, released.requested_by) == ("ACTIVE", "Ada and Grace (not verified)", None)
    assert rig.state() == "ACTIVE"
    assert [entry.kind for entry in rig.switch.audit()] == ["release", "request", "engage"]
    assert rig.switch.verify().status == "pass"
    log = (rig.folder / "operations.log").read_text()
    assert all(
        words in log for words in ("ACTIVE -> NO_ORDERS by Ada", "requested by Ada", "-> ACTIVE by Ada and Grace")
    )


@pytest.mark.parametrize(
    "trick", ["Ada Lovelace", "ada  LOVELACE ", "Lovelace, Ada", "A\u200bda Lovelace", "Ａda Lovelace", "Áda-Lovelace"]
)
def test_the_second_person_is_another_one(rig: Rig, trick: str) -> None:
    rig.switch.engage("Kay", "news")
    rig.switch.request_release("Ada Lovelace", "found it")
    with pytest.raises(ConfigError, match="two different people"):
        rig.release(trick, "agreed")
    assert (rig.state(), rig.switch.audit(1)[0].kind) == ("NO_ORDERS", "refusal")
    assert rig.release("Grace", "agreed").state == "ACTIVE"  # a refusal does not end the request


def test_names_that_differ_are_different_people() -> None:
    assert not same_person("Ada", "Adam")
    assert not same_person("Ari", "Ira")


@pytest.mark.parametrize(("by", "reason"), [("", "x"), (" ", "x"), ("Ada", " "), ("...", "x"), ("42", "x")])
def test_nobody_and_nothing_do_not_count(rig: Rig, by: str, reason: str) -> None:
    rig.switch.engage("Ada", "news")
    for act in (rig.switch.request_release, rig.release):
        with pytest.raises(ConfigError, match="name"):
            act(by, reason)
    assert len(rig.switch.audit()) == 1


def test_to_engage_it_any_name_will_do_but_nothing_will_not(rig: Rig) -> None:
    for by, reason in ((" ", "x"), ("Ada", "\u2028")):
        with pytest.raises(ConfigError, match="needs a name"):
            rig.switch.engage(by, reason)
    assert rig.switch.engage("4711", "x").state == "NO_ORDERS"


def test_a_confirmation_that_comes_too_late_or_unasked_is_refused(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    with pytest.raises(ConfigError, match="nobody has asked"):
        rig.release("Grace", "agreed")
    rig.switch.request_release("Ada", "found it")
    for _ in range(901):
        rig.clock.now()
    with pytest.raises(ConfigError, match="too long ago"):
        rig.release("Grace", "agreed")
    assert rig.state() == "NO_ORDERS"


def test_engaging_again_voids_a_request_and_never_loosens(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    rig.switch.request_release("Ada", "found it")
    assert rig.switch.engage("Kay", "not over", "HALTED").state == "NO_ORDERS"
    with pytest.raises(ConfigError, match="nobody has asked"):
        rig.release("Grace", "agreed")


def test_a_failed_health_check_keeps_it_engaged_and_a_warning_does_not(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    rig.switch.request_release("Ada", "found it")
    rig.health = [Check(id="disk", question="?", status=FAIL, evidence="disk full")]
    with pytest.raises(ArtefactError, match="disk full"):
        rig.release("Grace", "agreed")
    assert (rig.state(), rig.switch.audit(1)[0].checks) == ("NO_ORDERS", {"disk": "fail"})
    rig.health = [Check(id="disk", question="?", status=WARN, evidence="nearly full")]
    assert rig.release("Grace", "agreed").state == "ACTIVE"
    assert rig.switch.audit(1)[0].checks == {"disk": "warn"}


def drop(rig: Rig, line: int) -> None:
    lines = rig.log.read_bytes().splitlines(keepends=True)
    del lines[line]
    rig.log.write_bytes(b"".join(lines))


def twice(rig: Rig) -> None:
    lines = rig.log.read_bytes().splitlines(keepends=True)
    rig.log.write_bytes(b"".join([lines[0], *lines]))


def swap(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def gone(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def older(rig: Rig) -> None:
    """Put back a copy from before the last engagement and its release, with what lay beside it then."""
    lines = rig.log.read_bytes().splitlines(keepends=True)
    rig.log.write_bytes(b"".join(lines[:-3]))
    rig.beside.unlink()


DAMAGE: dict[str, Callable[[Rig], Any]] = {
    "deleted": lambda rig: rig.log.unlink(),
    "deleted with what lies beside it": lambda rig: gone(rig.log, rig.beside),
    "deleted with what is remembered outside": lambda rig: gone(rig.log, rig.outside),
    "an older copy": older,
    "emptied": lambda rig: rig.log.write_bytes(b""),
    "torn": lambda rig: rig.log.write_bytes(rig.log.read_bytes()[:-5]),
    "a folder": lambda rig: into_folder(rig.log),
    "no text": lambda rig: rig.log.write_bytes(b"\xff\xfe\n"),
    "very deep": lambda rig: rig.log.write_bytes(b"[" * 100_000 + b"\n"),
    "first line edited": lambda rig: swap(rig.log, b"news", b"sews"),
    "first line dropped": lambda rig: drop(rig, 0),
    "last line dropped": lambda rig: drop(rig, -1),
    "a line put in": twice,
    "what is beside it damaged": lambda rig: rig.beside.write_bytes(b"{"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_after_a_release_any_damage_closes_it_again_and_two_people_get_it_open(rig: Rig, what: str) -> None:
    for _ in range(2):
        rig.switch.engage("Ada", "news")
        rig.let_go()
    assert rig.state() == "ACTIVE"
    DAMAGE[what](rig)
    assert rig.state() == rig.states.read(GLOBAL).state == rig.state(SCOPE) == "NO_ORDERS"
    found = rig.switch.status()
    assert (found.engaged, bool(found.fault), rig.switch.verify().status) == (True, True, "fail")
    assert "`peaktrade killswitch engage`" in found.reason
    with pytest.raises(ArtefactError, match="killswitch engage"):
        rig.states.set(SCOPE, "ACTIVE", by="Ada", reason="over", now=rig.clock.now())
    rig.switch.engage("Kay", "repair")
    assert rig.state() == "NO_ORDERS"
    rig.let_go()
    assert (rig.state(), rig.switch.verify().status) == ("ACTIVE", "pass")


@pytest.mark.parametrize("what", DAMAGE)
def test_while_engaged_no_damage_lets_anything_loose(rig: Rig, what: str) -> None:
    for _ in range(4):
        rig.switch.engage("Ada", "news", "HALTED")
    DAMAGE[what](rig)
    assert rig.state() in ("HALTED", "NO_ORDERS")


def test_on_a_new_machine_nothing_is_remembered_outside_and_then_it_is(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    rig.let_go()
    rig.outside.unlink()
    assert rig.state() == "ACTIVE"
    gone(rig.log, rig.beside)
    assert rig.state() == "NO_ORDERS"


def test_a_log_that_one_person_began_anew_is_trusted_by_another_who_remembers_the_old_one(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    rig.let_go()
    remembered = rig.outside.read_bytes()
    rig.log.write_bytes(b"broken\n")
    rig.switch.engage("Kay", "repair")
    rig.let_go()
    rig.outside.write_bytes(remembered)  # as the state folder of another user
    assert rig.state() == "ACTIVE"


def test_a_line_that_was_edited_after_it_was_read_closes_at_once(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    rig.let_go()
    assert rig.states.read(GLOBAL).state == "ACTIVE"
    swap(rig.log, b"news", b"sews")
    assert rig.states.read(GLOBAL).state == "NO_ORDERS"


def test_nothing_but_a_release_by_two_people_loosens_it(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    with pytest.raises(ConfigError, match="two people release"):
        rig.states.set(GLOBAL, "ACTIVE", by="Mallory", reason="quick", now=rig.clock.now())
    line = {
        "seq": 1,
        "at": "2026-01-01T00:00:00Z",
        "kind": "release",
        "data": {"by": "M", "reason": "r", "state": "ACTIVE"},
    }
    with rig.log.open("a") as file:
        file.write(json.dumps({**line, "prev": "0" * 64}) + "\n")
    assert rig.state() == "NO_ORDERS"


def test_a_broken_audit_is_kept_and_named_in_the_new_one(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    broken = b"not a chain\n"
    rig.log.write_bytes(broken)
    with pytest.raises(ArtefactError, match="killswitch engage"):
        rig.switch.request_release("Ada", "found it")
    rig.switch.engage("Kay", "repair")
    (kept,) = rig.folder.glob("live/halts.broken-*.jsonl")
    (entry,) = rig.switch.audit()
    assert (kept.read_bytes(), kept.name in entry.set_aside) == (broken, True)


def test_without_its_log_it_is_engaged_all_the_same_but_never_released(rig: Rig) -> None:
    rig.switch.engage("Ada", "news")
    log = rig.folder / "operations.log"
    log.unlink()
    log.mkdir()
    with pytest.raises(EnvironmentFault, match=r"operations\.log"):
        rig.switch.engage("Ada", "again")
    with pytest.raises(EnvironmentFault):
        rig.switch.request_release("Ada", "found it")
    with pytest.raises(EnvironmentFault):
        rig.release("Grace", "agreed")
    assert rig.state() == "NO_ORDERS"


def test_the_commands(home: Path, peaktrade: Callable[..., Any]) -> None:
    assert (peaktrade("killswitch", "status").code, peaktrade("killswitch", "audit").code) == (0, 0)
    engaged = peaktrade("killswitch", "engage", "--by", "Ada", "--reason", "news", "--mode", "halted")
    assert (engaged.code, "ENGAGED, HALTED" in engaged.stdout) == (0, True)
    status = peaktrade("killswitch", "status", "--json")
    assert (status.code, json.loads(status.stdout)["by"]) == (1, "Ada")
    first = peaktrade("killswitch", "release", "--by", "Ada", "--reason", "over")
    assert (first.code, "Nothing is released yet" in first.stdout) == (0, True)
    same = peaktrade("killswitch", "release", "--by", "ADA ", "--reason", "over")
    assert (same.code, "two different people" in same.stderr) == (2, True)
    second = peaktrade("killswitch", "release", "--by", "Grace", "--reason", "agreed", "--json")
    assert (second.code, json.loads(second.stdout)["state"]) == (0, "ACTIVE"), second.stderr
    kinds = [entry["kind"] for entry in json.loads(peaktrade("killswitch", "audit", "--json").stdout)]
    assert kinds == ["release", "refusal", "request", "engage"]
    assert peaktrade("killswitch", "audit", "--verify").code == 0
    swap(home / "reports" / "live" / "halts.jsonl", b"news", b"nows")
    broken = peaktrade("killswitch", "audit", "--verify")
    assert (broken.code, "line 2" in broken.stdout) == (1, True)
    assert peaktrade("killswitch", "status").code == 1


def test_deleting_the_whole_folder_releases_nothing(home: Path, peaktrade: Callable[..., Any]) -> None:
    assert peaktrade("killswitch", "engage", "--by", "Ada", "--reason", "news").code == 0
    shutil.rmtree(home / "reports" / "live")
    status = peaktrade("killswitch", "status", "--json")
    assert (status.code, json.loads(status.stdout)["state"]) == (1, "NO_ORDERS")
    assert "halts.jsonl is gone" in json.loads(status.stdout)["fault"]
    observe = ("session", "run", "--steps", 100, "--seed", 4, "-p", "fast=2", "--json")
    assert (peaktrade(*observe).code, "halts.jsonl is gone" in peaktrade(*observe).stderr) == (4, True)
    ended = json.loads(peaktrade(*observe, "--although-halted").stdout)
    assert ended["metrics"]["num_orders"] == 0
    for command in (("audit", "verify"), ("killswitch", "audit", "--verify")):
        found = peaktrade(*command)
        assert (found.code, "halts.jsonl is gone" in found.stdout) == (1, True)
    refused = peaktrade("killswitch", "release", "--by", "Ada", "--reason", "over")
    assert (refused.code, "killswitch engage" in refused.stderr) == (4, True)
    assert peaktrade("killswitch", "engage", "--by", "Kay", "--reason", "the folder was deleted").code == 0
    (first,) = json.loads(peaktrade("killswitch", "audit", "--json").stdout)
    assert (first["state"], "halts.jsonl is gone" in first["set_aside"]) == ("NO_ORDERS", True)
    assert peaktrade("killswitch", "release", "--by", "Ada", "--reason", "over").code == 0
    assert peaktrade("killswitch", "release", "--by", "Grace", "--reason", "agreed").code == 0
    assert peaktrade("killswitch", "status").code == 0


def last_state(workspace: Workspace, session_id: str) -> str:
    found = [event for event in Views.of(workspace).events(session_id) if type(event) is State]
    return found[-1].state if found else "ACTIVE"


def test_every_process_stops_and_stays_stopped(
    workspace: Workspace, start: Callable[..., Any], peaktrade: Callable[..., Any]
) -> None:
    busy = ("session", "run", "--steps", 90_000, "--timeframe", "1s", "--seed", 4, "-p", "fast=2", "-p", "slow=5")
    processes = [start(*busy, "--pace", 30), start("session", "run", "--timeframe", "1h", "--pace", 1)]
    until(lambda: len([row for row in Views.of(workspace).runs() if row.alive and row.step is not None]) == 2)
    ids = [row.run_id for row in Views.of(workspace).runs()]
    time.sleep(1.0)
    engaged = KillSwitch.of(workspace).engage("Ada", "drill")
    until(lambda: all(last_state(workspace, session_id) == "NO_ORDERS" for session_id in ids), 1.0)
    time.sleep(1.0)  # time enough for an order that must not come
    for session_id in ids:
        events = list(Views.of(workspace).events(session_id))
        halted = next(event for event in events if type(event) is State)
        assert halted.state == engaged.state == "NO_ORDERS"
        assert not [event for event in events if event.seq > halted.seq and type(event) is Order]
    for process in processes:
        process.terminate()
        process.wait(60)
    late = ("session", "run", "--steps", 100, "--seed", 4, "-p", "fast=2", "-p", "slow=5", "--json")
    assert peaktrade(*late).code == 2
    again = json.loads(peaktrade(*late, "--although-halted").stdout)
    assert (again["metrics"]["num_orders"], set(again["metrics"]["deny_codes"])) == (0, {"HALTED"})


def test_an_order_decided_while_the_switch_is_pulled_is_not_sent(workspace: Workspace) -> None:
    """The venue takes its time over the first leg of a reversal; the second must not go out."""
    from peaktrade_core.trading.ports import OrderAnswer

    class Slow:
        asks_venue = True

        def __init__(self) -> None:
            self.sent: list[Order] = []

        def submit(self, order: Order) -> OrderAnswer:
            self.sent.append(order)
            if order.purpose == "close":
                KillSwitch.of(workspace).engage("Ada", "while it was sent", "HALTED")
            return OrderAnswer(True)

    broker = Slow()
    plan = plan_session(
        workspace, symbol="BTC/EUR-PERP", strategy="donchian_breakout", params={"window": 3}, seed=4, steps=400
    )._replace(broker=broker)
    record = run_session(plan, Desk.of(workspace))
    events = list(Views.of(workspace).events(record.session_id))
    assert [order.purpose for order in broker.sent].count("close") >= 1
    first_close = next(i for i, order in enumerate(broker.sent) if order.purpose == "close")
    assert not [order for order in broker.sent[first_close:] if order.purpose == "open"]
    placed = {event.order_id: event for event in events if type(event) is Order}
    withheld = next(event for event in events if type(event) is Denial and event.order_id)
    assert (placed[withheld.order_id].purpose, placed[withheld.order_id].ts) == ("open", withheld.ts)
    assert (withheld.code, [f for f in events if type(f) is Fill and f.order_id == withheld.order_id]) == ("HALTED", [])
    metrics = record.metrics
    assert (
        metrics["orders_generated"]
        == metrics["orders_executed"] + metrics["orders_blocked_risk"] + metrics["orders_open"]
    )


BACK = {"before it is engaged": 0, "while it is engaged": 1, "while a release waits": 2}


@pytest.mark.parametrize("damage", [None, gone, older], ids=["whole", "gone", "older"])
@pytest.mark.parametrize("when", BACK)
def test_a_clock_that_is_set_back_years_leaves_a_switch_that_two_people_release(
    rig: Rig, when: str, damage: Callable[..., None] | None
) -> None:
    """Also in a process that remembers what was written by the later clock."""
    rig.switch.engage("Kay", "before")
    rig.let_go()
    rig.clock = rig.switch._clock = FixedClock(EPOCH + timedelta(days=14 * 365), timedelta(seconds=1))
    steps = [lambda: rig.switch.engage("Ada", "news"), lambda: rig.switch.request_release("Ada", "found it")]
    for step in steps[: BACK[when]]:
        step()
    watching = rig.anew()
    watching.read(GLOBAL)
    rig.clock = rig.switch._clock = FixedClock(EPOCH, timedelta(seconds=1))
    if damage is not None:
        gone(rig.log) if damage is gone else damage(rig)
    assert rig.switch.engage("Ada", "news").state == rig.state() == watching.read(GLOBAL).state == "NO_ORDERS"
    for found in (rig.switch.status(), KillSwitch(watching, rig.clock, Releasing).status()):
        assert found.fault == ""
    with pytest.raises(ConfigError, match="nobody has asked"):
        rig.release("Grace", "agreed")
    rig.let_go()
    assert (rig.state(), watching.read(GLOBAL).state) == ("ACTIVE", "ACTIVE")
