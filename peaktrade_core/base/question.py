"""A question that answers itself: declared once beside what it asks about, and asked by every checklist that needs it.

A checklist is a tuple of questions. Whatever a question raises on purpose is a failed answer; this is the only place
that catches it. ``unknown`` means that nothing is known: it is worse than ``pass`` and better than ``warn``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Generic, Literal, TypeVar

import msgspec

from peaktrade_core.base.errors import ExchangeError, PeaktradeError, machine_fault

Status = Literal["pass", "unknown", "warn", "fail"]
PASS: Final = "pass"  # noqa: S105
UNKNOWN: Final = "unknown"
WARN: Final = "warn"
FAIL: Final = "fail"
ORDER: tuple[Status, ...] = (PASS, UNKNOWN, WARN, FAIL)  # what is unknown is never good, and hides nothing bad
WORDS: dict[Status, str] = {PASS: "OK", UNKNOWN: "UNKNOWN", WARN: "WARN", FAIL: "FAIL"}
NOT_LOOKED_AT = "not looked at: this is a rehearsal, and the answer differs by machine"

Differs = Literal["", "figures", "answer"]

S = TypeVar("S")
T = TypeVar("T")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question that was asked and answered.

    Attributes:
        id: stable name; question: what was asked.
        status: of the answer; evidence: the figures behind it; next_step: what to do, empty on pass.
    """

    id: str
    question: str
    status: Status
    evidence: str
    next_step: str = ""

    @property
    def told(self) -> str:
        """Question and answer in a line: ``May everything be traded? yes``, ``Failed sessions in 24 h: none``."""
        return f"{self.question}{'' if self.question.endswith('?') else ':'} {self.evidence}"


Found = tuple[bool | Status, str] | tuple[bool | Status, str, str] | Check


@dataclass(frozen=True)
class Question(Generic[S]):
    """A question as it is declared.

    Attributes:
        id: of its answers, the same wherever it is asked; text: what is asked; step: what to do when it is not a yes.
        otherwise: how bad that is.
        differs: what is not the same on every machine: nothing, the ``figures`` of a good answer, or the ``answer``.
        advice: what to do about an error of the venue.
        ask: returns whether all is well, the evidence, and a step of its own where ``step`` does not fit; a status in
            the place of the yes or no says how bad it is. An answer that was given elsewhere is returned as it is.
    """

    id: str
    text: str
    step: str
    otherwise: Status
    differs: Differs
    advice: Callable[[str], str] | None
    ask: Callable[[S], Found]

    def __call__(self, subject: S) -> Check:
        """Return the answer; raises nothing on purpose."""
        try:
            found = self.ask(subject)
        except (PeaktradeError, OSError) as raised:
            error = machine_fault(raised) if isinstance(raised, OSError) else raised
            venue = isinstance(error, ExchangeError)  # the class of its errors says what helps
            told = f"{type(error).__name__}: {error}" if venue else str(error)
            found = (FAIL, told, self.advice(told) if self.advice and venue else self.step)
        if isinstance(found, Check):
            return found
        well, evidence, *step = found
        status: Status = self.otherwise if well is False else PASS if well is True else well
        todo = "" if status == PASS else (step or [self.step])[0]
        return Check(id=self.id, question=self.text, status=status, evidence=evidence, next_step=todo)

    def about(self, find: Callable[[T], S]) -> Question[T]:
        """Return the same question about something in which its subject is found."""
        return replace(self, ask=lambda subject: self.ask(find(subject)))  # type: ignore[arg-type, return-value]

    def rehearse(self, subject: S) -> Check:
        """Return the answer of a rehearsal, which is the same on every machine; what differs is not asked."""
        if self.differs == "answer":
            step = "Nothing: in operations it is asked."
            return Check(id=self.id, question=self.text, status=UNKNOWN, evidence=NOT_LOOKED_AT, next_step=step)
        found = self(subject)
        return msgspec.structs.replace(found, evidence="yes") if self.differs and found.status == PASS else found


def question(
    id: str,
    text: str,
    step: str = "",
    *,
    otherwise: Status = FAIL,
    differs: Differs = "",
    advice: Callable[[str], str] | None = None,
) -> Callable[[Callable[[S], Found]], Question[S]]:
    """Declare a question; see :class:`Question` for the arguments and for what the function returns."""
    return lambda ask: Question(id, text, step, otherwise, differs, advice, ask)


def answers(questions: Iterable[Question[S]], subject: S, *, rehearsal: bool = False) -> list[Check]:
    """Return the answers of a checklist about a subject: a workspace, a session, the runs that are watched.

    Args:
        questions: in the order in which a person reads them; subject: what each is asked about.
        rehearsal: leave out what differs from machine to machine.
    """
    return [one.rehearse(subject) if rehearsal else one(subject) for one in questions]


def known(find: Callable[[], T]) -> T | None:
    """Return a figure that goes beside an answer; None where it cannot be told, which the answer says."""
    try:
        return find()
    except (PeaktradeError, OSError):
        return None


def check(id: str, question: str, ok: bool, evidence: str, next_step: str, *, otherwise: Status = FAIL) -> Check:
    """Return the answer of what is asked in one place only, about things that are at hand there."""
    status: Status = PASS if ok else otherwise
    return Check(id=id, question=question, status=status, evidence=evidence, next_step="" if ok else next_step)


def worst(found: Iterable[Check]) -> Status:
    """Return the worst status; ``pass`` when nothing was asked."""
    return worst_of(one.status for one in found)


def worst_of(found: Iterable[Status]) -> Status:
    """Return the worst of some statuses, ``pass`` of none."""
    return max(found, key=ORDER.index, default=PASS)
