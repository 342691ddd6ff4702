"""The daily and the weekly report: an empty day, a normal one, a huge one, a cell that fails, dates that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import FAIL, PASS, WARN
from peaktrade_core.records.registry import Registry
from peaktrade_core.reports.period import DailyReport
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule import periods
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

NOW = datetime(2026, 1, 6, 8, tzinfo=UTC)
DAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def template(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> SessionRecord:
    """Return the record of a real session, which is taken out of the registry again."""
    record = run_shadow(steps=30, warmup_candles=60)
    for entry in Registry.of(workspace).entries():
        entry.path.unlink()
    workspace.clock = FixedClock(NOW, timedelta(0))
    return record


def put(
    workspace: Workspace,
    template: SessionRecord,
    number: int,
    *,
    begins: datetime,
    status: str = "completed",
    lasts: timedelta | None = timedelta(minutes=5),
    symbol: str = "BTC/EUR",
    error: str | None = None,
    **metrics: Any,
) -> str:
    """Write a record like the template's with these figures, and return its id."""
    session_id = f"shadow_{begins:%Y%m%d_%H%M%S}_{number:06x}"
    record = msgspec.structs.replace(
        template,
        session_id=session_id,
        run_id=session_id,
        symbol=symbol,
        status=status,
        error=error,
        started_at=begins,
        finished_at=begins + lasts if lasts else None,
        created_at=begins,
        metrics={**template.metrics, **_ending(metrics)} if lasts else {},
    )
    Registry.of(workspace).write(record)
    return session_id


def _ending(metrics: dict[str, object]) -> dict[str, object]:
    """Return metrics with the equity that their realized PnL and an open loss of 0.25 lead to."""
    if not isinstance(pnl := metrics.get("realized_pnl"), (int, float)):
        return metrics
    return {**metrics, "unrealized_pnl": -0.25, "equity_end": 10_000.0 + pnl - 0.25}


def day(workspace: Workspace, date: str = "2026-01-05") -> DailyReport:
    found: DailyReport = read("daily_report", workspace, date=date)
    return found


def text(workspace: Workspace) -> str:
    return "\n\n".join(map(repr, day(workspace).tables()))


def test_an_empty_day_says_so_in_every_part(workspace: Workspace) -> None:
    workspace.clock = FixedClock(NOW, timedelta(0))
    said = text(workspace)
    for words in (
        "No session began in this period",
        "No alert was raised",
        "Nothing was halted",
        "No order was denied",
    ):
        assert words in said
    assert "nothing to draw" in repr(day(workspace).figure())


def test_the_figures_of_a_day_are_those_of_the_views(workspace: Workspace, template: SessionRecord) -> None:
    put(workspace, template, 1, begins=DAY + timedelta(hours=1), realized_pnl=10.5, max_drawdown=0.01)
    put(workspace, template, 2, begins=DAY + timedelta(hours=2), realized_pnl=-4.25, symbol="ETH/USD")
    put(workspace, template, 3, begins=DAY + timedelta(hours=3), realized_pnl=1.0)
    put(workspace, template, 4, begins=DAY - timedelta(hours=1), realized_pnl=99.0)
    summary = day(workspace).summary
    ours = {result.currency: (result.sessions, result.realized_pnl) for result in summary.by_currency}
    theirs = {day.currency: (day.sessions, day.realized_pnl) for day in Views.of(workspace).daily(DAY)}
    assert ours == theirs == {"EUR": (2, 11.5), "USD": (1, -4.25)}
    totals = {day.currency: day.total_pnl for day in Views.of(workspace).daily(DAY)}
    assert {result.currency: result.total_pnl for result in summary.by_currency} == totals == {"EUR": 11.0, "USD": -4.5}
    assert "+11.00 EUR · \N{MINUS SIGN}4.50 USD" in text(workspace)
    assert [result.realized_pnl for result in summary.before] == [99.0]


def test_a_session_over_midnight_is_counted_once_and_told_twice(workspace: Workspace, template: SessionRecord) -> None:
    over = put(workspace, template, 1, begins=DAY - timedelta(hours=1), lasts=timedelta(hours=2), realized_pnl=7.0)
    open_ = put(workspace, template, 2, begins=DAY + timedelta(hours=1), status="started", lasts=None)
    first, second = day(workspace, "2026-01-04").summary, day(workspace).summary
    assert [row.run_id for row in first.sessions] == [over]
    assert [row.run_id for row in second.carried] == [over]
    assert [row.run_id for row in second.still_open] == [open_]
    assert next(one for one in second.attention if one.id == "open").status == WARN


@pytest.mark.parametrize(
    ("statuses", "in_a_row", "failed"),
    [
        (["completed"] * 3, PASS, PASS),
        (["failed", "completed", "failed"], PASS, WARN),
        (["completed", "failed", "failed"], FAIL, WARN),
        (["failed", "aborted", "failed"], FAIL, WARN),
    ],
)
def test_the_escalation_path_is_evaluated(
    workspace: Workspace, template: SessionRecord, statuses: list[str], in_a_row: str, failed: str
) -> None:
    for number, status in enumerate(statuses):
        put(workspace, template, number, begins=DAY + timedelta(hours=number), status=status, max_drawdown=0.0)
    found = {one.id: one.status for one in day(workspace).summary.attention}
    assert (found["in_a_row"], found["failed"]) == (in_a_row, failed)


@pytest.mark.parametrize(("drawdown", "status"), [(0.0499, PASS), (0.05, WARN), (0.0999, WARN), (0.10, FAIL)])
def test_drawdown_is_escalated_at_five_and_ten_percent(
    workspace: Workspace, template: SessionRecord, drawdown: float, status: str
) -> None:
    put(workspace, template, 1, begins=DAY, max_drawdown=drawdown)
    assert next(one for one in day(workspace).summary.attention if one.id == "drawdown").status == status


def test_a_failure_names_its_runbook_and_cannot_break_the_markdown(
    workspace: Workspace, template: SessionRecord
) -> None:
    from peaktrade_core.reports.period_reports import _markdown

    error = "ExchangeNetworkError: <b>a | b</b>"
    put(workspace, template, 1, begins=DAY, status="failed", error=error)
    told = _markdown("daily", "2026-01-05", workspace, None, {})
    assert "runbook 7" in told
    assert "&lt;b>a \\| b" in told


def test_a_day_with_a_thousand_sessions_stays_readable(workspace: Workspace, template: SessionRecord) -> None:
    Registry.of(workspace).folder.mkdir(parents=True, exist_ok=True)
    for number in range(1000):
        status = "failed" if number % 10 == 0 else "completed"
        pnl = float(number - 500)
        error = "StrategyError: x" if status == "failed" else None
        put(
            workspace,
            template,
            number,
            begins=DAY + timedelta(minutes=number),
            status=status,
            error=error,
            realized_pnl=pnl,
        )
    report = day(workspace)
    summary = report.summary
    assert summary.by_currency[0].sessions == 1000
    assert summary.by_currency[0].realized_pnl == sum(range(-500, 500))
    for table in report.tables():
        assert len(table.rows) <= 50, table.title
    said = text(workspace)
    assert "20 of 100 are shown." in said
    assert "20 of 1,000 are shown." in said
    assert "\N{MINUS SIGN}500.00 EUR" in said
    assert "+499.00 EUR" in said


def test_an_unreadable_record_is_told_and_breaks_nothing(workspace: Workspace, template: SessionRecord) -> None:
    put(workspace, template, 1, begins=DAY)
    (Registry.of(workspace).folder / "20260105T000000_broken.json").write_text("{")
    summary = day(workspace).summary
    assert len(summary.sessions) == 1
    assert next(one for one in summary.attention if one.id == "records").status == WARN


@pytest.mark.parametrize(
    "label", ["", "2026-02-30", "2026-1-5", "20260105", "morgen", "2026-W01", "2026-01-07", "../x", "0000-01-01"]
)
def test_a_day_that_is_none_is_refused(workspace: Workspace, label: str) -> None:
    workspace.clock = FixedClock(NOW, timedelta(0))
    with pytest.raises(ConfigError):
        assert day(workspace, label).summary


@pytest.mark.parametrize("label", ["", "2026-W00", "2026-W54", "2025-W53", "2026-01-05", "next", "2026-W03"])
def test_a_week_that_is_none_is_refused(workspace: Workspace, label: str) -> None:
    workspace.clock = FixedClock(NOW, timedelta(0))
    with pytest.raises(ConfigError):
        assert read("weekly_report", workspace, week=label).summary


def test_weeks_go_from_monday_to_monday_also_over_new_year() -> None:
    span = periods.span_named("week", "2026-W01", NOW)
    assert (span.since, span.until) == (datetime(2025, 12, 29, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC))
    assert span.before.label == "2025-W52"


def test_the_schedule_makes_the_report_and_a_second_look_does_not_repeat_it(
    workspace: Workspace, template: SessionRecord, peaktrade: Callable[..., Any], home: Path
) -> None:
    put(workspace, template, 1, begins=DAY, realized_pnl=12.25)
    (home / "config" / "jobs.toml").write_text("[jobs.daily_report]\ncron = '15 6 * * *'\ncatch_up_days = 7\n")
    fixed = {"PEAKTRADE_FIXED_CLOCK": "2026-01-05T12:00:00+00:00"}
    assert peaktrade("schedule", "run", "--once", env=fixed).code == 0
    later = {"PEAKTRADE_FIXED_CLOCK": "2026-01-06T12:00:00+00:00"}
    ended = peaktrade("schedule", "run", "--once", env=later)
    assert ended.code == 0, ended.stdout
    made = sorted(path.name for path in (home / "reports" / "daily").iterdir())
    assert made == ["2026-01-05.html", "2026-01-05.ipynb", "2026-01-05.md"]
    for name in made:
        assert "+12.25" in (home / "reports" / "daily" / name).read_text()
    assert peaktrade("schedule", "run", "--once", env=later).stdout == ""


def test_a_cell_that_fails_makes_a_report_that_says_so(home: Path, peaktrade: Callable[..., Any]) -> None:
    good = home / "reports" / "daily" / "2026-01-05.html"
    good.parent.mkdir(parents=True)
    good.write_text("an earlier, good one")
    (home / "reports" / "experiments").mkdir(parents=True)
    (home / "reports" / "experiments" / "live_sessions").write_text("a file where the registry should be")
    fixed = {"PEAKTRADE_FIXED_CLOCK": NOW.isoformat()}
    ended = peaktrade("schedule", "run-now", "daily_report", env=fixed)
    assert ended.code == 1
    assert "cell" in ended.stdout
    assert "This run failed" in (good.parent / "2026-01-05_failed.html").read_text()
    assert "This report failed" in (good.parent / "2026-01-05_failed.md").read_text()
    assert good.read_text() == "an earlier, good one"
