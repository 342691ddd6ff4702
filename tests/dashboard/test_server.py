"""The server over plain HTTP: the pages that it shows, with and without a kernel, and how it starts and ends."""

from __future__ import annotations

import re
import signal
import socket
import time
from html import unescape
from pathlib import Path

import pytest
from serving import HOSTILE, Dashboard, make_page

from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.dashboard.kernels import Watchdog
from peaktrade_core.dashboard.server import serve
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace


def settled(dashboard: Dashboard, expected: int = 0) -> bool:
    """Return whether the number of kernels comes to what is expected within a few seconds."""
    deadline = time.monotonic() + 60
    while len(dashboard.kernels()) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(dashboard.kernels()) == expected


def test_page_is_whole_without_any_script_and_without_a_kernel(dashboard: Dashboard, history: Workspace) -> None:
    page = dashboard.get("/")
    assert page.status == 200
    assert "<title>Live-Track · peaktrade</title>" in page.body
    for row in Views.of(history).rows():
        assert row.run_id in page.body
    assert HOSTILE not in page.body
    assert "&lt;script&gt;window.stolen" in page.body
    assert "Traceback" not in page.body
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.body)
    assert dashboard.kernels() == []


def test_filter_in_the_url_reaches_the_page(dashboard: Dashboard) -> None:
    body = dashboard.get("/?status=failed").body
    assert re.findall(r'data-session="([^"]*)"', body) == ["testnet_20260101_080000_aaaaaa"]


def test_unknown_filter_is_said_in_words_and_other_panels_stay(dashboard: Dashboard) -> None:
    body = dashboard.get("/?mode=warp").body
    assert "unknown mode &#39;warp&#39;" in body
    assert 'data-panel="snapshot"' in body


def test_panels_are_those_of_the_page(dashboard: Dashboard) -> None:
    page = dashboard.get("/?status=completed").body
    brought = dashboard.json("/api/panels?panel=snapshot&panel=history&query=status%3Dcompleted")
    assert sorted(brought["panels"]) == ["history", "snapshot"]
    for html in brought["panels"].values():
        assert html.strip() in page


@pytest.mark.parametrize("page", ["/session/", "/run/"])
def test_id_that_does_not_exist_is_a_page_that_says_so(dashboard: Dashboard, page: str) -> None:
    for hostile in ("nope", "..%2f..%2f..%2fetc%2fpasswd", "%3Cscript%3E", "%00", "x" * 199):
        answer = dashboard.get(page + hostile, Accept="text/html")
        assert answer.status == 404
        assert "<h1>Not found</h1>" in answer.body
        assert "<script>" not in answer.body
    assert dashboard.get(page + "%ff").status in (400, 404)


@pytest.mark.parametrize(
    ("path", "twin"),
    [
        ("/", "/api/live_sessions"),
        ("/?status=failed&zone=local", "/api/live_sessions?status=failed"),
        ("/sessions?q=x&status=failed&columns=total&zone=local", "/api/sessions?q=x&status=failed"),
        ("/dashboard", "/api/sessions"),
    ],
)
def test_each_page_links_its_json(dashboard: Dashboard, path: str, twin: str) -> None:
    found = re.search(r'<link rel="alternate" type="application/json" href="([^"]+)"', dashboard.get(path).body)
    assert found
    assert unescape(found[1]) == twin
    assert dashboard.get(twin).status == 200


def test_page_agrees_with_the_views(dashboard: Dashboard, history: Workspace) -> None:
    shown = re.findall(r'data-session="([^"]*)"', dashboard.get("/?mode=shadow").body)
    assert shown == [row.run_id for row in Views.of(history).rows(Query(mode="shadow"))]


def test_kernel_page_gets_a_scrubbed_environment_and_its_subject(odd: Dashboard, history: Workspace) -> None:
    run_id = Views.of(history).runs(1)[0].run_id
    body = odd.get(f"/run/{run_id}?mode=shadow&note=x").body
    assert "canary-7f3a" not in body
    assert f"PEAKTRADE_HOME={history.home}" in body
    assert "QUERY_STRING=mode=shadow&amp;note=x" in body
    assert f"PEAKTRADE_PAGE_SUBJECT={run_id}" in body
    assert "LC_TIME=C" in body
    assert settled(odd)


def test_unknown_id_starts_no_kernel(odd: Dashboard) -> None:
    assert odd.get("/run/nope").status == 404
    assert odd.kernels() == []


@pytest.mark.parametrize("path", ["/alerts", "/wall", "/dashboard", "/control-center"])
def test_notebook_that_is_no_view_is_not_run(odd: Dashboard, path: str) -> None:
    assert odd.get(path).status == 403
    assert odd.kernels() == []


def test_failing_cell_shows_no_traceback(odd: Dashboard) -> None:
    body = odd.get("/system").body
    assert "This panel could not be made." in body
    assert "ZeroDivisionError" not in body
    assert "secret_name" not in body


def test_kernels_are_capped_and_a_dropped_connection_leaves_none(odd: Dashboard) -> None:
    wires = []
    for _ in range(3):
        wires.append(socket.create_connection(("127.0.0.1", odd.port)))
        wires[-1].sendall(b"GET /activity HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert settled(odd, 3)
    full = odd.get("/activity", Accept="text/html")
    assert full.status == 503
    assert "All 3 places are taken" in full.body
    assert full.headers["Retry-After"] == "30"
    assert odd.get("/api/health").status == 200
    for wire in wires:
        wire.close()
    assert settled(odd)


def test_server_without_memory_starts_no_kernel() -> None:
    assert Watchdog(1 << 30, used=lambda: 1 << 29).refusal() == ""
    assert "2,048 MB" in Watchdog(1 << 30, used=lambda: 2 << 30).refusal()


def test_nothing_is_left_behind_by_a_hundred_visits(odd: Dashboard, dashboard: Dashboard) -> None:
    import psutil  # type: ignore[import-untyped]

    process = psutil.Process(dashboard.process.pid)

    def visit(times: int) -> None:
        for number in range(times):
            dashboard.get(f"/?status=failed&n={number}")
            dashboard.get("/api/panels?panel=status&panel=sessions&query=")
            with socket.create_connection(("127.0.0.1", dashboard.port)) as wire:
                wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

    visit(20)
    time.sleep(0.5)
    handles, memory = process.num_fds(), process.memory_info().rss
    visit(80)
    time.sleep(0.5)
    assert process.num_fds() <= handles + 3
    assert process.memory_info().rss < memory + (12 << 20)
    assert process.children() == []
    assert odd.kernels() == []


def test_signal_ends_the_server_and_its_kernels(history: Workspace, tmp_path: Path) -> None:
    pages = make_page(tmp_path / "pages", "import ipywidgets; ipywidgets.IntSlider(3)", kind="view", interactive=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        running = Dashboard(history.home, pages=pages)
        running.get("/")
        kernels = running.kernels()
        assert kernels
        assert running.stop(number) == 0
        assert not any(kernel.is_running() and kernel.status() != "zombie" for kernel in kernels)


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


def test_command_says_when_there_is_nothing_to_show(start, home: Path) -> None:  # type: ignore[no-untyped-def]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = start("dashboard", "--port", port)
    assert "nothing to show yet" in running.stdout.readline()
    assert f"http://127.0.0.1:{port}/" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    assert not (home / "reports").exists()
