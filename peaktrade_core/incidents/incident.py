"""Incidents: what happened, how bad it is, who works on it, and everything that was said and done, in order.

Pure values and the rules between them. An incident is *open* until something holds the damage, then *mitigated*, and
*closed* when its cause is known and removed. Its timeline only grows; what is told in a report is a fold over it.

Source: operational runbooks 11.3 (report, post-mortem at high severity), workflow overview (incident checklist:
severity, affected system, artefacts, ids, time in Berlin, symptom, cause, next step, owner at high severity).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.people import person_key
from peaktrade_core.base.question import FAIL, WARN, Check, Status, check
from peaktrade_core.runbooks.evidence import Artefact

SCHEMA = 1
OPEN, MITIGATED, CLOSED = "open", "mitigated", "closed"
STATES = (OPEN, MITIGATED, CLOSED)
LOW, MEDIUM, HIGH = "low", "medium", "high"
SEVERITIES = (LOW, MEDIUM, HIGH)
KINDS = (
    "network",
    "rate_limit",
    "authentication",
    "api_error",
    "order_rejects",
    "risk_limit",
    "pnl_divergence",
    "data_gap",
    "failed_session",
    "died",
    "other",
)
DUTIES = ("commander", "scribe", "investigator", "communications")
LONGEST = 4000  # characters of anything that is typed


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline.

    Attributes:
        at: aware UTC; by: the person, or the program that did it.
        action: opened, noted, described, assigned, severity, owner_told, artefact, mitigated, closed,
            postmortem or done.
        text: what was said or done.
    """

    at: datetime
    by: str
    action: str
    text: str


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a post-mortem asks for: what, of whom, until when (``YYYY-MM-DD``), and when it was done."""

    what: str
    owner: str
    due: str
    done_at: datetime | None = None


class PostMortem(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned, without blame: why it could happen, what helped, what hindered, and what changes."""

    by: str
    at: datetime
    root_cause: str
    went_well: str
    went_badly: str
    actions: tuple[Action, ...] = ()


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident, from the first sign to what was learned.

    Attributes:
        incident_id: ``INC-YYYYMMDD-NN``; kind: one of :data:`KINDS`.
        subject: the session, run or alert that it is about; system: what is affected; alerts: ids of alerts.
        severity: low, medium or high; status: open, mitigated or closed.
        opened_at: aware UTC; opened_local: the same in Europe/Berlin; opened_by, role: who.
        since, until: when it began and ended by the evidence, where that is known.
        symptom, suspected, next_step: the three sentences of the handbook's checklist.
        evidence: sentences from the artefacts; artefacts: the files as they were.
        runbook: the notebook that treats it; evidence_id: the record of the runbook's execution that opened it.
        drill: the drill that it belongs to; such an incident is an exercise and counts nowhere else.
        duties: who does what, by :data:`DUTIES`; owner_told_at: when the owner was informed.
        cause, resolution: known when it is closed.
    """

    incident_id: str
    kind: str
    title: str
    subject: str
    severity: str
    opened_at: datetime
    opened_local: str
    opened_by: str
    role: str
    status: str = OPEN
    system: str = ""
    alerts: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    symptom: str = ""
    suspected: str = ""
    next_step: str = ""
    evidence: tuple[str, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    runbook: str = ""
    evidence_id: str = ""
    drill: str = ""
    duties: dict[str, str] = msgspec.field(default_factory=dict)
    timeline: tuple[Entry, ...] = ()
    owner_told_at: datetime | None = None
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None
    cause: str = ""
    resolution: str = ""
    postmortem: PostMortem | None = None
    schema: int = SCHEMA

    @property
    def known_at(self) -> datetime:
        """When it began as far as the evidence says, else when it was opened; aware UTC."""
        return as_utc(self.since) if self.since is not None else self.opened_at


def known(kind: str, value: str, values: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``values``.

    Raises:
        UnknownNameError: it is not; lists those that are.
    """
    if value not in values:
        raise UnknownNameError(kind, value, values)
    return value


def said(what: str, text: str) -> str:
    """Return what was typed, on one line.

    Raises:
        ConfigError: it is empty or longer than anybody reads.
    """
    flat = " ".join(text.split())
    if not flat:
        raise ConfigError(f"{what} is empty: say it in a sentence")
    if len(flat) > LONGEST:
        raise ConfigError(f"{what} has {len(flat):,} characters, at most {LONGEST:,}: attach a file instead")
    return flat


def person(name: str) -> str:
    """Return the name of a person.

    Raises:
        ConfigError: it holds no letter.
    """
    person_key(name)
    return " ".join(name.split())


def response_checks(incident: Incident) -> list[Check]:
    """Return the handbook's incident checklist, answered from the incident itself.

    Source: workflow overview, incident-response checklist; operational runbooks 11.2 and 11.3.
    """
    high, over = incident.severity == HIGH, incident.status == CLOSED
    later: Status = FAIL if over else WARN
    commander = incident.duties.get("commander", "")
    three = [name for name in ("symptom", "suspected", "next_step") if not getattr(incident, name)]
    words = "symptom, suspected cause, next step"
    cli = f"`peaktrade incident {{}} {incident.incident_id}`".format
    return [
        check("severity", "Is the severity judged?", incident.severity in SEVERITIES, incident.severity, cli("severity")),
        check("system", "Is the affected system named?", bool(incident.system or incident.subject),
              incident.system or incident.subject or "nothing named", cli("note"), otherwise=WARN),
        check("ids", "Is the session, run or alert documented?", bool(incident.subject or incident.alerts),
              incident.subject or ", ".join(incident.alerts) or "none named", cli("note"), otherwise=WARN),
        check("time", "Is the time written down in UTC and Berlin?", bool(incident.opened_local),
              incident.opened_local, "The record was written by hand: add the local time."),
        check("three", f"Are the three sentences there: {words}?", not three,
              "all three" if not three else f"missing: {', '.join(three)}", cli("note"), otherwise=WARN),
        check("artefacts", "Are the artefacts secured?", bool(incident.artefacts),
              f"{len(incident.artefacts)} files with their hashes", cli("attach"), otherwise=WARN),
        check("commander", "Does somebody lead?", bool(commander), commander or "nobody", cli("assign"), otherwise=WARN),
        check("owner", "Is the owner informed?", not high or incident.owner_told_at is not None,
              "not needed below high" if not high else "told" if incident.owner_told_at else "not told",
              cli("note") + " --owner-told, now"),
        check("closed", "Is it closed, with cause and resolution?", over, incident.status, cli("close"), otherwise=WARN),
        check("postmortem", "Is there a post-mortem?", not high or incident.postmortem is not None,
              "not needed below high" if not high else "written" if incident.postmortem else "none",
              cli("postmortem"), otherwise=later),
    ]  # fmt: skip
