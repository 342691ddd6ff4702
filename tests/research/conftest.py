"""What the tests of research share: compiled strategies, candles in waves, and a second workspace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where compiled strategies are kept, by all tests of a run and all its workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "numba"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def home(home: Path, cache: Path) -> Path:
    """Return a fresh workspace folder whose compiled strategies are those of all tests of a run."""
    (home / ".cache").mkdir()
    (home / ".cache" / "numba").symlink_to(cache, target_is_directory=True)
    return home


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
