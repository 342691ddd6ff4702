"""The research of a day or week: sweeps with their verdict, and openings of the hold-out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.schedule.periods import Span
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.research.trials.sweep import SweepStore

SWEEP, OPENED = "sweep", "hold-out opened"


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep, or an opening of the hold-out.

    Attributes:
        at: when it ended (began, where it has not), UTC; what: :data:`SWEEP`, :data:`OPENED`, or that it is unreadable.
        about: strategy and market; by: who asked; why: the question or the reason; told: the verdict, or what was read.
    """

    at: datetime
    what: str
    about: str
    by: str
    why: str
    told: str


def experiments(workspace: Workspace, span: Span) -> list[Experiment]:
    """Return the research of a period, oldest first; what cannot be read is an entry that says so."""
    found = [*_guarded(workspace, span, partial(_openings, workspace)), *_sweeps(workspace, span)]
    return sorted((one for one in found if span.since <= one.at < span.until), key=lambda one: (one.at, one.what))


def _sweeps(workspace: Workspace, span: Span) -> Iterator[Experiment]:
    from peaktrade_core.research.trials.sweep import SweepStore

    store = SweepStore(workspace)
    for sweep_id in store.ids():
        yield from _guarded(workspace, span, partial(_sweep, store, sweep_id))


def _sweep(store: SweepStore, sweep_id: str) -> Iterator[Experiment]:
    from peaktrade_core.research.trials.verdict import told

    record = store.load(sweep_id)
    sweep = record.sweep
    market = " ".join(filter(None, (sweep.symbol, sweep.timeframe)))
    yield Experiment(
        at=record.ended_at or record.began_at,
        what=SWEEP,
        about=f"{record.sweep_id} {sweep.name}: {sweep.strategy}{' on ' * bool(market)}{market}, {record.trials:,} trials",
        by=record.by,
        why=sweep.question,
        told=told(record.verdict) if record.ended_at else "Not over: it runs, or it was killed.",
    )


def _openings(workspace: Workspace) -> Iterator[Experiment]:
    from peaktrade_core.research.trials.holdout import HoldOut

    for held in HoldOut(workspace).status():
        for one in held.openings:
            about = f"{held.symbol} {held.timeframe} since {held.since:%Y-%m-%d}"
            told = f"read by {one.trial}; look {held.openings.index(one) + 1} at this market"
            yield Experiment(at=one.at, what=OPENED, about=about, by=one.by, why=one.reason, told=told)


def _guarded(workspace: Workspace, span: Span, source: Callable[[], Iterator[Experiment]]) -> list[Experiment]:
    """Return what a source tells, or an entry of the period that says why it does not."""
    try:
        return list(source())
    except ArtefactError as error:
        told = str(error).replace(f"{workspace.home}/", "")
        return [Experiment(at=span.since, what=UNREADABLE, about="", by="", why="", told=told)]
