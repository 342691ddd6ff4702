"""The research of a day or week: what was tried, with its verdict, as ``/research`` lists it; signals, promotions, refusals.

Hold-outs that were opened, forward signals that were written or came due, tiers that changed, strategies that were refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.reports.activity import ActivityFeed
from peaktrade_core.schedule.jobs import LONG_AGO
from peaktrade_core.schedule.periods import Span
from peaktrade_core.session.tiers import REFUSED, Promotions
from peaktrade_core.show import wording
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

OPENED, SIGNALS, PROMOTED, REFUSAL = "hold-out opened", "forward signals", "promoted", "refused"
PLURALS = {OPENED: ("opening", ""), SIGNALS: ("series of signals", "series of signals"), PROMOTED: ("promotion", "")}
_MOST = 10_000


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that research did.

    Attributes:
        at: when it began, UTC; what: a run type of the experiments, one of the words above, or that it is unreadable.
        about: strategy and market; by: who asked; why: the question or the reason; told: the verdict, or what came of it.
        tries: that it made, as the ledger counts them.
    """

    at: datetime
    what: str
    about: str
    by: str
    why: str
    told: str
    tries: int = 0


def experiments(workspace: Workspace, span: Span) -> list[Experiment]:
    """Return the research of a period, oldest first; what cannot be read is an entry that says so."""
    found: list[Experiment] = []
    for source in (_tried, _openings, _signals, _promotions, _refusals):
        found += (one for one in _guarded(workspace, span, source) if one.what != UNREADABLE or one not in found)
    return sorted((one for one in found if span.since <= one.at < span.until), key=lambda one: (one.at, one.what))


def _tried(workspace: Workspace, span: Span) -> Iterator[Experiment]:
    from peaktrade_core.research.experiments.rows import SWEEP, Experiments
    from peaktrade_core.research.experiments.tables import asked

    for row in Experiments(workspace).rows():
        if row.fault or row.at is None:
            yield _unreadable(workspace, span, row.fault)
            continue
        market = " ".join(filter(None, (row.symbol, row.timeframe)))
        trials = f", {wording.many(row.trials, 'trial')}" if row.run_type == SWEEP else ""
        told = "Not over: it runs, or it was killed." if row.verdict == "not finished" else row.verdict
        yield Experiment(
            at=row.at, what=row.run_type, about=f"{row.id} {asked(row)}{' on ' * bool(market)}{market}{trials}", by=row.by,
            why=row.question, told=told or "not judged", tries=row.trials,
        )  # fmt: skip


def _openings(workspace: Workspace, _: Span) -> Iterator[Experiment]:
    from peaktrade_core.research.trials.holdout import HoldOut

    for held in HoldOut(workspace).status():
        for look, one in enumerate(held.openings, 1):
            about = f"{held.symbol} {held.timeframe} since {held.since:%Y-%m-%d}"
            told = f"read by {one.trial}; look {look} at this market"
            yield Experiment(at=one.at, what=OPENED, about=about, by=one.by, why=one.reason, told=told)


def _signals(workspace: Workspace, span: Span) -> Iterator[Experiment]:
    """Yield each decision and market whose signals were written, or came due, in the period."""
    from peaktrade_core.research.forward.outcome import DONE, SignalOutcome, evaluate

    groups: dict[tuple[str, str, str], list[SignalOutcome]] = {}
    for one in evaluate(workspace, LONG_AGO).outcomes:
        if one.signal is not None:
            groups.setdefault((one.signal.strategy, one.signal.symbol, one.signal.timeframe), []).append(one)
    for name, outcomes in groups.items():
        written = [s for one in outcomes if (s := one.signal) and span.since <= as_utc(s.written_at) < span.until]
        due = [one for one in outcomes if one.state == DONE and one.until and span.since <= one.until < span.until]
        if written or due:
            right = sum((one.net or 0.0) > 0.0 for one in due)
            gained = 100.0 * sum(one.net or 0.0 for one in due)
            moments = [*(as_utc(one.written_at) for one in written), *(one.until for one in due if one.until)]
            told = f"{len(written):,} written, {len(due):,} came due" + (
                f": {right} gained, {wording.figure(gained, 2, plus=True)} %" if due else ""
            )
            by = written[0].by if written else ""
            why = next((one.preset for one in written if one.preset), "")
            yield Experiment(at=min(moments), what=SIGNALS, about=" ".join(name), by=by, why=why, told=told)


def _promotions(workspace: Workspace, _: Span) -> Iterator[Experiment]:
    for one in Promotions(workspace).all():
        yield Experiment(
            at=one.at, what=PROMOTED, about=one.strategy, by=one.people, why=f"{one.evidence}, {one.trial}",
            told=f"{one.before} to {one.to}",
        )  # fmt: skip


def _refusals(workspace: Workspace, span: Span) -> Iterator[Experiment]:
    for one in ActivityFeed.of(workspace)(_MOST, kinds=("other",), since=span.since):
        if match := re.fullmatch(rf"{REFUSED} (\S+) by (.+?): (.+)", one.text):
            yield Experiment(at=one.at, what=REFUSAL, about=match[1], by=match[2], why="", told=match[3])


def in_short(found: list[Experiment]) -> str:
    """Return in a line what research did: how much of each kind, and how many tries that made."""
    counts, tries = Counter(one.what for one in found), sum(one.tries for one in found)
    told = [f"{n} {what}" if what in (UNREADABLE, REFUSAL) else wording.many(n, *PLURALS.get(what, (what, "")))
            for what, n in counts.items()]  # fmt: skip
    return (", ".join(told) + (f"; {wording.many(tries, 'try', 'tries')}" if tries else "")) or "none"


def _unreadable(workspace: Workspace, span: Span, fault: str) -> Experiment:
    told = fault.replace(f"{workspace.home}/", "")
    return Experiment(at=span.since, what=UNREADABLE, about="", by="", why="", told=told)


def _guarded(
    workspace: Workspace, span: Span, source: Callable[[Workspace, Span], Iterator[Experiment]]
) -> list[Experiment]:
    """Return what a source tells, or an entry of the period that says why it does not."""
    try:
        return list(source(workspace, span))
    except ArtefactError as error:
        return [_unreadable(workspace, span, str(error))]
