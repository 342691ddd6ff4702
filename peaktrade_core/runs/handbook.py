"""The handbook: what each kind of incident is and what is done about it, read once from ``handbook.toml`` beside this.

Its words are shown by notebooks, pages, alerts, reports and the terminal; code computes only which way the artefacts
support and why. It ships with the package, as code does, and is no setting of a workspace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.question import Check
from peaktrade_core.base.question import check as checked

FILE = Path(__file__).with_suffix(".toml")
OTHER = "other"  # the entry for an error or a deny code that the handbook does not name

Kind = Literal[
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
]
Severity = Literal["low", "medium", "high"]
Authority = Literal["routine", "pause", "resume", "limits", "live", "emergency"]
About = Literal["limit", "halt", "size", "loss", "pace", "price", "venue"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
COMPARED: Kind = "pnl_divergence"  # found by a comparison, not from the artefacts of one session


_RUNBOOK = re.compile(r"\b[Rr]unbooks?:? `?(?:(\d+[a-c]?)\b|([a-z]+_[a-z_]+))")


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in the file; a key that is misspelt is refused."""


class Way(_Entry, frozen=True, kw_only=True):
    """One way of a decision tree.

    Attributes:
        situation: when it is taken; action: what is done then.
        authority: who may decide it, a key of :data:`~peaktrade_core.runbooks.evidence.AUTHORITIES`.
        goes_on_in: modes in which trading goes on all the same, for the sake of its data.
    """

    situation: str
    action: str
    authority: Authority = "routine"
    goes_on_in: tuple[str, ...] = ()


class IncidentKind(_Entry, frozen=True, kw_only=True):
    """A kind of incident.

    Attributes:
        title: when it happened; question: answered with yes when it did not; when: how it is recognised.
        nothing: the sentence that it did not happen, where it is always the same.
        runbook: the notebook that treats it; section: of the handbook that it follows.
        severity: each that it can have, and when; the usual one has no words.
        cause: likely causes; way: the decision tree, in the handbook's order; resume: conditions for going on.
    """

    title: str
    question: str
    when: str
    nothing: str = ""
    runbook: str
    section: str
    severity: dict[Severity, str]
    cause: dict[str, str]
    way: dict[str, Way]
    resume: tuple[str, ...]


class Condition(_Entry, frozen=True, kw_only=True):
    """A condition for going on.

    Attributes:
        id: where it is another than its key; question, step: what is asked, and what to do when it is not met.
        or_else: steps in special cases, by the name of the case; otherwise: what it is when it is not met.
    """

    id: str = ""
    question: str
    step: str
    or_else: dict[str, str] = {}
    otherwise: Literal["warn", "fail"] = "fail"


class Confirmation(_Entry, frozen=True, kw_only=True):
    """What only a person can confirm, and for which kinds and which severity it is asked; empty for any."""

    question: str
    kinds: tuple[Kind, ...] = ()
    severity: Severity | Literal[""] = ""


class ErrorHelp(_Entry, frozen=True, kw_only=True):
    """What follows from an error.

    Attributes:
        also: names in records of older writers; kind: of incident that it is a sign of; severity: of the alert.
        chapter: that treats it; then: a notebook that helps where no incident runbook does.
        step: the next step.
    """

    also: tuple[str, ...] = ()
    kind: Kind | Literal[""] = ""
    severity: Severity
    chapter: str
    then: str = ""
    step: str


class DenialHelp(_Entry, frozen=True, kw_only=True):
    """A deny code in words: what it means, the next step, and what it is about."""

    meaning: str
    step: str
    about: About = "limit"


class AlertHelp(_Entry, frozen=True, kw_only=True):
    """A kind of alert rule: what it says, the first thing to do, and the chapter that treats it."""

    says: str
    first: str
    chapter: str


class Chapter(_Entry, frozen=True, kw_only=True):
    """A chapter of the operational runbooks and the notebook that executes it."""

    title: str
    notebook: str


class Handbook(_Entry, frozen=True, kw_only=True):
    """All of it, by key."""

    kind: dict[Kind, IncidentKind]
    resume: dict[str, Condition]
    confirm: dict[str, Confirmation]
    error: dict[str, ErrorHelp]
    denial: dict[str, DenialHelp]
    alert: dict[str, AlertHelp]
    chapter: dict[str, Chapter]

    def runbook_of(self, kind: str) -> str:
        """Return the notebook that treats a kind of incident, empty for a kind that the handbook does not name."""
        return next((entry.runbook for name, entry in self.kind.items() if name == kind), "")

    def kinds_of(self, runbook: str) -> tuple[Kind, ...]:
        """Return the kinds that a notebook treats."""
        return tuple(kind for kind in KINDS if self.kind[kind].runbook == runbook)

    def confirmation(self, key: str) -> Confirmation:
        """Return what a person is asked to confirm.

        Raises:
            UnknownNameError: the handbook asks for no such confirmation.
        """
        if key not in self.confirm:
            raise UnknownNameError("confirmation", key, list(self.confirm))
        return self.confirm[key]

    def texts(self) -> Iterator[str]:
        """Yield every text of it."""
        yield from _texts(msgspec.to_builtins(self))


@cache
def handbook() -> Handbook:
    """Return the handbook, read once."""
    found = msgspec.toml.decode(FILE.read_bytes(), type=Handbook)
    if absent := set(KINDS) - set(found.kind):
        raise UnknownNameError("kind of incident in handbook.toml", ", ".join(sorted(absent)), list(found.kind))
    return found


def error_help(error: str) -> ErrorHelp:
    """Return what follows from an error ``Type: message``, whatever version wrote it."""
    return _errors().get(error.partition(":")[0].strip()) or handbook().error[OTHER]


def runbook_of(error: str | None) -> str:
    """Return the notebook that treats an error ``Type: message``."""
    return handbook().chapter[error_help(error or "").chapter].notebook


def next_step(error: str) -> str:
    """Return the next step after ``error`` (``Type: message``)."""
    return error_help(error).step


def runbooks_in(text: str) -> list[str]:
    """Return the notebooks that a text names, as ``runbook 7`` (by chapter) or ``runbook health_check``.

    Raises:
        UnknownNameError: it names a chapter that no notebook executes.
    """
    chapters, found = handbook().chapter, []
    for number, name in _RUNBOOK.findall(text):
        if number and number not in chapters:
            raise UnknownNameError("runbook", number, list(chapters))
        found.append(chapters[number].notebook if number else name)
    return found


def names_of_errors(runbook: str) -> dict[str, Kind]:
    """Return the errors that a notebook treats, with the kind of incident that they are a sign of."""
    treated = handbook().kinds_of(runbook)
    return {name: entry.kind for name, entry in _errors().items() if entry.kind and entry.kind in treated}


def denial_help(code: str) -> DenialHelp:
    """Return what a deny code means and asks for."""
    known = handbook().denial
    return known.get(code) or known[OTHER]


def denials_about(*about: About) -> set[str]:
    """Return the deny codes that are about one of these."""
    return {code for code, entry in handbook().denial.items() if entry.about in about}


def condition(key: str, ok: bool, evidence: str, case: str = "", **fields: str) -> Check:
    """Return a condition for going on, answered.

    Args:
        key: of the condition; ok, evidence: the answer; case: a special case of it with a step of its own.
        fields: what the step names.
    """
    entry = handbook().resume[key]
    step = (entry.or_else[case] if case else entry.step).format(**fields)
    return checked(entry.id or key, entry.question, ok, evidence, step, otherwise=entry.otherwise)


@cache
def _errors() -> dict[str, ErrorHelp]:
    """Return the errors by every name that they had."""
    return {name: entry for own, entry in handbook().error.items() for name in (own, *entry.also)}


def _texts(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        found = found.values()
    elif isinstance(found, str):
        yield found
        return
    for one in found:
        yield from _texts(one)
