"""Answered questions as a table: the same for terminal, notebook and report."""

from __future__ import annotations

from collections.abc import Sequence

from peaktrade_core.base.question import FAIL, PASS, Check, worst
from peaktrade_core.show import wording
from peaktrade_core.show.table import TONE_OF, Cell, Column, Columns, Table

CHECKS = Columns[Check](
    answer=Column("Answer", lambda c: Cell(wording.MARKS[c.status], TONE_OF[c.status])),
    question=Column("Question", lambda c: c.question, "words"),
    evidence=Column("Evidence", lambda c: c.evidence, "words"),
    step=Column("What to do", lambda c: Cell(c.next_step, code=True), "words"),
)


def check_table(checks: Sequence[Check], title: str = "Checks") -> Table:
    """Return answered questions with evidence and what to do, and the result in a sentence below."""
    result = Cell(f"Result: {wording.MARKS[worst(checks)]}, {answers_told(checks)}", TONE_OF[worst(checks)])
    return CHECKS.table(title, checks, note=result, empty="Nothing was asked.")


def answer_told(check: Check) -> str:
    """Return one answer in a line, and below it what to do."""
    return f"{check.status}: {check.evidence}" + (f"\n{check.next_step}" if check.next_step else "")


def verdict(checks: Sequence[Check], title: str) -> str:
    """Return in a line whether a checklist is passed."""
    return f"{title} {'FAILED' if worst(checks) == FAIL else 'PASSED'}: {answers_told(checks)}"


def answers_told(checks: Sequence[Check]) -> str:
    """Return in a sentence how many answers are good."""
    open_ = sum(c.status != PASS for c in checks)
    if len(checks) == 1:
        return "the answer needs attention" if open_ else "the answer is good"
    if not open_:
        return f"all {len(checks)} answers are good"
    return f"{open_} of {len(checks)} answers {'needs' if open_ == 1 else 'need'} attention"
