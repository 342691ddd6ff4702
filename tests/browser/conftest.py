"""A dashboard to look at, and a page that notes what goes wrong on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "tests" / "dashboard"))
from browsing import Watched  # noqa: E402
from serving import Dashboard, make_history, new_workspace  # noqa: E402  (shared with the HTTP tests)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with sessions of every kind."""
    workspace = new_workspace(tmp_path_factory.mktemp("browser") / "home")
    make_history(workspace)
    return workspace


@pytest.fixture(scope="session")
def dashboard(history: Workspace) -> Iterator[Dashboard]:
    """Return a dashboard over it that refreshes every second."""
    running = Dashboard(history.home, refresh=1)
    yield running
    running.stop()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """Return a watched page in a fresh context."""
    watched = Watched(browser)
    yield watched
    watched.context.close()
