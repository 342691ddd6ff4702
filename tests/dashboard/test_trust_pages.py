"""The page of the ledger and the one of a request: what they show is what the ledger says, also when it is wrong."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from serving import HOSTILE, Dashboard, new_workspace, text

from peaktrade_core.dashboard.panels import Page
from peaktrade_core.dashboard.papers import linked
from peaktrade_core.dashboard.trust.ledger import ledger_answer
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

HASH = "a" * 64


@pytest.fixture
def asked(tmp_path: Path) -> tuple[Workspace, str]:
    """Return a workspace in which a request full of markup was signed by one of two."""
    workspace, key = new_workspace(tmp_path / "home"), tmp_path / "ada"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    people = f'[[person]]\nname = "Ada"\nroles = ["owner"]\nkeys = ["{public}"]\n[[person]]\nname = "Ben"\nroles = ["operator"]\n'
    (workspace.home / "config" / "people.toml").write_text(people)
    approvals = Approvals.of(workspace)
    name = approvals.ask("live", HOSTILE, HASH, by=HOSTILE, reason=HOSTILE).id
    approvals.sign(name, key)
    return workspace, name


@pytest.fixture
def served(asked: tuple[Workspace, str]) -> Iterator[Dashboard]:
    running = Dashboard(asked[0].home)
    yield running
    running.stop()


def test_pages_and_their_twins_say_the_same(asked: tuple[Workspace, str], served: Dashboard) -> None:
    workspace, name = asked
    told, one = served.json("/api/ledger"), served.json(f"/api/requests/{name}")
    page, own = served.get("/ledger"), served.get(f"/requests/{name}")
    assert (page.status, own.status) == (200, 200)
    assert told["heads"] == chain_heads(workspace.home)
    assert told["heads"]["ledger"] in page.body
    assert told["count"] == sum(1 for _ in Ledger(workspace.home).links()) == len(told["entries"])
    assert [row["seq"] for row in told["entries"]] == list(reversed(range(told["count"])))
    assert [row["id"] for row in told["requests"]] == [name]
    assert f'href="/requests/{name}"' in page.body
    assert (one["state"], one["lacks"], one["signatures"][0]["by"]) == ("waits", "another person", "Ada")
    assert one["text"] in unescape(own.body)
    assert f"peaktrade approve {name}" in text(own.body)
    for body in (page.body, own.body):
        assert "<script>alert" not in body
        assert "onerror=alert" not in body.replace("&lt;img src=x onerror=alert", "")


def test_the_id_of_a_request_is_a_link_wherever_it_is_told() -> None:
    assert 'href="/requests/REQ-20260105-0123ABCD"' in linked("ACTIVE by Ada and Ben (signed, REQ-20260105-0123ABCD)")


def test_what_is_not_there_is_said(asked: tuple[Workspace, str], served: Dashboard) -> None:
    assert served.get("/api/requests/REQ-20260105-0").status == 404
    assert served.get("/requests/REQ-20260105-0").status == 404
    assert "unknown request" in Page(lambda: asked[0], "", "REQ-20260105-0").panel("request")
    assert served.get("/api/ledger?limit=0").status == 422
    assert "must be a whole number from 1 to 500" in Page(lambda: asked[0], "limit=x").panel("ledger")


def test_a_ledger_that_is_not_what_it_was_is_told_first(asked: tuple[Workspace, str]) -> None:
    workspace, _ = asked
    path = Ledger.of(workspace).path
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:-2]) + b"\n")
    fresh = Workspace(workspace.home)
    assert "is shorter than it was" in ledger_answer(fresh).fault
    assert "no orders are sent" in Page(lambda: fresh).panel("ledger")
    path.unlink()
    assert "is gone" in Page(lambda: Workspace(workspace.home)).panel("ledger")
    path.write_bytes(b"\xff no entry\n")
    assert ledger_answer(Workspace(workspace.home)).fault


def test_people_that_were_changed_are_told_in_the_place_of_requests(asked: tuple[Workspace, str]) -> None:
    workspace, _ = asked
    (workspace.home / "config" / "people.toml").write_text("[[person]]\nname = 5\n")
    fresh = Workspace(workspace.home)
    assert ledger_answer(fresh).requests  # those who were entered count
    Ledger.of(fresh).path.unlink()
    assert "name = 5 must be a text" in Page(lambda: Workspace(workspace.home)).panel("requests")


def test_without_keys_the_page_says_not_verified(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path / "home")
    assert "names are typed, not verified" in Page(lambda: workspace).panel("requests")
    assert "Nothing was entered yet" in Page(lambda: workspace).panel("ledger")
    assert (ledger_answer(workspace).count, ledger_answer(workspace).verified) == (0, False)
