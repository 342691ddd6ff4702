"""What may become of an incident: each change returns the incident with one more line in its timeline, or refuses.

Pure rules; who writes it down, and how, is not their matter. A closed incident can still be noted and learned from,
and nothing else.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.incidents import incident as inc
from peaktrade_core.incidents.incident import Action, Entry, Incident, PostMortem
from peaktrade_core.runbooks.evidence import Artefact


def noted(incident: Incident, at: datetime, by: str, text: str, *, owner_told: bool = False) -> Incident:
    """Add a line; with ``owner_told`` it says that the owner was informed."""
    told = incident.owner_told_at or (at if owner_told else None)
    return _with(incident, at, by, "owner_told" if owner_told else "noted", inc.said("note", text), owner_told_at=told)


def described(incident: Incident, at: datetime, by: str, **sentences: str) -> Incident:
    """Write down or correct symptom, suspected, next_step or system; what is empty stays as it is.

    Raises:
        ConfigError: all are empty, or the incident is closed.
    """
    _require_unclosed(incident, "describing it anew")
    fields = {name: inc.said(name, text) for name, text in sentences.items() if text.strip()}
    told = "; ".join(f"{name.replace('_', ' ')}: {text}" for name, text in fields.items())
    return _with(incident, at, by, "described", inc.said("description", told), **fields)


def assigned(incident: Incident, at: datetime, by: str, duty: str, who: str) -> Incident:
    """Give somebody a duty.

    Raises:
        UnknownNameError: no such duty; ConfigError: no name, or the incident is closed.
    """
    _require_unclosed(incident, "assigning")
    inc.known("duty", duty, inc.DUTIES)
    name, before = inc.person(who), incident.duties.get(duty)
    text = f"{duty}: {name}" + (f" (before: {before})" if before else "")
    return _with(incident, at, by, "assigned", text, duties={**incident.duties, duty: name})


def graded(incident: Incident, at: datetime, by: str, severity: str, reason: str) -> Incident:
    """Raise or lower the severity.

    Raises:
        UnknownNameError: no such severity; ConfigError: it is so already, no reason, or the incident is closed.
    """
    _require_unclosed(incident, "another severity")
    inc.known("severity", severity, inc.SEVERITIES)
    if incident.severity == severity:
        raise ConfigError(f"{incident.incident_id} is {severity} already")
    text = f"{incident.severity} -> {severity}: {inc.said('reason', reason)}"
    return _with(incident, at, by, "severity", text, severity=severity)


def attached(incident: Incident, at: datetime, by: str, files: tuple[Artefact, ...]) -> Incident:
    """Name files with the hashes they have; a file that was named before is named anew.

    Raises:
        ConfigError: a file is missing, or none is given.
    """
    missing = [file.path for file in files if file.sha256 in ("missing", "unreadable")]
    if missing or not files:
        raise ConfigError(f"no file that can be read: {', '.join(missing) or 'none was given'}")
    text = ", ".join(f"{file.path} sha256 {file.sha256[:12]}" for file in files)
    kept = {file.path: file for file in (*incident.artefacts, *files)}
    return _with(incident, at, by, "artefact", text, artefacts=tuple(kept.values()))


def mitigated(incident: Incident, at: datetime, by: str, text: str) -> Incident:
    """Say that the damage is held, and by what.

    Raises:
        ConfigError: it is mitigated or closed already.
    """
    _require_unclosed(incident, "mitigating")
    if incident.status == inc.MITIGATED:
        raise ConfigError(f"{incident.incident_id} is mitigated already; note what else was done")
    return _with(incident, at, by, "mitigated", inc.said("mitigation", text), status=inc.MITIGATED, mitigated_at=at)


def closed(incident: Incident, at: datetime, by: str, cause: str, resolution: str) -> Incident:
    """Close it with its cause and what was done about it.

    Raises:
        ConfigError: it is closed already, or cause or resolution is missing.
    """
    _require_unclosed(incident, "closing it again")
    why, how = inc.said("cause", cause), inc.said("resolution", resolution)
    fields = {"status": inc.CLOSED, "closed_at": at, "mitigated_at": incident.mitigated_at or at}
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
        ConfigError: the damage is not held yet, or a part is missing.
    """
    if incident.status == inc.OPEN:
        raise ConfigError(
            f"{incident.incident_id} is still open: hold the damage first, then ask what is to be learned"
        )
    found = PostMortem(
        by=inc.person(by),
        at=at,
        root_cause=inc.said("root cause", root_cause),
        went_well=inc.said("what went well", went_well),
        went_badly=inc.said("what went badly", went_badly),
        actions=actions,
    )
    text = f"root cause: {found.root_cause}; {len(actions)} actions"
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
        ConfigError: a part is missing, or the day is none.
    """
    parts = [part.strip() for part in text.split(";")]
    if len(parts) != 3:
        raise ConfigError(f"{text!r} is no action; write `what; owner; YYYY-MM-DD`")
    try:
        due = date.fromisoformat(parts[2]).isoformat()
    except ValueError:
        raise ConfigError(f"{parts[2]!r} is no day; write YYYY-MM-DD") from None
    return Action(what=inc.said("action", parts[0]), owner=inc.person(parts[1]), due=due)


def _with(incident: Incident, at: datetime, by: str, action: str, text: str, **fields: Any) -> Incident:
    """Return the incident with one more line in its timeline and some fields changed."""
    entry = Entry(at=at, by=inc.person(by), action=action, text=text)
    return msgspec.structs.replace(incident, timeline=(*incident.timeline, entry), **fields)


def _require_unclosed(incident: Incident, what: str) -> None:
    """Refuse to change what is closed.

    Raises:
        ConfigError: it is closed.
    """
    if incident.status == inc.CLOSED:
        raise ConfigError(
            f"{incident.incident_id} is closed: {what} is not possible; note it, or open a new incident that names it"
        )
