"""Two drills with scripts, a good one and a bad one, for the outputs of the drill report."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from peaktrade_core.domain.clock import FixedClock
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.drill_run import run_drill
from peaktrade_core.services.drill_log import DrillBook
from peaktrade_core.services.drill_scenarios import find_scenario

BEGAN = "2026-01-05T07:00:00+00:00"


def prepare_drills(home: Path) -> None:
    """Run the same scenario with a good and a bad script, and note what was learned from the second."""
    workspace = Workspace(home)
    workspace.clock = FixedClock(datetime.fromisoformat(BEGAN), timedelta(milliseconds=1))
    scenario = find_scenario(home, "disconnect")
    run_drill(workspace, scenario, operator="Ada", script="good")
    done = run_drill(workspace, scenario, operator="Ben", script="bad")
    DrillBook(home, workspace.clock).note(done.drill_id, "Read the error before you reach for the kill switch.")
