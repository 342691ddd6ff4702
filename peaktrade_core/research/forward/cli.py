"""``peaktrade scan``, one strategy on many markets; ``forward``, signals written before their outcome and evaluated later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.typed import read
from peaktrade_core.research.forward.now import symbols_of
from peaktrade_core.research.forward.outcome import VOID, evaluate
from peaktrade_core.research.forward.scan import MODES, Mode, ScanWish, run_scan
from peaktrade_core.research.forward.signals import write_signals
from peaktrade_core.research.forward.tables import ASKED, evaluation_tables, scan_table
from peaktrade_core.research.portfolio.preset import Component, find_preset
from peaktrade_core.session.options import parse_params
from peaktrade_core.workspace.command import CommandResult, Figure, command
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module


@click.command()
@click.option("--strategy", metavar="NAME", required=True, help="See `peaktrade strategies`.")
@click.option("--symbols", metavar="A,B,C", required=True, help="Of [instruments] in the configuration.")
@click.option(
    "--mode", type=click.Choice(MODES), default="forward", show_default=True,
    help="What it wants now, or a short backtest of each.",
)  # fmt: skip
@click.option("--timeframe", metavar="TF", help="Of the stored candles; the configuration's by default.")
@click.option("-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="Of the strategy; repeatable.")
@click.option("--strategy-module", metavar="FILE", help="A Python file that registers strategies.")
@click.option("--warmup-candles", type=click.IntRange(min=0), help="Bars that only warm the strategy up.")
@click.option("--feed", type=click.Choice(["stored", "synthetic"]), default="stored", help="Or markets made up.")
@command
def scan(
    workspace: Workspace,
    strategy: str,
    symbols: str,
    mode: Mode,
    timeframe: str | None,
    params: tuple[str, ...],
    strategy_module: str | None,
    warmup_candles: int | None,
    feed: str,
) -> CommandResult:
    """Ask one strategy on many markets: what it wants now, or a short backtest with what speaks against it.

    Each market is counted as a try before the scan begins. Exit code 1 when one could not be scanned.
    """
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    wish = ScanWish(
        strategy, symbols_of(symbols), mode, parse_params(params), timeframe, warmup_candles,
        "synthetic" if feed == "synthetic" else "stored",
    )  # fmt: skip
    record = run_scan(workspace, wish)
    return CommandResult(record, lambda: scan_table(record), code=int(any(row.error for row in record.rows)))


@click.group()
def forward() -> None:
    """Write signals down before their outcome, and see later what became of them."""


@forward.command()
@click.option("--preset", metavar="NAME", help="All components of it; see `peaktrade portfolio presets`.")
@click.option("--strategy", metavar="NAME", help="Instead of --preset, with --symbol.")
@click.option("--symbol", metavar="A,B,C", help="Of [instruments] in the configuration.")
@click.option("--timeframe", metavar="TF", help="Of the stored candles; the configuration's by default.")
@click.option("-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="Of the strategy; repeatable.")
@click.option("--strategy-module", metavar="FILE", help="A Python file that registers strategies.")
@click.option("--warmup-candles", type=click.IntRange(min=0), help="Bars that only warm the strategy up.")
@command
def signals(
    workspace: Workspace,
    preset: str | None,
    strategy: str | None,
    symbol: str | None,
    timeframe: str | None,
    params: tuple[str, ...],
    strategy_module: str | None,
    warmup_candles: int | None,
) -> CommandResult:
    """Write what a preset, or a strategy, wants at the last bar that has closed; it cannot be changed or back-dated.

    It reads stored candles: fetch them before. Exit code 1 when nothing was written of a component.
    """
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    own = (strategy, symbol, timeframe, params, warmup_candles)
    if preset:
        if any(one not in (None, ()) for one in own):
            raise ConfigError("--preset says strategies, symbols and all else itself; leave the other options out")
        components = find_preset(workspace, preset).portfolio.component
    elif strategy and symbol:
        given = {
            "strategy": strategy,
            "timeframe": timeframe,
            "params": parse_params(params),
            "warmup_candles": warmup_candles,
        }
        components = tuple(read({**given, "symbol": one}, Component) for one in symbols_of(symbol))
    else:
        raise ConfigError("give --preset NAME, or --strategy NAME and --symbol SYMBOL")
    found = write_signals(workspace, components, preset or "")
    value = [{"signal": one.signal, "new": one.new, "error": one.error, **_named(one.component)} for one in found]
    return CommandResult(value, lambda: ASKED.table("", found), code=int(any(one.signal is None for one in found)))


def _named(component: Component) -> dict[str, str | None]:
    return {"strategy": component.strategy, "symbol": component.symbol, "timeframe": component.timeframe}


@forward.command("evaluate")
@click.option(
    "--days", type=Figure(min=0.01, max=36500.0), default=30.0, show_default=True, help="Signals written so lately."
)
@command
def evaluate_(workspace: Workspace, days: float) -> CommandResult:
    """Say what became of forward signals, with the candles that are stored now.

    Exit code 1 when one is not as it was written, so that nothing may be made of it.
    """
    found = evaluate(workspace, workspace.clock.now() - timedelta(days=days))
    value = {"series": found.series, "signals": found.outcomes}
    void = any(one.state == VOID for one in found.outcomes)
    return CommandResult(value, lambda: evaluation_tables(found), code=int(void))
