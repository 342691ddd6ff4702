"""One execution of a runbook: its steps, each on the disk as soon as it is done, and the answers that people give."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from peaktrade_core.base.clock import local
from peaktrade_core.base.errors import ConfigError, PeaktradeError, StepOpenError, UnknownNameError
from peaktrade_core.base.people import same_person
from peaktrade_core.base.question import Check, worst
from peaktrade_core.people.matrix import AUTHORITIES
from peaktrade_core.runbooks import evidence as ev

if TYPE_CHECKING:
    from peaktrade_core.people.approvals import Approvals
    from peaktrade_core.runbooks.book import EvidenceBook

PARAMETER = "parameter"  # an answer that no person was there to give


class Round:
    """One execution of a runbook by a named person. Every method leaves its step on the disk before it returns."""

    def __init__(self, book: EvidenceBook, record: ev.Evidence, *, waits: bool = False) -> None:
        """Take an execution up.

        Args:
            book: where its record is; record: as far as it is.
            waits: whether a person steps through; then an open question holds the steps after it.
        """
        self._book, self.record, self._waits = book, record, waits

    @property
    def id(self) -> str:
        """The id of the evidence."""
        return self.record.evidence_id

    @property
    def approvals(self) -> Approvals | None:
        """Where decisions of two are signed; None where nobody can."""
        return self._book.approvals

    @property
    def signs(self) -> bool:
        """Whether a second person signs, so that no name is asked for; also where that cannot be told, which the answer says."""
        try:
            return self._book.approvals is not None and self._book.approvals.keyed()
        except PeaktradeError:
            return True

    def check(self, step_id: str, title: str, checks: Iterable[Check], *artefacts: Path) -> ev.Step:
        """Record a step whose checks answered themselves; asked again, it takes the place of the earlier answer."""
        self.require_answers(step_id)
        found = tuple(checks)
        now = self._book.clock.now()
        return self._keep(
            ev.Step(
                id=step_id,
                title=title,
                status=worst(found),
                by=self.record.operator,
                began_at=now,
                ended_at=now,
                checks=found,
                artefacts=tuple(self._book.artefact(path) for path in artefacts),
            )
        )

    def act(self, step_id: str, title: str, action: Callable[[], str]) -> ev.Step:
        """Do something once: a step that was done is not done again, also after the runbook was resumed.

        Args:
            step_id, title: as in :meth:`check`.
            action: does it and returns what came of it, in a sentence; what it raises is recorded and raised on.
        """
        self.require_answers(step_id)
        done = self.record.step(step_id)
        if done is not None and done.ended_at is not None and done.status != "fail":
            return done
        began = self._book.clock.now()
        step = ev.Step(id=step_id, title=title, status=ev.OPEN, by=self.record.operator, began_at=began)
        self._keep(step)
        try:
            result, status = action(), "pass"
        except BaseException as error:
            self._keep(
                msgspec.structs.replace(
                    step, status="fail", result=f"{type(error).__name__}: {error}", ended_at=self._book.clock.now()
                )
            )
            raise
        return self._keep(msgspec.structs.replace(step, status=status, result=result, ended_at=self._book.clock.now()))

    def ask(self, step_id: str, question: ev.PersonQuestion) -> ev.Step:
        """Put a question to the person; the step is open until :meth:`answer`. An answer that was given stays."""
        self.require_answers(step_id)
        known = self.record.step(step_id)
        if known is not None and known.answer is not None and known.question == question:
            return known
        now = self._book.clock.now()
        step = ev.Step(
            id=step_id, title=question.text, status=ev.OPEN, by=self.record.operator, began_at=now, question=question
        )
        return self._keep(step)

    def answer(
        self, step_id: str, key: str, reason: str = "", *, second: str = "", by_parameter: bool = False
    ) -> ev.Step:
        """Answer a question in the name of this execution's operator.

        Where people have keys, a decision of two is answered once both have signed it; called again then, it is recorded.

        Args:
            step_id, key, reason: which question, which option, why.
            second: the name of who agrees, where nobody has a key.
            by_parameter: no person is there to answer; in a rehearsal that makes no difference.

        Raises:
            UnknownNameError: no such option, or a question that was not asked.
            ConfigError: the answer needs a reason, another role or a second person, or people who are there.
            WaitsForApproval: two people must sign it; it was asked for.
        """
        step = self.record.step(step_id)
        if step is None or step.question is None:
            raise UnknownNameError("question", step_id, [s.id for s in self.record.steps if s.question is not None])
        given = ev.Answer(
            key=key,
            by=self.record.operator,
            role=self.record.role,
            at=self._book.clock.now(),
            reason=reason.strip(),
            second=second.strip(),
            given=PARAMETER if by_parameter and not self.record.rehearsal else "",
        )
        return self._keep(ev.answered(step, self._agreed(step, given)))

    def _agreed(self, step: ev.Step, given: ev.Answer) -> ev.Answer:
        """Return an answer with who agreed to it, where it takes two people.

        Raises:
            ConfigError: it was given by parameter; WaitsForApproval: it must be signed first.
        """
        assert step.question is not None
        option, approvals = step.question.option(given.key), self._book.approvals
        if not AUTHORITIES[option.authority].second or self.record.rehearsal:
            return given
        situation = AUTHORITIES[option.authority].situation
        if given.given == PARAMETER:
            raise ConfigError(
                f"{step.title!r}: {situation} is decided by two people who are there, not by a parameter; open it: "
                f"`peaktrade lab {self.record.runbook}`"
            )
        if approvals is None or not approvals.keyed():
            return given
        ev.answered(
            step, msgspec.structs.replace(given, second="who signs")
        )  # name, role and reason are as they must be
        told = (self.id, step.id, step.question.text, given.key, given.reason)
        binds = hashlib.sha256("\0".join(told).encode()).hexdigest()
        about = f"{self.id}, {step.title} {option.label}"
        reason = given.reason or option.meaning or option.label
        made = approvals.require(option.authority, about, binds, by=given.by, reason=reason)
        others = [name for name in made.people if not same_person(name, given.by)]
        return msgspec.structs.replace(given, second=" and ".join(others), request=made.request)

    def chose(self, step_id: str, key: str) -> bool:
        """Return whether the question was answered so."""
        step = self.record.step(step_id)
        return step is not None and step.answer is not None and step.answer.key == key

    def finish(self, *artefacts: Path) -> ev.Evidence:
        """End the execution, seal its record and return it; open questions make it ``incomplete``, which stays so."""
        if self.record.ended_at is not None:
            return self.record
        now = self._book.clock.now()
        self.record = msgspec.structs.replace(
            self.record,
            ended_at=now,
            ended_local=local(now),
            outcome=ev.outcome_of(self.record.steps),
            artefacts=tuple(self._book.artefact(path) for path in artefacts),
        )
        self._book.seal(self.record)
        return self.record

    def break_off(self, why: str) -> ev.Evidence:
        """End the execution as failed because it cannot go on, seal its record and return it."""
        now = self._book.clock.now()
        self._keep(
            ev.Step(
                id="broken_off",
                title="The runbook broke off",
                status="fail",
                by=self.record.operator,
                began_at=now,
                ended_at=now,
                result=why,
            )
        )
        return self.finish()

    def require_answers(self, before: str = "") -> None:
        """Refuse to go on while a question before the step is open, if a person is there to answer it.

        Raises:
            StepOpenError: names the question.
        """
        for step in self.record.steps:
            if step.id == before:
                return
            if step.status == ev.OPEN and step.question is not None and self._waits:
                raise StepOpenError(f"answer {step.title!r} above first, then run this cell again")

    def _keep(self, step: ev.Step) -> ev.Step:
        """Put a step into the record, in the place of an earlier attempt, and save it."""
        if self.record.ended_at is not None:
            raise ConfigError(
                f"{self.id} is finished; open a clean copy to begin anew: `peaktrade lab {self.record.runbook}`"
            )
        known = self.record.step(step.id)
        if known is None:
            steps = (*self.record.steps, step)
        else:
            step = msgspec.structs.replace(step, attempts=known.attempts + (known.ended_at is not None))
            steps = tuple(step if s.id == step.id else s for s in self.record.steps)
        self.record = self._book.save(msgspec.structs.replace(self.record, steps=steps))
        return step
