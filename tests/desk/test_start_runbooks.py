"""Starting: nothing runs that nobody decided, nothing runs twice, and what the checks ask is answered from artefacts."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from peaktrade_core.base.errors import ApprovalError, ConfigError, StepOpenError
from peaktrade_core.base.question import FAIL, PASS, WARN, Check
from peaktrade_core.changes.book import Changes
from peaktrade_core.dashboard.watching.pre_session_check import dashboard_checks
from peaktrade_core.desk import installation
from peaktrade_core.desk.installation import FILE, accept, accepted, changes, changes_table
from peaktrade_core.desk.readiness import desk_checks, settings_checks
from peaktrade_core.desk.session_run import SessionRunbook
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runbooks.form import AnswerForm
from peaktrade_core.runs.logs import bad_lines, log_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import FALLS_OVER

HERE = "http://127.0.0.1:1"  # nobody listens there


def by_id(checks: list[Check]) -> dict[str, Check]:
    return {one.id: one for one in checks}


@pytest.fixture
def broken(run_shadow: Callable[..., SessionRecord], home: Path) -> SessionRecord:
    """Return a session that failed a moment ago: its strategy raises."""
    module = home / "bad.py"
    module.write_text(FALLS_OVER)
    from peaktrade_core.trading.strategies.registry import scratch_registry
    from peaktrade_core.workspace.workspace import load_strategy_module

    with scratch_registry():
        load_strategy_module(module)
        return run_shadow(strategy="falls_over", steps=50)


@pytest.fixture
def run(begin) -> Callable[..., SessionRunbook]:
    """Return a function that begins the runbook of a short session and steps up to the question."""

    def go(**given: object) -> SessionRunbook:
        runbook = begin("session_run", steps=60, warmup_candles=60, **given)
        runbook.ready()
        runbook.start()
        return runbook

    return go


def test_it_starts_without_a_question_when_all_is_good_and_not_again_when_resumed(run, workspace) -> None:
    runbook = run().run()
    assert run(resume=runbook.round.id).run().session.id == runbook.session.id
    assert Views.of(workspace).stats().total_sessions == 1


def test_silence_is_no_consent(run, broken, workspace) -> None:
    assert broken.status == "failed"
    step = run().run()
    assert step.session is None
    assert "No session was started" in step.summary()._repr_html_()
    assert "No session was started" in repr(step.order())
    assert step.finish().record.outcome == "incomplete"
    assert Views.of(workspace).stats().total_sessions == 1


@pytest.mark.parametrize(("answer", "started", "outcome"), [("yes", True, "warned"), ("no", False, "stopped")])
def test_an_answer_with_a_reason_decides(run, broken, answer, started, outcome) -> None:
    step = run(answers=f"start = {answer}: known, INC-3").run()
    assert (step.session is not None) is started
    assert step.finish().record.outcome == outcome


def test_an_answer_without_a_reason_starts_nothing(run, broken) -> None:
    with pytest.raises(ConfigError, match="needs a reason"):
        run(answers="start = yes")


def test_a_kill_switch_that_is_engaged_cannot_be_talked_away(run, workspace) -> None:
    KillSwitch.of(workspace).engage("Bob", "test")
    with pytest.raises(ConfigError, match="unknown answer 'yes'; known: no"):
        run(answers="start = yes: I want to")
    assert run().run().session is None


def test_the_notebook_runs_a_session_and_its_evidence_names_the_files(headless, workspace) -> None:
    outcome, evidence = headless("session_run", steps=80, warmup_candles=60)
    assert (outcome.status, outcome.outcome) == ("completed", "passed")
    assert [step.id for step in evidence.steps] == ["ready", "run", "expected", "order"]
    assert {Path(one.path).name for one in evidence.artefacts} >= {"events.jsonl"}
    assert Views.of(workspace).latest().session_id in evidence.step("run").result


def test_what_failed_must_be_documented(broken, workspace, begin) -> None:
    assert by_id(desk_checks(workspace))["documented"].status == WARN
    done = begin("post_session_check", about=broken.session_id)
    assert broken.session_id in by_id(desk_checks(workspace))["documented"].evidence  # begun is not done
    done.finish()
    assert by_id(desk_checks(workspace))["documented"].status == PASS


def test_a_check_that_is_taken_up_again_looks_at_the_same_session(run_shadow, begin) -> None:
    record = run_shadow(steps=60)
    first = begin("post_session_check")
    newer = run_shadow(steps=60, seed=5)
    again = begin("post_session_check", resume=first.round.id)
    assert record.session_id in repr(again.summary())
    again.order()
    again.noted()
    assert again.finish().record.subject == record.session_id
    assert newer.session_id in repr(begin("post_session_check").summary())


def test_an_incident_that_names_the_session_documents_it_too(broken, workspace) -> None:
    (workspace.reports / "incidents" / "INC-1").mkdir(parents=True)
    (workspace.reports / "incidents" / "INC-1" / "timeline.jsonl").write_bytes(b"\xff " + broken.session_id.encode())
    assert by_id(desk_checks(workspace))["documented"].status == PASS


def test_the_daily_health_check_counts_only_when_it_was_finished_and_good(begin, workspace) -> None:
    assert by_id(desk_checks(workspace))["health_done"].evidence == "never"
    runbook = begin("health_check")
    assert by_id(desk_checks(workspace))["health_done"].evidence == "never"
    runbook.tests_green()
    runbook.finish()
    found = by_id(desk_checks(workspace))["health_done"]
    assert (found.status, found.evidence.endswith("incomplete")) == (WARN, True)
    begin("health_check").finish()
    assert by_id(desk_checks(workspace))["health_done"].status == PASS


def test_a_changed_program_is_named_and_accepting_ends_it(begin, workspace, monkeypatch) -> None:
    assert changes(workspace).evidence == "no one has accepted it yet"
    accept(workspace, "Bob", "EV-20260101-X")
    assert changes(workspace).status == PASS
    monkeypatch.setattr(installation, "version_of", lambda name: "0.0.1" if name == "pandas" else "1")
    assert "package pandas" in repr(changes_table(workspace))
    assert changes(workspace).status == WARN
    runbook = begin("restart_after_maintenance", answers="tests_green = no")
    runbook.tests_green()
    assert "Not accepted" in repr(runbook.accept())
    assert runbook.finish().record.outcome == "stopped"
    runbook = begin("restart_after_maintenance", answers="tests_green = yes")
    runbook.tests_green()
    assert "alert rules are not known" in repr(runbook.accept())  # they were not looked at
    runbook.alerts_go()
    runbook.accept()
    assert changes(workspace).status == PASS


def test_a_setting_is_no_part_of_what_one_person_accepts(begin, workspace, configure) -> None:
    Changes.of(workspace).adopt("Ada", "as it is")
    assert by_id(settings_checks(Workspace(workspace.home), "shadow"))["governed"].status == PASS
    configure("max_daily_loss_abs = 500.0", "max_daily_loss_abs = 900.0")
    place = Workspace(workspace.home)
    assert re.search(r"live_risk.max_daily_loss_abs +500 +900", repr(changes_table(place)))
    runbook = begin("restart_after_maintenance", answers="tests_green = yes")
    runbook.tests_green()
    runbook.alerts_go()
    runbook.accept()
    found = by_id(settings_checks(place, "shadow"))
    assert (found["changes"].status, found["governed"].status) == (PASS, FAIL)
    assert "live_risk.max_daily_loss_abs 500 → 900 (looser)" in found["governed"].evidence


def test_changed_alert_rules_are_accepted_only_when_two_people_approved_them(begin, workspace, home) -> None:
    rules = home / "config" / "alerts.toml"
    rules.write_text('[channels.log]\nkind = "log"\n')
    Changes.of(workspace).adopt("Ada", "as it is")
    rules.write_text('[channels.console]\nkind = "console"\n')
    runbook = begin("restart_after_maintenance", answers="tests_green = yes")
    runbook.tests_green()
    assert "alerts.channels.log.kind" in repr(runbook.alerts_go())
    assert "not known to be as they were approved" in repr(runbook.accept())
    assert accepted(workspace) is None
    changes_ = Changes.of(workspace)
    proposed = changes_.propose({}, "Ada", "the console is read")
    with pytest.raises(ApprovalError, match="Ada cannot do alone"):
        changes_.apply(proposed.id, "Ada")
    changes_.apply(proposed.id, "Carol")
    runbook = begin("restart_after_maintenance", answers="tests_green = yes")
    runbook.tests_green()
    runbook.alerts_go()
    runbook.accept()
    assert accepted(workspace) is not None


def test_an_address_in_the_configuration_is_not_copied(workspace, home) -> None:
    (home / "config" / "alerts.toml").write_text('[channels.x]\nkind = "apprise"\nurl = "slack://secret-token"\n')
    Changes.of(workspace).adopt("Ada", "as it is")
    assert not [
        path for path in (home / "reports").rglob("*") if path.is_file() and b"secret-token" in path.read_bytes()
    ]


@pytest.mark.parametrize("damage", [b"{", b"\xff\xfe", b"[]"])
def test_a_broken_note_of_the_installation_fails_in_words(workspace, home, damage) -> None:
    accept(workspace, "Bob", "EV-20260101-X")
    (home / FILE).write_bytes(damage)
    found = changes(workspace)
    assert found.status == FAIL
    assert "remove it and accept the installation anew" in found.evidence
    assert "cannot be read" in repr(changes_table(workspace))


def test_a_broken_configuration_fails_the_settings_in_words(home) -> None:
    (home / "config" / "config.toml").write_text("[session]\nposition_fraction = 5\n")
    found = by_id(settings_checks(Workspace(home), "shadow"))
    assert {found[id].status for id in ("mode", "strategy", "limits_set")} == {FAIL}
    assert "position_fraction = 5" in found["strategy"].evidence


def test_limits_that_nobody_wrote_down_are_told(workspace, configure) -> None:
    assert by_id(settings_checks(workspace, "shadow"))["limits_set"].status == PASS
    configure("max_daily_loss_abs = 500.0", "")
    found = by_id(settings_checks(Workspace(workspace.home), "shadow"))["limits_set"]
    assert (found.status, "max_daily_loss_abs" in found.evidence) == (WARN, True)


def test_errors_in_logs_and_in_what_a_run_printed_are_found_for_a_day(workspace, broken) -> None:
    logs = workspace.home / "logs"
    logs.mkdir(exist_ok=True)
    now = workspace.clock.now().isoformat(timespec="seconds")
    (logs / "other.log").write_text(
        f"2020-01-01T00:00:00+00:00 ERROR old\n{now} all is well\n{now} Traceback (most\n  KeyError\n"
    )
    (logs / "binary.log").write_bytes(b"\xff\xfe critical \x00\n")
    RunFolder(workspace.runs, broken.session_id).console.write_text("Exception: said the process\n")
    found = [line.text for line in bad_lines(workspace)]
    assert sum("Traceback" in text for text in found) == 1
    assert any("critical" in text for text in found)
    assert any("said the process" in text for text in found)
    assert not any("old" in text for text in found)
    assert log_checks(workspace)[0].status == WARN


def test_a_log_that_is_no_file_is_told(workspace) -> None:
    (workspace.home / "logs" / "odd.log").mkdir(parents=True)
    found = log_checks(workspace)[0]
    assert (found.status, "not a plain file" in found.evidence or "directory" in found.evidence) == (FAIL, True)


def test_a_dashboard_that_does_not_answer_and_one_elsewhere(workspace) -> None:
    found, _ = dashboard_checks(workspace, HERE)
    assert found.status == WARN
    assert "peaktrade dashboard" in found.next_step
    for url in ("http://example.org/", "file:///etc/passwd", "https://127.0.0.1:1", "127.0.0.1"):
        with pytest.raises(ConfigError, match="must be a page on this machine"):
            dashboard_checks(workspace, url)


def test_after_a_restart_the_newest_run_is_looked_at(workspace, run_shadow, begin) -> None:
    runbook = begin("restart_after_maintenance", dashboard_url=HERE)

    def looked() -> dict[str, Check]:
        runbook.running()
        return by_id(runbook.round.record.step("running").checks)

    assert looked()["processes"].evidence == "no run at all"
    record = run_shadow(steps=200)
    found = looked()
    assert {found[name].status for name in ("processes", "signals", "limits", "logs")} == {PASS}
    assert record.session_id in found["processes"].evidence
    RunFolder(workspace.runs, record.session_id).journal.unlink()
    assert looked()["signals"].status == FAIL


@pytest.mark.parametrize("which", ["latest", "its id"])
def test_a_run_from_before_the_maintenance_was_not_started_again(which, run_shadow, begin) -> None:
    record = run_shadow(steps=200)
    time.sleep(1.0)
    run_id = which if which == "latest" else record.session_id
    runbook = begin("restart_after_maintenance", run_id=run_id, dashboard_url=HERE)
    runbook.running()
    found = by_id(runbook.round.record.step("running").checks)["processes"]
    assert (found.status, found.evidence.startswith(f"{record.session_id} began")) == (FAIL, True)


def test_the_check_before_a_session_asks_and_then_decides(headless) -> None:
    outcome, evidence = headless("pre_session_check", dashboard_url=HERE)
    assert (outcome.status, outcome.outcome) == ("completed", "incomplete")
    assert {step.id for step in evidence.steps if step.status == "open"} == {"changes_meant", "monitoring", "start"}
    given = "changes_meant = yes; monitoring = yes; start = yes: no watcher in a test"
    assert headless("pre_session_check", dashboard_url=HERE, answers=given)[0].outcome == "warned"


def test_with_a_person_there_the_steps_after_an_open_question_wait(run, broken, monkeypatch) -> None:
    monkeypatch.setattr("peaktrade_core.runbooks.runbook.person_is_there", lambda: True)
    runbook = run()
    with pytest.raises(StepOpenError, match="above first, then run this cell again") as refused:
        runbook.run()
    assert refused.value._render_traceback_() == [f"StepOpenError: {refused.value}"]
    runbook.round.answer("start", "yes", "known")
    assert runbook.run().session.id != broken.session_id


class Page(BaseHTTPRequestHandler):
    """A dashboard of a few bytes."""

    answers: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        body = self.answers.get(self.path.partition("?")[0])
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("health", "sessions", "result"),
    [
        (b'{"status":"ok"}', b"[]", {"dashboard": PASS, "live_track": PASS}),
        (b'{"status":"ok"}', b'[{"session_id":"of another workspace"}]', {"dashboard": PASS, "live_track": WARN}),
        (b'{"status":"ok"}', b'{"detail":"full"}', {"dashboard": PASS, "live_track": WARN}),
        (b'{"status":"ok"}', None, {"dashboard": PASS, "live_track": WARN}),
        (b'{"status":"ill"}', b"[]", {"dashboard": WARN, "live_track": PASS}),
        (b"<html>another program</html>", None, {"dashboard": WARN, "live_track": WARN}),
        (b"[]", b"[]", {"dashboard": WARN, "live_track": PASS}),
    ],
)
def test_the_dashboard_is_asked_and_compared(workspace, page, monkeypatch, health, sessions, result) -> None:
    found = {"/api/health": health, "/api/live_sessions": sessions}
    monkeypatch.setattr(Page, "answers", {path: body for path, body in found.items() if body is not None})
    assert {one.id: one.status for one in dashboard_checks(workspace, page)} == result


def test_the_form_records_what_the_click_carries(run, broken, monkeypatch) -> None:
    """Key, reason and second person come in one message: fields sent one by one were overtaken by the click."""
    monkeypatch.setattr("peaktrade_core.runbooks.runbook.person_is_there", lambda: True)
    runbook = run()
    form = AnswerForm(runbook.round, runbook.round.record.step("start"), "", lambda step: f"answered {step.answer.key}")
    said: list[str] = []
    monkeypatch.setattr(form, "send", lambda content: said.append(content["said"]))

    def click(key: str, reason: str) -> None:
        form._handle_custom_msg({"key": key, "reason": reason, "second": ""}, [])

    click("", "")
    assert said.pop() == "Choose an answer first."
    click("yes", " ")
    assert "needs a reason" in said.pop()
    click("yes", f"known: {broken.session_id}")
    click("no", "a second click changes nothing")
    assert (form.answered, said) == ("answered yes", [])
    answer = runbook.round.record.step("start").answer
    assert (answer.key, answer.reason) == ("yes", f"known: {broken.session_id}")
