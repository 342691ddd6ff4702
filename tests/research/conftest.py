"""What the tests of research share: compiled strategies, candles in waves, and a second workspace."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture(autouse=True)
def shared_code(request: pytest.FixtureRequest) -> None:
    """Share compiled strategies wherever a test has a workspace."""
    if "home" in request.fixturenames:
        request.getfixturevalue("compiled")


@pytest.fixture
def wavy(tmp_path: Path) -> Path:
    """Return hourly candles in waves, on which some trials gain."""
    from test_sweep import candles_file

    return candles_file(tmp_path / "wavy.parquet", 0.002)


@pytest.fixture
def other(tmp_path: Path, home: Path) -> Workspace:
    """Return a second workspace of the same configuration."""
    shutil.copytree(home / "config", tmp_path / "other" / "config")
    return Workspace(tmp_path / "other")
