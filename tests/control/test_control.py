"""Control center, routine and audit snapshot: they say what is so, what is due, and what is not known."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from peaktrade_core.base.question import check
from peaktrade_core.control.audit.page import snapshot_markdown
from peaktrade_core.control.control import control_center, operator_output
from peaktrade_core.control.live_lock import audit_snapshot, lock_checks
from peaktrade_core.control.routine import routine
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.venue import brokers
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]


def duties(workspace: Workspace) -> dict[str, str]:
    return {duty.id: duty.status for duty in routine(workspace)}


def leave(workspace: Workspace, runbook: str, subject: str = "", *, rehearsal: bool = False) -> str:
    """Leave evidence of a finished runbook."""
    book = EvidenceBook(workspace.home, workspace.clock, rehearsal=rehearsal)
    round_ = book.begin(runbook, runbook, operator="Ada", subject=subject)
    round_.check("one", "One", [check("one", "Good?", True, "yes", "")])
    return round_.finish().evidence_id


def test_an_idle_day_asks_for_little(workspace: Workspace) -> None:
    found = duties(workspace)
    assert [name for name, status in found.items() if status == "pass"] == [
        "pre_session_check",
        "monitoring_round",
        "post_session_check",
        "unfinished",
        "unacknowledged",
    ]
    assert set(found.values()) == {"pass", "warn"}


def test_duties_are_done_when_their_evidence_is_there(workspace: Workspace, run_shadow: Shadow) -> None:
    leave(workspace, "pre_session_check")
    record = run_shadow(seed=1, steps=20)
    assert duties(workspace)["pre_session_check"] == "pass"
    assert duties(workspace)["post_session_check"] == "warn"
    leave(workspace, "post_session_check", "shadow_other")
    assert duties(workspace)["post_session_check"] == "warn"
    leave(workspace, "post_session_check", record.session_id)
    leave(workspace, "health_check")
    leave(workspace, "drill")
    found = duties(workspace)
    assert {found[name] for name in ("post_session_check", "health_check", "drill")} == {"pass"}


def test_a_session_without_a_look_before_it_is_a_missed_duty(workspace: Workspace, run_shadow: Shadow) -> None:
    run_shadow(seed=1, steps=20)
    leave(workspace, "pre_session_check")
    assert duties(workspace)["pre_session_check"] == "fail"


def test_rehearsals_and_changed_evidence_are_no_evidence(workspace: Workspace) -> None:
    leave(workspace, "health_check", rehearsal=True)
    assert duties(workspace)["health_check"] == "warn"
    name = leave(workspace, "health_check")
    assert duties(workspace)["health_check"] == "pass"
    path = EvidenceBook.of(workspace).folder / f"{name}.json"
    path.write_text(path.read_text().replace('"yes"', '"no"'))
    assert duties(workspace)["health_check"] == "warn"


def test_a_report_that_failed_is_a_missed_duty_until_it_is_made(workspace: Workspace) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    folder = workspace.reports / "daily"
    folder.mkdir(parents=True)
    (folder / f"{yesterday}_failed.html").write_text("")
    assert duties(workspace)["daily_report"] == "fail"
    (folder / f"{yesterday}.html").write_text("")
    assert duties(workspace)["daily_report"] == "pass"


def test_a_routine_that_cannot_be_read_says_so(workspace: Workspace) -> None:
    EvidenceBook.of(workspace).folder.mkdir(parents=True)
    EvidenceBook.of(workspace).chain.path.write_text("scribble\n")
    (duty,) = routine(workspace)
    assert (duty.status, "no link of the chain" in duty.evidence) == ("fail", True)
    center = control_center(workspace)
    assert "no link of the chain" in center.fault
    assert "no link of the chain" in operator_output(center)


def test_operator_output_names_layers_gates_evidence_and_the_decision(workspace: Workspace) -> None:
    name = leave(workspace, "health_check")
    said = operator_output(control_center(workspace))
    assert [f"L{n} " in said for n in range(7)] == [True] * 7
    assert f"New evidence yes, 1: {name}" in said
    assert "decision: monitor" in said
    assert "symptom" not in said
    assert "in Berlin" in said


def test_a_halt_is_escalated_with_symptom_cause_and_next_step(workspace: Workspace) -> None:
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="smoke", now=datetime.now(UTC))
    center = control_center(workspace)
    said = operator_output(center)
    assert (center.whole.status, center.decision) == ("fail", "escalate to the owner")
    assert "symptom:   May everything be traded? global HALTED by ada: smoke" in said
    assert "cause:" in said


def test_the_command_prints_it_and_fails_when_something_did(workspace: Workspace, peaktrade) -> None:
    assert peaktrade("control").stdout.startswith("Operator output ")
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="smoke", now=datetime.now(UTC))
    ended = peaktrade("control", "--json")
    told = json.loads(ended.stdout)
    assert (ended.code, told["decision"]) == (1, "escalate to the owner")
    assert [layer["code"] for layer in told["layers"]] == [f"L{n}" for n in range(7)]
    assert {"id", "question", "evidence", "status", "text", "next_step"} == set(told["layers"][0]["findings"][0])


def test_live_is_locked_and_each_way_was_tried(workspace: Workspace) -> None:
    found = {one.id: one.status for one in lock_checks(workspace)}
    assert len(found) == 8
    assert set(found.values()) == {"pass"}
    assert audit_snapshot(workspace).verdict == "LOCKED"


def test_a_broker_that_would_place_orders_is_found_out(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof can fail: each lock that is taken away shows."""
    monkeypatch.setitem(brokers.SANDBOXES, "krakenfutures", ("demo-futures.kraken.com", "futures.kraken.com"))
    monkeypatch.setattr(VenueClient, "order_hosts", property(lambda client: client.hosts))
    found = {one.id: one.status for one in lock_checks(workspace)}
    assert found["demo_only"] == "fail"

    def submit(self: brokers.ValidatingBroker, order: object) -> object:
        raw = self._client.order("create_order", "BTC/EUR", "market", "buy", 1.0, None, {})
        return brokers.OrderAnswer(accepted=True, message="placed", raw=raw)

    monkeypatch.setattr(brokers.ValidatingBroker, "submit", submit)
    assert {one.id: one.status for one in lock_checks(workspace)}["validate_only"] == "fail"
    snapshot = audit_snapshot(workspace)
    assert snapshot.verdict == "NOT PROVEN"
    assert [told.split(":")[0] for told in snapshot.contrary] == ["validate_only", "demo_only"]
    headline = snapshot_markdown(snapshot).splitlines()[2]
    assert headline.startswith(
        "**Live: NOT PROVEN.** 2 against it or not shown: validate_only: an order goes out with {}"
    )


def test_a_snapshot_that_is_locked_still_names_what_speaks_against_it(workspace: Workspace, run_shadow: Shadow) -> None:
    done = run_shadow(seed=1, steps=20)
    assert "Nothing speaks against it" in snapshot_markdown(audit_snapshot(workspace))
    folder = workspace.runs / done.session_id
    (folder / "events.jsonl").write_bytes((folder / "events.jsonl").read_bytes()[:-40])
    told = snapshot_markdown(audit_snapshot(Workspace(workspace.home))).splitlines()[2]
    assert told.startswith("**Live: NOT PROVEN.** 1 against it or not shown: journals:")


def test_keys_of_production_and_live_records_warn(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_KEY", "a-secret-value")
    found = next(one for one in lock_checks(workspace, brokers=False) if one.id == "keys")
    assert (found.status, "a-secret-value" in found.evidence) == ("warn", False)


def test_the_snapshot_is_the_same_but_for_its_time(workspace: Workspace, run_shadow: Shadow, peaktrade) -> None:
    run_shadow(seed=1, steps=20)
    ended = peaktrade("audit", "snapshot")
    assert (ended.code, "live: LOCKED" in ended.stdout) == (0, True)
    path = workspace.home / "out" / "operator_dashboard" / "live_audit_snapshot.json"
    first = json.loads(path.read_text())
    assert "Nothing speaks against it: 8 ways tried" in ended.stdout
    assert "**Live: LOCKED.** Nothing speaks against it" in path.with_suffix(".md").read_text()
    second = json.loads(peaktrade("audit", "snapshot", "--json").stdout)
    timeless = [{k: v for k, v in told.items() if not k.startswith("as_of")} for told in (first, second)]
    assert timeless[0] == timeless[1]
    assert first["sessions"]["by_mode"] == {"shadow": 1}
    assert len(first["heads"]["ledger"]) == 64


def test_the_snapshot_goes_where_it_is_told_and_an_unsound_configuration_proves_nothing(
    workspace: Workspace, peaktrade, tmp_path
) -> None:
    target = tmp_path / "new" / "audit.json"
    assert peaktrade("audit", "snapshot", "--output-json", target).code == 0
    assert json.loads(target.read_text())["verdict"] == "LOCKED"
    assert not (workspace.home / "out").exists()
    workspace.config_path.write_text("[session]\nsteps = -1\n")
    ended = peaktrade("audit", "snapshot", "--stdout")
    assert ended.code != 0
    assert "LOCKED.**" not in ended.stdout


def test_what_is_unknown_keeps_the_whole_from_being_good(workspace: Workspace) -> None:
    center = control_center(workspace)
    assert "unknown" in {gate.status for gate in center.gates}
    assert {layer.code: layer.status for layer in center.whole.layers}["L6"] == "unknown"
    assert (center.whole.status, center.decision) == ("warn", "monitor")  # no watcher runs, which is worse


def test_a_persons_own_decision_about_a_layer_is_told_with_who_countersigned_it(
    workspace: Workspace, peaktrade
) -> None:
    book = EvidenceBook.of(workspace)
    add_evidence(book, "L4", "watch it until noon", by="Ada", role="risk_officer", about="L4")
    newest = add_evidence(book, "L4", "the owner decides tomorrow", by="Ada", role="risk_officer", about="L4")
    add_evidence(book, "L9", "there is no such layer", by="Ada", about="L9")
    (found,) = control_center(Workspace(workspace.home)).decided
    assert found.told == (
        f"L4 by Ada (risk_officer): the owner decides tomorrow ({newest.evidence_id}, not countersigned)"
    )
    assert peaktrade("evidence", "countersign", newest.evidence_id, "--by", "Ben", "--role", "owner").code == 0
    told = peaktrade("control").stdout
    assert f"{newest.evidence_id}, countersigned by Ben (owner, not verified))" in " ".join(told.split())
    assert json.loads(peaktrade("control", "--json").stdout)["decided"][0]["by"] == "Ada"
    (workspace.reports / "evidence" / f"{newest.evidence_id}.json").write_bytes(b"{}")
    again = control_center(Workspace(workspace.home)).decided
    assert [one.text for one in again] == ["watch it until noon"]  # what was changed decides nothing
