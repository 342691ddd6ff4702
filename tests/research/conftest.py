"""Compiled code is shared by all tests of a run, also by those of other workers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "numba"


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
