"""The evidence of runbooks: one record an execution, on the disk after every step, chained when it is finished.

A runbook that is interrupted - kernel killed, laptop closed - leaves a record that says ``running``; it is taken up
again by its id. Answers that were given stay given, actions that were done are not done twice, checks are asked anew.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.chain import BEGUN
from peaktrade_core.base.clock import Clock, FixedClock, iso, local
from peaktrade_core.base.errors import (
    ArtefactError,
    ConfigError,
    EnvironmentFault,
    PeaktradeError,
    StepOpenError,
    UnknownNameError,
    why,
)
from peaktrade_core.base.files import read_plain, write_atomic
from peaktrade_core.base.log import append_line, locked
from peaktrade_core.base.question import Check, worst
from peaktrade_core.base.sealed import SealedRecords, as_file
from peaktrade_core.base.wall_clock import by_day
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.artefacts import artefact_of
from peaktrade_core.workspace.ledger import EVIDENCE, Ledger
from peaktrade_core.workspace.workspace import Workspace

MOST_A_SECOND = 1000
_ID = re.compile(r"EV-\d{8}-[A-Z0-9-]{1,80}")


def tag_of(runbook: str) -> str:
    """Return how a runbook's name stands in the ids of its evidence."""
    return re.sub(r"[^A-Z0-9]+", "-", runbook.upper()).strip("-")


class EvidenceBook:
    """The evidence records of a workspace.

    Args (of the constructor):
        home: the workspace; clock: its clock; rehearsal: whether records are examples (see :class:`ev.Evidence`).
    """

    def __init__(self, home: Path, clock: Clock, *, rehearsal: bool = False) -> None:
        self.home, self.clock, self.rehearsal = home, clock, rehearsal
        self.folder = home / "reports" / "evidence"
        self.sealed = SealedRecords(self.folder, Ledger(home).section(EVIDENCE))
        self.chain = self.sealed.chain

    @classmethod
    def of(cls, workspace: Workspace) -> EvidenceBook:
        """Return the evidence of a workspace, opened once; on a fixed clock it is a rehearsal."""
        rehearsal = isinstance(workspace.clock, FixedClock)
        return workspace.once(cls, lambda: cls(workspace.home, workspace.clock, rehearsal=rehearsal))

    @property
    def host(self) -> str:
        """The machine, as records name it."""
        return "rehearsal" if self.rehearsal else socket.gethostname()

    def begin(
        self,
        runbook: str,
        title: str,
        *,
        operator: str,
        role: str = "operator",
        subject: str = "",
        parameters: Mapping[str, Any] | None = None,
        notebook_sha256: str = "",
        waits: bool = False,
    ) -> Round:
        """Begin an execution of a runbook and return it; its record is on the disk.

        Args:
            runbook, title: which.
            operator, role: who; the role is one of :data:`ev.ROLES`.
            subject: the session, alert or incident that it is about.
            parameters: all of the notebook's; notebook_sha256: of its sources.
            waits: as for :class:`Round`.

        Raises:
            ConfigError: the operator gave no name.
            UnknownNameError: no such role.
            EnvironmentFault: the record cannot be written.
        """
        if not operator.strip():
            raise ConfigError("evidence needs a name: set operator in the notebook's parameters")
        if role not in ev.ROLES:
            raise UnknownNameError("role", role, ev.ROLES)
        now = self.clock.now()
        record = ev.Evidence(
            evidence_id="",
            runbook=runbook,
            title=title,
            subject=subject,
            operator=operator.strip(),
            role=role,
            began_at=now,
            began_local=local(now),
            parameters=dict(parameters or {}),
            notebook_sha256=notebook_sha256,
            host=self.host,
            rehearsal=self.rehearsal,
        )
        return Round(self, self.enter(record), waits=waits)

    def resume(self, evidence_id: str, *, waits: bool = False) -> Round:
        """Take an interrupted execution up again.

        Raises:
            UnknownNameError: there is no such record.
            ConfigError: it is finished.
        """
        if _ID.fullmatch(evidence_id):
            self.sealed.settle(self._path(evidence_id))
        record = self.load(evidence_id)
        if record.ended_at is not None:
            raise ConfigError(f"{evidence_id} was finished as {record.outcome}; begin anew with an empty resume")
        return Round(self, record, waits=waits)

    def load(self, evidence_id: str) -> ev.Evidence:
        """Return a record.

        Raises:
            UnknownNameError: there is none of that id; names the newest.
            ArtefactError: it cannot be read.
        """
        path = self._path(evidence_id) if _ID.fullmatch(evidence_id) else None
        if path is None or not path.is_file():
            raise UnknownNameError("evidence", evidence_id, self.ids()[:5])
        try:
            return msgspec.json.decode(read_plain(path), type=ev.Evidence)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactError(f"{path}: no evidence record: {why(error)}") from None

    def ids(self) -> list[str]:
        """Return the ids of all records, newest first."""
        found = [path for path in self.folder.glob("EV-*.json") if _ID.fullmatch(path.stem)]
        return [
            path.stem
            for path in sorted(
                found, key=lambda path: (*by_day(path.stem[3:11]), path.stat().st_mtime_ns), reverse=True
            )
        ]

    def save(self, record: ev.Evidence) -> ev.Evidence:
        """Write a record as it stands and return it."""
        write_atomic(self._path(record.evidence_id), as_file(record))
        return record

    def seal(self, record: ev.Evidence) -> str:
        """Seal a finished record, enter it into the operations log, and return the chain's head."""
        at = record.ended_at or self.clock.now()
        head = self.sealed.seal("evidence", self._path(record.evidence_id), record, at, outcome=record.outcome)
        line = f"runbook {record.runbook} {record.outcome} by {record.operator} ({record.role}): {record.evidence_id}"
        append_line(self.home / "logs" / "operations.log", f"{iso(at)} {line}")
        return head

    def artefact(self, path: Path) -> ev.Artefact:
        """Return a file as evidence names it; one that is missing has the hash ``missing``."""
        return artefact_of(self.home, path)

    def _path(self, evidence_id: str) -> Path:
        return self.folder / f"{evidence_id}.json"

    def enter(self, record: ev.Evidence, wanted: str = "") -> ev.Evidence:
        """Give a new record an id that no other has, write it and return it; ``wanted`` gets a number when it is taken.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        wanted = wanted or f"EV-{record.began_at:%Y%m%d}-{tag_of(record.runbook)}-{record.began_at:%H%M%S}"
        with locked(self.folder / "records"):
            for number in range(1, MOST_A_SECOND):
                name = wanted + (f"-{number}" if number > 1 else "")
                if not self._path(name).exists():
                    with suppress(PeaktradeError):  # a runbook can be stepped through whatever became of the ledger
                        self.chain.append((BEGUN, {"id": name, "by": record.operator}), at=record.began_at)
                    return self.save(msgspec.structs.replace(record, evidence_id=name))
        raise EnvironmentFault(f"{self.folder} holds a thousand records named {wanted}; clear it")


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

    def answer(self, step_id: str, key: str, reason: str = "", *, second: str = "") -> ev.Step:
        """Answer a question in the name of this execution's operator.

        Raises:
            UnknownNameError: no such option, or a question that was not asked.
            ConfigError: the answer needs a reason, another role or a second person.
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
        )
        return self._keep(ev.answered(step, given))

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
            raise ConfigError(f"{self.id} is finished; run the notebook from its first cell to begin anew")
        known = self.record.step(step.id)
        if known is None:
            steps = (*self.record.steps, step)
        else:
            step = msgspec.structs.replace(step, attempts=known.attempts + (known.ended_at is not None))
            steps = tuple(step if s.id == step.id else s for s in self.record.steps)
        self.record = self._book.save(msgspec.structs.replace(self.record, steps=steps))
        return step
