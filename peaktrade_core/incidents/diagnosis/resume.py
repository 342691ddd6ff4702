"""What several kinds of findings share: how evidence is told, and conditions for going on, answered from the artefacts."""

from __future__ import annotations

from datetime import datetime

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.incidents.diagnosis.facts import Facts, Trouble, alert_sentences, said, sentences
from peaktrade_core.incidents.diagnosis.findings import Finding
from peaktrade_core.show.wording import moment
from peaktrade_core.trading import events as ev


def state_check(facts: Facts) -> Check:
    """Return whether a next session of this kind may trade: nothing halts its scope, nor everything."""
    scope = facts.scope
    told = f"{scope.scope} {scope.state}" + (f" by {scope.by}: {scope.reason}" if scope.by else "")
    release = "`peaktrade killswitch release`, by two people" if scope.scope == "global" else ""
    return check(
        "state",
        "May a next session of this kind trade?",
        scope.state == "ACTIVE",
        told,
        "Find the cause first, then "
        + (release or f"`peaktrade risk resume --scope {scope.scope}`, by a named person")
        + ".",
    )


def nothing(facts: Facts, kind: str, text: str) -> Finding:
    """Return that it did not happen, and on what that rests."""
    return Finding(kind=kind, happened=False, evidence=(f"{text}: {facts.events:,} events of the journal were read.",))


def trouble_evidence(facts: Facts, troubles: list[Trouble]) -> tuple[str, ...]:
    """Return the errors, what came after them, and the alerts, in sentences."""
    found = sentences(troubles, "more of this kind")
    found += sentences(said(n.seq, n.ts, n.message) for n in facts.recovered if troubles and n.seq > troubles[0].seq)
    return (*found, *alert_sentences(facts, "7"))


def over_at(facts: Facts, troubles: list[Trouble], works: ev.BarDone | None) -> datetime | None:
    """Return when it was over, as far as the journal says."""
    if works is None:
        return facts.record.finished_at
    after = [n.ts for n in facts.recovered if n.seq > troubles[-1].seq]
    return after[0] if after else works.ts


def answers_check(facts: Facts, troubles: list[Trouble], works: ev.BarDone | None) -> Check:
    """Return whether the venue answered after the trouble: this session, or a later one."""
    later = next((r for r in facts.later if r.status == "completed"), None)
    evidence = (
        f"bars until journal #{works.seq}, {moment(works.ts)} UTC, after the last error"
        if works
        else f"{later.session_id} completed since"
        if later
        else f"nothing came after {troubles[-1]}"[:200]
    )
    return check(
        "answers",
        "Did the venue answer again?",
        works is not None or later is not None,
        evidence,
        "`peaktrade exchange inspect`; start again when it answers.",
    )


def flat_check(facts: Facts) -> Check:
    """Return whether the session holds nothing that somebody would have to close."""
    held = facts.last.position_size if facts.last else 0.0
    return check(
        "position",
        "Is no position left?",
        held == 0.0,
        f"{held:+g} at the last bar" if facts.last else "no bar was traded",
        "It is simulated: note it in the incident. At the demo venue, `peaktrade orders open` and close it there.",
        otherwise=WARN,
    )


def stopped_check(facts: Facts) -> Check:
    """Return whether the session is stopped."""
    alive = facts.run_state in ("running", "silent")
    return check(
        "stopped",
        "Is the session stopped?",
        not alive,
        facts.run_state,
        f"Stop it now: `peaktrade fleet stop {facts.record.session_id}`, or Ctrl-C where it runs.",
    )
