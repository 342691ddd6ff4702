"""``peaktrade portfolio``: run several decisions on one account, list presets, build one from trials, show what was run."""

from __future__ import annotations

from typing import Any, get_args

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import Check
from peaktrade_core.research.portfolio.builder import CandidateTrial, Draft, Wanted, build, keep
from peaktrade_core.research.portfolio.prepare import prepare
from peaktrade_core.research.portfolio.preset import (
    FOLDER,
    Rebalance,
    Risk,
    find_preset,
    presets_of,
)
from peaktrade_core.research.portfolio.record import PortfolioRecord, PortfolioStore, backtest_portfolio
from peaktrade_core.research.portfolio.tables import portfolio_parts, preset_table
from peaktrade_core.research.portfolio.verdict import speaks_against
from peaktrade_core.research.portfolio.weights import Method
from peaktrade_core.research.trials.verdict import carried_on
from peaktrade_core.show.checklist import answer_told
from peaktrade_core.show.table import GOOD, Cell, Column, Columns
from peaktrade_core.workspace.command import CommandResult, Figure, Part, command
from peaktrade_core.workspace.workspace import Workspace

_METHODS = [one for one in get_args(Method) if one != "given"]


@click.group()
def portfolio() -> None:
    """Run several decisions on one account, with its limits over all of them."""


@portfolio.command()
@click.option("--preset", metavar="NAME", required=True, help="See `peaktrade portfolio presets`; or a .toml file.")
@click.option(
    "--feed", type=click.Choice(["stored", "synthetic"]), default="stored", help="Candles, or a market made up."
)
@click.option("--days", type=Figure(min=2.0, max=3650.0), default=365.0, show_default=True, help="Of a market made up.")
@command
def backtest(workspace: Workspace, preset: str, feed: str, days: float) -> CommandResult:
    """Run a portfolio over its candles; what speaks against it comes first.

    Exit code 1 when something does. It is counted before it runs; what is held back of a market is left out.
    """
    found = find_preset(workspace, preset).portfolio
    ready = prepare(workspace, found, days=days if feed == "synthetic" else None)
    record = backtest_portfolio(workspace, ready)
    return _result(record, ready.remarks)


def _result(record: PortfolioRecord, remarks: tuple[str, ...] = ()) -> CommandResult:
    told = bool(record.portfolio_id) and speaks_against(record.verdict)  # a market that is made up tells nothing
    return CommandResult(record, lambda: [*remarks, *portfolio_parts(record)], code=int(told))


@portfolio.command()
@command
def presets(workspace: Workspace) -> CommandResult:
    """List the presets: those that come with it, and those in config/portfolios of the workspace."""
    found = presets_of(workspace)
    value = [{"name": name, "portfolio": None, "error": one} if isinstance(one, str) else
             {"name": name, "portfolio": one, "error": ""} for name, one in found]  # fmt: skip
    return CommandResult(value, preset_table(found))


CANDIDATES = Columns[CandidateTrial](
    trial=Column("Trial", lambda one: one.name),
    market=Column("Decides on", lambda one: f"{one.market.strategy} {one.market.symbol} {one.market.timeframe}"),
    deflated=Column("Deflated Sharpe", lambda one: f"{one.deflated:.2f}", "number"),
    taken=Column("Taken", lambda one: Cell(one.why_not) if one.why_not else Cell("yes", GOOD), "words"),
)


@portfolio.command("build")
@click.option("--max", "most", type=click.IntRange(1, 50), default=5, show_default=True, help="Components at most.")
@click.option("--correlation", type=Figure(min=-1.0, max=1.0), default=0.7, show_default=True, help="Of two at most.")
@click.option("--method", type=click.Choice(_METHODS), default="inverse_volatility", show_default=True)
@click.option("--rebalance", type=click.Choice(get_args(Rebalance)), default="monthly", show_default=True)
@click.option(
    "--largest", type=Figure(min=0.01, max=1.0), default=1.0, show_default=True, help="Weight of one at most."
)
@click.option("--risk", type=click.Choice(get_args(Risk)), default="moderate", show_default=True)
@click.option("--objections", type=click.IntRange(0, 9), default=0, show_default=True, help="Answers against a trial.")
@click.option("--windows", type=click.IntRange(0, 50), default=5, show_default=True, help="Of the walk-forward.")
@click.option("--name", default="built", show_default=True, metavar="NAME", help="Of the preset that is written.")
@click.option("--dry-run", is_flag=True, help="Show what it would come to; write no preset. It counts as tried.")
@command
def build_(workspace: Workspace, name: str, dry_run: bool, **wanted: Any) -> CommandResult:
    """Build a preset from trials that nothing speaks against, and walk the rule itself forward.

    The best deflated Sharpe ratio first; what goes along with one that is taken is left out. Exit code 1 when the rule
    did not go on working after the windows in which it picked.
    """
    if not name.replace("_", "").replace("-", "").isalnum():
        raise ConfigError(f"--name {name!r} must be of letters, digits, - and _")
    draft = build(workspace, name, Wanted(**wanted))
    path = None if dry_run else keep(workspace, draft.portfolio)
    walked = _walked(draft)
    value = {
        "portfolio": draft.portfolio, "preset": path, "walk_forward": walked, "left_out": draft.left_out,
        "candidates": [
            {"trial": one.name, **one.market._asdict(), "deflated_sharpe": one.deflated, "why_not": one.why_not}
            for one in draft.candidates
        ],
    }  # fmt: skip
    shares = (f"{one.strategy} {one.symbol} {100.0 * (one.weight or 0.0):.1f} %" for one in draft.portfolio.component)
    next_step = f"Written to {FOLDER / name}.toml; next: `peaktrade portfolio backtest --preset {name}`"
    told: list[Part] = [
        f"Walk-forward of the builder: {answer_told(walked)}",
        "",
        CANDIDATES.table("", draft.candidates),
        *(f"Left out: {sweep}: {why}" for sweep, why in draft.left_out),
        f"Weights: {', '.join(shares)}",
        "Nothing was written (--dry-run)." if path is None else next_step,
    ]
    return CommandResult(value, told, code=int(walked.status == "fail"))


def _walked(draft: Draft) -> Check:
    built = draft.portfolio.built
    assert built is not None
    return carried_on(built.inside, built.outside, draft.portfolio.judge.efficiency)


@portfolio.command()
@click.argument("portfolio_id", default="latest", metavar="PORTFOLIO")
@command
def show(workspace: Workspace, portfolio_id: str) -> CommandResult:
    """Show a portfolio that was run (the newest by default): what speaks against it, then its sleeves."""
    return _result(PortfolioStore(workspace).load(portfolio_id))
