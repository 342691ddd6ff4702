"""people.toml: read strictly, wrong in words; the decision matrix; the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import FAIL, PASS, WARN
from peaktrade_core.people.matrix import AUTHORITIES, lacking, needed, seated
from peaktrade_core.people.questions import PEOPLE_CHECKS
from peaktrade_core.people.roster import PEOPLE, fingerprint, read_people
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]
GOOD = '[[person]]\nname = "Ada"\nroles = ["owner"]\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[person]\nname = 'Ada'", "person = .* must be a list"),
        ("[[people]]\nname = 'Ada'", "has no 'people'; it has: person"),
        ("[[person]]\nroles = ['owner']", "has no 'name', which must be there"),
        ("[[person]]\nname = 'Ada'", "has no 'roles', which must be there"),
        ("[[person]]\nname = 'Ada'\nroles = ['boss']", "must be one of: operator, risk_officer, owner"),
        ("[[person]]\nname = 'Ada'\nroles = []", "at least one"),
        ("[[person]]\nname = 'Ada'\nroles = ['owner', 'owner']", "each role once"),
        ("[[person]]\nname = ' '\nroles = ['owner']", "is no name"),
        ("[[person]]\nname = 5\nroles = ['owner']", "name = 5 must be a text"),
        (GOOD + "phone = '1'", "has no 'phone'; it has: name, roles, contact, keys"),
        (GOOD + "keys = ['ssh-ed25519']", "is cut off or was changed"),
        (GOOD + "keys = ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5']", "is cut off or was changed"),
        (GOOD + "keys = ['ssh-dss AAAA']", "is no public SSH key"),
        (GOOD + "keys = ['-----BEGIN OPENSSH PRIVATE KEY-----']", "this is a private one"),
        (GOOD + 'contact = "a\\nb"', "contact must be one line"),
        (GOOD + GOOD.replace("Ada", "ADA"), "'Ada' and 'ADA' may be the same person"),
        ("[[person]\n", "people.toml: "),
    ],
)
def test_what_is_wrong_is_said(home: Path, text: str, says: str) -> None:
    path = home / PEOPLE
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as told:
        read_people(path)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("data", [b"\xff\xfe[\x00", b"name = \xe4", b"\x00"])
def test_odd_bytes_are_said(home: Path, data: bytes) -> None:
    (home / PEOPLE).write_bytes(data)
    with pytest.raises(ConfigError, match=r"people\.toml"):
        read_people(home / PEOPLE)


def test_two_people_with_one_key_are_refused(home: Path, names) -> None:
    names(Ada="owner", Ben=("operator", "Ada"))
    with pytest.raises(ConfigError, match="have the same key"):
        read_people(home / PEOPLE)


def test_the_shipped_file_names_nobody_and_its_example_is_sound(home: Path) -> None:
    shipped = (REPO / PEOPLE).read_text()
    assert read_people(REPO / PEOPLE).people == ()
    example = "\n".join(
        line[2:] for line in shipped.splitlines() if line.startswith(("# [[", "# name", "# roles", "# contact"))
    )
    (home / PEOPLE).write_text(example)
    assert [one.roles for one in read_people(home / PEOPLE).people] == [("owner",), ("risk_officer", "operator")]


@pytest.mark.parametrize(
    ("kind", "roles", "left"),
    [
        ("limits", [], "risk officer and owner"),
        ("limits", [("owner",)], "risk officer"),
        ("limits", [("owner",), ("risk_officer",)], ""),
        ("limits", [("owner", "risk_officer")], "owner"),
        ("limits", [("owner", "risk_officer"), ("owner",)], ""),
        ("live", [("operator",), ("owner",)], ""),
        ("live", [("operator",), ("risk_officer",)], "owner"),
        ("kill_switch", [("operator",)], "another person"),
        ("kill_switch", [("operator",), ("operator",)], ""),
    ],
)
def test_the_matrix_says_who_must_still_sign(kind, roles, left) -> None:
    assert lacking(AUTHORITIES[kind], roles) == left
    assert (seated(AUTHORITIES[kind], roles) == len(AUTHORITIES[kind].seats)) is (not left)


def test_no_decision_of_two_is_ever_one_persons() -> None:
    every = ("operator", "risk_officer", "owner")
    for one in AUTHORITIES.values():
        if one.second:
            assert lacking(one, [every])
            assert not lacking(one, [every, every])
            assert one.within_s > 0.0
            assert needed(one)


def test_the_check_says_what_cannot_be_decided(workspace: Workspace, names) -> None:
    def statuses() -> list[str]:
        return [one.status for one in Workspace(workspace.home).ask(PEOPLE_CHECKS)]

    assert statuses() == [WARN, WARN, PASS]
    names(Ada=("owner", ""), Ben=("risk_officer", ""))
    assert statuses() == [PASS, WARN, PASS]
    names(Ada="owner", Ben="operator")
    told = workspace.ask(PEOPLE_CHECKS)[1]
    assert (told.status, "change of a risk limit" in told.evidence) == (FAIL, True)
    names(Ada="owner", Ben="risk_officer")
    assert statuses() == [PASS, WARN, PASS]  # when one key is lost nothing can be approved
    names(Ada="owner", Ben="risk_officer", Cleo="operator")
    assert statuses() == [PASS, PASS, PASS]


def test_the_commands_go_from_a_request_to_a_release(home: Path, names, key_of, peaktrade) -> None:
    names(Ada="owner", Ben="risk_officer", Cleo="operator")
    assert "SHA256:" in peaktrade("people", "list").stdout
    assert fingerprint(key_of("Ada").public) in peaktrade("people", "list", "--json").stdout
    assert peaktrade("people", "check").code == 0
    assert peaktrade("killswitch", "engage", "--by", "Ada", "--reason", "odd fills").code == 0
    release = ("killswitch", "release", "--by", "Ada", "--reason", "mended")
    asked = peaktrade(*release, "--json")
    name = json.loads(asked.stdout)["request"]
    assert name.startswith("REQ-")
    typed = peaktrade("killswitch", "release", "--by", "Ben", "--reason", "agreed")
    assert (typed.code, f"{name} (release of the kill switch" in typed.stderr) == (9, True)
    assert "odd fills" in peaktrade("requests", "show", name).stdout
    assert name in peaktrade("requests", "list").stdout
    assert f"peaktrade approve {name}" in peaktrade("todo", "--json").stdout
    for person, left in (("Ben", "another person"), ("Cleo", "")):
        signed = json.loads(peaktrade("approve", name, "--key", str(key_of(person).path), "--json").stdout)
        assert signed["lacks"] == left
    assert peaktrade("approve", name, "--key", str(key_of("Ada").path)).code == 9  # nobody is needed any more
    released = json.loads(peaktrade(*release, "--json").stdout)
    assert (released["state"], released["by"]) == ("ACTIVE", f"Ben and Cleo (signed, {name})")
    assert "Nothing waits" in peaktrade("requests", "list").stdout
    assert name in peaktrade("requests", "list", "--all").stdout
    verified = peaktrade("audit", "verify", "--json")
    assert "2 signatures, each verified" in verified.stdout
    assert verified.code == 0


def test_a_refusal_holds(home: Path, names, key_of, peaktrade) -> None:
    names(Ada="owner", Ben="risk_officer")
    peaktrade("killswitch", "engage", "--by", "Ada", "--reason", "odd fills")
    name = json.loads(peaktrade("killswitch", "release", "--by", "A", "--reason", "mended", "--json").stdout)["request"]
    said = peaktrade("reject", name, "--by", "Ben", "--reason", "not understood yet")
    assert (said.code, "is refused by Ben: not understood yet" in said.stdout) == (0, True)
    assert peaktrade("killswitch", "status").code == 1


def test_what_was_refused_is_not_in_the_way_of_asking_anew(home: Path, names, key_of, peaktrade) -> None:
    names(Ada="owner", Ben="risk_officer")
    release = ("killswitch", "release", "--by", "Ada", "--reason", "mended", "--json")
    peaktrade("killswitch", "engage", "--by", "Ada", "--reason", "odd fills")
    first = json.loads(peaktrade(*release).stdout)["request"]
    peaktrade("reject", first, "--by", "Ben", "--reason", "not understood yet")
    second = json.loads(peaktrade(*release).stdout)["request"]
    assert second not in ("", first)
    for name in ("Ada", "Ben"):
        peaktrade("approve", second, "--key", str(key_of(name).path))
    assert peaktrade(*release).code == 0
    assert peaktrade("killswitch", "status").code == 0
