"""``peaktrade session diff``: a session beside its backtest or another session, down to the first event that differs."""

from __future__ import annotations

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.research.divergence import Divergence
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module


@click.command("diff")
@click.argument("session_id")
@click.argument("other", required=False)
@click.option("--backtest", is_flag=True, help="Compare with the backtest of its bars; so it is without OTHER.")
@click.option("--candles", default="", metavar="FILE", help="Candles that are right, instead of the session's source.")
@click.option("--fee-bps", type=float, help="Of the backtest; the configuration's by default.")
@click.option("--slippage-bps", type=float, help="Of the backtest; the configuration's by default.")
@click.option("--strategy-module", metavar="FILE", help="A Python file that registers strategies.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def diff(
    home: str | None,
    config: str | None,
    session_id: str,
    other: str | None,
    backtest: bool,
    candles: str,
    fee_bps: float | None,
    slippage_bps: float | None,
    strategy_module: str | None,
    as_json: bool,
) -> int:
    """Say where a session first differs from its backtest or from OTHER, and what each cause cost.

    Exit code 1 when anything differs.
    """
    from pathlib import Path

    from peaktrade_core.research.divergence_session import compare_session

    if other and backtest:
        raise ConfigError("give another session or --backtest, not both")
    workspace = Workspace(home, config)
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    found = compare_session(workspace, session_id, other, candles=candles, fee_bps=fee_bps, slippage_bps=slippage_bps)
    if as_json:
        print_json(found)
    else:
        _tell(found, wording.quote_currency(Views.of(workspace).record(found.session_id).symbol))
    return int(found.first is not None or bool(found.whole))


def _tell(found: Divergence, currency: str) -> None:
    """Print a divergence."""
    click.echo(f"{found.session_id}, {found.bars:,} bars, against {found.against}")
    for note in found.notes:
        click.echo(f"  {note}")
    if found.first is None:
        click.echo("Every event is the same.")
    else:
        click.echo(f"First difference at {wording.moment(found.first.at)} UTC ({found.first.cause}): {found.first.why}")
        click.echo(f"  session   {found.first.recorded}")
        click.echo(f"  expected  {found.first.expected}")
    print_table(
        ("CAUSE", currency or "AMOUNT", "BPS OF START BALANCE", "WHAT IS BEHIND IT"),
        (
            (
                part.cause,
                wording.signed(float(part.amount)),
                f"{part.bps:+.2f}",
                part.says if part.known else f"unknown: {part.says}",
            )
            for part in found.parts
        ),
        right=(currency or "AMOUNT", "BPS OF START BALANCE"),
    )
    click.echo(
        f"PnL {wording.signed(float(found.recorded_pnl), currency)}, expected "
        f"{wording.signed(float(found.expected_pnl), currency)}: {wording.signed(float(found.whole), currency)}"
    )
    differing = [pair for pair in found.pairs if pair.why != "the same"]
    if differing:
        click.echo(f"{len(differing)} of {len(found.pairs)} trades differ, the largest:")
        largest = sorted(differing, key=lambda pair: -abs(pair.difference))[:10]
        print_table(
            ("ENTERED (UTC)", "SIDE", "SESSION", "EXPECTED", "DIFFERENCE", "HOW"),
            (
                (
                    wording.moment(pair.entry_at),
                    "long" if pair.side > 0 else "short",
                    _money(pair.recorded_pnl),
                    _money(pair.expected_pnl),
                    _money(pair.difference),
                    pair.why,
                )
                for pair in largest
            ),
            right=("SESSION", "EXPECTED", "DIFFERENCE"),
        )


def _money(value: object) -> str:
    return wording.NOTHING if value is None else wording.signed(float(str(value)))
