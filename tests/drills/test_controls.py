"""The 29 controls: every name in the data exists, and how each stands follows from the artefacts."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.drills.controls import Control, controls, covered_controls
from peaktrade_core.drills.scenarios import scenarios
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.schedule.job_kinds import job_kinds
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.risk import DENY_CODES
from peaktrade_core.workspace.workspace import Workspace

ROOT = Path(__file__).parents[2]


def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_there_are_29_and_each_is_said() -> None:
    assert len(controls()) == 29
    assert all(one.title and one.means for one in controls())


def test_each_deny_code_belongs_to_a_control() -> None:
    assert {code for one in controls() for code in one.codes} == set(DENY_CODES) - {"OK"}


@pytest.mark.parametrize("control", controls(), ids=lambda one: one.name)
def test_what_a_control_names_exists_and_something_exercises_it(control: Control, workspace: Workspace) -> None:
    if control.absent:
        assert control.lacks
        assert (control.exercisers, control.tests, control.holds) == ((), (), "")
        return
    assert control.exercisers
    assert control.tests
    module, _, name = control.holds.partition(":")
    assert callable(getattr(import_module(f"peaktrade_core.{module}"), name))
    assert set(control.codes) <= set(DENY_CODES)
    assert set(control.alerts) <= {rule.id for rule in alert_settings(workspace).rules}
    assert set(control.runbooks) <= {info.name for info in list_runbooks()}
    assert set(control.drills) <= {one.name for one in scenarios(workspace.home)}
    for test in control.tests:
        path, _, function = test.partition("::")
        assert function in functions_in(path)
    for trace in control.traces:
        kind, _, name = trace.partition(":")
        assert kind in ("ledger", "halt", "alert", "job")
        assert kind != "job" or name in job_kinds(workspace)


def test_how_each_stands_follows_from_the_artefacts(
    workspace: Workspace, configure: Callable[[str, str], None], peaktrade
) -> None:
    stands = {row.control.name: row.stands for row in covered_controls(workspace).rows}
    assert set(stands.values()) == {"only by test", "not here"}
    assert (stands["self_cross"], stands["stress"]) == ("not here", "not here")
    configure("max_order_notional = 1000.0", "max_order_notional = 100.0")
    denied = Workspace(workspace.home)
    done = run_session(plan_session(denied, steps=120), Desk.of(denied))
    assert done.metrics["deny_codes"]["MAX_ORDER_NOTIONAL"]
    KillSwitch.of(denied).engage("Ada", "news")
    rows = {row.control.name: row for row in covered_controls(denied).rows}
    size, switch = rows["order_notional"], rows["kill_switch"]
    assert (size.stands, size.name, size.by, size.where) == (
        "exercised",
        "MAX_ORDER_NOTIONAL",
        done.session_id,
        "operation",
    )
    assert (switch.stands, switch.name, switch.by) == ("exercised", "halt:engage", "Ada")
    long_after = denied.clock.now() + timedelta(days=200)
    old = {row.control.name: row.stands for row in covered_controls(denied, until=long_after).rows}
    assert (old["order_notional"], old["price_collar"]) == ("not lately", "only by test")
    told = json.loads(peaktrade("drill", "coverage", "--controls", "--json").stdout)
    assert [row["control"]["name"] for row in told["rows"]] == [one.name for one in controls()]
    absent = sum(one.absent for one in controls())
    assert f"{absent} not here" in peaktrade("drill", "coverage", "--controls").stdout


def test_what_cannot_be_read_makes_the_rest_unknown(workspace: Workspace) -> None:
    folder = workspace.reports / "experiments" / "live_sessions"
    folder.mkdir(parents=True)
    (folder / "torn.json").write_text("{")
    found = covered_controls(workspace)
    assert {row.stands for row in found.rows} == {"unknown", "not here"}
    assert found.faults


def test_the_assessment_says_the_verdict_first_and_what_to_do(workspace: Workspace) -> None:
    KillSwitch.of(workspace).engage("Ada", "news")
    told = read("self_assessment", workspace, year="this")
    cover = told.cover()
    assert str(cover.verdict) == "✕ fail"
    assert cover.needs[0].id == "audit_round"
    named = {one.id: one for one in told.of_controls}
    assert named["kill_switch"].status == "pass"
    assert (named["self_cross"].status, named["price_collar"].status) == ("warn", "warn")
    assert "peaktrade drill run outlier" in named["price_collar"].next_step
    assert "accept in writing" in named["self_cross"].next_step
    assert {"Self-cross", "Price collar"} <= {str(row[0]) for row in told.gaps().rows}


def test_a_countersigned_round_of_the_audit_and_the_report_as_evidence(workspace: Workspace, peaktrade) -> None:
    answers = "decided = yes; gaps_owned = yes: Ada, by March; head_kept = yes: printed, in the safe; explained = na"
    done = peaktrade("runbook", "run", "audit_round", "-p", "operator=Ada", "-p", f"answers={answers}", "--json")
    assert done.code == 0, done.stderr
    evidence_id = json.loads(done.stdout)["evidence_id"]
    fresh = read("self_assessment", Workspace(workspace.home), year="this")
    assert fresh.of_audit[0].evidence == f"{evidence_id} by one person only"
    assert peaktrade("evidence", "countersign", evidence_id, "--by", "Ben").code == 0
    fresh = read("self_assessment", Workspace(workspace.home), year="this")
    assert (fresh.of_audit[0].status, "Ben" in fresh.of_audit[0].evidence) == ("pass", True)
    made = json.loads(peaktrade("report", "self-assessment", "--by", "Ada", "--json").stdout)
    assert made["evidence_id"].endswith(f"SELF-ASSESSMENT-{made['year']}")
    assert peaktrade("evidence", "countersign", made["evidence_id"], "--by", "Ben").code == 0
    assert peaktrade("audit", "verify").code == 0
    odd = peaktrade("report", "self-assessment", "--year", "soon")
    assert (odd.code != 0, "must be this, last, or a year" in odd.stderr) == (True, True)
