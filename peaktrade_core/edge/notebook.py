"""What notebooks are written in: one helper a cell, each returning something that shows itself.

Notebooks import these from :mod:`peaktrade_core`. The helpers put figures into words and tables; they compute none that
:mod:`views`, :mod:`checks` or :mod:`statistics` would not give everybody else as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.adapters.registry import ALL, Query
from peaktrade_core.domain import events as ev
from peaktrade_core.domain.checks import PASS, Check, worst
from peaktrade_core.domain.clock import FixedClock
from peaktrade_core.domain.errors import ArtefactError
from peaktrade_core.domain.market import timeframe_seconds
from peaktrade_core.domain.records import SessionRecord
from peaktrade_core.edge import figures
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.readiness import pre_session_checks
from peaktrade_core.edge.tables import TONE_OF, Cell, Table
from peaktrade_core.services import wording
from peaktrade_core.services.checks import DRAWDOWN_REVIEW, post_session_checks

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from peaktrade_core.services.session import Plan

NO_BARS = "This session traded no bar, so there is nothing to draw. Its status and error say why."


class Session:
    """A session that a notebook looks at: its record, and its journal once somebody asks for it.

    Attributes:
        record: from the registry; workspace: where it is; currency: of its money.
        events: of its journal, in order; empty when there is none, then ``fault`` says why.
    """

    def __init__(self, workspace: Workspace, record: SessionRecord) -> None:
        self.workspace, self.record = workspace, record
        self.currency = wording.quote_currency(record.symbol)
        self.fault = ""

    def __repr__(self) -> str:
        return f"{self.id}: {wording.badge(self.record.status)}"

    @property
    def id(self) -> str:
        """The session's id."""
        return self.record.session_id

    @cached_property
    def events(self) -> list[ev.AnyEvent]:
        """All events of the journal."""
        try:
            return self.workspace.views.events(self.id)
        except ArtefactError as fault:
            self.fault = str(fault)
            return []

    @cached_property
    def bars(self) -> list[ev.BarDone]:
        """The bars that traded."""
        return [event for event in self.events if type(event) is ev.BarDone]

    @cached_property
    def fills(self) -> list[ev.Fill]:
        """What was executed."""
        return [event for event in self.events if isinstance(event, ev.Fill)]

    @cached_property
    def denials(self) -> list[ev.Denial]:
        """What was denied."""
        return [event for event in self.events if isinstance(event, ev.Denial)]

    @property
    def start_balance(self) -> float:
        """Equity before the first bar [quote ccy]."""
        given = self.record.setting("start_balance")
        return float(given) if isinstance(given, (int, float)) else 0.0

    @cached_property
    def series(self) -> figures.Series:
        """The session bar by bar, as figures take it."""
        peak, drawdown = self.start_balance, []
        for bar in self.bars:
            peak = max(peak, bar.equity)
            drawdown.append(1.0 - bar.equity / peak)
        bars = self.bars
        return figures.Series([b.ts for b in bars], [b.close for b in bars], [b.equity for b in bars], drawdown)


def open_workspace(home: str | Path | None = None) -> Workspace:
    """Return the workspace that the notebook is in (or ``PEAKTRADE_HOME``, or ``home``), dead sessions ended first."""
    workspace = Workspace(home)
    workspace.recover()
    return workspace


def open_session(workspace: Workspace, session_id: str = "latest") -> Session:
    """Return a session by its id; ``latest`` is the one that started last.

    Raises:
        SessionNotFoundError: there is none; names the newest.
    """
    return Session(workspace, workspace.views.record(workspace.views.resolve(session_id)))


def run_shadow_session(workspace: Workspace, plan: Plan) -> Session:
    """Run a planned session, show how far it is, and return it; the stop button ends it as ``aborted``."""
    from peaktrade_core.services.session import Progress, run_session

    def quiet(_: Progress) -> None:
        pass

    fixed = isinstance(workspace.clock, FixedClock)  # what is shown must then be the same every time
    watch = quiet if fixed else _progress_line()
    return Session(workspace, run_session(plan, workspace.desk(), watch=watch))


def _progress_line() -> figures.Watch:
    """Return a watcher that keeps one line up to date below the cell, or says nothing outside a notebook."""
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return lambda _: None
    line = display(Table("Starting …", ("",), [("warm-up",)]), display_id=True)

    def watch(now: figures.Step) -> None:
        of = f" of {now.total:,}" if now.total else ""
        text = f"{now.step:,}{of} bars · equity {now.equity:,.2f} · position {now.position:g}"
        line.update(Table(now.phase.capitalize(), ("",), [(text,)]))

    return watch


def workspace_state(workspace: Workspace) -> Table:
    """Return how things stand: sessions, trading state, what is configured."""
    stats, config, latest = workspace.views.stats(), workspace.config, workspace.views.latest()
    stopped = [state for state in workspace.states.everything() if state.state != "ACTIVE"]
    trading = "; ".join(f"{s.scope} {s.state} by {s.by}: {s.reason}" for s in stopped)
    worst_state = "ACTIVE" if not stopped else max(stopped, key=lambda s: s.state == "HALTED").state
    counted = ", ".join(f"{n} {status}" for status, n in stats.by_status.items())
    session = config.session
    rows = [
        ("Sessions", f"{stats.total_sessions}" + (f" ({counted})" if counted else ", none yet")),
        ("Latest", _latest(latest)),
        ("Trading", Cell(trading or "✓ ACTIVE", TONE_OF[worst_state])),
        ("Live", Cell("✓ locked by design", TONE_OF["ACTIVE"])),
        ("Default session", f"{session.strategy} on {session.symbol} {session.timeframe}, feed {session.feed}"),
    ]
    return Table("This workspace", ("", ""), rows)


def _latest(record: SessionRecord | None) -> str:
    if record is None:
        return "none: the runbook session_run starts the first"
    return f"{record.session_id} {wording.badge(record.status)}"


def runbook_index() -> Table:
    """Return every notebook that can be run, with what it is for and its command."""
    from peaktrade_core.services.runbooks import list_runbooks

    rows = [
        (
            Cell(info.title, href=f"{info.kind}/{info.name}.ipynb"),
            info.kind,
            info.purpose,
            Cell("changes things", TONE_OF["warn"]) if info.side_effects else "reads",
            f"`peaktrade runbook run {info.name}`",
        )
        for info in list_runbooks()
    ]
    return Table("Notebooks", ("Notebook", "Kind", "What for", "Effect", "Without a person"), rows)


def sessions_table(workspace: Workspace, limit: int = 10, query: Query = ALL) -> Table:
    """Return the newest sessions, as the dashboard lists them."""
    rows = [
        (
            row.session_id,
            row.mode,
            Cell(wording.badge(row.status), TONE_OF.get(row.status, "")),
            f"{row.strategy or wording.NOTHING} on {row.symbol or wording.NOTHING}",
            wording.money(row.realized_pnl, signed=True),
            wording.percent(row.max_drawdown),
            wording.count(row.num_orders),
            row.notes,
        )
        for row in workspace.views.rows(query._replace(limit=limit))
    ]
    columns = ("Session", "Mode", "Status", "What", "PnL", "Max DD", "Orders", "Notes")
    empty = "No sessions found. Start one with the runbook session_run."
    return Table(f"The newest sessions (at most {limit})", columns, rows, numbers=(4, 5, 6), empty=empty)


def readiness(workspace: Workspace) -> Table:
    """Return the pre-session checklist, answered."""
    return check_table(pre_session_checks(workspace), "Ready to start?")


def plan_table(plan: Plan) -> Table:
    """Return what would run; nothing was written yet."""
    config, currency = plan.config, wording.quote_currency(plan.config.symbol)
    limits = config.risk_limits
    bars = f"{config.warmup_candles:,} to warm up, then " + (f"{config.steps:,}" if config.steps else "all that come")
    source = f"seed {config.seed}" if config.seed is not None else Path(config.candles or "").name
    rows = [
        ("Mode", f"{plan.mode} (simulated, no order leaves this machine), stands for {plan.env_name}"),
        ("Strategy", f"{config.strategy_name} " + ", ".join(f"{k} {v:g}" for k, v in config.params.items())),
        ("Market", f"{config.symbol} {config.timeframe}, {config.instrument['kind']}"),
        ("Feed", f"{config.feed}, {source}"),
        ("Bars", bars),
        ("Start balance", wording.money(config.start_balance, currency)),
        ("New position", f"{wording.percent(config.position_fraction, 1)} of equity"),
        ("Costs", f"fee {config.fee_bps:g} bps, slippage {config.slippage_bps:g} bps"),
        ("Largest order", wording.money(limits["max_order_notional"], currency)),
        ("Largest loss a day", wording.money(limits["max_daily_loss_abs"], currency)),
        ("Halts at drawdown", f"{limits['max_drawdown_halt_pct']:g} %"),
        ("Notes", config.notes or wording.NOTHING),
    ]
    return Table("This is what will run. Nothing was written yet.", ("", ""), rows)


def session_summary(session: Session) -> Table:
    """Return a session's figures, as report and dashboard show them."""
    from peaktrade_core.services.reports import figures_of

    record = session.record
    rows: list[tuple[object, object]] = [
        ("Session", record.session_id),
        ("Status", Cell(wording.badge(record.status), TONE_OF.get(record.status, ""))),
        ("What", f"{record.setting('strategy_name')} on {record.symbol} {record.setting('timeframe')}, {record.mode}"),
        ("Started (UTC)", wording.moment(record.started_at)),
        *figures_of(record),
        ("Notes", str(record.setting("notes") or wording.NOTHING)),
    ]
    if record.error:
        rows.insert(2, ("Error", Cell(record.error, TONE_OF["fail"])))
    return Table("What came out", ("", ""), rows)


def check_session(session: Session) -> Table:
    """Return the post-session checklist, answered."""
    return check_table(post_session_checks(session.workspace.views, session.id), "Post-session check")


def check_table(checks: Sequence[Check], title: str = "Checks") -> Table:
    """Return answered questions with evidence and what to do, and the result in a sentence below."""
    rows = [
        (Cell(wording.MARKS[c.status], TONE_OF[c.status]), c.question, c.evidence, c.next_step or wording.NOTHING)
        for c in checks
    ]
    columns = ("Answer", "Question", "Evidence", "What to do")
    return Table(title, columns, rows, note=_result(checks), empty="Nothing was asked.")


def _result(checks: Sequence[Check]) -> Cell:
    """Return the result of a checklist in a sentence."""
    status, open_ = worst(checks), sum(c.status != PASS for c in checks)
    text = f"all {len(checks)} answers are good" if not open_ else f"{open_} of {len(checks)} answers need attention"
    return Cell(f"Result: {wording.MARKS[status]}, {text}", TONE_OF[status])


def equity_figure(session: Session) -> go.Figure | Table:
    """Return equity over time."""
    if not session.bars:
        return _nothing("Equity", session)
    return figures.equity_figure(session.series, session.start_balance, session.currency)


def drawdown_figure(session: Session) -> go.Figure | Table:
    """Return drawdown over time, with the line from which a risk review is due."""
    if not session.bars:
        return _nothing("Drawdown", session)
    return figures.drawdown_figure(session.series, DRAWDOWN_REVIEW)


def price_figure(session: Session) -> go.Figure | Table:
    """Return the close over time with the fills and the denied orders on it."""
    if not session.bars:
        return _nothing("Price", session)
    marks = [
        figures.Mark(f.ts, f.price, f"{'buy' if f.qty > 0 else 'sell'} {abs(f.qty):g} at {f.price:,.2f}")
        for f in session.fills
    ]
    return figures.price_figure(
        session.series,
        session.record.symbol or "",
        session.currency,
        buys=[mark for mark, fill in zip(marks, session.fills, strict=True) if fill.qty > 0],
        sells=[mark for mark, fill in zip(marks, session.fills, strict=True) if fill.qty < 0],
        denied=[figures.Mark(d.ts, d.price, f"denied: {d.code}") for d in session.denials],
    )


def _nothing(title: str, session: Session) -> Table:
    return Table(title, (), [], empty=session.fault or NO_BARS)


def risk_use_table(session: Session) -> Table:
    """Return how much of each risk limit was used at most."""
    from peaktrade_core.policy.limit_use import limits_used

    limits = session.record.setting("risk_limits")
    found = limits_used(session.events, limits) if isinstance(limits, dict) and session.bars else []
    signs = {"green": "✓", "yellow": "▲", "red": "✕"}
    units = {"quote": session.currency, "orders": ""}
    rows = [
        (
            Cell(f"{signs[use.level]} {use.level}", TONE_OF[use.level]),
            use.what,
            f"{use.used:,.2f} {units.get(use.unit, use.unit)}".rstrip(),
            f"{use.limit:,.2f} {units.get(use.unit, use.unit)}".rstrip(),
            wording.percent(use.share, 1),
            use.name,
        )
        for use in found
    ]
    columns = ("Level", "What", "Used at most", "Limit", "Share", "Setting")
    empty = session.fault or NO_BARS if isinstance(limits, dict) else "The record names no limits: an older writer made it."
    return Table("Limits used", columns, rows, numbers=(2, 3, 4), empty=empty)


def deny_table(session: Session) -> Table:
    """Return which codes denied orders, how often, with which figures, and what to do about it."""
    from peaktrade_core.services.deny_help import DENY_HELP, UNKNOWN

    rows = []
    for code in sorted({denial.code for denial in session.denials}):
        found = [denial for denial in session.denials if denial.code == code]
        biggest = max(found, key=lambda d: d.value or 0.0)
        help_ = DENY_HELP.get(code, UNKNOWN)
        figures_ = f"{_plain(biggest.value)} of {_plain(biggest.limit)}"
        rows.append((code, len(found), figures_, wording.moment(found[0].ts), help_.meaning, help_.next_step))
    columns = ("Code", "Times", "Most, of limit", "First (UTC)", "Meaning", "What to do")
    return Table("Denied orders", columns, rows, numbers=(1, 2), empty=session.fault or "No order was denied.")


def _plain(value: float | None) -> str:
    return wording.NOTHING if value is None else f"{value:,.2f}"


def statistics_table(session: Session) -> Table:
    """Return the usual statistics, each with its definition: frequency, annualisation, ddof and risk-free rate."""
    from peaktrade_core.policy.statistics import Statistic, statistics, trades

    def shown(one: Statistic) -> str:
        if one.value is None:
            return "not defined"
        if one.unit.startswith("fraction"):
            return wording.percent(one.value)
        return f"{one.value:,.0f}" if one.unit in ("trades", "bars") else f"{one.value:,.2f}"

    units = {"fraction": "", "fraction a year": "a year", "quote ccy": session.currency}
    found = [] if not session.bars else statistics(
        [bar.equity for bar in session.bars],
        [bar.position_size for bar in session.bars],
        trades(session.fills),
        start_balance=session.start_balance,
        bar_s=float(timeframe_seconds(str(session.record.setting("timeframe")))),
    )  # fmt: skip
    rows = [(s.name.replace("_", " "), shown(s), units.get(s.unit, s.unit), s.definition) for s in found]
    columns = ("Statistic", "Value", "Unit", "Definition")
    return Table("Statistics", columns, rows, numbers=(1,), empty=session.fault or NO_BARS)


def evidence_table(session: Session) -> Table:
    """Return the files that the session left, and the digest by which its journal can be known again."""
    workspace, home = session.workspace, session.workspace.home
    folder = workspace.run_folder(session.id)
    record = workspace.registry.path_of(session.record)
    rows = [
        ("Record", _below(record, home), "the registry's JSON"),
        ("Journal", _below(folder.journal, home), f"{len(session.events):,} events, sha256 {_digest(folder.journal)}"),
        ("Table of bars", _below(folder.table, home), "parquet" if folder.table.is_file() else "not written"),
    ]
    return Table("Evidence", ("What", "Where, below the workspace", "Content"), rows)


def _below(path: Path, home: Path) -> str:
    """Return a path as seen from the workspace."""
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.name


def _digest(path: Path) -> str:
    """Return the first twelve digits of a file's SHA-256, or a dash."""
    if not path.is_file():
        return wording.NOTHING
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def links(*names: str, session: Session | None = None) -> Table:
    """Return where to go on: notebooks by name, each with its purpose and its command."""
    from peaktrade_core.services.runbooks import find_runbook

    rows = []
    for info in map(find_runbook, names):
        takes = any(parameter.name == "session_id" for parameter in info.parameters)
        given = f" -p session_id={session.id}" if session and takes else ""
        link = Cell(info.title, href=f"../{info.kind}/{info.name}.ipynb")
        rows.append((link, info.purpose, f"`peaktrade runbook run {info.name}{given}`"))
    return Table("Go on with", ("Notebook", "What for", "Without a person"), rows)


__all__: Iterable[str] = [
    "Session",
    "check_session",
    "check_table",
    "deny_table",
    "drawdown_figure",
    "equity_figure",
    "evidence_table",
    "links",
    "open_session",
    "open_workspace",
    "plan_table",
    "price_figure",
    "readiness",
    "risk_use_table",
    "run_shadow_session",
    "runbook_index",
    "session_summary",
    "sessions_table",
    "statistics_table",
    "workspace_state",
]
