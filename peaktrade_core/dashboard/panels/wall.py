"""The wall screen: few figures, large enough to be read from across the room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from peaktrade_core.alerts.causes import causes
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.dashboard.panels.live_track import status
from peaktrade_core.runs.run import ACTIVE, ENDED
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

LINES, ALERTS, HALTS, SIDE = (
    6,
    3,
    2,
    2,
)  # what fits a screen of 1920x1080: lines of runs, causes, halts; ended beside runs
TURN_S = 10  # for so long a part is shown where there is more than fits [s]


class Slide(NamedTuple):
    """What is shown now of something that may not fit: the things, and which part of how many."""

    shown: Sequence[Any]
    number: int = 1
    of: int = 1


def turn(things: Sequence[Any], most: int, seconds: float) -> Slide:
    """Return the part of some things that has its turn; each is shown for :data:`TURN_S`.

    Args:
        things: all of them; most: so many fit; seconds: since any moment, of a clock that all screens share.
    """
    parts = max(1, -(-len(things) // most))
    number = int(seconds // TURN_S) % parts
    return Slide(things[number * most : (number + 1) * most], number + 1, parts)


@panel("wall")
def _wall(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer, from four metres away: is all well, what runs, what did today bring?"""
    runs, told = Views.of(workspace).runs(limit=200), status(workspace, asked)
    active = [row for row in runs if row.state in ACTIVE]
    ended = [row for row in runs if row.state in ENDED]
    halts = told["whole"].trading.halts
    lines = LINES - min(len(halts), HALTS)
    now = workspace.clock.now().timestamp()
    running = turn(active, max(1, lines - SIDE), now)
    return {
        **told,
        "runs": running,
        "latest": ended[: max(1, lines - len(running.shown))],
        "causes": turn(causes(workspace), ALERTS - bool(halts), now),
        "halts": turn(halts, HALTS, now),
    }
