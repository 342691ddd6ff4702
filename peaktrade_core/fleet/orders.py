"""From what somebody types, and a profile of the configuration, to a run that the fleet can start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.fleet.launches import LaunchOrder
from peaktrade_core.session.planning import feed_of, plan_session
from peaktrade_core.session.tiers import refuse_tier
from peaktrade_core.trading.market import parse_duration, timeframe_seconds
from peaktrade_core.workspace.settings import Profile
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

MAX = "max"  # as fast as possible


def order_of(
    workspace: Workspace,
    given: Mapping[str, Any],
    *,
    profile: str | None = None,
    params: tuple[str, ...] = (),
    parsed: Mapping[str, object] | None = None,
    strategy_module: str | None = None,
) -> LaunchOrder:
    """Return the run that was asked for, after everything a session needs was checked.

    Args:
        workspace: whose configuration fills the gaps.
        given: options of ``peaktrade session run`` by name, with ``restart`` and ``pace``; None where not given.
        profile: a name from ``[fleet.profiles]``; what is given goes before it.
        params, parsed: parameters of the strategy, as typed and as values.
        strategy_module: a Python file that registers strategies.

    Raises:
        ConfigError: a setting is wrong, or the profile does not exist.
        LiveModeNotAllowedError: mode ``live``; TierNotAllowedError: a strategy that may not run.
        ExchangeAuthenticationError: a testnet run without credentials.
    """
    settings = workspace.config.fleet
    wanted = msgspec.to_builtins(settings.profile(profile) if profile else Profile())
    wanted.update({name: value for name, value in given.items() if value not in (None, ())})
    policy = wanted.pop("restart", None)
    restart = msgspec.structs.replace(settings.restart, policy=policy) if policy else settings.restart
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    _resolve(wanted, given, workspace)
    pace = wanted.pop("pace")
    plan = plan_session(workspace, params=parsed or {}, pace=None if pace in (None, MAX) else float(pace), **wanted)
    refuse_tier(plan.config.strategy_name, plan.tier, told=workspace)
    chosen = {**wanted, "mode": plan.mode, "strategy": plan.config.strategy_name, "symbol": plan.config.symbol}
    chosen |= {"timeframe": plan.config.timeframe, "pace": pace or None, "strategy_module": _absolute(strategy_module)}
    dialect = chosen.pop("dialect", ())
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in chosen.items() if value not in (None, "")]
    flags += [f"--dialect={text}" for text in dialect]
    flags += [f"--param={text}" for text in params]
    return LaunchOrder(
        mode=plan.mode,
        strategy=plan.config.strategy_name,
        symbol=plan.config.symbol,
        timeframe=plan.config.timeframe,
        arguments=tuple(flags),
        restart=restart,
    )


def _resolve(wanted: dict[str, Any], given: Mapping[str, Any], workspace: Workspace) -> None:
    """Turn duration into steps, paths into absolute ones, and settle the pace; changes ``wanted``."""
    duration = wanted.pop("duration")
    if given.get("steps") is not None and given.get("duration") is not None:
        raise ConfigError("give --steps or --duration, not both")
    if duration is not None and given.get("steps") is None:
        timeframe = wanted["timeframe"] or workspace.config.session.timeframe
        wanted["steps"] = max(1, math.ceil(parse_duration(duration) / timeframe_seconds(timeframe)))
    wanted["candles"] = _absolute(wanted["candles"])
    feed = feed_of(workspace.config.session, wanted["mode"], wanted["feed"], wanted["candles"])
    pace = wanted["pace"]
    if pace is None and feed != "exchange":  # an exchange has a pace of its own
        pace = workspace.config.fleet.pace
    wanted["pace"] = _pace(pace)


def _pace(pace: object) -> float | str | None:
    """Return a pace as ``session run`` takes it: 0 is the same as ``max``.

    Raises:
        ConfigError: it is neither a number nor ``max``.
    """
    if pace in (None, MAX):
        return MAX if pace else None
    try:
        number = float(str(pace))
    except ValueError:
        raise ConfigError(f"pace {pace!r} must be a positive number (1 = real time), 0 or max") from None
    return number or MAX


def _absolute(path: str | None) -> str | None:
    """Return a path that means the same wherever the run's process works."""
    return str(Path(path).expanduser().resolve()) if path else None
