"""An incident as people read it: the report and post-mortem beside its record, and the tables of their notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import both, local
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.question import FAIL, WARN, Check, Status, check
from peaktrade_core.incidents.book import IncidentBook, IncidentRow
from peaktrade_core.incidents.incident import Incident
from peaktrade_core.runbooks.artefacts import unsecured
from peaktrade_core.runbooks.pickers import NEWEST, Suggestion
from peaktrade_core.runbooks.shelf import Notebook
from peaktrade_core.runs.handbook import SEVERITIES
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Shade
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.cover import Cover, Entries, course, needing, utc
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns, Table
from peaktrade_core.show.templates import template
from peaktrade_core.workspace.workspace import Workspace

SEVERITY = {"low": Cell("▽ low", MID), "medium": Cell("▲ medium", MID), "high": Cell("✕ high", BAD)}
STATUS = {"open": Cell("✕ open", BAD), "mitigated": Cell("▲ mitigated", MID), "closed": Cell("✓ closed", GOOD)}
INCIDENTS = Columns[IncidentRow](
    incident=Column("Incident", lambda row: row.incident_id),
    severity=Column("Severity", lambda row: SEVERITY.get(row.severity, Cell(""))),
    status=Column("Status", lambda row: STATUS.get(row.status, Cell(row.status, BAD))),
    opened=Column("Opened (UTC)", lambda row: row.opened_at, priority=1),
    leads=Column("Leads", lambda row: Cell(row.commander), priority=2),
    about=Column("About", lambda row: Cell(row.subject), priority=3),
    what=Column("What", lambda row: row.fault or (f"drill {row.drill}: " if row.drill else "") + row.title, "words"),
)
NEAR = timedelta(days=1)  # of its opening, to be drawn on one axis
NO_INCIDENT = "No incident was ever opened here. The incident runbooks open one, or `peaktrade incident open`."


def pages_of(folder: Path, incident: Incident) -> dict[str, bytes]:
    """Return an incident's report, and its post-mortem if there is one, by the names of their files."""
    pages = {"incident.md": report_text(incident, folder)}
    if incident.postmortem is not None:
        pages["post_mortem.md"] = post_mortem_text(incident)
    return {name: text.encode() for name, text in pages.items()}


def post_mortem_text(incident: Incident) -> str:
    """Return the post-mortem as markdown of an incident that has one."""
    return template("post_mortem.md.j2").render(i=incident, p=incident.postmortem, local=local)


def report_text(incident: Incident, folder: Path) -> str:
    """Return the report as markdown of an incident that is kept in a folder."""
    checks = response_checks(incident, unsecured(folder, incident.artefacts))
    cover = incident_cover(incident, checks).markdown()
    return template("incident.md.j2").render(i=incident, cover=cover, checks=checks, both=both)


def response_checks(incident: Incident, lost: Sequence[str] = ()) -> list[Check]:
    """Return the handbook's incident checklist, answered from the incident itself.

    Args:
        incident: which; lost: the files that it names and of which no copy is kept.

    Source: workflow overview, incident-response checklist; operational runbooks 11.2 and 11.3.
    """
    high, over = incident.severity == "high", incident.status == "closed"
    later: Status = FAIL if over else WARN
    commander = incident.duties.get("commander", "")
    three = [name for name in ("symptom", "suspected", "next_step") if not getattr(incident, name)]
    words = "symptom, suspected cause, next step"
    cli = f"`peaktrade incident {{}} {incident.incident_id} {{}} --by NAME`".format
    return [
        check("severity", "Is the severity judged?", incident.severity in SEVERITIES, incident.severity,
              cli("severity", 'high --reason "…"')),
        check("system", "Is the affected system named?", bool(incident.system or incident.subject),
              incident.system or incident.subject or "nothing named", cli("describe", '--system "…"'),
              otherwise=WARN),
        check("ids", "Is the session, run or alert documented?", bool(incident.subject or incident.alerts),
              incident.subject or ", ".join(incident.alerts) or "none named", cli("note", '"…"'), otherwise=WARN),
        check("time", "Is the time written down in UTC and Berlin?", bool(incident.opened_local),
              incident.opened_local, "The record was written by hand: add the local time."),
        check("three", f"Are the three sentences there: {words}?", not three,
              "all three" if not three else f"missing: {', '.join(three).replace('_', ' ')}",
              cli("describe", " ".join(f'--{name.replace("_", "-")} "…"' for name in three)), otherwise=WARN),
        check("artefacts", "Are the artefacts secured: a copy of each file kept as it was?",
              bool(incident.artefacts) and not lost,
              f"no copy of {', '.join(lost)}" if lost else f"{wording.many(len(incident.artefacts), 'file')}, each "
              "with its hash and a copy",
              cli("attach", "FILE"), otherwise=WARN),
        check("commander", "Is a commander named?", bool(commander), commander or "none named", cli("assign", "commander NAME"),
              otherwise=WARN),
        check("owner", "Is the owner informed?", not high or incident.owner_told_at is not None,
              "not needed below high" if not high else "told" if incident.owner_told_at else "not told",
              "Now, then: " + cli("note", '"…" --owner-told')),
        check("closed", "Is it closed, with cause and resolution?", over, incident.status,
              cli("close", '--cause "…" --resolution "…"'), otherwise=WARN),
        check("postmortem", "Is there a post-mortem?", not high or incident.postmortem is not None,
              "not needed below high" if not high else "written" if incident.postmortem else "none",
              cli("postmortem", '--root-cause "…" --went-well "…" --went-badly "…"'), otherwise=later),
    ]  # fmt: skip


def incident_cover(i: Incident | None, checks: Sequence[Check]) -> Cover:
    """Return an incident at a glance.

    Args:
        i: which; None where none was ever opened. checks: its checklist, answered.
    """
    if i is None:
        step = "It is opened by an incident runbook, or by `peaktrade incident open`."
        none = Cell("– none")
        return Cover(subject="No incident", whose="nobody's", when="never", verdict=none, links=(("", Cell(step)),))
    spans = (("First sign to incident", i.since, i.opened_at), ("Until held", i.opened_at, i.mitigated_at))
    figures = [
        (what, Cell(wording.duration((b - a).total_seconds()) if a and b else wording.NOTHING)) for what, a, b in spans
    ]
    told = f"severity {i.severity}" + (f"; drill {i.drill}, an exercise" if i.drill else "")
    chart, command = _course(i), "postmortem" if i.status == "closed" and i.postmortem is None else "show"
    return Cover(
        subject=i.title,
        subject_id=i.incident_id,
        whose=f"led by {i.duties.get('commander') or 'no one yet'}, opened by {i.opened_by} ({i.role})",
        when=f"{utc(i.opened_at)} ({i.opened_local[11:16]} in Berlin)",
        verdict=STATUS[i.status],
        why=told,
        figures=(("Severity", SEVERITY[i.severity]), *figures),
        chart=chart,
        needs=needing(checks),
        links=(
            ("About:", Cell(i.subject or "nothing named")),
            ("Next:", Cell(f"`peaktrade incident {command} {i.incident_id}`")),
        ),
    )


def _course(i: Incident) -> Chart | None:
    """Return signs and notes over time, behind them until it was noticed and until it was held."""
    seen = [(at, what) for at, what in ((i.since, "the first sign"), (i.until, "the last sign")) if at]
    signs = [(at, what) for at, what in seen if abs(at - i.opened_at) < NEAR]  # a replayed market has its own years
    notes = [(e.at, f"{e.by}: {e.text}") for e in i.timeline]
    held = i.mitigated_at or i.closed_at
    spans = [Shade(at, i.opened_at, "red", 0.15) for at, _ in signs[:1]]
    spans += [Shade(i.opened_at, held, "amber", 0.15)] if held else []
    kinds = (Entries("signs", "cross", "red", signs), Entries("notes", "up", "accent", notes))
    return course("What happened", *(kind for kind in kinds if kind.found), spans=spans)


class IncidentNotebook(Notebook):
    """What the incident report and the post-mortem both show."""

    @cached_property
    def incident(self) -> Incident | None:
        """The incident that is named; ``latest`` for the one that was opened last, None before the first.

        Raises:
            UnknownNameError: no incident has that id.
            ArtefactError: its record cannot be read.
        """
        book = IncidentBook.of(self.workspace)
        if self.given.incident_id != "latest":
            return book.load(self.given.incident_id)
        ids = book.ids()
        return book.load(ids[0]) if ids else None

    @property
    def checks(self) -> list[Check]:
        """The handbook's checklist, answered from the incident; empty without one."""
        if self.incident is None:
            return []
        folder = IncidentBook.of(self.workspace).path(self.incident.incident_id).parent
        return response_checks(self.incident, unsecured(folder, self.incident.artefacts))

    def cover(self) -> Cover:
        """Return the incident at a glance."""
        return incident_cover(self.incident, self.checks)

    def summary(self) -> Table:
        """Return what it is, how bad, who works on it, and when what happened."""
        i = self.incident
        if i is None:
            return Table("Incident", (), [], empty=NO_INCIDENT.replace("`", ""))
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
            ("Duties", ", ".join(f"{duty}: {who}" for duty, who in i.duties.items()) or "none named"),
            ("Owner informed (UTC)", wording.moment(i.owner_told_at)),
        ]
        if i.drill:
            rows.insert(1, ("Exercise", Cell(f"drill {i.drill}: an exercise, not an incident of operations", MID)))
        return Table("Incident", ("", ""), rows)

    def sentences(self) -> Table:
        """Return symptom, cause and next step, in a sentence each."""
        i = self.incident
        if i is None:
            return Table("In three sentences", (), [], empty="There is no incident.")
        missing = Cell("not written down yet (peaktrade incident describe)", MID)
        over = i.status == "closed"
        rows = [
            ("Symptom", i.symptom or missing),
            ("Cause" if i.cause else "Suspected cause", i.cause or i.suspected or missing),
            ("Resolution" if over else "Next step", (i.resolution if over else i.next_step) or missing),
        ]
        return Table("In three sentences", ("", ""), rows)

    def times(self) -> Table:
        """Return how long it took to notice, to hold and to close it."""
        i = self.incident
        if i is None:
            return Table("How fast?", (), [], empty="There is no incident.")
        spans = (
            ("from the first sign to the incident", i.since, i.opened_at),
            ("from the incident to mitigation", i.opened_at, i.mitigated_at),
            ("from the incident to its end", i.opened_at, i.closed_at),
        )
        rows = [
            (what, wording.duration((b - a).total_seconds()) if a and b else wording.NOTHING) for what, a, b in spans
        ]
        return Table("How fast?", ("", ""), rows, note="The first sign is by the session's own clock.")

    def timeline(self) -> Table:
        """Return everything that was said and done, in order."""
        entries = self.incident.timeline if self.incident else ()
        rows = [(wording.moment(e.at), local(e.at)[11:19], e.by, e.action.replace("_", " "), e.text) for e in entries]
        columns = ("UTC", "Berlin", "By", "What", "Words")
        return Table("Timeline", columns, rows, empty="Nothing was written down yet.")


class IncidentReport(IncidentNotebook):
    """An incident with what shows it, its checklist and the files it rests on."""

    def evidence(self) -> Table:
        """Return what the artefacts say, as it was when the incident was opened."""
        rows = [(n, sentence) for n, sentence in enumerate(self.incident.evidence, 1)] if self.incident else []
        return Table(
            "What shows it", ("", "Evidence"), rows, numbers=(0,), empty="Nothing was taken from the artefacts."
        )

    def checklist(self) -> Table:
        """Return the handbook's incident checklist, answered from the incident."""
        return check_table(self.checks, "Incident checklist")

    def files(self) -> Table:
        """Return the files it rests on, and whether they are as they were."""
        rows = []
        for one in self.incident.artefacts if self.incident else ():
            now = sha256_of(self.workspace.home / one.path)
            same = Cell("✓ as it was", GOOD) if now == one.sha256 else Cell(f"▲ {_gone(now)}", MID)
            rows.append((one.path, f"{one.size:,}", one.sha256[:12], same))
        columns = ("File, below the workspace", "Bytes", "SHA-256", "Now")
        return Table("What it rests on", columns, rows, numbers=(1,), empty="No file was named.")


class PostMortemReport(IncidentNotebook):
    """What was learned from an incident, and what changes."""

    def cover(self) -> Cover:
        """Return the incident at a glance, with what was agreed and is not done."""
        found, i = super().cover(), self.incident
        agreed = i.postmortem.actions if i and i.postmortem else ()
        step = f"`peaktrade incident done {found.subject_id} {{}}`".format
        open_ = [
            check(f"action_{n}", f"{a.what}:", False, f"{a.owner}, until {a.due}", step(n),
                  otherwise=WARN)
            for n, a in enumerate(agreed, 1) if a.done_at is None
        ]  # fmt: skip
        whose = f"post-mortem by {i.postmortem.by}" if i and i.postmortem else "post-mortem not written"
        return msgspec.structs.replace(found, whose=f"{whose}; {found.whose}", needs=needing(found.needs, open_))

    def learned(self) -> Table:
        """Return the post-mortem: why it could happen, what helped, what hindered."""
        incident = self.incident
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
        return Table(
            "What was learned", ("", ""), rows, note="Without blame: it asks why it could happen, not who did it."
        )

    def actions(self) -> Table:
        """Return what was agreed: who does what until when, and what is done."""
        incident = self.incident
        actions = incident.postmortem.actions if incident and incident.postmortem else ()
        rows = [
            (n, a.what, a.owner, a.due, Cell("✓ done", GOOD) if a.done_at else Cell("▲ to do", MID))
            for n, a in enumerate(actions, 1)
        ]
        return Table(
            "What changes", ("", "What", "Who", "Until", ""), rows, numbers=(0,), empty="Nothing was agreed yet."
        )


def _gone(digest: str) -> str:
    return digest if digest in ("missing", "unreadable") else "changed since"


def incident_choices(workspace: Workspace) -> list[Suggestion]:
    """Return the newest incidents, to pick one."""
    return [
        Suggestion("latest", "the one that was opened last"),
        *(Suggestion(one) for one in IncidentBook.of(workspace).ids()[:NEWEST]),
    ]
