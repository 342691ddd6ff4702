"""Errors of the venue and of the way to it, told apart by the journal: calls that fail, and what the venue refuses.

Source: operational runbooks 7.1 (classes and severity), 7.2 to 7.4 (steps and decisions).
"""

from __future__ import annotations

import re
from datetime import datetime

from peaktrade_core.incidents.diagnosis.facts import (
    ConditionAnswer,
    SessionFacts,
    Trouble,
    alert_sentences,
    conditions,
    nothing,
    said,
    sentences,
)
from peaktrade_core.incidents.diagnosis.findings import Occurrence, Support, branches, cause
from peaktrade_core.runs.handbook import Kind, Severity
from peaktrade_core.show.wording import many, moment

_VENUE_SPOKE = re.compile(r"\b(?:403|5\d\d) \w|EService:|Deadline elapsed|answer without content|Server Error")
_NEVER_LEFT = re.compile(
    r"(?i)name or service not known|name resolution|no address associated|network is unreachable|no route to host"
)
_FUNDS = re.compile(r"(?i)insufficient")
_STEPS = re.compile(r"(?i)minimum not met|invalid (size|price|amount|volume)|precision|tick|lot\b")
_CLOSED = re.compile(r"(?i)cancel_only|post_only|limit_only|market (in|is)|marketUnavailable")
_SYMBOL = re.compile(r"(?i)unknown asset|contractNotFound|BadSymbol|does not have market")


class _Calls:
    """The calls that failed in one way, at least one, and how it went on.

    Attributes:
        troubles: the calls; words: all that the venue said; works: the last bar since, None where none came.
        lasting: the session failed of it; passed: calls work again.
    """

    def __init__(self, facts: SessionFacts, kind: Kind) -> None:
        self.facts, self.kind, self.troubles = facts, kind, facts.of_kind(kind)
        self.words = " ".join(t.text for t in self.troubles)
        self.works = facts.working_since(self.troubles)
        self.lasting = facts.ended_by(kind)
        self.passed = self.works is not None and not self.lasting

    @property
    def last(self) -> str:
        """The venue's last words."""
        return self.troubles[-1].text

    def wait(self, supported: bool) -> Support:
        """Return the way that waits for it to pass; it is supported only where it did."""
        if self.works is None or not self.passed:
            return Support(False, "calls did not work again")
        told = f"{self.facts.recovered[-1].message}; " if self.facts.recovered else ""
        return Support(supported, f"{told}bars came again until journal #{self.works.seq}")

    def finding(self, severity: Severity, symptom: str, suspected: str, support: dict[str, Support]) -> Occurrence:
        """Return what was found."""
        return Occurrence(
            kind=self.kind,
            happened=True,
            severity=severity,
            evidence=_evidence(self.facts, self.kind, self.troubles),
            since=self.troubles[0].ts,
            until=self._over(),
            symptom=symptom,
            suspected=cause(self.kind, suspected),
            branches=branches(self.kind, support),
            resume=conditions(self.facts, self.kind, answers=self._answers()),
        )

    def _over(self) -> datetime | None:
        """Return when it was over, as far as the journal says."""
        if self.works is None:
            return None if self.kind == "authentication" else self.facts.record.finished_at
        after = [n.ts for n in self.facts.recovered if n.seq > self.troubles[-1].seq]
        return after[0] if after else self.works.ts

    def _answers(self) -> ConditionAnswer:
        """Answer whether the venue answered after the trouble: this session, or a later one."""
        later = self.facts.completed_since
        if self.works:
            evidence = f"bars until journal #{self.works.seq}, {moment(self.works.ts)} UTC, after the last error"
        else:
            evidence = f"{later} completed since" if later else f"nothing came after {self.troubles[-1]}"[:200]
        return ConditionAnswer(self.works is not None or bool(later), evidence)


def network(facts: SessionFacts) -> Occurrence:
    """Return whether calls failed on the way to the venue, and what that asks for (7.2)."""
    calls = _Calls(facts, "network")
    if not calls.troubles:
        return nothing(facts, "network")
    venue, ours = bool(_VENUE_SPOKE.search(calls.words)), bool(_NEVER_LEFT.search(calls.words))
    unknown = "OrderOutcomeUnknownError" in calls.words
    where = (
        "calls never left this machine"
        if ours
        else "the venue itself answered with its trouble"
        if venue
        else "the connection was refused, by the venue or by a firewall before it: ask another machine"
        if "Connection refused" in calls.words
        else "no answer came, which looks the same from here: ask another machine"
    )
    return calls.finding(
        "high" if unknown else "medium",
        f"{many(len(calls.troubles), 'call')} failed: the venue did not answer, or was down",
        "ours" if ours else "venue" if venue else "either",
        {
            "reconcile": Support(
                unknown,
                "the journal names an order whose outcome is unknown" if unknown else "every order has its answer",
            ),
            "pause": Support(
                calls.lasting, "the session failed of it" if calls.lasting else "the session did not end by it"
            ),
            "own_network": Support(ours or (False if venue else None), where),
            "wait": calls.wait(not ours),
        },
    )


def rate_limit(facts: SessionFacts) -> Occurrence:
    """Return whether we asked too often, and what that asks for (7.3)."""
    calls = _Calls(facts, "rate_limit")
    if not calls.troubles:
        return nothing(facts, "rate_limit")
    again = sum(1 for one in facts.recovered if one.seq > calls.troubles[0].seq) > 1
    why = "the session failed of it" if calls.lasting else "it came back after it had passed" if again else ""
    return calls.finding(
        "medium" if calls.lasting else "low",
        f"{many(len(calls.troubles), 'call')} refused: the venue said that we ask too often",
        "pace",
        {
            "slow_down": Support(bool(why), why or "it happened once and passed", goes_on=not calls.lasting),
            "wait": calls.wait(not again),
        },
    )


def authentication(facts: SessionFacts) -> Occurrence:
    """Return whether the venue refused our key, and what that asks for (7.4)."""
    calls = _Calls(facts, "authentication")
    if not calls.troubles:
        return nothing(facts, "authentication")
    found = {
        "nonce": "nonce" in calls.words.lower(),
        "permission": "Permission denied" in calls.words or "Feature disabled" in calls.words,
        "missing": "no credentials" in calls.words,
    }
    found["wrong_key"] = not any(found.values())
    told, against = f"the venue's words: {calls.last}", "the venue's words say something else"
    support = {key: Support(seen, told if seen else against) for key, seen in found.items()}
    support["rotate"] = Support(None, "no artefact can show this: look at the venue's list of log-ins")
    return calls.finding("high", "the venue refused our key; the session halted at once", _first(found), support)


def api_error(facts: SessionFacts) -> Occurrence:
    """Return whether a request was wrong or an answer made no sense (7.1)."""
    calls = _Calls(facts, "api_error")
    if not calls.troubles:
        return nothing(facts, "api_error")
    symbol = bool(_SYMBOL.search(calls.words))
    return calls.finding(
        "medium",
        f"{many(len(calls.troubles), 'request')} refused: the venue called it wrong, or answered nonsense",
        "symbol" if symbol else "version",
        {
            "symbol": Support(symbol, "the venue's words name the symbol" if symbol else "the symbol is not named"),
            "version": Support(not symbol, calls.last),
        },
    )


def order_rejects(facts: SessionFacts) -> Occurrence:
    """Return whether the venue refused orders, and what that asks for (7.1)."""
    troubles = facts.of_kind("order_rejects")
    halts = [halt for halt in facts.halts if halt.code == "CONSECUTIVE_REJECTS"]
    if not troubles and not halts:
        return nothing(facts, "order_rejects")
    words = " ".join(t.text for t in troubles)
    known = {
        key: bool(pattern.search(words)) for key, pattern in (("funds", _FUNDS), ("steps", _STEPS), ("market", _CLOSED))
    }
    told = f"the venue's words: {troubles[-1].text}" if troubles else "the session halted by its count of rejections"
    halted = said(halts[-1].seq, halts[-1].ts, f"halt {halts[-1].code}") if halts else "it did not halt"
    times = [event.ts for event in (troubles or halts)]
    counted = (said(h.seq, h.ts, f"halt {h.code} {h.value:g} of {h.limit:g}") for h in halts if h.value and h.limit)
    return Occurrence(
        kind="order_rejects",
        happened=True,
        severity="medium",
        evidence=(*_evidence(facts, "order_rejects", troubles), *sentences(counted)),
        since=times[0],
        until=times[-1],
        symptom=f"the venue refused {many(len(facts.refused) or len(troubles), 'order')}",
        suspected=cause("order_rejects", _first({**known, "words": True})),
        branches=branches(
            "order_rejects",
            {
                "breaker": Support(bool(halts), halted),
                **{key: Support(found, told) for key, found in known.items()},
                "words": Support(bool(troubles) and not any(known.values()), told),
            },
        ),
        resume=conditions(facts, "order_rejects"),
    )


def _first(found: dict[str, bool]) -> str:
    """Return the first that was found."""
    return next(key for key, seen in found.items() if seen)


def _evidence(facts: SessionFacts, kind: Kind, troubles: list[Trouble]) -> tuple[str, ...]:
    """Return the errors, what came after them, and the alerts, in sentences."""
    found = sentences(troubles, "more of this kind")
    found += sentences(said(n.seq, n.ts, n.message) for n in facts.recovered if troubles and n.seq > troubles[0].seq)
    return (*found, *alert_sentences(facts, kind))
