"""The table of the checklists is true: every line is there, and what is said to answer it does.

The notebooks are run here without a kernel, cell by cell in this process, on the workspace that their committed outputs
come from; the evidence that they leave says which steps and checks there were.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from peaktrade_core.base.environment import environment
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runbooks.runbooks import find_runbook, list_runbooks
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME, Workspace
from tests import checklist_table as table
from tests.notebooks.regenerate import NOW, SCENES, prepared

LINES = table.lines()
SECTIONS = table.sections()
RUNS = sorted({line.run for line in LINES if line.step})
Ran = Callable[[str, table.Given, table.Given], tuple[Evidence, set[str]]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Return a function that runs a notebook with parameters once, and returns its evidence and what was left out."""
    folder = tmp_path_factory.mktemp("checklists")
    kept: dict[object, tuple[Evidence, set[str]]] = {}

    def run(name: str, given: table.Given, after: table.Given) -> tuple[Evidence, set[str]]:
        if (name, given, after) not in kept:
            home = folder / f"{len(list(folder.iterdir()))}" / "workspace"
            shutil.copytree(folder / "prepared", home)
            if name in SCENES:
                SCENES[name](home)
            if after:
                run_cells(name, dict(after), home)
            kept[name, given, after] = run_cells(name, dict(given), home)
        return kept[name, given, after]

    with prepared(folder / "prepared"):
        yield run


def run_cells(name: str, given: dict[str, str], home: Path) -> tuple[Evidence, set[str]]:
    """Run a notebook's cells in this process and return its evidence and the questions that it left out."""
    space: dict[str, Any] = {}
    before = Path.cwd()
    with environment({FIXED_CLOCK: NOW, HOME: str(home)}), pytest.MonkeyPatch.context() as patch:
        patch.setattr("peaktrade_core.runbooks.shelf.namespace", lambda: space)  # there is no kernel that has one
        os.chdir(home)
        try:
            for cell in nbformat.read(find_runbook(name).path, as_version=4).cells:
                if cell.cell_type == "code":
                    exec(compile(cell.source, f"{name}.ipynb", "exec"), space)
                    if "parameters" in cell.metadata.get("tags", []):
                        space.update({key: type(space[key])(value) for key, value in given.items()})
        finally:
            os.chdir(before)
        runbook = next(value for value in space.values() if isinstance(value, Runbook))
        return EvidenceBook.of(Workspace(home)).load(runbook.round.id), {q for q in _asked(name) if runbook.spared(q)}


def _asked(name: str) -> set[str]:
    """Return the ids of the steps that lines about a notebook name."""
    return {line.step for line in LINES if line.notebook == name}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: "-".join([run[0], *(value for _, value in run[1])]))
def test_what_is_said_to_answer_a_line_does(run: tuple[str, table.Given, table.Given], ran: Ran) -> None:
    evidence, spared = ran(*run)
    wrong = []
    for line in LINES:
        if line.step and line.run == run:
            wrong += [f"{line.seed}, {line.text!r}: {why}" for why in _faults(line, evidence, spared)]
    assert not wrong, "\n".join(wrong)


def _faults(line: table.Line, evidence: Evidence, spared: set[str]) -> Iterator[str]:
    """Yield why a line is not answered as it says."""
    step = evidence.step(line.step)
    if line.kind == table.QUESTION and line.step in spared:
        return
    if step is None:
        yield f"no step {line.step!r}; there are {', '.join(one.id for one in evidence.steps)}"
    elif line.kind == table.CHECK and line.check not in {one.id for one in step.checks}:
        yield f"step {line.step} has no check {line.check!r}; there are {', '.join(one.id for one in step.checks)}"
    elif line.kind == table.QUESTION and step.question is None:
        yield f"step {line.step} asks nobody"
    elif line.kind == table.ACTION and not step.result:
        yield f"step {line.step} does nothing"
    elif line.kind == table.STEP and not step.checks:
        yield f"step {line.step} checks nothing"


def test_every_line_names_a_notebook_that_is_there_or_says_why_not() -> None:
    known = {info.name for info in list_runbooks()}
    for line in LINES:
        assert line.notebook or line.why, f"{line.seed}, {line.text!r}: name a notebook, or say why there is none"
        assert line.kind in (table.CHECK, table.QUESTION, table.ACTION, table.STEP, table.SHOWN, table.NONE), line
        assert not line.notebook or line.notebook in known, f"{line.seed}, {line.text!r}: no notebook {line.notebook}"


def test_no_line_is_missing() -> None:
    wrong = []
    for section in SECTIONS:
        numbers = {number for number, _ in table.numbered(section, LINES)} - {-1}
        wanted = set(range(1, section.lines + 1))
        if numbers != wanted:
            wrong.append(f"{section.seed}: missing {sorted(wanted - numbers)}, unknown {sorted(numbers - wanted)}")
    assert not wrong, "\n".join(wrong)
    unknown = {line.section for line in LINES} - {section.seed for section in SECTIONS}
    assert not unknown, f"inventory.toml has no section {sorted(unknown)}"


def test_the_page_is_what_the_files_say() -> None:
    assert table.TABLE.read_text() == table.table(), "run `python tests/checklist_table.py`"


def test_the_inventory_counts_what_stands_in_the_handbooks() -> None:
    folder = Path(os.environ.get("PEAKTRADE_SHARED_DATA") or table.REPO.parent / "shared" / "data").parent / "seeds"
    if not folder.is_dir():
        pytest.skip(f"the handbooks are not beside the repository: {folder}")
    for handbook in sorted({section.seed.partition(" ")[0] for section in SECTIONS}):
        mine = [section for section in SECTIONS if section.seed.startswith(f"{handbook} ")]
        text = (folder / f"{handbook}.md").read_text(errors="replace")
        assert sum(section.boxes for section in mine) == len(re.findall(r"- \[ \]|[□☐]", text)), handbook
        assert sum(section.steps for section in mine) == len(re.findall(r"^# Schritt \d", text, re.M)), handbook


def test_a_row_that_is_not_true_is_noticed(ran: Ran) -> None:
    evidence, spared = ran("monitoring_round", (), ())
    true = table.Line(seed="x", text="y", notebook="monitoring_round", step="sessions", check="pnl")
    assert not list(_faults(true, evidence, spared))
    for changed in ({"check": "moon"}, {"step": "moon"}, {"check": ""}, {"check": "", "how": table.ACTION}):
        line = table.Line(**{"seed": "x", "text": "y", "step": "sessions", "check": "pnl", **changed})
        assert list(_faults(line, evidence, spared)), changed
