"""What a sweep asks: the file ``config/sweeps/NAME.toml`` or the command's options, and the trials that it means."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.typed import Checked, read_named
from peaktrade_core.show.wording import many
from peaktrade_core.trading.market import Timeframe
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import Strategy

MOST_TRIALS = 1_000_000
GRID, RANDOM = "grid", "random"
SETTINGS = ("fee_bps", "slippage_bps", "position_fraction", *Limits._fields)  # what may vary beside parameters


class Search(Checked, frozen=True):
    """How points are picked: all of the grid, so many of them at random (without repetition), or by what was found so far.

    Attributes:
        sampler: ``grid``, ``random``, or one of Optuna's, ``tpe`` or ``cmaes`` (the extra ``search``).
        trials: how many, but for the grid; seed: of chance.
    """

    sampler: Literal["grid", "random", "tpe", "cmaes"] = "grid"
    trials: Annotated[int, Meta(ge=1, le=MOST_TRIALS)] = 100
    seed: Annotated[int, Meta(ge=0)] = 0


class Judge(Checked, frozen=True):
    """What a trial must have before it can be the best, and the thresholds of the verdict.

    Attributes:
        metric: by which trials are ranked.
        least_trades: round trips; blocks: of the probability of overfitting, even.
        deflated_sharpe, overfitting, null_p, efficiency, break_even, plateau: see ``docs/research.md``.
    """

    metric: Literal["sharpe", "return"] = "sharpe"
    least_trades: Annotated[int, Meta(ge=0)] = 30
    blocks: Annotated[int, Meta(ge=2, le=20)] = 16
    deflated_sharpe: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.95
    overfitting: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.2
    null_p: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.05
    efficiency: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.5
    break_even: Annotated[float, Meta(ge=0.0, le=100.0)] = 1.5
    plateau: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blocks % 2:
            raise ConfigError(f"blocks = {self.blocks} must be even: half of them are in the sample")


class WalkForward(Checked, frozen=True):
    """Windows: the best of each is run over what follows, with a fresh account.

    Attributes:
        windows: how many; 0 for none. train: share of a window in which the best is picked [fraction].
    """

    windows: Annotated[int, Meta(ge=0, le=100)] = 5
    train: Annotated[float, Meta(ge=0.1, le=0.9)] = 0.7


class Null(Checked, frozen=True):
    """The whole sweep over markets whose blocks of bars are shuffled: how often chance does as well.

    Attributes:
        shuffles: how many markets; 0 for none. block_days: length of a block [UTC days].
    """

    shuffles: Annotated[int, Meta(ge=0, le=1000)] = 20
    block_days: Annotated[float, Meta(gt=0.0, le=365.0)] = 1.0
    seed: Annotated[int, Meta(ge=0)] = 0


class Sweep(Checked, frozen=True, kw_only=True):
    """A sweep.

    Attributes:
        name: of it; question: what it is to answer, which is kept with every trial.
        strategy, symbol, timeframe: what decides, on which market; candles: file or folder, as for a session.
        parameters: by name, a list of values or ``{from, to, step}``, both ends included; costs, size and limits by
            their names in the configuration may stand among them.
        fixed: parameters that stay as they are.
    """

    name: str
    question: str
    strategy: str
    candles: str
    symbol: str | None = None
    timeframe: Timeframe | None = None
    warmup_candles: int | None = None
    parameters: dict[str, Any]
    fixed: dict[str, Any] = field(default_factory=dict)
    search: Search = field(default_factory=Search)
    judge: Judge = field(default_factory=Judge)
    walk_forward: WalkForward = field(default_factory=WalkForward)
    null: Null = field(default_factory=Null)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.question.strip():
            raise ConfigError("question: say in a sentence what the sweep is to answer; it is kept with every trial")
        if not self.parameters:
            raise ConfigError("parameters: name at least one, with a list of values or {from, to, step}")
        if both := sorted(set(self.parameters) & set(self.fixed)):
            raise ConfigError(f"{both[0]} stands in [parameters] and in [fixed]; it can be one only")

    def wishes(self) -> dict[str, Any]:
        """Return what decides on which market, as a session's plan takes it; the rest is the configuration's."""
        given = {name: getattr(self, name) for name in ("strategy", "candles", "symbol", "timeframe", "warmup_candles")}
        return {name: value for name, value in given.items() if value is not None}


def read_sweep(path: Path) -> Sweep:
    """Return the sweep of a file.

    Raises:
        ConfigError: the file is missing or wrong; says where.
    """
    return read_named(path, Sweep)


def grid_of(text: str) -> dict[str, Any]:
    """Return ``fast=5:60:5 slow=40,80,120`` as the parameters of a sweep.

    Raises:
        ConfigError: a part cannot be read.
    """
    found: dict[str, Any] = {}
    for part in text.split():
        name, sign, values = part.partition("=")
        try:
            numbers = [_number(one) for one in values.replace(":", ",").split(",")]
        except ValueError:
            numbers = []
        if not (sign and name and numbers) or (":" in values and len(numbers) != 3):
            raise ConfigError(f"--grid {part!r} must be NAME=FROM:TO:STEP or NAME=A,B,C")
        found[name] = dict(zip(("from", "to", "step"), numbers, strict=True)) if ":" in values else numbers
    return found


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def axes(sweep: Sweep) -> dict[str, list[Any]]:
    """Return the values of each parameter.

    Raises:
        ConfigError: a range that is none, or that has too many values.
    """
    return {name: _values(name, given) for name, given in sweep.parameters.items()}


def _values(name: str, given: Any) -> list[Any]:
    if isinstance(given, list) and given:
        return list(dict.fromkeys(given))
    if not isinstance(given, dict) or sorted(given) != ["from", "step", "to"]:
        raise ConfigError(f"parameters.{name} = {given!r} must be a list of values or {{from, to, step}}")
    first, last, step = given["from"], given["to"], given["step"]
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (first, last, step)):
        raise ConfigError(f"parameters.{name}: from, to and step must be numbers")
    if not step > 0 or last < first:
        raise ConfigError(f"parameters.{name}: step must be above 0 and to not below from")
    count = int((last - first) / step * (1.0 + 1e-12)) + 1
    if count > MOST_TRIALS:
        raise ConfigError(f"parameters.{name} has {many(count, 'value')}; at most {MOST_TRIALS:,} trials are made")
    whole = all(isinstance(one, int) for one in (first, step))
    return [first + i * step if whole else round(first + i * step, 12) for i in range(count)]


def axes_of(sweep: Sweep, strategy: Strategy) -> dict[str, list[Any]]:
    """Return the values of each parameter, those of the strategy first, so that trials in a row share signals.

    Raises:
        ConfigError: a range that is none, or too many trials.
        UnknownNameError: neither a parameter of the strategy nor a cost, size or limit.
    """
    known, own = axes(sweep), list(strategy.params._fields)
    if unknown := sorted((known.keys() | sweep.fixed.keys()) - {*own, *SETTINGS}):
        raise UnknownNameError(f"parameter of {strategy.name}", unknown[0], [*own, *SETTINGS])
    if size_of(known, sweep.search) > MOST_TRIALS:
        raise ConfigError(
            f"the sweep means {many(size_of(known, sweep.search), 'trial')}; at most {MOST_TRIALS:,} are made: a coarser grid, "
            "or random"
        )
    return dict(sorted(known.items(), key=lambda one: one[0] not in own))


def size_of(known: dict[str, list[Any]], search: Search) -> int:
    """Return how many trials a search over axes makes."""
    size = math.prod(len(values) for values in known.values())
    if search.sampler == GRID:
        return size
    return min(size, search.trials) if search.sampler == RANDOM else search.trials


def points(sweep: Sweep, known: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return the parameters of each trial, in an order that is always the same; combinations that a strategy refuses are kept.

    Empty for a search that goes by what it found: its points are not known before.
    """
    if sweep.search.sampler == GRID:
        chosen: Iterator[tuple[Any, ...]] = itertools.product(*known.values())
    elif sweep.search.sampler == RANDOM:
        size = math.prod(len(values) for values in known.values())
        wanted = size_of(known, sweep.search)
        picked = sorted(random.Random(sweep.search.seed).sample(range(size), wanted))  # noqa: S311  (no secret)
        chosen = (_point(at, list(known.values())) for at in picked)
    else:
        return []
    return [dict(zip(known, values, strict=True)) | sweep.fixed for values in chosen]


def _point(at: int, values: list[list[Any]]) -> tuple[Any, ...]:
    """Return the point of a grid with that number, counted as ``itertools.product`` does."""
    found = []
    for axis in reversed(values):
        at, index = divmod(at, len(axis))
        found.append(axis[index])
    return tuple(reversed(found))
