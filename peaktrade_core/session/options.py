"""The options that say what decides over which bars: the same for a session, a run, a preview and a backtest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.text import decoded
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

if TYPE_CHECKING:
    from peaktrade_core.session.session import Plan


def decision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add strategy, market and feed to a command; what is not given comes from the configuration."""
    for option in reversed(
        (
            click.option("--strategy", metavar="NAME", help="See `peaktrade strategies`."),
            click.option(
                "-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="Of the strategy; repeatable."
            ),
            click.option("--strategy-module", metavar="FILE", help="A Python file that registers strategies."),
            click.option("--symbol", metavar="SYMBOL", help="One of [instruments] in the configuration."),
            click.option("--timeframe", metavar="TF", help="Length of a bar: 1s 1m 5m 15m 1h 4h 1d 1w ..."),
            click.option("--steps", type=int, help="Bars to trade after the warm-up."),
            click.option("--warmup-candles", type=int, help="Bars that only warm the strategy up."),
            click.option("--position-fraction", type=float, help="Notional of a new position, share of equity."),
            click.option("--start-balance", type=float, help="Quote currency."),
            click.option("--feed", metavar="FEED", help="synthetic, replay, exchange; testnet begins with exchange."),
            click.option("--candles", metavar="FILE", help="File of candles; implies --feed replay."),
            click.option(
                "--dialect",
                multiple=True,
                metavar="PART=VALUE",
                help="How --candles is to be read, for example zone=Europe/Berlin; see `peaktrade data import`; repeatable.",
            ),
            click.option("--seed", type=int, help="Of the synthetic feed."),
        )
    ):
        command = option(command)
    return command


def planned(workspace: Workspace, *, params: tuple[str, ...], strategy_module: str | None, **options: Any) -> Plan:
    """Return the plan that the options of :func:`decision_options` describe; a strategy module is loaded before.

    Raises:
        ConfigError: an option or a parameter is wrong.
    """
    from peaktrade_core.session.planning import plan_session

    if strategy_module:
        load_strategy_module(Path(strategy_module))
    return plan_session(workspace, params=parse_params(params), **options)


def parse_params(given: tuple[str, ...]) -> dict[str, object]:
    """Return ``KEY=VALUE`` texts as parameters; a value is a whole number, a number, a truth value or text.

    Raises:
        ConfigError: no equals sign.
    """
    return {key: _literal(value.strip()) for key, value in texts_of(given)}


def texts_of(given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the key and the value of ``KEY=VALUE`` texts.

    Raises:
        ConfigError: no equals sign.
    """
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"parameter {text!r} must be written KEY=VALUE, for example fast=10")
        yield decoded(key.strip()), decoded(value)


def _literal(text: str) -> object:
    """Return a typed value for a text from the command line."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def moment_given(option: str, text: str | None) -> datetime | None:
    """Return the beginning of a UTC day, or a time, that an option was given; None where it was not.

    Raises:
        ConfigError: it is neither.
    """
    try:
        return None if text is None else as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ConfigError(f"{option} {text!r} is not a day or a time; write it like 2026-01-31") from None
