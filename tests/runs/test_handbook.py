"""The handbook is whole: what it names exists, and what happens has an entry in it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_args

import click
import pytest

from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.alerts.rules.kinds import AnyRule
from peaktrade_core.alerts.rules.rule import of_error
from peaktrade_core.base.errors import ExchangeError
from peaktrade_core.cli import cli
from peaktrade_core.people.matrix import AUTHORITIES
from peaktrade_core.runs.handbook import KINDS, OTHER, handbook, names_of_errors, next_step
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]
BOOK = handbook()
COMMANDS = sorted({found for text in BOOK.texts() for found in re.findall(r"`peaktrade ([^`]+)`", text)})


def exchange_errors() -> list[type[ExchangeError]]:
    found: list[type[ExchangeError]] = [ExchangeError]
    for kind in found:  # grows while it is walked: the whole tree
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("peaktrade_core.")]


def test_every_notebook_that_it_names_exists() -> None:
    named = {kind.runbook for kind in BOOK.kind.values()} | {chapter.notebook for chapter in BOOK.chapter.values()}
    named |= {error.then for error in BOOK.error.values()} - {""}
    known = {path.stem for path in (REPO / "notebooks").rglob("*.ipynb")}
    assert named <= known
    told = {name for text in BOOK.texts() for name in re.findall(r"\bincident_\w+", text)}
    assert told <= known


def test_every_part_is_used_and_every_part_that_is_used_is_there() -> None:
    assert {key for kind in BOOK.kind.values() for key in kind.resume} == set(BOOK.resume)
    used = {error.chapter for error in BOOK.error.values()} | {alert.chapter for alert in BOOK.alert.values()}
    assert used <= set(BOOK.chapter)
    assert {way.authority for kind in BOOK.kind.values() for way in kind.way.values()} <= set(AUTHORITIES)
    assert [kind for kind in BOOK.kind if kind not in KINDS] == []
    asked = [
        re.findall(r"rb\.confirmed\(\\\"(\w+)\\\"\)", path.read_text())
        for path in sorted((REPO / "notebooks" / "runbooks").glob("incident_*.ipynb"))
    ]
    assert {key for keys in asked for key in keys} == set(BOOK.confirm)


def test_every_error_of_the_venue_and_every_kind_of_rule_has_an_entry() -> None:
    assert {kind.__name__ for kind in exchange_errors()} <= set(BOOK.error)
    assert {str(kind.__struct_config__.tag) for kind in get_args(AnyRule)} == set(BOOK.alert)
    assert names_of_errors("incident_exchange_error")["AuthenticationError"] == "authentication"  # of an older writer
    assert next_step("NewError: of a later version") == BOOK.error[OTHER].step


def test_alerts_of_failed_sessions_lead_to_a_runbook_that_treats_them(workspace: Workspace) -> None:
    """Not to the health check, nor to the start after maintenance."""
    chapters = [of_error(f"{name}: x")[1] for name in (*BOOK.error, "ZeroDivisionError", "AccountUnavailable")]
    wanted = ("failed-session", "failed-in-row", "heartbeat")
    rules = [rule for rule in alert_settings(workspace).rules if rule.id in wanted]
    chapters += [rule.chapter for rule in rules]
    assert len(rules) == 3
    assert {BOOK.chapter[chapter].notebook[:9] for chapter in chapters} == {"incident_"}


def test_a_rule_leads_where_the_handbook_says_unless_the_file_says_otherwise(workspace: Workspace) -> None:
    for rule in alert_settings(workspace).rules:
        assert rule.chapter == BOOK.alert[str(rule.__struct_config__.tag)].chapter, rule.id


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_that_it_names_can_be_typed(line: str) -> None:
    words = shlex.split(line)
    command: click.Command = cli
    context = click.Context(cli)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"peaktrade {line}"
        command = found
    known = {name for option in command.params for name in option.opts}
    assert [word for word in words if word.startswith("--") and word not in known] == []


def test_the_document_shows_the_same_table() -> None:
    rows = []
    for name, kind in BOOK.kind.items():
        severity = "; ".join(f"{level} when {when}" if when else level for level, when in kind.severity.items())
        rows.append(f"| `{name}` | {severity} | {kind.when} | `{kind.runbook}` |")
    text = (REPO / "docs" / "incidents.md").read_text()
    assert [row for row in rows if row not in text] == []
