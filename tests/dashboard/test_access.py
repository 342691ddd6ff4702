"""The gate: which hosts, origins, methods and tokens pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Dashboard

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.dashboard.access import own_names
from peaktrade_core.dashboard.cli import find_token, forget_secrets
from peaktrade_core.dashboard.server import serve
from peaktrade_core.workspace.workspace import Workspace

TOKEN = "0123456789abcdef-canary"


@pytest.fixture(scope="module")
def guarded(history: Workspace) -> Iterator[Dashboard]:
    running = Dashboard(history.home, token=TOKEN, allow_hosts=["ops.example"])
    yield running
    running.stop()
    assert running.process.stdout is not None
    assert TOKEN not in running.process.stdout.read()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "10.0.0.1",
        "127.0.0.1.evil.example",
        "@localhost",
        "",
    ],
)
def test_foreign_host_is_refused(dashboard: Dashboard, host: str) -> None:
    for path in ("/", "/api/health", "/static/page.js", "/voila/static/x"):
        assert dashboard.get(path, Host=host).status in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "127.9.9.9:1", "[::1]:8000"])
def test_own_host_is_answered(dashboard: Dashboard, host: str) -> None:
    assert dashboard.get("/api/health", Host=host).status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost:1", "http://[::1", "//[", "http://", ""]
)
def test_request_from_another_site_is_refused(dashboard: Dashboard, origin: str) -> None:
    assert dashboard.get("/api/live_sessions", Origin=origin).status == 403
    assert dashboard.get("/api/live_sessions", Origin=dashboard.url.rstrip("/")).status == 200


def test_headers_let_nothing_foreign_in(dashboard: Dashboard) -> None:
    for path in ("/", "/api/health", "/static/page.js", "/docs", "/nope", "/api/live/status/snapshot.html"):
        headers = dashboard.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert not re.search(r"http|unsafe|\*", policy)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Server"] == "peaktrade"


def test_answers_are_compressed(dashboard: Dashboard) -> None:
    asked = (
        b"GET /static/peaktrade.css HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    )
    assert b"content-encoding: gzip" in dashboard.talk(asked).lower()


def test_without_the_token_nothing_is_told(guarded: Dashboard) -> None:
    for path in (
        "/",
        "/api/health",
        "/metrics",
        "/docs",
        "/session/x",
        "/voila/static/voila.js",
        "/api/kernels/a-b-c-d-e",
    ):
        answer = guarded.get(path)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "shadow_" not in answer.body
    form = guarded.get("/?status=failed", Accept="text/html")
    assert 'name="token"' in form.body
    assert 'name="status" value="failed"' in form.body
    assert "form-action 'self'" in form.headers["Content-Security-Policy"]


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"])
def test_wrong_token_is_refused(guarded: Dashboard, shown: str) -> None:
    assert guarded.get("/api/health", Authorization=shown).status == 401


def test_programs_show_the_token_in_a_header(guarded: Dashboard) -> None:
    assert guarded.get("/api/health", Authorization=f"Bearer {TOKEN}").status == 200


def test_browser_shows_the_token_once_and_keeps_a_cookie(guarded: Dashboard) -> None:
    assert guarded.get("/?token=wrong&status=failed").status == 401
    answer = guarded.get(f"/?token={TOKEN}&status=failed", Accept="text/html")
    assert answer.status == 200
    assert 'url=/?status=failed"' in answer.body
    assert TOKEN not in answer.body
    cookie = answer.headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    kept = cookie.partition(";")[0]
    page = guarded.get("/?status=failed", Cookie=kept)
    assert page.status == 200
    assert TOKEN not in page.body
    assert guarded.get("/?status=failed", Cookie=kept[:-1] + "x").status == 401


def test_token_never_leads_to_another_site(guarded: Dashboard) -> None:
    answer = guarded.get(f"//evil.example/?token={TOKEN}", Accept="text/html")
    assert "url=//" not in answer.body


def test_host_that_was_allowed_is_answered(guarded: Dashboard) -> None:
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/health", Host="ops.example", **shown).status == 200
    assert guarded.get("/api/health", Host="ops.example.evil", **shown).status == 403


def test_wildcard_means_the_names_of_this_machine() -> None:
    names = own_names("0.0.0.0")
    assert "127.0.0.1" in names
    assert "evil.example" not in names


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
def test_others_are_served_with_a_token_only(workspace: Workspace, host: str) -> None:
    with pytest.raises(ConfigError, match="token is needed"):
        serve(workspace, host=host)


@pytest.mark.parametrize("token", ["", "short", "0123456789abcde", "sixteen chars \n or", "ünicode-is-not-a-header"])
def test_token_that_is_none_is_refused(workspace: Workspace, token: str) -> None:
    with pytest.raises(ConfigError, match="at least 16 printable"):
        serve(workspace, token=token)


def test_token_comes_from_one_place_and_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        find_token(None, file)
    file.chmod(0o600)
    assert find_token(None, file) == TOKEN
    with pytest.raises(ConfigError, match="not both"):
        find_token("x", file)
    monkeypatch.setenv("PEAKTRADE_DASHBOARD_TOKEN", "from the environment")
    assert find_token(None, None) == "from the environment"


def test_secrets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in ("KRAKEN_TESTNET_API_SECRET", "KRAKEN_TESTNET_API_KEY", "PEAKTRADE_DASHBOARD_TOKEN", "SMTP_PASSWORD"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setattr(os, "environ", {**os.environ, "LANG": "C"})
    forget_secrets()
    assert "canary" not in os.environ.values()
    assert os.environ["LANG"] == "C"
