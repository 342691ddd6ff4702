"""``peaktrade scan``: one strategy on many markets."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.research.forward.now import symbols_of
from peaktrade_core.research.forward.scan import MODES, Mode, ScanWish, run_scan
from peaktrade_core.research.forward.tables import scan_table
from peaktrade_core.session.options import parse_params
from peaktrade_core.workspace.command import CommandResult, command
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
