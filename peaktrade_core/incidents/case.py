"""A session under an incident runbook: its diagnosis, the tables of it, the decision, and the incident that is opened.

Nothing is opened, halted or asked when what the runbook treats did not happen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check
from peaktrade_core.halts.scope import Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.incidents.diagnosis.findings import Branch, Diagnosis, Finding
from peaktrade_core.incidents.incident import Incident
from peaktrade_core.incidents.report import SEVERITY
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.notebook import Session, open_session
from peaktrade_core.runbooks.notebook_tables import session_files
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.handbook import COMPARED, handbook
from peaktrade_core.runs.views import Views
from peaktrade_core.session.questions import venue_checks
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, TONE_OF, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

SLOWEST_S = 1.0  # a shorter pace is asked about [s]
HOLDS = ("pause", "emergency")  # authorities of branches that stop trading
NOTHING = "It did not happen in this session."


class Case:
    """One session under an incident runbook.

    Attributes:
        session, diagnosis: what is looked at; kinds: what the runbook treats; notebook: its name.
        finding: the worst of those kinds that happened, None when none did; alert: the alert that led here, or empty.
    """

    def __init__(
        self, workspace: Workspace, notebook: str, session: Session, diagnosis: Diagnosis, alert: str = ""
    ) -> None:
        self.workspace, self.notebook, self.session, self.diagnosis = workspace, notebook, session, diagnosis
        self.alert = alert
        self.kinds = tuple(kind for kind in handbook().kinds_of(notebook) if kind != COMPARED)
        self.finding: Finding | None = diagnosis.worst(*self.kinds)

    def __repr__(self) -> str:
        return f"{self.id}: {self.finding.kind if self.finding else 'nothing that this runbook treats'}"

    @property
    def id(self) -> str:
        """The session's id."""
        return self.session.id

    @property
    def happened(self) -> tuple[Finding, ...]:
        """What happened of the kinds that the runbook treats, the worst first."""
        return tuple(finding for finding in self.diagnosis.happened if finding.kind in self.kinds)

    @property
    def scope(self) -> str:
        """The trading-state scope of the session, empty where the record does not say."""
        record = self.session.record
        strategy, symbol = record.setting("strategy_name"), record.symbol
        return Scope.of(record.mode, strategy, symbol).text if isinstance(strategy, str) and symbol else ""


def open_case(workspace: Workspace, notebook: str, session_id: str = "latest", alert_id: str = "") -> Case:
    """Return the session that an incident runbook is about, diagnosed.

    Args:
        workspace: where; notebook: which runbook.
        session_id: of the session; ``latest`` for the one that started last.
        alert_id: an alert about a session; then that session is meant.

    Raises:
        SessionNotFoundError: no session has that id; UnknownNameError: no alert has.
        ConfigError: the alert is not about a session, or about another than the one that is named.
    """
    if alert_id:
        row = Alerts.of(workspace).row(alert_id)
        if not row.run_id:
            raise ConfigError(f"alert {row.alert_id} is not about a session ({row.message}); give session_id instead")
        if session_id not in ("latest", row.run_id):
            raise ConfigError(f"alert {row.alert_id} is about {row.run_id}, not about {session_id}; give one of them")
        session_id, alert_id = row.run_id, row.alert_id
    recover(workspace)
    session = open_session(workspace, session_id)
    return Case(workspace, notebook, session, diagnose(workspace, session.id), alert_id)


def case_summary(case: Case) -> Table:
    """Return which session it is, and whether anything happened that this runbook treats."""
    record, alerts = case.session.record, Alerts.of(case.workspace).rows(run_id=case.id)
    known = IncidentBook.of(case.workspace).rows(subject=case.id)
    none = "none about this session"
    verdict = "; ".join(f"{f.title.lower()} ({f.severity})" for f in case.happened)
    rows = [
        ("Session", record.session_id),
        ("Status", Cell(wording.badge(record.status), TONE_OF.get(record.status, ""))),
        ("What", f"{record.setting('strategy_name')} on {record.symbol} {record.setting('timeframe')}, {record.mode}"),
        ("Began, ended (UTC)", f"{wording.moment(record.started_at)}, {wording.moment(record.finished_at)}"),
        ("Error", Cell(record.error, BAD) if record.error else "none"),
        ("Alerts", "; ".join(f"{one.rule_id} {one.severity} {one.state}" for one in alerts) or none),
        ("Incidents", "; ".join(f"{one.incident_id} {one.status}" for one in known) or none),
        ("Verdict", Cell(f"✕ happened: {verdict}", BAD) if verdict else Cell(f"✓ {NOTHING}", GOOD)),
    ]
    return Table("Which session, and did it happen?", ("", ""), rows)


def case_evidence(case: Case) -> Table:
    """Return what the artefacts say, sentence by sentence, with the numbers of the journal's events."""
    rows = [(finding.title, sentence) for finding in case.happened for sentence in finding.evidence]
    empty = f"{NOTHING} " + " ".join(case.diagnosis.finding(kind).evidence[0] for kind in case.kinds[:1])
    return Table("What shows it", ("What", "Evidence"), rows, empty=empty)


def case_tree(case: Case) -> Table:
    """Return the handbook's decision tree of everything that happened, with the ways that the evidence supports."""
    several = len(case.happened) > 1
    rows = [
        (
            _mark(branch, finding),
            *([finding.title] if several else []),
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
            finding.title,
            finding.symptom,
            Cell(finding.runbook, href=f"{finding.runbook}.ipynb"),
            Cell(f"`peaktrade runbook run {finding.runbook} -p session_id={case.id}`", code=True),
        )
        for finding in case.diagnosis.happened
        if finding.kind not in case.kinds
    ]
    columns = ("Severity", "What", "Symptom", "Runbook", "Without a person")
    return Table("What else happened in this session", columns, rows, empty="Nothing that another runbook treats.")


def case_checks(case: Case) -> list[Check]:
    """Return, for each kind that the runbook treats, whether it happened: an answer of its own, from the artefacts."""
    checks = [_answer(case.diagnosis.finding(kind)) for kind in case.kinds]
    if case.diagnosis.faults:
        fault = "; ".join(case.diagnosis.faults)
        step = "The diagnosis rests on what could be read; restore the rest from a backup."
        checks.append(
            Check(id="readable", question="Can all of it be read?", status=FAIL, evidence=fault, next_step=step)
        )
    return checks


def _answer(finding: Finding) -> Check:
    """Return a finding as an answered check."""
    question = handbook().kind[finding.kind].question
    if not finding.happened:
        return Check(id=finding.kind, question=question, status=PASS, evidence=finding.evidence[0])
    branch = finding.branch
    return Check(
        id=finding.kind,
        question=question,
        status=FAIL if finding.severity == "high" else WARN,
        evidence=f"{finding.severity}: {finding.symptom}; suspected: {finding.suspected}",
        next_step=branch.action if branch else "Read the evidence below and decide.",
    )


def case_decision(runbook: Runbook, case: Case) -> Prompt | Table:
    """Ask which way of the handbook's decision tree is taken; the evidence marks the ones that it speaks for."""
    text = "Which way do you take?"
    if case.finding is None:
        return runbook.spare("decision", text, f"{NOTHING} There is nothing to decide.")
    return runbook.ask("decision", text, [_option(branch) for branch in case.finding.ways])


def _option(branch: Branch) -> Option:
    """Return a way as an answer; one that the evidence speaks against leaves a warning."""
    return Option(
        key=branch.key,
        label=branch.situation,
        meaning=branch.action,
        status=PASS if branch.supported is not False else WARN,
        supported=branch.supported,
        authority=branch.authority,
    )


def case_confirm(runbook: Runbook, case: Case, step_id: str) -> Prompt | Table:
    """Ask what only a person can confirm, where the handbook asks for it here; where severity asks for it, it is needed.

    Raises:
        UnknownNameError: the handbook asks for no such confirmation.
    """
    asked = handbook().confirmation(step_id)
    matters = [f for f in case.happened if not asked.kinds or f.kind in asked.kinds]
    if any(asked.severity in ("", f.severity) for f in matters):
        return runbook.confirm(step_id, asked.question, needed=bool(asked.severity))
    return runbook.spare(step_id, asked.question, "Nothing to ask: it does not matter here.")


def case_hold(runbook: Runbook, case: Case) -> Callable[[], str]:
    """Return what halts trading in the session's scope if the way that was chosen asks for a pause."""
    return partial(_hold, runbook, case)


def _hold(runbook: Runbook, case: Case) -> str:
    if case.finding is None:
        return f"{NOTHING} Nothing was halted."
    chosen = next((b for b in case.finding.branches if runbook.chose("decision", b.key)), None)
    if chosen is None:
        return "Nothing was halted: no way was chosen."
    if chosen.authority not in HOLDS or not case.scope:
        return "Nothing was halted: the way that was chosen lets trading go on."
    states, record = TradingStates.of(case.workspace), runbook.round.record
    before = states.read(case.scope)
    if before.state in ("HALTED", "NO_ORDERS"):
        return f"{case.scope} was {before.state} already, by {before.by}: {before.reason}"
    reason = f"{chosen.situation} ({case.id}, {record.evidence_id})"
    states.set(case.scope, "HALTED", by=record.operator, reason=reason, now=case.workspace.clock.now())
    return f"{case.scope} is HALTED: only reducing orders pass. `peaktrade risk resume --scope {case.scope}` ends it."


def case_resume(case: Case) -> list[Check]:
    """Return the conditions for going on, answered now: those of everything that happened, each once."""
    now = diagnose(case.workspace, case.id)
    found: dict[str, Check] = {}
    for finding in now.happened:
        for one in finding.resume if finding.kind in case.kinds else ():
            found.setdefault(one.id, one)
    if not found:
        return [Check(id="nothing", question="Is there anything to resume?", status=PASS, evidence=NOTHING)]
    return list(found.values())


def case_venue(case: Case) -> list[Check]:
    """Return how the venue is now, if anything of it failed; it is only asked, nothing is ordered.

    Raises:
        ConfigError: the session's symbol is not configured any more.
    """
    if case.finding is None or not case.diagnosis.symbol:
        question, told = "Must the venue be asked?", f"{NOTHING} It was not asked."
        return [Check(id="nothing", question=question, status=PASS, evidence=told)]
    return [*venue_checks(case.workspace, case.diagnosis.symbol), _pace(case.workspace)]


def _pace(workspace: Workspace) -> Check:
    """Return whether we keep a pace towards the venue, and how many sessions share it."""
    pace = workspace.config.exchange.order_pace_s
    running = sum(row.state == "running" for row in Views.of(workspace).runs(500))
    return check(
        "pace",
        "Do we keep a pace towards the venue?",
        pace >= SLOWEST_S,
        f"order_pace_s = {pace:g} s, {wording.many(running, 'session')} running",
        "Raise order_pace_s in [exchange] of config/config.toml, and run fewer sessions on this key.",
        otherwise=WARN,
    )


def case_incident(runbook: Runbook, case: Case, drill: str = "") -> Callable[[], str]:
    """Return what opens an incident with the report filled as far as the evidence goes, or joins the one that is open."""
    return partial(_open, runbook, case, drill)


def _open(runbook: Runbook, case: Case, drill: str) -> str:
    finding, book, record = case.finding, IncidentBook.of(case.workspace), runbook.round.record
    if finding is None:
        return f"{NOTHING} No incident was opened."
    branch = next((b for b in finding.branches if runbook.chose("decision", b.key)), finding.branch)
    others = [f"also: {other.symptom}" for other in case.happened if other is not finding]
    session = case.session.record  # only the bars of a venue carry times of a clock
    live = session.setting("feed") == "exchange"
    since, until = (finding.since, finding.until) if live else (session.started_at, session.finished_at)
    incident = book.open(
        finding.kind,
        f"{finding.title}: {finding.symptom}",
        subject=case.id,
        severity=finding.severity,
        by=record.operator,
        role=record.role,
        evidence=[*finding.evidence, *others],
        drill=drill,
        artefacts=[path for path in session_files(case.session) if path.is_file()],
        join=True,
        system=f"{case.diagnosis.mode} {case.diagnosis.symbol}, {case.session.record.env_name or 'no venue'}",
        alerts=tuple(row.alert_id for row in Alerts.of(case.workspace).rows(run_id=case.id)),
        since=since,
        until=until,
        symptom=finding.symptom,
        suspected=finding.suspected,
        next_step=branch.action if branch else "Decide how to go on.",
        runbook=case.notebook,
        evidence_id=record.evidence_id,
    )
    incident = _follow_up(runbook, case, incident, branch)
    return f"{incident.incident_id}, {incident.severity}, {incident.status}: reports/incidents/{incident.incident_id}/incident.md"


def _follow_up(runbook: Runbook, case: Case, incident: Incident, branch: Branch | None) -> Incident:
    """Write into the incident what was decided and done in this execution."""
    book, by = IncidentBook.of(case.workspace), runbook.round.record.operator
    if branch is not None and runbook.chose("decision", branch.key):
        incident = book.note(incident.incident_id, by, f"decided: {branch.situation}. {branch.action}")
    hold = runbook.round.record.step("hold")
    if hold is not None and "HALTED" in hold.result:
        incident = book.note(incident.incident_id, by, hold.result)
    if runbook.chose("owner", "yes"):
        incident = book.note(incident.incident_id, by, "the owner was informed", owner_told=True)
    return incident


def case_files(case: Case) -> tuple[Path, ...]:
    """Return the files that the evidence rests on: record, journal, and the report of the incident if there is one."""
    rows = IncidentBook.of(case.workspace).rows(subject=case.id)
    return (
        *session_files(case.session),
        *(IncidentBook.of(case.workspace).report(row.incident_id) for row in rows[:1]),
    )
