"""The diagnosis against sessions in which an incident really happened, on a venue that misbehaves, and in which it did not."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from peaktrade_core.base.errors import SessionNotFoundError
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.incidents.diagnosis.findings import DIAGNOSED, Diagnosis, Occurrence
from peaktrade_core.incidents.incident import KINDS as INCIDENT_KINDS
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueFault
from peaktrade_core.trading.events import Failure, Gap, Notice
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until
from tests.venue.rig import Ran, VenueDesk, source_bars, write_candles


def kinds(found: Diagnosis) -> set[str]:
    return {finding.kind for finding in found.happened}


def of(desk: VenueDesk, ran: Ran) -> Diagnosis:
    found = diagnose(desk.workspace, ran.record.session_id)
    assert all(finding.severity in handbook().kind[finding.kind].severity for finding in found.happened)
    return found


def conditions(finding: Occurrence) -> dict[str, str]:
    return {check.id: check.status for check in finding.resume}


def branch(finding: Occurrence) -> str:
    assert finding.branch is not None
    return finding.branch.key


def test_every_kind_of_finding_can_be_opened_as_an_incident() -> None:
    assert set(DIAGNOSED) <= set(INCIDENT_KINDS)


def test_a_quiet_session_has_nothing_of_it(desk: VenueDesk) -> None:
    for ran in (desk.session(steps=20), desk.session(mode="testnet", steps=20)):
        found = of(desk, ran)
        assert [finding.kind for finding in found.findings] == list(DIAGNOSED)
        assert (kinds(found), found.faults, found.events) == (set(), (), len(ran.events))
        assert all(finding.evidence and not finding.branches for finding in found.findings)


class Case(NamedTuple):
    """A fault of the venue, how long it lasts, and what the diagnosis must say of it."""

    fault: str
    times: int | None
    kind: str
    severity: str
    branch: str
    failed: bool


CASES = [
    Case("unavailable", 3, "network", "medium", "wait", False),
    Case("status_503", 3, "network", "medium", "wait", False),
    Case("reset", 3, "network", "medium", "wait", False),
    Case("status_503", None, "network", "medium", "pause", True),
    Case("lockout", 3, "rate_limit", "low", "wait", False),
    Case("status_429", None, "rate_limit", "medium", "slow_down", True),
    Case("wrong_key", None, "authentication", "high", "wrong_key", True),
    Case("permission_denied", None, "authentication", "high", "permission", True),
    Case("invalid_nonce", None, "authentication", "high", "nonce", True),
    Case("unknown_pair", None, "api_error", "medium", "symbol", True),
    Case("invalid_arguments", None, "api_error", "medium", "version", True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}-{'lasting' if case.failed else 'passing'}")
def test_trouble_with_the_venue_is_told_apart_with_the_branch_that_the_journal_supports(
    desk: VenueDesk, venue: LoopbackVenue, case: Case
) -> None:
    venue.faults.add(VenueFault.named(case.fault), path="OHLC", skip=8, times=case.times)
    ran = desk.session(steps=20)
    found = of(desk, ran)
    assert kinds(found) == {case.kind} | ({"failed_session"} if case.failed else set())
    finding = found.finding(case.kind)
    assert (finding.severity, branch(finding), finding.runbook) == (
        case.severity,
        case.branch,
        "incident_exchange_error",
    )
    first = min(event.seq for event in ran.of(Notice, Failure))
    assert finding.evidence[0].startswith(f"journal #{first}, ")
    assert finding.since is not None
    passing = {"answers": "pass", "state": "pass"}
    if not case.failed:
        assert passing.items() <= conditions(finding).items()
    else:
        assert "fail" in conditions(finding).values()
    if case.kind == "authentication":
        assert conditions(finding)["state"] == "fail"  # the halt is latched


def test_what_asks_for_one_step_is_not_asked_of_another_fault(desk: VenueDesk, venue: LoopbackVenue) -> None:
    """The venue's own words rule our network out; silence does not."""
    venue.faults.add(VenueFault.named("unavailable"), path="OHLC", skip=8, times=3)
    spoke = of(desk, desk.session(steps=20)).finding("network")
    venue.faults.clear()
    venue.faults.add(VenueFault.named("reset"), path="OHLC", skip=8, times=3)
    silent = of(desk, desk.session(steps=20)).finding("network")
    ours = [next(b.supported for b in f.branches if b.key == "own_network") for f in (spoke, silent)]
    assert ours == [False, None]


def test_a_name_that_cannot_be_looked_up_is_our_own_network(
    desk: VenueDesk, venue: LoopbackVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = socket.getaddrinfo, []

    def without_names(*args: object, **kwargs: object) -> object:
        if len(venue.requests_to("OHLC")) > 8 and len(failed) < 2:
            failed.append(1)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(*args, **kwargs)  # type: ignore[arg-type]

    venue.faults.add(VenueFault.named("reset"), path="OHLC", skip=8, times=1)  # it has to connect anew
    monkeypatch.setattr(socket, "getaddrinfo", without_names)
    found = of(desk, desk.session(steps=20)).finding("network")
    assert len(failed) == 2
    assert branch(found) == "own_network"
    assert found.suspected == "this machine's network"


@pytest.mark.parametrize(
    ("fault", "way"), [("insufficient_funds", "funds"), ("minimum_not_met", "steps"), ("cancel_only", "market")]
)
def test_orders_that_the_venue_refuses(desk: VenueDesk, venue: LoopbackVenue, fault: str, way: str) -> None:
    venue.faults.add(VenueFault.named(fault), path="AddOrder", times=2)
    found = of(desk, desk.session(mode="testnet", steps=40))
    finding = found.finding("order_rejects")
    assert kinds(found) == {"order_rejects"}
    assert (branch(finding), finding.severity) == (way, "medium")
    assert "refused 2 orders" in finding.symptom


def test_too_many_refusals_in_a_row_halt_the_session_and_are_no_risk_limit(
    desk: VenueDesk, venue: LoopbackVenue
) -> None:
    venue.faults.add(VenueFault.named("insufficient_funds"), path="AddOrder")
    found = of(desk, desk.session(mode="testnet", steps=120))
    finding = found.finding("order_rejects")
    assert branch(finding) == "breaker"
    assert conditions(finding)["state"] == "fail"
    assert not found.finding("risk_limit").happened


def test_a_halt_that_is_lifted_is_no_obstacle_any_more(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.named("wrong_key"), path="OHLC", skip=8)
    ran = desk.session(steps=20)
    scope = TradingStates.of(desk.workspace).everything()[-1].scope
    TradingStates.of(desk.workspace).set(scope, "ACTIVE", by="ada", reason="new key", now=venue.clock.now())
    venue.faults.clear()
    assert conditions(of(desk, ran).finding("authentication"))["key"] == "warn"
    desk.session(steps=5)
    found = conditions(of(desk, ran).finding("authentication"))
    assert (found["state"], found["key"]) == ("pass", "pass")


def test_a_hole_that_the_venue_has_is_told_from_one_that_we_made(desk: VenueDesk, venue: LoopbackVenue) -> None:
    def holed(*faults: str) -> Occurrence:
        venue.faults.clear()
        hole = venue.clock.seconds() // 60 * 60 + 600.0
        for name in faults:
            venue.faults.add(VenueFault.named(name), path="OHLC", skip=11, times=2)
        venue.faults.add(VenueFault.hole(hole, hole + 60.0), path="OHLC")
        ran = desk.session(steps=90)
        assert [gap.missing for gap in ran.of(Gap)] == [2]
        return of(desk, ran).finding("data_gap")

    theirs, refused, down = holed(), holed("lockout"), holed("unavailable")
    assert [branch(f) for f in (theirs, refused, down)] == ["accept", "slow_down", "wait"]
    assert all(f.happened and f.severity == "medium" for f in (theirs, refused, down))
    assert "2 bars missing in 1 gap" in theirs.symptom
    assert conditions(theirs) == {"source": "pass", "filled": "warn", "signals": "pass", "state": "pass"}


def test_bars_that_are_late_impossible_or_far_off_are_told_apart(desk: VenueDesk, venue: LoopbackVenue) -> None:
    now = venue.clock.seconds() // 60 * 60

    def spoilt(bars: list[Bar]) -> list[Bar]:
        return [bar._replace(low=-1.0) if bar.ts == now + 600.0 else bar for bar in bars]

    def session(fault: VenueFault, **when: int) -> Occurrence:
        venue.faults.clear()
        venue.faults.add(fault, path="OHLC", **when)
        return of(desk, desk.session(steps=30)).finding("data_gap")

    impossible = session(VenueFault("spoilt", bars=spoilt))
    late = session(VenueFault.late_bars(400.0), skip=8, times=200)
    assert [(branch(f), f.severity) for f in (impossible, late)] == [("bad_bars", "medium"), ("wait", "low")]
    assert "1 impossible bar" in impossible.symptom
    assert "long overdue" in late.symptom


def test_a_session_that_its_candles_ended_is_sent_to_the_runbook_of_the_data(workspace: Workspace) -> None:
    Registry.of(workspace).folder.mkdir(parents=True)
    told = {"session_id": "old_1", "mode": "shadow", "status": "failed", "error": "DataError: a bar out of order"}
    path = Registry.of(workspace).folder / "20200101T000000_live_session_shadow_old_1.json"
    path.write_bytes(msgspec.json.encode({**told, "config": {"feed": "replay"}}))
    found = diagnose(workspace, "old_1")
    assert kinds(found) == {"data_gap", "failed_session"}
    finding = found.finding("data_gap")
    assert (branch(finding), finding.severity) == ("mend_candles", "medium")
    (way,) = [b.action for b in found.finding("failed_session").branches if b.key == "its_runbook"]
    assert "incident_data_gap" in way


def test_a_hole_in_stored_candles_is_mended_there(
    desk: VenueDesk, run_shadow: Callable[..., SessionRecord], tmp_path: Path
) -> None:

    bars = source_bars(MarketSource.synthetic(seed=7), 1767225600.0, 200)
    path = write_candles(tmp_path / "holed.parquet", bars[:120] + bars[150:])
    record = run_shadow(feed="replay", candles=path, warmup_candles=60, steps=100)
    finding = diagnose(desk.workspace, record.session_id).finding("data_gap")
    assert branch(finding) == "mend_candles"
    assert {b.key for b in finding.branches if b.supported} == {"mend_candles", "repeat"}  # 30 of 130 are too many
    assert conditions(finding)["filled"] == "warn"


def test_a_limit_names_its_code_its_figures_and_who_may_change_it(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    record = run_shadow(steps=300, position_fraction=0.2)
    found = diagnose(workspace, record.session_id)
    finding = found.finding("risk_limit")
    assert kinds(found) == {"risk_limit"}
    assert (branch(finding), finding.severity) == ("smaller_orders", "medium")
    assert "denied MAX_ORDER_NOTIONAL 2,001.00 of 1,000.00" in finding.evidence[0]
    other = next(b for b in finding.branches if b.key == "other_limits")
    assert (other.supported, other.authority) == (None, "limits")
    assert conditions(finding)["sizing"] == "warn"


def test_the_day_s_loss_ends_the_day_and_not_more(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], configure: Callable[[str, str], None]
) -> None:
    configure("max_daily_loss_abs = 500.0", "max_daily_loss_abs = 5.0")
    record = run_shadow(steps=600, seed=3, strategy="donchian_breakout")
    finding = diagnose(workspace, record.session_id).finding("risk_limit")
    assert branch(finding) == "stop_for_today"
    assert {b.key: b.supported for b in finding.branches}["other_limits"] is False
    assert conditions(finding)["new_day"] == "pass"  # the bars are of the first of January
    workspace.clock = Still(workspace, record)
    assert conditions(diagnose(workspace, record.session_id).finding("risk_limit"))["new_day"] == "fail"


class Still:
    """A clock that stands at a session's last bar."""

    def __init__(self, workspace: Workspace, record: SessionRecord) -> None:
        self._at = Views.of(workspace).events(record.session_id)[-1].ts
        Views.of(workspace)._clock = self  # the views were made with the machine's clock

    def now(self) -> Any:
        return self._at


def test_a_drawdown_that_halted_is_high_and_escalates(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], configure: Callable[[str, str], None]
) -> None:
    configure("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 0.1")
    record = run_shadow(steps=600, seed=3, strategy="donchian_breakout")
    finding = diagnose(workspace, record.session_id).finding("risk_limit")
    assert (branch(finding), finding.severity) == ("escalate", "high")
    assert conditions(finding)["state"] == "fail"


def test_orders_denied_by_a_person_s_halt_are_no_limit(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="drill", now=workspace.clock.now())
    record = run_shadow(steps=300)
    finding = diagnose(workspace, record.session_id).finding("risk_limit")
    assert not finding.happened
    assert "trading was halted by a person" in finding.evidence[1]


def test_one_failed_is_investigated_and_two_in_a_row_are_a_pause(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.named("unknown_pair"), path="OHLC", skip=4)
    first = of(desk, desk.session(steps=20)).finding("failed_session")
    venue.clock.advance(5.0)
    second = of(desk, desk.session(steps=20)).finding("failed_session")
    venue.clock.advance(5.0)
    assert (branch(first), first.severity) == ("its_runbook", "medium")
    assert (branch(second), second.severity) == ("pause", "high")
    assert conditions(second)["row"] == "warn"
    venue.faults.clear()
    desk.session(steps=5)
    venue.faults.add(VenueFault.named("unknown_pair"), path="OHLC", skip=4)
    third = of(desk, desk.session(steps=20)).finding("failed_session")
    assert (branch(third), third.severity) == ("its_runbook", "medium")  # one that completed breaks the row
    assert conditions(first)["since"] == "warn"
    assert (
        conditions(diagnose(desk.workspace, Views.of(desk.workspace).rows()[-1].run_id).finding("failed_session"))[
            "since"
        ]
        == "pass"
    )


@pytest.mark.parametrize(
    ("drawdown", "severity", "way", "below"),
    [
        (0.0499, "medium", "investigate", "pass"),
        (0.05, "medium", "risk_review", "warn"),
        (0.0999, "medium", "risk_review", "warn"),
        (0.1, "high", "escalate", "warn"),
    ],
)
def test_a_drawdown_that_has_reached_its_limit_is_a_breach(
    workspace: Workspace, drawdown: float, severity: str, way: str, below: str
) -> None:
    folder = Registry.of(workspace).folder
    folder.mkdir(parents=True)
    record = {"session_id": "old_1", "mode": "shadow", "status": "failed", "error": "StrategyError: x"}
    path = folder / "20200101T000000_live_session_shadow_old_1.json"
    path.write_bytes(msgspec.json.encode({**record, "metrics": {"max_drawdown": drawdown}}))
    finding = diagnose(workspace, "old_1").finding("failed_session")
    assert (finding.severity, branch(finding), conditions(finding)["drawdown"]) == (severity, way, below)


def test_a_session_that_a_person_stopped_did_not_die_and_one_that_was_killed_did(
    workspace: Workspace, start: Callable[..., subprocess.Popen[str]]
) -> None:
    ended = []
    for how in (signal.SIGTERM, signal.SIGKILL):
        process = start("session", "run", "--pace", "50", "--steps", "100000", "--json")
        until(lambda: any(row.state == "running" and row.step for row in Views.of(workspace).runs(5)))
        process.send_signal(how)
        process.wait(60)
        recover(workspace)
        ended.append(diagnose(workspace, "latest"))
    stopped, killed = ended
    assert (stopped.status, stopped.finding("died").happened) == ("aborted", False)
    finding = killed.finding("died")
    assert (kinds(killed), branch(finding), finding.severity) == ({"died"}, "process", "medium")
    assert conditions(finding)["recovered"] == "pass"


def test_a_torn_journal_is_said_and_the_rest_is_still_diagnosed(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.named("unavailable"), path="OHLC", skip=4, times=2)
    ran = desk.session(steps=20)
    journal = RunFolder(desk.workspace.runs, ran.record.session_id).journal
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-6]) + b'{"seq": broken\n' + b"".join(lines[-5:]))
    found = of(desk, ran)
    assert found.finding("network").happened
    assert len(found.faults) == 1
    journal.unlink()
    found = of(desk, ran)
    assert (found.events, len(found.faults), kinds(found)) == (0, 1, set())


def test_a_record_of_an_older_writer_is_diagnosed_by_its_error(workspace: Workspace) -> None:
    folder = Registry.of(workspace).folder
    folder.mkdir(parents=True)
    record = {"session_id": "old_1", "mode": "testnet", "status": "failed", "error": "AuthenticationError: bad key"}
    (folder / "20200101T000000_live_session_testnet_old_1.json").write_bytes(msgspec.json.encode(record))
    found = diagnose(workspace, "old_1")
    assert kinds(found) == {"authentication", "failed_session"}
    assert found.finding("authentication").evidence[0].startswith("record, ")


@pytest.mark.parametrize("name", ["../../etc", "a b", "x" * 300, "ünï"])
def test_a_record_with_an_id_that_is_no_folder_is_diagnosed_without_a_journal(workspace: Workspace, name: str) -> None:
    folder = Registry.of(workspace).folder
    folder.mkdir(parents=True)
    record = {"session_id": name, "mode": "shadow", "status": "failed", "error": "ConnectionError: reset"}
    (folder / "20200101T000000_live_session_shadow_x.json").write_bytes(msgspec.json.encode(record))
    found = diagnose(workspace, name)
    assert kinds(found) == {"network", "failed_session"}
    assert len(found.faults) == 1


def test_an_unknown_session_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(SessionNotFoundError):
        diagnose(workspace, "shadow_20260101_000000_ffffff")


def test_the_same_artefacts_give_the_same_answer(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.named("status_503"), path="OHLC", skip=8, times=3)
    ran = desk.session(steps=20)
    one, two = (msgspec.structs.replace(of(desk, ran), at=venue.clock.now()) for _ in range(2))
    assert one == two
