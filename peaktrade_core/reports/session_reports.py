"""Reports over the registry: a summary of many sessions and a section for each; and the runbook that looks at one.

The figures come from :mod:`views`, the words from :mod:`wording`, the looks from ``templates/reports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from peaktrade_core.base.files import write_new
from peaktrade_core.base.question import Check
from peaktrade_core.desk.session_run import OneSession
from peaktrade_core.records.registry import ALL, Query
from peaktrade_core.runbooks.book import Round
from peaktrade_core.runbooks.notebook import Session, open_session
from peaktrade_core.runbooks.notebook_tables import risk_use_table, sessions_table
from peaktrade_core.runbooks.runbook import Prompt
from peaktrade_core.runs.columns import figures_of
from peaktrade_core.runs.run import Run, Verdict, name_of, verdict_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show.table import Table
from peaktrade_core.show.templates import css, template
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

REPORTED = 50  # sessions of a report that a runbook writes, newest first


class Section(NamedTuple):
    """What a report says of one session; an unreadable file has no record."""

    row: Run
    name: str
    stands: Verdict
    record: SessionRecord | None
    params: str
    figures: list[tuple[str, str]]
    checks: list[Check]


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
    return page.render(
        as_of=views.now(),
        stats=views.stats(query),
        sections=sections,
        filters=", ".join(given) or "none",
        css=css(),
        head=views.chain_head(),
    )


def write_session_report(
    views: Views, folder: Path, query: Query = ALL, *, summary_only: bool, form: str
) -> list[Path]:
    """Write the report as ``markdown``, ``html`` or ``both`` into ``folder`` and return the files.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    files = {
        suffix: session_report(views, query, summary_only=summary_only, form=kind).encode()
        for kind, suffix in (("markdown", "md"), ("html", "html"))
        if form in (kind, "both")
    }
    return write_new(folder, f"live_sessions_{views.now():%Y%m%dT%H%M%S}", files)


def _section(views: Views, row: Run) -> Section:
    """Return the section of one session."""
    if row.status == "unreadable":
        return Section(row, name_of(row), verdict_of(row), None, "", [], [])
    look = views.look(row.run_id)
    record = look.record
    params = record.setting("params")
    text = ", ".join(f"{k} {v}" for k, v in params.items()) if isinstance(params, Mapping) else ""
    stands = verdict_of(row, look.checks)
    return Section(row, name_of(row), stands, record, f"({text})" if text else "", figures_of(record), look.checks)


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
        made = write_session_report(views, folder, query, summary_only=False, form="both")
        names = [row.run_id for row in views.rows(query)]
        told = (
            f"names {record.session_id}" if record.session_id in names else f"lacks {record.session_id}: too old for it"
        )
        return f"{', '.join(path.name for path in made)} in reports/daily, {len(names)} sessions, {told}"

    def noted(self) -> Prompt | Table:
        """Ask whether what is not good is written down."""
        return self.confirm("noted", "Is every line that is not ✓ in the incident log?", about="order")
