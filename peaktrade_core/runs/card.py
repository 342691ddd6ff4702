"""A run at a glance, for the first page and for who follows it in a terminal: equity, nearest limit, how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.trading.limit_use import LimitUse, limits_of_now
from peaktrade_core.trading.records import finite, limits_of

SPARK_BARS = 120


class RunCard(NamedTuple):
    """A run that goes on, or that died.

    Attributes:
        equity: of its last bars [quote ccy], oldest first; nearest: the limit that it is closest to, as far as is known.
        planned: how many bars it is to work off, None where no number was given.
        left_s: how long that takes at the pace so far [s], None where it is not known.
    """

    run: Run
    equity: Sequence[float] = ()
    nearest: LimitUse | None = None
    planned: int | None = None
    left_s: float | None = None

    @property
    def share(self) -> float | None:
        """How much of its bars is done [fraction]; None where it is not known."""
        return min(1.0, self.run.step / self.planned) if self.planned and self.run.step is not None else None

    @property
    def progress(self) -> str:
        """How far it is in words; empty where it is not known."""
        if self.share is None:
            return ""
        done = f"{wording.count(self.run.step)} of {wording.count(self.planned)} bars"
        return done if self.left_s is None else f"{done}, {wording.duration(self.left_s)} left"


def card_of(views: Views, run: Run) -> RunCard:
    """Return a run at a glance; what cannot be read of it is left out, its page says why."""
    card = RunCard(run)
    with suppress(PeaktradeError):
        card = card._replace(equity=[bar.equity for bar in views.tail(run.run_id, SPARK_BARS)])
        record = views.record(run.run_id)
        used = limits_of_now(run.exposure, run.max_drawdown, limits_of(record))
        steps = finite(record.setting("steps"))
        planned = int(steps) if steps and steps >= 1 else None
        card = card._replace(nearest=max(used, key=lambda one: one.share, default=None), planned=planned)
        if planned and run.active and run.started_at and run.step:
            pace = (views.now() - run.started_at).total_seconds() / run.step  # the warm-up takes its time, too
            card = card._replace(left_s=max(0.0, (planned - run.step) * pace))
    return card
