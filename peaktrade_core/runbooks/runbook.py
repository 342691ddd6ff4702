"""A runbook being executed: ``rb = begin("kill_switch")`` in its notebook, then one method a cell.

Each notebook has a class of its own in the room that does its work, under the notebook's name (:mod:`shelf`). Its
parameters are those of the notebook's own cell, so nothing is handed on by hand: ``rb.given.action``. Checks show as tables,
questions as plain forms, the end as a record.

Where a person steps through, a question waits for a click and holds the steps after it. Without a person (papermill,
nbval) nothing waits: answers come from the parameter ``answers``, and what is not answered makes the record incomplete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from peaktrade_core.base.clock import FixedClock, iso, local
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import PASS, Check
from peaktrade_core.people.matrix import AUTHORITIES
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.notebook import open_workspace
from peaktrade_core.runbooks.notebooks.cells import into_copy, person_is_there
from peaktrade_core.runbooks.page import done_by, filled_checklist, told
from peaktrade_core.runbooks.round import Round
from peaktrade_core.runbooks.runbooks import EVIDENCE_MIME
from peaktrade_core.runbooks.shelf import Notebook, as_begun, given_to, kind_of
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

REHEARSAL = "demo operator"
_TONE = {"pass": GOOD, "unknown": MID, "warn": MID, "fail": BAD, ev.OPEN: MID}
_OUTCOME_TONE = {ev.PASSED: GOOD, ev.WARNED: MID, ev.FAILED: BAD, ev.STOPPED: MID, ev.INCOMPLETE: MID}


class Runbook(Notebook):
    """A runbook being executed; what only one notebook does is in a subclass.

    Attributes:
        round: the execution and its record.
        before_a_stage: whether it is gone through before a stage is entered, so that its filled checklist is kept.
    """

    before_a_stage = False

    def __init__(self, workspace: Workspace, round_: Round, given: SimpleNamespace, *, waits: bool) -> None:
        super().__init__(workspace, given)
        self.round = round_
        self._answers = ev.read_answers(getattr(given, "answers", ""))
        self._second: str = getattr(given, "second_person", "")
        self._waits = waits
        self._spared: set[str] = set()  # questions that the evidence left no need for

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return what it is about: a session, an alert, a run; empty where it is about the whole workspace."""
        del workspace, given
        return ""

    def __repr__(self) -> str:
        record = self.round.record
        return f"{record.evidence_id}: {record.title}, by {record.operator} ({record.role})"

    @property
    def second_person(self) -> str:
        """Who agrees where two are needed, as far as the parameters name somebody."""
        return self._second

    def check(self, step_id: str, title: str, checks: Sequence[Check], *artefacts: Path) -> Table:
        """Record checks as a step and show them."""
        self.round.check(step_id, title, checks, *artefacts)
        return check_table(checks, title)

    def act(self, step_id: str, title: str, action: Callable[[], str]) -> Table:
        """Do something once, record what came of it and show it."""
        step = self.round.act(step_id, title, action)
        return Table(
            title, ("", ""), [("Result", step.result), ("By", step.by), ("At (UTC)", wording.moment(step.ended_at))]
        )

    def confirm(
        self, step_id: str, text: str, *, about: str | tuple[str, ...] = "", needed: bool = False
    ) -> Prompt | Table:
        """Ask what only a person can tell: yes, no, or does not apply.

        Args:
            step_id, text: as for :meth:`ask`.
            about: a step of checks, or several; when all their answers are good there is nothing to ask.
            needed: it always applies, so that is no answer.
        """
        steps = [self.round.record.step(one) for one in filter(None, (about,) if isinstance(about, str) else about)]
        if steps and all(step is not None and step.status == PASS for step in steps):
            return self.spare(step_id, text, "Nothing to ask: every answer is good.")
        return self.ask(step_id, text, (ev.YES, ev.NO) if needed else (ev.YES, ev.NO, ev.NOT_APPLICABLE))

    def ask_must(self, step_id: str, text: str) -> Prompt:
        """Ask what must be a yes to go on: a no ends the runbook."""
        return self.ask(step_id, text, (ev.YES, msgspec.structs.replace(ev.NO, stops=True, meaning="it ends here")))

    def spare(self, step_id: str, text: str, why: str) -> Table:
        """Leave a question out because nothing is left to answer, and say why."""
        self._spared.add(step_id)
        return Table(text, (), [], empty=why)

    def spared(self, step_id: str) -> bool:
        """Return whether a question was left out because nothing was left to answer."""
        return step_id in self._spared

    def ask(
        self,
        step_id: str,
        text: str,
        options: Sequence[ev.Option] = (ev.YES, ev.NO, ev.NOT_APPLICABLE),
        *,
        reason: bool = False,
    ) -> Prompt:
        """Put a question to the person; without one, take the answer from the parameters.

        Raises:
            ConfigError, UnknownNameError: the answer of the parameters may not be given.
        """
        step = self.round.ask(step_id, ev.PersonQuestion(text=text, options=tuple(options), reason=reason))
        if step.answer is None and (given := self._given(step)):
            step = self.round.answer(step_id, given[0], given[1], second=self._second, by_parameter=True)
        return Prompt(self.round, step, self._second, waits=self._waits)

    def chose(self, step_id: str, key: str) -> bool:
        """Return whether the question was answered so."""
        return self.round.chose(step_id, key)

    def files(self) -> Sequence[Path]:
        """Return the files that its evidence rests on."""
        return ()

    def filled(self) -> Sequence[Path]:
        """Write the filled checklist of a runbook that is gone through before a stage is entered, and return it.

        Raises:
            EnvironmentFault: it cannot be written.

        Source: operational runbooks 11.3 (filled checklists in reports/checklists).
        """
        if not self.before_a_stage or self.round.record.ended_at is not None:
            return ()
        path = self.workspace.reports / "checklists" / f"{self.round.id}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, filled_checklist(self.round.record, self.second_person).encode())
        enter_papers(self.workspace, path)
        return (path,)

    def finish(self, *artefacts: Path) -> Finished:
        """End the execution: seal its record, write it as a page, and show what it says.

        Raises:
            ConfigError: the parameters answer a question that was never asked.
            StepOpenError: a person steps through and a question is open.
        """
        asked = {step.id for step in self.round.record.steps} | self._spared
        if unknown := sorted(set(self._answers) - asked):
            raise ConfigError(f"answers: {', '.join(unknown)} was never asked; asked were: {', '.join(sorted(asked))}")
        self.round.require_answers()
        return Finished(self.workspace, self.round.finish(*self.files(), *self.filled(), *artefacts))

    def _given(self, step: ev.Step) -> tuple[str, str] | None:
        """Return the answer that the parameters give; a rehearsal takes the one that the evidence supports."""
        if step.id in self._answers:
            return self._answers[step.id]
        if not self.round.record.rehearsal or step.question is None:
            return None
        allowed = [o for o in step.question.options if not AUTHORITIES[o.authority].second or self._second]
        best = next((o for o in allowed if o.supported), allowed[0] if allowed else None)
        return None if best is None else (best.key, "rehearsal" if step.question.reason else "")


class Prompt:
    """A question in a notebook: a form while it waits for a person, else what was answered."""

    def __init__(self, round_: Round, step: ev.Step, second: str, *, waits: bool) -> None:
        self._round, self.step, self._second, self._waits = round_, step, second, waits

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if self._waits and self.step.answer is None:
            from peaktrade_core.runbooks.form import AnswerForm

            display(AnswerForm(self._round, self.step, self._second, self._after))
        else:
            display(self.table())

    def _after(self, step: ev.Step) -> str:
        """Return what stands in the place of the form once it is answered."""
        self.step = step
        return self.table()._repr_html_()

    def table(self) -> Table:
        """Return question, options and answer as a table."""
        question, answer = self.step.question, self.step.answer
        assert question is not None
        follows = any(o.meaning for o in question.options)
        rows = [
            (
                Cell(
                    "●" if answer and answer.key == o.key else "○",
                    _TONE[o.status] if answer and answer.key == o.key else "",
                ),
                o.label,
                *([Cell(o.meaning, code=True)] if follows else []),
                _support(o.supported),
            )
            for o in question.options
        ]
        columns = ("", "Answer", *(["What follows"] if follows else []), "Evidence")
        return Table(question.text, columns, rows, note=_said(self.step))


class Finished:
    """The end of a runbook: its record in a table, and for programs."""

    def __init__(self, workspace: Workspace, record: ev.Evidence) -> None:
        from peaktrade_core.runbooks.page import write_page

        self.record = record
        into_copy(record)
        self.page = write_page(EvidenceBook.of(workspace), record)
        self._home = workspace.home

    def table(self) -> Table:
        """Return how it came out, step by step, and where the record is."""
        record = self.record
        rows = [
            (Cell(wording.MARKS.get(step.status, "? open"), _TONE[step.status]), step.title, done_by(step), told(step))
            for step in record.steps
        ]
        where = self.page.relative_to(self._home).as_posix()
        note = Cell(
            f"{record.evidence_id}: {record.outcome}, by {record.operator} ({record.role}). {where}",
            _OUTCOME_TONE[record.outcome],
        )
        return Table("Evidence", ("Result", "Step", "By", "What it says"), rows, note=note)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude
        told = {"evidence_id": self.record.evidence_id, "outcome": self.record.outcome}
        return {"text/html": self.table()._repr_html_(), "text/plain": repr(self.table()), EVIDENCE_MIME: told}


def begin(name: str, workspace: Workspace | None = None, *, about: str = "", **given: Any) -> Any:
    """Begin a runbook, or take an interrupted one up again, and return it: a :class:`Runbook` of the notebook's own kind.

    Args:
        name: of the notebook.
        workspace: where; None for the one that the notebook is in.
        about: the session, alert or run that it is about; what the notebook's own class says by default.
        given: parameters over those of the notebook's cell (and, outside a notebook, over its defaults). Of every runbook:
            operator (empty for the name of the login), role, answers (``step = option: reason; …`` for runs without a
            person), resume (the id of an interrupted execution).

    Raises:
        ConfigError, UnknownNameError: a parameter is wrong.
    """
    from peaktrade_core.runbooks.runbooks import find_runbook

    workspace = workspace or open_workspace()
    info, waits = find_runbook(name), person_is_there()
    values = given_to(info.parameters, given)
    kind = kind_of(name)
    book, fixed = EvidenceBook.of(workspace), isinstance(workspace.clock, FixedClock)
    resume = getattr(values, "resume", "")
    round_ = (
        book.resume(resume, name, waits=waits)
        if resume
        else book.begin(
            name,
            info.title,
            operator=values.operator or (REHEARSAL if fixed else login()),
            role=values.role,
            subject=about or kind.about(workspace, values),
            parameters=vars(values),
            notebook_sha256=hashlib.sha256(info.path.read_bytes()).hexdigest() if not fixed else "",
            waits=waits,
        )
    )
    if resume:
        values = as_begun(values, info.parameters, round_.record.parameters)
    into_copy(round_.record)
    runbook = kind(workspace, round_, values, waits=waits)
    if not waits:
        _end_with_a_failed_cell(runbook)
    return runbook


def _end_with_a_failed_cell(runbook: Runbook) -> None:
    """Have the evidence ended when a cell fails: without a person the notebook stops there, and nobody takes it up again."""
    from IPython import get_ipython

    def after(result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        if error is not None and runbook.round.record.ended_at is None:
            Finished(runbook.workspace, runbook.round.break_off(f"{type(error).__name__}: {error}"))

    if shell := get_ipython():
        shell.events.register("post_run_cell", after)


def _support(supported: bool | None) -> Cell:
    """Return what the evidence says to an option."""
    if supported is None:
        return Cell("your judgement")
    return Cell("✓ speaks for it", GOOD) if supported else Cell("speaks against it")


def _said(step: ev.Step) -> Cell:
    """Return what was answered, by whom and why."""
    answer = step.answer
    if answer is None:
        return Cell(f'? Not answered: give it with answers = "{step.id} = …"', MID)
    with_ = f" with {answer.agreed}" if answer.second else ""
    how = f", by {answer.given}" if answer.given else ""
    reason = f": {answer.reason}" if answer.reason else ""
    return Cell(
        f"Answered {answer.key} by {answer.by} ({answer.role}){with_} at {iso(answer.at)}, {local(answer.at)}{how}{reason}",
        _TONE[step.status],
    )
