"""Bars that are missing, late or impossible, told by the journal.

Source: operational runbooks 10.1 to 10.4 (symptoms, causes, decision, conditions for resuming).
"""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.incidents.diagnosis import findings as dg
from peaktrade_core.incidents.diagnosis.facts import Facts, alert_sentences, said, sentences
from peaktrade_core.incidents.diagnosis.findings import Branch, Finding
from peaktrade_core.incidents.diagnosis.resume import state_check
from peaktrade_core.incidents.incident import HIGH, LOW, MEDIUM
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


def data_gap(facts: Facts) -> Finding:
    """Return whether bars were missing, late or impossible, and what that asks for."""
    signs = _signs(facts)
    events: list[ev.Event] = sorted((*facts.gaps, *signs.odd, *signs.denied), key=lambda e: e.seq)
    if not events and not signs.broken:
        text = f"Every bar came, in time and possible: {facts.bars:,} bars, {facts.events:,} events were read."
        return Finding(kind=dg.DATA_GAP, happened=False, evidence=(text,))
    much = signs.missing > MUCH * (signs.missing + facts.bars)
    bad = signs.missing or signs.broken
    return Finding(
        kind=dg.DATA_GAP,
        happened=True,
        severity=HIGH if signs.broken and facts.live_feed else MEDIUM if bad else LOW,
        evidence=_evidence(facts, signs),
        since=facts.gaps[0].first if facts.gaps else events[0].ts if events else facts.record.finished_at,
        until=events[-1].ts if events and not signs.broken else facts.record.finished_at,
        symptom=_symptom(facts, signs),
        suspected=_suspected(facts, signs),
        branches=_branches(facts, signs, much),
        resume=_resume(facts, signs, much),
    )


def _signs(facts: Facts) -> Signs:
    """Return what the journal tells of the bars."""
    return Signs(
        late=[n for n in facts.notices if n.code == "NO_BARS"],
        impossible=[n for n in facts.notices if n.code == "IMPOSSIBLE_BAR"],
        stale=[d for d in facts.denials if d.code == "STALE_PRICE"],
        outlier=[d for d in facts.denials if d.code == "PRICE_COLLAR"],
        missing=sum(gap.missing for gap in facts.gaps),
        broken=facts.error.startswith("DataError"),
    )


def _symptom(facts: Facts, signs: Signs) -> str:
    """Return what was seen, in a sentence."""
    parts = [
        f"{many(signs.missing, 'bar')} missing in {many(len(facts.gaps), 'gap')}" if signs.missing else "",
        many(len(signs.impossible), "impossible bar") if signs.impossible else "",
        f"bars long overdue {many(len(signs.late), 'time')}" if signs.late else "",
        f"{many(len(signs.denied), 'order')} denied for the price" if signs.denied else "",
    ]
    return "; ".join(filter(None, parts)) or facts.error


def _near(facts: Facts, kind: str) -> bool:
    """Return whether calls of that kind failed shortly before a gap, or at all where bars are only late."""
    troubles = facts.of_kind(kind)
    if not facts.gaps:
        return bool(troubles)
    return any(0 < gap.seq - trouble.seq <= NEAR for gap in facts.gaps for trouble in troubles)


def _suspected(facts: Facts, signs: Signs) -> str:
    """Return the likely cause (10.2)."""
    if not facts.live_feed:
        return "the candles have holes" if signs.missing else "the candles are too few, or some cannot be true"
    if signs.impossible or (signs.outlier and not signs.missing):
        return "the venue sent bars that cannot be true, or lie far off"
    if _near(facts, dg.RATE_LIMIT):
        return "we asked too often and were refused"
    if _near(facts, dg.NETWORK):
        return "the venue was down, or our network"
    if not signs.missing:
        return "the venue answered, with old bars"
    return "the venue has no such bars: no call failed around them"


def _branches(facts: Facts, signs: Signs, much: bool) -> tuple[Branch, ...]:
    """Return the decision tree of 10.3."""
    rate, net = _near(facts, dg.RATE_LIMIT), _near(facts, dg.NETWORK)
    stopped = facts.live_feed and (signs.broken or (facts.after_gap == 0 and facts.record.status == "failed"))
    behind = bool(signs.late or signs.stale) and not signs.missing
    bad = bool(signs.impossible or signs.outlier)
    share = f"{signs.missing} of {signs.missing + facts.bars:,} bars are missing"
    return (
        Branch(key="pause", situation="It lasts",
               action="Leave it stopped, find the cause, start again when bars come.",
               supported=stopped, why=facts.error if signs.broken else f"{share}; the session {facts.record.status}",
               authority="pause"),
        Branch(key="slow_down", situation="We were refused for asking too often",
               action="Ask less often: run fewer sessions and programs on this key and address (runbook 7, rate limit).",
               supported=rate, why="calls were refused shortly before" if rate else "no call was refused for its pace"),
        Branch(key="wait", situation="The venue was down, or behind",
               action="Wait: the session goes on without new signals and catches up by itself.",
               supported=(net or behind) and not stopped,
               why="calls failed and bars did not come again" if stopped else
               "calls failed shortly before, and bars came again" if net else
               "bars came late, none is missing" if behind else "no call failed around it"),
        Branch(key="mend_candles", situation="The stored candles have holes or errors",
               action="`peaktrade data check` names them, `peaktrade data fetch` fills them; repeat the session.",
               supported=not facts.live_feed, why=f"feed {facts.record.setting('feed')}: {share}"),
        Branch(key="bad_bars", situation="The venue sent bars that are impossible or far off",
               action="Compare with a second source; note it in the incident.", supported=bad,
               why="the journal names them" if bad else "every bar that came was possible"),
        Branch(key="accept", situation="The venue itself has no such bars",
               action="Fetch the time once more with `peaktrade data fetch`; if it stays empty, mark the gap as accepted.",
               supported=facts.live_feed and bool(signs.missing) and not (rate or net or signs.impossible or stopped),
               why="calls failed around it" if rate or net else f"{share}; no call failed around them"),
        Branch(key="repeat", situation="Too much is missing for the result to say anything",
               action="Set the result aside, note it, and repeat the session with complete candles.",
               supported=much, why=f"{share}, the limit is {100 * MUCH:.0f} %"),
    )  # fmt: skip


def _evidence(facts: Facts, signs: Signs) -> tuple[str, ...]:
    """Return gaps, odd bars and denials by old prices, in sentences."""
    found = sentences(
        (
            said(g.seq, g.ts, f"{many(g.missing, 'bar')} missing, {moment(g.first)} to {moment(g.last)}")
            for g in facts.gaps
        ),
        "gaps",
    )
    found += sentences(said(n.seq, n.ts, f"{n.code}: {n.message}") for n in signs.odd)
    found += sentences(said(d.seq, d.ts, f"denied {d.code}") for d in signs.denied)
    if signs.broken:
        found.append(said(-1, facts.record.finished_at, facts.error))
    return (*found, *alert_sentences(facts, "10"))


def _resume(facts: Facts, signs: Signs, much: bool) -> tuple[Check, ...]:
    """Return the conditions of 10.4, and whether the next session may trade."""
    later = next((r for r in facts.later if r.status == "completed"), None)
    back = not signs.broken and (facts.after_gap > 0 or not facts.gaps)
    warm = facts.record.setting("warmup_candles")
    needed = warm if isinstance(warm, int) else 0
    clean = facts.after_gap if facts.gaps else facts.bars
    return (
        check("source", "Is the source of the data there again?", back or later is not None,
              f"{facts.after_gap} bars came after the last gap" if back else f"{later.session_id} completed since"
              if later else "no bar came after it",
              "`peaktrade exchange inspect`, or `peaktrade data list` for stored candles."),
        check("filled", "Is the gap filled?", signs.missing == 0, f"{many(signs.missing, 'bar')} missing",
              "Fill it, or have a person mark it as acceptable below." if not much else
              "More than 5 % is missing: repeat the session with complete candles.", otherwise=WARN),
        check("signals", "Are signals built on complete bars again?", clean >= needed,
              f"{clean} complete bars since, the warm-up takes {needed}",
              "Until then signals mix old and new prices; start a new session, which warms up anew.", otherwise=WARN),
        state_check(facts),
    )  # fmt: skip
