"""The configuration file: what may stand in ``config/config.toml``, its defaults and its ranges.

A wrong key, type or value is an error that names file, key, value and what is allowed.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.trading.market import Instrument, timeframe_seconds
from peaktrade_core.trading.risk import Limits
from peaktrade_core.workspace.settings import FleetSettings, GroupCommit, Releasing, Retention, Triggers

FEEDS = ("synthetic", "replay", "exchange")
VENUES = ("kraken", "krakenfutures")
CONFIG = Path("config") / "config.toml"


def check_range(key: str, value: float, low: float, high: float) -> None:
    """Refuse what is no number, not finite or out of range.

    Raises:
        ConfigError: says key, value and range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ConfigError(f"{key} = {value!r} must be a number from {low:g} to {high:g}")


def check_whole(key: str, value: float, low: int, high: int) -> None:
    """Refuse what is no whole number or out of range.

    Raises:
        ConfigError: says key, value and range.
    """
    check_range(key, value, low, high)
    if value != int(value):
        raise ConfigError(f"{key} = {value!r} must be a whole number from {low:g} to {high:g}")


_LOWEST = {"max_open_positions": 0.0, "max_open_orders": 0.0, "duplicate_window_s": 0.0, "max_orders_per_minute": 1.0}


def read_limits(given: dict[str, float]) -> Limits:
    """Return risk limits with ``given`` over the defaults.

    Raises:
        ConfigError: an unknown name, or a limit that is not finite, not positive, or of no use.
    """
    for key, value in given.items():
        if key not in Limits._fields:
            raise ConfigError(f"live_risk has no limit {key!r}; it has: {', '.join(Limits._fields)}")
        low = _LOWEST.get(key, 1e-9)
        check_range(f"live_risk.{key}", value, low, 1.0 if key == "warning_threshold_factor" else 1e15)
    check_whole("live_risk.max_open_positions", given.get("max_open_positions", 0), 0, 10**15)
    kinds = {name: type(value) for name, value in Limits._field_defaults.items()}
    return Limits(**{key: kinds[key](value) for key, value in given.items()})


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The venue that sessions stand for."""

    name: str = "kraken"


class SessionDefaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a session uses where the command line says nothing."""

    strategy: str = "ma_crossover"
    symbol: str = "BTC/EUR"
    timeframe: str = "1m"
    feed: str = "synthetic"
    seed: int = 42
    steps: int = 1000
    warmup_candles: int = 200
    position_fraction: float = 0.05
    start_balance: float = 10_000.0
    fee_bps: float = 26.0
    slippage_bps: float = 5.0

    def __post_init__(self) -> None:
        timeframe_seconds(self.timeframe)
        check_whole("seed", self.seed, 0, 2**63 - 1)
        check_whole("steps", self.steps, 1, 100_000_000)
        check_whole("warmup_candles", self.warmup_candles, 0, 1_000_000)
        check_range("position_fraction", self.position_fraction, 0.0001, 1.0)
        check_range("start_balance", self.start_balance, 1.0, 1e12)
        check_range("fee_bps", self.fee_bps, 0.0, 1000.0)
        check_range("slippage_bps", self.slippage_bps, 0.0, 1000.0)
        if self.feed not in FEEDS:
            raise ConfigError(f"feed = {self.feed!r} must be one of: {', '.join(FEEDS)}")


class SyntheticMarket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The embedded market: first price [quote ccy] and annualised volatility [fraction]."""

    price: float = 50_000.0
    volatility: float = 0.6

    def __post_init__(self) -> None:
        check_range("price", self.price, 1e-6, 1e9)
        check_range("volatility", self.volatility, 0.001, 9.9)


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The venue of ``--feed exchange`` and of testnet sessions, and how patient we are with it.

    Attributes:
        venue: ``kraken`` (orders are validated only) or ``krakenfutures`` (its demo).
        base_url: a venue on this machine instead, for drills; empty for the real one.
        timeout_s: for each read [s]; deadline_s: for a whole call [s]; attempts: for a call that changes nothing.
        patience_s: how long the feed may fail before the session does [s].
        order_pace_s: shortest time between two orders [s].
    """

    venue: str = "kraken"
    base_url: str = ""
    timeout_s: float = 10.0
    deadline_s: float = 30.0
    attempts: int = 4
    patience_s: float = 900.0
    order_pace_s: float = 1.0

    def __post_init__(self) -> None:
        if self.venue not in VENUES:
            raise ConfigError(f"venue = {self.venue!r} must be one of: {', '.join(VENUES)}")
        check_range("timeout_s", self.timeout_s, 0.1, 300.0)
        check_range("deadline_s", self.deadline_s, 0.1, 600.0)
        check_whole("attempts", self.attempts, 1, 20)
        check_range("patience_s", self.patience_s, 0.0, 86_400.0)
        check_range("order_pace_s", self.order_pace_s, 0.0, 60.0)


class Interface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pages speak."""

    language: str = "en"

    def __post_init__(self) -> None:
        if self.language not in ("en", "de"):
            raise ConfigError(f"language = {self.language!r} must be 'en' or 'de'")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    environment: Environment = Environment()
    session: SessionDefaults = SessionDefaults()
    live_risk: dict[str, float] = {}
    strategy: dict[str, dict[str, Any]] = {}
    strategy_modules: list[str] = []
    instruments: dict[str, Instrument] = {}
    synthetic: SyntheticMarket = SyntheticMarket()
    exchange: Exchange = Exchange()
    journal: GroupCommit = GroupCommit()
    fleet: FleetSettings = msgspec.field(default_factory=FleetSettings)
    retention: Retention = Retention()
    ui: Interface = Interface()
    kill_switch: Releasing = Releasing()
    triggers: Triggers = Triggers()

    def __post_init__(self) -> None:
        read_limits(self.live_risk)
        check_range("journal.events", self.journal.events, 1, 1_000_000)
        check_range("journal.seconds", self.journal.seconds, 0.0, 60.0)

    @property
    def limits(self) -> Limits:
        """The risk limits, defaults filled in."""
        return read_limits(self.live_risk)

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
        ConfigError: it is missing, is no TOML, or holds a wrong key, type or value; names file, key and value.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `peaktrade init {path.parent.parent}` writes one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        for symbol, table in _table(raw, "instruments").items():
            try:
                msgspec.convert(table, Instrument)
            except msgspec.ValidationError as error:
                raise ConfigError(f"{path}: instruments.{symbol!r}: {_with_value(str(error), table)}") from None
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_with_value(str(error), raw)}") from None


def _table(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a table of the file, empty when there is none; what is no table is told by the conversion."""
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _with_value(message: str, raw: Any) -> str:
    """Put the key and the value that stands in the file into msgspec's message."""
    text, _, where = message.partition(" - at `$")
    key = where.rstrip("`").lstrip(".").replace("[...]", "")
    value: Any = raw
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not key:
        return text
    return f"{key}: {text}" if isinstance(value, dict) or value is None else f"{key} = {value!r}: {text}"
