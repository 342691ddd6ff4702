"""In which of the newest sessions something happened that an incident runbook treats: what ``latest`` means to it.

With four failed sessions and a healthy one after them, the newest session would reassure falsely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.incidents.book import IncidentBook, IncidentRow
from peaktrade_core.incidents.diagnosis.findings import Diagnosis, Occurrence
from peaktrade_core.runbooks.notebooks.lab import notebook_link
from peaktrade_core.runbooks.pickers import Suggestion
from peaktrade_core.runs.run import Run, name_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show.table import BAD, Cell, Table
from peaktrade_core.show.wording import NOTHING, many, moment
from peaktrade_core.workspace.workspace import Workspace

LOOKED_AT = 20  # sessions: of those with a process, then the newest


class Seen(NamedTuple):
    """A session that an incident runbook may be about.

    Attributes:
        run: the session; finding: the worst that happened in it, None where nothing is known to have.
        fault: why not all of it can be told, empty where it can.
        incident: the newest one about it of such a kind, None without one; exercises do not count.
    """

    run: Run
    finding: Occurrence | None = None
    fault: str = ""
    incident: IncidentRow | None = None

    @property
    def says(self) -> str:
        """What happened, empty where nothing did."""
        return f"✕ {self.finding.title}" if self.finding else ""

    @property
    def open(self) -> bool:
        """Whether it is still to be treated: it happened, and no incident about it was closed."""
        return self.finding is not None and (self.incident is None or self.incident.status != "closed")


def lately(workspace: Workspace, kinds: Iterable[str], diagnosed: Callable[[str], Diagnosis]) -> list[Seen]:
    """Return the newest sessions, newest first, each with whether something of these kinds happened in it.

    Args:
        workspace: where; kinds: of incidents.
        diagnosed: returns the diagnosis of a session by its id; what it cannot read is told, not raised.
    """
    wanted = frozenset(kinds)
    known: dict[str, IncidentRow] = {}
    for row in IncidentBook.of(workspace).rows(drills=False):
        if row.kind in wanted:
            known.setdefault(row.subject, row)
    return [_look(run, wanted, diagnosed, known.get(run.run_id)) for run in Views.of(workspace).runs(LOOKED_AT)]


def newest_of_its_kind(workspace: Workspace, seen: Sequence[Seen]) -> str:
    """Return the session that ``latest`` means: the newest that is still to be treated, else the newest that can be told of.

    Raises:
        SessionNotFoundError: there is no session at all.
    """
    for wanted in (lambda one: one.open, lambda one: not one.fault):
        if found := next((one.run.run_id for one in seen if wanted(one)), ""):
            return found
    return Views.of(workspace).resolve("latest")


def lately_table(notebook: str, seen: Sequence[Seen], chosen: str) -> Table:
    """Return where it happened as a table, each session with the way to this runbook about it.

    Args:
        notebook: the runbook; seen: of :func:`lately`; chosen: the id of the session that is looked at.
    """
    happened = [one for one in seen if one.finding is not None]
    rows = [
        (
            "→ this one" if one.run.run_id == chosen else "",
            Cell(one.run.run_id, href=notebook_link(notebook, {"session_id": one.run.run_id})),
            name_of(one.run),
            moment(one.run.started_at),
            Cell(one.says, BAD),
            f"{one.incident.incident_id} {one.incident.status}" if one.incident else NOTHING,
        )
        for one in happened
    ]
    columns = ("", "Session", "What", "Began (UTC)", "What happened", "Incident")
    note = "Another one: set its id as session_id and run from the top." if len(rows) > 1 else ""
    unknown = [one for one in seen if one.finding is None and one.fault]
    empty = f"In none. Looked at: the newest {many(len(seen) - len(unknown), 'session')}."
    if unknown:
        first = unknown[0]
        doubt = f"? Not known of {many(len(unknown), 'session')}; {first.run.run_id}: {first.fault}"
        note, empty = f"{note} {doubt}".strip(), f"{empty} {doubt}"
    return Table("In which sessions did it happen lately?", columns, rows, note=note, empty=empty)


def lately_suggestions(seen: Iterable[Seen]) -> list[Suggestion]:
    """Return what to pick a session from: what ``latest`` means, then those in which it happened."""
    found = [Suggestion(one.run.run_id, f"{one.says} · {name_of(one.run)}") for one in seen if one.finding is not None]
    return [Suggestion("latest", "the newest in which it happened"), *found]


def _look(run: Run, kinds: frozenset[str], diagnosed: Callable[[str], Diagnosis], known: IncidentRow | None) -> Seen:
    try:
        found = diagnosed(run.run_id)
    except PeaktradeError as error:
        return Seen(run, fault=str(error), incident=known)
    return Seen(run, found.worst(*kinds), "; ".join(found.faults), known)
