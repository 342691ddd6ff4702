"""A job that failed, whichever: it raises one alert that names it, and clears when its period is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jobs_of_a_test import jobs_file, kinds, open_it

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.schedule import jobs as jb
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.schedule.schedule import JOBS_FILE, Schedule
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock
from peaktrade_core.workspace.workspace import Workspace
from tests.reports.test_forward_jobs import PRESET

REPO = Path(__file__).resolve().parents[2]
RULE = "failed-job"
NOW = datetime(2026, 1, 8, 12, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture
def alerts(home: Path, peaktrade: Callable[..., Any]) -> Callable[[], dict[str, str]]:
    """Return a function that takes one turn of the watcher and returns what it raised about jobs and has not cleared."""
    (home / "config" / "alerts.toml").write_bytes((REPO / "config" / "alerts.toml").read_bytes())

    def turn() -> dict[str, str]:
        assert peaktrade("alerts", "check", "--record").stdout
        rows = json.loads(peaktrade("alerts", "list", "--json").stdout)["alerts"]
        return {row["key"]: row["message"] for row in rows if row["rule_id"] == RULE and row["state"] == "raised"}

    return turn


def quick_to_clear(home: Path) -> None:
    """Let an alert clear in the turn in which it is gone."""
    path = home / "config" / "alerts.toml"
    path.write_text(path.read_text().replace('kind = "failed_job"\n', 'kind = "failed_job"\nclear_for_s = 0.0\n'))


@pytest.mark.parametrize(
    ("job", "page"),
    [("weekly_report", "reports/weekly/"), ("control_center_daily", "reports/")],
)
def test_a_report_that_fails_is_an_alert_until_it_is_made(
    home: Path, peaktrade: Callable[..., Any], alerts: Callable[[], dict[str, str]], job: str, page: str
) -> None:
    quick_to_clear(home)
    broken = home / "reports" / "evidence" if job == "control_center_daily" else _registry(home)
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_text("a file where a folder should be")
    assert peaktrade("schedule", "run-now", job).code == 1
    broken.unlink()
    period = open_schedule(Workspace(home)).log.history().runs(job)[-1].start.period
    told = alerts()
    assert set(told) == {job}  # one alert, although there is also a failed page
    assert told[job].startswith(f"{job} failed for {period}: ")
    assert f"({page}" in told[job]
    assert f"`peaktrade schedule run-now {job}" in told[job]
    assert peaktrade("schedule", "run-now", job).code == 0
    assert alerts() == {}
    (row,) = [
        one
        for one in json.loads(peaktrade("alerts", "list", "--all", "--json").stdout)["alerts"]
        if one["rule_id"] == RULE
    ]
    assert row["state"] == "cleared"


def _registry(home: Path) -> Path:
    return home / "reports" / "experiments" / "live_sessions"


def test_what_is_no_report_is_told_too(
    home: Path, peaktrade: Callable[..., Any], alerts: Callable[[], dict[str, str]]
) -> None:
    quick_to_clear(home)
    (home / "out").write_text("a file where the folder should be")
    assert peaktrade("schedule", "run-now", "snapshot_export").code == 1
    told = alerts()
    assert told["snapshot_export"].endswith("`peaktrade schedule run-now snapshot_export` does it again")
    (home / "out").unlink()
    assert peaktrade("schedule", "run-now", "snapshot_export").code == 0  # of moments the newest run counts
    assert alerts() == {}


def test_a_failed_report_that_was_made_by_hand_is_no_alert_any_more(
    home: Path, peaktrade: Callable[..., Any], alerts: Callable[[], dict[str, str]]
) -> None:
    quick_to_clear(home)
    registry = _registry(home)
    registry.parent.mkdir(parents=True)
    registry.write_text("a file where a folder should be")
    assert peaktrade("schedule", "run-now", "weekly_report").code == 1
    registry.unlink()
    page = home / "reports" / "daily" / "2026-01-04_failed.html"
    page.parent.mkdir(parents=True)
    page.write_text("made by hand, or by somebody else's cron")
    told = alerts()
    assert set(told) == {"weekly_report", "daily report"}
    assert told["daily report"].startswith("the daily report failed: reports/daily/")
    assert peaktrade("report", "weekly", "--week", "last").code == 0
    assert set(alerts()) == {"daily report"}


def messages(home: Path, now: datetime = NOW) -> list[str]:
    """Return what the rule finds at a time."""
    workspace = Workspace(home)
    workspace.clock = FixedClock(now, timedelta(0))
    (home / "config" / "alerts.toml").write_bytes((REPO / "config" / "alerts.toml").read_bytes())
    return [one.message for one in AlertEngine(workspace, Alerts.of(workspace).log).look().findings[RULE]]


def worked(home: Path, job: str, *days: str, now: datetime = NOW) -> None:
    """Let a job of the tests work some days off."""
    jobs_file(home, job)
    plan = Schedule(home, home / JOBS_FILE, kinds(home), FixedClock(now, timedelta(0)))
    for day in days:
        plan.work(job, jb.Period(day, now), "schedule", again=True)


def test_another_day_that_went_well_does_not_make_up_for_one_that_failed(home: Path) -> None:
    worked(home, "broken", "2026-01-05", "2026-01-06", "2026-01-05")
    (message,) = messages(home)
    assert message.startswith("broken failed for 2026-01-05, attempt 2: ValueError: a bug; `peaktrade schedule run-now")
    assert message.endswith("--period 2026-01-05` does it again; not done either: 2026-01-06")
    log = open_it(home).log
    for number, day in enumerate(("2026-01-06", "2026-01-07")):
        run = {"job": "broken", "at": NOW, "run_id": str(number)}
        log.append(jb.JobStarted(**run, period=day, due_at=NOW, attempt=1, by="kim", pid=1, host="here"))
        log.append(jb.JobEnded(**run, status=jb.COMPLETED, message="done"))
    (message,) = messages(home)
    assert "2026-01-05" in message
    assert "2026-01-06" not in message
    assert messages(home, NOW + timedelta(days=14, seconds=1)) == []  # by then it is history


def test_a_run_whose_process_died_is_told_and_one_that_goes_on_is_not(home: Path) -> None:
    jobs_file(home, "quick")
    log = open_it(home).log
    start = {"job": "quick", "at": NOW, "run_id": "1", "due_at": NOW, "attempt": 1, "by": "kim", "host": "here"}
    log.append(jb.JobStarted(**start, period="2026-01-07", pid=1))
    with log.lock("quick"):
        assert messages(home) == []
    (message,) = messages(home)
    assert message.startswith("quick crashed for 2026-01-07: its process ended without a word; `peaktrade schedule")


def test_a_period_is_named_for_a_job_that_has_one(home: Path, peaktrade: Callable[..., Any]) -> None:
    ended = peaktrade("schedule", "run-now", "daily_report", "--period", "2026-01-04")
    assert ended.code == 0
    assert (home / "reports" / "daily" / "2026-01-04.html").is_file()
    for job, period, said in (
        ("recovery", "2026-01-04", "leave the period out"),
        ("weekly_report", "2026-01-04", "is no week"),
        ("daily_report", "2999-01-01", "2999-01-01"),
    ):
        refused = peaktrade("schedule", "run-now", job, "--period", period)
        assert (refused.code, said in refused.stderr) == (2, True)
    assert len(open_schedule(Workspace(home)).log.history().runs("daily_report")) == 1


def test_a_log_that_cannot_be_read_is_told(home: Path) -> None:
    worked(home, "quick", "2026-01-07")
    (path,) = open_it(home).log.files()
    path.unlink()
    path.mkdir()
    (message,) = messages(home)
    assert "cannot read the run log" in message


def test_a_log_that_did_not_change_is_not_read_again(home: Path) -> None:
    worked(home, "quick", "2026-01-07")
    log = open_it(home).log
    first = log.history()
    assert log.history() is first
    log.append(jb.JobKnown(job="other", at=NOW))
    assert log.history().jobs == ["quick", "other"]


def test_the_incident_review_is_made_for_the_week_before_and_told_when_it_fails(
    home: Path, peaktrade: Callable[..., Any], alerts: Callable[[], dict[str, str]]
) -> None:
    quick_to_clear(home)
    job, folder = "weekly_incident_review", home / "reports" / "incidents"
    on_sunday = Workspace(home)
    on_sunday.clock = FixedClock(datetime(2026, 1, 11, 12, tzinfo=UTC))
    shipped = open_schedule(on_sunday)
    assert [f"{at.astimezone(shipped.zone):%a %H:%M}" for name, at in shipped.coming(2000) if name == job][:1] == [
        "Mon 06:45"
    ]
    registry = _registry(home)
    registry.parent.mkdir(parents=True)
    registry.write_text("a file where a folder should be")
    assert peaktrade("schedule", "run-now", job, "--period", "2026-W01").code == 1
    registry.unlink()
    told = alerts()
    assert told[job].startswith(f"{job} failed for 2026-W01: ")
    assert "(reports/incidents/weekly_incident_review_" in told[job]
    assert peaktrade("schedule", "run-now", job, "--period", "2026-W01").code == 0
    assert alerts() == {}
    (page,) = [path for path in folder.glob("*.html") if not path.stem.endswith("_failed")]
    assert "2026-W01" in page.read_text()


def test_forward_signals_and_their_evaluation_fail_into_an_alert_and_clear(
    home: Path,
    configure: Callable[[str, str], None],
    peaktrade: Callable[..., Any],
    alerts: Callable[[], dict[str, str]],
) -> None:
    quick_to_clear(home)
    (home / "config" / "portfolios").mkdir()
    (home / "config" / "portfolios" / "one.toml").write_text(PRESET)
    configure("forward = []", 'forward = ["one"]')
    configure('base_url = ""', 'base_url = "http://127.0.0.1:9"')  # a venue that is gone
    assert peaktrade("schedule", "run-now", "forward_signals").code == 1
    told = alerts()
    assert set(told) == {"forward_signals"}
    assert "candles of BTC/EUR 1h" in told["forward_signals"]
    assert "`peaktrade schedule run-now forward_signals` does it again" in told["forward_signals"]
    now = time.time()
    market = MarketSource.synthetic(seed=1, bar_s=3600, symbol="BTC/EUR").aligned(now)
    with LoopbackVenue(market, clock=VenueClock(now, speed=1.0)) as venue:
        configure('base_url = "http://127.0.0.1:9"', f'base_url = "{venue.url}"')
        done = peaktrade("schedule", "run-now", "forward_signals")
        assert (done.code, "1 written" in done.stdout) == (0, True)
        assert alerts() == {}
    (path,) = (home / "reports" / "forward").glob("fs_*.json")
    sealed = path.read_bytes()
    path.write_bytes(sealed.replace(b"ma_crossover", b"ma_crossovers"))
    assert peaktrade("schedule", "run-now", "forward_evaluate").code == 1
    told = alerts()
    assert set(told) == {"forward_evaluate"}
    assert path.stem in told["forward_evaluate"]
    path.write_bytes(sealed)
    assert peaktrade("schedule", "run-now", "forward_evaluate").code == 0
    assert alerts() == {}
