"""What a portfolio is: the file ``config/portfolios/NAME.toml``, its components and how the account is divided among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta, field

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.resources import named_files
from peaktrade_core.base.typed import Checked, read_named
from peaktrade_core.research.portfolio.weights import Method, require_room
from peaktrade_core.research.trials.spec import Judge
from peaktrade_core.show import wording
from peaktrade_core.trading.market import Timeframe
from peaktrade_core.workspace.workspace import Workspace

FOLDER = Path("config", "portfolios")
Risk = Literal["conservative", "moderate", "aggressive"]
Rebalance = Literal["never", "daily", "weekly", "monthly"]
POSITION_FRACTION: dict[str, float] = {"conservative": 0.1, "moderate": 0.2, "aggressive": 0.35}
Fraction = Annotated[float, Meta(gt=0.0, le=1.0)]
_ROUNDING = 1e-9


class Component(Checked, frozen=True, kw_only=True):
    """One decision of a portfolio.

    Attributes:
        strategy, symbol, timeframe, params: what decides, on which market; params over the configuration's.
        trial: of a sweep, ``sw_…#37``: it says all of these itself, and what stands beside it must agree.
        weight: share of the account at the beginning; all components have one or none has.
        candles: file or folder, as for a session; without it the stored candles of symbol and timeframe.
        warmup_candles: bars that only warm the strategy up; the configuration's by default.
    """

    strategy: str | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    params: dict[str, Any] = field(default_factory=dict)
    trial: str | None = None
    weight: Fraction | None = None
    candles: str | None = None
    warmup_candles: Annotated[int, Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trial is None and (missing := [one for one in ("strategy", "symbol") if getattr(self, one) is None]):
            raise ConfigError(
                f"a [[component]] without {missing[0]!r}: give strategy and symbol, or the trial of a sweep"
            )


class Weights(Checked, frozen=True):
    """How the account is divided.

    Attributes:
        method: ``given`` keeps the weights of the components; the others compute them at each rebalance.
        lookback: days of returns from which they are computed; before so many have passed, the first weights stay.
        rebalance: when, always at 00:00 UTC; weeks begin on Monday. largest: weight that none may have more of.
        least: moves are left out while the largest of them is smaller than this [quote ccy].
    """

    method: Method = "equal"
    lookback: Annotated[int, Meta(ge=20, le=3650)] = 60
    rebalance: Rebalance = "monthly"
    largest: Fraction = 1.0
    least: Annotated[float, Meta(ge=0.02)] = 1.0

    @property
    def changes(self) -> bool:
        """Whether weights other than those at the beginning may come up."""
        return self.rebalance != "never" and self.method not in ("given", "equal")


class Built(Checked, frozen=True, kw_only=True):
    """Where a portfolio that the builder made comes from.

    Attributes:
        build_id: of what was asked; by, at: who asked and when, aware UTC in text.
        sweeps: finished ones that were looked at; candidates: of them with a best trial that was let in.
        most, correlation, objections: what was asked for.
        inside, outside: mean daily gain of the builder's picks in each window, and after it [fraction].
    """

    build_id: str
    by: str
    at: str
    sweeps: int
    candidates: int
    most: int
    correlation: float
    objections: int = 0
    inside: tuple[float, ...] = ()
    outside: tuple[float, ...] = ()


class Portfolio(Checked, frozen=True, kw_only=True):
    """A portfolio.

    Attributes:
        risk: how much of a sleeve's equity a position takes: 10, 20 or 35 %; ``[live_risk]`` holds in each case.
        component: its decisions; weights: how the account is divided among them.
        judge: thresholds of the verdict; built: where it comes from, where the builder made it.
    """

    name: str
    risk: Risk = "moderate"
    summary: str = ""
    component: tuple[Component, ...]
    weights: Weights = field(default_factory=Weights)
    judge: Judge = field(default_factory=Judge)
    built: Built | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.component:
            raise ConfigError("a portfolio needs at least one [[component]]")
        require_room(len(self.component), self.weights.largest)
        given = [one.weight for one in self.component if one.weight is not None]
        if given and len(given) < len(self.component):
            raise ConfigError(
                f"{len(given)} of {len(self.component)} components have a weight; give it to all or to none"
            )
        if not given and self.weights.method == "given":
            raise ConfigError('[weights] method = "given" needs a weight in each [[component]]')
        total = sum(given)
        if given and abs(total - 1.0) > _ROUNDING:
            raise ConfigError(f"the weights of the components sum to {total:.6g}; they must sum to 1")
        if given and max(given) > self.weights.largest + _ROUNDING:
            raise ConfigError(f"a weight of {max(given):g} is above largest = {self.weights.largest:g}")

    @property
    def position_fraction(self) -> float:
        """Notional of a new position as a share of its sleeve's equity [fraction]."""
        return POSITION_FRACTION[self.risk]

    def shares(self) -> list[float]:
        """Return the share of the account that each component begins with [fraction]."""
        given = [one.weight for one in self.component if one.weight is not None]
        return given or [1.0 / len(self.component)] * len(self.component)


def refuse_overlap(names: Sequence[tuple[str, str]]) -> None:
    """Refuse two components that are the same session to a fleet, and accounts of more than one currency.

    Args:
        names: strategy and symbol of each.

    Raises:
        ConfigError: two of them share both, or their quote currencies differ.
    """
    for at, (strategy, symbol) in enumerate(names):
        if (strategy, symbol) in names[:at]:
            first = names.index((strategy, symbol)) + 1
            raise ConfigError(
                f"components {first} and {at + 1} both trade {strategy} on {symbol}: a fleet runs that once, and a halt "
                "of one would stop the other; keep one of them"
            )
    currencies = {wording.quote_currency(symbol): symbol for _, symbol in names}
    if len(currencies) > 1:
        raise ConfigError(
            f"an account has one currency, and the components trade in {' and '.join(sorted(currencies))} "
            f"({', '.join(currencies.values())}); make a portfolio of each"
        )


class Preset(NamedTuple):
    """A portfolio that has a file."""

    path: Path
    portfolio: Portfolio


def read_portfolio(path: Path) -> Portfolio:
    """Return the portfolio of a file.

    Raises:
        ConfigError: the file is missing or wrong; says where.
    """
    return read_named(path, Portfolio)


def preset_files(workspace: Workspace) -> dict[str, Path]:
    """Return the files of all presets by name: those of the workspace, and the shipped ones that it does not replace."""
    return named_files(workspace.home, FOLDER)


def presets_of(workspace: Workspace) -> list[tuple[str, Portfolio | str]]:
    """Return all presets by name; in the place of one whose file is wrong, what is wrong with it."""
    found: list[tuple[str, Portfolio | str]] = []
    for name, path in sorted(preset_files(workspace).items()):
        try:
            found.append((name, read_portfolio(path)))
        except ConfigError as error:
            found.append((name, str(error)))
    return found


def find_preset(workspace: Workspace, name: str) -> Preset:
    """Return the preset called ``name``, or the one of a file.

    Raises:
        UnknownNameError: there is none; ConfigError: its file is wrong.
    """
    known = preset_files(workspace)
    path = Path(name).expanduser() if name.endswith(".toml") else known.get(name)
    if path is None:
        raise UnknownNameError("preset", name, sorted(known), "peaktrade portfolio presets")
    return Preset(path, read_portfolio(path))
