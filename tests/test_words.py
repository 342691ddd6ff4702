"""Words lead somewhere: every command, runbook and file that a text names is there.

Looked at are documents, the package's own texts, notebooks (their prose and what they show), templates, the handbook, alert
rules, configuration, and what a used workspace tells.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.checkout import broken_links, documents
from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.question import check
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.runs.handbook import handbook, runbooks_in
from peaktrade_core.show.language import tongue
from peaktrade_core.show.wording import BADGES
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.misread import misread
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parent.parent
_QUOTED = re.compile(r"``?(peaktrade [^`\n]+?)``?(?!`)")
_FENCED = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)
_HTML = re.compile(r"<code>(peaktrade [^<]+)</code>")
_NOTEBOOK = re.compile(r"\b(?:runbooks?|reports|research)/([a-z_0-9]+)\.ipynb")


def commands_in(text: str) -> list[str]:
    """Return the command lines that a text names, set as code, in a fenced block or as HTML."""
    found = _QUOTED.findall(text) + _HTML.findall(text)
    for block in _FENCED.findall(text):
        lines = [line.strip().removeprefix("$ ") for line in block.splitlines()]
        found += [re.split(r"\s{2,}|\s+#", line)[0] for line in lines if line.startswith("peaktrade ")]
    return [one.strip() for one in found]


def fault_of(command: str) -> str:
    """Return why a command line that a text names leads nowhere, empty when it does not."""
    text = re.sub(r"\s+#.*$", "", command)  # what follows is said to the reader
    text = re.sub(r"\[([^\]]*)\]", r"\1", text).replace("...", "")  # what may be left out is looked at as well
    text = re.sub(r"\{[^{}]*\}", "VALUE", text).replace("…", "VALUE")
    text = re.split(r"\s(?:[|>]\s|&$)", text.replace("\\|", "|"))[0].rstrip(".,;:")
    if re.match(r"peaktrade (?:\S+ )?(?:COMMAND|VALUE)", text):
        return ""  # which command it is, is known only when it is said
    fault = misread(text, whole=False)
    return f"{command!r}: {fault}" if fault and not fault.endswith("takes no 'VALUE'") else ""  # more may stand there


def lost_in(text: str) -> list[str]:
    """Return what a text names and is not there: commands, runbooks, notebooks."""
    lost = [fault for command in commands_in(text) if (fault := fault_of(command))]
    lost += [f"notebook {name}" for name in _NOTEBOOK.findall(text) if name not in RUNBOOKS | PAGES]
    for command in commands_in(text):
        named = re.match(r"peaktrade runbook run ([a-z_ ]+?)(?: -|$)", command)
        lost += [
            f"{command!r}: no runbook {name}" for name in (named[1].split() if named else ()) if name not in RUNBOOKS
        ]
    try:
        lost += [f"runbook {name}" for name in runbooks_in(text) if name not in RUNBOOKS]
    except UnknownNameError as error:
        lost.append(str(error))
    return lost


RUNBOOKS = {info.name for info in list_runbooks()}
PAGES = {path.stem for path in (REPO / "notebooks" / "dashboards").glob("*.ipynb")}


def texts_of(path: Path) -> Iterator[str]:
    """Yield the texts of a file that people read: all of it, or the texts in a program, or a notebook's prose and outputs."""
    if path.suffix == ".py":
        tree = ast.parse(path.read_text())
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "VALUE" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                yield node.value
    elif path.suffix == ".ipynb":
        for cell in json.loads(path.read_text())["cells"]:
            yield "".join(cell["source"])
            for output in cell.get("outputs", ()):
                for kind, data in output.get("data", {}).items():
                    if kind in ("text/plain", "text/html"):
                        yield "".join(data)
    else:
        yield path.read_text(errors="replace")


SKIPPED = {"__pycache__", ".ipynb_checkpoints", "archive"}
LOOKS = (".png", ".js", ".css", ".ico")
KINDS = {
    "docs": "*.md",
    "peaktrade_core": "*.py",
    "notebooks": "*.ipynb",
    "templates": "*",
    "config": "*.toml",
    "reports": "*.md",
}
FILES = sorted(
    path
    for folder, pattern in KINDS.items()
    for path in (REPO / folder).rglob(pattern)
    if path.is_file() and not SKIPPED & set(path.parts) and path.suffix not in LOOKS
)
ROOMS = sorted({path.relative_to(REPO).parent for path in FILES})


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_what_a_text_names_is_there(room: Path) -> None:
    wrong = {
        f"{path.relative_to(REPO)}: {lost}"
        for path in FILES
        if path.relative_to(REPO).parent == room
        for text in texts_of(path)
        for lost in lost_in(text)
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_what_the_first_pages_name_is_there() -> None:
    wrong = [lost for name in ("README.md", "CHANGELOG.md") for lost in lost_in((REPO / name).read_text())]
    assert not wrong


def test_the_operators_page_explains_every_badge() -> None:
    page = (REPO / "docs" / "operator.md").read_text()
    assert [badge for badge in BADGES.values() if f"| `{badge}` |" not in page] == []


def test_every_link_of_a_document_leads_somewhere() -> None:
    broken = [f"{path.name}: {target}" for path in documents(REPO) for target in broken_links(path)]
    assert not broken


def test_the_handbook_names_what_is_there() -> None:
    wrong = [lost for text in handbook().texts() for lost in lost_in(text)]
    assert not wrong
    assert {chapter.notebook for chapter in handbook().chapter.values()} <= RUNBOOKS
    assert {kind.runbook for kind in handbook().kind.values()} <= RUNBOOKS
    treated = [entry.chapter for entry in (*handbook().error.values(), *handbook().alert.values())]
    assert set(treated) <= set(handbook().chapter)


def test_every_error_has_a_next_step_that_names_its_runbook() -> None:
    german = tongue("de")
    assert german is not None
    for name, entry in handbook().error.items():
        named = runbooks_in(entry.step)
        assert named, f"{name}: {entry.step!r} names no runbook"
        assert runbooks_in(german.turned(entry.step)) == named, name
        wanted = handbook().kind[entry.kind].runbook if entry.kind else entry.then
        assert not wanted or wanted in named, f"{name} leads to {named}, not to {wanted}"


def test_every_alert_rule_leads_to_a_runbook() -> None:
    from peaktrade_core.alerts.engine import load_alert_settings

    for rule in load_alert_settings(REPO / "config" / "alerts.toml").rules:
        assert rule.runbook in handbook().chapter, rule.id


ASKED = (
    "doctor, readiness, control, gates, evidence list, audit verify, audit snapshot --stdout, session list, session show, "
    "session report --stdout, monitor overview, alerts check, alerts list, alerts rules, risk status, risk show, data list, "
    "killswitch status, people list, people check, requests list, change list, change verify, "
    "ops health, ops orders, ops portfolio, ops contacts, ops notes, incident list, incident diagnose, "
    "drill list, drill coverage, schedule status, report status --stdout, fleet status, watch --status, runbook list"
)


def test_a_used_workspace_names_what_is_there(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], peaktrade: Any
) -> None:
    """Ask a workspace with a failed session, evidence, an incident and a halt, on every surface in text."""
    run_shadow(seed=3, steps=200)
    record = run_shadow(seed=5, steps=300, position_fraction=0.5)  # every order is denied
    round_ = EvidenceBook.of(workspace).begin("health_check", "Health", operator="Ada")
    round_.check("one", "One", [check("one", "Good?", False, "no", "mend it")])
    round_.finish()
    IncidentBook.of(workspace).open(
        "risk_limit", "Orders denied", subject=record.session_id, severity="high", by="Ada", role="operator"
    )
    wrong = []
    for words in ASKED.split(", "):
        ended = peaktrade(*words.split(), env={"COLUMNS": "2000"})
        text = ended.stdout + ended.stderr
        assert "Traceback" not in text, words
        wrong += [f"{words}: {lost}" for lost in lost_in(text)]
    assert not wrong, "\n".join(wrong)


NOWHERE = (
    "`peaktrade data nowhere`",
    "`peaktrade session run --no-such-option`",
    "`peaktrade session run --session-id x`",
    "`peaktrade runbook run nothing_there`",
    "<code>peaktrade alerts nothing</code>",
    "```\n$ peaktrade moon --now\n```",
    "runbook 99",
    "runbook no_such_one",
    "runbooks/gone.ipynb",
)


def test_a_word_that_leads_nowhere_is_noticed() -> None:
    for text in NOWHERE:
        assert lost_in(text), text
    for text in (
        "`peaktrade exchange fetch SYMBOL`",
        "runbook 7",
        "runbook health_check",
        "`peaktrade gates run tests`",
    ):
        assert not lost_in(text), text


NEGATIVE = re.compile(
    r'"(?:Is|Are|Was|Were|Do|Does|Did|Has|Have) (?:there )?(?:no|not|none|nothing|nobody|no one)\b[^"]*\?"'
)


def test_no_question_is_answered_with_yes_when_there_is_nothing() -> None:
    """A person under stress reads `Failed sessions: none` once, and `Did no session fail? yes` twice."""
    found = [
        f"{path.name}: {asked}"
        for path in sorted((REPO / "peaktrade_core").rglob("*.py"))
        for asked in NEGATIVE.findall(path.read_text())
    ]
    assert found == []
