"""People with real keys, a workspace that they govern, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.changes.book import Changes
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import REPO
from tests.people.conftest import Moving
from tests.people.conftest import clock as clock
from tests.people.conftest import key_of as key_of
from tests.people.conftest import names as names
from tests.people.conftest import team as team


@pytest.fixture(autouse=True)
def _all_files(home: Path) -> None:
    """Give the workspace alert rules and jobs, as `peaktrade init` does."""
    for name in ("alerts.toml", "jobs.toml"):
        (home / "config" / name).write_bytes((REPO / "config" / name).read_bytes())


@pytest.fixture
def again(workspace: Workspace, clock: Moving) -> Callable[[], Changes]:
    """Return a function that opens the changes anew, as another process would."""

    def of() -> Changes:
        place = Workspace(workspace.home)
        place.clock = clock
        return Changes.of(place)

    return of
