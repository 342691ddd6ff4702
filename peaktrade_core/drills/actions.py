"""What happened in a drill, read from its artefacts: the alert log, the incidents, the halts, the stops, the sessions.

What people did is on the disk, with its time. What a program did by itself is not an action of a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from peaktrade_core.alerts.alerts import Acknowledged, Changed, Raised, Silenced
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import PeaktradeError, SessionNotFoundError
from peaktrade_core.base.files import read_plain
from peaktrade_core.drills.drill import Drill, DrillTrace, Noted
from peaktrade_core.halts.scope import GLOBAL, STATES
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.incident import Incident
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

_STATE = re.compile(r"(\S+) trading-state (\S+) (\w+) -> (\w+) by (.*?): (.*)")
_PROGRAMS = ("alert rule ", "session ", "trigger", "watcher", "peaktrade", "drill")


def look(site: Workspace, session_id: str, faults: Sequence[Noted]) -> DrillTrace:
    """Return what the artefacts of a drill tell, in order of time.

    Args:
        site: the drill's workspace; session_id: the drilled session, empty where none began.
        faults: what was injected.

    Raises:
        ArtefactError, EnvironmentFault: an artefact cannot be read.
    """
    actions = [*_of_alerts(site), *_of_incidents(site), *_of_states(site), *_of_sessions(site, session_id)]
    return DrillTrace(tuple(faults), tuple(_alerts(site)), tuple(sorted(actions, key=lambda a: (a.at, a.what))))


def told_of(site: Workspace, drill: Drill, plain: Callable[[str], str] = str) -> Drill:
    """Return a drill's record with what its artefacts tell: its session, alerts, actions and runbooks.

    Args:
        site: the drill's workspace; drill: with its session and the faults that were injected.
        plain: takes what differs on another machine out of a text; the workspace's folder is taken out anyway.

    Raises:
        ArtefactError, EnvironmentFault: an artefact cannot be read.
    """
    seen = look(site, drill.session_id, drill.faults)
    status, error, codes = _session(site, drill.session_id)

    def same(text: str) -> str:
        return plain(text).replace(str(site.home), drill.workspace)

    return msgspec.structs.replace(
        drill,
        session_status=status,
        session_error=same(error),
        deny_codes=codes,
        alerts=tuple(msgspec.structs.replace(one, detail=same(one.detail)) for one in seen.alerts),
        actions=tuple(msgspec.structs.replace(one, detail=same(one.detail)) for one in seen.actions),
        runbooks=tuple(sorted(_runbooks(site))),
    )


def _session(site: Workspace, session_id: str) -> tuple[str, str, dict[str, int]]:
    """Return status, error and denials of the drilled session."""
    try:
        record = Views.of(site).record(session_id)
    except SessionNotFoundError:
        return "none", "no session began", {}
    return record.status, record.error or "", record.metrics.get("deny_codes") or {}


def _runbooks(site: Workspace) -> set[str]:
    """Return the runbooks that left evidence that can be read."""
    return {record.runbook for record in EvidenceBook.of(site).newest()}


def _alerts(site: Workspace) -> Iterable[Noted]:
    """Yield what the rules raised, and what became worse."""
    book = Alerts.of(site).log.refresh()
    for change in Alerts.of(site).log.changes():
        if isinstance(change, (Raised, Changed)) and (row := book.alerts.get(change.alert_id)):
            yield Noted(at=change.at, what=row.rule_id, severity=change.severity, detail=change.message)


def _of_alerts(site: Workspace) -> Iterable[Noted]:
    """Yield what people did with alerts."""
    book = Alerts.of(site).log.refresh()
    for change in Alerts.of(site).log.changes():
        if isinstance(change, Acknowledged) and (row := book.alerts.get(change.alert_id)):
            yield Noted(at=change.at, what="acknowledge", by=change.by, detail=row.rule_id)
        elif isinstance(change, Silenced):
            what = change.rule_id or change.run_id or ""
            yield Noted(at=change.at, what="silence", by=change.by, detail=f"{what}: {change.reason}")


def _of_incidents(site: Workspace) -> Iterable[Noted]:
    """Yield incidents that were opened, mitigated and closed; the detail begins with their kind."""
    for incident_id in IncidentBook.of(site).ids():
        incident = IncidentBook.of(site).load(incident_id)
        told = (("incident", incident.opened_at), ("mitigated", incident.mitigated_at), ("closed", incident.closed_at))
        for what, at in told:
            if at is not None:
                yield Noted(
                    at=as_utc(at),
                    what=what,
                    by=_who(incident, what),
                    detail=f"{incident.kind}: {incident.title}",
                    severity=incident.severity,
                )


def _who(incident: Incident, what: str) -> str:
    """Return who did something to an incident last."""
    return next((entry.by for entry in reversed(incident.timeline) if entry.action == what), incident.opened_by)


def _of_states(site: Workspace) -> Iterable[Noted]:
    """Yield halts, reductions and resumptions by people, from the operations log."""
    try:
        lines = read_plain(site.home / "logs" / "operations.log").decode(errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        found = _STATE.fullmatch(line)
        if found is None or found[5].startswith(_PROGRAMS):
            continue
        at, scope, before, after, by, why = found.groups()
        if not {before, after} <= set(STATES) or before == after == "ACTIVE":
            continue
        what = "resume" if STATES.index(after) < STATES.index(before) else "reduce" if after == "REDUCING" else "halt"
        if what != "resume" and scope == GLOBAL.text:
            what = "kill_switch"
        try:
            when = datetime.fromisoformat(at)
        except ValueError:  # a line that a killed process left half written, and the next one behind it
            continue
        yield Noted(at=when, what=what, by=by, detail=f"{scope}: {why}")


def _of_sessions(site: Workspace, session_id: str) -> Iterable[Noted]:
    """Yield a stop of the drilled session, and sessions that were started beside it."""
    if session_id and (asked := RunFolder(site.runs, session_id).stop_request()) and not asked.by.startswith(_PROGRAMS):
        at = asked.at or _begun(site, session_id)
        if at is not None:
            yield Noted(at=as_utc(at), what="stop", by=asked.by, detail=asked.reason)
    for row in Views.of(site).rows():
        if row.run_id != session_id and row.started_at is not None:
            yield Noted(at=as_utc(row.started_at), what="restart", by="operator", detail=row.run_id)


def _begun(site: Workspace, session_id: str) -> datetime | None:
    """Return when a session began, None where that is not known."""
    try:
        return Views.of(site).run(session_id).started_at
    except PeaktradeError:
        return None
