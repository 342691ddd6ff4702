"""The answers of the checklists change when the thing that they ask about becomes false.

Each case lets a question be answered well, then makes false what it asks about, and nothing else, and asks again. A
question that looks at something else than it says would not notice.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import pytest

from peaktrade_core.alerts.log import TESTS, ChannelTest, note_test
from peaktrade_core.base.question import Check, check
from peaktrade_core.control.control import control_center
from peaktrade_core.control.gates import GATES, GateResult, commits
from peaktrade_core.control.live_lock import audit_snapshot
from peaktrade_core.control.routine import routine
from peaktrade_core.control.tables import status_answers
from peaktrade_core.dashboard.watching.explorer import can_be_repeated
from peaktrade_core.dashboard.watching.live_track_watch import _unproven, _untreated
from peaktrade_core.dashboard.watching.pages import in_time
from peaktrade_core.dashboard.watching.probe import PageReply, SeenDashboard
from peaktrade_core.dashboard.watching.restart_after_maintenance import Restarted, limits, lives
from peaktrade_core.dashboard.watching.walkthrough_checks import walk_failure_checks
from peaktrade_core.desk.contacts import contacts, contacts_named
from peaktrade_core.desk.installation import accept
from peaktrade_core.desk.readiness import _backtested, documented, health_noted
from peaktrade_core.desk.session_run import expected_checks
from peaktrade_core.fleet.stopping import StoppedRuns, journals
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.report import response_checks
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.artefacts import unsecured
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import PersonQuestion
from peaktrade_core.runbooks.notebook import open_session
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.operations import note
from peaktrade_core.workspace.workspace import Workspace

Ask = Callable[["Desk"], Check]
Spoil = Callable[["Desk"], object]


class Desk(NamedTuple):
    """A workspace with a session that completed, and the way to run another."""

    place: Workspace
    run: Callable[..., SessionRecord]
    patch: pytest.MonkeyPatch
    session: SessionRecord

    @property
    def fresh(self) -> Workspace:
        """The same folder, opened anew: nothing that was read before is remembered."""
        return Workspace(self.place.home)

    def config(self, old: str, new: str) -> None:
        """Replace a text of the configuration."""
        text = self.place.config_path.read_text()
        assert old in text
        self.place.config_path.write_text(text.replace(old, new))

    def rewrite(self, **changed: Any) -> None:
        """Change fields of the session's record on the disk."""
        entry = Registry.of(self.place).find(self.session.session_id)
        assert entry is not None
        entry.path.write_text(json.dumps({**json.loads(entry.path.read_text()), **changed}))

    def alerts(self, text: str) -> None:
        """Write the rules and channels."""
        (self.place.home / "config" / "alerts.toml").write_text(text)


@pytest.fixture
def desk(workspace: Workspace, run_shadow: Callable[..., SessionRecord], monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(workspace, run_shadow, monkeypatch, run_shadow(seed=3, steps=300))


def leave(desk: Desk, runbook: str, subject: str = "", *, well: bool = True, noted: str = "") -> str:
    """Leave finished evidence of a runbook."""
    round_ = EvidenceBook.of(desk.place).begin(runbook, runbook, operator="Ada", subject=subject)
    round_.check("one", "One", [check("one", "Good?", well, "yes" if well else "no", "mend it")])
    if noted:
        round_.ask("noted", PersonQuestion(text="Written down?"))
        round_.answer("noted", noted)
    return round_.finish().evidence_id


def duty(name: str) -> Ask:
    return lambda desk: next(one for one in routine(desk.fresh) if one.id == name)


def one_of(found: list[Check], name: str) -> Check:
    return next(one for one in found if one.id == name)


# ---- what makes each answer good, and what makes it false ----------------------------------------------------------


def channel(desk: Desk) -> None:
    desk.alerts(
        '[channels.mail]\nurl = "json://127.0.0.1:9/x"\n[[rule]]\nid = "a"\nkind = "disk_free"\nchannels = ["mail"]\n'
    )
    note_test(desk.place.reports / "alerts", ChannelTest(at=desk.place.clock.now(), channel="mail", delivered=True))


def channel_refused(desk: Desk) -> None:
    (desk.place.reports / "alerts" / TESTS).unlink()
    test = ChannelTest(at=desk.place.clock.now(), channel="mail", delivered=False, reason="refused")
    note_test(desk.place.reports / "alerts", test)


def channel_silent_for_months(desk: Desk) -> None:
    (desk.place.reports / "alerts" / TESTS).unlink()
    long_ago = desk.place.clock.now() - timedelta(days=90)
    note_test(desk.place.reports / "alerts", ChannelTest(at=long_ago, channel="mail", delivered=True))


def killed(desk: Desk) -> None:
    """Leave the journal as SIGKILL would: without its end."""
    path = RunFolder(desk.place.runs, desk.session.session_id).journal
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[:-1]) + b"\n")


def failed_by_itself(desk: Desk) -> None:
    path = RunFolder(desk.place.runs, desk.session.session_id).journal
    *rest, last = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*rest, last.replace(b'"completed"', b'"failed"')]) + b"\n")


def smaller_limit(desk: Desk) -> None:
    config = msgspec.to_builtins(desk.session.config)
    desk.rewrite(config={**config, "risk_limits": {**config["risk_limits"], "max_order_notional": 1.0}})


def failing(desk: Desk) -> None:
    """Run a session that fails: its strategy has a bug."""
    from peaktrade_core.desk.demo import Fragile, fragile
    from peaktrade_core.trading.strategies import register, scratch_registry

    with scratch_registry():
        register("breaks", Fragile, slots=lambda _: 1, warmup=lambda _: 0, tier="core")(fragile)
        desk.run(strategy="breaks", steps=1000, seed=3)


def failed_id(desk: Desk) -> str:
    return next(row.run_id for row in Views.of(desk.fresh).rows() if row.status == "failed")


def rows(desk: Desk) -> list[Any]:
    return Views.of(desk.fresh).rows()


def signs(find: Callable[[Desk], list[Any]]) -> Ask:
    return lambda desk: check("found", "None?", not find(desk), f"{len(find(desk))}", "mend it", otherwise="warn")


def live_record(desk: Desk) -> None:
    entry = Registry.of(desk.place).find(desk.session.session_id)
    assert entry is not None
    told = {**json.loads(entry.path.read_text()), "mode": "live", "session_id": "live_1", "run_id": "live_1"}
    (entry.path.parent / "20260101T000000_live_session_live_1.json").write_text(json.dumps(told))


def broken_chain(desk: Desk) -> None:
    path = desk.place.reports / "ledger.jsonl"
    path.write_bytes(b"scribble\n" + path.read_bytes())


def verdict(desk: Desk) -> Check:
    found = audit_snapshot(desk.fresh).verdict
    return check("verdict", "Locked?", found == "LOCKED", found, "find out why")


def incident(desk: Desk) -> None:
    file = desk.place.home / "screen.txt"
    file.write_text("what was on the screen")
    IncidentBook.of(desk.place).open(
        "other", "Odd", subject="x", severity="low", by="Ada", role="operator", artefacts=[file]
    )


def secured(desk: Desk) -> Check:
    book = IncidentBook.of(desk.fresh)
    found = book.load(book.ids()[0])
    return one_of(response_checks(found, unsecured(book.path(found.incident_id).parent, found.artefacts)), "artefacts")


def gates(*, at: bool) -> Check:
    now = Workspace().clock.now() if at else None
    return commits(
        [GateResult(gate=one.name, question="?", status="pass", text="", at=now, commit="abc") for one in GATES]
    )


def seen(seconds: float) -> Check:
    return in_time(SeenDashboard(answers={"/": PageReply(200, "page", seconds)}))


def failure(desk: Desk) -> Check:
    return one_of(walk_failure_checks(open_session(desk.fresh, failed_id(desk))), "runbook_named")


class Case(NamedTuple):
    """A question: who makes its answer good, how it is asked, and what makes it false."""

    name: str
    ask: Ask
    spoil: Spoil
    first: Spoil = lambda _: None
    then: str = "warn"


def _with(name: str, **kept: Any) -> Spoil:
    return lambda desk: leave(desk, name, **kept)


CASES = (
    Case("a health check that ended failed is no health check", duty("health_check"), _with("health_check", well=False),
         _with("health_check"), "fail"),
    Case("the health check stands in the operations log", lambda d: health_noted(d.fresh),
         lambda d: d.place.operations_log.unlink(), _with("health_check")),
    Case("a failed session is documented when a person says so", lambda d: documented(d.fresh),
         lambda d: (shutil.rmtree(d.place.reports / "evidence"),
                    leave(d, "post_session_check", failed_id(d), well=False, noted="no")),
         lambda d: (failing(d), leave(d, "post_session_check", failed_id(d), well=False, noted="yes"))),
    Case("a note about it documents it too", lambda d: documented(d.fresh), lambda d: d.place.operations_log.unlink(),
         lambda d: (failing(d), note(d.place, "its strategy divides by zero", "Ada", failed_id(d)))),
    Case("a channel that was refused reaches no one", lambda d: contacts(d.fresh), channel_refused, channel, "fail"),
    Case("a channel that was silent for months is not known to work", lambda d: contacts(d.fresh),
         channel_silent_for_months, channel, "fail"),
    Case("a contact that is not named cannot be called", lambda d: contacts_named(d.fresh),
         lambda d: d.config("owner = ", "somewhere = "),
         lambda d: d.config("[contacts]", '[contacts]\nowner = "Ada"\n"risk officer" = "Ben"\n#'), "fail"),
    Case("a session that was killed did not shut down in good order",
         lambda d: journals(StoppedRuns(d.fresh, (d.session.session_id,))), killed),
    Case("nor did one that failed", lambda d: journals(StoppedRuns(d.fresh, (d.session.session_id,))), failed_by_itself),
    Case("an order above the limit was not held to it",
         lambda d: one_of(expected_checks(open_session(d.fresh, d.session.session_id)), "limits"), smaller_limit,
         then="fail"),
    Case("a strategy that never trades was not tested by its backtest", lambda d: _backtested("rsi_reversion")(d.fresh),
         lambda d: d.config("lower = 30.0", "lower = 0.001")),
    Case("a failed session is treated by an incident runbook", signs(lambda d: _untreated(d.fresh, rows(d))),
         lambda d: (shutil.rmtree(d.place.reports / "evidence"), leave(d, "session_run", failed_id(d))),
         lambda d: (failing(d), leave(d, "incident_failed_session", failed_id(d)))),
    Case("what failed is mended when the same completes", signs(lambda d: _unproven(rows(d))), failing),
    Case("a command line that this version does not take repeats nothing",
         lambda d: can_be_repeated(Views.of(d.fresh).record(d.session.session_id)),
         lambda d: d.rewrite(cli_args=["peaktrade", "session", "run", "--no-such-option", "1"])),
    Case("a record that says it was live", verdict, live_record, then="fail"),
    Case("a chain that was changed", verdict, broken_chain, then="fail"),
    Case("a failed layer that is not written down", lambda d: one_of(status_answers(control_center(d.fresh)), "noted"),
         lambda d: TradingStates.of(d.place).set(GLOBAL, "HALTED", by="ada", reason="x", now=d.place.clock.now())),
    Case("a copy that is gone", secured,
         lambda d: shutil.rmtree(next((d.place.reports / "incidents").glob("INC-*/artefacts"))), incident),
    Case("a run that began before the restart", lambda d: lives(Restarted(d.fresh, rows(d)[0])),
         lambda d: accept(d.place, "Ada", "EV-1"), then="fail"),
    Case("a run under other limits than the configured ones", lambda d: limits(Restarted(d.fresh, rows(d)[0])),
         lambda d: d.config("max_daily_loss_abs = 500.0", "max_daily_loss_abs = 400.0"), then="fail"),
    Case("an error whose next step names no runbook", failure,
         lambda d: d.patch.setattr(
             "peaktrade_core.dashboard.watching.walkthrough_checks.next_step", lambda _: "mend it."), failing, "fail"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_changes_with_the_thing(case: Case, desk: Desk) -> None:
    case.first(desk)
    good = case.ask(desk)
    assert good.status == "pass", good.told
    case.spoil(desk)
    bad = case.ask(desk)
    assert bad.status == case.then, bad.told
    assert bad.next_step


def test_answers_about_things_without_a_workspace() -> None:
    assert [seen(0.1).status, seen(60.0).status] == ["pass", "warn"]
    assert [gates(at=at).status for at in (True, False)] == ["pass", "unknown"]


def test_a_deviation_is_written_down_when_a_note_names_it(desk: Desk) -> None:
    TradingStates.of(desk.place).set(GLOBAL, "HALTED", by="ada", reason="x", now=desk.place.clock.now())
    note(desk.place, "something is halted", "Ada")
    assert one_of(status_answers(control_center(desk.fresh)), "noted").status == "warn"  # names no layer
    note(desk.place, "L4 is halted: a trial, it ends at noon", "Ada")
    assert one_of(status_answers(control_center(desk.fresh)), "noted").status == "pass"


def test_evidence_of_a_look_before_a_session_counts_only_when_it_ended_well(workspace: Workspace, run_shadow) -> None:
    desk = Desk(workspace, run_shadow, None, None)  # type: ignore[arg-type]
    leave(desk, "pre_session_check", well=False)
    run_shadow(seed=1, steps=20)
    assert duty("pre_session_check")(desk).status == "fail"
