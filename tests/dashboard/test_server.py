"""The server over plain HTTP and websockets: what it answers, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import HOSTILE, Dashboard, make_history, make_page
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from peaktrade_core.adapters.registry import Query
from peaktrade_core.domain.errors import ConfigError, EnvironmentFault
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.dashboard.server import serve
from peaktrade_core.edge.dashboard.wire import PROTOCOL, framed

REPO = Path(__file__).resolve().parents[2]
TELL_ENVIRONMENT = "import os; print('|'.join(f'{k}={v}' for k, v in sorted(os.environ.items())))"
SLIDER = "import ipywidgets; ipywidgets.IntSlider(3)"


def new_workspace(folder: Path) -> Workspace:
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "config.toml").write_bytes((REPO / "config" / "config.toml").read_bytes())
    return Workspace(folder)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = new_workspace(tmp_path_factory.mktemp("dashboard") / "home")
    make_history(workspace)
    return workspace


@pytest.fixture(scope="module")
def dashboard(history: Workspace) -> Iterator[Dashboard]:
    running = Dashboard(history.home)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def interactive(history: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    pages = make_page(tmp_path_factory.mktemp("pages"), SLIDER, kind="view", interactive=True)
    running = Dashboard(history.home, pages=pages)
    yield running
    running.stop()


def test_health(dashboard: Dashboard) -> None:
    for path in ("/api/health", "/health"):
        answer = dashboard.get(path)
        assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})


def test_page_is_whole_without_any_script(dashboard: Dashboard, history: Workspace) -> None:
    page = dashboard.get("/")
    assert page.status == 200
    assert "<title>Live-Track · peaktrade</title>" in page.body
    for row in history.views.rows():
        assert row.session_id in page.body
    assert HOSTILE not in page.body
    assert "&lt;script&gt;window.stolen" in page.body
    assert "Traceback" not in page.body
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.body)


def test_kernel_of_a_page_ends_with_it(dashboard: Dashboard) -> None:
    dashboard.get("/")
    deadline = time.monotonic() + 5
    while dashboard.kernels() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert dashboard.kernels() == []


def test_filter_in_the_url_reaches_the_page(dashboard: Dashboard) -> None:
    body = dashboard.get("/?status=failed").body
    assert re.findall(r'<tr data-session="([^"]*)"', body) == ["testnet_20260101_080000_aaaaaa"]
    assert "1 of 1 sessions" in body


def test_unknown_filter_is_said_in_words(dashboard: Dashboard) -> None:
    body = dashboard.get("/?mode=warp").body
    assert "unknown mode &#39;warp&#39;; known: shadow, testnet, paper, live" in body
    assert 'data-panel="snapshot"' in body


def test_panels_are_those_of_the_page(dashboard: Dashboard) -> None:
    page = dashboard.get("/?status=completed").body
    brought = json.loads(dashboard.get("/api/panels?panel=trend&panel=sessions&query=status%3Dcompleted").body)
    assert sorted(brought["panels"]) == ["sessions", "trend"]
    for html in brought["panels"].values():
        assert html.strip() in page


def test_json_agrees_with_the_views(dashboard: Dashboard, history: Workspace) -> None:
    rows = json.loads(dashboard.get("/api/live_sessions?mode=testnet&limit=1").body)
    assert [row["session_id"] for row in rows] == ["testnet_20260101_080000_aaaaaa"]
    stats = json.loads(dashboard.get("/api/live_sessions/stats?status=completed").body)
    expected = history.views.stats(Query(status="completed"))
    assert (stats["total_sessions"], stats["total_pnl"]) == (expected.total_sessions, expected.total_pnl)


@pytest.mark.parametrize("query", ["mode=warp", "status=lost", "limit=0", "limit=501", "limit=x", "limit=-1"])
def test_bad_parameter_is_422_with_a_message(dashboard: Dashboard, query: str) -> None:
    answer = dashboard.get(f"/api/live_sessions?{query}")
    assert answer.status == 422
    assert query.split("=")[0] in json.loads(answer.body)["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/tree",
        "/voila/tree",
        "/voila/render/live_track.ipynb",
        "/voila/files/live_track.ipynb",
        "/voila/api/contents/live_track.ipynb",
        "/api/contents",
        "/api/kernels",
        "/api/terminals",
        "/login",
        "/static/../index.html.j2",
        "/static/%2e%2e/index.html.j2",
        "/live_track.ipynb",
    ],
)
def test_nothing_else_exists(dashboard: Dashboard, path: str) -> None:
    answer = dashboard.get(path)
    assert answer.status in (403, 404)
    assert "cell_type" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/api/health", "/api/live_sessions", "/api/panels", "/api/kernels/a-b-c-d-e"])
def test_every_route_is_get_only(dashboard: Dashboard, method: str, path: str) -> None:
    assert dashboard.get(path, method).status == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1"])
def test_foreign_host_is_refused(dashboard: Dashboard, host: str) -> None:
    for path in ("/", "/api/health", "/static/page.js"):
        assert dashboard.get(path, Host=host).status == 403


def test_headers_let_nothing_foreign_in(dashboard: Dashboard) -> None:
    for path in ("/", "/api/health", "/static/page.js"):
        headers = dashboard.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_answers_are_compressed(dashboard: Dashboard) -> None:
    with socket.create_connection(("127.0.0.1", int(dashboard.url.split(":")[2].strip("/")))) as wire:
        wire.sendall(b"GET /static/peaktrade.css HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
        assert b"content-encoding: gzip" in wire.recv(2000).lower()


def test_kernel_gets_a_scrubbed_environment(history: Workspace, tmp_path: Path) -> None:
    pages = make_page(tmp_path / "pages", TELL_ENVIRONMENT, kind="view")
    planted = {"KRAKEN_API_SECRET": "canary-7f3a", "AWS_SECRET_ACCESS_KEY": "canary-7f3a", "LC_TIME": "C"}
    running = Dashboard(history.home, pages=pages, env=planted)
    try:
        body = running.get("/?mode=shadow&note=x").body
    finally:
        running.stop()
    assert "canary-7f3a" not in body
    assert f"PEAKTRADE_HOME={history.home}" in body
    assert "QUERY_STRING=mode=shadow&amp;note=x" in body
    assert "LC_TIME=C" in body


@pytest.mark.parametrize("metadata", [{}, {"kind": "runbook"}, {"kind": "view", "side_effects": True}])
def test_notebook_that_is_no_view_is_not_run(history: Workspace, tmp_path: Path, metadata: dict[str, object]) -> None:
    ran = tmp_path / "ran"
    pages = make_page(tmp_path / "pages", f"open({str(ran)!r}, 'w').close()", **metadata)
    running = Dashboard(history.home, pages=pages)
    try:
        assert running.get("/").status == 403
    finally:
        running.stop()
    assert not ran.exists()


def test_failing_cell_shows_no_traceback(history: Workspace, tmp_path: Path) -> None:
    pages = make_page(tmp_path / "pages", "secret_name = 1; secret_name / 0", kind="view")
    running = Dashboard(history.home, pages=pages)
    try:
        body = running.get("/").body
    finally:
        running.stop()
    assert "This panel could not be made." in body
    assert "ZeroDivisionError" not in body
    assert "secret_name" not in body


async def connect(url: str, origin: str | None, protocols: list[str] | None) -> WebSocketClientConnection:
    headers = {"Origin": origin} if origin else {}
    return await websocket_connect(HTTPRequest(url, headers=headers), subprotocols=protocols)


def refusal(url: str, origin: str | None, protocols: list[str] | None) -> int:
    """Return the status with which a websocket is refused."""
    with pytest.raises(HTTPClientError) as refused:
        asyncio.run(connect(url, origin, protocols))
    return int(refused.value.code)


def kernel_socket(interactive: Dashboard) -> str:
    """Open the interactive page and return the address of its kernel's websocket."""
    found = re.search(r'"kernelId": "([^"]+)"', interactive.get("/").body)
    assert found
    return f"{interactive.url.replace('http', 'ws')}api/kernels/{found[1]}/channels?session_id=test"


def test_websocket_needs_our_origin_and_the_framed_protocol(interactive: Dashboard) -> None:
    url, own = kernel_socket(interactive), interactive.url.rstrip("/")
    assert refusal(url, own, None) == 400
    assert refusal(url, own, ["v0.other"]) == 400
    assert refusal(url, "http://evil.example", [PROTOCOL]) == 403
    assert refusal(url, None, [PROTOCOL]) == 403

    async def talk() -> tuple[bool, int]:
        wire = await connect(url, own, [PROTOCOL])
        await wire.write_message((2**60).to_bytes(8, "little") + b"x" * 8, binary=True)
        while await asyncio.wait_for(wire.read_message(), 10) is not None:
            pass
        return True, int(wire.close_code or 0)

    assert asyncio.run(talk()) == (True, 1007)
    assert interactive.get("/api/health").status == 200


def test_websocket_passes_no_code_on(interactive: Dashboard, tmp_path: Path) -> None:
    url, own, ran = kernel_socket(interactive), interactive.url.rstrip("/"), tmp_path / "ran"

    def message(kind: str, content: dict[str, object]) -> bytes:
        header = {"msg_id": kind, "msg_type": kind, "session": "test", "username": "", "version": "5.3", "date": ""}
        parts = [b"shell", *(json.dumps(part).encode() for part in (header, {}, {}, content))]
        offsets = [8 * (len(parts) + 2)]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        return b"".join(n.to_bytes(8, "little") for n in (len(offsets), *offsets)) + b"".join(parts)

    async def talk() -> list[str]:
        wire = await connect(url, own, [PROTOCOL])
        code = f"open({str(ran)!r}, 'w').close()"
        await wire.write_message(message("execute_request", {"code": code, "silent": False}), binary=True)
        await wire.write_message(message("kernel_info_request", {}), binary=True)
        seen = []
        while not any("kernel_info_reply" in text for text in seen):
            seen.append(str(await asyncio.wait_for(wire.read_message(), 10)))
        wire.close()
        return seen

    assert not any("execute_reply" in text for text in asyncio.run(talk()))
    assert not ran.exists()


def test_closing_beacon_ends_the_kernel_but_only_ours(interactive: Dashboard) -> None:
    kernel = kernel_socket(interactive).split("/")[-2]
    before = len(interactive.kernels())
    path = f"/voila/api/shutdown/{kernel}"
    assert interactive.get(path, "POST", Origin="http://evil.example").status == 403
    assert interactive.get(path, "POST").status == 403
    assert len(interactive.kernels()) == before
    assert interactive.get(path, "POST", Origin=interactive.url.rstrip("/")).status == 204
    assert len(interactive.kernels()) == before - 1
    assert interactive.get(path, "POST", Origin=interactive.url.rstrip("/")).status == 404


def test_signal_ends_the_server_and_its_kernels(history: Workspace, tmp_path: Path) -> None:
    pages = make_page(tmp_path / "pages", SLIDER, kind="view", interactive=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        running = Dashboard(history.home, pages=pages)
        running.get("/")
        kernels = running.kernels()
        assert kernels
        code, seconds = running.stop(number)
        assert code == 0
        assert seconds < 8
        assert not any(kernel.is_running() and kernel.status() != "zombie" for kernel in kernels)


def test_kernels_are_capped(history: Workspace, tmp_path: Path) -> None:
    pages = make_page(tmp_path / "pages", "1", kind="view", interactive=True)
    running = Dashboard(history.home, pages=pages)
    try:
        answers = [running.get("/") for _ in range(9)]
    finally:
        running.stop()
    assert [answer.status for answer in answers] == [200] * 8 + [503]
    assert "All 8 places are taken" in answers[-1].body


@pytest.mark.parametrize(("n", "expected"), [(0, False), (1, False), (6, True), (7, False), (2**63, False)])
def test_only_frames_that_fit_are_passed_on(n: int, expected: bool) -> None:
    table = [8 * 7, 60, 62, 64, 66, 68]
    message = b"".join(x.to_bytes(8, "little") for x in (n, *table)) + b"x" * 12
    assert framed(message) is expected
    assert framed("text") is False


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
def test_any_host_but_loopback_is_refused(workspace: Workspace, host: str) -> None:
    with pytest.raises(ConfigError, match="no login yet"):
        serve(workspace, host=host)


def test_taken_port_says_which_and_what_to_do(workspace: Workspace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault, match=rf"port {port} on 127\.0\.0\.1 is taken.*--port"):
            serve(workspace, port=port)


@pytest.mark.parametrize("seconds", [0, 3601])
def test_refresh_out_of_range_is_refused(workspace: Workspace, seconds: int) -> None:
    with pytest.raises(ConfigError, match="from 1 to 3600"):
        serve(workspace, auto_refresh_seconds=seconds)
