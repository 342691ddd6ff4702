"""Thresholds to the digit, and what a rule does where figures are missing or are no numbers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.log import short_hash
from peaktrade_core.alerts.rules.facts import AccountFacts, DeskFacts, RuleFinding, RunFacts, RunMeter
from peaktrade_core.alerts.rules.kinds import FailedInRow, FailedSession
from peaktrade_core.alerts.rules.of_desk import ReportOverdue
from peaktrade_core.alerts.settings import read_settings
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.scope import TradingState
from peaktrade_core.records.registry import Registry
from peaktrade_core.trading import events as ev
from peaktrade_core.workspace.workspace import Workspace
from tests.alerts.conftest import T0, at, bar

HEAD = {"channels": {"log": {"kind": "log"}}}


def rule(kind: str, **fields: Any) -> Any:
    return read_settings({**HEAD, "rule": [{"id": "r", "kind": kind, **fields}]}, "test").rules[0]


def found(kind: str, run: RunFacts, **fields: Any) -> list[RuleFinding]:
    return list(rule(kind, **fields).find(DeskFacts(now=run.now, runs=(run,))))


def severities(findings: Sequence[RuleFinding]) -> list[str]:
    return [finding.severity for finding in findings]


def metered(events: Sequence[Any], now: float, start: float | None = None) -> RunFacts:
    meter = RunMeter(7200.0, start)
    for event in events:
        meter.add(event)
    return RunFacts("run", at(now), state="running", meter=meter, clock=at(now))


@pytest.mark.parametrize(
    ("before", "after", "percent", "expected"),
    [
        (10_000.0, 9_500.01, 5.0, []),
        (10_000.0, 9_500.0, 5.0, ["critical"]),  # 5 % has reached 5 %
        (10_000.0, 9_930.1, 0.7, []),
        (10_000.0, 9_930.0, 0.7, ["critical"]),  # floats make 0.7 % of it only nearly
        (10_000.0, 20_000.0, 5.0, []),
    ],
)
def test_a_loss_that_has_reached_its_limit_is_a_breach(
    before: float, after: float, percent: float, expected: list[str]
) -> None:
    run = metered([bar(0, 0, before), bar(1, 60, after)], 60)
    assert severities(found("pnl_drop", run, threshold_pct=percent)) == expected


def test_pnl_drop_compares_with_the_equity_at_the_begin_of_its_window_only() -> None:
    events = [bar(0, 0, 10_000.0), bar(1, 3000, 9_000.0), bar(2, 6500, 8_900.0)]
    assert found("pnl_drop", metered(events[:2], 3000), window_s=3600.0)
    assert not found("pnl_drop", metered(events, 6700), window_s=3600.0)  # the fall was before; 1.1 % since
    assert found("pnl_drop", metered(events, 6700), window_s=6800.0)


def test_the_first_bar_is_compared_with_the_start_balance() -> None:
    assert found("pnl_drop", metered([bar(0, 0, 9_000.0)], 0, start=10_000.0))
    assert not found("pnl_drop", metered([bar(0, 0, 9_000.0)], 0))


@pytest.mark.parametrize("equity", [float("nan"), float("inf"), float("-inf")])
def test_an_equity_that_is_no_number_is_critical_and_never_all_is_well(equity: float) -> None:
    run = metered([bar(0, 0, 10_000.0), bar(1, 60, equity)], 60)
    (finding,) = found("pnl_drop", run)
    assert finding.severity == "critical"
    assert "no" in finding.message
    assert run.meter is not None
    assert run.meter.drawdown == 0.0


@pytest.mark.parametrize(
    ("drawdown", "expected"),
    [
        (0.0499, []),
        (1 - 9_500 / 10_000, ["warning"]),  # exactly 5 %
        (0.0999, ["warning"]),
        (1 - 9_000 / 10_000, ["critical"]),  # exactly 10 %
        (float("nan"), ["critical"]),
        (None, []),
    ],
)
def test_a_drawdown_is_a_review_from_five_and_a_pause_from_ten_percent_on(
    drawdown: float | None, expected: list[str]
) -> None:
    run = RunFacts("run", T0, state="running", max_drawdown=drawdown)
    assert severities(found("drawdown", run)) == expected


def test_the_drawdown_of_yesterdays_session_is_let_go() -> None:
    ended = RunFacts("run", at(90_000), state="completed", max_drawdown=0.2, ended_at=T0)
    assert found("drawdown", ended) == []
    assert found("drawdown", ended._replace(now=at(80_000)))


@pytest.mark.parametrize(
    ("silence", "expected"), [(600, []), (600.5, ["warning"]), (1200, ["warning"]), (1200.5, ["critical"])]
)
def test_silence_is_graded_exactly(silence: float, expected: list[str]) -> None:
    run = RunFacts("run", at(silence), state="running", last_event_at=T0)
    assert severities(found("no_events", run, max_silence_s=600.0)) == expected


def test_a_run_that_nobody_knows_or_that_never_wrote_is_silent() -> None:
    assert severities(found("no_events", RunFacts("nope", T0))) == ["critical"]
    assert severities(found("no_events", RunFacts("nope", T0), modes=["testnet"])) == ["critical"]
    never = RunFacts("run", at(700), state="died", started_at=T0)
    assert severities(found("no_events", never)) == ["critical"]
    assert severities(found("no_events", RunFacts("run", T0, state="unreadable"))) == ["critical"]
    assert found("no_events", never._replace(now=at(5), state="running")) == []  # it has just begun


def test_a_run_that_ended_is_not_silent() -> None:
    assert found("no_events", RunFacts("run", at(9e5), state="completed", last_event_at=T0, ended_at=T0)) == []


def _errors(count: int) -> list[Any]:
    kinds = [
        lambda n: ev.Failure(n, at(n), "X: y"),
        lambda n: ev.VenueAnswer(n, at(n), "o", False),
        lambda n: ev.Notice(n, at(n), "ExchangeNetworkError", "m"),
    ]
    return [kinds[n % 3](n) for n in range(count)]


@pytest.mark.parametrize(("errors", "expected"), [(5, []), (6, ["warning"]), (10, ["warning"]), (11, ["critical"])])
def test_errors_are_counted_exactly(errors: int, expected: list[str]) -> None:
    assert severities(found("error_spike", metered(_errors(errors), 20), max_errors=5, window_s=600.0)) == expected


def test_errors_before_the_window_and_good_news_do_not_count() -> None:
    run = metered([*_errors(6), ev.Notice(6, at(7), "RECOVERED", "m"), ev.VenueAnswer(7, at(8), "o", True)], 610)
    assert found("error_spike", run, max_errors=0, window_s=600.0) == []


def test_refusals_in_a_row_begin_anew_after_an_order_that_was_taken() -> None:
    refused = [ev.VenueAnswer(n, at(n), "o", False) for n in range(3)]
    assert found("rejects_in_row", metered(refused, 3), orders=3)
    assert not found("rejects_in_row", metered(refused[:2], 3), orders=3)
    taken = ev.VenueAnswer(3, at(3), "o", True)
    assert not found("rejects_in_row", metered([*refused, taken], 4), orders=3)


@pytest.mark.parametrize(("rejects", "expected"), [(2, []), (3, ["warning"]), (4, ["warning"]), (5, ["critical"])])
def test_refusals_in_a_row_are_graded(rejects: int, expected: list[str]) -> None:
    assert severities(found("rejects_in_row", RunFacts("run", T0, rejects_in_row=rejects))) == expected


def test_a_heartbeat_is_graded_and_a_dead_process_is_critical() -> None:
    run = RunFacts("run", at(16), state="silent", heartbeat_at=T0)
    assert severities(found("heartbeat", run, max_age_s=15.0)) == ["warning"]
    assert severities(found("heartbeat", run._replace(now=at(31)), max_age_s=15.0)) == ["critical"]
    assert found("heartbeat", run._replace(now=at(15)), max_age_s=15.0) == []
    assert severities(found("heartbeat", RunFacts("run", T0, state="died"))) == ["critical"]


def test_a_feed_is_stale_by_bars_where_it_is_live_and_late_whatever_it_is() -> None:
    run = RunFacts("run", at(3 * 300 + 1), state="running", bar_closed_at=T0, bar_s=300.0)
    assert severities(found("stale_feed", run)) == ["warning"]
    assert found("stale_feed", run._replace(now=at(900))) == []
    assert found("stale_feed", run._replace(bar_closed_at=None)) == []
    noisy = run._replace(now=at(1200), last_event_at=at(1199))  # notices come, and no bar
    assert severities(found("stale_feed", noisy)) == ["critical"]
    quiet = RunFacts("run", at(719), state="running", last_event_at=T0, bar_s=60.0)
    assert found("stale_feed", quiet) == []
    assert severities(found("stale_feed", quiet._replace(now=at(720)))) == ["critical"]
    assert found("stale_feed", quiet._replace(now=at(9e9), state="completed")) == []


def test_the_loss_of_an_account_names_the_sessions_that_share_it() -> None:
    runs = tuple(
        RunFacts(name, T0, "shadow", "s", symbol, state=state, scope=f"shadow.s.{name}")
        for name, symbol, state in (
            ("b", "ETH/EUR", "running"),
            ("a", "BTC/EUR", "silent"),
            ("over", "BTC/EUR", "completed"),
            ("other", "BTC/USD", "running"),
        )
    )
    lost = AccountFacts("shadow.EUR", "shadow", "EUR", "2026-03-02", 1000.0)
    facts = DeskFacts(now=T0, runs=runs, accounts=(lost,))
    (finding,) = rule("daily_loss").find(facts)
    assert (finding.severity, finding.scopes) == ("critical", ("shadow.s.a", "shadow.s.b"))
    assert finding.cause == "shadow.EUR 2026-03-02"
    assert "1,000.00 EUR" in finding.message
    assert list(rule("daily_loss").find(facts._replace(accounts=(lost._replace(loss=999.99),)))) == []
    assert list(rule("daily_loss").find(facts._replace(accounts=(lost._replace(loss=float("nan")),))))
    assert list(rule("daily_loss", modes=["testnet"]).find(facts)) == []


@pytest.mark.parametrize(
    ("error", "severity", "runbook"),
    [
        ("ExchangeRateLimitError: x", "warning", "7b"),
        ("ExchangeNetworkError: x", "warning", "7a"),
        ("ExchangeAuthenticationError: x", "critical", "7c"),
        ("OrderOutcomeUnknownError: x", "critical", "7a"),
        ("ForbiddenRequestError: x", "critical", "7"),
        ("DataError: x", "warning", "10"),
        ("ZeroDivisionError: x", "warning", "12a"),
        ("ProcessDied: x", "warning", "12a"),
        ("EnvironmentFault: x", "warning", "12a"),
        ("", "warning", "12a"),
    ],
)
def test_a_failed_session_speaks_with_the_severity_and_runbook_of_its_error(
    error: str, severity: str, runbook: str
) -> None:
    run = RunFacts("run", at(60), state="failed", ended_at=T0, error=error)
    (finding,) = found("failed_session", run)
    assert (finding.severity, finding.runbook) == (severity, runbook)


def _ended(n: int, state: str, scope: str = "shadow.s.BTC-EUR") -> RunFacts:
    return RunFacts(f"run{n}", at(1000), mode="shadow", state=state, ended_at=at(n), scope=scope, error="X: y")


def _in_row(*newest_first: RunFacts, scopes: tuple[TradingState, ...] = ()) -> list[RuleFinding]:
    return list(rule("failed_in_row").find(DeskFacts(now=at(1000), ended=newest_first, scopes=scopes)))


def test_two_failures_in_a_row_count_by_scope() -> None:
    assert _in_row(_ended(2, "failed")) == []
    (finding,) = _in_row(_ended(2, "failed"), _ended(1, "failed"))
    assert (finding.severity, finding.scope, finding.cause) == ("critical", "shadow.s.BTC-EUR", "run2")
    assert _in_row(_ended(3, "failed"), _ended(2, "completed"), _ended(1, "failed")) == []
    assert _in_row(_ended(2, "failed"), _ended(1, "failed", "shadow.s.ETH-EUR")) == []
    died = _ended(1, "aborted")._replace(error="ProcessDied: gone")
    assert _in_row(_ended(2, "failed"), died)
    assert _in_row(_ended(2, "failed"), _ended(1, "aborted")) == []  # a person stopped it
    (finding,) = _in_row(_ended(4, "aborted"), _ended(3, "failed"), _ended(2, "aborted"), _ended(1, "failed"))
    assert (finding.cause, finding.run_id) == ("run3", "run3"), "what a person stopped neither counts nor ends the row"


def test_failures_before_a_person_resumed_the_scope_are_settled() -> None:
    resumed = (TradingState(scope="shadow.s.BTC-EUR", by="kim", reason="mended", since=at(5)),)
    assert _in_row(_ended(2, "failed"), _ended(1, "failed"), scopes=resumed) == []
    assert _in_row(_ended(6, "failed"), _ended(2, "failed"), scopes=resumed) == []
    assert _in_row(_ended(7, "failed"), _ended(6, "failed"), scopes=resumed)


@pytest.mark.parametrize(
    ("free", "expected"), [(0.10, []), (0.0999, ["warning"]), (0.02, ["warning"]), (0.0199, ["critical"])]
)
def test_free_space_is_graded_exactly(free: float, expected: list[str]) -> None:
    assert severities(list(rule("disk_free").find(DeskFacts(now=T0, disk_free=free)))) == expected


def test_space_that_cannot_be_told_is_told() -> None:
    assert severities(list(rule("disk_free").find(DeskFacts(now=T0)))) == ["warning"]


def test_a_report_is_overdue_only_once_there_was_something_to_report() -> None:
    overdue = rule("report_overdue", report="daily", max_age_s=3600.0)
    assert list(overdue.find(DeskFacts(now=T0))) == []
    assert list(overdue.find(DeskFacts(now=at(3600), first_session_at=T0))) == []
    assert list(overdue.find(DeskFacts(now=at(3601), first_session_at=T0)))
    assert list(overdue.find(DeskFacts(now=at(3601), first_session_at=T0, reports={"daily": at(60)}))) == []


def test_a_halt_everywhere_or_an_unreadable_state_is_critical() -> None:
    states = {"global": "HALTED", "a": "REDUCING", "b": "NO_ORDERS", "c": "ACTIVE"}
    scopes = tuple(TradingState(scope=scope, state=state) for scope, state in states.items())
    findings = list(rule("kill_switch_engaged").find(DeskFacts(now=T0, scopes=scopes)))
    assert {f.key: f.severity for f in findings} == {"global": "critical", "a": "warning", "b": "critical"}


def test_filters_let_only_their_runs_pass() -> None:
    run = RunFacts("run", at(9999), mode="shadow", strategy="s", symbol="BTC/EUR", state="running", last_event_at=T0)
    assert found("no_events", run, modes=["shadow"], strategies=["s"], symbols=["BTC/EUR"])
    for other in ({"modes": ["testnet"]}, {"strategies": ["t"]}, {"symbols": ["ETH/EUR"]}):
        assert found("no_events", run, **other) == []


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"id": "r", "kind": "no_evnts"}, "must be one of: pnl_drop"),
        ({"id": "r"}, "kind = None"),
        ({"id": "r", "kind": "no_events", "max_silense_s": 5}, "max_silense_s"),
        ({"id": "r", "kind": "no_events", "max_silence_s": "5"}, "max_silence_s"),
        ({"id": "r", "kind": "no_events", "max_silence_s": 0}, "max_silence_s"),
        ({"id": "r", "kind": "no_events", "max_silence_s": float("nan")}, "max_silence_s"),
        ({"id": "r", "kind": "no_events", "max_silence_s": -1.0}, "max_silence_s"),
        (
            {"id": "r", "kind": "drawdown", "critical_pct": 101.0},
            ".critical_pct = 101.0 must be a positive number up to 100",
        ),
        ({"id": "r", "kind": "drawdown", "runbook": "99"}, "runbook = '99'"),
        ({"id": "r", "kind": "drawdown", "channels": ["pager"]}, "'pager' must be one of: log"),
        ({"id": "r", "kind": "drawdown", "action": "sell"}, "action = 'sell'"),
        ({"id": "r", "kind": "drawdown", "action": ["halt"]}, "action"),
        ({"id": "r", "kind": "drawdown", "scope": "moon"}, "scope = 'moon'"),
        ({"id": "r", "kind": "disk_free", "action": "halt"}, "disk_free is not about a session"),
        ({"id": "r", "kind": "daily_loss", "max_loss": 0.0}, "max_loss"),
        ({"id": "r", "kind": "drawdown", "group_by": "moon"}, ".group_by = 'moon' must be one of: run, scope"),
        ({"id": "r", "kind": "drawdown", "severity": "fatal"}, "must be one of: info, warning, critical"),
        ({"id": "r", "kind": "drawdown", "escalate_after_s": 60.0}, "belong together"),
        ({"id": "R 1", "kind": "drawdown"}, "id = 'R 1'"),
        ("no table", "rule 1"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_in_words(table: Any, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_settings({**HEAD, "rule": [table]}, "alerts.toml")
    assert says in str(refused.value)
    assert "alerts.toml" in str(refused.value)


def test_two_rules_of_one_name_and_unknown_tables_are_refused() -> None:
    twice = [{"id": "r", "kind": "drawdown"}, {"id": "r", "kind": "no_events"}]
    with pytest.raises(ConfigError, match="two rules"):
        read_settings({**HEAD, "rule": twice}, "f")
    with pytest.raises(ConfigError, match="rules"):
        read_settings({**HEAD, "rules": []}, "f")


@pytest.mark.parametrize(
    "url",
    [
        "mailto://me:secret@example.org",
        "slack://T/B/C",
        "tgram://123:abc/42",
        "json://user@127.0.0.1/",
        "json://127.0.0.1/?token=abc",
        "mailto://127.0.0.1/?from=watch@example.org;pass=abc",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_settings({"channels": {"c": {"url": url}}}, "f")
    assert "url_env" in str(refused.value)
    assert url not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_ids_are_short_and_follow_from_what_they_name() -> None:
    assert short_hash("a", "b") == short_hash("a", "b") != short_hash("ab", "")
    assert msgspec.json.encode(short_hash("a")).strip(b'"').isalnum()


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def ended(n: int, hours_ago: float, status: str) -> RunFacts:
    at = NOW - timedelta(hours=hours_ago)
    run = f"shadow_20260601_000000_{n:06x}"
    return RunFacts(run, NOW, mode="shadow", state=status, started_at=at, ended_at=at, error="E: x", scope="shadow.a.B")


def test_a_session_whose_clock_was_ahead_is_not_the_latest(
    workspace: Workspace, run_shadow: Callable[..., Any]
) -> None:
    """It ended well in 2040: the two that failed today failed in a row, and it is no news itself."""
    workspace.clock = FixedClock(NOW - timedelta(hours=10), timedelta(0))
    record = run_shadow(steps=30)
    workspace = Workspace(workspace.home)
    workspace.clock = FixedClock(NOW, timedelta(0))
    for n, (status, when) in enumerate(
        [
            ("completed", NOW.replace(year=2040)),
            ("failed", NOW - timedelta(hours=2)),
            ("failed", NOW - timedelta(hours=1)),
        ]
    ):
        changed = msgspec.structs.replace(
            record,
            session_id=f"shadow_20260601_000000_{n:06x}",
            status=status,
            started_at=when,
            finished_at=when,
            error="E: x",
        )
        Registry.of(workspace).write(changed)
    found = Alerts.of(workspace).ask(FailedInRow)
    assert [finding.message.split(" sessions")[0] for _, finding in found] == ["2"]


def test_an_end_a_report_and_a_resume_ahead_of_now_hold_nothing_up(workspace: Workspace) -> None:
    rule = FailedSession(id="r")
    assert list(rule.look(ended(1, 1.0, "failed")))
    assert not list(rule.look(ended(1, -100.0, "failed")))
    row = FailedInRow(id="r")
    runs = (ended(2, 1.0, "failed"), ended(1, 2.0, "failed"))
    for since, count in ((None, 1), (NOW.replace(year=2040), 1), (NOW - timedelta(hours=1.5), 0)):
        states = (
            ()
            if since is None
            else (TradingState(scope="shadow.a.B", state="ACTIVE", since=since, by="kim", reason="x"),)
        )
        assert len(list(row.find(DeskFacts(now=NOW, ended=runs, scopes=states)))) == count
    folder = workspace.reports / "daily"
    folder.mkdir(parents=True)
    for name, when in (("2040-01-01.html", NOW.replace(year=2040)), ("2026-05-30.html", NOW - timedelta(hours=40))):
        (folder / name).write_text("")
        os.utime(folder / name, (when.timestamp(), when.timestamp()))
    workspace.clock = FixedClock(NOW, timedelta(0))
    (finding,) = [f for _, f in Alerts.of(workspace).ask(ReportOverdue)]
    assert "40 h old" in finding.message or "1.67 d old" in finding.message


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@pytest.mark.parametrize("columns", ["80", "140"])
def test_the_shipped_rules_are_shown_on_any_terminal(
    peaktrade: Callable[..., Any], encoding: str, columns: str
) -> None:
    shown = peaktrade("alerts", "rules", env={"PYTHONIOENCODING": encoding, "COLUMNS": columns})
    assert shown.code == 0, shown.stderr
    assert "failed-in-row" in shown.stdout
    assert "Traceback" not in shown.stderr
