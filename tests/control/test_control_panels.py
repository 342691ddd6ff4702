"""The control center's page: decision, gates, routine and evidence, in words, escaped, in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from peaktrade_core.base.question import check
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.workspace.workspace import Workspace

HOSTILE = "<script>alert(1)</script>"


def shown(workspace: Workspace, name: str) -> str:
    return Page(lambda: workspace).panel(name)


def text(html: str) -> str:
    """Return what a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&nbsp;", " ").split())


def leave(workspace: Workspace, operator: str = "Ada", subject: str = "") -> str:
    round_ = EvidenceBook.of(workspace).begin("health_check", "Health check", operator=operator, subject=subject)
    round_.check("one", "One", [check("one", "Good?", True, "yes", "")])
    return round_.finish().evidence_id


def test_the_decision_and_the_text_for_the_shift_log(workspace: Workspace) -> None:
    assert "Monitor No layer and no gate failed." in text(shown(workspace, "control_status"))
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by=HOSTILE, reason="smoke", now=datetime.now(UTC))
    html = shown(workspace, "control_status")
    assert "Escalate to the owner" in text(html)
    assert "symptom:" in text(html)
    assert HOSTILE not in html


def test_gates_and_routine_say_what_to_do(workspace: Workspace) -> None:
    said = text(shown(workspace, "gates"))
    assert "lint Is the code clean and in form?" in said
    assert "no-live Is live trading locked?" in said
    said = text(shown(workspace, "routine"))
    assert "Was the health of the system checked? not yet today. Runbook health_check" in said
    assert "▲ due" in said
    leave(workspace)
    assert "passed by Ada at" in text(shown(workspace, "routine"))


def test_evidence_links_its_session_and_says_what_was_changed(workspace: Workspace) -> None:
    assert "No runbook has left evidence yet." in text(shown(workspace, "evidence"))
    name = leave(workspace, HOSTILE, subject="shadow_20260105_060000_abcdef")
    html = shown(workspace, "evidence")
    assert 'href="/session/shadow_20260105_060000_abcdef"' in html
    assert HOSTILE not in html
    assert "sealed" in text(html)
    path = EvidenceBook.of(workspace).folder / f"{name}.json"
    path.write_text(path.read_text().replace('"yes"', '"no"'))
    said = text(shown(workspace, "evidence"))
    assert "1 records are not as they were sealed." in said
    assert "✕ changed after it was sealed" in said
    path.write_text("torn")
    assert "✕ cannot be read" in text(shown(workspace, "evidence"))


@pytest.mark.parametrize("name", ["control_status", "gates", "routine", "evidence"])
def test_a_broken_chain_is_said_in_words(workspace: Workspace, name: str) -> None:
    EvidenceBook.of(workspace).folder.mkdir(parents=True)
    EvidenceBook.of(workspace).chain.path.write_text("scribble\n")
    html = shown(workspace, name)
    assert "Traceback" not in html
    assert name == "gates" or "no link of the chain" in html


def test_the_page_speaks_german(workspace: Workspace) -> None:
    path = workspace.config_path
    path.write_text(path.read_text().replace('language = "en"', 'language = "de"'))
    german = Workspace(workspace.home)
    assert "Beobachten" in text(shown(german, "control_status"))
    assert "Ist der Live-Handel gesperrt?" in text(shown(german, "gates"))
    assert "Wurde die Gesundheit des Systems geprüft?" in text(shown(german, "routine"))
    assert "Noch kein Runbook hat einen Nachweis hinterlassen." in text(shown(german, "evidence"))
