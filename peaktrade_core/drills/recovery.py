"""The end of drills whose process is gone: what it left behind is ended, and the record says how far it came.

Nothing that was done is lost: faults stand in the record as they are injected, alerts and actions are read from the
drill's workspace. Whoever looks first does it, as with sessions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import EnvironmentFault, PeaktradeError
from peaktrade_core.drills import actions as drill_actions
from peaktrade_core.drills import drill as dr
from peaktrade_core.drills.actions import told_of
from peaktrade_core.drills.drill import Drill
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.fleet.ending import end_runs

PATIENCE_S = 2.0  # how long a session of a dead drill may take to obey before its process is killed [s]
GONE = "the drill's process is gone"


class Site(drill_actions.Site, Protocol):
    """The workspace of a drill."""

    clock: Clock

    def recover(self) -> object:
        """End its sessions whose process is gone."""


def close_dead(book: DrillBook, open_site: Callable[[Path], Site]) -> list[Drill]:
    """Close every drill of this machine whose process is gone as ``aborted``, and return their records.

    A drill that cannot be closed now (disk full) is left for later.

    Args:
        book: the drill log; open_site: opens the workspace in which a drill took place.
    """
    closed = []
    for drill_id in book.unended():
        presence = book.presence(drill_id)
        try:
            if not presence.inherit():
                continue
            drill = book.load(drill_id)
            if drill.status == dr.RUNNING:  # nobody was faster
                closed.append(_close(book, drill, open_site))
            presence.leave()
        except PeaktradeError:
            continue
        finally:
            presence.release()
    return closed


def _close(book: DrillBook, drill: Drill, open_site: Callable[[Path], Site]) -> Drill:
    """End what a dead drill left behind, and close its record."""
    if book.site(drill).is_dir():
        site = open_site(book.site(drill))
        if drill.session_id:
            _end_session(site, drill.session_id)
        site.recover()
    return book.finish(so_far(book, drill, open_site), dr.ABORTED)


def _end_session(site: Site, session_id: str) -> None:
    """End the drilled session where it outlived the drill.

    Raises:
        EnvironmentFault: it still runs; says why.
    """
    folder, now = site.run_folder(session_id), site.clock.now()
    if not folder.alive():
        return
    ended = deque(end_runs([folder], by="drill", reason=GONE, at=now, deadline_s=PATIENCE_S, force=False), maxlen=1)
    if ended[0].outcome == "running":
        raise EnvironmentFault(f"{session_id} still runs: {ended[0].message}")


def so_far(book: DrillBook, drill: Drill, open_site: Callable[[Path], Site]) -> Drill:
    """Return a drill's record with what its workspace tells so far; as it is where that cannot be read."""
    try:
        return told_of(open_site(book.site(drill)), drill) if book.site(drill).is_dir() else drill
    except PeaktradeError:
        return drill
