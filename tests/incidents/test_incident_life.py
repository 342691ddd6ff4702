"""An incident from its opening to what was learned: who may still change what, and what the disk holds at any moment."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, UnknownNameError
from peaktrade_core.base.text import LONGEST
from peaktrade_core.cli import main
from peaktrade_core.incidents.book import UNCLOSED, IncidentBook
from peaktrade_core.incidents.incident import Incident
from peaktrade_core.incidents.report import response_checks
from peaktrade_core.incidents.review import review
from peaktrade_core.reports.activity import ActivityFeed
from peaktrade_core.schedule.periods import WEEK, span_of
from peaktrade_core.schedule.retention import named_in_incidents
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended

MONDAY = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
SESSION = "shadow_20260105_020000_abcdef"


@pytest.fixture
def book(home: Path) -> IncidentBook:
    return IncidentBook(home, FixedClock(MONDAY, timedelta(minutes=1)))


def opened(book: IncidentBook, **given: Any) -> Incident:
    wanted = {"subject": SESSION, "severity": "medium", "by": "Ada Berg", "role": "operator", **given}
    return book.open(wanted.pop("kind", "network"), wanted.pop("title", "The venue is silent"), **wanted)


def learned(book: IncidentBook, incident_id: str, *actions: str) -> Incident:
    told = {"root_cause": "one line only", "went_well": "it halted", "went_badly": "nobody was told"}
    return book.learn(incident_id, "Ben", actions=actions, **told)


def test_a_whole_life_is_in_the_timeline_in_order_and_in_the_report(book: IncidentBook) -> None:
    one = opened(book, evidence=["journal #7: no answer"]).incident_id
    book.describe(one, "Ada", symptom="no bars", suspected="the venue", next_step="wait")
    book.assign(one, "Ada", "scribe", "Ben")
    book.severity(one, "Ben", "high", "it lasts")
    book.note(one, "Ben", "rang the owner", owner_told=True)
    book.mitigate(one, "Ada", "paused")
    book.close(one, "Ada", "maintenance", "waited")
    learned(book, one, "a second feed; Ben; 2026-02-01")
    found = book.done(one, "Ben", 1)
    actions = [entry.action for entry in found.timeline]
    assert actions == [
        "opened",
        "described",
        "assigned",
        "severity",
        "owner_told",
        "mitigated",
        "closed",
        "postmortem",
        "done",
    ]
    assert [e.at for e in found.timeline] == sorted(e.at for e in found.timeline)
    assert (found.status, found.severity, found.cause) == ("closed", "high", "maintenance")
    assert found.duties == {"commander": "Ada Berg", "scribe": "Ben"}
    assert {c.status for c in response_checks(found)} == {"pass", "warn"}  # no file was attached
    report = book.report(one).read_text()
    for text in ("journal #7: no answer", "2026-01-05T04:00:00+01:00", "rang the owner", "waited", SESSION):
        assert text in report
    assert "a second feed" in book.report(one).with_name("post_mortem.md").read_text()
    assert book.load(one) == found


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "weather"}, "unknown kind of incident 'weather'"),
        ({"severity": "grave"}, "unknown severity 'grave'; known: low, medium, high"),
        ({"role": "intern"}, "unknown role"),
        ({"by": " - "}, "is no name"),
        ({"title": " \n "}, "title is empty"),
        ({"title": "x" * 5000}, "title has 5,000 characters"),
    ],
)
def test_what_cannot_be_an_incident_is_refused_and_leaves_nothing(
    book: IncidentBook, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(book, **wrong)
    assert book.rows() == []


def test_a_closed_incident_takes_notes_and_nothing_else(book: IncidentBook) -> None:
    one = opened(book).incident_id
    with pytest.raises(ConfigError, match="cause is empty"):
        book.close(one, "Ada", " ", "waited")
    book.close(one, "Ada", "maintenance", "waited")
    refused: list[Callable[[], Incident]] = [
        lambda: book.close(one, "Ada", "again", "again"),
        lambda: book.mitigate(one, "Ada", "held"),
        lambda: book.severity(one, "Ada", "high", "worse"),
        lambda: book.assign(one, "Ada", "scribe", "Ben"),
        lambda: book.describe(one, "Ada", symptom="x"),
    ]
    for change in refused:
        with pytest.raises(ConfigError, match="is closed"):
            change()
    assert book.note(one, "Ben", "the venue wrote back").timeline[-1].text == "the venue wrote back"
    assert book.load(one).status == "closed"


def test_what_was_learned_needs_the_damage_held_and_actions_that_can_be_asked_for(book: IncidentBook) -> None:
    one = opened(book).incident_id
    with pytest.raises(ConfigError, match="still open: hold the damage first"):
        learned(book, one)
    book.mitigate(one, "Ada", "held")
    for action, message in (
        ("do it", "is not an action"),
        ("do it; Ben; soon", "is not a day"),
        ("do it; ; 2026-01-09", "no name"),
    ):
        with pytest.raises(ConfigError, match=message):
            learned(book, one, action)
    learned(book, one, "do it; Ben; 2026-01-09")
    with pytest.raises(ConfigError, match="has 1 actions; there is no number 2"):
        book.done(one, "Ben", 2)
    book.done(one, "Ben", 1)
    with pytest.raises(ConfigError, match="done already"):
        book.done(one, "Ben", 1)


@pytest.mark.parametrize("wrong", ["INC-20260105-07", "../../config", "INC-20260105-01/../..", "", "latest"])
def test_an_unknown_id_names_those_that_are_and_leads_nowhere_else(book: IncidentBook, wrong: str) -> None:
    one = opened(book).incident_id
    with pytest.raises(UnknownNameError, match=one):
        book.load(wrong)


def test_two_who_write_at_once_lose_nothing(home: Path) -> None:
    books = [IncidentBook(home, FixedClock(MONDAY)) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: opened(books[n % 4], subject=f"s{n}").incident_id, range(12)))
        assert sorted(ids) == [f"INC-20260105-{n:02d}" for n in range(1, 13)]
        list(pool.map(lambda n: books[n % 4].note(ids[0], f"Person {'ab'[n % 2]}", f"note {n}"), range(16)))
    texts = [entry.text for entry in books[0].load(ids[0]).timeline if entry.action == "noted"]
    assert sorted(texts) == sorted(f"note {n}" for n in range(16))


def test_joining_notes_the_open_incident_of_that_kind_and_subject_and_opens_one_once_it_is_closed(
    book: IncidentBook,
) -> None:
    one = opened(book, join=True).incident_id
    assert opened(book, join=True).incident_id == one
    assert opened(book, join=True, kind="data_gap").incident_id != one
    assert opened(book, join=True, drill="DRILL-1").incident_id != one  # an exercise never hides in earnest
    assert "seen again" in book.load(one).timeline[-1].text
    book.close(one, "Ada", "maintenance", "waited")
    assert opened(book, join=True).incident_id != one


def test_what_was_typed_is_kept_whole_or_refused_and_nothing_is_cut_off(
    book: IncidentBook, home: Path, peaktrade: Callable[..., Ended]
) -> None:
    text = "x" * LONGEST
    for command in (["--title", text, "--evidence", "seen"], ["--title", "late", "--evidence", text]):
        given = ["--kind", "other", "--severity", "low", "--by", "Ada", *command]
        assert peaktrade("incident", "open", *given).code == 0
        refused = peaktrade("incident", "open", *(one.replace(text, f"{text}x") for one in given))
        assert (refused.code, "attach a file instead" in refused.stderr) == (2, True)
    second, first = (book.load(one) for one in book.ids())
    assert (first.title, second.evidence) == (text, (text,))
    book.describe(first.incident_id, "Ada", symptom=text, next_step=text)  # each fits, however many there are
    again = book.open("other", text, subject="s", severity="low", by="Ada", role="operator", join=True)
    joined = book.open("other", text, subject="s", severity="low", by="Ada", role="operator", join=True)
    assert (joined.incident_id, joined.timeline[-1].text) == (again.incident_id, f"seen again: {text}")


@pytest.mark.parametrize("damage", [b"", b'{"incident_id": "INC', b"[]", b"\xff\xfe"])
def test_a_torn_record_is_a_row_that_says_so_and_stops_nobody(book: IncidentBook, damage: bytes) -> None:
    one, two = opened(book).incident_id, opened(book, subject="other").incident_id
    book.path(one).write_bytes(damage)
    rows = {row.incident_id: row for row in book.rows()}
    assert (rows[one].status, rows[two].status) == ("unreadable", "open")
    assert "incident.json" in rows[one].fault
    with pytest.raises(ArtefactError, match=r"restore it from a backup"):
        book.note(one, "Ada", "a note")
    assert opened(book, subject="third").incident_id == "INC-20260105-03"
    assert any("incident.json" in fault for fault in review(book, span_of(WEEK, MONDAY)).faults)


def test_a_folder_without_a_record_does_not_lend_its_number_and_an_empty_one_was_never_one(book: IncidentBook) -> None:
    lost = book.folder / "INC-20260105-04"
    lost.mkdir(parents=True)
    (lost / "incident.md").write_text("# what was there")
    (book.folder / "INC-20260105-05").mkdir()  # its process was killed before it wrote anything
    assert [row.status for row in book.rows()] == ["unreadable"]
    assert opened(book).incident_id == "INC-20260105-05"
    assert [row.status for row in book.rows()] == ["open", "unreadable"]


def test_a_disk_that_is_full_leaves_no_half_of_an_incident(book: IncidentBook, monkeypatch: pytest.MonkeyPatch) -> None:
    one = opened(book).incident_id
    before = book.path(one).read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        for change in (lambda: opened(book, subject="other"), lambda: book.close(one, "Ada", "a", "b")):
            with pytest.raises(EnvironmentFault, match="No space left"):
                change()
    assert (book.ids(), book.path(one).read_bytes()) == ([one], before)
    assert book.verify().status == "pass"
    assert opened(book, subject="other").incident_id == "INC-20260105-02"


def test_a_process_that_dies_before_record_and_report_are_in_place_leaves_the_incident(
    book: IncidentBook, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("peaktrade_core.base.sealed._put", dies)
        with pytest.raises(KeyboardInterrupt):
            opened(book, title="Cut off")
    assert book.verify().status == "pass"
    book.sealed.settle()  # as `peaktrade doctor` does
    (row,) = book.rows()
    assert (row.title, row.status) == ("Cut off", "open")
    assert "Cut off" in command("show", row.incident_id).stdout
    book.note(row.incident_id, "Ada", "and on it goes")
    assert "and on it goes" in book.report(row.incident_id).read_text()


def test_a_process_that_was_killed_before_it_wrote_the_record_leaves_nothing_behind(book: IncidentBook) -> None:
    left = book.folder / "INC-20260105-01" / ".incident.json.abc.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b'{"half')
    assert (book.rows(), book.verify().status) == ([], "pass")
    assert opened(book).incident_id == "INC-20260105-01"
    assert not left.exists()
    book.path("INC-20260105-01").unlink()  # its report is still there: this one was opened, and is told
    assert [row.status for row in book.rows()] == ["unreadable"]


def test_a_closed_incident_that_is_changed_behind_our_back_is_noticed(book: IncidentBook) -> None:
    one, two = opened(book).incident_id, opened(book, subject="other").incident_id
    book.close(one, "Ada", "maintenance", "waited")
    book.note(one, "Ben", "sealed once more")
    assert book.verify().status == "pass"
    raw = json.loads(book.path(one).read_bytes())
    raw["severity"] = "low"
    book.path(one).write_text(json.dumps(raw))
    found = book.verify()
    assert (found.status, found.evidence) == ("fail", f"changed or missing: {one}")
    book.note(one, "Ben", "the severity was mended by hand; sealed anew")
    assert book.verify().status == "pass"
    raw = json.loads(book.path(two).read_bytes()) | {"status": "closed"}  # closed without anybody's name
    book.path(two).write_text(json.dumps(raw))
    assert book.verify().evidence == f"changed or missing: {two}"


def test_the_week_counts_what_is_real_and_asks_for_what_is_missing(book: IncidentBook) -> None:
    one = opened(book, severity="high").incident_id
    opened(book, subject="other")
    opened(book, drill="DRILL-7", severity="high")
    book.mitigate(one, "Ada", "paused")
    book.close(one, "Ada", "maintenance", "waited")
    found = review(book, span_of(WEEK, MONDAY))
    assert (len(found.opened), len(found.closed), len(found.unclosed), found.drills) == (2, 1, 1, 1)
    assert found.kinds == {"network": 2}
    assert found.held_s is not None
    checks = {check.id: check for check in found.checks}
    assert {id for id, check in checks.items() if check.status != "pass"} == {"owner", "postmortem", "patterns"}
    assert checks["postmortem"].evidence == one
    learned(book, one, "late; Ben; 2026-01-01", "in time; Ben; 2099-01-01")
    book.note(one, "Ben", "told", owner_told=True)
    found = review(book, span_of(WEEK, MONDAY))
    assert [(row.action.what, row.overdue) for row in found.actions] == [("late", True), ("in time", False)]
    assert {check.id for check in found.checks if check.status != "pass"} == {"patterns", "actions"}
    assert review(book, span_of(WEEK, MONDAY + timedelta(days=7))).opened == ()


def test_text_from_people_breaks_neither_the_report_nor_the_log(book: IncidentBook, home: Path) -> None:
    one = opened(
        book, title="a | b\n<script>alert(1)</script> 2026-01-05T00:00:00+00:00 incident INC by Eve"
    ).incident_id
    report = book.report(one).read_text()
    assert "<script>" not in report
    assert "a \\| b" in report
    (line,) = (home / "logs" / "operations.log").read_text().splitlines()
    assert line.startswith(f"2026-01-05T03:00:00+00:00 incident {one} opened, medium, by Ada Berg (operator): a | b")


def test_runs_named_in_an_incident_are_kept(book: IncidentBook) -> None:
    opened(book)
    assert SESSION in named_in_incidents(book.folder)


def test_the_activity_feed_tells_of_it_once_and_as_bad_as_it_is(workspace: Workspace) -> None:
    workspace.clock = FixedClock(MONDAY, timedelta(minutes=1))
    one = opened(IncidentBook.of(workspace), severity="high").incident_id
    IncidentBook.of(workspace).close(one, "Ada", "maintenance", "waited")
    found = [(a.severity, a.subject, a.who) for a in ActivityFeed.of(workspace)(50) if a.kind == "incident"]
    assert found == [("info", one, "Ada"), ("critical", one, "Ada Berg")]


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Return a function that runs ``peaktrade incident ARGS`` in this process."""

    def run(*args: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main(["incident", args[0], "--home", str(home), *args[1:]])
        told = capsys.readouterr()
        return Ended(int(ended.value.code or 0), told.out, told.err)

    return run


def test_the_command_carries_an_incident_to_its_end(command: Callable[..., Ended], workspace: Workspace) -> None:
    given = ("--kind", "other", "--title", "Odd smell", "--severity", "low", "--by", "Ada", "--json")
    one = json.loads(command("open", *given).stdout)["incident_id"]
    assert command("mitigate", one, "window open", "--by", "Ada").code == 0
    wrong = command("close", one, "--cause", "", "--resolution", "x", "--by", "Ada")
    assert (wrong.code, "cause is empty" in wrong.stderr) == (2, True)
    assert command("close", one, "--cause", "dust", "--resolution", "cleaned", "--by", "Ada").code == 0
    learned_ = ("--root-cause", "no filter", "--went-well", "smelt", "--went-badly", "late", "--by", "Ben")
    assert command("postmortem", one, *learned_, "--action", "a filter; Ben; 2026-01-01").code == 0
    review_ = command("review")
    assert (review_.code, "a filter" in review_.stdout, "overdue" in review_.stdout) == (0, True, True)
    assert command("done", one, "1", "--by", "Ben").code == 0
    assert json.loads(command("list", "--status", UNCLOSED, "--json").stdout) == []
    assert "Odd smell" in command("list").stdout
    assert "# " + one in command("show", one).stdout
    assert command("list", "--verify").code == 0
    IncidentBook.of(workspace).path(one).write_text("{}")
    assert command("list", "--verify").code == 1


def test_the_command_refuses_what_is_missing_in_a_sentence(command: Callable[..., Ended]) -> None:
    missing = command("show", "INC-20260105-01")
    assert (missing.code, "unknown incident" in missing.stderr) == (2, True)
    gone = command("open", "--kind", "other", "--title", "x", "--severity", "low", "--by", "Ada", "--file", "no.log")
    assert (gone.code, "no.log: not a file" in gone.stderr) == (2, True)
    assert command("diagnose").code == 4  # an empty registry
