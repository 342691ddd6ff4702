"""The options that say what decides over which bars: the same for a session and for a backtest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from peaktrade_core.base.errors import ConfigError


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
            click.option("--timeframe", metavar="TF", help="1s 1m 5m 15m 30m 1h 4h 1d"),
            click.option("--steps", type=int, help="Bars to trade after the warm-up."),
            click.option("--warmup-candles", type=int, help="Bars that only warm the strategy up."),
            click.option("--position-fraction", type=float, help="Notional of a new position, share of equity."),
            click.option("--start-balance", type=float, help="Quote currency."),
            click.option("--feed", metavar="FEED", help="synthetic (default) or replay."),
            click.option("--candles", metavar="FILE", help="Parquet or CSV file; implies --feed replay."),
            click.option("--seed", type=int, help="Of the synthetic feed."),
        )
    ):
        command = option(command)
    return command


def parse_params(given: tuple[str, ...]) -> dict[str, object]:
    """Return ``KEY=VALUE`` texts as parameters; a value is a whole number, a number, a truth value or text.

    Raises:
        ConfigError: no equals sign.
    """
    found: dict[str, object] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"parameter {text!r} must be written KEY=VALUE, for example fast=10")
        found[key.strip()] = _literal(value.strip())
    return found


def _literal(text: str) -> object:
    """Return a typed value for a text from the command line."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
