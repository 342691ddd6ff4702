"""What was exercised lately and what was not: alert rules, deny codes, runbooks, drill scenarios.

Something counts as exercised when the artefacts show it within the time: an alert that was raised, a denial in a
record, evidence of a finished runbook, a drill that a person did. What cannot be read makes the rest *unknown*, never "no".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.drills import drill as dr
from peaktrade_core.drills.drill import Drill
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import scenarios
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.trading.risk import DENY_CODES
from peaktrade_core.workspace.workspace import Workspace

DAYS = 90
EXERCISED, NOT_EXERCISED, UNKNOWN = "exercised", "not exercised", "unknown"
RULE, CODE, RUNBOOK, SCENARIO, TRACE = "alert rule", "deny code", "runbook", "scenario", "trace"


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be exercised.

    Attributes:
        times: how often it was, in operation and in drills; last: when it was last; where: in which of the two.
        by: the id of what showed it last: a session, an alert, evidence, a drill.
    """

    kind: str
    name: str
    status: str
    times: int = 0
    last: datetime | None = None
    where: str = ""
    by: str = ""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What was exercised within ``days``; faults: what could not be read."""

    days: int
    rows: tuple[Covered, ...]
    faults: tuple[str, ...]

    def of(self, kind: str) -> list[Covered]:
        """Return the rows of one kind."""
        return [row for row in self.rows if row.kind == kind]


class Sighting(NamedTuple):
    """One sight of a thing: when, by what (an id), where (``operation`` or ``drill``)."""

    at: datetime
    by: str
    where: str


class _Seen:
    """Counts what was seen, when last, by what, and where."""

    def __init__(self, since: datetime, until: datetime | None) -> None:
        self._since, self._until = since, until
        self.times: dict[str, int] = {}
        self.last: dict[str, Sighting] = {}
        self.where: dict[str, set[str]] = {}

    def add(self, name: str, at: datetime, where: str, by: str, times: int = 1) -> None:
        """Take one more sight into account, if it is of the time that is asked about."""
        if at < self._since or (self._until is not None and at >= self._until):
            return
        self.times[name] = self.times.get(name, 0) + times
        self.last[name] = max(self.last.get(name, Sighting(at, by, where)), Sighting(at, by, where))
        self.where.setdefault(name, set()).add(where)

    def rows(self, kind: str, names: Iterable[str], *, whole: bool) -> list[Covered]:
        """Return a row for each name; what was not seen is unknown where not everything could be read."""
        return [
            Covered(
                kind=kind,
                name=name,
                status=EXERCISED if name in self.times else NOT_EXERCISED if whole else UNKNOWN,
                times=self.times.get(name, 0),
                last=self.last[name].at if name in self.last else None,
                where=", ".join(sorted(self.where.get(name, ()))),
                by=self.last[name].by if name in self.last else "",
            )
            for name in names
        ]


class Exercised:
    """What the artefacts of a time show: by kind, what was seen, and what could not be read."""

    def __init__(self, place: Workspace, since: datetime, until: datetime | None) -> None:
        drills, faults = DrillBook(place.home, place.clock).rows(since)
        done = [drill for drill in drills if drill.status == dr.DONE]
        self.seen = {kind: _Seen(since, until) for kind in (RULE, CODE, RUNBOOK, SCENARIO, TRACE)}
        self.fault_of: dict[str, list[str]] = {SCENARIO: faults}
        for drill in done:
            _take(drill, self.seen)
        for kind, read in ((RULE, _rules), (CODE, _codes), (RUNBOOK, _runbooks)):
            self.fault_of[kind] = read(place, self.seen)

    @property
    def faults(self) -> tuple[str, ...]:
        """What could not be read, each once."""
        return tuple(dict.fromkeys(fault for found in self.fault_of.values() for fault in found))

    def last(self, kind: str, name: str) -> Sighting | None:
        """Return the last sight of a thing."""
        return self.seen[kind].last.get(name)

    def rows(self, kind: str, names: Iterable[str]) -> list[Covered]:
        """Return a row for each thing of a kind."""
        whole = not (self.fault_of[SCENARIO] or self.fault_of.get(kind))
        return self.seen[kind].rows(kind, names, whole=whole)


def exercised(place: Workspace, since: datetime, until: datetime | None = None) -> Exercised:
    """Return what the artefacts of a time show, with the traces that controls name: ledger, halts, alerts taken on, jobs."""
    from peaktrade_core.drills.traces import take_traces

    found = Exercised(place, since, until)
    found.fault_of[TRACE] = take_traces(place, found.seen[TRACE].add)
    return found


def coverage(place: Workspace, days: int = DAYS) -> Coverage:
    """Return what was exercised in the last ``days``.

    Raises:
        ConfigError: the alert rules or the scenarios are not sound.
    """
    found = Exercised(place, place.clock.now() - timedelta(days=days), None)
    names: Mapping[str, list[str]] = {
        RULE: [rule.id for rule in alert_settings(place).rules],
        CODE: [code for code in DENY_CODES if code != "OK"],
        RUNBOOK: [info.name for info in list_runbooks() if info.kind == "runbooks"],
        SCENARIO: [scenario.name for scenario in scenarios(place.home)],
    }
    rows = tuple(row for kind, wanted in names.items() for row in found.rows(kind, wanted))
    return Coverage(days=days, rows=rows, faults=found.faults)


def _take(drill: Drill, seen: Mapping[str, _Seen]) -> None:
    """Take what a drill exercised; a script exercises rules and codes, but nobody's hands."""
    at, by = drill.began_at, drill.drill_id
    for alert in {alert.what for alert in drill.alerts}:
        seen[RULE].add(alert, at, "drill", by)
    for code, times in drill.deny_codes.items():
        seen[CODE].add(code, at, "drill", by, times)
    for name in drill.runbooks:
        seen[RUNBOOK].add(name, at, "drill", by)
    if not drill.script:
        seen[SCENARIO].add(drill.scenario.name, at, "drill", by)


def _rules(place: Workspace, seen: Mapping[str, _Seen]) -> list[str]:
    """Take which alert rules fired."""
    log = Alerts.of(place).log
    try:
        for change in log.changes():
            if isinstance(change, Raised):
                seen[RULE].add(change.rule_id, as_utc(change.at), "operation", change.alert_id)
    except PeaktradeError as error:
        return [str(error)]
    return [f"{log.path}: {log.faults} lines cannot be read"] if log.faults else []


def _codes(place: Workspace, seen: Mapping[str, _Seen]) -> list[str]:
    """Take which codes denied orders."""
    faults = []
    for entry in Registry.of(place).entries(Query()):
        record = entry.record
        if record is None:
            faults.append(f"{entry.path.name} cannot be read")
            continue
        counted = record.metrics.get("deny_codes")
        if record.started_at is None or not isinstance(counted, dict):
            continue
        for code, times in counted.items():
            often = int(times) if isinstance(times, int) else 1
            seen[CODE].add(str(code), record.started_at, "operation", record.session_id, often)
    return faults


def _runbooks(place: Workspace, seen: Mapping[str, _Seen]) -> list[str]:
    """Take which runbooks left finished evidence; rehearsals are examples and count nothing."""
    faults = []
    for evidence_id in EvidenceBook.of(place).ids():
        try:
            record = EvidenceBook.of(place).load(evidence_id)
        except PeaktradeError as error:
            faults.append(str(error))
            continue
        if record.ended_at is not None and not record.rehearsal:
            seen[RUNBOOK].add(record.runbook, record.began_at, "operation", evidence_id)
    return faults
