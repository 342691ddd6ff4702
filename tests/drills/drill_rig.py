"""A scripted drill as tests run it."""

from __future__ import annotations

from peaktrade_core.domain.drills import Drill
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.drills.run import run_drill
from peaktrade_core.services.drill_scenarios import find_scenario


def drilled(workspace: Workspace, name: str, script: str = "good") -> Drill:
    """Return the record of a scenario that was run with a script."""
    return run_drill(workspace, find_scenario(workspace.home, name), operator="Anna Example", script=script)
