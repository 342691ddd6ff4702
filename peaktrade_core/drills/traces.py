"""Traces by which controls are exercised beside alerts, denials, runbooks and drills.

Entries of the ledger, lines in the log of halts, alerts that were taken on or escalated, and jobs that went well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from peaktrade_core.alerts.alerts import Acknowledged, Escalated
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.schedule.job_log import RunLog
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

Trace = tuple[str, datetime, str]  # name, when, by what
LEDGER, HALT, ALERT, JOB = "ledger", "halt", "alert", "job"


def take_traces(place: Workspace, add: Callable[[str, datetime, str, str], None]) -> list[str]:
    """Give every trace to ``add`` (name, when, where, by what), and return what could not be read."""
    faults = []
    for read in (_ledger, _halts, _alerts, _jobs):
        try:
            for name, at, by in read(place):
                add(name, at, "operation", by)
        except PeaktradeError as error:
            faults.append(str(error))
    return faults


def _ledger(place: Workspace) -> Iterator[Trace]:
    for link, _ in Ledger.of(place).links():
        yield f"{LEDGER}:{link.kind}", link.at, str(link.data.get("id") or f"entry {link.seq + 1}")


def _halts(place: Workspace) -> Iterator[Trace]:
    for entry in TradingStates.of(place).log.look().entries:
        yield f"{HALT}:{entry.kind}", entry.at, entry.request or entry.by


def _alerts(place: Workspace) -> Iterator[Trace]:
    kinds = {Acknowledged: "acknowledged", Escalated: "escalated"}
    for change in Alerts.of(place).log.changes():
        if name := kinds.get(type(change)):
            yield f"{ALERT}:{name}", as_utc(change.at), str(getattr(change, "alert_id", ""))


def _jobs(place: Workspace) -> Iterator[Trace]:
    history = RunLog(place.reports / "schedule", place.clock).history()
    for job in history.jobs:
        for run in history.runs(job):
            if run.end is not None and run.end.status == "completed":
                yield f"{JOB}:{job}", as_utc(run.end.at), run.end.run_id
