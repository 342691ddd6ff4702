"""A runbook run without a person: it takes its answers from the parameters, never waits, and says what is open."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.runbooks.runbooks import run_runbook
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import Ended


@pytest.fixture
def noticed(run_shadow: Callable[..., SessionRecord], configure: Callable[[str, str], None]) -> SessionRecord:
    """Return a session whose every opening order was denied, which the checklist does not pass over."""
    configure("max_order_notional = 1000.0", "max_order_notional = 100.0")
    return run_shadow(steps=300)


def test_an_unanswered_question_makes_the_evidence_incomplete_and_the_command_says_so(
    noticed: SessionRecord, peaktrade: Callable[..., Ended], workspace: Workspace
) -> None:
    ended = peaktrade("runbook", "run", "post_session_check", "-p", "operator=Ada", "--json")
    told = json.loads(ended.stdout)
    assert (ended.code, told["status"], told["outcome"]) == (1, "completed", "incomplete")
    evidence = EvidenceBook.of(workspace).load(told["evidence_id"])
    assert (evidence.operator, evidence.subject) == ("Ada", noticed.session_id)
    assert evidence.step("noted") is not None
    assert {artefact.path.rpartition("/")[2] for artefact in evidence.artefacts} >= {"events.jsonl"}
    assert evidence_check(EvidenceBook.of(workspace)).status == "pass"


def test_an_answer_in_the_parameters_is_recorded_with_who_and_why(noticed: SessionRecord, workspace: Workspace) -> None:
    given = {"operator": "Ada", "answers": "noted = yes: INC-7 holds it"}
    outcome = run_runbook("post_session_check", given, workspace)
    assert outcome.outcome == "warned"
    step = EvidenceBook.of(workspace).load(str(outcome.evidence_id)).step("noted")
    assert step is not None
    assert step.answer is not None
    assert (step.answer.key, step.answer.by, step.answer.reason) == ("yes", "Ada", "INC-7 holds it")
    page = EvidenceBook.of(workspace).folder / f"{outcome.evidence_id}.html"
    assert "INC-7 holds it" in page.read_text()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": "noted = perhaps"}, "unknown answer 'perhaps'"),
        ({"answers": "told = yes"}, "told was never asked"),
        ({"resume": "EV-20260101-NONE"}, "unknown evidence"),
    ],
)
def test_a_wrong_answer_fails_with_what_was_wrong(
    noticed: SessionRecord, workspace: Workspace, given: dict[str, object], message: str
) -> None:
    outcome = run_runbook("post_session_check", given, workspace)
    assert outcome.status == "failed"
    assert message in str(outcome.error)
    left = [EvidenceBook.of(workspace).load(name) for name in EvidenceBook.of(workspace).ids()]
    assert [record.outcome for record in left] == ["incomplete"] * ("resume" not in given)  # questions are open, too
    assert all(message in record.steps[-1].result for record in left)
    assert EvidenceBook.of(workspace).sealed.check("", "", "").status == "pass"
