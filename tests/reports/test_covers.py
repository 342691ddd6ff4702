"""The cover of each report: it comes first, says what every other place says, and keeps what it does not know to itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check
from peaktrade_core.control.status import whole
from peaktrade_core.control.status_report import status_cover, status_report
from peaktrade_core.incidents.incident import Incident
from peaktrade_core.incidents.report import STATUS, incident_cover, response_checks
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.research.trials.holdout import SET, HoldOut
from peaktrade_core.research.trials.spec import Sweep
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.runbooks.notebooks.html import to_html
from peaktrade_core.runbooks.shelf import REPORTS, read
from peaktrade_core.runs.run import verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.cover import MOST_NEEDS, Cover, Entries, course, needing
from peaktrade_core.show.table import Cell
from peaktrade_core.workspace.workspace import Workspace
from tests.reports.test_period_reports import DAY, NOW

REPO = Path(__file__).resolve().parents[2]
COVERED = sorted({*REPORTS, "control_center_daily"})


@pytest.mark.parametrize("name", COVERED)
def test_a_report_begins_with_its_cover_and_ends_with_what_it_is(name: str) -> None:
    page = to_html(nbformat.read(REPO / "notebooks" / "reports" / f"{name}.ipynb", 4))
    main = page[page.index("<main") :]
    order = [
        main.index(part) for part in ("<h1", 'class="pt-cover"', "<h2", "About this report", "Parameters it takes")
    ]
    assert order == sorted(order)
    assert main.count('class="pt-cover"') == 1
    assert "<table" not in main[: main.index("</section>", order[1])]  # nothing comes before it
    assert main.count("<dt>") == 3


def test_a_failed_report_says_so_above_its_cover() -> None:
    notebook = nbformat.read(REPO / "notebooks" / "reports" / "daily_report.ipynb", 4)
    failure = nbformat.v4.new_markdown_cell("## ✕ This run failed", metadata={"tags": ["failure"]})
    notebook.cells.insert(0, failure)
    notebook.metadata.peaktrade["run"] = {
        "runbook": "daily_report", "status": "failed", "began": "2026-01-05T08:00:00", "seconds": 1.0, "by": "Ada", "chains": {},
    }  # fmt: skip
    page = to_html(notebook)
    assert page.index("✕ Failed") < page.index("This run failed") < page.index('class="pt-cover"')


def test_the_verdict_of_a_session_is_that_of_its_checks_everywhere(
    workspace: Workspace, run_shadow: Callable[..., Any]
) -> None:
    record = run_shadow(seed=5, steps=300)
    journal = RunFolder(workspace.runs, record.session_id).journal
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:100] + lines[110:]))  # torn: its post-session check fails
    report = read("session_report", workspace, session_id=record.session_id)
    look = Views.of(workspace).look(record.session_id)
    cover = report.cover()
    assert cover.verdict.text == "✕ CHECKS"
    assert str(verdict_of(run_of(record), look.checks)) == cover.verdict.text
    assert "Is the journal whole" in cover.why
    from peaktrade_core import session_summary

    assert cover.verdict.text in repr(session_summary(report.session))
    assert {one.id for one in cover.needs} == {one.id for one in look.checks if one.status != PASS}


def test_the_verdict_of_a_day_is_the_result_of_its_questions(
    workspace: Workspace, run_shadow: Callable[..., Any]
) -> None:
    run_shadow(steps=30, warmup_candles=60)
    report = read("daily_report", workspace, date="today")
    cover = report.cover()
    assert f"Result: {cover.verdict}, {cover.why}" == str(check_table(report.summary.attention).note)
    assert cover.figures[0][1].text in repr(report.overview())
    assert cover.chart is not None
    assert cover.chart.title == "Total PnL, summed up"  # as the headline, not the realized part of it
    ends = cover.chart.lines[0].values[-1]
    assert ends == pytest.approx(report.summary.by_currency[0].total_pnl)


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_the_status_report_says_the_one_status_first(workspace: Workspace, form: str) -> None:
    found = whole(workspace)
    cover = status_cover(workspace, found)
    assert found.word in cover.verdict.text
    assert cover.why == found.why
    text = status_report(workspace, form)
    assert text.index(cover.verdict.text) < text.index("Health")
    wanted = {one.id for layer in found.layers for one in layer.findings if one.status != PASS}
    assert {one.id for one in cover.needs} == wanted


def incident(**given: Any) -> Incident:
    raw: dict[str, Any] = {
        "incident_id": "INC-20260105-01", "kind": "other", "title": "<b>x</b> | y", "subject": "shadow_1", "severity": "high",
        "opened_at": DAY, "opened_local": "2026-01-05T01:00:00+01:00", "opened_by": "Ada", "role": "operator",
    }  # fmt: skip
    return msgspec.convert({**raw, **given}, Incident)


@pytest.mark.parametrize("status", list(STATUS))
def test_an_incident_stands_on_its_cover_as_in_every_list(status: str) -> None:
    one = incident(status=status)
    cover = incident_cover(one, response_checks(one))
    assert cover.verdict == STATUS[status]
    assert "severity high" in cover.why
    assert "\n\nNext: `peaktrade incident " in cover.markdown()
    assert cover.needs[0].status == FAIL
    page = cover._repr_html_()
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x" not in cover.markdown()


@pytest.mark.parametrize(
    "name", ["incident_report", "post_mortem", "drill_report", "weekly_incident_review", "daily_report"]
)
def test_with_nothing_to_report_on_the_cover_says_so(workspace: Workspace, name: str) -> None:
    cover = read(name, workspace).cover()
    assert cover.chart is None
    for text in (cover._repr_html_(), cover.markdown(), repr(cover)):
        assert cover.subject in text
        assert cover.verdict.text in text


def test_what_needs_a_person_is_the_worst_first_and_not_endless() -> None:
    asked: list[Check] = [check(f"w{n}", f"W{n}?", False, "w", "do it", otherwise=WARN) for n in range(20)]
    asked += [check("f", "F?", False, "f", "`peaktrade x`"), check("p", "P?", True, "p", "")]
    cover = Cover(subject="s", whose="w", when="t", verdict=Cell("✕ fail", "bad"), needs=needing(asked))
    page = cover._repr_html_()
    assert page.index("F?") < page.index("W0?")
    assert "P?" not in page
    assert "<code>peaktrade x</code>" in page
    assert f"{21 - MOST_NEEDS} more" in page
    assert f"{21 - MOST_NEEDS} more" in cover.markdown()


def test_a_course_needs_two_times_and_has_a_lane_for_each_kind() -> None:
    assert course("x", Entries("a", "up", "red", [(DAY, "1"), (DAY, "2")])) is None
    later = [(DAY + timedelta(minutes=5), "5"), (DAY + timedelta(minutes=1), "1")]
    chart = course("x", Entries("faults", "up", "red", [(DAY, "0")]), Entries("notes", "down", "green", later))
    assert chart is not None
    assert (list(chart.lanes), chart.label) == (["notes", "faults"], "x: 1 fault, 2 notes in 5 m 0 s")  # from below
    assert [[(mark.value, mark.text) for mark in kind.marks] for kind in chart.marks] == [
        [(0, "1"), (0, "5")],
        [(1, "0")],
    ]
    drawn = Cover(subject="s", whose="w", when="t", verdict=Cell("v"), chart=chart)._repr_html_()
    data = re.search(r'data-read="([^"]+)"', drawn)
    assert data is not None
    said = json.loads(data[1].replace("&#34;", '"'))
    assert [(line["name"], line["says"]) for line in said["lines"]] == [("notes", ["1", "5"]), ("faults", ["0"])]
    assert ">notes</text>" in drawn  # the lanes have names, not figures
    assert ">1</text>" not in drawn


def test_the_title_of_the_tab_says_how_the_subject_stands() -> None:
    page = to_html(nbformat.read(REPO / "notebooks" / "reports" / "drill_report.ipynb", 4))
    title = re.search("<title>(.*?)</title>", page)
    assert title is not None
    verdict, subject, *rest = title[1].split(" · ")
    assert re.search(f"pt-verdict[^>]*><b>{re.escape(verdict)}</b>", page)
    assert f"<b>{subject}</b>" in page
    assert rest == ["Drill report", "peaktrade"]


def test_the_drawing_carries_what_is_read_out(workspace: Workspace, run_shadow: Callable[..., Any]) -> None:
    run_shadow(steps=30, warmup_candles=60)
    report = read("session_report", workspace)
    data = re.search(r'data-read="([^"]+)"', report.cover()._repr_html_())
    assert data is not None
    said = json.loads(data[1].replace("&#34;", '"'))
    assert said["lines"][0]["y"] == pytest.approx([bar.equity for bar in report.session.bars])
    assert said["unit"] == report.session.currency


def sweep(workspace: Workspace, number: int, verdict: tuple[Check, ...], **given: Any) -> SweepRecord:
    asked = Sweep(
        name="fast", question="Is faster better?", strategy="ma_crossover", candles="x", parameters={"fast": [5]}
    )
    raw = SweepRecord(
        sweep_id=f"sw_{number:012x}", sweep=asked, by="Ada", trials=12, bars=1, held=0, since=None, data_sha256="0",
        verdict=verdict, **{"began_at": DAY, **given},
    )  # fmt: skip
    return SweepStore(workspace).save(raw)


def test_a_day_tells_its_sweeps_with_their_verdict_and_every_opening_of_the_hold_out(workspace: Workspace) -> None:
    workspace.clock = FixedClock(DAY + timedelta(hours=5), timedelta(0))
    against = (check("a", "A?", False, "no", "stop"), check("b", "B?", True, "yes", ""))
    sweep(workspace, 1, against, ended_at=DAY + timedelta(hours=1))
    sweep(workspace, 2, ())
    sweep(workspace, 3, against, began_at=DAY - timedelta(hours=1), ended_at=DAY + timedelta(hours=1))
    held = HoldOut(workspace)
    held.chain.append((SET, {"symbol": "BTC/EUR", "timeframe": "1m", "since": "2026-01-01T00:00:00+00:00"}), at=DAY)
    held.open("sw_1#3", "BTC/EUR", "1m", by="Ben", reason="decided")
    workspace.clock = FixedClock(NOW, timedelta(0))
    report = read("daily_report", workspace, date="2026-01-05")
    text = repr(report.research())
    assert told(against) in text
    assert "Not over" in text
    assert "sw_000000000003" not in text
    assert re.search(r"hold-out opened +BTC/EUR 1m.+Ben \(not verified\) +decided", text)
    assert "2 sweeps, 1 opening; 24 tries" in repr(report.overview())
    week = read("weekly_report", workspace, week="2026-W02")
    assert "2 sweeps, 1 opening; 24 tries" in repr(week.overview())  # the third began a week before
    empty = read("daily_report", workspace, date="2026-01-03")
    assert "Nothing was tried, written, opened or promoted." in repr(empty.research())
    assert any(table.title == "Experiments" for table in report.tables())


def test_research_that_cannot_be_read_is_told_and_breaks_nothing(workspace: Workspace) -> None:
    workspace.clock = FixedClock(NOW, timedelta(0))
    one = sweep(workspace, 1, ())
    (SweepStore(workspace).folder / one.sweep_id / "sweep.json").write_text("{")
    (workspace.home / "reports" / "ledger.jsonl").write_text("not a chain\n")
    report = read("daily_report", workspace, date="2026-01-05")
    assert "2 unreadable" in repr(report.overview())
    assert "not a sweep" in report.research().markdown()
    assert str(workspace.home) not in report.research().markdown()
