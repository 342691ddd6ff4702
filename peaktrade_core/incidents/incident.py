"""Incidents: what happened, how bad it is, who works on it, and everything that was said and done, in order.

Pure values and rules. An incident is *open* until something holds the damage, then *mitigated*, and *closed* when its
cause is known and removed. Each change returns the incident with one more line in its timeline, or refuses; a closed
one can still be noted and learned from, and nothing else. :mod:`~peaktrade_core.incidents.book` writes it down.

Source: operational runbooks 11.3 (report, post-mortem at high severity), workflow overview (incident checklist:
severity, affected system, artefacts, ids, time in Berlin, symptom, cause, next step, owner at high severity).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, TypeVar, get_args

import msgspec

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.people import person_key
from peaktrade_core.base.text import LONGEST, one_line
from peaktrade_core.people.matrix import Role
from peaktrade_core.runbooks.evidence import Artefact
from peaktrade_core.runs.handbook import KINDS as TREATED
from peaktrade_core.runs.handbook import SEVERITIES, Kind, Severity
from peaktrade_core.show.wording import many

SCHEMA = 1
State = Literal["open", "mitigated", "closed"]
Duty = Literal["commander", "scribe", "investigator", "communications"]
STATES: tuple[State, ...] = get_args(State)
DUTIES: tuple[Duty, ...] = get_args(Duty)
KINDS: tuple[Kind | Literal["other"], ...] = (*TREATED, "other")
_Choice = TypeVar("_Choice", bound=str)


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
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
    kind: Kind | Literal["other"]
    title: str
    subject: str
    severity: Severity
    opened_at: datetime
    opened_local: str
    opened_by: str
    role: Role
    status: State = "open"
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
    duties: dict[Duty, str] = msgspec.field(default_factory=dict)
    timeline: tuple[TimelineEntry, ...] = ()
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


def known(kind: str, value: str, values: tuple[_Choice, ...]) -> _Choice:
    """Return ``value`` if it is one of ``values``.

    Raises:
        UnknownNameError: it is not; lists those that are.
    """
    for one in values:
        if one == value:
            return one
    raise UnknownNameError(kind, value, values)


def said(what: str, text: str) -> str:
    """Return what was typed, on one line.

    Raises:
        ConfigError: it is empty, or too long to be read.
    """
    flat = one_line(text)
    if not flat:
        raise ConfigError(f"{what} is empty: say it in a sentence")
    if len(flat) > LONGEST:
        raise ConfigError(f"{what} has {many(len(flat), 'character')}, at most {LONGEST:,}: attach a file instead")
    return flat


def person(name: str) -> str:
    """Return the name of a person.

    Raises:
        ConfigError: it holds no letter.
    """
    person_key(name)
    return " ".join(name.split())


def noted(incident: Incident, at: datetime, by: str, text: str, *, owner_told: bool = False) -> Incident:
    """Add a line; with ``owner_told`` it says that the owner was informed."""
    told = incident.owner_told_at or (at if owner_told else None)
    return _with(incident, at, by, "owner_told" if owner_told else "noted", said("note", text), owner_told_at=told)


def seen_again(incident: Incident, at: datetime, by: str, title: str) -> Incident:
    """Add that what it is about happened once more."""
    return _with(incident, at, by, "noted", f"seen again: {title}")


def described(incident: Incident, at: datetime, by: str, **sentences: str) -> Incident:
    """Write down or correct symptom, suspected, next_step or system; what is empty stays as it is.

    Raises:
        ConfigError: all are empty, or the incident is closed.
    """
    _require_unclosed(incident, "describing it anew")
    fields = {name: said(name, text) for name, text in sentences.items() if text.strip()}
    told = "; ".join(f"{name.replace('_', ' ')}: {text}" for name, text in fields.items())
    return _with(incident, at, by, "described", told or said("description", told), **fields)


def assigned(incident: Incident, at: datetime, by: str, duty: str, who: str) -> Incident:
    """Assign a duty.

    Raises:
        UnknownNameError: the duty is not known; ConfigError: no name, or the incident is closed.
    """
    _require_unclosed(incident, "assigning")
    task, name = known("duty", duty, DUTIES), person(who)
    before = incident.duties.get(task)
    text = f"{task}: {name}" + (f" (before: {before})" if before else "")
    return _with(incident, at, by, "assigned", text, duties={**incident.duties, task: name})


def graded(incident: Incident, at: datetime, by: str, severity: str, reason: str) -> Incident:
    """Raise or lower the severity.

    Raises:
        UnknownNameError: the severity is not known; ConfigError: it is so already, no reason, or the incident is closed.
    """
    _require_unclosed(incident, "another severity")
    known("severity", severity, SEVERITIES)
    if incident.severity == severity:
        raise ConfigError(f"{incident.incident_id} is {severity} already")
    text = f"{incident.severity} -> {severity}: {said('reason', reason)}"
    return _with(incident, at, by, "severity", text, severity=severity)


def attached(incident: Incident, at: datetime, by: str, files: tuple[Artefact, ...]) -> Incident:
    """Name files with the hashes they have; a file that was named before is named anew.

    Raises:
        ConfigError: a file is missing, or none is given.
    """
    missing = [file.path for file in files if file.sha256 in ("missing", "unreadable")]
    if missing or not files:
        raise ConfigError(f"cannot read {', '.join(missing) or 'a file: none was given'}")
    text = ", ".join(f"{file.path} sha256 {file.sha256[:12]}" for file in files)
    kept = {file.path: file for file in (*incident.artefacts, *files)}
    return _with(incident, at, by, "artefact", text, artefacts=tuple(kept.values()))


def mitigated(incident: Incident, at: datetime, by: str, text: str) -> Incident:
    """Say that the damage is held, and by what.

    Raises:
        ConfigError: it is mitigated or closed already.
    """
    _require_unclosed(incident, "mitigating")
    if incident.status == "mitigated":
        raise ConfigError(f"{incident.incident_id} is mitigated already; note what else was done")
    return _with(incident, at, by, "mitigated", said("mitigation", text), status="mitigated", mitigated_at=at)


def closed(incident: Incident, at: datetime, by: str, cause: str, resolution: str) -> Incident:
    """Close it with its cause and what was done about it.

    Raises:
        ConfigError: it is closed already, or cause or resolution is missing.
    """
    _require_unclosed(incident, "closing it again")
    why, how = said("cause", cause), said("resolution", resolution)
    fields = {"status": "closed", "closed_at": at, "mitigated_at": incident.mitigated_at or at}
    return _with(incident, at, by, "closed", f"cause: {why}; resolution: {how}", cause=why, resolution=how, **fields)


def learned(
    incident: Incident,
    at: datetime,
    by: str,
    root_cause: str,
    went_well: str,
    went_badly: str,
    actions: tuple[Action, ...],
) -> Incident:
    """Write the post-mortem, or the next version of it.

    Raises:
        ConfigError: the damage is not mitigated yet, or a part is missing.
    """
    if incident.status == "open":
        raise ConfigError(
            f"{incident.incident_id} is still open: hold the damage first, then ask what is to be learned"
        )
    found = PostMortem(
        by=person(by),
        at=at,
        root_cause=said("root cause", root_cause),
        went_well=said("what went well", went_well),
        went_badly=said("what went badly", went_badly),
        actions=actions,
    )
    text = f"root cause: {found.root_cause}; {many(len(actions), 'action')}"
    return _with(incident, at, by, "postmortem", text, postmortem=found)


def done(incident: Incident, at: datetime, by: str, number: int) -> Incident:
    """Say that an action of the post-mortem, counted from 1, is done.

    Raises:
        ConfigError: there is no such action, or it is done already.
    """
    found = incident.postmortem
    if found is None or not 1 <= number <= len(found.actions):
        known = 0 if found is None else len(found.actions)
        raise ConfigError(f"{incident.incident_id} has {known} actions; there is no number {number}")
    action = found.actions[number - 1]
    if action.done_at is not None:
        raise ConfigError(f"action {number} of {incident.incident_id} is done already")
    finished = msgspec.structs.replace(action, done_at=at)
    actions = tuple(finished if n == number else other for n, other in enumerate(found.actions, 1))
    return _with(incident, at, by, "done", action.what, postmortem=msgspec.structs.replace(found, actions=actions))


def read_action(text: str) -> Action:
    """Return the action that ``what; owner; YYYY-MM-DD`` names.

    Raises:
        ConfigError: a part is missing, or the day is not a day.
    """
    parts = [part.strip() for part in text.split(";")]
    if len(parts) != 3:
        raise ConfigError(f"{text!r} is not an action; write `what; owner; YYYY-MM-DD`")
    try:
        due = date.fromisoformat(parts[2]).isoformat()
    except ValueError:
        raise ConfigError(f"{parts[2]!r} is not a day; write YYYY-MM-DD") from None
    return Action(what=said("action", parts[0]), owner=person(parts[1]), due=due)


def _with(incident: Incident, at: datetime, by: str, action: str, text: str, **fields: Any) -> Incident:
    """Return the incident with one more line in its timeline and some fields changed."""
    entry = TimelineEntry(at=at, by=person(by), action=action, text=text)
    return msgspec.structs.replace(incident, timeline=(*incident.timeline, entry), **fields)


def _require_unclosed(incident: Incident, what: str) -> None:
    """Refuse to change what is closed.

    Raises:
        ConfigError: it is closed.
    """
    if incident.status == "closed":
        raise ConfigError(
            f"{incident.incident_id} is closed: {what} is not possible; note it, or open a new incident that names it"
        )
