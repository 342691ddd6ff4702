"""The panels without a server: what each says in each state of a workspace, in both languages."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import msgspec
import pytest
from serving import HOSTILE, make_history, shown, text

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.control.todo import what_needs_doing
from peaktrade_core.dashboard.panels import PANELS, Visit
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.language import words
from peaktrade_core.workspace.workspace import Workspace


def offered(value: str, address: str, n: int) -> str:
    """Return what a list offers to narrow it down by."""
    return f'href="{address}"><span class="value" title="{value}">{value}</span> <span class="n">{n}<'


def add(workspace: Workspace, session_id: str, **changes: object) -> None:
    """Add a copy of the newest record with some fields changed."""
    record = msgspec.to_builtins(Views.of(workspace).latest(Query(status="completed")))
    data = {**record, "session_id": session_id, "run_id": session_id, **changes}
    name = re.sub(r"\W", "_", session_id)
    (Registry.of(workspace).folder / f"{name}.json").write_text(json.dumps(data))


def test_empty_registry_says_the_next_step(workspace: Workspace) -> None:
    assert "No live sessions found." in shown(workspace, "sessions")
    assert "peaktrade session run" in shown(workspace, "sessions")
    assert "No session has finished yet." in shown(workspace, "snapshot")
    assert "no session yet" in shown(workspace, "status")
    assert "No finished session" in shown(workspace, "trend")


def test_empty_registry_in_german(workspace: Workspace) -> None:
    path = workspace.config_path
    path.write_text(path.read_text().replace('language = "en"', 'language = "de"'))
    assert "Keine Live-Sessions gefunden." in shown(workspace, "sessions")
    assert "peaktrade session run" in shown(workspace, "sessions")
    assert "Risiko grün" in text(shown(workspace, "status"))


def test_the_words_of_pages_have_their_places_in_both_languages() -> None:
    english, german = words("en"), words("de")
    assert list(english) == list(german)
    for key, value in english.items():
        assert sorted(re.findall(r"{(\w+)}", value)) == sorted(re.findall(r"{(\w+)}", german[key])), key


def test_tile_shows_the_figures_of_the_latest_finished_session(workspace: Workspace) -> None:
    make_history(workspace)
    row = next(row for row in Views.of(workspace).rows() if row.status == "completed")
    said = text(shown(workspace, "snapshot"))
    assert "shadow ✓ OK synthetic · donchian_breakout on BTC/EUR 1m, embedded market" in said
    assert f"{wording.signed(row.total_pnl, 'EUR')} Total PnL, net of fees" in said
    assert f"Realized PnL {wording.signed(row.realized_pnl, 'EUR')}" in said
    assert row.total_pnl != row.realized_pnl
    assert f"Max drawdown {100 * row.max_drawdown:.2f} %" in said
    assert f"Orders {row.num_orders} Blocked {row.orders_blocked}" in said


def test_each_status_has_its_badge_and_each_file_its_row(workspace: Workspace) -> None:
    make_history(workspace)
    add(workspace, "shadow_20260301_000000_cccccc", status="started", finished_at=None, metrics={})
    add(workspace, "paper_20260301_000000_dddddd", mode="paper")
    add(workspace, "live_20260301_000000_eeeeee", mode="live")
    html = shown(workspace, "sessions")
    for kind, label in {"ok": "✓ OK", "fail": "✕ FAIL", "abort": "⊘ ABORT"}.items():
        assert re.search(rf'class="badge {kind}"[^>]*>{label}<', html)
    for mode, label in {"shadow": "shadow", "testnet": "testnet", "paper": "paper", "live": "⚠ live"}.items():
        assert re.search(rf'class="badge mode-{mode}">{label}<', html)
    assert "? UNREADABLE" in html
    assert "but there is no run folder" in html  # nothing stands behind the one that never ended
    assert "20260101T060000_live_session_shadow_torn.json: not valid JSON" in html
    assert html.count("data-session=") == Views.of(workspace).stats().total_sessions


def test_failed_session_has_its_error_and_the_next_step_below(workspace: Workspace) -> None:
    make_history(workspace)
    said = text(shown(workspace, "sessions", "status=failed"))
    assert "↳ ExchangeAuthenticationError:" in said
    assert "Next: stop all sessions of this venue and check its key (runbook 7" in said


def test_what_files_hold_is_shown_as_text(workspace: Workspace) -> None:
    make_history(workspace)
    add(workspace, HOSTILE, mode=HOSTILE, status=HOSTILE, env_name=HOSTILE, symbol=f"X/{HOSTILE}", error=HOSTILE)
    add(workspace, "shadow_x", status="failed", error=HOSTILE, env_name=HOSTILE, finished_at="2099-01-01T00:00:00")
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by=HOSTILE, reason=HOSTILE, now=datetime.now(UTC))
    for name in PANELS:
        for subject in (None, HOSTILE, "shadow_x"):
            html = shown(workspace, name, subject=subject)
            assert "<script" not in html
            assert "<img" not in html
    assert "&lt;script&gt;" in shown(workspace, "status")
    assert "&lt;script&gt;" in shown(workspace, "snapshot")
    assert "unknown mode" in shown(workspace, "sessions", "mode=<script>")
    assert "<script" not in shown(workspace, "sessions", "mode=<script>")


def test_halt_is_shown_with_its_reason(workspace: Workspace) -> None:
    TradingStates.of(workspace).set(
        GLOBAL, "HALTED", by="ada", reason="feed looks wrong", now=datetime(2026, 1, 5, 8, tzinfo=UTC)
    )
    said = text(shown(workspace, "status"))
    assert "Trading global HALTED by ada: feed looks wrong · since 2026-01-05 08:00 UTC" in said


def test_unreadable_trading_state_counts_as_no_orders(workspace: Workspace) -> None:
    folder = workspace.reports / "live"
    folder.mkdir(parents=True)
    (folder / "halts.jsonl").write_text("{\n")
    assert "Trading no orders" in text(shown(workspace, "status"))


def test_today_sums_each_currency_by_itself(workspace: Workspace) -> None:
    make_history(workspace)
    euros = sum(row.total_pnl for row in Views.of(workspace).rows() if row.status == "completed")
    now = datetime.now(UTC).isoformat()
    add(
        workspace,
        "shadow_usd",
        symbol="BTC/USD",
        metrics={"realized_pnl": 10.0, "unrealized_pnl": 2.5},
        started_at=now,
        finished_at=now,
    )
    add(workspace, "shadow_nan", metrics={"realized_pnl": None}, started_at=now)
    assert f"Today {wording.signed(euros, 'EUR')} · +12.50 USD" in text(shown(workspace, "status"))


def test_trend_sums_up_the_days(workspace: Workspace) -> None:
    make_history(workspace)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    today = sum(row.total_pnl for row in Views.of(workspace).rows() if row.status == "completed")
    one_day = shown(workspace, "trend")
    assert "4 sessions in EUR" in text(one_day)
    assert "Total PnL, cumulative" in text(one_day)  # one day draws one day
    add(
        workspace,
        "shadow_before",
        metrics={"realized_pnl": 130.0, "unrealized_pnl": -30.0, "max_drawdown": 0.25},
        started_at=yesterday,
    )
    add(workspace, "shadow_usd", symbol="BTC/USD", metrics={"realized_pnl": 10.0, "unrealized_pnl": 2.5})
    html = shown(workspace, "trend")
    assert f'data-figure="total">{wording.signed(today + 100.0, "EUR")}<' in html
    assert "5 sessions in EUR · best day +100.00" in html
    assert "1 more in other currencies." in html
    assert f'data-y="0,100,{today + 100.0:.9g}"' in html
    assert 'data-y="0,-25,' in html


def test_filters_combine_and_link_to_each_other(workspace: Workspace) -> None:
    make_history(workspace)
    html = shown(workspace, "sessions", "mode=shadow&status=aborted")
    assert re.findall(r'data-session="([^"]+)"', html) == ["shadow_20260101_070000_bbbbbb"]
    assert offered("completed", "/sessions?status=completed&amp;mode=shadow", 4) in html
    assert html.count('aria-current="true"') == 4  # all days, one status, one mode, 50 rows
    assert "Nothing matches" in shown(workspace, "sessions", "mode=paper")


def test_limit_comes_after_the_filter(workspace: Workspace) -> None:
    make_history(workspace)
    html = shown(workspace, "sessions", "status=failed&limit=1")
    assert re.findall(r'data-session="([^"]+)"', html) == ["testnet_20260101_080000_aaaaaa"]
    assert "1–2 of 4" in shown(workspace, "sessions", "status=completed&limit=2")


def test_pages_of_the_list_follow_each_other_without_a_gap(workspace: Workspace) -> None:
    make_history(workspace)
    every = [row.run_id for row in Views.of(workspace).rows()]
    seen, query = list[str](), "limit=3"
    while query:
        html = shown(workspace, "sessions", query)
        seen += re.findall(r'data-session="([^"]+)"', html)
        older = re.search(r'href="/sessions\?([^"]+)" rel="next"', html)
        query = older[1].replace("&amp;", "&") if older else ""
    assert seen == every
    assert "newer" in html
    assert f"{len(every)} of {len(every)}" in html


def test_columns_sort_by_link_both_ways_and_what_has_no_figure_comes_last(workspace: Workspace) -> None:
    make_history(workspace)
    known = sorted(row.realized_pnl for row in Views.of(workspace).rows(Query(mode="shadow")))

    def figures(query: str) -> list[str]:
        cells = re.findall(r'<td[^>]+data-figure="realized">(.*?)</td>', shown(workspace, "sessions", query), re.DOTALL)
        return [text(cell) for cell in cells]

    assert figures("mode=shadow&sort=realized") == [wording.signed(value, "EUR") for value in reversed(known)]
    assert figures("mode=shadow&sort=realized&order=asc") == [wording.signed(value, "EUR") for value in known]
    html = shown(workspace, "sessions", "sort=realized")
    assert html.rindex("? UNREADABLE") > html.rindex("✓ OK")
    assert 'aria-sort="descending"><a href="/sessions?sort=realized&amp;order=asc"' in html


def test_strategy_symbol_and_age_narrow_the_list(workspace: Workspace) -> None:
    make_history(workspace)
    add(workspace, "shadow_eth", symbol="ETH/EUR")
    html = shown(workspace, "sessions", "strategy=rsi_reversion&days=1")
    assert html.count("data-session=") == 1
    assert re.search(
        r'href="/sessions\?strategy=ma_crossover&amp;days=1"><span class="value" title="ma_crossover">ma_crossover</span>'
        r' <span class="n">1<',
        html,
    )
    assert re.findall(r'data-session="([^"]+)"', shown(workspace, "sessions", "symbol=ETH%2FEUR")) == ["shadow_eth"]
    assert shown(workspace, "sessions", "days=1").count("data-session=") == 5
    assert "Nothing matches this filter." in shown(workspace, "sessions", "strategy=nobody")


def test_broken_configuration_fails_in_words_in_each_panel(workspace: Workspace) -> None:
    workspace.config_path.write_text("[ui]\nlanguage = 7\n")
    for name in PANELS:
        html = shown(workspace, name)
        assert "This panel could not be made." in html
        assert "language = 7" in html
        assert "Traceback" not in html


def test_bug_in_a_panel_stays_in_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(workspace: Workspace, asked: Visit) -> dict[str, object]:
        raise KeyError("<b>x</b>")

    monkeypatch.setitem(PANELS, "trend", broken)
    assert "KeyError: &#39;&lt;b&gt;x&lt;/b&gt;&#39;" in shown(workspace, "trend")
    assert "No live sessions found." in shown(workspace, "sessions")


def test_unknown_panel_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="panel 'nope'"):
        shown(workspace, "nope")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1045.674, "+1,045.67 EUR"), (-0.2, "\N{MINUS SIGN}0.20 EUR"), (-0.001, "0.00 EUR"), (None, wording.NOTHING)],
)
def test_money(value: float | None, expected: str) -> None:
    assert wording.signed(value, "EUR") == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "40 ms"),
        (0.9996, "1.0 s"),
        (42, "42 s"),
        (59.6, "1 m 0 s"),
        (330, "5 m 30 s"),
        (5400, "1 h 30 m"),
        (183_600, "2 d 3 h"),
        (None, wording.NOTHING),
        (-1, wording.NOTHING),
    ],
)
def test_duration(seconds: float | None, expected: str) -> None:
    assert wording.duration(seconds) == expected


def test_the_first_page_shows_what_waits_for_a_person_and_the_next_step(workspace: Workspace) -> None:
    make_history(workspace)
    html, waits = shown(workspace, "todo"), what_needs_doing(workspace)
    assert [one.about for one in waits[:6]] == re.findall(r'<li data-key="[a-z]+-([^"]+)"', html)
    assert waits[0].next_step.split("`")[0] in unescape(html)
    assert f"{len(waits) - 6} more:" in html
