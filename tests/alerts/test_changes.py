"""From findings to alerts to notifications: no storm, nothing lost, and what people do counts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.alerts.alerts import AlertRow, Delivery, Notification, Silenced
from peaktrade_core.alerts.changes import Holds, judge, tell
from peaktrade_core.alerts.channels import forms
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import short_id
from peaktrade_core.alerts.log import AlertLog, note_in_runs
from peaktrade_core.alerts.rules.facts import RuleFinding
from peaktrade_core.alerts.settings import read_settings
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, UnknownNameError
from tests.alerts.conftest import T0, at

CHANNELS = {name: {"kind": "log"} for name in ("log", "chief")}


class Stage:
    """One rule, played with findings at times."""

    def __init__(self, path: Path, **rule: Any) -> None:
        table = {"id": "r", "kind": "rejects_in_row", "for_s": 0.0, "clear_for_s": 0.0, **rule}
        self.rules = read_settings({"channels": CHANNELS, "rule": [table]}, "test").rules
        self.log, self.holds = AlertLog(path / "alerts.jsonl"), Holds()
        self.alerts = Alerts(self.log, FixedClock(T0), lambda: pytest.fail("no engine here"))

    def play(self, seconds: float, *findings: RuleFinding) -> list[Notification]:
        now = at(seconds)
        self.log.append(lambda book: judge(self.rules, {"r": findings}, book, self.holds, now, short_id))
        told = self.log.append(lambda book: tell(self.rules, book, now))
        return [change for change in told if isinstance(change, Notification)]

    @property
    def row(self) -> AlertRow:
        (row,) = self.alerts.rows()
        return row


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., Stage]:
    return lambda **rule: Stage(tmp_path, **rule)


def bad(key: str = "run", severity: str = "warning", cause: str = "") -> RuleFinding:
    return RuleFinding(key, severity, f"{key} is bad", key, cause=cause)


def titles(notes: Sequence[Notification]) -> list[str]:
    return [note.title for note in notes]


def test_an_alert_is_raised_once_told_once_and_cleared_once(stage: Callable[..., Stage]) -> None:
    s = stage()
    assert titles(s.play(0, bad())) == ["WARNING r: run"]
    assert [s.play(n, bad()) for n in range(1, 100)] == [[]] * 99
    assert titles(s.play(100)) == ["CLEARED r: run"]
    assert s.play(101) == []
    assert (s.row.state, s.row.count) == ("cleared", 1)


def test_a_finding_must_hold_and_be_gone_for_the_times_that_the_rule_says(stage: Callable[..., Stage]) -> None:
    s = stage(for_s=10.0, clear_for_s=20.0)
    assert s.play(0, bad()) == []
    assert s.play(5) == []  # broken: it begins anew
    assert s.play(6, bad()) == []
    assert s.play(15.9, bad()) == []
    assert len(s.play(16, bad())) == 1
    s.play(20)
    s.play(39.9)
    assert s.row.state == "raised"
    s.play(40)
    assert s.row.state == "cleared"


@pytest.mark.parametrize(("apart", "clear_for_s"), [(0.01, 0.0), (7.0, 0.0), (1.0, 30.0)])
def test_a_rule_that_flaps_a_thousand_times_makes_no_storm(
    stage: Callable[..., Stage], apart: float, clear_for_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.alerts.log.os.fsync", lambda _: None)
    s = stage(clear_for_s=clear_for_s, quiet_s=60.0)
    notes = [note for n in range(1000) for note in (*s.play(2 * n * apart, bad()), *s.play((2 * n + 1) * apart))]
    assert 1 <= len(notes) <= 2 * 2000 * apart / 60.0 + 2
    assert len(notes) < 60
    assert len(s.alerts.rows()) == 1
    s.play(2001 * apart + 4000)
    last = [*notes, *s.play(2001 * apart + 8000)]
    assert s.row.state == "cleared"
    assert s.row.told == "cleared", "in the end people know how it ended"
    assert last


def test_worse_news_is_told_at_once_and_better_news_waits(stage: Callable[..., Stage]) -> None:
    s = stage(quiet_s=60.0)
    s.play(0, bad())
    assert titles(s.play(1, bad(severity="critical"))) == ["NOW CRITICAL r: run"]
    assert s.play(2, bad()) == []
    assert titles(s.play(61, bad())) == ["ONLY WARNING r: run"]


def test_alerts_of_one_look_are_one_notification(stage: Callable[..., Stage]) -> None:
    s = stage()
    (note,) = s.play(0, *(bad(f"run{n}") for n in range(40)))
    assert note.title == "WARNING r: 40 alerts"
    assert len(note.alert_ids) == 40
    assert "and 10 more: peaktrade alerts list" in next(forms(note, "")).body


def test_findings_of_one_group_are_one_alert_with_the_worst_severity(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.play(0, bad()._replace(run_id="a"), bad(severity="critical")._replace(run_id="b"))
    assert (s.row.severity, s.row.run_id) == ("critical", None)
    assert "2 runs, the worst b" in s.row.message


def test_a_silence_holds_deliveries_back_but_the_alert_is_recorded_and_told_afterwards(
    stage: Callable[..., Stage],
) -> None:
    s = stage()
    s.alerts.silence(by="kim", reason="maintenance", seconds=100, rule_id="r")
    assert s.play(10, bad()) == []
    assert s.row.silenced_by == "kim"
    assert s.row.state == "raised"
    assert s.play(99, bad()) == []
    assert titles(s.play(101, bad())) == ["WARNING r: run"]


def test_what_came_and_went_under_a_silence_is_never_told(stage: Callable[..., Stage]) -> None:
    s = stage()
    made = s.alerts.silence(by="kim", reason="maintenance", seconds=1000, run_id="run")
    s.play(10, bad())
    s.play(20)
    s.alerts.unsilence(made.silence_id, "kim")
    assert s.play(30) == []
    assert titles(s.play(500, bad())) == ["WARNING r: run"]


def test_a_silence_of_one_run_does_not_silence_another(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.alerts.silence(by="kim", reason="x", seconds=100, rule_id="r", run_id="one")
    (note,) = s.play(1, bad("one"), bad("two"))
    assert note.title == "WARNING r: two"


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": " "},
        {"reason": ""},
        {"rule_id": None},
        {"seconds": 0.0},
        {"seconds": 1e9},
        {"seconds": float("nan")},
    ],
)
def test_a_silence_needs_a_name_a_reason_a_target_and_an_end(
    stage: Callable[..., Stage], wrong: dict[str, Any]
) -> None:
    given = {"by": "kim", "reason": "x", "seconds": 60.0, "rule_id": "r"} | wrong
    with pytest.raises(ConfigError):
        stage().alerts.silence(**given)


def test_a_critical_alert_that_nobody_takes_on_escalates_once(stage: Callable[..., Stage]) -> None:
    s = stage(escalate_after_s=300.0, escalate_to=["chief"])
    s.play(0, bad(severity="critical"))
    assert s.play(299, bad(severity="critical")) == []
    (note,) = s.play(300, bad(severity="critical"))
    assert note.channels == ("chief",)
    assert s.row.escalated
    assert s.play(10_000, bad(severity="critical")) == []
    (over,) = s.play(10_001)
    assert over.channels == ("log", "chief"), "who was woken is told that it is over"


def test_an_acknowledgement_stops_escalation_and_reminders_until_it_gets_worse(stage: Callable[..., Stage]) -> None:
    s = stage(escalate_after_s=300.0, escalate_to=["chief"], repeat_s=60.0)
    s.play(0, bad(severity="critical"))
    assert titles(s.play(60, bad(severity="critical"))) == ["STILL CRITICAL r: run"]
    s.alerts.acknowledge(s.row.alert_id[:4], "kim", "on it")
    assert s.play(9999, bad(severity="critical")) == []
    assert (s.row.acknowledged_by, s.row.acknowledge_note) == ("kim", "on it")


def test_who_acknowledged_a_warning_has_not_acknowledged_what_became_critical(stage: Callable[..., Stage]) -> None:
    s = stage(escalate_after_s=300.0, escalate_to=["chief"])
    s.play(0, bad())
    s.alerts.acknowledge(s.row.alert_id, "kim")
    s.play(1000, bad(severity="critical"))
    assert s.row.acknowledged_by is None
    assert s.play(1299, bad(severity="critical")) == []
    assert s.play(1300, bad(severity="critical"))[0].channels == ("chief",)


def test_what_is_cleared_or_unknown_cannot_be_acknowledged(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.play(0, bad())
    s.play(1)
    with pytest.raises(ConfigError, match="cleared"):
        s.alerts.acknowledge(s.row.alert_id, "kim")
    for unknown in ("zzz", ""):
        with pytest.raises(UnknownNameError):
            s.alerts.acknowledge(unknown, "kim")


def test_an_alert_whose_rule_is_gone_is_cleared(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.play(0, bad())
    s.rules = ()
    s.play(100)
    assert (s.row.state, s.row.message) == ("cleared", "its rule is no longer there")


def test_a_rule_that_could_not_be_asked_leaves_its_alerts_open(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.play(0, bad())
    s.log.append(lambda book: judge(s.rules, {}, book, s.holds, at(1000), short_id))
    assert s.row.state == "raised"


def test_a_restart_tells_nobody_twice_and_forgets_nothing(stage: Callable[..., Stage], tmp_path: Path) -> None:
    s = stage()
    (note,) = s.play(0, bad())
    again = Stage(tmp_path)
    assert again.play(1, bad()) == []
    assert list(again.log.book.due) == [(note.seq, "log")]
    done = Delivery(at=at(2), notification=note.seq, channel="log", outcome="delivered")
    again.log.append(lambda _: [done])
    assert Stage(tmp_path).log.refresh().due == {}
    assert Stage(tmp_path).row.deliveries == {"log": "delivered"}


def test_a_torn_last_line_is_cut_off_and_a_broken_one_in_between_is_counted(tmp_path: Path) -> None:
    s = Stage(tmp_path)
    s.play(0, bad("one"))
    with s.log.path.open("ab") as file:
        file.write(b'{"type":"cleared","alert')
    assert len(Stage(tmp_path).alerts.rows()) == 1
    Stage(tmp_path).play(1, bad("one"), bad("two"))
    assert len(Stage(tmp_path).alerts.rows()) == 2
    lines = s.log.path.read_bytes().splitlines()
    lines[1:1] = [b"\xff\xfe broken", b"[1]", b"{}"]
    s.log.path.write_bytes(b"\n".join(lines) + b"\n")
    fresh = AlertLog(s.log.path)
    assert len(fresh.refresh().alerts) == 2
    assert fresh.faults == 3


def test_a_log_that_was_taken_away_is_empty_and_one_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    s = Stage(tmp_path)
    s.play(0, bad())
    s.log.path.unlink()
    assert s.alerts.rows() == []
    s.log.path.mkdir()
    with pytest.raises(EnvironmentFault, match=r"alerts\.jsonl"):
        s.alerts.rows()


def test_changes_of_several_writers_have_numbers_without_gaps(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def write(n: int) -> None:
        log = AlertLog(tmp_path / "alerts.jsonl")
        for i in range(25):
            silence = Silenced(at=T0, silence_id=f"{n}-{i}", until=at(1), by="x", reason="y", rule_id="r")
            log.append(lambda _, silence=silence: [silence])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    log = AlertLog(tmp_path / "alerts.jsonl")
    assert len(log.refresh().silences) == 100
    assert log.book.next_seq == 100


def test_a_run_has_its_alerts_beside_its_journal_each_once(stage: Callable[..., Stage], tmp_path: Path) -> None:
    s = stage()
    s.play(0, bad())
    s.play(100)
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    (run / "alerts.jsonl").write_bytes(b'{"rule_id": "torn')
    for _ in range(3):
        note_in_runs(s.log.book.moves, s.log.book, lambda name: run if name == "run" else None)
    import json

    lines = (run / "alerts.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines[1:]]
    assert [t["state"] for t in told] == ["raised", "cleared"]
    assert {"rule_id", "severity", "message", "run_id", "timestamp"} <= set(told[0])
    assert datetime.fromisoformat(told[0]["timestamp"]) == T0


def test_of_ten_who_take_an_alert_on_at_once_one_has_it_and_the_others_hear_who(
    stage: Callable[..., Stage], tmp_path: Path
) -> None:
    s = stage()
    s.play(0, bad(severity="critical"))
    (alert,) = s.alerts.rows()
    start = threading.Barrier(10)

    def take(n: int) -> str:
        desk = Alerts(AlertLog(tmp_path / "alerts.jsonl"), FixedClock(at(n)), lambda: pytest.fail("no engine here"))
        start.wait()
        try:
            return str(desk.acknowledge(alert.alert_id, f"person{n}").acknowledged_by)
        except ConfigError as refused:
            return str(refused)

    with ThreadPoolExecutor(10) as pool:
        said = list(pool.map(take, range(10)))
    owner = str(s.row.acknowledged_by)
    assert [answer for answer in said if answer.startswith("person")] == [owner]
    assert sum(f"alert {alert.alert_id} is taken on by {owner} since" in answer for answer in said) == 9
    assert s.alerts.acknowledge(alert.alert_id, owner, "on it").acknowledge_note == "on it"
    assert s.alerts.acknowledge(alert.alert_id, "relief", take_over=True).acknowledged_by == "relief"


def test_a_clock_that_was_ahead_holds_nothing_up(stage: Callable[..., Stage]) -> None:
    """What was written ahead of time: silences do not hold, reminders and escalations come."""
    day = 86_400.0
    s = stage(repeat_s=60.0, escalate_after_s=300.0, escalate_to=("chief",), for_s=5.0)
    s.alerts = Alerts(s.log, FixedClock(at(3 * day)), lambda: pytest.fail("no engine here"))
    s.alerts.silence(by="kim", reason="x", seconds=3600, rule_id="r")
    s.alerts = Alerts(s.log, FixedClock(at(0)), lambda: pytest.fail("no engine here"))
    assert s.alerts.silences() == []
    assert s.play(3 * day, bad(severity="critical")) == []
    assert s.play(0, bad(severity="critical")) == []
    assert titles(s.play(6, bad(severity="critical"))) == ["CRITICAL r: run"]
    s.play(2 * day, bad("other", "critical"))
    assert titles(s.play(2 * day + 6, bad("other", "critical"))) == ["CRITICAL r: other"]
    assert "ESCALATED CRITICAL r: other" in titles(s.play(20, bad("other", "critical"), bad(severity="critical")))


def test_threads_that_read_the_log_at_once_take_each_change_once(tmp_path: Path) -> None:
    """The dashboard's readers share one log: two that found news at the same moment took it twice, and missed what came next."""
    s = Stage(tmp_path)
    log = AlertLog(s.log.path)
    s.play(0, bad("one"))
    meet, decode = threading.Barrier(2), log._decode

    def slowly(line: bytes) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            meet.wait(0.3)  # both have read the file by now, unless one waits for the other
        return decode(line)

    log._decode = slowly
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: log.refresh(), range(2)))
    log._decode = decode
    s.play(1, bad("one"), bad("two"), bad("three"))
    rows = log.refresh().alerts.values()
    assert [(row.key, row.count) for row in rows] == [("one", 1), ("two", 1), ("three", 1)]
    assert log.faults == 0


def test_what_a_reader_was_given_does_not_change_while_it_is_read(tmp_path: Path) -> None:
    s = Stage(tmp_path)
    s.play(0, bad("one"))
    log = AlertLog(s.log.path)
    given = log.refresh()
    s.play(1, bad("one"), bad("two"))
    assert len(log.refresh().alerts) == 2
    assert len(given.alerts) == 1
