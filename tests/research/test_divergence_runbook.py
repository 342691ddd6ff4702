"""The runbook of a PnL divergence, on a session in which it happened and on one in which it did not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.runbooks import DivergenceRunbook
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.runbooks.runbooks import run_runbook
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

LIVELY: dict[str, Any] = {"params": {"fast": 2, "slow": 5}, "seed": 4, "steps": 200}


@pytest.fixture
def costly(
    workspace: Workspace, configure: Callable[[str, str], None], run_shadow: Callable[..., SessionRecord]
) -> str:
    """Return the id of a session that filled worse than a backtest expects today."""
    configure("slippage_bps = 5.0 ", "slippage_bps = 40.0 ")
    record = run_shadow(**LIVELY)
    configure("slippage_bps = 40.0 ", "slippage_bps = 5.0 ")
    return record.session_id


def fresh(workspace: Workspace, **more: Any) -> DivergenceRunbook:
    found: DivergenceRunbook = begin("incident_pnl_divergence", Workspace(workspace.home), operator="Ada", **more)
    return found


def statuses(runbook: DivergenceRunbook, step: str) -> dict[str, str]:
    found = runbook.round.record.step(step)
    return {check.id: check.status for check in found.checks} if found else {}


def test_it_tells_a_divergence_from_none(workspace: Workspace, costly: str, run_shadow: Callable[..., Any]) -> None:
    runbook = fresh(workspace, session_id=costly)
    finding = runbook.case.finding
    assert finding is not None
    assert (finding.severity, finding.branch.key) == ("medium", "slippage")  # type: ignore[union-attr]
    runbook.diagnosis()
    assert list(statuses(runbook, "diagnosis").values()) == ["warn"]
    workspace = Workspace(workspace.home)
    sound = run_session(plan_session(workspace, **LIVELY), Desk.of(workspace))
    none = fresh(workspace, session_id=sound.session_id)
    assert none.case.finding is None
    none.diagnosis()
    assert list(statuses(none, "diagnosis").values()) == ["pass"]
    again = {check.id: check.status for check in runbook.conditions()}
    assert again == dict.fromkeys(("cause", "realistic", "repeatable", "state"), "pass")  # a sound session came since


def test_latest_is_the_newest_that_differs(workspace: Workspace, costly: str) -> None:
    sound = run_session(plan_session(Workspace(workspace.home), **LIVELY), Desk.of(Workspace(workspace.home)))
    runbook = fresh(workspace)
    assert runbook.case.id == costly
    assert [str(row[1]) for row in runbook.sessions().rows] == [costly]
    assert fresh(workspace, threshold_pct=1000.0).case.id == sound.session_id  # so much differs nowhere: the newest


def test_the_conditions_ask_for_a_sound_session(workspace: Workspace, costly: str) -> None:
    found = {check.id: check.status for check in fresh(workspace, session_id=costly).conditions()}
    assert found == {"cause": "pass", "realistic": "fail", "repeatable": "pass", "state": "pass"}


def test_what_it_shows_adds_up_to_the_cent(workspace: Workspace, costly: str) -> None:
    runbook = fresh(workspace, session_id=costly)
    rows = [[str(cell) for cell in row] for row in runbook.causes().rows]
    amounts = [Decimal(row[1].replace("−", "-").replace("+", "").replace(",", "")) for row in rows]
    assert sum(amounts[:-1]) == amounts[-1] == round(runbook.case.found.whole, 2)
    assert "slippage" in repr(runbook.summary())
    assert "trades differ" in repr(runbook.trades())
    assert "40.0" in repr(runbook.costs())  # and what rounding to the tick adds


def test_the_threshold_decides_what_is_an_incident(workspace: Workspace, costly: str) -> None:
    assert fresh(workspace, session_id=costly, threshold_pct=1000.0).case.finding is None
    for wrong in (0.0, -1.0, 1001.0, float("nan")):
        with pytest.raises(ConfigError, match="threshold_pct"):
            assert fresh(workspace, session_id=costly, threshold_pct=wrong).case


def test_without_a_person_it_opens_an_incident_with_what_it_found(workspace: Workspace, costly: str) -> None:
    answers = "decision = slippage; mended = no"
    given = {"session_id": costly, "operator": "Anna Example", "answers": answers}
    workspace = Workspace(workspace.home)
    outcome = run_runbook("incident_pnl_divergence", given, workspace)
    assert (outcome.status, outcome.error) == ("completed", None)
    assert outcome.outcome == "failed"  # a condition for going on is not met
    (row,) = IncidentBook.of(workspace).rows()
    incident = IncidentBook.of(workspace).load(row.incident_id)
    assert (incident.kind, incident.severity, incident.subject) == ("pnl_divergence", "medium", costly)
    assert any(text.startswith("slippage: −") for text in incident.evidence)
    assert any("decided: Slippage is higher than expected" in entry.text for entry in incident.timeline)


def test_without_a_divergence_it_opens_nothing(workspace: Workspace, run_shadow: Callable[..., Any]) -> None:
    record = run_shadow(**LIVELY)
    outcome = run_runbook("incident_pnl_divergence", {"session_id": record.session_id, "operator": "Anna"}, workspace)
    assert (outcome.status, outcome.outcome) == ("completed", "passed")
    assert IncidentBook.of(workspace).rows() == []
