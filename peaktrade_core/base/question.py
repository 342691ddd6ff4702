"""A question that answers itself: declared once beside what it asks about, and asked by every checklist that needs it.

A checklist is a tuple of questions. Whatever a question raises on purpose is a failed answer; this is the only place
that catches it. ``unknown`` means that nothing is known: it is worse than ``pass`` and better than ``warn``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

import msgspec

from peaktrade_core.base.errors import ExchangeError, PeaktradeError

Status = Literal["pass", "unknown", "warn", "fail"]
PASS: Final = "pass"
UNKNOWN: Final = "unknown"
WARN: Final = "warn"
FAIL: Final = "fail"
ORDER: tuple[Status, ...] = (PASS, UNKNOWN, WARN, FAIL)  # what is unknown is never good, and hides nothing bad
WORDS: dict[Status, str] = {PASS: "OK", UNKNOWN: "UNKNOWN", WARN: "WARN", FAIL: "FAIL"}
NOT_LOOKED_AT = "not looked at: this is a rehearsal, and the answer differs by machine"

S = TypeVar("S")
Found = tuple[bool | Status, str] | tuple[bool | Status, str, str]


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


@dataclass(frozen=True)
class Question(Generic[S]):
    """A question as it is declared.

    Attributes:
        id: of its answers, the same wherever it is asked; text: what is asked; step: what to do when it is not a yes.
        otherwise: how bad that is.
        portable: whether a rehearsal asks it, whose answers must be the same on every machine.
        advice: what to do about an error that it raises, where ``step`` does not fit.
        ask: returns whether all is well, the evidence, and a step of its own where ``step`` does not fit; a status in
            the place of the yes or no says how bad it is.
    """

    id: str
    text: str
    step: str
    otherwise: Status
    portable: bool
    advice: Callable[[str], str] | None
    ask: Callable[[S], Found]

    def __call__(self, subject: S) -> Check:
        """Return the answer; raises nothing on purpose."""
        try:
            found = self.ask(subject)
        except (PeaktradeError, OSError) as error:
            told = f"{type(error).__name__}: {error}" if isinstance(error, ExchangeError) else str(error)
            found = (FAIL, told, self.advice(told) if self.advice else self.step)
        well, evidence, *step = found
        status: Status = self.otherwise if well is False else PASS if well is True else well
        todo = "" if status == PASS else (step or [self.step])[0]
        return Check(id=self.id, question=self.text, status=status, evidence=evidence, next_step=todo)

    def not_asked(self) -> Check:
        """Return the answer of a rehearsal that does not ask it."""
        step = "Nothing: in operations it is asked."
        return Check(id=self.id, question=self.text, status=UNKNOWN, evidence=NOT_LOOKED_AT, next_step=step)


def question(
    id: str,
    text: str,
    step: str = "",
    *,
    otherwise: Status = FAIL,
    portable: bool = True,
    advice: Callable[[str], str] | None = None,
) -> Callable[[Callable[[S], Found]], Question[S]]:
    """Declare a question; see :class:`Question` for the arguments and for what the function returns."""
    return lambda ask: Question(id, text, step, otherwise, portable, advice, ask)


def answers(questions: Iterable[Question[S]], subject: S, *, rehearsal: bool = False) -> list[Check]:
    """Return the answers of a checklist about a subject: a workspace, a session, the runs that are watched.

    Args:
        questions: in the order in which a person reads them; subject: what each is asked about.
        rehearsal: leave out what differs from machine to machine.
    """
    return [one.not_asked() if rehearsal and not one.portable else one(subject) for one in questions]


def check(id: str, question: str, ok: bool, evidence: str, next_step: str, *, otherwise: Status = FAIL) -> Check:
    """Return the answer of what is asked in one place only, about things that are at hand there."""
    status: Status = PASS if ok else otherwise
    return Check(id=id, question=question, status=status, evidence=evidence, next_step="" if ok else next_step)


def worst(found: Iterable[Check]) -> Status:
    """Return the worst status; ``pass`` when nothing was asked."""
    return worst_of(one.status for one in found)


def worst_of(found: Iterable[Status], default: Status = PASS) -> Status:
    """Return the worst of some statuses, ``default`` of none."""
    return max(found, key=ORDER.index, default=default)
