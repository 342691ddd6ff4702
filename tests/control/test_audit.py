"""The registry's chain and ``peaktrade audit``: what was changed, is torn, missing or slipped in is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.log import AlertLog, note_in_runs
from peaktrade_core.base.chain import Chain
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, UnknownNameError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.question import Check
from peaktrade_core.control.audit import daily, papers
from peaktrade_core.control.audit.checks import adopt, audit_checks, audit_registry, ledger, registry
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.records import SessionRecord, encode_record
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.memory import outside_of
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]


def status_of(workspace: Workspace) -> tuple[str, str]:
    found = registry(workspace)
    return found.status, found.evidence


def chain_of(workspace: Workspace) -> Path:
    return Registry.of(workspace).chain.chain.path


def forget(workspace: Workspace) -> None:
    """Take the ledger away, as on a machine that never had one."""
    for path in (
        chain_of(workspace),
        chain_of(workspace).with_suffix(".last.json"),
        outside_of(workspace.home, "-ledger"),
    ):
        assert path is not None
        path.unlink()


@pytest.fixture
def three(workspace: Workspace, run_shadow: Shadow) -> list[Path]:
    """Run three sessions and return their records' files."""
    return [Registry.of(workspace).path_of(run_shadow(seed=seed, steps=20)) for seed in (1, 2, 3)]


def test_sessions_that_end_are_in_the_chain_and_nothing_is_wrong(workspace: Workspace, three: list[Path]) -> None:
    assert status_of(workspace) == ("pass", "3 records as they were entered")
    files = [link.data["file"] for link, _ in Registry.of(workspace).chain.chain.links() if link.kind == "record"]
    assert files == [path.name for path in three]


def test_an_aborted_session_is_entered_too(workspace: Workspace, start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("session", "run", "--pace", 60, "--steps", 1000)
    while not any(path.stat().st_size for path in workspace.runs.glob("*/events.jsonl")):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert [row.status for row in Views.of(workspace).rows()] == ["aborted"]
    assert status_of(workspace) == ("pass", "1 record as it was entered")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes().replace(b'"fees"', b'"fee0"')), "changed"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "cannot be read any more"),
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b""), "cannot be read any more"),
    ],
    ids=["changed", "torn", "missing", "emptied"],
)
def test_a_harmed_record_is_named_with_what_happened(
    workspace: Workspace, three: list[Path], harm: Callable[[Path], None], told: str
) -> None:
    harm(three[1])
    assert status_of(workspace) == ("fail", f"{three[1].name}: {told}")


def test_a_record_that_somebody_slipped_in_is_named(workspace: Workspace, three: list[Path]) -> None:
    record = Views.of(workspace).record(Views.of(workspace).rows()[0].run_id)
    forged = msgspec.structs.replace(record, session_id="shadow_20991231_000000_abcdef", metrics={"realized_pnl": 1e6})
    path = Registry.of(workspace).path_of(forged)
    path.write_bytes(encode_record(forged))
    assert status_of(workspace) == ("fail", f"{path.name}: not entered by peaktrade")


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_line_of_the_chain_is_named(workspace: Workspace, three: list[Path], line: int) -> None:
    chain = chain_of(workspace)
    lines = chain.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"at":"2', b'"at":"1')
    chain.write_bytes(b"".join(lines))
    status, evidence = status_of(workspace)
    assert status == "fail"
    assert f"line {line + 2}: does not follow" in evidence


def test_a_line_taken_out_of_the_chain_is_noticed(workspace: Workspace, three: list[Path]) -> None:
    chain = chain_of(workspace)
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert status_of(workspace)[0] == "fail"


def test_cutting_record_and_line_off_the_end_is_remembered(workspace: Workspace, three: list[Path]) -> None:
    """Nothing inside can show this; what is remembered of the ledger does, and the head that left the machine."""
    printed = chain_heads(workspace.home)["ledger"]
    chain = chain_of(workspace)
    chain.write_bytes(b"".join(chain.read_bytes().splitlines(keepends=True)[:-2]))
    three[2].unlink()
    assert status_of(workspace)[0] == "pass"
    assert "shorter than it was" in ledger(workspace).evidence
    assert chain_heads(workspace.home)["ledger"] != printed


def test_a_half_written_line_warns_and_the_next_session_heals_it(
    workspace: Workspace, three: list[Path], run_shadow: Shadow
) -> None:
    chain = chain_of(workspace)
    with chain.open("ab") as file:
        file.write(b'{"seq":4,"at":"2026')
    status, evidence = status_of(workspace)
    assert (status, "half written" in evidence) == ("warn", True)
    run_shadow(seed=4, steps=20)
    assert status_of(workspace) == ("pass", "4 records as they were entered")
    healed = [link.data["cut_off"] for link, _ in Chain(chain).links() if link.kind == "healed"]
    assert healed == ['{"seq":4,"at":"2026']


def test_a_process_that_dies_between_line_and_record_is_recovered(workspace: Workspace, home: Path) -> None:
    """The chain is ahead of the record then; recovery ends the session and enters it again."""
    script = textwrap.dedent(
        """
        import os, peaktrade_core.records.registry as registry
        from peaktrade_core.workspace.workspace import Workspace
        from peaktrade_core.session.plan import Desk
        from peaktrade_core.session.planning import plan_session
        from peaktrade_core.session.session import run_session
        whole = registry.write_atomic
        def die(path, data):
            if b'"finished_at":null' in data.replace(b" ", b""):
                return whole(path, data)
            os._exit(9)
        registry.write_atomic = die
        workspace = Workspace(os.environ["PEAKTRADE_HOME"])
        run_session(plan_session(workspace, steps=30), Desk.of(workspace))
        """
    )
    env = {**os.environ, "PEAKTRADE_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    status, evidence = status_of(workspace)
    assert (status, "its process died while it wrote the record" in evidence) == ("warn", True)
    recover(workspace)
    assert [row.status for row in Views.of(workspace).rows()] == ["completed"]
    assert status_of(workspace)[0] in ("pass", "warn")
    adopt(workspace, (), "Ada", "the machine was cut off")
    assert status_of(workspace)[0] == "pass"


def test_records_from_before_the_ledger_are_counted_until_a_person_answers_for_them(
    workspace: Workspace, three: list[Path], run_shadow: Shadow
) -> None:
    forget(workspace)
    run_shadow(seed=4, steps=20)
    assert status_of(workspace) == ("pass", "1 record as it was entered; 3 from before the ledger")
    names = adopt(workspace, (), "Ada", "compared with the backup")
    assert names == sorted(path.name for path in three)
    assert status_of(workspace) == ("pass", "4 records as they were entered")
    three[0].write_bytes(three[0].read_bytes() + b" ")
    assert three[0].name in status_of(workspace)[1]
    assert "audit adopted 3 records by Ada" in (workspace.home / "logs" / "operations.log").read_text()


def test_adopting_settles_what_was_removed_and_needs_a_name_and_a_reason(
    workspace: Workspace, three: list[Path]
) -> None:
    three[0].unlink()
    for by, reason in (("", "why"), ("Ada", " ")):
        with pytest.raises(ConfigError):
            adopt(workspace, (), by, reason)
    with pytest.raises(UnknownNameError):
        adopt(workspace, [three[1].name], "Ada", "it is fine as it is")
    assert adopt(workspace, [three[0].stem], "Ada", "a trial run, removed") == [three[0].name]
    assert status_of(workspace) == ("pass", "3 records as they were entered")


def test_a_record_replaced_with_a_new_line_in_the_chain_warns(workspace: Workspace, three: list[Path]) -> None:
    """Whoever can write files can also add a good line; that it was entered twice cannot be hidden."""
    record = Views.of(workspace).record(Views.of(workspace).rows()[-1].run_id)
    Registry.of(workspace).write(msgspec.structs.replace(record, metrics={**record.metrics, "realized_pnl": 1e6}))
    status, evidence = status_of(workspace)
    assert (status, "entered twice with different content" in evidence) == ("warn", True)


def test_a_chain_that_cannot_be_written_keeps_no_record_back(workspace: Workspace, run_shadow: Shadow) -> None:
    chain_of(workspace).mkdir(parents=True)
    assert TradingStates.of(workspace).read("global").state == "ACTIVE"  # nothing is known of a ledger that never was
    record = run_shadow(seed=1, steps=20)
    assert Views.of(workspace).record(record.session_id).status == "completed"
    answers = {found.id: found.status for found in audit_checks(workspace)}
    assert (answers["ledger"], answers["registry_chain"]) == ("fail", "fail")
    chain_of(workspace).rmdir()
    run_shadow(seed=2, steps=20)
    assert Registry.of(workspace).path_of(record).name in audit_registry(Registry.of(workspace)).before


def test_many_processes_enter_at_once_and_no_line_is_lost(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from peaktrade_core.workspace.ledger import Ledger
        chain = Ledger(Path(sys.argv[1])).section("trials")
        for number in range(25):
            chain.append(("begun", {"id": f"{sys.argv[2]}_{number}"}), at=datetime.now(UTC))
        """
    )
    started = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(number)]) for number in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    ids = [link.data["id"] for link, _ in Ledger(tmp_path).section("trials").links()]
    assert len(ids) == len(set(ids)) == 75
    assert Ledger(tmp_path).fault() == ""


def test_a_chain_whose_end_is_no_link_takes_no_more(tmp_path: Path, workspace: Workspace) -> None:
    chain = Ledger(tmp_path).section("trials")
    now = workspace.clock.now()
    chain.append(("begun", {"id": "one"}), at=now)
    with chain.path.open("ab") as file:
        file.write(b"scribble\n")
    with pytest.raises(ArtefactError, match="last line is no link"):
        chain.append(("begun", {"id": "two"}), at=now)
    assert chain.path.read_bytes().endswith(b"scribble\n")


def test_a_folder_in_the_way_of_a_chain_is_said(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "chain.jsonl").mkdir()
    with pytest.raises(EnvironmentFault, match="cannot append"):
        Chain(tmp_path / "chain.jsonl").append(("x", {}), at=workspace.clock.now())


def test_other_sealed_records_are_verified_with_what_was_entered(workspace: Workspace) -> None:
    folder = workspace.reports / "incidents"
    record = folder / "INC-1" / "incident.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"status": "closed"}')
    from peaktrade_core.base.files import sha256_of

    Ledger.of(workspace).section("incidents").append(
        ("incident", {"id": "INC-1", "sha256": sha256_of(record)}), at=workspace.clock.now()
    )
    answers = {found.id: found for found in audit_checks(workspace)}
    assert answers["incidents_chain"].status == "pass"
    assert set(chain_heads(workspace.home)) == {"ledger"}
    record.write_text('{"status": "open"}')
    found = {one.id: one for one in audit_checks(workspace)}["incidents_chain"]
    assert (found.status, found.evidence) == ("fail", "changed or missing: INC-1")


def test_verify_on_the_command_line_names_the_record_and_fails(
    workspace: Workspace, three: list[Path], peaktrade
) -> None:
    assert peaktrade("audit", "verify").code == 0
    three[1].unlink()
    ended = peaktrade("audit", "verify", "--json")
    told = json.loads(ended.stdout)
    assert ended.code == 1
    assert told["registry"]["missing"] == [three[1].name]
    assert told["heads"]["ledger"] == chain_heads(workspace.home)["ledger"]
    assert three[1].name in peaktrade("audit", "verify").stdout
    assert peaktrade("audit", "adopt", "--by", "Ada", "--reason", "removed on purpose").code == 0
    assert peaktrade("audit", "verify").code == 0


def test_verify_changes_nothing(workspace: Workspace, three: list[Path], peaktrade) -> None:
    three[0].unlink()
    before = {path: path.read_bytes() for path in workspace.reports.rglob("*") if path.is_file()}
    assert peaktrade("audit", "verify").code == 1
    assert {path: path.read_bytes() for path in workspace.reports.rglob("*") if path.is_file()} == before


def test_a_session_that_ends_while_the_audit_reads_is_no_fault(
    workspace: Workspace, run_shadow: Shadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record was read after the ledger, which did not hold it yet: the audit said that it was put there by hand."""
    run_shadow(seed=1, steps=20)
    lines, later = Registry.lines, iter((2,))

    def and_before(self: Registry, *query: Any) -> Any:
        for seed in later:
            run_shadow(seed=seed, steps=20)
        return lines(self, *query)

    monkeypatch.setattr(Registry, "lines", and_before)
    assert status_of(workspace) == ("pass", "2 records as they were entered")


def test_a_paper_that_is_written_again_while_the_audit_reads_is_no_fault(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = workspace.reports / "daily" / "2026-01-05.html"
    page.parent.mkdir(parents=True)
    page.write_text("as it was")
    enter_papers(workspace, page)
    later = iter(("written again",))

    def sha256(path: Path) -> str:
        for text in later:
            page.write_text(text)
            enter_papers(workspace, page)
        return sha256_of(path)

    monkeypatch.setattr(papers, "sha256_of", sha256)
    assert list(papers.paper_faults(workspace)) == []
    page.write_text("by hand")
    assert list(papers.paper_faults(workspace)) == [("reports/daily/2026-01-05.html", "changed")]


def test_alerts_that_come_while_the_audit_reads_are_no_fault(
    workspace: Workspace, run_shadow: Shadow, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = run_shadow(seed=1, steps=20).session_id
    log, at = Alerts.of(workspace).log, workspace.clock.now()
    changes, later = AlertLog.changes, iter((1,))

    def and_then(self: AlertLog) -> Any:
        found = changes(self)
        for _ in later:
            alert = Raised(at=at, alert_id="a", rule_id="r", key="k", severity="critical", message="bad", run_id=run_id)
            told = log.append(lambda _, alert=alert: [alert])
            note_in_runs(told, log.refresh(), lambda name: workspace.runs / name)
        return found

    monkeypatch.setattr(AlertLog, "changes", and_then)
    assert papers.run_alerts(workspace).status == "pass"


def test_an_empty_name_adopts_nothing(workspace: Workspace, three: list[Path]) -> None:
    """As of a script whose variable is not set: it stood for a part of every name."""
    three[0].unlink()
    with pytest.raises(ConfigError, match="empty"):
        adopt(workspace, [""], "Ada", "why")
    assert status_of(workspace)[0] == "fail"


def test_the_daily_audit_does_not_say_that_all_is_well_where_it_could_not_look(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Check(id="signatures", question="Was it signed?", status="unknown", evidence="no ssh-keygen")
    monkeypatch.setattr(daily, "everything", lambda _: [told])
    done = daily.verify_job(workspace, Period("2026-01-05", workspace.clock.now()))
    assert (done.ok, "everything" in done.message, "signatures: no ssh-keygen" in done.message) == (True, False, True)
