"""Sessions that ended badly: failed by an error, or gone without a word.

Source: operator workflow 5.1, 5.2 and 6.3 (failed, aborted, escalation), live-track runbook 12a.7.
"""

from __future__ import annotations

from datetime import timedelta

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.incidents.diagnosis import findings as dg
from peaktrade_core.incidents.diagnosis.facts import Facts, alert_sentences, said
from peaktrade_core.incidents.diagnosis.findings import Branch, Finding
from peaktrade_core.incidents.diagnosis.resume import flat_check, state_check
from peaktrade_core.incidents.incident import HIGH, MEDIUM
from peaktrade_core.runs.error_help import next_step
from peaktrade_core.runs.questions import DRAWDOWN_PAUSE, DRAWDOWN_REVIEW
from peaktrade_core.runs.views import SessionRow
from peaktrade_core.show.wording import moment

TOGETHER = timedelta(minutes=2)  # processes that end within this time ended of one cause
ENDED = ("completed", "failed", "aborted")
_TREATED = {
    "DataError": "incident_data_gap",
    "StrategyError": "",
    "EnvironmentFault": "health_check",
    "AccountUnavailable": "health_check",
}


def failed_session(facts: Facts) -> Finding:
    """Return whether the session failed, of what, and whether it is the second in a row."""
    record = facts.record
    if record.status != "failed":
        told = f"{record.session_id} is {record.status}" + (f": {facts.error}" if facts.error else "")
        return Finding(kind=dg.FAILED_SESSION, happened=False, evidence=(f"record: {told}",))
    row = _in_a_row(facts)
    which = "" if len(row) == 1 else ", the second in a row" if len(row) == 2 else f", number {len(row)} in a row"
    return Finding(
        kind=dg.FAILED_SESSION,
        happened=True,
        severity=HIGH if len(row) > 1 or _drawdown(facts) > DRAWDOWN_PAUSE else MEDIUM,
        evidence=(
            said(-1, record.finished_at, facts.error or "failed without an error"),
            _course(facts),
            *(f"before: {one.session_id} {one.status}: {one.notes}" for one in row[1:]),
            *alert_sentences(facts, "6", "4"),
        ),
        since=record.finished_at,
        until=record.finished_at,
        symptom=f"the session failed{which}",
        suspected=facts.error or "no error was written down",
        branches=_failed_branches(facts, row),
        resume=_resume(facts, row),
    )


def died(facts: Facts) -> Finding:
    """Return whether the session's process went without ending it."""
    record = facts.record
    gone = facts.error.startswith("ProcessDied") or facts.run_state == "died"
    if not gone:
        told = f"record: {record.status}" + (f", {facts.error}" if facts.error else "")
        return Finding(kind=dg.DIED, happened=False, evidence=(f"{told}; the process ended its session itself.",))
    others = _together(facts)
    asked = "asked it to stop" in facts.error
    return Finding(
        kind=dg.DIED,
        happened=True,
        severity=HIGH if others else MEDIUM,
        evidence=(
            said(-1, record.finished_at, facts.error or "started, and its process is gone"),
            _course(facts),
            *(f"{one.session_id} died too, {moment(one.ended_at)} UTC" for one in others),
            *alert_sentences(facts, "4", "10"),
        ),
        since=record.finished_at or (facts.last.ts if facts.last else None),
        until=record.finished_at,
        symptom="the process ended without a word" if not asked else "it was asked to stop and its process was killed",
        suspected="the machine" if others else "a person" if asked else "killed, out of memory, or a crash",
        branches=_died_branches(facts, others, asked),
        resume=(
            check("recovered", "Is the session recovered, with its figures?", record.status != "started", record.status,
                  "`peaktrade watch` or any command that lists sessions recovers it."),
            state_check(facts),
            flat_check(facts),
            _completed_since(facts),
        ),
    )  # fmt: skip


def _died_branches(facts: Facts, others: list[SessionRow], asked: bool) -> tuple[Branch, ...]:
    """Return the ways after a process that went (operator workflow 5.2)."""
    return (
        Branch(key="asked", situation="Somebody wanted it gone", action="Note who and why; start again when wanted.",
               supported=asked, why=facts.error if asked else "nobody asked it to stop"),
        Branch(key="machine", situation="The machine went down",
               action="Read the machine's log, then follow the runbook restart_after_maintenance.",
               supported=bool(others), why=f"{len(others)} other sessions died within two minutes", authority="pause"),
        Branch(key="process", situation="Only this process died",
               action="Look for `Out of memory` in the machine's log and at the run's console log; then start again.",
               supported=not others and not asked, why="no other session died at that time"),
        Branch(key="network", situation="The connection to the machine broke off",
               action="Start it with `peaktrade fleet start`, which outlives a terminal.", supported=None,
               why="no artefact can show a closed terminal"),
    )  # fmt: skip


def _course(facts: Facts) -> str:
    """Return how far the session came."""
    until = f", the last closed {moment(facts.last.ts)} UTC" if facts.last else ""
    return f"journal: {facts.events:,} events, {facts.bars:,} bars{until}"


def _failed_branches(facts: Facts, row: list[SessionRow]) -> tuple[Branch, ...]:
    """Return the escalation path of the workflow, and what the error asks for."""
    dd, kind = _drawdown(facts), facts.error.partition(":")[0].strip()
    treated = next((dg.RUNBOOK_OF[t.kind] for t in facts.troubles if t.where == "end"), _TREATED.get(kind, ""))
    step = next_step(facts.error)
    return (
        Branch(key="escalate", situation="The drawdown is above 10 %", action="Pause at once and escalate to the owner.",
               supported=dd > DRAWDOWN_PAUSE, why=f"drawdown {100 * dd:.2f} %", authority="pause"),
        Branch(key="pause", situation="Two failed in a row",
               action="Pause this mode, strategy and symbol until the root cause is found.",
               supported=len(row) > 1, why=f"{len(row)} failed in a row: {', '.join(one.session_id for one in row[:3])}",
               authority="pause"),
        Branch(key="its_runbook", situation="The error has a runbook of its own",
               action=f"Go on with {treated}." if treated else "Nothing to go on with.", supported=bool(treated),
               why=facts.error or "no error"),
        Branch(key="risk_review", situation="The drawdown is above 5 %", action="Risk review; adapt the strategy.",
               supported=DRAWDOWN_REVIEW < dd <= DRAWDOWN_PAUSE, why=f"drawdown {100 * dd:.2f} %"),
        Branch(key="investigate", situation="One failed", action=step[:1].upper() + step[1:],
               supported=len(row) == 1, why=facts.error or "no error"),
    )  # fmt: skip


def _in_a_row(facts: Facts) -> list[SessionRow]:
    """Return the failed sessions up to this one, newest first, this one included."""
    row = [facts.row]
    for one in facts.before:
        if one.status not in ENDED:
            continue
        if one.status != "failed":
            break
        row.append(one)
    return row


def _together(facts: Facts) -> list[SessionRow]:
    """Return the other sessions whose process went at the same time."""
    at = facts.record.finished_at
    return [
        row
        for row in (*facts.before, *facts.later)
        if row.notes.startswith("ProcessDied") and row.ended_at and at and abs(row.ended_at - at) <= TOGETHER
    ]


def _drawdown(facts: Facts) -> float:
    return facts.record.metric("max_drawdown") or 0.0


def _resume(facts: Facts, row: list[SessionRow]) -> tuple[Check, ...]:
    """Return the conditions for the next session."""
    return (
        check("cause", "Does the record name the cause?", bool(facts.error), facts.error or "no error",
              "Read the end of the journal and the run's console log."),
        check("row", "Is it the only failure in a row?", len(row) == 1, f"{len(row)} in a row",
              "Pause until the root cause is found and written down.", otherwise=WARN),
        check("drawdown", "Is the drawdown below 5 %?", _drawdown(facts) < DRAWDOWN_REVIEW, f"{100 * _drawdown(facts):.2f} %",
              "Risk review first; above 10 % the owner decides.", otherwise=WARN),
        state_check(facts),
        _completed_since(facts),
    )  # fmt: skip


def _completed_since(facts: Facts) -> Check:
    """Return whether a later session of the same mode completed."""
    later = next((row for row in facts.later if row.status == "completed"), None)
    return check(
        "since",
        "Did a later session of this mode complete?",
        later is not None,
        later.session_id if later else "none since",
        "Start a short one when the cause is removed: `peaktrade session run --steps 100`.",
        otherwise=WARN,
    )
