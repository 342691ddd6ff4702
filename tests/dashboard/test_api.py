"""The API: what it answers is what the read side says, what it refuses is said in words, and its description is true."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from serving import HOSTILE, Dashboard, new_workspace

from peaktrade_core.dashboard import snapshot
from peaktrade_core.dashboard.api import ROUTES
from peaktrade_core.dashboard.documents import openapi
from peaktrade_core.dashboard.site import Site
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

ITEM = {  # of the contracts
    "session_id", "started_at", "ended_at", "mode", "environment", "status", "realized_pnl", "max_drawdown",
    "num_orders", "notes", "duration_seconds", "is_live_warning", "risk_status",
}  # fmt: skip
BAR = {
    "seq", "step", "ts_bar", "ts_event", "price", "open", "high", "low", "close", "volume", "position_size", "cash",
    "equity", "realized_pnl", "unrealized_pnl", "signal", "signal_changed", "orders_generated", "orders_filled",
    "orders_rejected", "orders_blocked", "risk_allowed", "risk_reasons",
}  # fmt: skip


@pytest.mark.parametrize("path", ["/api/health", "/health"])
def test_health(dashboard: Dashboard, path: str) -> None:
    assert dashboard.json(path) == {"status": "ok"}


def test_sessions_agree_with_the_views(dashboard: Dashboard, history: Workspace) -> None:
    rows = dashboard.json("/api/live_sessions?mode=testnet&limit=1")
    assert [row["session_id"] for row in rows] == ["testnet_20260101_080000_aaaaaa"]
    assert set(rows[0]) >= ITEM
    listed = dashboard.json("/api/live_sessions")
    assert [row["realized_pnl"] for row in listed] == [row.realized_pnl for row in Views.of(history).rows()]
    found = dashboard.json("/api/live_sessions/stats?status=completed")
    expected = Views.of(history).stats(Query(status="completed"))
    assert (found["total_sessions"], found["total_pnl"]) == (expected.total_sessions, expected.total_pnl)
    assert set(found) >= {"total_sessions", "by_mode", "by_status", "total_pnl", "avg_drawdown"}
    assert found["by_currency"] == msgspec.to_builtins(expected.by_currency)


def test_a_session_and_a_run_are_one_item(dashboard: Dashboard) -> None:
    sessions = {item["session_id"]: item for item in dashboard.json("/api/live_sessions?status=completed")}
    runs = {item["run_id"]: item for item in dashboard.json("/runs")}
    assert sessions
    for name, item in sessions.items():
        assert runs[name] == item
        assert dashboard.json(f"/api/live_sessions/{name}").items() >= item.items()
        assert dashboard.json(f"/runs/{name}/snapshot").items() >= item.items()
        assert item["total_pnl"] == pytest.approx(item["realized_pnl"] + item["unrealized_pnl"])
        assert item["name"].endswith("embedded market")


def test_file_that_nobody_can_read_is_a_row(dashboard: Dashboard) -> None:
    (row,) = dashboard.json("/api/live_sessions?status=unreadable")
    assert "torn.json" in row["notes"]


def test_detail_holds_what_the_record_holds(dashboard: Dashboard, history: Workspace) -> None:
    session_id = Views.of(history).rows(Query(status="completed"))[0].run_id
    found, record = dashboard.json(f"/api/live_sessions/{session_id}"), Views.of(history).record(session_id)
    assert found["config"]["strategy_name"] == record.config["strategy_name"]
    assert found["metrics"]["equity_end"] == record.metrics["equity_end"]
    assert found["status"] == "completed"
    assert set(found) >= ITEM


def test_curves_of_a_range_are_those_of_the_read_side(dashboard: Dashboard, history: Workspace) -> None:
    session_id = Views.of(history).rows(Query(status="completed"))[0].run_id
    path, whole = f"/api/live_sessions/{session_id}/curves", Views.of(history).curves(session_id)
    found = dashboard.json(path)
    assert (found["bars"], found["equity"]) == (300, list(whole.equity))
    since, until = (f"{whole.ts[i]:%Y-%m-%dT%H:%M:%SZ}" for i in (50, 99))
    part = dashboard.json(f"{path}?since={since}&until={until}&points=10")
    assert (part["bars"], part["all_bars"], part["ts"][0], part["ts"][-1]) == (50, 300, since, until)
    assert (min(part["price"]), max(part["price"])) == (min(whole.price[50:100]), max(whole.price[50:100]))
    for query in ("since=now", "points=3", f"since={until}&until={since}"):
        assert dashboard.get(f"{path}?{query}").status == 422
    assert dashboard.get("/api/live_sessions/nobody/curves").status == 404


def test_run_as_list_item_snapshot_and_tail_agree(dashboard: Dashboard) -> None:
    first = dashboard.json("/runs?limit=1")[0]
    assert first["strategy_name"] == first["strategy"] == "donchian_breakout"
    found = dashboard.json(f"/runs/{first['run_id']}/snapshot")
    assert found["realized_pnl"] == first["realized_pnl"]
    assert found["total_steps"] == 300
    bars = dashboard.json(f"/runs/{first['run_id']}/tail?limit=3")
    assert [bar["step"] for bar in bars] == [297, 298, 299]
    assert set(bars[0]) >= BAR
    assert bars[-1]["equity"] == pytest.approx(first["equity"])
    assert dashboard.json(f"/runs/{first['run_id']}/alerts") == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/live_sessions?mode=warp",
        "/api/live_sessions?status=lost",
        "/api/live_sessions?limit=0",
        "/api/live_sessions?limit=501",
        "/api/live_sessions?limit=x",
        "/api/live_sessions?limit=-1",
        "/api/live_sessions?limit=1&limit=2",
        "/api/live_sessions?limit=%D9%A1",
        "/api/live_sessions?limit=99999999999999999999999",
        "/api/live_sessions/stats?mode=",
        "/api/live_sessions?limt=1",
        "/api/live_sessions?mode=%ff",
        "/runs/x/tail?limit=501",
        "/runs/x/alerts?limit=101",
        "/api/activity?since=yesterday",
        "/api/activity?kind=party",
        "/api/alerts?state=quiet",
        "/api/panels?panel=nope",
        "/api/live_sessions?" + "&".join(f"a{n}=1" for n in range(60)),
    ],
)
def test_bad_parameter_is_422_with_a_message(dashboard: Dashboard, path: str) -> None:
    answer = dashboard.get(path)
    assert answer.status == 422
    assert len(json.loads(answer.body)["message"]) > 10


@pytest.mark.parametrize("path", ["/api/live_sessions/{}", "/runs/{}/snapshot", "/runs/{}/tail", "/runs/{}/alerts"])
@pytest.mark.parametrize("part", ["nope", "..", "..%2f..%2fconfig", "%2e%2e%2fconfig%2fconfig.toml", "%00", "a%20b"])
def test_unknown_id_is_404_with_a_message(dashboard: Dashboard, path: str, part: str) -> None:
    answer = dashboard.get(path.format(part))
    assert answer.status == 404
    assert "message" in json.loads(answer.body) or "<h1>" in answer.body


def test_metrics_are_prometheus_text(dashboard: Dashboard, history: Workspace) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    dashboard.get("/api/live_sessions")
    families = {family.name: family for family in text_string_to_metric_families(dashboard.get("/metrics").body)}
    by_status = {sample.labels["status"]: sample.value for sample in families["peaktrade_sessions"].samples}
    assert by_status == Views.of(history).stats().by_status
    assert families["peaktrade_up"].samples[0].value == 1.0
    assert {sample.labels["state"] for sample in families["peaktrade_runs"].samples} == {"running", "silent", "died"}
    routes = {sample.labels.get("route") for sample in families["peaktrade_http_requests"].samples}
    assert "/api/live_sessions" in routes
    assert not any("shadow_2" in str(route) for route in routes)


def test_docs_name_every_route_and_need_nobody_else(dashboard: Dashboard) -> None:
    body = dashboard.get("/docs").body
    for route in ROUTES:
        assert f"<code>{route.path}</code>" in body
    assert "1 to 500" in body
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", body)
    assert "post" not in json.dumps(dashboard.json("/openapi.json")["paths"])


def test_snapshot_is_sorted_and_the_same_twice(dashboard: Dashboard) -> None:
    first, second = (dashboard.json("/api/live/status/snapshot.json") for _ in range(2))
    assert [panel["id"] for panel in first["panels"]] == sorted(panel["id"] for panel in first["panels"])
    assert first.pop("generated_at") != second.pop("generated_at")
    assert first == second
    assert first["status"] == "warn"  # a file of the registry cannot be read


def test_snapshot_as_html_shows_stored_markup_as_text(dashboard: Dashboard) -> None:
    answer = dashboard.get("/api/live/status/snapshot.html")
    assert HOSTILE not in answer.body
    assert "&lt;script&gt;window.stolen" in answer.body
    assert "<script" not in answer.body
    assert "sha256-" in answer.headers["Content-Security-Policy"]


def test_snapshot_panel_that_fails_says_so_alone(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    workspace = new_workspace(tmp_path / "home")

    def broken(*_: object) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(Views.of(workspace), "stats", broken)
    panels = {panel.id: panel for panel in snapshot.take(workspace).panels}
    assert panels["sessions"].status == "fail"
    assert "disk on fire" in panels["sessions"].summary
    assert panels["system"].status == "ok"


def test_empty_workspace_answers_everywhere(tmp_path) -> None:  # type: ignore[no-untyped-def]
    site = Site(new_workspace(tmp_path / "home"))
    for route in ROUTES:
        if route.part is None:
            assert route.answer(site, **route.values("")) is not None


schema = schemathesis.openapi.from_dict(openapi(ROUTES))


@schema.parametrize()
@settings(
    max_examples=12,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_route_keeps_its_description(case: Any, dashboard: Dashboard) -> None:
    response = case.call(base_url=dashboard.url)
    if response.status_code in (400, 414):  # what no handler sees: a path that is no text, an address that is too long
        return
    case.validate_response(response)
