"""``peaktrade backtest``, and ``peaktrade session diff``: a session beside its backtest or another session."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.runs.views import Views
from peaktrade_core.session.options import decision_options, planned
from peaktrade_core.show import wording
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.workspace.command import Answer, Part, command
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

if TYPE_CHECKING:
    from peaktrade_core.research.divergence import Divergence
    from peaktrade_core.session.session import Plan
    from peaktrade_core.trading.market import Bars
    from peaktrade_core.trading.statistics import Statistic

MOST_PAIRS = 10  # trades that differ


@click.command()
@decision_options
@command
def backtest(workspace: Workspace, **options: Any) -> Answer:
    """Run a strategy over candles with the session's own decision code, compiled: same orders, fills and equity."""
    from peaktrade_core.research.backtest import run_backtest

    plan = planned(workspace, **options)
    bars = _bars_of(plan)
    begin = time.perf_counter()
    result = run_backtest(plan.decision, bars, plan.config.warmup_candles, workspace.home / ".cache" / "numba")
    took = time.perf_counter() - begin
    statistics = result.statistics()
    value = {
        "config": plan.config,
        "metrics": result.metrics,
        "statistics": [s._asdict() for s in statistics],
        "trades": [trade._asdict() for trade in result.trades],
    }
    told = (
        f"{len(bars):,} bars of {plan.config.timeframe} in {took:.2f} s, {plan.config.warmup_candles} of them warm-up"
    )
    return Answer(value, lambda: [told, "", *_figures(plan, result.metrics, statistics)])


def _figures(plan: Plan, metrics: object, statistics: list[Statistic]) -> list[Part]:
    """Return what a backtest brought."""
    from peaktrade_core.runs.figures import metric_figures

    figures = dict(metric_figures(msgspec.to_builtins(metrics), wording.quote_currency(plan.config.symbol)))
    title = f"Backtest of {plan.config.strategy_name} {plan.config.params} on {plan.config.symbol}"
    columns = Columns[Any](
        statistic=Column("Statistic", lambda s: s.name),
        value=Column("Value", lambda s: None if s.value is None else f"{s.value:,.4g}", "number"),
        unit=Column("Unit"),
        definition=Column("Definition", form="words", priority=1),
    )
    return [Table.pairs(figures, title), columns.table("", statistics)]


def _bars_of(plan: Plan) -> Bars:
    """Return the bars that a session with this plan would see, in columns."""
    import numpy as np

    from peaktrade_core.trading.market import Bars

    wanted = None if plan.config.steps is None else plan.config.warmup_candles + plan.config.steps
    table = np.array(list(islice(iter(plan.feed), wanted)), dtype=np.float64)
    return Bars(table[:, 0], table[:, 1:], plan.feed.name)


@click.command("diff")
@click.argument("session_id")
@click.argument("other", required=False)
@click.option("--backtest", is_flag=True, help="Compare with the backtest of its bars; so it is without OTHER.")
@click.option("--candles", default="", metavar="FILE", help="Candles that are right, instead of the session's source.")
@click.option("--fee-bps", type=float, help="Of the backtest; the configuration's by default.")
@click.option("--slippage-bps", type=float, help="Of the backtest; the configuration's by default.")
@click.option("--strategy-module", metavar="FILE", help="A Python file that registers strategies.")
@command
def diff(
    workspace: Workspace,
    session_id: str,
    other: str | None,
    backtest: bool,
    candles: str,
    fee_bps: float | None,
    slippage_bps: float | None,
    strategy_module: str | None,
) -> Answer:
    """Say where a session first differs from its backtest or from OTHER, and what each cause cost.

    Exit code 1 when anything differs.
    """
    from peaktrade_core.research.divergence_session import compare_session

    if other and backtest:
        raise ConfigError("give another session or --backtest, not both")
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    found = compare_session(workspace, session_id, other, candles=candles, fee_bps=fee_bps, slippage_bps=slippage_bps)
    currency = wording.quote_currency(Views.of(workspace).record(found.session_id).symbol)
    return Answer(found, lambda: _told(found, currency), code=int(found.first is not None or bool(found.whole)))


def _told(found: Divergence, currency: str) -> list[Part]:
    """Return a divergence for people."""
    told: list[Part] = [f"{found.session_id}, {found.bars:,} bars, against {found.against}"]
    told += [f"  {note}" for note in found.notes]
    if found.first is None:
        told.append("Every event is the same.")
    else:
        at = wording.moment(found.first.at)
        told.append(f"First difference at {at} UTC ({found.first.cause}): {found.first.why}")
        told += [f"  session   {found.first.recorded}", f"  expected  {found.first.expected}"]
    whole = wording.signed(float(found.whole), currency)
    pnl = f"PnL {wording.signed(float(found.recorded_pnl), currency)}, expected "
    told += ["", CAUSES.table("", found.parts, amount=currency or "Amount")]
    told.append(f"{pnl}{wording.signed(float(found.expected_pnl), currency)}: {whole}")
    differing = [pair for pair in found.pairs if pair.why != "the same"]
    if differing:
        largest = sorted(differing, key=lambda pair: -abs(pair.difference))[:MOST_PAIRS]
        told += ["", TRADES.table(f"{len(differing)} of {len(found.pairs)} trades differ, the largest:", largest)]
    return told


CAUSES = Columns[Any](
    cause=Column("Cause"),
    amount=Column("Amount", lambda part: wording.signed(float(part.amount)), "number"),
    bps=Column("Bps of start balance", lambda part: f"{part.bps:+.2f}", "number"),
    says=Column("What is behind it", lambda part: part.says if part.known else f"unknown: {part.says}", "words"),
)
TRADES = Columns[Any](
    entered=Column("Entered (UTC)", lambda pair: pair.entry_at),
    side=Column("Side", lambda pair: "long" if pair.side > 0 else "short"),
    session=Column("Session", lambda pair: _money(pair.recorded_pnl), "number"),
    expected=Column("Expected", lambda pair: _money(pair.expected_pnl), "number"),
    difference=Column("Difference", lambda pair: _money(pair.difference), "number"),
    how=Column("How", lambda pair: pair.why, "words"),
)


def _money(value: object) -> str | None:
    return None if value is None else wording.signed(float(str(value)))
