"""The panels of the pages beside Live-Track: a session, runs, alerts, activity, system, layers and the wall."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import msgspec
import numpy as np
import pytest
from serving import HOSTILE, shown, text

from peaktrade_core.alerts.alerts import Cleared, Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.checkout import git_commit
from peaktrade_core.control.status import whole
from peaktrade_core.dashboard.panels import PANELS
from peaktrade_core.dashboard.panels.base import coded
from peaktrade_core.dashboard.panels.charts import event_marks
from peaktrade_core.desk.readiness import PRE_SESSION
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import GLOBAL, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence
from peaktrade_core.runs.curves import Curves
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.language import tongue
from peaktrade_core.trading.events import Denial, Fill, Gap, Halt, State
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

Shadow = Callable[..., SessionRecord]


def test_session_shows_the_figures_of_its_record(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=3, steps=300, notes="late shift")
    said = text(shown(workspace, "session", subject=record.session_id))
    for name in ("realized_pnl", "unrealized_pnl"):
        assert wording.signed(record.metric(name), "EUR") in said
    assert f"Equity {wording.money(record.metric('equity_end'), 'EUR')}" in said
    assert f"Orders {record.metric('num_orders'):.0f}" in said
    assert "late shift" in said
    assert "data-final" in shown(workspace, "session", subject=record.session_id)


def test_session_charts_hold_every_bar_and_every_fill(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=3, steps=300)
    html = shown(workspace, "session_curves", subject=record.session_id)
    fills = [event for event in Views.of(workspace).events(record.session_id) if isinstance(event, Fill)]
    assert fills
    assert html.count("<title>buy ") == sum(fill.qty > 0 for fill in fills)
    assert html.count("<title>sell ") == sum(fill.qty < 0 for fill in fills)
    columns = [found.split(",") for found in re.findall(r'data-y="([^"]+)"', html)]
    assert [len(column) for column in columns] == [300] * 4
    assert float(columns[0][-1]) == pytest.approx(record.metric("equity_end"))
    assert -float(min(columns[1], key=float)) == pytest.approx(100.0 * (record.metric("max_drawdown") or 0.0))
    assert f"to {wording.figure(record.metric('equity_end'), 2)} EUR" in html
    assert html.count('role="img"') == 4


MARK = re.compile(
    r'data-t="([\d.]+)" data-v="([\d.]+)" data-n="\d+">.*?<title>(.*?)</title></path>(?:<text class="n"[^>]*>(\d+)</text>)?'
)


def test_many_fills_are_marks_that_say_how_many_and_lie_on_the_drawn_line(
    workspace: Workspace, run_shadow: Shadow
) -> None:
    record = run_shadow(strategy="rsi_reversion", seed=3, steps=6000)
    look = Views.of(workspace).look(record.session_id)
    curves, fills = look.curves(2000), look.journal.fills
    assert len(curves.ts) < curves.bars
    marks = MARK.findall(shown(workspace, "session_curves", subject=record.session_id))
    assert sum(int(n or 1) for *_, n in marks) == len(fills)
    assert max(int(n or 1) for *_, n in marks) > 1
    times = [at.timestamp() for at in curves.ts]
    for t, value, *_ in marks:
        assert float(value) == pytest.approx(float(np.interp(float(t), times, curves.price)))
    several = next(said for *_, said, n in marks if n)
    assert re.match(r"\d+ (buys|sells) of [\d.]+ @ [\d,.]+ EUR on average, 20", several)


def test_a_range_in_the_address_is_drawn_alone_and_bad_ones_are_said(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(steps=300)
    curves = Views.of(workspace).curves(record.session_id)
    since, until = f"{curves.ts[100]:%Y-%m-%dT%H:%M:%S}Z", f"{curves.ts[149]:%Y-%m-%dT%H:%M:%S}Z"

    def page(query: str) -> str:
        return unescape(text(shown(workspace, "session_curves", query, record.session_id)))

    assert "50 of 300 bars, 50 points drawn" in page(f"since={since}&until={until}")
    assert "300 bars, 300 points drawn" in page("")
    assert "No bar in this range." in page("since=2031-01-01")
    assert "since = 'yesterday' is no time" in page("since=yesterday")
    assert "lies before since" in page(f"since={until}&until={since}")


def test_denials_halts_and_gaps_are_marks_with_their_words(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(steps=900, seed=8, position_fraction=0.2)
    journal = Views.of(workspace).look(record.session_id).journal
    said = shown(workspace, "session_curves", subject=record.session_id)
    assert sum(int(n or 1) for *_, n in MARK.findall(said)) == sum(journal.denials.values()) > 0
    assert "MAX_ORDER_NOTIONAL" in said
    curves = Views.of(workspace).curves(record.session_id)
    at = curves.ts[450]
    events = [
        Halt(1, at, "MAX_DRAWDOWN_HALT", 10.2, 10.0),
        State(2, at, "HALTED", "kai", "venue is odd"),
        Gap(3, at, at - timedelta(minutes=5), at - timedelta(minutes=1), 5),
        Denial(4, curves.ts[10], "HALTED", 1.0, 2.0, None, None),
        Gap(5, at + timedelta(days=9), at, at, 1),  # not in sight
    ]
    marks = {kind.name: kind.marks for kind in event_marks(events, curves, "EUR")}
    assert set(marks) == {"halt", "gap", "denial"}
    assert [(mark.n, mark.value) for mark in marks["halt"]] == [(2, curves.price[450])]
    assert "MAX_DRAWDOWN_HALT × 1, HALTED × 1" in marks["halt"][0].text
    assert marks["gap"][0].text.startswith("5 bars missing from ")
    assert "trading is halted" in marks["denial"][0].text
    assert "halt MAX_DRAWDOWN_HALT: 10.20 % against 10 %" in event_marks(events[:1], curves, "EUR")[0].marks[0].text
    assert event_marks(events, Curves(), "EUR") == []


def test_session_links_to_those_beside_it(workspace: Workspace, run_shadow: Shadow) -> None:
    ids = [run_shadow(seed=seed, steps=20).session_id for seed in (1, 2, 3)]
    middle = shown(workspace, "session", subject=ids[1])
    assert f'href="/session/{ids[2]}" rel="prev"' in middle
    assert f'href="/session/{ids[0]}" rel="next"' in middle
    assert 'rel="prev"' not in shown(workspace, "session", subject=ids[2])
    assert 'rel="next"' not in shown(workspace, "session", subject=ids[0])


def test_denials_are_counted_and_explained(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=3, steps=300, position_fraction=0.5)
    n = record.metrics["deny_codes"]["MAX_ORDER_NOTIONAL"]
    said = text(shown(workspace, "session_limits", subject=record.session_id))
    assert f"MAX_ORDER_NOTIONAL {n} one opening order is too large." in said
    assert "◆ 500 %" in said
    assert "▲ warn" in text(shown(workspace, "session_checks", subject=record.session_id))


def test_session_without_a_journal_says_so_and_keeps_the_rest(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=3, steps=50)
    for path in RunFolder(workspace.runs, record.session_id).path.iterdir():
        path.unlink()
    assert "Not everything could be read." in shown(workspace, "session_events", subject=record.session_id)
    assert "cannot read" in shown(workspace, "session_curves", subject=record.session_id)
    assert wording.signed(record.metric("realized_pnl"), "EUR") in shown(
        workspace, "session", subject=record.session_id
    )
    assert record.metrics["risk_status"] in text(shown(workspace, "session_record", subject=record.session_id))


def test_journal_that_is_torn_or_garbage_never_breaks_a_panel(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=3, steps=50)
    journal = RunFolder(workspace.runs, record.session_id).journal
    whole = journal.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"\x00\xff" * 500, b'{"type":"bar"}\n' * 3, whole + b"{]\n"):
        journal.write_bytes(data)
        for name in ("session_curves", "session_limits", "session_checks", "session_events", "run", "run_tail"):
            assert "This panel could not be made" not in shown(workspace, name, subject=record.session_id), (
                name,
                data[:20],
            )


def test_unknown_or_escaping_ids_are_said_in_words(workspace: Workspace, run_shadow: Shadow) -> None:
    run_shadow(seed=3, steps=20)
    for subject in ("nobody", "../../etc/passwd", "", HOSTILE, "x" * 200):
        for name in ("session", "session_curves", "session_record", "run", "run_tail", "run_alerts"):
            html = shown(workspace, name, subject=subject)
            assert "This panel could not be made" in html
            assert "<script" not in html


def test_running_silent_and_died_runs_are_told_apart(workspace: Workspace, run_shadow: Shadow) -> None:
    done = run_shadow(seed=1, steps=20)
    assert "Nothing runs." in text(shown(workspace, "now"))
    code = "from peaktrade_core.cli import main; main()"
    command = [sys.executable, "-c", code, "session", "run", "--home", str(workspace.home), "--pace", "600"]
    process = subprocess.Popen([*command, "--steps", "5000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        row = _wait(workspace, "running")
        live = shown(workspace, "now")
        assert f'data-run="{row}"' in live
        assert "● RUN" in live
        assert 'class="spark' in live
        assert "largest exposure in the symbol" in text(live)
        assert "● RUN" in shown(workspace, "sessions")
        assert "Running 1" in text(shown(workspace, "status"))
        assert "data-final" not in shown(workspace, "run", subject=row)
        os.kill(process.pid, signal.SIGSTOP)
        path = RunFolder(workspace.runs, row).journal
        _wait(workspace, "running")
        old = time.time() - 900
        os.utime(path, (old, old))
        beat = RunFolder(workspace.runs, row).path / "heartbeat.json"
        raw = json.loads(beat.read_text())
        beat.write_text(json.dumps({**raw, "at": (datetime.now(UTC) - timedelta(seconds=900)).isoformat()}))
        assert "◔ SILENT" in shown(workspace, "now")
        assert "look at feed and venue (runbook 7)" in text(shown(workspace, "run", subject=row))
    finally:
        process.kill()
        process.wait()
    html = shown(workspace, "now")
    assert "✕ DIED" in html
    assert "session list</code> recovers it" in html
    assert "✕ DIED" in shown(workspace, "sessions")
    assert "its process is gone" in shown(workspace, "sessions")
    assert "Running 0 ✕ 1 died" in text(shown(workspace, "status"))
    assert f'data-run="{done.session_id}"' not in html


def _wait(workspace: Workspace, state: str) -> str:
    """Return the id of a run in that state that has worked off a bar, as soon as there is one."""
    return str(until(lambda: [row for row in Views.of(workspace).runs() if row.state == state and row.step])[0].run_id)


def raise_alert(workspace: Workspace, alert_id: str, severity: str, message: str, run_id: str | None = None) -> None:
    now = datetime.now(UTC)
    alert = Raised(
        at=now, alert_id=alert_id, rule_id="pnl_drop", key="", severity=severity, message=message, run_id=run_id
    )
    Alerts.of(workspace).log.append(lambda _: [alert])


def test_alerts_show_the_worst_first_who_has_them_and_what_was(workspace: Workspace) -> None:
    assert "No alert is open." in shown(workspace, "alerts_open")
    raise_alert(workspace, "A-1", "warning", "slow feed")
    raise_alert(workspace, "A-2", "critical", f"loss {HOSTILE}", "shadow_1")
    raise_alert(workspace, "A-3", "critical", "loss two")
    Alerts.of(workspace).acknowledge("A-3", "anna", "on it")
    html = shown(workspace, "alerts_open")
    assert re.findall(r'data-key="(A-\d)"', html) == ["A-2", "A-1", "A-3"]
    assert "◆ critical" in text(html)
    assert "✓ anna" in text(html)
    assert "2 not taken on" in html
    assert "&lt;script&gt;" in html
    assert re.findall(r'data-key="(A-\d)"', shown(workspace, "alerts_open", query="severity=warning")) == ["A-1"]
    assert "unknown severity" in shown(workspace, "alerts_open", query="severity=huge")
    Alerts.of(workspace).log.append(lambda _: [Cleared(at=datetime.now(UTC), alert_id="A-1", message="fast again")])
    assert 'data-key="A-1"' not in shown(workspace, "alerts_open")
    assert 'data-key="A-1"' in shown(workspace, "alerts_history")
    assert "Alerts ◆ 2" in text(shown(workspace, "wall"))


def test_activity_is_newest_first_filtered_and_linked(workspace: Workspace, run_shadow: Shadow) -> None:
    assert "Nothing was done here yet." in shown(workspace, "activity")
    record = run_shadow(seed=1, steps=20)
    after = datetime.now(UTC) + timedelta(seconds=2)
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="drill", now=after)
    html = shown(workspace, "activity")
    assert html.index("drill") < html.index("session completed") < html.index("session began")
    assert f'href="/session/{record.session_id}"' in html
    assert "session began" not in shown(workspace, "activity", query="kind=halt")
    assert "drill" in shown(workspace, "activity", query="kind=halt&hours=1")
    assert "Nothing of this kind" in shown(workspace, "activity", query="kind=report")
    for query in ("kind=x", "hours=0", "limit=1e3"):
        assert "This panel could not be made" in shown(workspace, "activity", query=query)


def test_system_says_ready_locked_and_what_is_stopped(workspace: Workspace) -> None:
    said = text(shown(workspace, "system_lights"))
    assert "Readiness ✓ ready" in said
    assert "Kill switch ● released" in said
    assert "Live trading ■ locked By design" in said
    KillSwitch.of(workspace).engage("ada", "smoke in the room")
    said = text(shown(workspace, "system_lights"))
    assert "Readiness ✕ not ready" in said
    assert "Kill switch ◆ engaged no orders: smoke in the room (by ada" in said
    assert "0.00 / 5,000 EUR" in text(shown(workspace, "system_account"))
    assert "core proven, may run" in text(shown(workspace, "system_tiers"))


def test_layers_say_unknown_where_nothing_is_known_and_fail_where_it_fails(
    workspace: Workspace, run_shadow: Shadow
) -> None:
    before = {layer.code: layer.status for layer in whole(workspace).layers}
    assert [before[f"L{i}"] for i in range(7)] == ["pass", "unknown", "pass", "unknown", "unknown", "warn", "unknown"]
    assert "? unknown" in text(shown(workspace, "layers"))
    run_shadow(seed=1, steps=20)
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="drill", now=datetime.now(UTC))
    raise_alert(workspace, "A-1", "critical", "loss")
    after = {layer.code: layer.status for layer in whole(workspace).layers}
    assert (after["L3"], after["L4"], after["L5"]) == ("pass", "fail", "fail")
    assert "global HALTED by ada: drill" in text(shown(workspace, "layers"))


def test_what_was_decided_about_a_layer_stands_with_it(workspace: Workspace) -> None:
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="drill", now=datetime.now(UTC))
    assert "Escalate to the owner Nobody has written down a decision today" in text(shown(workspace, "layers"))
    book = EvidenceBook.of(workspace)
    made = add_evidence(book, "L4", "watch it until noon", by="Ada", role="risk_officer", about="L4")
    said = text(shown(workspace, "layers"))
    assert f"Decided by Ada (risk_officer): watch it until noon {made.evidence_id} · not countersigned" in said
    assert "Nobody has written down" not in said


def test_each_halt_is_told_with_scope_time_person_and_reason_on_every_page(
    workspace: Workspace, run_shadow: Shadow
) -> None:
    now = datetime(2026, 1, 5, 8, tzinfo=UTC)
    states = TradingStates.of(workspace)
    states.set(Scope.of("shadow", "rsi_reversion", "ETH/EUR"), "HALTED", by="Ada", reason="a drill", now=now)
    told = re.findall(r'class="(tile|loud) ([^"]*)"><(?:h2>Trading|span>■)', shown(workspace, "wall"))
    assert told == [("tile", "yellow"), ("loud", "yellow")]  # one colour for the same fact
    states.set(GLOBAL, "NO_ORDERS", by="Ben", reason="no bar from noon", now=now)
    for panel in ("status", "wall", "system_lights", "control_status"):
        said = text(shown(workspace, panel))
        assert "global NO_ORDERS by Ben: no bar from noon · since 2026-01-05 08:00 UTC" in said, panel
        assert "shadow.rsi-reversion.ETH-EUR HALTED by Ada: a drill · since 2026-01-05 08:00 UTC" in said, panel


def test_a_run_that_is_halted_says_so_wherever_it_is_shown_and_by_whom(workspace: Workspace) -> None:
    KillSwitch.of(workspace).engage(by="Ben", reason="venue is odd")
    code = "from peaktrade_core.cli import main; main()"
    command = [sys.executable, "-c", code, "session", "run", "--home", str(workspace.home), "--pace", "600"]
    given = ["--steps", "5000", "--although-halted"]
    process = subprocess.Popen([*command, *given], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        row = _wait(workspace, "running")
        for panel, subject in (("now", None), ("sessions", None), ("wall", None), ("run", row), ("session", row)):
            assert 'data-word="halted"' in shown(workspace, panel, subject=subject), panel
        assert "global NO_ORDERS by Ben" in text(shown(workspace, "now"))
        for panel in ("run", "session"):
            assert "by Ben: venue is odd" in text(shown(workspace, panel, subject=row))
    finally:
        process.kill()
        process.wait()


def test_a_session_that_halted_itself_says_at_which_limit(workspace: Workspace, run_shadow: Shadow) -> None:
    path = workspace.config_path
    path.write_text(path.read_text().replace("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 0.05"))
    record = run_shadow(seed=3, steps=300, strategy="ma_crossover")
    said = text(shown(Workspace(workspace.home), "session", subject=record.session_id))
    assert re.search(
        r"■ HALTED orders are denied: HALTED × \d+ \S+ \S+ UTC halt MAX_DRAWDOWN_HALT: 0\.\d\d % against 0\.05 %", said
    )
    events = text(shown(Workspace(workspace.home), "session_events", "event=denial", subject=record.session_id))
    assert "HALTED" in events
    assert "HALTED: " not in events


def test_what_a_person_wrote_stays_as_it_was_written_and_is_no_fault(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=3, steps=50, position_fraction=0.5, notes="no bar from noon, 100 bars")
    workspace.config_path.write_text(workspace.config_path.read_text().replace('language = "en"', 'language = "de"'))
    said = shown(Workspace(workspace.home), "session", subject=record.session_id)
    assert '<p class="note">no bar from noon, 100 bars</p>' in said
    assert "no bar from noon, 100 bars" in shown(Workspace(workspace.home), "session_record", subject=record.session_id)


def test_layer_that_cannot_be_read_fails_and_the_others_stand(workspace: Workspace) -> None:
    Alerts.of(workspace).log.path.mkdir(parents=True)
    found = {layer.code: layer for layer in whole(workspace).layers}
    assert found["L5"].status == "fail"
    assert "cannot read" in found["L5"].findings[0].evidence
    assert found["L0"].status == "pass"


def test_wall_and_session_speak_german(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=1, steps=20)
    path = workspace.config_path
    path.write_text(path.read_text().replace('language = "en"', 'language = "de"'))
    german = Workspace(workspace.home)
    assert "Nichts läuft." in shown(german, "wall")
    assert "Nutzung der Risikogrenzen" in shown(german, "session_limits", subject=record.session_id)


def test_questions_of_checks_are_asked_in_the_language_of_the_page(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=1, steps=20)
    after, before = post_session_checks(Views.of(workspace).look(record.session_id)), workspace.ask(PRE_SESSION)
    german = tongue("de")
    assert german is not None
    workspace.config_path.write_text(workspace.config_path.read_text().replace('language = "en"', 'language = "de"'))
    there = Workspace(workspace.home)
    for panel, subject, checks in (("session_checks", record.session_id, after), ("system_lights", None, before)):
        said = unescape(text(shown(there, panel, subject=subject)))
        for check in checks:
            assert german.turned(check.question) in said
            assert check.question not in said


def test_names_of_styles_ids_and_addresses_are_the_same_in_both_languages(
    workspace: Workspace, run_shadow: Shadow
) -> None:
    record = run_shadow(seed=1, steps=300)
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="drill", now=datetime.now(UTC))
    raised = Raised(
        at=datetime.now(UTC), alert_id="A-1", rule_id="drawdown", key="a", severity="critical", run_id=record.run_id,
        message="words of somebody", runbook="8", owner="risk officer",
    )  # fmt: skip
    Alerts.of(workspace).log.append(lambda _: [raised])
    unread = re.compile(r'\b(?:class|id|href|data-(?:figure|key|panel|word))="[^"]*"')
    english = {name: set(unread.findall(shown(workspace, name, subject=record.session_id))) for name in PANELS}
    workspace.config_path.write_text(workspace.config_path.read_text().replace('language = "en"', 'language = "de"'))
    there = Workspace(workspace.home)
    for name, told in english.items():
        assert set(unread.findall(shown(there, name, subject=record.session_id))) == told, name


def test_record_shows_the_command_line_as_it_can_be_typed(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=1, steps=20)
    changed = {**msgspec.to_builtins(record), "cli_args": ["session", "run", "--notes", "a b; rm"], "odd": "field"}
    changed.pop("extra")
    Registry.of(workspace).path_of(record).write_text(json.dumps(changed))
    said = shown(workspace, "session_record", subject=record.session_id)
    assert "session run --notes &#x27;a b; rm&#x27;" in text(said)
    assert '<th scope="row" title="odd">odd</th><td>field</td>' in said


def test_backticks_become_code_and_markup_stays_text() -> None:
    assert coded("run `a <b>` & go") == "run <code>a &lt;b&gt;</code> &amp; go"


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (50_123.456, None, "50,123.46"),
        (100.0, None, "100"),
        (0.00012, None, "0.00012"),
        (-0.5, 2, "−0.50"),
        (0.0, 6, "0.000000"),
        (None, None, "–"),
    ],
)
def test_figures(value: float | None, digits: int | None, expected: str) -> None:
    assert wording.figure(value, digits) == expected


def test_commit_is_read_from_a_checkout_a_worktree_and_packed_refs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    commit = "a" * 40
    assert git_commit(tmp_path) is None
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit(tmp_path) is None
    (git / "packed-refs").write_text(f"# pack-refs\n{commit} refs/heads/main\n")
    assert git_commit(tmp_path) == commit
    (git / "refs" / "heads" / "main").write_text("b" * 40 + "\n")
    assert git_commit(tmp_path) == "b" * 40
    (git / "HEAD").write_text(commit)
    assert git_commit(tmp_path) == commit
