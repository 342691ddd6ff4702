"""The evidence index: every record is a row, also one that is torn, changed, gone, unsealed or never finished."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import check
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence
from peaktrade_core.runbooks.index import evidence_check, evidence_rows
from peaktrade_core.runbooks.pickers import NEWEST, interrupted
from peaktrade_core.workspace.workspace import Workspace


class Shift:
    """A clock that a test sets."""

    def __init__(self, workspace: Workspace) -> None:
        self.at = workspace.clock.now()

    def now(self) -> datetime:
        return self.at


def leave(book: EvidenceBook, runbook: str = "health_check", *, good: bool = True, subject: str = "") -> str:
    """Leave one finished record and return its id."""
    round_ = book.begin(runbook, runbook.replace("_", " ").capitalize(), operator="Ada", subject=subject)
    round_.check("disk", "The disk", [check("disk", "Is there room?", good, "40 GB free", "Make some.")])
    return round_.finish().evidence_id


def states(book: EvidenceBook) -> dict[str, str]:
    return {row.evidence_id: row.state for row in evidence_rows(book)}


def test_filters_apply_before_the_limit_and_the_newest_come_first(workspace: Workspace) -> None:
    clock = Shift(workspace)
    book = EvidenceBook(workspace.home, clock)
    old = leave(book)
    clock.at += timedelta(days=3)
    about = leave(book, "post_session_check", subject="shadow_1")
    failed = leave(book, good=False)

    def ids(**asked: object) -> list[str]:
        return [row.evidence_id for row in evidence_rows(book, **asked)]  # type: ignore[arg-type]

    assert ids()[-1] == old
    assert set(ids(days=3)) == {about, failed}
    assert ids(days=4, runbook="health_check") == [failed, old]
    assert ids(runbook="health_check", outcome="passed", limit=1) == [old]
    assert ids(subject="shadow_1") == [about]
    assert ids(runbook="health") == []


@pytest.mark.parametrize(
    ("harm", "state", "status"),
    [
        (lambda path: path.write_text(path.read_text().replace("40 GB", "90 GB")), "changed", "fail"),
        (lambda path: path.write_bytes(path.read_bytes()[:50]), "torn", "fail"),
        (lambda path: path.unlink(), "missing", "fail"),
    ],
)
def test_a_harmed_record_is_a_row_that_says_so(workspace: Workspace, harm, state: str, status: str) -> None:
    book = EvidenceBook.of(workspace)
    good, bad = leave(book), leave(book, "pre_session_check")
    harm(book.folder / f"{bad}.json")
    assert states(book) == {good: "sealed", bad: state}
    found = evidence_check(book)
    assert (found.status, bad in found.evidence, good in found.evidence) == (status, True, False)


def test_a_runbook_that_was_left_is_unfinished_and_no_fault(workspace: Workspace) -> None:
    round_ = EvidenceBook.of(workspace).begin("health_check", "Health check", operator="Ada")
    assert states(EvidenceBook.of(workspace)) == {round_.id: "unfinished"}
    assert evidence_check(EvidenceBook.of(workspace)).status == "pass"
    (EvidenceBook.of(workspace).folder / f"{round_.id}.json").write_bytes(
        b""
    )  # claimed, and dead before the first step
    assert states(EvidenceBook.of(workspace)) == {round_.id: "unfinished"}


def test_a_finished_record_without_its_seal_warns(workspace: Workspace) -> None:
    book = EvidenceBook.of(workspace)
    leave(book)
    name = leave(book, "pre_session_check")
    lines = book.chain.path.read_bytes().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if b'"evidence/evidence"' in line)
    book.chain.path.write_bytes(b"".join(lines[: first + 1]))
    found = evidence_check(book)
    assert (found.status, f"{name}: finished, but never sealed" in found.evidence) == ("warn", True)


def test_the_commands_list_show_and_verify(workspace: Workspace, peaktrade) -> None:
    assert "No runbook has left evidence yet" in peaktrade("evidence", "list").stdout
    name = leave(EvidenceBook.of(workspace), subject="shadow_1")
    listed = json.loads(peaktrade("evidence", "list", "--days", 1, "--json").stdout)
    assert [(row["evidence_id"], row["state"], row["outcome"]) for row in listed] == [(name, "sealed", "passed")]
    shown = peaktrade("evidence", "show", name).stdout
    assert "as it was sealed" in shown
    assert "Ada (operator)" in shown
    assert "No record matches." in peaktrade("evidence", "list", "--outcome", "failed").stdout
    assert peaktrade("evidence", "verify").code == 0
    path = EvidenceBook.of(workspace).folder / f"{name}.json"
    path.write_text(path.read_text().replace("40 GB", "90 GB"))
    ended = peaktrade("evidence", "verify")
    assert (ended.code, f"{name}: changed after it was sealed" in ended.stdout) == (1, True)
    assert "changed after it was sealed" in peaktrade("evidence", "show", name).stdout
    unknown = peaktrade("evidence", "show", "../config")
    assert (unknown.code, "unknown evidence" in unknown.stderr) == (2, True)


def test_a_broken_chain_is_an_error_in_a_sentence(workspace: Workspace, peaktrade) -> None:
    leave(EvidenceBook.of(workspace))
    EvidenceBook.of(workspace).chain.path.write_text("scribble\n")
    ended = peaktrade("evidence", "list")
    assert (ended.code, "no link of the chain" in ended.stderr) == (4, True)
    assert evidence_check(EvidenceBook.of(workspace)).status == "fail"


def test_a_long_history_is_not_read_for_today(workspace: Workspace) -> None:
    """Records of other days are told by their names; a torn old one does not appear among today's."""
    clock = Shift(workspace)
    book = EvidenceBook(workspace.home, clock)
    old = leave(book)
    (book.folder / f"{old}.json").write_text("torn")
    clock.at += timedelta(days=2)
    new = leave(book)
    assert [row.evidence_id for row in evidence_rows(book, days=1)] == [new]


def test_a_tag_that_is_too_long_is_refused_and_leaves_nothing(workspace: Workspace) -> None:
    """Its record had an id that no list knew: it was sealed, never read again, and no list of evidence opened any more."""
    book = EvidenceBook.of(workspace)
    kept = add_evidence(book, "A" * 70, "What it shows.", by="Ada").evidence_id
    with pytest.raises(ConfigError, match="too long"):
        add_evidence(book, "A" * 90, "What it shows.", by="Ada")
    assert states(book) == {kept: "sealed"}
    assert evidence_check(book).status == "pass"
    earlier = book.folder / f"EV-20260105-{'A' * 90}.json"  # as an earlier version left it
    book.sealed.seal("evidence", earlier, book.load(kept), workspace.clock.now())
    assert states(book) == {kept: "sealed", earlier.stem: "torn"}


def test_evidence_by_hand_is_found_by_how_it_came_about(workspace: Workspace) -> None:
    book = EvidenceBook.of(workspace)
    made = add_evidence(book, "CI-HARDENING", "What it shows.", by="Ada").evidence_id
    leave(book)
    assert [row.evidence_id for row in evidence_rows(book, runbook="by_hand")] == [made]


def test_an_interrupted_runbook_is_offered_however_many_others_came_after_it(workspace: Workspace) -> None:
    book = EvidenceBook.of(workspace)
    left = book.begin("kill_switch", "Kill switch", operator="Ada").id
    for _ in range(NEWEST):
        leave(book)
    assert [one.value for one in interrupted(workspace, "kill_switch")] == [left]
