"""Safe stop: with real processes, one of which does not obey; what it says afterwards is true."""

from __future__ import annotations

import os
import signal
import tarfile
from collections.abc import Callable

import pytest

from peaktrade_core.base.errors import ConfigError, SessionNotFoundError
from peaktrade_core.base.question import FAIL, PASS, WARN
from peaktrade_core.desk.safe_stop import SAVED, running_table
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.stopping import order_checks, over_checks
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.views import Views
from peaktrade_core.venue.orders import VenueOrder, VenueOrders
from peaktrade_core.workspace.workspace import Workspace


def statuses(workspace: Workspace, runs: list[str]) -> dict[str, str]:
    return {one.id: one.status for one in over_checks(workspace, runs)}


def freeze(workspace: Workspace, run_id: str) -> None:
    os.kill(RunFolder(workspace.runs, run_id).owner().pid, signal.SIGSTOP)


def test_showing_touches_nothing_and_a_stop_ends_all_and_proves_it(workspace, launch: Callable, headless) -> None:
    runs = [launch(), launch(strategy="rsi_reversion")]
    outcome, evidence = headless("safe_stop")
    assert evidence.step("stop") is None
    assert outcome.outcome == "passed"
    assert all(Views.of(workspace).run(run).alive for run in runs)
    assert all(run in repr(running_table(workspace)) for run in runs)

    outcome, evidence = headless("safe_stop", action="stop", reason="end of shift")
    assert outcome.outcome == "passed"
    assert [step.id for step in evidence.steps] == ["stop", "verified", "open_orders", "saved"]
    for run in runs:
        record = Views.of(workspace).record(run)
        assert (record.status, record.error) == ("aborted", "Stopped: Ada: end of shift")
    (artefact,) = evidence.artefacts
    with tarfile.open(workspace.home / artefact.path) as saved:
        names = saved.getnames()
    assert artefact.path.startswith(SAVED.as_posix())
    assert "logs/operations.log" in names
    assert sum(name.endswith("events.jsonl") for name in names) == 2


def test_what_does_not_obey_is_seen_and_the_emergency_way_ends_it(workspace, launch: Callable, begin) -> None:
    run = launch()
    freeze(workspace, run)
    assert statuses(workspace, [run])["processes"] == FAIL
    assert statuses(workspace, [])["others"] == WARN
    runbook = begin("safe_stop", action="emergency", reason="it hangs", answers="incident = yes: INC-9")
    said = repr(runbook.stop())
    assert runbook.round.record.step("asked_first").status == WARN  # nobody had asked it before
    assert "✓ gone" in said
    ended = runbook.round.record.step("emergency").result
    assert "killed, as was asked for" in ended
    assert ", closed " in ended or ", nothing was open" in ended
    runbook.over()
    assert {one.id: one.status for one in runbook.round.record.step("verified").checks} == {
        "processes": PASS,
        "others": PASS,
        "records": PASS,
        "journals": WARN,  # it was killed, so its journal has no end
        "restarts": PASS,
    }
    runbook.incident()
    assert "files in reports/archive/stops" in repr(runbook.save())
    assert runbook.finish().record.outcome == "warned"
    assert "Ada asked it to stop (it hangs)" in Views.of(workspace).record(run).error


def test_an_emergency_without_its_incident_is_not_finished(workspace, launch: Callable, begin) -> None:
    run = launch()
    runbook = begin("safe_stop", action="emergency", reason="it hangs")
    runbook.stop()
    assert "speaks for it" not in repr(runbook.incident().table())
    (workspace.reports / "incidents").mkdir()
    (workspace.reports / "incidents" / "INC-1.md").write_text(f"about {run}")
    assert "speaks for it" in repr(runbook.incident().table())
    assert runbook.finish().record.outcome == "incomplete"
    assert not Fleet.of(workspace).active()


def test_in_one_execution_an_emergency_can_follow_a_stop_that_is_done(workspace, launch: Callable, begin) -> None:
    first = launch()
    runbook = begin("safe_stop", action="stop", reason="shift")
    for _ in range(2):  # run the cell again: nothing new
        runbook.stop()
        assert runbook.chosen == (first,)
    second = launch()
    runbook.stop()
    assert runbook.chosen == tuple(sorted((first, second)))
    assert [step.id for step in runbook.round.record.steps] == ["stop", "stop_2"]
    assert not Fleet.of(workspace).active()


def test_a_run_that_ended_before_is_no_fault_and_an_unknown_one_is(workspace, run_shadow, begin) -> None:
    record = run_shadow(steps=50)
    stopping = begin("safe_stop", action="stop", run_id=record.session_id, reason="late")
    stopping.stop()
    assert stopping.chosen == (record.session_id,)
    assert set(statuses(workspace, [record.session_id]).values()) == {PASS}
    with pytest.raises(SessionNotFoundError, match="no run 'nobody'"):
        begin("safe_stop", action="stop", run_id="nobody", reason="late").stop()


@pytest.mark.parametrize("action", ["stop", "emergency"])
def test_nothing_ends_without_a_reason(workspace, launch: Callable, begin, action) -> None:
    run = launch()
    with pytest.raises(ConfigError, match="needs a reason"):
        begin("safe_stop", action=action, reason="  ").stop()
    assert Views.of(workspace).run(run).alive


def test_with_nothing_running_a_stop_says_so(begin) -> None:
    runbook = begin("safe_stop", action="stop", reason="to be sure")
    assert "Nothing ran." in repr(runbook.stop())
    runbook.over()
    assert runbook.finish().record.outcome == "passed"


def test_a_journal_that_was_cut_short_is_told(workspace, run_shadow) -> None:
    record = run_shadow(steps=60)
    journal = RunFolder(workspace.runs, record.session_id).journal
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert statuses(workspace, [record.session_id])["journals"] == WARN


def test_in_testnet_the_venue_must_be_looked_at_when_it_cannot_be_asked(workspace, monkeypatch) -> None:
    found = {one.id: one for one in order_checks(workspace, [])}
    assert found["orders_venue"].status == PASS
    assert "only shadow ran" in found["orders_venue"].evidence
    row = type("Row", (), {"mode": "testnet"})
    monkeypatch.setattr(Views.of(workspace), "run", lambda _: row)
    found = {one.id: one for one in order_checks(workspace, ["testnet_x"])}
    assert (found["orders_venue"].status, "not asked" in found["orders_venue"].evidence) == (WARN, True)


def test_an_interrupted_stop_is_taken_up_and_still_knows_what_it_ended(workspace, launch: Callable, begin) -> None:
    run = launch()
    runbook = begin("safe_stop", action="stop", reason="shift")
    runbook.stop()  # here the kernel is killed
    again = begin("safe_stop", resume=runbook.round.id, action="stop", reason="shift")
    again.stop()
    assert again.chosen == (run,)
    assert [step.id for step in again.round.record.steps] == ["stop"]
    again.over()
    assert again.finish().record.outcome == "passed"


def test_a_broken_configuration_keeps_nothing_running(workspace, home, launch: Callable, peaktrade, headless) -> None:
    first, second = launch(), launch(strategy="rsi_reversion")
    (home / "config" / "config.toml").write_text("[fleet]\nmax_runs = 'many'\n")
    assert peaktrade("fleet", "stop", "--run-id", first, "--reason", "broken").code == 0
    assert headless("kill_switch", action="engage", reason="broken")[0].outcome == "warned"
    outcome, evidence = headless("safe_stop", action="stop", reason="broken", answers="orders_looked_at = yes")
    assert outcome.status == "completed"
    assert evidence.step("verified").status == PASS
    assert "max_runs" in evidence.step("open_orders").checks[1].evidence  # the venue cannot be asked, which is said
    assert {Views.of(workspace).run(run).state for run in (first, second)} == {"aborted"}


def test_an_order_that_is_open_at_the_venue_is_a_failure(workspace, run_shadow, monkeypatch) -> None:
    there = VenueOrder(order_id="O1", symbol="BTC/EUR", side="buy", qty=0.1, price=None, at=None)
    told = VenueOrders(venue="kraken", told="1 open", orders=[there])
    monkeypatch.setattr("peaktrade_core.fleet.stopping.venue_orders", lambda _: told)
    found = {one.id: one for one in order_checks(workspace, [run_shadow(steps=30).session_id])}
    assert (found["orders_venue"].status, found["orders_venue"].evidence) == (FAIL, "kraken: 1 open")
