"""Which trials a sweep makes: those of a grid, some at random, or the next ones by what was found so far (Optuna)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.research.trials.crew import Crew, Found, Numbered, Work
from peaktrade_core.research.trials.spec import GRID, RANDOM, Search
from peaktrade_core.research.trials.trial import Trial

PART = 64  # trials kept together, so that a killed sweep loses at most so many
ROUND = 16  # trials that a search asks for before it learns what they found; always the same, on any number of cores

Metric = Callable[[Trial], float | None]


def require(search: Search) -> None:
    """Make sure that a search can be made here.

    Raises:
        EnvironmentFault: it needs Optuna, which is not installed.
    """
    if search.sampler in (GRID, RANDOM):
        return
    try:
        import cmaes  # noqa: F401
        import optuna  # noqa: F401
    except ImportError:
        raise EnvironmentFault(
            f"[search] sampler = {search.sampler!r} needs Optuna: pip install 'peaktrade[search]', or use random"
        ) from None


class TrialPlan:
    """The trials of a sweep.

    Attributes:
        trials: how many.
    """

    def __init__(
        self,
        search: Search,
        axes: dict[str, list[Any]],
        fixed: dict[str, Any],
        points: list[dict[str, Any]],
        trials: int,
    ) -> None:
        """Plan ``points``, or where there are none ``trials`` that a search over ``axes`` picks, with ``fixed`` beside."""
        self.trials, self._points = trials, points
        self._search, self._axes, self._fixed = search, axes, fixed

    def sample(self) -> dict[str, Any]:
        """Return the parameters of one trial, to see how long one takes."""
        return self._points[0] if self._points else {name: one[0] for name, one in self._axes.items()} | self._fixed

    def explored(
        self, crew: Crew, work: Work, metric: Metric, known: Callable[[int], list[Trial]] = lambda _: []
    ) -> Iterator[tuple[int, Found]]:
        """Run the trials and yield the parts, each with its number.

        Args:
            crew, work: who runs them, over which bars; metric: what is searched for.
            known: returns the trials of a part that was run before, which is not run again, or none.
        """
        starts = range(0, self.trials, PART)
        if not self._points:
            yield from self._asked(crew, work, metric, known)
            return
        missing = [at for at in starts if not known(at // PART)]
        parts = (list(enumerate(self._points[at : at + PART], at)) for at in missing)
        for at, found in zip(missing, crew.run(work, parts), strict=True):
            yield at // PART, found

    def _asked(
        self, crew: Crew, work: Work, metric: Metric, known: Callable[[int], list[Trial]]
    ) -> Iterator[tuple[int, Found]]:
        """Ask for some, run them, tell what they brought, and so on; what was run before is told in its place."""
        study = _Study(self._search, self._axes)
        for at in range(0, self.trials, PART):
            before, found = known(at // PART), Found()
            for begin in range(at, min(at + PART, self.trials), ROUND):
                points = study.ask(min(ROUND, self.trials - begin, at + PART - begin))
                numbered: list[Numbered] = list(enumerate((one | self._fixed for one in points), begin))
                if before:
                    study.tell([metric(one) for one in before[begin - at : begin - at + len(points)]])
                    continue
                (some,) = crew.run(work, [numbered])
                study.tell([metric(trial) for trial, _ in some])
                found += some
            if not before:
                yield at // PART, found


class _Study:
    """A study of Optuna in memory: the same seed and the same answers ask for the same points."""

    def __init__(self, search: Search, axes: dict[str, list[Any]]) -> None:
        import optuna

        self._optuna = optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it calls experimental is pinned by our tests
            sampler = (
                optuna.samplers.TPESampler(seed=search.seed, constant_liar=True)
                if search.sampler == "tpe"
                else optuna.samplers.CmaEsSampler(seed=search.seed, warn_independent_sampling=False)
            )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._axes = axes
        self._kinds: dict[str, Any] = {
            name: optuna.distributions.IntDistribution(0, len(one) - 1) for name, one in axes.items()
        }
        self._open: list[Any] = []

    def ask(self, count: int) -> list[dict[str, Any]]:
        """Return the next points."""
        self._open = [self._study.ask(self._kinds) for _ in range(count)]
        return [{name: self._axes[name][at] for name, at in one.params.items()} for one in self._open]

    def tell(self, values: list[float | None]) -> None:
        """Take in what they brought; None where it cannot be ranked, which is worse than anything."""
        for trial, value in zip(self._open, values, strict=True):
            pruned = self._optuna.trial.TrialState.PRUNED
            self._study.tell(trial, value, state=None if value is not None else pruned)
