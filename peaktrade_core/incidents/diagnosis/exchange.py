"""Errors of the way to the venue, told apart by the journal: nobody answers, or we ask too often.

Source: operational runbooks 7.1 (classes and severity), 7.2 and 7.3 (steps and decisions).
"""

from __future__ import annotations

import re

from peaktrade_core.base.question import Check
from peaktrade_core.incidents.diagnosis import findings as dg
from peaktrade_core.incidents.diagnosis.facts import Facts, Trouble
from peaktrade_core.incidents.diagnosis.findings import Branch, Finding
from peaktrade_core.incidents.diagnosis.resume import (
    answers_check,
    flat_check,
    nothing,
    over_at,
    state_check,
    trouble_evidence,
)
from peaktrade_core.incidents.incident import HIGH, LOW, MEDIUM
from peaktrade_core.show.wording import many
from peaktrade_core.trading import events as ev

_VENUE_SPOKE = re.compile(r"\b(?:403|5\d\d) \w|EService:|Deadline elapsed|answer without content|Server Error")
_NEVER_LEFT = re.compile(
    r"(?i)name or service not known|name resolution|no address associated|network is unreachable|no route to host"
)
_REFUSED = "Connection refused"
_UNKNOWN_OUTCOME = "OrderOutcomeUnknownError"


class _Course:
    """How calls that failed in one way went on.

    Attributes:
        troubles: the calls, at least one; works: the last bar since, None where none came.
        lasting: the session failed of it; passed: calls work again.
    """

    def __init__(self, facts: Facts, kind: str, troubles: list[Trouble]) -> None:
        self._facts, self._kind, self.troubles = facts, kind, troubles
        self.works = facts.working_since(troubles)
        self.lasting = facts.ended_by(kind)
        self.passed = self.works is not None and not self.lasting

    def wait(self, situation: str, action: str, *, supported: bool) -> Branch:
        """Return the branch that waits for it to pass; it is supported only where it did."""
        why = _recovered(self._facts, self.works) if self.passed else "calls did not work again"
        return Branch(key="wait", situation=situation, action=action, supported=self.passed and supported, why=why)

    def finding(self, branches: tuple[Branch, ...], resume: tuple[Check, ...], **said: str) -> Finding:
        """Return what was found; ``said`` is severity, symptom and what is suspected."""
        return Finding(
            kind=self._kind,
            happened=True,
            evidence=trouble_evidence(self._facts, self.troubles),
            since=self.troubles[0].ts,
            until=over_at(self._facts, self.troubles, self.works),
            branches=branches,
            resume=(answers_check(self._facts, self.troubles, self.works), *resume),
            **said,
        )


def network(facts: Facts) -> Finding:
    """Return whether calls failed on the way to the venue, and what that asks for (7.2)."""
    troubles = facts.of_kind(dg.NETWORK)
    if not troubles:
        return nothing(facts, dg.NETWORK, "No call failed on its way to the venue")
    course = _Course(facts, dg.NETWORK, troubles)
    texts = " ".join(t.text for t in troubles)
    down, ours = bool(_VENUE_SPOKE.search(texts)), bool(_NEVER_LEFT.search(texts))
    unknown = _UNKNOWN_OUTCOME in texts
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
            supported=course.lasting,
            why="the session failed of it" if course.lasting else "the session did not end by it",
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
            else "the connection was refused, by the venue or by a firewall before it: ask another machine"
            if _REFUSED in texts
            else "nobody answered, which looks the same from here: ask another machine",
        ),
        course.wait(
            "The venue is down for a while", "Wait: the session goes on and retries by itself.", supported=not ours
        ),
    )
    return course.finding(
        branches,
        (flat_check(facts), state_check(facts)),
        severity=HIGH if unknown else MEDIUM,
        symptom=f"{many(len(troubles), 'call')} failed: the venue did not answer, or was down",
        suspected="this machine's network" if ours else "trouble of the venue" if down else "the venue or our network",
    )


def rate_limit(facts: Facts) -> Finding:
    """Return whether we asked too often, and what that asks for (7.3)."""
    troubles = facts.of_kind(dg.RATE_LIMIT)
    if not troubles:
        return nothing(facts, dg.RATE_LIMIT, "The venue never said that we ask too often")
    course = _Course(facts, dg.RATE_LIMIT, troubles)
    again = sum(1 for one in facts.recovered if one.seq > troubles[0].seq) > 1
    why = "the session failed of it" if course.lasting else "it came back after it had passed" if again else ""
    branches = (
        Branch(
            key="slow_down",
            situation="It persists",
            action="Run fewer sessions and programs on this key and address; for orders raise order_pace_s in [exchange].",
            supported=course.lasting or again,
            why=why or "it happened once and passed",
            authority="pause" if course.lasting else "routine",
        ),
        course.wait(
            "It passes",
            "Wait one or two minutes: the session keeps the venue's pace and tries again by itself.",
            supported=not again,
        ),
    )
    return course.finding(
        branches,
        (state_check(facts),),
        severity=MEDIUM if course.lasting else LOW,
        symptom=f"{many(len(troubles), 'call')} refused: the venue said that we ask too often",
        suspected="too many sessions or programs on one key or address, or too short a pace",
    )


def _recovered(facts: Facts, bar: ev.BarDone | None) -> str:
    """Return what shows that calls worked again."""
    told = f"{facts.recovered[-1].message}; " if facts.recovered else ""
    return f"{told}bars came again until journal #{bar.seq}" if bar else told.rstrip("; ")
