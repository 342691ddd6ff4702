"""What goes wrong in a session itself, told by its journal and record: limits that were reached, and how it ended.

Source: operational runbooks 8.1 to 8.3, operator workflow 5.1, 5.2 and 6.3, live-track runbook 12a.7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, timedelta

from peaktrade_core.base.question import FAIL, WARN, Check
from peaktrade_core.incidents.diagnosis.facts import (
    ConditionAnswer,
    SessionFacts,
    alert_sentences,
    all_alerts,
    conditions,
    nothing,
    said,
    sentences,
)
from peaktrade_core.incidents.diagnosis.findings import Occurrence, Support, branches, cause
from peaktrade_core.runs.handbook import denial_help, denials_about, error_help, handbook
from peaktrade_core.runs.questions import of_drawdown
from peaktrade_core.runs.run import Run
from peaktrade_core.show.wording import many, moment, money, quote_currency, times
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import finite

DRAWDOWN = "MAX_DRAWDOWN_HALT"
TOGETHER = timedelta(minutes=2)  # processes that end within this time ended of one cause
ENDED = ("completed", "failed", "aborted")


def risk_limit(facts: SessionFacts) -> Occurrence:
    """Return whether a limit denied orders or halted the session, and what that asks for."""
    of_others = denials_about("halt", "price", "venue")
    denials = [d for d in facts.denials if d.code not in of_others]
    halts = [halt for halt in facts.halts if halt.code == DRAWDOWN]
    if not denials and not halts:
        return nothing(facts, "risk_limit", *_denied_otherwise(facts))
    codes = Counter(denial.code for denial in denials)
    events = sorted((*denials, *halts), key=lambda e: e.seq)
    named = times(dict(codes.most_common()))
    symptom = f"{many(len(denials), 'order')} blocked" + (f": {named}" if named else "")
    meanings = "; ".join(denial_help(code).meaning for code, _ in codes.most_common(2))
    return Occurrence(
        kind="risk_limit",
        happened=True,
        severity="high" if halts else "medium",
        evidence=_limit_evidence(facts, denials, halts),
        since=events[0].ts,
        until=events[-1].ts,
        symptom=symptom + ("; the session halted by its drawdown" if halts else ""),
        suspected=meanings or cause("risk_limit", "drawdown"),
        branches=branches("risk_limit", _limit_ways(facts, set(codes), halts)),
        resume=_limit_resume(facts, denials, halts),
    )


def _limit_ways(facts: SessionFacts, codes: set[str], halts: list[ev.Halt]) -> dict[str, Support]:
    """Return what speaks for the ways of 8.3, and for the two that the workflow and our own limits add."""
    loss, pace, size = (codes & denials_about(about) for about in ("loss", "pace", "size"))
    other = codes - loss - pace - size
    generated = facts.record.metric("orders_generated") or 0.0
    blocked = facts.record.metric("orders_blocked_risk") or 0.0
    share = f"{blocked:.0f} of {generated:.0f} orders were blocked; {_sizing(facts)}"
    halted = said(halts[0].seq, halts[0].ts, f"halt{_figures(halts[0].value, halts[0].limit)} percent") if halts else ""
    only_person, never = "no artefact can say what should be risked", "a loss limit is never too tight on its day"
    return {
        "escalate": Support(bool(halts), halted or "no halt by drawdown"),
        "stop_for_today": Support(bool(loss), _named(loss) or "no loss limit was reached"),
        "runaway": Support(bool(pace), _named(pace) or "no limit on the pace was reached"),
        "smaller_orders": Support(bool(size), share if size else "no limit on size was reached"),
        "other_limits": Support(None if size else False, only_person if size else never),
        "look_up": Support(bool(other), _named(other) or "every code is a limit"),
    }


def _limit_evidence(facts: SessionFacts, denials: list[ev.Denial], halts: list[ev.Halt]) -> tuple[str, ...]:
    """Return the denials by code and the halts, in sentences."""
    found: list[str] = []
    for code in dict.fromkeys(denial.code for denial in denials):
        found += sentences((_denied(d) for d in denials if d.code == code), f"denials by {code}")
    found += sentences(said(h.seq, h.ts, f"halt {h.code}{_figures(h.value, h.limit)}") for h in halts)
    level = facts.record.metrics.get("risk_status")
    if isinstance(level, str):
        found.append(f"record: the account was {level} at its worst")
    return (*found, *alert_sentences(facts, "risk_limit"))


def _denied(denial: ev.Denial) -> str:
    return said(denial.seq, denial.ts, f"denied {denial.code}{_figures(denial.value, denial.limit)}")


def _figures(value: float | None, limit: float | None) -> str:
    """Return what was measured against which limit."""
    return "" if value is None or limit is None else f" {money(value)} of {money(limit)}"


def _denied_otherwise(facts: SessionFacts) -> list[str]:
    """Return why orders were blocked although no limit was reached."""
    found = []
    for codes, why in (
        (denials_about("halt"), "trading was halted by a person, the kill switch or another incident"),
        (denials_about("price"), "the price was too old or too far off: see the data"),
        (denials_about("venue"), "the venue refused too many in a row"),
    ):
        denied = [d for d in facts.denials if d.code in codes]
        if denied:
            found.append(f"{many(len(denied), 'order')} denied for another reason: {why} ({_denied(denied[0])})")
    return found


def _named(codes: Iterable[str]) -> str:
    return ", ".join(sorted(codes))


def _wanted(facts: SessionFacts) -> tuple[float, float] | None:
    """Return the notional of a new position at the end, and its limit [quote ccy]; None where the record lacks them."""
    limits = facts.record.setting("risk_limits")
    fraction, equity = finite(facts.record.setting("position_fraction")), facts.record.metric("equity_end")
    limit = finite(limits.get("max_order_notional")) if isinstance(limits, dict) else None
    return None if fraction is None or equity is None or limit is None else (fraction * equity, limit)


def _sizing(facts: SessionFacts) -> str:
    """Return what a new position would be worth against its limit."""
    found = _wanted(facts)
    if found is None:
        return "the record does not say how it sized"
    currency = quote_currency(facts.record.symbol)
    return f"a new position is {money(found[0], currency)}, its limit {money(found[1], currency)}"


def _limit_resume(facts: SessionFacts, denials: list[ev.Denial], halts: list[ev.Halt]) -> tuple[Check, ...]:
    """Return the conditions for going on after a limit, those that apply."""
    losses = [d for d in denials if d.code in denials_about("loss")]
    answers: dict[str, ConditionAnswer | None] = {"new_day": None, "sizing": None}
    if losses:
        day = losses[-1].ts.astimezone(UTC).date()
        told = f"loss limit reached on {day}, now {moment(facts.now)} UTC"
        answers["new_day"] = ConditionAnswer(facts.now.astimezone(UTC).date() > day, told)
    if (wanted := _wanted(facts)) is not None:
        answers["sizing"] = ConditionAnswer(wanted[0] <= wanted[1], _sizing(facts))
    if not halts:
        answers["position"] = None
    return conditions(facts, "risk_limit", **answers)


def failed_session(facts: SessionFacts) -> Occurrence:
    """Return whether the session failed, of what, and whether it is the second in a row."""
    record = facts.record
    if record.status != "failed":
        told = f"{record.session_id} is {record.status}" + (f": {facts.error}" if facts.error else "")
        return Occurrence(kind="failed_session", happened=False, evidence=(f"record: {told}",))
    row = _in_a_row(facts)
    which = "" if len(row) == 1 else ", the second in a row" if len(row) == 2 else f", number {len(row)} in a row"
    return Occurrence(
        kind="failed_session",
        happened=True,
        severity="high" if len(row) > 1 or of_drawdown(facts.drawdown) == FAIL else "medium",
        evidence=(
            said(-1, record.finished_at, facts.error or "failed without an error"),
            _course(facts),
            *(f"before: {one.run_id} {one.status}: {one.notes}" for one in row[1:]),
            *all_alerts(facts),
        ),
        since=record.finished_at,
        until=record.finished_at,
        symptom=f"the session failed{which}",
        suspected=facts.error or cause("failed_session", "unknown"),
        branches=branches("failed_session", _failed_ways(facts, row)),
        resume=conditions(
            facts,
            "failed_session",
            cause=ConditionAnswer(bool(facts.error), facts.error or "no error"),
            row=ConditionAnswer(len(row) == 1, f"{len(row)} in a row"),
        ),
    )


def _failed_ways(facts: SessionFacts, row: list[Run]) -> dict[str, Support]:
    """Return what speaks for the escalation path of the workflow, and what the error asks for."""
    dd, help_ = f"drawdown {100 * facts.drawdown:.2f} %", error_help(facts.error)
    kind = next((t.kind for t in facts.troubles if t.where == "end"), help_.kind or None)
    treated = handbook().kind[kind].runbook if kind else help_.then
    error = facts.error or "no error"
    names = ", ".join(one.run_id for one in row[:3])
    return {
        "escalate": Support(of_drawdown(facts.drawdown) == FAIL, dd),
        "pause": Support(len(row) > 1, f"{len(row)} failed in a row: {names}"),
        "its_runbook": Support(bool(treated), error, f"Go on with {treated}." if treated else ""),
        "risk_review": Support(of_drawdown(facts.drawdown) == WARN, dd),
        "investigate": Support(len(row) == 1, error, help_.step[:1].upper() + help_.step[1:]),
    }


def _in_a_row(facts: SessionFacts) -> list[Run]:
    """Return the failed sessions up to this one, newest first, this one included."""
    row = [facts.row]
    for one in facts.before:
        if one.status not in ENDED:
            continue
        if one.status != "failed":
            break
        row.append(one)
    return row


def died(facts: SessionFacts) -> Occurrence:
    """Return whether the session's process went without ending it."""
    record = facts.record
    if not (facts.error.startswith("ProcessDied") or facts.run_state == "died"):
        told = f"record: {record.status}" + (f", {facts.error}" if facts.error else "")
        return Occurrence(kind="died", happened=False, evidence=(f"{told}; the process ended its session itself.",))
    others, asked = _together(facts), "asked it to stop" in facts.error
    return Occurrence(
        kind="died",
        happened=True,
        severity="high" if others else "medium",
        evidence=(
            said(-1, record.finished_at, facts.error or "started, and its process is gone"),
            _course(facts),
            *(f"{one.run_id} died too, {moment(one.ended_at)} UTC" for one in others),
            *all_alerts(facts),
        ),
        since=record.finished_at or (facts.last.ts if facts.last else None),
        until=record.finished_at,
        symptom=("it was asked to stop and its process was killed" if asked else "the process ended without a word")
        + (", with a position open" if "it left a position" in facts.error else ""),
        suspected=cause("died", "machine" if others else "asked" if asked else "process"),
        branches=branches(
            "died",
            {
                "asked": Support(asked, facts.error if asked else "it was not asked to stop"),
                "machine": Support(bool(others), f"{len(others)} other sessions died within two minutes"),
                "process": Support(not others and not asked, "no other session died at that time"),
                "network": Support(None, "no artefact can show a closed terminal"),
            },
        ),
        resume=conditions(facts, "died", recovered=ConditionAnswer(record.status != "started", record.status)),
    )


def _course(facts: SessionFacts) -> str:
    """Return how far the session came."""
    until = f", the last closed {moment(facts.last.ts)} UTC" if facts.last else ""
    return f"journal: {many(facts.events, 'event')}, {many(facts.bars, 'bar')}{until}"


def _together(facts: SessionFacts) -> list[Run]:
    """Return the other sessions whose process went at the same time."""
    at = facts.record.finished_at
    return [
        row
        for row in (*facts.before, *facts.later)
        if row.notes.startswith("ProcessDied") and row.ended_at and at and abs(row.ended_at - at) <= TOGETHER
    ]
