"""What the tests of the watching runbooks share: a runbook in hand, sessions that fail, a run that goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from peaktrade_core.desk.demo import Fragile, fragile
from peaktrade_core.runbooks import runbook as rb
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.strategies import register, scratch_registry
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until


@pytest.fixture
def begin(workspace: Workspace) -> Callable[..., Any]:
    """Return a function that begins a runbook in Ada's name, without a person to wait for."""

    def run(name: str = "monitoring_round", **options: Any) -> Any:
        return rb.begin(name, workspace, operator="Ada", **options)

    return run


@pytest.fixture
def run_failing(run_shadow: Callable[..., SessionRecord]) -> Callable[[], SessionRecord]:
    """Return a function that runs a session whose strategy divides by zero."""

    def run() -> SessionRecord:
        with scratch_registry():
            register("fragile_for_watch", Fragile, slots=lambda _: 1, warmup=lambda _: 0, tier="core")(fragile)
            return run_shadow(strategy="fragile_for_watch", steps=600, warmup_candles=200, seed=3)

    return run


@pytest.fixture
def running(start: Callable[..., subprocess.Popen[str]], workspace: Workspace) -> subprocess.Popen[str]:
    """Return the process of a session that goes on for as long as the test wants."""
    process = start("session", "run", "--pace", "600", "--steps", "100000")
    runs = Views.of(Workspace(workspace.home)).runs
    until(lambda: any(row.state == "running" and row.step for row in runs()) or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    return process
