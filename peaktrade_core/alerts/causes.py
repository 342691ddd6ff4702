"""Open alerts by cause: what went wrong once may raise many alerts, and a person treats it once.

A cause is a rule together with the chapter of the handbook that treats what it found. The page, the wall and
``peaktrade alerts list`` show these groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.changes import escalates_in
from peaktrade_core.alerts.desk import ALERTS, OPEN, Alerts, severity_cell
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.runbooks.notebooks.lab import open_command, takes
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.show import wording
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.workspace.workspace import Workspace


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An open alert as one of a cause: how old it is, and in how long it escalates unless somebody takes it on [s]."""

    alert: AlertRow
    age_s: float
    escalates_in_s: float | None = None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, with all alerts that it raised, the most urgent first.

    Attributes:
        severity: the worst of them; owner: who treats it, empty where the rule names none.
        chapter: of the handbook; runbook: the notebook that treats it, with its title; command: opens it.
        age_s: of the oldest [s]; escalates_in_s: until the first escalates [s], null where none will.
        escalates_to: the channels that are told then.
        free: how many of them nobody has taken on.
    """

    rule_id: str
    severity: str
    owner: str
    chapter: str
    runbook: str
    title: str
    command: str
    age_s: float
    escalates_in_s: float | None
    escalates_to: tuple[str, ...]
    free: int
    alerts: tuple[OpenAlert, ...]

    @property
    def message(self) -> str:
        """What the most urgent of them says."""
        return self.alerts[0].alert.message

    @property
    def item(self) -> dict[str, Any]:
        """What programs get: its fields, of its alerts the id, age and countdown."""
        found = [
            {"alert_id": a.alert.alert_id, "age_s": a.age_s, "escalates_in_s": a.escalates_in_s} for a in self.alerts
        ]
        return {**msgspec.structs.asdict(self), "alerts": found}


def urgency(row: AlertRow) -> tuple[bool, int, float]:
    """Return what alerts are sorted by: those that wait for a person first, then the worst, then the newest."""
    return not row.waits, -row.rank, -row.raised_at.timestamp()


def causes(workspace: Workspace, rows: Iterable[AlertRow] | None = None) -> list[Cause]:
    """Return the open alerts by cause, the most urgent cause first.

    Args:
        rows: only these alerts; without them all that are open.
    """
    try:
        rules = {rule.id: rule for rule in alert_settings(workspace).rules}
    except PeaktradeError:
        rules = {}  # no rule is asked, so nothing escalates; `peaktrade alerts rules` says why
    now = workspace.clock.now()
    groups: dict[tuple[str, str], list[OpenAlert]] = {}
    for row in sorted(Alerts.of(workspace).rows(OPEN) if rows is None else rows, key=urgency):
        rule = rules.get(row.rule_id)
        one = OpenAlert(
            alert=row,
            age_s=max(0.0, (now - row.raised_at).total_seconds()),
            escalates_in_s=escalates_in(rule, row, now) if rule else None,
        )
        groups.setdefault((row.rule_id, row.runbook), []).append(one)
    return [_cause(one, tuple(rules[one[0].alert.rule_id].escalate_to) if one[0].alert.rule_id in rules else ())
            for one in groups.values()]  # fmt: skip


def _cause(found: list[OpenAlert], escalates_to: tuple[str, ...]) -> Cause:
    first = found[0].alert
    runbook, given = runbook_of(first)
    chapter = handbook().chapter.get(first.runbook)
    waits = [one.escalates_in_s for one in found if one.escalates_in_s is not None]
    return Cause(
        rule_id=first.rule_id,
        severity=max(found, key=lambda one: one.alert.rank).alert.severity,
        owner=first.owner,
        chapter=first.runbook,
        runbook=runbook,
        title=chapter.title if chapter else "",
        command=open_command(runbook, given),
        age_s=max(one.age_s for one in found),
        escalates_in_s=min(waits, default=None),
        escalates_to=escalates_to if waits else (),
        free=sum(one.alert.free for one in found),
        alerts=tuple(found),
    )


def runbook_of(row: AlertRow) -> tuple[str, dict[str, str]]:
    """Return the notebook that treats what an alert is about, empty without one, and the parameters that fill it in."""
    chapter = handbook().chapter.get(row.runbook)
    runbook = chapter.notebook if chapter else ""
    return runbook, {"alert_id": row.alert_id} if row.run_id and "alert_id" in takes(runbook) else {}


def treatment(row: AlertRow) -> tuple[str, dict[str, str]]:
    """Return the notebook that begins with an alert, and its parameters: the one that takes it, else the alerts' own."""
    runbook, given = runbook_of(row)
    return (runbook, given) if given else ("alert_handling", {"action": "ack", "alert_id": row.alert_id})


ONES = Columns[OpenAlert](
    alert=Column("Alert", lambda one: one.alert.alert_id),
    severity=Column("Severity", lambda one: severity_cell(one.alert.severity), priority=2),
    age=Column("Age", lambda one: wording.duration(one.age_s), "number"),
    about=Column("About", lambda one: one.alert.run_id or one.alert.key or "the workspace"),
    what=Column("What", lambda one: one.alert.message, "words"),
    state=Column("State", lambda one: ALERTS.cell(one.alert, "state"), "words"),
    told=Column("Told", lambda one: ALERTS.cell(one.alert, "told"), "words", 3),
)


def parts_of(found: Iterable[Cause]) -> list[Table | str]:
    """Return what a terminal shows of causes: each with its countdown, owner, alerts, and the command of its runbook."""
    shown: list[Table | str] = []
    for cause in found:
        shown.append(ONES.table(_headline(cause), cause.alerts))
        shown.append(f"runbook {cause.chapter}: {cause.command}" if cause.command else "no runbook")
    return [*shown, "take one on: peaktrade alerts ack ALERT --by NAME"]


def _headline(cause: Cause) -> str:
    parts = [f"{severity_cell(cause.severity)} {cause.rule_id}: {wording.many(len(cause.alerts), 'alert')}"]
    parts += [f"{cause.free} not taken on"] if cause.free else []
    parts += [f"oldest {wording.duration(cause.age_s)}"] if len(cause.alerts) > 1 else []
    if cause.escalates_in_s is not None:
        when = f"in {wording.duration(cause.escalates_in_s)}" if cause.escalates_in_s else "now"
        parts.append(f"escalates {when} to {', '.join(cause.escalates_to)}")
    return ", ".join([*parts, *([f"owner {cause.owner}"] if cause.owner else [])])
