"""An evidence record for people: as a page that can be read on a phone and printed, and as a filled checklist.

Source: operational runbooks 11.3 (filled checklists).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from peaktrade_core.base.clock import both
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import FAIL
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.show import wording
from peaktrade_core.show.table import markdown_cell
from peaktrade_core.show.templates import css, template
from peaktrade_core.workspace.papers import enter_files


def write_page(book: EvidenceBook, record: Evidence) -> Path:
    """Write a record's page and return its path.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    path = book.folder / f"{record.evidence_id}.html"
    write_atomic(path, page_of(book, record).encode())
    enter_files(book.ledger, book.clock.now(), (path,))
    return path


def page_of(book: EvidenceBook, record: Evidence) -> str:
    """Return a record's page as HTML that needs nothing else."""
    marks = {**wording.MARKS, "open": "? open"}
    return wording.tied(template("evidence.html.j2").render(e=record, head=book.chain.head(), css=css(), marks=marks))


def filled_checklist(record: ev.Evidence, second_person: str = "") -> str:
    """Return the filled checklist of a runbook: who, when, how it came out, and every line."""
    by = f"{record.operator} ({record.role})" + (f" with {second_person}" if second_person else "")
    lines = [
        f"# {markdown_cell(record.title)} ({record.evidence_id})",
        "",
        f"**{ev.outcome_of(record.steps)}**",
        "",
        f"- By: {markdown_cell(by)}",
        f"- About: {markdown_cell(record.subject or 'the whole desk')}",
        f"- Begun: {both(record.began_at)}",
        f"- Kind: {'rehearsal on a fixed clock' if record.rehearsal else 'operations'}",
    ]
    return "\n".join([*lines, *ticked(record)]) + "\n"


def ticked(record: ev.Evidence, without: str = "") -> Iterator[str]:
    """Yield every step of a record, but one, as a heading and lines that are ticked where they are good."""
    for step in record.steps:
        if step.id != without:
            yield from ("", f"## {markdown_cell(step.title)}", *_lines(step))


def _lines(step: ev.Step) -> list[str]:
    """Return a step as a markdown checklist: ticked where it is good."""
    if step.question is not None:
        answer = step.answer
        if answer is None:
            return ["- [ ] not answered"]
        with_ = f" with {answer.agreed}" if answer.second else ""
        with_ += f", by {answer.given}" if answer.given else ""
        tick = "x" if step.status != FAIL else " "
        told = f"{answer.key} by {answer.by} ({answer.role}){with_}: {answer.reason or 'no reason given'}"
        return [f"- [{tick}] {markdown_cell(told)}"]
    found = [
        f"- [{'x' if c.status == 'pass' else ' '}] {markdown_cell(c.question)} {markdown_cell(c.evidence)}"
        for c in step.checks
    ]
    return found or [f"- {markdown_cell(step.result)}"]


def done_by(step: ev.Step) -> str:
    """Return who did a step and when, in a line."""
    return f"{step.by} {wording.moment(step.ended_at)}" if step.ended_at else step.by


def told(step: ev.Step) -> str:
    """Return what a step says, in a line."""
    if step.answer is not None:
        return step.answer.key + (f": {step.answer.reason}" if step.answer.reason else "")
    if step.checks:
        worse = [c for c in step.checks if c.status != "pass"]
        return "; ".join(c.told for c in worse) or _all_good(len(step.checks))
    return step.result or "not answered"


def _all_good(n: int) -> str:
    return f"{n} answers are good" if n > 1 else "the answer is good"
