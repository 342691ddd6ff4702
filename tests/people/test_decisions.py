"""What two people decide: with keys it takes their signatures, everywhere; without, it works and says not verified."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from peaktrade_core.base.chain import BEGINNING
from peaktrade_core.base.errors import ApprovalError, ArtefactError, ConfigError, WaitsForApproval
from peaktrade_core.base.question import FAIL, PASS
from peaktrade_core.desk.kill_switch import KillSwitchRunbook
from peaktrade_core.desk.live_stage import two_people
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.questions import signatures
from peaktrade_core.research.trials.holdout import OPENED, SET, HoldOut
from peaktrade_core.runbooks import runbook as rb
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence, countersign, countersignatures
from peaktrade_core.runbooks.form import AnswerForm, Waiting
from peaktrade_core.workspace.workspace import Workspace

SCOPE = Scope.parse("shadow.ma-crossover.BTC-EUR")
DRAWDOWN = "MAX_DRAWDOWN_HALT value=10.2 limit=10"


@pytest.fixture
def signed(key_of) -> Callable[..., None]:
    """Return a function with which people sign a request, each with the own key."""

    def sign(workspace: Workspace, request: str, *people: str) -> None:
        for one in people:
            Approvals.of(workspace).sign(request, key_of(one).path)

    return sign


@pytest.fixture
def keyed(workspace: Workspace, names) -> Workspace:
    names(Ada="owner", Ben="risk_officer", Cleo="operator")
    return workspace


def halt(workspace: Workspace, reason: str, by: str = "session shadow_1") -> TradingStates:
    states = TradingStates.of(workspace)
    states.set(SCOPE, "HALTED", by=by, reason=reason, now=workspace.clock.now())
    return states


def resume(workspace: Workspace) -> str:
    states = TradingStates.of(workspace)
    return states.set(SCOPE, "ACTIVE", by="Ada", reason="looked at it", now=workspace.clock.now()).by


def test_engaging_needs_nobody_whatever_becomes_of_people(keyed: Workspace) -> None:
    switch = KillSwitch.of(keyed)
    Approvals.of(keyed).ask("live", "x", BEGINNING, by="Ada", reason="now they are entered")
    (keyed.home / "config" / "people.toml").write_text("[[[")
    assert switch.engage("anybody", "odd fills").engaged
    halt(keyed, DRAWDOWN)
    for act in (lambda: switch.request_release("Ada", "mended"), lambda: resume(keyed)):
        with pytest.raises(ConfigError, match=r"people\.toml"):
            act()
    (keyed.home / "config" / "people.toml").unlink()
    assert switch.engage("anybody", "again").engaged
    for act in (lambda: switch.request_release("Ada", "mended"), lambda: resume(keyed)):
        with pytest.raises(ArtefactError, match="not as it was approved last"):
            act()


def test_an_engagement_makes_signatures_void(keyed: Workspace, signed) -> None:
    switch = KillSwitch.of(keyed)
    switch.engage("Ada", "odd fills")
    name = switch.request_release("Ada", "mended").request
    signed(keyed, name, "Ben", "Cleo")
    switch.engage("Cleo", "it is not")
    with pytest.raises(ConfigError, match="nobody has asked"):
        switch.release("Ada", "go", list)
    asked = switch.request_release("Ada", "now it is").request
    with pytest.raises(WaitsForApproval):
        switch.release("Ada", "go", list)
    with pytest.raises(ApprovalError, match="something else"):
        Approvals.of(keyed).use(name, "kill_switch", BEGINNING, by="Ada")
    signed(keyed, asked, "Ada", "Ben")
    assert switch.release("Ada", "go", list).by == f"Ada and Ben (signed, {asked})"


def test_what_was_asked_for_without_keys_is_not_confirmed_with_them(workspace: Workspace, names) -> None:
    switch = KillSwitch.of(workspace)
    switch.engage("Ada", "odd fills")
    switch.request_release("Ada", "mended")
    names(Ada="owner", Ben="risk_officer")
    with pytest.raises(ConfigError, match="people have keys now"):
        switch.release("Ben", "agreed", list)


def test_a_drawdown_is_resumed_by_two(keyed: Workspace, signed) -> None:
    halt(keyed, DRAWDOWN)
    halt(keyed, "another reason on top", by="Cleo")  # hides no drawdown
    with pytest.raises(WaitsForApproval, match="resume after a drawdown that halted") as waits:
        resume(keyed)
    assert TradingStates.of(keyed).read(SCOPE).state == "HALTED"
    signed(keyed, waits.value.request, "Cleo", "Ben")
    assert resume(keyed) == f"Cleo and Ben (signed, {waits.value.request})"
    entry = TradingStates.of(keyed).look().entries[-1]
    assert (entry.state, entry.request) == ("ACTIVE", waits.value.request)


def test_any_other_halt_is_resumed_by_one(keyed: Workspace) -> None:
    halt(keyed, "3 refusals by the venue")
    assert resume(keyed) == "Ada"


def test_without_keys_a_drawdown_is_resumed_not_verified(workspace: Workspace) -> None:
    halt(workspace, DRAWDOWN)
    assert resume(workspace) == "Ada (not verified)"


def held(workspace: Workspace) -> HoldOut:
    hold = HoldOut(workspace)
    told = {"symbol": "BTC/EUR", "timeframe": "1h", "since": "2026-01-01T00:00:00+00:00", "share": 0.2}
    hold.chain.append((SET, told), at=datetime(2026, 1, 5, 8, tzinfo=UTC))
    return hold


def look(hold: HoldOut, trial: str = "SWP-1#3") -> object:
    return hold.open(trial, "BTC/EUR", "1h", by="Ada", reason="the best one").openings[-1]


def test_the_hold_out_is_opened_by_two(keyed: Workspace, signed) -> None:
    hold = held(keyed)
    with pytest.raises(WaitsForApproval, match="opening of the hold-out: SWP-1#3 on BTC/EUR 1h") as waits:
        look(hold)
    assert not [link for link, _ in hold.chain.links() if link.kind == OPENED]
    signed(keyed, waits.value.request, "Cleo", "Ben")
    with pytest.raises(WaitsForApproval, match="SWP-1#4"):
        look(hold, "SWP-1#4")  # that one was not signed
    assert look(hold).request == waits.value.request
    assert hold.status()[0].openings[0].by == f"Cleo and Ben (signed, {waits.value.request})"
    with pytest.raises(WaitsForApproval, match="opened 1 times before"):
        look(hold)


def test_without_keys_the_hold_out_says_not_verified(workspace: Workspace) -> None:
    assert look(held(workspace)).by == "Ada (not verified)"


def test_go_waits_in_the_form_until_both_have_signed(keyed: Workspace, signed, monkeypatch) -> None:
    monkeypatch.setattr("peaktrade_core.runbooks.runbook.person_is_there", lambda: True)
    runbook = rb.begin("live_start", keyed, operator="Ada", role="owner")
    runbook.both()
    form = AnswerForm(runbook.round, runbook.round.record.step("both_present"), "", lambda step: step.answer.agreed)
    told: list[dict] = []
    monkeypatch.setattr(form, "send", told.append)

    def click() -> None:
        form._handle_custom_msg({"key": "yes", "reason": "", "second": "Eve"}, [])  # a typed name is not enough

    assert form.question["two"] is False  # and none is asked for
    click()
    name = told[-1]["waits"]
    assert "waits for the signature of owner and another person" in told[-1]["said"]
    signed(keyed, name, "Ada")
    click()
    assert (told[-1]["waits"], form.answered) == (name, "")
    signed(keyed, name, "Ben")
    click()
    assert form.answered == f"Ben (signed, {name})"
    assert [one.state for one in Approvals.of(keyed).all()] == ["used"]
    answer = runbook.round.record.step("both_present").answer
    assert (answer.by, answer.second, answer.request) == ("Ada", "Ben", name)


def test_live_counts_a_go_only_when_it_was_signed(keyed: Workspace, signed, monkeypatch) -> None:
    assert two_people(keyed).status == FAIL
    runbook = rb.begin("live_start", keyed, operator="Ada", role="owner")
    runbook.go()
    with pytest.raises(WaitsForApproval) as waits:
        runbook.round.answer("go_no_go", "go", "it is time")
    signed(keyed, waits.value.request, "Ada", "Cleo")
    runbook.round.answer("go_no_go", "go", "it is time")
    runbook.round.finish()
    told = two_people(keyed)
    assert (told.status, told.evidence) == (PASS, f"{runbook.round.id}: Ada with Cleo (signed, {waits.value.request})")


def test_the_kill_switch_notebook_goes_on_when_the_second_has_signed(keyed: Workspace, signed, monkeypatch) -> None:
    monkeypatch.setattr("peaktrade_core.runbooks.runbook.person_is_there", lambda: True)
    monkeypatch.setattr("peaktrade_core.desk.kill_switch.BEFORE_RELEASE", ())
    switch = KillSwitch.of(keyed)
    switch.engage("Ada", "odd fills")
    runbook: KillSwitchRunbook = rb.begin("kill_switch", keyed, operator="Ada", action="release", reason="mended")
    runbook.fit()
    runbook.cause()
    runbook.round.answer("cause", "yes", "the feed")
    waiting = runbook.use()
    assert isinstance(waiting, Waiting)
    name = switch.status().request
    assert f"`peaktrade approve {name}`" in waiting.waits
    for person in ("Cleo", "Ben"):
        waiting._handle_custom_msg({"look": True}, [])
        assert (waiting.answered, switch.status().engaged) == ("", True)
        signed(keyed, name, person)
    waiting._handle_custom_msg({"look": True}, [])
    assert f"Released by Cleo and Ben (signed, {name})" in waiting.answered
    assert not switch.status().engaged
    assert runbook.round.record.step("release").status == PASS


def test_the_waiting_notebook_ends_when_somebody_refuses(keyed: Workspace, monkeypatch) -> None:
    monkeypatch.setattr("peaktrade_core.runbooks.runbook.person_is_there", lambda: True)
    monkeypatch.setattr("peaktrade_core.desk.kill_switch.BEFORE_RELEASE", ())
    KillSwitch.of(keyed).engage("Ada", "odd fills")
    runbook = rb.begin("kill_switch", keyed, operator="Ada", action="release", reason="mended")
    runbook.fit()
    runbook.cause()
    runbook.round.answer("cause", "yes", "the feed")
    waiting = runbook.use()
    Approvals.of(keyed).reject(KillSwitch.of(keyed).status().request, "not yet", by="Ben")
    waiting._handle_custom_msg({"look": True}, [])
    assert "was refused by Ben: not yet" in waiting.answered
    assert KillSwitch.of(keyed).status().engaged


def test_signatures_expire_with_the_time_to_confirm(keyed: Workspace, signed, clock) -> None:
    keyed.clock = clock
    switch = KillSwitch.of(keyed)
    switch.engage("Ada", "odd fills")
    found = switch.request_release("Ada", "mended")
    assert found.confirm_until - clock.now() == timedelta(minutes=15)
    signed(keyed, found.request, "Ada", "Ben")
    clock.later(minutes=16)
    with pytest.raises(ConfigError, match="too long ago"):
        switch.release("Ada", "go", list)
    with pytest.raises(ApprovalError, match="expired"):
        Approvals.of(keyed).require_signed(found.request)


def test_a_countersignature_is_signed_and_verified(keyed: Workspace, key_of) -> None:
    book = EvidenceBook.of(keyed)
    made = add_evidence(book, "CI", "it holds", by="Ada").evidence_id
    for key, role, says in (
        ("Ada", "owner", "another person countersigns it"),
        ("Ben", "owner", "Ben is risk_officer in people.toml, not owner"),
        ("Eve", "operator", "nobody's"),
    ):
        with pytest.raises(ConfigError, match=says):
            countersign(book, made, by="Cleo", role=role, key=key_of(key).path)
    done = countersign(book, made, by="somebody else", role="risk_officer", note="read it", key=key_of("Ben").path)
    assert done.told == "Ben (risk_officer, signed)"
    (found,) = countersignatures(book, made)
    assert (found.told, signatures(keyed).status) == ("Ben (risk_officer, signed)", PASS)
    link = [link for link, _ in book.chain.links() if link.kind == "countersigned"][-1]
    book.chain.append(("countersigned", {**link.data, "note": "never read"}), at=link.at)
    book.chain.append(("countersigned", {**link.data, "by": "Cleo", "role": "operator"}), at=link.at)
    assert [one.verified for one in countersignatures(book, made)] == [True, False, False]
    told = signatures(keyed)
    assert (told.status, "Ben did not countersign" in told.evidence, "is not Cleo's" in told.evidence) == (
        FAIL,
        True,
        True,
    )


def test_without_keys_a_countersignature_is_not_verified(workspace: Workspace) -> None:
    book = EvidenceBook.of(workspace)
    made = add_evidence(book, "CI", "it holds", by="Ada").evidence_id
    assert countersign(book, made, by="Ben", role="operator").told == "Ben (operator, not verified)"
    with pytest.raises(ConfigError, match="is no name"):
        countersign(book, made, by="", role="operator")


def test_the_button_signs_with_the_key_of_this_login(keyed: Workspace, signed, key_of, monkeypatch) -> None:
    monkeypatch.setattr("peaktrade_core.runbooks.runbook.person_is_there", lambda: True)
    monkeypatch.setattr("peaktrade_core.desk.kill_switch.BEFORE_RELEASE", ())
    KillSwitch.of(keyed).engage("Ada", "odd fills")
    runbook: KillSwitchRunbook = rb.begin("kill_switch", keyed, operator="Ada", action="release", reason="mended")
    runbook.fit()
    runbook.cause()
    runbook.round.answer("cause", "yes", "the feed")
    waiting, told = runbook.use(), list[str]()
    assert isinstance(waiting, Waiting)
    monkeypatch.setattr(waiting, "send", lambda message: told.append(message["signed"]))
    name = KillSwitch.of(keyed).status().request
    monkeypatch.setattr("peaktrade_core.people.signing.own_keys", list)
    waiting._handle_custom_msg({"sign": ""}, [])
    assert told == ["✕ no key of anybody is in ~/.ssh of this login; name yours: --key FILE"]
    own = key_of("Ada").path.with_suffix(".pub")
    monkeypatch.setattr("peaktrade_core.people.signing.own_keys", lambda: [own])
    for _ in range(2):  # a second click is no second person
        waiting._handle_custom_msg({"sign": ""}, [])
    assert told[1] == f"✓ Ada signed {name}"
    assert "has signed" in told[2]
    assert (waiting.answered, KillSwitch.of(keyed).status().engaged) == ("", True)
    signed(keyed, name, "Ben")
    waiting._handle_custom_msg({"look": True}, [])
    assert f"Released by Ada and Ben (signed, {name})" in waiting.answered


def test_the_button_of_a_question_signs_it_too(keyed: Workspace, key_of, monkeypatch) -> None:
    from peaktrade_core.runbooks.form import signed as sign

    assert sign(None, "REQ-1").startswith("✕ nobody has a key")
    own = key_of("Ada").path.with_suffix(".pub")
    monkeypatch.setattr("peaktrade_core.people.signing.own_keys", lambda: [own])
    name = Approvals.of(keyed).ask("live", "x", "a" * 64, by="Ada", reason="x").id
    assert sign(Approvals.of(keyed), name) == f"✓ Ada signed {name}"
    assert sign(Approvals.of(keyed), "REQ-none").startswith("✕ unknown request")
