"""Changes: nothing becomes looser by one person or before it is approved, and what was edited past them is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import ApprovalError, ConfigError, EnvironmentFault, UnknownNameError, WaitsForApproval
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.change import Change
from peaktrade_core.changes.files import SettingsFiles
from peaktrade_core.control.changing.propose import propose
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.questions import signature_faults
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence
from peaktrade_core.workspace.ledger import CHANGES, Ledger
from peaktrade_core.workspace.workspace import Workspace

ORDER = "live_risk.max_order_notional"


@pytest.fixture
def evidence(workspace: Workspace) -> str:
    return add_evidence(EvidenceBook.of(workspace), "LIMITS", "tried by hand", by="Ada").evidence_id


@pytest.fixture
def asked(workspace: Workspace, evidence: str) -> Callable[..., Change]:
    def ask(*settings: str, by: str = "Ada", **more: Any) -> Change:
        return propose(workspace, settings, more.pop("files", ()), by=by, reason="why", evidence=[evidence], **more)

    return ask


@pytest.fixture
def changes(workspace: Workspace) -> Changes:
    """Return the changes of a workspace without keys, with a baseline."""
    found = Changes.of(workspace)
    found.adopt("Ada", "as it was set up")
    return found


@pytest.fixture
def signed(team: Workspace, key_of, again) -> Callable[..., None]:
    def sign(request: str, *people: str) -> None:
        for name in people or ("Ada", "Ben"):
            Approvals.of(team).sign(request, key_of(name).path)

    return sign


@pytest.fixture
def governed(team: Workspace, signed) -> Changes:
    """Return the changes of a workspace whose baseline two people have signed."""
    found = Changes.of(team)
    with pytest.raises(WaitsForApproval, match="risk officer and owner") as waits:
        found.adopt("Ada", "as it was set up")
    signed(waits.value.request)
    assert found.adopt("Ada", "as it was set up").startswith("Ada and Ben (signed, REQ-")
    return found


def config(workspace: Workspace) -> Path:
    return workspace.home / "config" / "config.toml"


def forge(workspace: Workspace, kind: str, **data: object) -> None:
    """Write into the ledger as who can write the file, past every rule."""
    ledger = Ledger(workspace.home)
    ledger.append((f"{CHANGES}/{kind}", data), at=workspace.clock.now())


# ---- a baseline -------------------------------------------------------------------------------------------------------


def test_without_a_baseline_nothing_is_compared_and_nothing_proposed(workspace: Workspace, asked) -> None:
    found = Changes.of(workspace).compared()
    assert (found.adopted, found.items) == (False, ())
    with pytest.raises(ConfigError, match="change adopt"):
        asked(f"{ORDER}=500")


def test_a_baseline_is_adopted_once(changes: Changes) -> None:
    assert changes.compared().told == "as approved: baseline, Ada (not verified)"
    with pytest.raises(ConfigError, match="as-it-is"):
        changes.adopt("Ben", "again")


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("?", "x"), ("Ada", " ")])
def test_who_and_why_are_needed(workspace: Workspace, by: str, reason: str) -> None:
    with pytest.raises(ConfigError):
        Changes.of(workspace).adopt(by, reason)


# ---- without keys -----------------------------------------------------------------------------------------------------


def test_tighter_comes_at_once_and_is_confirmed_by_another(changes: Changes, asked, workspace: Workspace) -> None:
    one = asked(f"{ORDER}=500")
    assert (one.proposal.ruling.direction, one.request) == ("tighter", None)
    done = changes.apply(one.id, "Ada")
    assert (done.state, "max_order_notional = 500 " in config(workspace).read_text()) == ("applied first", True)
    assert changes.compared().items == ()
    with pytest.raises(ApprovalError, match="another person"):
        changes.apply(one.id, "ada")
    assert changes.apply(one.id, "Ben").people == "Ada and Ben (not verified)"
    with pytest.raises(ConfigError, match="was applied and approved"):
        changes.apply(one.id, "Cleo")


def test_looser_is_never_one_persons(changes: Changes, asked, workspace: Workspace) -> None:
    one, before = asked(f"{ORDER}=5000"), config(workspace).read_bytes()
    with pytest.raises(ApprovalError, match="cannot do alone"):
        changes.apply(one.id, "Ada ")
    assert config(workspace).read_bytes() == before
    done = changes.apply(one.id, "Ben")
    assert (done.state, done.people) == ("applied", "Ada and Ben (not verified)")


def test_a_looser_limit_hides_behind_no_tighter_one(changes: Changes, asked) -> None:
    one = asked(f"{ORDER}=5000", "live_risk.max_open_positions=1")
    assert one.proposal.ruling.direction == "looser"
    with pytest.raises(ApprovalError):
        changes.apply(one.id, "Ada")


@pytest.mark.parametrize("cut", ["max_daily_loss_abs = 300.0\n", "[kill_switch]\nconfirm_within_s = 300.0\n"])
def test_a_key_that_is_taken_away_is_what_then_holds(workspace: Workspace, asked, tmp_path: Path, cut: str) -> None:
    path = config(workspace)
    text = path.read_text().replace("max_daily_loss_abs = 500.0 ", "max_daily_loss_abs = 300.0\n#")
    text = text.replace("[kill_switch]\nconfirm_within_s = 900.0 ", "[kill_switch]\nconfirm_within_s = 300.0\n#")
    path.write_text(text)
    Changes.of(workspace).adopt("Ada", "tight")
    (new := tmp_path / "config.toml").write_text(text.replace(cut, ""))
    one = asked(files=[str(new)])
    assert [(item.old, item.direction) for item in one.proposal.items] == [(300.0, "looser")]
    assert one.proposal.items[0].new in (500.0, 900.0)


def test_another_file_of_limits_is_compared_as_what_it_says(changes: Changes, asked, tmp_path: Path) -> None:
    (new := tmp_path / "config.toml").write_text("[live_risk]\nmax_order_notional = 900000.0\n")
    items = {item.key: item for item in asked(files=[str(new)]).proposal.items}
    assert items[ORDER].direction == "looser"
    assert items["instruments.BTC/EUR.tick"].new is None


def test_a_rule_that_is_disabled_is_looser(changes: Changes, asked) -> None:
    one = asked("alerts.rule.drawdown.enabled=false")
    assert [(item.key, item.old, item.direction) for item in one.proposal.items] == [
        ("alerts.rule.drawdown.enabled", None, "looser")
    ]
    with pytest.raises(ApprovalError, match="alone"):
        changes.apply(one.id, "Ada")


def test_a_rule_that_is_gone_is_looser(changes: Changes, asked, workspace: Workspace, tmp_path: Path) -> None:
    text = (workspace.home / "config" / "alerts.toml").read_text()
    at = text.index('[[rule]]\nid = "drawdown"')
    (new := tmp_path / "mine.toml").write_text(text[:at] + text[text.index("[[rule]]", at + 5) :])
    one = asked(files=[f"alerts.toml={new}"])
    assert {item.direction for item in one.proposal.items} == {"looser"}
    assert (one.proposal.ruling.authority, list(one.proposal.edits)) == ("alerts", ["alerts.toml"])


def test_what_changed_meanwhile_is_outdated(changes: Changes, asked, workspace: Workspace) -> None:
    first, second = asked(f"{ORDER}=500"), asked(f"{ORDER}=400")
    changes.apply(first.id, "Ada")
    with pytest.raises(ConfigError, match=r"outdated: config\.toml changed"):
        changes.apply(second.id, "Ada")
    third = asked(f"{ORDER}=300")
    config(workspace).write_text(config(workspace).read_text() + "# a word\n")
    with pytest.raises(ConfigError, match="outdated"):
        changes.apply(third.id, "Ada")


def test_edits_past_the_command_are_named_and_launder_nothing(changes: Changes, asked, workspace: Workspace) -> None:
    path = config(workspace)
    path.write_text(path.read_text().replace("max_open_positions = 5", "max_open_positions = 50"))
    found = changes.compared()
    assert [item.told for item in found.items] == ["live_risk.max_open_positions 5 → 50 (looser)"]
    one = asked(f"{ORDER}=500")  # who only wants this one tighter carries the edit along, and is told
    assert (len(one.proposal.items), one.proposal.ruling.direction) == (2, "looser")
    whole = asked(as_it_is=True)
    assert (whole.proposal.edits, changes.apply(whole.id, "Ben").state) == ({}, "applied")
    assert changes.compared().items == ()


def test_what_says_nothing_about_trading_is_not_governed(changes: Changes, asked, workspace: Workspace) -> None:
    path = config(workspace)
    text = path.read_text().replace('language = "en"', 'language = "de"')
    path.write_text(text.replace("[contacts] ", '[contacts]\nowner = "Ada, 1"\n#'))
    assert changes.compared().items == ()


def test_code_is_compared_too(changes: Changes, workspace: Workspace, evidence: str, monkeypatch) -> None:
    monkeypatch.setattr("peaktrade_core.changes.governed.trading_digest", lambda: "f" * 64)
    again = Changes(workspace)
    assert [item.key for item in again.compared().items] == ["code.decision"]
    with pytest.raises(ConfigError, match="--evidence"):
        propose(workspace, [], [], by="Ada", reason="new version", as_it_is=True)
    one = propose(workspace, [], [], by="Ada", reason="new", as_it_is=True, evidence=[evidence])
    assert one.proposal.ruling.authority == "code"


def test_a_change_that_was_refused_is_not_applied(changes: Changes, asked) -> None:
    one = asked(f"{ORDER}=500")
    assert changes.reject(one.id, "not now", by="Ben").refused == "Ben: not now"
    with pytest.raises(ApprovalError, match="was refused by Ben"):
        changes.apply(one.id, "Ada")
    with pytest.raises(ConfigError, match="needs a reason"):
        changes.reject(asked(f"{ORDER}=400").id, " ", by="Ben")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ([], "say what to change"),
        ([ORDER], "must be KEY=VALUE"),
        (["=5"], "must be KEY=VALUE"),
        (["live_risk.nonsense=5"], "has no 'nonsense'"),
        (["nothing.here=5"], "no .nothing. here"),
        ([f"{ORDER}=-5"], "must be a positive number"),
        ([f"{ORDER}=nan"], "must be"),
        ([f"{ORDER}=lots"], "must be"),
        ([f"{ORDER}=1000.0"], "nothing that is governed"),
        (["strategy.ma_crossover.fast=500"], "fast"),
        (["alerts.rule.drawdown.critical_pct=500"], "critical_pct"),
        (["alerts.rule.none.critical_pct=5"], "no rule"),
        (["schedule.jobs.audit_verify.cron=whenever"], "audit_verify"),
    ],
)
def test_what_is_not_sound_is_never_proposed(changes: Changes, asked, settings: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        asked(*settings)
    assert changes.all() == []


@pytest.mark.parametrize("data", [b"\xff\xfe", b"[live_risk", b"[live_risk]\nmax_order_notional = '\xe4'\n"])
def test_odd_files_are_said(changes: Changes, asked, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config.toml").write_bytes(data)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        asked(files=[str(tmp_path / "config.toml")])
    for name in (str(tmp_path / "none" / "config.toml"), str(tmp_path), "other.toml"):
        with pytest.raises(ConfigError):
            asked(files=[name])


def test_a_looser_limit_needs_a_sweep_or_evidence(changes: Changes, workspace: Workspace, run_shadow) -> None:
    def ask(*evidence: str) -> Change:
        return propose(workspace, [f"{ORDER}=2000"], [], by="Ada", reason="more", evidence=evidence)

    with pytest.raises(ConfigError, match="risk sweep"):
        ask()
    with pytest.raises(ConfigError, match="neither evidence nor a sweep"):
        ask("EV-20260101-NONE")
    run_shadow(steps=200)
    assert ask().proposal.evidence[0].startswith("risk sweep over 30 days: 1 session in EUR: ")


def test_an_id_is_found_by_its_begin_and_others_are_not(changes: Changes, asked) -> None:
    one = asked(f"{ORDER}=500")
    assert changes.find(one.id[:-2]).id == one.id
    for name in ("", "CHG-none"):
        with pytest.raises(UnknownNameError):
            changes.find(name)


def test_a_full_disk_changes_nothing(changes: Changes, asked, workspace: Workspace, monkeypatch) -> None:
    one, before = asked(f"{ORDER}=500"), config(workspace).read_bytes()

    def full(path: Path, data: bytes, **_: object) -> None:
        raise EnvironmentFault("no space")

    with monkeypatch.context() as patch:
        patch.setattr("peaktrade_core.changes.files.write_atomic", full)
        with pytest.raises(EnvironmentFault):
            changes.apply(one.id, "Ada")
    assert (config(workspace).read_bytes(), changes.find(one.id).state) == (before, "waits")
    assert changes.apply(one.id, "Ada").state == "applied first"


# ---- with keys --------------------------------------------------------------------------------------------------------


def test_two_sign_and_then_it_is_applied(governed: Changes, asked, signed, team: Workspace, key_of) -> None:
    one = asked(f"{ORDER}=5000")
    assert (one.state, one.request is not None, ORDER in one.request.asked.text) == ("waits", True, True)
    with pytest.raises(WaitsForApproval):
        governed.apply(one.id, "Ada")
    governed.approve(one.id, key_of("Ada").path)
    with pytest.raises(WaitsForApproval, match="risk officer"):
        governed.apply(one.id, "Ben")
    signed(one.request.id, "Ben")
    done = governed.apply(one.id, "Cleo")
    assert (done.state, done.people) == ("applied", f"Ada and Ben (signed, {one.request.id})")
    assert governed.compared().told == f"as approved: {one.id}, Ada and Ben (signed, {one.request.id})"
    assert signature_faults(Ledger(team.home)) == []


def test_who_may_not_decide_is_refused(governed: Changes, asked, key_of) -> None:
    one = asked(f"{ORDER}=5000")
    for name in ("Cleo", "Eve"):
        with pytest.raises((ApprovalError, ConfigError)):
            governed.approve(one.id, key_of(name).path)
    governed.approve(one.id, key_of("Ada").path)
    with pytest.raises(ApprovalError, match="has signed"):
        governed.approve(one.id, key_of("Ada").path)


def test_tighter_first_must_be_signed_within_a_day(governed: Changes, asked, signed, clock, key_of) -> None:
    one = asked(f"{ORDER}=500")
    assert governed.apply(one.id, "Cleo").state == "applied first"
    clock.later(hours=25)
    assert governed.find(one.id).state == "overdue"
    governed.approve(one.id, key_of("Ada").path)  # the request has expired: it is asked for anew
    done, _ = governed.approve(one.id, key_of("Ben").path)
    assert (done.state, "Ada and Ben (signed" in done.people) == ("applied", True)


def test_approve_is_the_same_act_wherever_it_is_done(governed: Changes, asked, signed) -> None:
    one = asked(f"{ORDER}=500")
    governed.apply(one.id, "Cleo")
    signed(one.request.id)
    assert governed.find(one.id).state == "applied"


def test_what_was_applied_first_can_be_refused(governed: Changes, asked, key_of) -> None:
    one = asked(f"{ORDER}=500")
    governed.apply(one.id, "Cleo")
    found = governed.reject(one.id, "too tight", key=key_of("Ben").path)
    assert (found.state, found.refused) == ("rejected", "Ben: too tight")
    assert governed.compared().items == ()


def test_a_request_that_was_refused_ends_the_change(governed: Changes, asked, team: Workspace) -> None:
    one = asked(f"{ORDER}=5000")
    Approvals.of(team).reject(one.request.id, "no", by="Ben")
    with pytest.raises(ApprovalError, match="was refused by Ben"):
        governed.apply(one.id, "Ada")


def test_signatures_are_for_exactly_this_change(governed: Changes, asked, signed, team: Workspace) -> None:
    one = asked("live_risk.max_open_positions=6")
    signed(one.request.id)
    other = asked(f"{ORDER}=90000")
    for kind in ("applied", "confirmed"):
        forge(team, kind, id=other.id, by="Ada", request=one.request.id)
    found = governed.compared()
    assert (found.items, len(found.faults)) == ((), 2)
    assert "did not agree" in found.faults[0]


def test_what_was_entered_without_signatures_does_not_count(governed: Changes, asked, team: Workspace, again) -> None:
    one = asked(f"{ORDER}=5000")
    path = config(team)
    path.write_text(path.read_text().replace("max_order_notional = 1000.0", "max_order_notional = 5000.0"))
    forge(team, "applied", id=one.id, by="Ben")
    forge(team, "adopted", values={}, by="Ben", reason="mine")
    forge(team, "applied", id="CHG-20260101-NONE", by="Ben")
    found = again().compared()
    assert [item.key for item in found.items] == [ORDER]
    assert len(found.faults) == 3


def test_a_proposal_that_lies_about_its_direction_is_none(governed: Changes, team: Workspace, asked, again) -> None:
    link = next(link for link, _ in Ledger(team.home).of_section(CHANGES) if link.kind == "adopted")
    lie = {"key": ORDER, "old": link.data["values"][ORDER], "new": 90000.0, "direction": "tighter"}
    forge(team, "proposed", id="CHG-20260105-FORGED", by="Ada", reason="x", items=[lie], edits={}, evidence=[])
    forge(team, "applied", id="CHG-20260105-FORGED", by="Ada")
    found = again().compared()
    assert ["does not say what it changes" in found.faults[0], "never proposed" in found.faults[1]] == [True, True]


def test_people_toml_that_was_removed_lets_nothing_through(governed: Changes, asked, team: Workspace, again) -> None:
    one = asked(f"{ORDER}=5000")
    (team.home / "config" / "people.toml").unlink()
    with pytest.raises(Exception, match="not as it was approved last"):
        again().apply(one.id, "Eve")


# ---- the commands -----------------------------------------------------------------------------------------------------


def test_the_commands_from_a_proposal_to_a_change(home: Path, workspace: Workspace, names, key_of, peaktrade) -> None:
    names(Ada="owner", Ben="risk_officer")
    said = peaktrade("change", "adopt", "--by", "Ada", "--reason", "set up")
    assert said.code == 9
    for name in ("Ada", "Ben"):
        waits = json.loads(peaktrade("requests", "list", "--json").stdout)[0]["id"]
        assert peaktrade("approve", waits, "--key", str(key_of(name).path)).code == 0
    assert peaktrade("change", "adopt", "--by", "Ada", "--reason", "set up").code == 0
    made = json.loads(
        peaktrade("change", "propose", f"{ORDER}=500", "--by", "Ada", "--reason", "calm", "--json").stdout
    )
    assert (made["direction"], made["items"][0]["new"], made["needed"]) == ("tighter", 500, "risk officer and owner")
    assert "0 →" not in peaktrade("change", "show", made["id"]).stdout
    assert made["id"] in peaktrade("change", "list").stdout
    for name in ("Ada", "Ben"):
        assert peaktrade("change", "approve", made["id"], "--key", str(key_of(name).path)).code == 0
    assert "It is in force" in peaktrade("change", "apply", made["id"], "--by", "Ada").stdout
    assert peaktrade("change", "verify").code == 0
    path = home / "config" / "config.toml"
    path.write_text(path.read_text().replace("max_order_notional = 500", "max_order_notional = 1000"))
    assert made["id"] in peaktrade("change", "verify").stdout  # it is entered, and not written
    path.write_text(path.read_text().replace("max_order_notional = 1000", "max_order_notional = 700"))
    other = peaktrade("change", "verify")
    assert (other.code, "700" in other.stdout, "--as-it-is" in other.stdout) == (1, True, True)


def test_a_file_that_its_owner_closed_stays_closed_and_a_link_stays_a_link(
    changes: Changes, asked, workspace: Workspace, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.toml"
    config(workspace).rename(kept)
    kept.chmod(0o600)
    config(workspace).symlink_to(kept)
    change = asked(f"{ORDER}=10")
    changes.apply(change.id, "Ben")
    assert config(workspace).is_symlink()
    assert b"max_order_notional = 10" in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert changes.compared().items == ()


@pytest.mark.parametrize("second", [f"{ORDER}=20", f" {ORDER} =20"])
def test_a_key_is_given_once(changes: Changes, asked, second: str) -> None:
    with pytest.raises(ConfigError, match="is given twice"):
        asked(f"{ORDER}=10", second)


def test_of_two_baselines_at_the_same_moment_one_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = Changes.of(workspace), Changes.of(Workspace(workspace.home))
    real = SettingsFiles.values

    def meanwhile(files: SettingsFiles) -> Any:
        found = real(files)
        monkeypatch.setattr(SettingsFiles, "values", real)
        other.adopt("Ben", "at the same moment")
        return found

    monkeypatch.setattr(SettingsFiles, "values", meanwhile)
    with pytest.raises(ConfigError, match="a baseline was adopted before"):
        mine.adopt("Ada", "as it was set up")
    assert mine.compared().faults == ()
