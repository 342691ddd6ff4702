"""``peaktrade backtest``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import msgspec

from peaktrade_core.session.options import decision_options, parse_params
from peaktrade_core.session.planning import plan_session
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module


@click.command()
@decision_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def backtest(
    home: str | None,
    config: str | None,
    strategy_module: str | None,
    params: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Run a strategy over candles with the session's own decision code, compiled: same orders, fills and equity."""
    from peaktrade_core.candles.replay import bars_of
    from peaktrade_core.research.backtest import run_backtest

    workspace = Workspace(home, config)
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    plan = plan_session(workspace, params=parse_params(params), **options)
    wanted = None if plan.config.steps is None else plan.config.warmup_candles + plan.config.steps
    bars = bars_of(plan.feed, wanted)
    begin = time.perf_counter()
    result = run_backtest(plan.decision, bars, plan.config.warmup_candles, workspace.home / ".cache" / "numba")
    took = time.perf_counter() - begin
    statistics = result.statistics()
    if as_json:
        print_json(
            {
                "config": plan.config,
                "metrics": result.metrics,
                "statistics": [s._asdict() for s in statistics],
                "trades": [trade._asdict() for trade in result.trades],
            }
        )
        return
    from peaktrade_core.runs.columns import metric_figures

    click.echo(f"Backtest of {plan.config.strategy_name} {plan.config.params} on {plan.config.symbol}")
    click.echo(
        f"{len(bars):,} bars of {plan.config.timeframe} in {took:.2f} s, {plan.config.warmup_candles} of them warm-up\n"
    )
    print_pairs(dict(metric_figures(msgspec.to_builtins(result.metrics), wording.quote_currency(plan.config.symbol))))
    click.echo()
    print_table(
        ("STATISTIC", "VALUE", "UNIT", "DEFINITION"),
        ((s.name, wording.NOTHING if s.value is None else f"{s.value:,.4g}", s.unit, s.definition) for s in statistics),
        right=("VALUE",),
    )
