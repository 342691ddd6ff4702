"""The index over the evidence: every record of a workspace in a row, with whether it is as it was sealed.

Nothing is left out: a record that cannot be read, one that was changed, one that is gone and one that nobody finished
are rows that say so.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from peaktrade_core.base.clock import moved
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, UnknownNameError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Status, question
from peaktrade_core.base.sealed import with_ending
from peaktrade_core.runbooks.book import EvidenceBook, tag_of
from peaktrade_core.runbooks.by_hand import BY_HAND
from peaktrade_core.runbooks.evidence import OPEN, RUNNING, Evidence
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns
from peaktrade_core.show.wording import NOTHING, first_of, many, minute

SEALED, CHANGED, MISSING, TORN, UNSEALED, UNFINISHED = "sealed", "changed", "missing", "torn", "unsealed", "unfinished"
TOLD = {
    SEALED: "as it was sealed",
    CHANGED: "changed after it was sealed",
    MISSING: "sealed, and gone",
    TORN: "cannot be read",
    UNSEALED: "finished, but never sealed: its process died, or it was put there by hand",
    UNFINISHED: "not finished; resume it by its id",
}
_BAD = (CHANGED, MISSING, TORN, UNSEALED)
_DAY = re.compile(r"EV-(\d{8})-")


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record as lists show it.

    Attributes:
        outcome: of the runbook, empty where the record cannot be read.
        state: ``sealed``, ``changed``, ``missing``, ``torn``, ``unsealed`` or ``unfinished``.
        steps, open_steps: how many, and how many wait for an answer.
        fault: why it cannot be read.
    """

    evidence_id: str
    state: str
    runbook: str = ""
    title: str = ""
    subject: str = ""
    operator: str = ""
    role: str = ""
    outcome: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    steps: int = 0
    open_steps: int = 0
    rehearsal: bool = False
    fault: str = ""


_TONES = {"passed": GOOD, "warned": MID, "failed": BAD, "stopped": MID, "incomplete": MID}
EVIDENCE = Columns[EvidenceRow](
    id=Column("Id", lambda row: row.evidence_id),
    began=Column("Began (UTC)", lambda row: minute(row.began_at), priority=2),
    outcome=Column("Outcome", lambda row: Cell(row.outcome or NOTHING, _TONES.get(row.outcome, ""))),
    by=Column("By", lambda row: f"{row.operator} ({row.role})" if row.operator else "", priority=3),
    about=Column("About", lambda row: row.subject, priority=1),
    record=Column("Record", lambda row: Cell(record_told(row), "" if row.state == SEALED else MID), "words"),
)


def record_told(row: EvidenceRow) -> str:
    """Return in words whether a record is as it was sealed."""
    return ("rehearsal, " if row.rehearsal else "") + TOLD[row.state]


def evidence_rows(
    book: EvidenceBook,
    *,
    runbook: str | None = None,
    subject: str | None = None,
    outcome: str | None = None,
    days: int | None = None,
    limit: int | None = None,
) -> list[EvidenceRow]:
    """Return the records that match, newest first; filters apply before the limit.

    Args:
        book: of which workspace.
        runbook, subject, outcome: only these; a record that cannot be read matches none of them.
        days: only records of so many UTC days, today included.
        limit: at most so many.

    Raises:
        ArtefactError: the chain of the evidence is broken; EnvironmentFault: it cannot be read.
    """
    sealed = book.chain.sealed()
    since = (
        None
        if days is None
        else moved(book.clock.now().astimezone(UTC), days=1 - days).date().isoformat().replace("-", "")
    )
    known = book.ids()
    ids = sorted([*known, *(set(sealed) - set(known))], key=_day, reverse=True)
    rows: list[EvidenceRow] = []
    for name in ids:
        if since is not None and _day(name) < since:
            break
        if runbook not in (None, BY_HAND) and f"-{tag_of(runbook)}-" not in name:
            continue
        row = _row(book, name, sealed.get(name))
        wanted = ((runbook, row.runbook), (subject, row.subject), (outcome, row.outcome))
        if all(asked is None or asked == found for asked, found in wanted):
            rows.append(row)
            if len(rows) == limit:
                break
    return rows


@question(
    "evidence",
    "Is every evidence record as it was when it was sealed?",
    "Restore the record or the chain from a backup and open an incident: evidence was changed.",
)
def evidence_check(book: EvidenceBook) -> Found:
    """Compare every record with the chain, naming those that differ."""
    rows = evidence_rows(book)
    bad = [f"{row.evidence_id}: {TOLD[row.state]}" for row in rows if row.state in _BAD]
    hanging = [row.evidence_id for row in rows if row.state == UNFINISHED]
    begun = {link.data.get("id") for link, _ in book.chain.links()}
    bad += [f"{name}: says that it runs, and was never begun" for name in hanging if name not in begun]
    told = first_of(bad, 5, "; ")
    if not bad:
        told = f"{many(len(rows) - len(hanging), 'record')} sealed"
        told += f", {len(hanging)} not finished" if hanging else ""
    serious = any(row.state in (CHANGED, MISSING, TORN) for row in rows)
    status: Status = FAIL if serious else WARN if bad else PASS
    step = "" if status == PASS else evidence_check.step
    found = Check(id="evidence", question=evidence_check.text, status=status, evidence=told, next_step=step)
    return with_ending(found, book.chain)


def _day(evidence_id: str) -> str:
    found = _DAY.match(evidence_id)
    return found[1] if found else ""


def _row(book: EvidenceBook, name: str, sealed: str | None) -> EvidenceRow:
    """Return the row of one record."""
    path = book.folder / f"{name}.json"
    digest = sha256_of(path)
    if digest == "missing":
        return EvidenceRow(evidence_id=name, state=MISSING, fault=TOLD[MISSING])
    try:
        record = book.load(name)
    except (ArtefactError, EnvironmentFault, UnknownNameError) as error:  # the last: an id that no record may have
        empty = sealed is None and path.stat().st_size == 0  # claimed, and its process died before the first step
        return EvidenceRow(evidence_id=name, state=UNFINISHED if empty else TORN, fault=str(error))
    pending = sealed is not None and book.sealed.pending(path, sealed)
    return _described(record, _state(record, digest, sealed, pending=pending))


def _state(record: Evidence, digest: str, sealed: str | None, *, pending: bool) -> str:
    """Return how a readable record stands against the chain."""
    if sealed is None:
        return UNSEALED if record.outcome != RUNNING else UNFINISHED
    return SEALED if sealed == digest else UNFINISHED if pending else CHANGED


def _described(record: Evidence, state: str) -> EvidenceRow:
    """Return what a list shows of a record."""
    return EvidenceRow(
        evidence_id=record.evidence_id,
        state=state,
        runbook=record.runbook,
        title=record.title,
        subject=record.subject,
        operator=record.operator,
        role=record.role,
        outcome=record.outcome,
        began_at=record.began_at,
        ended_at=record.ended_at,
        steps=len(record.steps),
        open_steps=sum(step.status == OPEN for step in record.steps),
        rehearsal=record.rehearsal,
    )
