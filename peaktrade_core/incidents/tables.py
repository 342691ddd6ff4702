"""The tables of the incident runbooks: what happened, what shows it, which way the handbook goes."""

from __future__ import annotations

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.case import NOTHING, TITLES, Case
from peaktrade_core.incidents.diagnosis.findings import Branch, Finding
from peaktrade_core.runs.columns import state_cell
from peaktrade_core.runs.run import name_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table

SEVERITY = {"low": Cell("▽ low", MID), "medium": Cell("▲ medium", MID), "high": Cell("✕ high", BAD)}


def case_summary(case: Case) -> Table:
    """Return which session it is, and whether anything happened that this runbook treats."""
    record, alerts = case.session.record, Alerts.of(case.workspace).rows(run_id=case.id)
    known = IncidentBook.of(case.workspace).rows(subject=case.id)
    verdict = "; ".join(f"{TITLES[f.kind].lower()} ({f.severity})" for f in case.happened)
    rows = [
        ("Session", record.session_id),
        ("Status", state_cell(run_of(record))),
        ("What", f"{name_of(run_of(record))}; {record.mode}"),
        ("Began, ended (UTC)", f"{wording.moment(record.started_at)}, {wording.moment(record.finished_at)}"),
        ("Error", Cell(record.error, BAD) if record.error else "none"),
        (
            "Alerts",
            "; ".join(f"{row.rule_id} {row.severity} {row.state}" for row in alerts) or "none about this session",
        ),
        ("Incidents", "; ".join(f"{row.incident_id} {row.status}" for row in known) or "none about this session"),
        ("Verdict", Cell(f"✕ happened: {verdict}", BAD) if verdict else Cell(f"✓ {NOTHING}", GOOD)),
    ]
    return Table("Which session, and did it happen?", ("", ""), rows)


def case_evidence(case: Case) -> Table:
    """Return what the artefacts say, sentence by sentence, with the numbers of the journal's events."""
    rows = [(TITLES[finding.kind], sentence) for finding in case.happened for sentence in finding.evidence]
    empty = f"{NOTHING} " + " ".join(case.diagnosis.finding(kind).evidence[0] for kind in case.kinds[:1])
    return Table("What shows it", ("What", "Evidence"), rows, empty=empty)


def case_tree(case: Case) -> Table:
    """Return the handbook's decision tree of everything that happened, with the ways that the evidence supports."""
    several = len(case.happened) > 1
    rows = [
        (
            _mark(branch, finding),
            *([TITLES[finding.kind]] if several else []),
            branch.situation,
            Cell(branch.action, code=True),
            branch.why,
        )
        for finding in case.happened
        for branch in finding.ways
    ]
    columns = ("Evidence", *(["About"] if several else []), "When", "What is done then", "Why")
    note = "→ is the way that the evidence supports first; ask a person where it says so." if rows else ""
    return Table("Decision tree", columns, rows, note=note, empty=f"{NOTHING} The tree is not needed.")


def _mark(branch: Branch, finding: Finding) -> Cell:
    """Return what the evidence says to a way."""
    if branch.supported is None:
        return Cell("? your judgement", MID)
    if not branch.supported:
        return Cell("✕ against")
    return Cell("→ supported" if branch is finding.branch else "✓ supported too", GOOD)


def case_others(case: Case) -> Table:
    """Return what else happened in the session, and the runbook of each."""
    rows = [
        (
            SEVERITY[finding.severity],
            TITLES[finding.kind],
            finding.symptom,
            Cell(finding.runbook, href=f"{finding.runbook}.ipynb"),
            Cell(f"`peaktrade runbook run {finding.runbook} -p session_id={case.id}`", code=True),
        )
        for finding in case.diagnosis.happened
        if finding.kind not in case.kinds
    ]
    columns = ("Severity", "What", "Symptom", "Runbook", "Without a person")
    return Table("What else happened in this session", columns, rows, empty="Nothing that another runbook treats.")
