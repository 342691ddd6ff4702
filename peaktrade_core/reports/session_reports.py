"""Reports over the registry: a summary of many sessions and a section for each; and the runbook that looks at one.

The figures come from :mod:`views`, the words from :mod:`wording`, the looks from ``templates/reports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from peaktrade_core.base.files import write_new
from peaktrade_core.base.question import Check
from peaktrade_core.desk.session_run import OneSession
from peaktrade_core.records.registry import ALL, Query
from peaktrade_core.runbooks.figures import limit_use_figure
from peaktrade_core.runbooks.notebook import Session, equity_figure, open_session
from peaktrade_core.runbooks.notebook_tables import risk_use_table, session_checks, sessions_table
from peaktrade_core.runbooks.round import Round
from peaktrade_core.runbooks.runbook import Prompt
from peaktrade_core.runbooks.shelf import Notebook
from peaktrade_core.runs.columns import figures_of, state_cell
from peaktrade_core.runs.run import Run, Verdict, name_of, verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.trades import told
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.checklist import answers_told
from peaktrade_core.show.cover import Cover, needing, utc
from peaktrade_core.show.table import BAD, GOOD, Cell, Table
from peaktrade_core.show.templates import css, template
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

_EARNED = {"pos": GOOD, "neg": BAD, "zero": ""}
REPORTED = 50  # sessions of a report that a runbook writes, newest first


class SessionSection(NamedTuple):
    """What a report says of one session; an unreadable file has no record."""

    row: Run
    name: str
    stands: Verdict
    record: SessionRecord | None
    params: str
    figures: list[tuple[str, str]]
    checks: list[Check]
    trades: str = ""  # what they come to, beside holding the market; empty without one


def session_report(views: Views, query: Query = ALL, *, summary_only: bool = False, form: str = "markdown") -> str:
    """Return the report over the matching sessions.

    Args:
        views: the read side.
        query: filters and limit; the summary covers what the sections cover.
        summary_only: leave the sections out.
        form: ``markdown`` or ``html``.
    """
    rows = views.rows(query)
    sections = [] if summary_only else [_section(views, row) for row in rows]
    page = template("sessions.html.j2" if form == "html" else "sessions.md.j2")
    given = [f"{k} = {v}" for k, v in query._asdict().items() if v != getattr(ALL, k)]
    text = page.render(
        as_of=views.now(),
        stats=views.stats(query),
        sections=sections,
        filters=", ".join(given) or "none",
        css=css(),
        head=views.chain_head(),
    )
    return wording.tied(text) if form == "html" else text


def write_session_report(
    workspace: Workspace, folder: Path, query: Query = ALL, *, summary_only: bool, form: str
) -> list[Path]:
    """Write the report as ``markdown``, ``html`` or ``both`` into ``folder`` and return the files.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    views = Views.of(workspace)
    files = {
        suffix: session_report(views, query, summary_only=summary_only, form=kind).encode()
        for kind, suffix in (("markdown", "md"), ("html", "html"))
        if form in (kind, "both")
    }
    made = write_new(folder, f"live_sessions_{views.now():%Y%m%dT%H%M%S}", files)
    enter_papers(workspace, *made)
    return made


def _section(views: Views, row: Run) -> SessionSection:
    """Return the section of one session."""
    if row.status == "unreadable":
        return SessionSection(row, name_of(row), verdict_of(row), None, "", [], [])
    look = views.look(row.run_id)
    record = look.record
    params = record.setting("params")
    text = ", ".join(f"{k} {v}" for k, v in params.items()) if isinstance(params, Mapping) else ""
    stands = verdict_of(row, look.checks)
    traded = told(look.trades) if look.trades.trades else ""
    return SessionSection(
        row, name_of(row), stands, record, f"({text})" if text else "", figures_of(record), look.checks, traded
    )


class SessionReport(Notebook):
    """One session as its notebook shows it."""

    @cached_property
    def session(self) -> Session:
        """The session that is named; ``latest`` is the one that started last.

        Raises:
            SessionNotFoundError: there is none of that id.
        """
        return open_session(self.workspace, self.given.session_id)

    def cover(self) -> Cover:
        """Return the session at a glance."""
        session, record = self.session, self.session.record
        run, checks = run_of(record), session_checks(session)
        chart, risk = equity_figure(session), "" if run.risk_status == "green" else f"risk {run.risk_status}"
        stands, told = verdict_of(run, checks), answers_told(checks)
        first, last = (chart.lines[0].ts[0], chart.lines[0].ts[-1]) if isinstance(chart, Chart) else (None, None)
        market = f", of {wording.minute(first)} to {wording.minute(last)} UTC" if first and last else ""
        orders = f"{wording.count(run.num_orders)} filled, {wording.count(run.orders_blocked)} denied"
        total = Cell(wording.signed(run.total_pnl, run.currency), _EARNED[wording.sign_class(run.total_pnl)])
        return Cover(
            subject=name_of(run),
            subject_id=run.run_id,
            whose=f"{run.mode} session" + (f", notes: {wording.cut(run.notes, 80)}" if run.notes and run.final else ""),
            when=f"run {utc(run.started_at)} in {wording.duration(run.duration_seconds)}, {wording.count(run.step)} bars{market}",
            verdict=state_cell(run, checks),
            why=stands.why or risk or told,
            figures=(
                (wording.TOTAL, total),
                ("Max drawdown", Cell(wording.drawdown(run.max_drawdown))),
                ("Orders", Cell(orders)),
            ),
            chart=chart if isinstance(chart, Chart) else None,
            needs=needing(checks),
            links=(
                ("Check it:", Cell(f"`peaktrade runbook run post_session_check -p session_id={run.run_id}`")),
                ("Beside its backtest:", Cell(f"`peaktrade session diff {run.run_id}`")),
            ),
        )


class PostSessionRunbook(OneSession):
    """Look at a session that has ended, and say what to do about each line of the checklist."""

    session: Session

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the session that is meant."""
        return Views.of(workspace).resolve(given.session_id)

    def __init__(self, workspace: Workspace, round_: Round, given: SimpleNamespace, *, waits: bool) -> None:
        super().__init__(workspace, round_, given, waits=waits)
        self.session = open_session(workspace, round_.record.subject)  # of a resumed one, whatever is newest by now

    def limits(self) -> Table:
        """Return how close it came to its limits."""
        return risk_use_table(self.session)

    def limits_over_time(self) -> Chart | Table:
        """Return how much of the limits was used over time."""
        return limit_use_figure(self.session)

    def before(self) -> Table:
        """Return the newest sessions, to compare it with."""
        return sessions_table(self.workspace, limit=5)

    def report(self) -> Table:
        """Write the registry's report over the sessions since this one began, as a step, once."""
        return self.act("report", "Write the report of the registry", self._report)

    def _report(self) -> str:
        views, record = Views.of(self.workspace), self.session.record
        query = Query(since=record.started_at, limit=REPORTED)
        folder = self.workspace.reports / "daily"
        made = write_session_report(self.workspace, folder, query, summary_only=False, form="both")
        names = [row.run_id for row in views.rows(query)]
        told = (
            f"names {record.session_id}" if record.session_id in names else f"lacks {record.session_id}: too old for it"
        )
        return (
            f"{', '.join(path.name for path in made)} in reports/daily, {wording.many(len(names), 'session')}, {told}"
        )

    def noted(self) -> Prompt | Table:
        """Ask whether what is not good is written down."""
        return self.confirm("noted", "Is every line that is not ✓ in the incident log?", about="order")
