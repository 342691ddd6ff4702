"""Incidents in lists: what terminal, page and report show of each."""

from __future__ import annotations

from datetime import datetime

import msgspec

from peaktrade_core.incidents.incident import Incident
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns

UNREADABLE = "unreadable"  # status of the row that stands for a record nobody can read


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in a list.

    Attributes:
        status: open, mitigated, closed, or ``unreadable`` for a folder whose record nobody can read; fault: why.
        opened_at, closed_at: aware UTC; commander: who leads, empty while nobody does.
    """

    incident_id: str
    status: str
    severity: str = ""
    kind: str = ""
    title: str = ""
    subject: str = ""
    alerts: tuple[str, ...] = ()
    opened_at: datetime | None = None
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None
    commander: str = ""
    drill: str = ""
    fault: str = ""


def row_of(incident: Incident) -> IncidentRow:
    """Return an incident as a row."""
    fields = {name: getattr(incident, name) for name in IncidentRow.__struct_fields__ if hasattr(incident, name)}
    return IncidentRow(**fields, commander=incident.duties.get("commander", ""))


_TONES = {"low": GOOD, "medium": MID, "high": BAD}
INCIDENTS = Columns[IncidentRow](
    incident=Column("Incident", lambda row: row.incident_id),
    severity=Column("Severity", lambda row: Cell(row.severity, _TONES.get(row.severity, ""))),
    status=Column("Status"),
    opened=Column("Opened (UTC)", lambda row: row.opened_at, priority=1),
    leads=Column("Leads", lambda row: Cell(row.commander), priority=2),
    about=Column("About", lambda row: Cell(row.subject), priority=3),
    what=Column("What", lambda row: row.fault or (f"drill {row.drill}: " if row.drill else "") + row.title, "words"),
)
