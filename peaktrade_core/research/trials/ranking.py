"""Which of a sweep's trials is better: by the sweep's own metric, of those that have what it takes to be judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from peaktrade_core.research.trials.spec import Judge
from peaktrade_core.research.trials.trial import Trial

BEST = 10  # trials that are shown of a sweep
UNRANKED = "First trials, none of which can be ranked"
_RANK = itemgetter(0, 1)


def best_of(trials: Sequence[Trial], judge: Judge) -> Trial | None:
    """Return the trial with the best metric among those that can be ranked; None where none can."""
    return max(_ranking(trials, judge), default=(0.0, 0, None), key=_RANK)[2]


def leading(trials: Sequence[Trial], judge: Judge) -> tuple[list[Trial], bool]:
    """Return the trials to show, the best first, and whether they could be ranked; where none can, the first that were."""
    best = [trial for _, _, trial in sorted(_ranking(trials, judge), key=_RANK, reverse=True)]
    return (best or sorted(trials, key=lambda one: one.number))[:BEST], bool(best)


def _ranking(trials: Iterable[Trial], judge: Judge) -> Iterator[tuple[float, int, Trial]]:
    """Yield the trials that can be ranked, with what they are ranked by: the metric, and of two alike the first."""
    return ((value, -trial.number, trial) for trial in trials if (value := metric(trial, judge)) is not None)


def metric(trial: Trial, judge: Judge) -> float | None:
    """Return what a trial is ranked by; None where it has too few round trips or days."""
    if trial.error or trial.trades < judge.least_trades:
        return None
    return trial.sharpe if judge.metric == "sharpe" else trial.total_return
