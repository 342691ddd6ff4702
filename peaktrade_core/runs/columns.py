"""What is shown of runs: the columns of every list of them, and the figures of one, in terminal, page, notebook and report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from peaktrade_core.base.question import Check
from peaktrade_core.runs.run import Run, feed_of, name_of, verdict_of
from peaktrade_core.show import wording
from peaktrade_core.show.language import spoken
from peaktrade_core.show.table import BAD, MID, TONE_OF, Cell, Column, Columns
from peaktrade_core.trading.records import IMPORTED, REHEARSAL, SessionRecord, finite, total_pnl

SESSIONS = "run mode state started span duration symbol strategy feed total realized drawdown orders denied risk"
RUNNING = "run mode state strategy symbol timeframe feed heard step equity total realized drawdown denied"


def state_cell(run: Run, checks: Iterable[Check] = ()) -> Cell:
    """Return how a run stands as a cell; ``checks`` as :func:`verdict_of` takes them."""
    verdict = verdict_of(run, checks)
    return Cell(str(verdict), verdict.tone)


def heard_of(run: Run) -> str:
    """Return when a run was last heard of."""
    return f"{wording.duration(run.silence_s)} ago" if run.silence_s is not None else wording.moment(run.last_event_at)


def remarks(runs: Iterable[Run]) -> list[str]:
    """Return a line for each run that needs a look: how it stands, and why."""
    verdicts = [(run, verdict_of(run)) for run in runs]
    return [f"{spoken(str(verdict))} {run.run_id}: {verdict.why}" for run, verdict in verdicts if verdict.why]


KINDS = {REHEARSAL: "rehearsal, never counted", IMPORTED: "imported, never counted"}  # of runs that are no results


def _mode(run: Run) -> Cell:
    if run.rehearsal:
        return Cell("rehearsal", MID)
    if run.mode == IMPORTED:
        return Cell(IMPORTED, MID)
    return Cell(f"⚠ {run.mode}", BAD) if run.mode == "live" else Cell(run.mode)


RUNS = Columns[Run](
    run=Column("Session", lambda run: run.run_id),
    name=Column("Session", name_of, "words"),
    mode=Column("Mode", _mode, priority=3),
    state=Column("Status", state_cell),
    started=Column("Started (UTC)", lambda run: run.started_at, priority=2),
    ended=Column("Ended (UTC)", lambda run: run.ended_at, priority=4),
    span=Column("Market time", lambda run: wording.duration(run.market_seconds), "number", 5),
    duration=Column("Run time", lambda run: wording.duration(run.duration_seconds), "number", 5),
    heard=Column("Last event", heard_of, "number", 1),
    symbol=Column("Symbol", lambda run: run.symbol or wording.NOTHING, priority=1),
    strategy=Column("Strategy", lambda run: run.strategy or wording.NOTHING, priority=1),
    timeframe=Column("TF", lambda run: run.timeframe or wording.NOTHING, priority=6),
    feed=Column("Feed", lambda run: feed_of(run) or wording.NOTHING, priority=4),
    step=Column("Step", lambda run: wording.count(run.step), "number", 5),
    price=Column("Price", lambda run: wording.price(run.price), "number", 6),
    position=Column("Position", lambda run: f"{run.position:.8g}" if run.position is not None else "–", "number", 6),
    exposure=Column("Exposure", lambda run: wording.money(run.exposure, run.currency), "number", 6),
    equity=Column("Equity", lambda run: wording.money(run.equity, run.currency), "number", 2),
    total=Column(wording.TOTAL, lambda run: wording.signed(run.total_pnl, run.currency), "number"),
    realized=Column(wording.REALIZED, lambda run: wording.signed(run.realized_pnl, run.currency), "number", 3),
    drawdown=Column("Max DD", lambda run: wording.drawdown(run.max_drawdown), "number", 2),
    orders=Column("Orders", lambda run: wording.count(run.num_orders), "number", 4),
    denied=Column("Denied", lambda run: wording.count(run.orders_blocked), "number", 3),
    risk=Column("Risk", lambda run: Cell(run.risk_status, TONE_OF.get(run.risk_status, "")), priority=3),
    notes=Column("Notes", lambda run: run.notes or wording.NOTHING, "words"),
    tags=Column("Tags", lambda run: run.tags, "words", 5),
)


def facts_of(run: Run) -> dict[str, object]:
    """Return how a run stands by name, as far as its heartbeat or its record tells."""
    verdict, currency = verdict_of(run), run.currency
    base = (run.symbol or "").partition("/")[0]
    return {
        "What": name_of(run),
        "Mode": f"{KINDS.get(run.kind, run.kind)} · {run.environment or 'environment unknown'}",
        "Status": Cell(" ".join(filter(None, (str(verdict), verdict.why))), verdict.tone),
        "Started": f"{wording.moment(run.started_at)} UTC" if run.started_at else None,
        "Ended": f"{wording.moment(run.ended_at)} UTC" if run.ended_at else None,
        "Last event": heard_of(run),
        "Step": wording.count(run.step),
        "Position": None if run.position is None else f"{run.position:.8g} {base}".rstrip(),
        "Equity": wording.money(run.equity, currency),
        wording.TOTAL: wording.signed(run.total_pnl, currency),
        wording.REALIZED: wording.signed(run.realized_pnl, currency),
        wording.UNREALIZED: wording.signed(run.unrealized_pnl, currency),
        "Max drawdown": wording.drawdown(run.max_drawdown),
        "Orders denied": wording.count(run.orders_blocked),
        "Notes": run.notes or None,
    }


def figures_of(record: SessionRecord) -> list[tuple[str, str]]:
    """Return the figures of a session with their units, in the order in which people read them."""
    return metric_figures(
        record.metrics, wording.quote_currency(record.symbol), finite(record.setting("start_balance"))
    )


def _funding(metrics: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    """Return what a perpetual contract received less what it paid, nothing of a market that knows no funding."""
    paid = finite(metrics.get("funding"))
    return [] if paid is None else [("Funding, in the realized PnL", wording.signed(paid, currency))]


def metric_figures(
    metrics: Mapping[str, Any], currency: str, start_balance: float | None = None
) -> list[tuple[str, str]]:
    """Return metrics with their units, in the order in which people read them; a dash where there is none.

    Args:
        metrics: as a record holds them; currency: of its money; start_balance: [quote ccy].
    """
    codes = metrics.get("deny_codes")
    known = isinstance(codes, Mapping) and metrics.get("risk_status") != "unknown"  # else it ran elsewhere
    codes = codes if isinstance(codes, Mapping) else {}

    def figure(name: str) -> float | None:
        return finite(metrics.get(name))

    total = total_pnl(figure("equity_end"), start_balance, figure("realized_pnl"), figure("unrealized_pnl"))
    return [
        (wording.TOTAL, wording.signed(total, currency)),
        (f"{wording.REALIZED} (net of fees)", wording.signed(figure("realized_pnl"), currency)),
        (wording.UNREALIZED, wording.signed(figure("unrealized_pnl"), currency)),
        ("Equity at the end", wording.money(figure("equity_end"), currency)),
        ("Fees", wording.money(figure("fees"), currency)),
        *_funding(metrics, currency),
        ("Max drawdown", wording.drawdown(figure("max_drawdown"))),
        ("Steps (bars)", wording.count(figure("steps"))),
        ("Orders generated", wording.count(figure("orders_generated"))),
        ("Orders executed", wording.count(figure("num_orders"))),
        ("Orders blocked by risk", wording.count(figure("orders_blocked_risk") if known else None)),
        ("Orders rejected by the venue", wording.count(figure("orders_rejected"))),
        ("Orders still open", wording.count(figure("orders_open"))),
        ("Fill rate", wording.percent(figure("fill_rate"), 1)),
        ("Round trips", wording.count(figure("num_trades"))),
        ("Bars missing", wording.count(figure("bars_missing"))),
        ("Risk", str(metrics.get("risk_status") or wording.NOTHING)),
        (
            "Deny codes",
            wording.times(codes) or ("none" if known else wording.NOTHING),
        ),
    ]
