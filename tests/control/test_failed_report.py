"""A report that fails says so on top, ends with exit code 6, and raises an alert that clears when it is made."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.control.routine import routine
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]


RULE = "failed-job"


def found(home: Path) -> list[str]:
    """Return what the rule about jobs and reports finds."""
    return [one.message for one in AlertEngine(Workspace(home), Alerts.of(Workspace(home)).log).look().findings[RULE]]


def test_a_failed_daily_report_is_told_and_forgotten_once_it_is_made(home: Path, peaktrade) -> None:
    (home / "config" / "alerts.toml").write_bytes((REPO / "config" / "alerts.toml").read_bytes())
    registry = home / "reports" / "experiments" / "live_sessions"
    registry.parent.mkdir(parents=True)
    registry.write_text("a file where the registry should be")
    ended = peaktrade("schedule", "run-now", "daily_report")
    assert ended.code == 1
    (page,) = (home / "reports" / "daily").glob("*_failed.html")
    text = page.read_text()
    assert text.index("This run failed") < text.index("<h1")
    registry.unlink()
    (message,) = found(home)
    assert message.startswith(f"daily_report failed for {page.stem.removesuffix('_failed')}: ")
    assert f"(reports/daily/{page.name})" in message
    assert peaktrade("report", "daily").code == 0
    assert not page.exists()
    assert found(home) == []


def test_the_daily_status_is_made_and_says_so_where_the_configuration_is_broken(home: Path, peaktrade) -> None:
    (home / "config" / "config.toml").write_text("[session]\nsteps = -1\n")
    ended = peaktrade("runbook", "run", "control_center_daily", "-p", "operator=Ada", "--json")
    told = json.loads(ended.stdout)
    assert (ended.code, told["status"], told["outcome"]) == (1, "completed", "failed")
    assert "steps = -1" in Path(told["html"]).read_text()


def test_a_report_prints_the_heads_of_the_chains_at_its_foot(
    home: Path, workspace: Workspace, run_shadow, peaktrade
) -> None:
    run_shadow(seed=1, steps=20)
    head = Views.of(workspace).chain_head()
    assert len(head) == 64
    assert peaktrade("report", "daily", "--date", "today").code == 0
    for suffix in ("html", "md"):
        (report,) = (home / "reports" / "daily").glob(f"*.{suffix}")
        assert head in report.read_text()
    assert Views.of(workspace).chain_head() in peaktrade("session", "report", "--stdout").stdout
    assert Views.of(workspace).chain_head() in peaktrade("report", "status", "--stdout").stdout


def test_the_daily_status_leaves_evidence_that_answers_its_checklist_lines(workspace: Workspace, peaktrade) -> None:
    told = json.loads(peaktrade("runbook", "run", "control_center_daily", "-p", "operator=Ada", "--json").stdout)
    evidence = EvidenceBook.of(workspace).load(told["evidence_id"])
    assert (evidence.operator, told["outcome"]) == ("Ada", "warned")
    answered = {(step.id, one.id) for step in evidence.steps for one in step.checks}
    lines = tomllib.loads((REPO / "docs" / "checklists.d" / "control.toml").read_text())["line"]
    mine = [line for line in lines if line.get("notebook") == "control_center_daily" and "step" in line]
    assert {(line["step"], line["check"]) for line in mine if line["check"]} <= answered
    assert {line["step"] for line in mine} <= {step for step, _ in answered}
    duties = {duty.id: duty.status for duty in routine(workspace)}
    assert duties["status_report"] == "pass"
