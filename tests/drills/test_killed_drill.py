"""A drill whose process is killed: closed as aborted by whoever looks next, with all that was done, and nothing lingers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.processes import Presence, exists
from peaktrade_core.drills import recovery as drill_recovery
from peaktrade_core.drills.coverage import EXERCISED, coverage
from peaktrade_core.drills.drill import ABORTED, DONE, RUNNING, Drill
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import rescore
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.workspace.workspace import Workspace, open_site
from tests.conftest import until

BESIDE = (
    '\n[[fault]]\nkind = "crash"\nafter_s = 7200.0\n'  # a session in a process of its own, which does not die in time
)
SCENARIO = """title = "The venue says that we ask too often"
story = "A session runs."
[session]
feed = "{feed}"
steps = 4000
[[fault]]
kind = "rate_limit"
[expect]
alerts = ["error-spike"]
diagnosis = ["rate_limit"]
severity = "medium"
mitigation = ["keep"]
runbook = "incident_exchange_error"
"""


def book_of(workspace: Workspace) -> DrillBook:
    return DrillBook(workspace.home, workspace.clock)


def running(workspace: Workspace, start: Callable[..., Any], *, beside: bool) -> tuple[Any, Drill]:
    """Start a drill with a person and return its process and record, once its session runs and a fault was injected."""
    scenario = SCENARIO.format(feed="synthetic" if beside else "exchange") + (BESIDE if beside else "")
    path = workspace.home / "config" / "drills" / "mine.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(scenario)
    process = start("drill", "run", "mine", "--operator", "Anna Example")
    book = book_of(workspace)
    until(lambda: book.unended() and book.load("latest").faults)
    drill = book.load("latest")
    until(RunFolder(open_site(book.site(drill)).runs, drill.session_id).alive)
    return process, drill


@pytest.mark.parametrize("beside", [False, True], ids=["in its thread", "in a process of its own"])
def test_a_killed_drill_is_aborted_with_all_that_was_done_and_nothing_lingers(
    workspace: Workspace, start: Callable[..., Any], peaktrade: Callable[..., Any], beside: bool
) -> None:
    process, drill = running(workspace, start, beside=beside)
    book, site = book_of(workspace), open_site(workspace.home / drill.workspace)
    folder = RunFolder(site.runs, drill.session_id)
    owner = folder.owner()
    assert owner is not None
    TradingStates.of(site).set(
        "shadow.ma_crossover.BTC/EUR", "REDUCING", by="Anna", reason="to be sure", now=site.clock.now()
    )
    assert peaktrade("drill", "log").stdout.count(RUNNING) == 1  # whoever looks leaves a living one alone
    process.kill()
    process.wait()
    assert book.load(drill.drill_id).status == RUNNING  # its own process can say nothing any more

    log = peaktrade("drill", "log")
    assert (log.code, log.stderr) == (0, "")
    assert f"{drill.drill_id} aborted: its process was killed" in log.stdout
    assert "`peaktrade drill run mine`" in log.stdout
    closed = book.load(drill.drill_id)
    assert (closed.status, closed.score, closed.session_status) == (ABORTED, None, "aborted")
    assert (drill_recovery.GONE if beside else "ProcessDied") in closed.session_error  # beside it, it was asked to stop
    assert [fault.what for fault in closed.faults] == ["rate_limit"]
    assert [(one.what, one.by) for one in closed.actions] == [("reduce", "Anna")]
    assert closed.ended_at is not None
    assert not folder.alive()
    until(lambda: not exists(owner))  # it let go of its folder; the rest of its end takes a moment
    assert Views.of(site).record(drill.session_id).status != "started"
    assert folder.journal.is_file()

    again = peaktrade("drill", "score", drill.drill_id)
    assert (again.code, again.stderr) == (1, "")
    assert "was aborted: its process was killed" in again.stdout
    assert peaktrade("drill", "note", drill.drill_id, "keep the terminal open").code == 0
    assert book.verify().status == "pass"
    assert EXERCISED not in {row.status for row in coverage(workspace).rows}
    page = book.page(drill.drill_id).read_text()
    assert "begin it again with `peaktrade drill run mine`" in page
    assert {path.name for path in book.path(drill.drill_id).parent.iterdir()} == {"drill.json", "drill.md", "workspace"}
    lines = (workspace.home / "logs" / "operations.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines if " drill " in line] == [
        f"drill {drill.drill_id} mine aborted by Anna Example"
    ]


def test_a_killed_script_is_aborted_too(
    workspace: Workspace, start: Callable[..., Any], peaktrade: Callable[..., Any]
) -> None:
    process = start("drill", "run", "disconnect", "--scripted", "--operator", "Anna Example")
    book = book_of(workspace)
    until(lambda: book.unended() and book.load("latest").faults)
    process.kill()
    process.wait()
    recover(workspace)
    closed = book.load("latest")
    assert closed.status == ABORTED
    assert closed.session_status in ("aborted", "failed")  # the silence may have ended it before the kill
    assert json.loads(peaktrade("drill", "log", "--json").stdout)["drills"][0]["status"] == ABORTED
    report = read("drill_report", workspace)
    for table in (report.log(), report.phases()):
        assert ABORTED in repr(table)
    assert rescore(workspace, closed).score == closed.score


def dead(workspace: Workspace) -> Drill:
    """Return a drill as a process leaves it that was killed at once."""
    book = book_of(workspace)
    drill = book.begin(find_scenario(workspace.home, "disconnect"), operator="Anna Example")
    del book  # and with it goes the lock, as with a process
    return drill


def test_the_notebook_of_a_drill_that_was_killed_says_what_to_do(workspace: Workspace) -> None:
    drill = dead(workspace)
    runbook = begin("drill", workspace, operator="Anna Example", drilled="person")
    runbook.act("drill", "Begin the drill", lambda: f"{drill.drill_id}: it runs")
    runbook.ended()
    (ended,) = runbook.round.record.step("ended").checks
    assert (ended.status, ended.evidence) == ("warn", ABORTED)
    assert "begin it again" in ended.next_step


def test_what_a_kill_left_half_written_hides_nothing(workspace: Workspace) -> None:
    drill, book = dead(workspace), book_of(workspace)
    (book.site(drill) / "logs").mkdir(parents=True)
    site = open_site(book.site(drill))
    log = book.site(drill) / "logs" / "operations.log"
    log.write_text("2026-01-05T08:002026-01-05T08:00:00+00:00 trading-state shadow ACTIVE -> HALTED by Ben: torn\n")
    TradingStates.of(site).set(
        "shadow.ma_crossover.BTC/EUR", "REDUCING", by="Anna", reason="to be sure", now=site.clock.now()
    )
    recover(workspace)
    closed = book.load(drill.drill_id)
    assert (closed.status, [one.by for one in closed.actions]) == (ABORTED, ["Anna"])


def test_it_is_closed_once_and_only_on_its_own_machine(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    drill, book = dead(workspace), book_of(workspace)
    note = book.path(drill.drill_id).with_name("process.json")
    own = note.read_text()
    note.write_text(json.dumps({**json.loads(own), "host": "elsewhere"}))
    recover(workspace)
    assert book.load(drill.drill_id).status == RUNNING  # only that machine can know
    note.write_text(own)
    monkeypatch.setattr(drill_recovery, "so_far", _full_disk)
    recover(workspace)
    assert book.load(drill.drill_id).status == RUNNING  # later, then
    monkeypatch.undo()
    recover(workspace)
    first = book.load(drill.drill_id)
    recover(workspace)
    assert (first.status, book.load(drill.drill_id)) == (ABORTED, first)
    assert book.unended() == []


def _full_disk(*_: object) -> Drill:
    raise EnvironmentFault("no space left")


def test_a_drill_that_runs_here_is_left_alone(workspace: Workspace) -> None:
    book = book_of(workspace)
    drill = book.begin(find_scenario(workspace.home, "disconnect"), operator="Anna Example")
    recover(workspace)
    assert book.load(drill.drill_id).status == RUNNING
    assert book.finish(drill).status == DONE


def test_one_process_at_a_time_is_present(tmp_path: Path) -> None:
    first, second = Presence(tmp_path), Presence(tmp_path)
    first.enter()
    with pytest.raises(EnvironmentFault, match="another process is at work there"):
        second.enter()
    assert not second.inherit()
    first.leave()
    assert list(tmp_path.iterdir()) == []
    assert second.inherit()
