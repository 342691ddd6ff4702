"""What was exercised lately and what was not: alert rules, deny codes, runbooks, drill scenarios.

Something counts as exercised when the artefacts show it within the time: an alert that was raised, a denial in a
record, evidence of a finished runbook, a drill that a person did. What cannot be read makes the rest *unknown*, never "no".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

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
RULE, CODE, RUNBOOK, SCENARIO = "alert rule", "deny code", "runbook", "scenario"


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be exercised.

    Attributes:
        times: how often it was, in operation and in drills; last: when it was last; where: in which of the two.
    """

    kind: str
    name: str
    status: str
    times: int = 0
    last: datetime | None = None
    where: str = ""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What was exercised within ``days``; faults: what could not be read."""

    days: int
    rows: tuple[Covered, ...]
    faults: tuple[str, ...]

    def of(self, kind: str) -> list[Covered]:
        """Return the rows of one kind."""
        return [row for row in self.rows if row.kind == kind]


class _Seen:
    """Counts what was seen, when last, and where."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}
        self.last: dict[str, datetime] = {}
        self.where: dict[str, set[str]] = {}

    def add(self, name: str, at: datetime, where: str, times: int = 1) -> None:
        """Take one more sight into account."""
        self.times[name] = self.times.get(name, 0) + times
        self.last[name] = max(self.last.get(name, at), at)
        self.where.setdefault(name, set()).add(where)

    def rows(self, kind: str, names: Iterable[str], *, whole: bool) -> list[Covered]:
        """Return a row for each name; what was not seen is unknown where not everything could be read."""
        return [
            Covered(
                kind=kind,
                name=name,
                status=EXERCISED if name in self.times else NOT_EXERCISED if whole else UNKNOWN,
                times=self.times.get(name, 0),
                last=self.last.get(name),
                where=", ".join(sorted(self.where.get(name, ()))),
            )
            for name in names
        ]


def coverage(place: Workspace, days: int = DAYS) -> Coverage:
    """Return what was exercised in the last ``days``.

    Raises:
        ConfigError: the alert rules or the scenarios are not sound.
    """
    since = place.clock.now() - timedelta(days=days)
    drills, faults = DrillBook(place.home, place.clock).rows(since)
    done = [drill for drill in drills if drill.status == dr.DONE]
    drills_whole = not faults
    rules, rule_faults = _rules(place, done, since)
    codes, code_faults = _codes(place, done, since)
    runbooks, runbook_faults = _runbooks(place, done, since)
    practised = _Seen()
    for drill in done:
        if not drill.script:  # a script exercises rules and code, but nobody's hands
            practised.add(drill.scenario.name, drill.began_at, "drill")
    names: Mapping[str, list[str]] = {
        RULE: [rule.id for rule in alert_settings(place).rules],
        CODE: [code for code in DENY_CODES if code != "OK"],
        RUNBOOK: [info.name for info in list_runbooks() if info.kind == "runbooks"],
        SCENARIO: [scenario.name for scenario in scenarios(place.home)],
    }
    rows = [
        *rules.rows(RULE, names[RULE], whole=drills_whole and not rule_faults),
        *codes.rows(CODE, names[CODE], whole=drills_whole and not code_faults),
        *runbooks.rows(RUNBOOK, names[RUNBOOK], whole=drills_whole and not runbook_faults),
        *practised.rows(SCENARIO, names[SCENARIO], whole=drills_whole),
    ]
    every = (*faults, *rule_faults, *code_faults, *runbook_faults)
    return Coverage(days=days, rows=tuple(rows), faults=every)


def _rules(place: Workspace, done: list[Drill], since: datetime) -> tuple[_Seen, list[str]]:
    """Return which alert rules fired."""
    seen, faults = _Seen(), []
    for drill in done:
        for alert in {alert.what for alert in drill.alerts}:
            seen.add(alert, drill.began_at, "drill")
    try:
        for change in Alerts.of(place).log.changes():
            if isinstance(change, Raised) and as_utc(change.at) >= since:
                seen.add(change.rule_id, as_utc(change.at), "operation")
        if Alerts.of(place).log.faults:
            faults.append(f"{Alerts.of(place).log.path}: {Alerts.of(place).log.faults} lines cannot be read")
    except PeaktradeError as error:
        faults.append(str(error))
    return seen, faults


def _codes(place: Workspace, done: list[Drill], since: datetime) -> tuple[_Seen, list[str]]:
    """Return which codes denied orders."""
    seen, faults = _Seen(), []
    for drill in done:
        for code, times in drill.deny_codes.items():
            seen.add(code, drill.began_at, "drill", times)
    for entry in Registry.of(place).entries(Query()):
        record = entry.record
        if record is None:
            faults.append(f"{entry.path.name} cannot be read")
            continue
        counted = record.metrics.get("deny_codes")
        if record.started_at is None or record.started_at < since or not isinstance(counted, dict):
            continue
        for code, times in counted.items():
            seen.add(str(code), record.started_at, "operation", int(times) if isinstance(times, int) else 1)
    return seen, faults


def _runbooks(place: Workspace, done: list[Drill], since: datetime) -> tuple[_Seen, list[str]]:
    """Return which runbooks left finished evidence; rehearsals are examples and count nothing."""
    seen, faults = _Seen(), []
    for drill in done:
        for name in drill.runbooks:
            seen.add(name, drill.began_at, "drill")
    for evidence_id in EvidenceBook.of(place).ids():
        try:
            record = EvidenceBook.of(place).load(evidence_id)
        except PeaktradeError as error:
            faults.append(str(error))
            continue
        if record.ended_at is not None and not record.rehearsal and record.began_at >= since:
            seen.add(record.runbook, record.began_at, "operation")
    return seen, faults
