"""The score: targets, wrong actions, and what must be there before a damage counts as held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from peaktrade_core.drills.drill import DrillTrace, Expected, Fault, Noted, Scenario, Score
from peaktrade_core.drills.score import score

T0 = datetime(2026, 1, 5, 8, tzinfo=UTC)
ALARM_S = 60.0


def scenario(**expect: Any) -> Scenario:
    known: dict[str, Any] = {
        "alerts": ("stale-feed",),
        "diagnosis": ("data_gap",),
        "severity": "medium",
        "mitigation": ("reduce", "halt"),
        "runbook": "incident_data_gap",
        "wrong": ("resume",),
        "detect_s": 100.0,
        "acknowledge_s": 60.0,
        "diagnose_s": 300.0,
        "mitigate_s": 600.0,
    }
    return Scenario(title="t", story="s", fault=(Fault(kind="gap"),), expect=Expected(**{**known, **expect}))


def noted(after_s: float, what: str, detail: str = "", severity: str = "") -> Noted:
    return Noted(at=T0 + timedelta(seconds=after_s), what=what, by="anna", detail=detail, severity=severity)


GOOD = (
    noted(ALARM_S + 30, "acknowledge", "stale-feed"),
    noted(ALARM_S + 120, "incident", "data_gap: bars are missing", "medium"),
    noted(ALARM_S + 180, "reduce", "shadow.x: gap"),
    noted(ALARM_S + 200, "mitigated", "data_gap: bars are missing", "medium"),
)


def judged(*actions: Noted, alarm: bool = True, **expect: Any) -> Score:
    alerts = (noted(ALARM_S, "stale-feed"),) if alarm else ()
    return score(scenario(**expect), DrillTrace((noted(0, "gap"),), alerts, actions))


def test_who_does_everything_in_time_has_all_points() -> None:
    found = judged(*GOOD)
    assert (found.points, found.passed, found.wrong, found.missed_alerts) == (100.0, True, (), ())
    assert [phase.took_s for phase in found.phases] == [60.0, 30.0, 120.0, 200.0]


@pytest.mark.parametrize(("took_s", "points"), [(60.0, 20.0), (120.0, 10.0), (180.0, 0.0), (900.0, 0.0)])
def test_a_late_acknowledgement_earns_less(took_s: float, points: float) -> None:
    late = judged(noted(ALARM_S + took_s, "acknowledge"), *GOOD[2:])
    assert late.phase("acknowledgement").points == points


def test_what_was_done_before_the_alarm_is_no_reaction_to_it() -> None:
    assert judged(noted(ALARM_S - 30, "acknowledge"), *GOOD[2:]).phase("acknowledgement").took_s is None


def test_a_wrong_diagnosis_costs_and_is_none() -> None:
    wrong = noted(ALARM_S + 120, "incident", "network: the line is down", "medium")
    found = judged(GOOD[0], wrong, *GOOD[2:])
    assert found.phase("diagnosis").points == 0.0
    assert found.wrong == ("wrong diagnosis by anna: network: the line is down",)
    later = judged(GOOD[0], wrong, noted(ALARM_S + 150, "incident", "data_gap: x", "medium"), *GOOD[2:])
    assert (later.phase("diagnosis").points, later.points) == (35.0, 85.0)
    severity = judged(GOOD[0], noted(ALARM_S + 120, "incident", "data_gap: x", "high"), *GOOD[2:])
    assert severity.phase("diagnosis").points == 25.0


def test_saying_that_it_is_mitigated_is_not_enough() -> None:
    said = judged(GOOD[0], GOOD[1], GOOD[3])
    assert said.phase("mitigation").took_s is None
    assert "there was no reduce or halt" in said.phase("mitigation").says
    assert not said.passed
    halted = judged(GOOD[0], GOOD[1], GOOD[2])
    assert (halted.phase("mitigation").took_s, halted.passed) == (None, False)
    assert judged(GOOD[0], GOOD[1], GOOD[3], mitigation=("keep",)).passed


def test_the_later_of_word_and_deed_counts() -> None:
    found = judged(*GOOD[:2], noted(ALARM_S + 900, "halt"), GOOD[3])
    assert found.phase("mitigation").took_s == 900.0


def test_the_kill_switch_is_a_halt_and_may_be_wrong_all_the_same() -> None:
    switch = noted(ALARM_S + 100, "kill_switch", "global: to be safe")
    found = judged(*GOOD[:2], switch, GOOD[3], wrong=("kill_switch",))
    assert (found.phase("mitigation").points, found.points) == (35.0, 85.0)


def test_each_wrong_action_costs_and_the_sum_is_never_negative() -> None:
    wrong = [noted(ALARM_S + n, "resume", "shadow.x: it will be fine") for n in range(20)]
    assert judged(*GOOD, wrong[0]).points == 85.0
    assert judged(*GOOD, *wrong).points == 0.0


def test_without_an_alarm_times_count_from_the_fault() -> None:
    found = judged(*GOOD, alarm=False)
    assert found.missed_alerts == ("stale-feed",)
    assert found.phase("detection").points == 0.0
    assert found.phase("mitigation").took_s == 260.0


def test_nothing_happened_at_all() -> None:
    found = score(scenario(), DrillTrace((), (), ()))
    assert (found.points, found.passed) == (0.0, False)
