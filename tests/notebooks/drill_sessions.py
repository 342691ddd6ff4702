"""What the drill report and the runbook of a PnL divergence need to see: two drills, and a session with wrong costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.environment import environment
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.workspace.workspace import FIXED_CLOCK, Workspace
from tests.notebooks.divergence_sessions import prepare_divergence

BEGAN = "2026-01-05T07:00:00+00:00"


def prepare_drills(home: Path) -> None:
    """Run the same scenario with a good and a bad script, and note what was learned from the second."""
    workspace = Workspace(home)
    workspace.clock = FixedClock(datetime.fromisoformat(BEGAN), timedelta(milliseconds=1))
    scenario = find_scenario(home, "disconnect")
    run_drill(workspace, scenario, operator="Ada", script="good")
    done = run_drill(workspace, scenario, operator="Ben", script="bad")
    DrillBook(home, workspace.clock).note(done.drill_id, "Read the error before you reach for the kill switch.")


def _scene(add: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return what adds something to a workspace under the fixed clock, so that ids of sessions are the same ones."""

    def under_fixed_clock(home: Path) -> None:
        with environment({FIXED_CLOCK: BEGAN}):
            add(home)

    return under_fixed_clock


DRILL_SCENES = {"drill_report": _scene(prepare_drills), "incident_pnl_divergence": _scene(prepare_divergence)}
