"""The seven gates: what is known is PASS or FAIL, everything else UNKNOWN, and nothing is ever made up."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from peaktrade_core.base.checkout import broken_links, sources_digest
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.control import gates
from peaktrade_core.control.gates import GATES, RESULTS, ReleaseGate, gate_results, run_gates
from peaktrade_core.workspace.workspace import Workspace

RUN = ("lint", "types", "tests", "notebooks", "browser")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small checkout of its own that the gates are asked about."""
    folder = tmp_path / "checkout"
    for name in ("peaktrade_core", "tests", "docs", "notebooks", "templates"):
        (folder / name).mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    (folder / "README.md").write_text("[docs](docs/one.md#a-heading)\n")
    (folder / "docs" / "one.md").write_text("# A heading\n")
    monkeypatch.setattr(gates, "share_dir", lambda: folder)
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gates run commands that take no time: lint passes, types fails."""
    commands = {"lint": (("compileall", "-q", "peaktrade_core"),), "types": (("this_module_does_not_exist",),)}
    quick = tuple(
        ReleaseGate(g.name, g.question, commands.get(g.name, g.commands and (("compileall", "-h"),))) for g in GATES
    )
    monkeypatch.setattr(gates, "GATES", quick)


def statuses(workspace: Workspace) -> dict[str, str]:
    return {result.gate: result.status for result in gate_results(workspace)}


def test_there_are_seven_and_those_never_run_are_unknown(workspace: Workspace, checkout: Path) -> None:
    found = statuses(workspace)
    assert len(found) == 7
    assert [found[name] for name in RUN] == ["unknown"] * 5
    assert (found["docs-reference-targets"], found["no-live"]) == ("pass", "pass")


def test_what_was_run_is_known_until_a_source_changes(workspace: Workspace, checkout: Path, quick: None) -> None:
    said: list[str] = []
    results = {result.gate: result for result in run_gates(workspace, ["lint", "types"], said.append)}
    assert said == ["lint: compileall -q peaktrade_core", "types: this_module_does_not_exist"]
    assert (results["lint"].status, results["types"].status) == ("pass", "fail")
    assert "gates run types" in results["types"].next_step
    assert statuses(workspace)["tests"] == "unknown"
    (checkout / "tests" / "test_new.py").write_text("assert False\n")
    assert (statuses(workspace)["lint"], statuses(workspace)["types"]) == ("unknown", "unknown")
    assert "sources have changed" in gate_results(workspace)[0].text


def test_a_failure_among_several_commands_fails_the_gate(
    workspace: Workspace, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = ("compileall", "-q", "docs"), ("this_module_does_not_exist",)
    for commands, expected in (((good, good), "pass"), ((bad, good), "fail"), ((good, bad), "fail")):
        monkeypatch.setattr(gates, "GATES", (ReleaseGate("lint", "?", commands),))
        assert run_gates(workspace, (), lambda _: None)[0].status == expected


def test_bytecode_is_no_source_and_everything_else_is(checkout: Path) -> None:
    before = sources_digest(checkout)
    (checkout / "tests" / "__pycache__").mkdir()
    (checkout / "tests" / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert sources_digest(checkout) == before
    (checkout / "docs" / "one.md").write_text("# A heading \n")
    assert sources_digest(checkout) != before


@pytest.mark.parametrize("content", [b"", b"scribble", b"[]", b'{"lint": {"status": 3}}'])
def test_results_that_cannot_be_read_tell_nothing(workspace: Workspace, checkout: Path, content: bytes) -> None:
    path = workspace.home / RESULTS
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert statuses(workspace)["lint"] == "unknown"


def test_a_link_that_leads_nowhere_fails_the_documents(workspace: Workspace, checkout: Path) -> None:
    page = checkout / "docs" / "one.md"
    page.write_text("# A heading\n[gone](two.md) [far](https://example.invalid/x) [no such](#none) `[code](x.md)`\n")
    assert broken_links(page) == ["two.md", "#none", "x.md"]
    found = next(result for result in gate_results(workspace) if result.gate == "docs-reference-targets")
    assert (found.status, "one.md: two.md" in found.text) == ("fail", True)


def test_links_by_reference_and_the_changelog_are_followed(workspace: Workspace, checkout: Path) -> None:
    page = checkout / "docs" / "one.md"
    page.write_text(
        "# A heading\n[here][Good  One] [good one][] [![i](img.png)][far] [lost][none] `rows[a][b]`\n\n"
        "[good one]: #a-heading\n[far]: https://example.invalid\n[gone]: <two.md>\n"
    )
    assert broken_links(page) == ["[none]", "img.png", "two.md"]
    page.write_text("# A heading\n")
    (checkout / "CHANGELOG.md").write_text("[more](docs/none.md)\n")
    found = next(result for result in gate_results(workspace) if result.gate == "docs-reference-targets")
    assert (found.status, "CHANGELOG.md: docs/none.md" in found.text) == ("fail", True)


def test_an_installed_package_knows_no_gate_of_the_sources(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "share_dir", lambda: tmp_path / "share")
    found = statuses(workspace)
    assert {found[name] for name in (*RUN, "docs-reference-targets")} == {"unknown"}
    with pytest.raises(ConfigError, match="no checkout"):
        run_gates(workspace)


def test_an_unknown_gate_is_refused_before_anything_runs(workspace: Workspace, checkout: Path) -> None:
    with pytest.raises(UnknownNameError, match="no-live"):
        run_gates(workspace, ["lint", "tsets"])
    assert not (workspace.home / RESULTS).exists()


def test_a_broken_configuration_unlocks_nothing(workspace: Workspace, checkout: Path) -> None:
    workspace.config_path.write_text("[session]\nsteps = -1\n")
    assert statuses(Workspace(workspace.home))["no-live"] == "pass"


def test_the_command_shows_them_as_a_table_and_as_json(peaktrade) -> None:
    ended = peaktrade("gates", "--json")
    told = json.loads(ended.stdout)
    assert [one["gate"] for one in told] == [gate.name for gate in GATES]
    assert ended.code == int(any(one["status"] == "fail" for one in told))
    assert "UNKNOWN" in peaktrade("gates").stdout
    assert peaktrade("gates", "run", "tsets").code == 2


def test_the_kept_results_are_plain_json(workspace: Workspace, checkout: Path, quick: None) -> None:
    run_gates(workspace, ["lint"], lambda _: None)
    kept = msgspec.json.decode((workspace.home / RESULTS).read_bytes())
    assert set(kept) == {"lint"}
    assert {"status", "at", "commit", "sources", "seconds", "run_id", "attempt", "change"} == set(kept["lint"])
