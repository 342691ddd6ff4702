"""Whatever is done to a workspace behind the suite's back is noticed, and the switch that was engaged stays engaged."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from peaktrade_core.alerts.alerts import Acknowledged, Cleared, Raised
from peaktrade_core.alerts.log import AlertLog
from peaktrade_core.alerts.watcher import open_watcher
from peaktrade_core.base.chain import BEGINNING, Chain, linked
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.base.question import FAIL, PASS, WARN, worst
from peaktrade_core.control.audit.checks import adopt
from peaktrade_core.control.audit.daily import everything
from peaktrade_core.control.audit.proof import against
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.page import write_page
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule import retention as rt
from peaktrade_core.schedule.job_log import RunLog
from peaktrade_core.schedule.jobs import JobKnown
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.memory import outside_of
from peaktrade_core.workspace.operations import note
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]
Harm = Callable[["Used"], None]


class Used:
    """A workspace in which something of everything was done."""

    def __init__(self, workspace: Workspace, session: SessionRecord) -> None:
        self.place, self.session = workspace, session
        self.reports = workspace.reports
        self.ledger = self.reports / "ledger.jsonl"
        self.record = Registry.of(workspace).path_of(session)
        self.run = RunFolder(workspace.runs, session.session_id)
        told = {"subject": session.session_id, "severity": "low", "by": "Ada", "role": "operator"}
        book = IncidentBook.of(workspace)
        self.open = book.open("network", "Silent", **told)
        self.closed = book.open("data_gap", "A gap", **told)
        book.close(self.closed.incident_id, "Ada", "maintenance", "waited")
        evidence = EvidenceBook.of(workspace).begin("safe_stop", "Safe stop", operator="Ada")
        self.evidence = EvidenceBook.of(workspace).folder / f"{evidence.id}.json"
        evidence.finish(self.record)
        drills = DrillBook(workspace.home, workspace.clock)
        self.drill = drills.finish(drills.begin(find_scenario(workspace.home, "disconnect"), operator="Ada"))
        note(workspace, "shift handed over", "Ada")
        self._alerts_and_jobs()
        write_page(EvidenceBook.of(workspace), evidence.record)
        Ledger.of(workspace).append(at=workspace.clock.now())  # as the watcher does

    def _alerts_and_jobs(self) -> None:
        """Raise an alert that Ada takes on, and run a job."""
        now, one = self.place.clock.now(), {"alert_id": "A1", "at": self.place.clock.now()}
        raised = Raised(rule_id="r", key="k", severity="critical", message="no bars", **one)
        log = AlertLog(self.reports / "alerts" / "alerts.jsonl")
        log.append(lambda _: [raised, Acknowledged(by="Ada", **one), Cleared(message="bars", **one)])
        jobs = RunLog(self.reports / "schedule")
        for job in ("retention", "audit_verify", "recovery"):
            jobs.append(JobKnown(job=job, at=now))
        self.alerts, self.jobs = log.path, jobs.files()[0]

    def incident(self, name: str, *, of: str = "closed") -> Path:
        return self.reports / "incidents" / getattr(self, of).incident_id / name

    def outside(self) -> Path:
        path = outside_of(self.place.home, "-ledger")
        assert path is not None
        return path

    def lines(self) -> list[bytes]:
        return self.ledger.read_bytes().splitlines(keepends=True)

    def relink(self, change: Callable[[list[tuple[datetime, str, dict[str, object]]]], None]) -> None:
        """Write the whole ledger anew with good hashes, as somebody would who knows how."""
        entries = [(link.at, link.kind, link.data) for link, _ in Chain(self.ledger).links()]
        change(entries)
        self.ledger.write_bytes(b"".join(line + b"\n" for line in linked(entries, 0, BEGINNING)[0]))


@pytest.fixture
def used(workspace: Workspace, run_shadow: Shadow) -> Used:
    return Used(workspace, run_shadow(seed=1, steps=20))


def asked(place: Workspace) -> tuple[str, list[str]]:
    """Return the answer of the whole audit, by a process that knows nothing yet, and the questions that are not fine."""
    fresh = Workspace(place.home)
    checks = everything(fresh)
    return worst(checks), [one.id for one in checks if one.status != PASS]


def edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data, path
    path.write_bytes(data.replace(old, new))


def set_back(used: Used) -> None:
    """Make a finished session look as if it still ran, over a journal with better figures."""
    record = msgspec.structs.replace(used.session, status="started", finished_at=None, metrics={})
    used.record.write_bytes(msgspec.json.encode(record))
    edit(used.run.journal, b'"equity":', b'"equity":1')


def keep_beside(used: Used) -> None:
    shutil.copy(used.incident("incident.json"), used.incident("copy.json"))
    edit(used.incident("incident.json"), b"waited", b"slept")


def drop_entry(used: Used, kind: str) -> None:
    used.relink(lambda entries: entries.remove(next(one for one in entries if one[1] == kind)))


def forge_running(used: Used) -> None:
    record = msgspec.json.decode(used.evidence.read_bytes())
    record |= {"evidence_id": "EV-20260101-SAFE-STOP-000000", "outcome": "running", "ended_at": None}
    (used.evidence.parent / "EV-20260101-SAFE-STOP-000000.json").write_bytes(msgspec.json.encode(record))


def adopt_by_hand(used: Used) -> None:
    """Append a line that says that a person answered for a changed record."""
    edit(used.record, b'"fees"', b'"fee0"')
    from peaktrade_core.base.files import sha256_of

    said = {"file": used.record.name, "sha256": sha256_of(used.record), "by": "Ada", "reason": "fine"}
    Chain(used.ledger).append(("registry/adopted", said), at=datetime.now(UTC))


def drop_line(path: Path, number: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))


def swap_records(used: Used, run_shadow: Shadow) -> None:
    other = Registry.of(used.place).path_of(run_shadow(seed=8, steps=20))
    first, second = used.record.read_bytes(), other.read_bytes()
    used.record.write_bytes(second)
    other.write_bytes(first)


def line_and_record(used: Used) -> None:
    """Take the last record away, and every entry from the one of its end on."""
    lines = used.lines()
    ended = max(n for n, line in enumerate(lines) if b'"kind":"registry/record"' in line)
    used.ledger.write_bytes(b"".join(lines[:ended]))
    used.record.unlink()


def then_record(harm: Harm) -> Harm:
    def both(used: Used) -> None:
        harm(used)
        edit(used.record, b'"fees"', b'"fee0"')

    return both


HARMS: dict[str, tuple[Harm, str, str]] = {
    "record edited": (lambda u: edit(u.record, b'"fees"', b'"fee0"'), FAIL, "registry_chain"),
    "record deleted": (lambda u: u.record.unlink(), FAIL, "registry_chain"),
    "record renamed": (lambda u: u.record.rename(u.record.with_name(f"2{u.record.name}")), FAIL, "registry_chain"),
    "record set back to started": (set_back, FAIL, "journals"),
    "journal edited": (lambda u: edit(u.run.journal, b'"equity":', b'"equity":1'), FAIL, "journals"),
    "journal cut": (lambda u: u.run.journal.write_bytes(u.run.journal.read_bytes()[:900]), FAIL, "journals"),
    "journal deleted": (lambda u: u.run.journal.unlink(), FAIL, "journals"),
    "table edited": (lambda u: u.run.table.write_bytes(u.run.table.read_bytes() + b" "), FAIL, "journals"),
    "run folder deleted": (lambda u: shutil.rmtree(u.run.path), FAIL, "journals"),
    "ledger deleted": (lambda u: u.ledger.unlink(), FAIL, "ledger"),
    "ledger emptied": (lambda u: u.ledger.write_bytes(b""), FAIL, "ledger"),
    "ledger's last line deleted": (lambda u: u.ledger.write_bytes(b"".join(u.lines()[:-1])), FAIL, "ledger"),
    "ledger and what is beside it deleted": (
        lambda u: [path.unlink() for path in u.reports.glob("ledger*")] and None, FAIL, "ledger",
    ),
    "everything in reports deleted": (lambda u: shutil.rmtree(u.reports), FAIL, "ledger"),
    "ledger written anew without a record": (lambda u: drop_entry(u, "registry/record"), FAIL, "ledger"),
    "ledger's middle line dropped": (lambda u: u.ledger.write_bytes(b"".join(u.lines()[:3] + u.lines()[4:])), FAIL, "ledger"),
    "two lines swapped": (
        lambda u: u.ledger.write_bytes(b"".join([*u.lines()[:2], u.lines()[3], u.lines()[2], *u.lines()[4:]])), FAIL, "ledger",
    ),
    "open incident edited": (
        lambda u: edit(u.incident("incident.json", of="open"), b"Silent", b"Quiet"), FAIL, "incidents_chain",
    ),
    "open incident deleted": (lambda u: shutil.rmtree(u.incident("x", of="open").parent), FAIL, "incidents_chain"),
    "closed incident edited": (lambda u: edit(u.incident("incident.json"), b"waited", b"slept"), FAIL, "incidents_chain"),
    "incident's page edited": (lambda u: edit(u.incident("incident.md"), b"waited", b"slept"), FAIL, "incidents_chain"),
    "original kept beside a forged record": (
        keep_beside, FAIL, "incidents_chain",
    ),
    "drill's page edited": (
        lambda u: edit(u.reports / "drills" / u.drill.drill_id / "drill.md", b"Ada", b"Eve"), FAIL, "drills_chain",
    ),
    "evidence edited": (lambda u: edit(u.evidence, b"Ada", b"Eve"), FAIL, "evidence"),
    "evidence forged as running": (forge_running, WARN, "evidence"),
    "file that evidence names changed": (lambda u: edit(u.record, b'"fees"', b'"fee0"'), FAIL, "artefacts"),
    "operations log edited": (lambda u: edit(u.place.operations_log, b"handed over", b"handed back"), FAIL, "plain_logs"),
    "operations log deleted": (lambda u: u.place.operations_log.unlink(), FAIL, "plain_logs"),
    "operations log emptied": (lambda u: u.place.operations_log.write_bytes(b""), FAIL, "plain_logs"),
    "ledger deleted, then a record edited": (then_record(lambda u: u.ledger.unlink()), FAIL, "ledger"),
    "ledger emptied, then a record edited": (then_record(lambda u: u.ledger.write_bytes(b"")), FAIL, "ledger"),
    "last record and its line deleted": (line_and_record, FAIL, "ledger"),
    "all that was recorded deleted": (
        lambda u: [shutil.rmtree(folder) for folder in (u.reports, u.place.runs, u.place.operations_log.parent)] and None,
        FAIL, "ledger",
    ),
    "evidence's page edited": (lambda u: edit(u.evidence.with_suffix(".html"), b"Ada", b"Eve"), FAIL, "papers"),
    "evidence deleted": (lambda u: u.evidence.unlink(), FAIL, "evidence"),
    "line of the alert log dropped": (lambda u: drop_line(u.alerts, 1), FAIL, "plain_logs"),
    "who took an alert on changed": (lambda u: edit(u.alerts, b'"by":"Ada"', b'"by":"Eve"'), FAIL, "plain_logs"),
    "alert log deleted": (lambda u: u.alerts.unlink(), FAIL, "plain_logs"),
    "scheduler's log edited": (lambda u: edit(u.jobs, b"audit_verify", b"audit_verifx"), FAIL, "plain_logs"),
    "line of the scheduler's log dropped": (lambda u: drop_line(u.jobs, 1), FAIL, "plain_logs"),
    "drill's record edited": (
        lambda u: edit(u.reports / "drills" / u.drill.drill_id / "drill.json", b"Ada", b"Eve"), FAIL, "drills_chain",
    ),
}  # fmt: skip


def test_nothing_is_wrong_with_a_workspace_that_was_left_alone(used: Used) -> None:
    assert asked(used.place) == (PASS, [])


@pytest.mark.parametrize("name", HARMS)
def test_what_was_done_behind_the_suites_back_is_noticed(used: Used, name: str) -> None:
    harm, status, question = HARMS[name]
    harm(used)
    before = {path: path.read_bytes() for path in used.place.home.rglob("*") if path.is_file()}
    found, wrong = asked(used.place)
    assert (found, question in wrong) == (status, True), wrong
    after = {path: path.read_bytes() for path in used.place.home.rglob("*") if path.is_file()}
    assert {path for path in after if before.get(path) != after[path] and ".cache" not in path.parts} == set()


def test_two_records_that_changed_places_are_noticed(used: Used, run_shadow: Shadow) -> None:
    swap_records(used, run_shadow)
    assert asked(used.place)[0] == FAIL
    assert "registry_chain" in asked(used.place)[1]


RELEASED: dict[str, Callable[[Used, dict[Path, bytes]], object]] = {  # what stood open before: no orders, and the audit fails
    "deleted": lambda u, _: [path.unlink() for path in (u.reports / "live").glob("halts*")],
    "emptied": lambda u, _: [path.write_bytes(b"") for path in (u.reports / "live").glob("halts*")],
    "put back to before": lambda _, before: [path.write_bytes(data) for path, data in before.items()],
    "its folder deleted": lambda u, _: shutil.rmtree(u.reports / "live"),
    "a forged release": lambda u, _: forge_release(u, linked_well=False),
    "a forged release that follows well": lambda u, _: forge_release(u, linked_well=True),
}  # fmt: skip


def forge_release(used: Used, *, linked_well: bool) -> None:
    """Append a release that nobody asked for."""
    path, said = used.reports / "live" / "halts.jsonl", {"by": "Eve", "reason": "fine", "state": "ACTIVE"}
    if linked_well:
        Chain(path).append(("release", said), at=datetime.now(UTC))
        return
    line = {"seq": len(path.read_bytes().splitlines()), "at": "2026-01-01T00:00:00Z", "kind": "release", "data": said}
    with path.open("a") as file:
        file.write(json.dumps({**line, "prev": "0" * 64}) + "\n")


@pytest.mark.parametrize("name", RELEASED)
def test_an_engaged_switch_is_not_released_by_what_is_done_to_its_files(used: Used, name: str) -> None:
    switch = KillSwitch.of(used.place)
    switch.engage("Ada", "yesterday")
    switch.request_release("Ada", "over")
    assert not switch.release("Ben", "agreed", list).engaged
    before = {path: path.read_bytes() for path in (used.reports / "live").glob("halts*")}
    switch.engage("Ada", "news")
    assert TradingStates.of(Workspace(used.place.home)).read("global").state == "NO_ORDERS"
    RELEASED[name](used, before)
    fresh = Workspace(used.place.home)
    assert TradingStates.of(fresh).read("global").state == "NO_ORDERS", name
    assert asked(fresh)[0] == FAIL


def test_an_adopted_line_that_was_appended_by_hand_stays_told_whatever_is_entered_later(used: Used) -> None:
    """It holds together, but nobody remembers it; the next writer enters that it found it, and a person answers."""
    printed = chain_heads(used.place.home)["ledger"]
    adopt_by_hand(used)
    assert (asked(used.place)[0], "ledger" in asked(used.place)[1]) == (FAIL, True)
    assert "nothing was changed up to entry" in against(used.place, printed)
    assert chain_heads(used.place.home)["ledger"] != printed
    for number in range(3):
        Ledger(used.place.home).section("trials").append(("begun", {"id": str(number)}), at=datetime.now(UTC))
        assert asked(used.place)[0] == FAIL
    assert [link.kind for link, _ in Ledger(used.place.home).links()].count("ledger/found") == 1
    fresh = Workspace(used.place.home)
    assert TradingStates.of(fresh).in_force("shadow.ma_crossover.BTC/EUR").state == "ACTIVE"
    assert adopt(fresh, (), "Ada", "looked at; the record is right as it is") == ["ledger.jsonl"]
    assert "ledger" not in asked(used.place)[1]


def test_an_entry_whose_writer_died_before_it_was_remembered_warns_until_a_person_answers(used: Used) -> None:
    Chain(used.ledger).append(("trials/begun", {"id": "x"}), at=datetime.now(UTC))
    fresh = Workspace(used.place.home)
    assert asked(fresh) == (WARN, ["ledger"])
    assert adopt(fresh, (), "Ada", "the machine was cut off") == ["ledger.jsonl"]
    assert asked(fresh) == (PASS, [])


@pytest.mark.parametrize("name", [name for name, (_, _, question) in HARMS.items() if question == "ledger"])
def test_a_ledger_that_is_not_what_it_was_means_no_orders_until_a_person_answers(used: Used, name: str) -> None:
    middle = "swapped" in name  # only who reads all of it can know
    HARMS[name][0](used)
    fresh = Workspace(used.place.home)
    state = TradingStates.of(fresh).in_force("shadow.ma_crossover.BTC/EUR")
    assert state.state == ("ACTIVE" if middle else "NO_ORDERS"), state.reason
    if not middle:
        assert "peaktrade audit adopt" in state.reason
        with pytest.raises(ArtefactError, match="peaktrade audit adopt"):
            KillSwitch.of(fresh).request_release("Ada", "it is fine")
    assert adopt(fresh, (), "Ada", "the disk was restored from yesterday")
    assert TradingStates.of(fresh).in_force("shadow.ma_crossover.BTC/EUR").state == "ACTIVE"
    assert asked(fresh)[0] in (PASS, WARN)
    said = [link.data for link, _ in Ledger(fresh.home).links() if link.kind == "ledger/adopted"]
    assert [(one["by"], one["reason"]) for one in said] == [("Ada", "the disk was restored from yesterday")]


def test_a_restored_backup_is_noticed(used: Used, run_shadow: Shadow, tmp_path: Path) -> None:
    shutil.copytree(used.place.home, tmp_path / "backup")
    run_shadow(seed=2, steps=20)
    shutil.rmtree(used.place.home)
    shutil.copytree(tmp_path / "backup", used.place.home)
    assert "shorter than it was" in Ledger(used.place.home).fault()
    note(used.place, "goes on as if nothing had happened", "Eve")
    Ledger(used.place.home).section("trials").append(("begun", {"id": "x"}), at=datetime.now(UTC))
    for number in range(20):  # however much is entered afterwards
        Ledger(used.place.home).section("trials").append(("begun", {"id": str(number)}), at=datetime.now(UTC))
    assert "not what it was" in Ledger(used.place.home).fault()


def test_a_record_set_back_is_not_made_good_by_who_looks(used: Used) -> None:
    set_back(used)
    assert recover(used.place) == []
    assert Views.of(used.place).record(used.session.session_id).status == "started"


@pytest.mark.parametrize("files", ["halts*", "*"])
def test_an_engaged_switch_stays_engaged_whatever_is_deleted(used: Used, files: str) -> None:
    KillSwitch.of(used.place).engage("Ada", "news")
    for path in (used.reports / "live").glob(files):
        if path.is_file():
            path.unlink()
    state = TradingStates.of(Workspace(used.place.home)).read("global")
    assert state.state == "NO_ORDERS"


def test_every_single_changed_byte_is_noticed(used: Used) -> None:
    """Any file that the ledger covers, any byte: by chance, the same every time."""
    dice = random.Random(5)
    covered = [used.ledger, used.record, used.run.journal, used.run.table, used.evidence, used.place.operations_log]
    covered += [used.incident("incident.json"), used.incident("incident.md"), used.incident("incident.json", of="open")]
    for path in covered:
        data = path.read_bytes()
        for _ in range(4):
            at, bit = dice.randrange(len(data)), 1 << dice.randrange(8)
            path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
            assert asked(used.place)[0] in (FAIL, WARN), (path, at, bit)
        path.write_bytes(data)
    assert asked(used.place) == (PASS, [])


def test_what_retention_takes_is_no_tampering_and_its_archive_is_held(workspace: Workspace, run_shadow: Shadow) -> None:
    past = Workspace(workspace.home)
    past.clock = FixedClock(datetime(2026, 1, 5, tzinfo=UTC), timedelta(seconds=1))
    from peaktrade_core.session.plan import Desk
    from peaktrade_core.session.planning import plan_session
    from peaktrade_core.session.session import run_session

    done = run_session(plan_session(past, steps=30), Desk.of(past))
    rt.sweep(workspace, rt.Retention(run_days=30, report_days=30, action="archive"), "test")
    assert not RunFolder(workspace.runs, done.session_id).path.exists()
    assert asked(workspace) == (PASS, [])
    (packed,) = (workspace.reports / "archive" / "live_runs").glob("*.tar.gz")
    packed.write_bytes(packed.read_bytes() + b" ")
    assert asked(workspace) == (FAIL, ["journals"])


def test_a_head_that_was_kept_elsewhere_proves_what_came_before(used: Used, tmp_path: Path) -> None:
    head, copy = chain_heads(used.place.home)["ledger"], tmp_path / "ledger.jsonl"
    shutil.copy(used.ledger, copy)
    page = tmp_path / "report.md"
    page.write_text(f"Head of the ledger: {head}\n")
    Ledger.of(used.place).section("trials").append(("begun", {"id": "later"}), at=used.place.clock.now())
    for kept in (head, head[:20].upper(), str(copy), str(page)):
        assert "nothing was changed up to entry" in against(used.place, kept)
    used.relink(lambda entries: entries.__setitem__(1, (entries[1][0], entries[1][1], {**entries[1][2], "by": "Eve"})))
    for kept in (head, str(copy), str(page)):
        with pytest.raises(ArtefactError, match="something before it was changed"):
            against(used.place, kept)
    for odd in ("nothing", str(tmp_path)):
        with pytest.raises(ConfigError, match="neither a head nor a file"):
            against(used.place, odd)


def test_a_bundle_is_verified_elsewhere_with_the_standard_library_alone(used: Used, tmp_path: Path, peaktrade) -> None:
    made = tmp_path / "out" / "bundle.zip"
    assert peaktrade("audit", "bundle", made).code == 0
    again = peaktrade("audit", "bundle", made)
    assert (again.code, "exists already" in again.stderr) == (2, True)
    elsewhere = tmp_path / "elsewhere"
    shutil.unpack_archive(made, elsewhere)

    def verified(*head: str) -> tuple[int, str]:
        script = [sys.executable, "-I", "-S", str(elsewhere / "verify.py"), *head]
        done = subprocess.run(script, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    head = chain_heads(used.place.home)["ledger"]
    code, told = verified(head)
    assert (code, "0 not in this bundle" in told, f"hash {head}" in told) == (0, True, True), told
    assert verified("0123456789abcdef")[0] == 1
    journal = next(elsewhere.glob("live_runs/*/events.jsonl"))
    edit(journal, b'"equity":', b'"equity":1')
    assert f"FAIL  {journal.relative_to(elsewhere)} is not as it was entered" in verified()[1]
    ledger = elsewhere / "reports" / "ledger.jsonl"
    edit(ledger, b'"by":"Ada"', b'"by":"Eve"')
    assert "does not follow from the one before" in verified()[1]
    assert (
        json.loads(peaktrade("audit", "bundle", tmp_path / "b.zip", "--without-journals", "--json").stdout)["files"] > 5
    )


def test_the_watcher_enters_what_the_logs_grew_by(workspace: Workspace) -> None:
    note(workspace, "the shift begins", "Ada")
    open_watcher(workspace, once=True).run(once=True)
    edit(workspace.operations_log, b"the shift begins", b"the shift ended.")
    assert "plain_logs" in asked(workspace)[1]


def test_a_workspace_from_before_the_ledger_is_carried_over(workspace: Workspace) -> None:
    """The chains of each room are entered first, as they were; their files stay."""
    folder = workspace.reports / "evidence"
    folder.mkdir(parents=True)
    record = folder / "EV-20250101-SAFE-STOP-000000.json"
    record.write_bytes(b"{}")
    from peaktrade_core.base.files import sha256_of

    old = Chain(folder / "chain.jsonl")
    long_ago = datetime(2025, 1, 1, tzinfo=UTC)
    old.append(("evidence", {"id": record.stem, "sha256": sha256_of(record)}), at=long_ago)
    section = Ledger(workspace.home).section("evidence")
    assert list(section.sealed()) == [record.stem]  # also before anything was written
    Ledger(workspace.home).section("trials").append(("begun", {"id": "x"}), at=workspace.clock.now())
    assert [(link.kind, link.at) for link, _ in section.links()] == [("evidence", long_ago)]
    first = next(link for link, _ in Ledger(workspace.home).links())
    assert first.data == {"earlier": {"evidence": old.head()}}
    record.write_bytes(b"[]")
    assert "evidence" in asked(workspace)[1]
