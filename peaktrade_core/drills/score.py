"""How the reaction to a drill is judged: four phases against their targets, less what did harm. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from peaktrade_core.drills.drill import DrillTrace, Expected, Noted, Phase, Scenario, Score

POINTS = {"detection": 10.0, "acknowledgement": 20.0, "diagnosis": 35.0, "mitigation": 35.0}
PASS_FROM = 70.0
WRONG_COST = 15.0  # of each wrong action
WRONG_SEVERITY = 10.0
PATIENCE = 3.0  # a phase that takes so many times its target earns nothing


def score(scenario: Scenario, seen: DrillTrace) -> Score:
    """Return how a reaction is to be judged.

    A phase earns its points in full up to its target, nothing from :data:`PATIENCE` times the target on, and in between
    in proportion. Each wrong action costs :data:`WRONG_COST`.
    """
    expect = scenario.expect
    began = min((fault.at for fault in seen.faults), default=None)
    right = [a for a in seen.alerts if a.what in expect.alerts and (began is None or a.at >= began)]
    alarm = right[0].at if right else None
    since = alarm or began
    incident = next((a for a in seen.actions if a.what == "incident" and _kind(a) in expect.diagnosis), None)
    mitigated, how = _mitigated(expect, seen.actions)
    severe = incident is not None and incident.severity != expect.severity
    phases = (
        _phase("detection", began, alarm, expect.detect_s, right[0].what if right else "no expected alert was raised"),
        _acknowledged(since, seen.actions, expect.acknowledge_s),
        _phase(
            "diagnosis",
            since,
            incident.at if incident else None,
            expect.diagnose_s,
            (incident.detail if incident else f"no incident of kind {' or '.join(expect.diagnosis)} was opened")
            + (f", severity should be {expect.severity}" if severe else ""),
            WRONG_SEVERITY if severe else 0.0,
        ),
        _phase("mitigation", since, mitigated, expect.mitigate_s, how),
    )
    wrong = _wrong(expect, seen.actions)
    fired = {alert.what for alert in seen.alerts}
    points = max(0.0, sum(phase.points for phase in phases) - WRONG_COST * len(wrong))
    return Score(
        phases=phases,
        wrong=wrong,
        missed_alerts=tuple(name for name in expect.alerts if name not in fired),
        points=round(points, 1),
        passed=points >= PASS_FROM and mitigated is not None,
    )


def _phase(
    name: str, since: datetime | None, at: datetime | None, target_s: float, says: str, less: float = 0.0
) -> Phase:
    """Return a phase with its points."""
    took = (at - since).total_seconds() if at is not None and since is not None else None
    if took is None:
        return Phase(name=name, took_s=None, target_s=target_s, points=0.0, says=says)
    share = min(1.0, max(0.0, (PATIENCE * target_s - took) / ((PATIENCE - 1.0) * target_s)))
    points = max(0.0, POINTS[name] * share - less)
    return Phase(name=name, took_s=max(0.0, took), target_s=target_s, points=round(points, 1), says=says)


def _acknowledged(since: datetime | None, actions: Sequence[Noted], target_s: float) -> Phase:
    """Return when the alert was taken on: by an acknowledgement, or by opening an incident."""
    first = next(
        (a for a in actions if a.what in ("acknowledge", "incident") and (since is None or a.at >= since)), None
    )
    says = f"{first.what} by {first.by}" if first else "the alert was not taken on"
    return _phase("acknowledgement", since, first.at if first else None, target_s, says)


def _mitigated(expect: Expected, actions: Sequence[Noted]) -> tuple[datetime | None, str]:
    """Return when the damage was held and by what: the incident must say so, and the artefacts must show it."""
    said = next((a for a in actions if a.what == "mitigated" and _kind(a) in expect.diagnosis), None)
    if said is None:
        return None, "no incident of the right kind was marked as mitigated"
    done = [
        a for a in actions if a.what in expect.mitigation or (a.what == "kill_switch" and "halt" in expect.mitigation)
    ]
    if done:
        return max(said.at, done[0].at), f"{done[0].what} by {done[0].by}"
    if "keep" in expect.mitigation:
        return said.at, f"kept as it was, said {said.by}"
    return None, f"it was said to be mitigated, but there was no {' or '.join(expect.mitigation)}"


def _wrong(expect: Expected, actions: Sequence[Noted]) -> tuple[str, ...]:
    """Return what was done wrong, in sentences."""
    told = []
    for action in actions:
        if action.what in expect.wrong:
            told.append(f"{action.what} by {action.by}: {action.detail}")
        elif action.what == "incident" and _kind(action) not in expect.diagnosis:
            told.append(f"wrong diagnosis by {action.by}: {action.detail}")
    return tuple(told)


def _kind(action: Noted) -> str:
    """Return the kind of incident that an action is about."""
    return action.detail.partition(":")[0]
