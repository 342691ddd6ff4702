"""The committed notebooks keep the rules, and show exactly what they would show today."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from regenerate import NOW, committed, prepared, regenerate

import peaktrade_core
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.warm.owner import warm_kernels
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME

REPO = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = committed()
RUNBOOKS = list_runbooks()
FORBIDDEN = (ast.FunctionDef, ast.ClassDef, ast.Try, ast.For, ast.While, ast.With, ast.Lambda, ast.AsyncFunctionDef)
MOST_LINES = 5
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[Any]:
    """Return the code cells but the parameters."""
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    return [cell for cell in cells if "parameters" not in cell.metadata.get("tags", [])]


def test_there_are_runbooks_reports_and_an_index():
    assert {"00_start_here", "session_run", "post_session_check", "session_report"} <= {path.stem for path in NOTEBOOKS}


@each
def test_it_is_a_valid_notebook_with_stable_ids(path: Path):
    notebook = read(path)
    nbformat.validate(notebook)
    stem = path.stem.replace("_", "-")
    assert [cell.id for cell in notebook.cells] == [f"{stem}-{n:02d}" for n in range(len(notebook.cells))]
    assert set(notebook.metadata) == {"kernelspec", "language_info", "peaktrade"}
    assert isinstance(notebook.metadata.peaktrade["side_effects"], bool)


@each
def test_it_begins_with_title_purpose_and_what_it_takes_reads_writes(path: Path):
    first = read(path).cells[0].source
    assert re.match(r"# \S.*\n\n[A-Z].*\.\n", first)
    for word in ("Takes", "Reads", "Writes", "Mode"):
        assert f"| {word} | " in first


@each
def test_cells_are_short_and_hold_no_logic(path: Path):
    for cell in code(path):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        found = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, FORBIDDEN)]
        assert not found, cell.source


@each
def test_it_imports_from_the_package_once_and_only_what_is_public(path: Path):
    lines = [node for cell in code(path) for node in ast.walk(ast.parse(cell.source))]
    imports = [node for node in lines if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {getattr(node, "module", None) for node in imports} == {"peaktrade_core"}
    assert {name.name for node in imports for name in node.names} <= set(peaktrade_core.__all__)
    assert sum("import" in cell.source for cell in code(path)) == 1


@each
def test_every_question_has_its_answer(path: Path):
    """Each cell stands below markdown, and each but the import and the parameters shows something."""
    cells = read(path).cells
    for before, cell in pairwise(cells):
        if cell.cell_type == "code" and cell.outputs:
            assert before.cell_type == "markdown", cell.source
    silent = [cell.source for cell in code(path) if not cell.outputs]
    assert all("import" in source for source in silent), silent


@each
def test_outputs_hold_no_error_and_no_folder_of_a_machine(path: Path):
    for cell in code(path):
        assert not [output for output in cell.outputs if output.output_type == "error"]
    assert not re.search(r"(?<![\w.*/])/(?:home|root|tmp|work|Users|var|usr)/", path.read_text())
    assert "site-packages" not in path.read_text()


@pytest.mark.parametrize("info", RUNBOOKS, ids=lambda info: info.name)
def test_papermill_reads_the_same_parameters(info: Any):
    """papermill loses what it cannot parse without a word; then a run would take the default."""
    theirs = papermill.inspect_notebook(str(info.path))
    assert {name: one["inferred_type_name"] for name, one in theirs.items()} == {
        p.name: p.type for p in info.parameters
    }
    assert all(parameter.comment for parameter in info.parameters)


def test_links_between_notebooks_lead_somewhere():
    for path in NOTEBOOKS:
        for href in re.findall(r'href=\\"([^"\\]+)\\"', path.read_text()):
            assert (path.parent / href).is_file(), f"{path.name} links {href}"


@pytest.mark.parametrize("name", ["session_report", "session_run"])
def test_running_it_again_changes_nothing(name: str):
    path = next(path for path in NOTEBOOKS if path.stem == name)
    first = regenerate(path)
    with warm_kernels():
        assert regenerate(path) == first
    kept, now = (
        re.sub(rb"sha256 [0-9a-f]{12}|difference [0-9.e+-]+", b"", text) for text in (path.read_bytes(), first)
    )
    assert kept == now, "run `make notebooks` and commit the result"


def nbval(path: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval on a notebook in a workspace that was prepared as for its committed outputs."""
    with prepared(home, path.stem):
        return _nbval(path, home)


def _nbval(path: Path, home: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env.update({HOME: str(home), FIXED_CLOCK: NOW, "PYTHONPATH": str(REPO)})
    options = ("--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "-p", "no:cacheprovider", "-c", os.devnull)
    sanitize = f"--nbval-sanitize-with={Path(__file__).with_name('nbval.cfg')}"
    command = [sys.executable, "-m", "pytest", *options, sanitize, f"--rootdir={path.parent}", str(path)]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=300)


@each
def test_nbval_sees_the_committed_outputs_again(path: Path, tmp_path: Path):
    done = nbval(path, tmp_path / "workspace")
    assert done.returncode == 0, f"run `make notebooks` and look at the difference\n{done.stdout[-4000:]}{done.stderr}"
    assert f"{sum(cell.cell_type == 'code' for cell in read(path).cells)} passed" in done.stdout


def test_nbval_notices_an_output_that_is_no_longer_true(tmp_path: Path):
    path = tmp_path / "notebooks" / "post_session_check.ipynb"
    path.parent.mkdir()
    shutil.copy(next(p for p in NOTEBOOKS if p.stem == path.stem), path)
    figure = re.search(r"[\d,]+\.\d\d EUR", path.read_text())
    assert figure is not None
    other = figure[0].replace(".", "9.")
    path.write_text(path.read_text().replace(figure[0], other))
    done = nbval(path, tmp_path / "workspace")
    assert done.returncode == 1
    assert other in done.stdout
