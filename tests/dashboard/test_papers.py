"""Papers: what was written is listed, opened as it is, and can do nothing; nothing else is reached through them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import pytest
from serving import HOSTILE, Dashboard, make_history, new_workspace, text

from peaktrade_core.dashboard.panels import Page
from peaktrade_core.dashboard.papers import KINDS, Papers
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with a report, evidence and an incident about its newest session, all full of markup."""
    workspace = new_workspace(tmp_path_factory.mktemp("papers") / "home")
    make_history(workspace)
    session_id = newest(workspace)
    evidence = EvidenceBook.of(workspace).begin(
        "post_session_check", "Post-session check", operator=HOSTILE, subject=session_id
    )
    evidence.check("order", "In order?", [])
    IncidentBook.of(workspace).open(
        "failed_session", f"It failed {HOSTILE}", subject=session_id, severity="low", by="ada", role="operator"
    )
    folder = workspace.reports / "sessions"
    folder.mkdir(parents=True)
    (folder / "session_report_20260105T080000.html").write_text(
        f"<title>✓ pass · The session &amp; more · Session report · peaktrade</title><p>{session_id}</p>{HOSTILE}"
    )
    (workspace.home / "secret.html").write_text("secret")
    (folder / "linked.html").symlink_to(workspace.home / "secret.html")
    os.symlink(workspace.home, workspace.reports / "outside")
    return workspace


@pytest.fixture(scope="module")
def served(written: Workspace) -> Iterator[Dashboard]:
    """Return a dashboard over it."""
    running = Dashboard(written.home)
    yield running
    running.stop()


def newest(workspace: Workspace) -> str:
    return Views.of(workspace).rows(Query(status="completed", limit=1))[0].run_id


def test_what_is_about_a_session_is_listed_on_its_page_and_opens(written: Workspace, served: Dashboard) -> None:
    session_id = newest(written)
    listed = Papers.of(written).listed(about=session_id)
    assert {paper.kind for paper in listed} == {"report", "evidence", "incident"}
    assert [one.title for one in listed if one.kind == "report"] == ["Session report · The session & more"]
    html = unescape(Page(lambda: written, "", session_id).panel("session_papers"))
    for paper in listed:
        assert f'href="{paper.address}"' in html
        answer = served.get(paper.address)
        assert answer.status == 200, paper
        assert session_id in answer.body
    assert f"peaktrade lab post_session_check -p session_id={session_id}" in text(html)
    told = served.json(f"/api/papers?about={session_id}&kind=incident")
    assert told["total"] == 1
    assert [one["name"] for one in told["rows"]] == [paper.name for paper in listed if paper.kind == "incident"]


def test_no_script_of_a_paper_runs_and_it_loads_nothing(written: Workspace, served: Dashboard) -> None:
    for paper in Papers.of(written).listed():
        policy = served.get(paper.address).headers["Content-Security-Policy"]
        assert policy.startswith("sandbox allow-same-origin; default-src 'none'")
        assert "script" not in policy
        if paper.kind != "report":  # made of the record: its texts are texts
            assert "<script>window" not in served.get(paper.address).body
            assert "<img src=x" not in served.get(paper.address).body


@pytest.mark.parametrize(
    "name",
    ["../../config/config.toml", "sessions/../../secret.html", "sessions/linked.html", "outside/secret.html",
     "/etc/passwd", "..", "sessions", "x" * 299, "%00", "evidence/../secret.html"],
)  # fmt: skip
def test_nothing_but_what_is_listed_is_reached(served: Dashboard, name: str) -> None:
    for kind in KINDS:
        for asked in (name, quote(name, safe="")):
            answer = served.get(f"/papers/{kind}/{asked}")
            assert answer.status in (400, 404), (kind, asked)
            assert "secret" not in answer.body.replace(name, "").replace("secret.html", "")
    assert served.get("/papers/config/config.toml").status == 404


def test_the_list_is_narrowed_by_kind_and_subject_and_says_when_it_is_empty(written: Workspace) -> None:
    html = Page(lambda: written, "kind=incident").panel("papers")
    assert re.findall(r'<tbody data-key="(\w+)-', html) == ["INC"]
    assert "&lt;script&gt;" in html
    assert "Nothing matches this filter." in Page(lambda: written, "about=nobody").panel("papers")
    assert "unknown kind" in Page(lambda: written, "kind=poem").panel("papers")


def test_nothing_written_says_what_writes(tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = new_workspace(tmp_path_factory.mktemp("none") / "home")
    assert "Nothing was written down yet." in Page(lambda: workspace).panel("papers")


def test_a_record_that_cannot_be_read_is_a_line_that_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = new_workspace(tmp_path_factory.mktemp("torn") / "home")
    book = IncidentBook.of(workspace)
    incident = book.open("other", "odd", subject="", severity="low", by="ada", role="operator")
    book.path(incident.incident_id).write_text("{")
    (paper,) = Papers.of(workspace).listed()
    assert "cannot be read" in paper.fault
    assert "cannot be read" in unescape(Page(lambda: workspace).panel("papers"))
