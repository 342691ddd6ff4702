"""A scripted drill as tests run it."""

from __future__ import annotations

from peaktrade_core.drills.drill import Drill
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.workspace.workspace import Workspace


def drilled(workspace: Workspace, name: str, script: str = "good") -> Drill:
    """Return the record of a scenario that was run with a script."""
    return run_drill(workspace, find_scenario(workspace.home, name), operator="Anna Example", script=script)
