"""What runbooks leave: steps on the disk at once, answers by those who may give them, records that cannot be changed unseen."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, StepOpenError, UnknownNameError
from peaktrade_core.base.question import check
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.runbooks.page import write_page
from peaktrade_core.runbooks.round import Round

GOOD = check("disk", "Is there room?", True, "40 GB free", "")
BAD = check("state", "May everything be traded?", False, "global HALTED", "Find the cause.")
LIVE = ev.Option(key="go", label="Go", authority="live")
NO_GO = ev.Option(key="no", label="No go", stops=True)
ANOMALY = ev.PersonQuestion(
    text="Go on?", options=(ev.YES, ev.Option(key="stop", label="Stop", stops=True, authority="pause")), reason=True
)


@pytest.fixture
def book(tmp_path: Path) -> EvidenceBook:
    return EvidenceBook(tmp_path, FixedClock(datetime(2026, 1, 5, 8, tzinfo=UTC)))


def begin(book: EvidenceBook, **given: object) -> Round:
    return book.begin("pre_session_check", "Pre-session check", operator="Ada", **given)  # type: ignore[arg-type]


def on_disk(book: EvidenceBook, round_: Round) -> dict[str, object]:
    return dict(json.loads((book.folder / f"{round_.id}.json").read_text()))


def test_each_step_is_on_the_disk_before_the_next_one(book: EvidenceBook) -> None:
    round_ = begin(book)
    round_.check("machine", "The machine", [GOOD])
    kept = on_disk(book, round_)
    assert kept["outcome"] == "running"
    assert [step["id"] for step in kept["steps"]] == ["machine"]  # type: ignore[attr-defined]


def test_the_id_follows_the_schema_and_is_never_given_twice(book: EvidenceBook, tmp_path: Path) -> None:
    frozen = FixedClock(datetime(2026, 1, 5, 8, tzinfo=UTC))
    twin = EvidenceBook(tmp_path, frozen)
    ids = {begin(book).id, begin(twin).id, begin(book).id}
    assert len(ids) == 3
    assert all(re.fullmatch(r"EV-20260105-PRE-SESSION-CHECK-08000\d(-\d)?", name) for name in ids)


@pytest.mark.parametrize(
    ("checks", "answer", "outcome"),
    [
        ([GOOD], "yes", "passed"),
        ([GOOD, BAD], "yes", "failed"),
        ([GOOD], "no", "failed"),
        ([GOOD], None, "incomplete"),
        ([BAD], None, "incomplete"),
    ],
)
def test_the_outcome_is_that_of_the_worst_step(
    book: EvidenceBook, checks: list[ev.Check], answer: str | None, outcome: str
) -> None:
    round_ = begin(book)
    round_.check("machine", "The machine", checks)
    round_.ask("owner_told", ev.PersonQuestion(text="Was the owner told?"))
    if answer:
        round_.answer("owner_told", answer)
    assert round_.finish().outcome == outcome


def test_an_answer_that_stops_ends_the_runbook_as_stopped(book: EvidenceBook) -> None:
    round_ = begin(book)
    round_.ask("go_on", ANOMALY)
    with pytest.raises(ConfigError, match="needs a reason"):
        round_.answer("go_on", "stop")
    round_.answer("go_on", "stop", "the venue is down")
    assert round_.finish().outcome == "stopped"


@pytest.mark.parametrize(
    ("role", "second", "message"),
    [
        ("operator", "Grace", "decided by owner, not by operator"),
        ("owner", "", "needs a second person"),
        ("owner", "  ADA ", "needs two people, and Ada is one"),
    ],
)
def test_who_may_not_decide_is_refused_with_the_reason(
    book: EvidenceBook, role: str, second: str, message: str
) -> None:
    round_ = begin(book, role=role)
    round_.ask("go", ev.PersonQuestion(text="Go live?", options=(LIVE, NO_GO)))
    with pytest.raises(ConfigError, match=message):
        round_.answer("go", "go", second=second)
    assert round_.finish().outcome == "incomplete"


def test_two_people_may_decide_what_needs_two(book: EvidenceBook) -> None:
    round_ = begin(book, role="owner")
    round_.ask("go", ev.PersonQuestion(text="Go live?", options=(LIVE, NO_GO)))
    answer = round_.answer("go", "go", second="Grace").answer
    assert answer is not None
    assert (answer.by, answer.second) == ("Ada", "Grace")


def test_an_interrupted_runbook_is_taken_up_where_it_was(book: EvidenceBook) -> None:
    done: list[str] = []
    first = begin(book)
    first.act("stop", "Stop the run", lambda: done.append("stopped") or "1 run stopped")  # type: ignore[func-returns-value]
    first.ask("owner_told", ev.PersonQuestion(text="Was the owner told?"))
    first.answer("owner_told", "yes")
    again = book.resume(first.id, first.record.runbook)  # the kernel was killed here
    again.act("stop", "Stop the run", lambda: done.append("stopped") or "1 run stopped")  # type: ignore[func-returns-value]
    again.ask("owner_told", ev.PersonQuestion(text="Was the owner told?"))
    assert done == ["stopped"]
    assert again.finish().outcome == "passed"
    with pytest.raises(ConfigError, match="was finished as passed"):
        book.resume(first.id, first.record.runbook)


def test_an_action_that_fails_is_recorded_and_may_be_tried_again(book: EvidenceBook) -> None:
    round_ = begin(book)

    def broken() -> str:
        raise EnvironmentFault("the disk is full")

    with pytest.raises(EnvironmentFault):
        round_.act("archive", "Archive", broken)
    step = round_.record.step("archive")
    assert step is not None
    assert (step.status, step.result) == ("fail", "EnvironmentFault: the disk is full")
    assert round_.act("archive", "Archive", lambda: "done").attempts == 2


def test_an_open_question_holds_the_next_step_only_where_a_person_can_answer(book: EvidenceBook) -> None:
    for waits in (True, False):
        round_ = begin(book, waits=waits)
        round_.ask("owner_told", ev.PersonQuestion(text="Was the owner told?"))
        if waits:
            with pytest.raises(StepOpenError, match="Was the owner told"):
                round_.check("machine", "The machine", [GOOD])
        else:
            round_.check("machine", "The machine", [GOOD])


def test_a_changed_record_and_a_changed_chain_are_noticed(book: EvidenceBook) -> None:
    names = []
    for _ in range(3):
        round_ = begin(book)
        round_.check("machine", "The machine", [GOOD])
        names.append(round_.finish().evidence_id)
    assert evidence_check(book).status == "pass"
    record = book.folder / f"{names[1]}.json"
    before = record.read_bytes()
    record.write_bytes(before.replace(b"40 GB", b"90 GB"))
    assert names[1] in evidence_check(book).evidence
    record.write_bytes(before)
    lines = book.chain.path.read_bytes().splitlines(keepends=True)
    for broken in (
        lines[:1] + lines[2:],
        [lines[1], lines[0], *lines[2:]],
        [*lines[:2], lines[2].replace(b"passed", b"failed"), *lines[3:]],
    ):
        book.chain.path.write_bytes(b"".join(broken))
        assert evidence_check(book).status == "fail"


def test_the_page_shows_what_people_wrote_as_text(book: EvidenceBook) -> None:
    round_ = begin(book, subject="<script>alert(1)</script>")
    round_.ask("go_on", ANOMALY)
    round_.answer("go_on", "yes", "<img src=x onerror=alert(2)>")
    page = write_page(book, round_.finish()).read_text()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;img src=x" in page
    assert "2026-01-05 09:00" in page  # Europe/Berlin beside UTC


@pytest.mark.parametrize("name", ["EV-1", "../../etc/passwd", "EV-20260105-../x", "EV-20260105-NONE"])
def test_an_unknown_record_is_refused_by_its_name(book: EvidenceBook, name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown evidence"):
        book.load(name)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("go = yes", {"go": ("yes", "")}),
        (" go=stop: venue: down ; told = yes;", {"go": ("stop", "venue: down"), "told": ("yes", "")}),
    ],
)
def test_answers_are_read_from_a_parameter(text: str, found: dict[str, tuple[str, str]]) -> None:
    assert ev.read_answers(text) == found


@pytest.mark.parametrize("text", ["go", "=yes", "go=", "go=yes; go=no"])
def test_answers_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="answers:"):
        ev.read_answers(text)
