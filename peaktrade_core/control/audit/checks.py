"""The audit: is the workspace as its ledger says it was written?

It reads files and changes none, but :func:`adopt`, with which a named person answers for what the ledger does not know
in its present form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import BEGINNING, Link
from peaktrade_core.base.clock import as_utc, iso
from peaktrade_core.base.errors import ArtefactError, ConfigError, UnknownNameError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.log import append_line
from peaktrade_core.base.people import person_key
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Question, question
from peaktrade_core.base.sealed import HALF, SealedRecords
from peaktrade_core.changes.questions import where_adopted
from peaktrade_core.control.audit.papers import paper_faults
from peaktrade_core.control.audit.proof import journal_faults, log_faults
from peaktrade_core.halts.questions import kill_switch
from peaktrade_core.people.questions import signatures
from peaktrade_core.records.chain import ADOPTED, BEGUN, RECORD, STARTED, Adopted
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.records.registry import Registry
from peaktrade_core.records.rows import RegistryLine
from peaktrade_core.research.forward.book import forward_check
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.show.wording import first_of, many
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.ledger import DRILLS, GO_ON, INCIDENTS, LEDGER, LOGS, PAPERS, REGISTRY, SEALED, Ledger
from peaktrade_core.workspace.papers import adopt_papers
from peaktrade_core.workspace.unremembered import unanswered
from peaktrade_core.workspace.workspace import Workspace

RUNNING = "running"
_STATES = ("matching", "changed", "torn", "missing", "pending", "twice")
_SHOWN = 5  # names in a sentence
_AGAIN = 5  # times that the records are compared again; on a busy desk sessions end all the time
_RESTORE = (
    "Restore it from a backup and open an incident: records were changed. A person who knows better may adopt it."
)


class RegistryAudit(msgspec.Struct, frozen=True, kw_only=True):
    """How the records stand against their chain, by the names of their files.

    Attributes:
        links: lines of the chain; head: hash of the last; fault: why the chain cannot be trusted, empty when it can.
        matching: records that are as they were entered.
        changed, torn, missing: entered, and now different, unreadable or gone.
        unknown: finished after the chain began, and never entered.
        twice: entered again with other content, and nobody answers for it.
        pending: entered, but the file still says ``started``: the process died between the two.
        before: from before the chain; half_line: whether the chain ends in a line that a dead writer left.
    """

    links: int
    head: str
    fault: str
    matching: int
    changed: tuple[str, ...]
    torn: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    twice: tuple[str, ...]
    pending: tuple[str, ...]
    before: tuple[str, ...]
    half_line: bool

    @property
    def bad(self) -> tuple[str, ...]:
        """What a person must look at."""
        return (*self.changed, *self.torn, *self.missing, *self.unknown)


def audit_registry(registry: Registry) -> RegistryAudit:
    """Compare every record with the ledger, reading all of them; again where the ledger went on meanwhile.

    Raises:
        EnvironmentFault: the folder or the ledger cannot be read.
    """
    found = _audited(registry)
    for _ in range(_AGAIN):  # what ended while it was looked at
        if not found.bad or _links(registry)[1] == found.head:
            break
        found = _audited(registry)
    return found


def _audited(registry: Registry) -> RegistryAudit:
    """Compare every record with the ledger as it is read first."""
    links, head, fault = _links(registry)
    entered, began = _entered(links)
    lines = {line.name: line for line in registry.lines()}
    found: dict[str, list[str]] = {name: [] for name in _STATES}
    running = set()
    for name, entries in entered.items():
        state = _state(registry.folder / name, entries, lines.get(name))
        rewritten = len({link.data["sha256"] for link in entries if link.kind == RECORD}) > 1
        if state == RUNNING:
            running.add(name)
        elif state == "matching" and rewritten and entries[-1].kind != ADOPTED:
            found["twice"].append(name)
        else:
            found[state].append(name)
    rest = [line for name, line in lines.items() if name not in entered and line.status != STARTED]
    before = {line.name for line in rest if began is None or _ended(line) < began}
    return RegistryAudit(
        links=len(links),
        head=head,
        fault=fault,
        half_line=registry.chain.chain.torn(),
        matching=len(found.pop("matching")),
        unknown=tuple(sorted(line.name for line in rest if line.name not in before)),
        before=tuple(sorted(before)),
        **{name: tuple(sorted(names)) for name, names in found.items()},
    )


def _links(registry: Registry) -> tuple[list[tuple[Link, str]], str, str]:
    """Return the entries that can be trusted, the hash of the last of them, and why the rest cannot."""
    links, fault = list[tuple[Link, str]](), ""
    try:
        links.extend(registry.chain.chain.links())  # keeps what came before the fault
    except ArtefactError as error:
        fault = str(error)
    return links, links[-1][1] if links else BEGINNING, fault


def _entered(links: Sequence[tuple[Link, str]]) -> tuple[dict[str, list[Link]], datetime | None]:
    """Return the entries of each file, oldest first, and when the ledger began."""
    entered: dict[str, list[Link]] = {}
    for link, _ in links:
        if link.kind in (STARTED, RECORD, ADOPTED) and isinstance(link.data.get("file"), str) and "sha256" in link.data:
            entered.setdefault(link.data["file"], []).append(link)
    began = next((link.at for link, _ in links if link.kind == BEGUN), links[0][0].at if links else None)
    return entered, began


def _state(path: Path, entries: Sequence[Link], line: RegistryLine | None) -> str:
    """Return how a file stands against what was entered last."""
    found, last = sha256_of(path), entries[-1]
    if found == last.data["sha256"]:
        return RUNNING if last.kind == STARTED else "matching"
    if found == "missing":
        return "missing"
    if line is None or line.status == UNREADABLE:
        return "torn"
    begun = any(link.kind == STARTED for link in entries)
    as_begun = any(link.kind == STARTED and link.data["sha256"] == found for link in entries)
    return "pending" if line.status == STARTED and last.kind == RECORD and (as_begun or not begun) else "changed"


def _ended(line: RegistryLine) -> datetime:
    """Return when the session of a line ended, as well as that is known."""
    return as_utc(line.finished_at or datetime.fromisoformat(line.sorts_at))


@question("ledger", "Is the ledger whole, and the one that was there before?", GO_ON)
def ledger(place: Workspace) -> Found:
    """Verify every entry of the ledger, and that it holds what is remembered of it."""
    found = Ledger(place.home)
    known, whole = found.remembered(), list(found.links())  # what is remembered before the ledger
    if fault := found.fault() or found.checkpoint_fault(whole):
        return False, fault
    links = [link for link, _ in whole]
    odd, grave = unanswered(links, known)
    told = f"{many(len(links), 'entry', 'entries')}, each with the hash of the one before"
    if not odd:
        return True, told
    named = ", ".join(f"{link.seq + 1:,} ({link.kind})" for link in odd[:_SHOWN])
    told += f"; nobody remembered {named}: the writer died, or somebody appended it by hand"
    return FAIL if grave else WARN, told, "Look at it; `peaktrade audit adopt --by NAME --reason TEXT` answers for it."


@question("registry_chain", "Is every finished session's record as it was written?", _RESTORE)
def registry(place: Workspace) -> Found:
    """Audit the registry: what must not be fails, what heals by itself warns."""
    audit = audit_registry(Registry.of(place))
    bad = [
        _told(name, what)
        for what, name in (
            ("changed", audit.changed),
            ("cannot be read any more", audit.torn),
            ("missing", audit.missing),
            ("not entered by peaktrade", audit.unknown),
        )
        if name
    ]
    odd = [
        _told(audit.twice, "entered twice with different content"),
        _told(audit.pending, "its process died while it wrote the record; the next command that looks ends it"),
        f"the last line of the chain {HALF}" if audit.half_line else "",
    ]
    old = f"; {len(audit.before)} from before the ledger" if audit.before else ""
    good = f"{many(audit.matching, 'record as it was entered', 'records as they were entered')}{old}"
    told = "; ".join(filter(None, [audit.fault, *bad, *odd])) or good
    if audit.fault or bad:
        return FAIL, told
    return WARN if any(odd) else PASS, told, "`peaktrade audit adopt` settles what is entered twice; the rest heals."


def _told(names: Sequence[str], what: str) -> str:
    """Return some names with what is wrong with them, empty when there are none."""
    return f"{first_of(names, _SHOWN)}: {what}" if names else ""


def audit_checks(place: Workspace) -> list[Check]:
    """Return one answer for each part of the ledger, without the long files of sessions; none raises."""
    sealed = (evidence_check.about(EvidenceBook.of), *map(_sealed, (INCIDENTS, DRILLS)), forward_check)
    return place.ask((ledger, registry, *sealed, kill_switch, signatures, *where_adopted(place)))


def adopt(place: Workspace, names: Sequence[str], by: str, reason: str) -> list[str]:
    """Let a person answer for what the ledger does not know as it is, and return its names.

    Args:
        place: where.
        names: session ids, ids of evidence, incidents and drills, plain logs, or parts of their names; none for
            everything, the ledger itself and records from before it too.
        by, reason: who answers and why; kept in the ledger and the operations log.

    Raises:
        ConfigError: no name or no reason, or one of the names is empty.
        UnknownNameError: nothing is the matter with such a record.
        ArtefactError: the ledger cannot be trusted, and only some names are to be adopted.
        EnvironmentFault: it cannot be written.
    """
    by, reason = by.strip(), reason.strip()
    if not reason:
        raise ConfigError("adopting a record needs a reason (--reason)")
    person_key(by)
    if not all(name.strip() for name in names):  # it would be a part of every name
        raise ConfigError("the name of what is to be adopted is empty; leave names out to adopt everything")
    now, book = place.clock.now(), Ledger.of(place)
    if names and (fault := book.fault()):
        raise ArtefactError(f"{fault}, with no record named")
    chosen = [] if names or not book.begin_anew(by, reason, now) else [LEDGER]
    records = _to_adopt(place)
    unknown = [name for name in names if not any(name in known for known in records)]
    if unknown:
        raise UnknownNameError("record to adopt", unknown[0], list(records)[:_SHOWN], "peaktrade audit verify")
    wanted = [known for known in records if not names or any(name in known for name in names)]
    _enter_adopted(place, {name: records[name] for name in wanted}, by, reason)
    if chosen := [*chosen, *wanted]:
        append_line(place.operations_log, f"{iso(now)} audit adopted {len(chosen)} records by {by}: {reason}")
    return chosen


def _to_adopt(place: Workspace) -> dict[str, str]:
    """Return the name of everything that the ledger does not know as it is, with the section that it belongs to."""
    found = audit_registry(Registry.of(place))
    runs = {name for name, _ in journal_faults(place)}
    names = dict.fromkeys(sorted({*found.bad, *found.twice, *found.before, *runs}), REGISTRY)
    for section in SEALED:
        folder = SealedRecords(place.reports / section, Ledger.of(place).section(section))
        names |= dict.fromkeys(sorted({name.partition("/")[0] for name in folder.wrong()}), section)
    names |= dict.fromkeys(sorted(name for name, _ in paper_faults(place)), PAPERS)
    return names | dict.fromkeys(sorted(name for name, _ in log_faults(place)), LOGS)


def _enter_adopted(place: Workspace, names: Mapping[str, str], by: str, reason: str) -> None:
    """Enter what was chosen as it is now.

    Raises:
        EnvironmentFault: the ledger cannot be written.
    """
    now, registry, book = place.clock.now(), Registry.of(place), Ledger.of(place)
    of_registry = [name for name, section in names.items() if section == REGISTRY]
    if of_registry:
        ids = {line.name: line.session_id or "" for line in registry.lines()}
        registry.chain.adopt((_as_it_is(place, name, ids.get(name, "")) for name in of_registry), by, reason, now)
    for section in SEALED:
        chosen = [name for name, found in names.items() if found == section]
        SealedRecords(place.reports / section, book.section(section)).adopt(chosen, by, reason, now)
    if chosen := [name for name, section in names.items() if section == PAPERS]:
        adopt_papers(book, chosen, by, reason, now)
    if logs := [name for name, section in names.items() if section == LOGS]:
        book.answer_for(logs, by, reason, now)


def _as_it_is(place: Workspace, name: str, session_id: str) -> Adopted:
    """Return a record of the registry as it is now."""
    folder = RunFolder(place.runs, session_id) if is_id(session_id) else None
    return Adopted(name, session_id, sha256_of(Registry.of(place).folder / name), folder.hashes() if folder else {})


def _sealed(name: str) -> Question[Workspace]:
    """Declare whether everything in a folder of sealed records is as it was."""

    @question(f"{name}_chain", f"Is everything in reports/{name} as it was sealed?", _RESTORE)
    def sealed(place: Workspace) -> Found:
        folder = SealedRecords(place.reports / name, Ledger.of(place).section(name))
        return folder.check(sealed.id, sealed.text, _RESTORE)

    return sealed
