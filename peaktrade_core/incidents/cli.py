"""``peaktrade incident``: diagnose a session, open an incident, carry it to its end, learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from peaktrade_core.base.question import FAIL
from peaktrade_core.base.text import meant
from peaktrade_core.incidents import incident as inc
from peaktrade_core.incidents.book import UNCLOSED, IncidentBook
from peaktrade_core.people.matrix import ROLES
from peaktrade_core.runbooks.artefacts import named_files
from peaktrade_core.runs.handbook import KINDS, SEVERITIES, handbook
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.checklist import answer_told
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.incidents.diagnosis.findings import Diagnosis
    from peaktrade_core.incidents.incident import Incident
    from peaktrade_core.incidents.lately import Seen

BY = click.option("--by", required=True, help="Who you are.")
ROLE = click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="As whom.")
INCIDENT = click.argument("incident_id", metavar="INCIDENT")
SEVERITY = click.Choice(SEVERITIES)


@click.group()
def incident() -> None:
    """Diagnose a session; open, carry, close and review incidents."""


@incident.command()
@click.argument("session_id", metavar="[SESSION]", default="latest")
@command
def diagnose(workspace: Workspace, session_id: str) -> CommandResult:
    """Say what went wrong in a session, from its artefacts, and which runbook treats it; exit 1 if anything did."""
    from peaktrade_core.incidents.diagnosis.diagnose import diagnose as ask
    from peaktrade_core.incidents.lately import lately

    recover(workspace)
    found = ask(workspace, session_id)
    if session_id != "latest" or found.happened:
        return CommandResult(found, lambda: _diagnosed(found), code=int(bool(found.happened)))
    untreated = [one for one in lately(workspace, KINDS, lambda one: ask(workspace, one)) if one.open]
    found = msgspec.structs.replace(found, untreated=tuple(one.run.run_id for one in untreated))
    return CommandResult(found, lambda: [*_diagnosed(found), *_before(untreated)])


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
@command
def open_(workspace: Workspace, files: tuple[Path, ...], **given: Any) -> CommandResult:
    """Open an incident by hand; the incident runbooks fill in what the artefacts say."""
    kind, title, subject = given.pop("kind"), given.pop("title"), Views.of(workspace).meant(given.pop("subject"))
    artefacts = named_files(files)
    runbook, book = handbook().runbook_of(kind), IncidentBook.of(workspace)
    return _done(book.open(kind, title, subject=subject, artefacts=artefacts, runbook=runbook, **given))


@incident.command("list")
@click.option("--status", type=click.Choice((*inc.STATES, UNCLOSED)), help="Only these.")
@click.option("--subject", default="", help="Only those about this session, run or alert.")
@click.option("--no-drills", is_flag=True, help="Leave exercises out.")
@click.option("--verify", is_flag=True, help="Only check that closed incidents are as they were sealed; exit 1 if not.")
@command
def list_(workspace: Workspace, status: str | None, subject: str, no_drills: bool, verify: bool) -> CommandResult:
    """List the incidents, newest first."""
    from peaktrade_core.incidents.report import INCIDENTS

    book, subject = IncidentBook.of(workspace), Views.of(workspace).meant(subject)
    if verify:
        found = book.verify()
        return CommandResult(found, answer_told(found), code=int(found.status == FAIL))
    rows = book.rows(status=status or "", subject=subject, drills=not no_drills)
    return CommandResult(rows, lambda: INCIDENTS.table("", rows, empty="No incident found."))


@incident.command()
@INCIDENT
@command
def show(workspace: Workspace, incident_id: str) -> CommandResult:
    """Show one incident (`latest` or its id): its report as markdown, or all of it as JSON."""
    from peaktrade_core.incidents.report import report_text

    book = IncidentBook.of(workspace)
    named = meant("incident", incident_id, book.ids(), "peaktrade incident list", "peaktrade incident open --help")
    found = book.load(named)
    folder = book.path(found.incident_id).parent
    return CommandResult(found, lambda: report_text(found, folder))


@incident.command()
@INCIDENT
@click.argument("text")
@click.option("--owner-told", is_flag=True, help="It says that the owner was informed.")
@BY
@command
def note(workspace: Workspace, incident_id: str, **given: Any) -> CommandResult:
    """Add a line to the timeline."""
    return _done(IncidentBook.of(workspace).note(incident_id, **given))


@incident.command()
@INCIDENT
@click.option("--symptom", default="", help="What was seen.")
@click.option("--suspected", default="", help="The likely cause.")
@click.option("--next-step", default="", help="What is done next.")
@click.option("--system", default="", help="What is affected.")
@BY
@command
def describe(workspace: Workspace, incident_id: str, by: str, **given: str) -> CommandResult:
    """Write down or correct symptom, suspected cause, next step and affected system."""
    return _done(IncidentBook.of(workspace).describe(incident_id, by, **given))


@incident.command()
@INCIDENT
@click.argument("duty", type=click.Choice(inc.DUTIES))
@click.argument("who")
@BY
@command
def assign(workspace: Workspace, incident_id: str, **given: str) -> CommandResult:
    """Assign a duty."""
    return _done(IncidentBook.of(workspace).assign(incident_id, **given))


@incident.command()
@INCIDENT
@click.argument("severity", type=SEVERITY)
@click.option("--reason", required=True, help="Why; kept in the timeline.")
@BY
@command
def severity(workspace: Workspace, incident_id: str, **given: str) -> CommandResult:
    """Raise or lower the severity."""
    return _done(IncidentBook.of(workspace).severity(incident_id, **given))


@incident.command()
@INCIDENT
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@BY
@command
def attach(workspace: Workspace, incident_id: str, by: str, files: tuple[Path, ...]) -> CommandResult:
    """Name files with the hashes they have now."""
    return _done(IncidentBook.of(workspace).attach(incident_id, by, *named_files(files)))


@incident.command()
@INCIDENT
@click.argument("text")
@BY
@command
def mitigate(workspace: Workspace, incident_id: str, **given: str) -> CommandResult:
    """Say that the damage is held, and by what."""
    return _done(IncidentBook.of(workspace).mitigate(incident_id, **given))


@incident.command()
@INCIDENT
@click.option("--cause", required=True, help="Why it happened.")
@click.option("--resolution", required=True, help="What was done about it.")
@BY
@command
def close(workspace: Workspace, incident_id: str, **given: str) -> CommandResult:
    """Close it with cause and resolution; it is then sealed in a chained log."""
    return _done(IncidentBook.of(workspace).close(incident_id, **given))


@incident.command()
@INCIDENT
@click.option("--root-cause", required=True, help="Why it could happen.")
@click.option("--went-well", required=True, help="What helped.")
@click.option("--went-badly", required=True, help="What hindered.")
@click.option("--action", "actions", multiple=True, metavar="'WHAT; WHO; YYYY-MM-DD'", help="What changes.")
@BY
@command
def postmortem(workspace: Workspace, incident_id: str, by: str, **given: Any) -> CommandResult:
    """Write down what was learned; it takes the place of an earlier one."""
    return _done(IncidentBook.of(workspace).learn(incident_id, by, **given))


@incident.command()
@INCIDENT
@click.argument("number", type=click.IntRange(min=1))
@BY
@command
def done(workspace: Workspace, incident_id: str, **given: Any) -> CommandResult:
    """Say that an action of the post-mortem is done."""
    return _done(IncidentBook.of(workspace).done(incident_id, **given))


@incident.command()
@click.option("--week", default="this", show_default=True, help="ISO week as 2026-W01, this or last.")
@command
def review(workspace: Workspace, week: str) -> CommandResult:
    """Review a week: what it brought, what keeps coming back, what is still to do; exit 1 when an answer fails."""
    from peaktrade_core.runbooks.shelf import read

    report = read("weekly_incident_review", workspace, week=week)
    failed = any(check.status == FAIL for check in report.review.checks)
    return CommandResult(report.review, report.tables, code=int(failed))


def _done(found: Incident) -> CommandResult:
    """Return what became of an incident."""
    last = found.timeline[-1]
    told = f"{found.incident_id} {found.severity} {found.status}: {last.action} by {last.by}: {last.text}"
    return CommandResult(found, told)


def _before(untreated: Sequence[Seen]) -> list[Part]:
    """Return where something is still to be treated before a healthy session."""
    if not untreated:
        return []
    newest = untreated[0]
    told = f"It did in {many(len(untreated), 'session')} before it, the newest: {newest.says}"
    return [told, f"  peaktrade incident diagnose {newest.run.run_id}"]


def _diagnosed(found: Diagnosis) -> list[Part]:
    """Return what a diagnosis says."""
    told: list[Part] = [f"{found.session_id}: {found.status}, {many(found.events, 'event')} read"]
    told += [f"could not be read: {fault}" for fault in found.faults]
    if not found.happened:
        told.append("Nothing that an incident runbook treats happened in it.")
    for one in found.happened:
        told.append(f"\n{one.severity}: {one.kind.replace('_', ' ')}: {one.symptom}")
        told += [f"    {sentence}" for sentence in one.evidence]
        if one.branch:
            told.append(f"  -> {one.branch.situation}: {one.branch.action}")
        told.append(f"  peaktrade runbook run {one.runbook} -p session_id={found.session_id}")
    return told
