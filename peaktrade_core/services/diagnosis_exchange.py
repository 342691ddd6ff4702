"""Errors of the way to the venue, told apart by the journal: nobody answers, or we ask too often.

Source: operational runbooks 7.1 (classes and severity), 7.2 and 7.3 (steps and decisions).
"""

from __future__ import annotations

import re

from peaktrade_core.domain import diagnosis as dg
from peaktrade_core.domain import events as ev
from peaktrade_core.domain.diagnosis import Branch, Finding
from peaktrade_core.domain.incidents import HIGH, LOW, MEDIUM
from peaktrade_core.services.diagnosis_facts import Facts
from peaktrade_core.services.diagnosis_resume import (
    answers_check,
    flat_check,
    nothing,
    over_at,
    state_check,
    trouble_evidence,
)
from peaktrade_core.services.wording import many

_VENUE_SPOKE = re.compile(r"\b(?:403|5\d\d) \w|EService:|Deadline elapsed|answer without content|Server Error")
_NEVER_LEFT = re.compile(r"(?i)name or service not known|name resolution|network is unreachable|no route to host")
_UNKNOWN_OUTCOME = "OrderOutcomeUnknownError"


def network(facts: Facts) -> Finding:
    """Return whether calls failed on the way to the venue, and what that asks for (7.2)."""
    troubles = facts.of_kind(dg.NETWORK)
    if not troubles:
        return nothing(facts, dg.NETWORK, "No call failed on its way to the venue")
    texts = " ".join(t.text for t in troubles)
    down, ours = bool(_VENUE_SPOKE.search(texts)), bool(_NEVER_LEFT.search(texts))
    lasting, unknown = facts.ended_by(dg.NETWORK), _UNKNOWN_OUTCOME in texts
    works = facts.working_since(troubles)
    passed = works is not None and not lasting
    branches = (
        Branch(
            key="reconcile",
            situation="An order was sent and nobody knows whether it arrived",
            action="Look at the venue's open orders and fills before anything starts; the scope is halted until then.",
            supported=unknown,
            why="the journal names an order whose outcome is unknown" if unknown else "every order has its answer",
            authority="pause",
        ),
        Branch(
            key="pause",
            situation="It lasts",
            action="Leave the session stopped, start again only when the venue answers (runbook 4, restart).",
            supported=lasting,
            why="the session failed of it" if lasting else "the session did not end by it",
            authority="pause",
        ),
        Branch(
            key="own_network",
            situation="Our own network is at fault",
            action="Mend name resolution, route or firewall of this machine; then start again.",
            supported=ours or (None if not down else False),
            why="calls never left this machine"
            if ours
            else "the venue itself answered with its trouble"
            if down
            else "nobody answered, which looks the same from here: ask another machine",
        ),
        Branch(
            key="wait",
            situation="The venue is down for a while",
            action="Wait: the session goes on and retries by itself.",
            supported=passed and not ours,
            why=_recovered(facts, works) if passed else "calls did not work again",
        ),
    )
    return Finding(
        kind=dg.NETWORK,
        happened=True,
        severity=HIGH if unknown else MEDIUM,
        evidence=trouble_evidence(facts, troubles),
        since=troubles[0].ts,
        until=over_at(facts, troubles, works),
        symptom=f"{many(len(troubles), 'call')} failed: the venue did not answer, or was down",
        suspected="this machine's network" if ours else "trouble of the venue" if down else "the venue or our network",
        branches=branches,
        resume=(answers_check(facts, troubles, works), flat_check(facts), state_check(facts)),
    )


def rate_limit(facts: Facts) -> Finding:
    """Return whether we asked too often, and what that asks for (7.3)."""
    troubles = facts.of_kind(dg.RATE_LIMIT)
    if not troubles:
        return nothing(facts, dg.RATE_LIMIT, "The venue never said that we ask too often")
    works = facts.working_since(troubles)
    lasting = facts.ended_by(dg.RATE_LIMIT)
    again = sum(1 for one in facts.recovered if one.seq > troubles[0].seq) > 1
    passed = works is not None and not lasting
    why = "the session failed of it" if lasting else "it came back after it had passed" if again else ""
    branches = (
        Branch(
            key="slow_down",
            situation="It persists",
            action="Run fewer sessions and programs on this key and address; for orders raise order_pace_s in [exchange].",
            supported=lasting or again,
            why=why or "it happened once and passed",
            authority="pause" if lasting else "routine",
        ),
        Branch(
            key="wait",
            situation="It passes",
            action="Wait one or two minutes: the session keeps the venue's pace and tries again by itself.",
            supported=passed and not again,
            why=_recovered(facts, works) if passed else "calls did not work again",
        ),
    )
    return Finding(
        kind=dg.RATE_LIMIT,
        happened=True,
        severity=MEDIUM if lasting else LOW,
        evidence=trouble_evidence(facts, troubles),
        since=troubles[0].ts,
        until=over_at(facts, troubles, works),
        symptom=f"{many(len(troubles), 'call')} refused: the venue said that we ask too often",
        suspected="too many sessions or programs on one key or address, or too short a pace",
        branches=branches,
        resume=(answers_check(facts, troubles, works), state_check(facts)),
    )


def _recovered(facts: Facts, bar: ev.BarDone | None) -> str:
    """Return what shows that calls worked again."""
    told = f"{facts.recovered[-1].message}; " if facts.recovered else ""
    return f"{told}bars came again until journal #{bar.seq}" if bar else told.rstrip("; ")
