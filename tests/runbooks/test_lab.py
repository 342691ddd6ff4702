"""A clean copy for a person: nothing of the sample run in it, parameters set in the cell, a form below it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.sign import NotebookNotary

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, NotebookError, UnknownNameError
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.cli import cli
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.runbooks import pickers
from peaktrade_core.runbooks.form import ParametersForm, form
from peaktrade_core.runbooks.notebooks import lab
from peaktrade_core.runbooks.notebooks.lab import START, copy_of, lab_command, lab_environment, open_lab
from peaktrade_core.runbooks.notebooks.parameters import declared, with_values
from peaktrade_core.runbooks.pickers import PICKERS, suggested
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.trading.market import Bar
from peaktrade_core.workspace.workspace import Workspace

CELL = """steps: int = 300  # bars [1 .. 1000]
name: str = "a"  # with a # and an ä {a, b}
days: list = [1, 2]  # of the week
on: bool = False"""


def test_other_values_keep_the_comments() -> None:
    after = with_values(CELL, {"steps": "12", "days": [3], "on": "yes", "name": "b"}, "here")
    assert after.splitlines() == [
        "steps: int = 12  # bars [1 .. 1000]",
        'name: str = "b"  # with a # and an ä {a, b}',
        "days: list = [3]  # of the week",
        "on: bool = True",
    ]
    assert with_values(CELL, {}, "here") == CELL
    spoken = with_values('why: str = ""  # ü', {"why": 'a "quoted"\nline ✓ \\'}, "here")
    assert [one.default for one in declared(spoken, "here")] == ['a "quoted"\nline ✓ \\']
    with pytest.raises(ConfigError, match="steps = 0 must be a whole number from 1 to 1000"):
        with_values(CELL, {"steps": 0}, "here")
    with pytest.raises(UnknownNameError):
        with_values(CELL, {"step": 1}, "here")


@pytest.mark.parametrize("name", [START, *(info.name for info in list_runbooks())])
def test_a_copy_holds_nothing_of_the_sample_run(workspace: Workspace, name: str) -> None:
    path = copy_of(name, {}, workspace)
    assert path == workspace.home / "runbooks" / f"{workspace.clock.now():%Y-%m-%d}_{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.execution_count for cell in code)
    assert all(cell.metadata["jupyter"]["source_hidden"] for cell in code)
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ())]
    forms = [i for i, cell in enumerate(notebook.cells) if f'form("{name}")' in cell.source]
    assert forms == [i + 1 for i in tagged]
    shown = [(i, one) for i, cell in enumerate(notebook.cells) for one in cell.get("outputs", ())]
    assert [i for i, _ in shown] == forms  # what makes the form appear, and no more
    assert all("notebook:run-cell" in one.data["application/javascript"] for _, one in shown)
    assert not forms or NotebookNotary().check_signature(notebook)


def test_a_copy_has_the_given_parameters_and_never_replaces_another(workspace: Workspace) -> None:
    first = copy_of("kill_switch", {"action": "engage", "reason": "Störung"}, workspace)
    second = copy_of("kill_switch", {}, workspace)
    assert second.name == first.name.replace(".ipynb", "_2.ipynb")
    assert 'action: str = "engage"' in nbformat.read(first, as_version=4).cells[1].source
    assert "Störung" in first.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="must be one of status, engage, release"):
        copy_of("kill_switch", {"action": "engag"}, workspace)
    with pytest.raises(UnknownNameError, match="kill_swich"):
        copy_of("kill_swich", {}, workspace)


def test_a_copy_speaks_the_language_of_its_workspace(home: Path, configure: Any) -> None:
    """Also one that a link of the start page makes, in the server of JupyterLab, which has said nothing before."""
    configure('language = "en"', 'language = "de"')
    title, *_ = nbformat.read(copy_of("monitoring_round", {}, Workspace(home)), as_version=4).cells
    assert title.source.startswith("# Überwachungsrundgang")


def test_a_copy_that_cannot_be_written_is_a_sentence(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.home / "runbooks").write_text("in the way")
    with pytest.raises(EnvironmentFault, match="must be a folder"):
        copy_of(START, {}, workspace)
    broken = tmp_path / "notebooks"
    broken.mkdir()
    (broken / f"{START}.ipynb").write_text("{")
    monkeypatch.setattr(lab, "share_dir", lambda: tmp_path)
    with pytest.raises(NotebookError, match="cannot be read as a notebook"):
        copy_of(START, {}, workspace)


def test_the_command_prints_the_path_of_the_copy(peaktrade: Any) -> None:
    ended = peaktrade("lab", "session_run", "-p", "steps=12", "--no-open", "--json")
    path = Path(json.loads(ended.stdout)["path"])
    assert (ended.code, path.is_file()) == (0, True)
    assert peaktrade("lab", "session_run", "-p", "steps=0", "--no-open").code == 2


def test_jupyterlab_gets_the_workspace_and_asks_nobody(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/theirs")
    path = copy_of(START, {}, workspace)
    command = lab_command(path, workspace, ("--port=9999",))
    assert f"--ServerApp.root_dir={workspace.home}" in command
    assert command[-1] == "--port=9999"
    ours, theirs = lab_environment(workspace)["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    settings = json.loads(Path(ours, "labconfig", "default_setting_overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"] == {"checkForUpdates": False, "fetchNews": "false"}
    assert theirs == "/theirs"


_ENDS_WHEN_ASKED = """
import os, pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getppid(), signal.SIGTERM)
signal.sigwait([signal.SIGTERM])
pathlib.Path(sys.argv[1]).write_text("ended")
"""


def test_a_jupyterlab_ends_with_the_command_that_started_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def raised(*_: object) -> None:
        raise SystemExit

    ended = tmp_path / "ended"
    monkeypatch.setattr(lab, "lab_command", lambda *_: [sys.executable, "-c", _ENDS_WHEN_ASKED, str(ended)])
    before = signal.signal(signal.SIGTERM, raised)
    try:
        with pytest.raises(KeyboardInterrupt):
            open_lab(copy_of(START, {}, workspace), workspace)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.read_text() == "ended"


@pytest.mark.parametrize("name", [(), ("kill_switch",)])
def test_options_after_two_dashes_are_jupyterlabs_with_and_without_a_name(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, name: tuple[str, ...]
) -> None:
    opened: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(lab, "fill_in", lambda *_: None)
    monkeypatch.setattr(lab, "open_lab", lambda path, _, options: opened.append((path.stem, tuple(options))) or 0)
    CliRunner().invoke(cli, ["lab", "--home", str(workspace.home), *name, "--", "--port", "9999"])
    [(stem, options)] = opened
    assert (stem.endswith(name[0] if name else START), options) == (True, ("--port", "9999"))


def test_every_picker_is_there_and_reads_an_empty_workspace(workspace: Workspace) -> None:
    for parameter in PICKERS:
        assert isinstance(suggested(parameter, workspace, "session_run"), list), parameter
    assert {one.value for one in suggested("strategy", workspace, "")} >= {"ma_crossover", "rsi_reversion"}
    assert suggested("anything", workspace, "") == []
    names = {one.name for info in list_runbooks() for one in info.parameters}
    assert names >= set(PICKERS)


def test_pickers_offer_findings_timeframes_and_drills(workspace: Workspace) -> None:
    found = {one.value: one.label for one in suggested("finding", workspace, "findings")}
    assert found["volatility_regimes"].endswith("?")
    path = workspace.home / "config" / "findings" / "broken.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("question = 1")
    assert {one.value for one in suggested("finding", workspace, "findings")} == {*found, "broken"}
    series = Series("kraken", "BTC/EUR", "2h")
    CandleStore.of_workspace(workspace.home).put(series, [Bar(7200.0, 1.0, 1.0, 1.0, 1.0, 1.0)])
    stored, *usual = suggested("timeframe", workspace, "sweep")
    assert stored == ("2h", "stored: BTC/EUR")
    assert ("1d", "") in usual
    drill = DrillBook(workspace.home, workspace.clock).begin(
        find_scenario(workspace.home, "disconnect"), operator="Ada"
    )
    told = f"{drill.scenario.title} · running · Ada"
    assert suggested("drill", workspace, "incident_data_gap") == [(drill.drill_id, told)]
    assert [one.value for one in suggested("drill_id", workspace, "drill_report")] == ["latest", drill.drill_id]


def test_a_picker_that_cannot_read_suggests_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_: Workspace) -> list[Any]:
        raise PermissionError("no")

    monkeypatch.setattr(pickers, "symbols", unreadable)
    assert suggested("symbol", workspace, "") == []


def shown(name: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, **space: Any) -> SimpleNamespace:
    """Return a form, the names it sets, what it said last, and how to send it something."""
    made = ParametersForm(name, workspace, space)
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(made, "send", said.append)
    return SimpleNamespace(form=made, space=space, said=said, send=lambda **one: made._handle_custom_msg(one, []))


def test_a_field_sets_the_name_and_the_cell(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    it = shown("session_run", workspace, monkeypatch, steps=77)
    fields = {one["name"]: one for one in it.form.fields}
    assert fields["steps"]["value"] == 77
    assert "BTC/EUR" in [one["value"] for one in fields["symbol"]["choices"]]
    assert [one["name"] for one in it.form.fields if one["rare"]] == ["answers", "resume"]
    it.send(name="steps", value="150")
    assert it.space["steps"] == 150
    assert "steps: int = 150 " in it.form.source
    it.send(name="steps", value="abc")
    assert it.space["steps"] == 150
    assert "steps: int = 150 " in it.form.source
    assert it.said[-1]["said"] == "✕ steps = 'abc' must be a whole number from 1 to 10000000; 150 stays"
    assert it.form.urgent == {}


def test_a_number_between_two_others_has_a_slider_of_round_steps_and_a_day_a_calendar(workspace: Workspace) -> None:
    def fields(name: str) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in ParametersForm(name, workspace, {}).fields}

    assert fields("monitoring_round")["every_minutes"]["slide"] == [5.0, 30.0, 1.0]
    run = fields("session_run")
    assert run["position_fraction"]["slide"] == [0.001, 1.0, 0.001]
    assert [run[name]["slide"] for name in ("steps", "seed", "start_balance", "symbol")] == [
        []
    ] * 4  # too many steps, or none
    day = fields("daily_report")["date"]
    assert (day["time"], day["closed"], [one["value"] for one in day["choices"]]) == (
        "day",
        False,
        ["today", "yesterday"],
    )
    assert (fields("backtest")["since"]["time"], fields("backtest")["strategy"]["time"]) == ("day", "")


def test_the_red_button_needs_a_reason_and_engages(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    it = shown("kill_switch", workspace, monkeypatch, operator="Ada")
    assert it.form.urgent["label"] == "Stop every session now"
    it.send(urgent=" ")
    assert "say why" in it.said[-1]["said"]
    assert not KillSwitch.of(workspace).status().engaged
    it.send(urgent="strange fills")
    now = KillSwitch.of(workspace).status()
    assert (now.engaged, now.by, now.reason) == (True, "Ada", "strange fills")
    assert it.said[-1]["urgent"] is True
    assert it.said[-1]["said"].startswith("✓ NO_ORDERS for every session")


def test_without_a_person_there_is_no_form() -> None:
    assert form("kill_switch") is None
