"""The composition root: the only place where adapters meet services.

A :class:`Workspace` is a folder with ``config/config.toml``; everything that peaktrade reads or writes lies below it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.adapters.brokers import SimulatedBroker
from peaktrade_core.adapters.clocks import SystemClock, random_suffix
from peaktrade_core.adapters.feeds import Feed
from peaktrade_core.adapters.registry import Registry
from peaktrade_core.adapters.runs import RunFolder
from peaktrade_core.adapters.trading_state import TradingStates
from peaktrade_core.domain.clock import Clock, FixedClock
from peaktrade_core.domain.errors import ConfigError, LiveModeNotAllowedError, UnknownNameError
from peaktrade_core.domain.market import Instrument, decimal_step, timeframe_seconds
from peaktrade_core.domain.records import SessionConfig, SessionRecord
from peaktrade_core.edge.config import CONFIG, Config, SessionDefaults, load_config
from peaktrade_core.policy.costs import Market
from peaktrade_core.policy.decision import Decision
from peaktrade_core.policy.strategies import Strategy, get_strategy
from peaktrade_core.services.recovery import recover
from peaktrade_core.services.session import Desk, Plan
from peaktrade_core.services.views import Views

FIXED_CLOCK = "PEAKTRADE_FIXED_CLOCK"
HOME = "PEAKTRADE_HOME"
FEEDS = ("synthetic", "replay")


def find_home(given: str | Path | None = None) -> Path:
    """Return the workspace: ``given``, else ``PEAKTRADE_HOME``, else the nearest folder upwards with a configuration.

    Raises:
        ConfigError: none of them leads to a workspace.
    """
    named = given or os.environ.get(HOME)
    if named:
        home = Path(named).expanduser().resolve()
        if not home.is_dir():
            raise ConfigError(f"no workspace: {home} is no folder; `peaktrade init {named}` makes it one")
        return home
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG).is_file():
            return folder
    raise ConfigError(
        f"no workspace: neither {here} nor a folder above holds {CONFIG}; go to one, name it with --home or "
        f"{HOME}, or make one with `peaktrade init FOLDER`"
    )


def _fixed_time(text: str) -> datetime:
    """Return the time that ``PEAKTRADE_FIXED_CLOCK`` names.

    Raises:
        ConfigError: it is no time.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{FIXED_CLOCK} = {text!r} is no time; write 2026-01-05T08:00:00+00:00, or unset it"
        ) from None


class Workspace:
    """One workspace: its configuration, its registry and runs, and the sessions that it can plan.

    Attributes:
        home: the folder; config_path: its configuration file.
        clock: where times come from; fixed by ``PEAKTRADE_FIXED_CLOCK`` for reproducible notebooks.
    """

    def __init__(self, home: str | Path | None = None, config: str | Path | None = None) -> None:
        self.home = find_home(home)
        self.config_path = Path(config) if config else self.home / CONFIG
        self.clock: Clock = SystemClock()
        self._suffix: Callable[[str], str] = random_suffix
        fixed = os.environ.get(FIXED_CLOCK)
        if fixed:
            self.clock = FixedClock(_fixed_time(fixed))
            self._suffix = lambda text: hashlib.sha256(text.encode()).hexdigest()[:6]

    @cached_property
    def config(self) -> Config:
        """The configuration; user strategy modules it names are loaded with it."""
        config = load_config(self.config_path)
        for module in config.strategy_modules:
            load_strategy_module(self.home / module)
        return config

    @cached_property
    def registry(self) -> Registry:
        """Records of all sessions."""
        return Registry(self.reports / "experiments" / "live_sessions", self.home / ".cache" / "registry.sqlite")

    @property
    def reports(self) -> Path:
        """Where reports go."""
        return self.home / "reports"

    @property
    def runs(self) -> Path:
        """Where run folders are."""
        return self.home / "live_runs"

    @cached_property
    def states(self) -> TradingStates:
        """The trading states on disk."""
        return TradingStates(self.reports / "live" / "trading_state", self.home / "logs" / "operations.log")

    @cached_property
    def views(self) -> Views:
        """The read side."""
        return Views(self.registry, self.run_folder, self.clock)

    def run_folder(self, run_id: str) -> RunFolder:
        """Return the folder of one run.

        Raises:
            ArtefactError: the id could escape the folder of the runs.
        """
        return RunFolder(self.runs, run_id)

    def desk(self) -> Desk:
        """Return what sessions share."""
        return Desk(self.run_folder, self.registry, self.states, self.clock, self._suffix, self.config.journal)

    def recover(self) -> list[SessionRecord]:
        """End the sessions of this machine whose process is gone; every command that looks calls it first."""
        return recover(self.registry, self.run_folder)

    def plan(
        self,
        *,
        mode: str = "shadow",
        strategy: str | None = None,
        params: Mapping[str, object] | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        feed: str | None = None,
        candles: str | Path | None = None,
        seed: int | None = None,
        steps: int | None = None,
        warmup_candles: int | None = None,
        position_fraction: float | None = None,
        start_balance: float | None = None,
        env: str | None = None,
        pace: float | None = None,
        notes: str = "",
        tags: tuple[str, ...] = (),
        cli_args: tuple[str, ...] = (),
    ) -> Plan:
        """Check everything a session needs and return it ready to start; nothing is written.

        Args:
            mode: ``shadow``; ``testnet`` needs a venue that validates.
            strategy, symbol, timeframe, feed, seed, warmup_candles, position_fraction, start_balance: None takes the
                configuration's.
            params: parameters over the configuration's and the strategy's own.
            candles: parquet or CSV file; implies the replay feed.
            steps: bars after the warm-up; None means all of a file, or the configured number.
            pace: seconds of the market per second of the wall clock, None for as fast as possible.

        Raises:
            LiveModeNotAllowedError: mode ``live``.
            ConfigError: any other setting is wrong; names it and what is allowed.
            DataError: the candles cannot be used.
        """
        _check_mode(mode)
        config = self.config
        chosen = _session_settings(
            config.session,
            strategy=strategy,
            symbol=symbol,
            timeframe=timeframe,
            seed=seed,
            warmup_candles=warmup_candles,
            position_fraction=position_fraction,
            start_balance=start_balance,
            feed=feed or ("replay" if candles else None),
            steps=steps,
        )
        if pace is not None and not 0.0 < pace < 1e9:
            raise ConfigError(f"pace = {pace!r} must be a positive number, or max")
        instrument = config.instrument(chosen.symbol)
        found = get_strategy(chosen.strategy)
        values = found.parameters({**config.strategy.get(chosen.strategy, {}), **(params or {})})
        bar_s = timeframe_seconds(chosen.timeframe)
        source = self._feed(chosen, candles, bar_s)
        wanted = chosen.steps if steps is not None or not len(source) else None
        _check_length(source, chosen.warmup_candles, wanted)
        decision = Decision(
            found, values, _market(instrument, chosen), config.limits, float(bar_s), chosen.start_balance
        )
        described = SessionConfig(
            strategy_name=found.name,
            params=values._asdict(),
            symbol=chosen.symbol,
            timeframe=chosen.timeframe,
            feed=source.name,
            seed=chosen.seed if source.name == "synthetic" else None,
            data_sha256=source.data_sha256,
            candles=str(candles) if candles else None,
            warmup_candles=chosen.warmup_candles,
            steps=wanted,
            position_fraction=chosen.position_fraction,
            start_balance=chosen.start_balance,
            fee_bps=chosen.fee_bps,
            slippage_bps=chosen.slippage_bps,
            risk_limits=config.limits._asdict(),
            instrument=msgspec.to_builtins(instrument),
            notes=notes,
            tags=tags,
        )
        if pace is not None:
            from peaktrade_core.adapters.feeds.paced import PacedFeed

            source = PacedFeed(source, pace, chosen.warmup_candles)
        return Plan(
            described, decision, mode, env or config.environment.name, source, SimulatedBroker(), cli_args, found.tier
        )

    def _feed(self, chosen: SessionDefaults, candles: str | Path | None, bar_s: int) -> Feed:
        """Return the feed that was chosen."""
        if chosen.feed == "synthetic":
            if candles:
                raise ConfigError("--candles goes with --feed replay")
            from peaktrade_core.adapters.feeds.synthetic import SyntheticFeed

            market = self.config.synthetic
            return SyntheticFeed(chosen.seed, bar_s, price=market.price, volatility=market.volatility)
        if candles is None:
            raise ConfigError("--feed replay needs --candles FILE, a parquet or CSV file")
        from peaktrade_core.adapters.feeds.replay import ReplayFeed

        return ReplayFeed(Path(candles).expanduser(), bar_s)


def _check_mode(mode: str) -> None:
    """Let only modes pass that can do no harm."""
    if mode == "live":
        raise LiveModeNotAllowedError
    if mode == "testnet":
        raise ConfigError(
            "mode 'testnet' is not available yet: it needs a broker that only validates orders at the venue; "
            "use --mode shadow"
        )
    if mode != "shadow":
        raise UnknownNameError("mode", mode, ["shadow", "testnet"])


def _session_settings(defaults: SessionDefaults, **given: Any) -> SessionDefaults:
    """Return the session's settings with what was given over the configuration's.

    Raises:
        ConfigError: a value is out of range.
    """
    if given["feed"] is not None and given["feed"] not in FEEDS:
        raise UnknownNameError("feed", given["feed"], FEEDS)
    return msgspec.structs.replace(defaults, **{name: value for name, value in given.items() if value is not None})


def _check_length(feed: Feed, warmup: int, steps: int | None) -> None:
    """Refuse a session that its candles cannot fill."""
    bars = len(feed)
    needed = warmup + (steps or 1)
    if bars and bars < needed:
        raise ConfigError(
            f"the candles hold {bars} bars, but {warmup} for the warm-up and {steps or 1} steps need {needed}; "
            "lower --warmup-candles or --steps"
        )


def _market(instrument: Instrument, chosen: SessionDefaults) -> Market:
    """Return the instrument and its costs as the decision code takes them."""
    tick, lot = decimal_step("tick", instrument.tick), decimal_step("lot", instrument.lot)
    return Market(
        float(tick[0]),
        float(tick[1]),
        float(lot[0]),
        float(lot[1]),
        instrument.min_qty,
        instrument.min_notional,
        1.0 if instrument.kind == "derivatives" else 0.0,
        chosen.fee_bps / 1e4,
        chosen.slippage_bps / 1e4,
        chosen.position_fraction,
    )


def load_strategy_module(path: Path) -> list[Strategy]:
    """Run a Python file that registers strategies and return those it added.

    Raises:
        ConfigError: the file is missing or raises.
    """
    from peaktrade_core.policy.strategies import all_strategies

    before = {strategy.name for strategy in all_strategies()}
    name = f"peaktrade_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"{path}: no such strategy module; give a Python file that calls register()")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # somebody else's code
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    return [strategy for strategy in all_strategies() if strategy.name not in before]
