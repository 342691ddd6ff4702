"""A browser for the tests: the machine's own Chrome or Chromium, and a dashboard to look at."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from peaktrade_core.edge.bootstrap import Workspace

REPO = Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "tests" / "dashboard"))
from serving import Dashboard, make_history  # noqa: E402  (shared with the HTTP tests)
from watching import Watched  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return the browser; without one a developer's run skips and CI fails."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        said = "no Chrome or Chromium found: install one (apt install chromium, brew install --cask chromium)"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield running
        running.close()


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with sessions of every kind."""
    home = tmp_path_factory.mktemp("browser") / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((REPO / "config" / "config.toml").read_bytes())
    workspace = Workspace(home)
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
