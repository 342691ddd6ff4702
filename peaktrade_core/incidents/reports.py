"""The tables of the reports on incidents: one incident, its post-mortem, and the weekly review."""

from __future__ import annotations

from peaktrade_core.base.clock import local
from peaktrade_core.base.files import sha256_of
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.incident import CLOSED, MITIGATED, Incident, response_checks
from peaktrade_core.incidents.review import Review, review
from peaktrade_core.incidents.tables import SEVERITY
from peaktrade_core.schedule import periods
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

STATUS = {"open": Cell("✕ open", BAD), MITIGATED: Cell("▲ mitigated", MID), CLOSED: Cell("✓ closed", GOOD)}
NO_INCIDENT = "No incident was ever opened here. The incident runbooks open one, or `peaktrade incident open`."


def open_incident(workspace: Workspace, incident_id: str = "latest") -> Incident | None:
    """Return an incident; ``latest`` for the one that was opened last, None when there never was one.

    Raises:
        UnknownNameError: there is none of that id.
        ArtefactError: its record cannot be read.
    """
    book = IncidentBook.of(workspace)
    if incident_id != "latest":
        return book.load(incident_id)
    ids = book.ids()
    return book.load(ids[0]) if ids else None


def incident_summary(incident: Incident | None) -> Table:
    """Return what it is, how bad, who works on it, and when what happened."""
    if incident is None:
        return Table("Incident", (), [], empty=NO_INCIDENT.replace("`", ""))
    i = incident
    rows: list[tuple[object, object]] = [
        ("Incident", i.incident_id),
        ("What", i.title),
        ("Status", STATUS[i.status]),
        ("Severity", SEVERITY[i.severity]),
        ("Session, run or alert", i.subject or wording.NOTHING),
        ("Affected system", i.system or wording.NOTHING),
        ("Began, by the evidence (UTC)", wording.moment(i.since)),
        ("Opened (UTC)", wording.moment(i.opened_at)),
        ("Opened (Berlin)", i.opened_local),
        ("Opened by", f"{i.opened_by} ({i.role})"),
        ("Duties", ", ".join(f"{duty}: {who}" for duty, who in i.duties.items()) or "nobody leads"),
        ("Owner informed (UTC)", wording.moment(i.owner_told_at)),
    ]
    if i.drill:
        rows.insert(1, ("Exercise", Cell(f"drill {i.drill}: no incident of operations", MID)))
    return Table("Incident", ("", ""), rows)


def incident_sentences(incident: Incident | None) -> Table:
    """Return symptom, cause and next step, in a sentence each."""
    if incident is None:
        return Table("In three sentences", (), [], empty="There is no incident.")
    i = incident
    missing = Cell("not written down yet (peaktrade incident describe)", MID)
    over = i.status == CLOSED
    rows = [
        ("Symptom", i.symptom or missing),
        ("Cause" if i.cause else "Suspected cause", i.cause or i.suspected or missing),
        ("Resolution" if over else "Next step", (i.resolution if over else i.next_step) or missing),
    ]
    return Table("In three sentences", ("", ""), rows)


def incident_times(incident: Incident | None) -> Table:
    """Return how long it took to notice, to hold and to close it."""
    if incident is None:
        return Table("How fast?", (), [], empty="There is no incident.")
    i = incident
    spans = (
        ("from the first sign to the incident", i.since, i.opened_at),
        ("from the incident to mitigation", i.opened_at, i.mitigated_at),
        ("from the incident to its end", i.opened_at, i.closed_at),
    )
    rows = [(what, wording.duration((b - a).total_seconds()) if a and b else wording.NOTHING) for what, a, b in spans]
    return Table("How fast?", ("", ""), rows, note="The first sign is by the session's own clock.")


def incident_evidence(incident: Incident | None) -> Table:
    """Return what the artefacts say, as it was when the incident was opened."""
    rows = [(n, sentence) for n, sentence in enumerate(incident.evidence, 1)] if incident else []
    return Table("What shows it", ("", "Evidence"), rows, numbers=(0,), empty="Nothing was taken from the artefacts.")


def incident_timeline(incident: Incident | None) -> Table:
    """Return everything that was said and done, in order."""
    entries = incident.timeline if incident else ()
    rows = [(wording.moment(e.at), local(e.at)[11:19], e.by, e.action.replace("_", " "), e.text) for e in entries]
    columns = ("UTC", "Berlin", "By", "What", "Words")
    return Table("Timeline", columns, rows, empty="Nothing was written down yet.")


def incident_checklist(incident: Incident | None) -> Table:
    """Return the handbook's incident checklist, answered from the incident."""
    return check_table(response_checks(incident) if incident else [], "Incident checklist")


def incident_files(workspace: Workspace, incident: Incident | None) -> Table:
    """Return the files it rests on, and whether they are as they were."""
    rows = []
    for one in incident.artefacts if incident else ():
        now = sha256_of(workspace.home / one.path)
        same = Cell("✓ as it was", GOOD) if now == one.sha256 else Cell(f"▲ {_gone(now)}", MID)
        rows.append((one.path, f"{one.size:,}", one.sha256[:12], same))
    columns = ("File, below the workspace", "Bytes", "SHA-256", "Now")
    return Table("What it rests on", columns, rows, numbers=(1,), empty="No file was named.")


def _gone(digest: str) -> str:
    return digest if digest in ("missing", "unreadable") else "changed since"


def incident_learned(incident: Incident | None) -> Table:
    """Return the post-mortem: why it could happen, what helped, what hindered."""
    found = incident.postmortem if incident else None
    if found is None:
        step = f"peaktrade incident postmortem {incident.incident_id}" if incident else "There is no incident."
        return Table("What was learned", (), [], empty=f"No post-mortem yet. {step}")
    rows = [
        ("Why could it happen?", found.root_cause),
        ("What went well?", found.went_well),
        ("What went badly?", found.went_badly),
        ("Written", f"{wording.moment(found.at)} UTC by {found.by}"),
    ]
    return Table("What was learned", ("", ""), rows, note="Without blame: it asks why it could happen, not who did it.")


def incident_actions(incident: Incident | None) -> Table:
    """Return what was agreed: who does what until when, and what is done."""
    actions = incident.postmortem.actions if incident and incident.postmortem else ()
    rows = [
        (n, a.what, a.owner, a.due, Cell("✓ done", GOOD) if a.done_at else Cell("▲ to do", MID))
        for n, a in enumerate(actions, 1)
    ]
    return Table("What changes", ("", "What", "Who", "Until", ""), rows, numbers=(0,), empty="Nothing was agreed yet.")


def open_incident_week(workspace: Workspace, week: str = "last") -> Review:
    """Return the review of an ISO week: ``2026-W01``, ``this`` or ``last``.

    Raises:
        ConfigError: there is no such week, or it has not begun.
    """
    return review(IncidentBook.of(workspace), periods.span_named(periods.WEEK, week, workspace.clock.now()))


def review_overview(found: Review) -> Table:
    """Return the figures of the week."""
    severities = ", ".join(f"{sum(i.severity == s for i in found.opened)} {s}" for s in ("high", "medium", "low"))
    rows: list[tuple[str, object]] = [
        ("Opened", f"{len(found.opened)}" + (f" ({severities})" if found.opened else "")),
        ("Closed", f"{len(found.closed)}"),
        ("Not closed at the end", f"{len(found.unclosed)}"),
        ("Until it was held, median", wording.duration(found.held_s)),
        ("Until it was closed, median", wording.duration(found.closed_s)),
        ("By kind", ", ".join(f"{kind} x {n}" for kind, n in found.kinds.items()) or "none"),
        ("Marked as a drill", f"{found.drills}"),
    ]
    if found.faults:
        rows.append(("Unreadable", Cell("; ".join(found.faults), BAD)))
    span = found.span
    note = (
        f"UTC, from {wording.minute(span.since)} to {wording.minute(span.until)}; as of {wording.moment(found.as_of)}"
    )
    return Table(f"Incidents of the week {span.label}", ("", ""), rows, note=note)


def review_checks(found: Review) -> Table:
    """Return the review's questions, answered."""
    return check_table(found.checks, "Is everything taken care of?")


def review_incidents(found: Review) -> Table:
    """Return the incidents that were opened in the week, and those from before that are still open."""
    wanted = {i.incident_id: i for i in (*found.unclosed, *found.opened)}
    rows = [
        (i.incident_id, SEVERITY[i.severity], STATUS[i.status], i.title, i.subject, wording.moment(i.opened_at),
         wording.duration((i.closed_at - i.opened_at).total_seconds() if i.closed_at else None), i.cause or i.suspected)
        for i in sorted(wanted.values(), key=lambda i: i.opened_at)
    ]  # fmt: skip
    columns = ("Incident", "Severity", "Status", "What", "About", "Opened (UTC)", "Took", "Cause")
    return Table("The incidents", columns, rows, empty="A week without an incident.")


def review_actions(found: Review) -> Table:
    """Return the actions of all post-mortems that are not done."""
    rows = [
        (
            Cell("✕ overdue", BAD) if row.overdue else Cell("▲ to do", MID),
            row.action.what,
            row.action.owner,
            row.action.due,
            Cell(f"`peaktrade incident done {row.incident_id} {row.number}`", code=True),
        )
        for row in found.actions
    ]
    columns = ("", "What", "Who", "Until", "When it is done")
    return Table("What is still to do", columns, rows, empty="Nothing that was agreed is open.")
