"""The demo walkthrough runs from start to finish, leaves the desk as it was, and goes on after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.dashboard.watching.probe import PageReply, SeenDashboard
from peaktrade_core.dashboard.watching.walkthrough import (
    FOLDER,
    set_up_practice,
    walk_clean_up,
    walk_failure,
    walk_session,
)
from peaktrade_core.dashboard.watching.walkthrough_checks import (
    walk_agreement_checks,
    walk_failure_checks,
    walk_report_checks,
    walk_start_checks,
)
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runs.views import Views
from peaktrade_core.session.planning import plan_session
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended

YES = "tested = yes: as of today; clean_up = {}"


def statuses(checks: list[object]) -> set[str]:
    return {check.status for check in checks}  # type: ignore[attr-defined]


def test_the_whole_walk_without_a_person_leaves_its_evidence_and_nothing_else(
    peaktrade: Callable[..., Ended], workspace: Workspace
) -> None:
    ended = peaktrade("runbook", "run", "demo_walkthrough", "-p", f"answers={YES.format('remove')}", "--json")
    told = json.loads(ended.stdout)
    assert (ended.code, told["outcome"]) == (0, "passed"), told
    evidence = EvidenceBook.of(workspace).load(told["evidence_id"])
    assert {step.status for step in evidence.steps} == {"pass"}
    assert Views.of(workspace).stats().total_sessions == 0
    assert Views.of(workspace).runs() == []
    assert not (workspace.home / FOLDER).exists()


def test_a_walk_that_was_interrupted_goes_on_with_its_sessions(
    begin: Callable[..., Runbook], workspace: Workspace
) -> None:
    first = begin("demo_walkthrough")
    practice = set_up_practice(first)
    plan = plan_session(practice.workspace, steps=40)
    session = walk_session(first, practice, plan)
    again = begin("demo_walkthrough", resume=first.round.id)
    practice = set_up_practice(again)
    assert walk_session(again, practice, plan).id == session.id
    assert Views.of(practice.workspace).stats().total_sessions == 1
    assert statuses(walk_start_checks(session)) == {"pass"}
    failed = walk_failure(again, practice)
    assert walk_failure(again, practice).id == failed.id
    assert statuses(walk_failure_checks(failed)) == {"pass"}
    assert "fail" in statuses(walk_failure_checks(session))
    assert Views.of(practice.workspace).stats().by_status == {"completed": 1, "failed": 1}


def test_a_new_walk_begins_with_an_empty_practice_workspace(begin: Callable[..., Runbook]) -> None:
    first = begin("demo_walkthrough")
    practice = set_up_practice(first)
    walk_session(first, practice, plan_session(practice.workspace, steps=40))
    practice = set_up_practice(begin("demo_walkthrough"))
    assert Views.of(practice.workspace).stats().total_sessions == 0


def test_it_is_kept_when_that_is_the_answer(begin: Callable[..., Runbook], workspace: Workspace) -> None:
    from peaktrade_core.dashboard.watching.walkthrough import ask_clean_up

    runbook = begin("demo_walkthrough", answers="clean_up = keep")
    set_up_practice(runbook)
    ask_clean_up(runbook)
    walk_clean_up(runbook)
    assert (workspace.home / FOLDER / "config" / "config.toml").is_file()


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_no_practice_workspace_is_never_removed(
    kind: str, begin: Callable[..., Runbook], workspace: Workspace, tmp_path: Path
) -> None:
    place = workspace.home / FOLDER
    theirs = tmp_path / "theirs"
    (theirs / "config").mkdir(parents=True)
    (theirs / "config" / "config.toml").write_text("")
    (theirs / "thesis.txt").write_text("ten years of work")
    place.parent.mkdir(parents=True)
    if kind == "link":
        place.symlink_to(theirs)
    else:
        place.mkdir()
        (place / "thesis.txt").write_text("ten years of work")
    with pytest.raises(ConfigError, match="no practice workspace"):
        set_up_practice(begin("demo_walkthrough"))
    assert (place / "thesis.txt").read_text() == "ten years of work"


def test_a_figure_that_differs_anywhere_is_noticed(begin: Callable[..., Runbook]) -> None:
    runbook = begin("demo_walkthrough")
    practice = set_up_practice(runbook)
    session = walk_session(runbook, practice, plan_session(practice.workspace, steps=300, seed=7))
    assert statuses(walk_report_checks(session)) == {"pass"}
    path = f"/api/live_sessions/{session.id}"
    record = session.record
    told = {"status": "completed", "realized_pnl": record.metric("realized_pnl"), "max_drawdown": 0.5}
    page = f'<tr data-session="{session.id}"><b class="mode-shadow"></b></tr>'
    found = walk_agreement_checks(
        session, SeenDashboard(answers={"/": PageReply(200, page), path: PageReply(200, json.dumps(told))})
    )
    by_id = {check.id: check for check in found}
    assert (by_id["on_page"].status, by_id["status_shown"].status) == ("pass", "pass")
    assert by_id["drawdown_agrees"].status == "fail"
    assert "API 0.5" in by_id["drawdown_agrees"].evidence
    assert "page lacks" in by_id["pnl_agrees"].evidence
