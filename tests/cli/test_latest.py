"""``latest`` where an id is asked for: every command that shows something takes it, none that signs or changes it."""

from __future__ import annotations

import pytest

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.text import meant
from peaktrade_core.changes.book import Changes
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence
from peaktrade_core.workspace.workspace import Workspace
from tests.cli.surface import Ran, ran

SHOWS = {
    "incident": ("incident", "show"),
    "evidence": ("evidence", "show"),
    "change": ("change", "show"),
    "request": ("requests", "show"),
    "drill": ("drill", "score"),
    "experiment": ("experiments", "show"),
    "sweep": ("experiments", "sweep-summary"),
    "portfolio": ("portfolio", "show"),
    "backup": ("backup", "verify"),
    "session": ("alerts", "check", "--run-id"),
}


@pytest.mark.parametrize(
    ("typed", "means"), [("A-11", "A-11"), ("A-1", "A-1"), ("latest", "B-2"), ("B", "B-2"), ("A-11x", ""), ("A", "")]
)
def test_an_id_is_meant_by_all_of_it_by_its_beginning_or_by_latest(typed: str, means: str) -> None:
    known = ["B-2", "A-11", "A-1"]
    if means:
        assert meant("thing", typed, known) == means
        return
    with pytest.raises(UnknownNameError, match="unknown thing"):
        meant("thing", typed, known)


def ask(workspace: Workspace, *words: str) -> Ran:
    """Run a command on a workspace in this process."""
    return ran([*words, "--home", str(workspace.home)])


@pytest.mark.parametrize("kind", SHOWS)
def test_where_there_is_none_yet_the_newest_is_refused_in_a_sentence(workspace: Workspace, kind: str) -> None:
    ended = ask(workspace, *SHOWS[kind], "latest")
    assert (ended.code, ended.out) == (4 if kind == "session" else 2, "")
    assert f"there is no {kind} yet" in ended.err


def test_latest_is_the_newest_that_there_is(workspace: Workspace) -> None:
    ask(workspace, "change", "adopt", "--by", "Ada", "--reason", "as shipped")
    book, newest = IncidentBook.of(workspace), {}
    for title in ("one", "three"):
        opened = book.open("data_gap", title, subject="", severity="low", by="Ada", role="operator")
        newest["incident"] = opened.incident_id
        newest["evidence"] = add_evidence(EvidenceBook.of(workspace), title, "seen", (), by="Ada").evidence_id
        ask(
            workspace,
            "change",
            "propose",
            f"live_risk.max_open_positions={len(title)}",
            "--by",
            "Ada",
            "--reason",
            title,
        )
        newest["change"] = Changes.of(workspace).all()[-1].id
    for kind, name in newest.items():
        ended = ask(workspace, *SHOWS[kind], "latest")
        assert (ended.code, name in ended.out) == (0, True), ended
        assert ask(workspace, *SHOWS[kind], "latest").out == ask(workspace, *SHOWS[kind], name).out
    ended = ask(workspace, "change", "apply", "latest", "--by", "Robin")
    assert "unknown change 'latest'" in ended.err
