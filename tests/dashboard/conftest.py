"""A workspace with sessions of every kind, and the dashboards that look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Dashboard, make_history, make_page, new_workspace

from peaktrade_core.workspace.workspace import Workspace

TELL_ENVIRONMENT = "import os; print('|'.join(f'{k}={v}' for k, v in sorted(os.environ.items())))"
SLIDER = "import ipywidgets; ipywidgets.IntSlider(3)"
PLANTED = {"KRAKEN_API_SECRET": "canary-7f3a", "AWS_SECRET_ACCESS_KEY": "canary-7f3a", "LC_TIME": "C"}


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace that tests only read."""
    workspace = new_workspace(tmp_path_factory.mktemp("dashboard") / "home")
    make_history(workspace)
    return workspace


@pytest.fixture(scope="session")
def dashboard(history: Workspace) -> Iterator[Dashboard]:
    """Return the dashboard as it is shipped."""
    running = Dashboard(history.home)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def odd(history: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Return a dashboard of pages that need kernels, fail, hang, or are none."""
    pages = tmp_path_factory.mktemp("pages")
    make_page(pages, SLIDER, kind="view", interactive=True)
    make_page(pages, TELL_ENVIRONMENT, page="run", kind="view")
    make_page(pages, "secret_name = 1; secret_name / 0", page="system", kind="view")
    make_page(pages, "import time; time.sleep(300)", page="activity", kind="view")
    no_views: dict[str, dict[str, object]] = {
        "alerts": {},
        "wall": {"kind": "runbook"},
        "sessions": {"kind": "view", "side_effects": True},
    }
    for number, (page, metadata) in enumerate(no_views.items()):
        make_page(pages, f"open({str(pages / 'ran')!r} + '{number}', 'w').close()", page=page, **metadata)
    (pages / "control_center.ipynb").write_text('{"cells": [{"torn')
    running = Dashboard(history.home, pages=pages, env=PLANTED, kernels=3)
    yield running
    assert not list(pages.glob("ran*"))
    running.stop()
