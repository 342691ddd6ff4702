"""The drill log, a bad operator, the command, and what was never exercised."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from drill_rig import drilled

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ArtefactError, ConfigError, UnknownNameError
from peaktrade_core.drills.coverage import EXERCISED, NOT_EXERCISED, UNKNOWN, Coverage, coverage
from peaktrade_core.drills.drill import BROKEN_OFF, RUNNING
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging import run as drill_run
from peaktrade_core.drills.staging.run import rescore, run_drill
from peaktrade_core.workspace.workspace import Workspace, open_site

QUICK = "disconnect"


def book_of(workspace: Workspace) -> DrillBook:
    return DrillBook(workspace.home, workspace.clock)


def status(found: Coverage, name: str) -> str:
    return next(row.status for row in found.rows if row.name == name)


def test_a_bad_operator_fails_and_it_says_why(workspace: Workspace) -> None:
    done = drilled(workspace, QUICK, "bad")
    assert done.score is not None
    assert not done.score.passed
    assert {text.partition(" by ")[0] for text in done.score.wrong} == {"silence", "wrong diagnosis"}
    assert [a.what for a in done.actions] == ["silence", "kill_switch", "incident"]
    assert done.score.phase("mitigation").took_s is None
    page = book_of(workspace).page(done.drill_id).read_text()
    assert "Wrong: silence by Anna Example: error-spike: too noisy" in page
    assert "not passed with 0 of 100 points" in page


def test_who_lets_a_halted_session_go_does_harm(workspace: Workspace) -> None:
    done = drilled(workspace, "bad_key", "bad")
    assert done.score is not None
    assert [text.partition(" by ")[0] for text in done.score.wrong] == ["silence", "wrong diagnosis", "resume"]
    assert done.session_status == "failed"


def test_a_drill_is_logged_chained_and_can_be_judged_again(workspace: Workspace) -> None:
    done = drilled(workspace, QUICK)
    book = book_of(workspace)
    assert book.load("latest") == done
    assert rescore(workspace, done).score == done.score
    assert (
        f"drill {done.drill_id} disconnect 100 points by Anna Example"
        in (workspace.home / "logs" / "operations.log").read_text()
    )
    noted = book.note(done.drill_id, "look at the console\nfirst")
    assert noted.lessons == "look at the console first"
    with ThreadPoolExecutor(4) as pool:  # two people in two terminals
        list(pool.map(lambda n: book_of(workspace).note(done.drill_id, f"lesson {n}"), range(4)))
    lessons = book.load(done.drill_id).lessons.split(" · ")
    assert (lessons[0], sorted(lessons[1:])) == ("look at the console first", [f"lesson {n}" for n in range(4)])
    assert book.verify().status == "pass"
    site = open_site(workspace.home / done.workspace)
    Alerts.of(site).silence(by="somebody later", reason="cheating", seconds=60.0, rule_id="error-spike")
    assert rescore(workspace, done).score != done.score
    path = book.path(done.drill_id)
    path.write_bytes(path.read_bytes().replace(b'"points": 100.0', b'"points": 101.0'))
    assert book.verify().status == "fail"
    assert done.drill_id in book.verify().evidence


def test_a_record_that_cannot_be_read_is_told_and_hides_no_other(workspace: Workspace) -> None:
    book = book_of(workspace)
    scenario = find_scenario(workspace.home, QUICK)
    first, second = (book.finish(book.begin(scenario, operator="Anna Example")) for _ in range(2))
    book.path(first.drill_id).write_text('{"drill_id": "DRI')
    rows, faults = book.rows()
    assert [row.drill_id for row in rows] == [second.drill_id]
    assert len(faults) == 1
    with pytest.raises(ArtefactError, match="no record of a drill"):
        book.load(first.drill_id)
    for wrong in ("DRILL-1", "../../etc", "DRILL-20260101-99"):
        with pytest.raises(UnknownNameError):
            book.load(wrong)
    found = coverage(workspace)
    assert found.faults
    assert {row.status for row in found.rows if row.name != QUICK} == {UNKNOWN}


def test_bad_input_is_refused_before_anything_runs(workspace: Workspace) -> None:
    scenario = find_scenario(workspace.home, QUICK)
    with pytest.raises(ConfigError, match="needs the name"):
        run_drill(workspace, scenario, operator="  ", script="good")
    with pytest.raises(UnknownNameError, match="unknown role 'boss'"):
        run_drill(workspace, scenario, operator="Anna", role="boss", script="good")
    with pytest.raises(UnknownNameError, match="unknown script 'lazy'; known: good, bad"):
        run_drill(workspace, scenario, operator="Anna", script="lazy")
    assert book_of(workspace).ids() == []


def test_a_drill_that_breaks_says_so_in_its_record(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(drill_run, "make_site", broken)
    with pytest.raises(KeyboardInterrupt):
        drilled(workspace, QUICK)
    book = book_of(workspace)
    (drill_id,) = book.ids()
    assert (book.load(drill_id).status, book.load(drill_id).score) == (BROKEN_OFF, None)
    started = book.begin(find_scenario(workspace.home, QUICK), operator="Anna Example")
    assert book.load(started.drill_id).status == RUNNING  # and a killed process leaves that
    with pytest.raises(ConfigError, match="still running"):
        book.note(started.drill_id, "nothing")


def test_coverage_says_what_was_exercised_and_forgets_it_after_its_time(
    workspace: Workspace, run_shadow: Callable[..., Any]
) -> None:
    before = coverage(workspace)
    assert {row.status for row in before.rows} == {NOT_EXERCISED}
    done = drilled(workspace, QUICK)
    run_shadow(seed=4, steps=200, params={"fast": 2, "slow": 5}, position_fraction=0.5)
    found = coverage(workspace)
    assert [status(found, name) for name in ("error-spike", "failed-session", "MAX_ORDER_NOTIONAL")] == [EXERCISED] * 3
    assert [status(found, name) for name in ("pnl-drop", "STALE_PRICE", "post_session_check")] == [NOT_EXERCISED] * 3
    assert status(found, QUICK) == NOT_EXERCISED  # a script is nobody's hands
    book = book_of(workspace)
    book.save(msgspec.structs.replace(done, script=""))
    assert status(coverage(workspace), QUICK) == EXERCISED
    workspace.clock = FixedClock(workspace.clock.now() + timedelta(days=91))
    later = coverage(workspace)
    assert {row.status for row in later.rows} == {NOT_EXERCISED}


def test_the_command(workspace: Workspace, peaktrade: Callable[..., Any]) -> None:
    listed = peaktrade("drill", "list")
    assert (listed.code, len(re.findall("never", listed.stdout))) == (0, 12)
    ran = peaktrade("drill", "run", QUICK, "--scripted", "--operator", "Anna Example", "--json")
    assert (ran.code, ran.stderr) == (0, "")
    drill_id = json.loads(ran.stdout)["drill_id"]
    again = peaktrade("drill", "score", drill_id)
    assert (again.code, again.stderr) == (0, "")
    assert "100 of 100 points" in again.stdout
    assert peaktrade("drill", "note", drill_id, "practise more").code == 0
    log = peaktrade("drill", "log")
    assert (log.code, "practise more" in log.stdout) == (0, True)
    covered = json.loads(peaktrade("drill", "coverage", "--json").stdout)
    assert {row["name"] for row in covered["rows"] if row["status"] == "exercised"} >= {"error-spike", "failed-session"}
    unknown = peaktrade("drill", "run", "flood")
    assert (unknown.code, unknown.stderr.count("\n")) == (2, 1)
    path = book_of(workspace).path(drill_id)
    path.write_bytes(path.read_bytes().replace(b"practise more", b"practise less"))
    tampered = peaktrade("drill", "log")
    assert (tampered.code, "Restore the record" in tampered.stderr) == (1, True)


def test_a_drill_tells_nobody_outside(workspace: Workspace, home: Path) -> None:
    shipped = (Path(__file__).parents[2] / "config" / "alerts.toml").read_text()
    (home / "config" / "alerts.toml").write_text(
        shipped.replace('["log", "console"]', '["log", "desk"]')
        + '\n[channels.desk]\nurl = "json://127.0.0.1:1/desk"\n'
    )
    done = drilled(workspace, QUICK)
    site = open_site(workspace.home / done.workspace)
    assert set(AlertEngine(site, Alerts.of(site).log).settings.channels) == {"log"}
    assert {channel for row in Alerts.of(site).rows() for channel in row.deliveries} <= {"log"}
