"""The lists on a session's page: trades, what happened by kind, its limits on one scale, its papers and its record."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from html import unescape

import msgspec
import pytest
from serving import HOSTILE, Dashboard
from serving import shown as panel_of

from peaktrade_core.dashboard.panels.base import linked
from peaktrade_core.dashboard.panels.session_lists import EVENTS, TRADES
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.telling import EVENT_KINDS, kind_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.language import words
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]


@pytest.fixture
def traded(run_shadow: Shadow) -> SessionRecord:
    """Return a session with more trades and events than a page shows."""
    return run_shadow(strategy="rsi_reversion", seed=3, steps=6000)


def shown(workspace: Workspace, name: str, subject: str, query: str = "") -> str:
    return unescape(panel_of(workspace, name, query, subject))


def keys(html: str, kind: str) -> list[int]:
    return [int(n) for n in re.findall(rf'data-key="{kind}(\d+)"', html)]


def test_trades_come_newest_first_and_by_each_column(workspace: Workspace, traded: SessionRecord) -> None:
    found = Views.of(workspace).look(traded.session_id).trades
    n = len(found.trades)
    assert n > TRADES
    html = shown(workspace, "session_trades", traded.session_id)
    assert keys(html, "t") == list(range(n, n - TRADES, -1))
    assert wording.signed(found.realized_pnl, "EUR") in html
    assert f"1–{TRADES} of {n}" in html
    assert 'aria-sort="descending"' in html
    by_pnl = [row.number for row in sorted(found.trades, key=lambda row: row.pnl)]
    assert keys(shown(workspace, "session_trades", traded.session_id, "trades_sort=pnl"), "t") == by_pnl[:TRADES]
    rest = shown(
        workspace, "session_trades", traded.session_id, f"trades_sort=number&trades_from={TRADES}&since=2026-01-01"
    )
    assert keys(rest, "t")[0] == TRADES + 1
    before = re.search(r'href="([^"]+)" rel="prev"', rest)
    assert before is not None
    assert before[1].endswith("?trades_sort=number&since=2026-01-01#session_trades-title")  # what else is chosen stays


def test_an_address_that_asks_for_nonsense_is_answered_in_words(workspace: Workspace, traded: SessionRecord) -> None:
    assert "unknown trades_sort" in shown(workspace, "session_trades", traded.session_id, "trades_sort=luck")
    assert "must be a whole number" in shown(workspace, "session_trades", traded.session_id, "trades_from=-1")
    assert "unknown event" in shown(workspace, "session_events", traded.session_id, "event=bar")
    assert keys(shown(workspace, "session_events", traded.session_id, "events_from=99999999"), "e") == []


def test_what_happened_is_paged_both_ways_and_counted_by_kind(workspace: Workspace, traded: SessionRecord) -> None:
    happened = Views.of(workspace).look(traded.session_id).journal.happened
    counts = Counter(map(kind_of, happened))
    html = shown(workspace, "session_events", traded.session_id)
    for kind, n in counts.items():
        assert re.search(rf'event={kind}#[^>]*>{words("en")["event_" + kind]} <span class="n">{n:,}<', html)
    fills = [event.seq for event in reversed(happened) if kind_of(event) == "fill"]
    seen: list[int] = []
    query = "event=fill"
    while query:
        html = shown(workspace, "session_events", traded.session_id, query)
        seen += keys(html, "e")
        after = re.search(r'href="[^"?]*\?([^"]*)#session_events-title" rel="next"', html)
        query = after[1] if after else ""
    assert seen == fills
    assert len(fills) > EVENTS
    assert 'rel="prev"' in html


def test_every_kind_of_event_has_a_word_in_both_languages() -> None:
    for language in ("en", "de"):
        assert {f"event_{kind}" for kind in EVENT_KINDS} <= words(language).keys()


def test_events_and_trades_are_the_same_as_json_csv_and_on_the_page(dashboard: Dashboard, history: Workspace) -> None:
    session_id = Views.of(history).rows(Query(status="completed", limit=1))[0].run_id
    look = Views.of(history).look(session_id)
    path = f"/api/live_sessions/{session_id}"
    told = dashboard.json(f"{path}/events?kind=fill&limit=2&offset=1")
    fills = [event for event in reversed(look.journal.happened) if kind_of(event) == "fill"]
    assert (told["total"], told["offset"], told["kinds"]["fill"]) == (len(fills), 1, len(fills))
    assert [event["seq"] for event in told["events"]] == [event.seq for event in fills[1:3]]
    assert told["events"][0]["fields"]["price"] == fills[1].price
    answer = dashboard.get(f"{path}/events.csv?kind=fill")
    assert answer.headers["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.body)))
    assert [int(line["seq"]) for line in lines] == [event.seq for event in fills]
    trades = list(csv.DictReader(io.StringIO(dashboard.get(f"{path}/trades.csv").body)))
    assert [float(line["pnl"]) for line in trades] == [row.pnl for row in look.trades.trades]
    assert dashboard.json(f"{path}/trades")["realized_pnl"] == look.trades.realized_pnl
    assert dashboard.get(f"{path}/events?kind=bar").status == 422
    assert dashboard.get("/api/live_sessions/nobody/events").status == 404
    assert dashboard.get("/api/live_sessions/nobody/trades.csv").status == 404


def test_limits_share_a_scale_with_the_marks_of_warning_and_limit(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=3, steps=300, position_fraction=0.5)
    limits = Views.of(workspace).look(record.session_id).journal.limits
    html = shown(workspace, "session_limits", record.session_id)
    widths = [float(x) for x in re.findall(r'class="used" y="3" width="([\d.]+)"', html)]
    assert widths == pytest.approx([min(125.0, 100.0 * use.share) for use in limits], abs=0.051)
    assert max(widths) == 125.0  # beyond the limit is seen as beyond
    assert html.count('class="warn-at" d="M80.0 1V11"') == html.count('class="limit-at"') == len(limits)
    stricter = {**record.config["risk_limits"], "warning_threshold_factor": 0.5}
    changed = msgspec.structs.replace(record, config={**record.config, "risk_limits": stricter})
    Registry.of(workspace).write(changed)
    assert 'class="warn-at" d="M50.0 1V11"' in shown(workspace, "session_limits", record.session_id)


def test_the_record_is_tables_without_code(workspace: Workspace, traded: SessionRecord) -> None:
    html = shown(workspace, "session_record", traded.session_id)
    for title in ("Risk limits", "Parameters of the strategy", "Instrument", "Configuration", "Metadata"):
        assert f"<h3>{title}</h3>" in html
    assert '<th scope="row" title="start_balance">Start balance</th><td class="n">10,000</td>' in html
    for code in ("{'", "': ", "()", "None", "datetime."):
        assert code not in html


def test_ids_in_texts_are_links_and_markup_stays_text() -> None:
    said = str(
        linked(f"INC-20260105-01 after shadow_20260105_080000_a1b2c3, see EV-20260105-KILL-SWITCH-080000 {HOSTILE}")
    )
    assert re.findall(r'href="([^"]+)"', said) == [
        "/papers/incident/INC-20260105-01",
        "/session/shadow_20260105_080000_a1b2c3",
        "/papers/evidence/EV-20260105-KILL-SWITCH-080000",
    ]
    assert "<script" not in said
    assert str(linked("nothing INC-1 here")) == "nothing INC-1 here"
