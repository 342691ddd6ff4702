"""``peaktrade incident``: diagnose a session, open an incident, carry it to its end, learn from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import FAIL
from peaktrade_core.incidents import incident as inc
from peaktrade_core.incidents.book import UNCLOSED, IncidentBook, IncidentRow
from peaktrade_core.runbooks.evidence import ROLES
from peaktrade_core.runs.handbook import SEVERITIES, handbook
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.incidents.diagnosis.findings import Diagnosis
    from peaktrade_core.incidents.incident import Incident

LEVEL = {"low": "green", "medium": "yellow", "high": "red", "": ""}  # severities in the terminal's colours
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
BY = click.option("--by", required=True, help="Who you are.")
ROLE = click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="As whom.")
INCIDENT = click.argument("incident_id", metavar="INCIDENT")
SEVERITY = click.Choice(SEVERITIES)


@click.group()
def incident() -> None:
    """Diagnose a session; open, carry, close and review incidents."""


@incident.command()
@click.argument("session_id", metavar="[SESSION]", default="latest")
@AS_JSON
@workspace_options
def diagnose(home: str | None, config: str | None, session_id: str, as_json: bool) -> int:
    """Say what went wrong in a session, from its artefacts, and which runbook treats it; exit 1 if anything did."""
    from peaktrade_core.incidents.diagnosis.diagnose import diagnose as ask

    workspace = Workspace(home, config)
    recover(workspace)
    found = ask(workspace, session_id)
    if as_json:
        print_json(found)
    else:
        _show_diagnosis(found)
    return int(bool(found.happened))


@incident.command("open")
@click.option("--kind", type=click.Choice(inc.KINDS), required=True, help="What kind of incident it is.")
@click.option("--title", required=True, help="What happened, in a sentence.")
@click.option("--subject", default="", help="The session (latest: the newest), run or alert.")
@click.option("--severity", type=SEVERITY, required=True)
@click.option("--evidence", multiple=True, help="A sentence from the artefacts; may be given several times.")
@click.option(
    "--file", "files", type=click.Path(path_type=Path), multiple=True, help="A file to be named with its hash."
)
@BY
@ROLE
@AS_JSON
@workspace_options
def open_(home: str | None, config: str | None, as_json: bool, files: tuple[Path, ...], **given: Any) -> None:
    """Open an incident by hand; the incident runbooks fill in what the artefacts say."""
    if missing := [str(path) for path in files if not path.is_file()]:
        raise ConfigError(f"file not found: {', '.join(missing)}")
    workspace = Workspace(home, config)
    kind, title, subject = given.pop("kind"), given.pop("title"), _subject(workspace, given.pop("subject"))
    artefacts = [path.resolve() for path in files]
    runbook = handbook().runbook_of(kind)
    _done(
        IncidentBook.of(workspace).open(kind, title, subject=subject, artefacts=artefacts, runbook=runbook, **given),
        as_json,
    )


@incident.command("list")
@click.option("--status", type=click.Choice((*inc.STATES, UNCLOSED)), help="Only these.")
@click.option("--subject", default="", help="Only those about this session, run or alert.")
@click.option("--no-drills", is_flag=True, help="Leave exercises out.")
@click.option("--verify", is_flag=True, help="Only check that closed incidents are as they were sealed; exit 1 if not.")
@AS_JSON
@workspace_options
def list_(
    home: str | None, config: str | None, status: str | None, subject: str, no_drills: bool, verify: bool, as_json: bool
) -> int:
    """List the incidents, newest first."""
    workspace = Workspace(home, config)
    book, subject = IncidentBook.of(workspace), _subject(workspace, subject)
    if verify:
        found = book.verify()
        if as_json:
            print_json(found)
        else:
            click.echo(f"{found.status}: {found.evidence}" + (f"\n{found.next_step}" if found.next_step else ""))
        return int(found.status == FAIL)
    rows = book.rows(status=status or "", subject=subject, drills=not no_drills)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No incident found.")
    else:
        columns = ("INCIDENT", "SEVERITY", "STATUS", "OPENED (UTC)", "LEADS", "ABOUT", "WHAT")
        print_table(columns, map(_cells, rows))
    return 0


@incident.command()
@INCIDENT
@AS_JSON
@workspace_options
def show(home: str | None, config: str | None, incident_id: str, as_json: bool) -> None:
    """Show one incident: its report as markdown, or all of it as JSON."""
    from peaktrade_core.incidents.report import report_text

    found = IncidentBook.of(Workspace(home, config)).load(incident_id)
    if as_json:
        print_json(found)
    else:
        click.echo(report_text(found), nl=False)


@incident.command()
@INCIDENT
@click.argument("text")
@click.option("--owner-told", is_flag=True, help="It says that the owner was informed.")
@BY
@AS_JSON
@workspace_options
def note(home: str | None, config: str | None, incident_id: str, as_json: bool, **given: Any) -> None:
    """Add a line to the timeline."""
    _done(IncidentBook.of(Workspace(home, config)).note(incident_id, **given), as_json)


@incident.command()
@INCIDENT
@click.option("--symptom", default="", help="What was seen.")
@click.option("--suspected", default="", help="The likely cause.")
@click.option("--next-step", default="", help="What is done next.")
@click.option("--system", default="", help="What is affected.")
@BY
@AS_JSON
@workspace_options
def describe(home: str | None, config: str | None, incident_id: str, as_json: bool, by: str, **given: str) -> None:
    """Write down or correct symptom, suspected cause, next step and affected system."""
    _done(IncidentBook.of(Workspace(home, config)).describe(incident_id, by, **given), as_json)


@incident.command()
@INCIDENT
@click.argument("duty", type=click.Choice(inc.DUTIES))
@click.argument("who")
@BY
@AS_JSON
@workspace_options
def assign(home: str | None, config: str | None, incident_id: str, as_json: bool, **given: str) -> None:
    """Assign a duty."""
    _done(IncidentBook.of(Workspace(home, config)).assign(incident_id, **given), as_json)


@incident.command()
@INCIDENT
@click.argument("severity", type=SEVERITY)
@click.option("--reason", required=True, help="Why; kept in the timeline.")
@BY
@AS_JSON
@workspace_options
def severity(home: str | None, config: str | None, incident_id: str, as_json: bool, **given: str) -> None:
    """Raise or lower the severity."""
    _done(IncidentBook.of(Workspace(home, config)).severity(incident_id, **given), as_json)


@incident.command()
@INCIDENT
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@BY
@AS_JSON
@workspace_options
def attach(
    home: str | None, config: str | None, incident_id: str, as_json: bool, by: str, files: tuple[Path, ...]
) -> None:
    """Name files with the hashes they have now."""
    _done(
        IncidentBook.of(Workspace(home, config)).attach(incident_id, by, *(path.resolve() for path in files)), as_json
    )


@incident.command()
@INCIDENT
@click.argument("text")
@BY
@AS_JSON
@workspace_options
def mitigate(home: str | None, config: str | None, incident_id: str, as_json: bool, **given: str) -> None:
    """Say that the damage is held, and by what."""
    _done(IncidentBook.of(Workspace(home, config)).mitigate(incident_id, **given), as_json)


@incident.command()
@INCIDENT
@click.option("--cause", required=True, help="Why it happened.")
@click.option("--resolution", required=True, help="What was done about it.")
@BY
@AS_JSON
@workspace_options
def close(home: str | None, config: str | None, incident_id: str, as_json: bool, **given: str) -> None:
    """Close it with cause and resolution; it is then sealed in a chained log."""
    _done(IncidentBook.of(Workspace(home, config)).close(incident_id, **given), as_json)


@incident.command()
@INCIDENT
@click.option("--root-cause", required=True, help="Why it could happen.")
@click.option("--went-well", required=True, help="What helped.")
@click.option("--went-badly", required=True, help="What hindered.")
@click.option("--action", "actions", multiple=True, metavar="'WHAT; WHO; YYYY-MM-DD'", help="What changes.")
@BY
@AS_JSON
@workspace_options
def postmortem(home: str | None, config: str | None, incident_id: str, as_json: bool, by: str, **given: Any) -> None:
    """Write down what was learned; it takes the place of an earlier one."""
    _done(IncidentBook.of(Workspace(home, config)).learn(incident_id, by, **given), as_json)


@incident.command()
@INCIDENT
@click.argument("number", type=click.IntRange(min=1))
@BY
@AS_JSON
@workspace_options
def done(home: str | None, config: str | None, incident_id: str, as_json: bool, **given: Any) -> None:
    """Say that an action of the post-mortem is done."""
    _done(IncidentBook.of(Workspace(home, config)).done(incident_id, **given), as_json)


@incident.command()
@click.option("--week", default="this", show_default=True, help="ISO week as 2026-W01, this or last.")
@AS_JSON
@workspace_options
def review(home: str | None, config: str | None, week: str, as_json: bool) -> int:
    """Review a week: what it brought, what keeps coming back, what is still to do; exit 1 when an answer fails."""
    from peaktrade_core.incidents import review as tables

    found = tables.open_incident_week(Workspace(home, config), week)
    if as_json:
        print_json(found)
    else:
        shown: list[Callable[..., Any]] = [tables.review_overview, tables.review_checks, tables.review_incidents]
        click.echo("\n\n".join(repr(table(found)) for table in (*shown, tables.review_actions)))
    return int(any(check.status == FAIL for check in found.checks))


def _subject(workspace: Workspace, named: str) -> str:
    """Return what an incident is about; ``latest`` stands for the session that started last."""
    return Views.of(workspace).resolve(named) if named == "latest" else named


def _done(found: Incident, as_json: bool) -> None:
    """Print what became of an incident."""
    if as_json:
        print_json(found)
        return
    last = found.timeline[-1]
    click.echo(f"{found.incident_id} {found.severity} {found.status}: {last.action} by {last.by}: {last.text}")


def _cells(row: IncidentRow) -> tuple[Any, ...]:
    """Return a row of the list."""
    what = row.fault or (f"drill {row.drill}: " if row.drill else "") + row.title
    opened = wording.moment(row.opened_at)
    return row.incident_id, (row.severity, LEVEL[row.severity]), row.status, opened, row.commander, row.subject, what


def _show_diagnosis(found: Diagnosis) -> None:
    """Print what a diagnosis says."""
    click.echo(f"{found.session_id}: {found.status}, {found.events:,} events read")
    for fault in found.faults:
        click.echo(f"could not be read: {fault}")
    if not found.happened:
        click.echo("Nothing that an incident runbook treats happened in it.")
    for one in found.happened:
        click.echo(f"\n{one.severity}: {one.kind.replace('_', ' ')}: {one.symptom}")
        for sentence in one.evidence:
            click.echo(f"    {sentence}")
        if one.branch:
            click.echo(f"  -> {one.branch.situation}: {one.branch.action}")
        click.echo(f"  peaktrade runbook run {one.runbook} -p session_id={found.session_id}")
