"""What the watching runbooks say of a dashboard: true of ours, and a fail of one that is dead, lies, or can write."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import ConfigError, SessionNotFoundError
from peaktrade_core.base.question import Check, answers
from peaktrade_core.dashboard.watching.pages import READ_ONLY, agreement_checks, page_checks
from peaktrade_core.dashboard.watching.probe import PageReply, SeenDashboard, look_at_dashboard
from peaktrade_core.dashboard.watching.watch import SOURCES
from peaktrade_core.dashboard.watching.watch_only import WatchOnlyRunbook, exported, fresh
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[3]


def status(checks: list[Check]) -> dict[str, str]:
    return {check.id: check.status for check in checks}


def newest(workspace: Workspace) -> str:
    return Views.of(workspace).resolve("latest")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("watched") / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((REPO / "config" / "config.toml").read_bytes())
    workspace = Workspace(home)
    for seed in (1, 2):
        run_session(plan_session(workspace, seed=seed, steps=120), Desk.of(workspace))
    return workspace


@pytest.fixture(scope="module")
def seen(desk: Workspace) -> SeenDashboard:
    return look_at_dashboard(desk, "", newest(desk))


def test_our_dashboard_is_there_can_only_read_and_tells_the_truth(desk: Workspace, seen: SeenDashboard) -> None:
    assert seen.own
    found = [
        *page_checks(desk, seen),
        *answers(READ_ONLY, seen),
        *agreement_checks(desk, seen, newest(desk)),
    ]
    assert [check for check in found if check.status != "pass"] == []


def test_no_page_names_an_object_of_python(seen: SeenDashboard) -> None:
    assert 'aria-label="Keyboard"' in seen.answers["/"].body
    assert not [path for path, answer in seen.answers.items() if " object at 0x" in answer.body]


def test_the_server_of_the_proof_is_gone_after_it(desk: Workspace, seen: SeenDashboard) -> None:
    import psutil  # type: ignore[import-untyped]

    assert seen.answers
    assert not [p for p in psutil.Process().children(recursive=True) if "dashboard" in p.cmdline()]
    assert Views.of(desk).stats().total_sessions == 2


@pytest.mark.parametrize(
    ("path", "change", "id"),
    [
        ("/api/live_sessions?limit=50", lambda told: told[0].update(realized_pnl=1e6), "agree"),
        ("/api/live_sessions?limit=50", lambda told: told.pop(), "agree"),
        ("/api/live_sessions/stats", lambda told: told.update(total_sessions=99), "stats"),
        ("/api/live_sessions?limit=50&mode=shadow&status=completed", lambda told: told.pop(), "filters"),
        ("/api/live_sessions/{id}", lambda told: told.pop("metrics"), "detail"),
    ],
)
def test_an_answer_that_differs_from_the_registry_is_noticed(
    path: str, change: Callable[[Any], None], id: str, desk: Workspace, seen: SeenDashboard
) -> None:
    session_id = newest(desk)
    path = path.format(id=session_id)
    told = seen.answers[path].json()
    change(told)
    lied = seen._replace(answers={**seen.answers, path: PageReply(200, json.dumps(told))})
    assert status(agreement_checks(desk, lied, session_id))[id] != "pass"
    assert status(agreement_checks(desk, seen, session_id))[id] == "pass"


def test_a_page_without_its_panels_is_noticed(desk: Workspace, seen: SeenDashboard) -> None:
    bare = seen._replace(answers={**seen.answers, "/": PageReply(200, "<h1>Live-Track</h1>")})
    assert status(page_checks(desk, bare))["panels"] == "fail"


def test_a_dead_dashboard_is_told_in_words_and_nothing_is_taken_for_proof(desk: Workspace) -> None:
    dead = look_at_dashboard(desk, "http://127.0.0.1:9/", newest(desk))
    assert "127.0.0.1:9" in dead.fault
    assert status(page_checks(desk, dead)) == {"reachable": "fail"}
    assert set(status(answers(READ_ONLY, dead)).values()) == {"fail"}
    assert "pass" not in set(status(agreement_checks(desk, dead, newest(desk))).values())


@pytest.mark.parametrize(
    "address", ["http://example.org/", "https://127.0.0.1:8000/", "http://127.0.0.1:no/", "10.0.0.1"]
)
def test_nothing_but_this_machine_is_asked(address: str, desk: Workspace) -> None:
    with pytest.raises(ConfigError, match="address of this machine"):
        look_at_dashboard(desk, address)


class Careless(BaseHTTPRequestHandler):
    """A server that takes everything, from everybody, and prints its environment."""

    def do_GET(self) -> None:
        body = b'{"paths": {"/orders": {"get": {}, "post": {}}}, "note": "canary-77f3a1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  (the names that http.server looks for)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def careless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_can_write_or_tells_a_credential_fails_the_proof(
    careless: str, desk: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRAKEN_API_SECRET", "canary-77f3a1")
    found = look_at_dashboard(desk, careless, newest(desk))
    checks = {check.id: check for check in answers(READ_ONLY, found)}
    assert {check.status for check in checks.values()} == {"fail"}
    assert "POST /orders" in checks["get_only"].evidence
    assert checks["secrets"].evidence == "KRAKEN_API_SECRET"
    assert "canary" not in str(checks)
    assert status(agreement_checks(desk, found, newest(desk)))["agree"] == "fail"


def test_an_empty_workspace_has_nothing_to_watch_and_says_how_to_begin(
    begin: Callable[..., Any], workspace: Workspace
) -> None:
    assert begin("live_track_watch").round.record.subject == ""
    with pytest.raises(SessionNotFoundError):
        begin("live_track_watch", session_id="shadow_20260101_000000_aaaaaa")
    checks = {check.id: check for check in workspace.ask(SOURCES)}
    assert (checks["sessions"].status, checks["readable"].status) == ("warn", "pass")
    assert "peaktrade session run" in checks["sessions"].next_step


def test_a_torn_record_is_told(run_shadow: Callable[..., SessionRecord], workspace: Workspace) -> None:
    run_shadow(steps=30)
    (Registry.of(workspace).folder / "20260101T060000_live_session_shadow_torn.json").write_text('{"session_id": ')
    assert status(Workspace(workspace.home).ask(SOURCES))["readable"] == "warn"


def test_an_export_is_whole_and_of_now_until_something_happens(
    begin: Callable[..., WatchOnlyRunbook], run_shadow: Callable[..., SessionRecord], workspace: Workspace
) -> None:
    run_shadow(steps=30)
    runbook = begin("watch_only")
    runbook.export()
    files = runbook.files()
    assert status(answers((exported, fresh), runbook)) == {"exported": "pass", "fresh": "pass"}
    first = {path.name: path.read_bytes() for path in files}
    begin("watch_only").export()
    again = {path.name: path.read_bytes() for path in files}
    assert {name for name in first if first[name] != again[name]} <= {"status_snapshot.json", "status_snapshot.html"}
    run_shadow(steps=30)
    assert status(answers((exported, fresh), runbook)) == {"exported": "pass", "fresh": "warn"}
    files[0].write_text("{torn")
    files[-1].unlink()
    found = exported(runbook)
    assert found.status == "fail"
    assert "run_alerts.json" in found.evidence
    assert "status_snapshot.json" in found.evidence
