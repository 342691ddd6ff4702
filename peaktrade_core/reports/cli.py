"""``peaktrade report``: the day, the week, and how everything stands now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from peaktrade_core.base.errors import ConfigError, NotebookError
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runs.repeat import repeat_command
from peaktrade_core.runs.trades import trades_table
from peaktrade_core.runs.views import Views
from peaktrade_core.session.cli import filter_options, query_of, relative_path, summary
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import CHECKS
from peaktrade_core.show.table import Table
from peaktrade_core.show.terminal import Document
from peaktrade_core.trading.limit_use import limits_told
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.operations import notes
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def report() -> None:
    """Make the daily and the weekly report, and one of how everything stands."""


@report.command()
@click.option("--date", default="yesterday", show_default=True, help="A UTC day: 2026-01-04, today or yesterday.")
@command
def daily(workspace: Workspace, date: str) -> CommandResult:
    """Report on a UTC day: notebook, HTML and markdown in reports/daily."""
    return _make(workspace, "daily", date)


@report.command()
@click.option("--week", default="last", show_default=True, help="An ISO week: 2026-W01, this or last.")
@command
def weekly(workspace: Workspace, week: str) -> CommandResult:
    """Report on an ISO week: notebook, HTML and markdown in reports/weekly."""
    return _make(workspace, "weekly", week)


def _make(workspace: Workspace, kind: str, label: str) -> CommandResult:
    """Make a report and say where it is."""
    from peaktrade_core.reports.period_reports import make_report

    recover(workspace)
    made = make_report(kind, label, workspace)
    paths = [str(path.relative_to(workspace.home)) for path in (made.html, made.notebook, made.markdown)]
    fault = [f"error: {made.error}"] if made.error else []
    return CommandResult(made, paths, code=NotebookError.exit_code if made.error else 0, notes=fault)


def written_files(paths: list[str]) -> CommandResult:
    """Return which files were written."""
    return CommandResult({"files": paths}, paths)


@click.command("report")
@click.option("--limit", type=click.IntRange(min=1), help="How many sessions, newest first; all by default.")
@click.option("--output-format", type=click.Choice(("markdown", "html", "both")), default="markdown", show_default=True)
@click.option("--summary-only", is_flag=True, help="Only the summary, no section for each session.")
@click.option("--output-dir", metavar="DIR", help="Where the files go; reports/daily by default.")
@click.option("--stdout", is_flag=True, help="Print the report instead of writing files.")
@filter_options
@command
def session_report(
    workspace: Workspace,
    output_format: str,
    summary_only: bool,
    output_dir: str | None,
    stdout: bool,
    **filters: Any,
) -> CommandResult:
    """Report on sessions as markdown, HTML or both."""
    from peaktrade_core.reports.session_reports import session_report as report_of
    from peaktrade_core.reports.session_reports import write_session_report

    recover(workspace)
    views, query = Views.of(workspace), query_of(**filters)
    if stdout:
        if output_format == "both":
            raise ConfigError("--stdout prints one format; choose --output-format markdown or html")
        text = report_of(views, query, summary_only=summary_only, form=output_format)
        return CommandResult({"report": text}, Document(text))
    folder = Path(output_dir) if output_dir else workspace.reports / "daily"
    written = write_session_report(workspace, folder, query, summary_only=summary_only, form=output_format)
    return written_files([relative_path(path) for path in written])


@click.command()
@click.argument("session_id", default="latest")
@click.option("--trades", is_flag=True, help="Its trades instead, newest first: entry, exit, PnL, duration and why.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many trades people see.")
@command
def show(workspace: Workspace, session_id: str, trades: bool, limit: int) -> CommandResult:
    """Show one session (`latest` or its id): status, figures, configuration, checks; or its trades."""
    recover(workspace)
    views = Views.of(workspace)
    record = views.record(views.resolve(session_id))
    if trades:
        found = views.look(record.session_id).trades
        return CommandResult(found, lambda: trades_table(found, f"Trades of {record.session_id}", most=limit))
    return CommandResult(record, lambda: _shown(workspace, record))


def _setting(name: str, value: Any, record: SessionRecord) -> object:
    """Return a setting of a session as it would be typed, limits with their units."""
    if name == "risk_limits" and isinstance(value, dict):
        return limits_told(value, record.symbol)
    if isinstance(value, dict):
        return wording.settings({name: one for name, one in value.items() if one != ""})
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _shown(workspace: Workspace, record: SessionRecord) -> list[Part]:
    """Return everything that is known of a session."""
    from peaktrade_core.research.experiments.rows import Experiments
    from peaktrade_core.runs.questions import post_session_checks

    settings = {
        name: _setting(name, value, record) for name, value in record.config.items() if value not in (None, "", [])
    }
    told: list[Part] = ["", *summary(workspace, record), "", Table.pairs(settings, "Configuration")]
    told += [f"Command  {repeat_command(record)}", ""]
    if record.decision_id and (tried := Experiments(workspace).of_decision(record.decision_id)):
        told += [f"Research {', '.join(tried)}: the same decision (`peaktrade experiments details {tried[-1]}`)", ""]
    for one in notes(workspace, record.session_id):
        told += [f"Note     {wording.moment(one.at)} UTC, {one.by}: {one.text}", ""]
    for incident in IncidentBook.of(workspace).rows(subject=record.session_id):
        told += [f"Incident  {incident.incident_id} {incident.severity} {incident.status}: {incident.title}", ""]
    return [*told, CHECKS.table("", post_session_checks(Views.of(workspace).look(record.session_id)))]
