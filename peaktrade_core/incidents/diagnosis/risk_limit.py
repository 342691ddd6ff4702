"""A risk limit that was reached, told by the journal's denials and halts.

Source: operational runbooks 8.1 to 8.3 (symptoms, limits, decision), operator workflow 6.3 (drawdown).
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.incidents.diagnosis import findings as dg
from peaktrade_core.incidents.diagnosis.facts import Facts, alert_sentences, said, sentences
from peaktrade_core.incidents.diagnosis.findings import Branch, Finding
from peaktrade_core.incidents.diagnosis.resume import flat_check, state_check
from peaktrade_core.incidents.incident import HIGH, MEDIUM
from peaktrade_core.runs.deny_help import DENY_HELP, UNKNOWN
from peaktrade_core.show.wording import many, moment
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import finite

SIZE = {
    "MAX_ORDER_NOTIONAL", "MAX_SYMBOL_EXPOSURE", "MAX_TOTAL_EXPOSURE", "MAX_OPEN_POSITIONS", "MAX_OPEN_ORDERS",
}  # fmt: skip
LOSS = {"MAX_DAILY_LOSS_ABS", "MAX_DAILY_LOSS_PCT"}
RUNAWAY = {"MESSAGE_RATE", "REPEATED_EXECUTION", "DUPLICATE_ORDER"}
STATE = {"HALTED", "REDUCING_ONLY"}
OF_OTHERS = {"STALE_PRICE", "PRICE_COLLAR", "CONSECUTIVE_REJECTS"}  # a matter of the data, or of the venue
DRAWDOWN = "MAX_DRAWDOWN_HALT"


def risk_limit(facts: Facts) -> Finding:
    """Return whether a limit denied orders or halted the session, and what that asks for."""
    denials = [d for d in facts.denials if d.code not in STATE | OF_OTHERS]
    halts = [halt for halt in facts.halts if halt.code == DRAWDOWN]
    if not denials and not halts:
        return Finding(kind=dg.RISK_LIMIT, happened=False, evidence=_not_a_limit(facts))
    codes = Counter(denial.code for denial in denials)
    first = min((*denials, *halts), key=lambda e: e.seq)
    last = max((*denials, *halts), key=lambda e: e.seq)
    named = ", ".join(f"{code} x {n}" for code, n in codes.most_common())
    return Finding(
        kind=dg.RISK_LIMIT,
        happened=True,
        severity=HIGH if halts else MEDIUM,
        evidence=_evidence(facts, denials, halts),
        since=first.ts,
        until=last.ts,
        symptom=f"{many(len(denials), 'order')} blocked" + (f": {named}" if named else "")
        + ("; the session halted by its drawdown" if halts else ""),
        suspected="; ".join(DENY_HELP.get(code, UNKNOWN).meaning for code, _ in codes.most_common(2))
        or "the drawdown reached its limit",
        branches=_branches(facts, set(codes), halts),
        resume=_resume(facts, denials, halts),
    )  # fmt: skip


def _branches(facts: Facts, codes: set[str], halts: list[ev.Halt]) -> tuple[Branch, ...]:
    """Return the decision tree of 8.3, and the two ways that the workflow and our own limits add."""
    size, loss, runaway = bool(codes & SIZE), bool(codes & LOSS), bool(codes & RUNAWAY)
    other = bool(codes - SIZE - LOSS - RUNAWAY)
    generated = facts.record.metric("orders_generated") or 0.0
    blocked = facts.record.metric("orders_blocked_risk") or 0.0
    share = f"{blocked:.0f} of {generated:.0f} orders were blocked"
    return (
        Branch(key="escalate", situation="The drawdown reached its limit",
               action="Leave it halted, tell the owner, do a risk review; a named person resumes, nobody else.",
               supported=bool(halts), why=_halted(halts) or "no halt by drawdown", authority="pause"),
        Branch(key="stop_for_today", situation="C: the day's loss reached its limit",
               action="No new positions until 00:00 UTC. Never go around it; it is there for this day.",
               supported=loss, why=_named(codes & LOSS) or "no loss limit was reached", authority="pause"),
        Branch(key="runaway", situation="The strategy orders too often",
               action="Stop the session, compare with its backtest, mend strategy or parameters.",
               supported=runaway, why=_named(codes & RUNAWAY) or "no limit on the pace was reached", authority="pause"),
        Branch(key="smaller_orders", situation="A: the limits are right, the order was too large",
               action="Lower position_fraction; the session goes on, only this order was blocked.",
               supported=size, why=f"{share}; {_sizing(facts)}" if size else "no limit on size was reached"),
        Branch(key="other_limits", situation="B: the limits are too tight",
               action="Change [live_risk] in config/config.toml in a commit with its reason: risk officer and owner.",
               supported=None if size else False,
               why="no artefact can say what should be risked" if size else "a loss limit is never too tight on its day",
               authority="limits"),
        Branch(key="look_up", situation="Another denial",
               action="The deny code says what to do (docs/risk.md).", supported=other,
               why=_named(codes - SIZE - LOSS - RUNAWAY) or "every code is a limit"),
    )  # fmt: skip


def _evidence(facts: Facts, denials: list[ev.Denial], halts: list[ev.Halt]) -> tuple[str, ...]:
    """Return the denials by code and the halts, in sentences."""
    found: list[str] = []
    for code in dict.fromkeys(denial.code for denial in denials):
        found += sentences((_denied(d) for d in denials if d.code == code), f"denials by {code}")
    found += sentences(said(h.seq, h.ts, f"halt {h.code}{_figures(h.value, h.limit)}") for h in halts)
    level = facts.record.metrics.get("risk_status")
    if isinstance(level, str):
        found.append(f"record: the account was {level} at its worst")
    return (*found, *alert_sentences(facts, "8"))


def _denied(denial: ev.Denial) -> str:
    return said(denial.seq, denial.ts, f"denied {denial.code}{_figures(denial.value, denial.limit)}")


def _figures(value: float | None, limit: float | None) -> str:
    """Return what was measured against which limit."""
    return "" if value is None or limit is None else f" {value:,.2f} of {limit:,.2f}"


def _not_a_limit(facts: Facts) -> tuple[str, ...]:
    """Return why no limit was reached although orders may have been blocked."""
    found = [f"No limit blocked an order: {facts.events:,} events of the journal were read."]
    for codes, why in ((STATE, "trading was halted by a person, the kill switch or another incident"),
                       ({"STALE_PRICE", "PRICE_COLLAR"}, "the price was too old or too far off: see the data"),
                       ({"CONSECUTIVE_REJECTS"}, "the venue refused too many in a row")):  # fmt: skip
        denied = [d for d in facts.denials if d.code in codes]
        if denied:
            found.append(f"{many(len(denied), 'order')} denied for another reason: {why} ({_denied(denied[0])})")
    return tuple(found)


def _halted(halts: list[ev.Halt]) -> str:
    return said(halts[0].seq, halts[0].ts, f"halt{_figures(halts[0].value, halts[0].limit)} percent") if halts else ""


def _named(codes: set[str]) -> str:
    return ", ".join(sorted(codes))


def _wanted(facts: Facts) -> tuple[float, float] | None:
    """Return the notional of a new position at the end, and its limit [quote ccy]; None where the record lacks them."""
    limits = facts.record.setting("risk_limits")
    fraction, equity = finite(facts.record.setting("position_fraction")), facts.record.metric("equity_end")
    limit = finite(limits.get("max_order_notional")) if isinstance(limits, dict) else None
    return None if fraction is None or equity is None or limit is None else (fraction * equity, limit)


def _sizing(facts: Facts) -> str:
    """Return what a new position would be worth against its limit."""
    found = _wanted(facts)
    return (
        "the record does not say how it sized"
        if found is None
        else f"a new position is {found[0]:,.0f}, its limit {found[1]:,.0f}"
    )


def _resume(facts: Facts, denials: list[ev.Denial], halts: list[ev.Halt]) -> tuple[Check, ...]:
    """Return the conditions for going on after a limit."""
    losses = [d for d in denials if d.code in LOSS]
    day = losses[-1].ts.astimezone(UTC).date() if losses else None
    wanted = _wanted(facts)
    checks = [state_check(facts)]
    if day is not None:
        checks.append(
            check("new_day", "Has the UTC day with the loss ended?", facts.now.astimezone(UTC).date() > day,
                  f"loss limit reached on {day}, now {moment(facts.now)} UTC",
                  "No new positions before 00:00 UTC; the counter is set back then.")
        )  # fmt: skip
    if wanted is not None:
        checks.append(
            check("sizing", "Does a new position fit the limit it ran with?", wanted[0] <= wanted[1], _sizing(facts),
                  "Lower position_fraction, or have the limit changed by those who may.", otherwise=WARN)
        )  # fmt: skip
    dd = facts.record.metric("max_drawdown")
    checks.append(
        check("drawdown", "Is the drawdown below 5 %?", dd is not None and dd < 0.05,
              "unknown" if dd is None else f"{100 * dd:.2f} %",
              "Risk review before the next session; above 10 % the owner decides.", otherwise=WARN)
    )  # fmt: skip
    return (*checks, flat_check(facts)) if halts else tuple(checks)
