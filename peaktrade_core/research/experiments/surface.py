"""The trials of a sweep as a surface over its parameters: planes through it, lines along a parameter, the region of a point.

Pure: trials in, figures out; nan where no trial has the figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from peaktrade_core.research.trials.ranking import best_of, metric
from peaktrade_core.research.trials.spec import Sweep, axes
from peaktrade_core.research.trials.trial import Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIGURES = ("sharpe", "total_return", "max_drawdown", "trades")  # of a trial, by which it can be coloured
Point = Mapping[str, Any]  # a value for each parameter that was varied


class Surface:
    """A sweep's trials by their parameters.

    Attributes:
        axes: the values of each parameter that has more than one; trials: those on them, in their order.
    """

    def __init__(self, sweep: Sweep, trials: Sequence[Trial]) -> None:
        self.sweep = sweep
        self.axes = {name: values for name, values in axes(sweep).items() if len(values) > 1}
        on_axes = (all(trial.params.get(name) in values for name, values in self.axes.items()) for trial in trials)
        self.trials = [trial for trial, there in zip(trials, on_axes, strict=True) if there]
        self._by_place = {self._place(trial.params): trial for trial in self.trials}

    @property
    def summit(self) -> Trial | None:
        """The best trial by the sweep's own judgement; None where none qualifies."""
        return best_of(self.trials, self.sweep.judge)

    def at(self, point: Point) -> Trial | None:
        """Return the trial at a point; None where none was made, as in a random search."""
        return self._by_place.get(self._place(point))

    def value(self, trial: Trial | None, figure: str) -> float:
        """Return a figure of a trial; nan where it could not run or has too few days for it."""
        found = None if trial is None or trial.error else getattr(trial, figure)
        return math.nan if found is None else float(found)

    def plane(self, across: str, up: str, figure: str, point: Point | None) -> NDArray[np.float64]:
        """Return a figure over two parameters: (values of ``up``, values of ``across``) float64.

        Args:
            point: where the plane cuts the others; None takes the best over all their values, of the trials that can be
                ranked where there are any.
        """
        if point is not None:
            rows = [
                [self.value(self.at({**point, across: x, up: y}), figure) for x in self.axes[across]]
                for y in self.axes[up]
            ]
            return np.array(rows, dtype=np.float64)
        tables: NDArray[np.float64] = np.full((2, len(self.axes[up]), len(self.axes[across])), np.nan)
        better = np.fmin if figure == "max_drawdown" else np.fmax
        for trial in self.trials:
            row, column = (self.axes[name].index(trial.params[name]) for name in (up, across))
            place = (int(metric(trial, self.sweep.judge) is None), row, column)
            tables[place] = better(tables[place], self.value(trial, figure))
        found: NDArray[np.float64] = np.where(np.isnan(tables[0]), tables[1], tables[0])
        return found

    def along(self, name: str, figure: str, point: Point) -> list[float]:
        """Return a figure at each value of a parameter, the others as at the point."""
        return [self.value(self.at({**point, name: value}), figure) for value in self.axes[name]]

    def region(self, trial: Trial) -> list[Trial]:
        """Return the trials around one, step by step in the grid, that do about as well by the sweep's judgement.

        That is: at least ``[judge] plateau`` of its metric. A lone point has only itself; without a metric there is none.
        """
        own = metric(trial, self.sweep.judge)
        if own is None or own <= 0.0:
            return []
        least, found, waiting = self.sweep.judge.plateau * own, {self._place(trial.params): trial}, [trial]
        while waiting:
            for near in self._neighbours(waiting.pop()):
                value = metric(near, self.sweep.judge)
                if self._place(near.params) not in found and value is not None and value >= least:
                    found[self._place(near.params)] = near
                    waiting.append(near)
        return list(found.values())

    def _neighbours(self, trial: Trial) -> Iterator[Trial]:
        """Yield the trials one step along one parameter away."""
        for name, values in self.axes.items():
            at = values.index(trial.params[name])
            for other in (at - 1, at + 1):
                if 0 <= other < len(values) and (near := self.at({**trial.params, name: values[other]})):
                    yield near

    def _place(self, point: Point) -> tuple[Any, ...]:
        return tuple(point[name] for name in self.axes)
