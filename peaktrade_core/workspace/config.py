"""The configuration file: what may stand in ``config/config.toml``, its defaults and its ranges.

A wrong key, type or value is an error that names file, key, value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.files import read_toml
from peaktrade_core.base.typed import Checked, read
from peaktrade_core.trading.market import Instrument, Timeframe
from peaktrade_core.trading.risk import Limits
from peaktrade_core.workspace.settings import (
    FleetSettings,
    GroupCommit,
    Releasing,
    Research,
    Retention,
    RiskLimits,
    Triggers,
)
from peaktrade_core.workspace.venues import VENUES, require_venue

Feed = Literal["synthetic", "replay", "exchange"]
FEEDS: tuple[Feed, ...] = get_args(Feed)
CONFIG = Path("config") / "config.toml"


def read_limits(given: Mapping[str, float]) -> Limits:
    """Return risk limits with ``given`` over the defaults.

    Raises:
        ConfigError: an unknown name, or a limit that is not finite, not positive, or of no use.
    """
    return Limits(**msgspec.to_builtins(read(_whole(given), RiskLimits, "live_risk")))


def _whole(limits: object) -> object:
    """Return limits with 5.0 as 5 where a whole number is meant: people write both."""
    if not isinstance(limits, Mapping) or type(count := limits.get("max_open_positions")) is not float:
        return limits
    return {**limits, "max_open_positions": int(count)} if count.is_integer() else limits


class Environment(Checked, frozen=True):
    """Where sessions may go.

    Attributes:
        mode: ``shadow``, or ``testnet``: without it no testnet session starts.
        name: of this installation, on pages; a session's record names the venue that it asked.
    """

    mode: Literal["shadow", "testnet"] = "shadow"
    name: str = "kraken"


class SessionDefaults(Checked, frozen=True):
    """What a session uses where the command line says nothing."""

    strategy: str = "ma_crossover"
    symbol: str = "BTC/EUR"
    timeframe: Timeframe = "1m"
    feed: Feed = "synthetic"
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 42
    steps: Annotated[int, Meta(ge=1, le=100_000_000)] = 1000
    warmup_candles: Annotated[int, Meta(ge=0, le=1_000_000)] = 200
    position_fraction: Annotated[float, Meta(ge=0.0001, le=1.0)] = 0.05
    start_balance: Annotated[float, Meta(gt=0.0, le=1e12)] = 10_000.0
    fee_bps: Annotated[float, Meta(ge=0.0, le=1000.0)] = 26.0
    slippage_bps: Annotated[float, Meta(ge=0.0, le=1000.0)] = 5.0


class SyntheticMarket(Checked, frozen=True):
    """The embedded market: first price [quote ccy] and annualised volatility [fraction]."""

    price: Annotated[float, Meta(ge=1e-6, le=1e9)] = 50_000.0
    volatility: Annotated[float, Meta(ge=0.001, le=9.9)] = 0.6


class Exchange(Checked, frozen=True):
    """The venue of ``--feed exchange`` and of testnet sessions, and how patient we are with it.

    Attributes:
        venue: a venue with candles, by ccxt's name. ``kraken`` only validates orders, ``krakenfutures`` is its demo; every
            other one gives candles, and takes orders in its sandbox if it has one (``peaktrade exchange venues``).
        base_url: a venue on this machine instead, for drills; empty for the real one.
        websocket: take candles from the venue's websocket where it has them; REST answers for what it lacks.
        timeout_s: for each read [s]; deadline_s: for a whole call [s]; attempts: for a call that changes nothing.
        patience_s: how long the feed may fail before the session does [s].
        order_pace_s: shortest time between two orders [s].
    """

    venue: Annotated[str, Meta(extra_json_schema={"enum": list(VENUES)})] = "kraken"
    base_url: str = ""
    websocket: bool = False
    timeout_s: Annotated[float, Meta(ge=0.1, le=300.0)] = 10.0
    deadline_s: Annotated[float, Meta(ge=0.1, le=600.0)] = 30.0
    attempts: Annotated[int, Meta(ge=1, le=20)] = 4
    patience_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 900.0
    order_pace_s: Annotated[float, Meta(ge=0.0, le=60.0)] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_venue(self.venue)


class Interface(Checked, frozen=True):
    """How pages speak."""

    language: Literal["en", "de"] = "en"


class Auditing(Checked, frozen=True):
    """Where the ledger is stamped (``peaktrade audit anchor``).

    Attributes:
        anchor_url: of a time stamp authority (RFC 3161), empty for none; anchor_timeout_s: for its answer [s].
        anchor_roots: its root certificates as PEM, below the workspace.
    """

    anchor_url: Annotated[str, Meta(pattern="^(https?://.+)?$")] = ""
    anchor_roots: str = "config/anchor_roots.pem"
    anchor_timeout_s: Annotated[float, Meta(ge=0.1, le=120.0)] = 10.0


class Config(Checked, frozen=True):
    """The whole file.

    Attributes:
        contacts: who is called in an emergency, and how: ``owner = "Ada Example, +49 170 000"``.
    """

    environment: Environment = Environment()
    session: SessionDefaults = SessionDefaults()
    live_risk: RiskLimits = RiskLimits()
    strategy: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    strategy_modules: list[str] = msgspec.field(default_factory=list)
    instruments: dict[str, Instrument] = msgspec.field(default_factory=dict)
    synthetic: SyntheticMarket = SyntheticMarket()
    exchange: Exchange = Exchange()
    journal: GroupCommit = GroupCommit()
    fleet: FleetSettings = msgspec.field(default_factory=FleetSettings)
    retention: Retention = Retention()
    research: Research = Research()
    ui: Interface = Interface()
    kill_switch: Releasing = Releasing()
    audit: Auditing = Auditing()
    triggers: Triggers = Triggers()
    contacts: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def limits(self) -> Limits:
        """The risk limits, defaults filled in."""
        return Limits(**msgspec.to_builtins(self.live_risk))

    def instrument(self, symbol: str) -> Instrument:
        """Return a configured instrument.

        Raises:
            UnknownNameError: the symbol is not configured.
        """
        if symbol not in self.instruments:
            raise UnknownNameError(
                "symbol", symbol, sorted(self.instruments), "the [instruments] tables in config.toml"
            )
        return self.instruments[symbol]


def load_config(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it is missing, not TOML, or holds a wrong key, type or value; names file, key and value.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file; `peaktrade init {path.parent.parent}` writes one")
    raw = read_toml(path)
    try:
        return read({**raw, "live_risk": _whole(raw.get("live_risk", {}))}, Config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
