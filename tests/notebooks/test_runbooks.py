"""Running a notebook without a person: every way in which a run can end, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, NotebookError, UnknownNameError
from peaktrade_core.runbooks.runbooks import RunOutcome, list_runbooks, run_runbook, run_runbooks
from peaktrade_core.workspace.workspace import Workspace

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "notebooks"


@pytest.fixture
def write(folder: Path) -> Write:
    """Return a function that writes a runbook, ``probe`` if not named, of a parameters cell and the given cells."""

    def build(
        *cells: str, name: str = "probe", parameters: str = "steps: int = 3  # [1 .. 9]", **settings: object
    ) -> Path:
        first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        title = nbformat.v4.new_markdown_cell("# Probe\n\nSee whether it works.")
        notebook = nbformat.v4.new_notebook(cells=[title, first, *map(nbformat.v4.new_code_cell, cells)])
        kernel = {"name": "no-such-kernel", "display_name": "x", "language": "python"}
        notebook.metadata.update(kernelspec=kernel, language_info={"name": "python"}, peaktrade=settings)
        path = folder / "runbooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return build


@pytest.fixture
def run(folder: Path, workspace: Workspace) -> Callable[..., RunOutcome]:
    def go(timeout: float = 60.0, **params: object) -> RunOutcome:
        return run_runbook("probe", params, workspace, timeout=timeout, folder=folder)

    return go


def leftovers(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.home / "reports" / "runbooks").iterdir())


def texts(notebook: Path) -> str:
    cells = nbformat.read(notebook, 4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", ()))


def test_a_good_run_leaves_notebook_and_page_and_a_line_in_the_log(write, run, workspace, monkeypatch, tmp_path):
    write("import os, sys\nprint(steps + 1, os.environ['PEAKTRADE_HOME'], sys.executable)", side_effects=True)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "fresh"))  # no kernel is installed there
    before = os.getcwd()
    outcome = run(steps="4")
    assert (outcome.status, outcome.error, outcome.parameters) == ("completed", None, {"steps": 4})
    printed = texts(outcome.notebook)
    assert printed == f"5 {workspace.home} {sys.executable}\n"
    assert "Parameters of this run" in outcome.html.read_text()
    assert leftovers(workspace) == sorted([outcome.notebook.name, outcome.html.name])
    assert "runbook probe completed by" in (workspace.home / "logs" / "operations.log").read_text()
    assert os.getcwd() == before
    run_ = nbformat.read(outcome.notebook, 4).metadata.peaktrade.run
    assert (run_.status, run_.parameters, run_.error) == ("completed", {"steps": 4}, None)
    assert ".staging" not in outcome.notebook.read_text()


def test_progress_counts_the_code_cells(write, folder, workspace):
    write("1", "2")
    seen: list[tuple[int, int]] = []
    run_runbook("probe", {}, workspace, progress=lambda done, total: seen.append((done, total)), folder=folder)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]  # declared, injected, and two


@pytest.mark.parametrize(
    ("params", "error", "says"),
    [
        ({"stpes": "1"}, UnknownNameError, "unknown parameter 'stpes'; known: steps"),
        ({"steps": "many"}, ConfigError, "steps = 'many' must be a whole number from 1 to 9"),
        ({"steps": "10"}, ConfigError, "steps = '10' must be a whole number from 1 to 9"),
    ],
)
def test_wrong_parameters_stop_it_before_anything_happens(write, run, workspace, params, error, says):
    write("raise SystemExit")
    with pytest.raises(error, match=says):
        run(**params)
    assert not workspace.reports.exists()


def test_several_run_in_order_each_with_its_own_parameters_and_a_failure_stops_none(write, folder, workspace):
    write("print(steps)", name="first")
    write("raise ValueError('on purpose')", name="second", parameters="mode: str = 'x'")
    write("print(steps, who)", name="third", parameters="steps: int = 1\nwho: str = 'nobody'")
    seen: list[tuple[str, int, int]] = []
    names, given = ("first", "second", "third"), {"steps": "5", "who": "me"}
    first, second, third = run_runbooks(names, given, workspace, folder=folder, progress=lambda *at: seen.append(at))
    assert [first.name, second.name, third.name] == ["first", "second", "third"]
    assert (first.parameters, second.parameters, third.parameters) == (
        {"steps": 5},
        {"mode": "x"},
        {"steps": 5, "who": "me"},
    )
    assert (second.status, second.error) == ("failed", "cell 3 failed: ValueError: on purpose")
    assert (texts(first.notebook), texts(third.notebook)) == ("5\n", "5 me\n")
    assert seen[:3] == [("first", 1, 3), ("first", 2, 3), ("first", 3, 3)]
    assert seen[-1] == ("third", 3, 3)


@pytest.mark.parametrize(
    ("names", "params", "says"),
    [
        (("first", "nobody"), {}, "unknown runbook 'nobody'; known: first, second"),
        (("first", "second"), {"stpes": "1"}, "unknown parameter 'stpes'; known: mode, steps"),
        (("first", "second"), {"steps": "10"}, "steps = '10' must be a whole number from 1 to 9"),
    ],
)
def test_of_several_none_starts_when_one_is_asked_for_wrongly(write, folder, workspace, names, params, says):
    write("1", name="first")
    write("1", name="second", parameters="mode: str = 'x'")
    with pytest.raises(ConfigError, match=says):
        list(run_runbooks(names, params, workspace, folder=folder))
    assert not workspace.reports.exists()


def test_the_command_runs_several_and_ends_like_the_worst(start, workspace):
    process = start("runbook", "run", "session_report", "daily_report", "-p", "session_id=nobody", "--json")
    stdout, _ = process.communicate(timeout=60)
    failed, made = json.loads(stdout)
    assert (failed["name"], failed["status"], made["name"], made["status"]) == (
        "session_report",
        "failed",
        "daily_report",
        "completed",
    )
    assert process.returncode == 6


def test_a_missing_notebook_lists_those_there_are(write, workspace, folder):
    write("1")
    with pytest.raises(UnknownNameError, match="unknown runbook 'prob'; known: probe; `peaktrade runbook list`"):
        run_runbook("prob", {}, workspace, folder=folder)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("1 / 0", "cell 3 failed: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", r"cell 3 ended the notebook with sys.exit\(0\)"),
        ("import os; os.kill(os.getpid(), 9)", "the kernel died in cell 3"),
        ("import os; os._exit(0)", "the kernel died in cell 3"),
        ("import time; time.sleep(6000)", "cell 3 was still running when the time limit of 4 s"),
        ("print('<script>alert(1)</script>'); raise ValueError('<script>alert(2)</script>')", "cell 3 failed"),
    ],
    ids=["error", "exit-0", "killed", "exit-hard", "hangs", "markup"],
)
def test_a_failure_is_said_in_a_sentence_and_kept_under_a_name_that_says_so(write, run, workspace, cell, says):
    write(cell, "print('must not run')")
    began = time.monotonic()
    outcome = run(timeout=4.0)
    assert time.monotonic() - began < 20
    assert outcome.status == "failed"
    assert re.search(says, outcome.error)
    assert outcome.notebook.name.endswith("_failed.ipynb")
    assert leftovers(workspace) == sorted([outcome.notebook.name, outcome.html.name])
    notebook = nbformat.read(outcome.notebook, 4)
    assert "This run failed" in notebook.cells[0].source
    assert "must not run" not in texts(outcome.notebook)
    assert notebook.cells[-1].metadata.papermill.status == "pending"
    page = outcome.html.read_text()
    assert "✕ Failed" in page
    assert "<script>alert" not in page
    assert "runbook probe failed by" in (workspace.home / "logs" / "operations.log").read_text()


def test_two_runs_in_the_same_second_keep_both_reports(write, folder, workspace, monkeypatch):
    write("1")
    moment = workspace.clock.now()
    monkeypatch.setattr(workspace, "clock", type("Stopped", (), {"now": lambda self: moment})())
    names = [run_runbook("probe", {}, workspace, folder=folder).notebook.name for _ in range(2)]
    assert names[1] == names[0].replace(".ipynb", "_2.ipynb")
    assert len(leftovers(workspace)) == 4


def test_a_report_folder_that_cannot_be_written_is_said_before_the_run(write, run, workspace):
    write("open('ran', 'w')")
    workspace.reports.mkdir()
    (workspace.reports / "runbooks").write_text("a file is in the way")
    with pytest.raises(EnvironmentFault, match=r"runbooks is in the way: it must be a folder"):
        run()
    (workspace.reports / "runbooks").unlink()
    if os.getuid():
        workspace.reports.chmod(0o500)
        with pytest.raises(EnvironmentFault, match="cannot write the report"):
            run()
        workspace.reports.chmod(0o700)
    assert not (workspace.home / "ran").exists()


def test_a_file_that_is_no_notebook_is_named(write, folder):
    write("1").write_text("{")
    with pytest.raises(NotebookError, match=r"probe\.ipynb: cannot be read as a notebook"):
        list_runbooks(folder)


def test_reports_go_where_the_notebook_says(write, run, workspace):
    write("1", output="reports/daily")
    assert run().html.parent == workspace.reports / "daily"


def test_shipped_runbooks_say_what_they_are():
    found = {info.name: info for info in list_runbooks()}
    assert next(iter(found)) == "demo_walkthrough"
    assert found["session_run"].side_effects
    assert not found["post_session_check"].side_effects
    assert found["session_report"].output == "reports/sessions"
    assert found["session_run"].title == "Run a session"
    assert all(info.purpose.endswith(".") for info in found.values())


def test_ctrl_c_ends_the_session_inside_as_aborted_with_its_figures(start, home, workspace):
    process: subprocess.Popen[str] = start("runbook", "run", "session_run", "-p", "steps=9000000", "-p", "notes=long")
    records = workspace.reports / "experiments" / "live_sessions"
    deadline = time.monotonic() + 60
    while not list(home.glob("live_runs/*/events.jsonl")) or not any(
        path.stat().st_size > 100_000 for path in home.glob("live_runs/*/events.jsonl")
    ):
        assert time.monotonic() < deadline, "the session did not start"
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 6
    assert "stopped by the operator" in stderr
    (record,) = [json.loads(path.read_text()) for path in records.glob("*.json")]
    assert record["status"] == "aborted"
    assert record["metrics"]["steps"] > 0
    assert len(list((workspace.reports / "runbooks").glob("session_run_*_failed.html"))) == 1
