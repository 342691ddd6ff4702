"""Bars that are missing, late or impossible, told by the journal.

Source: operational runbooks 10.1 to 10.4 (symptoms, causes, decision, conditions for resuming).
"""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.base.question import Check
from peaktrade_core.incidents.diagnosis.facts import (
    ConditionAnswer,
    SessionFacts,
    alert_sentences,
    conditions,
    nothing,
    said,
    sentences,
)
from peaktrade_core.incidents.diagnosis.findings import Occurrence, Support, branches, cause
from peaktrade_core.runs.handbook import Kind, error_help
from peaktrade_core.show.wording import many, moment
from peaktrade_core.trading import events as ev

NEAR = 50  # events before a gap in which a failed call may be its cause
MUCH = 0.05  # share of missing bars from which a result says little [fraction]


class Signs(NamedTuple):
    """What in a journal speaks of bars that were not as they should be.

    Attributes:
        late: bars long overdue; impossible: bars that cannot be true; stale, outlier: orders denied for an old price
            and for one far off.
        missing: bars that never came; broken: the session ended by its data.
    """

    late: list[ev.Notice]
    impossible: list[ev.Notice]
    stale: list[ev.Denial]
    outlier: list[ev.Denial]
    missing: int
    broken: bool

    @property
    def odd(self) -> list[ev.Notice]:
        """What the feed told."""
        return sorted((*self.late, *self.impossible), key=lambda e: e.seq)

    @property
    def denied(self) -> list[ev.Denial]:
        """The orders that were denied for it."""
        return sorted((*self.stale, *self.outlier), key=lambda e: e.seq)


def data_gap(facts: SessionFacts) -> Occurrence:
    """Return whether bars were missing, late or impossible, and what that asks for."""
    signs = Signs(
        late=[n for n in facts.notices if n.code == "NO_BARS"],
        impossible=[n for n in facts.notices if n.code == "IMPOSSIBLE_BAR"],
        stale=[d for d in facts.denials if d.code == "STALE_PRICE"],
        outlier=[d for d in facts.denials if d.code == "PRICE_COLLAR"],
        missing=sum(gap.missing for gap in facts.gaps),
        broken=error_help(facts.error).kind == "data_gap",
    )
    events: list[ev.Event] = sorted((*facts.gaps, *signs.odd, *signs.denied), key=lambda e: e.seq)
    if not events and not signs.broken:
        return nothing(facts, "data_gap")
    ended = facts.record.finished_at
    return Occurrence(
        kind="data_gap",
        happened=True,
        severity="high" if signs.broken and facts.live_feed else "medium" if signs.missing or signs.broken else "low",
        evidence=_gap_evidence(facts, signs),
        since=facts.gaps[0].first if facts.gaps else events[0].ts if events else ended,
        until=events[-1].ts if events and not signs.broken else ended,
        symptom=_gap_symptom(facts, signs),
        suspected=cause("data_gap", _gap_cause(facts, signs)),
        branches=branches("data_gap", _gap_ways(facts, signs)),
        resume=_gap_resume(facts, signs),
    )


def _much(facts: SessionFacts, signs: Signs) -> bool:
    """Return whether so much is missing that the result says little."""
    return signs.missing > MUCH * (signs.missing + facts.bars)


def _gap_symptom(facts: SessionFacts, signs: Signs) -> str:
    """Return what was seen, in a sentence."""
    parts = [
        f"{many(signs.missing, 'bar')} missing in {many(len(facts.gaps), 'gap')}" if signs.missing else "",
        many(len(signs.impossible), "impossible bar") if signs.impossible else "",
        f"bars long overdue {many(len(signs.late), 'time')}" if signs.late else "",
        f"{many(len(signs.denied), 'order')} denied for the price" if signs.denied else "",
    ]
    return "; ".join(filter(None, parts)) or facts.error


def _near(facts: SessionFacts, kind: Kind) -> bool:
    """Return whether calls of that kind failed shortly before a gap, or at all where bars are only late."""
    troubles = facts.of_kind(kind)
    if not facts.gaps:
        return bool(troubles)
    return any(0 < gap.seq - trouble.seq <= NEAR for gap in facts.gaps for trouble in troubles)


def _gap_cause(facts: SessionFacts, signs: Signs) -> str:
    """Return the likely cause (10.2), by its key in the handbook."""
    if not facts.live_feed:
        return "holes" if signs.missing else "candles"
    if signs.impossible or (signs.outlier and not signs.missing):
        return "bad_bars"
    if _near(facts, "rate_limit"):
        return "pace"
    if _near(facts, "network"):
        return "down"
    return "theirs" if signs.missing else "old"


def _gap_ways(facts: SessionFacts, signs: Signs) -> dict[str, Support]:
    """Return what speaks for the ways of 10.3."""
    rate, net, much = _near(facts, "rate_limit"), _near(facts, "network"), _much(facts, signs)
    stopped = facts.live_feed and (signs.broken or (facts.after_gap == 0 and facts.record.status == "failed"))
    behind = bool(signs.late or signs.stale) and not signs.missing
    bad = bool(signs.impossible or signs.outlier)
    share = f"{signs.missing} of {signs.missing + facts.bars:,} bars are missing"
    waited = (
        "calls failed and bars did not come again"
        if stopped
        else "calls failed shortly before, and bars came again"
        if net
        else "bars came late, none is missing"
        if behind
        else "no call failed around it"
    )
    theirs = facts.live_feed and bool(signs.missing) and not (rate or net or signs.impossible or stopped)
    return {
        "pause": Support(stopped, facts.error if signs.broken else f"{share}; the session {facts.record.status}"),
        "slow_down": Support(rate, "calls were refused shortly before" if rate else "no call was refused for its pace"),
        "wait": Support((net or behind) and not stopped, waited),
        "mend_candles": Support(not facts.live_feed, f"feed {facts.record.setting('feed')}: {share}"),
        "bad_bars": Support(bad, "the journal names them" if bad else "every bar that came was possible"),
        "accept": Support(theirs, "calls failed around it" if rate or net else f"{share}; no call failed around them"),
        "repeat": Support(much, f"{share}, the limit is {100 * MUCH:.0f} %"),
    }


def _gap_evidence(facts: SessionFacts, signs: Signs) -> tuple[str, ...]:
    """Return gaps, odd bars and denials by old prices, in sentences."""
    gaps = (
        said(g.seq, g.ts, f"{many(g.missing, 'bar')} missing, {moment(g.first)} to {moment(g.last)}")
        for g in facts.gaps
    )
    found = sentences(gaps, "gaps")
    found += sentences(said(n.seq, n.ts, f"{n.code}: {n.message}") for n in signs.odd)
    found += sentences(said(d.seq, d.ts, f"denied {d.code}") for d in signs.denied)
    if signs.broken:
        found.append(said(-1, facts.record.finished_at, facts.error))
    return (*found, *alert_sentences(facts, "data_gap"))


def _gap_resume(facts: SessionFacts, signs: Signs) -> tuple[Check, ...]:
    """Return the conditions of 10.4, and whether the next session may trade."""
    later = facts.completed_since
    back = not signs.broken and (facts.after_gap > 0 or not facts.gaps)
    warm = facts.record.setting("warmup_candles")
    needed = warm if isinstance(warm, int) else 0
    clean = facts.after_gap if facts.gaps else facts.bars
    if back:
        told = f"{facts.after_gap} bars came after the last gap"
    else:
        told = f"{later} completed since" if later else "no bar came after it"
    return conditions(
        facts,
        "data_gap",
        source=ConditionAnswer(back or bool(later), told),
        filled=ConditionAnswer(
            signs.missing == 0, f"{many(signs.missing, 'bar')} missing", "much" if _much(facts, signs) else ""
        ),
        signals=ConditionAnswer(clean >= needed, f"{clean} complete bars since, the warm-up takes {needed}"),
    )
