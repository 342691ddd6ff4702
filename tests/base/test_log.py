"""Logs that several processes append to, on a disk that fills up and under processes that are killed in the middle."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from pathlib import Path
from typing import NamedTuple

import pytest

from peaktrade_core.alerts.alerts import Raised, Silenced
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.alerts.log import AlertLog, note_in_runs
from peaktrade_core.base.chain import Chain
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.base.log import append_line
from peaktrade_core.base.question import Check
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.log import HaltLog
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.schedule.job_log import RunLog
from peaktrade_core.schedule.jobs import JobStarted
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import command, environment

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
NASTY = "a\u2028b\u2029c\u0085d\re\nf\x0bg\x1ch " + "x" * 70_000


class Kind(NamedTuple):
    """A log: its file, how a text gets in, and the texts that are found in it."""

    file: str
    write: Callable[[Path, str], object]
    read: Callable[[Path], list[str]]


def _texts(chain: Chain) -> list[str]:
    return [link.data["text"] for link, _ in chain.links() if "text" in link.data]


def _started(text: str) -> JobStarted:
    told = {"run_id": text, "period": "2026-01-04", "due_at": NOW, "attempt": 1, "by": "x", "pid": 1, "host": "h"}
    return JobStarted(job="daily", at=NOW, **told)  # type: ignore[arg-type]


def _silenced(text: str) -> Silenced:
    return Silenced(at=NOW, silence_id=text, until=NOW, by="x", reason=text, rule_id="r")


def _note_in_run(path: Path, text: str) -> None:
    """As the watcher does; numbers tell the lines apart."""
    book, folder = AlertBook(), path.parent
    raised = Raised(
        at=NOW, alert_id="a", rule_id="r", key="k", severity="info", message=text, run_id="run", seq=len(text)
    )
    book.apply(raised)
    note_in_runs([raised], book, lambda _: folder)


def _records(path: Path, field: str) -> list[str]:
    found = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        if not line.endswith(b"[unfinished]"):
            found.append(json.loads(line)[field])
    return found


KINDS = {
    "operations": Kind(
        "operations.log",
        lambda path, text: append_line(path, f"{NOW.isoformat()} {text}"),
        lambda path: [
            line.partition(" ")[2]
            for line in path.read_bytes().decode().split("\n")[:-1]
            if not line.endswith("[unfinished]")
        ],
    ),
    "chain": Kind(
        "chain.jsonl",
        lambda path, text: Chain(path).append(("x", {"text": text}), at=NOW),
        lambda path: _texts(Chain(path)),
    ),
    "kill switch": Kind(
        "halts.jsonl",
        lambda path, text: HaltLog(path.parent).decide(
            lambda _: [("engage", {"by": "Ada", "reason": text, "state": "NO_ORDERS"})], NOW
        ),
        lambda path: [entry.reason for entry in HaltLog(path.parent).look().entries if entry.by != "peaktrade"],
    ),
    "ledger": Kind(
        "reports/ledger.jsonl",
        lambda path, text: Ledger(path.parent.parent).section("x").append(("x", {"text": text}), at=NOW),
        lambda path: _texts(Ledger(path.parent.parent).section("x")),
    ),
    "jobs": Kind(
        "runs-2026-01.jsonl",
        lambda path, text: RunLog(path.parent).append(_started(text)),
        lambda path: [run.start.run_id for run in RunLog(path.parent).history().open("daily")],
    ),
    "alerts": Kind(
        "alerts.jsonl",
        lambda path, text: AlertLog(path).append(lambda _: [_silenced(text)]),
        lambda path: [change.reason for change in AlertLog(path).changes() if isinstance(change, Silenced)],
    ),
    "alerts of a run": Kind("alerts.jsonl", _note_in_run, lambda path: _records(path, "message")),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def in_child(work: Callable[[], object]) -> int:
    """Run something in a process of its own and return its exit code."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(120)
    assert child.exitcode is not None
    return child.exitcode


@contextmanager
def room_until(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a disk that is full [bytes]."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def die_within(path: Path, more: int, write: Callable[[], object]) -> None:
    """Let a process be killed by the system while it writes, ``more`` bytes after the end of a file."""

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the write that finds no room kills
        with room_until((path.stat().st_size if path.exists() else 0) + more):
            write()

    assert in_child(work) == -signal.SIGXFSZ


@each_kind
@pytest.mark.parametrize("first", [True, False], ids=["first line", "later line"])
def test_a_full_disk_leaves_whole_lines_and_says_so_at_every_byte(tmp_path: Path, kind: Kind, first: bool) -> None:
    path = tmp_path / kind.file
    old = [] if first else ["before"]
    for text in old:
        kind.write(path, text)
    before = path.read_bytes() if path.exists() else b""

    def refused(more: int) -> bool:
        with room_until(len(before) + more):
            try:
                kind.write(path, "one")
            except EnvironmentFault as error:
                told = str(error)
            else:
                return False
        expected = f"cannot append to {path}: File too large; check the permissions and the free space of"
        assert (expected in told, "nothing was added" in told, path.read_bytes()) == (True, True, before)
        return True

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        bytes_tried = next(more for more in range(2000) if not refused(more))
        assert bytes_tried == path.stat().st_size - len(
            before
        )  # the first room that is enough is that of the whole line

    assert in_child(work) == 0
    kind.write(path, "two and more")
    assert kind.read(path) == [*old, "one", "two and more"]


@each_kind
@pytest.mark.parametrize("more", [1, 30, 60])
def test_what_a_killed_process_left_of_a_line_is_passed_over_and_healed(tmp_path: Path, kind: Kind, more: int) -> None:
    path = tmp_path / kind.file
    kind.write(path, "one")
    whole = path.read_bytes()
    die_within(path, more, lambda: kind.write(path, "lost in the middle " * 3))
    torn = path.read_bytes()
    assert (torn[: len(whole)], len(torn)) == (whole, len(whole) + more)
    assert kind.read(path) == ["one"]
    kind.write(path, "two and more")
    assert kind.read(path) == ["one", "two and more"]
    assert path.read_bytes().startswith(whole)
    assert path.read_bytes().endswith(b"\n")


@each_kind
def test_a_line_that_lacks_only_its_newline_was_never_acknowledged(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / kind.file
    kind.write(path, "one")
    beside = {other: other.read_bytes() for other in tmp_path.rglob("*") if other.is_file() and other != path}
    kind.write(path, "lost at the end")
    path.write_bytes(path.read_bytes()[:-1])
    for other, content in beside.items():  # its writer died before it wrote anything else
        other.write_bytes(content)
    for text in ("two and more", "three of them all"):
        kind.write(path, text)
    assert kind.read(path) == ["one", "two and more", "three of them all"]


@pytest.mark.parametrize("name", ["operations", "chain", "jobs"])
def test_a_torn_line_stays_when_there_is_no_room_to_heal_it(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    path = tmp_path / kind.file
    kind.write(path, "one")
    with path.open("ab") as file:
        file.write(b"half of a line")
    before = path.read_bytes()

    def work() -> None:
        for more in range(60):
            with room_until(len(before) + more), pytest.raises(EnvironmentFault, match="nothing was added"):
                kind.write(path, "two " * 20)
            assert path.read_bytes() == before

    assert in_child(work) == 0
    kind.write(path, "two")
    assert kind.read(path) == ["one", "two"]
    assert b"half of a line" in path.read_bytes()


def test_a_writer_that_dies_while_it_heals_leaves_what_the_next_one_heals(tmp_path: Path) -> None:
    """At no moment are both the torn line and the line that keeps it gone."""
    chain = Chain(tmp_path / "chain.jsonl")
    chain.append(("x", {"text": "one"}), at=NOW)
    with chain.path.open("ab") as file:
        file.write(b"torn " * 40)
    for _ in range(3):
        die_within(chain.path, 20, lambda: chain.append(("x", {"text": "y" * 400}), at=NOW))
        assert chain.torn() or [link.kind for link, _ in chain.links()][-1] == "healed"
    chain.append(("x", {"text": "two"}), at=NOW)
    assert (_texts(chain), chain.torn()) == (["one", "two"], False)


@each_kind
def test_eight_processes_append_at_once_and_no_line_is_lost_or_mixed(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / kind.file
    texts = [[f"{who}-{n} {'z' * (100 * who + n)}" for n in range(12)] for who in range(8)]

    def work(mine: list[str]) -> None:
        for text in mine:
            kind.write(path, text)

    context = multiprocessing.get_context("fork")
    children = [context.Process(target=work, args=(mine,)) for mine in texts]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * 8
    found = kind.read(path)
    assert sorted(found) == sorted(text for mine in texts for text in mine)
    for mine in texts:
        assert [text for text in found if text in set(mine)] == mine


def test_a_new_chain_has_one_beginning_whoever_is_first(tmp_path: Path) -> None:
    kind = KINDS["ledger"]
    path = tmp_path / kind.file
    path.parent.mkdir()
    path.touch()  # as a writer leaves it that found no room for the first line
    kind.write(path, "one")
    assert [link.kind for link, _ in Chain(path).links()] == ["ledger/begun", "x/x"]


@each_kind
def test_no_text_splits_a_line_or_breaks_a_chain(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / kind.file
    for text in ("one", NASTY, f"{NASTY}.", "two and more"):
        kind.write(path, text)
    told = [NASTY, f"{NASTY}."] if kind.file != "operations.log" else [" ".join(NASTY.splitlines())] * 2
    told[1] = told[1] if told[1].endswith(".") else f"{told[1]}."
    assert kind.read(path) == ["one", *told, "two and more"]


def test_the_head_that_is_returned_is_the_head_of_the_file(tmp_path: Path) -> None:
    chain = Chain(tmp_path / "chain.jsonl")
    for text in ("one", NASTY, "two"):
        assert chain.append(("x", {"text": text}), at=NOW) == chain.head()


def test_what_cannot_be_taken_back_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    log = tmp_path / "operations.log"
    monkeypatch.setattr("peaktrade_core.base.log._put", full)  # neither takes a byte nor can be cut
    with pytest.raises(EnvironmentFault, match=r"No space left on device.*could not be taken back.*next entry heals"):
        append_line(log, "one")


@pytest.mark.parametrize("name", ["chain", "ledger", "kill switch"])
def test_nothing_is_added_to_a_chain_whose_last_line_is_no_link(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    path = tmp_path / kind.file
    kind.write(path, "one")
    with path.open("ab") as file:
        file.write(b"scribble\nand half")
    before = path.read_bytes()
    with pytest.raises(ArtefactError, match="no link of the chain"):
        kind.write(path, "two")
    assert path.read_bytes() == before


def _sealing(name: str, workspace: Workspace) -> tuple[Chain, Callable[[], object], Callable[[], Check]]:
    """Return a chain of a workspace, what seals one thing more in it, and what verifies it."""
    home, clock = workspace.home, FixedClock(NOW, timedelta(seconds=1))
    if name == "evidence":
        book = EvidenceBook(home, clock)
        return (
            book.chain,
            lambda: book.begin("safe_stop", "Safe stop", operator="Ada").finish(),
            lambda: evidence_check(book),
        )
    if name == "incidents":
        incidents = IncidentBook(home, clock)

        def close() -> None:
            told = {"subject": "s", "severity": "low", "by": "Ada", "role": "operator"}
            incidents.close(incidents.open("network", "Silent", **told).incident_id, "Ada", "maintenance", "waited")

        return incidents.chain, close, incidents.verify
    drills = DrillBook(home, clock)

    def drill() -> None:
        drills.finish(drills.begin(find_scenario(home, "disconnect"), operator="Ada"))

    return drills.chain, drill, drills.verify


@pytest.mark.parametrize("name", ["evidence", "incidents", "drills"])
def test_half_a_line_at_the_end_is_no_tampering_and_stops_nobody(workspace: Workspace, name: str) -> None:
    chain, seal, verify = _sealing(name, workspace)
    seal()
    assert verify().status == "pass"
    with chain.path.open("ab") as file:
        file.write(b'{"seq":1,"at":"2026')
    found = verify()
    assert (found.status, "half written, by a process that died; the next entry heals it" in found.evidence) == (
        "warn",
        True,
    )
    seal()
    assert verify().status == "pass"
    assert [link.kind for link, _ in Chain(chain.path).links() if link.kind == "healed"] == ["healed"]


def test_a_job_whose_entry_was_torn_is_told_as_if_it_had_not_begun(tmp_path: Path) -> None:
    kind = KINDS["jobs"]
    path = tmp_path / kind.file
    die_within(path, 40, lambda: kind.write(path, "one"))
    kind.write(path, "two")
    assert kind.read(path) == ["two"]


def test_a_command_on_a_full_disk_does_not_say_that_it_is_done(home: Path) -> None:
    log = home / "logs" / "operations.log"
    log.parent.mkdir()
    log.write_bytes(b"2026-01-05T08:00:00Z other line\n" * 40_000)  # longer than anything else that is written
    before = log.read_bytes()
    for more in (0, 1, 40):
        ended = subprocess.run(
            command("killswitch", "engage", "--by", "Ada", "--reason", "news"),
            env=environment(home),
            capture_output=True,
            text=True,
            preexec_fn=lambda more=more: resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + more, -1)),  # type: ignore[misc]
            check=False,
        )
        assert ended.returncode not in (0, 1)
        assert "the kill switch is NO_ORDERS for every session, but cannot append to" in " ".join(ended.stderr.split())
        assert log.read_bytes() == before


def test_half_a_line_of_the_kill_switch_closes_and_two_people_open(workspace: Workspace) -> None:
    switch, audit = KillSwitch.of(workspace), TradingStates.of(workspace).log.path
    switch.engage("Ada", "news")
    switch.request_release("Ada", "found it")
    switch.release("Grace", "agreed", list)
    assert switch.status().state == "ACTIVE"
    with audit.open("ab") as file:
        file.write(b'{"seq":3,"at":"2026-01-05T08:00:00Z","kind":"enga')
    assert KillSwitch.of(Workspace(workspace.home)).status().state == "NO_ORDERS"
    switch.request_release("Ada", "the disk was full")
    assert KillSwitch.of(Workspace(workspace.home)).status().state == "NO_ORDERS"  # healed, and still closed
    assert switch.release("Grace", "agreed", list).state == "ACTIVE"
    assert switch.verify().status == "pass"


def test_half_a_line_of_the_kill_switch_while_engaged_warns_and_voids_a_request(workspace: Workspace) -> None:
    switch = KillSwitch.of(workspace)
    switch.engage("Ada", "news")
    switch.request_release("Ada", "found it")
    with TradingStates.of(workspace).log.path.open("ab") as file:
        file.write(b'{"seq":2,')
    assert (switch.status().state, switch.verify().status) == ("NO_ORDERS", "warn")
    assert switch.status().requested_by is None
    assert switch.engage("Kay", "again").fault == ""
    assert switch.verify().status == "pass"


def test_no_release_counts_that_found_no_room(workspace: Workspace) -> None:
    switch, audit = KillSwitch.of(workspace), TradingStates.of(workspace).log.path
    for _ in range(4):
        switch.engage("Ada", "news")
    switch.request_release("Ada", "found it")
    size = audit.stat().st_size

    def work() -> None:
        for more in range(0, 200, 7):
            with room_until(size + more), pytest.raises(EnvironmentFault):
                switch.release("Grace", "agreed", list)
            assert KillSwitch.of(Workspace(workspace.home)).status().state == "NO_ORDERS"
            assert audit.stat().st_size == size

    assert in_child(work) == 0
    assert switch.release("Grace", "agreed", list).state == "ACTIVE"
