"""Which runs of the fleet are due to be replaced: a pure question over what is on the disk."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from peaktrade_core.fleet.launches import Launch
from peaktrade_core.workspace.settings import ON_FAILURE

WINDOW = timedelta(hours=1)  # what ended longer ago belongs to another shift


class Past(NamedTuple):
    """A run of the fleet that ended.

    Attributes:
        launch: how it was started.
        status: ``completed``, ``failed`` or ``aborted``; ended_at: when.
        by_person: somebody asked it to stop; halted: what it trades is halted.
    """

    launch: Launch
    status: str
    ended_at: datetime
    by_person: bool = False
    halted: bool = False


def due_restarts(past: Iterable[Past], replaced: Collection[str], now: datetime) -> list[Launch]:
    """Return the launches to be made again, oldest first.

    A run is replaced when its policy says so, it failed or its process died, its wait is over, and nothing forbids it:
    it was not stopped by a person, what it trades is not halted, it has no successor, and its attempts are not used up.

    Args:
        past: runs that ended.
        replaced: ids of runs that have a successor.
        now: aware UTC.
    """
    due = [
        run
        for run in past
        if run.launch.order.restart.policy == ON_FAILURE
        and run.status in ("failed", "aborted")
        and not run.by_person
        and not run.halted
        and run.launch.run_id not in replaced
        and run.launch.attempt < run.launch.order.restart.max_restarts
        and ready_at(run) <= now <= ready_at(run) + WINDOW
    ]
    return [run.launch for run in sorted(due, key=lambda run: run.ended_at)]


def ready_at(run: Past) -> datetime:
    """Return when the wait before a run's restart is over; it doubles with each attempt."""
    seconds = min(run.launch.order.restart.backoff_s * 2.0**run.launch.attempt, 86_400.0)
    return run.ended_at + timedelta(seconds=seconds)
