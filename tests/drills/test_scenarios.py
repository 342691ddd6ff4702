"""Every scenario really happens: its alerts fire, its diagnosis is in the artefacts, a good operator passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from drill_rig import drilled

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.drills.drill import DONE, FAULTS, Drill
from peaktrade_core.drills.scenarios import find_scenario, read_scenario, scenarios
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.records.registry import ALL
from peaktrade_core.reports.activity import ActivityFeed
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.runs.views import Views
from peaktrade_core.trading import events as ev
from peaktrade_core.workspace.workspace import Workspace, open_site

SHIPPED = {scenario.name: scenario for scenario in scenarios(Path("nowhere"))}
UNDIAGNOSED = ("clock_skew", "outlier", "full_disk")  # the incident is opened as what the scenario expects


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_happens_and_a_good_operator_passes(workspace: Workspace, name: str) -> None:
    done = drilled(workspace, name)
    assert done.score is not None
    assert (done.score.missed_alerts, done.score.wrong, done.score.passed, done.status) == ((), (), True, DONE)
    assert {fault.what for fault in done.faults} == {fault.kind for fault in SHIPPED[name].fault}
    assert all(phase.took_s is not None for phase in done.score.phases)
    site = open_site(workspace.home / done.workspace)
    if name not in UNDIAGNOSED:
        happened = {f.kind for f in diagnose(site, done.session_id).findings if f.happened}
        assert happened & set(SHIPPED[name].expect.diagnosis)
    check_what_the_journal_shows(site, done)
    assert (
        Views.of(workspace).rows(ALL) == Views.of(workspace).runs(50) == []
    )  # nothing of it is among the real records
    assert IncidentBook.of(workspace).rows() == []
    assert Alerts.of(workspace).rows() == []
    assert [one.text for one in ActivityFeed.of(workspace)(50) if "/workspace/" in one.text] == []


def check_what_the_journal_shows(site: Workspace, done: Drill) -> None:
    """Look for the trace that each fault must leave."""
    events = Views.of(site).events(done.session_id)
    notices = {event.code for event in events if isinstance(event, ev.Notice)}
    seen = {
        "disconnect": "ExchangeNetworkError" in notices and done.session_status == "failed",
        "rate_limit": {"ExchangeRateLimitError", "RECOVERED"} <= notices and done.session_status == "aborted",
        "bad_key": done.session_error.startswith("ExchangeAuthenticationError"),
        "failed_channel": any("pager" in r.deliveries for r in Alerts.of(site).rows())
        and {r.deliveries.get("pager") for r in Alerts.of(site).rows()} <= {"failed", "pending", None}
        and {r.deliveries.get("log") for r in Alerts.of(site).rows()} & {"delivered"} != set(),
        "gap": any(isinstance(event, ev.Gap) for event in events),
        "outlier": "PRICE_COLLAR" in done.deny_codes,
        "clock_skew": "CLOCK_SKEW" in notices and "STALE_PRICE" in done.deny_codes,
        "reject_storm": sum(isinstance(e, ev.VenueAnswer) and not e.accepted for e in events) >= 3,
        "pnl_drop": (Views.of(site).record(done.session_id).metric("max_drawdown") or 0.0) > 0.1,
        "crash": done.session_error.startswith("ProcessDied"),
        "small_limit": set(done.deny_codes) == {"MAX_ORDER_NOTIONAL"}
        and not any(isinstance(event, ev.Fill) for event in events),
        "full_disk": "cannot write the journal" in done.session_error,
    }
    assert seen[done.scenario.name]


def test_every_fault_has_a_scenario_and_every_runbook_exists_or_is_another_workers() -> None:
    assert {fault.kind for scenario in SHIPPED.values() for fault in scenario.fault} == set(FAULTS)
    names = {info.name for info in list_runbooks()} | {
        "incident_pnl_divergence",
        "incident_exchange_error",
        "incident_risk_limit",
        "incident_data_gap",
        "incident_failed_session",
    }
    assert {scenario.expect.runbook for scenario in SHIPPED.values()} <= names


def test_the_same_seed_gives_the_same_events(workspace: Workspace) -> None:
    first, second = drilled(workspace, "rate_limit"), drilled(workspace, "rate_limit")
    assert first.drill_id != second.drill_id
    assert first.events_sha256 == second.events_sha256 != ""
    assert (first.faults, first.alerts, first.actions, first.score) == (
        second.faults,
        second.alerts,
        second.actions,
        second.score,
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('title = "x"', "the file has no 'story', which must be there"),
        ("title = ", "Invalid value"),
        ('kind = "earthquake"', "unknown fault 'earthquake'"),
        ('diagnosis = ["bad luck"]', "unknown diagnosis 'bad luck'"),
        ('mitigation = ["pray"]', "unknown mitigation 'pray'"),
        ("detect_s = 0.0", "positive"),
        ("size = 2.0", "above 0 and below 1"),
        ("surprise = 1", "expect has no 'surprise'; it has: alerts, diagnosis"),
    ],
)
def test_a_scenario_that_is_not_sound_is_refused_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    sound = (Path(__file__).parents[2] / "config" / "drills" / "pnl_drop.toml").read_text()
    key = text.partition(" =")[0]
    lines = sound.splitlines()
    at = next((n for n, line in enumerate(lines) if line.startswith(f"{key} =")), len(lines))
    path = tmp_path / "mine.toml"
    path.write_text(text if key == "title" else "\n".join([*lines[:at], text, *lines[at + 1 :]]))
    with pytest.raises(ConfigError, match=says) as error:
        read_scenario(path)
    assert "mine.toml" in str(error.value)


def test_a_workspaces_own_scenario_replaces_the_shipped_one(workspace: Workspace) -> None:
    folder = workspace.home / "config" / "drills"
    folder.mkdir(parents=True)
    shipped = (Path(__file__).parents[2] / "config" / "drills" / "gap.toml").read_text()
    (folder / "gap.toml").write_text(shipped.replace("Candles are missing", "Our own gap"))
    assert find_scenario(workspace.home, "gap").title == "Our own gap"
    assert len(scenarios(workspace.home)) == len(SHIPPED)
    with pytest.raises(UnknownNameError, match="known: bad_key, "):
        find_scenario(workspace.home, "flood")


def test_a_rule_that_the_desk_has_switched_off_cannot_be_drilled(workspace: Workspace, home: Path) -> None:
    (home / "config" / "alerts.toml").write_text(
        '[[rule]]\nid = "only"\nkind = "no_events"\n[channels.log]\nkind = "log"\n'
    )
    with pytest.raises(UnknownNameError, match="unknown alert rule 'error-spike'; known: only"):
        drilled(workspace, "disconnect")
