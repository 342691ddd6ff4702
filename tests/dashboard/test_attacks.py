"""Attacks over the wire. After all of them the workspace's files are byte for byte what they were."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator
from itertools import count

import pytest
from serving import Dashboard, make_history, new_workspace
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from peaktrade_core.dashboard.api import ROUTES
from peaktrade_core.dashboard.pages import PAGES
from peaktrade_core.dashboard.wire import PROTOCOL, framed
from peaktrade_core.records.registry import Registry
from peaktrade_core.workspace.workspace import Workspace

PATHS = [re.sub(r"\{\w+\}", "x", item.path) for item in (*ROUTES, *PAGES)] + [
    "/static/page.js",
    "/nope",
    "/api/contents",
]
_NUMBERS = count()
FORBIDDEN = [
    "execute_request",
    "inspect_request",
    "complete_request",
    "history_request",
    "is_complete_request",
    "debug_request",
    "interrupt_request",
    "input_reply",
]


def fingerprint(workspace: Workspace) -> dict[str, str]:
    """Return the digest of each artefact; the index under .cache is derived and may be made anew."""
    files = (path for path in workspace.home.rglob("*") if path.is_file() and ".cache" not in path.parts)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module", autouse=True)
def _artefacts_stay_as_they_are(history: Workspace) -> Iterator[None]:
    before = fingerprint(history)
    yield
    assert before
    assert fingerprint(history) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"])
def test_every_route_is_get_only(dashboard: Dashboard, method: str) -> None:
    for path in PATHS:
        answer = dashboard.get(path, method)
        assert answer.status in (400, 405), (method, path)
        if answer.status == 405:
            assert answer.headers["Allow"] == "GET, HEAD"


def test_head_says_what_get_says_without_the_body(dashboard: Dashboard) -> None:
    for path in ("/", "/api/health", "/docs", "/static/page.js"):
        answer = dashboard.get(path, "HEAD")
        assert (answer.status, answer.body) == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/tree",
        "/voila/tree",
        "/voila/render/live_track.ipynb",
        "/voila/files/live_track.ipynb",
        "/voila/api/contents/live_track.ipynb",
        "/voila/templates/peaktrade/index.html.j2",
        "/api/contents",
        "/api/kernels",
        "/api/kernelspecs",
        "/api/terminals",
        "/terminals/1",
        "/login",
        "/logout",
        "/static/../index.html.j2",
        "/static/%2e%2e/index.html.j2",
        "/static/..%2f..%2f..%2f..%2fconfig%2fconfig.toml",
        "/static//etc/passwd",
        "/static/%00",
        "/voila/static/..%2f..%2f..%2fsetup.py",
        "/voila/labextensions/..%2f..%2fjupyter_server_config.json",
        "/live_track.ipynb",
        "//evil.example/",
        "/runs/../../config/config.toml/tail",
        "/session/..;/..;/config",
    ],
)
def test_nothing_else_exists(dashboard: Dashboard, path: str) -> None:
    answer = dashboard.get(path)
    assert answer.status in (400, 403, 404)
    assert "cell_type" not in answer.body
    assert "max_order_notional" not in answer.body
    assert "root:" not in answer.body


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /?" + b"a=1&" * 900 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Y: z\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: =;;;\xff\xfe\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%zz%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET \x00\x01\x02 HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        b"\r\n" * 1000,
    ],
    ids=range(13),
)
def test_malformed_requests_leave_the_server_up(dashboard: Dashboard, raw: bytes) -> None:
    said = dashboard.talk(raw)
    assert b"Traceback" not in said
    if said:
        assert int(said.split()[1]) in (200, 400, 403, 404, 413, 414, 431)
    assert dashboard.get("/api/health").status == 200


@pytest.mark.parametrize(
    "query",
    [
        "mode=%00",
        "status=%3Cscript%3Ealert(1)%3C/script%3E",
        "limit=1e9",
        "limit=" + "9" * 3000,
        "mode=" + "%F0%9F%98%80" * 200,
        "&&&===&",
        "mode[]=shadow",
        "%ff=%fe",
    ],
)
def test_odd_query_of_a_page_is_answered_in_words(dashboard: Dashboard, query: str) -> None:
    answer = dashboard.get(f"/?{query}")
    assert answer.status == 200
    assert "<script>alert" not in answer.body
    assert "Traceback" not in answer.body


async def connect(url: str, origin: str | None, protocols: list[str] | None) -> WebSocketClientConnection:
    headers = {"Origin": origin} if origin else {}
    return await websocket_connect(HTTPRequest(url, headers=headers), subprotocols=protocols)


def refusal(url: str, origin: str | None, protocols: list[str] | None) -> int:
    """Return the status with which a websocket is refused."""
    with pytest.raises(HTTPClientError) as refused:
        asyncio.run(connect(url, origin, protocols))
    return int(refused.value.code)


@pytest.fixture
def kernel(odd: Dashboard) -> Iterator[str]:
    """Open the interactive page, return its kernel's id, and close the page."""
    found = re.search(r'"kernelId": "([^"]+)"', odd.get("/").body)
    assert found
    yield found[1]
    odd.get(f"/voila/api/shutdown/{found[1]}", "POST", Origin=odd.url.rstrip("/"))


def socket_of(odd: Dashboard, kernel: str) -> str:
    """Return the address of a kernel's websocket."""
    return f"{odd.url.replace('http', 'ws')}api/kernels/{kernel}/channels?session_id=test"


def test_websocket_needs_our_origin_and_the_framed_protocol(odd: Dashboard, kernel: str) -> None:
    url, own = socket_of(odd, kernel), odd.url.rstrip("/")
    assert refusal(url, own, None) == 400
    assert refusal(url, own, ["v0.other"]) == 400
    assert refusal(url, "http://evil.example", [PROTOCOL]) == 403
    assert refusal(url, None, [PROTOCOL]) == 403

    async def talk() -> int:
        wire = await connect(url, own, [PROTOCOL])
        await wire.write_message((2**60).to_bytes(8, "little") + b"x" * 8, binary=True)
        while await asyncio.wait_for(wire.read_message(), 60) is not None:
            pass
        return int(wire.close_code or 0)

    assert asyncio.run(talk()) == 1007
    assert odd.get("/api/health").status == 200


def message(kind: str, content: dict[str, object], channel: bytes = b"shell") -> bytes:
    """Return a message of the framed protocol, of which no two are the same: a kernel takes none twice."""
    header = {
        "msg_id": f"{kind} {next(_NUMBERS)}",
        "msg_type": kind,
        "session": "test",
        "username": "",
        "version": "5.3",
        "date": "",
    }
    parts = [channel, *(json.dumps(part).encode() for part in (header, {}, {}, content))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return b"".join(n.to_bytes(8, "little") for n in (len(offsets), *offsets)) + b"".join(parts)


def test_websocket_passes_no_code_on(odd: Dashboard, kernel: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    url, own, ran = socket_of(odd, kernel), odd.url.rstrip("/"), tmp_path / "ran"

    async def talk() -> list[str]:
        wire = await connect(url, own, [PROTOCOL])
        code = f"open({str(ran)!r}, 'w').close()"
        for kind in FORBIDDEN:
            for channel in (b"shell", b"control", b"stdin"):
                content = {
                    "code": code,
                    "silent": False,
                    "cursor_pos": 0,
                    "user_expressions": {"x": code},
                    "value": code,
                }
                await wire.write_message(message(kind, content, channel), binary=True)
        await wire.write_message(message("kernel_info_request", {}), binary=True)
        seen: list[str] = []
        while not any("kernel_info_reply" in text for text in seen):
            seen.append(str(await asyncio.wait_for(wire.read_message(), 60)))
        wire.close()
        return seen

    seen = asyncio.run(talk())
    assert not any(kind.replace("request", "reply") in text for kind in FORBIDDEN[:6] for text in seen)
    assert not ran.exists()


def test_closing_beacon_ends_the_kernel_but_only_ours(odd: Dashboard, kernel: str) -> None:
    path, own = f"/voila/api/shutdown/{kernel}", odd.url.rstrip("/")
    before = len(odd.kernels())
    assert odd.get(path, "POST", Origin="http://evil.example").status == 403
    assert odd.get(path, "POST").status == 403
    assert len(odd.kernels()) == before
    assert odd.get(path, "POST", Origin=own).status == 204
    assert len(odd.kernels()) == before - 1
    assert odd.get(path, "POST", Origin=own).status == 404


@pytest.mark.parametrize(("n", "expected"), [(0, False), (1, False), (6, True), (7, False), (2**63, False)])
def test_only_frames_that_fit_are_passed_on(n: int, expected: bool) -> None:
    table = [8 * 7, 60, 62, 64, 66, 68]
    framed_message = b"".join(x.to_bytes(8, "little") for x in (n, *table)) + b"x" * 12
    assert framed(framed_message) is expected
    assert framed("text") is False


def test_damaged_artefacts_leave_pages_and_api_up(tmp_path) -> None:  # type: ignore[no-untyped-def]
    workspace = new_workspace(tmp_path / "home")
    make_history(workspace)
    folder, runs = Registry.of(workspace).folder, sorted(workspace.runs.iterdir())
    for name, data in {
        "20260102T000000_x_empty.json": b"",
        "20260102T000000_x_list.json": b"[1, 2]",
        "20260102T000000_x_nan.json": b'{"session_id": "nan", "metrics": {"realized_pnl": NaN, "max_drawdown": 1e999}}',
        "20260102T000000_x_foreign.json": b'{"session_id": "../../etc", "mode": "warp", "status": 7, "extra": {"a": 1}}',
        "20260102T000000_x_bytes.json": bytes(range(256)) * 40,
        "20260102T000000_x_deep.json": b"[" * 100_000,
    }.items():
        (folder / name).write_bytes(data)
    (folder / "20260102T000000_x_dangling.json").symlink_to("nowhere")
    (runs[0] / "events.jsonl").write_bytes(b'{"seq": 0, "torn')
    (runs[1] / "meta.json").write_text("{")
    (runs[1] / "alerts.jsonl").write_bytes(b"not json\n[1]\n")
    (runs[2] / "events.jsonl").unlink()
    (workspace.runs / "empty_run").mkdir()
    (workspace.runs / "a file").write_text("x")
    running = Dashboard(workspace.home)
    try:
        for path in ("/", "/runs", "/api/live_sessions", "/api/live/status/snapshot.json", "/api/activity", "/metrics"):
            assert running.get(path).status == 200, path
        notes = " ".join(row["notes"] for row in running.json("/api/live_sessions?status=unreadable"))
        for name in ("empty", "list", "bytes", "deep", "dangling"):
            assert f"x_{name}.json" in notes
        for run in (*runs, workspace.runs / "empty_run"):
            for route in ("snapshot", "tail", "alerts"):
                answer = running.get(f"/runs/{run.name}/{route}")
                assert answer.status in (200, 404)
                assert json.loads(answer.body) is not None
        for record in list(folder.iterdir())[:4]:
            record.unlink()
        assert running.get("/api/live_sessions").status == 200
    finally:
        running.stop()
