"""Incident drills: what a scenario does to a session, what is expected of whom, and what happened.

Pure values; the score is computed in :mod:`peaktrade_core.drills.score`. Times are of the drill's clock: the
machine's where a person is drilled, the venue's where a script stands in for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.incidents.incident import KINDS as DIAGNOSES
from peaktrade_core.runs.handbook import SEVERITIES, handbook
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns

SCHEMA = 1
RUNNING, DONE, BROKEN_OFF, ABORTED = "running", "done", "broken off", "aborted"
ENDED_EARLY = {  # how a drill came to an end that is none, and has no score
    BROKEN_OFF: "it broke off before it was over",
    ABORTED: "its process was killed, or the machine went down, before it was over",
}
FAULTS = (
    "disconnect",
    "rate_limit",
    "bad_key",
    "gap",
    "outlier",
    "clock_skew",
    "reject_storm",
    "pnl_drop",
    "crash",
    "full_disk",
    "failed_channel",
    "small_limit",
)
MITIGATIONS = ("halt", "reduce", "stop", "keep")
ACTIONS = (
    "acknowledge",
    "silence",
    "incident",
    "mitigated",
    "closed",
    "halt",
    "reduce",
    "kill_switch",
    "resume",
    "stop",
    "restart",
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    Attributes:
        kind: one of :data:`FAULTS`.
        after_s: when, counted from the start of the session [s]; lasts_s: how long, 0 for good [s].
        size: of an outlier and a drop [fraction of the price], of a skew [s]; else unused.
    """

    kind: str
    after_s: float = 0.0
    lasts_s: float = 0.0
    size: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise UnknownNameError("fault", self.kind, FAULTS)
        if not (0.0 <= self.after_s <= 86_400.0 and 0.0 <= self.lasts_s <= 86_400.0):
            raise ConfigError(f"fault {self.kind}: after_s and lasts_s must be from 0 to 86400 seconds")
        if self.kind == "pnl_drop" and not 0.0 < self.size < 1.0:
            raise ConfigError(
                f"fault pnl_drop: size = {self.size!r} must be a fraction of the price, above 0 and below 1"
            )
        if self.kind == "outlier" and not -1.0 < self.size < 10.0:
            raise ConfigError(f"fault outlier: size = {self.size!r} must be a fraction of the price, from -1 to 10")


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is expected.

    Attributes:
        alerts: rules that must fire, all of them.
        diagnosis: kinds of incident that are right, any of them; severity: of it.
        mitigation: what holds the damage, any of :data:`MITIGATIONS`; ``keep`` leaves everything as it is.
        wrong: actions of :data:`ACTIONS` that do harm here.
        runbook: the notebook that treats it; without it the one of the handbook for the first diagnosis.
        detect_s: from the fault to the first of the alerts [s]; the others count from that alert [s].
    """

    alerts: tuple[str, ...]
    diagnosis: tuple[str, ...]
    severity: str
    mitigation: tuple[str, ...]
    runbook: str = ""
    wrong: tuple[str, ...] = ()
    detect_s: float = 120.0
    acknowledge_s: float = 60.0
    diagnose_s: float = 300.0
    mitigate_s: float = 600.0

    def __post_init__(self) -> None:
        for kind, given, known in (
            ("diagnosis", self.diagnosis, DIAGNOSES),
            ("mitigation", self.mitigation, MITIGATIONS),
            ("action", self.wrong, ACTIONS),
            ("severity", (self.severity,), SEVERITIES),
        ):
            for name in given:
                if name not in known:
                    raise UnknownNameError(kind, name, known)
        if not (self.alerts and self.diagnosis and self.mitigation):
            raise ConfigError("expect: alerts, diagnosis and mitigation must name at least one each")
        if not self.runbook:
            msgspec.structs.force_setattr(self, "runbook", handbook().runbook_of(self.diagnosis[0]))
        if not self.runbook:
            raise ConfigError(f"expect: name the runbook that treats {self.diagnosis[0]}; the handbook has none for it")
        if min(self.detect_s, self.acknowledge_s, self.diagnose_s, self.mitigate_s) <= 0.0:
            raise ConfigError("expect: the targets must be positive numbers of seconds")


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A drill as it stands in its file.

    Attributes:
        name: of the file; title, story: for people; the story tells what is seen, not what is wrong.
        session: wishes of the drilled session; config, alerts: over the workspace's configuration and rules, the latter
            by rule id.
        limit_s: the drill ends at the latest after so long [s].
    """

    name: str = ""
    title: str
    story: str
    fault: tuple[Fault, ...]
    expect: Expected
    seed: int = 7
    session: dict[str, Any] = {}
    config: dict[str, dict[str, Any]] = {}
    alerts: dict[str, dict[str, Any]] = {}
    limit_s: float = 1800.0

    def __post_init__(self) -> None:
        if not self.fault:
            raise ConfigError("a drill needs at least one [[fault]]")
        if not 10.0 <= self.limit_s <= 86_400.0:
            raise ConfigError(f"limit_s = {self.limit_s!r} must be from 10 to 86400 seconds")

    @property
    def own_process(self) -> bool:
        """Whether a fault takes the session's own process or disk, which then needs a process that may die."""
        return any(fault.kind in ("crash", "full_disk") for fault in self.fault)


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened in a drill: a fault, an alert, or an action of a person.

    Attributes:
        what: the fault's kind, the rule's id or one of :data:`ACTIONS`; by: who, for actions.
        detail: the incident's kind and severity, the scope, the message.
    """

    at: datetime
    what: str
    by: str = ""
    detail: str = ""
    severity: str = ""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """How one phase of the reaction went.

    Attributes:
        took_s: None where it never happened [s]; target_s: what was asked for [s].
        points: earned; says: what was seen.
    """

    name: str
    took_s: float | None
    target_s: float
    points: float
    says: str


SCORED = Columns[Phase](
    phase=Column("Phase", lambda p: p.name),
    took=Column("Took", lambda p: wording.duration(p.took_s), "number"),
    target=Column("Target", lambda p: wording.duration(p.target_s), "number", 1),
    points=Column("Points", lambda p: f"{p.points:g}", "number"),
    says=Column("What was seen", form="words"),
)


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How a drill went: each phase, what was done wrong at which cost, and the sum, 0 to 100."""

    phases: tuple[Phase, ...]
    wrong: tuple[str, ...]
    missed_alerts: tuple[str, ...]
    points: float
    passed: bool

    def phase(self, name: str) -> Phase:
        """Return one phase."""
        return next(phase for phase in self.phases if phase.name == name)


class DrillTrace(NamedTuple):
    """What the artefacts of a drill tell, in order of time: faults, alerts of the rules, actions of people."""

    faults: Sequence[Noted]
    alerts: Sequence[Noted]
    actions: Sequence[Noted]


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one drill.

    Attributes:
        drill_id: ``DRILL-YYYYMMDD-NN``; workspace: of the drill, below the real one.
        operator, role: who was drilled; script: ``good`` or ``bad`` where a script stood in, else empty.
        began_at, ended_at: of the machine, aware UTC; an aborted drill ended when that was noticed.
        began_local: its begin in Europe/Berlin.
        session_id: of the drilled session; events_sha256: of its journal, the venue's address apart; session_error: how it ended.
        faults, alerts, actions: what happened, on the drill's clock; runbooks: notebooks that left evidence in it.
        lessons: what was noted afterwards.
    """

    drill_id: str
    scenario: Scenario
    operator: str
    role: str
    script: str
    began_at: datetime
    began_local: str
    workspace: str
    status: str = RUNNING
    ended_at: datetime | None = None
    session_id: str = ""
    session_status: str = ""
    session_error: str = ""
    events_sha256: str = ""
    deny_codes: dict[str, int] = {}
    faults: tuple[Noted, ...] = ()
    alerts: tuple[Noted, ...] = ()
    actions: tuple[Noted, ...] = ()
    runbooks: tuple[str, ...] = ()
    score: Score | None = None
    lessons: str = ""
    schema: int = SCHEMA

    @property
    def early(self) -> str:
        """What to know and to do about a drill that ended before it was over, empty for any other."""
        if self.status not in ENDED_EARLY:
            return ""
        return (
            f"{ENDED_EARLY[self.status]}: no score. What happened so far is in its record, its workspace is kept; "
            f"begin it again with `peaktrade drill run {self.scenario.name}`"
        )


def points_of(drill: Drill | None) -> Cell:
    """Return what a drill scored, as lists show it."""
    if drill is None or drill.score is None:
        return Cell(wording.NOTHING)
    return Cell(f"{'✓' if drill.score.passed else '✕'} {drill.score.points:g}", GOOD if drill.score.passed else BAD)


def _took(drill: Drill, phase: str) -> str:
    return wording.NOTHING if drill.score is None else wording.duration(drill.score.phase(phase).took_s)


DRILLS = Columns[Drill](
    drill=Column("Drill", lambda d: d.drill_id),
    scenario=Column("Scenario", lambda d: d.scenario.name),
    operator=Column("Operator", lambda d: d.operator + (f" (script {d.script})" if d.script else ""), priority=1),
    began=Column("Began (UTC)", lambda d: d.began_at, priority=2),
    points=Column("Points", lambda d: points_of(d) if d.score else Cell(d.status, MID), "number"),
    detected=Column("Detected", lambda d: _took(d, "detection"), "number", 3),
    mitigated=Column("Mitigated", lambda d: _took(d, "mitigation"), "number", 3),
    lessons=Column("Lessons", form="words"),
)
