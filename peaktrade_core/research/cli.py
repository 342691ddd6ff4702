"""``peaktrade backtest``; ``session diff``, a session beside its backtest or another; ``risk replay``, under other limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import read_toml
from peaktrade_core.research.over_sessions.cli import diff_all
from peaktrade_core.session.options import decision_options, moment_given, planned
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.config import read_limits
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

if TYPE_CHECKING:
    from peaktrade_core.research.divergence import Divergence
    from peaktrade_core.research.replay_limits import Counterfactual
    from peaktrade_core.session.session import Plan
    from peaktrade_core.trading.statistics import Statistic

MOST_PAIRS = 10  # trades that differ


@click.command()
@decision_options
@click.option("--from", "begin", metavar="DATE", help="The first bar that trades is of this UTC day or time.")
@click.option("--to", "end", metavar="DATE", help="Only bars before this UTC day or time.")
@click.option("--tag", "tags", multiple=True, help="A word to find it by; repeatable.")
@click.option("--note", default="", help="Why, or what came out; kept with it.")
@command
def backtest(
    workspace: Workspace, begin: str | None, end: str | None, tags: tuple[str, ...], note: str, **options: Any
) -> CommandResult:
    """Run a strategy over candles with the session's own decision code, compiled: same orders, fills and equity.

    Over candles it is research: what is held back of their market is left out, and the try is counted. It is kept, and
    `peaktrade experiments` finds it. What speaks against it stands before the figures; the exit code does not tell.
    """
    from peaktrade_core.research.experiments.notes import ExperimentNotes
    from peaktrade_core.research.trials.recorded import backtest_and_keep
    from peaktrade_core.research.trials.verdict import told as verdict_told

    plan = planned(workspace, notes=note, tags=tags, **options)
    record, result, counted, seconds = backtest_and_keep(
        workspace, plan, begin=moment_given("--from", begin), end=moment_given("--to", end)
    )
    if note or tags:
        ExperimentNotes(workspace).add(counted.backtest_id, note, tags)
    value = {
        "config": plan.config,
        "metrics": record.metrics,
        "statistics": record.statistics,
        "trades": [trade._asdict() for trade in result.trades],
        "backtest_id": counted.backtest_id,
        "decision_id": counted.decision_id,
        "verdict": record.verdict,
    }
    warmup = f"{plan.config.warmup_candles} of them warm-up"
    told = f"{wording.many(record.bars, 'bar')} of {plan.config.timeframe} in {seconds:.2f} s, {warmup}"
    judged = check_table(record.verdict, f"Verdict: {verdict_told(record.verdict)}")
    figures = _figures(plan, record.metrics, record.statistics)
    return CommandResult(value, lambda: [*plan.remarks, told, *counted.remarks, "", judged, *figures])


def _figures(plan: Plan, metrics: object, statistics: list[Statistic]) -> list[Part]:
    """Return what a backtest brought."""
    from peaktrade_core.runs.columns import metric_figures
    from peaktrade_core.runs.trades import statistics_table

    currency = wording.quote_currency(plan.config.symbol)
    figures = dict(metric_figures(msgspec.to_builtins(metrics), currency))
    title = f"Backtest of {plan.config.strategy_name} {wording.settings(plan.config.params)} on {plan.config.symbol}"
    return [Table.pairs(figures, title), statistics_table(statistics, currency)]


@click.command("diff")
@click.argument("session_id", required=False)
@click.argument("other", required=False)
@click.option("--backtest", is_flag=True, help="Compare with the backtest of its bars; so it is without OTHER.")
@click.option("--all", "everything", is_flag=True, help="Every session of the last --days, a line a day.")
@click.option("--days", type=float, default=7.0, show_default=True, help="How far --all looks back.")
@click.option("--candles", default="", metavar="FILE", help="Candles that are right, instead of the session's source.")
@click.option("--fee-bps", type=float, help="Of the backtest; the configuration's by default.")
@click.option("--slippage-bps", type=float, help="Of the backtest; the configuration's by default.")
@click.option("--strategy-module", metavar="FILE", help="A Python file that registers strategies.")
@command
def diff(
    workspace: Workspace,
    session_id: str | None,
    other: str | None,
    backtest: bool,
    everything: bool,
    days: float,
    candles: str,
    fee_bps: float | None,
    slippage_bps: float | None,
    strategy_module: str | None,
) -> CommandResult:
    """Say where a session first differs from its backtest or from OTHER, and what each cause cost.

    Exit code 1 when anything differs; with --all, when a session has a rest that no cause explains.
    """
    from peaktrade_core.research.divergence_session import compare_session
    from peaktrade_core.research.experiments.rows import Experiments
    from peaktrade_core.runs.views import Views

    if other and backtest:
        raise ConfigError("give another session or --backtest, not both")
    if strategy_module:
        load_strategy_module(Path(strategy_module))
    if everything:
        if session_id or candles or fee_bps is not None or slippage_bps is not None:
            raise ConfigError("--all compares every session with its own backtest; give no session, candles or costs")
        return diff_all(workspace, days)
    if session_id is None:
        raise ConfigError("give a session, `latest` or --all")
    found = compare_session(workspace, session_id, other, candles=candles, fee_bps=fee_bps, slippage_bps=slippage_bps)
    record = Views.of(workspace).record(found.session_id)
    currency, tried = wording.quote_currency(record.symbol), Experiments(workspace).of_decision(record.decision_id)
    known = [f"The same decision in research: {', '.join(tried)}"] if tried else []
    return CommandResult(
        found, lambda: [*known, *_diverged(found, currency)], code=int(found.first is not None or bool(found.whole))
    )


def _diverged(found: Divergence, currency: str) -> list[Part]:
    """Return a divergence for people."""
    told: list[Part] = [f"{found.session_id}, {wording.many(found.bars, 'bar')}, against {found.against}"]
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
    bps=Column("Bps of start balance", lambda part: wording.signed(part.bps), "number"),
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


@click.command()
@click.argument("session")
@click.option("--limits", "file", metavar="FILE", help="TOML with the limits that differ, as in [live_risk].")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="One limit; may be repeated.")
@command
def replay(workspace: Workspace, session: str, file: str | None, given: tuple[str, ...]) -> CommandResult:
    """Run a recorded session once more under other limits: what would have been blocked, and what it would have cost."""
    from peaktrade_core.research.replay_limits import recorded_limits, replay_limits
    from peaktrade_core.runs.views import Views

    record = Views.of(workspace).record(Views.of(workspace).resolve(session))
    recorded = record.settings
    changes = {**(_limits_file(Path(file)) if file else {}), **dict(map(_limit, given))}
    limits = read_limits({**recorded_limits(recorded)._asdict(), **changes})
    found = replay_limits(record.session_id, recorded, Views.of(workspace).events(record.session_id), limits)
    return CommandResult(found, lambda: _told(found, wording.quote_currency(record.symbol)))


def _told(found: Counterfactual, currency: str) -> list[Part]:
    """Return a counterfactual for people."""
    from peaktrade_core.research.recorded_bars import describe

    changed = ", ".join(f"{name} {old:g} -> {new:g}" for name, (old, new) in found.changed.items())
    told: list[Part] = [f"{found.session_id}: {wording.many(found.bars, 'bar')}, {changed or 'its own limits'}"]
    first = found.first
    if first is None:
        return [*told, "Every event is the same."]
    told.append(f"First difference at {wording.moment(first.at)} UTC, step {first.step}: {first.why}")
    told += [f"  recorded  {describe(first.recorded)}", f"  replayed  {describe(first.replayed)}"]
    told.append(f"{len(found.blocked)} orders would have been blocked, {found.allowed} denied ones allowed.")
    if found.blocked:
        told.append(BLOCKED.table("", found.blocked[:20]))
    was, now = (wording.money(one.equity_end, currency) for one in (found.recorded, found.replayed))
    return [*told, f"equity at the end {was} -> {now}: {wording.signed(found.pnl_difference, currency)}"]


BLOCKED = Columns[Any](
    at=Column("At (UTC)"),
    order=Column("Order", lambda b: b.order_id),
    notional=Column("Notional", lambda b: wording.money(b.notional), "number"),
    code=Column("Code"),
    value=Column("Value", lambda b: f"{b.value or 0.0:g}", "number"),
    limit=Column("Limit", lambda b: f"{b.limit or 0.0:g}", "number"),
)


def _limits_file(path: Path) -> dict[str, Any]:
    """Return the limits in a TOML file, in a table ``[live_risk]`` or at its top.

    Raises:
        ConfigError: there is none, or it is no TOML.
    """
    raw = read_toml(path)
    found = raw.get("live_risk", raw)
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: [live_risk] must be a table")
    return found


def _limit(text: str) -> tuple[str, float]:
    """Return a limit that was typed as ``name=value``.

    Raises:
        ConfigError: it is none.
    """
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ConfigError(f"--set {text!r} must be NAME=NUMBER") from None
