"""What the venue refuses, told apart by the journal: our key, our orders, our requests.

Source: operational runbooks 7.1 (classes and severity), 7.4 (authentication: steps and decisions).
"""

from __future__ import annotations

import re

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.incidents.diagnosis import findings as dg
from peaktrade_core.incidents.diagnosis.facts import Facts, said, sentences
from peaktrade_core.incidents.diagnosis.findings import Branch, Finding
from peaktrade_core.incidents.diagnosis.resume import (
    answers_check,
    flat_check,
    nothing,
    over_at,
    state_check,
    stopped_check,
    trouble_evidence,
)
from peaktrade_core.incidents.incident import HIGH, MEDIUM
from peaktrade_core.show.wording import many
from peaktrade_core.trading import events as ev

_FUNDS = re.compile(r"(?i)insufficient")
_STEPS = re.compile(r"(?i)minimum not met|invalid (size|price|amount|volume)|precision|tick|lot\b")
_CLOSED = re.compile(r"(?i)cancel_only|post_only|limit_only|market (in|is)|marketUnavailable")


def authentication(facts: Facts) -> Finding:
    """Return whether the venue refused our key, and what that asks for (7.4)."""
    troubles = facts.of_kind(dg.AUTHENTICATION)
    if not troubles:
        return nothing(facts, dg.AUTHENTICATION, "The venue never refused our key")
    texts = " ".join(t.text for t in troubles)
    nonce = "nonce" in texts.lower()
    rights = "Permission denied" in texts or "Feature disabled" in texts
    missing = "no credentials" in texts
    wrong = not (nonce or rights or missing)
    told = "the venue's words: " + troubles[-1].text
    branches = (
        _auth_branch("missing", "There is no key in the environment", "Set key and secret (docs/operations.md).", missing, told),
        _auth_branch("wrong_key", "The key or its signature is wrong or withdrawn",
                     "Log in at the venue: is the key active? Set it anew; check it with `peaktrade readiness --stage testnet`.",
                     wrong, told),
        _auth_branch("permission", "The key lacks a right", "Give the key the right to trade, never to withdraw.", rights, told),
        _auth_branch("nonce", "Two programs use one key, or our clock jumped",
                     "Give each program a key of its own; check this machine's clock.", nonce, told),
        Branch(key="rotate", situation="Somebody else may know the key",
               action="Withdraw the key at the venue at once, make a new one, tell the owner.", supported=None,
               why="no artefact can show this: look at the venue's list of log-ins", authority="emergency"),
    )  # fmt: skip
    works = facts.working_since(troubles)
    return Finding(
        kind=dg.AUTHENTICATION,
        happened=True,
        severity=HIGH,
        evidence=trouble_evidence(facts, troubles),
        since=troubles[0].ts,
        until=works.ts if works else None,
        symptom="the venue refused our key; the session halted at once",
        suspected="a nonce that the venue has seen" if nonce else "a right that the key lacks" if rights else "no key"
        if missing else "a key that is wrong, expired or withdrawn",
        branches=branches,
        resume=(stopped_check(facts), state_check(facts), _used_since(facts), flat_check(facts)),
    )  # fmt: skip


def order_rejects(facts: Facts) -> Finding:
    """Return whether the venue refused orders, and what that asks for (7.1)."""
    troubles = facts.of_kind(dg.ORDER_REJECTS)
    halts = [halt for halt in facts.halts if halt.code == "CONSECUTIVE_REJECTS"]
    if not troubles and not halts:
        asked = "no order was put to a venue" if facts.record.mode != "testnet" else "the venue refused no order"
        return nothing(facts, dg.ORDER_REJECTS, asked[:1].upper() + asked[1:])
    texts = " ".join(t.text for t in troubles)
    funds, steps, closed = (bool(p.search(texts)) for p in (_FUNDS, _STEPS, _CLOSED))
    told = f"the venue's words: {troubles[-1].text}" if troubles else "the session halted by its count of rejections"
    branches = (
        Branch(key="breaker", situation="Too many in a row: the session halted",
               action="Find the cause first; then a named person resumes the scope with `peaktrade risk resume`.",
               supported=bool(halts), why=_halted(halts) or "it did not halt", authority="pause"),
        Branch(key="funds", situation="The balance does not cover the order",
               action="Fill up the play money, or lower position_fraction.", supported=funds, why=told),
        Branch(key="steps", situation="Size or price is not one that the venue takes",
               action="Set tick, lot and min_qty in [instruments] to the venue's (`peaktrade exchange markets`).",
               supported=steps, why=told),
        Branch(key="market", situation="The market takes no such orders now",
               action="Wait until the venue says that the market is open again.", supported=closed, why=told),
        Branch(key="words", situation="Something else",
               action="Read the venue's words below; note them in the incident and ask the developers.",
               supported=bool(troubles) and not (funds or steps or closed), why=told),
    )  # fmt: skip
    first = troubles[0].ts if troubles else halts[0].ts
    return Finding(
        kind=dg.ORDER_REJECTS,
        happened=True,
        severity=MEDIUM,
        evidence=(
            *trouble_evidence(facts, troubles),
            *sentences(said(h.seq, h.ts, f"halt {h.code} {h.value:g} of {h.limit:g}") for h in halts if h.value and h.limit),
        ),
        since=first,
        until=(troubles[-1].ts if troubles else halts[-1].ts),
        symptom=f"the venue refused {many(len(facts.refused) or len(troubles), 'order')}",
        suspected="not enough balance" if funds else "size or price steps" if steps else "a closed market"
        if closed else "see the venue's words",
        branches=branches,
        resume=(_accepted_since(facts), state_check(facts), flat_check(facts)),
    )  # fmt: skip


def api_error(facts: Facts) -> Finding:
    """Return whether a request was wrong or an answer made no sense (7.1)."""
    troubles = facts.of_kind(dg.API_ERROR)
    if not troubles:
        return nothing(facts, dg.API_ERROR, "The venue understood every request")
    works = facts.working_since(troubles)
    symbol = re.search(
        r"(?i)unknown asset|contractNotFound|BadSymbol|does not have market", " ".join(map(str, troubles))
    )
    branches = (
        Branch(key="symbol", situation="The venue does not know the symbol",
               action="`peaktrade exchange markets` lists what it trades; set venue_symbol in [instruments].",
               supported=bool(symbol), why="the venue's words name the symbol" if symbol else "no word of the symbol"),
        Branch(key="version", situation="Our request or its answer changed",
               action="Leave the session stopped; ask the developers, with the venue's words below.",
               supported=not symbol, why=troubles[-1].text, authority="pause"),
    )  # fmt: skip
    return Finding(
        kind=dg.API_ERROR,
        happened=True,
        severity=MEDIUM,
        evidence=trouble_evidence(facts, troubles),
        since=troubles[0].ts,
        until=over_at(facts, troubles, works),
        symptom=f"{many(len(troubles), 'request')} refused: the venue called it wrong, or answered nonsense",
        suspected="a symbol that the venue does not trade" if symbol else "a request that the venue no longer takes",
        branches=branches,
        resume=(answers_check(facts, troubles, works), state_check(facts)),
    )


def _auth_branch(key: str, situation: str, action: str, supported: bool, why: str) -> Branch:
    """Return a way down the tree of refused keys; each begins with a pause."""
    return Branch(
        key=key,
        situation=situation,
        action=action,
        supported=supported,
        why=why if supported else "the venue's words say something else",
        authority="pause",
    )


def _used_since(facts: Facts) -> Check:
    """Return whether a key was used with success after this session."""
    later = next((r for r in facts.later if r.status == "completed"), None)
    return check(
        "key",
        "Was the key accepted since?",
        later is not None,
        f"{later.session_id} completed" if later else "no session completed since",
        "`peaktrade readiness --stage testnet` asks the venue with the key.",
        otherwise=WARN,
    )


def _accepted_since(facts: Facts) -> Check:
    """Return whether the venue took an order after the last that it refused."""
    later = next((r for r in facts.later if r.status == "completed"), None)
    return check(
        "accepted",
        "Did a later session of this mode complete?",
        later is not None,
        later.session_id if later else "none since",
        "`peaktrade smoke`, then the smallest testnet session (runbook 2).",
        otherwise=WARN,
    )


def _halted(halts: list[ev.Halt]) -> str:
    """Return which halt there was, in a sentence; empty without one."""
    return said(halts[-1].seq, halts[-1].ts, f"halt {halts[-1].code}") if halts else ""
