"""The end of drills whose process is gone: what it left behind is ended, and the record says how far it came.

Nothing that was done is lost: faults stand in the record as they are injected, alerts and actions are read from the
drill's workspace. Whoever looks first does it, as with sessions.
"""

from __future__ import annotations

from collections import deque

from peaktrade_core.base.errors import EnvironmentFault, PeaktradeError
from peaktrade_core.drills import drill as dr
from peaktrade_core.drills.actions import told_of
from peaktrade_core.drills.drill import Drill
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.fleet.ending import end_runs
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.session.recovery import recover
from peaktrade_core.workspace.workspace import Workspace, open_site

PATIENCE_S = 2.0  # how long a session of a dead drill may take to obey before its process is killed [s]
GONE = "the drill's process is gone"


def close_dead(workspace: Workspace) -> list[Drill]:
    """Close every drill of this machine whose process is gone as ``aborted``, and return their records.

    A drill that cannot be closed now (disk full) is left for later.

    Args:
        workspace: whose drill log; nothing is opened where it has none.
    """
    closed: list[Drill] = []
    if not (workspace.reports / "drills").is_dir():
        return closed
    book = DrillBook(workspace.home, workspace.clock)
    for drill_id in book.unended():
        presence = book.presence(drill_id)
        try:
            if not presence.inherit():
                continue
            book.settle(drill_id)
            drill = book.load(drill_id)
            if drill.status == dr.RUNNING:  # nobody was faster
                closed.append(_close(book, drill))
            presence.leave()
        except PeaktradeError:
            continue
        finally:
            presence.release()
    return closed


def _close(book: DrillBook, drill: Drill) -> Drill:
    """End what a dead drill left behind, and close its record."""
    if book.site(drill).is_dir():
        site = open_site(book.site(drill))
        if drill.session_id:
            _end_session(site, drill.session_id)
        recover(site)
    return book.finish(so_far(book, drill), dr.ABORTED)


def _end_session(site: Workspace, session_id: str) -> None:
    """End the drilled session where it outlived the drill.

    Raises:
        EnvironmentFault: it still runs; says why.
    """
    folder, now = RunFolder(site.runs, session_id), site.clock.now()
    if not folder.alive():
        return
    ended = deque(end_runs([folder], by="drill", reason=GONE, at=now, deadline_s=PATIENCE_S, force=False), maxlen=1)
    if ended[0].outcome == "running":
        raise EnvironmentFault(f"{session_id} still runs: {ended[0].message}")


def so_far(book: DrillBook, drill: Drill) -> Drill:
    """Return a drill's record with what its workspace tells so far; as it is where that cannot be read."""
    try:
        return told_of(open_site(book.site(drill)), drill) if book.site(drill).is_dir() else drill
    except PeaktradeError:
        return drill
