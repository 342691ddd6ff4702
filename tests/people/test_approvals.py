"""Two people's real signatures, and everything that looks like one and is none."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.base.errors import ApprovalError, ArtefactError, ConfigError, EnvironmentFault, WaitsForApproval
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN
from peaktrade_core.people import signing
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.book import entry_of
from peaktrade_core.people.questions import signatures
from peaktrade_core.people.request import SIGNED
from peaktrade_core.people.roster import read_people
from peaktrade_core.workspace.ledger import REQUESTS, Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.cli.surface import ran

HASH, OTHER = "a" * 64, "b" * 64


def ask(approvals: Approvals, kind: str = "live", binds: str = HASH) -> str:
    return approvals.ask(kind, "all of it", binds, by="Ada", reason="it is time").id


def forged(approvals: Approvals, request: str, **data: object) -> None:
    """Enter a signature behind the suite's back, as somebody with write access could."""
    approvals._requests.append((SIGNED, {"id": request, **data}), at=approvals._clock.now())


def test_two_people_sign_and_it_is_good_for_once(approvals, team, key_of) -> None:
    name = ask(approvals)
    first, person = approvals.sign(name, key_of("Cleo").path)
    assert (person.name, first.state, first.lacks) == ("Cleo", "waits", "owner")
    with pytest.raises(WaitsForApproval, match="waits for the signature of owner"):
        approvals.use(name, "live", HASH, by="Ada")
    assert approvals.sign(name, key_of("Ada").path)[0].state == "approved"
    made = approvals.use(name, "live", HASH, by="Ada")
    assert (made.people, made.verified) == (("Cleo", "Ada"), True)
    assert made.told == f"Cleo and Ada (signed, {name})"
    with pytest.raises(ApprovalError, match="was used by Ada; an approval is good for once"):
        approvals.use(name, "live", HASH, by="Ada")
    assert signatures(team).status == PASS
    assert "2 signatures" in signatures(team).evidence


def test_the_newest_can_be_read_and_who_signs_names_what_is_signed(approvals, team, key_of) -> None:
    ask(approvals)
    newest = ask(approvals, binds=OTHER)
    shown = ran(["requests", "show", "latest", "--home", str(team.home)])
    assert (shown.code, newest in shown.out) == (0, True)
    signed = ran(["approve", "latest", "--key", str(key_of("Cleo").path), "--home", str(team.home)])
    assert (signed.code, "unknown request 'latest'" in signed.err) == (2, True)


def test_what_git_uses_verifies_it_too(approvals, key_of, tmp_path: Path) -> None:
    name = ask(approvals)
    found, _ = approvals.sign(name, key_of("Ada").path)
    (tmp_path / "allowed").write_text(f"ada {key_of('Ada').public}\n")
    (tmp_path / "sig").write_text(found.signatures[0].signature)
    which = ["-f", tmp_path / "allowed", "-I", "ada", "-n", "peaktrade-approval", "-s", tmp_path / "sig"]
    done = subprocess.run(["ssh-keygen", "-Y", "verify", *which], input=found.asked.text.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "signers", "says"),
    [
        ("live", ("Ada", "Ada"), "Ada has signed REQ-.* already; another person must sign"),
        ("live", ("Cleo", "Dora"), "Dora is operator; live activation still needs the signature of owner"),
        (
            "limits",
            ("Cleo",),
            "Cleo is operator; change of a risk limit still needs the signature of risk officer and owner",
        ),
        ("limits", ("Ben", "Cleo"), "still needs the signature of owner"),
        ("drawdown", ("Cleo", "Dora"), "still needs the signature of risk officer or owner"),
        ("live", ("Eve",), "the key of .* is nobody's"),
    ],
)
def test_who_may_not_sign(approvals, team, key_of, kind, signers, says) -> None:
    name, *before = ask(approvals, kind), *signers[:-1]
    for signer in before:
        approvals.sign(name, key_of(signer).path)
    with pytest.raises((ApprovalError, ConfigError), match=says):
        approvals.sign(name, key_of(signers[-1]).path)
    assert approvals.find(name).state == "waits"
    assert signatures(team).status == PASS  # nothing was entered


def test_limits_take_risk_officer_and_owner_in_any_order(approvals, key_of) -> None:
    for order in (("Ada", "Ben"), ("Ben", "Ada")):
        name = ask(approvals, "limits")
        for signer in order:
            found, _ = approvals.sign(name, key_of(signer).path)
        assert found.state == "approved"


def test_one_person_in_two_roles_is_still_one(approvals, names, key_of) -> None:
    names(Ada="owner risk_officer operator", Ben="risk_officer")
    name = ask(approvals, "limits")
    assert approvals.sign(name, key_of("Ada").path)[0].state == "waits"
    with pytest.raises(ApprovalError, match="has signed"):
        approvals.sign(name, key_of("Ada").path)
    assert approvals.sign(name, key_of("Ben").path)[0].state == "approved"


def test_an_expired_request_is_neither_signed_nor_used(approvals, clock, key_of) -> None:
    late, ready = ask(approvals), ask(approvals, binds=OTHER)
    for signer in ("Ada", "Ben"):
        approvals.sign(ready, key_of(signer).path)
    clock.later(hours=9)
    with pytest.raises(ApprovalError, match="expired at 2026-01-05 16:00 UTC; ask again"):
        approvals.sign(late, key_of("Ada").path)
    with pytest.raises(ApprovalError, match="expired"):
        approvals.use(ready, "live", OTHER, by="Ada")


def test_a_signature_of_another_request_is_none(approvals, team, key_of) -> None:
    first, second = ask(approvals), ask(approvals, binds=OTHER)
    signed, _ = approvals.sign(first, key_of("Ada").path)
    approvals.sign(second, key_of("Cleo").path)
    one = signed.signatures[0]
    forged(approvals, second, by="Ada", key=one.key, signature=one.signature, roles=one.roles)
    found = approvals.find(second)
    assert found.state == "waits"
    assert f"no signature of Ada under {second}" in found.signatures[1].fault
    with pytest.raises(WaitsForApproval, match="Not counted: it is no signature of Ada"):
        approvals.use(second, "live", OTHER, by="Ada")
    told = signatures(team)
    assert (told.status, "made for another request" in told.evidence) == (FAIL, True)


def test_an_approval_is_for_exactly_what_was_signed(approvals, key_of) -> None:
    name = ask(approvals)
    for signer in ("Ada", "Ben"):
        approvals.sign(name, key_of(signer).path)
    for kind, binds in (("live", OTHER), ("limits", HASH)):
        with pytest.raises(ApprovalError, match="is for something else"):
            approvals.use(name, kind, binds, by="Ada")


def test_forged_signatures_do_not_count(approvals, team, key_of) -> None:
    name = ask(approvals)
    eve = signing.sign(approvals.find(name).asked.text, key_of("Eve").path)
    typed = {"by": "Ada", "roles": ["owner"]}
    forged(approvals, name, **typed)
    forged(approvals, name, **typed, key=" ".join(key_of("Ada").public.split()[:2]), signature=eve)
    forged(approvals, name, **typed, key=" ".join(key_of("Eve").public.split()[:2]), signature=eve)
    forged(approvals, name, **typed, key=" ".join(key_of("Ada").public.split()[:2]), signature="-----BEGIN")
    approvals.sign(name, key_of("Ben").path)
    found = approvals.find(name)
    assert (found.state, found.signers) == ("waits", ("Ben",))
    assert all(one.fault for one in found.signatures[:4])
    assert (signatures(team).status, "and 1 more" in signatures(team).evidence) == (FAIL, True)


def test_a_use_that_nobody_signed_is_found(approvals, team) -> None:
    name = ask(approvals)
    approvals._requests.append(("used", {"id": name, "by": "Eve"}), at=approvals._clock.now())
    approvals._requests.append(("used", {"id": "REQ-20260105-0", "by": "Eve"}), at=approvals._clock.now())
    told = signatures(team)
    assert told.status == FAIL
    assert f"{name} was used and not signed by owner and another person" in told.evidence
    assert "was never asked for" in told.evidence


def test_a_use_of_what_had_expired_or_was_used_is_found(approvals, team, clock, key_of) -> None:
    name = ask(approvals)
    for signer in ("Ada", "Ben"):
        approvals.sign(name, key_of(signer).path)
    approvals.use(name, "live", HASH, by="Ada")
    assert signatures(team).status == PASS
    clock.later(hours=9)
    approvals._requests.append(("used", {"id": name, "by": "Eve"}), at=approvals._clock.now())
    told = signatures(team)
    assert told.status == FAIL
    assert f"{name} was used after 2026-01-05 16:00:00 UTC, when it had expired" in told.evidence
    assert f"{name} was used a second time; an approval is good for once" in told.evidence


def test_a_key_that_was_replaced_by_hand_approves_nothing(approvals, team, names, key_of) -> None:
    name = ask(approvals)
    approvals.sign(name, key_of("Cleo").path)
    names(Ada=("owner", "Eve"), Ben="risk_officer", Cleo="operator", Dora="operator")
    with pytest.raises(ConfigError, match="nobody's"):
        approvals.sign(name, key_of("Eve").path)
    approvals.sign(name, key_of("Ada").path)  # the key that counts is the one that was entered
    for act in (lambda: approvals.use(name, "live", HASH, by="Ada"), lambda: ask(approvals)):
        with pytest.raises(ArtefactError, match=r"not as it was approved last \(the key of Ada changed\)"):
            act()


def test_a_list_of_people_says_whose_keys_count(approvals, team, names) -> None:
    line = ["people", "list", "--home", str(team.home)]
    ask(approvals)
    assert "keys that count" not in ran(line).err
    names(Ada=("owner", "Ada2"), Ben="risk_officer", Cleo="operator", Dora="operator")
    assert "the keys that count are those that were approved last" in ran(line).err
    assert "(the key of Ada changed)" in ran(line).err


@pytest.mark.parametrize("people", [{}, {"Ada": ("owner", ""), "Ben": ("risk_officer", "")}])
def test_without_the_file_nothing_is_typed_either(approvals, team, names, people) -> None:
    ask(approvals)
    names(**people)
    assert approvals.keyed()
    with pytest.raises(ArtefactError, match="not as it was approved last"):
        approvals.require("live", "all of it", OTHER, by="Ada", reason="it is time")
    (team.home / "config" / "people.toml").unlink()
    with pytest.raises(ArtefactError, match="Ada is gone"):
        approvals.require("live", "all of it", OTHER, by="Ada", reason="it is time")


def test_a_key_that_was_replaced_by_two_ends_what_the_old_one_signed(approvals, team, names, key_of, tmp_path) -> None:
    name, file = ask(approvals), tmp_path / "new.toml"
    approvals.sign(name, key_of("Ada").path)
    names(file, Ada=("owner", "Ada2"), Ben="risk_officer", Cleo="operator", Dora="operator")
    with pytest.raises(WaitsForApproval, match="the key of Ada changed") as waits:
        approvals.change_people(file, by="Ada", reason="a new machine")
    for signer in ("Ada", "Ben"):
        approvals.sign(waits.value.request, key_of(signer).path)
    approvals.change_people(file, by="Ada", reason="a new machine")
    assert (team.home / "config" / "people.toml").read_bytes() == file.read_bytes()
    found = approvals.find(name)
    assert (found.signers, "not Ada's (any more)" in found.signatures[0].fault) == ((), True)
    approvals.sign(name, key_of("Ben").path)
    assert approvals.sign(name, key_of("Ada2").path)[0].state == "approved"
    assert signatures(team).status == PASS  # each with the keys of its time: the old one is no fault of the ledger


def test_people_change_is_done_once_the_ledger_has_it(approvals, team, names, key_of, tmp_path) -> None:
    ask(approvals)
    file = tmp_path / "new.toml"
    names(file, Ada="owner", Ben="risk_officer")
    with pytest.raises(WaitsForApproval, match="Cleo is gone, Dora is gone") as waits:
        approvals.change_people(file, by="Ada", reason="they left")
    for signer in ("Ada", "Dora"):
        approvals.sign(waits.value.request, key_of(signer).path)
    old = (team.home / "config" / "people.toml").read_bytes()
    approvals.change_people(file, by="Ada", reason="they left")
    (team.home / "config" / "people.toml").write_bytes(old)  # as if it was killed between ledger and file
    roster, _ = approvals.change_people(file, by="Ada", reason="they left")
    assert [one.name for one in roster.people] == ["Ada", "Ben"]
    assert approvals.people.roster().digest == roster.digest


def test_whoever_writes_into_the_ledger_is_no_second_person(approvals, team, names, key_of, tmp_path) -> None:
    """Other people entered behind the suite's back, with the file to match, change nobody and are found."""
    name = ask(approvals)
    names(Ada=("owner", "Eve"), Ben=("risk_officer", "Eve2"))
    forged_people = entry_of(read_people(team.home / "config" / "people.toml"), "me")
    Ledger(team.home).append(forged_people, at=approvals._clock.now())
    with pytest.raises(ConfigError, match="nobody's"):
        approvals.sign(name, key_of("Eve").path)
    with pytest.raises(ArtefactError, match="not as it was approved last"):
        approvals.use(name, "live", HASH, by="Ada")
    told = signatures(team)
    assert (told.status, "nobody whose key counted signed that" in told.evidence) == (FAIL, True)
    assert approvals.sign(name, key_of("Ada").path)[1].name == "Ada"  # who counted before goes on
    (team.home / "config" / "people.toml").write_text("")
    with pytest.raises(ArtefactError, match="not as it was approved last"):
        ask(approvals)


def test_other_people_count_neither_by_a_refused_approval_nor_by_one_that_was_used(
    approvals, team, names, key_of, tmp_path
) -> None:
    """Both requests are signed by two and still in their time; whoever can write into the ledger entered their people again."""
    path, fewer, all_ = team.home / "config" / "people.toml", tmp_path / "fewer.toml", tmp_path / "all.toml"
    names(fewer, Ada="owner", Ben="risk_officer")
    all_.write_bytes(path.read_bytes())

    def asked(file: Path) -> str:
        with pytest.raises(WaitsForApproval) as waits:
            approvals.change_people(file, by="Ada", reason="they come and go")
        for signer in ("Ada", "Ben"):
            approvals.sign(waits.value.request, key_of(signer).path)
        return waits.value.request

    forgery = entry_of(read_people(fewer), "me")
    approvals.reject(asked(fewer), "not today", by="Cleo")
    Ledger(team.home).append(forgery, at=approvals._clock.now())
    assert approvals.people.roster().digest == read_people(all_).digest
    for file in (fewer, all_):
        asked(file)
        approvals.change_people(file, by="Ada", reason="they come and go")
    assert len(approvals.people.entered().people) == 4
    Ledger(team.home).append(forgery, at=approvals._clock.now())
    assert approvals.people.roster().digest == read_people(all_).digest
    told = signatures(team)
    assert (told.status, told.evidence.count("nobody whose key counted signed that")) == (FAIL, 2)


def test_saying_no_ends_it_with_or_without_a_key(approvals, team, key_of) -> None:
    for given in ({"by": "Cleo"}, {"key": key_of("Cleo").path}):
        name = ask(approvals)
        found = approvals.reject(name, "not today", **given)
        assert (found.state, found.rejected.by) == ("rejected", "Cleo")
        with pytest.raises(ApprovalError, match="refused by Cleo: not today"):
            approvals.sign(name, key_of("Ada").path)
        with pytest.raises(ApprovalError, match="refused by Cleo: not today"):
            approvals.use(name, "live", HASH, by="Ada")
    assert signatures(team).status == PASS


def test_without_ssh_keygen_it_is_said_in_words(approvals, team, key_of, monkeypatch) -> None:
    name = ask(approvals)
    approvals.sign(name, key_of("Ada").path)
    signing._verified.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentFault, match=r"ssh-keygen is not on this machine.* install the OpenSSH client"):
        approvals.sign(name, key_of("Ben").path)
    assert signatures(team).status == UNKNOWN


@pytest.mark.parametrize("damage", [b"", b"no key", b"\xff\xfe\x00"])
def test_a_key_that_is_none_is_refused(approvals, tmp_path, damage) -> None:
    name, path = ask(approvals), tmp_path / "key"
    path.write_bytes(damage)
    with pytest.raises(ConfigError, match="is not a private SSH key"):
        approvals.sign(name, path)
    with pytest.raises(ConfigError):
        approvals.sign(name, tmp_path / "missing")


def test_the_key_of_the_login_is_found(approvals, key_of, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    name = ask(approvals)
    with pytest.raises(ConfigError, match="no key of anybody is in"):
        approvals.sign(name)
    (tmp_path / ".ssh").mkdir()
    for ending in ("", ".pub"):
        (tmp_path / ".ssh" / f"id_ed25519{ending}").write_bytes(Path(f"{key_of('Ben').path}{ending}").read_bytes())
    (tmp_path / ".ssh" / "id_ed25519").chmod(0o600)
    assert approvals.sign(name)[1].name == "Ben"


def test_one_who_signs_while_another_does_changes_nothing_unseen(approvals, key_of, monkeypatch) -> None:
    name = ask(approvals)
    real = signing.sign

    def meanwhile(text: str, key: Path) -> str:
        monkeypatch.setattr(signing, "sign", real)
        approvals.reject(name, "stop", by="Dora")
        return real(text, key)

    monkeypatch.setattr(signing, "sign", meanwhile)
    with pytest.raises(ApprovalError, match="at the same moment: it is rejected now"):
        approvals.sign(name, key_of("Ada").path)
    assert approvals.find(name).signatures == ()


def test_text_and_record_cannot_disagree(approvals, key_of) -> None:
    """What is signed is made from the fields, so a field that was changed breaks every signature."""
    name = ask(approvals)
    approvals.sign(name, key_of("Ada").path)
    path = approvals._ledger.path
    path.write_text(path.read_text().replace("it is time", "it is tame", 1))
    with pytest.raises(ArtefactError, match="does not follow"):
        Ledger(path.parent.parent).section(REQUESTS).head()


def test_without_keys_it_is_the_one_who_asks_not_verified(workspace: Workspace, names: Callable[..., str]) -> None:
    names(Ada=("owner", ""))
    made = Approvals.of(workspace).require("live", "all of it", HASH, by="Ada", reason="it is time")
    assert (made.verified, made.told) == (False, "Ada (not verified)")
    assert not Ledger.of(workspace).path.exists()
    with pytest.raises(ConfigError, match="nothing can be signed; names are typed, and not verified"):
        Approvals.of(workspace).people.who(None)


def test_a_program_that_was_killed_is_no_answer(approvals, team, key_of, tmp_path, monkeypatch) -> None:
    name = ask(approvals)
    approvals.sign(name, key_of("Ada").path)
    signing._verified.cache_clear()
    (tmp_path / "ssh-keygen").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "ssh-keygen").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        with pytest.raises(EnvironmentFault, match="was ended by signal 9"):
            approvals.find(name)
    assert approvals.find(name).signers == ("Ada",)
