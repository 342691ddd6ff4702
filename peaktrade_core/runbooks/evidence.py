"""What a runbook leaves behind: steps, the checks and answers in them, and the record that holds them together.

Pure values and the rules between them: who may decide what, and how a record as a whole came out. A *check* answers
itself from artefacts; a *question* is answered by a person, with a name and, where the matrix asks for it, by two.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.people import same_person
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Check
from peaktrade_core.people.approval import Approval
from peaktrade_core.people.matrix import AUTHORITIES, ROLES, Authority

SCHEMA = 1
OPEN = "open"
PASSED, WARNED, FAILED, STOPPED, INCOMPLETE, RUNNING = "passed", "warned", "failed", "stopped", "incomplete", "running"
GOOD = (PASSED, WARNED)  # outcomes with which a duty is done
_OUTCOME = {PASS: PASSED, UNKNOWN: WARNED, WARN: WARNED, FAIL: FAILED}


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One of the answers to a question.

    Attributes:
        key: what is typed; label: what is shown; meaning: what follows from it.
        status: what the step becomes: pass, warn or fail; stops: whether the runbook ends here.
        supported: whether the evidence speaks for it; None when only a person can tell.
        authority: a key of :data:`AUTHORITIES`.
    """

    key: str
    label: str
    meaning: str = ""
    status: str = PASS
    stops: bool = False
    supported: bool | None = None
    authority: str = "routine"


YES = Option(key="yes", label="Yes")
NO = Option(key="no", label="No", status=FAIL)
NOT_APPLICABLE = Option(key="na", label="Does not apply")


class PersonQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What only a person can tell or decide; ``reason`` says whether the answer needs one."""

    text: str
    options: tuple[Option, ...] = (YES, NO, NOT_APPLICABLE)
    reason: bool = False

    def option(self, key: str) -> Option:
        """Return an option by its key.

        Raises:
            UnknownNameError: there is none; lists those that are.
        """
        for option in self.options:
            if option.key == key:
                return option
        raise UnknownNameError("answer", key, [option.key for option in self.options])


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Who answered what, when and why.

    Attributes:
        second: the person who agreed, or several who signed; request: under which it was signed, empty for a typed name.
        given: ``parameter`` where no person was there to answer, in no rehearsal.
    """

    key: str
    by: str
    role: str
    at: datetime
    reason: str = ""
    second: str = ""
    request: str = ""
    given: str = ""

    @property
    def agreed(self) -> str:
        """Who agreed and how that is known, empty where nobody did: ``Ben (signed, REQ-…)``, ``Ben (not verified)``."""
        return Approval(people=(self.second,), request=self.request).told if self.second else ""


class Artefact(msgspec.Struct, frozen=True):
    """A file as it was: its path below the workspace, its SHA-256 and its size [bytes]."""

    path: str
    sha256: str
    size: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a runbook: done by whom, when, with what result.

    Attributes:
        id: stable within the runbook; status: pass, warn, fail or open.
        began_at, ended_at: aware UTC; attempts: how often it was done.
        result: what an action did; question and answer: of a decision.
    """

    id: str
    title: str
    status: str
    by: str
    began_at: datetime
    ended_at: datetime | None = None
    checks: tuple[Check, ...] = ()
    question: PersonQuestion | None = None
    answer: Answer | None = None
    result: str = ""
    artefacts: tuple[Artefact, ...] = ()
    attempts: int = 1


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one execution of a runbook.

    Attributes:
        evidence_id: ``EV-YYYYMMDD-TAG``; subject: the session, alert or incident that it is about, or empty.
        began_at, ended_at: aware UTC; began_local, ended_local: the same in Europe/Berlin, for people.
        notebook_sha256: of the sources of the notebook's cells; outcome: see :func:`outcome_of`.
        rehearsal: it ran on a fixed clock, so it is an example and no evidence of operations.
    """

    evidence_id: str
    runbook: str
    title: str
    subject: str
    operator: str
    role: str
    began_at: datetime
    began_local: str
    parameters: dict[str, Any]
    notebook_sha256: str
    host: str
    rehearsal: bool = False
    ended_at: datetime | None = None
    ended_local: str = ""
    steps: tuple[Step, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    outcome: str = RUNNING
    schema: int = SCHEMA

    def step(self, step_id: str) -> Step | None:
        """Return a step by its id."""
        return next((step for step in self.steps if step.id == step_id), None)


def answered(step: Step, answer: Answer) -> Step:
    """Return the step with its answer, if that person may give it.

    Raises:
        ConfigError: no name, a missing reason, or a second person who is missing or the same.
        UnknownNameError: no such option or role.
    """
    assert step.question is not None
    option = step.question.option(answer.key)
    _check_person(step.title, answer, AUTHORITIES[option.authority])
    if step.question.reason and not answer.reason.strip():
        raise ConfigError(f"{step.title!r} needs a reason: say in a sentence why {option.label!r}")
    return msgspec.structs.replace(step, answer=answer, status=option.status, by=answer.by, ended_at=answer.at)


def _check_person(title: str, answer: Answer, authority: Authority) -> None:
    """Refuse an answer without a name, in a role that may not give it, or without its second person."""
    if not answer.by.strip():
        raise ConfigError(f"{title!r} needs a name: set operator in the notebook's parameters")
    if answer.role not in ROLES:
        raise UnknownNameError("role", answer.role, ROLES)
    if answer.role not in authority.roles:
        raise ConfigError(
            f"{title!r}: {authority.situation} is decided by {' or '.join(authority.roles)}, not by {answer.role}"
        )
    if authority.second and not answer.second.strip():
        raise ConfigError(f"{title!r}: {authority.situation} needs a second person; set second_person")
    if authority.second and same_person(answer.second, answer.by):
        raise ConfigError(f"{title!r}: {authority.situation} needs two people, and {answer.by} is one")


def outcome_of(steps: Iterable[Step]) -> str:
    """Return how a runbook came out.

    ``stopped`` when a person's answer ended it, ``incomplete`` while a question is open, else ``passed``, ``warned`` or
    ``failed`` by the worst step.
    """
    found = list(steps)
    for step in found:
        if step.question is not None and step.answer is not None and step.question.option(step.answer.key).stops:
            return STOPPED
    if any(step.status == OPEN for step in found):
        return INCOMPLETE
    return _OUTCOME[max((step.status for step in found), key=[*_OUTCOME].index, default=PASS)]


def read_answers(text: str) -> dict[str, tuple[str, str]]:
    """Return the answers that a parameter gives: step id to option and reason.

    Args:
        text: ``step = option: reason; step = option``, empty for none.

    Raises:
        ConfigError: a part is no answer, or a step is answered twice.
    """
    found: dict[str, tuple[str, str]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        step, equals, rest = part.partition("=")
        key, _, reason = rest.partition(":")
        if not equals or not step.strip() or not key.strip():
            raise ConfigError(f"answers: {part!r} is no answer; write step = option: reason; step = option")
        if step.strip() in found:
            raise ConfigError(f"answers: {step.strip()!r} is answered twice")
        found[step.strip()] = key.strip(), reason.strip()
    return found
