"""The incident runbooks: the diagnosis of a session, its tables, the decision, and the incident that is opened.

Nothing is opened, halted or asked when what the runbook treats did not happen.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.case import NOTHING, Case, open_case, session_of_alert
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.incidents.diagnosis.findings import Branch, Diagnosis, Occurrence
from peaktrade_core.incidents.incident import Incident
from peaktrade_core.incidents.lately import Seen, lately, lately_suggestions, lately_table, newest_of_its_kind
from peaktrade_core.incidents.report import SEVERITY
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.notebook_tables import links, session_files
from peaktrade_core.runbooks.notebooks.lab import notebook_link
from peaktrade_core.runbooks.pickers import Suggestion
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.columns import state_cell
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.runs.run import name_of
from peaktrade_core.runs.views import Views
from peaktrade_core.session.questions import venue_checks
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

SLOWEST_S = 1.0  # a shorter pace is asked about [s]
HOLDS = ("pause", "emergency")  # authorities of branches that stop trading


class IncidentRunbook(Runbook):
    """An incident runbook being executed, on one session.

    Attributes:
        notebook: its name, by which the handbook says what it treats.
        asked: the question of its diagnosis.
    """

    notebook: ClassVar[str]
    asked = "What do the artefacts say?"

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the session that is meant: of the alert, or the one that is named."""
        if given.alert_id:
            return session_of_alert(workspace, given.alert_id, given.session_id)
        return cls.meant(workspace, given)

    @classmethod
    def meant(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the session that is named; ``latest`` is the newest in which it happened, else the one that started last."""
        if given.session_id != "latest":
            return Views.of(workspace).resolve(given.session_id)
        return newest_of_its_kind(workspace, cls.lately(workspace, given))

    @classmethod
    def lately(cls, workspace: Workspace, given: SimpleNamespace) -> list[Seen]:
        """Return in which of the newest sessions it happened, or cannot be told; newest first."""
        return lately(workspace, handbook().kinds_of(cls.notebook), lambda one: cls.diagnosed(workspace, one, given))

    @classmethod
    def diagnosed(cls, workspace: Workspace, session_id: str, given: SimpleNamespace) -> Diagnosis:
        """Return what this runbook asks of a session, answered."""
        del given
        return diagnose(workspace, session_id)

    @classmethod
    def offered(cls, parameter: str, workspace: Workspace) -> list[Suggestion]:
        """Return, for the session, those in which it happened, before all others."""
        if parameter != "session_id":
            return []
        return lately_suggestions(cls.lately(workspace, SimpleNamespace()))

    @cached_property
    def case(self) -> Case:
        """The session that the record is about, diagnosed; one that began since is not taken for it."""
        record = self.round.record
        return open_case(self.workspace, record.runbook, record.subject)

    def summary(self) -> Table:
        """Return which session it is, and whether anything happened that this runbook treats."""
        record, alerts = self.case.session.record, Alerts.of(self.workspace).rows(run_id=self.case.id)
        run = Views.of(self.workspace).run(self.case.id)
        known = IncidentBook.of(self.workspace).rows(subject=self.case.id)
        none = "none about this session"
        verdict = "; ".join(f"{f.title} ({f.severity})" for f in self.case.happened)
        rows = [
            ("Session", record.session_id),
            ("Status", state_cell(run)),
            ("What", f"{name_of(run)}, {run.mode}"),
            ("Began, ended (UTC)", f"{wording.moment(record.started_at)}, {wording.moment(record.finished_at)}"),
            ("Error", Cell(record.error, BAD) if record.error else "none"),
            ("Alerts", "; ".join(f"{one.rule_id} {one.severity} {one.state}" for one in alerts) or none),
            ("Incidents", "; ".join(f"{one.incident_id} {one.status}" for one in known) or none),
            ("Verdict", Cell(f"✕ happened: {verdict}", BAD) if verdict else Cell(f"✓ {NOTHING}", GOOD)),
        ]
        return Table("Which session, and did it happen?", ("", ""), rows)

    def sessions(self) -> Table:
        """Return in which of the newest sessions it happened, so that another one can be taken."""
        return lately_table(self.notebook, self.lately(self.workspace, self.given), self.case.id)

    def diagnosis(self) -> Table:
        """Record, for each kind that the runbook treats, whether it happened: an answer of its own, from the artefacts."""
        checks = [_answer(self.case.diagnosis.finding(kind)) for kind in self.case.kinds]
        if self.case.diagnosis.faults:
            fault = "; ".join(self.case.diagnosis.faults)
            step = "The diagnosis rests on what could be read; restore the rest from a backup."
            checks.append(
                Check(id="readable", question="Can all of it be read?", status=FAIL, evidence=fault, next_step=step)
            )
        return self.check("diagnosis", self.asked, checks)

    def evidence(self) -> Table:
        """Return what the artefacts say, sentence by sentence, with the numbers of the journal's events."""
        rows = [(finding.title, sentence) for finding in self.case.happened for sentence in finding.evidence]
        empty = f"{NOTHING} " + " ".join(self.case.diagnosis.finding(kind).evidence[0] for kind in self.case.kinds[:1])
        return Table("What shows it", ("What", "Evidence"), rows, empty=empty)

    def tree(self) -> Table:
        """Return the handbook's decision tree of everything that happened, with the ways that the evidence supports."""
        several = len(self.case.happened) > 1
        rows = [
            (
                _mark(branch, finding),
                *([finding.title] if several else []),
                branch.situation,
                Cell(branch.action, code=True),
                branch.why,
            )
            for finding in self.case.happened
            for branch in finding.ways
        ]
        columns = ("Evidence", *(["About"] if several else []), "When", "What is done then", "Why")
        note = "→ is the way that the evidence supports first; ask a person where it says so." if rows else ""
        return Table("Decision tree", columns, rows, note=note, empty=f"{NOTHING} The tree is not needed.")

    def decision(self) -> Prompt | Table:
        """Ask which way of the handbook's decision tree is taken; the evidence marks the ones that it speaks for."""
        text = "Which way do you take?"
        if self.case.finding is None:
            return self.spare("decision", text, f"{NOTHING} There is nothing to decide.")
        return self.ask("decision", text, [_option(branch) for branch in self.case.finding.ways])

    def hold(self) -> Table:
        """Halt trading in the session's scope, once, if the way that was chosen asks for a pause."""
        return self.act("hold", "Is trading held?", self._hold)

    def confirmed(self, step_id: str) -> Prompt | Table:
        """Ask what only a person can confirm, where the handbook asks for it here; where severity asks for it, it is needed.

        Raises:
            UnknownNameError: the handbook asks for no such confirmation.
        """
        asked = handbook().confirmation(step_id)
        matters = [f for f in self.case.happened if not asked.kinds or f.kind in asked.kinds]
        if any(asked.severity in ("", f.severity) for f in matters):
            return self.confirm(step_id, asked.question, needed=bool(asked.severity))
        return self.spare(step_id, asked.question, "Nothing to ask: it does not matter here.")

    def venue(self) -> Table:
        """Record how the venue is now, if anything of it failed; it is only asked, nothing is ordered.

        Raises:
            ConfigError: the session's symbol is not configured any more.
        """
        symbol = self.case.diagnosis.symbol
        checks = [
            Check(
                id="nothing", question="Must the venue be asked?", status=PASS, evidence=f"{NOTHING} It was not asked."
            )
        ]
        if self.case.finding is not None and symbol:
            checks = [*venue_checks(self.workspace, symbol), _pace(self.workspace)]
        return self.check("venue", "How is the venue now?", checks)

    def resume(self) -> Table:
        """Record the conditions for going on, answered now: those of everything that happened, each once."""
        return self.check("resume", "May it start again?", self.conditions())

    def conditions(self) -> list[Check]:
        """Return the conditions for going on, answered now: those of everything that happened, each once."""
        now = diagnose(self.workspace, self.case.id)
        found: dict[str, Check] = {}
        for finding in now.happened:
            for one in finding.resume if finding.kind in self.case.kinds else ():
                found.setdefault(one.id, one)
        if not found:
            return [Check(id="nothing", question="Is there anything to resume?", status=PASS, evidence=NOTHING)]
        return list(found.values())

    def others(self) -> Table:
        """Return what else happened in the session, and the runbook of each."""
        rows = [
            (
                SEVERITY[finding.severity],
                finding.title,
                finding.symptom,
                Cell(finding.runbook, href=notebook_link(finding.runbook, {"session_id": self.case.id})),
                Cell(f"`peaktrade runbook run {finding.runbook} -p session_id={self.case.id}`", code=True),
            )
            for finding in self.case.diagnosis.happened
            if finding.kind not in self.case.kinds
        ]
        columns = ("Severity", "What", "Symptom", "Runbook", "Without a person")
        return Table("What else happened in this session", columns, rows, empty="Nothing that another runbook treats.")

    def incident(self) -> Table:
        """Open an incident with the report filled as far as the evidence goes, once, or join the one that is open."""
        return self.act("incident", "Is it written down?", self._open)

    def files(self) -> tuple[Path, ...]:
        """Return the files that the evidence rests on: record, journal, and the report of the incident if there is one."""
        rows = IncidentBook.of(self.workspace).rows(subject=self.case.id)
        return (
            *session_files(self.case.session),
            *(IncidentBook.of(self.workspace).report(row.incident_id) for row in rows[:1]),
        )

    def links(self, *names: str) -> Table:
        """Return where to go on."""
        return links(*names, session=self.case.session)

    def _hold(self) -> str:
        if self.case.finding is None:
            return f"{NOTHING} Nothing was halted."
        chosen = next((b for b in self.case.finding.branches if self.chose("decision", b.key)), None)
        if chosen is None:
            return "Nothing was halted: no way was chosen."
        if chosen.authority not in HOLDS or not self.case.scope:
            return "Nothing was halted: the way that was chosen lets trading go on."
        states, record = TradingStates.of(self.workspace), self.round.record
        before = states.read(self.case.scope)
        if before.state in ("HALTED", "NO_ORDERS"):
            return f"{self.case.scope} was {before.state} already, by {before.by}: {before.reason}"
        reason = f"{chosen.situation} ({self.case.id}, {record.evidence_id})"
        states.stop(self.case.scope, "HALTED", by=record.operator, reason=reason, now=self.workspace.clock.now())
        told = f"{self.case.scope} is HALTED: only reducing orders pass."
        return f"{told} `peaktrade risk resume --scope {self.case.scope}` ends it."

    def _open(self) -> str:
        finding, book, record = self.case.finding, IncidentBook.of(self.workspace), self.round.record
        if finding is None:
            return f"{NOTHING} No incident was opened."
        branch = next((b for b in finding.branches if self.chose("decision", b.key)), finding.branch)
        others = [f"also: {other.symptom}" for other in self.case.happened if other is not finding]
        session = self.case.session.record  # only the bars of a venue carry times of a clock
        live = session.setting("feed") == "exchange"
        since, until = (finding.since, finding.until) if live else (session.started_at, session.finished_at)
        incident = book.open(
            finding.kind,
            f"{finding.title}: {finding.symptom}",
            subject=self.case.id,
            severity=finding.severity,
            by=record.operator,
            role=record.role,
            evidence=[*finding.evidence, *others],
            drill=self.given.drill,
            artefacts=[path for path in session_files(self.case.session) if path.is_file()],
            join=True,
            system=f"{self.case.diagnosis.mode} {self.case.diagnosis.symbol}, {self.case.session.record.env_name or 'no venue'}",
            alerts=tuple(row.alert_id for row in Alerts.of(self.workspace).rows(run_id=self.case.id)),
            since=since,
            until=until,
            symptom=finding.symptom,
            suspected=finding.suspected,
            next_step=branch.action if branch else "Decide how to go on.",
            runbook=self.case.notebook,
            evidence_id=record.evidence_id,
        )
        incident = self._follow_up(incident, branch)
        page = f"reports/incidents/{incident.incident_id}/incident.md"
        return f"{incident.incident_id}, {incident.severity}, {incident.status}: {page}"

    def _follow_up(self, incident: Incident, branch: Branch | None) -> Incident:
        """Write into the incident what was decided and done in this execution."""
        book, by = IncidentBook.of(self.workspace), self.round.record.operator
        if branch is not None and self.chose("decision", branch.key):
            incident = book.note(incident.incident_id, by, f"decided: {branch.situation}. {branch.action}")
        hold = self.round.record.step("hold")
        if hold is not None and "HALTED" in hold.result:
            incident = book.note(incident.incident_id, by, hold.result)
        if self.chose("owner", "yes"):
            incident = book.note(incident.incident_id, by, "the owner was informed", owner_told=True)
        return incident


def _mark(branch: Branch, finding: Occurrence) -> Cell:
    """Return what the evidence says to a way."""
    if branch.supported is None:
        return Cell("? your judgement", MID)
    if not branch.supported:
        return Cell("✕ against")
    return Cell("→ supported" if branch is finding.branch else "✓ supported too", GOOD)


def _answer(finding: Occurrence) -> Check:
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
