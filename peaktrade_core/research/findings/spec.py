"""What a finding asks: the file ``config/findings/NAME.toml``: states of a market, the return after them, on which markets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.resources import named_files
from peaktrade_core.base.typed import Checked, read_named
from peaktrade_core.trading.market import Timeframe
from peaktrade_core.workspace.workspace import Workspace

FOLDER = Path("config", "findings")
Kind = Literal["signal", "volatility", "phase", "weekday", "hour"]


class States(Checked, frozen=True, kw_only=True):
    """Which state a market is in at the close of a bar, from what is known then.

    Attributes:
        kind: ``signal`` of a strategy; ``volatility``, rank of realised variance among its past; ``phase`` of a cycle
            in days; ``weekday`` and ``hour`` in which the return begins, UTC.
        strategy, params, warmup: of ``signal``; warmup [bars].
        window, lookback: of ``volatility`` [bars]; reference, length: of ``phase`` [days since 1970, days].
        parts: into how many states rank or phase are divided.
    """

    kind: Kind
    strategy: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    warmup: Annotated[int, Meta(ge=0)] = 200
    window: Annotated[int, Meta(ge=2, le=100_000)] = 24
    lookback: Annotated[int, Meta(ge=3, le=10_000)] = 240
    reference: float = 16_709.0
    length: Annotated[float, Meta(gt=0.0)] = 3_141.0
    parts: Annotated[int, Meta(ge=2, le=12)] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.kind == "signal") != bool(self.strategy):
            raise ConfigError('[states] kind = "signal" needs a strategy, and no other kind has one')


class MarketAsked(Checked, frozen=True, kw_only=True):
    """A market: symbol, timeframe, and where its candles lie; without that the stored ones."""

    symbol: str
    timeframe: Timeframe
    candles: str | None = None


class Finding(Checked, frozen=True, kw_only=True):
    """A finding.

    Attributes:
        name: of it; question: what it is to answer, kept with it.
        states: of the market; horizon: how many bars the return after a state takes.
        market: on which it is asked; unseen: last part of what may be read, for the second look alone [fraction].
        alpha: level of the test after Holm; draws, seed: of bootstrap and shuffles; block_days: least length of a block.
        least_days, least_stretches: UTC days, and separate stretches of a state, below which nothing is said of it.
    """

    name: str
    question: str
    states: States
    market: tuple[MarketAsked, ...]
    horizon: Annotated[int, Meta(ge=1, le=10_000)] = 24
    unseen: Annotated[float, Meta(ge=0.1, le=0.5)] = 0.3
    alpha: Annotated[float, Meta(gt=0.0, le=0.2)] = 0.05
    draws: Annotated[int, Meta(ge=200, le=100_000)] = 2000
    seed: Annotated[int, Meta(ge=0)] = 0
    block_days: Annotated[float, Meta(gt=0.0, le=365.0)] = 5.0
    least_days: Annotated[int, Meta(ge=50)] = 50
    least_stretches: Annotated[int, Meta(ge=5)] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.question.strip():
            raise ConfigError("question: say in a sentence what the finding is to answer; it is kept with it")
        names = [(one.symbol, one.timeframe) for one in self.market]
        if not names:
            raise ConfigError("a finding needs at least one [[market]]")
        if len(set(names)) < len(names):
            raise ConfigError("a [[market]] stands there twice")


def read_finding(path: Path) -> Finding:
    """Return the finding of a file.

    Raises:
        ConfigError: the file is missing or wrong; says where.
    """
    return read_named(path, Finding)


def finding_files(workspace: Workspace) -> dict[str, Path]:
    """Return the files of all findings by name: those of the workspace, and the shipped ones that it does not replace."""
    return named_files(workspace.home, FOLDER)


def find_finding(workspace: Workspace, name: str) -> Finding:
    """Return the finding called ``name``, or the one of a file.

    Raises:
        UnknownNameError: there is none; ConfigError: its file is wrong.
    """
    known = finding_files(workspace)
    path = Path(name).expanduser() if name.endswith(".toml") else known.get(name)
    if path is None:
        raise UnknownNameError("finding", name, sorted(known), "peaktrade findings list")
    return read_finding(path)
