"""Changes as people read them: the diff key by key, how a change stands, what to do next."""

from __future__ import annotations

from peaktrade_core.changes.change import Change, ConfigDrift
from peaktrade_core.changes.keys import EVIDENCE, LOOSER, TIGHTER, KeyChange, shown
from peaktrade_core.people.cli import SIGNATURES
from peaktrade_core.people.matrix import AUTHORITIES
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns, Table
from peaktrade_core.workspace.command import Part

DIRECTIONS = {TIGHTER: Cell("▼ tighter", GOOD), LOOSER: Cell("▲ looser", BAD)}
TONES = {
    "waits": MID, "approved": GOOD, "applied": GOOD, "applied first": MID, "overdue": BAD, "rejected": BAD,
}  # fmt: skip
ITEMS = Columns[KeyChange](
    key=Column("Key", form="words"),
    old=Column("Approved", lambda one: shown(one.old), "words"),
    new=Column("New", lambda one: shown(one.new), "words"),
    direction=Column("Becomes", lambda one: DIRECTIONS.get(one.direction, Cell(one.direction))),
)
CHANGES = Columns[Change](
    id=Column("Change", lambda one: one.id),
    state=Column("State", lambda one: Cell(one.state, TONES[one.state])),
    direction=Column("Becomes", lambda one: one.proposal.ruling.direction, priority=1),
    what=Column("What", lambda one: one.proposal.subject.partition(": ")[2], "words"),
    by=Column("Proposed by", lambda one: one.proposal.by, priority=2),
    at=Column("At (UTC)", lambda one: wording.minute(one.proposal.at), priority=3),
)


def verify_parts(found: ConfigDrift) -> list[Part]:
    """Return for people whether everything is as it was approved."""
    told: list[Part] = [f"{found.told}."]
    if found.items:
        told = [ITEMS.table("Not as it was approved", found.items, new="Now"), f"Approved last: {found.by}."]
        told += [
            f"{name} is entered and not written: `peaktrade change apply {name} --by NAME`" for name in found.unwritten
        ]
        if not found.unwritten:
            told.append("Put it back, or propose it: `peaktrade change propose --as-it-is --by NAME --reason TEXT`.")
    return [*told, *(f"Does not count: {fault}" for fault in found.faults)]


def change_parts(found: Change) -> list[Part]:
    """Return a change for people: how it stands, its keys, what speaks for it, who signed, what to do next."""
    signed = found.request.signatures if found.request else ()
    signatures = [SIGNATURES.table("Signatures", signed)] if signed else []
    return [state_table(found), ITEMS.table("Keys", found.proposal.items), *signatures, next_step(found)]


def state_table(found: Change) -> Table:
    """Return how a change stands: why, what speaks for it, who agreed and who still must."""
    proposal = found.proposal
    request = found.request
    ruled = proposal.ruling
    nobody = f"nobody yet; it takes {found.needed} ({AUTHORITIES[ruled.authority].situation})"
    lacks = f"; still needed: {request.lacks}" if request and request.lacks else ""
    pairs = {
        "Becomes": ruled.direction,
        "Because": proposal.reason,
        "Proposed": f"by {proposal.by}, {wording.moment(proposal.at)} UTC",
        "Required": "; ".join(EVIDENCE[need] for need in ruled.needs),
        "Evidence": "; ".join(proposal.evidence),
        "Approved by": found.people or nobody,
        "Request": f"{request.id}: {request.state}{lacks}" if request else "",
        "Applied": f"{wording.moment(found.applied_at)} UTC" if found.applied_at else "",
        "Approve until": f"{wording.moment(found.until)} UTC" if found.until else "",
        "Refused": found.refused,
        "Files": ", ".join(f"config/{name}" for name in proposal.edits) or "none: it is on the disk already",
    }
    return Table.pairs({name: text for name, text in pairs.items() if text}, f"{found.id}: {found.state}")


def next_step(found: Change) -> str:
    """Return what to do next about a change, with its command."""
    apply = f"`peaktrade change apply {found.id} --by NAME`"
    if found.unwritten:
        return f"It is entered and not written: {apply} finishes it."
    if found.state == "rejected":
        return "It is refused" + (", and applied: propose what shall stand instead." if found.applied_at else ".")
    if found.state == "applied":
        return "It is in force. Sessions that start from now on take it; those that run keep what they began with."
    signs = f"each of them signs it: `peaktrade change approve {found.id}`"
    agree = signs if found.request else f"another person calls {apply}"
    if found.state in ("applied first", "overdue"):
        return f"It is in force, and must be approved: {agree}."
    if found.state == "approved":
        return f"It is approved: {apply} puts it into force."
    if found.proposal.ruling.direction == TIGHTER:
        return f"It only becomes tighter: {apply} now, and it is approved within 24 h."
    return f"Nothing has changed yet: {signs if found.request else apply}."
