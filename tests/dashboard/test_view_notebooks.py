"""How a view notebook becomes a page: what the server fills in by itself and what needs a kernel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from serving import make_page

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.dashboard.labs.shelf import SHIPPED
from peaktrade_core.dashboard.pages import (
    PAGES,
    PageAddress,
    PageSpec,
    needs_kernel,
    panel_of,
    read_view,
    weave,
)
from peaktrade_core.dashboard.panels import CONFIG_PATH, PANELS, open_page
from peaktrade_core.workspace.workspace import HOME

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "dashboards"
NOTEBOOKS = sorted(path for path in FOLDER.glob("*.ipynb") if path.stem not in SHIPPED)


def panels_of(notebook: dict[str, Any]) -> list[str]:
    return [name for cell in notebook["cells"] if (name := panel_of(cell))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_shipped_page_has_an_address_shows_known_panels_and_needs_no_kernel(path: Path) -> None:
    notebook = read_view(path)
    assert path.stem in {spec.name for spec in PAGES}
    assert set(panels_of(notebook)) <= set(PANELS)
    assert panels_of(notebook)
    assert not needs_kernel(notebook)


def test_only_whole_calls_are_panels(tmp_path: Path) -> None:
    for source, expected in {
        'page.panel("status")': ["status"],
        "page.panel('status')\n": ["status"],
        'page.panel("status"); import os': [],
        'page.panel("sta" + "tus")': [],
        '# page.panel("status")': [],
        'page.panel("../status")': [],
    }.items():
        notebook = read_view(make_page(tmp_path / str(len(source)), source, kind="view") / "live_track.ipynb")
        assert panels_of(notebook) == expected
        assert needs_kernel(notebook) is not bool(expected)


def test_panels_are_filled_in_place_and_code_stays(tmp_path: Path) -> None:
    folder = make_page(tmp_path, 'page.panel("status")', kind="view")
    raw = json.loads((folder / "live_track.ipynb").read_text())
    raw["cells"].append({**raw["cells"][0], "id": "two", "source": ["1 +\n", " 1"]})
    (folder / "live_track.ipynb").write_text(json.dumps(raw))
    notebook = read_view(folder / "live_track.ipynb")
    assert needs_kernel(notebook)
    first, second = weave(notebook, lambda name: f"<b>{name}</b>")["cells"]
    assert (first["cell_type"], first["source"]) == ("raw", "<b>status</b>")
    assert (second["cell_type"], second["source"]) == ("code", "1 +\n 1")


def test_notebook_that_changes_is_read_again(tmp_path: Path) -> None:
    path = make_page(tmp_path, "1", kind="view") / "live_track.ipynb"
    assert needs_kernel(read_view(path))
    make_page(tmp_path, 'page.panel("status")', kind="view")
    assert not needs_kernel(read_view(path))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": [{}], "metadata": {}}', '{"cells": 1, "metadata": {}}'])
def test_file_that_is_no_notebook_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "live_track.ipynb"
    path.write_text(text)
    with pytest.raises(ArtefactError, match="live_track"):
        read_view(path)


def test_twin_gets_the_subject_quoted_and_only_shared_parameters() -> None:
    spec = PageSpec("/session/{session_id}", "session", twin="/api/live_sessions/{session_id}", shared=("mode",))
    assert PageAddress(spec, "a/b?c", "mode=x&zone=y").twin() == "/api/live_sessions/a%2Fb%3Fc?mode=x"


def test_path_takes_one_part_without_slash() -> None:
    pattern = re.compile(PageSpec("/session/{session_id}", "session").pattern)
    assert pattern.fullmatch("/session/abc")
    assert not pattern.fullmatch("/session/a/b")
    assert not pattern.fullmatch("/session/")


def test_a_person_who_opens_a_page_by_itself_is_told_and_sees_the_newest_session(
    run_shadow, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run_shadow(steps=20)
    told: list[object] = []
    monkeypatch.setenv(HOME, str(home))
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", told.append)
    assert record.session_id in open_page().panel("session")
    assert ["peaktrade dashboard" in str(one) for one in told] == [True]
    monkeypatch.setenv(CONFIG_PATH, str(home / "config" / "config.toml"))
    assert "names no session" in open_page().panel("session")
    assert len(told) == 1
