"""``peaktrade report``: the day, the week, and how everything stands now."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from peaktrade_core.base.errors import ConfigError, NotebookError
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runs.views import Views
from peaktrade_core.session.cli import filter_options, query_of, relative_path, show_summary
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def report() -> None:
    """Make the daily and the weekly report, and one of how everything stands."""


@report.command()
@click.option("--date", default="yesterday", show_default=True, help="A UTC day: 2026-01-04, today or yesterday.")
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
@workspace_options
def daily(home: str | None, config: str | None, date: str, as_json: bool) -> int:
    """Report on a UTC day: notebook, HTML and markdown in reports/daily."""
    return _make(Workspace(home, config), "daily", date, as_json)


@report.command()
@click.option("--week", default="last", show_default=True, help="An ISO week: 2026-W01, this or last.")
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
@workspace_options
def weekly(home: str | None, config: str | None, week: str, as_json: bool) -> int:
    """Report on an ISO week: notebook, HTML and markdown in reports/weekly."""
    return _make(Workspace(home, config), "weekly", week, as_json)


def _make(workspace: Workspace, kind: str, label: str, as_json: bool) -> int:
    """Make a report and say where it is."""
    from peaktrade_core.reports.period_reports import make_report

    recover(workspace)
    made = make_report(kind, label, workspace)
    if as_json:
        print_json(made)
    else:
        for path in (made.html, made.notebook, made.markdown):
            click.echo(path.relative_to(workspace.home))
        if made.error:
            click.echo(f"error: {made.error}", err=True)
    return NotebookError.exit_code if made.error else 0


@report.command()
@click.option("--output-format", type=click.Choice(("markdown", "html", "both")), default="both", show_default=True)
@click.option("--output-dir", metavar="DIR", help="Where the files go; reports/live by default.")
@click.option("--stdout", is_flag=True, help="Print the report instead of writing files.")
@workspace_options
def status(home: str | None, config: str | None, output_format: str, output_dir: str | None, stdout: bool) -> None:
    """Report how everything stands now: health, running sessions, portfolio, alerts, the newest sessions."""
    from peaktrade_core.reports.status_report import status_report, write_status_report

    workspace = Workspace(home, config)
    recover(workspace)
    if stdout:
        if output_format == "html":
            click.echo(status_report(workspace, "html"))
            return
        click.echo(status_report(workspace, "markdown"))
        return
    forms = ("markdown", "html") if output_format == "both" else (output_format,)
    folder = Path(output_dir) if output_dir else workspace.reports / "live"
    for path in write_status_report(workspace, folder, forms):
        click.echo(path)


@click.command("report")
@click.option("--limit", type=click.IntRange(min=1), help="How many sessions, newest first; all by default.")
@click.option("--output-format", type=click.Choice(("markdown", "html", "both")), default="markdown", show_default=True)
@click.option("--summary-only", is_flag=True, help="Only the summary, no section for each session.")
@click.option("--output-dir", metavar="DIR", help="Where the files go; reports/daily by default.")
@click.option("--stdout", is_flag=True, help="Print the report instead of writing files.")
@filter_options
@workspace_options
def session_report(
    home: str | None,
    config: str | None,
    output_format: str,
    summary_only: bool,
    output_dir: str | None,
    stdout: bool,
    **filters: Any,
) -> None:
    """Report on sessions as markdown, HTML or both."""
    from peaktrade_core.reports.session_reports import session_report as report_of
    from peaktrade_core.reports.session_reports import write_session_report

    workspace = Workspace(home, config)
    recover(workspace)
    query = query_of(filters)
    if stdout:
        if output_format == "both":
            raise ConfigError("--stdout prints one format; choose --output-format markdown or html")
        click.echo(report_of(Views.of(workspace), query, summary_only=summary_only, form=output_format))
        return
    folder = Path(output_dir) if output_dir else workspace.reports / "daily"
    for path in write_session_report(Views.of(workspace), folder, query, summary_only=summary_only, form=output_format):
        click.echo(relative_path(path))


@click.command()
@click.argument("session_id", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@workspace_options
def show(home: str | None, config: str | None, session_id: str, as_json: bool) -> None:
    """Show one session (`latest` or its id): status, figures, configuration, checks."""
    workspace = Workspace(home, config)
    recover(workspace)
    record = Views.of(workspace).record(Views.of(workspace).resolve(session_id))
    if as_json:
        print_json(record)
        return
    from peaktrade_core.runs.questions import post_session_checks

    show_summary(workspace, record)
    click.echo("\nConfiguration")
    print_pairs({name: value for name, value in record.config.items() if value not in (None, "", [])})
    if record.cli_args:
        click.echo(f"\nCommand  {shlex.join(record.cli_args)}")
    for incident in IncidentBook.of(workspace).rows(subject=record.session_id):
        click.echo(f"\nIncident  {incident.incident_id} {incident.severity} {incident.status}: {incident.title}")
    click.echo()
    print_table(
        ("CHECK", "RESULT", "EVIDENCE", "NEXT STEP"),
        (
            (c.question, (wording.MARKS[c.status], c.status), c.evidence, c.next_step)
            for c in post_session_checks(Views.of(workspace).look(record.session_id))
        ),
    )
