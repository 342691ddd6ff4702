"""The tables that notebooks show: one helper a cell.

They put figures into words; they compute none that :mod:`views`, :mod:`checks` or :mod:`statistics` would not give
everybody else as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.files import below, sha256_of
from peaktrade_core.base.question import Check
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runbooks.notebook import NO_BARS, Session
from peaktrade_core.runbooks.notebooks.lab import notebook_link
from peaktrade_core.runs.columns import RUNS, figures_of, state_cell
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.run import name_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import TONE_OF, Cell, Table
from peaktrade_core.trading import events as ev
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.session.session import Plan

LEVELS = {"green": "✓", "yellow": "▲", "red": "✕"}


def runbook_index() -> Table:
    """Return every notebook that can be run, with what it is for and its command."""
    from peaktrade_core.runbooks.runbooks import list_runbooks

    rows = [
        (
            Cell(info.title, href=notebook_link(info.name, root="")),
            info.kind,
            info.purpose,
            Cell("changes things", TONE_OF["warn"]) if info.side_effects else "reads",
            Cell(f"`peaktrade runbook run {info.name}`", code=True),
        )
        for info in list_runbooks()
    ]
    return Table("Notebooks", ("Notebook", "Kind", "What for", "Effect", "Without a person"), rows)


def sessions_table(workspace: Workspace, limit: int = 10) -> Table:
    """Return the newest sessions, as the dashboard lists them."""
    rows = Views.of(workspace).rows(Query(limit=limit))
    shown = "run mode state strategy symbol feed total realized drawdown orders notes"
    empty = "No sessions found. Start one with the runbook session_run."
    return RUNS.table(f"The newest sessions (at most {limit})", rows, shown, empty=empty)


def answers_table(session: Session) -> Table:
    """Return what the venue said to each order of a testnet session."""
    answers = [event for event in session.events if isinstance(event, ev.VenueAnswer)]
    rows = [
        (
            a.order_id,
            wording.moment(a.ts),
            Cell("✓ accepted" if a.accepted else "✕ refused", "good" if a.accepted else "bad"),
            a.message,
        )
        for a in answers
    ]
    return Table("The venue's answers", ("Order", "At (UTC)", "Answer", "Its words"), rows, empty="No order was sent.")


def plan_table(plan: Plan) -> Table:
    """Return what would run; nothing was written yet."""
    config, currency = plan.config, wording.quote_currency(plan.config.symbol)
    limits = config.risk_limits
    then = f"{config.steps:,}" if config.steps else "all that come"
    bars = f"{config.warmup_candles:,} to warm up, then {then}"
    source = f"seed {config.seed}" if config.seed is not None else Path(config.candles or "").name
    rows = [
        ("Mode", f"{plan.mode}, {plan.env_name}"),
        ("Orders", _reach(plan)),
        ("Strategy", f"{config.strategy_name} " + ", ".join(f"{k} {v:g}" for k, v in config.params.items())),
        ("Market", f"{config.symbol} {config.timeframe}, {config.instrument['kind']}"),
        ("Feed", ", ".join(filter(None, (config.feed, source)))),
        ("Bars", bars),
        ("Start balance", wording.money(config.start_balance, currency)),
        ("New position", f"{wording.percent(config.position_fraction, 1)} of equity"),
        ("Costs", f"fee {config.fee_bps:g} bps, slippage {config.slippage_bps:g} bps"),
        ("Largest order", wording.money(limits["max_order_notional"], currency)),
        ("Largest loss a day", wording.money(limits["max_daily_loss_abs"], currency)),
        ("Halts at drawdown", f"{limits['max_drawdown_halt_pct']:g} %"),
        *(("Mind", remark) for remark in plan.remarks),
        ("Notes", config.notes or wording.NOTHING),
    ]
    return Table("This is what will run. Nothing was written yet.", ("", ""), rows)


def _reach(plan: Plan) -> str:
    """Return how far an order of a plan gets."""
    if not plan.broker.asks_venue:
        return "simulated, no order leaves this machine"
    return "fills are simulated; each order is also put to the venue, which cannot trade it live"


def session_summary(session: Session) -> Table:
    """Return a session's figures, as report and dashboard show them."""
    record, run = session.record, run_of(session.record)
    rows: list[tuple[object, object]] = [
        ("Session", record.session_id),
        ("Status", state_cell(run, session_checks(session))),
        ("What", f"{name_of(run)}; {record.mode}"),
        ("Started (UTC)", wording.moment(record.started_at)),
        *((name, _level(text) if name == "Risk" and text in LEVELS else text) for name, text in figures_of(record)),
        ("Notes", str(record.setting("notes") or wording.NOTHING)),
    ]
    if record.error:
        rows.insert(2, ("Error", Cell(record.error, TONE_OF["fail"])))
    return Table("What came out", ("", ""), rows)


def check_session(session: Session) -> Table:
    """Return the post-session checklist, answered."""
    return check_table(session_checks(session), "Post-session check")


def session_checks(session: Session) -> list[Check]:
    """Return the answers of the post-session checklist, as a runbook records them."""
    return post_session_checks(Views.of(session.workspace).look(session.id))


def session_files(session: Session) -> tuple[Path, Path]:
    """Return the files that a session's evidence rests on: its record and its journal."""
    workspace = session.workspace
    return Registry.of(workspace).path_of(session.record), RunFolder(workspace.runs, session.id).journal


def risk_use_table(session: Session) -> Table:
    """Return how much of each risk limit was used at most."""
    from peaktrade_core.trading.limit_use import limits_used

    limits = session.record.setting("risk_limits")
    found = limits_used(session.events, limits) if isinstance(limits, dict) and session.bars else []

    def shown(value: float, unit: str) -> str:
        if unit == "orders":
            return wording.count(value)
        return wording.money(value, session.currency if unit == "quote" else unit)

    rows = [
        (
            _level(use.level),
            use.what,
            shown(use.used, use.unit),
            shown(use.limit, use.unit),
            wording.percent(use.share, 1),
            use.name,
        )
        for use in found
    ]
    columns = ("Level", "What", "Used at most", "Limit", "Share", "Setting")
    empty = (
        session.fault or NO_BARS if isinstance(limits, dict) else "The record names no limits: an older writer made it."
    )
    return Table("Limits used", columns, rows, numbers=(2, 3, 4), empty=empty)


def _level(level: str) -> Cell:
    """Return a level of the limits with its sign and colour."""
    return Cell(f"{LEVELS.get(level, '?')} {level}", TONE_OF.get(level, ""))


def deny_table(session: Session) -> Table:
    """Return which codes denied orders, how often, with which figures, and what to do about it."""
    from peaktrade_core.runs.handbook import denial_help

    rows = []
    for code in sorted({denial.code for denial in session.denials}):
        found = [denial for denial in session.denials if denial.code == code]
        biggest = max(found, key=lambda d: d.value or 0.0)
        help_ = denial_help(code)
        figures_ = f"{wording.money(biggest.value)} of {wording.money(biggest.limit)}"
        rows.append(
            (code, len(found), figures_, wording.moment(found[0].ts), help_.meaning, Cell(help_.step, code=True))
        )
    columns = ("Code", "Times", "Most, of limit", "First (UTC)", "Meaning", "What to do")
    return Table("Denied orders", columns, rows, numbers=(1, 2), empty=session.fault or "No order was denied.")


def statistics_table(session: Session) -> Table:
    """Return the usual statistics, each with its definition: frequency, annualisation, ddof and risk-free rate."""
    from peaktrade_core.runs.trades import statistics_table as table_of

    found = Views.of(session.workspace).look(session.id).trades
    return table_of(found.figures, session.currency, "Statistics", empty="; ".join(found.faults) or NO_BARS)


def trades_table(session: Session, most: int = 20) -> Table:
    """Return the newest trades, the newest first: entry, exit, side, size, PnL, duration and why."""
    from peaktrade_core.runs.trades import trades_table as table_of

    return table_of(Views.of(session.workspace).look(session.id).trades, "Trades", most=most)


def evidence_table(session: Session) -> Table:
    """Return the files that the session left, and the digest by which its journal can be known again."""
    workspace, home = session.workspace, session.workspace.home
    folder = RunFolder(workspace.runs, session.id)
    record = Registry.of(workspace).path_of(session.record)
    rows = [
        ("Record", below(home, record), "the registry's JSON"),
        (
            "Journal",
            below(home, folder.journal),
            f"{wording.many(len(session.events), 'event')}, sha256 {_digest(folder.journal)}",
        ),
        ("Table of bars", below(home, folder.table), "parquet" if folder.table.is_file() else "not written"),
    ]
    return Table("Evidence", ("What", "Where, below the workspace", "Content"), rows)


def _digest(path: Path) -> str:
    """Return the first twelve digits of a file's SHA-256, or a dash."""
    return sha256_of(path)[:12] if path.is_file() else wording.NOTHING


def links(*names: str, session: Session | None = None) -> Table:
    """Return where to go on: notebooks by name, each with its purpose and its command."""
    from peaktrade_core.runbooks.runbooks import find_runbook

    rows = []
    for info in map(find_runbook, names):
        takes = any(parameter.name == "session_id" for parameter in info.parameters)
        given = {"session_id": session.id} if session and takes else {}
        told = "".join(f" -p {name}={value}" for name, value in given.items())
        link = Cell(info.title, href=notebook_link(info.name, given))
        rows.append((link, info.purpose, Cell(f"`peaktrade runbook run {info.name}{told}`", code=True)))
    return Table("Go on with", ("Notebook", "What for", "Without a person"), rows)
