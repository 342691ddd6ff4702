"""The journal's file: torn, broken, too new, on a full disk, in a folder that cannot be written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import Journal, read_journal, whole_events
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.session.cli import summary
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.trading.events import SCHEMA, End, Gap, Severity, Start
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.tally import fold
from peaktrade_core.workspace.settings import GroupCommit
from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a journal of four events."""
    path = tmp_path / "events.jsonl"
    journal = Journal(path, GroupCommit(fsync=False))
    journal.append(Start(0, EPOCH, SCHEMA, {"start_balance": 10_000.0, "notes": 'Ümläut "quoted"\n'}))
    journal.append(Gap(1, EPOCH, EPOCH, EPOCH, 3))
    journal.append(Severity(2, EPOCH, "yellow"))
    journal.append(End(3, EPOCH, "completed"))
    journal.close()
    return path


def test_a_journal_torn_at_any_byte_keeps_every_whole_line(small: Path, tmp_path: Path) -> None:
    data, events = small.read_bytes(), list(read_journal(small))
    assert len(events) == 4
    torn = tmp_path / "torn.jsonl"
    for size in range(len(data)):
        torn.write_bytes(data[:size])
        whole = data[:size].count(b"\n")
        found = list(read_journal(torn))
        assert found == events[: len(found)]
        assert whole <= len(found) <= whole + 1, f"cut at byte {size}"


@pytest.mark.parametrize("rubbish", [b"\0" * 40, b"\xff\xfe", b'{"type":"bar"', b'{"type":"nonsense","seq":4}'])
def test_rubbish_at_the_end_is_passed_over(small: Path, rubbish: bytes) -> None:
    with small.open("ab") as file:
        file.write(rubbish)
    assert len(list(read_journal(small))) == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: [*lines[:1], lines[1][:-5], *lines[2:]], "line 2"),
        (lambda lines: [*lines[:1], b"\xff\xfe", *lines[2:]], "line 2"),
        (lambda lines: [*lines[:1], *lines[2:]], "event 2 stands where 1 should"),
        (lambda lines: [lines[0].replace(b'"schema":1', b'"schema":99'), *lines[1:]], "schema 99 is newer"),
    ],
    ids=["broken line", "no text", "line missing", "newer schema"],
)
def test_damage_in_the_middle_is_an_error_that_names_file_and_line(
    small: Path, change: Callable[[list[bytes]], list[bytes]], says: str
) -> None:
    small.write_bytes(b"\n".join(change(small.read_bytes().splitlines())) + b"\n")
    with pytest.raises(ArtefactError, match=re.escape(str(small))) as caught:
        list(read_journal(small))
    assert says in str(caught.value)
    assert len(list(whole_events(small))) in (0, 1)  # what stands before the damage


def test_a_broken_journal_fails_the_check_and_the_command_still_answers(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], peaktrade: Callable[..., Any]
) -> None:
    record = run_shadow(steps=50)
    path = RunFolder(workspace.runs, record.session_id).journal
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:5], b"{", *lines[6:]]) + b"\n")
    (found,) = [
        check for check in post_session_checks(Views.of(workspace).look(record.session_id)) if check.id == "journal"
    ]
    assert (found.status, f"{path}, line 6: " in found.evidence) == ("fail", True)
    assert found.next_step.startswith("Restore the run folder")
    shown = peaktrade("session", "show", "latest")
    assert (shown.code, "✕ fail  Is the journal whole" in shown.stdout) == (0, True)


def test_a_second_writer_is_refused(small: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"cannot create the journal .*events\.jsonl"):
        Journal(small)


FULL_DISK = """
import json, resource, signal, sys
from peaktrade_core.session.cli import summary
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.workspace.workspace import Workspace
from peaktrade_core.session.session import run_session
import pyarrow.parquet
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
workspace = Workspace(sys.argv[1])
plan = plan_session(workspace, steps=5000, warmup_candles=60)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
record = run_session(plan, Desk.of(workspace))
print(json.dumps([record.session_id, record.status, record.error]))
"""


@pytest.mark.parametrize("room", [60_001, 200_000, 333_333])
def test_a_full_disk_ends_the_session_as_failed_with_a_whole_journal(
    home: Path, workspace: Workspace, configure: Callable[[str, str], None], room: int
) -> None:
    configure("events = 2000", "events = 40")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(home), str(room)], capture_output=True, timeout=300)
    session_id, status, error = json.loads(done.stdout)
    journal = RunFolder(workspace.runs, session_id).journal
    assert status == "failed"
    assert re.match(r"EnvironmentFault: cannot write the journal .*events\.jsonl: File too large; free space", error)
    assert journal.read_bytes().endswith(b"\n")
    assert journal.stat().st_size <= room
    events = list(read_journal(journal))
    safe = int(re.search(r"(\d+) events are safe", error)[1])
    assert safe <= len(events) <= safe + 2  # the error and the end may still have found room
    record = Views.of(workspace).record(session_id)
    assert (record.status, record.error) == ("failed", error)
    assert record.metrics["equity_end"] == fold(events).metrics().equity_end
    assert record.metrics["steps"] > 50


def test_reports_that_cannot_be_written_are_said_before_anything_runs(
    home: Path, workspace: Workspace, peaktrade: Callable[..., Any]
) -> None:
    (home / "reports").write_text("a file where a folder should be")
    refused = peaktrade("session", "run", "--steps", 10)
    assert (refused.code, str(home / "reports") in refused.stderr) == (4, True)
    ended = peaktrade("session", "run", "--steps", 10, "--although-halted")
    assert ended.code == 7
    assert ended.stderr.startswith("not as approved: it cannot be told, ")
    assert "\nerror: EnvironmentFault: " in ended.stderr
    assert str(home / "reports") in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(home.glob("live_runs/*/events.jsonl"))


def test_run_folders_that_cannot_be_written_leave_no_record(home: Path, peaktrade: Callable[..., Any]) -> None:
    (home / "live_runs").write_text("a file where a folder should be")
    ended = peaktrade("session", "run", "--steps", 10)
    assert ended.code == 7
    assert f"cannot create {home}/live_runs/shadow_" in ended.stderr
    assert not list(home.glob("reports/experiments/live_sessions/*.json"))


def test_a_disk_that_fails_at_the_end_leaves_the_session_to_be_recovered(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peaktrade_core.session.session import run_session

    plan, desk = plan_session(workspace, steps=100), Desk.of(workspace)
    real = Registry.of(workspace).write

    def refuse(record: SessionRecord, files: Mapping[str, str] | None = None) -> Path:
        if record.status != "started":
            raise EnvironmentFault("cannot write it: No space left on device")
        return real(record, files)

    with monkeypatch.context() as patch:
        patch.setattr(Registry.of(workspace), "write", refuse)
        with pytest.raises(EnvironmentFault, match="No space left"):
            run_session(plan, desk)
        assert recover(workspace) == []
    (recovered,) = recover(workspace)
    assert (recovered.status, recovered.metrics["steps"]) == ("completed", 100)


def test_a_summary_is_told_of_a_record_that_could_not_be_kept(workspace: Workspace, run_shadow: Callable) -> None:
    record = msgspec.structs.replace(run_shadow(steps=20), session_id="shadow_20260101_000000_abcdef")
    table, *_ = summary(workspace, record)
    told = {str(row[0]): str(row[1]) for row in table.rows}
    assert (told["Status"], told["Run time"]) == ("✓ OK", wording.duration(record.duration_seconds))
